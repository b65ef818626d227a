"""An object is meant by any of its names: key, label, id, and the key that an export would give it."""

from __future__ import annotations

import pytest

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.identities import Identity, derived_key, find_by_word, key_of
from oauthdeploy.model.objects import Client, Revocation, Side
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Prune, PrunePolicy
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.drift.baseline import Baseline, judge
from oauthdeploy.planning.drift.classification import classify
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.revocation.request import cut_off
from oauthdeploy.planning.rollback.inverse import inverse
from oauthdeploy.planning.rollback.steps import Step
from oauthdeploy.planning.selection import select
from tests.planning.test_baseline import TODAY, entry

from .builders import FACTS, association, client, desired, live, plan_of, scope

BATCH = client("Batch (1)")
THERE = LiveObject(Client(name="Batch", version="1"), "4711", client_id="batch-id", fingerprint="f")
NAMES = ["client/Batch (1)", "client/Batch", "client/4711", "client/batch-id@as", "client/batch", "client/bat*"]
PRUNING = PrunePolicy(clients=Prune.FULL)


def wanting(**more: object) -> DesiredState:
    return desired([client("picker")], **more)  # type: ignore[arg-type]


def holding(**more: LiveObject) -> LiveState:
    return live({client("picker"): Client(), BATCH: THERE, **{client(key): one for key, one in more.items()}})


@pytest.mark.parametrize("pattern", NAMES)
def test_a_pattern_means_a_client_by_any_of_its_names(pattern: str) -> None:
    """Protected by one of them, a client is not pruned; targeted by one, it is in the plan."""
    wanted = wanting(prune=PRUNING, protect=(pattern,))
    plan = plan_of(wanted, holding())
    assert [item.rule for item in plan.stops] == ["protected-object"]
    names = Names(wanted, holding())
    assert [change.address for change in select(plan, [pattern], [], names).changes] == [BATCH]
    assert select(plan, [], [pattern], names).is_empty


def test_associations_are_meant_by_the_names_of_their_client() -> None:
    """A client that goes takes them along, so they are protected by those names too."""
    state = live({client("picker"): Client(), BATCH: THERE, scope("s"): live([scope("s")]).objects[scope("s")]})
    address = association("Batch (1)", "s")
    assert Names(wanting(), state).matches(address, ["association/batch:s"])
    assert not Names(wanting(), state).matches(address, ["association/other:s"])


def test_the_key_of_one_client_is_no_name_of_another() -> None:
    """What the manifest calls `batch` is one client, though another's export key would be that."""
    names = Names(wanting(), holding(batch=LiveObject(Client())))
    assert names.matches(client("batch"), ["client/batch"])
    assert not names.matches(BATCH, ["client/batch"])
    assert names.matches(BATCH, ["client/4711"])


@pytest.mark.parametrize(("pattern", "stopped"), [("client/shop", True), ("scope/shop", False), ("client/4711", False)])
def test_a_pattern_that_protects_nothing_stops_a_prune(pattern: str, stopped: bool) -> None:
    """It may have been written for what is about to go, which is named; a pattern of another kind is no reason."""
    found = plan_of(wanting(prune=PRUNING, protect=(pattern,)), holding()).stops
    mine = [item for item in found if item.rule == "protects-nothing"]
    assert bool(mine) is stopped
    assert all("client/Batch (1)@as" in item.detail and item.path == ("policy", "protect", 0) for item in mine)


def test_without_a_prune_an_idle_pattern_is_no_stop() -> None:
    """Nothing goes that it could have been written for."""
    assert not plan_of(wanting(protect=("client/shop",)), holding()).stops
    gone = wanting(protect=("client/shop",), absent=frozenset({BATCH}))
    assert not plan_of(gone, holding()).stops


@pytest.mark.parametrize("pattern", NAMES)
def test_a_baseline_accepts_by_any_name(pattern: str) -> None:
    """One team's manifest has a key for the client, another's has its label."""
    wanted = desired([client("picker")])
    report = classify(wanted, holding(), plan_of(wanted, holding()), FACTS)
    known = Baseline.model_validate({"version": 1, "accepted": [entry(pattern, "unexpected")]})
    assert not report.accepted
    assert [item.address for item in judge(report, known, TODAY).accepted] == [BATCH]


def test_a_client_is_found_by_one_word() -> None:
    """Id, label, name; of several versions of a name the first is meant, and without it none."""
    lives = [("x1", "Shop", "1"), ("x2", "Shop", "2"), ("z1", "Two", "5"), ("z2", "Two", "6")]
    words = {"x2": "x2", "Shop (2)": "x2", "Shop": "x1", "Two": None, "other": None}
    for word, identity in words.items():
        found = find_by_word(lives, word, lambda one: one)
        assert (found[0] if found else None) == identity, word


def test_a_label_leads_to_the_key_of_the_manifest() -> None:
    """Other servers know the client by that key alone."""
    known = {"batch": Identity("Batch"), "shop": Identity("Shop", "2"), "a": Identity("Same"), "b": Identity("Same")}
    keys = {
        "batch": "batch",
        "Batch": "batch",
        "Batch (1)": "batch",
        "Shop (2)": "shop",
        "Shop": "Shop",
        "Same": "Same",
    }
    assert {word: key_of(word, known) for word in keys} == keys
    asked = cut_off(
        desired({client("batch"): Client(name="Batch")}),
        {"INC-1": Revocation(client="Batch (1)", block=(Side.AUTHORIZATION,))},
        FACTS,
    )
    clients = {value.client for value in asked.desired.objects.values() if isinstance(value, Revocation)}
    assert clients == {"batch"}


def test_the_key_of_an_export_has_the_version_unless_it_is_the_first() -> None:
    """Small letters and hyphens."""
    assert [derived_key("Web Shop", version) for version in (None, "1", "2")] == ["web-shop", "web-shop", "web-shop-2"]


def _step(address: Address, action: Action, identity: str) -> Step:
    value = None if action is Action.DELETE else live([scope("s")]).objects[scope("s")].value
    return Step(address, action, None, None, value, {}, {}, (), (), identity, {}, value, True)


def test_a_rollback_finds_the_client_of_an_association_by_its_id() -> None:
    """Also where today's manifest has no word about the client: the journal has the server's id."""
    made = _step(association("batch", "s"), Action.CREATE, "4711")
    state = live({BATCH: THERE, scope("s"): live([scope("s")]).objects[scope("s")]})
    first = inverse([made], desired())
    assert first.desired.identities[client("batch")] == Identity(id="4711")
    assert inverse([made], desired(), state).desired.absent == {association("Batch (1)", "s")}
    gone = _step(association("batch", "s"), Action.DELETE, "4711")
    back = inverse([gone], desired(), state)
    assert not back.findings
