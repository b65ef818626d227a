"""From a tree, in order and with its comments settled, to its one canonical text.

Two spaces of indentation, also for lists in mappings; one empty line between sections and at most one elsewhere; comments two
spaces behind what they stand beside. A list of plain values stands in brackets where it fits into the line; a mapping stays in
braces where its author wrote it so and it fits; what holds a comment is a block.
"""

from __future__ import annotations

from typing import Final

from oauthdeploy.manifest.editing.scalars import inline, over_lines
from oauthdeploy.manifest.editing.tree import Alias, Collection, Entry, Scalar, Text, Value

WIDTH: Final = 100
"""Columns that a list or mapping in brackets may reach to. Texts are never broken, nor are comments."""

_LONGEST_KEY: Final = 1000
"""YAML wants a longer key to be marked with a question mark."""


def write_text(text: Text, header: list[str]) -> str:
    """Write a file; `header` are the lines at its top that belong to no entry."""
    writer = _Writer()
    if text.directives or text.start is not None:
        writer.comments(text.header, 0)
        writer.lines += text.directives
        writer.line("---", 0, text.start or [])
    writer.comments(header, 0)
    writer.root(text.root)
    return "".join(f"{line}\n" for line in writer.finished())


class _Writer:
    """Collects lines. `sealed` is true after a text whose empty lines at the end count: then none may be added."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.sealed = False

    def finished(self) -> list[str]:
        """The lines, without empty ones at the end that mean nothing."""
        while not self.sealed and self.lines and not self.lines[-1]:
            self.lines.pop()
        return self.lines

    def blank(self) -> None:
        """An empty line, unless there is one already, or it would say something."""
        if self.lines and self.lines[-1] and not self.sealed:
            self.lines.append("")

    def line(self, text: str, indent: int, beside: list[str]) -> None:
        """One line with the comments beside it."""
        self._add(f"{' ' * indent}{text}{''.join(f'  {comment}' for comment in beside)}")

    def comments(self, lines: list[str], indent: int) -> None:
        """Comments on lines of their own."""
        for line in lines:
            if line:
                self._add(" " * indent + line)
            else:
                self.blank()

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self.sealed = False

    # -- the whole --------------------------------------------------------------------------------------------------

    def root(self, root: Entry) -> None:
        """The value of the file. Its sections stand apart from each other."""
        value = root.value
        value.anchor = ""  # of no use: an alias of the whole could only stand inside it
        self.comments(root.above, 0)
        if not isinstance(value, Collection) or not value.entries:
            self._lone(root)
        else:
            self._sections(value)
            self.comments(value.tail, 0)
            self.comments([*root.beside, *root.below], 0)

    def _sections(self, value: Collection) -> None:
        before: Entry | None = None
        for entry in value.entries:
            apart = entry.above[:1] == [""] or _is_section(entry) or (before is not None and _is_section(before))
            if before is not None and apart:
                self.blank()
            self._entry(entry, 0, first=False)
            before = entry

    def _lone(self, root: Entry) -> None:
        """A file that is one value, or holds comments only."""
        if isinstance(root.value, Scalar) and root.value.empty:
            self.comments(root.beside, 0)
        else:
            self._leaf(root, "", -2)
        self.comments([*root.below, *(root.value.tail if isinstance(root.value, Collection) else [])], 0)

    # -- entries ----------------------------------------------------------------------------------------------------

    def _block(self, value: Collection, indent: int, *, pinned: bool = False) -> None:
        for number, entry in enumerate(value.entries):
            self._entry(entry, indent, first=number == 0, pinned=pinned and number == 0)
        self.comments(value.tail, indent)

    def _entry(self, entry: Entry, indent: int, *, first: bool, pinned: bool = False) -> None:
        """One entry of a block. `pinned`: a comment that silences findings speaks of its line, so values stay on theirs."""
        above = _without_first_blanks(entry.above) if first or not self.lines else entry.above
        self.comments(above, indent)
        pinned = pinned or entry.ignores
        sign = "-" if entry.key is None else self._key(entry.key, indent)
        value = entry.value
        if isinstance(value, Collection) and value.entries and not self._fits(value, len(sign) + indent, pinned):
            self._nested(entry, value, sign, indent, pinned=pinned)
        else:
            self._leaf(entry, sign, indent)
        self.comments(entry.below, indent + 2)

    def _key(self, key: Scalar, indent: int) -> str:
        name = inline(key, flow=False) if not key.block else inline(Scalar(key.value, "", '"'), flow=False)
        if len(name) <= _LONGEST_KEY:
            return f"{name}:"
        self._add(f"{' ' * indent}? {name}")
        return ":"

    def _nested(self, entry: Entry, value: Collection, sign: str, indent: int, *, pinned: bool) -> None:
        """A list or mapping on lines of its own; in a list, its first line is that of the dash where nothing is between."""
        comments = entry.beside
        apart = value.anchor or comments or any(value.entries[0].above) or len(sign) > 1 or sign == ":"
        if apart:
            self.line(f"{sign}{_anchor(value)}", indent, comments)
            self._block(value, indent + 2)
            return
        start = len(self.lines)
        self._block(value, indent + 2, pinned=pinned)
        self.lines[start] = f"{' ' * indent}- {self.lines[start][indent + 2 :]}"

    def _leaf(self, entry: Entry, sign: str, indent: int) -> None:
        """A value that begins on the line of its key."""
        value = entry.value
        comments = entry.beside
        start = f"{sign}{_anchor(value)} ".lstrip(" ") if sign or value.anchor else ""
        pad = max(indent, 0)
        if isinstance(value, Scalar) and value.block:
            self.line(start + value.raw, pad, comments)
            self.lines += [" " * (pad + 2) + line if line else "" for line in value.lines]
            self.sealed = "+" in value.raw
            return
        if isinstance(value, Scalar) and value.empty and sign != "-":
            self.line(start.rstrip(), pad, comments)
            return
        # A file that is one text keeps no lines: at the left margin they could be marks of YAML's own.
        if indent >= 0 and isinstance(value, Scalar) and (lines := over_lines(value)) is not None:
            text = inline(value, flow=False)
            if "\n" in value.value or pad + len(start) + len(text) > WIDTH:
                self._long(start, lines, indent, comments)
                return
        self.line(start + (flow_text(value) or ""), pad, comments) if isinstance(value, Collection) else self.line(
            start + _inline(value, flow=False), pad, comments
        )
        if isinstance(value, Collection) and indent >= 0:
            self.comments(value.tail if not value.entries else [], indent + 2)

    def _long(self, start: str, lines: list[str], indent: int, comments: list[str]) -> None:
        """A text over several lines, broken where its author broke it."""
        self._add(" " * max(indent, 0) + start + lines[0])
        self.lines += [" " * (indent + 2) + line if line else "" for line in lines[1:]]
        self.lines[-1] += "".join(f"  {comment}" for comment in comments)

    def _fits(self, value: Collection, column: int, pinned: bool) -> bool:
        """True where the value is to stand in brackets on the line of its key, which ends at `column`."""
        if pinned and (not value.flow or value.one_line):
            return value.flow
        simple = all(not isinstance(entry.value, Collection) or not entry.value.entries for entry in value.entries)
        if not (value.flow if value.mapping else simple):
            return False
        text = flow_text(value)
        return text is not None and column + len(_anchor(value)) + 1 + len(text) <= WIDTH


def flow_text(value: Value) -> str | None:
    """The value on one line in brackets, without its own anchor; None where it holds a comment or a text of several lines."""
    if isinstance(value, Collection):
        parts: list[str] = []
        for entry in value.entries:
            text = None if any(entry.comments()) else flow_text(entry.value)
            if text is None or (entry.key is not None and entry.key.block):
                return None
            name = "" if entry.key is None else inline(entry.key, flow=True)
            if len(name) > _LONGEST_KEY:
                return None
            text = f"{_anchor(entry.value)} {text}".lstrip(" ")
            parts.append(f"{name}: {text}" if entry.key is not None else text)
        if any(value.tail) and value.entries:
            return None
        inner = ", ".join(parts)
        return f"{{{inner}}}" if value.mapping else f"[{inner}]"
    if isinstance(value, Scalar) and (value.block or ("\n" in value.raw and "\n" in value.value)):
        return None
    return _inline(value, flow=True)


def _inline(value: Scalar | Alias, *, flow: bool) -> str:
    return f"*{value.name}" if isinstance(value, Alias) else inline(value, flow=flow)


def _anchor(value: Value) -> str:
    return f" &{value.anchor}" if value.anchor else ""


def _is_section(entry: Entry) -> bool:
    """True for what stands apart at the top of a file: anything but a text on one line."""
    value = entry.value
    short = isinstance(value, Scalar) and not value.block and "\n" not in value.raw
    return not short or bool(entry.below)


def _without_first_blanks(lines: list[str]) -> list[str]:
    first = next((number for number, line in enumerate(lines) if line), len(lines))
    return lines[first:]
