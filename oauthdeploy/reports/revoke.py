"""The result of a cut-off, server by server, for people."""

from __future__ import annotations

from collections.abc import Sequence

from oauthdeploy.planning.changes import shared_sessions_in
from oauthdeploy.planning.revocation.audit_schema import AskedRecord, AuditRecord, ServerRecord
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.formatting import counted, listed, seconds_text, visible

_STATES = {
    "cut-off": ("cut off", "good"),
    "nothing-to-do": ("was already cut off", "good"),
    "client-not-there": ("has no such client", "faint"),
    "not-offered": ("Cannot", "error"),
    "failed": ("FAILED", "error"),
    "unreachable": ("UNREACHABLE", "error"),
}
_CUT = ("cut-off", "nothing-to-do")


def render_revoke(record: AuditRecord, look: Look, notes: Sequence[str] = ()) -> str:
    """Each server with its outcome, the time until it took effect and what a token proved; then the count, and `notes`."""
    sheet = Sheet(look)
    for request in record.asked:
        own = [item for item in record.servers if item.revocation == request.id]
        sheet.add((f"{visible(request.client)}", "strong"), f" ({visible(request.id)}): {_wish(request)}", hang=2)
        width = max((len(item.server) for item in own), default=0)
        for item in own:
            _add_server(sheet, item, width, nothing=_had_nothing(item, request))
    sheet.blank()
    sheet.add((_end(record), "strong"), hang=2)
    for note in notes:
        sheet.add(visible(note), hang=2)
    return sheet.text()


def _wish(request: AskedRecord) -> str:
    parts = []
    if request.block:
        parts.append(f"disable it on {' and '.join(request.block)} servers")
    if request.tokens:
        which = [f"of {visible(request.owner)}"] if request.owner is not None else []
        which += [f"with scope {visible(request.scope)}"] if request.scope is not None else []
        which += [f"with handle {visible(', '.join(request.handles))}"] if request.handles is not None else []
        which += [f"issued before {request.issued_before.isoformat()}"] if request.issued_before is not None else []
        parts.append(" ".join(["delete its tokens", *which]))
    return ", ".join(parts)


def _had_nothing(item: ServerRecord, request: AskedRecord) -> bool:
    """Whether a server had no token of a selection. A mistake in the selection looks the same, so this is not reported as
    cut off.
    """
    narrowed = any(one is not None for one in (request.owner, request.scope, request.handles, request.issued_before))
    counted_none = item.found is not None and item.found.tokens == 0
    return narrowed and not request.block and item.state == "nothing-to-do" and counted_none


def _add_server(sheet: Sheet, item: ServerRecord, width: int, *, nothing: bool) -> None:
    words, style = ("has no such tokens", "faint") if nothing else _STATES[item.state]
    done = " ".join(item.done)
    if item.state == "cut-off":
        done += "" if item.verified else " Not verified."
    sheet.ends(
        [(f"  {item.server.ljust(width)}", "name"), ("  ", ""), (words, style), (f"  {visible(done)}".rstrip(), "")],
        (seconds_text(item.seconds) if item.seconds is not None else "", "faint"),
        hang=width + 4,
    )
    for proof in item.proved:
        sheet.add(" " * (width + 4), (visible(proof), "good"), hang=width + 4)
    for problem in item.problems:
        text = ". ".join(part.rstrip(".") for part in (problem.summary, problem.detail, problem.fix) if part)
        sheet.add(" " * (width + 4), (f"{visible(text)}. [{problem.rule}]", ""), hang=width + 4)


def _end(record: AuditRecord) -> str:
    if record.result == "done":
        return _end_of_success(record)
    servers = {item.server for item in record.servers}
    open_ = sorted({i.server for i in record.servers if i.state not in (*_CUT, "client-not-there") or i.problems})
    word = "NOT cut off" if record.result == "failed" else "NOT cut off everywhere"
    took = seconds_text(record.seconds or 0.0)
    return f"{word}: {listed(open_)} not cut off, {len(open_)} of {counted(len(servers), 'server')}, after {took}."


def _end_of_success(record: AuditRecord) -> str:
    cut = [item for item in record.servers if item.state in _CUT]
    where = counted(len({item.server for item in cut}), "server")
    took = seconds_text(record.seconds or 0.0)
    requested = {one.id: one for one in record.asked}
    if cut and all(_had_nothing(item, requested[item.revocation]) for item in cut):
        return f"Nothing to delete: no such tokens on {where}, in {took}."
    head = "Cut off" if any(item.state == "cut-off" for item in cut) else "Already cut off"
    how = "verified" if all(item.verified for item in cut) else "not verified"
    stay = "".join(f" {words}." for item in cut if (words := shared_sessions_in(" ".join(item.done))))
    return f"{head} on {where}, {how}, in {took}.{stay}"
