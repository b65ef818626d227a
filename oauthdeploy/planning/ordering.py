"""The order of work, in which resource servers always know what authorization servers grant.

            resource servers (RS)                  authorization server (AS)
    1    revocations: block clients
    2                                           revocations: block clients, delete tokens
    ------------------------------------------------------------------------------------------ widen: RS before AS
    3    trust -> settings -> scopes -> clients -> associations     (where a resource server keeps them too)
                      |          |          |
                      |          +--------+ |
                      +-----------------+ | +-----+
    4                                   v v       |
                             settings  scopes   clients
                                            |       |
                                            +---+---+
                                                v
                                           associations
    ------------------------------------------------------------------------------------------ switch
    5    trust that turns to another AS, once that one holds everything
    ------------------------------------------------------------------------------------------ narrow: AS before RS
    6                                      associations
                                                |
                                            +---+---+
                                            v       v
                                         clients  scopes      (a client takes its associations with it: before scopes)
                                            |       |
                      +---------------------+-------+
                      v
    7    associations -> clients -> scopes, and trust in the AS that was left, where both were trusted

- A change that widens anything belongs to the widening half, even if it also narrows something. Only pure narrowing waits.
  Settings and trust always go first: tighter settings must be in force before new clients exist.
- A resource server switches to another authorization server when the new one has everything, and before anything is removed
  from the old one. Just before the switch, the new one is tried: its key set and metadata, or an introspection. If it does not
  answer as it must, or a change on it fails, the resource server stays with the old one. One that can trust two at once, such
  as Open Policy Agent with signed tokens, trusts both from the switch until the last stage (`two_writes`).
- On a server of both roles, trust, scopes and clients belong to the stages of resource servers, settings and associations to
  those of authorization servers. Its associations make it grant, so they wait for its peers. If two such servers trust each
  other, associations are deleted by name before their client, so that the two servers never wait for each other.
- Every stage ends before the next begins. Within a stage, and after a failure, `depends_on` decides: only what depends on a
  failed change is left out. It names only changes of the plan.
- Every other change of a client waits for its cut-off on that server.
- A resource server that refuses tokens by their time of issue makes its cut-off first, by its own clock, and again with the
  authorization server's time as soon as that one has made its own cut-off. Both then accept the same tokens.
- A change that takes something away in exchange waits for the change that gives (`exchanges`). An object that loses and gets
  entries at once, such as each of two scopes that swap resources, is written twice: with both, then without what it loses
  (`two_writes`).
- Widening comes before narrowing, so a scope and its clients together can temporarily allow more than either manifest. The
  plan says so at the scope, or at the client. A new association of a client that is disabled or loses a grant comes after
  that, except on a server with both roles that trusts another one.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.model.objects import OPENS, Revocation, Side, Trust, Via
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, FieldChange, Interim, Reason, Stage
from oauthdeploy.planning.exchanges import Exchanges, switches_issuer
from oauthdeploy.planning.risk import Direction, direction_of
from oauthdeploy.planning.server_view import trusted_by
from oauthdeploy.planning.two_writes import in_words, interim_of, trusting_both


class OrderCycle(OAuthDeployError):
    """Changes wait for each other; `addresses` is the cycle, each waiting for the next, with the first again at the end."""

    rule = "order-cycle"

    def __init__(self, addresses: Sequence[Address]) -> None:
        super().__init__(
            "The changes depend on each other",
            detail=" waits for ".join(str(address) for address in addresses),
            fix="Break the cycle with --exclude. This is a bug in oauthdeploy.",
        )
        self.addresses = tuple(addresses)


_CUT_OFF: Final = {Side.RESOURCE: Stage.CUT_OFF_RESOURCE, Side.AUTHORIZATION: Stage.CUT_OFF_AUTHORIZATION}
_WIDEN: Final = {Side.RESOURCE: Stage.WIDEN_RESOURCE, Side.AUTHORIZATION: Stage.WIDEN_AUTHORIZATION}
_NARROW: Final = {Side.RESOURCE: Stage.NARROW_RESOURCE, Side.AUTHORIZATION: Stage.NARROW_AUTHORIZATION}
_WIDENING: Final = frozenset(_WIDEN.values())
_NARROWING: Final = frozenset(_NARROW.values())
_AUTHORIZATION_KINDS: Final = frozenset({Kind.ASSOCIATION, Kind.SETTINGS})


def own_batch(_server: str, change: Change) -> str:
    """The name of a request that carries only one change."""
    return str(change.address)


def order(
    changes: Sequence[Change],
    desired: DesiredState,
    live: LiveState,
    batch_key: Callable[[str, Change], str] = own_batch,
    trusting_two: Mapping[str, Collection[Via]] = MappingProxyType({}),
) -> tuple[Change, ...]:
    """Give each change its stage, its dependencies and its batch, and return all in a stable order of work.

    `batch_key` names the request on a server that carries a change, from its address and action. `trusting_two` are, by
    server, the ways of checking tokens with which it can trust two authorization servers at once. Raises OrderCycle.
    """
    return topological(_prepared(changes, desired, live, batch_key, trusting_two))


def _prepared(
    changes: Sequence[Change],
    desired: DesiredState,
    live: LiveState,
    batch_key: Callable[[str, Change], str],
    trusting_two: Mapping[str, Collection[Via]],
) -> Sequence[Change]:
    """The changes with their stages, dependencies, batches and notes, not yet in order."""
    first = {change.address: stage_of(change, desired.servers[change.address.server].role) for change in changes}
    first |= _after_their_clients(changes, first, desired)
    graph = _Graph(changes, first, desired, live)
    needs = {change.address: graph.needs(change) for change in changes}
    stages = _not_before_needs(first, needs)

    def placed(change: Change) -> Change:
        batch = batch_key(change.address.server, change)
        return replace(change, stage=stages[change.address], depends_on=needs[change.address], batch=batch)

    in_writes = graph.in_two_writes([placed(change) for change in changes], trusting_two)
    return [graph.with_note(change) for change in in_writes]


def stage_of(change: Change, role: Role) -> Stage:
    """The stage of a change on a server of that role."""
    kind = change.address.kind
    if kind is Kind.REVOCATION:
        return _CUT_OFF[_cut_off_side(change, role)]
    if switches_issuer(change):
        return Stage.SWITCH_TRUST
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
    if change.action is not Action.UPDATE or change.address.kind is Kind.SETTINGS:
        return False
    if change.reason is Reason.RENAMED:  # the new name must be there before it is associated
        return False
    return direction_of(change.address.kind, change.fields) is Direction.NARROWS


def _after_their_clients(
    changes: Sequence[Change], stages: Mapping[Address, Stage], desired: DesiredState
) -> Mapping[Address, Stage]:
    """The stages of new associations whose clients are disabled or lose a grant: they come after that, not before.

    Not on a server with both roles that trusts another one: there, clients are restricted last, after the other server no
    longer grants what they lose, and two servers that trust each other would wait for each other.
    """
    restricted = {c.address: stages[c.address] for c in changes if _restricts(c) and stages[c.address] in _NARROWING}
    if not restricted:
        return {}
    waiting = {name for name in desired.servers if trusted_by(desired, name) not in (None, name)}
    given = [
        c.address
        for c in changes
        if c.address.kind is Kind.ASSOCIATION and c.action is Action.CREATE and c.address.server not in waiting
    ]
    clients = {address: Address(Kind.CLIENT, address.client, address.server) for address in given}
    return {address: restricted[client] for address, client in clients.items() if client in restricted}


def _not_before_needs(
    stages: Mapping[Address, Stage], needs: Mapping[Address, Sequence[Address]]
) -> Mapping[Address, Stage]:
    """The stages, with no change in an earlier one than what it needs.

    What goes on the authorization side of a server with both waits for the resource side if what comes for it does.
    """
    found, waiting = stages, list(needs)
    while waiting:
        late = [
            address for address in waiting if any(found[one] > found[address] for one in needs[address] if one in found)
        ]
        if late:
            found = {
                **found,
                **{address: max(found[one] for one in needs[address] if one in found) for address in late},
            }
        # Whoever needs one of those may be too early now.
        moved = set(late)
        waiting = [address for address in needs if moved.intersection(needs[address])] if moved else []
    return found


def _restricts(change: Change) -> bool:
    """Whether a change disables a client, or takes a grant from it."""
    return _switches(change, to=False) or any(field.removed for field in _grants(change))


def _gives_ways(change: Change) -> bool:
    """Whether a change enables a client, or gives it a grant."""
    return _switches(change, to=True) or any(field.added for field in _grants(change))


def _switches(change: Change, *, to: bool) -> bool:
    return _updates_client(change) and any(f.path == "enabled" and f.after is to for f in change.fields)


def _grants(change: Change) -> Sequence[FieldChange]:
    return [field for field in change.fields if field.path == "grants"] if _updates_client(change) else []


def _updates_client(change: Change) -> bool:
    return change.address.kind is Kind.CLIENT and change.action is Action.UPDATE


_Names = dict[tuple[Kind, str], dict[str, Address]]
"""Addresses by kind and server, then by name."""


class _Graph:
    """Finds what a change waits for, from the plan, the trust between servers, and the live associations."""

    def __init__(
        self, changes: Sequence[Change], stages: Mapping[Address, Stage], desired: DesiredState, live: LiveState
    ) -> None:
        self._stages, self._desired = stages, desired
        self._created = {change.address for change in changes if change.action is Action.CREATE}
        self._widening, self._narrowing = _index_by_name(stages, _WIDENING), _index_by_name(stages, _NARROWING)
        self._trusting: dict[str, list[str]] = defaultdict(list)
        self._trusted: dict[str, str] = {}
        for name in sorted(desired.servers):
            target = trusted_by(desired, name)
            if target is not None and target != name:
                self._trusting[target].append(name)
                self._trusted[name] = target
        self._places = {name: sorted({name, *self._trusting.get(name, ())}) for name in desired.servers}
        self._peers = {name: self._peers_of(name) for name in desired.servers}
        self._checking = {
            name: [each for each in self._trusting.get(name, ()) if desired.servers[each].role is Role.RESOURCE]
            for name in desired.servers
        }
        self._cut_offs: dict[tuple[str, str], list[Address]] = defaultdict(list)
        self._removed: dict[tuple[str, Kind, str], list[Address]] = defaultdict(list)
        for change in changes:
            address = change.address
            if isinstance(change.desired, Revocation):
                self._cut_offs[address.server, change.desired.client].append(address)
            elif change.action is Action.DELETE and address.kind is Kind.ASSOCIATION:
                self._removed[address.server, Kind.CLIENT, address.client].append(address)
                self._removed[address.server, Kind.SCOPE, address.scope].append(address)
        self._restricted = {change.address for change in changes if _restricts(change)}
        self._enlarged = {change.address for change in changes if _gives_ways(change)}
        self._left = _left_by(changes)
        self._switches = {switch.server: switch for switches in self._left.values() for switch in switches}
        self._live_scopes = self._associated(changes, live)
        self._exchanges = Exchanges(changes, desired)
        self._renamed = {change.former: change.address for change in changes if change.former is not None}

    def _associated(self, changes: Sequence[Change], live: LiveState) -> Mapping[Address, tuple[str, ...]]:
        """The live scopes of clients, for those that widen; without those that are deleted."""
        touched = {c.address: c for c in changes if c.address.kind is Kind.CLIENT and c.action is not Action.CREATE}
        found: dict[Address, list[str]] = defaultdict(list)
        for server in sorted({address.server for address in touched} & live.servers.keys()):
            for address in live.servers[server].objects:
                if address.kind is Kind.ASSOCIATION:
                    client = Address(Kind.CLIENT, address.client, server)
                    if client in touched:
                        found[client].append(address.scope)
        for client, scopes in found.items():
            if touched[client].action is Action.DELETE:
                for scope in scopes:
                    self._removed[client.server, Kind.SCOPE, scope].append(client)
        return {client: tuple(sorted(scopes)) for client, scopes in found.items()}

    def needs(self, change: Change) -> tuple[Address, ...]:
        """The changes of the plan that must have succeeded before this one: by address where they widen or narrow."""
        address = change.address
        stage = self._stages[address]
        if stage in _WIDENING:
            needed = list(self._before_widening(change))
        elif stage in _NARROWING:
            needed = sorted(self._before_narrowing(address))
            if change.action is Action.CREATE:
                client = Address(Kind.CLIENT, address.client, address.server)
                needed += [*self._before_widening(change), client]
        elif stage is Stage.SWITCH_TRUST:
            return tuple(sorted(self._on_new_issuer(change)))
        else:
            return ()
        if address.kind is Kind.ASSOCIATION and change.former is not None:
            # It is written under the name that its client is to have.
            renamed = Address(Kind.CLIENT, address.client, address.server)
            needed += [renamed] if renamed in self._stages else []
        needed += sorted(self._exchanges.before(change, narrowing=stage in _NARROWING))
        # If the cut-off fails, nothing that lets the client do more may follow.
        if self._cut_offs and address.kind in (Kind.CLIENT, Kind.ASSOCIATION):
            needed += sorted(self._cut_offs.get((address.server, address.client), ()))
        return tuple(dict.fromkeys(needed))

    def _on_new_issuer(self, change: Change) -> Iterator[Address]:
        """The changes in this plan on the authorization server that a resource server switches to."""
        trusted = self._trusted.get(change.address.server)
        for (_kind, server), addresses in self._widening.items():
            if server == trusted:
                yield from addresses.values()

    def in_two_writes(self, changes: Sequence[Change], trusting_two: Mapping[str, Collection[Via]]) -> Sequence[Change]:
        """The changes, with a first write for those that swap entries with others, unless one request makes the whole swap, and
        for a switch of a resource server that can trust two authorization servers.
        """

        @cache
        def together() -> Mapping[Address, tuple[str, Stage, str]]:
            return {change.address: (change.address.server, change.stage, change.batch) for change in changes}

        def interim(change: Change) -> Interim | None:
            if change.stage is Stage.SWITCH_TRUST:
                return trusting_both(change, trusting_two.get(change.address.server, ()))
            if change.stage not in _WIDENING:
                return None
            moving, until = self._exchanges.swapped(change)
            if not moving or {together()[address] for address in until} == {together()[change.address]}:
                return None
            return interim_of(change, moving, until | {*self._own_switch(change.address.server)})

        def split(change: Change) -> Change:
            if (first := interim(change)) is None:
                return change
            change = replace(change, interim=first)
            return replace(change, note=f"{change.note} {in_words(change)}".strip())

        return [split(change) for change in changes]

    def with_note(self, change: Change) -> Change:
        """The change, with a sentence about what it temporarily lets clients reach that neither manifest allows.

        Widening comes before narrowing. So a scope that gets a resource opens it to clients that have not lost the scope
        yet, and a scope that has not lost a resource yet opens that to clients that get the scope. In the same way, a client that
        is enabled or gets a grant still has the scopes that it is to lose.
        """
        if change.address in self._enlarged:
            return self._with_note_on_scopes(change)
        if change.address.kind is not Kind.SCOPE or change.action is not Action.UPDATE:
            return change
        opening = [field for field in change.fields if field.path in OPENS]
        given = sorted({str(entry) for field in opening for entry in field.added})
        if change.interim is not None:
            final = {field.path: field.after for field in opening}
            taken = sorted(
                {str(e) for field in change.interim.fields for e in field.after if e not in final[field.path]}
            )
        else:
            taken = sorted({str(e) for field in opening for e in field.removed}) if self._waits(change.address) else []
        places = [change.address.server, *self._issuers(change.address.server)]
        losing, getting = self._clients_of(change.address.name, places)
        changing = self._holders(self._restricted, change.address.name, places)
        getting = sorted({*getting, *self._holders(self._enlarged, change.address.name, places)})
        said = [change.note]
        if given and losing and not self._waits(change.address):
            said.append(f"Until {', '.join(losing)} lost the scope, also open to it: {', '.join(given)}.")
        if given and changing:
            said.append(f"Until {', '.join(changing)} is changed, also open to it: {', '.join(given)}.")
        if taken and getting:
            said.append(f"Until the scope has lost it, also open to {', '.join(getting)}: {', '.join(taken)}.")
        return replace(change, note=" ".join(filter(None, said)))

    def _with_note_on_scopes(self, change: Change) -> Change:
        """The change of a client that is enabled or gets a grant, with a sentence about scopes that it has not lost by then."""
        client = change.address
        keeping = self._pending(self._removed.get((client.server, Kind.CLIENT, client.name), ()))
        scopes = ", ".join(sorted(pair.scope for pair in keeping))
        said = f"Until the client lost these scopes, also open to it by what it gets: {scopes}."
        return replace(change, note=f"{change.note} {said}".strip()) if scopes else change

    def _clients_of(self, scope: str, places: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The clients that lose a scope in the narrowing half, and those that get it."""
        losing = {
            address.client
            for place in places
            for address in self._pending(self._removed.get((place, Kind.SCOPE, scope), ()))
        }
        getting = {
            address.client
            for address in self._created
            if address.kind is Kind.ASSOCIATION and address.server in places and address.scope == scope
        }
        return sorted(losing), sorted(getting)

    def _issuers(self, server: str) -> Sequence[str]:
        """The authorization servers that a resource server trusts now, and after the plan."""
        left = [
            issuer for issuer, switches in self._left.items() if any(switch.server == server for switch in switches)
        ]
        return [*filter(None, [self._trusted.get(server)]), *left]

    def _holders(self, clients: Collection[Address], scope: str, places: Sequence[str]) -> Sequence[str]:
        """The names of those clients that have a scope on these servers now."""
        return sorted({c.name for c in clients if c.server in places and scope in self._live_scopes.get(c, ())})

    def _waits(self, address: Address) -> bool:
        return self._stages[address] in _NARROWING

    def _before_widening(self, change: Change) -> Iterator[Address]:
        address = change.address
        kind, server = address.kind, address.server
        # Tokens with the scope can be issued as soon as the association exists, so the resource servers must know the
        # scope and the client by then.
        if kind is Kind.ASSOCIATION:
            places = self._places[server]
            yield from self._lookup(self._widening, Kind.SCOPE, address.scope, places)
            yield from self._lookup(self._widening, Kind.CLIENT, address.client, places)
            yield from self._lookup(self._widening, kind, address.name, self._checking[server])
        elif kind in (Kind.CLIENT, Kind.SCOPE):
            yield from self._lookup(self._widening, Kind.TRUST, "", (server,))
            yield from self._lookup(self._widening, kind, address.name, self._peers[server])
            if kind is Kind.CLIENT and change.action is not Action.CREATE:
                yield from self._before_granting_more(address)

    def _before_granting_more(self, client: Address) -> Iterator[Address]:
        """What a client needs before it can do more: from then on it can request every scope that it is associated with."""
        trusting = self._trusting.get(client.server, ())
        for scope in self._live_scopes.get(client, ()):
            yield from self._lookup(self._widening, Kind.SCOPE, scope, trusting)
            pair = Address.association(client.name, scope, client.server)
            yield from self._lookup(self._widening, Kind.ASSOCIATION, pair.name, self._checking[client.server])
        for needed in self._lookup(self._widening, Kind.CLIENT, client.name, trusting):
            if needed in self._created:
                yield needed

    def _before_narrowing(self, address: Address) -> Iterator[Address]:
        kind, server = address.kind, address.server
        yield from self._left.get(server, ())
        yield from self._own_switch(server)
        if kind is Kind.ASSOCIATION:
            yield from self._no_longer_granted(address)
        if kind not in (Kind.CLIENT, Kind.SCOPE):
            return
        # Some servers refuse to delete a scope that a client still has.
        if kind is Kind.SCOPE:
            yield from self._pending(self._removed.get((server, kind, address.name), ()))
        trusted = self._trusted.get(server)
        if trusted is None:
            return
        # Its tokens tell the former name until the authorization server has the new one.
        if (new := self._renamed.get(Address(kind, address.name, trusted))) is not None:
            yield new
        if server in self._peers.get(trusted, ()):
            yield from self._lookup(self._narrowing, kind, address.name, (trusted,))
        yield from self._pending(self._removed.get((trusted, kind, address.name), ()))

    def _own_switch(self, server: str) -> Iterator[Address]:
        """The change by which a resource server switches: what clients reach through the new issuer, they reach after that."""
        if (switch := self._switches.get(server)) is not None:
            yield switch

    def _no_longer_granted(self, pair: Address) -> Iterator[Address]:
        """The delete of the association on the trusted server, or of its client there."""
        trusted = self._trusted.get(pair.server)
        if trusted is not None and pair.server in self._checking[trusted]:
            yield from self._lookup(self._narrowing, Kind.ASSOCIATION, pair.name, (trusted,))
            client = Address(Kind.CLIENT, pair.client, trusted)
            if client in self._removed.get((trusted, Kind.SCOPE, pair.scope), ()):
                yield from self._pending((client,))

    def _pending(self, addresses: Sequence[Address]) -> Iterator[Address]:
        return (address for address in addresses if self._stages[address] in _NARROWING)

    def _peers_of(self, server: str) -> Sequence[str]:
        """The resource servers that must delete their object of a name before this server; none with both roles if this one
        has both.
        """
        trusting = self._trusting.get(server, [])
        if self._desired.servers[server].role is not Role.BOTH:
            return trusting
        return [name for name in trusting if self._desired.servers[name].role is Role.RESOURCE]

    @staticmethod
    def _lookup(index: _Names, kind: Kind, name: str, servers: Sequence[str]) -> Iterator[Address]:
        for server in servers:
            found = index.get((kind, server), _NO_NAMES).get(name)
            if found is not None:
                yield found


