"""The text of a file, with its name and its lines."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, overload

from msgspec import Struct

from oauthdeploy.core.diagnostics import SourceSpan

BIG: Final = 256 * 1024
"""The number of characters from which the cycle collector is paused while reading."""
LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")


class Lines(Sequence[str]):
    """The lines of a text, without their ends; only their starting positions are stored."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = array("I", [0])
        self._starts.extend(match.end() for match in LINE_BREAK.finditer(text))

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self.at(range(len(self))[index] + 1)

    def at(self, number: int) -> str:
        """The line of that number, counted from 1; empty where there is none."""
        starts = self._starts
        if not 0 < number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self._text)
        # A line contains no line end, so only its own is removed.
        return self._text[starts[number - 1] : end].rstrip("\r\n")


class Source(Struct, frozen=True, dict=True):
    """A file's name, as the user wrote it, and its text without a byte order mark."""

    name: str
    text: str

    @cached_property
    def lines(self) -> Lines:
        """The lines, without their ends."""
        return Lines(self.text)

    def line(self, number: int) -> str:
        """The line of that number, counted from 1; empty after the last line."""
        return self.lines.at(number)

    def span(self, line: int, column: int) -> SourceSpan:
        """A place by line and column, counted from 1."""
        return SourceSpan(self.name, line, column, self.line(line))

    def span_at(self, offset: int) -> SourceSpan:
        """The place of a character, counted from 0."""
        before = LINE_BREAK.split(self.text[:offset])
        return self.span(len(before), len(before[-1]) + 1)

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    def __reduce__(self) -> Any:
        raise TypeError("a manifest's text may contain secrets and is not pickled")
