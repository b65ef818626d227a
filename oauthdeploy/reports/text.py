"""A plan for people.

Each object is shown once, with a column for each server, since what a reviewer asks is whether both sides go the same way:

     login  orders
       +      +     client/web-shop  missing                                oauthdeploy.yaml:38
       ~      .     settings  differs                                       oauthdeploy.yaml:27
                      access_token_lifetime  1h -> 30m
"""

from __future__ import annotations

from collections import Counter

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import ServerError
from oauthdeploy.planning.changes import Action, Risk, Stage
from oauthdeploy.planning.plan import Plan, ServerSummary
from oauthdeploy.reports.diagnostics import add_diagnostic
from oauthdeploy.reports.fields import add_fields
from oauthdeploy.reports.grid import Columns, Locate, Row, rows_of, server_names
from oauthdeploy.reports.sheet import Look, Sheet, Span
from oauthdeploy.reports.words import counted, listed, visible

_STAGES = {
    Stage.CUT_OFF_RESOURCE: "cut off on the resource side",
    Stage.CUT_OFF_AUTHORIZATION: "cut off on the authorization side",
    Stage.WIDEN_RESOURCE: "widen the resource side",
    Stage.WIDEN_AUTHORIZATION: "widen the authorization side",
    Stage.NARROW_AUTHORIZATION: "narrow the authorization side",
    Stage.NARROW_RESOURCE: "narrow the resource side",
}
_NOT_READ = {ServerError.rule, *(kind.rule for kind in ServerError.__subclasses__())}
"""A finding of a plan with the rule of a server's error is about a kind that couldn't be read."""

_NO_CHANGES = "No changes. Both sides are as the manifest says"