_NO_NAMES: Final[Mapping[str, Address]] = {}


def _left_by(changes: Sequence[Change]) -> Mapping[str, Sequence[Address]]:
    """The trust changes of resource servers that switch, by the authorization server that they leave."""
    found: dict[str, list[Address]] = defaultdict(list)
    for change in changes:
        before = change.live.value if change.live is not None and switches_issuer(change) else None
        if isinstance(before, Trust) and before.authorization_server:
            found[before.authorization_server].append(change.address)
    return found


def _index_by_name(stages: Mapping[Address, Stage], wanted: frozenset[Stage]) -> _Names:
    index: _Names = defaultdict(dict)
    for address, stage in stages.items():
        if stage in wanted:
            index[address.kind, address.server][address.name] = address
    return dict(index)


def topological(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes in the smallest order, by stage, kind and address, in which each comes after its dependencies.

    Raises OrderCycle.
    """
    listed = _sorted(changes)
    places = {change.address: place for place, change in enumerate(listed)}
    if all(places.get(need, -1) < place for place, change in enumerate(listed) for need in change.depends_on):
        return tuple(listed)
    waiting = [0] * len(listed)
    followers: dict[int, list[int]] = defaultdict(list)
    for place, change in enumerate(listed):
        for need in change.depends_on:
            before = places.get(need)
            if before is not None:
                waiting[place] += 1
                followers[before].append(place)
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


def _sorted(changes: Sequence[Change]) -> Sequence[Change]:
    """By stage, kind, name and server. Kind by kind, so that there are never the keys of all changes at once."""
    groups: dict[tuple[int, int], list[Change]] = defaultdict(list)
    for change in changes:
        stage, rank = change.stage, change.address.kind.rank
        groups[stage.value, -rank if stage in _NARROWING else rank].append(change)
    return [change for key in sorted(groups) for change in sorted(groups[key], key=_name_and_server)]


def _name_and_server(change: Change) -> tuple[str, str]:
    return (change.address.name, change.address.server)


def _circle(listed: Sequence[Change], places: Mapping[Address, int], waiting: Sequence[int]) -> Sequence[Address]:
    """Follow the dependencies until an address repeats."""
    place = next(place for place, count in enumerate(waiting) if count)
    way: list[int] = []
    while place not in way:
        way.append(place)
        needs = (places[need] for need in listed[place].depends_on if need in places)
        place = next(need for need in needs if waiting[need])
    circle = [*way[way.index(place) :], place]
    return [listed[step].address for step in circle]
