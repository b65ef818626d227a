"""Both sides against each other: what is a finding, what is not, and how many."""

from __future__ import annotations

from dataclasses import replace

import pytest

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


def test_a_disabled_person_is_missing_and_a_client_may_have_its_id_as_account() -> None:
    """What counts is whether a token can be mapped to an account."""
    wanted = desired({client("a"): CREDENTIALS, client("b"): PEOPLE}, resource_owners=("alice",))
    seen = live({client("a"): there(CREDENTIALS, client_id="0a1b"), client("b"): there(PEOPLE)})
    state = with_accounts(seen, **{"as": {"alice": True, "0a1b": True}, "rs": {"alice": False, "a": True}})
    found = [item for item in plan_of(wanted, state).diagnostics if item.rule.endswith("-missing")]
    assert [(item.rule, item.address) for item in found] == [("resource-owner-missing", "trust@rs")]
    assert "'alice' is disabled on rs" in found[0].detail


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
