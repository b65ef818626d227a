"""Converts the list of default scopes in the options of a client to `as` at the client's associations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.editing.change import Draft, NotChangeable
from oauthdeploy.manifest.editing.drafts import Drafts
from oauthdeploy.manifest.editing.format import with_lf
from oauthdeploy.manifest.editing.read import comments_of
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.model.objects import AS, AssignedAs
from oauthdeploy.planning.export.values import Keys
from oauthdeploy.planning.normalize import OPTIONS


def with_ways_at_associations(sources: Sequence[Source], listing: Iterable[Keys]) -> tuple[Source, ...]:
    """The files of one manifest with `as` at associations, in place of the options that `listing` returns by driver and name.

    A list stays where it is if the client's associations are not one plain list in these files that has all of its scopes, if
    an environment changes either of them, or if a comment would be lost.
    """
    found = tuple(sources)
    options = tuple(listing)
    for key, keys in [(key, keys) for key in _clients(found) for keys in options]:
        found = _rewritten(found, key, keys)
    return found


def _clients(sources: Iterable[Source]) -> list[str]:
    """The keys of the clients with options; none if a file cannot be read."""
    found: dict[str, None] = {}
    for source in sources:
        data, problems = read_tree(source)
        if problems:
            return []
        clients = data.get("clients") if isinstance(data, dict) else None
        for key, entry in clients.items() if isinstance(clients, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get(OPTIONS), dict):
                found[str(key)] = None
    return list(found)


def _rewritten(sources: tuple[Source, ...], client: str, keys: Keys) -> tuple[Source, ...]:
    drafts = Drafts(sources)
    path: Path = ("clients", client, OPTIONS, *keys)
    place = _plain_list(drafts, client)
    listed = next((value for value in drafts.values(path) if isinstance(value, list)), None)
    if listed is None or place is None or drafts.overlays(client):
        return sources
    draft, entry, scopes = place
    default = [scope for scope in scopes if scope in listed]
    if set(default) != set(listed):
        return sources
    optional = [scope for scope in scopes if scope not in listed]
    draft.put((*entry, "scopes"), default or optional)
    draft.put((*entry, AS), AssignedAs.DEFAULT.value if default else AssignedAs.OPTIONAL.value)
    if default and optional:
        more = {"client": client, "scopes": optional, AS: AssignedAs.OPTIONAL.value}
        draft.append(("associations",), more, braces=True)
    drafts.remove(path)
    for end in (4, 3):
        drafts.tidy(path[:end])
    try:
        made = drafts.texts()
    except NotChangeable:
        return sources
    kept = all(
        comments_of(with_lf(one.text)) == comments_of(other.text) for one, other in zip(sources, made, strict=True)
    )
    return made if kept else sources


def _plain_list(drafts: Drafts, client: str) -> tuple[Draft, Path, list[str]] | None:
    """The entry that lists the scopes of a client, if it is the only one."""
    found: list[tuple[Draft, Path, Any]] = []
    for draft, path, entry in drafts.entries("associations"):
        if not isinstance(entry, dict):
            return None
        if entry.get("client") == client:
            found.append((draft, path, entry))
        elif client in (entry.get("clients") or ()):
            return None
    if len(found) != 1 or AS in found[0][2]:
        return None
    draft, path, entry = found[0]
    scopes = entry.get("scopes")
    plain = isinstance(scopes, list) and all(isinstance(one, str) and "${" not in one for one in scopes)
    return (draft, path, scopes) if plain and scopes else None
