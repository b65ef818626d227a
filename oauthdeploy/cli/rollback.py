"""`oauthdeploy rollback`: take back what a journal says was done."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.apply import Question, emit_report, not_as_planned, say_error
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import (
    Reach,
    Source,
    duration,
    manifest_options,
    output_options,
    reach_options,
    state_option,
)
from oauthdeploy.cli.output import Output
from oauthdeploy.cli.reporting import FORMS
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.planning.plan import Plan


@click.command()
@click.argument("journal", type=click.Path(dir_okay=False, path_type=Path), metavar="JOURNAL")
@manifest_options
@reach_options
@option("--plan", "only_plan", env="PLAN", is_flag=True, help="Show what would be taken back, and write nothing.")
@option("--yes", "--auto-approve", "yes", env="YES", is_flag=True, help="Don't ask.")
@option("--no-input", env="NO_INPUT", is_flag=True, help="Never ask, even on a terminal.")
@option(
    "--lock-timeout",
    env="LOCK_TIMEOUT",
    default="0s",
    show_default=True,
    callback=duration,
    metavar="DURATION",
    help="How long to wait for another run to end.",
)
@option(
    "--verify/--no-verify", env="VERIFY", default=True, show_default=True, help="Look at the servers again afterwards."
)
@state_option
@output_options(*(form for form in FORMS if form != "ndjson"))
def rollback(
    journal: Path,
    source: Source,
    reach: Reach,
    only_plan: bool,
    yes: bool,
    no_input: bool,
    lock_timeout: int,
    verify: bool,
    state_dir: Path | None,
    output: Output,
) -> None:
    """Take back what a journal says was done: plan the inverse, ask, change, verify.

    The manifest tells how to reach the servers. Deleted tokens and secrets that a server made can't be brought back, and the
    plan says so. What has changed since that run is left alone and named; --allow changed-since takes it back all the same.
    """
    from oauthdeploy import workflow
    from oauthdeploy.cli.interrupts import Interrupts
    from oauthdeploy.cli.progress import progress

    options = replace(reach.options(lock_timeout=lock_timeout, verify=verify), state_dir=state_dir)
    if only_plan:
        _show(workflow.plan_rollback(source.request(), journal, options)[0], reach, output)
        return
    may_ask = not no_input and not source.takes_stdin and streams.is_terminal(sys.stdin)
    question = Question(output, reach, yes=yes, may_ask=may_ask, command="rollback")
    with progress(output) as tell, Interrupts() as interrupts:
        report = workflow.run_rollback(
            source.request(),
            journal,
            options,
            confirm=question.confirm,
            on_event=interrupts.noting(tell),
            stop=interrupts.stop,
        )
    if report is None:
        output.talk("Nothing was changed.")
        leave(ExitCode.ERROR)
        return
    code = emit_report(report, reach, output, question)
    if error := not_as_planned(report):
        say_error(error, output)
        code = error.exit_code
    leave(code)


def _show(plan: Plan, reach: Reach, output: Output) -> None:
    from oauthdeploy.reports.builders.plan import plan_report

    output.emit_report(plan_report(plan, partial=reach.partial, allowed=reach.allow))
