"""Fields that a server does not store as they are sent: how often they are planned, and what a plan says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret, Object, Scope
from oauthdeploy.model.servers import Role
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.planning.plan import Plan, build_plan
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.journal import Journal, unkept_in
from oauthdeploy.running.read import read_live
from tests.running.kit import FACTS_BY_DRIVER, Clock, at, desired_state
from tests.running.memory_driver import MemoryDriver, MemoryServer

SCOPE, SHOP = at("scope/write@login"), at("client/x@login")


class Runs:
    """Runs of manifests on one server, each with what the journal of the last one says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = MemoryServer()
        self.drivers = {"login": MemoryDriver("login", self.server, role=Role.AUTHORIZATION)}
        self.clock = Clock()

    def plan(self, wanted: dict[Address, Object]) -> Plan:
        desired = desired_state(wanted, self.drivers)
        unkept = unkept_in(self.folder, desired.name)
        return build_plan(desired, read_live(self.drivers, desired), FACTS_BY_DRIVER, unkept=unkept)

    def apply(self, wanted: dict[Address, Object]) -> ApplyReport:
        plan, desired = self.plan(wanted), desired_state(wanted, self.drivers)
        self.clock.forward(1)
        with Journal.create(self.folder, desired.name, now=self.clock) as journal:
            return apply_plan(
                plan, self.drivers, desired=desired, facts=FACTS_BY_DRIVER, base=self.folder, journal=journal
            )


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def rules(plan: Plan) -> list[str]:
    return [item.rule for item in plan.diagnostics]


def trimmed(value: Object) -> Object:
    return value.model_copy(update={"description": str(getattr(value, "description", "")).strip()})


def test_a_text_that_the_server_rewrites_is_sent_twice_and_then_a_finding(runs: Runs) -> None:
    """A description is nobody's right: two runs try it, and from then on each plan is empty and says why."""
    runs.server.keeps = lambda _address, value: trimmed(value)
    wanted: dict[Address, Object] = {SCOPE: Scope(description="padded ")}
    assert [item.rule for item in runs.apply(wanted).verification] == ["field-not-kept"]
    again = runs.plan(wanted)
    assert [change.address for change in again.changes] == [SCOPE]
    assert rules(again) == ["tried-again"]
    assert [item.rule for item in runs.apply(wanted).verification] == ["not-in-force"]
    for _ in range(2):
        settled = runs.plan(wanted)
        assert (settled.changes, rules(settled)) == ((), ["field-not-kept"])
        (found,) = settled.diagnostics
        assert found.detail == (
            "description: the last 2 applies sent padded , and the server still has padded. It is not sent again."
        )


def test_it_is_remembered_through_runs_about_other_things(runs: Runs) -> None:
    """A run that sends other fields and objects neither forgets it nor finds fault with it."""
    runs.server.keeps = lambda _address, value: trimmed(value)
    wanted: dict[Address, Object] = {SCOPE: Scope(description="padded ")}
    runs.apply(wanted)
    runs.apply(wanted)
    more = wanted | {SHOP: Client(name="Shop", description="the shop")}
    assert not runs.apply(more).verification
    wider = more | {SCOPE: Scope(description="padded ", resources=("orders.v1",))}
    assert not runs.apply(wider).verification
    plan = runs.plan(wider)
    assert (plan.changes, rules(plan)) == ((), ["field-not-kept"])


@pytest.mark.parametrize(
    "changed",
    [
        lambda runs: {SCOPE: Scope(description="other ")},
        lambda runs: (
            runs.server.objects.update({SCOPE: Scope(description="by hand")}) or {SCOPE: Scope(description="padded ")}
        ),
    ],
    ids=["manifest", "server"],
)
def test_another_value_on_either_side_is_planned(runs: Runs, changed: Callable[[Runs], dict[Address, Object]]) -> None:
    """What is known is about one value that was sent and one that was kept; any other is a change like all changes."""
    runs.server.keeps = lambda _address, value: trimmed(value)
    wanted: dict[Address, Object] = {SCOPE: Scope(description="padded ")}
    runs.apply(wanted)
    runs.apply(wanted)
    plan = runs.plan(changed(runs))
    assert [change.address for change in plan.changes] == [SCOPE]
    assert rules(plan) == []


def test_a_field_that_gives_rights_is_planned_until_it_is_in_force(runs: Runs) -> None:
    """Each apply fails with it, and each plan says how often it was sent; once it is stored, nobody speaks of it."""
    runs.server.objects[SHOP] = Client(enabled=True)
    runs.server.keeps = lambda _address, value: value.model_copy(update={"enabled": True})
    wanted: dict[Address, Object] = {SHOP: Client(enabled=False)}
    for number in range(1, 4):
        assert [item.rule for item in runs.apply(wanted).verification.errors] == ["not-in-force"]
        plan = runs.plan(wanted)
        assert [change.address for change in plan.changes] == [SHOP]
        (found,) = plan.diagnostics
        times = "the last apply" if number == 1 else f"the last {number} applies"
        assert (found.rule, found.detail) == (
            "tried-again",
            f"enabled: {times} sent false, and the server still has true. It is not in force until the server stores it.",
        )
    runs.server.keeps = lambda _address, value: value
    assert not runs.apply(wanted).verification
    assert (runs.plan(wanted).changes, rules(runs.plan(wanted))) == ((), [])
    assert unkept_in(runs.folder, "shop") == ()


def test_a_fault_of_one_run_is_over_with_the_next(runs: Runs) -> None:
    """A text that was dropped once is sent again, and kept."""
    wanted: dict[Address, Object] = {SCOPE: Scope(description="padded ")}
    runs.server.keeps = lambda _address, value: trimmed(value)
    runs.apply(wanted)
    runs.server.keeps = lambda _address, value: value
    assert not runs.apply(wanted).verification
    assert (runs.plan(wanted).changes, rules(runs.plan(wanted))) == ((), [])


def test_no_secret_is_remembered(runs: Runs) -> None:
    """The journal has the origin of a secret that an option holds, and plans don't show what the server has."""
    kept = {"memory": {"key": Secret("canary-of-the-server", "server")}}
    runs.server.keeps = lambda _address, value: value.model_copy(update={"options": kept})
    wanted: dict[Address, Object] = {
        SHOP: Client(options={"memory": {"key": Secret("canary-that-was-sent", "env:KEY")}}, secret=ClientSecret())
    }
    runs.apply(wanted)
    plan = runs.plan(wanted)
    assert rules(plan) == ["tried-again"]
    said = "".join(path.read_text() for path in runs.folder.iterdir()) + repr(plan.diagnostics)
    assert "canary" not in said
