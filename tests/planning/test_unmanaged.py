"""What the manifest does not name and an apply leaves alone: named, weighed, and the same for a plan as for drift."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Client
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Prune, PrunePolicy
from oauthdeploy.planning.changes import Action, Reason
from oauthdeploy.planning.diff import EXTERNAL_MISSING
from oauthdeploy.planning.drift.classification import DriftClass, classify
from oauthdeploy.planning.unmanaged import counted, kept_findings, weighed_kept
from oauthdeploy.reports.builders.common import lines_of
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.formatting import visible

from .builders import (
    FACTS,
    FOREIGN,
    MANAGED,
    OURS,
    association,
    client,
    desired,
    empty,
    facts,
    live,
    plan_of,
    scope,
    there,
)


def test_a_rename_onto_a_name_that_is_taken_is_found_while_planning() -> None:
    """Both clients stand there, and a plan that left the old one alone would never come to rest."""
    wanted = desired([client("new")], moved={client("new"): "old"})
    seen = live({client("new"): marked(client("new"), **OURS), client("old"): marked(client("old"), **OURS)})
    (found,) = plan_of(wanted, seen).diagnostics.errors
    assert (found.rule, found.address) == ("name-taken", "client/new@as")
    assert "client/old@as" in found.detail


def test_a_rename_that_was_cut_off_between_its_two_halves_is_finished() -> None:
    """Where a server can't rename, the new client was made and the old one is left: it goes, if it is ours."""
    wanted = desired([client("new")], moved={client("new"): "old"})
    ours = {client(name): marked(client(name), **OURS) for name in ("new", "old")}
    (change,) = plan_of(wanted, live(ours), facts=facts(without=[Capability.CLIENT_RENAME])).changes
    assert (str(change.address), change.action, change.reason) == ("client/old@as", Action.DELETE, Reason.RENAMED)
    other = {**ours, client("old"): marked(client("old"), **FOREIGN)}
    assert plan_of(wanted, live(other), facts=facts(without=[Capability.CLIENT_RENAME])).is_empty


def known_by_name(state: LiveState) -> LiveState:
    """The same, where the servers make client ids, which mean nothing elsewhere."""
    return LiveState({name: replace(one, makes_client_ids=True) for name, one in state.servers.items()})


def both_sides(name: str) -> list[Address]:
    return [client(name), client(name, "rs")]


def test_a_resource_server_that_knows_clients_by_name_gets_the_new_name_beside_the_old() -> None:
    """It refuses a client whose name the other server changed first; the old one goes once that has been done."""
    wanted = desired(both_sides("new"), moved=dict.fromkeys(both_sides("new"), "old"))
    plan = plan_of(wanted, known_by_name(live(both_sides("old"))))
    assert [(str(one.address), one.action) for one in plan.changes] == [
        ("client/new@rs", Action.CREATE),
        ("client/new@as", Action.UPDATE),
        ("client/old@rs", Action.DELETE),
    ]
    create, rename, drop = plan.changes
    assert create.address in rename.depends_on
    assert rename.address in drop.depends_on
    assert "rename-ends-tokens" not in {item.rule for item in plan.diagnostics}
    known = plan_of(wanted, live(both_sides("old")))
    assert {one.action for one in known.changes} == {Action.UPDATE}, "an id is the same on both sides"


def test_the_old_name_is_dropped_by_the_next_run_where_one_was_cut_off() -> None:
    """Without marks, moved_from says whose it is; a foreign mark says the contrary."""
    wanted = desired(both_sides("new"), moved=dict.fromkeys(both_sides("new"), "old"))
    seen = known_by_name(live([*both_sides("new"), client("old", "rs")]))
    plan = plan_of(wanted, seen, facts=facts(without=[Capability.MARKS]))
    assert [(str(one.address), one.action) for one in plan.changes] == [("client/old@rs", Action.DELETE)]
    assert plan_of(wanted, seen).is_empty


def test_a_new_name_in_one_step_is_announced_where_clients_are_known_by_name() -> None:
    """The two servers differ in between."""
    wanted = desired({client("a", "rs"): Client(name="B"), client("a"): Client(name="B")})
    seen = known_by_name(live({client("a", "rs"): Client(name="A"), client("a"): Client(name="A")}))
    notes = {str(one.address): one.note for one in plan_of(wanted, seen).changes}
    assert "knows the client by name and version" in notes["client/a@rs"]
    assert "knows the client" not in notes["client/a@as"]


def marked(address: Address, **mark: object) -> LiveObject:
    return there(empty(address), **mark)


def rules(wanted: DesiredState, seen: LiveState) -> list[tuple[str, str]]:
    return [(item.rule, item.address) for item in kept_findings(plan_of(wanted, seen).kept)]


