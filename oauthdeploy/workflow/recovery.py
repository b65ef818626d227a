"""The roads back: going on with a run that was cut off, taking one back, and breaking a lock that nobody holds any more.

    run_resume()     journal -> manifest -> plan -> what that run had planned -> apply -> verify -> report
    plan_rollback()  journal -> inverse -> live -> plan
    run_rollback()   the same, then apply -> verify -> report

Live is the truth: both plan anew, and the journal decides only what the plan is about.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import SafetyStop, UsageError
from oauthdeploy.drivers.base import Driver
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.model.objects import Side
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.outcome import ApplyReport, Event
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.rollback.inverse import CHANGED_SINCE, inverse
from oauthdeploy.planning.rollback.steps import Step, steps_of
from oauthdeploy.planning.run_history import End, Story
from oauthdeploy.planning.selection import only
from oauthdeploy.running.apply import apply_plan, require_safety
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.journal import Journal, read_journal
from oauthdeploy.running.journal_folder import last_journal, read_story
from oauthdeploy.running.lock import Holder, force_unlock, who_holds
from oauthdeploy.running.precondition import Freshness
from oauthdeploy.running.read import read_wanted, wanted_of
from oauthdeploy.running.undelivered_secrets import with_lost_secrets
from oauthdeploy.workflow.connections import connected, load, prover_of
from oauthdeploy.workflow.locking import addresses_of, locked, state_folder
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.planner import plan_now, require_errors

MANIFEST_CHANGED: Final = "manifest-changed"
"""The rule that `--allow` lifts to go on with a manifest that is not the one of the run."""

Confirm = Callable[[Plan], bool]
Listener = Callable[[Event], None]


@dataclass(frozen=True)
class Resumption:
    """What became of a run's changes, seen from now.

    `in_place` need nothing more, though the journal doesn't say that they were made; `came_about` are those among them that
    were sent and whose end was unknown. `not_made` were sent, their end was unknown, and they were not made. `undone` were
    made and differ again. `left` are all that are still to do.
    """

    journal: str
    in_place: tuple[Address, ...] = ()
    came_about: tuple[Address, ...] = ()
    not_made: tuple[Address, ...] = ()
    undone: tuple[Address, ...] = ()
    left: tuple[Address, ...] = ()


# -- going on ---------------------------------------------------------------------------------------------------------


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
    """Go on with the run of `journal` (None: the last one of the manifest): plan anew, and apply what that run had planned.

    `tell` hears what became of that run's changes, before `confirm` is asked. The rest is as for `run_plan`. Raises what that
    raises, JournalFailed, and SafetyStop where the manifest is not the one of the run (rule `manifest-changed`).
    """
    options = options or RunOptions()
    manifest = load(request, options)
    folder = state_folder(manifest, options)
    path = journal or last_journal(folder / "journal", manifest.desired.name)
    story = read_story(path)
    _require_same(story, manifest, options)
    mine = frozenset(entry.address for entry in story.entries)
    stop = stop or threading.Event()
    with locked(manifest, options, stop):
        with connected(manifest, options, read_only=True) as readers:
            plan, live, _reports = plan_now(manifest, readers, options)
            plan = with_lost_secrets(
                only(plan, mine), folder / "journal", manifest.desired, live, base=Path(manifest.base)
            )
        tell(resumption(story, plan))
        return _carry_out(
            plan, manifest, options, folder, confirm=confirm, on_event=on_event, stop=stop, resumes=path.name
        )


def resumption(story: Story, plan: Plan) -> Resumption:
    """Compare what a journal says with what is still to do."""
    left = {change.address for change in plan.changes}
    open_ones = {entry.address for entry in story.of(End.OPEN, End.UNKNOWN)}
    done = {entry.address for entry in story.of(End.DONE)}
    in_place = {entry.address for entry in story.entries} - left - done
    return Resumption(
        journal=story.path,
        in_place=tuple(sorted(in_place)),
        came_about=tuple(sorted(in_place & open_ones)),
        not_made=tuple(sorted(open_ones & left)),
        undone=tuple(sorted(done & left)),
        left=tuple(change.address for change in plan.changes),
    )


def _require_same(story: Story, manifest: Manifest, options: RunOptions) -> None:
    name = manifest.desired.name
    if story.manifest and story.manifest != name:
        raise UsageError(
            "The journal is of another manifest",
            detail=f"{story.path} is of '{story.manifest}'; this manifest is '{name}'.",
            fix="Name the manifest with -f, or another journal.",
        )
    if story.undoes:
        raise UsageError(
            "The journal is of a rollback",
            detail=f"{story.path} takes back {story.undoes}.",
            fix="Run `oauthdeploy rollback` with that journal again: it goes on with what is missing.",
        )
    if story.digest and story.digest != manifest.digest and MANIFEST_CHANGED not in options.allow:
        raise SafetyStop(
            "The manifest is not the one of the run",
            detail=f"[{MANIFEST_CHANGED}] {story.path} was written for a manifest of another digest.",
            fix="Give the same files and variables, run apply without --resume, or lift the rule once: "
            f"--allow {MANIFEST_CHANGED}",
        )


# -- taking back ------------------------------------------------------------------------------------------------------


def plan_rollback(request: ManifestRequest, journal: Path, options: RunOptions | None = None) -> tuple[Plan, Manifest]:
    """The plan that takes back what `journal` says was made. Writes nothing.

    What can't be taken back, and what has changed since, is said in the plan's findings. Raises what `make_plan` raises, and
    JournalFailed.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    steps = _steps(journal, manifest)
    with connected(manifest, options, read_only=True) as drivers:
        plan, undone = _rollback(steps, manifest, drivers, options)
    return plan, undone


