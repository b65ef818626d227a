"""Stages, dependencies and cycles."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.objects import Client, ClientTokens, Revocation, Scope, Settings, Side, Trust
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.planning.changes import Action, Change, Reason, Stage
from oauthdeploy.planning.ordering import OrderCycle, topological

from .builders import (
    ASSOCIATION,
    association,
    authorization_server,
    by_address,
    client,
    desired,
    empty,
    live,
    plan_of,
    resource_server,
    revocation,
    scope,
    settings,
    there,
    tokens,
    trust,
)

EVERYTHING = [
    scope("s"),
    client("x"),
    association("x", "s"),
    scope("s", "rs"),
    client("x", "rs"),
]


def test_a_first_apply_widens_the_resource_server_first() -> None:
    """Trust, scopes, clients on the RS; then settings, scopes, clients, associations on the AS."""
    wanted = desired(EVERYTHING)
    objects = {
        **wanted.objects,
        trust(): Trust(authorization_server="as", via="remote"),
        settings(): Settings(require_https=True),
    }
    plan = plan_of(replace(wanted, objects=objects), live())
    assert [(str(change.address), change.stage) for change in plan.changes] == [
        ("trust@rs", Stage.WIDEN_RESOURCE),
        ("scope/s@rs", Stage.WIDEN_RESOURCE),
        ("client/x@rs", Stage.WIDEN_RESOURCE),
        ("settings@as", Stage.WIDEN_AUTHORIZATION),
        ("scope/s@as", Stage.WIDEN_AUTHORIZATION),
        ("client/x@as", Stage.WIDEN_AUTHORIZATION),
        ("association/x:s@as", Stage.WIDEN_AUTHORIZATION),
    ]
    found = by_address(plan.changes)
    assert found["association/x:s@as"].depends_on == (scope("s"), scope("s", "rs"), client("x"), client("x", "rs"))
    assert found["client/x@as"].depends_on == (client("x", "rs"),)
    assert found["scope/s@rs"].depends_on == (trust(),)
    assert found["settings@as"].depends_on == ()


TWO_ISSUERS = {"old": authorization_server(), "new": authorization_server(), "rs": resource_server("new")}


def test_a_resource_server_turns_to_another_authorization_server_once_that_one_holds_everything() -> None:
    """The new one is filled, the resource server turns, the old one is emptied; each only where the step before was made."""
    filled = [scope("s", "new"), client("x", "new"), association("x", "s", "new")]
    emptied = [client("x", "old"), scope("s", "old")]
    wanted = desired([*filled, scope("s", "rs")], servers=TWO_ISSUERS, absent=frozenset(emptied))
    wanted = replace(wanted, objects={**wanted.objects, trust(): Trust(authorization_server="new", via="remote")})
    there_before = {
        trust(): Trust(authorization_server="old", via="remote"),
        **{address: empty(address) for address in [*emptied, association("x", "s", "old")]},
    }
    plan = plan_of(wanted, live(there_before, servers=TWO_ISSUERS))
    stages = [(str(change.address), change.stage) for change in plan.changes]
    assert stages[:4] == [
        ("scope/s@rs", Stage.WIDEN_RESOURCE),
        ("scope/s@new", Stage.WIDEN_AUTHORIZATION),
        ("client/x@new", Stage.WIDEN_AUTHORIZATION),
        ("association/x:s@new", Stage.WIDEN_AUTHORIZATION),
    ]
    assert stages[4:] == [
        ("trust@rs", Stage.SWITCH_TRUST),
        ("client/x@old", Stage.NARROW_AUTHORIZATION),
        ("scope/s@old", Stage.NARROW_AUTHORIZATION),
    ]
    found = by_address(plan.changes)
    assert set(found["trust@rs"].depends_on) == set(filled)
    assert trust() in found["client/x@old"].depends_on
    assert trust() in found["scope/s@old"].depends_on


def test_a_resource_server_that_trusted_only_itself_gets_its_trust_first() -> None:
    """It has nobody to turn from, and its scopes are of no use before."""
    wanted = desired([scope("s", "rs"), scope("s")])
    wanted = replace(wanted, objects={**wanted.objects, trust(): Trust(authorization_server="as", via="remote")})
    plan = plan_of(wanted, live({trust(): Trust(authorization_server="rs", via="local")}))
    found = by_address(plan.changes)
    assert found["trust@rs"].stage is Stage.WIDEN_RESOURCE
    assert found["scope/s@rs"].depends_on == (trust(),)


def test_a_removal_narrows_the_authorization_server_first() -> None:
    """Associations, clients, scopes on the AS; then clients and scopes on the RS, each after its like on the AS."""
    wanted = desired(absent=frozenset(EVERYTHING) - {association("x", "s")})
    plan = plan_of(wanted, live(EVERYTHING))
    assert [str(change.address) for change in plan.changes] == [
        "client/x@as",
        "scope/s@as",
        "client/x@rs",
        "scope/s@rs",
    ]
    found = by_address(plan.changes)
    assert found["scope/s@as"].depends_on == (client("x"),)
    assert found["client/x@rs"].depends_on == (client("x"),)
    assert found["scope/s@rs"].depends_on == (scope("s"), client("x"))


def test_a_scope_goes_after_its_associations_on_both_sides() -> None:
    """The AS stops granting before the RS drops the scope."""
    wanted = desired([client("x"), client("x", "rs")], absent=frozenset({scope("s"), scope("s", "rs")}))
    found = by_address(plan_of(wanted, live(EVERYTHING)).changes)
    assert list(found) == ["association/x:s@as", "scope/s@as", "scope/s@rs"]
    assert found["scope/s@as"].depends_on == (association("x", "s"),)
    assert found["scope/s@rs"].depends_on == (scope("s"), association("x", "s"))


@pytest.mark.parametrize(
    ("wanted", "seen", "stage"),
    [
        (Client(enabled=False), Client(enabled=True), Stage.NARROW_AUTHORIZATION),
        (Client(enabled=True), Client(enabled=False), Stage.WIDEN_AUTHORIZATION),
        (Client(enabled=False, description="x"), Client(enabled=True), Stage.NARROW_AUTHORIZATION),
        (Client(redirect_uris=("https://a",)), Client(redirect_uris=("https://b",)), Stage.WIDEN_AUTHORIZATION),
        (Client(description="x"), Client(), Stage.WIDEN_AUTHORIZATION),
    ],
)
def test_only_pure_narrowing_waits(wanted: Client, seen: Client, stage: Stage) -> None:
    """An update that widens anything is made in the widening half."""
    (change,) = plan_of(desired({client("x"): wanted}), live({client("x"): seen})).changes
    assert change.stage is stage


def test_settings_are_tightened_before_clients_are_made() -> None:
    """Tighter settings must hold before there is a new client."""
    wanted = desired({settings(): Settings(require_pkce=True), client("x"): Client()})
    plan = plan_of(wanted, live({settings(): Settings(require_pkce=False)}))
    assert [str(change.address) for change in plan.changes] == ["settings@as", "client/x@as"]


def test_cut_offs_come_first_and_everything_about_the_client_waits_for_them() -> None:
    """RS block, AS token deletion, then the rest."""
    cut = Revocation(client="x", tokens="all", block=(Side.RESOURCE,))
    on_as, on_rs = revocation("R"), revocation("R", "rs")
    wanted = desired({on_as: cut, on_rs: cut, scope("s"): Scope()}, absent=frozenset({client("x"), client("x", "rs")}))
    seen = {
        on_as: there(cut, tokens=tokens(2)),
        on_rs: there(cut, blocked=False),
        client("x"): Client(),
        client("x", "rs"): Client(),
    }
    plan = plan_of(wanted, live(seen))
    assert [str(change.address) for change in plan.changes] == [
        "revocation/R@rs",
        "revocation/R@as",
        "scope/s@as",
        "client/x@as",
        "client/x@rs",
    ]
    found = by_address(plan.changes)
    assert found["client/x@as"].depends_on == (on_as,)
    assert found["client/x@rs"].depends_on == (client("x"), on_rs)
    assert found["revocation/R@as"].depends_on == ()


def test_a_client_that_may_do_more_waits_for_what_it_is_associated_with() -> None:
    """Enabling a client opens all its associations at once."""
    wanted = desired({client("x"): Client(enabled=True), scope("s", "rs"): Scope(), client("x", "rs"): Client()})
    seen = {client("x"): Client(enabled=False), scope("s"): Scope(), association("x", "s"): ASSOCIATION}
    found = by_address(plan_of(wanted, live(seen)).changes)
    assert set(found["client/x@as"].depends_on) == {scope("s", "rs"), client("x", "rs")}


def test_a_server_of_both_roles_grants_last() -> None:
    """Its scopes and clients are made with the resource servers, its associations with the authorization servers."""
    servers = {"all": Server(role=Role.BOTH, driver="fake"), "rs": resource_server("all")}
    objects = [scope("s", "all"), client("x", "all"), association("x", "s", "all"), scope("s", "rs"), client("x", "rs")]
    plan = plan_of(desired(objects, servers=servers), live(servers=servers))
    assert [str(change.address) for change in plan.changes] == [
        "scope/s@rs",
        "scope/s@all",
        "client/x@rs",
        "client/x@all",
        "association/x:s@all",
    ]
    assert plan.changes[-1].stage is Stage.WIDEN_AUTHORIZATION


RS_PAIR = association("x", "s", "rs")
KEEPING = frozenset({"rs"})


def test_a_resource_server_that_keeps_associations_gets_them_first_and_loses_them_last() -> None:
    """RS association before the AS's, behind its own ends; and the other way round when it goes."""
    plan = plan_of(desired([*EVERYTHING, RS_PAIR], associating=KEEPING), live())
    assert [str(change.address) for change in plan.changes][:4] == [
        "scope/s@rs",
        "client/x@rs",
        "association/x:s@rs",
        "scope/s@as",
    ]
    found = by_address(plan.changes)
    assert found["association/x:s@rs"].depends_on == (scope("s", "rs"), client("x", "rs"))
    assert RS_PAIR in found["association/x:s@as"].depends_on
    ends = [address for address in EVERYTHING if address != association("x", "s")]
    wanted = desired(ends, listed_clients=frozenset({"x"}), associating=KEEPING)
    gone = by_address(plan_of(wanted, live([*EVERYTHING, RS_PAIR])).changes)
    assert list(gone) == ["association/x:s@as", "association/x:s@rs"]
    assert gone["association/x:s@rs"].depends_on == (association("x", "s"),)


