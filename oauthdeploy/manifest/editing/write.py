"""Writes sorted nodes with assigned comments as canonical text, with ruamel.yaml's emitter.

Two spaces of indentation, also for lists in mappings; one empty line between sections and at most one elsewhere; comments two
spaces after what they are beside. A list of plain values is in brackets if it fits into the line; a mapping stays in braces if
its author wrote it so and it fits; anything with a comment inside is a block.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ruamel.yaml import events
from ruamel.yaml.emitter import Emitter, ScalarAnalysis
from ruamel.yaml.error import CommentMark
from ruamel.yaml.nodes import CollectionNode, MappingNode
from ruamel.yaml.tokens import CommentToken

from oauthdeploy.manifest.editing.nodes import ALIAS, Entry, Scalar, Value, entries, notes, notes_of, owner
from oauthdeploy.manifest.editing.read import Text
from oauthdeploy.manifest.scalars import can_be_plain, is_typed, quoted, written
from oauthdeploy.manifest.yaml_reader import NULLS

WIDTH: Final = 100
"""The column that a list or mapping in brackets may reach. Strings are never broken, nor are comments."""

_LONGEST_KEY: Final = 1000
"""YAML requires a question mark before a longer key."""

_NO_TAG: Final = (True, True, True)


def write_text(text: Text, header: Iterable[str]) -> str:
    """Write a file; `header` are the lines at its top that belong to no entry."""
    root, about = text.root, notes_of(text.root)
    root.anchor = None  # Useless: an alias of the whole document could only be inside it.
    top: list[str] = []
    if text.directives or text.start is not None:
        top += [*text.header, *text.directives, "  ".join(["---", *(text.start or ())])]
    writer = _Writer()
    top = writer.lines([*top, *header, *about.above], first=True)
    if isinstance(root, CollectionNode) and root.value:
        body = writer.block(root, first=top[-1:] in ([], [""]))
        rest = [*about.beside, *about.below]
    else:
        body = writer.lone(root, about.beside)
        rest = [*about.below, *about.tail]
    end = writer.lines(rest, first=not (top or body))
    while end and not end[-1]:
        end.pop()
    while top and not (top[-1] or body or end):
        top.pop()
    return "".join(f"{line}\n" for line in top) + body + "".join(f"{line}\n" for line in end)


class _Emitter(Emitter):
    """ruamel.yaml's emitter. It receives scalars as they are to be written, and indents lists by two columns at any depth."""

    MAX_SIMPLE_KEY_LENGTH = _LONGEST_KEY + 1

    def expect_block_sequence(self) -> None:
        # After a comment beside the key of a list, the emitter would omit the end of a later line.
        self.no_newline = False
        self.indention = self.indention or self.column == 0
        self.increase_indent(flow=False, sequence=True)
        self.state = self.expect_first_block_sequence_item

    def analyze_scalar(self, scalar: str) -> ScalarAnalysis:
        return ScalarAnalysis(scalar, False, False, True, True, True, True, True)

    def choose_scalar_style(self) -> str:
        return ""

    def write_plain(self, text: str, split: bool = True) -> None:  # noqa: ARG002 - ruamel.yaml's signature
        if text:
            self.write_indicator(text, True)


