"""Applying a plan: order, failures, probing, staleness, secrets, interruption and what is told of all that."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import (
    DeliveryFailed,
    Forbidden,
    OAuthDeployError,
    Rejected,
    SafetyStop,
    ServersFailed,
    StalePlan,
    Unauthorized,
    Unreachable,
)
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret, ClientTokens, DeliverTo, Grant, Object, Revocation, Scope
from oauthdeploy.model.servers import Role
from oauthdeploy.planning.changes import Action, Change, Reason, Stage
from oauthdeploy.planning.outcome import ApplyReport, Event, EventType, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.run_history import End
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.journal import Journal, read_journal, read_run_history
from tests.running.kit import FACTS_BY_DRIVER, Clock, at, create, delete, desired_state, plan_of, update
from tests.running.memory_driver import MemoryDriver, MemoryServer

CANARY = "canary-0d6c2e"


class Estate:
    """Two servers, and a plan run against them."""

    def __init__(self, base: Path, *, parallel: int = 8, batch: Callable[[Change], str] | None = None) -> None:
        self.base = base
        self.login, self.orders = MemoryServer(), MemoryServer()
        self.drivers = {
            "login": MemoryDriver("login", self.login, role=Role.AUTHORIZATION, parallel=parallel, batch=batch),
            "orders": MemoryDriver("orders", self.orders, role=Role.RESOURCE, parallel=parallel, batch=batch),
        }
        self.events: list[Event] = []
        self.also: Mapping[Address, Object] = {}

    def apply(self, plan: Plan, **options: object) -> ApplyReport:
        """Apply with the desired state that the changes themselves ask for."""
        wanted = {change.address: change.desired for change in plan.changes if change.desired is not None}
        gone = [change.address for change in plan.changes if change.desired is None]
        return apply_plan(
            plan,
            self.drivers,
            desired=desired_state({**wanted, **self.also}, self.drivers, absent=gone),
            facts=FACTS_BY_DRIVER,
            on_event=self.events.append,
            base=self.base,
            **options,  # type: ignore[arg-type]
        )

    @property
    def writes(self) -> list[tuple[Address, ...]]:
        return self.login.batches + self.orders.batches


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def statuses(report: ApplyReport) -> dict[str, str]:
    return {str(outcome.change.address): outcome.status.value for outcome in report.outcomes}


def because(report: ApplyReport, address: str) -> Diagnostic:
    (found,) = [o.because for o in report.outcomes if str(o.change.address) == address]
    assert found is not None
    return found


READ_RS, READ_AS = at("scope/read@orders"), at("scope/read@login")
WRITE_AS = at("scope/write@login")


def two_sides() -> Plan:
    return plan_of(
        create(READ_RS, Scope(resources=("orders.v1",)), stage=Stage.WIDEN_RESOURCE),
        create(READ_AS, Scope(description="Read"), stage=Stage.WIDEN_AUTHORIZATION, needs=[READ_RS]),
        create(WRITE_AS, Scope(description="Write"), stage=Stage.WIDEN_AUTHORIZATION),
    )


# -- the good road ----------------------------------------------------------------------------------------------------


def test_changes_are_made_and_told_from_the_answers(estate: Estate) -> None:
    """Each change is done once, in the order of the plan in the report, with the server's ids and requests."""
    report = estate.apply(two_sides())
    assert report.complete
    assert report.verified
    assert not report.verification
    assert [outcome.change.address for outcome in report.outcomes] == [READ_RS, READ_AS, WRITE_AS]
    assert [outcome.identity for outcome in report.outcomes] == ["id-read", "id-read", "id-write"]
    assert report.counts(Status.DONE)[Action.CREATE] == 3
    assert estate.orders.objects == {READ_RS: Scope(resources=("orders.v1",))}
    assert set(estate.login.objects) == {READ_AS, WRITE_AS}


def test_events_tell_each_change_and_count_to_the_end(estate: Estate) -> None:
    """Every change starts and ends once; the count grows to the total; each event has a sentence."""
    estate.apply(two_sides())
    kinds = [event.type for event in estate.events]
    assert kinds[0] is EventType.STARTED
    assert kinds[-2:] == [EventType.VERIFYING, EventType.FINISHED]
    assert kinds.count(EventType.CHANGE_STARTED) == kinds.count(EventType.CHANGE_DONE) == 3
    ends = [event.done for event in estate.events if event.type is EventType.CHANGE_DONE]
    assert ends == [1, 2, 3]
    assert {event.total for event in estate.events} == {3}
    assert all(event.message.endswith(".") for event in estate.events)
    assert estate.events[-1].message == "Finished: 3 done."


def test_a_listener_that_breaks_does_not_break_the_apply(estate: Estate) -> None:
    """A closed pipe under the progress line costs no change."""

    def broken(_event: Event) -> None:
        raise BrokenPipeError

    plan = two_sides()
    desired = desired_state({c.address: c.desired for c in plan.changes if c.desired}, estate.drivers)
    report = apply_plan(plan, estate.drivers, desired=desired, facts=FACTS_BY_DRIVER, on_event=broken)
    assert report.complete


