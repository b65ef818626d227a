"""The rows of the page's table, as many as a page can have that people still open, send and keep.

Where not everything fits, details are left out first, of the objects with the least risk; then objects, from the end. Both are
counted, and the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from oauthdeploy.reports.document import Report, Row

LIMIT: Final = 10_000_000
"""Characters that the rows may take together: some ten thousand objects with their details."""

_CUT: Final = Markup("<p>The details are omitted from this page.</p>")


@dataclass(frozen=True)
class Rows:
    """The rows that are shown, as markup; how many objects are left out, and how many more without their details."""

    markup: Sequence[Markup] = ()
    cut: int = 0
    brief: int = 0


def fitted_rows(report: Report, macros: Any, heads: tuple[str, str], *, ended: bool, limit: int = LIMIT) -> Rows:
    """As many rows as fit, and details where there is room. `macros` are those of `rows.html`."""
    frames: list[tuple[Markup, Markup]] = []
    left = limit
    for row in report.rows:
        frame = macros.opening(row, report.columns), macros.closing(row, ended)
        left -= len(frame[0]) + len(frame[1]) + len(_CUT)
        if left < 0:
            break
        frames.append(frame)
    shown = report.rows[: len(frames)]
    details = _details(shown, macros, heads, left)
    return Rows(
        [opening + details.get(place, _CUT) + closing for place, (opening, closing) in enumerate(frames)],
        cut=len(report.rows) - len(shown),
        brief=len(shown) - len(details),
    )


def _details(rows: Sequence[Row], macros: Any, heads: tuple[str, str], room: int) -> dict[int, Markup]:
    """The details of as many rows as there is room for, by place: those of the riskiest first, else in order."""
    found: dict[int, Markup] = {}
    for place in sorted(range(len(rows)), key=lambda place: -rows[place].risk.value):
        made = macros.detail(rows[place], heads)
        room -= len(made) - len(_CUT)
        if room < 0:
            break
        found[place] = made
    return found