def test_an_association_of_a_resource_server_waits_for_the_client_that_takes_the_other_along() -> None:
    """A client's delete on the AS ends what it was associated with; until then the RS keeps its association."""
    wanted = desired(
        [scope("s"), scope("s", "rs"), client("x", "rs")],
        absent=frozenset({client("x")}),
        listed_clients=frozenset({"x"}),
        associating=KEEPING,
    )
    found = by_address(plan_of(wanted, live([*EVERYTHING, RS_PAIR])).changes)
    assert list(found) == ["client/x@as", "association/x:s@rs"]
    assert found["association/x:s@rs"].depends_on == (client("x"),)


def test_a_client_that_may_do_more_waits_for_the_associations_of_resource_servers() -> None:
    """Enabling a client opens all that it is associated with, so the RS must have the associations."""
    wanted = desired({client("x"): Client(enabled=True), **dict.fromkeys([RS_PAIR], ASSOCIATION)}, associating=KEEPING)
    seen = [scope("s"), association("x", "s"), scope("s", "rs"), client("x", "rs")]
    state = live({**dict.fromkeys(seen, ASSOCIATION), client("x"): Client(enabled=False), client("x", "rs"): Client()})
    assert by_address(plan_of(wanted, state).changes)["client/x@as"].depends_on == (RS_PAIR,)