def test_an_empty_plan_asks_and_writes_nothing(estate: Estate) -> None:
    """Nothing to do needs no server."""
    report = estate.apply(plan_of())
    assert report.complete
    assert (estate.login.checks, estate.login.reads, estate.writes, estate.events) == (0, [], [], [])


def test_durations_come_from_the_clock_that_is_handed_in(estate: Estate) -> None:
    """With a clock that a test moves, the report is the same every time."""
    clock = Clock()
    estate.login.before = lambda _change: clock.forward(2)
    report = estate.apply(plan_of(create(WRITE_AS, Scope())), now=clock)
    assert report.outcomes[0].seconds == 2
    assert report.seconds == 2


# -- order and parallelism --------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_graph_ends_each_change_once_on_real_threads(tmp_path: Path, data: st.DataObject) -> None:
    """With workers and failures: no change starts before what it waits for and the stages before it have ended, a failure
    skips exactly what depends on it, and the report tells what the servers hold.
    """
    count = data.draw(st.integers(1, 10))
    stages = sorted(data.draw(st.lists(st.sampled_from(Stage), min_size=count, max_size=count)))
    failing = data.draw(st.frozensets(st.integers(0, count - 1), max_size=2))
    shared = data.draw(st.booleans())
    addresses = [Address(Kind.SCOPE, f"s{n}", data.draw(st.sampled_from(["login", "orders"]))) for n in range(count)]
    needs = [data.draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set() for n in range(count)]
    changes = [
        create(addresses[n], Scope(), stage=stages[n], needs=[addresses[need] for need in sorted(needs[n])])
        for n in range(count)
    ]
    number = {address: n for n, address in enumerate(addresses)}
    estate = Estate(tmp_path, parallel=3, batch=(lambda change: f"b{number[change.address] % 2}") if shared else None)
    guard = threading.Lock()
    done: set[int] = set()
    early: list[str] = []

    def before(change: Change) -> None:
        me = number[change.address]
        with guard:
            if {n for n in range(count) if stages[n] < stages[me]} - done - doomed:
                early.append(f"{change.address} before an earlier stage")
            batch = {number[a] for b in estate.writes if change.address in b for a in b}
            if needs[me] - done - batch:
                early.append(f"{change.address} before what it needs")
        if me in failing:
            raise Rejected("No", server=change.address.server, status=400)

    def after(change: Change) -> None:
        with guard:
            done.add(number[change.address])

    doomed = set(failing)
    for n in range(count):
        if needs[n] & doomed:
            doomed.add(n)
    if shared:
        # A batch fails as a whole, so whatever may share a request with a failing change may fail with it.
        doomed = set(range(count)) if failing else set()
    for store in (estate.login, estate.orders):
        store.before, store.after = before, after
    report = estate.apply(plan_of(*data.draw(st.permutations(changes))))
    assert early == []
    assert len(report.outcomes) == count
    held = set(estate.login.objects) | set(estate.orders.objects)
    assert {o.change.address for o in report.outcomes if o.status is Status.DONE} == held
    if not shared:
        assert {number[o.change.address] for o in report.outcomes if o.status is Status.FAILED} == failing - {
            n for n in failing if needs[n] & doomed
        }
        assert {number[o.change.address] for o in report.outcomes if o.status is not Status.DONE} == doomed


def test_independent_changes_run_side_by_side_within_the_limit_of_each_server(tmp_path: Path) -> None:
    """As many as `limits.parallel` at once and no more; the servers don't wait for each other."""
    estate = Estate(tmp_path, parallel=3)
    meeting = threading.Barrier(6, timeout=10)

    def meet(_change: Change) -> None:
        meeting.wait()

    estate.login.before = estate.orders.before = meet
    changes = [
        create(Address(Kind.SCOPE, f"s{n}", server), Scope()) for n in range(6) for server in ("login", "orders")
    ]
    report = estate.apply(plan_of(*changes))
    assert report.complete
    assert (estate.login.most_at_once, estate.orders.most_at_once) == (3, 3)


def test_changes_of_one_request_are_handed_over_together(tmp_path: Path) -> None:
    """The associations of one client are one write of its scope list."""
    estate = Estate(tmp_path, batch=lambda change: change.address.kind)
    report = estate.apply(two_sides())
    assert report.complete
    assert estate.login.batches == [(READ_AS, WRITE_AS)]


# -- failures ---------------------------------------------------------------------------------------------------------


