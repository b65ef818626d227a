"""The look at each object just before its write."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Mapping, Sequence

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import Unreachable
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.model.objects import Association, Client, Object, Revocation, Scope
from oauthdeploy.model.state import DesiredState, LiveObject, ServerState
from oauthdeploy.planning.changes import Action, Change, Reason, Stage
from oauthdeploy.planning.outcome import ApplyReport, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.precondition import GOOD_FOR, Freshness
from tests.running.kit import FACTS_BY_DRIVER, at, create, delete, desired_state, plan_of, update
from tests.running.memory_driver import MemoryDriver, MemoryServer

OLD, NEW, HAND = (Scope(description=word) for word in ("old", "new", "by hand"))
FIRST, SECOND, THIRD = at("scope/a@login"), at("scope/b@login"), at("scope/c@login")


class Rereading(MemoryDriver):
    """A memory driver that can read by key, and counts it."""

    looks: int = 0
    trouble: Exception | None = None

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:
        if self.trouble is not None:
            raise self.trouble
        self.looks += 1
        assert not wanted.everything
        assert {change.address for change in changes} == wanted.objects.keys() | wanted.absent
        return self.read(wanted)


def run(
    driver: MemoryDriver,
    desired: Mapping[Address, Object],
    *changes: Change,
    always: bool = True,
    clock: Callable[[], float] = lambda: 0.0,
) -> ApplyReport:
    drivers = {driver.name: driver}
    state: DesiredState = desired_state(desired, drivers)
    plan: Plan = plan_of(*changes)
    fresh = Freshness(plan, drivers, state, always=always, clock=clock)
    return apply_plan(plan, drivers, desired=state, facts=FACTS_BY_DRIVER, fresh=fresh, verify=False)


def ends(report: ApplyReport) -> dict[str, Status]:
    return {str(outcome.change.address): outcome.status for outcome in report.outcomes}


def moves(server: MemoryServer, when: Address, what: Callable[[], object]) -> None:
    """Let somebody change the server by hand just after the change of `when` was made."""

    def after(change: Change) -> None:
        if change.address == when:
            what()

    server.after = after


def by_hand(server: MemoryServer, address: Address, value: Object | None) -> Callable[[], object]:
    def change() -> None:
        if value is None:
            server.objects.pop(address, None)
        else:
            server.objects[address] = value

    return change


@pytest.mark.parametrize(
    ("second", "hand", "said"),
    [
        (update(SECOND, OLD, NEW, "description"), HAND, "Description was old, and is by hand now."),
        (update(SECOND, OLD, NEW, "description"), None, "It is gone."),
        (
            update(SECOND, OLD, NEW, "description"),
            Scope(description="old", url_templates=("x",)),
            "It has changed in a field that the plan does not change.",
        ),
        (delete(SECOND, OLD), HAND, "It has changed in a field that the plan does not change."),
        (create(SECOND, NEW), HAND, "It exists now."),
    ],
)
def test_what_moves_in_the_middle_of_an_apply_is_not_written(second: Change, hand: Object | None, said: str) -> None:
    """The change fails as stale, what waits for it is skipped, all else is made; nothing of it is sent."""
    server = MemoryServer({} if second.action is Action.CREATE else {SECOND: OLD})
    moves(server, FIRST, by_hand(server, SECOND, hand))
    third = create(THIRD, NEW, stage=Stage.NARROW_RESOURCE, needs=[SECOND])
    second = replace(second, stage=Stage.WIDEN_AUTHORIZATION)
    wanted = {FIRST: NEW, THIRD: NEW} | ({} if second.action is Action.DELETE else {SECOND: NEW})
    report = run(Rereading("login", server), wanted, create(FIRST, NEW), second, third)
    assert ends(report) == {str(FIRST): Status.DONE, str(SECOND): Status.FAILED, str(THIRD): Status.SKIPPED}
    because = report.outcomes[1].because
    assert because is not None
    assert (because.rule, because.detail) == ("stale-plan", said)
    assert server.batches == [(FIRST,)]


def test_every_object_of_a_saved_plan_is_looked_at() -> None:
    """One look for each change, creates and deletes too, and none where nothing is written."""
    server = MemoryServer({SECOND: OLD, THIRD: OLD})
    driver = Rereading("login", server)
    changes = (create(FIRST, NEW), update(SECOND, OLD, NEW, "description"), delete(THIRD, OLD))
    report = run(driver, {FIRST: NEW, SECOND: NEW}, *changes)
    assert set(ends(report).values()) == {Status.DONE}
    assert driver.looks == 3


def test_a_batch_is_looked_at_once() -> None:
    """What travels in one request is read in one."""
    server = MemoryServer({at("client/x@login"): Client()})
    driver = Rereading("login", server, batch=lambda _change: "scopes of x")
    links = [Address.association("x", scope, "login") for scope in ("a", "b", "c")]
    report = run(driver, dict.fromkeys(links, Association()), *(create(link, Association()) for link in links))
    assert set(ends(report).values()) == {Status.DONE}
    assert driver.looks == 1


def test_an_unreviewed_apply_looks_again_only_when_its_first_look_is_old() -> None:
    """Young: no look. Old: at what is changed or deleted, not at what is made."""
    for age, looks in ((0.0, 0), (GOOD_FOR - 0.1, 0), (GOOD_FOR, 2)):
        server = MemoryServer({SECOND: OLD, THIRD: OLD})
        driver = Rereading("login", server)
        times = iter([0.0])
        changes = (
            create(at("scope/0@login"), NEW, stage=Stage.CUT_OFF_RESOURCE),
            create(FIRST, NEW),
            update(SECOND, OLD, NEW, "description"),
            delete(THIRD, OLD),
        )
        wanted = {at("scope/0@login"): NEW, FIRST: NEW, SECOND: NEW}
        late = age
        report = run(driver, wanted, *changes, always=False, clock=lambda: next(times, late))  # noqa: B023 - used at once
        assert set(ends(report).values()) == {Status.DONE}
        assert driver.looks == looks


def test_what_we_wrote_ourselves_is_no_reason_to_stop() -> None:
    """A server that keeps associations with the client changes the client when they are written; a field that somebody
    else changed in the meantime still stops the change of that field.
    """
    shop, link = at("client/shop@login"), Address.association("shop", "a", "login")
    before, after = Client(description="old", enabled=True), Client(description="new")
    for hand, status in (
        (Client(description="old", enabled=False), Status.DONE),
        (Client(description="x"), Status.FAILED),
    ):
        server = MemoryServer({shop: before})
        moves(server, link, by_hand(server, shop, hand))
        later = update(shop, before, after, "description", stage=Stage.NARROW_AUTHORIZATION)
        report = run(Rereading("login", server), {link: Association(), shop: after}, create(link, Association()), later)
        assert ends(report) == {str(link): Status.DONE, str(shop): status}


def test_cut_offs_never_wait_for_a_look() -> None:
    """Tokens come and go; a revocation is carried out whatever moved."""
    cut = at("revocation/R@login")
    server = MemoryServer({at("client/x@login"): Client()}, tokens={"x": 2})
    driver = Rereading("login", server)
    value = Revocation(client="x", tokens="all")
    change = Change(cut, Action.REVOKE, Reason.CUT_OFF, Stage.CUT_OFF_AUTHORIZATION, value, LiveObject(value))
    assert ends(run(driver, {cut: value}, change)) == {str(cut): Status.DONE}
    assert driver.looks == 0


def test_a_driver_without_keys_is_taken_at_its_first_look() -> None:
    """`read_again` is optional: without it the whole look at the start counts."""
    server = MemoryServer({SECOND: OLD})
    moves(server, FIRST, by_hand(server, SECOND, HAND))
    second = update(SECOND, OLD, NEW, "description", stage=Stage.WIDEN_AUTHORIZATION)
    report = run(MemoryDriver("login", server), {FIRST: NEW, SECOND: NEW}, create(FIRST, NEW), second)
    assert set(ends(report).values()) == {Status.DONE}


def test_a_look_that_fails_fails_its_change_alone() -> None:
    """Nothing is sent for an object that couldn't be looked at."""
    server = MemoryServer()
    driver = Rereading("login", server)
    driver.trouble = Unreachable("no answer", server="login")
    report = run(driver, {FIRST: NEW}, create(FIRST, NEW))
    assert ends(report) == {str(FIRST): Status.FAILED}
    assert report.outcomes[0].because is not None
    assert report.outcomes[0].because.rule == "server-unreachable"
    assert server.batches == []


def test_memory_grows_with_the_changes_and_not_with_their_square() -> None:
    """A server that takes all its changes in one request has one batch, however many changes look at it."""

    class OneRequest(MemoryDriver):
        def batch_key(self, change: Change) -> str:
            return "everything"

    wanted = {at(f"scope/s{number}@login"): Scope() for number in range(3000)}
    driver = OneRequest("login", MemoryServer())
    plan = plan_of(*(create(address, value) for address, value in wanted.items()))
    state = desired_state(wanted, {"login": driver})
    tracemalloc.start()
    try:
        fresh = Freshness(plan, {"login": driver}, state, always=True)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fresh is not None
    assert peak < 5_000_000, "3,000 copies of a batch of 3,000 would take 72 MB"
