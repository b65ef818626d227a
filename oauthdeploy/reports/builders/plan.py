"""The report of a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from oauthdeploy.core.addresses import Address
from oauthdeploy.planning.changes import Change, Reason, Stage
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.unread import not_known
from oauthdeploy.reports.builders.common import (
    ACTIONS,
    ALWAYS_COUNTED,
    columns_of,
    fields_of,
    in_order,
    kept_remarks,
    lines_of,
    placed,
    rows_of,
)
from oauthdeploy.reports.document import Count, Item, ManifestView, Remark, Report, Run, Step, Stop, Verdict
from oauthdeploy.reports.formatting import counted, visible

STAGES: Final = {
    Stage.CUT_OFF_RESOURCE: "cut off on the resource side",
    Stage.CUT_OFF_AUTHORIZATION: "cut off on the authorization side",
    Stage.WIDEN_RESOURCE: "widen the resource side",
    Stage.WIDEN_AUTHORIZATION: "widen the authorization side",
    Stage.SWITCH_TRUST: "switch to another authorization server",
    Stage.NARROW_AUTHORIZATION: "narrow the authorization side",
    Stage.NARROW_RESOURCE: "narrow the resource side",
}
REASONS: Final = {
    Reason.MISSING: "missing",
    Reason.DIFFERS: "differs",
    Reason.MARKED_ABSENT: "marked absent",
    Reason.NOT_IN_MANIFEST: "not in the manifest",
    Reason.RENAMED: "renamed",
    Reason.CUT_OFF: "cut off",
    Reason.SECRET_REVISION: "new secret revision",
}


def plan_report(
    plan: Plan,
    manifest: ManifestView | None = None,
    *,
    partial: bool = False,
    allowed: Collection[str] = (),
    nothing: str = "",
) -> Report:
    """The plan as a report. `partial` says that a selection was made; `allowed` are the lifted safety rules; `nothing` is
    the headline of a plan without changes that is not about the whole manifest.
    """
    manifest = manifest or ManifestView()
    items = [item_of(change, manifest) for change in sorted(plan.changes, key=_place)]
    servers = in_order(plan.servers)
    columns = columns_of(servers, items)
    stops = tuple(Stop(stop, stop.rule in allowed) for stop in plan.stops)
    return Report(
        run=Run.PLAN,
        name=visible(plan.name),
        verdict=_verdict(plan, stops),
        headline=plan_line(plan, partial=partial, allowed=allowed, nothing=nothing),
        subject=plan,
        servers=servers,
        columns=columns,
        counts=counts_of(plan),
        rows=rows_of(items, columns),
        findings=plan.diagnostics,
        stops=stops,
        steps=tuple(_steps(plan)),
        remarks=tuple(_remarks(plan)),
        files=manifest.files,
        estate=manifest.desired,
        unread=plan.unread,
        closing=_closing(plan, allowed),
    )


def plan_line(plan: Plan, *, partial: bool = False, allowed: Collection[str] = (), nothing: str = "") -> str:
    """The number of changes, or the sentence for none; then what `apply` would stop at, and what is unknown."""
    if plan.changes:
        line = f"Plan: {', '.join(count.words for count in counts_of(plan))}."
    elif nothing:
        line = nothing
    elif partial:
        line = "No changes in the selected part."
    elif plan.unread:
        line = "No changes in what could be read."
    elif lines_of(plan) or plan.diagnostics.errors:
        line = "No changes."
    else:
        line = "No changes. Both sides match the manifest."
    return " ".join((line, *_closing(plan, allowed)))


def _closing(plan: Plan, allowed: Collection[str]) -> tuple[str, ...]:
    sentences = (_stop_line(plan, allowed), *lines_of(plan), not_known(plan.unread))
    return tuple(sentence for sentence in sentences if sentence)


def _stop_line(plan: Plan, allowed: Collection[str]) -> str:
    """What `apply` would stop at, by rule."""
    errors = sorted({item.rule for item in plan.diagnostics.errors})
    stops = sorted({stop.rule for stop in plan.stops} - set(allowed)) if plan.changes else []
    return f"apply refuses this plan: {', '.join((*errors, *stops))}." if errors or stops else ""


def counts_of(plan: Plan) -> tuple[Count, ...]:
    """The numbers of the plan, by action."""
    counts = plan.counts
    return tuple(
        Count(counts[action], state)
        for action, state in ACTIONS.items()
        if counts[action] or (action in ALWAYS_COUNTED and plan.changes)
    )


def item_of(change: Change, manifest: ManifestView) -> Item:
    """One change."""
    return Item(
        change.address,
        ACTIONS[change.action],
        REASONS[change.reason],
        fields_of(change.fields),
        change.risk,
        visible(change.note),
        placed(manifest.locate, change.place),
        change.stage,
        tuple(str(address) for address in change.depends_on),
    )


def _verdict(plan: Plan, stops: tuple[Stop, ...]) -> Verdict:
    if plan.diagnostics.errors or plan.unread or any(not stop.lifted for stop in stops):
        return Verdict.FAILED
    return Verdict.WAITING if plan.differs else Verdict.CLEAN


def _place(change: Change) -> tuple[bool, Address]:
    """Cut-offs first, then by kind and name."""
    cut_off = change.stage in (Stage.CUT_OFF_RESOURCE, Stage.CUT_OFF_AUTHORIZATION)
    return (not cut_off, change.address)


def _steps(plan: Plan) -> Iterator[Step]:
    steps = Counter((change.stage, change.address.server) for change in plan.changes)
    for stage in sorted({stage for stage, _ in steps}):
        yield Step(STAGES[stage], tuple((server, n) for (at, server), n in sorted(steps.items()) if at is stage))


def _remarks(plan: Plan) -> Iterator[Remark]:
    """What cannot be compared, and objects that stay although the manifest does not name them."""
    if plan.incomparable:
        names = tuple(visible(f"{address} {path}") for address, path in plan.incomparable)
        them = "it" if len(names) == 1 else "them"
        yield Remark(
            f"{counted(len(names), 'value')} cannot be compared, because the servers do not return {them}", names
        )
    yield from kept_remarks(plan.kept)
