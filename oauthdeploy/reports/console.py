"""Lines for people: styled pieces of text, wrapped to a width, with or without colour; the same bytes for equal input.

Reports can have ten thousand objects, for which rich's own layout is too slow. Only the width of a character and the escape
sequence of a style come from rich.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from msgspec import Struct

from oauthdeploy.reports.escape import visible

_LEAST: Final = 24
"""The smallest width of a wrapped line."""

Span = tuple[str, str]
"""A text and the name of its style; "" is plain."""

_STYLES: Final = {
    "title": "bold",
    "strong": "bold",
    "faint": "bright_black",
    "name": "cyan",
    "create": "green",
    "update": "yellow",
    "replace": "magenta",
    "delete": "red",
    "disable": "bold red",
    "revoke": "bold red",
    "missing": "bold yellow",
    "unexpected": "magenta",
    "live": "yellow",
    "good": "green",
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold cyan",
    "high": "bold red",
    "medium": "yellow",
    "caret": "bold red",
}
"""Styles use the sixteen colours that every terminal theme defines, so that they are readable on light and dark backgrounds.
"""


class Look(Struct, frozen=True):
    """How a report is shown: the `width` in columns (None: lines are not wrapped), with colour or without, with all details
    or not.
    """

    width: int | None = 80
    colour: bool = False
    verbose: bool = False


def cells(text: str) -> int:
    """The width of the text in columns of a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def columns_of(spans: Sequence[Span]) -> int:
    """The width of a line in columns of a terminal."""
    return cells("".join([text for text, _ in spans]))


@cache
def _codes(style: str) -> tuple[str, str]:
    """The escape sequences before and after a text of the style."""
    from rich.color import ColorSystem
    from rich.style import Style

    before, _, after = (
        Style.parse(_STYLES.get(style, style)).render("\0", color_system=ColorSystem.STANDARD).partition("\0")
    )
    return before, after


class Sheet:
    """Collects lines. Characters that a terminal would interpret or hide are shown as escapes."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._lines: list[str] = []

    def add(self, *spans: Span | str, hang: int = 0) -> None:
        """Add a line; if it is too long it continues below, indented by `hang` columns."""
        whole = [_clean((span, "") if isinstance(span, str) else span) for span in spans]
        width = self.look.width
        if width is None or columns_of(whole) <= width:
            self._append(whole)
            return
        for line in wrap(whole, width, max(0, min(hang, width - _LEAST))):
            self._append(line)

    def add_unbroken(self, *spans: Span | str, hang: int = 0) -> None:  # noqa: ARG002 - called in place of `add`
        """Add a line that is not wrapped, however long it is."""
        self._append([_clean((span, "") if isinstance(span, str) else span) for span in spans])

    def ends(self, left: Sequence[Span], right: Span, *, hang: int = 0) -> None:
        """Add a line with a text at its right end, or below it at `hang` if there is no room."""
        left, right = [_clean(span) for span in left], _clean(right)
        width = columns_of([*left, right])
        if not right[0]:
            self.add(*left, hang=hang)
        elif self.look.width is None:
            self.add(*left, "  ", right)
        elif width + 2 <= self.look.width:
            self._append([*left, (" " * (self.look.width - width), ""), right])
        else:
            self.add(*left, hang=hang)
            self.add(" " * hang, right, hang=hang)

    def blank(self) -> None:
        """Add an empty line, but never two and never at the top."""
        if self._lines and self._lines[-1]:
            self._lines.append("")

    def block(self, text: str) -> None:
        """Add finished lines; an empty text adds nothing."""
        if not text:
            return
        self._lines.extend(text.removesuffix("\n").split("\n"))

    def text(self) -> str:
        """All lines, each with a line end."""
        return "".join(f"{line}\n" for line in self._lines)

    def _append(self, spans: Sequence[Span]) -> None:
        if not self.look.colour:
            self._lines.append("".join([text for text, _ in spans]).rstrip())
            return
        line = ""
        for text, style in spans:
            if style and text.strip():
                before, after = _codes(style)
                line += f"{before}{text}{after}"
            else:
                line += text
        self._lines.append(line.rstrip())


def _clean(span: Span) -> Span:
    """The last defence: escape everything that a terminal would interpret, such as in a server's name in a saved plan."""
    return span if span[0].isprintable() else (visible(span[0]), span[1])


def wrap(spans: Sequence[Span], width: int, hang: int) -> Iterator[list[Span]]:
    """Break a line at spaces, or inside a word that is longer than a line; further lines are indented by `hang` columns."""
    line: list[Span] = []
    used = 0
    fresh = True
    for token, style in _tokens(spans):
        size = cells(token)
        if token.isspace():
            if not fresh or not used:
                line.append((token, style))
                used += size
            continue
        if used + size > width and not fresh and (size <= width - hang or width - used < _LEAST):
            # A word that is longer than a line starts in the current line, unless almost nothing of it would fit.
            yield line
            line, used, fresh = [(" " * hang, "")], hang, True
        while used + size > width:
            head = fitting(token, max(1, width - used))
            yield [*line, (head, style)]
            token = token[len(head) :]
            size = cells(token)
            line, used = [(" " * hang, "")], hang
        line.append((token, style))
        used += size
        fresh = False
    yield line


_TOKENS: Final = re.compile(r"\s+|(?:(?<!\S)(?:->|[-+<>]) )?\S+")
"""Blanks and words. A sign and the value behind it are one word: a line break between them would leave a list of signs."""


def _tokens(spans: Sequence[Span]) -> Iterator[Span]:
    for text, style in spans:
        for token in _TOKENS.findall(text):
            yield token, style


def fitting(text: str, width: int) -> str:
    """The longest prefix of the text that fits; at least one character."""
    used = 0
    for place, char in enumerate(text):
        used += cells(char)
        if used > width:
            return text[: max(1, place)]
    return text