def test_a_failure_skips_what_depends_on_it_and_nothing_else(estate: Estate) -> None:
    """The scope that needs the failed one is skipped with the reason; the other is made."""

    def refuse(change: Change) -> None:
        raise Rejected(
            "The server declined",
            server="orders",
            method="POST",
            path="/x",
            status=400,
            words="bad folder",
            fix="Fix it.",
        )

    estate.orders.before = refuse
    report = estate.apply(two_sides())
    assert statuses(report) == {str(READ_RS): "failed", str(READ_AS): "skipped", str(WRITE_AS): "done"}
    failed = because(report, str(READ_RS))
    assert (failed.rule, failed.fix) == ("request-rejected", "Fix it.")
    assert failed.detail == "orders: POST /x answered 400: bad folder"
    skipped = because(report, str(READ_AS))
    assert skipped.rule == "dependency-failed"
    assert str(READ_RS) in skipped.detail
    assert [event.type for event in estate.events].count(EventType.CHANGE_SKIPPED) == 1
    assert estate.events[-1].message == "Finished: 1 done, 1 failed, 1 skipped."
    assert not report.complete


def test_a_fault_of_a_driver_is_told_as_a_bug_without_any_value(estate: Estate) -> None:
    """The type of the exception and nothing it holds; the other changes go on."""

    def fault(change: Change) -> None:
        if change.address == READ_AS:
            raise KeyError(CANARY)

    estate.login.before = fault
    report = estate.apply(two_sides())
    assert statuses(report)[str(READ_AS)] == "failed"
    assert statuses(report)[str(WRITE_AS)] == "done"
    found = because(report, str(READ_AS))
    assert "KeyError" in found.detail
    assert "This is a bug in oauthdeploy." in found.detail
    assert CANARY not in repr(report)


