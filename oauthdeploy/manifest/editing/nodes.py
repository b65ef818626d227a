"""The syntax tree of a manifest: ruamel.yaml's nodes, with the comments of each entry in their comment slot.

An entry is a key of a mapping with its value, or an item of a list. Its notes are on the key, or on the item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Union

from msgspec import Struct
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tag import Tag

IGNORE_MARK: Final = "oauthdeploy: ignore"
"""The prefix of a comment that ignores a finding; such a comment applies to the line that it is beside or above."""

ALIAS: Final = "*"
"""The style of a scalar that represents an alias, by the anchor's name: one node cannot have the notes of two places."""

_ANY_TAG: Final = Tag(suffix=None)

Value = Union["Scalar", CollectionNode]
Entry = tuple["Scalar | None", Value]


class Notes(Struct):
    """Comments, starting with #, and "" for an empty line.

    `above`, `beside` and `below` (indented further) are an entry's; `tail` are the lines after the last entry of a collection.
    """

    above: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()

    def own(self) -> Iterator[str]:
        """The comments of the entry itself, without those inside it."""
        return (line for lines in (self.above, self.beside, self.below) for line in lines if line)

    def put_beside(self, comments: Iterable[str]) -> None:
        """Add comments beside the entry. There is room for the last one; those before it go above."""
        found = (*self.beside, *comments)
        self.above += found[:-1]
        self.beside = found[-1:]

    @property
    def ignore(self) -> bool:
        """True if one of them ignores a finding."""
        return bool(self.above or self.beside or self.below) and any(IGNORE_MARK in line for line in self.own())


_NONE: Final = Notes()


class Scalar(ScalarNode):
    """`lines` is the source of a text over several lines, without indentation; the first of a block scalar is its header."""

    __slots__ = ("lines",)

    def __init__(self, value: str, style: str | None = None, start: Any = None, end: Any = None) -> None:
        # The two constructors above this one would take half of the time of reading a file.
        self.ctag, self.value, self.style = _ANY_TAG, value, style
        self.start_mark, self.end_mark = start, end
        self.comment = self.anchor = None
        self.lines: Sequence[str] = ()

    @property
    def empty(self) -> bool:
        """True if nothing is written at all: YAML reads it as null."""
        return not self.style and not self.value

    @property
    def block(self) -> bool:
        """True for literal and folded scalars, `|` and `>`."""
        return self.style in ("|", ">")


def collection(*, mapping: bool, flow: bool = False, start: Any = None) -> CollectionNode:
    """An empty list or mapping."""
    return (MappingNode if mapping else SequenceNode)(_ANY_TAG, [], start, None, flow_style=flow)


def notes(node: Node) -> Notes:
    """The notes of a node, to add to."""
    if node.comment is None:
        node.comment = Notes()
    return node.comment  # type: ignore[no-any-return]


def notes_of(node: Node) -> Notes:
    """The notes of a node, read-only."""
    return node.comment or _NONE


def owner(entry: Entry) -> Value:
    """The node that has the notes of an entry."""
    return entry[1] if entry[0] is None else entry[0]


def entries(node: Value) -> list[Entry]:
    """The entries of a mapping or a list; none for a scalar."""
    if isinstance(node, MappingNode):
        return node.value  # type: ignore[no-any-return]
    return [(None, item) for item in node.value] if isinstance(node, SequenceNode) else []


def entry_at(node: CollectionNode, place: int) -> Entry:
    """One entry of a mapping or a list, however long that is."""
    found = node.value[place]
    return found if isinstance(node, MappingNode) else (None, found)


def is_block(node: Node) -> bool:
    """True for a list or mapping in block style."""
    return isinstance(node, CollectionNode) and not node.flow_style and bool(node.value)
