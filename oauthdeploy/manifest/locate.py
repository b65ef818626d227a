"""From a path in the composed manifest to its place in a file, computed only on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, Path, SourceSpan
from oauthdeploy.core.garbage_collector import paused
from oauthdeploy.manifest.secret_paths import mask_around, mask_broken_line, mask_columns, secret_nodes
from oauthdeploy.manifest.source import BIG, Source
from oauthdeploy.manifest.yaml_reader import Node, read_nodes

KEY_RULES = frozenset({"unknown-key", "missing-key", "duplicate-key", "conflicting-definition"})
"""Findings about a key: they point at the key, not at its value."""

COMMENT_RULES = frozenset({"unused-ignore", "ignore-without-reason"})
"""Findings about a comment: its line is quoted completely."""

AROUND = 500
"""How much of a line before and after a place is kept for showing."""

Masks = Mapping[int, list[tuple[int, int]]]
"""By line: the columns of secrets, from and to (exclusive)."""

Origins = Mapping[str, Sequence[tuple[int, int]]]
"""For a list section merged from several files: file and position there, by position in the merged list."""


class Index:
    """One file with the positions of everything in it, which are read on first use."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._broken: dict[int, str] = {}

    @cached_property
    def node(self) -> Node | None:
        """The root node; None for a file that is empty or broken."""
        with paused(len(self.source.text) > BIG):
            return read_nodes(self.source)[0]

    @cached_property
    def _masks(self) -> Masks:
        """What must not be shown, by line. Computed only for lines that are shown, since it costs more than reading the
        positions.
        """
        return {} if self.node is None else _masks(self.node, self.source)

    def line(self, number: int) -> str:
        """A line, safe to show."""
        if self.node is None:
            return self.broken_line(number)
        return mask_columns(self.source.line(number), self._masks.get(number, []))

    def span(self, line: int, column: int) -> SourceSpan:
        """A place with the part of its line around it that may be shown, since a manifest may be one long line."""
        if self.node is None:
            text = self.broken_line(line)
            start = max(0, min(column - 1, len(text)) - AROUND)
            return SourceSpan(
                self.source.name, line, column, text[start : column + AROUND], min(column - 1, len(text)) - start + 1
            )
        text, secrets = self.source.line(line), self._masks.get(line, [])
        if not secrets and max(len(text), column) <= AROUND:
            return SourceSpan(self.source.name, line, column, text, column)
        text, caret = mask_around(text, secrets, column, AROUND)
        return SourceSpan(self.source.name, line, column, text, caret)

    def broken_line(self, number: int) -> str:
        """A line, safe to show without knowing what the file means."""
        if number not in self._broken:
            self._broken[number] = mask_broken_line(self.source.lines, number)
        return self._broken[number]

    def find(self, path: Path, *, key: bool) -> tuple[int, tuple[int, int]]:
        """How many steps of the path exist in the file, and the place (line, column) of the last of them."""
        if self.node is None:
            return 0, (1, 1)
        return _walk(self.node, path, key=key)

    def at(self, path: Path) -> Node | None:
        """The value at the path; None if the file does not have it."""
        node = self.node
        for part in path:
            value = None if node is None else node.value
            if isinstance(value, dict) and isinstance(part, str) and part in value:
                node = value[part][2]
            elif isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
                node = value[part]
            else:
                return None
        return node


def _walk(node: Node, path: Path, *, key: bool) -> tuple[int, tuple[int, int]]:
    """How many steps of the path exist below the node, and the place of the last; the node's own if none does."""
    place = (node.line, node.column)
    for depth, part in enumerate(path):
        value = node.value
        if isinstance(value, dict) and isinstance(part, str) and part in value:
            line, column, node = value[part]
            at_key = key or not isinstance(node.value, str | None) or node.value is None
            place = (line, column) if at_key else (node.line, node.column)
        elif isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
            node = value[part]
            place = (node.line, node.column)
        else:
            return depth, place
    return len(path), place


def _last_line(node: Node, source: Source) -> int:
    """The last line of a value: a block scalar ends where the next entry begins."""
    value = node.value
    if not isinstance(value, dict | list) or not value:
        last = max(node.line, node.end_line if node.end_column > 1 else node.end_line - 1)
        while last > node.line and not source.line(last).strip():
            last -= 1
        return last
    parts = value if isinstance(value, list) else [inner for _line, _column, inner in value.values()]
    last = max(_last_line(part, source) for part in parts)
    closing = {"{": "}", "[": "]"}.get(source.line(node.line)[node.column - 1 : node.column])
    return last + 1 if closing is not None and source.line(last + 1).lstrip().startswith(closing) else last


def _masks(top: Node, source: Source) -> Masks:
    """The places of secrets in a text with the root node `top`."""
    found: dict[int, list[tuple[int, int]]] = {}
    for node in secret_nodes(top):
        for line in range(node.line, node.end_line + 1):
            start = node.column if line == node.line else 1
            end = node.end_column if line == node.end_line else len(source.line(line)) + 1
            if end > start:
                found.setdefault(line, []).append((start, end))
    return {line: sorted(ranges) for line, ranges in found.items()}


