"""`oauthdeploy export`: write the objects of live servers into a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.cli import complete, streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import (
    Servers,
    Source,
    bundle,
    manifest_options,
    output_options,
    server_options,
)
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.disclosure import KNOWN
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from oauthdeploy.manifest.api import ManifestRequest
    from oauthdeploy.workflow import ExportOptions, ExportReport

KINDS = ("trust", "settings", "scope", "client", "association")


class Selection(Struct, frozen=True):
    """What to export, and from where to where."""

    kind: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    source_server: str | None = None
    target_server: str | None = None
    mirror: bool = False
    full: bool = False
    no_secrets: bool = False

    def options(self) -> ExportOptions:
        """The options for `workflow`."""
        from oauthdeploy.core.addresses import Kind
        from oauthdeploy.workflow import ExportOptions

        if (self.source_server is None) != (self.target_server is None):
            raise click.UsageError("--from and --to go together.")
        if self.mirror and self.target_server is None:
            raise click.UsageError("--mirror needs --from and --to.")
        return ExportOptions(
            kinds=tuple(Kind(kind) for kind in KINDS if not self.kind or kind in self.kind),
            names=self.name,
            source=self.source_server,
            target=self.target_server,
            mirror=self.mirror,
            full=self.full,
            secrets=not self.no_secrets,
        )


_selection_flags = (
    option(
        "--kind",
        env="EXPORT_KIND",
        multiple=True,
        type=click.Choice(KINDS),
        help="Only this kind of object. Repeatable.",
    ),
    option(
        "--name",
        env="EXPORT_NAME",
        multiple=True,
        metavar="GLOB",
        help="Only scopes and clients of this name; * matches any characters. Repeatable.",
    ),
    option(
        "--from",
        "source_server",
        env="EXPORT_FROM",
        shell_complete=complete.servers,
        metavar="SERVER",
        help="Server to copy from, for --to SERVER.",
    ),
    option(
        "--to",
        "target_server",
        env="EXPORT_TO",
        metavar="SERVER",
        shell_complete=complete.servers,
        help="Server that is to match --from SERVER.",
    ),
    option(
        "--mirror",
        env="EXPORT_MIRROR",
        is_flag=True,
        help="Write objects that only the --to server has as absent, so that an apply deletes them.",
    ),
    option("--full", env="EXPORT_FULL", is_flag=True, help="Write values that equal the server's defaults too."),
    option(
        "--no-secrets",
        env="EXPORT_NO_SECRETS",
        is_flag=True,
        help="Leave client secrets unmanaged instead of writing a variable reference for each.",
    ),
)


@command(
    examples=(
        ("oauthdeploy export > live.yaml", "write what the servers hold"),
        ("oauthdeploy export --write", "write it into the manifest"),
    ),
    main=("file", "server", "source_server", "target_server", "write"),
)
@manifest_options
@server_options
@bundle(Selection, "selection", _selection_flags)
@option(
    "--write",
    env="WRITE",
    is_flag=True,
    help="Write into the manifest's files, keeping their comments, instead of to stdout.",
)
@output_options("text", "json")
def export(source: Source, servers: Servers, selection: Selection, write: bool, output: Output) -> None:
    """Write the objects of live servers into a manifest whose plan is empty.

    The manifest (-f) names the servers; it needs only version, name and servers. Entries that already match the servers keep
    their text, comments and variables. Defaults are left out. Secrets are written as references to environment variables,
    never as values. Anything that a manifest cannot express is left unmanaged and reported, by object and field; -o json=FILE
    lists it for machines.

    With --from A --to B, write what makes B match A; review it with `plan` and apply it with `apply`.

    With several files, which need --write, each object stays in its file, a new object goes to the last file with its section,
    and all other files stay unchanged.

    The export checks that the plan of its result is empty before it prints or writes anything. The servers are read over
    connections that refuse to write.
    """
    from oauthdeploy import workflow
    from oauthdeploy.planning.unread import not_known

    context = click.get_current_context()
    if not write and context.get_parameter_source("sinks") is ParameterSource.ENVIRONMENT:
        # The variable is meant for reports, and standard output is for the manifest.
        output = replace(output, sinks=tuple(sink for sink in output.sinks if sink.file is not None))
    if not write and not output.text_on_stdout:
        raise click.UsageError("Standard output is for the manifest: add --write, or name a file with -o json=FILE.")
    if write and source.takes_stdin:
        raise click.UsageError("--write needs a file, but the manifest comes from standard input.")
    request = source.request()
    if not write:
        _require_one_file(request)
    report = workflow.export_manifest(request, servers.options(), selection.options())
    if not write and report.holds_secret:
        raise click.UsageError(
            "The manifest contains a secret, which would be printed. Replace it with a reference such as "
            "${env:NAME}, or export into the file with --write."
        )
    if not write:
        streams.write_manifest("".join(file.text for file in report.files))
    _say(report, output)
    if write:
        _write(report, output)
    output.emit({"json": as_json(lambda: _document(report))}, on_screen=lambda _look: "")
    if report.unread:
        streams.write_talk(f"{not_known(report.unread)}\n")
        leave(ExitCode.UNREACHABLE)


def _document(report: ExportReport) -> Mapping[str, Any]:
    from oauthdeploy.reports.json import export_document

    files = {file.name: file.changed for file in report.files}
    return export_document(files, report.variables, report.omissions, report.beyond, report.unread, report.findings)


def _require_one_file(request: ManifestRequest) -> None:
    """Refuse several files before any server is read: on standard output, they could not be separated."""
    from oauthdeploy.core.errors import UsageError
    from oauthdeploy.manifest.input_files import read_sources

    sources, _problems = read_sources(request)
    if len(sources) > 1:
        raise UsageError(
            "An export of several files cannot be printed",
            detail=f"{len(sources)} files are named: {', '.join(source.name for source in sources)}.",
            fix="Write into the files with --write, or name one file with the servers to get all of it there.",
        )


def _write(report: ExportReport, output: Output) -> None:
    """Write the files that differ. If one cannot be written, those before it are restored."""
    from oauthdeploy.manifest.editing.files import bytes_as_read, replace_files
    from oauthdeploy.reports.escape import visible

    changed = [file for file in report.files if file.changed]
    # A manifest may contain literal secrets of its author; an export adds none.
    if any(KNOWN.clean(file.text)[1] > KNOWN.clean(file.before)[1] for file in changed):
        raise OAuthDeployError(
            "The manifest was not written",
            detail="The export would have added a secret to it. This is a bug in oauthdeploy.",
            fix="Please report the command.",
        )
    replace_files((file.name, bytes_as_read(file.name, file.before), file.text.encode("utf-8")) for file in changed)
    names = ", ".join(visible(file.name) for file in changed or report.files)
    unchanged = "say it all already" if len(report.files) > 1 else "says it all already"
    output.talk(f"Wrote {names}." if changed else f"{names} {unchanged}.")


def _say(report: ExportReport, output: Output) -> None:
    """What was left out, and the variables that the new entries need."""
    from oauthdeploy.planning.omissions import counted_omissions
    from oauthdeploy.reports.diagnostics import render_diagnostics
    from oauthdeploy.reports.formatting import counted

    if report.findings and not output.quiet:
        streams.write_talk(render_diagnostics(report.findings, output.talk_look()))
    if left_out := counted_omissions(report.omissions):
        output.talk(f"Left out: {left_out}.")
    if report.beyond:
        output.talk(f"Never exported: {report.beyond}.")
    if report.variables:
        output.talk(
            f"{counted(len(report.variables), 'secret')} written as references: set these variables before you plan."
        )
        for name in sorted(report.variables):
            output.talk(f"  {name}")