def test_a_driver_that_tells_of_other_objects_leaves_an_unknown_end(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that doesn't fit what was asked proves nothing."""
    monkeypatch.setattr(estate.drivers["login"], "apply", lambda _changes: [])
    report = estate.apply(plan_of(create(WRITE_AS, Scope())))
    assert statuses(report) == {str(WRITE_AS): "unknown"}
    assert because(report, str(WRITE_AS)).rule == "internal-error"


@pytest.mark.parametrize(
    ("acted", "readable", "status"), [(True, True, "done"), (False, True, "failed"), (True, False, "unknown")]
)
def test_a_lost_answer_is_settled_by_a_look(estate: Estate, acted: bool, readable: bool, status: str) -> None:
    """A write whose answer got lost is done when the server has it, failed when not, unknown when nobody can tell."""

    def lose(_change: Change) -> None:
        if not readable:
            estate.login.read_error = Unreachable("No answer", server="login")
        raise Unreachable("The connection broke", server="login", uncertain=True)

    if acted:
        estate.login.after = lose
    else:
        estate.login.before = lose
    report = estate.apply(plan_of(create(WRITE_AS, Scope(description="Write"))))
    assert statuses(report) == {str(WRITE_AS): status}
    told = report.outcomes[0].note if status == "done" else because(report, str(WRITE_AS)).detail
    assert "reading the server" in told


def test_a_secret_in_a_lost_answer_is_a_failure_with_a_way_back(estate: Estate) -> None:
    """The client stands, but nobody has its secret: that must not count as done."""

    def lose(_change: Change) -> None:
        raise Unreachable("The connection broke", server="login", uncertain=True)

    estate.login.after = lose
    estate.login.secrets = {"shop": CANARY}
    report = estate.apply(plan_of(create(SHOP, generated("shop.env"))))
    assert statuses(report) == {str(SHOP): "failed"}
    found = because(report, str(SHOP))
    assert "lost response" in found.detail
    assert "secret.revision" in found.fix


# -- nothing is written before all is well ----------------------------------------------------------------------------


def test_a_dead_server_stops_everything_before_the_first_write(estate: Estate) -> None:
    """Also one that comes last in the order of work: its name, exit code 8, nothing written anywhere."""
    estate.login.check_error = Unreachable("No answer", server="login")
    with pytest.raises(Unreachable) as caught:
        estate.apply(two_sides())
    assert (caught.value.server, caught.value.exit_code) == ("login", 8)
    assert estate.writes == []


def test_servers_that_refuse_are_all_named(estate: Estate) -> None:
    """Wrong credentials on two servers are told in one run."""
    estate.login.check_error = Unauthorized("Refused", server="login", status=401)
    estate.orders.check_error = Unauthorized("Refused", server="orders", status=401)
    with pytest.raises(ServersFailed, match="login, orders"):
        estate.apply(two_sides())
    assert estate.writes == []


def test_a_server_of_the_run_without_a_change_is_probed_too(estate: Estate) -> None:
    """Half an estate is not applied while the other half is down."""
    estate.orders.check_error = Forbidden("Not allowed", server="orders", status=403)
    with pytest.raises(Forbidden):
        estate.apply(plan_of(create(WRITE_AS, Scope())))
    assert estate.writes == []
    assert estate.login.reads == []


def changed_before() -> tuple[Plan, Scope]:
    old = Scope(description="Old")
    return plan_of(update(WRITE_AS, old, Scope(description="New"), "description")), old


@pytest.mark.parametrize(
    ("found", "words"), [(None, "is gone"), (Scope(description="Other"), "has changed")], ids=["gone", "changed"]
)
def test_an_object_that_moved_since_the_plan_makes_it_stale(estate: Estate, found: Scope | None, words: str) -> None:
    """Exit code 6, what moved, and nothing written."""
    plan, _old = changed_before()
    if found:
        estate.login.objects[WRITE_AS] = found
    with pytest.raises(StalePlan) as caught:
        estate.apply(plan)
    assert caught.value.exit_code == 6
    assert f"{WRITE_AS} {words}" in caught.value.detail
    assert estate.writes == []


def test_an_object_that_appeared_or_can_no_longer_be_read_makes_the_plan_stale(estate: Estate) -> None:
    """What would be made is there already; what would be looked at is hidden: nobody knows what a write would do."""
    estate.login.objects[WRITE_AS] = Scope()
    estate.orders.unreadable[Kind.SCOPE] = Diagnostic("unreadable", "Forbidden")
    with pytest.raises(StalePlan) as caught:
        estate.apply(two_sides())
    assert "scope/write@login exists now" in caught.value.detail
    assert "scope/read@orders can no longer be read" in caught.value.detail
    assert estate.writes == []


def renamed(value: Client) -> Plan:
    former = at("client/old@login")
    change = replace(update(SHOP, value, Client(name="Shop"), "name"), reason=Reason.RENAMED, former=former)
    prints = {str(SHOP): "", str(former): change.live.fingerprint if change.live else ""}
    return replace(plan_of(change), fingerprints=prints)


def test_a_rename_expects_the_object_at_its_former_name_and_nothing_at_the_new_one(estate: Estate) -> None:
    """Both names are looked at before the first write."""
    value = Client(name="Old")
    with pytest.raises(StalePlan) as caught:
        estate.apply(renamed(value))
    assert caught.value.detail == "client/old@login is gone."
    estate.login.objects = {at("client/old@login"): value, SHOP: value}
    with pytest.raises(StalePlan) as caught:
        estate.apply(renamed(value))
    assert caught.value.detail == f"{SHOP} exists now."
    assert estate.writes == []


def test_a_plan_whose_objects_stand_as_they_did_is_applied(estate: Estate) -> None:
    """The check is for what moved, not for the look of it."""
    plan, old = changed_before()
    estate.login.objects[WRITE_AS] = old
    report = estate.apply(plan)
    assert report.complete
    assert estate.login.objects[WRITE_AS] == Scope(description="New")


def test_an_object_that_moves_just_before_its_write_is_not_written(estate: Estate) -> None:
    """The last look is the caller's; what it finds ends that change and what depends on it."""
    stale = Diagnostic("stale-plan", "It has changed", address=str(READ_RS))
    report = estate.apply(two_sides(), fresh=lambda change: stale if change.address == READ_RS else None)
    assert statuses(report) == {str(READ_RS): "failed", str(READ_AS): "skipped", str(WRITE_AS): "done"}
    assert because(report, str(READ_RS)) == stale
    assert estate.orders.batches == []


def test_what_travels_with_an_object_that_moved_goes_without_it(tmp_path: Path) -> None:
    """In one request with it: what needs it is skipped, the others are sent."""
    estate = Estate(tmp_path, batch=lambda change: "all")
    first, needing, other = (at(f"scope/{name}@login") for name in ("first", "needing", "other"))
    plan = plan_of(create(first, Scope()), create(needing, Scope(), needs=[first]), create(other, Scope()))
    stale = Diagnostic("stale-plan", "It has changed", address=str(first))
    report = estate.apply(plan, fresh=lambda change: stale if change.address == first else None)
    assert statuses(report) == {str(first): "failed", str(needing): "skipped", str(other): "done"}
    assert because(report, str(needing)).rule == "dependency-failed"
    assert estate.login.batches == [(other,)]


def test_safety_stops_hold_until_each_rule_is_lifted_by_name(estate: Estate) -> None:
    """Exit code 5 before any request; the report names the rules that were lifted, and no others."""
    stops = Diagnostics((Diagnostic("too-many-deletes", "Many", "3 of 4"), Diagnostic("protected", "Protected", "x")))
    plan = replace(plan_of(create(WRITE_AS, Scope())), stops=stops)
    with pytest.raises(SafetyStop) as caught:
        estate.apply(plan, allowed=["protected"])
    assert caught.value.exit_code == 5
    assert "3 of 4" in caught.value.detail
    assert caught.value.fix.endswith("--allow too-many-deletes")
    assert estate.login.checks == 0
    report = estate.apply(plan, allowed=["too-many-deletes", "protected", "never-tripped"])
    assert report.allowed == ("protected", "too-many-deletes")


def test_a_change_for_a_server_that_is_not_connected_is_refused(estate: Estate) -> None:
    """That would be our own mistake, and nothing is written for it."""
    with pytest.raises(OAuthDeployError, match="not connected"):
        estate.apply(plan_of(create(WRITE_AS, Scope()), create(at("scope/x@nowhere"), Scope())))
    assert estate.writes == []


# -- secrets that servers make ----------------------------------------------------------------------------------------

SHOP = at("client/shop@login")


def generated(file: str) -> Client:
    return Client(secret=ClientSecret(generate=True, deliver_to=DeliverTo(file=file)))


def test_a_secret_that_the_server_makes_goes_to_its_sink_and_nowhere_else(estate: Estate, tmp_path: Path) -> None:
    """The report names the place; report, events and journal don't hold the value."""
    estate.login.secrets = {"shop": CANARY}
    with Journal.create(tmp_path / "journal", "shop", now=Clock()) as journal:
        report = estate.apply(plan_of(create(SHOP, generated("out/shop.env"))), journal=journal)
    path = tmp_path / "out" / "shop.env"
    assert path.read_text() == f"CLIENT_ID=id-shop\nCLIENT_SECRET={CANARY}\n"
    assert report.complete
    assert report.delivered == {str(SHOP): str(path)}
    assert CANARY not in repr(report) + repr(estate.events) + Path(report.journal).read_text()


class Full:
    """Sinks that nothing goes into."""

    def check(self, target: DeliverTo, address: Address) -> None:
        return None

    def delivered(self, target: DeliverTo) -> Secret | None:
        return None

    def deliver(self, secret: Secret, target: DeliverTo, address: Address, *, client_id: str) -> str:
        raise DeliveryFailed("The secret cannot be delivered", detail="disk full.", fix="Free some space.")


@pytest.mark.parametrize("hands_over", [False, True])
def test_a_failed_delivery_is_a_failed_change_that_says_the_way_back(estate: Estate, hands_over: bool) -> None:
    """The client stands, its secret is lost: what happened, and how to get another; what depends on it is skipped."""
    estate.login.hands_over = hands_over
    estate.login.secrets = {"shop": CANARY}
    needing = create(WRITE_AS, Scope(), needs=[SHOP])
    report = estate.apply(plan_of(create(SHOP, generated("shop.env")), needing), sinks=Full())
    assert statuses(report) == {str(SHOP): "failed", str(WRITE_AS): "skipped"}
    found = because(report, str(SHOP))
    assert found.rule == "secret-not-delivered"
    assert "the secret that the server generated is lost" in found.detail
    assert found.fix.startswith("Free some space. To get a new secret, raise secret.revision")
    assert report.outcomes[0].identity == "id-shop"
    assert CANARY not in repr(report)


def test_a_secret_that_is_handed_over_is_in_its_place_before_the_driver_goes_on(estate: Estate, tmp_path: Path) -> None:
    """Delivered once; the journal has the time from the request to the delivery, not that of what followed."""
    clock, path = Clock(), tmp_path / "s.env"
    seen: list[bool] = []
    estate.login.secrets, estate.login.hands_over = {"shop": CANARY}, True
    estate.login.before = lambda _change: clock.forward(5)

    def keeps(_address: Address, value: Object) -> Object:
        clock.forward(2)
        return value

    estate.login.keeps = keeps

    def after(_change: Change) -> None:
        seen.append(CANARY in path.read_text())
        path.unlink()
        clock.forward(7)

    estate.login.after = after
    with Journal.create(tmp_path / "journal", "shop", now=clock) as journal:
        report = estate.apply(plan_of(create(SHOP, generated("s.env"))), journal=journal, now=clock, verify=False)
    assert report.complete
    assert seen == [True]
    assert not path.exists(), "delivered a second time"
    assert report.delivered == {str(SHOP): str(path)}
    (entry,) = read_run_history(Path(report.journal)).entries
    assert entry.secret_gap == 2


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Rejected("no", server="login"), "failed"),
        (Unreachable("gone", server="login", uncertain=True), "done"),
        (ValueError("a bug"), "failed"),
    ],
    ids=["rejected", "lost", "bug"],
)
@pytest.mark.parametrize("full", [False, True])
def test_a_failure_after_the_handover_says_where_the_new_secret_is(
    estate: Estate, tmp_path: Path, error: Exception, status: str, full: bool
) -> None:
    """It may be the live one, so it is never lost untold: the place is in the report, or why there is none."""

    def fails(_change: Change) -> None:
        raise error

    estate.login.secrets, estate.login.hands_over, estate.login.after = {"shop": CANARY}, True, fails
    more = {"sinks": Full()} if full else {}
    report = estate.apply(plan_of(create(SHOP, generated("s.env"))), verify=False, **more)
    assert statuses(report) == {str(SHOP): "failed" if full else status}
    assert report.delivered == ({} if full else {str(SHOP): str(tmp_path / "s.env")})
    assert full or CANARY in (tmp_path / "s.env").read_text()
    if full:
        assert "disk full." in because(report, str(SHOP)).detail
    elif status == "failed":
        assert f"was delivered to {tmp_path / 's.env'}" in because(report, str(SHOP)).detail
    assert CANARY not in repr(report)


