"""Rolls back the changes in a journal: journal -> inverse -> live -> plan -> apply.

The plan is made again from the live state; the journal only decides which objects it is about.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import UsageError
from oauthdeploy.drivers.base import Driver
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.model.objects import Revocation, Side
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.normalize import flatten
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.rollback.inverse import CHANGED_SINCE, inverse
from oauthdeploy.planning.rollback.steps import Step, steps_of
from oauthdeploy.running.journal import read_journal, read_run_history
from oauthdeploy.running.read import read_wanted, wanted_of
from oauthdeploy.workflow.connections import connected, load
from oauthdeploy.workflow.execution import Confirm, Listener, run_job
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job
from oauthdeploy.workflow.planner import plan_now
from oauthdeploy.workflow.server_identity import require_same_servers

_SHOWN: Final = 20


def plan_rollback(request: ManifestRequest, journal: Path, options: RunOptions | None = None) -> tuple[Plan, Manifest]:
    """The plan that undoes the changes in `journal`. Writes nothing.

    The plan's findings say what cannot be undone and what has changed since. Raises what `make_plan` raises, and
    JournalFailed.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    run = read_run_history(journal)
    require_same_servers(run.about, manifest, options, f"The journal {journal.name}")
    steps = _steps(journal, manifest)
    with connected(manifest, options, read_only=True) as drivers:
        job = _rollback(steps, manifest, drivers, options)
        require_same_servers(run.about, manifest, options, f"The journal {journal.name}", job.plan)
    return job.plan, job.manifest


def run_rollback(
    request: ManifestRequest,
    journal: Path,
    options: RunOptions | None = None,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Undo the changes in `journal`: plan, confirm, apply in the two-sided order with a journal, verify, report.

    `confirm`, `on_event` and `stop` are as for `run_plan`. Raises what that raises, JournalFailed, and OtherServer if the
    journal is of other servers.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    run = read_run_history(journal)
    require_same_servers(run.about, manifest, options, f"The journal {journal.name}")
    steps = _steps(journal, manifest)

    def make(readers: Mapping[str, Driver]) -> Job:
        job = replace(_rollback(steps, manifest, readers, options), undoes=journal.name)
        require_same_servers(run.about, manifest, options, f"The journal {journal.name}", job.plan)
        return job

    return run_job(manifest, options, make, confirm=confirm, on_event=on_event, stop=stop)


def _steps(journal: Path, manifest: Manifest) -> tuple[Step, ...]:
    contents = read_journal(journal)
    names = {str(record["manifest"]) for record in contents.records if record["type"] == "run" and "manifest" in record}
    if names - {manifest.desired.name}:
        raise UsageError(
            "The journal is of another manifest",
            detail=f"{journal} is of '{', '.join(sorted(names))}'; this manifest is '{manifest.desired.name}'.",
            fix="Name the manifest with -f, or another journal.",
        )
    return steps_of(contents.records)


def _rollback(steps: Sequence[Step], manifest: Manifest, drivers: Mapping[str, Driver], options: RunOptions) -> Job:
    """The plan, with the manifest whose desired state is the inverse."""
    selected = tuple(step for step in steps if not options.servers or step.address.server in options.servers)
    first = inverse(selected, manifest.desired).desired
    touched = {step.address.server for step in selected} & drivers.keys()
    wanted = {name: wanted_of(first, name) for name in touched}
    for name, item in wanted.items():
        wanted[name] = replace(item, kinds=item.kinds | _seen_for_order(manifest.desired, name))
    live = read_wanted({name: drivers[name] for name in touched}, wanted)
    limits = None if options.max_deletes is None else manifest.desired.policy.limits
    found = inverse(selected, manifest.desired, live, lifted=CHANGED_SINCE in options.allow, limits=limits)
    undone = replace(manifest, desired=found.desired, void=Diagnostics())
    plan, live, _reports = plan_now(undone, drivers, options)
    findings = plan.diagnostics + found.findings + Diagnostics.of(_asked_again(plan, manifest))
    return Job(replace(plan, diagnostics=findings.sorted()), undone, live)


def _asked_again(plan: Plan, manifest: Manifest) -> Iterator[Diagnostic]:
    """A warning if the manifest still declares what is undone, or a cut-off that the rollback lifts."""
    again = [change.address for change in plan.changes if _wants_otherwise(manifest.desired, change)]
    if again:
        more = f" and {len(again) - _SHOWN} more" if len(again) > _SHOWN else ""
        yield Diagnostic(
            "rollback-not-lasting",
            "The manifest still declares what is rolled back",
            detail=f"The next apply makes it again: {', '.join(str(address) for address in again[:_SHOWN])}{more}.",
            fix="Undo the change in the manifest too, before its next run.",
            severity=Severity.WARNING,
        )


def _wants_otherwise(desired: DesiredState, change: Change) -> bool:
    """Whether the manifest declares an object differently than it will be after the change."""
    wanted = desired.objects.get(change.address)
    if _cut_off_again(desired, change):
        return True
    if change.action is Action.DELETE:
        return wanted is not None
    if wanted is None:
        return change.address in desired.absent
    written = flatten(wanted)
    return any(field.path in written and written[field.path] != field.after for field in change.fields)


def _cut_off_again(desired: DesiredState, change: Change) -> bool:
    """Whether the manifest has a revocation that disables the client that the change enables."""
    if not any(field.path == "enabled" and field.after is True for field in change.fields):
        return False
    return any(
        isinstance(value, Revocation) and bool(value.block) and value.client == change.address.name
        for address, value in desired.objects.items()
        if address.server == change.address.server
    )


def _seen_for_order(desired: DesiredState, server: str) -> frozenset[Kind]:
    """What to read to find out whether other objects now use what the run created."""
    kinds = {Kind.CLIENT, Kind.SCOPE}
    if Side.AUTHORIZATION in desired.servers[server].role.sides:
        kinds.add(Kind.ASSOCIATION)
    return frozenset(kinds)
