"""Whole reports, compared with files. `GOLDEN=write pytest tests/reports` makes them again; look at them before you commit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oauthdeploy.reports.builders.apply import apply_report
from oauthdeploy.reports.builders.drift import drift_report
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.console import Look
from oauthdeploy.reports.diagnostics import render_diagnostics
from oauthdeploy.reports.ping import render_ping
from oauthdeploy.reports.text import render_text
from tests.reports import samples

GOLDEN = Path(__file__).parent / "golden"
LOOKS = {
    "80": Look(80),
    "120": Look(120),
    "80-colour": Look(80, colour=True),
    "endless": Look(None),
    "80-verbose": Look(80, verbose=True),
}
REPORTS: dict[str, Callable[[Look], str]] = {
    "plan-first": lambda look: render_text(plan_report(samples.first_plan(), samples.MANIFEST), look),
    "plan-second": lambda look: render_text(plan_report(samples.second_plan(), samples.MANIFEST), look),
    "plan-allowed": lambda look: render_text(plan_report(samples.second_plan(), allowed=("too-many-deletes",)), look),
    "plan-empty": lambda look: render_text(plan_report(samples.empty_plan()), look),
    "plan-part": lambda look: render_text(plan_report(samples.empty_plan(), partial=True), look),
    "plan-hostile": lambda look: render_text(plan_report(samples.hostile_plan()), look),
    "plan-wide": lambda look: render_text(plan_report(samples.wide_plan(9)), look),
    "apply-done": lambda look: render_text(apply_report(samples.done_report(), samples.MANIFEST), look, shown=True),
    "apply-partial": lambda look: render_text(apply_report(samples.partial_report()), look, shown=True),
    "drift": lambda look: render_text(drift_report(samples.drift_report(), samples.MANIFEST), look),
    "drift-none": lambda look: render_text(drift_report(samples.drift_report(())), look),
    "ping": lambda look: render_ping(samples.ping_answers(), look),
    "diagnostics": lambda look: render_diagnostics((samples.ERROR, samples.WARNING, samples.STOP), look),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("report", REPORTS)
def test_a_report_is_as_the_golden_file(report: str, look: str) -> None:
    """Equal input gives equal bytes, and a change of a report is seen in review."""
    found = REPORTS[report](LOOKS[look])
    path = GOLDEN / f"{report}.{look}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")
