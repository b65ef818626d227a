"""Drift by class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret, Object, Revocation, Scope, Side, Trust
from oauthdeploy.model.state import DesiredState, LiveState, Prune, PrunePolicy
from oauthdeploy.planning.drift.classification import DriftClass, DriftReport, classify, drift_document

from .builders import (
    FACTS,
    FOREIGN,
    FULL,
    TWO_SIDES,
    association,
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

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "drift.v1.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def report(wanted: DesiredState, state: LiveState) -> DriftReport:
    return classify(wanted, state, plan_of(wanted, state), FACTS)


def classes(wanted: DesiredState, state: LiveState) -> list[tuple[str, str]]:
    return [(item.kind.value, str(item.address)) for item in report(wanted, state).items]


def test_what_differs_has_its_class() -> None:
    """Missing, unexpected and changed follow from what would repair them."""
    wanted = desired({client("a"): Client(name="a"), client("b"): Client(name="b")}, absent=frozenset({client("c")}))
    found = report(wanted, live({client("b"): Client(name="x"), client("c"): Client()}))
    assert [(item.kind, str(item.address)) for item in found.items] == [
        (DriftClass.MISSING, "client/a@as"),
        (DriftClass.CHANGED, "client/b@as"),
        (DriftClass.UNEXPECTED, "client/c@as"),
    ]
    (changed,) = [item for item in found.items if item.kind is DriftClass.CHANGED]
    assert [(field.path, field.before, field.after) for field in changed.fields] == [("name", "x", "b")]
    assert "name" in changed.detail
    assert found.drifted


def test_what_the_manifest_does_not_name_is_unexpected() -> None:
    """A client made by hand counts though a plan leaves it alone; on request it is left out, and counted."""
    named = [client("a"), client("a", "rs"), scope("s"), scope("s", "rs")]
    wanted, seen = desired(named), live([*named, client("x"), scope("y")])
    assert plan_of(wanted, seen).is_empty
    assert classes(wanted, seen) == [
        ("unexpected", "scope/y@as"),
        ("sides-disagree", "scope/y@rs"),
        ("unexpected", "client/x@as"),
        ("sides-disagree", "client/x@rs"),
    ]
    found = classify(wanted, seen, plan_of(wanted, seen), FACTS, unnamed=False)
    assert (found.items, found.left_alone, found.drifted) == ((), 2, False)


def test_what_is_not_managed_is_not_unexpected() -> None:
    """A kind that the manifest names nothing of there, the scopes of a client without a list, what another manifest marked."""
    assert classes(desired(), live([client("x")])) == []
    wanted = desired([client("a"), scope("s")])
    assert classes(wanted, live([client("a"), scope("s"), association("a", "s")])) == []
    listed = desired(
        [client("a"), scope("s")], listed_clients=frozenset({"a"}), prune=PrunePolicy(associations=Prune.NONE)
    )
    assert classes(listed, live([client("a"), scope("s"), association("a", "s")])) == [
        ("unexpected", "association/a:s@as")
    ]
    foreign = {client("a"): Client(), scope("s"): Scope(), client("x"): there(Client(), **FOREIGN)}
    assert classes(wanted, live(foreign)) == []


def test_what_the_policy_would_prune_is_unexpected_once() -> None:
    """The delete of the plan and the object that nobody names are one item."""
    assert classes(desired([client("a")], prune=FULL), live([client("a"), client("x")])) == [
        ("unexpected", "client/x@as")
    ]


def test_what_another_resource_server_holds_is_shared_with_that_one() -> None:
    """A scope of the AS that one of two resource servers has is no disagreement with the other."""
    servers = {**TWO_SIDES, "stock": resource_server()}
    everywhere = [scope("s", name) for name in servers]
    wanted = desired(everywhere, servers=servers)
    seen = live([*everywhere, scope("t"), scope("t", "stock")], servers=servers)
    assert classes(wanted, seen) == [("unexpected", "scope/t@as"), ("unexpected", "scope/t@stock")]


def test_a_selection_selects_what_no_plan_has_too() -> None:
    """Targets cut unexpected objects and disagreements as they cut changes."""
    wanted, seen = desired([client("a")]), live([client("a"), client("x"), client("y")])
    found = classify(wanted, seen, plan_of(wanted, seen), FACTS, selected=lambda address: address.name == "y")
    assert {item.address.name for item in found.items} == {"y"}


def test_a_cut_off_that_is_not_in_force_is_drift() -> None:
    """Live tokens and an enabled client are said in words."""
    cut = Revocation(client="x", tokens="all", block=(Side.RESOURCE,))
    wanted = desired({revocation("R"): cut, revocation("R", "rs"): cut})
    found = report(
        wanted, live({revocation("R"): there(cut, tokens=tokens(2)), revocation("R", "rs"): there(cut, blocked=False)})
    )
    assert [item.kind for item in found.items] == [DriftClass.CHANGED, DriftClass.CHANGED]
    assert found.items[0].detail == "The manifest cuts off client 'x', which has 2 live tokens on as."
    assert found.items[1].detail == "The manifest cuts off client 'x', which is enabled on rs."


def test_what_one_side_has_and_the_other_lacks_disagrees() -> None:
    """Told besides what is missing, in both directions."""
    both = desired([scope("s"), scope("s", "rs"), client("x"), client("x", "rs")])
    assert classes(both, live([scope("s"), client("x", "rs")])) == [
        ("missing", "scope/s@rs"),
        ("sides-disagree", "scope/s@rs"),
        ("missing", "client/x@as"),
        ("sides-disagree", "client/x@as"),
    ]
    assert [kind for kind, _ in classes(both, live())] == ["missing"] * 4


def test_an_object_that_the_manifest_puts_on_one_side_is_no_disagreement() -> None:
    """`on: [login]` is a decision."""
    assert classes(desired([scope("s")]), live([scope("s")])) == []


def test_a_client_enabled_on_one_side_only_disagrees_unless_it_is_meant() -> None:
    """A block on one side is meant; a flag that somebody turned is not."""
    unmanaged = desired([client("x"), client("x", "rs")])
    seen = live({client("x"): Client(enabled=True), client("x", "rs"): Client(enabled=False)})
    assert classes(unmanaged, seen) == [("sides-disagree", "client/x@rs")]
    meant = desired({client("x"): Client(enabled=True), client("x", "rs"): Client(enabled=False)})
    assert classes(meant, seen) == []


def test_a_resource_server_that_trusts_another_disagrees() -> None:
    """It is changed, and its callers are refused."""
    wanted = desired({trust(): Trust(authorization_server="as", via="remote")})
    seen = live({trust(): Trust(authorization_server="other", via="remote")})
    found = report(wanted, seen)
    assert [(item.kind.value, str(item.address)) for item in found.items] == [
        ("changed", "trust@rs"),
        ("sides-disagree", "trust@rs"),
    ]
    assert found.items[1].detail == "rs trusts 'other', and the manifest says 'as'."


def test_what_can_not_be_compared_or_read_is_told_and_never_counts() -> None:
    """Blind fields and unreadable kinds are no drift."""
    wanted = desired({client("x"): Client(secret=ClientSecret(value=Secret("s", "env:S"))), scope("s"): Scope()})
    seen = live(
        {client("x"): there(Client(), incomparable=frozenset({"secret.value"}))}, unreadable=[("as", Kind.SCOPE)]
    )
    found = report(wanted, seen)
    assert [(item.kind.value, str(item.address)) for item in found.items] == [
        ("unreadable", "scope/*@as"),
        ("cannot-compare", "client/x@as"),
    ]
    assert not found.drifted


def test_unreadable_kinds_have_addresses_that_parse() -> None:
    """Also those whose names have two parts, or none."""
    seen = live(unreadable=[("as", kind) for kind in Kind])
    found = report(desired(), seen)
    assert [Address.parse(str(item.address)) for item in found.items] == [item.address for item in found.items]
    assert len(found.items) == len(Kind)


def test_the_document_follows_the_published_schema() -> None:
    """Every class is in the schema, and the counts are of all items."""
    Draft202012Validator.check_schema(SCHEMA)
    wanted = desired({client("a"): Client(name="a", secret=ClientSecret(value=Secret("canary", "env:S")))})
    document = drift_document(
        report(wanted, live({client("a"): Client(secret=ClientSecret(value=Secret("old", "as")))}))
    )
    assert list(VALIDATOR.iter_errors(document)) == []
    assert document["summary"]["changed"] == 1
    assert document["drifted"] is True
    assert "canary" not in json.dumps(document)
    assert list(document["summary"]) == [kind.value for kind in DriftClass]


NAMES = st.sets(st.sampled_from([client("a"), client("a", "rs"), scope("s"), scope("s", "rs")]))


@given(NAMES, NAMES)
def test_no_plan_and_no_disagreement_is_no_drift_and_the_reverse(wanted: set[Address], seen: set[Address]) -> None:
    """A report has drift exactly where there is something to do or the sides disagree; its document is always valid."""
    asked, state = desired(sorted(wanted)), live(sorted(seen))
    found = report(asked, state)
    beside = [item for item in found.items if item.kind in (DriftClass.SIDES_DISAGREE, DriftClass.UNEXPECTED)]
    assert found.drifted == bool(found.plan.changes or beside)
    assert list(VALIDATOR.iter_errors(drift_document(found))) == []


def test_a_converged_estate_has_no_drift() -> None:
    """Live equal to the manifest: no item at all."""
    objects: dict[Address, Object] = {
        client("a"): Client(name="a"),
        client("a", "rs"): Client(name="a"),
        scope("s"): Scope(),
    }
    seen: Any = objects
    assert report(desired(objects), live(seen)).items == ()
