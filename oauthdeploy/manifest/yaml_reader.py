"""Reads YAML 1.2 into strings, None, lists and dicts, or into findings; on request, into nodes with positions.

libyaml (through PyYAML) produces the events. No types are resolved: `007` stays a string, and only the plain scalars that YAML
1.2's core schema calls null (`null`, `Null`, `NULL`, `~` and nothing) become None. It was chosen over rapidyaml by measurement:
reading 4 MB into Python objects took 1.0 s of CPU against 1.6 s, every failure is an exception with a place (rapidyaml writes
to the process's stderr, which cannot be turned off), and a tab after a colon, a NUL or an invalid byte is never misread.
libyaml and YAML 1.2 differ in the line breaks U+0085, U+2028 and U+2029; those characters are refused.

A file without mistakes is read once, without positions. At the first mistake, reading starts again with positions, to report
every problem of the file with its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_syntax import MAX_DEPTH, forbidden_character, syntax_problem

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
MAX_CONTAINERS: Final = 2_000_000
MAX_VALUES: Final = 3_000_000
"""The limit of strings, lists and mappings in one file: one and a half times as many as in a manifest of 100,000 clients."""
MAX_PROBLEMS: Final = 10_000
NO_KEYS: Final = NULLS | {"<<"}
_NAME_ENDS: Final = frozenset(" \t\r\n,[]{}")
_SHARED: Final = 1_000
"""How many strings are remembered to be shared. Forgetting them all then costs one copy of those that are written often."""


class Node:
    """A value and its position (from 1; `end_*` is exclusive). Mappings have the position of each key.

    There may be millions, so each is as small as possible.
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
    """A mapping. `repeated` are the values that were refused because of their keys: not data, but they may be secret."""

    __slots__ = ("repeated",)

    def __init__(self, event: Any, value: Any, repeated: tuple[tuple[str, Node], ...]) -> None:
        super().__init__(event, value)
        self.repeated = repeated


def read_tree(source: Source) -> tuple[Any, tuple[Diagnostic, ...]]:
    """Read one YAML document. Returns the raw data (None also for an empty file) and findings.

    If there are findings, the data is what could still be read; after a syntax error it is None.
    """
    if problem := forbidden_character(source):
        return None, (problem,)
    try:
        return _Reader(source, positions=False).read(), ()
    except _Problem:
        node, problems = read_nodes(source)
        return _data_of(node), problems
    except yaml.YAMLError as error:
        return None, (syntax_problem(source, error),)


def read_nodes(source: Source) -> tuple[Node | None, tuple[Diagnostic, ...]]:
    """Read a file with positions. Returns the root node (None if the file is empty or broken) and every finding."""
    reader = _Reader(source, positions=True)
    try:
        return reader.read(), tuple(reader.problems)
    except yaml.YAMLError as error:
        return None, (*reader.problems, syntax_problem(source, error))
    except _TooMuch:
        return None, tuple(reader.problems)