def test_a_sink_that_cant_work_is_found_before_anything_is_sent(estate: Estate, tmp_path: Path) -> None:
    """A secret that has nowhere to go is not made."""
    (tmp_path / "shop.env").mkdir()
    with pytest.raises(DeliveryFailed):
        estate.apply(plan_of(create(SHOP, generated("shop.env"))))
    assert estate.writes == []


def test_two_clients_must_not_share_one_file(estate: Estate) -> None:
    """The second would overwrite the first one's secret."""
    with pytest.raises(DeliveryFailed) as caught:
        estate.apply(plan_of(create(SHOP, generated("s.env")), create(at("client/app@login"), generated("s.env"))))
    assert "client/app@login" in caught.value.detail
    assert estate.writes == []


def test_a_secret_that_nobody_asked_for_is_dropped_with_a_word(estate: Estate) -> None:
    """Never printed, never kept; the report says that there was one."""
    estate.login.secrets = {"shop": CANARY}
    report = estate.apply(plan_of(create(SHOP, Client())))
    assert report.complete
    assert "dropped" in report.outcomes[0].note
    assert report.delivered == {}
    assert CANARY not in repr(report)


def test_the_secret_of_a_mere_resource_server_does_not_take_the_others_place(estate: Estate, tmp_path: Path) -> None:
    """Clients show their secret to the authorization server; what the other side made is of no use."""
    estate.login.secrets, estate.orders.secrets = {"shop": CANARY}, {"shop": "useless"}
    other = at("client/shop@orders")
    report = estate.apply(plan_of(create(SHOP, generated("s.env")), create(other, generated("s.env"))))
    assert report.complete
    assert [outcome.note for outcome in report.outcomes] == ["", ""]
    assert CANARY in (tmp_path / "s.env").read_text()


