"""The rows of the page's table, limited so that the page can still be opened and sent.

If not everything fits, details are left out first, of the objects with the lowest risk, then objects from the end. The page
shows both numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup
from msgspec import Struct

from oauthdeploy.reports.document import Report, Row

LIMIT: Final = 10_000_000
"""The largest number of characters for all rows: about ten thousand objects with details."""

_FEW: Final = 5
_CUT: Final = Markup("<p>The details are omitted from this page.</p>")


class Rows(Struct, frozen=True):
    """The shown rows as markup, the number of omitted objects, and the number of objects without details."""

    markup: Sequence[Markup] = ()
    cut: int = 0
    brief: int = 0


def is_short(report: Report) -> bool:
    """Whether there are so few objects that all are open and nobody has to search."""
    return len(report.rows) <= _FEW


def fitted_rows(
    report: Report, macros: Any, heads: tuple[str, str], *, with_outcomes: bool, limit: int = LIMIT
) -> Rows:
    """As many rows as fit, with details while there is room. `macros` are those of `rows.html`."""
    frames: list[tuple[Markup, Markup]] = []
    left = limit
    for row in report.rows:
        frame = macros.opening(row, report.columns, is_short(report)), macros.closing(row, with_outcomes)
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
    """The details of as many rows as fit, by position: those with the highest risk first, otherwise in order."""
    found: dict[int, Markup] = {}
    for place in sorted(range(len(rows)), key=lambda place: -rows[place].risk.value):
        detail = macros.detail(rows[place], heads)
        room -= len(detail) - len(_CUT)
        if room < 0:
            break
        found[place] = detail
    return found
