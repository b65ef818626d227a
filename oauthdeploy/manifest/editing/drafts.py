"""The files of one manifest while they are changed together: each change goes into the files that it concerns, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.compose import OBJECT_SECTIONS
from oauthdeploy.manifest.editing.change import Draft
from oauthdeploy.manifest.source import Source


class Drafts:
    """The files, in the order in which they are put together.

    What is written already is changed where it stands: in each file that says it, since files may say the same. What is new goes
    to the file that has most of the way to it: that of its object, else the last one with its section, else the first.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._files = tuple((source, Draft(source)) for source in sources)

    def has(self, path: Path) -> bool:
        """Whether something is written at a path in any file, also null."""
        return any(draft.has(path) for _source, draft in self._files)

    def values(self, path: Path) -> list[Any]:
        """What each file writes at a path, where it writes something there."""
        return [draft.value(path) for _source, draft in self._files if draft.has(path)]

    def overlays(self, client: str) -> bool:
        """Whether an environment changes the client or the associations."""
        environments = [entry for each in self.values(("environments",)) for entry in (each or {}).values()]
        changes = [entry for entry in environments if isinstance(entry, dict)]
        return any("associations" in entry or client in (entry.get("clients") or {}) for entry in changes)

    def put(self, path: Path, data: Any, *, braces: bool = False) -> None:
        """Write a value at a path of keys. Raises NotChangeable."""
        for draft in self._homes(path):
            draft.put(path, data, braces=braces)

    def remove(self, path: Path) -> None:
        """Remove the value at a path, with its comments, from each file that has it."""
        for _source, draft in self._files:
            if draft.has(path):
                draft.remove(path)

    def tidy(self, path: Path) -> None:
        """Take out a mapping in which nothing is left."""
        for _source, draft in self._files:
            if draft.value(path) == {}:
                draft.remove(path)

    def entries(self, section: str) -> Iterator[tuple[Draft, Path, Any]]:
        """The entries of a list that all files add to, from the last to the first: each with its file and its path there."""
        for _source, draft in reversed(self._files):
            found = draft.value((section,))
            entries = found if isinstance(found, list) else []
            for position in reversed(range(len(entries))):
                yield draft, (section, position), entries[position]

    def append(self, path: Path, data: Any, *, braces: bool = False) -> None:
        """Add an entry to the end of a list. Raises NotChangeable."""
        self._homes(path)[0].append(path, data, braces=braces)

    def texts(self) -> tuple[Source, ...]:
        """Every file as it is to be: those that nothing was changed in, to the byte. Raises NotChangeable."""
        return tuple(Source(source.name, draft.text()) if draft.changed else source for source, draft in self._files)

    def _homes(self, path: Path) -> list[Draft]:
        drafts = [draft for _source, draft in self._files]
        for end in range(len(path), 0, -1):
            having = [draft for draft in drafts if draft.has(path[:end])]
            if having:
                # An object is one thing: the files that say it must say the same of it.
                whole = end == len(path) or (end > 1 and path[0] in OBJECT_SECTIONS)
                return having if whole else having[-1:]
        return drafts[:1]
