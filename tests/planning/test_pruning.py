"""What may go."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.state import Prune, PrunePolicy
from oauthdeploy.planning.changes import Reason
from oauthdeploy.planning.diff import compare

from .builders import (
    FACTS,
    FOREIGN,
    FULL,
    MANAGED,
    OURS,
    actions,
    association,
    by_address,
    client,
    desired,
    empty,
    live,
    plan_of,
    scope,
    there,
)

MIXED = {
    client("ours"): there(empty(client("ours")), **OURS),
    client("theirs"): there(empty(client("theirs")), **FOREIGN),
    client("nobodys"): empty(client("nobodys")),
}


@pytest.mark.parametrize(
    ("mode", "gone", "kept"),
    [(Prune.NONE, set(), 3), (Prune.MANAGED, {"ours"}, 2), (Prune.FULL, {"ours", "nobodys"}, 1)],
)
def test_unnamed_clients_go_as_far_as_the_policy_lets_them(mode: Prune, gone: set[str], kept: int) -> None:
    """none: nothing; managed: what carries our mark; full: all but what is somebody else's. The rest is counted."""
    found = compare(desired(prune=PrunePolicy(clients=mode)), live(MIXED), FACTS)
    assert actions(found.changes) == {f"client/{name}@as": "delete" for name in gone}
    assert {change.reason for change in found.changes} <= {Reason.NOT_IN_MANIFEST}
    assert len(found.kept) == kept


def test_what_is_marked_absent_goes_and_what_is_absent_already_is_no_change() -> None:
    """`state: absent` is idempotent and asks for no policy."""
    wanted = desired(absent=frozenset({client("x"), scope("s"), client("gone")}))
    found = compare(wanted, live([client("x"), scope("s")]), FACTS)
    assert actions(found.changes) == {"client/x@as": "delete", "scope/s@as": "delete"}
    assert {change.reason for change in found.changes} == {Reason.MARKED_ABSENT}


def test_a_deleted_client_takes_its_associations_along() -> None:
    """They are implied and not listed."""
    wanted = desired([scope("s")], absent=frozenset({client("x")}))
    found = compare(wanted, live([client("x"), scope("s"), association("x", "s")]), FACTS)
    assert actions(found.changes) == {"client/x@as": "delete"}


@pytest.mark.parametrize("prune", [PrunePolicy(associations=Prune.NONE), FULL])
def test_a_deleted_scope_has_its_associations_removed_by_name(prune: PrunePolicy) -> None:
    """A server refuses to delete a scope in use, so what uses it is removed first, whatever the policy."""
    wanted = desired([client("x")], absent=frozenset({scope("s")}), prune=prune)
    found = compare(wanted, live([client("x"), scope("s"), association("x", "s")]), FACTS)
    assert actions(found.changes) == {"association/x:s@as": "delete", "scope/s@as": "delete"}
    assert by_address(found.changes)["association/x:s@as"].reason is Reason.MARKED_ABSENT


LISTS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, set()),
    ({"listed_clients": frozenset({"x"})}, {"x:t"}),
    ({"listed_scopes": frozenset({"t"})}, {"x:t", "y:t", "unmanaged:t"}),
    ({"listed_clients": frozenset({"unmanaged"})}, set()),
]


@pytest.mark.parametrize(("lists", "gone"), LISTS)
def test_managed_associations_are_those_of_a_written_list(lists: dict[str, Any], gone: set[str]) -> None:
    """A list is complete for its client or scope, the one of a scope for all clients."""
    there_now = [association(c, s) for c in ("x", "y", "unmanaged") for s in ("s", "t")]
    ends = [client("x"), client("y"), scope("s"), scope("t")]
    wanted = desired([*ends, association("x", "s"), association("y", "s")], **lists)
    found = compare(wanted, live([*ends, client("unmanaged"), *there_now]), FACTS)
    assert actions(found.changes) == {f"association/{pair}@as": "delete" for pair in gone}
    assert sum(item.address.kind is Kind.ASSOCIATION for item in found.kept) == 4 - len(gone)


def test_full_prune_spares_the_associations_of_foreign_clients() -> None:
    """What is somebody else's is not touched through its associations either."""
    seen = {
        **MIXED,
        **dict.fromkeys([association("theirs", "s"), association("nobodys", "s")], empty(association("a", "b"))),
    }
    wanted = desired(prune=PrunePolicy(associations=Prune.FULL))
    assert actions(compare(wanted, live(seen), FACTS).changes) == {"association/nobodys:s@as": "delete"}


