"""The order of work: never a token for what a resource server doesn't know, never a resource server that lost what is granted.

            resource servers (RS)                  authorization server (AS)
    1    revocations: block clients
    2                                           revocations: block clients, delete tokens
    ------------------------------------------------------------------------------------------ widen: RS before AS
    3    trust -> settings -> scopes -> clients
                      |          |
                      |          +-----------+
                      +-------------------+  |
    4                                     v  v
                             settings    scopes   clients
                                            |       |
                                            +---+---+
                                                v
                                           associations
    ------------------------------------------------------------------------------------------ narrow: AS before RS
    5                                      associations
                                                |
                                            +---+---+
                                            v       v
                                         clients  scopes      (a client takes its associations with it: before scopes)
                                            |       |
                      +---------------------+-------+
                      v
    6    clients -> scopes

- A change that widens anything belongs to the widening half, even if it narrows something too. Only pure narrowing waits.
  Settings and trust always go first: tighter settings must hold before new clients are there.
- A server of both roles does trust, scopes and clients with the resource servers and settings and associations with the
  authorization servers; its associations are what makes it grant, so they alone wait for its peers.
- Every stage ends before the next begins. Inside a stage, and when something fails, `depends_on` counts: what depends on a
  change that failed is left out, and nothing else. Only changes of the plan are named there.
- Whatever touches a client waits for its cut-off on that server.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.model.objects import Revocation, Side
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, Reason, Stage
from oauthdeploy.planning.granted import trusted_by
from oauthdeploy.planning.risk import Direction, direction_of


class OrderCycle(OAuthDeployError):
    """Changes wait for each other; `addresses` is the circle, each waiting for the next, the first again at the end."""

    rule = "order-cycle"

    def __init__(self, addresses: Sequence[Address]) -> None:
        super().__init__(
            "The changes wait for each other",
            detail=" waits for ".join(str(address) for address in addresses),
            fix="Break the circle with --exclude. This is a bug in oauthdeploy.",
        )
        self.addresses = tuple(addresses)


_CUT_OFF: Final = {Side.RESOURCE: Stage.CUT_OFF_RESOURCE, Side.AUTHORIZATION: Stage.CUT_OFF_AUTHORIZATION}
_WIDEN: Final = {Side.RESOURCE: Stage.WIDEN_RESOURCE, Side.AUTHORIZATION: Stage.WIDEN_AUTHORIZATION}
_NARROW: Final = {Side.RESOURCE: Stage.NARROW_RESOURCE, Side.AUTHORIZATION: Stage.NARROW_AUTHORIZATION}
_WIDENING: Final = frozenset(_WIDEN.values())
_NARROWING: Final = frozenset(_NARROW.values())
_AUTHORIZATION_KINDS: Final = frozenset({Kind.ASSOCIATION, Kind.SETTINGS})


def order(changes: Sequence[Change], desired: DesiredState, live: LiveState) -> tuple[Change, ...]:
    """Give each change its stage and what it depends on, and put all in a stable order of work. Raises OrderCycle."""
    staged = [
        replace(change, stage=stage_of(change, desired.servers[change.address.server].role)) for change in changes
    ]
    graph = _Graph({change.address: change for change in staged}, desired, live)
    return topological([replace(change, depends_on=graph.needs(change)) for change in staged])


def stage_of(change: Change, role: Role) -> Stage:
    """The stage of a change on a server of that role."""
    kind = change.address.kind
    if kind is Kind.REVOCATION:
        return _CUT_OFF[_cut_off_side(change, role)]
    resource = role is Role.RESOURCE or (role is Role.BOTH and kind not in _AUTHORIZATION_KINDS)
    side = Side.RESOURCE if resource else Side.AUTHORIZATION
    return _NARROW[side] if _narrows(change) else _WIDEN[side]


def _cut_off_side(change: Change, role: Role) -> Side:
    blocks = change.desired.block if isinstance(change.desired, Revocation) else ()
    if role is not Role.BOTH:
        return Side(role.value)
    only_blocks = change.action is Action.DISABLE and Side.RESOURCE in (blocks or ())
    return Side.RESOURCE if only_blocks else Side.AUTHORIZATION


def _narrows(change: Change) -> bool:
    if change.action is Action.DELETE:
        return True
    if change.action is not Action.UPDATE or change.address.kind in (Kind.SETTINGS, Kind.TRUST):
        return False
    if change.reason is Reason.RENAMED:  # the new name must be there before it is associated
        return False
    return direction_of(change.address.kind, change.fields) is Direction.NARROWS


@dataclass
class _Graph:
    """Looks up what a change waits for. Reads the plan, who trusts whom, and what is associated live."""

    plan: Mapping[Address, Change]
    desired: DesiredState
    live: LiveState

    def __post_init__(self) -> None:
        self._trusting: dict[str, list[str]] = defaultdict(list)
        self._trusted: dict[str, str] = {}
        for name in sorted(self.desired.servers):
            target = trusted_by(self.desired, name)
            if target is not None and target != name:
                self._trusting[target].append(name)
                self._trusted[name] = target
        self._cut_offs: dict[tuple[str, str], list[Address]] = defaultdict(list)
        self._removed: dict[tuple[str, str], list[Address]] = defaultdict(list)
        for address, change in self.plan.items():
            if isinstance(change.desired, Revocation):
                self._cut_offs[address.server, change.desired.client].append(address)
            elif change.action is Action.DELETE and address.kind is Kind.ASSOCIATION:
                self._removed[address.server, f"client {address.client}"].append(address)
                self._removed[address.server, f"scope {address.scope}"].append(address)
        self._live_scopes = self._associated()

    def _associated(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The scopes that clients with a change of their own are associated with, live; deletes free these scopes."""
        touched = {(a.server, a.name) for a in self.plan if a.kind is Kind.CLIENT}
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for server in sorted({server for server, _ in touched} & self.live.servers.keys()):
            for address in self.live.servers[server].objects:
                if address.kind is Kind.ASSOCIATION and (server, address.client) in touched:
                    found[server, address.client].append(address.scope)
        for (server, client), scopes in found.items():
            change = self.plan[Address(Kind.CLIENT, client, server)]
            if change.action is Action.DELETE:
                for scope in scopes:
                    self._removed[server, f"scope {scope}"].append(change.address)
        return {key: tuple(scopes) for key, scopes in found.items()}

    def needs(self, change: Change) -> tuple[Address, ...]:
        """The changes of the plan that must have succeeded before this one, by address."""
        address = change.address
        found = set(self._before_anything(address))
        if change.stage in _WIDENING:
            found.update(self._planned(self._before_widening(change), _WIDENING))
        elif change.stage in _NARROWING:
            found.update(self._planned(self._before_narrowing(address), _NARROWING))
        found.discard(address)
        return tuple(sorted(found)) if found else ()

    def _planned(self, addresses: Iterator[Address], stages: frozenset[Stage]) -> Iterator[Address]:
        for address in addresses:
            change = self.plan.get(address)
            if change is not None and change.stage in stages:
                yield address

    def _before_anything(self, address: Address) -> Sequence[Address]:
        if not self._cut_offs or address.kind not in (Kind.CLIENT, Kind.ASSOCIATION):
            return ()
        return self._cut_offs.get((address.server, address.client), ())

    def _before_widening(self, change: Change) -> Iterator[Address]:
        address = change.address
        server = address.server
        if address.kind is Kind.ASSOCIATION:
            for place in (server, *self._trusting.get(server, ())):
                yield Address(Kind.CLIENT, address.client, place)
                yield Address(Kind.SCOPE, address.scope, place)
        elif address.kind in (Kind.CLIENT, Kind.SCOPE):
            yield Address.singleton(Kind.TRUST, server)
            peers = self._peers(server)
            for peer in peers:
                yield Address(address.kind, address.name, peer)
            if peers and address.kind is Kind.CLIENT and change.action is not Action.CREATE:
                # What is associated already can be asked for as soon as the client may do more.
                for scope in self._live_scopes.get((server, address.name), ()):
                    yield from (Address(Kind.SCOPE, scope, peer) for peer in peers)

    def _peers(self, server: str) -> Sequence[str]:
        """The resource servers that go before this one. Two servers of both roles never wait for each other."""
        trusting = self._trusting.get(server, ())
        if self.desired.servers[server].role is not Role.BOTH:
            return trusting
        return [name for name in trusting if self.desired.servers[name].role is Role.RESOURCE]

    def _before_narrowing(self, address: Address) -> Iterator[Address]:
        if address.kind not in (Kind.CLIENT, Kind.SCOPE):
            return
        key = f"{address.kind} {address.name}"
        if address.kind is Kind.SCOPE:
            yield from self._removed.get((address.server, key), ())
        trusted = self._trusted.get(address.server)
        if trusted is None:
            return
        if address.server in self._peers(trusted):
            yield Address(address.kind, address.name, trusted)
        # A client of a server of both roles goes in the same stage as this one; its associations went before.
        yield from self._removed.get((trusted, key), ())


