"""Writes marks of ownership, journaled like any other write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Driver
from oauthdeploy.model.state import LiveState, Ownership
from oauthdeploy.planning.outcome import Outcome, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running import apply_findings
from oauthdeploy.running.journal import Journal


def write_marks(
    plan: Plan,
    drivers: Mapping[str, Driver],
    journal: Journal | None = None,
    allowed: tuple[str, ...] = (),
    *,
    holds_lock: Callable[[], bool] = lambda: True,
    look: Callable[[], LiveState] | None = None,
) -> tuple[Outcome, ...]:
    """Mark the live objects of the changes of `plan`, one after the other. A failure stops nothing else; a lost lock stops the
    rest. `look` reads the servers again: a mark that is not there then has failed.

    Raises JournalFailed before anything is written that could not be recorded.
    """
    if journal is not None:
        journal.begin(plan, allowed=allowed)
    outcomes = []
    lost = False
    for change in plan.changes:
        assert change.live is not None
        lost = lost or not holds_lock()
        if lost:
            outcomes.append(Outcome(change, Status.SKIPPED, apply_findings.lock_lost(change)))
            continue
        if journal is not None:
            journal.intent([change])
        try:
            result = drivers[change.address.server].mark(change.live_address, change.live, plan.name)
        except OAuthDeployError as error:
            uncertain = getattr(error, "uncertain", False)
            status = Status.UNKNOWN if uncertain else Status.FAILED
            outcome = Outcome(change, status, apply_findings.of_error(error, change))
        else:
            outcome = Outcome(change, Status.DONE, None, result.note, result.identity, result.requests)
        if journal is not None:
            journal.outcome([outcome])
        outcomes.append(outcome)
    if look is not None and any(outcome.status is Status.DONE for outcome in outcomes):
        checked = _checked(outcomes, look)
        changed = [after for before, after in zip(outcomes, checked, strict=True) if after is not before]
        if journal is not None and changed:
            journal.outcome(changed)
        outcomes = checked
    if journal is not None:
        journal.end(interrupted=lost)
    return tuple(outcomes)


def _checked(outcomes: Sequence[Outcome], look: Callable[[], LiveState]) -> list[Outcome]:
    """The outcomes after another look at the objects."""
    try:
        live = look()
    except OAuthDeployError as error:
        return [
            replace(one, status=Status.UNKNOWN, because=apply_findings.of_error(error, one.change))
            if one.status is Status.DONE
            else one
            for one in outcomes
        ]
    return [_seen(one, live) if one.status is Status.DONE else one for one in outcomes]


def _seen(outcome: Outcome, live: LiveState) -> Outcome:
    """The outcome of a mark by what its server then has. A kind that cannot be read proves nothing."""
    address = outcome.change.live_address
    found = live.objects.get(address)
    if not live.readable(address.server, address.kind) or (found is not None and found.ownership is Ownership.OURS):
        return outcome
    return replace(outcome, status=Status.FAILED, because=apply_findings.mark_not_kept(outcome.change, found))
