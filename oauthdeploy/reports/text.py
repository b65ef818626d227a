"""A report as text, for people.

Each object is shown once, with a column for each server, because a reviewer wants to see whether both sides match:

     login  orders
       +      +     client/web-shop  missing                                oauthdeploy.yaml:38
       ~      .     settings  differs                                       oauthdeploy.yaml:27
                      access_token_lifetime  1h -> 30m
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostics, SourceSpan
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.outcome import Status
from oauthdeploy.reports.columns import Columns
from oauthdeploy.reports.console import Look, Sheet, Span, cells
from oauthdeploy.reports.diagnostics import add_diagnostic, add_diagnostics
from oauthdeploy.reports.document import Field, Item, Report, Row, Run, Step, Verdict
from oauthdeploy.reports.fields import add_fields
from oauthdeploy.reports.formatting import counted, listed, requests_text, visible

_ENDS: Final = {
    Status.FAILED: "Failed",
    Status.UNKNOWN: "Unknown: the request was sent, but no answer arrived",
    Status.SKIPPED: "Not tried",
}
ROWS_OF_A_KIND: Final = 20
"""Of rows about which the same is to be said, so many are shown."""
LISTED: Final = 3
"""Up to this number, changes that were not tried for the same reason have a line each; more of them have one together."""
_VERDICTS: Final = {Verdict.CLEAN: "good", Verdict.WAITING: "strong", Verdict.FAILED: "error"}


def render_text(report: Report, look: Look, *, shown: bool = False) -> str:
    """The whole report. If `shown` is true, the plan of an apply was shown before, and only the outcomes follow."""
    sheet = Sheet(look)
    if not shown:
        _add_head(sheet, report)
        _add_rows(sheet, report)
        _add_steps(sheet, report)
        _add_remarks(sheet, report)
        add_findings(sheet, report.findings)
        _add_stops(sheet, report)
    if report.run is Run.APPLY:
        _add_ends(sheet, report)
        add_findings(sheet, report.second_look)
    sheet.blank()
    _add_last(sheet, report)
    return sheet.text()


def render_last(report: Report, look: Look) -> str:
    """Only the summary sentence."""
    sheet = Sheet(look)
    _add_last(sheet, report)
    return sheet.text()


def add_findings(sheet: Sheet, diagnostics: Diagnostics) -> None:
    """All findings; information only if details are requested."""
    shown = tuple(item for item in diagnostics if item.severity.rank < 2 or sheet.look.verbose)
    add_diagnostics(sheet, replace(diagnostics, items=shown))


def _columns(report: Report, look: Look) -> Columns:
    return Columns.fitting(report.columns, (look.width or 120) // 3)


# -- servers ------------------------------------------------------------------------------------------------------------


def _add_head(sheet: Sheet, report: Report) -> None:
    """Title and servers, each with the number of its column if columns have numbers."""
    if report.run is Run.VALIDATE:
        return
    sheet.add(f"{report.lead} ", (report.name, "title"))
    sheet.blank()
    heads = _columns(report, sheet.look).numbers()
    number_width = max((len(head) + 1 for head in heads.values()), default=0)
    name_width = max((cells(server.name) for server in report.servers), default=0)
    role_width = max((len(server.role) for server in report.servers), default=0)
    for server in report.servers:
        left: list[Span] = [
            (f"  {heads.get(server.name, '').ljust(number_width)}", "name"),
            (server.name + " " * (name_width - cells(server.name)), "name"),
            (f"  {server.role.ljust(role_width)}", ""),
            (f"  {server.product or server.driver}", ""),
        ]
        indent = number_width + name_width + 4
        sheet.ends(left, (requests_text(server.reads, server.writes), "faint"), hang=indent)
        if server.url:
            sheet.add(" " * indent, (server.url, "faint"), hang=indent)


# -- rows ---------------------------------------------------------------------------------------------------------------


def _add_rows(sheet: Sheet, report: Report) -> None:
    columns = _columns(report, sheet.look)
    for title, group in groupby(report.rows, key=lambda row: row.state.title):
        rows = list(group)
        sheet.blank()
        _add_group(sheet, title, rows)
        shared = _shared_notes(sheet, rows)
        for note in shared:
            sheet.add(f"  {note}", hang=2)
        sheet.add("  ", ("  ".join(columns.heads), "name"))
        shown = rows if sheet.look.verbose or not shared else rows[:ROWS_OF_A_KIND]
        was_tall = False
        for number, row in enumerate(shown):
            notes = () if shared else row.notes
            tall = bool(_fields(sheet, row) or notes)
            if number and (tall or was_tall):
                sheet.blank()
            _add_row(sheet, row, columns, notes)
            was_tall = tall
        if len(shown) < len(rows):
            sheet.add(
                (f"  {len(rows) - len(shown):,} more: -v shows them here, -o json=FILE writes them to a file.", "faint")
            )


def _shared_notes(sheet: Sheet, rows: Sequence[Row]) -> Sequence[str]:
    """What is noted of each of several rows alike, where there is nothing else to say of any of them."""
    notes = rows[0].notes
    alike = len(rows) > 1 and all(row.notes == notes and not _fields(sheet, row) for row in rows)
    return notes if alike else ()


def _add_group(sheet: Sheet, title: str, rows: Sequence[Row]) -> None:
    """The title of some rows, with the number of objects that the summary counts: one for each server."""
    if title:
        objects = sum(item.state.title == title for row in rows for item in row.items.values())
        lines = f", in {len(rows):,} {'row' if len(rows) == 1 else 'rows'}" if objects != len(rows) else ""
        sheet.add((f"{title} ({objects:,}{lines})", "strong"), hang=2)


def _add_row(sheet: Sheet, row: Row, columns: Columns, notes: Sequence[str]) -> None:
    indent = columns.width
    left: list[Span] = [("  ", "")]
    for server, head in zip(columns.servers, columns.heads, strict=True):
        item = row.items.get(server)
        symbol, style = (item.state.symbol, item.state.style) if item else (".", "faint")
        left.append((symbol.center(cells(head)), style))
        left.append(("  ", ""))
    left.append((row.name, row.state.style))
    left.append((f"  {row.reason}" if row.reason else "", "faint"))
    if row.risk >= Risk.MEDIUM:
        left.append((f"  {row.risk} risk", str(row.risk)))
    sheet.ends(left, (place_text(row.place), "faint"), hang=indent)
    add_fields(sheet, _fields(sheet, row), row.state, indent + 2)
    for note in notes:
        sheet.add(" " * (indent + 2), (note, ""), hang=indent + 2)
    if sheet.look.verbose:
        for server, item in row.items.items():
            if item.waits_for:
                waits = listed(list(item.waits_for), 8)
                sheet.add(" " * (indent + 2), (f"@{server} after {waits}", "faint"), hang=indent + 4)


def _fields(sheet: Sheet, row: Row) -> Sequence[Field]:
    """The fields to show. The manifest has the others, so they are shown on request only."""
    return row.fields if sheet.look.verbose or row.state.word != "missing" else ()


def place_text(place: SourceSpan | None) -> str:
    """`file:line`, or ""."""
    return visible(f"{place.file}:{place.line}") if place is not None else ""


def _add_steps(sheet: Sheet, report: Report) -> None:
    """The steps of the two-sided order, where there is more than one."""
    if len(report.steps) < 2:
        return
    sheet.blank()
    sheet.add(("Order of work", "strong"))
    for number, step in enumerate(report.steps, 1):
        sheet.add(f"  {number}. {step_text(step)}", hang=5)


def step_text(step: Step) -> str:
    """`widen the resource side: orders (3 changes)`."""
    counts = [f"{server} ({counted(count, 'change')})" for server, count in step.counts]
    return f"{step.words}: {', '.join(counts)}"


def _add_remarks(sheet: Sheet, report: Report) -> None:
    if report.remarks:
        sheet.blank()
    for remark in report.remarks:
        about = (
            f": {listed(list(remark.about), len(remark.about) if sheet.look.verbose else remark.shown)}"
            if remark.about
            else ""
        )
        sheet.add((f"{remark.words}{about}", "faint"), hang=2)


def _add_stops(sheet: Sheet, report: Report) -> None:
    """The safety rules that stop the plan, and how to lift each."""
    for stop in report.stops:
        sheet.blank()
        add_diagnostic(sheet, stop.finding)
        if stop.lifted:
            sheet.add("  ", ("Lifted by --allow for this run.", "warning"))
        else:
            sheet.add("  apply refuses until the rule is lifted: ", (f"--allow {stop.finding.rule}", "strong"), hang=4)


# -- outcomes -----------------------------------------------------------------------------------------------------------


def _add_ends(sheet: Sheet, report: Report) -> None:
    """What failed, is unknown or was not tried; then the servers' responses, and where secrets were delivered."""
    for status, title in _ENDS.items():
        found = [item for item in report.items if item.end is not None and item.end.status is status]
        if found:
            sheet.blank()
            sheet.add((f"{title} ({len(found):,})", "strong"))
            for alike in _by_reason(found) if status is Status.SKIPPED and not sheet.look.verbose else ():
                found = [item for item in found if item not in alike]
                reason = _reason(alike[0])
                words = f"{len(alike):,} changes, from {alike[0].address} to {alike[-1].address}: {reason}"
                sheet.add("  ", (words, "faint"), hang=4)
            for item in found:
                _add_end(sheet, item)
    noted = [item for item in report.items if item.end is not None and item.end.note]
    if noted or report.delivered:
        sheet.blank()
    for item in noted:
        sheet.add(f"{item.address}: {item.end.note if item.end else ''}", hang=2)
    for address, place in report.delivered.items():
        sheet.add(f"{address}: secret delivered to {place}", hang=2)


