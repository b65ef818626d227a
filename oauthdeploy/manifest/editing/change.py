"""Edits a manifest's text: adds, replaces and removes values by their paths, preserving all comments.

Callers pass data: strings, booleans, whole numbers, None, lists and mappings. Strings are written so that they stay strings; a
`Reference` is written as it is, and `${` is escaped in all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace
from ruamel.yaml.nodes import CollectionNode

from oauthdeploy.core.diagnostics import Path, path_text, value_at
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.manifest.editing.format import canonical_text, with_lf
from oauthdeploy.manifest.editing.nodes import Scalar, Value, collection, entries, entry_at, notes, notes_of, owner
from oauthdeploy.manifest.editing.read import comments_of, read_text
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import NO_KEYS, read_tree


class NotChangeable(OAuthDeployError):
    """A file cannot be changed without side effects."""

    rule = "file-not-changed"


class Reference(str):
    """A string that contains a reference, such as `${env:NAME}`; it is written as it is."""

    __slots__ = ()


def as_node(data: Any, *, braces: bool = False) -> Value:
    """Data as nodes. Mappings inside mappings are written in braces if they fit; `braces`: the outer one too."""
    if isinstance(data, str):
        return Scalar(raw_of(data), '"')
    if isinstance(data, list | tuple):
        node = collection(mapping=False)
        node.value = [as_node(inner, braces=braces) for inner in data]
        return node
    if isinstance(data, Mapping):
        node = collection(mapping=True, flow=braces)
        node.value = [(_key_node(name), as_node(inner, braces=True)) for name, inner in data.items()]
        return node
    return Scalar(raw_of(data) or "null")


def _key_node(name: str, *, chosen: bool = False) -> Scalar:
    """A key; in quotes if it could be misread, as a name that users chose, or if a manifest refuses it without."""
    return Scalar(name, '"' if chosen or name in NO_KEYS else None)


def raw_of(data: Any) -> Any:
    """Data as the loader reads it: every scalar as its text."""
    if isinstance(data, str):
        return str(data) if isinstance(data, Reference) else data.replace("${", "$${")
    if isinstance(data, list | tuple):
        return [raw_of(inner) for inner in data]
    if isinstance(data, Mapping):
        return {str(name): raw_of(inner) for name, inner in data.items()}
    if data is None:
        return None
    return ("true" if data else "false") if isinstance(data, bool) else str(data)


class Draft:
    """A file that is being changed. Every change is made both to the tree and to the data that the result must contain."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tree = read_text(with_lf(source.text))
        self._whole = collection(mapping=False)
        self._whole.value = [self._tree.root]
        self._data = read_tree(source)[0]
        self._lost: Counter[str] = Counter()
        self._names: dict[int, tuple[CollectionNode, dict[str, int]]] = {}
        self._grown: dict[int, list[Any]] = {}
        self.changed = False

    def has(self, path: Path) -> bool:
        """Whether something is written at a path, including null."""
        holder = value_at(self._data, path[:-1]) if len(path) > 1 else self._data
        if isinstance(holder, dict):
            return path[-1] in holder
        return isinstance(holder, list) and isinstance(path[-1], int) and path[-1] < len(holder)

    def value(self, path: Path) -> Any:
        """What is written at a path, as raw data; None for nothing and for null."""
        return value_at(self._data, path)

    def put(self, path: Path, data: Any, *, braces: bool = False) -> None:
        """Write a value at a path of keys, replacing any present value and creating missing mappings on the path."""
        raw = raw_of(data)
        holder, place = self._place(path)
        if _same(value_at(self._data, path), raw):
            return
        self._lost.update(_comments_in(_value(holder, place)))
        _replace(holder, place, as_node(data, braces=braces))
        _set(self._data, path, raw)
        self.changed = True

    def append(self, path: Path, data: Any, *, braces: bool = False, above: Iterable[str] = ()) -> None:
        """Add an entry to the end of a list, with comments above it; an empty or missing list is created."""
        holder, place = self._place(path)
        if not isinstance(_value(holder, place), CollectionNode):
            _replace(holder, place, collection(mapping=False))
        node = as_node(data, braces=braces)
        notes(node).above = (*above,)
        _value(holder, place).value.append(node)
        self._own_list(path).append(raw_of(data))
        self.changed = True

    def _own_list(self, path: Path) -> list[Any]:
        """The list at a path of the data. Before its first change it is copied: several aliases may stand for one list."""
        found: list[Any] | None = value_at(self._data, path)
        if found is None or self._grown.get(id(found)) is not found:
            found = [*(found or [])]
            self._grown[id(found)] = found
            _set(self._data, path, found)
        return found

    def remove(self, path: Path) -> None:
        """Remove an entry of a mapping or a list, with its comments."""
        if not self.has(path):
            return
        holder, place = self._place(path)
        entry = entry_at(holder, place)
        self._lost.update(notes_of(owner(entry)).own())
        self._lost.update(_comments_in(entry[1]))
        self._names.pop(id(holder), None)
        del holder.value[place], value_at(self._data, path[:-1])[path[-1]]
        self.changed = True

    @property
    def lost(self) -> int:
        """The number of comments that the changes so far remove."""
        return self._lost.total()

    @property
    def root(self) -> Value:
        """The whole tree, as it is now. Whoever takes it may sort it."""
        self._names.clear()
        return _value(self._whole, 0)

    def text(self) -> str:
        """The canonical text, verified. Raises NotChangeable."""
        return self.text_and_data()[0]

    def text_and_data(self) -> tuple[str, Any]:
        """The same, with the data that was read from the text to verify it."""
        self._tree.root = self.root
        edited = canonical_text(self._tree)
        return edited, self.prove(edited)

    def prove(self, edited: str) -> Any:
        """Raise NotChangeable unless a text parses to the intended data and has all comments except the removed ones. Returns
        what was read from it.
        """
        again, problems = read_tree(Source(self._source.name, edited))
        if problems or again != self._data:
            raise self._refused("other values would change, as with an anchor that is used twice")
        if self._tree.comments - self._lost - comments_of(edited):
            raise self._refused("a comment would be lost")
        return again

    def _refused(self, why: str) -> NotChangeable:
        return NotChangeable(
            "A manifest cannot be changed in place",
            detail=f"{self._source.name} is unchanged: {why}.",
            fix="Write the values out instead of using anchors, or write to standard output and copy what you need.",
        )

    def _place(self, path: Path) -> tuple[CollectionNode, int]:
        """The position of an entry in its list or mapping. Missing entries are created; mappings on the path become blocks."""
        holder, place = self._whole, 0
        for depth, part in enumerate(path):
            node = _value(holder, place)
            if isinstance(node, Scalar) and node.empty:
                _replace(holder, place, node := collection(mapping=True))
            if not isinstance(node, CollectionNode):
                raise self._refused(f"{path_text(path[:depth])} is an alias or not a mapping")
            if isinstance(part, int):
                holder, place = node, part
                continue
            names = self._places_in(node)
            if part not in names:
                if not node.value and depth < 2:
                    node.flow_style = False
                node.value.append((_key_node(part, chosen=depth == 1), Scalar("")))
                names[part] = len(node.value) - 1
            holder, place = node, names[part]
        return holder, place

    def _places_in(self, node: CollectionNode) -> dict[str, int]:
        """The position of each key of a mapping; kept until a key is removed, so that n edits do not take n² steps."""
        known = self._names.get(id(node))
        if known is None or known[0] is not node or len(known[1]) > len(node.value):
            places: dict[str, int] = {}
            for place, (key, _value) in enumerate(entries(node)):
                if key is not None:
                    places.setdefault(key.value, place)
            self._names[id(node)] = known = (node, places)
        return known[1]


def _value(holder: CollectionNode, place: int) -> Value:
    return entry_at(holder, place)[1]


def _replace(holder: CollectionNode, place: int, node: Value) -> None:
    """Replace a value. The comments of the entry stay."""
    key, before = entry_at(holder, place)
    if key is None and before.comment is not None:
        node.comment = replace(before.comment, tail=())
    holder.value[place] = node if key is None else (key, node)


def _same(before: Any, after: Any) -> bool:
    return before is not None and bool(before == after)


def _set(data: Any, path: Path, raw: Any) -> None:
    for part in path[:-1]:
        if isinstance(data, dict) and not isinstance(data.get(part), dict | list):
            data[part] = {}
        data = data[part]
    data[path[-1]] = raw


def _comments_in(node: Value) -> Iterator[str]:
    """The comments inside a value."""
    yield from (line for line in notes_of(node).tail if line)
    for entry in entries(node):
        yield from notes_of(owner(entry)).own()
        yield from _comments_in(entry[1])
