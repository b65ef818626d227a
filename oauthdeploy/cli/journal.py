"""`oauthdeploy journal`: what an apply did, change by change."""

from __future__ import annotations

from pathlib import Path

import click

from oauthdeploy.cli import complete
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import option
from oauthdeploy.cli.options import output_options, state_option
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.errors import JournalFailed, UsageError


@command(
    examples=(
        ("oauthdeploy journal", "what the last run did"),
        ("oauthdeploy journal --list", "all runs"),
    ),
    main=("manifest", "all_", "sinks"),
)
@click.argument(
    "file",
    required=False,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="[FILE]",
    shell_complete=complete.journals,
)
@option(
    "-f",
    "--file",
    "manifest",
    env="FILE",
    multiple=True,
    type=click.Path(),
    metavar="MANIFEST",
    help="Manifest in whose folder the journals are; it is not read.  [default: oauthdeploy.yaml]",
)
@option("--last", env="JOURNAL_LAST", is_flag=True, help="Show the last journal; the default without FILE.")
@option("--list", "all_", env="JOURNAL_LIST", is_flag=True, help="List all journals, oldest first.")
@state_option
@output_options("text", "json")
def journal(
    file: Path | None, manifest: tuple[str, ...], last: bool, all_: bool, state_dir: Path | None, output: Output
) -> None:
    """Show what an apply did, change by change, as recorded in its journal. Contacts no server.

    Names each change that was sent but whose result is unknown. Journals are in .oauthdeploy/journal next to the manifest.
    """
    from oauthdeploy.planning.run_history import history_document
    from oauthdeploy.reports.journal import render_journal
    from oauthdeploy.running.journal import read_run_history

    if sum((file is not None, last, all_)) > 1:
        raise UsageError("FILE, --last and --list cannot be combined", fix="Give only one of them.")
    folder = journal_folder(manifest, state_dir)
    if all_:
        _list(folder, output)
        return
    file = last_journal(folder) if file is None else file
    run = read_run_history(file)
    output.emit(
        {"text": lambda look: render_journal(run, look), "json": as_json(lambda: history_document(run))},
    )


def _list(folder: Path, output: Output) -> None:
    from oauthdeploy.planning.run_history import FORMAT_VERSION, history_document
    from oauthdeploy.reports.journal import render_journals
    from oauthdeploy.running.journal import journals_in, read_run_history

    stories = []
    for path in journals_in(folder):
        try:
            stories.append(read_run_history(path))
        except JournalFailed as error:
            # A journal that cannot be read must not hide the others.
            output.talk(f"{error.summary}: {error.detail}")

    def document() -> dict[str, object]:
        documents = [{k: v for k, v in history_document(run).items() if k != "changes"} for run in stories]
        return {"format": "oauthdeploy/journals", "format_version": FORMAT_VERSION, "journals": documents}

    output.emit({"text": lambda look: render_journals(stories, look), "json": as_json(document)})


def journal_folder(manifest: tuple[str, ...], state_dir: Path | None) -> Path:
    """The folder of the journals of a manifest."""
    from oauthdeploy.core.delivery_bounds import STATE_FOLDER
    from oauthdeploy.running.journal import JOURNALS

    return (state_dir or _folder(manifest) / STATE_FOLDER) / JOURNALS


def last_journal(folder: Path) -> Path:
    """The last journal in a folder. Raises JournalFailed if there is none."""
    from oauthdeploy.running.journal import journals_in

    found = journals_in(folder)
    if not found:
        raise JournalFailed(
            "There is no journal yet",
            detail=f"{folder} contains no journals.",
            fix="Name the journal's file, or the manifest with -f.",
        )
    return found[-1]


def _folder(manifest: tuple[str, ...]) -> Path:
    """The folder of the first manifest: that of a file, or the named folder."""
    first = Path(manifest[0] if manifest and manifest[0] != "-" else "oauthdeploy.yaml")
    return first if first.is_dir() else first.parent