def test_an_update_that_makes_no_secret_delivers_none(estate: Estate, tmp_path: Path) -> None:
    """A server may show the secret, or a mask, in any answer; what was delivered with the create stays."""
    estate.login.secrets = {"shop": CANARY}
    estate.apply(plan_of(create(SHOP, generated("s.env"))))
    for echoed in ("********", "another-real-one"):
        estate.login.objects[SHOP] = generated("s.env")
        estate.login.secrets = {"shop": echoed}
        described = generated("s.env").model_copy(update={"description": echoed})
        report = estate.apply(plan_of(update(SHOP, generated("s.env"), described, "description")))
        assert report.complete
        assert report.delivered == {}
        assert CANARY in (tmp_path / "s.env").read_text()


@pytest.mark.parametrize("shown", ["", "********", "ab****", "<hidden>"])
def test_a_secret_that_was_to_come_and_did_not_is_a_failed_change(estate: Estate, tmp_path: Path, shown: str) -> None:
    """None, or a mask in its place: the client stands and nobody can use it, so it isn't done."""
    estate.login.secrets = {"shop": shown} if shown else {}
    report = estate.apply(plan_of(create(SHOP, generated("s.env"))))
    found = because(report, str(SHOP))
    assert (statuses(report), found.rule) == ({str(SHOP): "failed"}, "secret-not-delivered")
    assert "raise secret.revision" in found.fix
    assert not (tmp_path / "s.env").exists()


def test_what_a_change_took_along_is_its_error_and_in_the_journal(estate: Estate, tmp_path: Path) -> None:
    """A server that replaces where it was asked to change some fields loses the others, and says 200."""
    estate.login.lost = ("scopes[orders.read]",)
    estate.login.objects[SHOP] = Client()
    with Journal.create(tmp_path / "journal", "shop", now=Clock()) as journal:
        report = estate.apply(plan_of(update(SHOP, Client(), Client(description="d"), "description")), journal=journal)
    found = because(report, str(SHOP))
    assert (report.complete, found.rule) == (False, "fields-lost")
    assert "scopes[orders.read]" in found.detail
    assert "scopes[orders.read]" in Path(report.journal).read_text()


def test_what_a_change_took_along_is_found_by_the_reading_that_ends_the_run(estate: Estate) -> None:
    """A server whose answer to a write is empty shows only later what is gone."""
    estate.login.silent, estate.login.lost = True, ("scopes[orders.read]",)
    estate.login.objects[SHOP] = Client()
    report = estate.apply(plan_of(update(SHOP, Client(), Client(description="d"), "description")))
    (found,) = report.verification
    assert (statuses(report), found.rule, found.address) == ({str(SHOP): "done"}, "fields-lost", str(SHOP))


# -- the second look --------------------------------------------------------------------------------------------------


