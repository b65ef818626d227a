"""`oauthdeploy show`: show a saved plan, and what has changed since."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import replace

from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Servers, Source, manifest_options, output_options, server_options
from oauthdeploy.cli.output import Output, as_json, say_unread
from oauthdeploy.cli.reporting import FORMS, renderers_of
from oauthdeploy.core.errors import UsageError
from oauthdeploy.core.exit_codes import ExitCode


@command(
    examples=(
        ("oauthdeploy show change.plan.json", "show the plan"),
        ("oauthdeploy show change.plan.json --check", "list what has changed since"),
    ),
    main=("check", "file", "sinks"),
)
@click.argument("planfile", type=click.Path(dir_okay=False, path_type=Path), metavar="PLANFILE")
@option(
    "--check",
    env="CHECK",
    is_flag=True,
    help="Compare the manifest and the servers with the plan, and show what has changed.",
)
@manifest_options
@server_options
@output_options(*(form for form in FORMS if form != "ndjson"))
def show(planfile: Path, check: bool, source: Source, servers: Servers, output: Output) -> None:
    """Show a plan that `plan --out PLANFILE` saved.

    Needs neither the manifest nor the servers. With --check, reads both again and writes nothing; exit code 6 means that the
    plan is stale. The flags for the manifest and for sensitive variables apply to --check only.
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.saved_plan import check_document, render_check, render_saved, saved_report

    saved = workflow.read_plan(planfile)
    if not check:
        output.emit(
            {
                **renderers_of(saved_report(saved)),
                "text": lambda look: render_saved(saved, look),
                "json": as_json(lambda: saved.document),
            }
        )
        return
    if any(sink.format not in ("text", "json") for sink in output.sinks):
        raise UsageError("--check reports as text or JSON only", fix="Leave --check out, or choose -o text or -o json.")
    if output.text_on_stdout:
        output.show(lambda look: f"{render_saved(saved, look)}\n")
    given = replace(source.request(), files=source.file)
    found = workflow.check_saved(saved, planfile, given, servers.options())
    output.emit(
        {
            "text": lambda look: f"{render_saved(saved, look)}\n{render_check(saved, found, look)}",
            "json": as_json(lambda: check_document(saved, found)),
        },
        on_screen=lambda look: render_check(saved, found, look),
    )
    say_unread(found.unread, output)
    leave(ExitCode.UNREACHABLE if found.unread else ExitCode.STALE if found.stale else ExitCode.DONE)
