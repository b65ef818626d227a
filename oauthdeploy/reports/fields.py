"""The lines of changed fields below an object: aligned, `before -> after`, with added and removed entries of lists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from oauthdeploy.reports.console import Sheet, Span, cells
from oauthdeploy.reports.document import Field
from oauthdeploy.reports.formatting import NONE_TEXT

_MOST_LABEL = 30
_ROOM: Final = 40
"""The columns beside a label below which a value that does not fit there goes under the label."""
_COMES: Final = ("create", "replace")
_DRIFT: Final = ("missing", "unexpected", "changed", "sides-disagree", "accepted", "cannot-compare")
"""States in which a field has what is live and what the manifest has, and nothing comes or goes."""
_PLAN_SIGNS: Final = (("- ", "delete"), ("+ ", "create"))
_DRIFT_SIGNS: Final = (("> ", "live"), ("< ", ""))
"""The signs and styles of entries of a list: only before or live, only after or in the manifest."""
_BECOMES: Final = "-> "
_SIGNS: Final = (_BECOMES, *(sign for sign, _ in (*_PLAN_SIGNS, *_DRIFT_SIGNS)))


def add_fields(sheet: Sheet, rows: Sequence[Field], state: str, indent: int) -> None:
    """One or more lines for each field, indented by `indent` columns. A created object shows new values, a deleted one
    former values.

    `state` is the name of the row's state.
    """
    shown = [row for row in rows if not (state in ("create", "missing") and row.after is None)]
    sizes = [cells(row.label) for row in shown]
    width = min(max(sizes, default=0), _MOST_LABEL)
    drift = state in _DRIFT
    for row, size in zip(shown, sizes, strict=True):
        label = [(" " * indent, ""), (row.label, ""), (" " * max(2, width + 2 - size), "")]
        place = _Place(sheet, label, indent + width + 2, indent + 2)
        if row.is_list:
            _add_list(place, row, _DRIFT_SIGNS if drift else _PLAN_SIGNS)
        elif drift and (row.before is None) != (row.after is None):
            value = row.after if row.before is None else row.before
            place.add((value.text if value is not None else NONE_TEXT, "live" if row.after is None else ""))
        elif row.before is None and row.after is not None and state in _COMES:
            place.add((row.after.text, "create"))
        elif row.after is None and row.before is not None and state == "delete":
            place.add((row.before.text, "delete"))
        else:
            _add_change(place, row, ("live", "") if drift else ("delete", "create"))


@dataclass(frozen=True)
class _Place:
    """Where the value of a field goes: beside its `label`, where it continues at the column `hang`, or at the column `below`
    under the label.
    """

    sheet: Sheet
    label: Sequence[Span]
    hang: int
    below: int

    def add(self, *line: Span, further: Sequence[Span] = ()) -> None:
        """Add a value; `further` are its other lines. A line continues behind its sign."""
        sizes = [sum(cells(text) for text, _ in line), *(cells(text) for text, _ in further)]
        start, hang = self._start(max(sizes))
        self.sheet.add(*start, *line, hang=hang + _sign(line[0]))
        for span in further:
            self.sheet.add(" " * hang, span, hang=hang + _sign(span))

    def fits(self, size: int) -> bool:
        """Whether a value of that many columns fits into one line, beside the label or under it."""
        start = self._columns if self._columns + size <= self._width or not self._is_narrow else self.below
        return start + size <= self._width

    def _start(self, size: int) -> tuple[Sequence[Span], int]:
        if self._columns + size <= self._width or not self._is_narrow:
            return self.label, self.hang
        self.sheet.add(*self.label, hang=self.hang)
        return [(" " * self.below, "")], self.below

    @property
    def _columns(self) -> int:
        return sum(cells(text) for text, _ in self.label)

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


def _add_list(place: _Place, row: Field, signs: tuple[Span, Span]) -> None:
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
    place.add(lines[0], further=lines[1:])
