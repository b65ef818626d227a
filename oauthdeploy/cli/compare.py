"""`oauthdeploy compare`: show how two servers, or two environments, differ."""

from __future__ import annotations

import click

from oauthdeploy.cli import complete
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave
from oauthdeploy.cli.options import Pressure, Source, output_options, parallel_options, several_environments
from oauthdeploy.cli.output import Output, say_unread
from oauthdeploy.cli.reporting import FORMS, view_of
from oauthdeploy.core.exit_codes import ExitCode


@command(
    examples=(
        ("oauthdeploy compare test prod", "two servers of the manifest"),
        ("oauthdeploy compare --env test --env prod", "two environments"),
    ),
    main=("file", "environments", "sinks"),
)
@click.argument("sides", nargs=-1, metavar="[A B]", shell_complete=complete.servers)
@several_environments
@parallel_options
@output_options(*FORMS)
def compare(
    sides: tuple[str, ...], environments: tuple[str, ...], source: Source, pressure: Pressure, output: Output
) -> None:
    """Show the differences between two live servers, or between two environments of the manifest.

    \b
    oauthdeploy compare login orders            two servers of the manifest, read now
    oauthdeploy compare --env test --env prod   two environments, without contacting any server
    oauthdeploy compare --env - --env prod      an environment and the manifest itself

    Exit code 2 if they differ. Secrets are not compared. What else is not compared is counted in the last line and listed
    with -v, and in -o json. The servers are read over
    connections that refuse to write.
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.builders.comparison import comparison_report

    if sides and len(sides) != 2:
        raise click.UsageError("Name two servers, or give --env twice.")
    if len(environments) != (2 if not sides else min(len(environments), 1)):
        raise click.UsageError("Give --env twice to compare two environments, and at most once to compare two servers.")
    request = source.request()
    if sides:
        found, manifest = workflow.compare_live(request, sides[0], sides[1], pressure.options())
    else:
        found, manifest = workflow.compare_environments(request, environments[0], environments[1])
    report = comparison_report(
        found.left,
        found.right,
        found.items,
        servers=found.servers,
        diagnostics=found.diagnostics,
        unread=found.unread,
        manifest=view_of(manifest),
        omissions=found.omissions,
        beyond=found.beyond,
    )
    output.emit_report(report)
    say_unread(found.unread, output)
    if found.unread:
        leave(ExitCode.UNREACHABLE)
    leave(ExitCode.CHANGES if found.different else ExitCode.DONE)
