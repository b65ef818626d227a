"""Both sides against each other: what is a finding, what is not, and how many."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Client, Grant, Object, Revocation, Side, Trust
from oauthdeploy.model.state import DesiredState, LiveState, Ownership
from oauthdeploy.planning.accounts import accounts_of
from oauthdeploy.planning.adoption import adoption
from oauthdeploy.planning.cross_side import disagreements

from .builders import (
    FACTS,
    FOREIGN,
    OURS,
    association,
    client,
    desired,
    facts,
    live,
    plan_of,
    revocation,
    scope,
    there,
    trust,
)

CREDENTIALS = Client(grants=(Grant.CLIENT_CREDENTIALS,))
PEOPLE = Client(grants=(Grant.AUTHORIZATION_CODE,))


def rules(wanted: DesiredState, state: LiveState, **more: object) -> list[tuple[str, str]]:
    return [(item.rule, item.address) for item in plan_of(wanted, state, **more).diagnostics]


def with_accounts(state: LiveState, **accounts: dict[str, bool]) -> LiveState:
    return LiveState({name: replace(one, accounts=accounts.get(name)) for name, one in state.servers.items()})


def test_a_thousand_strays_do_not_bury_the_plan() -> None:
    """The first are named, the rest are counted."""
    names = [f"s{number:04}" for number in range(1000)]
    found = rules(desired(), live([scope("shared", "rs"), scope("shared"), *(scope(name) for name in names)]))
    assert len([rule for rule, _ in found if rule == "scope-on-one-side"]) == 20
    assert len([rule for rule, _ in found if rule == "cross-side-more"]) == 1


def test_associations_of_both_sides_are_compared() -> None:
    """Where a resource server keeps them; one whose end is missing on a side is the finding of that end."""
    keeping = frozenset({"rs"})
    ends = [client("x"), scope("s"), client("x", "rs"), scope("s", "rs")]
    some = live([*ends, client("lone"), association("x", "s"), association("lone", "s")])
    seen = LiveState({name: replace(one, complete=frozenset(Kind)) for name, one in some.servers.items()})
    assert ("association-on-one-side", "association/x:s@rs") not in rules(desired(), seen)
    assert sorted(rules(desired(associating=keeping), seen)) == [
        ("association-on-one-side", "association/x:s@rs"),
        ("client-on-one-side", "client/lone@rs"),
    ]
    wanted = desired([*ends, association("x", "s"), association("x", "s", "rs")], associating=keeping)
    assert "association-on-one-side" not in dict(rules(wanted, seen))
    told = [(item.address, item.detail) for item in disagreements(wanted, seen)]
    assert told == [(association("x", "s", "rs"), "as has it, and rs does not.")]


def test_a_block_is_no_disagreement() -> None:
    """A client that a revocation disables on one side is meant to differ."""
    seen = live({client("x"): there(Client(enabled=True)), client("x", "rs"): there(Client(enabled=False))})
    assert rules(desired(), seen) == [("client-enabled-on-one-side", "client/x@rs")]
    cut = Revocation(client="x", block=(Side.RESOURCE,))
    assert "client-enabled-on-one-side" not in dict(rules(desired({revocation("R", "rs"): cut}), seen))


@pytest.mark.parametrize(
    ("clients", "via", "expected"),
    [
        ({"a": PEOPLE}, "remote", {"alice"}),
        ({"a": CREDENTIALS}, "remote", {"a"}),
        ({"a": CREDENTIALS, "b": PEOPLE}, "remote", {"a", "alice"}),
        ({}, "remote", {"alice"}),
        ({"a": CREDENTIALS, "b": PEOPLE}, "external", set()),
    ],
)
def test_which_accounts_both_sides_need(clients: dict[str, Client], via: str, expected: set[str]) -> None:
    """People unless every client uses client credentials only; clients' own accounts; none where an external AS issues."""
    objects: dict[object, Object] = {client(name): value for name, value in clients.items()}
    objects[trust()] = Trust.model_validate({"authorization_server": "as", "via": via})
    wanted = desired(objects, resource_owners=("alice",))  # type: ignore[arg-type]
    assert accounts_of(wanted, "as") == accounts_of(wanted, "rs") == expected


def test_a_disabled_person_is_missing() -> None:
    """What counts is whether a token can be mapped to an account."""
    wanted = desired({client("a"): CREDENTIALS, client("b"): PEOPLE}, resource_owners=("alice",))
    seen = live({client("a"): there(CREDENTIALS, client_id="0a1b"), client("b"): there(PEOPLE)})
    state = with_accounts(seen, **{"as": {"alice": True, "0a1b": True}, "rs": {"alice": False, "a": True}})
    found = [item for item in plan_of(wanted, state).diagnostics if item.rule.endswith("-missing")]
    assert [(item.rule, item.address) for item in found] == [("resource-owner-missing", "trust@rs")]
    assert "'alice' is disabled on rs" in found[0].detail


