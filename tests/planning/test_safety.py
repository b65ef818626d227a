"""Safety stops: shown in a plan, with numbers, and lifted one rule at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import UsageError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret, Grant, Object, Revocation, Scope, Side, Trust
from oauthdeploy.model.servers import Introspection
from oauthdeploy.model.state import DesiredState, LiveState, PolicyLimits, Prune, PrunePolicy
from oauthdeploy.planning.changes import Change, Lockout
from oauthdeploy.planning.safety import parse_limit

from .builders import (
    FOREIGN,
    FULL,
    association,
    authorization_server,
    client,
    desired,
    live,
    plan_of,
    resource_server,
    revocation,
    scope,
    there,
    tokens,
    trust,
)


def stops(wanted: DesiredState, state: LiveState, **more: Any) -> list[str]:
    return [item.rule for item in plan_of(wanted, state, **more).stops]


def details(wanted: DesiredState, state: LiveState, **more: Any) -> str:
    return "\n".join(item.detail for item in plan_of(wanted, state, **more).stops)


def population(count: int) -> list[Address]:
    return [client(f"c{number:03}") for number in range(count)]


def deleting(count: int, **limits: Any) -> DesiredState:
    return desired(absent=frozenset(population(count)), limits=PolicyLimits(**limits))


# -- thresholds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "gone", "living", "stopped"),
    [
        ({}, 6, 20, False),  # 30% is allowed
        ({}, 7, 20, True),
        ({}, 8, 9, False),  # below the minimum population a share means nothing
        ({}, 9, 9, True),  # but all of them are all of them
        ({}, 1, 1, False),  # and one is named
        ({}, 10, 10, True),
        ({"max_deletes": "3"}, 3, 100, False),
        ({"max_deletes": "3"}, 4, 5, True),  # a count counts in any population
        ({"max_deletes": "0"}, 1, 1, True),
        ({"max_deletes": "0%", "minimum_population": 0}, 1, 100, True),
        ({"max_deletes": "100%"}, 50, 50, False),
    ],
)
def test_too_many_deletes(limits: dict[str, Any], gone: int, living: int, stopped: bool) -> None:
    """A share of the live population from its minimum on, or a count."""
    assert stops(deleting(gone, **limits), live(population(living))) == (["too-many-deletes"] if stopped else [])


def test_the_numbers_are_in_the_message() -> None:
    """How many, of how many, where, and what the limit is."""
    said = details(deleting(7), live(population(20)))
    assert said == "7 of 20 clients on as would be deleted, which is 35%; the limit is 30%."


def test_servers_and_kinds_are_counted_apart() -> None:
    """A small server that loses everything is not hidden by a big one that loses nothing."""
    on_rs = [client(f"c{number}", "rs") for number in range(10)]
    wanted = desired(absent=frozenset(on_rs))
    assert details(wanted, live([*population(100), *on_rs])).startswith("10 of 10 clients on rs")


def test_too_many_updates() -> None:
    """Updates have a limit of their own."""
    seen: dict[Address, Object] = {address: Client(name="old") for address in population(10)}
    for count, expected in ((6, []), (7, ["too-many-updates"])):
        wanted = desired({address: Client(name="new") for address in population(count)})
        assert stops(wanted, live(seen)) == expected


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 100))
def test_a_share_stops_exactly_above_it(gone: int, living: int, share: int) -> None:
    """No rounding lets one more through."""
    gone = min(gone, living)
    wanted = deleting(gone, max_deletes=f"{share}%", minimum_population=0)
    assert bool(stops(wanted, live(population(living)))) == (
        gone / living > share / 100 and gone * 100 > share * living
    )


@pytest.mark.parametrize("text", ["", "%", "-1", "1.5%", "30 %", "abc", "99999999999", "٣%"])
def test_a_limit_that_is_none_is_a_usage_error(text: str) -> None:
    """`--max-deletes` comes from the command line; nonsense must not pass as 'no limit'."""
    with pytest.raises(UsageError):
        parse_limit(text)


# -- protected, foreign -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "stopped"),
    [
        ("client/admin-*", True),
        ("client/admin-x@as", True),
        ("client/admin-x@rs", False),
        ("client/admin", False),
        ("*", True),
    ],
)
def test_protected_objects_are_matched_with_and_without_their_server(pattern: str, stopped: bool) -> None:
    """A pattern without @server holds on every server."""
    wanted = desired(absent=frozenset({client("admin-x")}), protect=(pattern,))
    assert ("protected-object" in stops(wanted, live([client("admin-x")]))) is stopped


def test_a_protected_association_is_not_lost_with_its_client() -> None:
    """What goes along with a client is deleted too."""
    wanted = desired([scope("s")], absent=frozenset({client("x")}), protect=("association/x:*",))
    assert stops(wanted, live([client("x"), scope("s"), association("x", "s")])) == ["protected-object"]


def test_a_protected_object_may_be_updated() -> None:
    """Protection is against deletion."""
    wanted = desired({client("x"): Client(name="a")}, protect=("*",))
    assert stops(wanted, live({client("x"): Client(name="b")})) == []


def test_foreign_objects_stop_updates_deletes_and_new_associations() -> None:
    """Another manifest's object is touched only behind a stop; creating beside it is free."""
    theirs = there(Client(name="b"), **FOREIGN)
    update = desired({client("x"): Client(name="a")})
    assert stops(update, live({client("x"): theirs})) == ["foreign-ownership"]
    assert "marked as 'somebody', not as 'estate'" in details(update, live({client("x"): theirs}))
    assert stops(desired(absent=frozenset({client("x")})), live({client("x"): theirs})) == ["foreign-ownership"]
    associated = desired({client("x"): Client(), scope("s"): Scope(), association("x", "s"): _assoc()})
    assert stops(associated, live({client("x"): theirs, scope("s"): Scope()})) == ["foreign-ownership"]
    assert stops(desired([client("y")]), live({client("x"): theirs})) == []


