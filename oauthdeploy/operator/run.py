"""One run of an estate, by the functions that the command line calls: report, apply, approve, or remove."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.errors import OAuthDeployError, ServersFailed, StalePlan
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.operator.resource import Counts, Mode
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.drift.classification import DriftItem, DriftReport
from oauthdeploy.planning.outcome import ApplyReport, Event, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.planfile.decoding import NotAPlan
from oauthdeploy.planning.planfile.plan_file import PlanEdited, SavedPlan
from oauthdeploy.reports.builders.apply import apply_line
from oauthdeploy.reports.builders.drift import counts_of as drift_counts
from oauthdeploy.reports.builders.drift import difference_line
from oauthdeploy.reports.builders.error import findings_of
from oauthdeploy.reports.builders.plan import plan_line
from oauthdeploy.workflow import (
    RunOptions,
    check_saved,
    look_for_drift,
    make_plan,
    read_plan,
    run_plan,
    run_removal,
    run_saved,
    save_plan,
)
from oauthdeploy.workflow.exit_code import exit_of_plan, unfinished

PLAN_FILE: Final = "plan.json"


class Task(Struct, frozen=True):
    """What a run is to do. `approved` is the digest in the annotation; `pending` the document of the plan that waits.

    `folder` is the private folder of this run.
    """

    mode: Mode
    request: ManifestRequest
    options: RunOptions
    folder: Path
    pending: bytes | None = None
    approved: str = ""
    remove: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    on_event: Callable[[Event], None] | None = None


class Made(Struct, frozen=True):
    """A plan that waits for approval; `document` is None if it is the one that waited before."""

    digest: str
    plan: Plan
    document: dict[str, object] | None = None


class Noted(Struct, frozen=True):
    """A difference or a planned change as a line of the status: like a finding, and without any value."""

    rule: str
    summary: str
    severity: Severity
    address: str
    detail: str = ""
    span: None = None


class Result(Struct, frozen=True):
    """What a run found and did. `waits` is the plan that waits for approval after it; `written` is the report of an apply."""

    code: ExitCode
    line: str
    findings: tuple[Diagnostic | Noted, ...] = ()
    counts: Counts = field(default_factory=Counts)
    waits: Made | None = None
    written: ApplyReport | None = None
    applied: str = ""
    """The digest of the approved plan that was applied."""
    outdated: str = ""
    """Why an approved plan was not applied, but made again."""


def run(task: Task) -> Result:
    """Do it. Every error of ours becomes a result, with its exit code; raises nothing of `core.errors`."""
    try:
        if task.remove:
            return _applied(run_removal(task.request, task.options, on_event=task.on_event, stop=task.stop))
        if task.mode is Mode.REPORT:
            return _report(task)
        if task.mode is Mode.APPLY:
            return _applied(run_plan(task.request, task.options, on_event=task.on_event, stop=task.stop))
        return _approve(task)
    except OAuthDeployError as error:
        return failed(error)


def failed(error: OAuthDeployError) -> Result:
    """The result of a run that ended with an error."""
    found = tuple(findings_of(error))
    line = ". ".join(part for part in (error.summary, error.detail) if part)
    return Result(error.exit_code, line, found, _with_severities(Counts(), found))


# -- report -----------------------------------------------------------------------------------------------------------


def _report(task: Task) -> Result:
    seen = look_for_drift(task.request, task.options)
    if seen.error is not None:
        return failed(seen.error)
    down = list(seen.down.values())
    trouble = failed(ServersFailed(down) if len(down) > 1 else down[0]) if down else None
    if seen.report is None:
        assert trouble is not None
        return trouble
    found = _drifted(seen.report, task.options)
    if trouble is None:
        return found
    findings = (*trouble.findings, *found.findings)
    return Result(trouble.code, trouble.line, findings, _with_severities(found.counts, findings))


def _drifted(report: DriftReport, options: RunOptions) -> Result:
    code = exit_of_plan(report.plan, options.allow, detailed=False)
    if code is ExitCode.DONE and report.drifted:
        code = ExitCode.CHANGES
    items = tuple(_finding_of(item) for item in report.items if item.counts)
    findings = (*items, *report.diagnostics)
    counts = _planned(report.plan).model_copy(update={"drift": len(items)})
    return Result(code, difference_line(drift_counts(report.items)), findings, _with_severities(counts, findings))


def _finding_of(item: DriftItem) -> Noted:
    """A difference, with the names of its fields and without their values."""
    fields = ", ".join(change.path for change in item.fields)
    detail = f"{item.kind.value}: {fields}" if fields else item.kind.value
    return Noted(f"drift-{item.kind.value}", detail, Severity.WARNING, str(item.address))


# -- apply ------------------------------------------------------------------------------------------------------------


def _applied(report: ApplyReport | None, digest: str = "") -> Result:
    assert report is not None, "nobody was asked"
    error = unfinished(report, apply_line(report))
    because = tuple(outcome.because for outcome in report.outcomes if outcome.because is not None)
    findings = (*because, *report.verification, *report.plan.diagnostics)
    counts = _planned(report.plan).model_copy(
        update={"applied": sum(outcome.status is Status.DONE for outcome in report.outcomes)}
    )
    return Result(
        error.exit_code if error is not None else ExitCode.DONE,
        f"{error.summary}. {error.detail}" if error is not None else apply_line(report),
        findings,
        _with_severities(counts, findings),
        written=report if report.outcomes else None,
        applied=digest,
    )


# -- approve ----------------------------------------------------------------------------------------------------------


def _approve(task: Task) -> Result:
    """Apply the plan that waits if it was approved; keep it while it is true; else make a new one."""
    outdated = ""
    saved = _read(task)
    if saved is not None:
        digest = str(saved.document.get("content_digest", ""))
        try:
            if task.approved == digest:
                report = run_saved(
                    saved, _file(task), task.request, task.options, on_event=task.on_event, stop=task.stop
                )
                return _applied(report, digest)
            if not check_saved(saved, _file(task), task.request, task.options).stale:
                return _waiting(task, Made(digest, saved.plan))
        except StalePlan as error:
            outdated = error.detail if task.approved == digest else ""
    plan, manifest = make_plan(task.request, task.options)
    code = exit_of_plan(plan, task.options.allow, detailed=True)
    if code is not ExitCode.CHANGES or not plan.changes:
        return _of_plan(plan, code, task, outdated=outdated)
    document = save_plan(plan, manifest, task.request, task.options, _file(task))
    return _waiting(task, Made(str(document["content_digest"]), plan, dict(document)), outdated)


def _read(task: Task) -> SavedPlan | None:
    """The plan that waits; None if there is none, or if it is damaged, and then a new one is made."""
    if task.pending is None:
        return None
    _file(task).write_bytes(task.pending)
    try:
        return read_plan(_file(task))
    except (NotAPlan, PlanEdited):
        return None


def _file(task: Task) -> Path:
    return task.folder / PLAN_FILE


def _waiting(task: Task, made: Made, outdated: str = "") -> Result:
    return _of_plan(made.plan, ExitCode.CHANGES, task, made, outdated)


def _of_plan(plan: Plan, code: ExitCode, task: Task, waits: Made | None = None, outdated: str = "") -> Result:
    changes = tuple(
        Noted(
            f"planned-{change.action.value}",
            f"{change.action.value}, risk {change.risk}",
            Severity.INFO,
            str(change.address),
        )
        for change in plan.changes
    )
    stops = tuple(stop for stop in plan.stops if stop.rule not in task.options.allow)
    findings = (*stops, *plan.diagnostics, *changes)
    line = plan_line(plan, allowed=task.options.allow)
    return Result(code, line, findings, _with_severities(_planned(plan), findings), waits, outdated=outdated)


# -- counting ---------------------------------------------------------------------------------------------------------


def _planned(plan: Plan) -> Counts:
    actions = Counter(change.action for change in plan.changes)
    changed = sum(number for action, number in actions.items() if action not in (Action.CREATE, Action.DELETE))
    return Counts(create=actions[Action.CREATE], update=changed, delete=actions[Action.DELETE])


def _with_severities(counts: Counts, findings: Iterable[Diagnostic | Noted]) -> Counts:
    found = Counter(item.severity for item in findings)
    return counts.model_copy(update={"errors": found[Severity.ERROR], "warnings": found[Severity.WARNING]})
