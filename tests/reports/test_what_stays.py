"""What a cut-off leaves is in the last line."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from oauthdeploy.planning.changes import shared_sessions, shared_sessions_in
from oauthdeploy.planning.revocation.audit_schema import ServerRecord
from oauthdeploy.reports.builders.apply import apply_line
from oauthdeploy.reports.console import Look
from oauthdeploy.reports.revoke import render_revoke
from tests.reports import samples
from tests.running.test_audit import record


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


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_they_are_named_in_the_last_line_of_a_revoke(shared: int) -> None:
    """Beside the number of servers; without such a session the line ends there."""
    said = (f"{shared_sessions(shared)}: whoever is signed in there gets new tokens.",) if shared else ()
    server = ServerRecord(
        server="login",
        revocation="INC-7",
        role="authorization",
        state="cut-off",
        found=None,
        done=("2 sessions ended.", *said),
        seconds=0.1,
        verified=True,
        proved=(),
        problems=(),
    )
    made = record(type="finished", servers=(server,), result="done", seconds=1.0)
    last = render_revoke(made, Look()).split("\n\n")[-1]
    stays = {1: " 1 session shared with other clients stays.", 2: " 2 sessions shared with other clients stay."}
    assert " ".join(last.split()) == f"Cut off on 1 server, verified, in 1.0 s.{stays.get(shared, '')}"


def test_the_words_are_found_again() -> None:
    """Of one and of several."""
    assert shared_sessions_in(f"x {shared_sessions(1)}: y") == "1 session shared with other clients stays"
    assert shared_sessions_in(f"x {shared_sessions(12)}: y") == "12 sessions shared with other clients stay"
    assert shared_sessions_in("3 sessions ended.") == ""