def _assoc() -> Object:
    return desired([association("x", "s")]).objects[association("x", "s")]


# -- empty ------------------------------------------------------------------------------------------------------------


def test_an_empty_manifest_that_prunes_is_stopped() -> None:
    """The wrong file must not delete everything."""
    seen = live([client("x"), scope("s")])
    assert stops(desired(prune=FULL), seen) == ["empty-manifest"]
    assert stops(desired(), seen) == []


def test_an_empty_section_that_prunes_is_stopped() -> None:
    """So must not a section that came out empty; a section that names what goes is no accident."""
    seen = live([client("x"), scope("s")])
    assert stops(desired([scope("s")], prune=FULL), seen) == ["empty-section"]
    assert stops(desired([scope("s"), client("y")], prune=FULL), seen) == []
    assert stops(desired([scope("s")], prune=FULL, absent=frozenset({client("x")})), seen) == []


def test_a_section_is_empty_for_each_server() -> None:
    """What the manifest wants on one server guards nothing on another, and what it wants gone guards nothing at all."""
    seen = live([client(name, server) for name in "abc" for server in ("as", "rs")] + [scope("s"), scope("s", "rs")])
    kept = [scope("s"), scope("s", "rs"), client("a", "rs")]
    wanted = desired(kept, prune=PrunePolicy(clients=Prune.FULL), absent=frozenset({client("a")}))
    assert sorted(stops(wanted, seen)) == ["empty-section", "too-many-deletes"]
    assert "No client is written for as, and 2 there are to be deleted." in details(wanted, seen)
    assert stops(desired([*kept, client("a")], prune=PrunePolicy(clients=Prune.FULL)), seen) == []


def test_a_list_that_is_written_empty_is_meant() -> None:
    """`{client: x, scopes: []}` takes all of them away, on purpose."""
    ends = [client("x"), scope("s")]
    wanted = desired(ends, listed_clients=frozenset({"x"}), prune=PrunePolicy(associations=Prune.MANAGED))
    plan = plan_of(wanted, live([*ends, association("x", "s")]))
    assert (len(plan.changes), list(plan.stops)) == (1, [])


# -- self-lockout -----------------------------------------------------------------------------------------------------

SELF: list[tuple[Client | None, bool]] = [
    (None, True),  # deleted
    (Client(enabled=False), True),
    (Client(grants=()), True),
    (Client(secret=ClientSecret(value=Secret("n", "env:N"))), True),
    (Client(description="x"), False),
    (Client(redirect_uris=("https://a.example",)), False),
]


