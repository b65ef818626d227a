"""The careful reader: the same events as the fast one, kept with their positions, and every problem of a file named.

It runs only when there is something to report, and gives `locate` its index.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, overload

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    StreamEndEvent,
)

from oauthdeploy.core.diagnostics import Diagnostic, SourceSpan

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
MAX_DEPTH: Final = 64
MAX_CONTAINERS: Final = 2_000_000
MAX_VALUES: Final = 3_000_000
"""Texts, lists and mappings in one file: half as many again as in a manifest of 100,000 clients."""
BIG: Final = 256 * 1024
"""Characters from which reading keeps the cycle collector still."""
MAX_PROBLEMS: Final = 10_000
_BREAK = re.compile(r"\r\n|\n|\r")


_SHARED: Final = 10_000


def alias_budget(written: int) -> int:
    """How many lists and mappings aliases may add to `written` ones: enough for any honest file, linear in its size."""
    return 10_000 + 10 * written


_NAME_ENDS: Final = frozenset(" \t\r\n,[]{}")


def name_is_cut(text: str, event: Any) -> bool:
    """True where libyaml ends the name of an anchor or alias and YAML 1.2 goes on with it, as in `&https://x`."""
    past = event.start_mark.index + 1 + len(event.anchor)
    return text[past : past + 1] not in _NAME_ENDS and past < len(text)


def event_source(text: str) -> Any:
    """A parser with `get_event`: libyaml's, or PyYAML's own where it was built without libyaml (slower, same events)."""
    loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    return loader(text)


class Lines(Sequence[str]):
    """The lines of a text, without their ends; only where they start is kept."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = array("I", [0])
        self._starts.extend(match.end() for match in _BREAK.finditer(text))

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        end = self._starts[place + 1] if place + 1 < len(self) else len(self._text)
        # A line holds no line end, so nothing but its own is taken off.
        return self._text[self._starts[place] : end].rstrip("\r\n")


@dataclass(frozen=True)
class Source:
    """A file's name, as the user wrote it, and its text without a byte order mark."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> Lines:
        """The lines, without their ends."""
        return Lines(self.text)

    def line(self, number: int) -> str:
        """The line of that number, counted from 1; empty past the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def span(self, line: int, column: int) -> SourceSpan:
        """A place by line and column, counted from 1."""
        return SourceSpan(self.name, line, column, self.line(line))

    def span_at(self, offset: int) -> SourceSpan:
        """The place of a character, counted from 0."""
        before = _BREAK.split(self.text[:offset])
        return self.span(len(before), len(before[-1]) + 1)

    def __reduce__(self) -> Any:
        raise TypeError("a manifest's text may hold secrets and is not pickled")


class Node:
    """A value and where it stands (from 1; `end_*` is just past it). Mappings keep each key's place.

    There may be millions, so each is as small as it can be.
    """

    __slots__ = ("column", "end_column", "end_line", "line", "value")

    def __init__(self, event: Any, value: Any) -> None:
        self.line: int = event.start_mark.line + 1
        self.column: int = event.start_mark.column + 1
        end: int = event.end_mark.line + 1
        self.end_line: int = self.line if end == self.line else end
        self.end_column: int = event.end_mark.column + 1
        self.value: str | dict[str, tuple[int, int, Node]] | list[Node] | None = value


class Mapping(Node):
    """A mapping. `repeated` are the values that were refused for their keys: no data, but what they hold may be secret."""

    __slots__ = ("repeated",)

    def __init__(self, event: Any) -> None:
        super().__init__(event, {})
        self.repeated: tuple[tuple[str, Node], ...] = ()


def data_of(node: Node | None) -> Any:
    """The raw data of a node; shared nodes give shared data."""
    made: dict[int, Any] = {}

    def build(node: Node) -> Any:
        value = node.value
        if value is None or isinstance(value, str):
            return value
        if id(node) not in made:
            if isinstance(value, dict):
                made[id(node)] = {key: build(child) for key, (_, _, child) in value.items()}
            else:
                made[id(node)] = [build(child) for child in value]
        return made[id(node)]

    return None if node is None else build(node)


def read_nodes(source: Source) -> tuple[Node | None, tuple[Diagnostic, ...]]:
    """Read a file with positions. Gives the top node (None when the file is empty or broken) and every finding."""
    reader = _Reader(source)
    try:
        return reader.read(), tuple(reader.problems)
    except yaml.YAMLError as error:
        return None, (*reader.problems, syntax_problem(source, error))
    except _TooMuch:
        return None, tuple(reader.problems)


class _TooMuch(Exception):
    """Reading on would take too much memory; the finding is already noted."""


