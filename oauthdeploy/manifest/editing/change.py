"""Changes to a manifest as it is written: values put in, replaced and taken out by their paths, with all comments kept.

Data is what a caller means: texts, truths, whole numbers, None, lists and mappings. Texts are written so that they stay texts;
a `Reference` is written as it is, and in all others `${` is made two plain characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from oauthdeploy.core.diagnostics import Path, path_text
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.manifest.editing.format import canonical_text, comments_of, with_lf
from oauthdeploy.manifest.editing.read import read_text
from oauthdeploy.manifest.editing.tree import Collection, Entry, Scalar, Value, entries_of
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree


class NotChangeable(OAuthDeployError):
    """A file can't be changed without changing more than was asked for."""

    rule = "file-not-changed"


class Reference(str):
    """A text that holds a reference, such as `${env:NAME}`; it is written as it is."""

    __slots__ = ()


def as_value(data: Any, *, braces: bool = False) -> Value:
    """Data as it is written. Mappings inside mappings stand in braces where they fit; `braces`: the outer one too."""
    if isinstance(data, Mapping):
        entries = [Entry(as_value(inner, braces=True), key=_key(name)) for name, inner in data.items()]
        return Collection(mapping=True, flow=braces, entries=entries)
    if isinstance(data, list | tuple):
        return Collection(mapping=False, entries=[Entry(as_value(inner, braces=braces)) for inner in data])
    raw = raw_of(data)
    return Scalar(raw, "", '"') if isinstance(data, str) else Scalar(raw or "null", raw or "null")


def _key(name: str, *, own: bool = False) -> Scalar:
    """A key of the manifest's language as it is; a name that somebody gave (`own`) in quotes where one could misread it."""
    return Scalar(name, "", '"') if own else Scalar(name, name)


def raw_of(data: Any) -> Any:
    """Data as the loader reads it back: every scalar its text."""
    if isinstance(data, Mapping):
        return {str(name): raw_of(inner) for name, inner in data.items()}
    if isinstance(data, list | tuple):
        return [raw_of(inner) for inner in data]
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, Reference) or data is None:
        return None if data is None else str(data)
    return str(data).replace("${", "$${")


class Draft:
    """A file while it is changed. Every change is made to the tree and to the data that must come out in the end."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tree = read_text(with_lf(source.text))
        self._data = read_tree(source)[0]
        self._lost: Counter[str] = Counter()
        self.changed = False

    def has(self, path: Path) -> bool:
        """Whether something is written at a path, also null."""
        holder = _at(self._data, path[:-1]) if len(path) > 1 else self._data
        if isinstance(holder, dict):
            return path[-1] in holder
        return isinstance(holder, list) and isinstance(path[-1], int) and path[-1] < len(holder)

    def value(self, path: Path) -> Any:
        """What is written at a path, as raw data; None for nothing and for null."""
        return _at(self._data, path)

    def put(self, path: Path, data: Any, *, braces: bool = False) -> None:
        """Write a value at a path of keys, in place of what stands there. Mappings on the way are made where they lack."""
        raw = raw_of(data)
        entry = self._entry(path)
        if _same(_at(self._data, path), raw):
            return
        self._lost += _comments_in(entry.value)
        entry.value = as_value(data, braces=braces)
        _set(self._data, path, raw)
        self.changed = True

    def append(self, path: Path, data: Any, *, braces: bool = False, above: Iterable[str] = ()) -> None:
        """Add an entry to the end of a list, with comments above it; an empty or missing list is made."""
        entry = self._entry(path)
        if not isinstance(entry.value, Collection):
            entry.value = Collection(mapping=False)
        entry.value.entries.append(Entry(as_value(data, braces=braces), above=list(above)))
        _set(self._data, path, [*(_at(self._data, path) or []), raw_of(data)])
        self.changed = True

    def remove(self, path: Path) -> tuple[str, ...]:
        """Take out an entry of a mapping or a list, with its comments; gives those."""
        holder = self._find(path[:-1])
        last = path[-1]
        if holder is None or _at(self._data, path[:-1]) is None:
            return ()
        place = _place(holder, last)
        if place is None:
            return ()
        gone = holder.entries.pop(place)
        comments = Counter(gone.comments()) + _comments_in(gone.value)
        self._lost += comments
        del _at(self._data, path[:-1])[last]
        self.changed = True
        return tuple(comments)

    def text(self) -> str:
        """The canonical text, proved: it reads as what was asked for, and no comment is gone but those that were taken out.

        Raises NotChangeable.
        """
        before = comments_of(with_lf(self._source.text))
        made = canonical_text(self._tree)
        again, problems = read_tree(Source(self._source.name, made))
        if problems or again != self._data:
            raise self._refused("what it says elsewhere would change, as with an anchor that is used twice")
        if before - self._lost - comments_of(made):
            raise self._refused("a comment would be lost")
        return made

    def _refused(self, why: str) -> NotChangeable:
        return NotChangeable(
            "A file can't be changed without changing more than was asked for",
            detail=f"{self._source.name} is left as it is: {why}.",
            fix="Write the values out instead of using anchors, or write to standard output and take over what you need.",
        )

    def _find(self, path: Path) -> Collection | None:
        value: Value = self._tree.root.value
        for part in path:
            if not isinstance(value, Collection):
                return None
            place = _place(value, part)
            if place is None:
                return None
            value = value.entries[place].value
        return value if isinstance(value, Collection) else None

    def _entry(self, path: Path) -> Entry:
        """The entry at a path, made where it lacks; mappings on the way become blocks."""
        entry = self._tree.root
        for depth, part in enumerate(path):
            value = entry.value
            if isinstance(value, Scalar) and value.empty:
                value = entry.value = Collection(mapping=True)
            if not isinstance(value, Collection):
                raise self._refused(f"{path_text(path[:depth])} is an alias or no mapping")
            place = _place(value, part)
            if place is None:
                if not value.entries and depth < 2:
                    value.flow = False
                value.entries.append(Entry(Scalar(), key=_key(str(part), own=depth == 1)))
                place = len(value.entries) - 1
            entry = value.entries[place]
        return entry


def _place(holder: Collection, part: str | int) -> int | None:
    if isinstance(part, int):
        return part if part < len(holder.entries) else None
    found = (n for n, entry in enumerate(holder.entries) if entry.key is not None and entry.key.value == part)
    return next(found, None)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _same(before: Any, after: Any) -> bool:
    return before is not None and bool(before == after)


def _set(data: Any, path: Path, raw: Any) -> None:
    for part in path[:-1]:
        if isinstance(data, dict) and not isinstance(data.get(part), dict | list):
            data[part] = {}
        data = data[part]
    data[path[-1]] = raw


def _comments_in(value: Value) -> Counter[str]:
    """The comments inside a value."""
    found: Counter[str] = Counter(line for line in (value.tail if isinstance(value, Collection) else ()) if line)
    for entry in entries_of(value):
        found.update(entry.comments())
        found += _comments_in(entry.value)
    return found