@pytest.mark.parametrize(("wanted", "stopped"), SELF)
@pytest.mark.parametrize("account", ["tool", "id-7", "Deployer"])
def test_the_tool_does_not_shut_itself_out(wanted: Client | None, stopped: bool, account: str) -> None:
    """Its client is known by key, by the server's id or by its shown name."""
    seen = there(
        Client(
            name="Deployer",
            enabled=True,
            grants=(Grant.CLIENT_CREDENTIALS,),
            secret=ClientSecret(value=Secret("o", "as")),
        ),
        identity="id-7",
    )
    asked = desired(absent=frozenset({client("tool")})) if wanted is None else desired({client("tool"): wanted})
    expected = ["self-lockout"] if stopped else []
    assert stops(asked, live({client("tool"): seen}), accounts={"as": account}) == expected
    assert stops(asked, live({client("tool"): seen}), accounts={"as": "", "rs": account}) == []


def test_a_revocation_of_the_tools_client_or_account_is_a_lockout() -> None:
    """Its tokens are what it works with."""
    for cut in (Revocation(client="tool", tokens="all"), Revocation(client="x", tokens="all", owner="tool")):
        wanted = desired({revocation("R"): cut})
        seen = live({revocation("R"): there(cut, tokens=tokens(1))})
        assert stops(wanted, seen, accounts={"as": "tool"}) == ["self-lockout"]


@pytest.mark.parametrize("who", ["client_id", "username"])
def test_the_client_that_introspects_is_not_cut_off(who: str) -> None:
    """Without it every resource server refuses every token."""
    servers = {"as": authorization_server(introspection=Introspection(**{who: "rs-client"})), "rs": resource_server()}
    wanted = desired(absent=frozenset({client("rs-client")}), servers=servers)
    assert stops(wanted, live([client("rs-client")])) == ["self-lockout"]


def test_what_a_driver_knows_of_its_way_in_is_a_stop_and_is_told_once() -> None:
    """The driver's reason takes the place of the general one, and may have a rule of its own."""
    wanted, seen = desired(absent=frozenset({client("tool"), client("x")})), live([client("tool"), client("x")])

    def lockouts(changes: Sequence[Change]) -> Sequence[Lockout]:
        return [
            Lockout(c, f"a reason for {c.address.name}", "own-rule" if c.address.name == "x" else "") for c in changes
        ]

    stopped = plan_of(wanted, seen, accounts={"as": "tool"}, lockouts=lockouts).stops
    assert sorted((stop.rule, stop.detail) for stop in stopped if stop.rule != "too-many-deletes") == [
        ("own-rule", "client/x@as (delete): a reason for x."),
        ("self-lockout", "client/tool@as (delete): a reason for tool."),
    ]


# -- both sides -------------------------------------------------------------------------------------------------------


def test_a_named_removal_of_what_is_still_granted_is_stopped() -> None:
    """The manifest may say so, and has to say it twice."""
    wanted = desired(absent=frozenset({scope("s", "rs")}))
    seen = live([scope("s", "rs"), scope("s"), client("x"), association("x", "s")])
    assert stops(wanted, seen) == ["still-granted"]
    gone_too = desired(absent=frozenset({scope("s", "rs"), scope("s")}))
    assert stops(gone_too, seen) == []


def test_granting_what_an_unreadable_resource_server_may_not_know_is_stopped() -> None:
    """A guard whose precondition can't be checked stops the run."""
    wanted = desired([client("x"), scope("s"), association("x", "s"), scope("s", "rs")])
    seen = live([client("x"), scope("s")], unreadable=[("rs", Kind.SCOPE)])
    assert stops(wanted, seen) == ["unreadable-guard"]


def test_dropping_what_an_unreadable_authorization_server_may_grant_is_stopped() -> None:
    """The same in the other direction, and on the AS itself."""
    wanted = desired(absent=frozenset({scope("s", "rs")}))
    assert stops(wanted, live([scope("s", "rs")], unreadable=[("as", Kind.ASSOCIATION)])) == ["unreadable-guard"]
    on_as = desired(absent=frozenset({scope("s")}))
    assert stops(on_as, live([scope("s")], unreadable=[("as", Kind.ASSOCIATION)])) == ["unreadable-guard"]


def test_an_ordinary_plan_trips_nothing() -> None:
    """Stops are for the unusual."""
    wanted = desired({client("x"): Client(), trust(): Trust(authorization_server="as", via="remote")})
    cut = Revocation(client="x", block=(Side.RESOURCE,))
    assert stops(wanted, live({revocation("R", "rs"): there(cut, blocked=False)}), accounts={"as": "tool"}) == []
