"""Matches live clients of several servers, and chooses their keys in a manifest.

A client that the manifest names keeps its key. Others are matched by client id, or by name and version if their server
identifies clients that way. The key is deterministic: the client id if it is a valid name and the server accepts chosen ids,
otherwise the name in lower case, with the version unless it is the first. A number is added if the key is in use.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.identities import derived_key
from oauthdeploy.model.objects import Client
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState

_MADE_BY_MACHINE = re.compile(
    r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|[0-9a-f]{16,}|(?=.*[0-9])(?=.*[a-z])[a-z0-9_-]{22,}"
)

Identity = tuple[str, ...]


class LiveClient(Struct):
    """One client with its object on each server."""

    key: str = ""
    sides: dict[str, LiveObject] = field(default_factory=dict)
    former: dict[str, str] = field(default_factory=dict)
    """The names of the objects in the live state, by server."""


def group_clients(
    desired: DesiredState,
    live: LiveState,
    servers: Iterable[str],
    chooses_id: Container[str],
    kept_from: str | None = None,
) -> tuple[LiveClient, ...]:
    """The clients of some servers, by key. On the servers in `chooses_id`, a client's key can be its id.

    The ids of the server `kept_from` become keys even if a machine made them, so that a copy keeps them.
    """
    named = {
        address.name
        for address in (*desired.objects, *desired.absent, *desired.external)
        if address.kind is Kind.CLIENT
    }
    groups: list[LiveClient] = []
    known: dict[Identity, LiveClient] = {}
    by_key: dict[str, LiveClient] = {}
    items = [(server, address, there) for server in servers for address, there in _clients(live, server)]
    # Clients in the manifest come first, so that clients of other servers are matched with them.
    items.sort(key=lambda item: item[1].name not in named)
    for server, address, there in items:
        identities = _identities(address, there, by_id=server in chooses_id)
        found = by_key.get(address.name) or next((known[one] for one in identities if one in known), None)
        if found is None or server in found.sides:
            found = LiveClient(address.name if address.name in named else "")
            groups.append(found)
            if found.key:
                by_key[found.key] = found
        found.sides[server] = there
        found.former[server] = address.name
        for one in identities:
            known.setdefault(one, found)
    _name(groups, named, chooses_id, kept_from)
    return tuple(sorted(groups, key=lambda group: group.key))


def _clients(live: LiveState, server: str) -> list[tuple[Address, LiveObject]]:
    objects = live.servers[server].objects
    return sorted((item for item in objects.items() if item[0].kind is Kind.CLIENT), key=lambda item: item[0].sort_key)


def _identities(address: Address, there: LiveObject, *, by_id: bool) -> list[Identity]:
    found: list[Identity] = []
    if there.client_id and (by_id or address.name == there.client_id):
        found.append(("id", there.client_id))
    natural = _natural_key(address, there)
    if natural is not None:
        found.append(("name", *natural))
    return found


def _natural_key(address: Address, there: LiveObject) -> tuple[str, str] | None:
    """Name and version, if they identify the object instead of the server's id."""
    value = there.value
    if address.name == there.client_id or not isinstance(value, Client) or not value.name or value.version is None:
        return None
    return value.name, value.version


def _name(groups: list[LiveClient], named: set[str], chooses_id: Container[str], kept_from: str | None) -> None:
    """Give a unique key to every group without one."""
    ids = {there.client_id: group for group in groups for there in group.sides.values() if there.client_id}
    labels = {name: group for group in groups for name in group.former.values()}
    taken = set(named)
    waiting = [(group, _wanted_key(group, chooses_id, kept_from)) for group in groups if not group.key]
    # Keys with no alternative are assigned first, the rest in the order of the first name on a server.
    for group, (wish, _) in sorted(
        waiting, key=lambda item: (not item[1][1], item[1][0], sorted(item[0].former.items()))
    ):
        key, number = wish, 1
        while key in taken or ids.get(key, group) is not group or labels.get(key, group) is not group:
            number += 1
            key = f"{wish}-{number}"
        taken.add(key)
        group.key = key


def _wanted_key(group: LiveClient, chooses_id: Container[str], kept_from: str | None) -> tuple[str, bool]:
    """The key that a client should have, and whether it must be that one."""
    if kept_from in group.sides and len(group.sides) == 1 and group.sides[kept_from].client_id:
        return group.sides[kept_from].client_id, False
    for server, there in group.sides.items():
        if group.former[server] == there.client_id:
            return there.client_id, True
    for server, there in group.sides.items():
        if server in chooses_id and there.client_id and not _MADE_BY_MACHINE.fullmatch(there.client_id):
            return there.client_id, False
    server, there = next(iter(group.sides.items()))
    value = there.value
    name = value.name if isinstance(value, Client) and value.name else group.former[server]
    version = value.version if isinstance(value, Client) else None
    return derived_key(name, version), False


def keys_of(groups: Iterable[LiveClient]) -> Mapping[tuple[str, str], str]:
    """The key by server and name in the live state."""
    return {(server, name): group.key for group in groups for server, name in group.former.items()}
