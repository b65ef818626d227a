"""What is taken in exchange for something waits until that is given: in order, on failure, and under --target and --exclude."""

from __future__ import annotations

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Client, ClientSecret, Scope, Trust
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.selection import restrict_to, select

from .builders import (
    ASSOCIATION,
    FULL,
    OURS,
    actions,
    association,
    by_address,
    client,
    desired,
    facts,
    live,
    plan_of,
    scope,
    there,
    trust,
)

NO_NAMES = Names(desired(), live())


def needs(plan: Plan, address: Address) -> set[str]:
    """What a change waits for, as written addresses."""
    return {str(needed) for needed in by_address(plan.changes)[str(address)].depends_on}


def exchange() -> Plan:
    """`web: [read]` becomes `web: [v2]`, and v2 is still to be made."""
    wanted = desired(
        [client("web"), scope("read"), scope("v2"), association("web", "v2")], listed_clients=frozenset({"web"})
    )
    return plan_of(wanted, live([client("web"), scope("read"), association("web", "read")]))


def test_an_association_goes_after_the_one_that_comes_for_it() -> None:
    """A client whose new scope can't be made keeps the old one."""
    plan = exchange()
    assert actions(plan.changes) == {
        "scope/v2@as": "create",
        "association/web:v2@as": "create",
        "association/web:read@as": "delete",
    }
    assert needs(plan, association("web", "read")) == {"association/web:v2@as"}


def test_what_goes_on_a_server_of_both_roles_is_in_no_earlier_stage_than_what_comes_for_it() -> None:
    """The client is disabled first, on the resource side; so its new scope comes there too, and the old one goes after that."""
    both = {"all": Server(role=Role.BOTH, driver="fake", authorization_server="all")}
    web = client("web", "all")
    old, new = (association("web", name, "all") for name in ("read", "v2"))
    names = [scope("read", "all"), scope("v2", "all")]
    wanted = desired(
        {web: Client(enabled=False), **{name: Scope() for name in names}, new: ASSOCIATION},
        servers=both,
        listed_clients=frozenset({"web"}),
    )
    state = {web: Client(enabled=True), **{name: Scope() for name in names}, old: ASSOCIATION}
    plan = plan_of(wanted, live(state, servers=["all"]))
    assert [str(change.address) for change in plan.changes] == [
        "client/web@all",
        "association/web:v2@all",
        "association/web:read@all",
    ]
    stages = [change.stage for change in plan.changes]
    assert stages == sorted(stages)


def test_an_association_that_goes_for_nothing_waits_for_nothing() -> None:
    """Pure narrowing, and what another client gets, hold nothing up."""
    wanted = desired(
        [client("web"), client("app"), scope("read"), association("app", "read")],
        listed_clients=frozenset({"web", "app"}),
    )
    plan = plan_of(wanted, live([client("web"), client("app"), scope("read"), association("web", "read")]))
    assert needs(plan, association("web", "read")) == set()


def test_excluding_what_comes_keeps_what_goes() -> None:
    """Half an exchange is never made: the exclusion of the new association, of its scope or of its client shields the old."""
    for pattern in ("association/web:v2@as", "scope/v2"):
        plan = select(exchange(), (), (pattern,), NO_NAMES)
        assert "association/web:read@as" not in actions(plan.changes)
        assert any(f.rule == "exclude-shielded" and f.address == "association/web:read@as" for f in plan.diagnostics)
    assert actions(select(exchange(), (), ("association/web:read",), NO_NAMES).changes).keys() == {
        "scope/v2@as",
        "association/web:v2@as",
    }


def test_targeting_what_goes_pulls_in_what_comes() -> None:
    """`--target` of the old association, and a resumed run that is about it alone, make the new one first."""
    whole = set(actions(exchange().changes))
    assert set(actions(select(exchange(), ("association/web:read@as",), (), NO_NAMES).changes)) == whole
    assert set(actions(restrict_to(exchange(), {association("web", "read")}).changes)) == whole


