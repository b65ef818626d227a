"""A server that keeps failing is left alone, and the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import Rejected, ServerError, Unreachable
from oauthdeploy.model.objects import Scope
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.outcome import Outcome, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running import apply_findings
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.circuit_breaker import GIVE_UP_AFTER, Breaker
from tests.running.kit import FACTS_BY_DRIVER, at, create, desired_state, plan_of
from tests.running.memory_driver import MemoryDriver, MemoryServer


def scopes(server: str, count: int) -> list[Change]:
    return [create(at(f"scope/s{number:02}@{server}"), Scope(description="x")) for number in range(count)]


def failing(kind: type[ServerError], stores: MemoryServer, asked: list[Address]) -> None:
    def fail(change: Change) -> None:
        asked.append(change.address)
        raise kind("no", server=change.address.server)

    stores.before = fail


def run(plan: Plan, stores: dict[str, MemoryServer], base: Path) -> dict[Address, Outcome]:
    drivers = {name: MemoryDriver(name, store, parallel=1) for name, store in stores.items()}
    wanted = {change.address: change.desired for change in plan.changes if change.desired is not None}
    report = apply_plan(
        plan, drivers, desired=desired_state(wanted, drivers), facts=FACTS_BY_DRIVER, base=base, verify=False
    )
    assert len(report.outcomes) == len(plan.changes)
    return {outcome.change.address: outcome for outcome in report.outcomes}


@pytest.mark.parametrize("kind", [Unreachable, ServerError])
def test_a_server_that_keeps_failing_is_not_hammered(kind: type[ServerError], tmp_path: Path) -> None:
    """After GIVE_UP_AFTER failures in a row its other changes are skipped by name; the other server gets all of its own."""
    stores = {"login": MemoryServer(), "orders": MemoryServer()}
    asked: list[Address] = []
    failing(kind, stores["login"], asked)
    needy = create(at("scope/needy@orders"), Scope(description="x"), needs=[at("scope/s19@login")])
    found = run(plan_of(*scopes("login", 20), *scopes("orders", 20), needy), stores, tmp_path)
    assert len(asked) == GIVE_UP_AFTER
    rules = [o.because.rule for a, o in found.items() if a.server == "login" and o.because is not None]
    assert rules.count("server-gave-up") == 20 - len(asked)
    assert all(found[at(f"scope/s{n:02}@orders")].status is Status.DONE for n in range(20))
    last = found[needy.address]
    assert last.status is Status.SKIPPED
    assert last.because is not None
    assert last.because.rule == "dependency-failed"


def test_a_server_that_refuses_changes_works(tmp_path: Path) -> None:
    """4xx is an answer about the change, not about the server: every change gets its own."""
    stores = {"login": MemoryServer()}
    asked: list[Address] = []
    failing(Rejected, stores["login"], asked)
    found = run(plan_of(*scopes("login", 12)), stores, tmp_path)
    assert len(asked) == 12
    assert all(outcome.status is Status.FAILED for outcome in found.values())


def test_only_failures_in_a_row_count() -> None:
    """A change that comes through between them shows that the server works."""
    breaker = Breaker(3)
    change = scopes("login", 1)[0]
    bad = Outcome(change, Status.FAILED, apply_findings.of_error(Unreachable("no", server="login"), change))
    good = Outcome(change, Status.DONE)
    skipped = Outcome(change, Status.SKIPPED, apply_findings.interrupted(change))
    breaker.note([bad, bad, good, bad, skipped, bad])
    assert not breaker.has_given_up("login")
    breaker.note([bad])
    assert breaker.has_given_up("login")
    assert not breaker.has_given_up("orders")
