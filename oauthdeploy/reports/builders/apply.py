"""The report of an apply, built from outcomes and never from the plan."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.planning.changes import Action, shared_sessions_in
from oauthdeploy.planning.outcome import ApplyReport, Outcome, Status
from oauthdeploy.planning.unread import not_known
from oauthdeploy.reports.builders.common import ACTIONS, ALWAYS_COUNTED, columns_of, lines_of, rows_of
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.document import Count, End, Item, ManifestView, Report, Run, State, Verdict
from oauthdeploy.reports.formatting import counted, seconds_text, visible

_DONE: Final = {
    Action.CREATE: "created",
    Action.UPDATE: "changed",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.DISABLE: "disabled",
    Action.REVOKE: "revoked",
}
_ENDS: Final = {
    Status.FAILED: State("failed", "x", "failed", style="delete"),
    Status.UNKNOWN: State("unknown", "?", "unknown", style="update"),
    Status.SKIPPED: State("skipped", ".", "not tried", style="faint"),
}


def apply_report(
    report: ApplyReport,
    manifest: ManifestView | None = None,
    *,
    partial: bool = False,
    allowed: Collection[str] = (),
    nothing: str = "",
    shown: Report | None = None,
) -> Report:
    """The result of an apply with its plan. `partial` and `nothing` are those of `plan_report`; `shown` is what was shown
    before, and not built again if it is the report of this very plan.
    """
    planned = (
        shown
        if shown is not None and shown.subject is report.plan
        else plan_report(report.plan, manifest, partial=partial, allowed={*allowed, *report.allowed}, nothing=nothing)
    )
    items = [_item(outcome, planned_item) for outcome, planned_item in _with_items(report, planned)]
    columns = columns_of(planned.servers, items)
    whole = report.outcomes or report.in_place
    return replace(
        planned,
        run=Run.APPLY,
        verdict=_verdict(report),
        headline=apply_line(report) if whole else planned.headline,
        closing=_closing(report) if whole else planned.closing,
        subject=report,
        columns=columns,
        counts=tuple(_counts(report)),
        rows=rows_of(items, columns),
        second_look=report.verification,
        facts=tuple(_facts(report)),
        delivered={visible(address): visible(place) for address, place in sorted(report.delivered.items())},
    )


def apply_line(report: ApplyReport) -> str:
    """The numbers of changes that were made and that were not."""
    if not report.outcomes:
        what = "Every change of the saved plan is already in place." if report.in_place else "Nothing to do."
        return " ".join((what, "Nothing was changed.", *_closing(report)))
    head = "Applied" if report.complete else "Interrupted" if report.interrupted else "Applied in part"
    line = f"{head}: {', '.join(count.words for count in _counts(report))}, in {seconds_text(report.seconds)}."
    return " ".join((line, *_closing(report)))


def _closing(report: ApplyReport) -> tuple[str, ...]:
    """What the apply left unchanged, what is unknown, and what a cut-off left."""
    stay = (
        f"{visible(outcome.change.address.name)}: {words}."
        for outcome in report.outcomes
        if (words := shared_sessions_in(outcome.note))
    )
    return tuple(line for line in (*lines_of(report.plan), not_known(report.plan.unread), *stay) if line)


def outcome_words(outcome: Outcome) -> str:
    """One outcome in one line: `created in 12 ms, 1 request`."""
    if outcome.status is not Status.DONE:
        return _ENDS[outcome.status].counted
    return f"{_DONE[outcome.change.action]} in {seconds_text(outcome.seconds)}, {counted(outcome.requests, 'request')}"


def _with_items(report: ApplyReport, planned: Report) -> Iterator[tuple[Outcome, Item]]:
    """The outcomes with their changes, in the order of the plan's rows."""
    ends = {outcome.change.address: outcome for outcome in report.outcomes}
    for item in planned.items:
        if item.address in ends:
            yield ends[item.address], item


def _item(outcome: Outcome, planned: Item) -> Item:
    words, note = outcome_words(outcome), visible(outcome.note)
    return replace(planned, end=End(outcome.status, words, outcome.because, note, outcome.seconds))


def _counts(report: ApplyReport) -> Iterator[Count]:
    if not report.outcomes:
        return
    done = report.counts(Status.DONE)
    for action, state in ACTIONS.items():
        if action in ALWAYS_COUNTED or done[action]:
            yield Count(done[action], replace(state, counted=_DONE[action]))
    for status, state in _ENDS.items():
        number = sum(report.counts(status).values())
        if number:
            yield Count(number, state)


def _verdict(report: ApplyReport) -> Verdict:
    failed = not report.complete or report.verification.errors or report.plan.unread
    return Verdict.FAILED if failed else Verdict.CLEAN


def _facts(report: ApplyReport) -> Iterator[str]:
    weighty = any(item.severity is not Severity.INFO for item in report.verification)
    if report.outcomes and report.verified and not weighty:
        yield "Verified: the servers were read again and hold what was applied."
    elif report.outcomes and not report.verified:
        yield f"Not verified: {'the findings say what is not known' if weighty else 'the servers were not read again'}."
    for item in report.verification:
        if item.severity is Severity.INFO:
            yield f"{visible(item.address)}: {visible(item.summary)}: {visible(item.detail)}"
    if report.outcomes and report.in_place:
        yield f"Already in place, not made again: {counted(len(report.in_place), 'change')}."
    if report.journal and not report.complete:
        yield f"Journal: {visible(report.journal)}."
    if report.allowed:
        yield f"Lifted safety rules: {', '.join(visible(rule) for rule in report.allowed)}."
    if not report.complete:
        yield "Run the same command again: it makes only the changes that are missing."