class Locator:
    """Finds places for the paths of one composed manifest."""

    def __init__(
        self,
        sources: Sequence[Source],
        origins: Origins | None = None,
        environment: str | None = None,
    ) -> None:
        self._indexes = tuple(Index(source) for source in sources)
        self._by_name = {index.source.name: index for index in self._indexes}
        self._origins = origins or {}
        self._environment = environment

    def composed(self, origins: Origins | None, environment: str | None) -> Locator:
        """A locator of the same files, merged, that reuses what this one has read."""
        locator = Locator((), origins, environment)
        locator._indexes, locator._by_name = self._indexes, self._by_name
        return locator

    def locate(self, path: Path) -> SourceSpan | None:
        """The place of the value at the path, or of the nearest thing around it; None if no file has any of it."""
        return self.find(path)

    def find(self, path: Path, *, key: bool = False) -> SourceSpan | None:
        """As `locate`; with `key` the place of the key."""
        found = self._nearest(path, key=key)
        if found is None:
            return self._start() if not path else None
        index, (line, column) = found
        return index.span(line, column)

    def _nearest(self, path: Path, *, key: bool) -> tuple[Index, tuple[int, int]] | None:
        if len(self._indexes) == 1 and self._environment is None and not self._origins:
            depth, place = self._indexes[0].find(path, key=key)
            return (self._indexes[0], place) if depth else None
        best: tuple[int, Index, tuple[int, int]] | None = None
        for index, way, hidden in self._ways(path):
            depth, place = index.find(way, key=key)
            if depth > hidden and (best is None or depth - hidden > best[0]):
                best = (depth - hidden, index, place)
        return None if best is None else best[1:]

    def exact(self, path: Path) -> tuple[SourceSpan, Node, bool] | None:
        """The place of the value at the path, the written value, and whether it is in the overlay.

        None if no file has it.
        """
        for index, way, hidden in self._ways(path):
            depth, (line, column) = index.find(way, key=False)
            node = index.at(way) if depth == len(way) else None
            if node is not None:
                return index.span(line, column), node, hidden > 0
        return None

    def lines(self, path: Path) -> str:
        """The lines of the value at the path, as `file:12` or `file:12-15`; "" if no file has it."""
        found = self.exact(path)
        if found is None:
            return ""
        span, node, _overlaid = found
        last = _last_line(node, self._by_name[span.file].source)
        return f"{span.file}:{span.line}" + (f"-{last}" if last > span.line else "")

    def place(self, item: Diagnostic) -> Diagnostic:
        """The finding with its place, and with secrets masked in its source line."""
        return self.quote(self.point(item))

    def point(self, item: Diagnostic) -> Diagnostic:
        """The finding with its place, without a source line; see `quote`."""
        if item.span is not None:
            return item if item.span.file not in self._by_name else item.at(replace(item.span, text="", caret=0))
        found = self._nearest(item.path, key=item.rule in KEY_RULES)
        if found is None:
            return item.at(self._start() if not item.path else None)
        index, (line, column) = found
        return item.at(SourceSpan(index.source.name, line, column))

    def quote(self, item: Diagnostic) -> Diagnostic:
        """The finding with the source line at its place, with secrets masked."""
        index = None if item.span is None else self._by_name.get(item.span.file)
        if item.span is None or index is None:
            return item
        if item.rule in COMMENT_RULES:
            return item.at(replace(item.span, text=index.broken_line(item.span.line)))
        return item.at(index.span(item.span.line, item.span.column))

    def span_in(self, file: int, path: Path, *, key: bool = True) -> SourceSpan:
        """The place of a path of one file, before composition."""
        index = self._indexes[file]
        _, (line, column) = index.find(path, key=key)
        return index.span(line, column)

    def _start(self) -> SourceSpan | None:
        if not self._indexes:
            return None
        index = self._indexes[0]
        return index.span(1, 1)

    def _ways(self, path: Path) -> list[tuple[Index, Path, int]]:
        """Where to look: file, path there, and how many of its steps do not count. The overlay comes first."""
        ways: list[tuple[Index, Path, int]] = []
        if self._environment is not None:
            overlay: Path = ("environments", self._environment)
            ways += [(index, overlay + path, len(overlay)) for index in self._indexes]
        section, position = (*path, None, None)[:2]
        origins = self._origins.get(str(section))
        if origins is not None and isinstance(position, int):
            if position < len(origins):
                file, inner = origins[position]
                ways.append((self._indexes[file], (str(section), inner, *path[2:]), 0))
        else:
            ways += [(index, path, 0) for index in self._indexes]
        return ways

    def __reduce__(self) -> Any:
        raise TypeError("a manifest's text may contain secrets and is not pickled")
