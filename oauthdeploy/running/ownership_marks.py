"""Writes marks of ownership, journaled like any other write."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Driver
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
) -> tuple[Outcome, ...]:
    """Mark the live objects of the changes of `plan`, one after the other. A failure stops nothing else; a lost lock stops the
    rest.

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
    if journal is not None:
        journal.end(interrupted=lost)
    return tuple(outcomes)
