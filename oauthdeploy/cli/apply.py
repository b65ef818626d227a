"""`oauthdeploy apply`: change the servers to match the manifest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from oauthdeploy.cli import complete, streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import (
    Reach,
    Source,
    duration,
    manifest_options,
    output_options,
    overwrite_option,
    reach_options,
)
from oauthdeploy.cli.output import Output, ReportNotWritten
from oauthdeploy.cli.reporting import FORMS, view_of
from oauthdeploy.core.errors import OAuthDeployError, UsageError
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.cli.ndjson_stream import EventStream
    from oauthdeploy.manifest.api import Manifest
    from oauthdeploy.planning.outcome import ApplyReport
    from oauthdeploy.planning.plan import Plan
    from oauthdeploy.reports.console import Look
    from oauthdeploy.reports.document import Report
    from oauthdeploy.workflow import RunOptions

LAST = "last"
"""`--resume` without a journal."""


@command(
    examples=(
        ("oauthdeploy apply", "plan, ask, and make the changes"),
        ("oauthdeploy apply change.plan.json", "make the changes of a reviewed plan"),
    ),
    main=("file", "environment", "target", "yes", "allow", "resume", "sinks"),
)
@click.argument("planfile", type=click.Path(dir_okay=False, path_type=Path), metavar="[PLANFILE]", required=False)
@manifest_options
@reach_options
@overwrite_option
@option("--yes", "--auto-approve", "yes", env="YES", is_flag=True, help="Do not ask.")
@option(
    "--input",
    "asks",
    env="INPUT",
    type=bool,
    default=True,
    metavar="BOOL",
    help="With false, never ask, even on a terminal.  [default: true]",
)
@option("--no-input", env="NO_INPUT", is_flag=True, help="Same as --input=false.")
@option(
    "--lock-timeout",
    env="LOCK_TIMEOUT",
    default="0s",
    show_default=True,
    callback=duration,
    metavar="DURATION",
    help="How long to wait for another run to finish.",
)
@option(
    "--verify/--no-verify", env="VERIFY", default=True, show_default=True, help="Read the servers again afterwards."
)
@option(
    "--resume",
    shell_complete=complete.journals,
    env="RESUME",
    is_flag=False,
    flag_value=LAST,
    metavar="[JOURNAL]",
    help="Continue an interrupted or partial run, with its planned changes only.  [default journal: the last one]",
)
@output_options(*FORMS)
def apply(
    planfile: Path | None,
    source: Source,
    reach: Reach,
    overwrite: bool,
    yes: bool,
    asks: bool,
    no_input: bool,
    lock_timeout: int,
    verify: bool,
    resume: str | None,
    output: Output,
) -> None:
    """Change the servers to match the manifest: plan, ask, write, verify.

    With PLANFILE, apply the plan that `plan --out PLANFILE` saved, without asking. The plan is computed again and compared; if
    anything has changed since, nothing is written. Give --allow here, not to `plan`, to lift safety rules. Give the values of
    sensitive variables and --allow-commands again, and -f if the manifest has moved.

    Exit codes: 0 if everything was applied or nothing had to change, 4 if only a part was applied, 5 if a safety rule or
    --fail-on stops the plan, 6 if the plan is stale. -o ndjson writes each event as a line of JSON as it happens.
    """
    from oauthdeploy.cli.ndjson_stream import event_stream

    if planfile is not None and resume is not None:
        raise UsageError("A plan file and --resume cannot be combined", fix="Give only one of them.")
    may_ask = asks and source.can_ask(no_input=no_input)
    question = Question(output, reach, yes=yes or planfile is not None, may_ask=may_ask)
    with event_stream(output) as stream:
        options = reach.options(lock_timeout=lock_timeout, verify=verify, overwrite=overwrite)
        options = replace(options, on_manifest=question.know, asks=question.asks)
        report = _run(planfile, resume, source, options, question, stream, output)
        error = not_as_planned(report) if report is not None else None
        code = ExitCode.ERROR if report is None else error.exit_code if error else ExitCode.DONE
        stream.finish(report, code, error)
    if report is None:
        output.talk("Nothing was changed.")
    else:
        code = emit_report(report, reach, output, question) or code
    if error is not None:
        say_error(error, output)
        code = error.exit_code
    leave(code)


def _run(
    planfile: Path | None,
    resume: str | None,
    source: Source,
    options: RunOptions,
    question: Question,
    stream: EventStream,
    output: Output,
) -> ApplyReport | None:
    from oauthdeploy import workflow
    from oauthdeploy.cli.interrupts import interruptible

    with interruptible(output) as (tell, stop):
        listener = stream.noting(tell)
        if resume is not None:
            from oauthdeploy.cli.resume import resume_run

            journal = None if resume == LAST else Path(resume)
            return resume_run(source.request(), options, journal, output, question.confirm, listener, stop)
        if planfile is None:
            return workflow.run_plan(source.request(), options, confirm=question.confirm, on_event=listener, stop=stop)
        saved = workflow.read_plan(planfile)
        given = replace(source.request(), files=source.file)
        return workflow.run_saved(
            saved, planfile, given, options, confirm=question.confirm, on_event=listener, stop=stop
        )


class Question:
    """Shows the plan and asks for confirmation. `shown` is the plan as it was shown; `manifest` is what reports take from it."""

    def __init__(self, output: Output, reach: Reach, *, yes: bool, may_ask: bool, command: str = "apply") -> None:
        self.shown: Report | None = None
        self.manifest: Manifest | None = None
        self._output = output
        self._reach = reach
        self._yes = yes
        self._may_ask = may_ask
        self._command = command

    @property
    def asks(self) -> bool:
        """Whether anybody is waited for."""
        return not self._yes

    def know(self, manifest: Manifest) -> None:
        """Remember the manifest."""
        self.manifest = manifest

    def confirm(self, plan: Plan) -> bool:
        """Return whether to continue. Raises UsageError if the session is not interactive."""
        from oauthdeploy.reports.builders.plan import plan_report
        from oauthdeploy.reports.text import render_text

        report = plan_report(plan, view_of(self.manifest), partial=self._reach.partial, allowed=self._reach.allow)
        self._output.seen.report = report
        self._output.show(lambda look: render_text(report, look), needed=self._may_ask and not self._yes)
        self.shown = report
        stopped = bool(plan.diagnostics.errors) or any(stop.rule not in self._reach.allow for stop in plan.stops)
        if self._yes or stopped:
            # A plan that will be refused needs no confirmation.
            return True
        if not self._may_ask:
            raise UsageError(
                f"{self._command} needs your confirmation but cannot ask for it",
                detail="Standard input is not a terminal, or a flag forbids questions.",
                fix=f"Review the plan, then run {self._command} with --yes.",
            )
        servers = " and ".join(sorted({change.address.server for change in plan.changes}))
        streams.write_talk(f"\nApply these changes to {servers}? Only 'yes' is accepted: ")
        return sys.stdin.readline().strip() == "yes"


def emit_report(
    report: ApplyReport, reach: Reach, output: Output, question: Question, *, nothing: str = ""
) -> ExitCode:
    """Write the report of an apply; what `question` has shown on the screen is not shown again. Returns the exit code of a
    report that could not be written, after the error was shown; DONE if all were written.
    """
    from oauthdeploy.reports.builders.apply import apply_report
    from oauthdeploy.reports.text import render_last, render_text

    made = apply_report(
        report,
        view_of(question.manifest),
        partial=reach.partial,
        allowed=reach.allow,
        nothing=nothing,
        shown=question.shown,
    )

    def rest(look: Look) -> str:
        if question.shown:
            return f"\n{render_text(made, look, shown=True)}"
        return render_last(made, look) if report.in_place and not report.outcomes else render_text(made, look)

    try:
        output.emit_report(made, on_screen=rest, already_written=("ndjson",))
    except ReportNotWritten as failed:
        say_error(failed, output)
        return failed.exit_code
    return ExitCode.DONE


def not_as_planned(report: ApplyReport) -> OAuthDeployError | None:
    """The error that the command ends with if not everything was applied. The report before it has the numbers of each kind."""
    from oauthdeploy.planning.outcome import Status
    from oauthdeploy.workflow.exit_code import unfinished

    left, all_ = sum(item.status is not Status.DONE for item in report.outcomes), len(report.outcomes)
    line = f"{left:,} of {all_:,} failed, were not tried, or may not have been made. The report gives the reasons."
    return unfinished(report, line)


def leave_unchanged(output: Output) -> None:
    """End a command whose question was answered with no."""
    output.talk("Nothing was changed.")
    leave(ExitCode.ERROR)


def say_error(error: OAuthDeployError, output: Output) -> None:
    """Print an error in the common format."""
    from oauthdeploy.reports.diagnostics import render_error

    streams.write_talk(render_error(error, output.talk_look()))
