"""Resumes an interrupted run: its journal says what was planned, and the live state says what is left to do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import SafetyStop, UsageError
from oauthdeploy.drivers.base import Driver
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.run_history import End, RunHistory
from oauthdeploy.planning.selection import restrict_to
from oauthdeploy.running.journal import JOURNALS, last_journal, read_run_history
from oauthdeploy.workflow.connections import load, state_folder
from oauthdeploy.workflow.cut_offs_first import cutting_off_first
from oauthdeploy.workflow.execution import Confirm, Listener, run_job
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job, planned
from oauthdeploy.workflow.server_identity import require_same_servers

MANIFEST_CHANGED: Final = "manifest-changed"
"""The rule that `--allow` lifts to resume with a manifest other than that of the run."""


class Resumption(Struct, frozen=True):
    """The current state of the changes in the run of `journal`.

    `in_place` need nothing more although the journal does not say that they were made; `came_about` are those of them that
    were sent with an unknown outcome. `not_made` were sent with an unknown outcome and were not made. `undone` were made and
    differ again. `left` are all changes that are left to do.
    """

    journal: str
    in_place: tuple[Address, ...] = ()
    came_about: tuple[Address, ...] = ()
    not_made: tuple[Address, ...] = ()
    undone: tuple[Address, ...] = ()
    left: tuple[Address, ...] = ()


def run_resume(
    request: ManifestRequest,
    options: RunOptions | None = None,
    *,
    journal: Path | None = None,
    tell: Callable[[Resumption], None] = lambda _found: None,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Resume the run of `journal` (None: the last one of the manifest): plan again, and apply what that run had planned.

    `tell` receives the state of that run's changes before `confirm` is called. The rest is as for `run_plan`. Raises what
    that raises, JournalFailed, SafetyStop if the manifest is not the one of the run (rule `manifest-changed`), and
    OtherServer if its servers are others.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    path = journal or last_journal(state_folder(manifest, options) / JOURNALS, manifest.desired.name)
    history = read_run_history(path)
    require_same_servers(history.about, manifest, options, f"The journal {path.name}")
    _require_same(history, manifest, options)
    addresses = frozenset(entry.address for entry in history.entries)

    def make(readers: Mapping[str, Driver]) -> Job:
        job = planned(manifest, readers, options)
        require_same_servers(history.about, manifest, options, f"The journal {path.name}", job.plan)
        job = replace(job, plan=restrict_to(job.plan, addresses), resumes=path.name)
        tell(resumption(history, job.plan))
        return job

    def run() -> ApplyReport | None:
        return run_job(manifest, options, make, confirm=confirm, on_event=on_event, stop=stop)

    return cutting_off_first(manifest, options, run, confirm=confirm, on_event=on_event, stop=stop)


def resumption(run: RunHistory, plan: Plan) -> Resumption:
    """Compare what a journal says with what is still to do."""
    left = {change.address for change in plan.changes}
    open_ones = {entry.address for entry in run.of(End.OPEN, End.UNKNOWN)}
    done = {entry.address for entry in run.of(End.DONE)}
    in_place = {entry.address for entry in run.entries} - left - done
    return Resumption(
        journal=run.path,
        in_place=tuple(sorted(in_place)),
        came_about=tuple(sorted(in_place & open_ones)),
        not_made=tuple(sorted(open_ones & left)),
        undone=tuple(sorted(done & left)),
        left=tuple(change.address for change in plan.changes),
    )


def _require_same(run: RunHistory, manifest: Manifest, options: RunOptions) -> None:
    name = manifest.desired.name
    if run.manifest and run.manifest != name:
        raise UsageError(
            "The journal is of another manifest",
            detail=f"{run.path} is of '{run.manifest}'; this manifest is '{name}'.",
            fix="Name the manifest with -f, or another journal.",
        )
    if run.undoes:
        raise UsageError(
            "The journal is of a rollback",
            detail=f"{run.path} takes back {run.undoes}.",
            fix="Run `oauthdeploy rollback` with that journal again to continue.",
        )
    if run.digest and run.digest != manifest.digest and MANIFEST_CHANGED not in options.allow:
        raise SafetyStop(
            "The manifest is not the one that the run used",
            detail=f"[{MANIFEST_CHANGED}] {run.path} was written for a manifest of another digest.",
            fix="Give the same files and variables, run apply without --resume, or lift the rule once: "
            f"--allow {MANIFEST_CHANGED}",
        )
