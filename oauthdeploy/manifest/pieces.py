"""A big plain text in pieces, so that the place of one value doesn't cost reading all the others with their places.

For a text that `lines.read_lines` has taken, indentation alone tells where a section and each of its entries begin and end, so
a run of entries can be read by itself. A piece holds whole sections, or some entries of one section that is too big for that.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Final

from oauthdeploy.core.diagnostics import Path

SIZE: Final = 64 * 1024
"""Characters of a piece; one entry is never cut."""

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SECTION = re.compile(rf"^({_NAME}):", re.MULTILINE)
_ENTRY = re.compile(r"^( *)(- )?[^\s#]", re.MULTILINE)


@dataclass(frozen=True)
class Piece:
    """Where a piece stands: from character to character, lines before it; the path around it, and the entries before it."""

    start: int
    end: int
    lines: int
    around: Path = ()
    entries: int = 0


@dataclass
class _Big:
    """A section in several pieces: the line of its key, the first of its pieces, and where to look for an entry."""

    line: int
    first: int
    names: dict[str, int] = field(default_factory=dict)
    starts: array[int] = field(default_factory=lambda: array("I"))


class Pieces:
    """The pieces of a text, in their order. `top` is the line of its first key."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._lines = 0
        self.all: list[Piece] = []
        self._whole: dict[str, int] = {}
        self._big: dict[str, _Big] = {}
        sections = list(_SECTION.finditer(text))
        ends = [*(match.start() for match in sections[1:]), len(text)]
        self.top = 1 + (self._line(sections[0].start()) if sections else 0)
        begun: Piece | None = None  # whole sections, with room for more
        for match, end in zip(sections, ends, strict=True):
            start = match.start()
            if end - start > SIZE and self._cut(match[1], start, end):
                begun = None
                continue
            if begun is None or end - begun.start > SIZE:
                begun = Piece(start, end, self._line(start))
                self.all.append(begun)
            else:
                begun = self.all[-1] = replace(begun, end=end)
            self._whole[match[1]] = len(self.all) - 1
        self._first_lines = array("I", [piece.lines for piece in self.all])

    def _line(self, place: int) -> int:
        """How many lines end before a place, which is not before the last one that was asked for."""
        self._lines += self._text.count("\n", self._at, place)
        self._at = place
        return self._lines

    def _cut(self, name: str, begin: int, end: int) -> bool:
        """Cut a section into runs of its entries. False where it has none on lines of their own."""
        key_end = self._text.find("\n", begin, end)
        first = _ENTRY.search(self._text, key_end + 1, end) if key_end >= 0 else None
        if first is None:
            return False
        big = self._big[name] = _Big(self._line(begin) + 1, len(self.all))
        sign = "- " if first[2] else f"({_NAME}):"
        start, before = first.start(), 0
        for number, match in enumerate(re.compile(f"^{first[1]}{sign}", re.MULTILINE).finditer(self._text, start, end)):
            if match.start() - start > SIZE:
                self._add(name, start, match.start(), before)
                start, before = match.start(), number
            if not first[2]:
                big.names[match[1]] = len(self.all)
        self._add(name, start, end, before)
        return True

    def _add(self, section: str, start: int, end: int, before: int) -> None:
        self.all.append(Piece(start, end, self._line(start), (section,), before))
        self._big[section].starts.append(before)

    # -- questions --------------------------------------------------------------------------------------------------

    def key_of(self, section: str) -> int | None:
        """The line of a section that is in several pieces; None for any other."""
        return self._big[section].line if section in self._big else None

    def of(self, path: Path) -> int | None:
        """The number of the piece that holds the value at a path; None where one doesn't hold it all, or none does."""
        section = str(path[0]) if path else ""
        if section in self._whole:
            return self._whole[section]
        big = self._big.get(section)
        if big is None or len(path) < 2:
            return None
        entry = path[1]
        if isinstance(entry, str):
            return big.names.get(entry)
        return None if big.names else big.first + bisect_right(big.starts, entry) - 1

    def at(self, line: int) -> int | None:
        """The number of the piece that a line (from 1) is in, if it is in one."""
        number = bisect_right(self._first_lines, line - 1) - 1
        return number if number >= 0 else None