def test_a_field_that_the_server_dropped_or_changed_is_named(estate: Estate) -> None:
    """The change was made, and the report says what the server kept instead."""
    estate.login.keeps = lambda _address, value: value.model_copy(update={"description": "cut"})
    report = estate.apply(plan_of(create(WRITE_AS, Scope(description="cut short"))))
    assert report.complete
    (found,) = report.verification
    assert (found.rule, found.address) == ("field-not-kept", str(WRITE_AS))
    assert found.detail == "description: sent cut short, the server has cut."


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Client(enabled=False), {"enabled": True}),
        (
            Client(redirect_uris=("https://a.example/cb",)),
            {"redirect_uris": ("https://a.example/cb", "https://evil.example")},
        ),
        (Client(grants=(Grant.AUTHORIZATION_CODE,)), {"grants": (Grant.PASSWORD,)}),
        (Client(tokens=ClientTokens(access_lifetime=60)), {"tokens": ClientTokens(access_lifetime=86400)}),
    ],
)
def test_a_security_field_that_the_server_did_not_keep_is_an_error(
    estate: Estate, wanted: Client, kept: dict[str, object], verify: bool
) -> None:
    """It is not in force, whoever looks: the answer or the second look."""
    estate.login.keeps = lambda _address, value: value.model_copy(update=kept)
    report = estate.apply(plan_of(create(at("client/x@login"), wanted)), verify=verify)
    (found,) = report.verification.errors
    assert (found.rule, found.address) == ("not-in-force", "client/x@login")


@pytest.mark.parametrize("verify", [True, False])
def test_a_change_without_any_effect_is_an_error(estate: Estate, verify: bool) -> None:
    """A text for people that the server rewrote is a warning; one that it answered 200 to and left alone has not changed."""
    estate.login.objects[WRITE_AS] = Scope(description="old")
    estate.login.keeps = lambda _address, value: value.model_copy(update={"description": "old"})
    changed = update(WRITE_AS, Scope(description="old"), Scope(description="new"), "description")
    report = estate.apply(plan_of(changed), verify=verify)
    (found,) = report.verification.errors
    assert (found.rule, found.detail) == ("not-in-force", "description: sent new, the server has old.")


def test_an_option_that_the_server_did_not_keep_is_an_error(estate: Estate) -> None:
    """What a driver's own option opens is not known here, so it counts as much as any field."""
    estate.login.keeps = lambda _address, value: value.model_copy(update={"options": {"memory": {"pkce": "none"}}})
    report = estate.apply(plan_of(create(at("client/x@login"), Client(options={"memory": {"pkce": "S256"}}))))
    assert [found.rule for found in report.verification.errors] == ["not-in-force"]


def test_without_a_second_look_the_answers_themselves_are_compared(estate: Estate) -> None:
    """`--no-verify` saves requests, not honesty."""
    estate.login.keeps = lambda _address, value: value.model_copy(update={"description": "cut"})
    report = estate.apply(plan_of(create(WRITE_AS, Scope(description="cut short"))), verify=False)
    assert not report.verified
    assert [found.rule for found in report.verification] == ["field-not-kept"]
    assert len(estate.login.reads) == 1


def test_a_second_look_that_cant_be_had_is_said(estate: Estate) -> None:
    """The server died after the write: the change is done, and nobody looked again."""

    def die(_change: Change) -> None:
        estate.login.read_error = Unreachable("No answer", server="login")

    estate.login.after = die
    report = estate.apply(plan_of(create(WRITE_AS, Scope())))
    assert report.complete
    assert not report.verified
    assert [found.rule for found in report.verification] == ["not-verified"]


def test_an_object_that_is_not_there_or_still_there_is_found(estate: Estate) -> None:
    """Answers can be wrong; the second look isn't fooled."""
    old, kept = at("scope/old@login"), Scope(description="Old")
    estate.login.objects[old] = kept

    def undo(change: Change) -> None:
        with estate.login.lock:
            if change.action is Action.DELETE:
                estate.login.objects[old] = kept
            else:
                del estate.login.objects[WRITE_AS]

    estate.login.after = undo
    report = estate.apply(plan_of(create(WRITE_AS, Scope()), delete(old, kept)))
    assert {(found.rule, found.address) for found in report.verification} == {
        ("change-not-kept", str(WRITE_AS)),
        ("change-not-kept", str(old)),
    }


def cut_off() -> Plan:
    revocation = Revocation(client="shop", tokens="all", block=("resource",))
    login, orders = at("revocation/R1@login"), at("revocation/R1@orders")
    return plan_of(
        Change(orders, Action.DISABLE, Reason.CUT_OFF, Stage.CUT_OFF_RESOURCE, revocation),
        Change(login, Action.REVOKE, Reason.CUT_OFF, Stage.CUT_OFF_AUTHORIZATION, revocation, depends_on=(orders,)),
    )


def test_a_cut_off_is_verified_on_both_sides(estate: Estate) -> None:
    """No active token is left, and the client is disabled."""
    estate.login.tokens = {"shop": 3}
    report = estate.apply(cut_off())
    assert report.complete
    assert not report.verification
    assert report.verified
    assert estate.login.tokens == {}
    assert estate.orders.blocked == {"shop"}


def test_a_cut_off_that_did_not_hold_is_found(estate: Estate) -> None:
    """New tokens and a client that was enabled again are told apart."""

    def undo(_change: Change) -> None:
        estate.login.tokens = {"shop": 1}
        estate.orders.blocked.clear()

    estate.login.after = estate.orders.after = undo
    report = estate.apply(cut_off())
    assert {(found.rule, found.address, found.detail) for found in report.verification} == {
        ("cut-off-incomplete", "revocation/R1@login", "1 active token is left."),
        ("cut-off-incomplete", "revocation/R1@orders", "The client is still enabled."),
    }


