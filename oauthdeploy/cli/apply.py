"""`oauthdeploy apply`: make the servers as the manifest says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Reach, Source, duration, manifest_options, output_options, reach_options
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.errors import PartialApply, UsageError

if TYPE_CHECKING:
    from oauthdeploy.planning.outcome import ApplyReport
    from oauthdeploy.planning.plan import Plan

DECLINED = 1


@click.command()
@manifest_options
@reach_options
@option("--yes", "--auto-approve", "yes", env="YES", is_flag=True, help="Don't ask.")
@option(
    "--input",
    "asks",
    env="INPUT",
    type=bool,
    default=True,
    metavar="BOOL",
    help="false: never ask, even on a terminal.  [default: true]",
)
@option("--no-input", env="NO_INPUT", is_flag=True, help="The same as --input=false.")
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
@output_options("text", "json")
def apply(
    source: Source,
    reach: Reach,
    yes: bool,
    asks: bool,
    no_input: bool,
    lock_timeout: int,
    verify: bool,
    output: Output,
) -> None:
    """Make the servers as the manifest says: plan, ask, change, verify.

    Exit code 0 where all was done or nothing was to do, 4 where a part was done, 5 where a safety rule stops the plan.
    """
    from oauthdeploy import workflow
    from oauthdeploy.cli.interrupts import Interrupts
    from oauthdeploy.cli.progress import progress

    may_ask = asks and not no_input and not source.takes_stdin and streams.is_terminal(sys.stdin)
    question = Question(output, reach, yes=yes, may_ask=may_ask)
    options = reach.options(lock_timeout=lock_timeout, verify=verify)
    with progress(output) as tell, Interrupts() as interrupts:
        report = workflow.run_plan(
            source.request(),
            options,
            confirm=question.confirm,
            on_event=interrupts.noting(tell),
            stop=interrupts.stop,
        )
    if report is None:
        output.talk("Nothing was changed.")
        leave(DECLINED)
        return
    _emit(report, reach, output, shown=question.shown)
    if report.outcomes and not _as_planned(report):
        streams.write_talk(_partial(report, output))
        leave(PartialApply.exit_code)


class Question:
    """Shows the plan and asks for a yes. `shown` is true once the plan was shown."""

    def __init__(self, output: Output, reach: Reach, *, yes: bool, may_ask: bool) -> None:
        self.shown = False
        self._output = output
        self._reach = reach
        self._yes = yes
        self._may_ask = may_ask

    def confirm(self, plan: Plan) -> bool:
        """Give whether to go on. Raises UsageError where nobody can be asked."""
        from oauthdeploy.reports.text import render_plan

        self._output.show(
            lambda look: render_plan(plan, look, partial=self._reach.partial, allowed=self._reach.allow),
            needed=self._may_ask and not self._yes,
        )
        self.shown = True
        stopped = bool(plan.diagnostics.errors) or any(stop.rule not in self._reach.allow for stop in plan.stops)
        if self._yes or stopped:
            # A plan that is going to be refused is not asked about.
            return True
        if not self._may_ask:
            raise UsageError(
                "apply needs a yes, and there is nobody to ask",
                detail="Standard input is not a terminal, or it was told not to ask.",
                fix="Look at the plan, then run apply with --yes.",
            )
        servers = " and ".join(sorted({change.address.server for change in plan.changes}))
        streams.write_talk(f"\nApply these changes to {servers}? Only 'yes' is accepted: ")
        return sys.stdin.readline().strip() == "yes"


def _emit(report: ApplyReport, reach: Reach, output: Output, *, shown: bool) -> None:
    from oauthdeploy.reports.apply import render_apply
    from oauthdeploy.reports.json import apply_document
    from oauthdeploy.reports.sheet import Look
    from oauthdeploy.reports.text import render_plan

    def everything(look: Look) -> str:
        plan = render_plan(report.plan, look, partial=reach.partial, allowed=reach.allow)
        return f"{plan}\n{render_apply(report, look)}" if report.outcomes else plan

    def rest(look: Look) -> str:
        return f"\n{render_apply(report, look)}" if shown else everything(look)

    output.emit({"text": everything, "json": as_json(lambda: apply_document(report))}, on_screen=rest)


def _as_planned(report: ApplyReport) -> bool:
    return report.complete and not report.verification.errors


def _partial(report: ApplyReport, output: Output) -> str:
    from oauthdeploy.reports.apply import apply_line
    from oauthdeploy.reports.diagnostics import render_error

    if report.complete:
        found = PartialApply(
            "The servers do not hold all that was applied",
            detail=f"{len(report.verification.errors)} findings of the second look.",
            fix="See the findings in the report.",
        )
    else:
        found = PartialApply(
            "Not every change was made",
            detail=apply_line(report),
            fix="Run the same command again: it goes on with what is missing.",
        )
    return render_error(found, output.talk_look())
