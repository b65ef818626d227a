"""Drift for people: how live differs from the manifest, by class."""

from __future__ import annotations

from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.drift import DriftClass, DriftItem, DriftReport
from oauthdeploy.reports.fields import add_fields
from oauthdeploy.reports.grid import FieldRow, Locate
from oauthdeploy.reports.sheet import Look, Sheet
from oauthdeploy.reports.text import add_findings
from oauthdeploy.reports.words import visible

_TITLES = {
    DriftClass.MISSING: ("Missing: in the manifest, not on the server", "delete"),
    DriftClass.UNEXPECTED: ("Unexpected: on the server, not in the manifest", "create"),
    DriftClass.CHANGED: ("Changed: the server differs from the manifest, shown as live -> manifest", "update"),
    DriftClass.SIDES_DISAGREE: ("Sides disagree: one server has what the other lacks", "replace"),
    DriftClass.CANNOT_COMPARE: ("Cannot be compared: servers don't tell", "faint"),
    DriftClass.UNREADABLE: ("Unreadable: could not be looked at", "faint"),
}


_WORDS = {
    DriftClass.MISSING: "missing",
    DriftClass.UNEXPECTED: "unexpected",
    DriftClass.CHANGED: "changed",
    DriftClass.SIDES_DISAGREE: "where the sides disagree",
    DriftClass.CANNOT_COMPARE: "can't be compared",
    DriftClass.UNREADABLE: "unreadable",
}


def render_drift(report: DriftReport, look: Look, *, locate: Locate | None = None) -> str:
    """All differences by class, then the findings, then one line that says whether there is drift."""
    sheet = Sheet(look)
    sheet.add(("Drift of ", ""), (visible(report.plan.name), "title"))
    for kind, (title, style) in _TITLES.items():
        items = [item for item in report.items if item.kind is kind]
        if items:
            sheet.blank()
            sheet.add((f"{title} ({len(items):,})", "strong"))
            for item in items:
                _add_item(sheet, item, style, locate)
    add_findings(sheet, report.diagnostics)
    sheet.blank()
    sheet.add((drift_line(report), "strong"))
    return sheet.text()


def drift_line(report: DriftReport) -> str:
    """`Drift: 1 missing, 2 changed.`, or that there is none."""
    counts = {kind: sum(item.kind is kind for item in report.items) for kind in DriftClass}
    known = [f"{number:,} {_WORDS[kind]}" for kind, number in counts.items() if kind.counts and number]
    rest = [f"{number:,} {_WORDS[kind]}" for kind, number in counts.items() if not kind.counts and number]
    beside = f" Besides: {', '.join(rest)}." if rest else ""
    if not known:
        return f"No drift. Both sides are as the manifest says.{beside}"
    return f"Drift: {', '.join(known)}.{beside}"


def _add_item(sheet: Sheet, item: DriftItem, style: str, locate: Locate | None) -> None:
    span = locate(item.place) if locate is not None and item.place else None
    place = f"{span.file}:{span.line}" if span is not None else ""
    sheet.ends([("  ", ""), (str(item.address), style)], (visible(place), "faint"), hang=4)
    if item.kind is DriftClass.MISSING and not sheet.look.verbose:
        # What is missing is in the manifest, for all to read.
        return
    # The list of different fields stands below, with their values.
    detail = item.detail.partition("Different: ")[0].strip() if item.fields else item.detail
    if detail:
        sheet.add("    ", visible(detail), hang=4)
    action = Action.CREATE if item.kind is DriftClass.MISSING else Action.UPDATE
    add_fields(sheet, [FieldRow(field) for field in item.fields], action, 4)