# -- interruption -----------------------------------------------------------------------------------------------------


def test_stopping_finishes_what_is_in_flight_and_skips_the_rest(tmp_path: Path) -> None:
    """The requests that were sent are recorded as done; the others are skipped as interrupted, waiting ones too."""
    estate = Estate(tmp_path, parallel=2)
    stop = threading.Event()
    both = threading.Barrier(2, timeout=10)

    def in_flight(_change: Change) -> None:
        both.wait()
        stop.set()

    estate.login.before = in_flight
    first = [create(Address(Kind.SCOPE, f"s{n}", "login"), Scope()) for n in range(5)]
    later = create(READ_RS, Scope(), stage=Stage.NARROW_RESOURCE)
    with Journal.create(tmp_path / "journal", "shop", now=Clock()) as journal:
        report = estate.apply(plan_of(*first, later), stop=stop, journal=journal)
    counts = [sum(o.status is status for o in report.outcomes) for status in (Status.DONE, Status.SKIPPED)]
    assert counts == [2, 4]
    assert report.interrupted
    assert not report.verified
    assert {o.because.rule for o in report.outcomes if o.because} == {"interrupted"}
    assert len(estate.login.objects) == 2
    contents = read_journal(Path(report.journal))
    assert contents.records[-1]["type"] == "end"
    assert contents.records[-1]["interrupted"] is True
    assert not read_run_history(Path(report.journal)).of(End.OPEN)


def test_a_run_that_loses_its_lock_writes_nothing_more(estate: Estate) -> None:
    """It is asked before each write; the rest is skipped and named, and the journal ends as that of an interrupted run."""
    answers = iter([True, False])
    journal = Journal.create(estate.base / "j", "shop", now=Clock())
    report = estate.apply(two_sides(), holds_lock=lambda: next(answers), journal=journal)
    assert statuses(report) == {str(READ_RS): "done", str(READ_AS): "skipped", str(WRITE_AS): "skipped"}
    assert estate.writes == [(READ_RS,)]
    assert {found.because.rule for found in report.outcomes if found.because} == {"lock-lost"}
    assert not report.verified
    assert read_journal(journal.path).records[-1]["interrupted"] is True


def test_a_stop_after_the_last_change_interrupts_nothing(estate: Estate) -> None:
    """Nothing was left out, so the run was whole; only the second look is saved."""
    stop = threading.Event()
    estate.login.after = lambda _change: stop.set()
    report = estate.apply(plan_of(create(WRITE_AS, Scope())), stop=stop)
    assert report.complete
    assert not report.interrupted
    assert not report.verified


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_caller_without_handlers_gets_the_same_orderly_end(tmp_path: Path, number: signal.Signals) -> None:
    """From Python too, a signal finishes what is in flight; afterwards the former handlers stand again."""
    estate = Estate(tmp_path, parallel=1)
    before = signal.getsignal(number)
    estate.login.before = lambda _change: os.kill(os.getpid(), number)
    changes = [create(Address(Kind.SCOPE, f"s{n}", "login"), Scope()) for n in range(20)]
    report = estate.apply(plan_of(*changes))
    assert report.interrupted
    assert 1 <= len(estate.login.objects) < 20
    assert {str(a) for a in estate.login.objects} == {
        name for name, status in statuses(report).items() if status == "done"
    }
    assert signal.getsignal(number) is before


def test_a_callers_own_handlers_are_left_to_do_their_work(estate: Estate) -> None:
    """A program that handles signals itself, as the command line does, isn't overruled."""
    own: list[int] = []
    former = signal.signal(signal.SIGINT, lambda number, _frame: own.append(number))
    try:
        estate.login.before = lambda _change: os.kill(os.getpid(), signal.SIGINT)
        report = estate.apply(plan_of(create(WRITE_AS, Scope())))
    finally:
        signal.signal(signal.SIGINT, former)
    assert own == [signal.SIGINT]
    assert report.complete
    assert not report.interrupted


def test_an_exception_in_the_middle_leaves_waiting_batches_unsent(tmp_path: Path) -> None:
    """A second Ctrl-C of the command line raises in the main thread: what waits in a pool must not start after that."""
    estate = Estate(tmp_path, parallel=1)

    class Again(KeyboardInterrupt):
        pass

    def impatient(event: Event) -> None:
        if event.type is EventType.CHANGE_DONE:
            raise Again

    changes = [create(Address(Kind.SCOPE, f"s{n}", "login"), Scope()) for n in range(20)]
    plan = plan_of(*changes)
    gate = threading.Event()
    estate.login.before = lambda change: None if change.address.name == "s0" else (gate.wait(0.2), None)[1]
    with pytest.raises(Again):
        apply_plan(
            plan,
            estate.drivers,
            desired=desired_state({c.address: Scope() for c in changes}, estate.drivers),
            facts=FACTS_BY_DRIVER,
            on_event=impatient,
        )
    assert len(estate.login.batches) <= 2
