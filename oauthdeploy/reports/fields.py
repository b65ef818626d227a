"""The lines of changed fields below an object: aligned, `before -> after`, lists as what comes and goes."""

from __future__ import annotations

from collections.abc import Sequence

from oauthdeploy.planning.changes import Action
from oauthdeploy.reports.grid import FieldRow
from oauthdeploy.reports.sheet import Sheet, Span, cells
from oauthdeploy.reports.words import is_list, value_text, visible

_MOST_LABEL = 30


def add_fields(sheet: Sheet, rows: Sequence[FieldRow], action: Action, indent: int) -> None:
    """One or more lines for each field, `indent` columns in. A created object shows what it gets, a deleted one what goes."""
    shown = [row for row in rows if not (action is Action.CREATE and row.change.after is None)]
    width = max((min(cells(visible(row.label)), _MOST_LABEL) for row in shown), default=0)
    for row in shown:
        label = visible(row.label)
        start: list[Span] = [(" " * indent, ""), (label, ""), (" " * max(2, width + 2 - cells(label)), "")]
        hang = indent + width + 2
        before, after = row.change.before, row.change.after
        if is_list(before) and is_list(after):
            _add_list(sheet, start, row, hang)
        elif before is None and action in (Action.CREATE, Action.REPLACE):
            sheet.add(*start, (value_text(row.change.path, after), "create"), hang=hang)
        elif after is None and action is Action.DELETE:
            sheet.add(*start, (value_text(row.change.path, before), "delete"), hang=hang)
        else:
            _add_change(sheet, start, row, hang)


def _add_change(sheet: Sheet, start: list[Span], row: FieldRow, hang: int) -> None:
    before = value_text(row.change.path, row.change.before)
    after = value_text(row.change.path, row.change.after)
    taken = sum(cells(text) for text, _ in start) + cells(before) + cells(after) + 4
    if sheet.look.width is None or taken <= sheet.look.width:
        sheet.add(*start, (before, "delete"), (" -> ", "faint"), (after, "create"))
    else:
        sheet.add(*start, (before, "delete"), hang=hang)
        sheet.add(" " * hang, ("-> ", "faint"), (after, "create"), hang=hang + 3)


def _add_list(sheet: Sheet, start: list[Span], row: FieldRow, hang: int) -> None:
    """What comes and what goes, an item to a line, then how many stay."""
    before = [value_text(row.change.path, item) for item in row.change.before]
    after = [value_text(row.change.path, item) for item in row.change.after]
    lines: list[Span] = [(f"- {item}", "delete") for item in before if item not in set(after)]
    lines += [(f"+ {item}", "create") for item in after if item not in set(before)]
    if not lines:
        lines = [("(same items in another order)", "faint")]
    kept = len(set(before) & set(after))
    if kept:
        lines.append((f"({kept} unchanged)", "faint"))
    elif not after:
        lines.append(("(empty list)", "faint"))
    for number, line in enumerate(lines):
        sheet.add(*(start if number == 0 else [(" " * hang, "")]), line, hang=hang + 2)