MACHINE = "0a1b"


def account_rules(
    on_rs: set[str], *, generating: bool = True, there_already: bool = True, groups: dict[str, set[str]] | None = None
) -> list[tuple[str, str]]:
    """The findings of accounts, by rule and detail; the client is in the group Callers, and on `rs` these are the users."""
    value = CREDENTIALS.model_copy(update={"groups": ("Callers",)})
    wanted = desired({client("a"): value, client("a", "rs"): CREDENTIALS})
    places = {client("a"): there(value, client_id=MACHINE), client("a", "rs"): there(CREDENTIALS, client_id="ff")}
    state = with_accounts(
        live(places if there_already else {}), **{"as": {MACHINE: True}, "rs": dict.fromkeys(on_rs, True)}
    )
    seen = {
        name: replace(
            one,
            makes_client_ids=generating,
            memberships=None if groups is None else {user: frozenset(some) for user, some in groups.items()},
        )
        for name, one in state.servers.items()
    }
    found = plan_of(wanted, LiveState(seen)).diagnostics
    return [(item.rule, f"{item.detail} {item.fix}") for item in found if item.rule.startswith("client-account")]


def test_the_account_of_a_client_is_called_as_its_id_on_the_authorization_server() -> None:
    """A user with the client's name, or with the id that the resource server gave it, is another one."""
    assert account_rules({MACHINE}) == []
    ((rule, words),) = account_rules({"a", "ff"})
    assert rule == "client-account-missing"
    assert f"Create the user '{MACHINE}' on rs" in words


def test_the_account_of_a_new_client_is_made_with_it_or_has_no_name_yet() -> None:
    """Where both servers accept ids, registering makes the accounts; a generated id is unknown until then."""
    assert account_rules(set(), generating=False, there_already=False) == []
    ((_rule, words),) = account_rules(set(), there_already=False)
    assert "client_id that as will generate" in words
    assert "After the apply: create a user of that name on rs" in words


def test_the_account_on_the_resource_server_needs_the_groups_of_the_client() -> None:
    """Calls run there as that user."""
    assert account_rules({MACHINE}, groups={MACHINE: {"Callers", "More"}}) == []
    ((rule, words),) = account_rules({MACHINE}, groups={MACHINE: {"More"}})
    assert rule == "client-account-groups"
    assert "not in Callers" in words


def test_a_driver_that_can_not_list_users_leaves_a_finding() -> None:
    """Silence would look like a check that was passed."""
    wanted = desired(resource_owners=("alice",))
    found = rules(wanted, live(), facts=facts(without=[Capability.USERS_LIST]))
    assert found == [("cross-side-unchecked", "trust@rs")] * 2
    why = Diagnostic("permission-denied", "'rs' does not allow the account to do this")
    state = LiveState({name: replace(one, accounts_unread=why) for name, one in live().servers.items()})
    said = [item.detail for item in plan_of(wanted, state).diagnostics]
    assert all("does not allow the account" in detail for detail in said)


def test_adoption_marks_what_is_not_ours_and_stops_at_what_is_somebody_elses() -> None:
    """Ours needs nothing, unmarked is marked, foreign trips the rule; a driver without marks has nothing to write."""
    wanted = desired({client(name): Client(name="n") for name in ("ours", "free", "foreign", "new")})
    seen = live(
        {
            client("ours"): there(Client(name="n"), **OURS),
            client("free"): there(Client(name="old")),
            client("foreign"): there(Client(name="n"), **FOREIGN),
        }
    )
    plan = plan_of(wanted, seen)
    found = adoption(wanted, seen, plan, FACTS)
    assert [str(change.address) for change in found.plan.changes] == ["client/foreign@as", "client/free@as"]
    assert [(stop.rule, stop.address) for stop in found.plan.stops] == [("foreign-ownership", "client/foreign@as")]
    assert found.missing == (client("new"),)
    (free,) = [item for item in found.items if item.address == client("free")]
    assert [(field.before, field.after) for field in free.fields] == [("old", "n")]
    assert free.live.ownership is Ownership.UNMARKED
    unmarked = adoption(wanted, seen, plan, facts(without=[Capability.MARKS]), ["client/f*"])
    assert unmarked.plan.changes == ()
    assert len(unmarked.items) == 2
