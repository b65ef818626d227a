"""By what a server may know a client that a document calls by its key: name and version there, or the server's own id."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from msgspec import Struct

FIRST_VERSION: Final = "1"
"""The version that a name without a version means."""

_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
T = TypeVar("T")


class Identity(Struct, frozen=True):
    """What a manifest, a journal or a baseline says of a client besides its key. None and "": it says nothing.

    `id` is the server's own id of the client, as a journal records it.
    """

    name: str | None = None
    version: str | None = None
    id: str = ""

    @property
    def is_written(self) -> bool:
        """Whether a name or a version is known, so that a client with another one is another client."""
        return self.name is not None or self.version is not None


def label_of(name: str, version: str) -> str:
    """What a server's own pages call a client that has a name and a version."""
    return f"{name} ({version})"


def derived_key(name: str, version: str | None) -> str:
    """The key that a client gets in an exported manifest: its name in small letters, with any version but the first."""
    words = name if version in (None, FIRST_VERSION) else f"{name} {version}"
    return _NO_WORD.sub("-", words.lower()).strip("-") or "client"


def key_of(word: str, clients: Mapping[str, Identity]) -> str:
    """The key of the client that a word means: a key, a label, or the name of a first version; the word where none is meant."""
    if word in clients:
        return word
    hits = []
    for key, known in clients.items():
        name, version = known.name or key, known.version or FIRST_VERSION
        if word == label_of(name, version) or (word == name and version == FIRST_VERSION):
            hits.append(key)
    return hits[0] if len(hits) == 1 else word


def find_by_word(lives: Iterable[T], word: str, names: Callable[[T], tuple[str, str, str]]) -> T | None:
    """The live client that one word means: by its id, its label `name (version)`, or its name.

    `names` gives id, name and version. Of several versions of a name the first one is meant; without it nobody can say.
    """
    known = [(live, *names(live)) for live in lives]
    for live, identity, _name, _version in known:
        if identity == word:
            return live
    named = [item for item in known if word in (label_of(item[2], item[3]), item[2])]
    exact = [item for item in named if word == label_of(item[2], item[3]) or item[3] == FIRST_VERSION]
    if exact:
        return exact[0][0]
    return named[0][0] if len(named) == 1 else None
