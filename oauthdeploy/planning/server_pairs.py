"""Pairs of a resource server and the authorization server that it trusts, and the objects on both after a plan.

The checks of accounts and of everything else use it. It has the finding for a check that could not be made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports
from oauthdeploy.model.objects import Client, Object
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.requirements import table_on
from oauthdeploy.planning.server_view import trusted_by

UNCHECKED: Final = "cross-side-unchecked"


def trusting_pairs(desired: DesiredState) -> Iterator[tuple[str, str]]:
    """Each resource server with the server of the manifest that it trusts; a server of both roles may trust itself."""
    for name in sorted(desired.servers):
        trusted = trusted_by(desired, name)
        if trusted is not None and trusted in desired.servers:
            yield name, trusted


class StateAfterPlan:
    """The objects on each server after the plan."""

    def __init__(self, live: LiveState, changes: Iterable[Change]) -> None:
        self._live = live
        self._names: dict[tuple[str, Kind], frozenset[str]] = {}
        self.gone: set[Address] = set()
        self.made: dict[tuple[str, Kind], set[str]] = defaultdict(set)
        self.changed: set[Address] = set()
        self.enabled: dict[Address, bool] = {}
        for change in changes:
            address = change.address
            if change.action is Action.DELETE:
                self.gone.add(change.live_address)
                continue
            self.changed.add(address)
            if change.former is not None:
                self.gone.add(change.former)
            if change.action is Action.CREATE or change.former is not None:
                self.made[address.server, address.kind].add(address.name)
            for field in change.fields:
                if field.path == "enabled" and address.kind is Kind.CLIENT:
                    self.enabled[address] = bool(field.after)

    def names(self, server: str, kind: Kind) -> frozenset[str]:
        """The names of the objects of a kind on a server."""
        place = (server, kind)
        if place not in self._names:
            current = (a for a in self._live.servers[server].objects if a.kind is kind)
            left = (a for a in current if not self._is_deleted(a)) if self.gone else current
            self._names[place] = frozenset({*(a.name for a in left), *self.made.get(place, ())})
        return self._names[place]

    def _is_deleted(self, address: Address) -> bool:
        """An association goes with its client."""
        if address in self.gone:
            return True
        return address.kind is Kind.ASSOCIATION and Address(Kind.CLIENT, address.client, address.server) in self.gone

    def is_enabled(self, address: Address) -> bool | None:
        """Whether a client is enabled; None if it does not exist or this is unknown."""
        if address in self.enabled:
            return self.enabled[address]
        item = self._live.servers[address.server].objects.get(address)
        return None if item is None else enabled_of(item.value)


class ServerPair(Struct, frozen=True):
    """One resource server and the server that it trusts. `others` trust the same server."""

    desired: DesiredState
    live: LiveState
    facts: Mapping[str, DriverFacts]
    after: StateAfterPlan
    resource: str
    trusted: str
    others: tuple[str, ...]

    def can_hold(self, server: str, capability: Capability) -> bool:
        """Whether the server can hold such objects, as its driver and its role say."""
        if capability is Capability.ASSOCIATIONS:
            return self.desired.keeps_associations(server)
        table = table_on(self.facts, self.desired.servers[server], self.live.servers.get(server))
        return bool(supports(table, capability))

    def listed(self, server: str, kind: Kind) -> bool:
        """Whether all objects of the kind were read, and not only those that the manifest names there."""
        complete = self.live.servers[server].complete
        if complete is not None:
            return kind in complete
        known = (self.desired.objects, self.live.servers[server].objects)
        return any(a.kind is kind and a.server == server for some in known for a in some)


def both_read(
    desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts], after: StateAfterPlan
) -> Iterator[ServerPair]:
    """Each resource server with the other server that it trusts, where both were read."""
    pairs = list(trusting_pairs(desired))
    peers: dict[str, list[str]] = defaultdict(list)
    for resource, trusted in pairs:
        peers[trusted].append(resource)
    for resource, trusted in pairs:
        if resource != trusted and {resource, trusted} <= live.servers.keys():
            others = [name for name in peers[trusted] if name not in (resource, trusted)]
            yield ServerPair(desired, live, facts, after, resource, trusted, tuple(others))


def enabled_of(value: Object) -> bool | None:
    """Whether a client is enabled; None for an object of another kind, or if it is unknown."""
    return value.enabled if isinstance(value, Client) else None


def unchecked_finding(address: str, detail: str, fix: str) -> Diagnostic:
    """The finding for a requested check of both sides that could not be made."""
    return Diagnostic(
        UNCHECKED,
        "The two sides could not be compared",
        detail=detail,
        fix=fix,
        severity=Severity.WARNING,
        address=address,
    )
