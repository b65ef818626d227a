"""The two-sided order, proved on random manifests and random prior states: a simulated apply never opens a gap."""

from __future__ import annotations

import random as randomness
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Client, Object, Revocation, Scope, Side
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Ownership, Prune, PrunePolicy, TokenCount
from oauthdeploy.planning.changes import Action, Change, Stage
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.server_view import trusted_by

from .builders import (
    ASSOCIATION,
    association,
    authorization_server,
    client,
    desired,
    facts,
    live,
    plan_of,
    resource_server,
    revocation,
    scope,
    there,
)

T = TypeVar("T")
NAMES = ("a", "b", "c")
ESTATES: dict[str, dict[str, Server]] = {
    "one resource server": {"as": authorization_server(), "rs": resource_server()},
    "two resource servers": {"as": authorization_server(), "rs1": resource_server(), "rs2": resource_server()},
    "both roles": {"all": Server(role=Role.BOTH, driver="fake")},
    "both roles, trusted": {"all": Server(role=Role.BOTH, driver="fake"), "rs": resource_server("all")},
    "both roles, trusting": {
        "as": authorization_server(),
        "all": resource_server("as", Role.BOTH),
        "rs": resource_server("all"),
    },
    "each other": {"x": resource_server("y", Role.BOTH), "y": resource_server("x", Role.BOTH)},
}


def issues(server: Server) -> bool:
    return Side.AUTHORIZATION in server.role.sides


@dataclass
class World:
    """What the servers hold, while changes are made one by one."""

    servers: dict[str, Server]
    objects: dict[Address, Object]

    @classmethod
    def of(cls, wanted: DesiredState, state: LiveState) -> World:
        return cls(dict(wanted.servers), {a: o.value for a, o in state.objects.items()})

    def make(self, change: Change) -> None:
        """Do as a server does: refuse what lacks its ends, take associations along with a client."""
        address = change.address
        if change.action is Action.DELETE:
            if address.kind is Kind.SCOPE:
                users = [a for a in self.objects if a.kind is Kind.ASSOCIATION and a.server == address.server]
                assert not [a for a in users if a.scope == address.name], f"{address} is in use when it is deleted"
            if address.kind is Kind.CLIENT:
                self._drop_associations(address)
            assert address in self.objects, f"{address} is not there when it is deleted"
            del self.objects[address]
            return
        if address.kind is Kind.ASSOCIATION:
            assert client(address.client, address.server) in self.objects, f"{address} lacks its client"
            assert scope(address.scope, address.server) in self.objects, f"{address} lacks its scope"
        if change.action is Action.REPLACE:
            self._drop_associations(address)
        if address.kind is not Kind.REVOCATION:
            assert change.desired is not None
            self.objects[address] = change.desired

    def _drop_associations(self, owner: Address) -> None:
        for a in [a for a in self.objects if a.kind is Kind.ASSOCIATION and a.server == owner.server]:
            if a.client == owner.name:
                del self.objects[a]

    def gaps(self, wanted: DesiredState) -> frozenset[tuple[Address, Address]]:
        """What can be asked for at an AS, with the object that a resource server lacks for it."""
        found = set()
        for pair in [a for a in self.objects if a.kind is Kind.ASSOCIATION and issues(self.servers[a.server])]:
            owner = self.objects[client(pair.client, pair.server)]
            if isinstance(owner, Client) and owner.enabled is False:
                continue
            for name in self.servers:
                if trusted_by(wanted, name) == pair.server:
                    needs = [client(pair.client, name), scope(pair.scope, name)]
                    if name in wanted.associating:
                        needs.append(association(pair.client, pair.scope, name))
                    for needed in needs:
                        if needed not in self.objects:
                            found.add((pair, needed))
        return frozenset(found)


