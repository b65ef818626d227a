"""What a cut-off leaves is in the last line."""

from __future__ import annotations

from dataclasses import replace

from oauthdeploy.planning.changes import shared_sessions, shared_sessions_in
from oauthdeploy.reports.builders.apply import apply_line
from tests.reports import samples


def test_sessions_that_other_clients_share_are_named_in_the_last_line_of_an_apply() -> None:
    """With the name of the cut-off; other notes are not."""
    report = samples.done_report()
    first, *others = report.outcomes
    noted = replace(first, note=f"2 sessions ended. {shared_sessions(1)}: whoever is signed in there gets new tokens.")
    line = apply_line(replace(report, outcomes=(noted, *others)))
    assert line.endswith(f" {first.change.address.name}: 1 session shared with other clients stays.")
    assert apply_line(report) == line.removesuffix(
        f" {first.change.address.name}: 1 session shared with other clients stays."
    )


def test_the_words_are_found_again() -> None:
    """Of one and of several."""
    assert shared_sessions_in(f"x {shared_sessions(1)}: y") == "1 session shared with other clients stays"
    assert shared_sessions_in(f"x {shared_sessions(12)}: y") == "12 sessions shared with other clients stay"
    assert shared_sessions_in("3 sessions ended.") == ""
