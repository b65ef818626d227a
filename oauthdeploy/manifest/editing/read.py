"""Parses a text into ruamel.yaml's nodes, with every comment in its place.

A comment beside a value belongs to it. A comment on its own line belongs to the entry below it, unless it is indented further
than that entry: then it ends the block that it is aligned with. A comment that ignores a finding belongs to what is right below
it.

The events are libyaml's: ruamel.yaml's own scanner loses comments between brackets and takes seven times as long (see
docs/decisions/comments-on-ruamel-nodes.md). Between two values, every # begins a comment: there are only indicators, comments
and empty lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from ruamel.yaml.nodes import CollectionNode, MappingNode
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from oauthdeploy.manifest.editing.nodes import (
    ALIAS,
    IGNORE_MARK,
    Entry,
    Scalar,
    Value,
    collection,
    is_block,
    notes,
    owner,
)
from oauthdeploy.manifest.editing.nodes import entries as entries_of
from oauthdeploy.manifest.yaml_reader import event_source

_ENDS: Final = (MappingEndEvent, SequenceEndEvent)
_TRIVIA: Final = re.compile(r"#[^\n]*|^[ \t]*\n", re.MULTILINE)
_LEAD_IN: Final = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*")
_BESIDE: Final = re.compile(r"[ \t]*(#[^\n]*)")
_BLOCK_HEADER: Final = re.compile(r"[|>][+-]?([1-9]?)[+-]?[ \t]*(#[^\n]*)?(?:\n|\Z)")


class Text(Struct):
    """A whole file. `header` is above `---`, with the directive; `start` is beside it, and None if there is none.

    `anchored`: it may have anchors.
    """

    root: Value
    header: Sequence[str] = ()
    directives: Sequence[str] = ()
    start: Sequence[str] | None = None
    trivia: Sequence[Trivia] = ()
    anchored: bool = False

    @property
    def comments(self) -> Counter[str]:
        """The comments, each with its number of occurrences."""
        return _comments(self.trivia)


class Trivia(Struct, frozen=True):
    """A comment, or "" for an empty line. `own`: nothing else is on its line."""

    index: int
    column: int
    text: str
    own: bool


def read_text(text: str) -> Text:
    """Parse a text with LF line ends that the loader has accepted."""
    return _Reader(text).read()


def comments_of(text: str) -> Counter[str]:
    """The comments of a text with LF line ends, each with its number of occurrences."""
    return _comments(_Reader(text).read_trivia()) if "#" in text else Counter()


def _comments(trivia: Iterable[Trivia]) -> Counter[str]:
    return Counter(item.text for item in trivia if item.text)


class _Reader:
    """Walks the events; `at` is the position up to which comments have been assigned."""

    def __init__(self, text: str) -> None:
        self._trivia: list[Trivia] = []
        self._text = text
        self._next = event_source(text).get_event
        self._at = 0

    def read(self) -> Text:
        """The whole file."""
        text = Text(Scalar(""), trivia=self._trivia, anchored="&" in self._text)
        self._next()
        event = self._next()
        if event.__class__ is not StreamEndEvent:
            if event.explicit:
                lines = self._text[: event.end_mark.index].split("\n")
                text.directives = [line.partition("#")[0].rstrip() for line in lines if line.startswith("%")]
                text.header = [item.text for item in self._before(event.end_mark.index)]
                text.start = self._beside()
            text.root = self._value(self._next(), None, [])
        rest = _hand_out((None, text.root), -1, self._before(len(self._text) + 1), self._column)
        notes(text.root).below += (*rest,)
        return text

    def read_trivia(self) -> Sequence[Trivia]:
        """All comments and empty lines, without the values that they belong to."""
        while (event := self._next()).__class__ is not StreamEndEvent:
            if event.__class__ is ScalarEvent:
                self._lead_in(event)
                if event.style in ("|", ">"):
                    self._scalar(event, [])
                elif event.style or event.value:
                    end: Any = event.end_mark
                    self._at = end.index
        self._before(len(self._text) + 1)
        return self._trivia

    # -- comments -----------------------------------------------------------------------------------------------------

    def _before(self, end: int) -> list[Trivia]:
        """The comments and empty lines up to a position."""
        start, text = self._at, self._text
        if end <= start:
            return []
        self._at = end
        between = text[start:end]
        # Most values are one space or one line apart.
        if "#" not in between:
            ends = between.count("\n")
            if not ends or (ends == 1 and start > 0 and text[start - 1] != "\n"):
                return []
        return [self._note(match.start(), match[0]) for match in _TRIVIA.finditer(text, start, end)]

    def _beside(self) -> list[str]:
        """The comment on the line where the last value ends. (A block scalar ends with its line.)"""
        text, at = self._text, self._at
        if text.startswith("\n", at) or text.endswith("\n", 0, at) or (match := _BESIDE.match(text, at)) is None:
            return []
        self._at = match.end()
        return [self._note(match.start(1), match[1]).text]

    def _note(self, index: int, text: str) -> Trivia:
        start = self._text.rfind("\n", 0, index) + 1
        found = Trivia(index, index - start, text.rstrip(), not self._text[start:index].strip())
        self._trivia.append(found)
        return found

    # -- values -------------------------------------------------------------------------------------------------------

    def _value(self, event: Any, key: Scalar | None, above: list[str], *, flow: bool = False) -> Value:
        """The value that begins with an event, and the notes of its entry."""
        beside: list[str] = []
        kind = event.__class__
        lead_in = self._lead_in(event)
        node: Value
        if kind is ScalarEvent or kind is AliasEvent:
            if lead_in:
                _assign(lead_in, beside, above)
            if kind is ScalarEvent:
                node = self._scalar(event, beside, flow=flow)
                node.anchor = event.anchor
            else:
                node = Scalar(event.anchor, ALIAS, event.start_mark, event.end_mark)
                self._at = event.end_mark.index
        else:
            node = collection(mapping=kind is MappingStartEvent, flow=event.flow_style, start=event.start_mark)
            node.anchor = event.anchor
            if event.flow_style:
                _assign(lead_in, beside, above)
                self._flow(node, beside)
            else:
                beside += [item.text for item in lead_in if not item.own]
                self._block(node, [item.text for item in lead_in if item.own])
        if not flow:
            beside += self._beside()
        if above or beside:
            found = notes(node if key is None else key)
            found.above += (*above,)
            found.put_beside(beside)
        return node

    def _lead_in(self, event: Any) -> list[Trivia]:
        """What is before a value, and between its anchor and itself."""
        start = event.start_mark.index
        if event.anchor is None:
            if event.__class__ is not ScalarEvent or event.value or event.style:
                return self._before(start)
            # An empty value is at the position of its indicator, or of whatever follows.
            if "\n" not in self._text[self._at : start] and "#" not in self._text[self._at : start]:
                self._at = max(self._at, start)
            return []
        found = self._before(start)
        if event.__class__ is not AliasEvent:
            self._at = start + 1 + len(event.anchor)
            if event.__class__ is not ScalarEvent or event.value or event.style:
                found += self._before(self._past(self._at))
        return found

    def _past(self, index: int) -> int:
        """The position of what follows after comments."""
        match = _LEAD_IN.match(self._text, index)
        return index if match is None else match.end()

    def _scalar(self, event: Any, beside: list[str], *, flow: bool = False) -> Scalar:
        style, start, end = event.style or None, event.start_mark, event.end_mark
        node = Scalar(event.value, style, start, end)
        if style is not None and node.block:
            self._block_text(node, beside)
        elif style or node.value:
            if start.line != end.line and (style or not flow):
                first, *others = self._text[self._at : end.index].split("\n")
                node.lines = [_trimmed(first), *(_trimmed(line.lstrip(" \t")) for line in others)] if others else ()
            self._at = end.index
        return node

    def _block(self, node: CollectionNode, above: list[str]) -> None:
        """The entries of a block; `above` is above the first one."""
        mapping = isinstance(node, MappingNode)
        while (event := self._next()).__class__ not in _ENDS:
            if found := self._before(event.start_mark.index if mapping else self._dash()):
                above += self._above(node, found)
            if mapping:
                key = self._scalar(event, above)
                node.value.append((key, self._value(self._next(), key, above)))
            else:
                node.value.append(self._value(event, None, above))
            above = []

    def _dash(self) -> int:
        """The position of the next dash, or the current one: comments before it are above an item, and those after it beside."""
        place = self._past(self._at)
        return place if self._text.startswith("-", place) else self._at

    def _above(self, node: CollectionNode, items: list[Trivia]) -> list[str]:
        """The lines above an entry, after those that belong to the end of the entry before it."""
        if not node.value:
            return [item.text for item in items]
        return _hand_out(entries_of(node)[-1], self._column(node), items, self._column)

    def _column(self, node: CollectionNode) -> int:
        start = node.start_mark.index
        if node.anchor:
            start = self._past(start + 1 + len(node.anchor))
        return int(start - self._text.rfind("\n", 0, start) - 1)

    def _flow(self, node: CollectionNode, head: list[str]) -> None:
        """The entries between brackets. Comments after an entry belong to it; those on their own lines are above the next."""
        mapping = isinstance(node, MappingNode)
        above: list[str] = []
        while True:
            event = self._next()
            is_end = event.__class__ in _ENDS
            for item in self._before(event.start_mark.index):
                if item.own:
                    above += [item.text] if item.text else []
                elif node.value:
                    notes(owner(entries_of(node)[-1])).put_beside((item.text,))
                else:
                    head.append(item.text)
            if is_end:
                break
            if mapping:
                key = self._scalar(event, above, flow=True)
                node.value.append((key, self._value(self._next(), key, above, flow=True)))
            else:
                node.value.append(self._value(event, None, above, flow=True))
            above = []
        if above:
            notes(node).tail += (*above,)
        # `[a: b]` is a list that contains a mapping with one entry, without brackets.
        bracket = self._text[event.start_mark.index : event.end_mark.index] in ("]", "}")
        node.end_mark = event.end_mark if bracket else node.start_mark
        self._at = max(self._at, event.end_mark.index)

    def _block_text(self, node: Scalar, beside: list[str]) -> None:
        """The lines of a literal scalar are its value; a folded one keeps its author's lines."""
        header = _BLOCK_HEADER.match(self._text, self._at)
        if header is None:
            raise AssertionError("a block text without a header. This is a bug in oauthdeploy.")
        if header[2]:
            beside.append(self._note(header.start(2), header[2]).text)
        value, end = node.value, node.end_mark.index
        raw = self._text[header.end() : end].removesuffix("\n").split("\n")
        lines = value.removesuffix("\n").split("\n") if value else []
        hint = "2" if value[:1] in (" ", "\n") else ""
        keep = value == "\n" or value.endswith("\n\n")
        if node.style == ">":
            first = next((line for line in raw if line.strip(" ")), "")
            indent, hint = len(first) - len(first.lstrip(" ")), ""
            lines = [line[indent:] for line in raw]
            while lines and not (lines[-1] or keep):
                lines.pop()
            if not first or header[1]:
                node.style = '"'  # The first line does not show how far the others are indented.
        # Empty lines that are not part of the scalar are between this entry and the next one.
        self._at = min(end, header.end() + sum(len(line) + 1 for line in raw[: len(lines)]))
        chomping = "+" if keep else "-" if lines and not value.endswith("\n") else ""
        node.lines = [f"{node.style}{hint}{chomping}", *lines] if node.block else ()


