"""A journal for people: who ran what and when, then each change with its outcome."""

from __future__ import annotations

from collections.abc import Sequence

from oauthdeploy.planning.run_history import End, Entry, RunHistory
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.formatting import counted, visible

_WORDS = {
    End.DONE: "done",
    End.FAILED: "failed",
    End.UNKNOWN: "sent, result unknown",
    End.OPEN: "sent, result unknown",
    End.NOT_SENT: "not sent",
}
_STYLES = {End.DONE: "good", End.FAILED: "error", End.UNKNOWN: "warning", End.OPEN: "warning", End.NOT_SENT: "faint"}


def render_journal(run: RunHistory, look: Look) -> str:
    """The history of one run."""
    sheet = Sheet(look)
    sheet.add(("Journal of ", ""), (visible(run.manifest or "an unknown manifest"), "title"))
    sheet.add(f"  file      {visible(run.path)}", hang=12)
    if run.started:
        sheet.add(f"  started   {visible(run.started)}")
        sheet.add(f"  by        {visible(run.by)} on {visible(run.host)} (process {run.pid}), {visible(run.tool)}")
    sheet.add(f"  ended     {_end_of(run)}")
    for word, other in (("resumes", run.resumes), ("takes back", run.undoes)):
        if other:
            sheet.add(f"  {word:<10}{visible(other)}", hang=12)
    if run.allowed:
        sheet.add(f"  lifted    {', '.join(visible(rule) for rule in run.allowed)}", hang=12)
    if run.torn:
        sheet.add(
            ("The last line is incomplete, for example because of a crash or a full disk; it is ignored.", "warning"),
            hang=2,
        )
    if run.entries:
        sheet.blank()
    width = max((len(_WORDS[entry.end]) for entry in run.entries), default=0)
    for entry in run.entries:
        _add_entry(sheet, entry, width)
    sheet.blank()
    sheet.add((_count(run), "strong"))
    _add_advice(sheet, run)
    return sheet.text()


def render_journals(stories: Sequence[RunHistory], look: Look) -> str:
    """One line for each journal, the oldest first."""
    sheet = Sheet(look)
    for run in stories:
        kind = " (rollback)" if run.undoes else " (resumed)" if run.resumes else ""
        state = "complete" if run.complete else "not complete"
        sheet.add(f"{visible(run.started or 'unknown time')}  {visible(run.manifest)}{kind}: {_count(run)} ({state})")
        sheet.add(f"  {visible(run.path)}", hang=2)
    if not stories:
        sheet.add("There are no journals yet.")
    return sheet.text()


def _end_of(run: RunHistory) -> str:
    if not run.ended:
        return "not yet: the run was interrupted, or is still running"
    return visible(run.ended) + (", interrupted" if run.interrupted else "")


def _add_entry(sheet: Sheet, entry: Entry, width: int) -> None:
    word = _WORDS[entry.end]
    sheet.add(
        "  ",
        (f"{word:<{width}}", _STYLES[entry.end]),
        "  ",
        (f"{entry.action.symbol:>3} ", entry.action.value),
        (visible(str(entry.address)), entry.action.value),
        (f"  {visible(', '.join(entry.fields))}" if entry.action.value == "update" and entry.fields else "", "faint"),
        hang=width + 8,
    )
    if entry.because:
        text = ": ".join(part for part in (entry.because.get("summary", ""), entry.because.get("detail", "")) if part)
        sheet.add(" " * (width + 8), visible(text), hang=width + 8)
    if entry.note:
        sheet.add(" " * (width + 8), (visible(entry.note), "faint"), hang=width + 8)


def _count(run: RunHistory) -> str:
    parts = [f"{len(run.of(End.DONE))} done"]
    for ends, word in (
        ((End.FAILED,), "failed"),
        ((End.OPEN, End.UNKNOWN), "sent, result unknown"),
        ((End.NOT_SENT,), "not sent"),
    ):
        if found := run.of(*ends):
            parts.append(f"{len(found)} {word}")
    return f"{counted(len(run.entries), 'change')}: {', '.join(parts)}."


def _add_advice(sheet: Sheet, run: RunHistory) -> None:
    if run.complete:
        sheet.add("Run `oauthdeploy rollback JOURNAL` to undo it.")
    elif run.undoes:
        sheet.add("Run `oauthdeploy rollback` with the same journal again to continue.")
    else:
        sheet.add(
            "Run `oauthdeploy apply --resume JOURNAL` to continue, or `oauthdeploy rollback JOURNAL` to undo its changes."
        )