@dataclass
class Case:
    wanted: DesiredState
    state: LiveState
    plan: Plan


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A manifest that puts its clients and scopes on all servers, and any consistent prior state."""
    servers = ESTATES[draw(st.sampled_from(sorted(ESTATES)))]
    checking = [name for name, server in servers.items() if not issues(server)]
    associating = frozenset(name for name in checking if draw(st.booleans()))
    some = st.sets(st.sampled_from(NAMES))
    clients, scopes = draw(some), draw(some)
    enabled = {name: draw(st.sampled_from([None, True, False])) for name in sorted(clients)}
    objects: dict[Address, Object] = {}
    for server in servers:
        for name in sorted(clients):
            objects[client(name, server)] = Client() if enabled[name] is None else Client(enabled=enabled[name])
        objects |= {scope(name, server): Scope() for name in sorted(scopes)}
    pairs = st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)))
    asked = {(c, s) for c, s in draw(pairs) if c in clients and s in scopes}
    objects |= {
        association(c, s, name): ASSOCIATION
        for name, e in servers.items()
        if issues(e) or name in associating
        for c, s in sorted(asked)
    }
    absent = {c for c in draw(some) if c not in clients}, {s for s in draw(some) if s not in scopes}
    gone = [client(name, server) for name in absent[0] for server in servers]
    gone += [scope(name, server) for name in absent[1] for server in servers]
    seen, cut = _prior(draw, servers, associating), {}
    if clients and draw(st.sampled_from([True, False])):
        name = min(clients)
        cut = {revocation("r", s): Revocation(client=name, tokens="all", block=tuple(Side)) for s in servers}
        blocked = {s: client(name, s) in seen or None for s in servers}
        seen |= {
            revocation("r", s): there(value, tokens=TokenCount(1, 1), blocked=False if blocked[s] else None)
            for s, value in ((a.server, v) for a, v in cut.items())
        }
    modes = st.sampled_from(Prune)
    wanted = desired(
        objects | cut,
        servers=servers,
        absent=frozenset(gone),
        prune=PrunePolicy(clients=draw(modes), scopes=draw(modes), associations=draw(modes)),
        listed_clients=frozenset(draw(some)),
        listed_scopes=frozenset(draw(some)),
        associating=associating,
    )
    state = live(seen, servers=servers)
    can = facts(without=draw(st.sampled_from([[], [Capability.CLIENT_TYPE_CHANGE]])))
    return Case(wanted, state, plan_of(wanted, state, facts=can))


def _prior(
    draw: st.DrawFn, servers: dict[str, Server], associating: frozenset[str]
) -> dict[Address, Object | LiveObject]:
    found: dict[Address, Object | LiveObject] = {}
    for name, server in servers.items():
        clients, scopes = draw(st.sets(st.sampled_from(NAMES))), draw(st.sets(st.sampled_from(NAMES)))
        for each in sorted(clients):
            marks = draw(st.sampled_from([Ownership.OURS, Ownership.UNMARKED]))
            found[client(each, name)] = there(Client(enabled=draw(st.booleans())), ownership=marks)
        for each in sorted(scopes):
            found[scope(each, name)] = there(
                Scope(), ownership=draw(st.sampled_from([Ownership.OURS, Ownership.UNMARKED]))
            )
        if issues(server) or name in associating:
            pairs = draw(st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))))
            found |= {association(c, s, name): ASSOCIATION for c, s in sorted(pairs) if c in clients and s in scopes}
    return found


def apply(case: Case, changes: Sequence[Change], failing: Address | None) -> World:
    """Make the changes in order, leave out what depends on the failing one, and look for new gaps after each."""
    world = World.of(case.wanted, case.state)
    # A gap of before is nobody's fault; nor is one that neither the prior state nor the plan could close.
    begun = world.gaps(case.wanted)
    known = set(world.objects) | {c.address for c in case.plan.changes if c.action is Action.CREATE}
    left_out = {failing}
    for change in changes:
        if change.address == failing or left_out & set(change.depends_on):
            left_out.add(change.address)
            continue
        world.make(change)
        new = {gap for gap in world.gaps(case.wanted) - begun if gap[1] in known}
        assert not new, f"after {change.action} {change.address}: {[(str(a), str(b)) for a, b in new]}"
    return world


def refused(case: Case) -> bool:
    """What the plan itself says it can't do without a gap."""
    return any(stop.rule == "still-granted" for stop in case.plan.stops)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_no_step_of_an_apply_opens_a_gap(case: Case) -> None:
    """At no moment can an AS issue a token for a client, scope or association that a trusting RS had, or is to get, and lacks.

    Associations count on resource servers that keep them.
    """
    if not refused(case):
        apply(case, case.plan.changes, None)


@settings(max_examples=120, deadline=None)
@given(cases(), st.integers(0, 1000))
def test_no_single_failure_opens_a_gap(case: Case, pick: int) -> None:
    """The same when any one change fails and what depends on it is left out."""
    if case.plan.changes and not refused(case):
        apply(case, case.plan.changes, case.plan.changes[pick % len(case.plan.changes)].address)


@settings(max_examples=120, deadline=None)
@given(cases(), st.integers(0, 1000))
def test_no_client_loses_a_scope_whose_replacement_was_not_made(case: Case, pick: int) -> None:
    """Where any one change fails, a client that was to exchange scopes on a server keeps the old ones or has all new ones."""
    if not case.plan.changes or refused(case):
        return
    failing = case.plan.changes[pick % len(case.plan.changes)].address
    left_out = {failing}
    made: set[Address] = set()
    for change in case.plan.changes:
        if change.address in left_out or left_out & set(change.depends_on):
            left_out.add(change.address)
        else:
            made.add(change.address)
    for change in case.plan.changes:
        if change.address.kind is Kind.ASSOCIATION and change.action is Action.DELETE and change.address in made:
            client_and_server = (change.address.client, change.address.server)
            missing = [
                str(other.address)
                for other in case.plan.changes
                if other.address.kind is Kind.ASSOCIATION
                and other.action is Action.CREATE
                and (other.address.client, other.address.server) == client_and_server
                and other.address not in made
            ]
            assert not missing, f"{change.address} went without {missing}"


