"""`oauthdeploy plan`: show what would change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Reach, Source, manifest_options, output_options, overwrite_option, reach_options
from oauthdeploy.cli.output import Output, say_unread, write_file
from oauthdeploy.cli.reporting import FORMS, view_of
from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.planning.plan import Plan


@command(
    examples=(
        ("oauthdeploy plan", "show what would change"),
        ("oauthdeploy plan --out change.plan.json", "save it for review"),
    ),
    main=("file", "environment", "target", "out", "detailed_exitcode", "sinks"),
)
@manifest_options
@reach_options
@overwrite_option
@option(
    "--out",
    env="OUT",
    type=click.Path(dir_okay=False),
    metavar="PLANFILE",
    help="Save the plan to a file, for `apply PLANFILE` and `show PLANFILE`. It contains no secret.",
)
@option(
    "--detailed-exitcode",
    env="DETAILED_EXITCODE",
    is_flag=True,
    help="Exit with 2 where there are changes or orphaned objects, 5 where apply would stop at the changes.",
)
@output_options(*FORMS)
def plan(
    source: Source, reach: Reach, overwrite: bool, out: str | None, detailed_exitcode: bool, output: Output
) -> None:
    """Show what would change on which server, in which order, and why.

    Reads the servers over connections that refuse to write. Exit code 8 if something that the manifest manages could not be
    read, 5 if --fail-on finds a change of too high a risk, otherwise 0. With --detailed-exitcode, the first of these that
    applies: 8, 5 if a safety rule would stop apply, 2 if there are changes or orphaned objects (they carry the manifest's mark,
    but are no longer in it). Reports and PLANFILE are written in any case.
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.builders.plan import plan_report

    request, options = source.request(), reach.options(overwrite=overwrite)
    planned, manifest = workflow.make_plan(request, options)
    output.emit_report(plan_report(planned, view_of(manifest), partial=reach.partial, allowed=reach.allow))
    if out is not None:
        from oauthdeploy.reports.json import to_text

        write_file(Path(out), _checked(to_text(workflow.save_plan(planned, manifest, request, options, Path(out)))))
        output.talk(
            f"Saved the plan to {out}. Run `oauthdeploy apply {out}` to apply it, or `oauthdeploy show {out}` to show it again."
        )
    say_unread(planned.unread, output)
    leave(plan_exit(planned, reach, detailed=detailed_exitcode))


def _checked(document: str) -> str:
    """The document of a saved plan, which is bound to its digest and so cannot have secrets masked. Raises OAuthDeployError."""
    if KNOWN.clean(document)[1]:
        raise OAuthDeployError(
            "The plan was not saved",
            detail="Its file would have contained a secret. This is a bug in oauthdeploy.",
            fix="Please report the command. You can still run apply without a saved plan.",
        )
    return document


def plan_exit(planned: Plan, reach: Reach, *, detailed: bool) -> ExitCode:
    """The exit code of a plan (`workflow.exit_code`)."""
    from oauthdeploy.workflow.exit_code import exit_of_plan

    return exit_of_plan(planned, reach.allow, detailed=detailed)
