"""Reading live: who is asked, for what, and what happens when several don't answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import Conflict, ServersFailed, Unauthorized, Unreachable
from oauthdeploy.model.objects import Association, Client, Object, Revocation, Scope, Settings, Trust
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, Policy, Prune, PrunePolicy
from oauthdeploy.running.read import check_all, read_live, wanted_of
from tests.running.kit import at, desired_state
from tests.running.memory_driver import MemoryDriver, MemoryServer


def two(**roles: Role) -> tuple[Mapping[str, MemoryDriver], MemoryServer, MemoryServer]:
    login, orders = MemoryServer(), MemoryServer()
    drivers = {
        "login": MemoryDriver("login", login, role=roles.get("login", Role.AUTHORIZATION)),
        "orders": MemoryDriver("orders", orders, role=roles.get("orders", Role.RESOURCE)),
    }
    return drivers, login, orders


def with_policy(desired: DesiredState, **prune: Prune) -> DesiredState:
    listed = frozenset({"shop"}) if prune.get("associations") else frozenset[str]()
    return DesiredState(
        desired.name,
        desired.servers,
        desired.objects,
        listed_clients=listed,
        policy=Policy(prune=PrunePolicy(**{"associations": Prune.NONE, **prune})),
    )


def test_each_server_is_asked_only_for_the_kinds_that_the_manifest_names_for_it() -> None:
    """Of other kinds nothing is asked, and a server without any is not read at all."""
    drivers, login, orders = two()
    live = read_live(drivers, desired_state({at("settings@login"): Settings(require_pkce=True)}, drivers))
    assert [wanted.kinds for wanted in login.reads] == [{Kind.SETTINGS}]
    assert orders.reads == []
    assert live.servers["orders"].objects == {}
    assert live.servers["orders"].requests == 0


def test_what_hangs_on_clients_reads_clients_too() -> None:
    """Associations and revocations are kept with the client, whose id only the server knows."""
    drivers, login, orders = two()
    objects: dict[Address, Object] = {
        at("association/shop:read@login"): Association(),
        at("revocation/R1@orders"): Revocation(client="shop"),
    }
    read_live(drivers, desired_state(objects, drivers))
    assert login.reads[0].kinds == {Kind.ASSOCIATION, Kind.CLIENT}
    # Nobody says whom orders trusts, so that is looked at.
    assert orders.reads[0].kinds == {Kind.REVOCATION, Kind.CLIENT, Kind.TRUST}


def test_trust_is_read_when_it_is_wanted() -> None:
    """The pointer of a resource server to its authorization server is a kind like others."""
    drivers, _login, orders = two()
    trust = {at("trust@orders"): Trust(authorization_server="login", via="remote")}
    read_live(drivers, desired_state(trust, drivers))
    assert orders.reads[0].kinds == {Kind.TRUST}


def test_a_scope_that_shall_go_reads_the_associations_that_may_use_it() -> None:
    """A scope in use can't be deleted, so its uses on the authorization server must be seen."""
    drivers, login, orders = two()
    gone = [at("scope/old@login"), at("scope/old@orders")]
    read_live(drivers, desired_state({}, drivers, absent=gone))
    assert login.reads[0].kinds == {Kind.SCOPE, Kind.ASSOCIATION, Kind.CLIENT}
    assert login.reads[0].absent == {gone[0]}
    assert orders.reads[0].kinds == {Kind.SCOPE, Kind.TRUST}


@pytest.mark.parametrize(
    ("prune", "login_kinds", "orders_kinds"),
    [
        ({}, set(), set()),
        ({"clients": Prune.MANAGED}, {Kind.CLIENT}, {Kind.CLIENT}),
        ({"associations": Prune.MANAGED}, {Kind.ASSOCIATION, Kind.CLIENT}, set()),
        ({"scopes": Prune.FULL}, {Kind.SCOPE, Kind.ASSOCIATION, Kind.CLIENT}, {Kind.SCOPE}),
    ],
)
def test_pruning_reads_the_kinds_that_it_prunes_and_all_of_them(
    prune: dict[str, Prune], login_kinds: set[Kind], orders_kinds: set[Kind]
) -> None:
    """What the manifest doesn't name may have to go, so reading by key isn't enough there."""
    drivers, _login, _orders = two()
    desired = with_policy(desired_state({}, drivers), **prune)
    wanted = {name: wanted_of(desired, name, everything=False) for name in drivers}
    assert wanted["login"].kinds == login_kinds
    assert wanted["orders"].kinds == orders_kinds
    assert wanted["login"].everything is bool(login_kinds)


def test_reading_by_key_is_allowed_where_nothing_is_pruned() -> None:
    """Without `everything` a driver may ask for the named objects alone."""
    drivers, _login, _orders = two()
    desired = desired_state({at("scope/read@login"): Scope()}, drivers)
    assert wanted_of(desired, "login", everything=False).everything is False
    assert wanted_of(desired, "login").everything is True


def test_servers_are_asked_at_the_same_time() -> None:
    """Each server waits until the other is being asked too; one after the other would never end."""
    meeting = threading.Barrier(2, timeout=10)

    class Meeting(MemoryDriver):
        def check(self):  # type: ignore[no-untyped-def]
            meeting.wait()
            return super().check()

    drivers = {name: Meeting(name, MemoryServer()) for name in ("login", "orders")}
    assert list(check_all(drivers)) == ["login", "orders"]


def test_one_server_in_trouble_raises_its_own_error() -> None:
    """The class, and so the exit code and the advice, are those of that server's error."""
    drivers, login, _orders = two()
    login.check_error = Unauthorized("The credentials are refused", server="login", status=401)
    with pytest.raises(Unauthorized) as caught:
        check_all(drivers)
    assert caught.value.server == "login"


def test_all_servers_in_trouble_are_named() -> None:
    """One run tells of every server that is down, and 8 wins over other trouble."""
    drivers, login, orders = two()
    login.read_error = Conflict("Busy", server="login", status=409)
    orders.read_error = Unreachable("No answer", server="orders", fix="Start it.")
    desired = desired_state({at("client/shop@login"): Client(), at("client/shop@orders"): Client()}, drivers)
    with pytest.raises(ServersFailed) as caught:
        read_live(drivers, desired)
    error = caught.value
    assert error.members == (login.read_error, orders.read_error)
    assert error.exit_code == 8
    assert "login, orders" in error.summary
    assert "answered 409" in error.detail
    assert error.fix == "Start it."


def test_several_errors_without_a_dead_server_are_an_ordinary_failure() -> None:
    """Exit code 8 is for servers that cannot be reached or refuse the credentials."""
    error = ServersFailed([Conflict("Busy", server="a"), Conflict("Busy", server="b")])
    assert error.exit_code == 1


def test_no_servers_is_no_trouble() -> None:
    """Nothing to ask gives nothing."""
    assert check_all({}) == {}
    assert read_live({}, desired_state({})).objects == {}
