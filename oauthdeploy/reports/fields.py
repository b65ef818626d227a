"""The lines of changed fields below an object: aligned, `before -> after`, with added and removed entries of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from oauthdeploy.reports.console import Sheet, Span, cells
from oauthdeploy.reports.document import Field
from oauthdeploy.reports.formatting import NONE_TEXT

_MOST_LABEL = 30
_COMES: Final = ("create", "missing", "replace")
_GOES: Final = ("delete", "unexpected")


def add_fields(sheet: Sheet, rows: Sequence[Field], state: str, indent: int) -> None:
    """One or more lines for each field, indented by `indent` columns. A created object shows new values, a deleted one
    former values.

    `state` is the name of the row's state.
    """
    shown = [row for row in rows if not (state in ("create", "missing") and row.after is None)]
    sizes = [cells(row.label) for row in shown]
    width = min(max(sizes, default=0), _MOST_LABEL)
    for row, size in zip(shown, sizes, strict=True):
        start: list[Span] = [(" " * indent, ""), (row.label, ""), (" " * max(2, width + 2 - size), "")]
        hang = indent + width + 2
        if row.is_list:
            _add_list(sheet, start, row, hang)
        elif row.before is None and row.after is not None and state in _COMES:
            sheet.add(*start, (row.after.text, "create"), hang=hang)
        elif row.after is None and row.before is not None and state in _GOES:
            sheet.add(*start, (row.before.text, "delete"), hang=hang)
        else:
            _add_change(sheet, start, row, hang)


def _add_change(sheet: Sheet, start: list[Span], row: Field, hang: int) -> None:
    before = row.before.text if row.before is not None else NONE_TEXT
    after = row.after.text if row.after is not None else NONE_TEXT
    width = sum(cells(text) for text, _ in start) + cells(before) + cells(after) + 4
    if sheet.look.width is None or width <= sheet.look.width:
        sheet.add(*start, (before, "delete"), (" -> ", "faint"), (after, "create"))
    else:
        sheet.add(*start, (before, "delete"), hang=hang)
        sheet.add(" " * hang, ("-> ", "faint"), (after, "create"), hang=hang + 3)


def _add_list(sheet: Sheet, start: list[Span], row: Field, hang: int) -> None:
    """The added and removed entries, one on each line, then the number of unchanged ones."""
    lines: list[Span] = [(f"- {item}", "delete") for item in row.gone]
    lines += [(f"+ {item}", "create") for item in row.come]
    if not lines:
        lines = [("(same items in another order)", "faint")]
    if row.kept:
        lines.append((f"({row.kept} unchanged)", "faint"))
    elif row.after is not None and not row.after.items:
        lines.append(("(empty list)", "faint"))
    for number, line in enumerate(lines):
        sheet.add(*(start if number == 0 else [(" " * hang, "")]), line, hang=hang + 2)
