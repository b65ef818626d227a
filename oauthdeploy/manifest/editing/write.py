"""Writes sorted nodes with assigned comments as canonical text.

Two spaces of indentation, also for lists in mappings; one empty line between sections and at most one elsewhere; comments two
spaces after what they are beside. A list of plain values is in brackets if it fits into the line; a mapping stays in braces if
its author wrote it so and it fits; anything with a comment inside is a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ruamel.yaml.nodes import CollectionNode, MappingNode

from oauthdeploy.manifest.editing.nodes import ALIAS, Entry, Notes, Scalar, Value, entries, notes, notes_of, owner
from oauthdeploy.manifest.editing.read import Text
from oauthdeploy.manifest.scalars import can_be_plain, is_typed, quoted, written
from oauthdeploy.manifest.yaml_reader import NULLS

WIDTH: Final = 100
"""The column that a list or mapping in brackets may reach. Strings are never broken, nor are comments."""

_LONGEST_KEY: Final = 1000
"""YAML requires a question mark before a longer key."""


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


class _Writer:
    """Collects lines. `sealed`: the last output ends in significant empty lines, so none may be added."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.sealed = False

    def block(self, root: CollectionNode, *, first: bool) -> str:
        """The text of a file's list or mapping. Sections are separated by empty lines, except before the `first`."""
        before: Entry | None = None
        for entry in entries(root):
            if before is not None and (_is_section(entry) or _is_section(before)):
                found = notes(owner(entry))
                found.above = ("", *found.above)
            before = entry
        self._collection(root, 0, notes_of(root).tail, first=first)
        return "".join([f"{line}\n" for line in self._lines])

    def lone(self, root: Value, beside: Sequence[str]) -> str:
        """The text of a file that is one scalar, or contains only comments."""
        if isinstance(root, CollectionNode):
            text = flow_text(root) or ""
        elif root.empty:
            return "".join(f"{comment}\n" for comment in beside)
        else:
            text = _scalar(root, 0, 0, beside, alone=True)
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

    def _write_lines(self, lines: Sequence[str], indent: int, *, first: bool = False) -> None:
        pad = " " * indent
        self._lines += [f"{pad}{line}" if line else "" for line in self.lines(lines, first=first)]

    # -- entries ------------------------------------------------------------------------------------------------------

    def _collection(
        self,
        node: CollectionNode,
        indent: int,
        tail: Sequence[str],
        *,
        start: str = "",
        first: bool = True,
        pinned: bool = False,
    ) -> None:
        """A block list or mapping, whose first line begins with `start` if that is not just the indentation."""
        pad = " " * indent
        for entry in entries(node):
            self._entry(entry, indent, start or pad, first=first, pinned=pinned)
            start, first, pinned = pad, False, False
        if tail:
            self._write_lines(tail, indent)

    def _entry(self, entry: Entry, indent: int, start: str, *, first: bool, pinned: bool) -> None:
        """One entry. `pinned`: a comment that ignores findings applies to its line, so values stay on theirs."""
        key, value = entry
        about = notes_of(owner(entry))
        if about.above:
            self._write_lines(about.above, indent, first=first)
        self.sealed = False
        sign = "-"
        if key is not None:
            sign = f"{inline(key, flow=False)}:" if not key.block else f"{written(key.value)}:"
        column = indent + len(sign)
        if len(sign) > _LONGEST_KEY + 1:
            self._lines.append(f"{start}? {sign[:-1]}")
            start, sign = " " * indent, ":"
        below: Sequence[str] = about.below
        literal = False
        if isinstance(value, CollectionNode):
            below = (*notes_of(value).tail, *below)
            pinned = pinned or about.ignore
            found = _on_one_line(value, column, pinned)
            if found is None:
                self._nested(value, about, indent, f"{start}{sign}", below, short=len(sign) == 1, pinned=pinned)
                return
            text = found
        else:
            literal = value.block
            empty = value.empty and key is not None
            text = "" if empty else _scalar(value, indent, column, about.beside, alone=False)
        line = f"{start}{sign}{_anchor(value)} {text}" if text else f"{start}{sign}{_anchor(value)}"
        self._lines.append("  ".join([line, *about.beside]) if about.beside and not literal else line)
        if below:
            self._write_lines(below, indent + 2)
        self.sealed = literal and isinstance(value, Scalar) and value.lines[0].endswith("+")

    def _nested(
        self,
        value: CollectionNode,
        about: Notes,
        indent: int,
        head: str,
        tail: Sequence[str],
        *,
        short: bool,
        pinned: bool,
    ) -> None:
        """A block; `head` is its line so far, with the key or dash. After a dash (`short`), that is also the line of its first
        entry, if nothing is in between.
        """
        if short and not (value.anchor or about.beside or any(notes_of(owner(entries(value)[0])).above)):
            self._collection(value, indent + 2, tail, start=f"{head} ", pinned=pinned)
            return
        self._lines.append("  ".join([f"{head}{_anchor(value)}", *about.beside]))
        self._collection(value, indent + 2, tail)


def _scalar(value: Scalar, indent: int, column: int, beside: Sequence[str], *, alone: bool) -> str:
    """A scalar after its key or dash, which ends at `column`; a file that is one scalar (`alone`) has neither."""
    if value.block:
        head = "".join(f"  {comment}" for comment in beside)
        return _over_lines([value.lines[0] + head, *value.lines[1:]], indent)
    text = inline(value, flow=False)
    # A file that is one scalar keeps no lines: at the left margin they could be YAML's own indicators.
    wide = column + len(_anchor(value)) + 1 + len(text) > WIDTH
    return _over_lines(value.lines, indent) if value.lines and not alone and (wide or "\n" in value.value) else text


def flow_text(value: Value) -> str | None:
    """The value on one line in brackets, without its own anchor; None if it contains a comment or a multi-line scalar."""
    if isinstance(value, Scalar):
        several = value.block or (value.lines and "\n" in value.value)
        return None if several else inline(value, flow=True)
    parts: list[str] = []
    for key, inner in entries(value):
        about = (inner if key is None else key).comment
        if (about is not None and any(about.own())) or (key is not None and key.block):
            return None
        text = inline(inner, flow=True) if isinstance(inner, Scalar) and not inner.lines else flow_text(inner)
        if text is None:
            return None
        if inner.anchor:
            text = f"&{inner.anchor} {text}"
        if key is not None:
            name = inline(key, flow=True)
            if len(name) > _LONGEST_KEY:
                return None
            text = f"{name}: {text}"
        parts.append(text)
    if value.value and any(notes_of(value).tail):
        return None
    joined = ", ".join(parts)
    return f"{{{joined}}}" if isinstance(value, MappingNode) else f"[{joined}]"


def _on_one_line(value: CollectionNode, column: int, pinned: bool) -> str | None:
    """The value in brackets if it is to be on the line of its key, which ends at `column`."""
    if not value.value:
        return flow_text(value) or ""
    if pinned and not (value.flow_style and value.start_mark and value.start_mark.line < value.end_mark.line):
        return flow_text(value) or "" if value.flow_style else None
    if isinstance(value, MappingNode):
        if not value.flow_style:
            return None
    elif any(isinstance(inner, CollectionNode) and inner.value for inner in value.value):
        return None
    text = flow_text(value)
    return text if text is not None and column + len(_anchor(value)) + 1 + len(text) <= WIDTH else None


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
    return text if can_be_plain(text, flow=flow) or is_typed(text) else quoted(text)