def _by_reason(skipped: Sequence[Item]) -> Sequence[Sequence[Item]]:
    """The changes that were not tried for one and the same reason, where there are more than LISTED of them."""
    found: dict[str, list[Item]] = {}
    for item in skipped:
        found.setdefault(_reason(item), []).append(item)
    return [alike for alike in found.values() if len(alike) > LISTED]


def _reason(item: Item) -> str:
    """Why a change was not tried."""
    because = item.end.because if item.end is not None else None
    return "" if because is None else visible(because.detail or because.summary)


def _add_end(sheet: Sheet, item: Item) -> None:
    state, end = item.state, item.end
    left: list[Span] = [("  ", ""), (state.symbol, state.style), (" ", ""), (str(item.address), state.style)]
    sheet.ends(left, (place_text(item.place), "faint"), hang=4)
    if end is None or end.because is None:
        return
    if end.status is Status.SKIPPED:
        sheet.add("    ", (_reason(item), "faint"), hang=4)
    else:
        add_diagnostic(sheet, end.because, indent=4)


def _add_last(sheet: Sheet, report: Report) -> None:
    """The summary sentence, and other facts about the run."""
    line = report.headline
    for sentence in reversed(report.closing):
        line = line.removesuffix(sentence).rstrip()
    if report.run is Run.VALIDATE and report.estate is None:
        sheet.add(("error: ", "error"), (line, "strong"))
    else:
        sheet.add((line, _VERDICTS[report.verdict]), hang=2)
    for fact in report.facts:
        sheet.add((fact, "good" if fact.startswith("Verified") else ""), hang=2)
    for sentence in report.closing:
        sheet.add((sentence, "error"), hang=2)
