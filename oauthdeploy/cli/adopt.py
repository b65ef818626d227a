"""`oauthdeploy adopt`: take over objects that already exist on the servers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli import complete, streams
from oauthdeploy.cli.apply import leave_unchanged
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Reach, Source, manifest_options, output_options, reach_options
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import UsageError
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.planning.adoption import Adoption


@command(
    examples=(
        ("oauthdeploy adopt", "take over what the manifest names"),
        ("oauthdeploy adopt client/web-shop@login", "take over one client"),
    ),
    main=("file", "environment", "server", "yes"),
)
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...", shell_complete=complete.addresses)
@manifest_options
@reach_options
@option("--yes", "--auto-approve", "yes", env="YES", is_flag=True, help="Do not ask.")
@output_options("text", "json")
def adopt(addresses: tuple[str, ...], source: Source, reach: Reach, yes: bool, output: Output) -> None:
    """Take over objects that already exist on the servers.

    Shows each live object that the manifest names (or that ADDRESS globs select) and what the next apply would change on it.
    Writes the manifest's ownership marks on servers that can store them; on other servers there is nothing to write.
    """
    from oauthdeploy import workflow
    from oauthdeploy.planning.adoption import adoption_document
    from oauthdeploy.planning.outcome import Status
    from oauthdeploy.planning.unread import not_known
    from oauthdeploy.reports.adopt import render_adoption

    def confirm(found: Adoption) -> bool:
        stopped = any(stop.rule not in reach.allow for stop in found.plan.stops)
        if yes or stopped:
            return True
        output.show(lambda look: render_adoption(found, look, allowed=reach.allow), needed=True)
        if not source.can_ask():
            raise UsageError(
                "adopt needs your confirmation but cannot ask for it",
                fix="Run adopt on a terminal to review the marks, or run it with --yes.",
            )
        streams.write_talk("\nWrite these marks? Only 'yes' is accepted: ")
        return sys.stdin.readline().strip() == "yes"

    report = workflow.adopt(source.request(), reach.options(), addresses, confirm=confirm)
    if report is None:
        leave_unchanged(output)
        return
    written = [outcome.change.address for outcome in report.outcomes if outcome.status is Status.DONE]
    failed = Diagnostics.of(outcome.because for outcome in report.outcomes if outcome.because is not None)
    output.emit(
        {
            "text": lambda look: render_adoption(
                report.adoption, look, outcomes=report.outcomes, allowed=report.allowed
            ),
            "json": as_json(lambda: adoption_document(report.adoption, written, failed)),
        }
    )
    if report.unread:
        streams.write_talk(f"{not_known(report.unread)}\n")
    leave(ExitCode.PARTIAL if failed else ExitCode.UNREACHABLE if report.unread else ExitCode.DONE)
