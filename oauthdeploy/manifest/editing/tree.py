"""A manifest as it is written: values, the comments beside, above and below them, anchors, quotes. Positions are let go of.

Lists of lines (`above`, `tail`, `below`, `header`) hold the texts of comments from their #, and "" for an empty line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

IGNORE_MARK = "oauthdeploy: ignore"
"""What a comment that silences a finding begins with; such a comment speaks of the line that it stands beside or above."""


@dataclass(slots=True)
class Scalar:
    """A text. `raw` is its source (for a block scalar: its header); `lines` are the lines of a block scalar, without indent."""

    value: str = ""
    raw: str = ""
    style: str = ""
    in_flow: bool = False
    anchor: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """True where nothing at all is written: YAML reads it as null."""
        return not self.style and not self.raw

    @property
    def block(self) -> bool:
        """True for literal and folded texts, `|` and `>`."""
        return self.style in ("|", ">")


@dataclass(slots=True)
class Alias:
    """`*name`."""

    name: str
    anchor: str = ""


@dataclass(slots=True)
class Collection:
    """A list or a mapping. `tail` are the lines after its last entry; `column` is where its block stood in the source."""

    mapping: bool
    flow: bool = False
    column: int = -1
    entries: list[Entry] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    anchor: str = ""
    one_line: bool = False


Value = Scalar | Alias | Collection


@dataclass(slots=True)
class Entry:
    """One entry of a list (without key) or a mapping, with its comments.

    `head` stands on the line of the key while the value is below, `beside` after the value, `below` under it and further in.
    """

    value: Value
    key: Scalar | None = None
    above: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)

    def comments(self) -> Iterator[str]:
        """The comments that belong to the entry itself, not to what is in it."""
        for lines in (self.above, self.head, self.beside, self.below):
            yield from (line for line in lines if line)

    @property
    def ignores(self) -> bool:
        """True where a comment beside or above the entry silences a finding."""
        return any(IGNORE_MARK in line for line in self.comments())


@dataclass(slots=True)
class Text:
    """A whole file. `header` stands above `---`, with the directive; `start` is beside it, and None where there is none."""

    root: Entry
    header: list[str] = field(default_factory=list)
    directives: list[str] = field(default_factory=list)
    start: list[str] | None = None


def settle(root: Entry) -> None:
    """Leave at most one comment on the line of each entry: there is room for the last one, and the others go above."""
    stack = [root]
    while stack:
        entry = stack.pop()
        comments = [*entry.head, *entry.beside]
        entry.above += comments[:-1]
        entry.head, entry.beside = [], comments[-1:]
        stack += entries_of(entry.value)


def entries_of(value: Value) -> list[Entry]:
    """The entries of a list or mapping; none for other values."""
    return value.entries if isinstance(value, Collection) else []