class _Writer:
    """Passes nodes to the emitter. `sealed`: the last output ends in significant empty lines, so none may be added."""

    def __init__(self) -> None:
        self._out = io.StringIO()
        self._emit = _Emitter(self._out).emit
        self.sealed = False

    def block(self, root: CollectionNode, *, first: bool) -> str:
        """The text of a file's list or mapping. Sections are separated by empty lines, except before the `first`."""
        before: Entry | None = None
        for entry in entries(root):
            if before is not None and (_is_section(entry) or _is_section(before)):
                found = notes(owner(entry))
                found.above = ("", *found.above)
            before = entry
        self._emit(events.StreamStartEvent())
        self._emit(events.DocumentStartEvent(explicit=False))
        self._collection(root, 0, None, notes_of(root).tail, first=first)
        self._emit(events.DocumentEndEvent(explicit=False))
        self._emit(events.StreamEndEvent())
        return self._out.getvalue()

    def lone(self, root: Value, beside: Sequence[str]) -> str:
        """The text of a file that is one scalar, or contains only comments."""
        if isinstance(root, Scalar) and root.empty:
            return "".join(f"{comment}\n" for comment in beside)
        text = self._leaf(root, 0, None, "", beside)
        block = isinstance(root, Scalar) and root.block
        return (text if block else "  ".join([text, *beside])) + "\n"

    # -- comments -----------------------------------------------------------------------------------------------------

    def lines(self, lines: Iterable[str], *, first: bool = False) -> list[str]:
        """Comments on their own lines, with single empty lines; none at the very `first`, nor where they would be significant."""
        found = _single_blanks(lines)
        if found and not found[0] and (first or self.sealed):
            found.pop(0)
        self.sealed = self.sealed and not found
        return found

    def _above(self, lines: Iterable[str], column: int, *, first: bool = False) -> list[CommentToken]:
        return [_token(line, column if line else 0) for line in self.lines(lines, first=first)]

    def _after(self, beside: Sequence[str], below: Iterable[str], column: int) -> CommentToken | None:
        """What is beside a value and below it. (The emitter puts one space before a comment.)"""
        lines = self.lines(below)
        if not beside and not lines:
            return None
        text = "".join(f"\n{' ' * column}{line}" if line else "\n" for line in lines)
        return _token("".join(f" {line}" for line in beside) + text, 0)

    # -- entries ------------------------------------------------------------------------------------------------------

    def _collection(
        self,
        node: CollectionNode,
        indent: int,
        comment: Any,
        tail: Iterable[str],
        *,
        first: bool = True,
        pinned: bool = False,
    ) -> None:
        """A block list or mapping."""
        mapping = isinstance(node, MappingNode)
        start = events.MappingStartEvent if mapping else events.SequenceStartEvent
        end = events.MappingEndEvent if mapping else events.SequenceEndEvent
        self._emit(start(node.anchor, None, True, flow_style=False, comment=comment))
        for entry in entries(node):
            self._entry(entry, indent, first=first, pinned=pinned)
            first = pinned = False
        self._emit(end(comment=[None, self._above(tail, indent)]))

    def _entry(self, entry: Entry, indent: int, *, first: bool, pinned: bool) -> None:
        """One entry. `pinned`: a comment that ignores findings applies to its line, so values stay on theirs."""
        key, value = entry
        about = notes_of(owner(entry))
        above = self._above(about.above, indent, first=first)
        self.sealed = False
        sign = "-"
        if key is not None:
            sign = inline(Scalar(key.value, '"') if key.block else key, flow=False)
            self._emit(events.ScalarEvent(None, None, _NO_TAG, sign, comment=_slot(None, above)))
            sign, above = f"{sign}:", []
        pinned = pinned or about.ignore
        if isinstance(value, CollectionNode) and value.value and not _fits(value, len(sign) + indent, pinned):
            after = self._after(about.beside, (), 0)
            # In a list, the first line is that of the dash if nothing is in between.
            joined = key is None and not (value.anchor or after or any(notes_of(owner(entries(value)[0])).above))
            tail = (*notes_of(value).tail, *about.below)
            self._collection(value, indent + 2, _slot(after, above), tail, pinned=pinned and joined)
            return
        literal = isinstance(value, Scalar) and value.block
        text = self._leaf(value, indent, key, sign, about.beside)
        below = about.below if isinstance(value, Scalar) else (*notes_of(value).tail, *about.below)
        after = self._after(() if literal else about.beside, below, indent + 2)
        self._emit(events.ScalarEvent(value.anchor, None, _NO_TAG, text, comment=_slot(after, above)))
        self.sealed = isinstance(value, Scalar) and literal and value.lines[0].endswith("+")

    def _leaf(self, value: Value, indent: int, key: Scalar | None, sign: str, beside: Sequence[str]) -> str:
        """A value that begins on the line of its key or dash; a file that is one scalar has neither."""
        if isinstance(value, CollectionNode):
            return flow_text(value) or ""
        if value.empty and key is not None:
            return ""
        if value.block:
            head = "".join(f"  {comment}" for comment in beside)
            return _over_lines([value.lines[0] + head, *value.lines[1:]], indent)
        text = inline(value, flow=False)
        # A file that is one scalar keeps no lines: at the left margin they could be YAML's own indicators.
        if sign and value.lines:
            column = indent + len(sign) + len(_anchor(value)) + 1
            if "\n" in value.value or column + len(text) > WIDTH:
                return _over_lines(value.lines, indent)
        return text