def change(address: Address, *needs: Address, stage: Stage = Stage.WIDEN_RESOURCE) -> Change:
    return Change(address, Action.CREATE, Reason.MISSING, stage, depends_on=needs)


def test_a_cycle_is_named_address_by_address() -> None:
    """Who waits for whom, the first again at the end."""
    a, b, c, outside = (client(name) for name in "abcd")
    with pytest.raises(OrderCycle) as caught:
        topological([change(outside, a), change(a, b), change(b, c), change(c, a)])
    assert caught.value.addresses[0] == caught.value.addresses[-1]
    assert set(caught.value.addresses) == {a, b, c}
    assert "client/a@as waits for client/b@as waits for client/c@as waits for client/a@as" in caught.value.detail
    assert caught.value.rule == "order-cycle"


def test_the_order_is_the_first_that_honours_what_is_needed() -> None:
    """By stage, kind and address, except where something must wait."""
    a, b, c = (client(name) for name in "abc")
    assert [str(x.address) for x in topological([change(c), change(b), change(a, c)])] == [
        "client/b@as",
        "client/c@as",
        "client/a@as",
    ]


def test_what_is_not_in_the_plan_is_not_waited_for() -> None:
    """A part of a plan has an order too."""
    assert len(topological([change(client("a"), client("gone"))])) == 1


def test_narrowing_a_lifetime_waits_for_the_widening_half() -> None:
    """Both halves of a plan keep their places."""
    wanted = desired({client("x"): Client(tokens=ClientTokens(access_lifetime=60)), client("y"): Client()})
    plan = plan_of(wanted, live({client("x"): Client(tokens=ClientTokens(access_lifetime=600))}))
    assert [str(each.address) for each in plan.changes] == ["client/y@as", "client/x@as"]
