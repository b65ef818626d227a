"""A report as findings, for formats that have only findings: each row that needs attention becomes one.

A planned change is information, or a warning if its risk is medium or high. A difference in a drift report or a comparison
is an error, and so is a failed change. A change that was made as planned is not a finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.outcome import Status
from oauthdeploy.reports.document import End, Field, Item, Report, Row, Run, State
from oauthdeploy.reports.formatting import NONE_TEXT

_SUMMARIES: Final = {
    "create": "The plan creates an object",
    "update": "The plan changes an object",
    "replace": "The plan replaces an object",
    "delete": "The plan deletes an object",
    "disable": "The plan disables a client",
    "revoke": "The plan revokes tokens",
    "missing": "An object of the manifest is missing on the server",
    "unexpected": "The server has an object that the manifest does not name",
    "changed": "The server differs from the manifest",
    "sides-disagree": "Two sides disagree",
    "cannot-compare": "A value cannot be compared",
    "unreadable": "A part of the server could not be read",
    "accepted": "A known difference is accepted",
}
_DIFFERENT: Final = {
    "missing": "Only the first side has the object",
    "unexpected": "Only the second side has the object",
    "changed": "The sides differ",
}
_ENDS: Final = {
    Status.FAILED: "A change failed",
    Status.UNKNOWN: "It is unknown whether a change was made",
    Status.SKIPPED: "A change was not tried",
}


def results_of(report: Report) -> Iterator[Diagnostic]:
    """All findings, safety stops and rows that need attention, as findings."""
    yield from report.all_findings
    for stop in report.stops:
        yield replace(stop.finding, severity=Severity.WARNING) if stop.lifted else stop.finding
    for item in report.items:
        found = finding_of(report, item)
        if found is not None:
            yield found


def finding_of(report: Report, item: Item) -> Diagnostic | None:
    """One item as a finding; None for a change that was made."""
    if item.end is not None:
        return _end_finding(item, item.end)
    word = item.state.word
    summaries = {**_SUMMARIES, **_DIFFERENT} if report.run is Run.COMPARE else _SUMMARIES
    prefix = {Run.PLAN: "planned", Run.APPLY: "planned", Run.DRIFT: "drift"}.get(report.run, "difference")
    return Diagnostic(
        f"{prefix}-{word}",
        summaries[word],
        detail=item_text(item),
        severity=_severity(report, item),
        address=str(item.address),
        span=item.place,
    )


def _severity(report: Report, item: Item) -> Severity:
    if report.run in (Run.PLAN, Run.APPLY):
        return Severity.WARNING if item.risk >= Risk.MEDIUM else Severity.INFO
    if item.state.real:
        return Severity.ERROR
    return Severity.WARNING if item.state.word == "unreadable" else Severity.INFO


def _end_finding(item: Item, end: End) -> Diagnostic | None:
    if end.status is Status.DONE:
        return None
    because = end.because
    return Diagnostic(
        f"change-{end.status.value}",
        _ENDS[end.status],
        detail="\n".join(part for part in (f"{item.state.word} {item.address}", reason_of(because)) if part),
        fix=because.fix if because is not None else "",
        severity=Severity.WARNING if end.status is Status.SKIPPED else Severity.ERROR,
        address=str(item.address),
        span=item.place,
    )


def reason_of(because: Diagnostic | None) -> str:
    """Why a change failed or was not tried: `The server does not allow the request. POST ... [permission-denied]`."""
    if because is None:
        return ""
    return f"{'. '.join(part for part in (because.summary, because.detail) if part)} [{because.rule}]"


def ends_of(row: Row) -> tuple[tuple[str, str], ...]:
    """The outcomes of a row, without repetition, with the servers if they differ: `("failed", "login")`."""
    found: dict[str, list[str]] = {}
    for server, item in row.items.items():
        if item.end is not None:
            found.setdefault(item.end.status.value, []).append(server)
    return tuple((status, ", ".join(servers) if len(found) > 1 else "") for status, servers in found.items())


def item_text(item: Item) -> str:
    """An item in lines: its state and reason, its fields, its notes."""
    head = f"{item.state.word} {item.address}" + (f": {item.reason}" if item.reason else "")
    risk = (f"{item.risk} risk",) if item.risk >= Risk.MEDIUM else ()
    return "\n".join(
        (head, *risk, *(field_line(field, item.state) for field in item.fields), *((item.note,) if item.note else ()))
    )


def field_line(field: Field, state: State) -> str:
    """A field in one line: `type: confidential -> public`, `redirect_uris: - a + b (1 unchanged)`."""
    if field.is_list:
        gone, come = state.signs
        parts = [*(f"{gone} {entry}" for entry in field.gone), *(f"{come} {entry}" for entry in field.come)]
        parts += [f"({field.kept} unchanged)"] if field.kept else []
        return f"{field.label}: {'  '.join(parts) or '(same items in another order)'}"
    before = field.before.text if field.before is not None else NONE_TEXT
    after = field.after.text if field.after is not None else NONE_TEXT
    return f"{field.label}: {before} -> {after}"
