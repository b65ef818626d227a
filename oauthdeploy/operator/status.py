"""From the result of a run to the status of its estate: conditions, counts, the first findings, and when the next run is due."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.operator.cluster import shown
from oauthdeploy.operator.conditions import MEANINGS, SUSPENDED, Again, ConditionType
from oauthdeploy.operator.resource import (
    APPROVE,
    FINALIZER,
    MOST_FINDINGS,
    MOST_WORDS,
    RUN,
    Condition,
    ConditionStatus,
    EstateSpec,
    EstateStatus,
    Input,
    LastApply,
    LastRun,
    PendingPlan,
    StatusFinding,
    status_of,
)
from oauthdeploy.operator.run import Noted, Result

FIRST_RETRY_SECONDS: Final = 5.0
_MOST_DOUBLINGS: Final = 12
_MOST_SUMMARY: Final = 120
_MOST_MESSAGE: Final = 1000


class Ran(Struct, frozen=True):
    """A finished run: when it began and how long it took, what it read, and its result."""

    began: datetime
    seconds: float
    inputs: tuple[Input, ...]
    servers: tuple[str, ...]
    result: Result
    plan_secret: str = ""
    folder: Path | None = None
    """The private folder of the run, whose name no text may contain."""


def after(
    body: Mapping[str, Any],
    spec: EstateSpec | None,
    ran: Ran,
    *,
    jitter: Callable[[float, float], float] = random.uniform,
) -> EstateStatus:
    """The status after a run; `spec` is None if it cannot be used. `jitter` returns a number between two others."""
    before, result = status_of(body), ran.result
    meaning = MEANINGS[result.code]
    generation = body["metadata"].get("generation")
    annotations = body["metadata"].get("annotations") or {}
    failures = before.failures + 1 if meaning.again is Again.BACK_OFF else 0
    ended = ran.began + timedelta(seconds=ran.seconds)
    interval = float(spec.interval_seconds) if spec is not None else 600.0
    wait = min(interval, backed_off(failures)) if failures else interval
    findings = [_finding(item, ran.folder) for item in sorted(result.findings, key=lambda item: item.severity.rank)]
    line = _said(result.line, ran.folder, _MOST_MESSAGE)
    return EstateStatus(
        observed_generation=generation,
        conditions=tuple(
            _condition(
                before,
                kind,
                meaning.status(kind, pending=result.waits is not None),
                meaning.reason,
                line,
                generation,
                ended,
            )
            for kind in ConditionType
        ),
        summary=shown(line, _MOST_SUMMARY),
        counts=result.counts,
        findings=tuple(findings[:MOST_FINDINGS]),
        findings_left_out=max(0, len(findings) - MOST_FINDINGS),
        servers=(ran.servers or before.servers)[:64],
        inputs=ran.inputs,
        pending_plan=_pending(before, ran, generation, ended),
        last_run=LastRun(
            time=ran.began, seconds=round(ran.seconds, 3), exit_code=int(result.code), reason=meaning.reason
        ),
        last_apply=_last_apply(before, ran),
        next_run=ended + timedelta(seconds=wait * jitter(0.9, 1.1)),
        failures=failures,
        handled_run=str(annotations.get(RUN, "")),
        handled_approval=str(annotations.get(APPROVE, "")),
    )


def suspended(body: Mapping[str, Any], moment: datetime) -> EstateStatus | None:
    """The status of an estate that is suspended; None if it says so already."""
    before, generation = status_of(body), body["metadata"].get("generation")
    message = "spec.suspend is true."
    ready = _condition(before, ConditionType.READY, ConditionStatus.FALSE, SUSPENDED, message, generation, moment)
    known = {item.type: item for item in before.conditions}
    if known.get(ready.type) == ready and before.observed_generation == generation:
        return None
    others = tuple(item for item in before.conditions if item.type != ready.type)
    return before.model_copy(
        update={
            "observed_generation": generation,
            "conditions": (ready, *others),
            "summary": "Suspended.",
            "next_run": None,
        }
    )


def backed_off(failures: int) -> float:
    """Seconds until the next attempt after that many failures in a row."""
    return FIRST_RETRY_SECONDS * float(2 ** min(failures - 1, _MOST_DOUBLINGS))


def due(
    body: Mapping[str, Any], moment: datetime, versions: Mapping[tuple[str, str], str] | None = None
) -> datetime | None:
    """When the next run of an estate is due; None if never.

    `versions` are the known versions of ConfigMaps and Secrets of its namespace, by kind and name.
    """
    metadata, status = body["metadata"], status_of(body)
    if metadata.get("deletionTimestamp"):
        if FINALIZER not in (metadata.get("finalizers") or []):
            return None
        tried = status.handled_run == removal_mark(metadata) and status.observed_generation == metadata.get(
            "generation"
        )
        return status.next_run if tried and status.next_run is not None else moment
    if (body.get("spec") or {}).get("suspend"):
        return moment if suspended(body, moment) is not None else None
    annotations = metadata.get("annotations") or {}
    changed = (
        status.observed_generation != metadata.get("generation"),
        status.handled_run != str(annotations.get(RUN, "")),
        status.handled_approval != str(annotations.get(APPROVE, "")),
        *(
            (versions or {}).get((item.kind, item.name), item.resource_version) != item.resource_version
            for item in status.inputs
        ),
    )
    return moment if any(changed) or status.next_run is None else status.next_run


def removal_mark(metadata: Mapping[str, Any]) -> str:
    """What stands in `handledRun` once the removal of a deleted estate was tried, so that its back-off counts."""
    return f"removal {metadata.get('deletionTimestamp')}"


# -- parts ------------------------------------------------------------------------------------------------------------


def _condition(
    before: EstateStatus,
    kind: ConditionType,
    status: ConditionStatus,
    reason: str,
    message: str,
    generation: int | None,
    moment: datetime,
) -> Condition:
    known = next((item for item in before.conditions if item.type == kind.value), None)
    since = known.last_transition_time if known is not None and known.status is status else moment
    return Condition(
        type=kind.value,
        status=status,
        observed_generation=generation,
        last_transition_time=since.replace(microsecond=0),
        reason=reason,
        message=message,
    )


def _finding(item: Diagnostic | Noted, folder: Path | None) -> StatusFinding:
    place = f"{item.span}: " if item.span is not None else ""
    return StatusFinding(
        rule=item.rule,
        severity=item.severity.value,
        address=shown(item.address, MOST_WORDS),
        message=_said(f"{place}{item.summary}" + (f": {item.detail}" if item.detail else ""), folder, MOST_WORDS),
    )


def _said(text: str, folder: Path | None, most: int) -> str:
    """A text without the names of the private folder, in every spelling of it."""
    for name in sorted(_spellings(folder), key=len, reverse=True):
        text = text.replace(f"{name}/", "").replace(name, ".")
    return shown(text, most)


def _spellings(folder: Path | None) -> Iterable[str]:
    if folder is None:
        return ()
    return {str(folder), str(folder.resolve())}


def _pending(before: EstateStatus, ran: Ran, generation: int | None, moment: datetime) -> PendingPlan | None:
    waits = ran.result.waits
    if waits is None:
        return None
    if waits.document is None and before.pending_plan is not None:
        return before.pending_plan
    return PendingPlan(
        digest=waits.digest,
        secret=ran.plan_secret,
        made=moment,
        changes=len(waits.plan.changes),
        risk=str(waits.plan.risk),
        generation=generation or 0,
    )


def _last_apply(before: EstateStatus, ran: Ran) -> LastApply | None:
    report = ran.result.written
    if report is None:
        return before.last_apply
    return LastApply(
        time=ran.began, changes=ran.result.counts.applied, complete=report.complete, digest=ran.result.applied
    )
