"""The lines of changed fields below an object: aligned, `before -> after`, with added and removed entries of lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from oauthdeploy.reports.console import Sheet, Span, cells, columns_of
from oauthdeploy.reports.document import Field, State
from oauthdeploy.reports.formatting import NONE_TEXT

_MOST_LABEL = 30
_ROOM: Final = 40
"""The columns beside a label below which a value that does not fit there goes under the label."""
_COMES: Final = ("create", "replace")
_BECOMES: Final = "-> "
_SIGNS: Final = (_BECOMES, "- ", "+ ", "> ", "< ")


def add_fields(sheet: Sheet, rows: Sequence[Field], state: State, indent: int) -> None:
    """One or more lines for each field, indented by `indent` columns. A created object shows new values, a deleted one
    former values. `state` is that of the row.
    """
    shown = [row for row in rows if not (state.word in ("create", "missing") and row.after is None)]
    sizes = [cells(row.label) for row in shown]
    width = min(max(sizes, default=0), _MOST_LABEL)
    styles = ("delete", "create") if state.comes_and_goes else ("live", "")
    for row, size in zip(shown, sizes, strict=True):
        gap = max(2, width + 2 - size)
        label = [(" " * indent, ""), (row.label, ""), (" " * gap, "")]
        place = _Place(sheet, label, indent + size + gap, indent + width + 2, indent + 2)
        if row.is_list:
            _add_list(place, row, state.signs, styles)
        elif not state.comes_and_goes and (row.before is None) != (row.after is None):
            value = row.after if row.before is None else row.before
            place.add((value.text if value is not None else NONE_TEXT, "live" if row.after is None else ""))
        elif row.before is None and row.after is not None and state.word in _COMES:
            place.add((row.after.text, "create"))
        elif row.after is None and row.before is not None and state.word == "delete":
            place.add((row.before.text, "delete"))
        else:
            _add_change(place, row, styles)


class _Place(Struct, frozen=True):
    """Where the value of a field goes: beside its `label` of so many `columns`, where it continues at the column `hang`, or at
    the column `below` under the label.
    """

    sheet: Sheet
    label: Sequence[Span]
    columns: int
    hang: int
    below: int

    def add(self, *line: Span, further: Sequence[Span] = ()) -> None:
        """Add a value; `further` are its other lines. A line continues behind its sign."""
        size = columns_of(line)
        if further:
            size = max(size, *(cells(text) for text, _ in further))
        start, hang = self._start(size)
        self.sheet.add(*start, *line, hang=hang + _sign(line[0]))
        for span in further:
            self.sheet.add(" " * hang, span, hang=hang + _sign(span))

    def fits(self, size: int) -> bool:
        """Whether a value of that many columns fits into one line, beside the label or under it."""
        start = self.columns if self.columns + size <= self._width or not self._is_narrow else self.below
        return start + size <= self._width

    def _start(self, size: int) -> tuple[Sequence[Span], int]:
        if self.columns + size <= self._width or not self._is_narrow:
            return self.label, self.hang
        self.sheet.add(*self.label, hang=self.hang)
        return [(" " * self.below, "")], self.below

    @property
    def _width(self) -> float:
        return math.inf if self.sheet.look.width is None else self.sheet.look.width

    @property
    def _is_narrow(self) -> bool:
        return self._width - self.hang < _ROOM


def _sign(span: Span) -> int:
    """The columns of the sign at the begin of a line, with the space behind; 0 if there is none."""
    return next((len(sign) for sign in _SIGNS if span[0].startswith(sign)), 0)


def _add_change(place: _Place, row: Field, styles: tuple[str, str]) -> None:
    before = (row.before.text if row.before is not None else NONE_TEXT, styles[0])
    after = row.after.text if row.after is not None else NONE_TEXT
    if place.fits(cells(before[0]) + cells(after) + 4):
        place.add(before, (" -> ", "faint"), (after, styles[1]))
    else:
        place.add(before, further=[(f"{_BECOMES}{after}", styles[1])])


def _add_list(place: _Place, row: Field, signs: tuple[str, str], styles: tuple[str, str]) -> None:
    """The added and removed entries, one on each line, then the number of unchanged ones."""
    lines: list[Span] = [(f"{signs[0]} {item}", styles[0]) for item in row.gone]
    lines += [(f"{signs[1]} {item}", styles[1]) for item in row.come]
    if not lines:
        lines = [("(same items in another order)", "faint")]
    if row.kept:
        lines.append((f"({row.kept} unchanged)", "faint"))
    elif row.after is not None and not row.after.items:
        lines.append(("(empty list)", "faint"))
    place.add(lines[0], further=lines[1:])
