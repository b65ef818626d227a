"""What a driver knows of its realm, from what it has read and what it has written.

A write starts from what was read before, if that is enough, so that no request is spent on reading it again. This is safe because
a PUT of a client contains only what changes (`client.AdminApi.put_client`): what others have written since stays.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.keycloak.fields import LISTS
from oauthdeploy.drivers.keycloak.mapping import VOLATILE, LiveClient
from oauthdeploy.drivers.keycloak.reading import Reader
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.model.objects import Revocation

Json = Mapping[str, Any]
Lists = tuple[frozenset[str], frozenset[str]]
"""The scopes that new clients get, as default and as optional scopes."""

_MOST_KEPT: Final = 5000
"""The number of clients whose JSON is kept for their writes. With a larger manifest, each client is read before its write, which
saves memory.
"""


class _Written(Struct):
    """What this run wrote to one object: the object before, everything that was sent, and the addresses of the changes.

    `without` are the keys that are not compared.
    """

    before: Json
    sent: dict[str, Any]
    addresses: set[Address]
    without: frozenset[str]


class Knowledge(Struct):
    """What is known of one realm. Safe to use from several threads."""

    _lock: threading.RLock = field(default_factory=threading.RLock)
    _clients: dict[str, str] = field(default_factory=dict)
    _bodies: dict[str, Json] = field(default_factory=dict)
    _exported: Mapping[str, LiveClient] = field(default_factory=dict)
    _scope_ids: dict[str, str] = field(default_factory=dict)
    _scopes: dict[str, Json] = field(default_factory=dict)
    _openid: set[str] = field(default_factory=set)
    _lists: Lists | None = None
    _written: dict[str, _Written] = field(default_factory=dict)
    _count: int = 0

    # -- from readings -----------------------------------------------------------------------------------------------

    def learn(self, reader: Reader, wanted: Wanted, *, whole: bool) -> None:
        """Record what was read; with `whole` it replaces what was known, otherwise it adds to it."""
        names = {address.client for address in wanted.objects if address.kind in (Kind.CLIENT, Kind.ASSOCIATION)}
        names |= {value.client for value in wanted.objects.values() if isinstance(value, Revocation)}
        scopes = {address.name for address in wanted.objects if address.kind is Kind.SCOPE}
        with self._lock:
            if whole:
                self._clients, self._bodies, self._scopes = {}, {}, {}
            self._count = max(self._count, len(reader.clients))
            if wanted.whole:
                # An export reads the realm again to prove itself, and most clients have not changed since.
                self._exported = {live.uuid: live for live in reader.clients.values()}
            # A manifest may name a client by its id.
            self._clients.update({live.uuid: live.uuid for live in reader.clients.values()})
            self._clients.update({live.client_id: live.uuid for live in reader.clients.values()})
            if len(names) <= _MOST_KEPT:
                kept = (live for live in reader.clients.values() if not names.isdisjoint((live.client_id, live.uuid)))
                self._bodies.update({live.uuid: live.raw for live in kept})
            self._scope_ids.update({live.name: live.uuid for live in reader.scopes.values()})
            self._openid.update(live.name for live in reader.scopes.values() if live.openid)
            self._scopes.update({name: live.raw for name, live in reader.scopes.items() if name in scopes})
            self._lists = reader.known_realm_scopes or self._lists

    def lost(self, reader: Reader) -> Sequence[tuple[Address, tuple[str, ...]]]:
        """What objects no longer have although this run's writes were not about it, by the address of each write."""
        raws = {live.uuid: live.raw for live in reader.clients.values()}
        raws |= {live.uuid: live.raw for live in reader.scopes.values()}
        found: list[tuple[Address, tuple[str, ...]]] = []
        with self._lock:
            # Other threads may be writing while one finds out what became of a write whose response was lost.
            for uuid in self._written.keys() & raws.keys():
                one = self._written[uuid]
                if lost := lost_fields(one.before, one.sent, raws[uuid], one.without):
                    found += ((address, lost) for address in one.addresses)
        return found

    # -- clients -----------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Roughly how many clients there are."""
        with self._lock:
            return self._count

    @property
    def exported(self) -> Mapping[str, LiveClient]:
        """The clients by id, if everything of them has been read."""
        with self._lock:
            return self._exported

    def is_new(self, client_id: str) -> bool:
        """Whether no client had that client_id, or that id, when the realm was read."""
        with self._lock:
            return client_id not in self._clients

    def client(self, client_id: str) -> str | None:
        """The id of a client that was read; None for one that did not exist, and for one that this run has created."""
        with self._lock:
            return self._clients.get(client_id)

    def has_body(self, uuid: str) -> bool:
        """Whether the client need not be read before a write."""
        with self._lock:
            return uuid in self._bodies

    def body(self, uuid: str) -> Json | None:
        """A client as it was read; None if this run has written it since."""
        with self._lock:
            return self._bodies.get(uuid)

    def made_client(self) -> None:
        """Record that there is one more client."""
        with self._lock:
            self._count += 1

    def forget_client(self, client_id: str, uuid: str) -> None:
        """Record that a client was deleted; another one with its name has another id."""
        with self._lock:
            self._bodies.pop(uuid, None)
            for name in (client_id, uuid):
                self._clients.pop(name, None)

    def wrote(self, address: Address, uuid: str, before: Json | None, sent: Mapping[str, Any]) -> None:
        """Record what was `sent` for an object that was like `before`: it must be read again before the next write."""
        lists = frozenset(LISTS.values())
        about_lists = not lists.isdisjoint(sent)
        with self._lock:
            if not about_lists:
                self._bodies.pop(uuid, None)
            if before is None:
                return
            one = self._written.setdefault(uuid, _Written(before, {}, set(), VOLATILE))
            if about_lists:
                one.without -= lists
            one.addresses.add(address)
            for key, value in sent.items():
                had = one.sent.get(key)
                if isinstance(had, Mapping) and isinstance(value, Mapping):
                    value = {**had, **value}
                elif key in lists and isinstance(had, list):
                    value = [scope for scope in value if scope in had]
                one.sent[key] = value

    # -- client scopes -----------------------------------------------------------------------------------------------

    def scope_id(self, name: str) -> str | None:
        """The id of a client scope that was read or created."""
        with self._lock:
            return self._scope_ids.get(name)

    def is_openid(self, name: str) -> bool:
        """Whether a client scope was read that is of OpenID Connect: clients get no scopes of other protocols (SAML)."""
        with self._lock:
            return name in self._openid

    @property
    def scope_ids(self) -> Mapping[str, str]:
        """The ids of all known client scopes, by name."""
        with self._lock:
            return dict(self._scope_ids)

    def learn_scopes(self, ids: Mapping[str, str]) -> None:
        """Record the ids of client scopes by name."""
        with self._lock:
            self._scope_ids.update(ids)

    def forget_scope(self, name: str) -> None:
        """Record that a client scope was deleted, and with it its place in the lists of clients."""
        with self._lock:
            self._scope_ids.pop(name, None)
            self._lists = None
            for one in self._written.values():
                for key in one.sent.keys() & LISTS.values():
                    one.sent[key] = [scope for scope in one.sent[key] if scope != name]

    def scope(self, name: str) -> Json | None:
        """A client scope as it was read, for its next write only; None if it must be read."""
        with self._lock:
            return self._scopes.pop(name, None)

    # -- what new clients get ----------------------------------------------------------------------------------------

    @property
    def lists(self) -> Lists | None:
        """What new clients get; None if that is not known."""
        with self._lock:
            return self._lists

    def learn_lists(self, lists: Lists | None) -> None:
        """Record what new clients get; None: that has changed."""
        with self._lock:
            self._lists = lists