def interleaved(changes: Iterable[Change], seed: int) -> list[Change]:
    """Any order that keeps the stages apart and honours depends_on."""
    source = randomness.Random(seed)
    waiting, found = list(changes), list[Change]()
    made: set[Address] = set()
    here = {change.address for change in waiting}
    while waiting:
        stage = min(change.stage for change in waiting)
        ready = [c for c in waiting if c.stage is stage and not (set(c.depends_on) & here) - made]
        chosen = source.choice(ready)
        waiting.remove(chosen)
        made.add(chosen.address)
        found.append(chosen)
    return found


@settings(max_examples=80, deadline=None)
@given(cases(), st.integers())
def test_every_interleaving_of_a_stage_is_safe_and_ends_the_same(case: Case, seed: int) -> None:
    """Changes that don't depend on each other may run at the same time."""
    if refused(case):
        return
    straight = apply(case, case.plan.changes, None)
    mixed = apply(case, interleaved(case.plan.changes, seed), None)
    assert mixed.objects == straight.objects


@settings(max_examples=80, deadline=None)
@given(cases())
def test_the_shape_of_every_plan(case: Case) -> None:
    """Cut-offs come first, stages never go back, what is needed stands before, and dependencies are in the plan."""
    stages = [change.stage for change in case.plan.changes]
    assert stages == sorted(stages)
    seen: set[Address] = set()
    for change in case.plan.changes:
        assert set(change.depends_on) <= seen
        cut = change.stage in (Stage.CUT_OFF_RESOURCE, Stage.CUT_OFF_AUTHORIZATION)
        assert cut == (change.action in (Action.REVOKE, Action.DISABLE))
        seen.add(change.address)


@settings(max_examples=80, deadline=None)
@given(cases(), st.integers())
def test_a_plan_does_not_depend_on_the_order_of_its_input(case: Case, seed: int) -> None:
    """Equal input gives an equal plan, whatever order the manifest and the servers' answers came in."""
    source = randomness.Random(seed)

    def mixed(items: Iterable[tuple[Address, T]]) -> dict[Address, T]:
        listed = list(items)
        source.shuffle(listed)
        return dict(listed)

    wanted = desired(
        mixed(case.wanted.objects.items()),
        servers=dict(reversed(list(case.wanted.servers.items()))),
        absent=case.wanted.absent,
        prune=case.wanted.policy.prune,
        listed_clients=case.wanted.listed_clients,
        listed_scopes=case.wanted.listed_scopes,
        associating=case.wanted.associating,
    )
    state = live(mixed(case.state.objects.items()), servers=reversed(list(case.state.servers)))
    can_change = all(change.action is not Action.REPLACE for change in case.plan.changes)
    if can_change:
        assert plan_of(wanted, state) == case.plan


@settings(max_examples=80, deadline=None)
@given(cases())
def test_after_an_apply_there_is_nothing_left_to_do(case: Case) -> None:
    """A second plan is empty of everything but cut-offs, whose tokens the simulation doesn't keep."""
    if refused(case):
        return
    world = apply(case, case.plan.changes, None)
    marks = case.state.objects
    after = {
        a: there(v, ownership=marks[a].ownership if a in marks else Ownership.OURS) for a, v in world.objects.items()
    }
    rest = plan_of(case.wanted, live(after, servers=case.wanted.servers)).changes
    assert [str(c.address) for c in rest if c.address.kind is not Kind.REVOCATION] == []


def test_the_simulation_sees_a_gap() -> None:
    """The proof is worth something: the same plan in a wrong order is caught."""
    servers = ESTATES["one resource server"]
    objects = [client("a"), scope("b"), association("a", "b"), client("a", "rs"), scope("b", "rs")]
    wanted, state = desired(objects, servers=servers), live(servers=servers)
    case = Case(wanted, state, plan_of(wanted, state))
    late = [change for change in case.plan.changes if change.address.server == "rs"]
    early = [change for change in case.plan.changes if change.address.server == "as"]
    with pytest.raises(AssertionError, match="after create association/a:b@as"):
        apply(case, [*early, *late], None)


@pytest.mark.parametrize("there_before", [False, True])
def test_the_simulation_sees_a_missing_association(there_before: bool) -> None:
    """A resource server that keeps associations gets one before the AS grants it, and loses it after the AS stopped."""
    pairs = [association("a", "b"), association("a", "b", "rs")]
    rest = [client("a"), scope("b"), client("a", "rs"), scope("b", "rs")]
    wanted = desired(
        rest if there_before else [*rest, *pairs],
        servers=ESTATES["one resource server"],
        listed_clients=frozenset({"a"}),
        associating=frozenset({"rs"}),
    )
    state = live([*rest, *pairs] if there_before else rest, servers=wanted.servers)
    case = Case(wanted, state, plan_of(wanted, state))
    order = ["as", "rs"] if there_before else ["rs", "as"]
    assert [change.address.server for change in case.plan.changes] == order
    apply(case, case.plan.changes, None)
    with pytest.raises(AssertionError, match="association/a:b@"):
        apply(case, case.plan.changes[::-1], None)
    apply(case, case.plan.changes, case.plan.changes[0].address)