def run_rollback(
    request: ManifestRequest,
    journal: Path,
    options: RunOptions | None = None,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Take back what `journal` says was made: plan, ask, apply in the two-sided order with a journal, verify, report.

    `confirm`, `on_event` and `stop` are as for `run_plan`. Raises what that raises, and JournalFailed.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    steps = _steps(journal, manifest)
    folder = state_folder(manifest, options)
    stop = stop or threading.Event()
    with locked(manifest, options, stop):
        with connected(manifest, options, read_only=True) as readers:
            plan, undone = _rollback(steps, manifest, readers, options)
        return _carry_out(
            plan, undone, options, folder, confirm=confirm, on_event=on_event, stop=stop, undoes=journal.name
        )


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


def _rollback(
    steps: Sequence[Step], manifest: Manifest, drivers: Mapping[str, Driver], options: RunOptions
) -> tuple[Plan, Manifest]:
    """The plan, and the manifest whose desired state is the inverse."""
    mine = tuple(step for step in steps if not options.servers or step.address.server in options.servers)
    first = inverse(mine, manifest.desired).desired
    touched = {step.address.server for step in mine} & drivers.keys()
    wanted = {name: wanted_of(first, name) for name in touched}
    for name, item in wanted.items():
        wanted[name] = replace(item, kinds=item.kinds | _seen_for_order(manifest.desired, name))
    live = read_wanted({name: drivers[name] for name in touched}, wanted)
    found = inverse(mine, manifest.desired, live, lifted=CHANGED_SINCE in options.allow)
    undone = replace(manifest, desired=found.desired)
    plan, _live, _reports = plan_now(undone, drivers, options)
    diagnostics: Diagnostics = plan.diagnostics + found.findings
    return replace(plan, diagnostics=diagnostics.sorted()), undone


def _seen_for_order(desired: DesiredState, server: str) -> frozenset[Kind]:
    """What has to be seen to tell whether somebody else uses by now what the run made."""
    kinds = {Kind.CLIENT, Kind.SCOPE}
    if Side.AUTHORIZATION in desired.servers[server].role.sides:
        kinds.add(Kind.ASSOCIATION)
    return frozenset(kinds)


# -- both -------------------------------------------------------------------------------------------------------------


def _carry_out(
    plan: Plan,
    manifest: Manifest,
    options: RunOptions,
    folder: Path,
    *,
    confirm: Confirm | None,
    on_event: Listener | None,
    stop: threading.Event,
    resumes: str = "",
    undoes: str = "",
) -> ApplyReport | None:
    if plan.is_empty:
        return ApplyReport(plan=plan, outcomes=(), verified=options.verify)
    require_errors(plan)
    if confirm is not None and not confirm(plan):
        return None
    require_safety(plan, options.allow)
    name = manifest.desired.name
    with (
        connected(manifest, options, read_only=False) as drivers,
        Journal.create(folder / "journal", name, now=utc_now, resumes=resumes, undoes=undoes) as journal,
    ):
        return apply_plan(
            plan,
            drivers,
            desired=manifest.desired,
            facts=driver_facts(),
            on_event=on_event,
            journal=journal,
            base=Path(manifest.base),
            stop=stop,
            allowed=options.allow,
            verify=options.verify,
            prover=prover_of(manifest),
            fresh=Freshness(plan, drivers, manifest.desired, always=False),
        )


# -- locks ------------------------------------------------------------------------------------------------------------


def lock_holder(request: ManifestRequest, options: RunOptions | None = None) -> Holder | None:
    """Who holds the lock of the manifest; None where nobody does. Raises ManifestInvalid."""
    options = options or RunOptions()
    manifest = load(request, options)
    return who_holds(state_folder(manifest, options), manifest.desired.name, addresses_of(manifest))


def break_lock(request: ManifestRequest, holder: Holder, options: RunOptions | None = None) -> bool:
    """Take away the lock that `holder` was seen to hold; False where it is another's by now. Raises ManifestInvalid."""
    options = options or RunOptions()
    manifest = load(request, options)
    folder = state_folder(manifest, options)
    return force_unlock(folder, manifest.desired.name, addresses_of(manifest), only=holder.token) is not None
