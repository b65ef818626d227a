"""Writes a plan that was confirmed: journal, records of cut-offs, drivers that may write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Driver
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.planning.outcome import ApplyReport, Event
from oauthdeploy.running.apply import apply_plan, require_safety
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.journal import Journal
from oauthdeploy.running.precondition import Freshness, is_young
from oauthdeploy.workflow.audit_trail import PlannedCutOffs
from oauthdeploy.workflow.connections import connected, prover_of, state_folder
from oauthdeploy.workflow.locking import audit_file, local_sinks
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job
from oauthdeploy.workflow.server_identity import identities


def write_plan(
    job: Job,
    options: RunOptions,
    *,
    asked: bool,
    on_event: Callable[[Event], None] | None,
    stop: threading.Event | None,
    holds_lock: Callable[[], bool],
) -> ApplyReport:
    """Write with a journal, and verify. `asked` says that somebody was waited for since the plan was made.

    Raises SafetyStop, StalePlan, JournalFailed, DeliveryFailed and the servers' errors, all with nothing written.
    """
    plan, manifest = job.plan, job.manifest
    require_safety(plan, options.allow)
    cut_offs = PlannedCutOffs(manifest, plan, job.live, audit_file(manifest, options)) if job.records else None
    folder = state_folder(manifest, options) / job.journals
    # Nobody was waited for since the plan was made, and little time has passed: what was read for it is read just now.
    fresh = not asked and is_young(job.read_at)
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
    return report


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
