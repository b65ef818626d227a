"""`oauthdeploy validate`: check the manifest, without any server unless requested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from msgspec.structs import replace

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Source, manifest_options, output_options
from oauthdeploy.cli.output import Output, say_unread
from oauthdeploy.cli.reporting import FORMS
from oauthdeploy.core.errors import UsageError
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.planning.unread import Unread


@command(
    examples=(
        ("oauthdeploy validate", "check the manifest of this folder"),
        ("oauthdeploy validate -f prod.yaml --allow-unset", "check another one, without its secrets"),
    ),
    main=("file", "environment", "online", "allow_unset", "ignore", "sinks"),
)
@click.argument("paths", nargs=-1, type=click.Path(readable=False))
@manifest_options
@option(
    "--online",
    env="ONLINE",
    is_flag=True,
    help="Read the servers too, without writing: find what they cannot store and where the two sides disagree.",
)
@option(
    "--allow-unset",
    env="ALLOW_UNSET",
    is_flag=True,
    help="Accept unset environment variables, for example where no secrets are available; placeholders are used.",
)
@output_options(*FORMS)
@click.pass_context
def validate(
    context: click.Context,
    paths: tuple[str, ...],
    source: Source,
    online: bool,
    allow_unset: bool,
    output: Output,
) -> None:
    """Check the manifest without contacting any server; with --online, check it against the servers too.

    PATHS are manifests, each checked by itself, as pre-commit names them; the files of -f are one manifest together. Reports
    every problem in one run, with its place, the reason and the fix. Exit code 3 if there is an error.
    """
    if online and allow_unset:
        raise UsageError("--online and --allow-unset cannot be combined", fix="Leave one of them out.")
    if paths and source.file and context.get_parameter_source("file") is ParameterSource.COMMANDLINE:
        raise click.UsageError("Name the manifests either as PATHS or with -f, not both.")
    if len(paths) > 1 and any(sink.file or sink.format != "text" for sink in output.sinks):
        raise click.UsageError("A report is about one manifest. Name one of the PATHS, or leave -o out.")
    sources = [replace(source, file=(path,)) for path in paths] or [source]
    leave(max(_validate(each, online, allow_unset, output) for each in sources))


def _validate(source: Source, online: bool, allow_unset: bool, output: Output) -> int:
    """Check one manifest and return the exit code."""
    from oauthdeploy import workflow
    from oauthdeploy.reports.builders.validation import validation_report
    from oauthdeploy.reports.diagnostics import render_diagnostics
    from oauthdeploy.reports.text import render_last

    request = source.request()
    if allow_unset:
        from oauthdeploy.manifest.interpolate import STAND_IN

        request = replace(request, unset_env=STAND_IN)
    manifest, diagnostics = workflow.validate(request)
    unread: tuple[Unread, ...] = ()
    if online and manifest is not None:
        plan, _manifest = workflow.make_plan(request)
        diagnostics, unread = (diagnostics + plan.diagnostics).sorted(), plan.unread
    files = manifest.files if manifest is not None else source.files
    valid = manifest is not None and not diagnostics.errors
    desired = manifest.desired if manifest is not None and valid else None

    report = validation_report(files, diagnostics, desired, unread)
    if output.text_on_stdout:
        streams.write_talk(render_diagnostics(diagnostics, output.talk_look()))
    output.emit_report(report, on_screen=lambda look: render_last(report, look) if valid else "")
    if not valid:
        if output.text_on_stdout:
            streams.write_talk(f"\n{render_last(report, output.talk_look())}")
        return ExitCode.UNREACHABLE if unread else ExitCode.MANIFEST_INVALID
    say_unread(unread, output)
    return ExitCode.UNREACHABLE if unread else ExitCode.DONE