def render_plan(
    plan: Plan, look: Look, *, locate: Locate | None = None, partial: bool = False, allowed: tuple[str, ...] = ()
) -> str:
    """The whole plan. `locate` finds places in the manifest; `partial` says that a selection was made; `allowed` are the
    safety rules that are lifted.
    """
    sheet = Sheet(look)
    sheet.add(("Plan for ", ""), (visible(plan.name), "title"))
    sheet.blank()
    changed = {change.address.server for change in plan.changes}
    names = tuple(name for name in server_names(plan) if name in changed)
    columns = Columns.fitting(names, (look.width or 120) // 3)
    _add_servers(sheet, plan, columns)
    if plan.changes:
        sheet.blank()
        _add_changes(sheet, plan, columns, locate)
        _add_order(sheet, plan)
    _add_remarks(sheet, plan)
    add_findings(sheet, plan.diagnostics)
    _add_stops(sheet, plan, allowed)
    sheet.blank()
    sheet.add((plan_line(plan, partial=partial), "strong"), hang=2)
    return sheet.text()


def plan_line(plan: Plan, *, partial: bool = False) -> str:
    """The last line: what is to be done in numbers, or that there is nothing to do, and how far that was seen."""
    if plan.is_empty:
        if partial:
            return "No changes in the selected part."
        unseen = any(item.rule in _NOT_READ for item in plan.diagnostics)
        return _NO_CHANGES + (", as far as they could be read." if unseen else ".")
    counts = plan.counts
    parts = [f"{counts[Action.CREATE]} to create", f"{counts[Action.UPDATE]} to change"]
    parts += [f"{counts[Action.REPLACE]} to replace"] if counts[Action.REPLACE] else []
    parts += [f"{counts[Action.DELETE]} to delete"]
    parts += [f"{counts[Action.DISABLE]} to disable"] if counts[Action.DISABLE] else []
    parts += [f"{counts[Action.REVOKE]} to revoke"]
    return f"Plan: {', '.join(parts)}."


def add_findings(sheet: Sheet, diagnostics: Diagnostics) -> None:
    """Findings one below the other; information only where details are asked for."""
    for item in diagnostics:
        if item.severity.rank < 2 or sheet.look.verbose:
            sheet.blank()
            add_diagnostic(sheet, item)


def _add_servers(sheet: Sheet, plan: Plan, columns: Columns) -> None:
    """Who the servers are; in front the number of the column, where columns have numbers."""
    known = {server.name: server for server in plan.servers}
    heads = columns.numbers()
    servers = [known[name] for name in server_names(plan) if name in known]
    number_width = max((len(head) + 1 for head in heads.values()), default=0)
    name_width = max((len(server.name) for server in servers), default=0)
    role_width = max((len(_role(server)) for server in servers), default=0)
    for server in servers:
        left: list[Span] = [
            (f"  {heads.get(server.name, '').ljust(number_width)}", "name"),
            (server.name.ljust(name_width), "name"),
            (f"  {_role(server).ljust(role_width)}", ""),
            (f"  {visible(server.product or server.driver)}", ""),
        ]
        indent = number_width + name_width + 4
        requests = f"{counted(server.reads, 'read')}, {counted(server.writes, 'write')}"
        sheet.ends(left, (requests, "faint"), hang=indent)
        if server.url:
            sheet.add(" " * indent, (visible(server.url), "faint"), hang=indent)


def _role(server: ServerSummary) -> str:
    return "authorization and resource" if server.role == "both" else server.role


def _add_changes(sheet: Sheet, plan: Plan, columns: Columns, locate: Locate | None) -> None:
    sheet.add("  ", ("  ".join(columns.heads), "name"))
    was_tall = False
    for number, row in enumerate(rows_of(plan)):
        tall = bool(row.fields or row.notes)
        if number and (tall or was_tall):
            sheet.blank()
        _add_row(sheet, row, columns, locate)
        was_tall = tall


def _add_row(sheet: Sheet, row: Row, columns: Columns, locate: Locate | None) -> None:
    indent = columns.width
    left: list[Span] = [("  ", "")]
    for server, head in zip(columns.servers, columns.heads, strict=True):
        change = row.changes.get(server)
        symbol, style = (change.action.symbol, change.action.value) if change else (".", "faint")
        left.append((symbol.center(len(head)), style))
        left.append(("  ", ""))
    left += [(row.name, row.action.value), (f"  {row.reason}", "faint")]
    if row.risk >= Risk.MEDIUM:
        left.append((f"  {row.risk} risk", str(row.risk)))
    sheet.ends(left, (visible(row.place(locate)), "faint"), hang=indent)
    add_fields(sheet, row.fields, row.action, indent + 2)
    for note in row.notes:
        sheet.add(" " * (indent + 2), (visible(note), ""), hang=indent + 2)
    if sheet.look.verbose:
        for server, change in row.changes.items():
            if change.depends_on:
                waits = listed([str(address) for address in change.depends_on], 8)
                sheet.add(" " * (indent + 2), (f"@{server} after {waits}", "faint"), hang=indent + 4)


def _add_order(sheet: Sheet, plan: Plan) -> None:
    """The steps of the two-sided order, where there is more than one."""
    steps = Counter((change.stage, change.address.server) for change in plan.changes)
    if len({stage for stage, _ in steps}) < 2:
        return
    sheet.blank()
    sheet.add(("Order of work", "strong"))
    for number, stage in enumerate(sorted({stage for stage, _ in steps}), 1):
        where = ", ".join(
            f"{server} ({counted(count, 'change')})" for (at, server), count in sorted(steps.items()) if at is stage
        )
        sheet.add(f"  {number}. {_STAGES[stage]}: {where}", hang=5)


def _add_remarks(sheet: Sheet, plan: Plan) -> None:
    """What can't be compared and what stays although the manifest doesn't name it."""
    if plan.blind or plan.kept:
        sheet.blank()
    if plan.blind:
        names = [f"{address} {path}" for address, path in plan.blind]
        known = listed(names, len(names) if sheet.look.verbose else 3)
        verb = "value" if len(names) == 1 else "values"
        sheet.add((f"{len(names):,} {verb} cannot be compared, since the servers don't tell: {known}", "faint"), hang=2)
    for (server, kind), number in sorted(plan.kept.items()):
        known = f"{counted(number, kind)} on {server} that the manifest doesn't name"
        sheet.add((f"Left alone: {known}", "faint"), hang=2)


def _add_stops(sheet: Sheet, plan: Plan, allowed: tuple[str, ...]) -> None:
    """The safety rules that the plan trips, and how each is lifted."""
    for item in plan.stops:
        sheet.blank()
        add_diagnostic(sheet, item)
        if item.rule in allowed:
            sheet.add("  ", ("Lifted by --allow for this run.", "warning"))
        else:
            sheet.add("  apply refuses until the rule is lifted: ", (f"--allow {item.rule}", "strong"), hang=4)