def test_a_resource_goes_from_a_scope_after_it_came_to_another_and_clients_can_ask_for_that() -> None:
    """A service that moves to another scope is open by one of them at every moment."""
    there_before = {
        scope("old", "rs"): Scope(resources=("a", "b")),
        scope("old"): Scope(),
        client("web"): Client(),
        client("web", "rs"): Client(),
        association("web", "old"): ASSOCIATION,
    }
    wanted = desired(
        {
            scope("old", "rs"): Scope(resources=("a",)),
            scope("new", "rs"): Scope(resources=("b",)),
            scope("old"): Scope(),
            scope("new"): Scope(),
            client("web"): Client(),
            client("web", "rs"): Client(),
            association("web", "old"): ASSOCIATION,
            association("web", "new"): ASSOCIATION,
        }
    )
    plan = plan_of(wanted, live(there_before))
    assert needs(plan, scope("old", "rs")) == {"scope/new@rs", "association/web:new@as"}
    gone = replace(wanted, absent=frozenset({scope("old", "rs")}), objects=dict(wanted.objects))
    gone = replace(gone, objects={a: o for a, o in gone.objects.items() if a != scope("old", "rs")})
    assert "scope/new@rs" in needs(plan_of(gone, live(there_before)), scope("old", "rs"))


def test_scopes_that_swap_resources_do_not_wait_for_each_other() -> None:
    """Two objects that both take and give are made side by side; there is no circle."""
    wanted = desired({scope("x"): Scope(resources=("b",)), scope("y"): Scope(resources=("a",))})
    plan = plan_of(wanted, live({scope("x"): Scope(resources=("a",)), scope("y"): Scope(resources=("b",))}))
    assert needs(plan, scope("x")) == needs(plan, scope("y")) == set()


def test_a_redirect_uri_goes_from_a_client_after_it_came_to_another() -> None:
    """The address at which users come back belongs to one client or the other at every moment."""
    wanted = desired(
        {
            client("old"): Client(redirect_uris=("https://a.example/cb",)),
            client("new"): Client(redirect_uris=("https://b.example/cb",)),
        }
    )
    before = {client("old"): Client(redirect_uris=("https://a.example/cb", "https://b.example/cb"))}
    assert needs(plan_of(wanted, live(before)), client("old")) == {"client/new@as"}


def test_a_client_goes_after_the_client_that_takes_its_place() -> None:
    """The same name, redirect URI, or a rename that the server can't make: the new client and its scopes come first."""
    uri = ("https://a.example/cb",)
    cases = [
        (Client(name="Shop"), Client(name="Shop"), {}),
        (Client(redirect_uris=uri), Client(redirect_uris=uri), {}),
        (Client(), Client(), {client("new"): "old"}),
    ]
    for before, after, moved in cases:
        wanted = desired(
            {client("new"): after, scope("s"): Scope(), association("new", "s"): ASSOCIATION},
            absent=frozenset({client("old")}) if not moved else frozenset(),
            moved=moved,
        )
        state = live({client("old"): before, scope("s"): Scope()})
        plan = plan_of(wanted, state, facts=facts(without=[Capability.CLIENT_RENAME]))
        assert needs(plan, client("old")) == {"client/new@as", "association/new:s@as"}


def test_a_client_that_nobody_follows_waits_for_no_new_client() -> None:
    """A removal is not held up by a client that has nothing to do with it."""
    wanted = desired({client("new"): Client(name="New")}, prune=FULL)
    plan = plan_of(wanted, live({client("old"): there(Client(name="Old"), **OURS)}))
    assert needs(plan, client("old")) == set()


def test_a_secret_changes_after_the_resource_server_that_uses_it_knows_the_new_one() -> None:
    """Where the resource server can't be told, the client by which it introspects keeps its secret."""
    new = Secret("new", "env:RS")
    wanted = desired(
        {
            trust(): Trust(authorization_server="as", via="external", client_id="orders-rs", client_secret=new),
            client("orders-rs"): Client(secret=ClientSecret(value=new, revision=2)),
        }
    )
    old = Secret("old", "env:RS")
    state = live(
        {
            trust(): Trust(authorization_server="as", via="external", client_id="orders-rs", client_secret=old),
            client("orders-rs"): Client(secret=ClientSecret(value=old, revision=1)),
        }
    )
    assert needs(plan_of(wanted, state), client("orders-rs")) == {"trust@rs"}