class _Reader:
    """One pass over the events of a file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        self._get = event_source(source.text).get_event
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._open: set[str] = set()
        self._deepest: list[int] = []  # for each anchored value that is being read, how deep it goes
        self._containers = 0
        self._expanded = 0
        self._values = 0
        self._texts: dict[str, str] = {}

    def read(self) -> Node | None:
        """Read the stream: one document, or a finding."""
        self._get()
        start = self._get()
        if isinstance(start, StreamEndEvent):
            return None
        self._check_directives(start)
        node = self._node(self._get(), 0)
        self._get()
        after = self._get()
        if isinstance(after, DocumentStartEvent):
            self._note(
                "multiple-documents",
                "The file holds more than one YAML document",
                after,
                "A second document starts here; a manifest is one document.",
                "Remove the line ---, or write a second file and pass it with -f.",
            )
        return node

    def _check_directives(self, start: DocumentStartEvent) -> None:
        if start.version and tuple(start.version) != (1, 2):
            version = ".".join(str(part) for part in start.version)
            self._unsupported(
                start, f"The file declares YAML {version}; a manifest is YAML 1.2.", "Remove the directive."
            )
        if start.tags:
            self._unsupported(start, "The file declares tags (%TAG); a manifest has none.", "Remove the directive.")

    def _node(self, event: Any, depth: int) -> Node:
        if event.anchor is not None and getattr(event, "tag", None) is None and name_is_cut(self.source.text, event):
            self._unsupported(
                event,
                "The name of an anchor or alias holds a character on which readers disagree.",
                "Put a text that starts with & or * in quotes; names hold letters, digits, - and _.",
            )
            return Node(event, None)
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        if event.tag is not None:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            fix = "Remove the tag. Put a text that looks like null in quotes; other values need none."
            self._unsupported(event, f"The tag {shown} asks for a type; a manifest's types come from its fields.", fix)
        self._values += 1
        if self._values > MAX_VALUES:
            self._too_much(event, f"The file holds more than {MAX_VALUES:,} values.")
        if isinstance(event, ScalarEvent):
            node = Node(event, None if not event.style and event.value in NULLS else self._shared(event.value))
            if event.anchor is not None:
                self._anchors[event.anchor] = (node, 1, 0)
            return node
        return self._container(event, depth)

    def _shared(self, text: str) -> str:
        """The text, as one object for all places that hold it, as far as the first ten thousand texts go."""
        return self._texts.setdefault(text, text) if len(self._texts) < _SHARED else self._texts.get(text, text)

    def _container(self, event: Any, depth: int) -> Node:
        self._containers += 1
        if depth >= MAX_DEPTH:
            self._too_much(event, f"Values are nested more than {MAX_DEPTH} deep.")
        if self._containers > MAX_CONTAINERS:
            self._too_much(event, f"The file holds more than {MAX_CONTAINERS} lists and mappings.")
        before = self._containers + self._expanded
        if event.anchor in self._open:
            self._unsupported(
                event, f"The anchor &{event.anchor} stands inside another one of its name.", "Rename one."
            )
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
            self._open.add(event.anchor)
            self._deepest.append(depth)
        self._reach(depth + 1)
        node: Node
        if isinstance(event, MappingStartEvent):
            node = self._fill_map(Mapping(event), depth)
        else:
            node = self._fill_list(Node(event, []), depth)
        if event.anchor is not None:
            self._open.discard(event.anchor)
            size = 1 + self._containers + self._expanded - before
            self._anchors[event.anchor] = (node, size, self._deepest.pop() - depth)
        return node

    def _reach(self, depth: int) -> None:
        """Note for each anchor that is being read how deep its value goes."""
        self._deepest = [max(depth, before) for before in self._deepest]

    def _fill_list(self, node: Node, depth: int) -> Node:
        items: list[Node] = []
        while isinstance(event := self._get(), NodeEvent):
            items.append(self._node(event, depth + 1))
        node.value = items
        return node

    def _fill_map(self, node: Mapping, depth: int) -> Node:
        entries: dict[str, tuple[int, int, Node]] = {}
        repeated: list[tuple[str, Node]] = []
        while isinstance(event := self._get(), NodeEvent):
            key = self._key(event, depth)
            start: Any = event.start_mark
            child = self._node(self._get(), depth + 1)
            if key is None:
                repeated.append(("", child))
                continue
            if key in entries:
                first = entries[key]
                self._note(
                    "duplicate-key",
                    "A key is written twice",
                    event,
                    f"'{key}' is already written in line {first[0]}, column {first[1]} of {self.source.name}.",
                    "Keep one of the two.",
                )
                repeated.append((key, child))
                continue
            entries[key] = (start.line + 1, start.column + 1, child)
        node.value = entries
        node.repeated = tuple(repeated)
        return node

    def _key(self, event: Any, depth: int) -> str | None:
        if not isinstance(event, ScalarEvent):
            self._node(event, depth + 1)
            self._unsupported(
                event, "A key must be a text, not a list, a mapping or an alias.", "Write the key as a text."
            )
            return None
        if event.tag is not None or event.anchor is not None:
            self._unsupported(event, "A key must be a text without tag or anchor.", "Remove the tag or anchor.")
        if not event.style and event.value in NULLS:
            self._unsupported(
                event, "A key is missing, or is YAML's null.", "Write a key; put a text like null in quotes."
            )
            return None
        if not event.style and event.value == "<<":
            self._unsupported(
                event,
                "Merge keys (<<) belong to YAML 1.1 and tools disagree about them.",
                "Write the keys out, use an alias for a whole value (key: *name), or a variable.",
            )
            return None
        return self._shared(str(event.value))

    def _alias(self, event: Any, depth: int) -> Node:
        if event.anchor in self._open:
            self._unsupported(event, f"The alias *{event.anchor} stands inside its own anchor.", "Write the value out.")
            return Node(event, None)
        if event.anchor not in self._anchors:
            self._note(
                "yaml-syntax",
                "The file is not valid YAML",
                event,
                f"The alias *{event.anchor} names an anchor that isn't defined above it.",
                f"Define it with &{event.anchor}, or put a text that starts with * in quotes.",
            )
            return Node(event, None)
        node, size, height = self._anchors[event.anchor]
        self._expanded += size
        if depth + height > MAX_DEPTH:
            self._too_much(
                event, f"With what *{event.anchor} stands for, values are nested more than {MAX_DEPTH} deep."
            )
        self._reach(depth + height)
        if self._expanded > alias_budget(self._containers):
            self._too_much(event, "Aliases multiply the file to many times what is written.")
        return node

    def _too_much(self, event: Any, detail: str) -> None:
        self._note(
            "too-large", "The manifest is too large", event, detail, "Split it, or write fewer and flatter values."
        )
        raise _TooMuch

    def _unsupported(self, event: Any, detail: str, fix: str) -> None:
        self._note("unsupported-yaml", "The file uses a part of YAML that a manifest does without", event, detail, fix)

    def _note(self, rule: str, summary: str, event: Any, detail: str, fix: str) -> None:
        span = self.source.span(event.start_mark.line + 1, event.start_mark.column + 1)
        self.problems.append(Diagnostic(rule, summary, detail, fix, span=span))
        if len(self.problems) == MAX_PROBLEMS:
            self._too_much(event, f"{MAX_PROBLEMS} problems were found up to here, and the rest is not read.")


# -- syntax errors ----------------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\$\{[^{}]*\}|\$\{[^{}\s,\]]*")


def syntax_problem(source: Source, error: yaml.YAMLError) -> Diagnostic:
    """Turn the parser's complaint into a finding in our words, with the fix for the mistakes that people make."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    what = str(getattr(error, "problem", None) or "the text can't be read")
    context = getattr(error, "context", None)
    detail = f"{what[0].upper()}{what[1:]}{f' ({context})' if context else ''}."
    fix = "Check quotes, brackets and indentation here and in the line above."
    text = source.line(line)
    if "maximum nesting depth" in what:
        # libyaml's own limit (since 0.2.6), which it reaches while it looks for the end of a key.
        detail, fix = f"Values are nested more than {MAX_DEPTH} deep.", "Write flatter values."
        span = source.span(line, column)
        return Diagnostic("too-large", "The manifest is too large", detail, fix, span=span)
    if reference := _bare_reference(text, column):
        start, written = reference
        detail = f"Inside {{}} and [] YAML needs quotes around {written}, since braces have a meaning there."
        fix = f'Write "{written}" with the quotes.'
        column = start + 1
    elif "\t" in text[: max(column, 1)]:
        fix = "YAML doesn't allow tabs for indentation: use spaces."
    elif "cannot start any token" in what:
        fix = "Put the value in quotes."
    return Diagnostic("yaml-syntax", "The file is not valid YAML", detail, fix, span=source.span(line, column))


def _bare_reference(text: str, column: int) -> tuple[int, str] | None:
    """The unquoted `${...}` at or just before the column: its start (from 0) and text."""
    found = [
        (match.start(), match[0] if match[0].endswith("}") else match[0] + "}")
        for match in _REFERENCE.finditer(text)
        if text[: match.start()].count('"') % 2 == 0 and match.start() <= column + 1
    ]
    return found[-1] if found else None


def scalar_ranges(source: Source) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end (line, column from 1) of every scalar, in order; for telling comments from texts."""
    get = event_source(source.text).get_event
    while not isinstance(event := get(), DocumentEndEvent | StreamEndEvent):
        if isinstance(event, ScalarEvent):
            start: Any = event.start_mark
            end: Any = event.end_mark
            yield (start.line + 1, start.column + 1), (end.line + 1, end.column + 1)
