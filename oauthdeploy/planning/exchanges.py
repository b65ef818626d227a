"""Exchanges: one change takes something away and another change gives it elsewhere.

    an association of a client      for another one of it, or for what one that it keeps is to open
    a resource or URL template      from one scope to another
    a redirect URI                  from one client to another
    a client                        for another of the same name or redirect URI, or for its new name
    a client's secret               and the credentials by which a resource server introspects with it

The change that takes depends on the change that gives. If the latter fails, is excluded, or is left for a resumed run, the
former is left out too, so that no client ends up with neither. A cut-off is not an exchange and never waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import OPENS, Client, Object, Scope, Trust
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.risk import Direction, direction_of
from oauthdeploy.planning.server_view import trusted_by

_MOVABLE: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.SCOPE: tuple(sorted(OPENS)),
    Kind.CLIENT: ("redirect_uris",),
}
"""Lists whose entries can move between objects of one kind."""

_Entry = tuple[str, Kind, str, str]
"""An entry of a list: server, kind, field, and the entry itself."""


class Exchanges:
    """Finds the changes that a taking change must wait for."""

    def __init__(self, changes: Sequence[Change], desired: DesiredState) -> None:
        self._desired = desired
        self._taken = {change.address: entries for change in changes if (entries := frozenset(_taken_entries(change)))}
        taken_entries = frozenset(entry for entries in self._taken.values() for entry in entries)
        self._given = self._givers(changes, taken_entries)
        self._holders = self._holders_of(desired, taken_entries)
        self._by_client: dict[tuple[str, str], list[Address]] = defaultdict(list)
        self._by_scope: dict[tuple[str, str], list[Address]] = defaultdict(list)
        self._introspecting: dict[tuple[str, str], list[Address]] = defaultdict(list)
        deletes = any(change.action is Action.DELETE for change in changes)
        for change in changes:
            address = change.address
            if address.kind is Kind.ASSOCIATION and change.action is Action.CREATE:
                if not deletes and not self._taken:
                    continue  # Nothing is taken away, so nothing waits for what is given.
                self._by_client[address.server, address.client].append(address)
                self._by_scope[address.server, address.scope].append(address)
            elif isinstance(change.desired, Trust) and _renews_credentials(change):
                trusted, account = change.desired.authorization_server, change.desired.client_id or ""
                self._introspecting[trusted, account].append(address)
        self._successors = self._successors_of(changes)
        self._widened = self._widened_scopes(changes) if deletes else {}
        self._kept = self._kept_scopes(desired) if self._widened else {}
        self._opened = self._opened_by(changes, desired) if self._widened else {}

    @staticmethod
    def _widened_scopes(changes: Sequence[Change]) -> Mapping[str, Sequence[tuple[Address, frozenset[str]]]]:
        """The scopes that are to open more, by name, and what each of them gets."""
        found: dict[str, list[tuple[Address, frozenset[str]]]] = defaultdict(list)
        for change in changes:
            if change.address.kind is Kind.SCOPE and (given := frozenset(entry[3] for entry in _given_entries(change))):
                found[change.address.name].append((change.address, given))
        return found

    @staticmethod
    def _kept_scopes(desired: DesiredState) -> Mapping[tuple[str, str], Sequence[str]]:
        """The scopes that each client is to have on each server."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for address in desired.objects:
            if address.kind is Kind.ASSOCIATION:
                found[address.server, address.client].append(address.scope)
        return found

    @staticmethod
    def _opened_by(changes: Sequence[Change], desired: DesiredState) -> Mapping[str, frozenset[str]]:
        """What each scope opens on any server, before or after the changes."""
        found: dict[str, set[str]] = defaultdict(set)
        known = [(change.address, _live(change)) for change in changes]
        for address, value in (*desired.objects.items(), *known):
            if isinstance(value, Scope):
                found[address.name].update(str(entry) for path in OPENS for entry in getattr(value, path) or ())
        return {name: frozenset(entries) for name, entries in found.items()}

    @staticmethod
    def _givers(changes: Sequence[Change], entries: frozenset[_Entry]) -> Mapping[_Entry, Sequence[Change]]:
        found: dict[_Entry, list[Change]] = defaultdict(list)
        for change in changes if entries else ():
            for entry in _given_entries(change):
                if entry in entries:
                    found[entry].append(change)
        return found

    @staticmethod
    def _holders_of(desired: DesiredState, entries: frozenset[_Entry]) -> Mapping[_Entry, Sequence[Address]]:
        """The objects that will have an entry, whether or not they have it already."""
        found: dict[_Entry, list[Address]] = defaultdict(list)
        for address, value in desired.objects.items() if entries else ():
            for path in _MOVABLE.get(address.kind, ()):
                for entry in _entries(address, path, getattr(value, path) or ()):
                    if entry in entries:
                        found[entry].append(address)
        return found

    def _successors_of(self, changes: Sequence[Change]) -> Mapping[Address, Sequence[Address]]:
        """The new clients that replace deleted ones: those with the same name, and the targets of renames."""
        gone = [change for change in changes if change.action is Action.DELETE and change.address.kind is Kind.CLIENT]
        if not gone:
            return {}
        named: dict[tuple[str, str], list[Address]] = defaultdict(list)
        for change in changes:
            address = change.address
            if address.kind is Kind.CLIENT and change.action is Action.CREATE:
                for name in {_shown_name(change.desired, address), self._desired.moved.get(address, "")}:
                    named[address.server, name].append(address)
        found: dict[Address, Sequence[Address]] = {}
        for change in gone:
            names = {_shown_name(_live(change), change.address), change.address.name}
            new = {address for name in names for address in named.get((change.address.server, name), ())}
            found[change.address] = sorted(new)
        return found

    def before(self, change: Change, *, narrowing: bool) -> Iterator[Address]:
        """The changes that must give before `change` may take; `narrowing` is true if it is in the narrowing half of the
        plan.

        A change that takes and gives is made in the widening half. It waits only for changes that purely give, so that two
        objects that swap entries do not wait for each other.
        """
        address = change.address
        if address.kind is Kind.ASSOCIATION:
            if change.action is Action.DELETE:
                yield from self._by_client.get((address.server, address.client), ())
                yield from self._openings(address)
                yield from self._places_taken(Address(Kind.CLIENT, address.client, address.server))
            return
        for entry in sorted(self._taken.get(address, ())):
            for other in self._given.get(entry, ()):
                if other.address != address and (narrowing or _only_gives(other)):
                    yield other.address
            for holder in self._holders.get(entry, ()) if narrowing else ():
                if holder != address:
                    yield from self._ways_to(holder)
        if address.kind is Kind.CLIENT:
            yield from self._places_taken(address)
            if any(field.path == "secret.value" for field in change.fields):
                yield from self._introspecting.get((address.server, address.name), ())

    def _openings(self, lost: Address) -> Iterator[Address]:
        """The scopes that the client of a lost association keeps, and that are to open what the lost scope opened."""
        opened = self._opened.get(lost.scope)
        for scope in self._kept.get((lost.server, lost.client), ()) if self._widened else ():
            for address, given in self._widened.get(scope, ()):
                # Of a scope that the manifest does not describe, nobody knows what it opened.
                if opened is None or given & opened:
                    yield address

    def swapped(self, change: Change) -> tuple[Mapping[str, frozenset[str]], frozenset[Address]]:
        """The entries, by field, that an object loses while it gets others, and the changes that make them reachable
        elsewhere.
        """
        entries: dict[str, set[str]] = defaultdict(set)
        until: set[Address] = set()
        if change.action is Action.UPDATE and not _only_gives(change):
            for entry in self._taken.get(change.address, ()):
                elsewhere = {holder for holder in self._holders.get(entry, ()) if holder != change.address}
                needed = {other.address for other in self._given.get(entry, ()) if other.address in elsewhere}
                needed.update(*(self._ways_to(holder) for holder in elsewhere))
                if needed:
                    entries[entry[2]].add(entry[3])
                    until |= needed
        return {path: frozenset(some) for path, some in entries.items()}, frozenset(until)

    def _ways_to(self, given: Address) -> Iterator[Address]:
        """The new associations, on every side, through which clients reach the object that received an entry."""
        places = {given.server}
        if given.kind is Kind.SCOPE and (trusted := trusted_by(self._desired, given.server)) is not None:
            places.add(trusted)
        index = self._by_scope if given.kind is Kind.SCOPE else self._by_client
        for server in sorted(places):
            yield from index.get((server, given.name), ())

    def _places_taken(self, client: Address) -> Iterator[Address]:
        """The clients that replace a deleted one, with their associations."""
        for new in self._successors.get(client, ()):
            yield new
            yield from self._by_client.get((new.server, new.name), ())