def scalar_ranges(source: Source) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end (line, column from 1) of every scalar, in order; to distinguish comments from strings."""
    get = event_source(source.text).get_event
    while not isinstance(event := get(), DocumentEndEvent | StreamEndEvent):
        if isinstance(event, ScalarEvent):
            start: Any = event.start_mark
            end: Any = event.end_mark
            yield (start.line + 1, start.column + 1), (end.line + 1, end.column + 1)


def event_source(text: str) -> Any:
    """A parser with `get_event`: libyaml's, or PyYAML's own if it was built without libyaml (slower, same events)."""
    loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    return loader(text)


def _data_of(top: Node | None) -> Any:
    """The raw data of a node; shared nodes become shared data."""
    data: dict[int, Any] = {}

    def build(node: Node) -> Any:
        value = node.value
        if value is None or isinstance(value, str):
            return value
        if id(node) not in data:
            if isinstance(value, dict):
                data[id(node)] = {key: build(child) for key, (_, _, child) in value.items()}
            else:
                data[id(node)] = [build(child) for child in value]
        return data[id(node)]

    return None if top is None else build(top)


class _Problem(Exception):
    """Raised for a problem in a file that is read without positions."""


class _TooMuch(Exception):
    """Reading on would take too much memory; the finding is already recorded."""


class _Reader:
    """One pass over the events of a file: to nodes if positions are required, otherwise to raw data.

    Python runs the two loops (`_entries` and `_items`) half a million times for a large file, so the most frequent value, a
    string without tag and anchor, is handled in them without a call.
    """

    def __init__(self, source: Source, *, positions: bool) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        self._positions = positions
        self._get = event_source(source.text).get_event
        self._count = count(1).__next__
        self._containers = 0
        self._expanded = 0  # Lists and mappings that aliases add.
        self._anchors: dict[str, tuple[Any, int, int]] = {}  # The value, its lists and mappings, and its depth.
        self._open: set[str] = set()
        self._deepest: list[int] = []  # For each anchored value that is being read, its depth.
        self._names: dict[str, str] = {}
        self._texts: dict[str, str] = {}  # The latest strings; the first of equal ones stands for all.

    def read(self) -> Any:
        """Read the stream: one document, or a finding."""
        self._get()
        start = self._get()
        if isinstance(start, StreamEndEvent):
            return None
        self._check_directives(start)
        value = self._value(self._get(), 0)
        self._get()
        after = self._get()
        if isinstance(after, DocumentStartEvent):
            self._note(
                "multiple-documents",
                "The file contains more than one YAML document",
                after,
                "A second document starts here; a manifest has exactly one.",
                "Remove the line ---, or move the second document to its own file and pass it with -f.",
            )
        return value

    def _check_directives(self, start: DocumentStartEvent) -> None:
        if start.version and tuple(start.version) != (1, 2):
            version = ".".join(str(part) for part in start.version)
            self._unsupported(
                start, f"The file declares YAML {version}; a manifest is YAML 1.2.", "Remove the directive."
            )
        if start.tags:
            self._unsupported(start, "The file declares tags (%TAG); a manifest has none.", "Remove the directive.")

    # -- the two loops ------------------------------------------------------------------------------------------------

    def _entries(self, depth: int) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
        """The entries of a mapping up to its end, and those that are refused because of their keys."""
        get, share, counted, positions = self._get, self._names.setdefault, self._count, self._positions
        shared = self._shared
        entries: dict[str, Any] = {}
        refused: list[tuple[str, Any]] = []
        while (event := get()).__class__ is not MappingEndEvent:
            if (
                event.__class__ is ScalarEvent
                and event.anchor is None
                and event.tag is None
                and (event.style or event.value not in NO_KEYS)
            ):
                key: str | None = share(event.value, event.value)
            else:
                key = self._unusual_key(event, depth)
            below = get()
            if below.__class__ is ScalarEvent and below.anchor is None and below.tag is None:
                if counted() > MAX_VALUES:
                    self._too_many_values(below)
                text = shared(below.value) if below.style or below.value not in NULLS else None
                value = Node(below, text) if positions else text
            else:
                value = self._value(below, depth)
            if key is None or key in entries:
                self._refuse(event, key, entries)
                refused.append((key or "", value))
            else:
                entries[key] = (event.start_mark.line + 1, event.start_mark.column + 1, value) if positions else value
        return entries, refused

    def _items(self, depth: int) -> list[Any]:
        """The items of a list up to its end."""
        get, counted, positions, shared = self._get, self._count, self._positions, self._shared
        items: list[Any] = []
        while (event := get()).__class__ is not SequenceEndEvent:
            if event.__class__ is ScalarEvent and event.anchor is None and event.tag is None:
                if counted() > MAX_VALUES:
                    self._too_many_values(event)
                text = shared(event.value) if event.style or event.value not in NULLS else None
                items.append(Node(event, text) if positions else text)
            else:
                items.append(self._value(event, depth))
        return items

    # -- values -------------------------------------------------------------------------------------------------------

    def _value(self, event: Any, depth: int) -> Any:
        """Any value, `depth` levels down."""
        if event.anchor is None and event.__class__ is not ScalarEvent and event.tag is None:
            return self._container(event, depth, None)
        anchor = self._anchor(event)
        if isinstance(event, AliasEvent):
            return self._made(event, None) if anchor is None else self._alias(event, depth)
        if event.tag is not None:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            fix = "Remove the tag. Quote a string that looks like null; other values need no quotes."
            self._unsupported(event, f"The tag {shown} sets a type; in a manifest, the field determines the type.", fix)
        if not isinstance(event, ScalarEvent):
            return self._container(event, depth, anchor)
        if self._count() > MAX_VALUES:
            self._too_many_values(event)
        value = self._made(event, event.value if event.style or event.value not in NULLS else None)
        if anchor is not None:
            self._anchors[anchor] = (value, 1, 0)
        return value

    def _made(self, event: Any, value: Any) -> Any:
        return Node(event, value) if self._positions else value

    def _shared(self, text: str) -> str:
        """The string, as one object for most places that have it: the names of objects, and what is written often."""
        if (name := self._names.get(text)) is not None:
            return name
        texts = self._texts
        if len(texts) >= _SHARED:
            texts.clear()
        return texts.setdefault(text, text)

    def _container(self, event: Any, depth: int, anchor: str | None) -> Any:
        self._containers += 1
        if self._count() > MAX_VALUES:
            self._too_many_values(event)
        if depth >= MAX_DEPTH:
            self._too_much(event, f"Values are nested more than {MAX_DEPTH} deep.")
        if self._containers > MAX_CONTAINERS:
            self._too_much(event, f"The file has more than {MAX_CONTAINERS} lists and mappings.")
        before = self._containers + self._expanded
        if anchor is not None:
            self._open_anchor(event, depth, anchor)
        if self._deepest:
            self._reach(depth + 1)
        value: Any
        if event.__class__ is MappingStartEvent:
            value, refused = self._entries(depth + 1)
            if self._positions:
                value = Mapping(event, value, tuple(refused))
        else:
            value = self._items(depth + 1)
            if self._positions:
                value = Node(event, value)
        if anchor is not None:
            self._open.discard(anchor)
            size = 1 + self._containers + self._expanded - before
            self._anchors[anchor] = (value, size, self._deepest.pop() - depth)
        return value

    # -- keys ---------------------------------------------------------------------------------------------------------

    def _unusual_key(self, event: Any, depth: int) -> str | None:
        if not isinstance(event, ScalarEvent):
            self._value(event, depth)
            self._unsupported(
                event, "A key must be a string, not a list, a mapping or an alias.", "Write the key as a string."
            )
            return None
        if event.tag is not None or event.anchor is not None:
            self._unsupported(event, "A key must be a string without tag or anchor.", "Remove the tag or anchor.")
        if not event.style and event.value in NULLS:
            self._unsupported(
                event, "A key is missing, or is YAML's null.", "Write a key; quote a string such as null."
            )
            return None
        if not event.style and event.value == "<<":
            self._unsupported(
                event,
                "Merge keys (<<) are part of YAML 1.1, and tools disagree about them.",
                "Write the keys out, use an alias for a whole value (key: *name), or a variable.",
            )
            return None
        return str(event.value)

    def _refuse(self, event: Any, key: str | None, entries: dict[str, Any]) -> None:
        """Record a duplicate key. Without a key, the problem with it is recorded already."""
        if key is None:
            return
        line, column = entries[key][:2] if self._positions else (0, 0)
        self._note(
            "duplicate-key",
            "A key is written twice",
            event,
            f"'{key}' is already defined in line {line}, column {column} of {self.source.name}.",
            "Keep one of the two.",
        )

    # -- anchors and aliases ------------------------------------------------------------------------------------------

    def _anchor(self, event: Any) -> str | None:
        """The name of an anchor or alias; None, and a finding, if readers disagree on where the name ends."""
        anchor: str | None = event.anchor
        # libyaml ends some names where YAML 1.2 continues them, as in `&https://x`.
        if anchor is not None and getattr(event, "tag", None) is None:
            text, past = self.source.text, event.start_mark.index + 1 + len(anchor)
            if past < len(text) and text[past] not in _NAME_ENDS:
                self._unsupported(
                    event,
                    "The name of an anchor or alias has a character that parsers disagree about.",
                    "Quote a string that starts with & or *; names have letters, digits, - and _.",
                )
                return None
        return anchor

    def _open_anchor(self, event: Any, depth: int, anchor: str) -> None:
        if anchor in self._open:
            self._unsupported(
                event, f"The anchor &{anchor} is inside another anchor with the same name.", "Rename one."
            )
        self._anchors.pop(anchor, None)
        self._open.add(anchor)
        self._deepest.append(depth)

    def _reach(self, depth: int) -> None:
        """Record the depth of the value for each anchor that is being read."""
        self._deepest = [max(depth, before) for before in self._deepest]

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor in self._open:
            self._unsupported(event, f"The alias *{event.anchor} is inside its own anchor.", "Write the value out.")
            return self._made(event, None)
        if event.anchor not in self._anchors:
            self._note(
                "yaml-syntax",
                "The file is not valid YAML",
                event,
                f"The alias *{event.anchor} names an anchor that is not defined above it.",
                f"Define it with &{event.anchor}, or quote a string that starts with *.",
            )
            return self._made(event, None)
        value, size, height = self._anchors[event.anchor]
        self._expanded += size
        if depth + height > MAX_DEPTH:
            self._too_much(event, f"With *{event.anchor} expanded, values are nested more than {MAX_DEPTH} deep.")
        self._reach(depth + height)
        # Enough for any valid file, and linear in its size.
        if self._expanded > 10_000 + 10 * self._containers:
            self._too_much(event, "Aliases expand the file to many times its size.")
        return value

    # -- findings -----------------------------------------------------------------------------------------------------

    def _too_many_values(self, event: Any) -> None:
        self._too_much(event, f"The file has more than {MAX_VALUES:,} values.")

    def _too_much(self, event: Any, detail: str) -> None:
        self._note(
            "too-large", "The manifest is too large", event, detail, "Split it, or write fewer and flatter values."
        )
        raise _TooMuch

    def _unsupported(self, event: Any, detail: str, fix: str) -> None:
        self._note(
            "unsupported-yaml", "The file uses a YAML feature that is not allowed in a manifest", event, detail, fix
        )

    def _note(self, rule: str, summary: str, event: Any, detail: str, fix: str) -> None:
        if not self._positions:
            raise _Problem
        span = self.source.span(event.start_mark.line + 1, event.start_mark.column + 1)
        self.problems.append(Diagnostic(rule, summary, detail, fix, span=span))
        if len(self.problems) == MAX_PROBLEMS:
            self._too_much(event, f"{MAX_PROBLEMS} problems were found so far; the rest of the file is not read.")
