"""Many findings of one rule are one block; signs stay with their values; drift has its own signs and colours."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.planning.changes import Action, FieldChange
from oauthdeploy.planning.drift.classification import DriftClass, DriftItem
from oauthdeploy.planning.outcome import ApplyReport, Outcome, Status
from oauthdeploy.reports.builders.apply import apply_report
from oauthdeploy.reports.builders.common import ACTIONS, CLASSES
from oauthdeploy.reports.builders.comparison import comparison_report
from oauthdeploy.reports.builders.drift import drift_report
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.diagnostics import render_diagnostics
from oauthdeploy.reports.document import Field, Value
from oauthdeploy.reports.fields import add_fields
from oauthdeploy.reports.text import render_text
from tests.reports import samples


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


STATES = {
    state.word: state
    for state in (
        *(ACTIONS[action] for action in (Action.CREATE, Action.UPDATE)),
        *(CLASSES[kind] for kind in (DriftClass.MISSING, DriftClass.CHANGED)),
    )
}


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("state", ["update", "missing", "changed"])
def test_a_sign_stays_with_its_value(width: int, state: str) -> None:
    """However narrow the screen, no line ends with a sign alone."""
    entries = tuple(f"https://shop.example.com/{'x' * size}" for size in (5, 20, 40, 70))
    for before, after in ((entries, ()), ((), entries)):
        sheet = Sheet(Look(width))
        field = Field("redirect_uris", Value("", before), Value("", after))
        add_fields(sheet, [field], STATES[state], 19)
        assert not [
            line for line in sheet.text().splitlines() if line.rstrip().endswith((" -", " +", " <", " >", "->"))
        ]


@pytest.mark.parametrize("state", ["create", "update", "changed"])
def test_a_value_that_has_no_room_beside_its_label_is_whole_below_it(state: str) -> None:
    """In 60 columns an address is not torn while a line could hold it; in 100 it is beside its label."""
    before, after = Value("inherit"), Value("https://shop.example.com/callback")
    field = Field("post_logout_redirect", None if state == "create" else before, after)

    def shown(width: int) -> list[str]:
        sheet = Sheet(Look(width))
        add_fields(sheet, [field], STATES[state], 12)
        return sheet.text().splitlines()

    whole = after.text if state == "create" else f"inherit -> {after.text}"
    assert shown(60) == [f"{' ' * 12}post_logout_redirect", f"{' ' * 14}{whole}"]
    assert shown(100) == [f"{' ' * 12}post_logout_redirect  {whole}"]


def test_drift_has_signs_and_colours_of_its_own() -> None:
    """What is missing is not what a plan deletes, and what is unexpected is not what it creates."""
    plan = {(state.symbol, state.style) for state in ACTIONS.values()}
    symbols = {state.symbol for state in ACTIONS.values()}
    for state in CLASSES.values():
        if state.word in ("missing", "unexpected"):
            assert state.symbol not in symbols
            assert state.style not in {style for _, style in plan}
    assert replace(CLASSES[next(iter(CLASSES))]).title.startswith("Missing")


@pytest.mark.parametrize(("skipped", "lines"), [(2, 2), (3, 3), (9, 1)])
def test_what_an_interruption_skipped_is_one_line(skipped: int, lines: int) -> None:
    """Ctrl-C skips hundreds of changes for one reason: they have one line together, which names the first and the last."""
    plan = samples.first_plan()
    because = Diagnostic("interrupted", "Not tried, because the run was interrupted", severity=Severity.INFO)
    changes = [replace(plan.changes[0], address=Address.parse(f"scope/s{number}@login")) for number in range(skipped)]
    outcomes = tuple(Outcome(change, Status.SKIPPED, because) for change in changes)
    report = apply_report(
        ApplyReport(replace(plan, changes=tuple(changes)), outcomes, interrupted=True), samples.MANIFEST
    )
    text = " ".join(render_text(report, Look(100), shown=True).split())
    assert text.count("because the run was interrupted") == lines
    assert f"Not tried ({skipped})" in text
    assert "scope/s0@login" in text
    assert f"scope/s{skipped - 1}@login" in text
    everything = render_text(report, Look(100, verbose=True), shown=True)
    assert everything.count("because the run was interrupted") == skipped


def test_objects_that_nobody_manages_have_a_line_each_and_sums_that_agree() -> None:
    """81 objects on two servers are 162 in the title and in the last line; what is said of all of them is said once."""
    items = tuple(
        DriftItem(
            DriftClass.UNEXPECTED, Address.parse(f"scope/s{number:03}@{server}"), "The manifest does not name it."
        )
        for number in range(81)
        for server in ("login", "orders")
    )
    text = render_text(drift_report(samples.drift_report(items), samples.MANIFEST), Look(100))
    assert "(162, in 81 rows)" in text
    assert "162 unexpected" in text
    assert text.count("The manifest does not name it.") == 1
    assert text.count("scope/s") == 20
    assert "61 more: -v shows them here" in text
    everything = render_text(drift_report(samples.drift_report(items), samples.MANIFEST), Look(100, verbose=True))
    assert everything.count("scope/s") == 81


def test_what_only_one_side_has_has_the_sign_of_that_side() -> None:
    """In a comparison `<` is the left side and `>` the right one, for objects and for entries of lists."""
    left, right = ("payroll", "reports"), ("reports", "audit")
    change = FieldChange("resources", left, right)
    items = [
        DriftItem(DriftClass.MISSING, Address.parse("scope/left@login"), ""),
        DriftItem(DriftClass.UNEXPECTED, Address.parse("scope/right@orders"), ""),
        DriftItem(DriftClass.CHANGED, Address.parse("scope/both@orders"), "", (change,)),
    ]
    shown = [line.split() for line in render_text(comparison_report("login", "orders", items), Look(80)).splitlines()]
    for sign, name in (("<", "scope/left"), (">", "scope/right"), ("<", "payroll"), (">", "audit")):
        assert any(sign in words and name in words for words in shown), (sign, name)
