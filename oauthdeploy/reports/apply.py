"""What an apply did, for people: told from outcomes, never from the plan."""

from __future__ import annotations

from collections.abc import Mapping

from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.outcome import ApplyReport, Outcome, Status
from oauthdeploy.reports.diagnostics import add_diagnostic
from oauthdeploy.reports.sheet import Look, Sheet
from oauthdeploy.reports.words import counted, seconds_text, visible

_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "changed",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.DISABLE: "disabled",
    Action.REVOKE: "revoked",
}
_ALWAYS = (Action.CREATE, Action.UPDATE, Action.DELETE, Action.REVOKE)
_TITLES = {
    Status.FAILED: "Failed",
    Status.UNKNOWN: "Unknown: the request was sent and its answer never came",
    Status.SKIPPED: "Not tried",
}


def render_apply(report: ApplyReport, look: Look) -> str:
    """Everything that happened: what failed, what is unknown, what was skipped, the second look, and the count."""
    sheet = Sheet(look)
    for status, title in _TITLES.items():
        found = [outcome for outcome in report.outcomes if outcome.status is status]
        if found:
            sheet.blank()
            sheet.add((f"{title} ({len(found):,})", "strong"))
            for outcome in found:
                _add_outcome(sheet, outcome)
    noted = [outcome for outcome in report.outcomes if outcome.status is Status.DONE and outcome.note]
    for outcome in noted:
        sheet.add(f"{outcome.change.address}: {visible(outcome.note)}", hang=2)
    for address, place in sorted(report.delivered.items()):
        sheet.add(f"{visible(address)}: secret delivered to {visible(place)}", hang=2)
    for item in report.verification:
        sheet.blank()
        add_diagnostic(sheet, item)
    sheet.blank()
    _add_end(sheet, report)
    return sheet.text()


def apply_line(report: ApplyReport) -> str:
    """The count of what was done, and of what was not."""
    if not report.outcomes:
        what = "Every change of the saved plan is in place already." if report.in_place else "Nothing to do."
        return f"{what} Nothing was changed."
    done = report.counts(Status.DONE)
    parts = [f"{done[action]} {_DONE[action]}" for action in Action if action in _ALWAYS or done[action]]
    rest = [
        f"{sum(counts.values())} {word}"
        for counts, word in (
            (report.counts(Status.FAILED), "failed"),
            (report.counts(Status.UNKNOWN), "unknown"),
            (report.counts(Status.SKIPPED), "not tried"),
        )
        if sum(counts.values())
    ]
    head = "Applied" if report.complete else "Interrupted" if report.interrupted else "Applied in part"
    return f"{head}: {', '.join(parts + rest)}, in {seconds_text(report.seconds)}."


def _add_outcome(sheet: Sheet, outcome: Outcome) -> None:
    change = outcome.change
    sheet.add(
        "  ", (change.action.symbol, change.action.value), " ", (str(change.address), change.action.value), hang=4
    )
    if outcome.because is not None and outcome.status is not Status.SKIPPED:
        add_diagnostic(sheet, outcome.because, indent=4)
    elif outcome.because is not None:
        reason = outcome.because.detail or outcome.because.summary
        sheet.add("    ", (visible(reason), "faint"), hang=4)


def _add_end(sheet: Sheet, report: ApplyReport) -> None:
    sheet.add((apply_line(report), "strong"))
    if report.outcomes and report.verified and not report.verification:
        sheet.add(("Verified: the servers were read again and hold what was applied.", "good"))
    elif report.outcomes and not report.verified:
        sheet.add("Not verified: nobody looked at the servers again.")
    if report.outcomes and report.in_place:
        sheet.add(f"In place already, and not made again: {counted(len(report.in_place), 'change')}.", hang=2)
    if report.journal and not report.complete:
        sheet.add(f"The journal is {visible(report.journal)}.", hang=2)
    if report.allowed:
        sheet.add(f"Lifted safety rules: {', '.join(visible(rule) for rule in report.allowed)}.", hang=2)
    if not report.complete:
        sheet.add("Run the same command again: it goes on with what is missing and doubles nothing.")


def done_counts(report: ApplyReport) -> Mapping[str, int]:
    """How many changes ended in each way, for machines."""
    return {status.value: sum(report.counts(status).values()) for status in Status}


def outcome_words(outcome: Outcome) -> str:
    """One outcome in a line: `created in 12 ms, 1 request`."""
    if outcome.status is not Status.DONE:
        return outcome.status.value
    return f"{_DONE[outcome.change.action]} in {seconds_text(outcome.seconds)}, {counted(outcome.requests, 'request')}"
