"""Right answers after every single write: random old and new manifests, judged by a small model of each pair of servers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby, pairwise

from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import Rejected, Unreachable
from oauthdeploy.model.objects import Association, Client, Grant, Object, Scope, Trust, Via
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, Policy, PolicyLimits, PrunePolicy
from oauthdeploy.planning.changes import Change, Stage
from oauthdeploy.planning.plan import Plan, build_plan
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.read import read_live
from tests.running.kit import FACTS_BY_DRIVER
from tests.running.memory_driver import MemoryDriver, MemoryServer

SCOPES, CLIENTS, RESOURCES, ISSUERS = ("s", "t", "u"), ("c", "d"), ("f", "g", "h"), ("login", "next")
TRUST = Address.singleton(Kind.TRUST, "orders")
GRANTS = (Grant.CLIENT_CREDENTIALS, Grant.PASSWORD)
Opened = frozenset[tuple[str, str, str]]
"""Clients, the grants by which they get tokens, and the resources that they may call with these."""


class Pairing(StrEnum):
    """What a resource server keeps, and what travels in one request."""

    WEBMETHODS = "scopes and clients, an object to a request; the associations of a client in one"
    KEYCLOAK_OPA = "associations too, a stage to a request; each association of the authorization server by itself"
    KEYCLOAK_WEBMETHODS = "scopes and clients, an object to a request; each association by itself"

    @property
    def checks_associations(self) -> bool:
        return self is Pairing.KEYCLOAK_OPA

    @property
    def via(self) -> Via:
        """By signature, two authorization servers can be trusted at once."""
        return "jwt" if self is Pairing.KEYCLOAK_OPA else "remote"

    def batch(self, server: str, change: Change) -> str:
        if server == "orders" and self is Pairing.KEYCLOAK_OPA:
            return "document"
        if change.address.kind is Kind.ASSOCIATION and self is Pairing.WEBMETHODS:
            return f"scopes of {change.address.client}"
        return str(change.address)


class Trouble(StrEnum):
    """What becomes of one write."""

    REFUSED = "refused, and the run goes on"
    KILLED = "not made, nor any after it"
    LOST = "made, and its answer lost"


@dataclass(frozen=True)
class Manifest:
    """The resources of each scope, the scopes of each client (None: the client is not there, or disabled), and the issuer that
    the resource server trusts, which alone has the clients and scopes.
    """

    scopes: Mapping[str, tuple[str, ...]]
    clients: Mapping[str, tuple[str, ...] | None]
    issuer: str = "login"
    disabled: frozenset[str] = frozenset()
    grants: Mapping[str, tuple[Grant, ...]] = field(default_factory=lambda: dict.fromkeys(CLIENTS, GRANTS))

    def objects(self, pairing: Pairing) -> dict[Address, Object]:
        found: dict[Address, Object] = {TRUST: Trust(authorization_server=self.issuer, via=pairing.via)}
        places = (self.issuer, "orders")
        for name, resources in self.scopes.items():
            found[Address(Kind.SCOPE, name, self.issuer)] = Scope()
            found[Address(Kind.SCOPE, name, "orders")] = Scope(resources=resources)
        for name, scopes in self.clients.items():
            if scopes is None:
                continue
            client = Client(enabled=name not in self.disabled, grants=self.grants[name])
            found |= {Address(Kind.CLIENT, name, place): client for place in places}
            for place in places if pairing.checks_associations else places[:1]:
                found |= {
                    Address.association(name, scope, place): Association() for scope in scopes if scope in self.scopes
                }
        return found


def trusted(objects: Mapping[Address, Object]) -> frozenset[str]:
    """The authorization servers whose tokens the resource server accepts."""
    trust = objects[TRUST]
    assert isinstance(trust, Trust)
    return frozenset({trust.authorization_server, *(trust.also_trusted or ())})


def opened(objects: Mapping[Address, Object]) -> Opened:
    """What clients can reach that ask a trusted authorization server for a token now, with every scope that they may have."""
    return frozenset().union(*(_opened_by(issuer, objects) for issuer in trusted(objects)))


def _opened_by(issuer: str, objects: Mapping[Address, Object]) -> Opened:
    checks = any(address.kind is Kind.ASSOCIATION and address.server == "orders" for address in objects)
    found = set()
    for address in objects:
        if address.kind is not Kind.ASSOCIATION or address.server != issuer:
            continue
        clients = [objects.get(Address(Kind.CLIENT, address.client, place)) for place in (issuer, "orders")]
        scope = objects.get(Address(Kind.SCOPE, address.scope, "orders"))
        asking = objects.get(Address(Kind.CLIENT, address.client, issuer))
        mapped = not checks or Address.association(address.client, address.scope, "orders") in objects
        if mapped and isinstance(scope, Scope) and all(isinstance(c, Client) and c.enabled for c in clients):
            assert isinstance(asking, Client)
            found |= {(address.client, by, one) for by in asking.grants or () for one in scope.resources or ()}
    return frozenset(found)


class Estate:
    """Two authorization servers and a resource server in memory, and what clients could reach after each write."""

    def __init__(self, pairing: Pairing, before: Manifest) -> None:
        self.pairing = pairing
        there = before.objects(pairing)
        self.checks = pairing.checks_associations
        self.stores = {
            name: MemoryServer({address: value for address, value in there.items() if address.server == name})
            for name in (*ISSUERS, "orders")
        }
        self.drivers = {
            name: MemoryDriver(
                name,
                store,
                role=Role.RESOURCE if name == "orders" else Role.AUTHORIZATION,
                batch=lambda change: pairing.batch(change.address.server, change),
            )
            for name, store in self.stores.items()
        }
        self.states = [self.now()]
        self.trusts = [trusted(self.objects)]
        self.writes = 0
        for store in self.stores.values():
            store.after = self._note

    @property
    def objects(self) -> dict[Address, Object]:
        return {address: value for store in self.stores.values() for address, value in store.objects.items()}

    def now(self) -> Opened:
        found = self.objects
        if self.checks:
            # An empty list of a client is one too.
            found.setdefault(Address.association("", "", "orders"), Association())
        return opened(found)

    def _note(self, _change: Change) -> None:
        self.states.append(self.now())
        self.trusts.append(trusted(self.objects))

    def trouble(self, kind: Trouble, number: int) -> None:
        """Let that happen to the write of this number."""
        for store in self.stores.values():
            store.before, store.after = self._before(kind, number), self._after(kind, number)

    def _before(self, kind: Trouble, number: int):  # type: ignore[no-untyped-def]
        def before(change: Change) -> None:
            self.writes += 1
            due = self.writes - 1 >= number if kind is Trouble.KILLED else self.writes - 1 == number
            if due and kind is not Trouble.LOST:
                raise Rejected("No", server=change.address.server, status=400)

        return before

    def _after(self, kind: Trouble, number: int):  # type: ignore[no-untyped-def]
        def after(change: Change) -> None:
            self._note(change)
            if kind is Trouble.LOST and self.writes - 1 == number:
                raise Unreachable("No answer", server=change.address.server, uncertain=True)

        return after

    def wish(self, before: Manifest, after: Manifest) -> DesiredState:
        wanted = after.objects(self.pairing)
        servers = {name: driver.connection.server for name, driver in self.drivers.items()}
        servers["orders"] = servers["orders"].model_copy(update={"authorization_server": after.issuer})
        return DesiredState(
            "shop",
            servers,
            wanted,
            absent=frozenset(before.objects(self.pairing).keys() - wanted.keys()),
            policy=Policy(limits=PolicyLimits(max_deletes="100%", max_updates="100%"), prune=PrunePolicy()),
            associating=frozenset({"orders"} if self.checks else ()),
        )

    def plan(self, desired: DesiredState) -> Plan:
        return build_plan(desired, read_live(self.drivers, desired), FACTS_BY_DRIVER, batch_key=self.pairing.batch)

    def apply(self, plan: Plan, desired: DesiredState) -> bool:
        report = apply_plan(plan, self.drivers, desired=desired, facts=FACTS_BY_DRIVER, verify=False)
        return report.complete


def announced(scopes: Mapping[str, set[str]], *plans: Plan) -> Opened:
    """What plans say to be open for a while though neither manifest allows it; `scopes` are what scopes open before or after."""
    found = set()
    for address, note in ((change.address, change.note) for plan in plans for change in plan.changes):
        for lost in re.findall(r"also open to it by what it gets: (.*?)\.", note):
            found |= {(address.name, by, one) for scope in lost.split(", ") for by in GRANTS for one in scopes[scope]}
        said = re.findall(r"Until ([^.]*?) (?:lost the scope|is changed), also open to it: (.*?)\.", note)
        said += re.findall(r"also open to ([^.:]*?): (.*?)\.", note)
        for clients, resources in said:
            found |= {(c, by, one) for c in clients.split(", ") for by in GRANTS for one in resources.split(", ")}
    return frozenset(found)


def some(names: Iterable[str], most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(tuple(names)), max_size=most, unique=True).map(tuple)


MANIFESTS = st.builds(
    Manifest,
    st.dictionaries(st.sampled_from(SCOPES), some(RESOURCES, 2)),
    st.fixed_dictionaries({name: st.one_of(st.none(), some(SCOPES, 3), some(SCOPES, 3)) for name in CLIENTS}),
    st.sampled_from(ISSUERS),
    some(CLIENTS, 1).map(frozenset),
    st.fixed_dictionaries(dict.fromkeys(CLIENTS, some(GRANTS, 2))),
)
TROUBLES = st.one_of(st.none(), st.tuples(st.sampled_from(Trouble), st.integers(0, 20)))
BOTH: Mapping[str, tuple[str, ...]] = {"c": ("s", "t"), "d": ("s",)}


@example(
    Pairing.WEBMETHODS, Manifest({"s": ("f",), "t": ("g",)}, BOTH), Manifest({"s": ("g",), "t": ("f",)}, BOTH), None
)
@example(
    Pairing.KEYCLOAK_WEBMETHODS,
    Manifest({"s": ("f", "g")}, {"c": ("s",), "d": None}),
    Manifest({"s": ("f",), "t": ("g",)}, {"c": ("s", "t"), "d": None}),
    (Trouble.KILLED, 3),
)
@example(
    Pairing.KEYCLOAK_OPA,
    Manifest({"s": ("f",)}, {"c": ("s",), "d": ("s",)}),
    Manifest({"s": ("f",)}, {"c": ("s",), "d": ("s",)}, "next"),
    (Trouble.KILLED, 4),
)
@example(
    Pairing.WEBMETHODS,
    Manifest({"s": ("f",)}, {"c": ("s",), "d": ("s",)}),
    Manifest({"s": ("f",)}, {"c": ("s",), "d": None}, "next"),
    (Trouble.REFUSED, 2),
)
@example(
    Pairing.WEBMETHODS,
    Manifest({"t": ("h",)}, {"c": None, "d": ("s", "t")}),
    Manifest({"s": ("f", "h"), "t": ("f",)}, {"c": None, "d": ("s",)}, "next"),
    (Trouble.REFUSED, 3),
)
@example(
    Pairing.WEBMETHODS,
    Manifest({}, {"c": (), "d": None}),
    Manifest({"s": ("f",)}, {"c": ("s",), "d": None}, disabled=frozenset({"c"})),
    None,
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(Pairing), MANIFESTS, MANIFESTS, TROUBLES)
def test_every_prefix_of_the_writes_gives_right_answers(
    pairing: Pairing, before: Manifest, after: Manifest, trouble: tuple[Trouble, int] | None
) -> None:
    """No state takes what both manifests allow, or gives what both refuse, unless the plan says so; also where a write is
    refused, where the run is killed, and where a write is made whose answer is lost. One more apply ends it; the next plan is
    empty.
    """
    estate = Estate(pairing, before)
    desired = estate.wish(before, after)
    plan = estate.plan(desired)
    assume(not plan.stops)
    if trouble is not None:
        estate.trouble(*trouble)
        event(trouble[0].name)
    old, new = estate.now(), opened({**after.objects(pairing)})
    estate.apply(plan, desired)
    estate.trouble(Trouble.REFUSED, -1)
    again = estate.plan(desired)
    assert estate.apply(again, desired)
    opening = {name: {*before.scopes.get(name, ()), *after.scopes.get(name, ())} for name in SCOPES}
    known = announced(opening, plan, again)
    assert all(old & new <= state for state in estate.states), (sorted(old & new), estate.states)
    assert all(state - known <= old | new for state in estate.states), (sorted(old | new), known, estate.states)
    if pairing.via == "jwt":
        # No write turns from one to the other: one whose token works is not refused for having got it a moment ago.
        assert all(some & other for some, other in pairwise(estate.trusts)), estate.trusts
    assert estate.trusts[-1] == {after.issuer}
    assert estate.now() == estate.states[-1]
    assert estate.plan(desired).is_empty


SWITCH = (Manifest({"s": ("f",)}, {"c": ("s",), "d": None}), Manifest({"s": ("f",)}, {"c": ("s",), "d": None}, "next"))
OLD, TWO, NEW = frozenset({"login"}), frozenset(ISSUERS), frozenset({"next"})


def changed(trusts: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """Whom the resource server trusts, one after the other."""
    return [next(group) for _, group in groupby(trusts)]


def test_a_resource_server_that_can_trust_two_does_so_while_it_switches() -> None:
    """The plan says it; by introspection it trusts one and then the other."""
    for pairing, expected in ((Pairing.KEYCLOAK_OPA, [OLD, TWO, NEW]), (Pairing.WEBMETHODS, [OLD, NEW])):
        estate = Estate(pairing, SWITCH[0])
        desired = estate.wish(*SWITCH)
        plan = estate.plan(desired)
        (note,) = [change.note for change in plan.changes if change.address == TRUST]
        assert ("In two writes: tokens of login are accepted too until the last stage." in note) is (len(expected) == 3)
        assert estate.apply(plan, desired)
        assert changed(estate.trusts) == expected


def test_what_a_killed_run_still_trusts_is_found_and_ended() -> None:
    """At whichever write it was killed; the way back trusts both again before it leaves the new one."""
    seen = set()
    for number in range(12):
        estate = Estate(Pairing.KEYCLOAK_OPA, SWITCH[0])
        desired = estate.wish(*SWITCH)
        estate.trouble(Trouble.KILLED, number)
        estate.apply(estate.plan(desired), desired)
        seen.add(estate.trusts[-1])
        estate.trouble(Trouble.REFUSED, -1)
        left = estate.plan(desired)
        if estate.trusts[-1] == TWO:
            (change,) = [change for change in left.changes if change.address == TRUST]
            assert [(field.path, field.before, field.after) for field in change.fields] == [
                ("also_trusted", ("login",), ())
            ]
            assert (change.stage, change.interim) == (Stage.NARROW_RESOURCE, None)
            back = estate.wish(SWITCH[1], SWITCH[0])
            assert estate.apply(estate.plan(back), back)
            assert changed(estate.trusts) == [OLD, TWO, OLD]
            assert estate.plan(back).is_empty
        else:
            assert estate.apply(left, desired)
            assert estate.trusts[-1] == NEW
    assert seen == {OLD, TWO, NEW}