_ISSUER: Final = frozenset({"authorization_server", "issuer", "jwks_uri", "endpoint"})


def switches_issuer(change: Change) -> bool:
    """Whether a resource server switches to another authorization server or realm. One that has trusted only itself does not
    switch.
    """
    before = change.live.value if change.live is not None else None
    if change.action is not Action.UPDATE or not isinstance(before, Trust) or before.via == "local":
        return False
    return any(field.path in _ISSUER for field in change.fields)


def _renews_credentials(change: Change) -> bool:
    return any(field.path == "client_secret" for field in change.fields) and not switches_issuer(change)


def _taken_entries(change: Change) -> Iterator[_Entry]:
    """The list entries that an object loses, by field."""
    address = change.address
    paths = _MOVABLE.get(address.kind, ())
    if change.action is Action.UPDATE:
        for field in change.fields:
            if field.path in paths:
                yield from _entries(address, field.path, field.removed)
    elif change.action is Action.DELETE and (live := _live(change)) is not None:
        for path in paths:
            yield from _entries(address, path, getattr(live, path) or ())


def _given_entries(change: Change) -> Iterator[_Entry]:
    """The list entries that an object gets, by field."""
    paths = _MOVABLE.get(change.address.kind, ())
    for field in change.fields if paths and change.action is not Action.DELETE else ():
        if field.path in paths:
            yield from _entries(change.address, field.path, field.added)


def _entries(address: Address, path: str, values: Iterable[object]) -> Iterator[_Entry]:
    return ((address.server, address.kind, path, str(value)) for value in values)


def _live(change: Change) -> Object | None:
    value = change.live.value if change.live is not None else None
    return value if isinstance(value, Client | Scope) else None


def _shown_name(value: Object | None, address: Address) -> str:
    """The display name of a client, or its key if it has none."""
    return (value.name if isinstance(value, Client) else None) or address.name


def _only_gives(change: Change) -> bool:
    return change.action is Action.CREATE or Direction.NARROWS not in direction_of(change.address.kind, change.fields)
