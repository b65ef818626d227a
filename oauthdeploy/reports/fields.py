"""The lines of changed fields below an object: aligned, `before -> after`, with added and removed entries of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from oauthdeploy.reports.console import Sheet, Span, cells
from oauthdeploy.reports.document import Field
from oauthdeploy.reports.formatting import NONE_TEXT

_MOST_LABEL = 30
_COMES: Final = ("create", "replace")
_DRIFT: Final = ("missing", "unexpected", "changed", "sides-disagree", "accepted", "cannot-compare")
"""States in which a field has what is live and what the manifest has, and nothing comes or goes."""
_PLAN_SIGNS: Final = (("- ", "delete"), ("+ ", "create"))
_DRIFT_SIGNS: Final = (("> ", "live"), ("< ", ""))
"""The signs and styles of entries of a list: only before or live, only after or in the manifest."""


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
        drift = state in _DRIFT
        if row.is_list:
            _add_list(sheet, start, row, hang, _DRIFT_SIGNS if drift else _PLAN_SIGNS)
        elif drift and (row.before is None) != (row.after is None):
            value = row.after if row.before is None else row.before
            sheet.add(
                *start, (value.text if value is not None else NONE_TEXT, "live" if row.after is None else ""), hang=hang
            )
        elif row.before is None and row.after is not None and state in _COMES:
            sheet.add(*start, (row.after.text, "create"), hang=hang)
        elif row.after is None and row.before is not None and state == "delete":
            sheet.add(*start, (row.before.text, "delete"), hang=hang)
        else:
            _add_change(sheet, start, row, hang, ("live", "") if drift else ("delete", "create"))


def _add_change(sheet: Sheet, start: list[Span], row: Field, hang: int, styles: tuple[str, str]) -> None:
    before = row.before.text if row.before is not None else NONE_TEXT
    after = row.after.text if row.after is not None else NONE_TEXT
    width = sum(cells(text) for text, _ in start) + cells(before) + cells(after) + 4
    if sheet.look.width is None or width <= sheet.look.width:
        sheet.add(*start, (before, styles[0]), (" -> ", "faint"), (after, styles[1]))
    else:
        sheet.add(*start, (before, styles[0]), hang=hang)
        sheet.add(" " * hang, ("-> ", "faint"), (after, styles[1]), hang=hang + 3)


def _add_list(sheet: Sheet, start: list[Span], row: Field, hang: int, signs: tuple[Span, Span]) -> None:
    """The added and removed entries, one on each line, then the number of unchanged ones."""
    (gone, gone_style), (come, come_style) = signs
    lines: list[Span] = [(f"{gone}{item}", gone_style) for item in row.gone]
    lines += [(f"{come}{item}", come_style) for item in row.come]
    if not lines:
        lines = [("(same items in another order)", "faint")]
    if row.kept:
        lines.append((f"({row.kept} unchanged)", "faint"))
    elif row.after is not None and not row.after.items:
        lines.append(("(empty list)", "faint"))
    for number, line in enumerate(lines):
        sheet.add(*(start if number == 0 else [(" " * hang, "")]), line, hang=hang + 2)