def topological(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes in the first order, by stage, kind and address, in which each stands after what it depends on.

    Raises OrderCycle.
    """
    listed = sorted(changes, key=_sort_key)
    places = {change.address: place for place, change in enumerate(listed)}
    waiting = [0] * len(listed)
    followers: dict[int, list[int]] = defaultdict(list)
    in_order = True
    for place, change in enumerate(listed):
        for need in change.depends_on:
            before = places.get(need)
            if before is not None:
                in_order = in_order and before < place
                waiting[place] += 1
                followers[before].append(place)
    if in_order:
        return tuple(listed)
    ready = [place for place, count in enumerate(waiting) if not count]
    done: list[int] = []
    while ready:
        place = heapq.heappop(ready)
        done.append(place)
        for follower in followers.get(place, ()):
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, follower)
    if len(done) < len(listed):
        raise OrderCycle(_circle(listed, places, waiting))
    return tuple(listed[place] for place in done)


def _sort_key(change: Change) -> tuple[int, int, str, str]:
    rank, name, server = change.address.sort_key
    return (change.stage.value, -rank if change.stage in _NARROWING else rank, name, server)


def _circle(listed: Sequence[Change], places: Mapping[Address, int], waiting: Sequence[int]) -> Sequence[Address]:
    """Follow what is still waited for until an address comes round."""
    place = next(place for place, count in enumerate(waiting) if count)
    way: list[int] = []
    while place not in way:
        way.append(place)
        needs = (places[need] for need in listed[place].depends_on if need in places)
        place = next(need for need in needs if waiting[need])
    circle = [*way[way.index(place) :], place]
    return [listed[step].address for step in circle]
