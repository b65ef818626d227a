"""All names by which a pattern can match an object: its address, and the names that its server has for its client.

    client/batch     the key in the manifest
    client/Batch (1) the label (name and version), if the server identifies clients by them; `client/Batch` for version 1
    client/4711      the server's own id, or the client_id
    client/batch     the key that `export` would give it

An association is matched by the names of its client. The key of one client is never a name of another one on the same
server.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.identities import FIRST_VERSION, derived_key, label_of
from oauthdeploy.model.objects import Client
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState
from oauthdeploy.planning.changes import matches


class Names:
    """The names of the objects of one reading."""

    def __init__(self, desired: DesiredState, live: LiveState) -> None:
        self._desired = desired
        self._live = live

    def matches(self, address: Address, patterns: Collection[str]) -> bool:
        """Whether one of the globs matches any name of the object, with or without `@server`."""
        if not patterns:
            return False
        return matches(address, patterns) or any(matches(other, patterns) for other in self.others(address))

    def others(self, address: Address) -> Iterator[Address]:
        """The other addresses of an object."""
        if address.kind not in (Kind.CLIENT, Kind.ASSOCIATION):
            return
        for name in self._by_client.get((address.server, address.client), ()):
            if address.kind is Kind.CLIENT:
                yield Address(Kind.CLIENT, name, address.server)
            else:
                yield Address.association(name, address.scope, address.server)

    @cached_property
    def _by_client(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The other names by server and key."""
        keys = {a for a in (*self._desired.objects, *self._live.objects) if a.kind is Kind.CLIENT}
        known = {(address.server, address.name) for address in keys}
        found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        for address, live in self._live.objects.items():
            if address.kind is Kind.CLIENT:
                pair = (address.server, address.name)
                found[pair].update((name, None) for name in _names_of(live) if (address.server, name) not in known)
        return {key: tuple(names) for key, names in found.items()}


def _names_of(live: LiveObject) -> Iterator[str]:
    yield from (name for name in (live.identity, live.client_id) if name)
    value = live.value
    if not isinstance(value, Client) or not value.name or value.version is None:
        return
    yield label_of(value.name, value.version)
    if value.version == FIRST_VERSION:
        yield value.name
    yield derived_key(value.name, value.version)
