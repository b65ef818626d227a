"""What an apply says while it runs."""

from __future__ import annotations

import pytest

from oauthdeploy.cli.output import Output
from oauthdeploy.cli.progress import progress
from oauthdeploy.planning.outcome import Event, EventType


@pytest.mark.parametrize(("verbosity", "lines"), [(0, 1), (1, 3)])
def test_what_was_skipped_is_left_to_the_report(verbosity: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C hundreds of changes are skipped for one reason, which the report says once."""
    with progress(Output(verbosity=verbosity)) as tell:
        tell(Event(EventType.CHANGE_DONE, "Created scope/a@login.", done=1, total=3))
        for number in (2, 3):
            tell(Event(EventType.CHANGE_SKIPPED, f"Skipped scope/{number}@login.", done=number, total=3))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "[1/3] Created scope/a@login."
    assert len(said) == lines
