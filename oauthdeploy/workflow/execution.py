"""Carries out plans, for apply, saved plans, resume, rollback and revoke.

    lock -> read -> plan -> (review) -> confirm -> require safety -> journal -> write -> verify -> report

Each caller makes its own plan; everything after that is the same for all. Revoke takes no lock and starts at `carry_out`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from msgspec.structs import replace

from oauthdeploy.core.errors import OAuthDeployError, SafetyStop
from oauthdeploy.drivers.base import Driver
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.planning.outcome import ApplyReport, Event
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running.apply import apply_plan, require_safety
from oauthdeploy.running.apply_findings import NOT_VERIFIED
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.journal import Journal
from oauthdeploy.running.precondition import Freshness, is_young
from oauthdeploy.running.trust_proof import prove_trusts
from oauthdeploy.workflow.audit_trail import PlannedCutOffs
from oauthdeploy.workflow.connections import connected, prover_of, state_folder
from oauthdeploy.workflow.locking import audit_file, local_sinks, locked
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job
from oauthdeploy.workflow.server_identity import identities

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
    plan, manifest = job.plan, job.manifest
    if not job.urgent:
        # A plan without changes is refused too: it is no success if a required object cannot exist.
        _require_no_errors(plan)
    if plan.is_empty:
        report = ApplyReport(plan=plan, outcomes=(), verified=options.verify, in_place=job.in_place)
        return _with_proved_trusts(report, job, options)
    if confirm is not None and not confirm(plan):
        return None
    require_safety(plan, options.allow)
    cut_offs = PlannedCutOffs(manifest, plan, job.live, audit_file(manifest, options)) if job.records else None
    folder = state_folder(manifest, options) / job.journals
    # Nobody was waited for since the plan was made, and little time has passed: what was read for it is read just now.
    fresh = (confirm is None or not options.asks) and is_young(job.read_at)
    with (
        _writers(job, options) as drivers,
        Journal.create(
            folder, plan.name, now=utc_now, resumes=job.resumes, undoes=job.undoes, about=identities(manifest)
        ) as journal,
    ):
        if cut_offs is not None:
            cut_offs.started()
        try:
            report = apply_plan(
                plan,
                drivers,
                desired=manifest.desired,
                facts=driver_facts(),
                on_event=on_event,
                journal=journal,
                sinks=local_sinks(manifest, options),
                stop=stop,
                holds_lock=holds_lock,
                allowed=options.allow,
                verify=options.verify,
                prover=None if job.urgent else prover_of(manifest, options),
                seen=job.live if fresh else None,
                fresh=Freshness(
                    plan, drivers, manifest.desired, always=job.reviewed, read_at=job.read_at if fresh else None
                ),
            )
        except OAuthDeployError as error:
            if cut_offs is not None:
                cut_offs.failed(error)
            raise
    if cut_offs is not None:
        cut_offs.record_end(report)
    return _with_proved_trusts(replace(report, in_place=job.in_place), job, options)


@contextmanager
def _writers(job: Job, options: RunOptions) -> Iterator[Mapping[str, Driver]]:
    """Drivers that may write: those that have read, with their connections and sign-ins, or new ones."""
    if job.readers is None:
        with connected(job.manifest, options, read_only=False) as drivers:
            yield drivers
        return
    for driver in job.readers.values():
        driver.allow_writes()
    yield job.readers


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