def test_what_the_manifest_made_and_no_longer_names_is_orphaned() -> None:
    """By its mark, also where the manifest names nothing of the kind any more; the last line names it."""
    gone = client("gone")
    wanted, seen = desired([client("a")]), live({client("a"): empty(client("a")), gone: marked(gone, **OURS)})
    assert rules(wanted, seen) == [("orphaned", "client/gone@as")]
    assert rules(desired(), seen) == [("orphaned", "client/gone@as")]
    plan = plan_of(wanted, seen)
    assert plan.is_empty
    assert plan.differs
    assert plan_report(plan).headline == "No changes. Orphaned: client/gone@as."
    more = plan_of(desired({client("a"): Client(name="x")}), seen)
    assert plan_report(more).headline.endswith("Orphaned: client/gone@as.")


def test_what_nobody_marked_is_unexpected_where_its_kind_is_managed() -> None:
    """Without a mark nobody knows who made it; another manifest's mark, and a kind that isn't managed, weigh nothing."""
    named, other = client("a"), client("hand")
    seen = live([named, other])
    assert rules(desired([named]), seen) == [("unexpected", "client/hand@as")]
    assert rules(desired(), seen) == []
    assert rules(desired([named]), live({named: empty(named), other: marked(other, **FOREIGN)})) == []


@pytest.mark.parametrize(
    "wanted",
    [
        desired([client("a")], external=frozenset({client("gone")})),
        desired([client("a")], absent=frozenset({client("gone")})),
        desired([client("a")], prune=MANAGED),
        desired([client("a")], whole=False),
    ],
    ids=["external", "absent", "pruned", "part of a manifest"],
)
def test_what_the_manifest_speaks_of_is_not_orphaned(wanted: DesiredState) -> None:
    """An entry with external: true or state: absent, a prune that deletes it, and a state that isn't all that is wanted."""
    seen = live({client("a"): empty(client("a")), client("gone"): marked(client("gone"), **OURS)})
    assert plan_of(wanted, seen).kept == ()


def test_a_rule_that_is_ignored_silences_what_it_is_about() -> None:
    """It then counts for nothing and is counted without its name."""
    seen = live([client("a"), client("hand")])
    kept = weighed_kept(plan_of(desired([client("a")]), seen).kept, ())
    assert counted(kept) == ()
    assert [item.silenced for item in kept] == [True]


def test_ten_thousand_names_are_cut_in_text_and_whole_in_the_document() -> None:
    """A finding names twenty; the work grows with the number of objects and not with its square."""
    seen = live([client("a"), *(client(f"c{number:05}") for number in range(10_000))])
    plan = plan_of(desired([client("a")]), seen)
    (found,) = kept_findings(plan.kept)
    assert found.detail.count("client/c") == 20
    assert "and 9,980 more" in found.detail
    (remark, _how) = plan_report(plan).remarks
    assert (len(remark.about), remark.shown) == (10_000, 20)
    assert visible(remark.words).startswith("Left alone: 10,000 clients on as")


NAMES = ("a", "b", "c")
PLACES = [make(name, server) for make in (client, scope) for name in NAMES for server in ("as", "rs")]
PAIRS = [association(one, other, server) for one in NAMES for other in NAMES for server in ("as", "rs")]
MARKS = st.sampled_from([{}, OURS, FOREIGN])


@st.composite
def states(draw: st.DrawFn) -> tuple[DesiredState, LiveState]:
    named = draw(st.sets(st.sampled_from(PLACES)))
    seen = draw(st.dictionaries(st.sampled_from(PLACES), MARKS))
    ends = {(address.kind, address.name, address.server) for address in seen}
    pairs = [
        pair
        for pair in draw(st.sets(st.sampled_from(PAIRS), max_size=4))
        if (client("").kind, pair.client, pair.server) in ends and (scope("").kind, pair.scope, pair.server) in ends
    ]
    there_now = {address: marked(address, **mark) for address, mark in seen.items()}
    enabled = draw(st.sets(st.sampled_from(PLACES)))
    there_now |= {
        address: there(Client(enabled=address in enabled), **mark)
        for address, mark in seen.items()
        if address.kind is client("").kind
    }
    mode = draw(st.sampled_from(list(Prune)))
    wanted = desired(
        named,
        absent=frozenset(draw(st.sets(st.sampled_from(PLACES), max_size=2))) - named,
        external=frozenset(draw(st.sets(st.sampled_from(PLACES), max_size=1))) - named,
        prune=PrunePolicy(clients=mode, scopes=mode, associations=mode),
        listed_clients=frozenset(draw(st.sets(st.sampled_from(NAMES), max_size=1))),
    )
    return wanted, live({**there_now, **{pair: empty(pair) for pair in pairs}})


@given(states())
def test_a_plan_and_a_look_for_drift_agree(both: tuple[DesiredState, LiveState]) -> None:
    """On the same state drift counts what the plan counts, an error for a missing object of another manifest included, and
    besides only what the plan names in its last line.
    """
    wanted, seen = both
    plan = plan_of(wanted, seen)
    missing = any(item.rule == EXTERNAL_MISSING for item in plan.diagnostics.errors)
    found = classify(wanted, seen, plan, FACTS)
    assert found.drifted == bool(plan.differs or missing or lines_of(plan))
    own = classify(wanted, seen, plan, FACTS, unnamed=False)
    assert (plan.differs or missing) == any(
        item.counts and item.kind is not DriftClass.SIDES_DISAGREE for item in own.items
    )
