"""Many findings of one rule are one block; signs stay with their values; drift has its own signs and colours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.reports.builders.common import ACTIONS, CLASSES
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.diagnostics import render_diagnostics
from oauthdeploy.reports.document import Field, Value
from oauthdeploy.reports.fields import add_fields


def finding(number: int, rule: str = "wide") -> Diagnostic:
    span = SourceSpan("a.yaml", number, 3, "  text")
    return Diagnostic(rule, "Too wide", f"client {number} is wide.", "Make it narrow.", Severity.WARNING, span=span)


def test_many_findings_of_one_rule_are_one_block() -> None:
    """The first three with their places, the number, and where to see all; a rule with few findings is told one by one."""
    found = Diagnostics.of([*(finding(number) for number in range(1, 2001)), finding(9, "other")]).first()
    text = render_diagnostics(found, Look(80))
    assert text.count("[wide]") == 1
    assert "Too wide (2,000 times) [wide]" in text or "Too wide (2,001 times) [wide]" in text
    assert all(f"a.yaml:{number}:3" in text for number in (1, 2, 3))
    assert "a.yaml:4:3" not in text
    assert "-v shows" in text
    assert text.count("Make it narrow.") == 1 + text.count("[other]")
    assert len(text.splitlines()) < 25


def test_a_few_findings_and_all_details_are_told_one_by_one() -> None:
    """Five of a rule are read; with -v, as many as there are."""
    assert render_diagnostics([finding(number) for number in range(5)], Look(80)).count("[wide]") == 5
    assert render_diagnostics([finding(number) for number in range(9)], Look(80, verbose=True)).count("[wide]") == 9


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("state", ["update", "missing", "changed"])
def test_a_sign_stays_with_its_value(width: int, state: str) -> None:
    """However narrow the screen, no line ends with a sign alone."""
    entries = tuple(f"https://shop.example.com/{'x' * size}" for size in (5, 20, 40, 70))
    for before, after in ((entries, ()), ((), entries)):
        sheet = Sheet(Look(width))
        field = Field("redirect_uris", Value("", before), Value("", after))
        add_fields(sheet, [field], state, 19)
        assert not [
            line for line in sheet.text().splitlines() if line.rstrip().endswith((" -", " +", " <", " >", "->"))
        ]


def test_drift_has_signs_and_colours_of_its_own() -> None:
    """What is missing is not what a plan deletes, and what is unexpected is not what it creates."""
    plan = {(state.symbol, state.style) for state in ACTIONS.values()}
    symbols = {state.symbol for state in ACTIONS.values()}
    for state in CLASSES.values():
        if state.word in ("missing", "unexpected"):
            assert state.symbol not in symbols
            assert state.style not in {style for _, style in plan}
    assert replace(CLASSES[next(iter(CLASSES))]).title.startswith("Missing")
