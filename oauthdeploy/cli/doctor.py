"""`oauthdeploy doctor`: compare the answers of a server with what its driver expects."""

from __future__ import annotations

from pathlib import Path

import click

from oauthdeploy.cli import complete, streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Servers, Source, manifest_options, output_options, server_options
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.errors import UsageError
from oauthdeploy.core.exit_codes import ExitCode


@command(
    examples=(
        ("oauthdeploy doctor login", "compare a server's answers with the driver"),
        ("oauthdeploy doctor login -o json=record.json", "write a record without values"),
    ),
    main=("file", "write_probe", "compare", "sinks"),
)
@click.argument("name", metavar="[SERVER]", required=False, shell_complete=complete.servers)
@option(
    "--write-probe",
    env="WRITE_PROBE",
    is_flag=True,
    help="Also create, change and delete throw-away objects; asks first.",
)
@option("--yes", "-y", env="YES", is_flag=True, help="Do not ask before writing.")
@option(
    "--compare",
    env="COMPARE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECORD",
    help="Report differences from an earlier record; exit code 2 if there are any.",
)
@manifest_options
@server_options
@output_options("text", "json")
def doctor(
    name: str | None,
    write_probe: bool,
    yes: bool,
    compare: Path | None,
    source: Source,
    servers: Servers,
    output: Output,
) -> None:
    """Compare the answers of a server with what its driver expects.

    Reads only, unless you add --write-probe. With -o json=FILE it writes a record: types and keys of the answers, never their
    values, so that you can send it to others. `serve --replay FILE` starts the embedded server with the same behavior.

    Exit code 2 if the server differs from the record of --compare, 4 if an object of --write-probe could not be deleted.
    Ctrl-C and SIGTERM end a trial after the request in flight; what it created is deleted.

    \b
    oauthdeploy doctor login -o json=login.record.json
    oauthdeploy doctor login --compare login.record.json
    """
    from oauthdeploy import workflow
    from oauthdeploy.cli.interrupts import Interrupts
    from oauthdeploy.reports.doctor import render_diagnosis

    def confirm(chosen: str) -> bool:
        if yes:
            return True
        if not source.can_ask():
            raise UsageError(
                "doctor --write-probe needs your confirmation but cannot ask for it",
                fix="Add --yes.",
            )
        return click.confirm(
            f"Create throw-away objects on '{chosen}', change them and delete them again?", default=False, err=True
        )

    earlier = workflow.read_record(compare) if compare is not None else None
    with Interrupts() as interrupts:

        def begin(chosen: str) -> bool:
            if confirmed := confirm(chosen):
                interrupts.begin()
            return confirmed

        found = workflow.diagnose(
            source.request(),
            name,
            servers.options(),
            write=begin if write_probe else None,
            earlier=earlier,
            stop=interrupts.stop,
        )
    output.emit(
        {
            "text": lambda look: render_diagnosis(found.server, found.record, found.changes, found.left, look),
            "json": as_json(lambda: found.record),
        }
    )
    if found.left:
        streams.write_talk(f"Delete by hand: {', '.join(found.left)}.\n")
        leave(ExitCode.PARTIAL)
    if found.interrupted:
        streams.write_talk("Interrupted. Everything that was created has been deleted.\n")
        leave(ExitCode.INTERRUPTED)
    leave(ExitCode.CHANGES if found.changes else ExitCode.DONE)
