"""Carries out plans, for apply, saved plans, resume, rollback and revoke.

    lock -> read -> plan -> (review) -> confirm -> require safety -> journal -> write -> verify -> report

Each caller makes its own plan; everything after that is the same for all. Revoke takes no lock and starts at `carry_out`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from oauthdeploy.core.errors import SafetyStop
from oauthdeploy.drivers.base import Driver
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.planning.outcome import ApplyReport, Event
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running.apply_findings import NOT_VERIFIED
from oauthdeploy.running.trust_proof import prove_trusts
from oauthdeploy.workflow.connections import connected, prover_of
from oauthdeploy.workflow.locking import locked
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job

Confirm = Callable[[Plan], bool]
Listener = Callable[[Event], None]


def run_job(
    manifest: Manifest,
    options: RunOptions,
    make: Callable[[Mapping[str, Driver]], Job],
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Take the lock, let `make` read the servers and plan, and carry the plan out. Raises LockBusy and what `carry_out`
    raises.
    """
    stop = stop or threading.Event()
    with (
        locked(manifest, options, stop) as holds_lock,
        connected(manifest, options, read_only=True) as readers,
    ):
        read_at = time.monotonic()
        job = replace(make(readers), readers=readers, read_at=read_at)
        return carry_out(job, options, confirm=confirm, on_event=on_event, stop=stop, holds_lock=holds_lock)


def carry_out(
    job: Job,
    options: RunOptions,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
    holds_lock: Callable[[], bool] = lambda: True,
) -> ApplyReport | None:
    """Confirm, write with a journal, verify, report. Returns None if `confirm` returned False; an empty plan writes nothing.

    Raises SafetyStop, StalePlan, JournalFailed, DeliveryFailed and the servers' errors, all with nothing written.
    """
    plan = job.plan
    if not job.urgent:
        # A plan without changes is refused too: it is no success if a required object cannot exist.
        _require_no_errors(plan)
    if plan.is_empty:
        report = ApplyReport(plan=plan, outcomes=(), verified=options.verify, in_place=job.in_place)
        return _with_proved_trusts(report, job, options)
    if confirm is not None and not confirm(plan):
        return None
    # Most runs find nothing to change, and load nothing of what writes.
    from oauthdeploy.workflow.writing import write_plan

    asked = confirm is not None and options.asks
    report = write_plan(job, options, asked=asked, on_event=on_event, stop=stop, holds_lock=holds_lock)
    return _with_proved_trusts(replace(report, in_place=job.in_place), job, options)


def _with_proved_trusts(report: ApplyReport, job: Job, options: RunOptions) -> ApplyReport:
    """The report with what introspections show, of a run that was neither to skip verification nor cut short."""
    if job.urgent or report.interrupted or not options.verify or not report.complete:
        return report
    found = prove_trusts(job.manifest.desired, driver_facts(), prover_of(job.manifest, options), options.servers)
    unproved = any(item.rule == NOT_VERIFIED for item in found)
    return replace(
        report,
        verification=(report.verification + found).sorted(),
        verified=report.verified and not unproved,
    )


def _require_no_errors(plan: Plan) -> None:
    """Refuse a plan with findings that no flag lifts, because a server does not support what the manifest requires. Raises
    SafetyStop.
    """
    errors = plan.diagnostics.errors
    if errors:
        raise SafetyStop(
            "The plan cannot be carried out",
            detail="\n".join(f"[{item.rule}] {item.address} {item.detail or item.summary}" for item in errors),
            fix="Fix the findings of the plan. Nothing was written.",
        )
