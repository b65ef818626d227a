"""Applies a plan: reads again, makes its changes in order, and reports what happened.

    check safety -> probe every server -> read again: is the plan still valid? -> write, stage by stage -> verify

Nothing is written before every server has responded. One thread schedules; each server has its own workers, as many as its
limits allow. Reports are based on the servers' responses, never on the plan.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.delivery_bounds import DeliveryBounds
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import DeliveryFailed, JournalFailed, OAuthDeployError, SafetyStop, StalePlan
from oauthdeploy.drivers.base import Driver, Prover
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import AssignedAs, Association
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, Stage, is_recreated, replaced_with
from oauthdeploy.planning.outcome import ApplyReport, Event, EventType, Outcome, Status
from oauthdeploy.planning.pending_revocations import to_align
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.two_writes import write_steps
from oauthdeploy.planning.unkept import Unkept, remembered
from oauthdeploy.running import apply_findings
from oauthdeploy.running.batch_executor import BatchExecutor, ChangeResult
from oauthdeploy.running.circuit_breaker import Breaker
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.events import EventEmitter
from oauthdeploy.running.journal import Journal, TakenScopes
from oauthdeploy.running.read import check_all, read_wanted, wanted_of
from oauthdeploy.running.revocation_proof import prove
from oauthdeploy.running.scheduler import Batch, Schedule, Skip
from oauthdeploy.running.secret_handover import SecretHandover, deliver_target, may_make_secret
from oauthdeploy.running.secret_sinks import LocalSinks, Sinks
from oauthdeploy.running.signals import deferred
from oauthdeploy.running.trust_proof import not_ready
from oauthdeploy.running.verify import look_again, settle


def apply_plan(
    plan: Plan,
    drivers: Mapping[str, Driver],
    *,
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
    on_event: Callable[[Event], None] | None = None,
    journal: Journal | None = None,
    base: Path | None = None,
    sinks: Sinks | None = None,
    stop: threading.Event | None = None,
    allowed: Collection[str] = (),
    verify: bool = True,
    fresh: Callable[[Change], Diagnostic | None] = lambda _change: None,
    prover: Prover | None = None,
    seen: LiveState | None = None,
    holds_lock: Callable[[], bool] = lambda: True,
    now: Callable[[], datetime] = utc_now,
) -> ApplyReport:
    """Make the changes of the plan and return the outcome of each.

    `drivers` are open for writing, by server name; `facts` by driver name. `on_event` is called from several threads, one call
    at a time. Secrets that servers generate go to `sinks` (default: files; relative paths start from `base`, default the
    working folder). Setting `stop`, Ctrl-C or SIGTERM finish the requests in flight and skip the rest. `allowed` names the
    safety rules that are lifted. `fresh` reads an object just before its write and returns a finding if it has changed.
    `prover` tries the tokens that prove revocations. `seen` is what the same drivers have just read for this plan and need not
    read again; None: it is read. `holds_lock` is called before each write; a run that has lost its lock stops like an
    interrupted one. `now` is the clock for durations.

    Raises, with nothing written: SafetyStop; the servers' own errors, or ServersFailed; StalePlan; DeliveryFailed for a secret
    that cannot be delivered; JournalFailed; OAuthDeployError for a plan with circular dependencies. Later errors are outcomes.
    """
    started = now()
    stop = stop or threading.Event()
    sinks = sinks or LocalSinks(DeliveryBounds(base or Path()))
    lifted = require_safety(plan, allowed)
    if plan.is_empty:
        return ApplyReport(plan, (), verified=verify, allowed=lifted, journal=_path_of(journal))
    steps = write_steps(plan.changes)
    schedule = Schedule(steps, lambda change: _driver_of(drivers, change).batch_key(change))
    events = EventEmitter(on_event, len(steps))
    handover = SecretHandover(drivers, sinks, now)
    for driver in drivers.values():
        driver.set_stop_event(stop)
        driver.set_secret_handover(handover.begin)
    with deferred(stop):
        live = _read_before_writing(plan, drivers, desired, sinks, seen)
        if journal:
            journal.begin(plan, allowed=lifted)
        events.emit(EventType.STARTED, f"Applying {_count(len(plan.changes), 'change')} of {plan.name}.")
        executor = BatchExecutor(
            drivers,
            journal,
            handover,
            events,
            stop,
            now,
            lambda change: fresh(change) or _not_ready(change, prover),
            lambda some: settle(some, drivers, desired, facts),
            scopes_lost_by(plan.changes, live),
            {change.address: change for change in plan.changes if change.interim},
            holds_lock,
        )
        run = _Run(steps, schedule, executor, to_align(plan.changes, desired))
        run.go()
        run.join_halves(plan.changes)
        run.outlast_cut_offs()
        verification = _verify(run, drivers, desired, facts, events, prover, sinks, plan.unkept, wanted=verify)
    outcomes = tuple(run.ended[place].outcome for place in range(len(plan.changes)))
    interrupted = any(o.because is not None and o.because.rule == "interrupted" for o in outcomes)
    made = [outcome.change for outcome in outcomes if outcome.status is Status.DONE]
    unkept = tuple(remembered(plan.unkept, made if verification.read_again else (), verification.unkept))
    _close(journal, interrupted=interrupted or executor.lost.is_set(), unkept=unkept, left=verification.left)
    events.emit(EventType.FINISHED, _summary(outcomes, interrupted=interrupted))
    return ApplyReport(
        plan,
        outcomes,
        verification.findings,
        verification.complete,
        MappingProxyType({str(e.outcome.change.address): e.delivered for e in run.in_order if e.delivered}),
        lifted,
        interrupted,
        _path_of(journal),
        max(0.0, (now() - started).total_seconds()),
    )


_Inbox = queue.SimpleQueue[tuple[Batch, Sequence[ChangeResult]]]


class _Run(Struct):
    """Gives batches to the workers, and their outcomes back to the schedule."""

    changes: Sequence[Change]
    schedule: Schedule
    executor: BatchExecutor
    to_align: Mapping[Address, Sequence[Change]] = field(default_factory=lambda: MappingProxyType({}))
    breaker: Breaker = field(default_factory=Breaker)
    ended: dict[int, ChangeResult] = field(default_factory=dict)
    made: set[Address] = field(default_factory=set)
    last_cut: float | None = None

    @property
    def in_order(self) -> Sequence[ChangeResult]:
        """The outcomes, in the order of the plan."""
        return [self.ended[place] for place in sorted(self.ended)]

    def go(self) -> None:
        """Make every change that can be made; returns when each has an outcome."""
        inbox: _Inbox = queue.SimpleQueue()
        pools: dict[str, ThreadPoolExecutor] = {}
        with ExitStack() as stack:
            try:
                self._drive(inbox, pools, stack)
            except BaseException:
                # On any exception, batches that wait in a pool must not start while the pools close.
                self.executor.stop.set()
                raise

    def _drive(self, inbox: _Inbox, pools: dict[str, ThreadPoolExecutor], stack: ExitStack) -> None:
        while True:
            if self.executor.stop.is_set():
                for place in self.schedule.abandon():
                    self._skip(place, self.executor.stopped(self.changes[place]))
            for batch in self.schedule.take():
                self._pool(pools, batch.server, stack).submit(self._work, batch, inbox)
            if self.schedule.finished:
                break
            self._take_in(*inbox.get())

    def join_halves(self, changes: Sequence[Change]) -> None:
        """Merge the outcomes of the two writes of a change into one. `changes` are those of the plan, which the first steps are
        part of.
        """
        seconds = {step.address: place for place, step in enumerate(self.changes) if place >= len(changes)}
        for place, change in enumerate(changes):
            if change.address in seconds:
                self.ended[place] = _joined(change, self.ended[place], self.ended.pop(seconds[change.address]))

    def _pool(self, pools: dict[str, ThreadPoolExecutor], server: str, stack: ExitStack) -> ThreadPoolExecutor:
        if server not in pools:
            limit = self.executor.drivers[server].connection.server.limits.parallel
            pools[server] = stack.enter_context(ThreadPoolExecutor(limit, thread_name_prefix=f"apply-{server}"))
        return pools[server]

    def _work(self, batch: Batch, inbox: _Inbox) -> None:
        changes = [self.changes[place] for place in batch.places]
        try:
            if self.breaker.has_given_up(batch.server):
                results: Sequence[ChangeResult] = [
                    _skipped(change, apply_findings.gave_up(change)) for change in changes
                ]
            else:
                results = [self._aligned(end) for end in self.executor.carry(changes)]
                self.breaker.note([end.outcome for end in results])
        except BaseException as error:  # noqa: BLE001  (a batch that never comes back would hold the run for ever)
            results = [
                ChangeResult(
                    Outcome(
                        change,
                        Status.UNKNOWN,
                        apply_findings.of_exception(error, "while the change was made", change),
                    )
                )
                for change in changes
            ]
        inbox.put((batch, results))

    def _aligned(self, end: ChangeResult) -> ChangeResult:
        """After a cut-off on an authorization server, send its time to the resource servers that were cut off before it."""
        if end.cut_at is None:
            return end
        self.last_cut = time.monotonic()
        peers = self.to_align.get(end.outcome.change.address, ())
        found = [self.executor.align(peer, end.cut_at) for peer in peers if peer.address in self.made]
        return replace(end, unkept=(*end.unkept, *(item for item in found if item is not None)))

    def outlast_cut_offs(self) -> None:
        """Wait until the second of the last cut-off is over.

        Servers state the issue time of a token in whole seconds (RFC 7662 section 2.2; RFC 7519 section 2 also allows
        fractions), so tokens from the rest of that second are refused. A token that the client gets after the run has returned
        must work.
        """
        if self.last_cut is not None:
            self.executor.stop.wait(max(0.0, self.last_cut + 1 - time.monotonic()))

    def _take_in(self, batch: Batch, results: Sequence[ChangeResult]) -> None:
        for place, end in zip(batch.places, results, strict=True):
            self.ended[place] = end
            if end.outcome.status is Status.DONE:
                self.made.add(end.outcome.change.address)
            self.executor.events.finish_change(end.outcome)
        for place, end in zip(batch.places, results, strict=True):
            self._skip_dependants(self.schedule.resolve(place, done=end.outcome.status is Status.DONE))
        if self.breaker.has_given_up(batch.server):
            places, skips = self.schedule.give_up(batch.server)
            for place in places:
                self._skip(place, apply_findings.gave_up(self.changes[place]))
            self._skip_dependants(skips)

    def _skip_dependants(self, skips: Sequence[Skip]) -> None:
        for skip in skips:
            cause = self.ended[skip.cause].outcome
            self._skip(skip.place, apply_findings.skipped(self.changes[skip.place], cause.change, _state(cause)))

    def _skip(self, place: int, because: Diagnostic) -> None:
        self.ended[place] = _skipped(self.changes[place], because)
        self.executor.events.finish_change(self.ended[place].outcome)


_HALF: Final = "Only the first of its two writes was made, so the object still has what it was to lose."


def _joined(change: Change, first: ChangeResult, second: ChangeResult) -> ChangeResult:
    """The outcome of a change that is made in two writes: that of the second write, if the first was made."""
    if first.outcome.status is not Status.DONE:
        return replace(first, outcome=replace(first.outcome, change=change))
    outcome = replace(
        second.outcome,
        change=change,
        status=Status.FAILED if second.outcome.status is Status.SKIPPED else second.outcome.status,
        note=f"{second.outcome.note} {'' if second.outcome.status is Status.DONE else _HALF}".strip(),
        requests=first.outcome.requests + second.outcome.requests,
        seconds=first.outcome.seconds + second.outcome.seconds,
    )
    unkept = (*first.unkept, *second.unkept)
    return replace(second, outcome=outcome, unkept=unkept, delivered=second.delivered or first.delivered)


def _skipped(change: Change, because: Diagnostic) -> ChangeResult:
    return ChangeResult(Outcome(change, Status.SKIPPED, because))


def _not_ready(change: Change, prover: Prover | None) -> Diagnostic | None:
    """Why the authorization server that a resource server is to switch to does not answer as it needs."""
    return not_ready(change, prover) if prover is not None and change.stage is Stage.SWITCH_TRUST else None


def _read_before_writing(
    plan: Plan, drivers: Mapping[str, Driver], desired: DesiredState, sinks: Sinks, seen: LiveState | None
) -> LiveState:
    """Everything that can be checked before the first write: places for secrets, servers, and objects that have changed."""
    _check_sinks(plan.changes, drivers, sinks)
    ends_clients = {change.address.server for change in plan.changes if _ends_client(change)}
    # Deleting a client deletes its associations; they must be in the journal, or a rollback could not restore them.
    keeping = {name for name in ends_clients if desired.keeps_associations(name)}
    if seen is not None and all(Kind.ASSOCIATION in (seen.servers[name].complete or ()) for name in keeping):
        _require_freshness(plan, seen)
        return seen
    check_all(drivers)
    touched = {change.address.server for change in plan.changes}
    wanted = {name: wanted_of(desired, name) for name in touched}
    for name in keeping:
        wanted[name] = replace(wanted[name], kinds=wanted[name].kinds | {Kind.ASSOCIATION})
    # Drivers may need what they read here for the writes that follow.
    live = read_wanted({name: driver for name, driver in drivers.items() if name in touched}, wanted)
    _require_freshness(plan, live)
    return live


def _ends_client(change: Change) -> bool:
    return change.address.kind is Kind.CLIENT and change.action in (Action.DELETE, Action.REPLACE)


def scopes_lost_by(changes: Sequence[Change], live: LiveState) -> Mapping[Address, TakenScopes]:
    """The scopes of each client that is deleted or replaced: its associations are deleted too, without a change of their own."""
    ended_clients = {change.address for change in changes if _ends_client(change)}
    found: dict[Address, dict[str, AssignedAs | None]] = {}
    for server in sorted({address.server for address in ended_clients} & live.servers.keys()):
        for address, live_object in live.servers[server].objects.items():
            if isinstance(live_object.value, Association):
                client = Address(Kind.CLIENT, address.client, server)
                if client in ended_clients:
                    found.setdefault(client, {})[address.scope] = live_object.value.assigned_as
    return found


class _Verification(Struct, frozen=True):
    """Findings about what was made, and the fields that the servers did not store as they were sent; whether the objects were
    read again, and whether all of them were. `left` are the objects that no response contained, with their changes.
    """

    findings: Diagnostics
    unkept: tuple[Unkept, ...] = ()
    complete: bool = False
    read_again: bool = False
    left: tuple[tuple[Change, Model], ...] = ()


def _verify(
    run: _Run,
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
    events: EventEmitter,
    prover: Prover | None,
    sinks: Sinks,
    unkept: Sequence[Unkept],
    *,
    wanted: bool,
) -> _Verification:
    """Read again what was made. The responses to the writes count only if no second read was possible."""
    made = [end for end in run.in_order if end.outcome.status is Status.DONE]
    answered = Diagnostics.of(found for end in made for found in end.unkept)
    if not wanted or run.executor.stop.is_set():
        return _Verification(answered.sorted())
    events.emit(EventType.VERIFYING, f"Reading again {_count(len(made), 'object')}.")
    secrets = {end.outcome.change.address: end.secret for end in made if end.secret is not None}
    seen, fields, objects = look_again([end.outcome.change for end in made], drivers, desired, facts, secrets, unkept)
    seen += Diagnostics.of(_misdelivered(made, drivers, sinks))
    unseen = {found.address for found in seen if found.rule == apply_findings.NOT_VERIFIED}
    kept = Diagnostics.of(found for found in answered if found.address in unseen)
    proved = prove((end.outcome.change for end in made), desired.servers, prover) if prover else Diagnostics()
    unseen_before = (end.outcome.change for end in made if end.live is None)
    left = tuple((change, objects[change.address]) for change in unseen_before if change.address in objects)
    return _Verification((seen + kept + proved).sorted(), fields, complete=not unseen, read_again=True, left=left)


def _misdelivered(made: Sequence[ChangeResult], drivers: Mapping[str, Driver], sinks: Sinks) -> Iterator[Diagnostic]:
    """Deliveries whose place now has another secret, or none."""
    for end in made:
        change = end.outcome.change
        target = deliver_target(change, drivers[change.address.server])
        if end.secret is None or target is None:
            continue
        try:
            found = sinks.delivered(target)
        except DeliveryFailed as error:
            yield apply_findings.not_live(change, error.detail)
        else:
            if found is not None and found != end.secret:
                yield apply_findings.not_live(change, "The place now has another secret than the delivered one.")


def require_safety(plan: Plan, allowed: Collection[str]) -> tuple[str, ...]:
    """Refuse a plan that breaks a safety rule. Returns the rules that it breaks and that were lifted by name."""
    tripped = {stop.rule for stop in plan.stops}
    unlifted = sorted(tripped - set(allowed))
    if unlifted:
        raise SafetyStop(
            "A safety rule stops this plan",
            detail="\n".join(f"[{s.rule}] {s.detail or s.summary}" for s in plan.stops if s.rule in unlifted),
            fix="Check the plan; then lift the rule by name: " + " ".join(f"--allow {rule}" for rule in unlifted),
        )
    return tuple(sorted(tripped))


def _require_freshness(plan: Plan, live: LiveState) -> None:
    """Check that every object to be written is as it was when the plan was made.

    Revocations are left out: tokens come and go while a server works, and a cut-off must not wait for that to end.
    """
    replaced = replaced_with(plan.changes)
    moved = [
        words
        for change in plan.changes
        if change.address.kind is not Kind.REVOCATION and not is_recreated(change, replaced)
        for words in _moved(change, plan, live)
    ]
    if moved:
        raise StalePlan(
            "The servers have changed since the plan was made",
            detail="\n".join(moved),
            fix="Nothing was written. Make a new plan and review it.",
        )


def _moved(change: Change, plan: Plan, live: LiveState) -> Iterator[str]:
    """What differs from what the change expects, in words. A rename expects nothing at the new name."""
    expected = {change.address: ""}
    if change.live is not None:
        planned = plan.fingerprints.get(str(change.live_address), change.live.fingerprint)
        expected[change.live_address] = planned
    for address, planned in expected.items():
        found = live.objects.get(address)
        should_stand = change.live is not None and address == change.live_address
        if not live.readable(address.server, address.kind):
            yield f"{address} can no longer be read."
        elif found is None and should_stand:
            yield f"{address} is gone."
        elif found is not None and not should_stand:
            yield f"{address} exists now."
        elif found is not None and found.fingerprint != planned:
            yield f"{address} has changed."


def _check_sinks(changes: Sequence[Change], drivers: Mapping[str, Driver], sinks: Sinks) -> None:
    """Check before the first write that every secret that may be generated has its own place."""
    by_sink: dict[str, Change] = {}
    for change in changes:
        target = deliver_target(change, drivers[change.address.server])
        if target is None or not may_make_secret(change):
            continue
        sinks.check(target, change.address)
        other = by_sink.setdefault(target.own_place, change) if target.own_place else change
        if other is not change:
            raise DeliveryFailed(
                "Two secrets are delivered to the same place",
                detail=f"{other.address} and {change.address} both deliver to {target.own_place}.",
                fix="Give each its own deliver_to. Nothing was written.",
            )


def _driver_of(drivers: Mapping[str, Driver], change: Change) -> Driver:
    driver = drivers.get(change.address.server)
    if driver is None:
        raise OAuthDeployError(
            "The plan has a change for a server that is not connected",
            detail=str(change.address),
            fix=apply_findings.BUG,
        )
    return driver


def _close(
    journal: Journal | None, *, interrupted: bool, unkept: Sequence[Unkept], left: Sequence[tuple[Change, Model]]
) -> None:
    if journal:
        try:
            journal.end(interrupted=interrupted, unkept=unkept, left=left)
        except JournalFailed:
            return  # Each outcome that is not in the journal has a note about it.


def _state(outcome: Outcome) -> str:
    if outcome.status is Status.SKIPPED:
        return "was skipped"
    return "failed" if outcome.status is Status.FAILED else "has an unknown outcome"


def _summary(outcomes: Sequence[Outcome], *, interrupted: bool) -> str:
    parts = [
        f"{number} {status.value}"
        for status in Status
        if (number := sum(outcome.status is status for outcome in outcomes)) or status is Status.DONE
    ]
    return ("Interrupted: " if interrupted else "Finished: ") + ", ".join(parts) + "."


def _path_of(journal: Journal | None) -> str:
    return str(journal.path) if journal else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
