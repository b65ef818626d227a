"""Converts the list of default scopes in the options of a client to `as` at the client's associations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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

_Place = tuple[Draft, Path, list[str]]
"""The file with the associations of a client, the path of their entry in it, and their scopes."""


def with_ways_at_associations(sources: Sequence[Source], listing: Iterable[Keys]) -> tuple[Source, ...]:
    """The files of one manifest with `as` at associations, in place of the options that `listing` returns by driver and name.

    A list stays where it is if the client's associations are not one plain list in these files that has all of its scopes, if
    an environment changes either of them, or if a comment would be lost.
    """
    found = tuple(sources)
    options = tuple(listing)
    listed = [(key, keys) for key in _clients(found) for keys in options]
    if not listed:
        return found
    drafts = Drafts(found)
    return _rewritten(found, _unshared(drafts, listed), drafts)


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


def _unshared(drafts: Drafts, listed: Sequence[tuple[str, Keys]]) -> Sequence[tuple[str, Keys]]:
    """Those whose list is in no part of the file that other clients have too, by an alias: that part cannot lose it for one."""
    parts = {(client, keys): list(_around(drafts, ("clients", client, OPTIONS, *keys))) for client, keys in listed}
    users: dict[int, set[str]] = defaultdict(set)
    for (client, _keys), around in parts.items():
        for part in around:
            users[id(part)].add(client)
    return [item for item in listed if all(len(users[id(part)]) == 1 for part in parts[item])]


def _around(drafts: Drafts, path: Path) -> Iterator[Any]:
    """The list at the path, and the mappings that it is in, from that of the client."""
    for end in range(2, len(path) + 1):
        yield from (part for part in drafts.values(path[:end]) if isinstance(part, list | dict))


def _rewritten(
    sources: tuple[Source, ...], listed: Sequence[tuple[str, Keys]], unchanged: Drafts | None = None
) -> tuple[Source, ...]:
    """The files with as many of these lists moved as can be. All at once, since every attempt reads and writes the files; if that
    is not possible, one half after the other. `unchanged` are the files as they have been read already.
    """
    if not listed:
        return sources
    drafts = unchanged or Drafts(sources)
    places = _plain_lists(drafts)
    losing: set[tuple[str, Keys]] = set()
    try:
        for client, keys in listed:
            lost = drafts.lost
            if client in places and _moved(drafts, client, keys, places[client]):
                del places[client]
                if drafts.lost > lost:
                    losing.add((client, keys))
        made = () if losing else drafts.texts()
    except NotChangeable:
        made = ()
    if losing:
        return _rewritten(sources, [item for item in listed if item not in losing])
    if made and _has_all_comments(sources, made):
        return made
    if len(listed) == 1:
        return sources
    middle = len(listed) // 2
    return _rewritten(_rewritten(sources, listed[:middle]), listed[middle:])


def _has_all_comments(sources: Sequence[Source], made: Sequence[Source]) -> bool:
    return all(
        comments_of(with_lf(one.text)) == comments_of(other.text) for one, other in zip(sources, made, strict=True)
    )


def _moved(drafts: Drafts, client: str, keys: Keys, place: _Place) -> bool:
    """Move the list of one client to its associations, if these have all of its scopes."""
    path: Path = ("clients", client, OPTIONS, *keys)
    listed = next((value for value in drafts.values(path) if isinstance(value, list)), None)
    if listed is None or drafts.overlays(client):
        return False
    draft, entry, scopes = place
    default = [scope for scope in scopes if scope in listed]
    if set(default) != set(listed):
        return False
    optional = [scope for scope in scopes if scope not in listed]
    draft.put((*entry, "scopes"), default or optional)
    draft.put((*entry, AS), AssignedAs.DEFAULT.value if default else AssignedAs.OPTIONAL.value)
    if default and optional:
        more = {"client": client, "scopes": optional, AS: AssignedAs.OPTIONAL.value}
        draft.append(("associations",), more, braces=True)
    drafts.remove(path)
    for end in (4, 3):
        drafts.tidy(path[:end])
    return True


def _plain_lists(drafts: Drafts) -> dict[str, _Place]:
    """By client, the entry that lists its scopes, if it is the only one about the client."""
    own: dict[str, list[tuple[Draft, Path, dict[str, Any]]]] = defaultdict(list)
    named: set[str] = set()
    others: list[Any] = []
    for draft, path, entry in drafts.entries("associations"):
        if not isinstance(entry, dict):
            return {}
        if isinstance(client := entry.get("client"), str):
            own[client].append((draft, path, entry))
        clients = entry.get("clients") or ()
        if isinstance(clients, list):
            named.update(one for one in clients if isinstance(one, str) and one != client)
        else:
            others.append(clients)
    found: dict[str, _Place] = {}
    for client, entries in own.items():
        draft, path, entry = entries[0]
        scopes = entry.get("scopes")
        plain = isinstance(scopes, list) and all(isinstance(one, str) and "${" not in one for one in scopes)
        alone = len(entries) == 1 and client not in named and not any(client in some for some in others)
        if alone and plain and scopes and AS not in entry:
            found[client] = (draft, path, scopes)
    return found