def _assign(items: Iterable[Trivia], beside: list[str], above: list[str]) -> None:
    """What is before a value on one line: comments on lines of their own go above it, without empty lines."""
    beside += [item.text for item in items if not item.own]
    above += [item.text for item in items if item.own and item.text]


def _trimmed(line: str) -> str:
    """Without trailing spaces, which YAML folds away, unless a backslash keeps the first of them."""
    short = line.rstrip(" \t")
    return line if short.endswith("\\") else short


def _hand_out(last: Entry, column: int, items: list[Trivia], column_of: Callable[[CollectionNode], int]) -> list[str]:
    """Assign the lines after `last`, an entry of a block at `column`, to what they are aligned with.

    Returns those that are not indented further than the block: they are above what follows. Lines keep their order, so a line
    after one that belongs to an outer block is never assigned to an inner one.
    """
    levels: list[tuple[int, Value, str]] = []
    entry, at = last, column
    while isinstance(block := entry[1], CollectionNode) and is_block(block):
        at = column_of(block)
        levels.append((at, block, "tail"))
        entry = entries_of(block)[-1]
    if not (isinstance(entry[1], Scalar) and entry[1].block):
        levels.append((at + 1, owner(entry), "below"))
    levels = [level for level in levels if level[0] > column]
    waiting: list[str] = []
    # Nothing follows at the end of a file.
    speaking = _first_speaking(items) if column >= 0 else len(items)
    for number, item in enumerate(items):
        if number == speaking:
            levels = []
        waiting.append(item.text)
        if not item.text:
            continue
        while levels and levels[-1][0] > item.column:
            levels.pop()
        if not levels:
            return waiting + [later.text for later in items[number + 1 :]]
        place = notes(levels[-1][1])
        setattr(place, levels[-1][2], (*getattr(place, levels[-1][2]), *waiting))
        waiting = []
    return waiting


def _first_speaking(items: Sequence[Trivia]) -> int:
    """Where the comments begin that belong to what follows regardless of indentation: at one that ignores a finding there."""
    found = len(items)
    for number in range(len(items) - 1, -1, -1):
        if not items[number].text:
            break
        if IGNORE_MARK in items[number].text:
            found = number
    return found