def flow_text(value: Value) -> str | None:
    """The value on one line in brackets, without its own anchor; None if it contains a comment or a multi-line scalar."""
    if isinstance(value, Scalar):
        several = value.block or (value.lines and "\n" in value.value)
        return None if several else inline(value, flow=True)
    parts: list[str] = []
    for entry in entries(value):
        key, inner = entry
        text = None if any(notes_of(owner(entry)).own()) else flow_text(inner)
        if text is None or (key is not None and key.block):
            return None
        name = "" if key is None else inline(key, flow=True)
        if len(name) > _LONGEST_KEY:
            return None
        text = f"{_anchor(inner)} {text}".lstrip(" ")
        parts.append(f"{name}: {text}" if key is not None else text)
    if value.value and any(notes_of(value).tail):
        return None
    joined = ", ".join(parts)
    return f"{{{joined}}}" if isinstance(value, MappingNode) else f"[{joined}]"


def _fits(value: CollectionNode, column: int, pinned: bool) -> bool:
    """True if the value is to be in brackets on the line of its key, which ends at `column`."""
    if pinned and not (value.flow_style and value.start_mark and value.start_mark.line < value.end_mark.line):
        return bool(value.flow_style)
    plain = not any(isinstance(inner, CollectionNode) and inner.value for _key, inner in entries(value))
    if not (value.flow_style if isinstance(value, MappingNode) else plain):
        return False
    text = flow_text(value)
    return text is not None and column + len(_anchor(value)) + 1 + len(text) <= WIDTH


def _over_lines(lines: Sequence[str], indent: int) -> str:
    """A scalar broken where its author broke it."""
    return "\n".join([lines[0], *(" " * (indent + 2) + line if line else "" for line in lines[1:])])


def _anchor(value: Value) -> str:
    return f" &{value.anchor}" if value.anchor else ""


def _is_section(entry: Entry) -> bool:
    """True for a top-level entry that is set apart by empty lines: anything but a one-line scalar."""
    value = entry[1]
    short = isinstance(value, Scalar) and value.style != ALIAS and not value.lines
    return not short or bool(notes_of(owner(entry)).below)


def _single_blanks(lines: Iterable[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line or found[-1:] != [""]:
            found.append(line)
    return found


def _slot(after: CommentToken | None, above: list[CommentToken]) -> Any:
    """Comments in the form of an event."""
    return [after, above or None] if after or above else None


def _token(text: str, column: int) -> CommentToken:
    return CommentToken(f"{text}\n", CommentMark(column))


def inline(scalar: Scalar, *, flow: bool) -> str:
    """The scalar on one line. Quotes are kept or removed so that no reader sees another type than before."""
    text = scalar.value
    if scalar.style == ALIAS:
        return f"*{text}"
    if scalar.style:
        return written(text, flow=flow)
    if text in NULLS:
        return "null"
    # What some reader takes for a number or a boolean stays that.
    return text if is_typed(text) or can_be_plain(text, flow=flow) else quoted(text)
