"""The files of one manifest during an edit: each change goes only to the files that it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.compose import OBJECT_SECTIONS
from oauthdeploy.manifest.editing.change import Draft
from oauthdeploy.manifest.source import Source


class Drafts:
    """The files, in the order in which they are merged.

    Existing values are changed in every file that has them, since files may repeat each other. New values go to the file with
    the longest part of their path: that of the object, else the last one with its section, else the first.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._files = tuple((source, Draft(source)) for source in sources)

    def has(self, path: Path) -> bool:
        """Whether something is written at a path in any file, including null."""
        return any(draft.has(path) for _source, draft in self._files)

    def values(self, path: Path) -> list[Any]:
        """What each file writes at a path, if anything."""
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
        """Remove a mapping that has become empty."""
        for _source, draft in self._files:
            if draft.value(path) == {}:
                draft.remove(path)

    def entries(self, section: str) -> Iterator[tuple[Draft, Path, Any]]:
        """The entries of a list that all files add to, from the last to the first, each with its file and its path in it."""
        for _source, draft in reversed(self._files):
            found = draft.value((section,))
            entries = found if isinstance(found, list) else []
            for position in reversed(range(len(entries))):
                yield draft, (section, position), entries[position]

    def append(self, path: Path, data: Any, *, braces: bool = False) -> None:
        """Add an entry to the end of a list. Raises NotChangeable."""
        self._homes(path)[0].append(path, data, braces=braces)

    @property
    def lost(self) -> int:
        """The number of comments that the changes so far remove."""
        return sum(draft.lost for _source, draft in self._files)

    def texts(self) -> tuple[Source, ...]:
        """The result for every file; unchanged files to the byte. Raises NotChangeable."""
        return tuple(source for source, _data in self.texts_and_data())

    def texts_and_data(self) -> list[tuple[Source, Any]]:
        """The same, each with the data that was read from it to verify it; None for a file that does not change."""
        made: list[tuple[Source, Any]] = []
        for source, draft in self._files:
            text, data = draft.text_and_data() if draft.changed else (source.text, None)
            made.append((Source(source.name, text) if draft.changed else source, data))
        return made

    def _homes(self, path: Path) -> list[Draft]:
        drafts = [draft for _source, draft in self._files]
        for end in range(len(path), 0, -1):
            having = [draft for draft in drafts if draft.has(path[:end])]
            if having:
                # An object is atomic: all files that define it must define it equally.
                whole = end == len(path) or (end > 1 and path[0] in OBJECT_SECTIONS)
                return having if whole else having[-1:]
        return drafts[:1]