def test_a_resource_server_keeps_an_association_that_is_still_granted() -> None:
    """What only the RS would lose stays, with a finding; where both lose it, it goes on both."""
    here, there_too = association("x", "s", "rs"), association("x", "s")
    ends = [scope("s"), scope("s", "rs"), client("x", "rs")]
    wanted = desired(ends, listed_clients=frozenset({"x"}), associating=frozenset({"rs"}))
    seen = live([*ends, client("x"), here, there_too])
    found = compare(wanted, seen, FACTS)
    assert found.changes == ()
    assert [(item.rule, item.address) for item in found.diagnostics] == [("still-granted", str(here))]
    both = desired([*ends, client("x")], listed_clients=frozenset({"x"}), associating=frozenset({"rs"}))
    assert {change.address for change in compare(both, seen, FACTS).changes} == {there_too, here}


def test_a_resource_server_keeps_what_is_still_granted() -> None:
    """A prune by mark must not take from the RS what an unmarked association of the AS still grants."""
    seen = {
        client("x"): empty(client("x")),
        scope("s"): empty(scope("s")),
        association("x", "s"): empty(association("x", "s")),
        client("x", "rs"): there(empty(client("x")), **OURS),
        scope("s", "rs"): there(empty(scope("s")), **OURS),
        scope("free", "rs"): there(empty(scope("s")), **OURS),
    }
    found = compare(desired(prune=MANAGED), live(seen), FACTS)
    assert actions(found.changes) == {"scope/free@rs": "delete"}
    assert {(item.rule, item.address) for item in found.diagnostics} == {
        ("still-granted", "client/x@rs"),
        ("still-granted", "scope/s@rs"),
    }
    assert [str(item.address) for item in found.kept if item.address.server == "rs"] == ["scope/s@rs", "client/x@rs"]


def test_the_list_of_a_scope_is_about_all_clients() -> None:
    """Also about those that the manifest doesn't name, as the list of a client is about all scopes; not on other servers."""
    for clients in ([client("a")], []):
        wanted = desired([scope("s"), *clients], listed_scopes=frozenset({"s"}))
        state = live([scope("s"), client("a"), association("a", "s"), client("x"), association("x", "s")])
        gone = {str(change.address): change.action.value for change in plan_of(wanted, state).changes}
        assert gone == {"association/a:s@as": "delete", "association/x:s@as": "delete"}
    elsewhere = desired([scope("s", "rs")], listed_scopes=frozenset({"s"}))
    assert plan_of(elsewhere, live([scope("s", "rs"), client("x"), association("x", "s")])).is_empty
    none = PrunePolicy(associations=Prune.NONE)
    assert plan_of(desired([scope("s")], listed_scopes=frozenset({"s"}), prune=none), state).is_empty


def test_the_list_of_a_scope_leaves_another_manifests_client_alone() -> None:
    """It is named, so that nobody takes the list for whole."""
    wanted = desired([scope("s")], listed_scopes=frozenset({"s"}))
    foreign = there(empty(client("x")), **FOREIGN)
    plan = plan_of(wanted, live({a: empty(a) for a in (scope("s"), association("x", "s"))} | {client("x"): foreign}))
    assert plan.is_empty
    assert [(f.rule, f.address) for f in plan.diagnostics] == [("listed-association-kept", "association/x:s@as")]


def test_external_objects_are_never_pruned_or_counted() -> None:
    """Another manifest owns them, whatever the policy and their marks say."""
    everything = PrunePolicy(clients=Prune.FULL, scopes=Prune.FULL, associations=Prune.FULL)
    theirs = frozenset({scope("s"), client("c")})
    wanted = desired([association("c", "s")], prune=everything, external=theirs)
    plan = plan_of(wanted, live([scope("s"), client("c"), association("c", "s")]))
    assert plan.is_empty
    assert not plan.kept
    assert not plan.diagnostics
    new = plan_of(wanted, live({scope("s"): empty(scope("s")), client("c"): there(empty(client("c")), **FOREIGN)}))
    assert actions(new.changes) == {"association/c:s@as": "create"}
    assert not new.stops


def test_an_external_object_must_be_there() -> None:
    """It is an error of the plan, and nothing is made in its place; what couldn't be read is no proof."""
    wanted = desired([client("c"), association("c", "s")], external=frozenset({scope("s")}))
    plan = plan_of(wanted, live([client("c")]))
    assert [(f.rule, f.address) for f in plan.diagnostics.errors] == [("external-missing", "scope/s@as")]
    assert "scope/s@as" not in actions(plan.changes)
    unread = plan_of(wanted, live([client("c")], unreadable=[("as", Kind.SCOPE)]))
    assert not [f for f in unread.diagnostics if f.rule == "external-missing"]


def test_the_list_of_an_external_scope_is_about_our_clients() -> None:
    """Those of others have it by their own manifests."""
    wanted = desired([client("c")], external=frozenset({scope("s")}), listed_scopes=frozenset({"s"}))
    state = live([scope("s"), client("c"), client("x"), association("c", "s"), association("x", "s")])
    assert actions(plan_of(wanted, state).changes) == {"association/c:s@as": "delete"}
