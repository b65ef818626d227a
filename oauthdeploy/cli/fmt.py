"""`oauthdeploy fmt`: write manifests in their canonical form."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import leave, option
from oauthdeploy.cli.options import Source
from oauthdeploy.cli.output import Output
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.core.values import LateTyped

if TYPE_CHECKING:
    from oauthdeploy.core.diagnostics import Diagnostic
    from oauthdeploy.manifest.source import Source as Text

STDIN = "-"


class Draft(LateTyped, frozen=True):
    """One file: its original text, its bytes, and its canonical text."""

    text: Text
    before: bytes
    after: str

    @property
    def changed(self) -> bool:
        """True if the file is not in canonical form."""
        return self.before != self.after.encode("utf-8")


@command(
    examples=(
        ("oauthdeploy fmt", "format oauthdeploy.yaml"),
        ("oauthdeploy fmt --check .", "for pipelines: exit with 1 if a file would change"),
    ),
    main=("check", "diff"),
)
@click.argument("paths", nargs=-1, type=click.Path(allow_dash=True, readable=False))
@option(
    "-f",
    "--file",
    env="FILE",
    multiple=True,
    type=click.Path(allow_dash=True, readable=False),
    metavar="FILE",
    help="Same as PATHS; for use with the environment variable.  [default: oauthdeploy.yaml]",
)
@option("--check", env="CHECK", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@option("--diff", env="DIFF", is_flag=True, help="Write nothing; print what would change.")
@option("--no-color", env="NO_COLOR", is_flag=True, help="Disable colour; NO_COLOR does the same for every command.")
@option("-q", "--quiet", env="QUIET", is_flag=True, help="Print only diffs and errors.")
@click.pass_context
def fmt(
    context: click.Context,
    paths: tuple[str, ...],
    file: tuple[str, ...],
    check: bool,
    diff: bool,
    no_color: bool,
    quiet: bool,
) -> None:
    """Rewrite manifests in canonical form, keeping their meaning and every comment.

    PATHS are files, folders (their .yaml and .yml files) and globs; - formats standard input to standard output.

    Sections and keys follow the order of the reference; servers, scopes, clients, variables, environments and unknown keys keep
    your order. Indentation is two spaces. Strings are plain where YAML allows it, otherwise in double quotes. A list goes on
    one line if it fits into 100 columns and contains no comment. One empty line separates sections. A comment moves with the
    line that it is next to or above; a comment at the top of the file stays there. Multi-line strings, anchors, references and
    significant quotes are kept. A mapping keeps its order if sorting would put an alias before its anchor, or move a comment
    that ignores a rule next to another key. Line endings become LF. The option `default_scopes` of a Keycloak client becomes the
    field `as` of its associations, if all of these are in the given files and no comment is lost.

    A file that cannot be read is reported and left unchanged. Every result is read again and compared before it is written. Ten
    thousand clients take about three seconds.

    Exit codes: 0 if all files are, or are now, in canonical form; 1 with --check if a file would change; 3 if a file cannot be
    read.
    """
    if paths and file and context.get_parameter_source("file") is ParameterSource.COMMANDLINE:
        raise click.UsageError("Name the files either as PATHS or with -f, not both.")
    output = Output((), no_color, -1 if quiet else 0)
    drafts, problems = _draft(Source(file=paths or file))
    if diff:
        for draft in drafts:
            _print_diff(draft, output)
    failed = {} if check or diff else _write(drafts)
    _say(drafts, failed, output, dry=check or diff)
    _report(problems, failed.values(), output)
    if problems:
        leave(ExitCode.MANIFEST_INVALID)
    if failed or (check and any(draft.changed for draft in drafts)):
        leave(ExitCode.ERROR)


def _draft(source: Source) -> tuple[list[Draft], list[Diagnostic]]:
    """Format every file in memory."""
    from oauthdeploy.manifest.editing import format_source
    from oauthdeploy.manifest.editing.files import bytes_as_read
    from oauthdeploy.manifest.input_files import read_sources

    texts, found = read_sources(source.request())
    problems = list(found)
    drafts: list[Draft] = []
    for text, spelled in zip(texts, _spelled_out(texts), strict=True):
        formatted = format_source(spelled)
        if formatted.problems:
            problems += formatted.problems
            continue
        drafts.append(Draft(text, bytes_as_read(text.name, text.text), formatted.text))
    return drafts, problems


def _spelled_out(texts: Sequence[Text]) -> Sequence[Text]:
    """The files, with the options that only repeat what associations can express written as associations."""
    if not any("options" in text.text for text in texts):
        return texts
    from oauthdeploy.drivers.registry import driver_facts
    from oauthdeploy.manifest.editing.listed_scopes import with_ways_at_associations

    known = driver_facts().values()
    listing = [(facts.name, facts.default_scopes_option) for facts in known if facts.default_scopes_option]
    named = [keys for keys in listing if any(keys[1] in text.text for text in texts)]
    return with_ways_at_associations(texts, named)


def _write(drafts: Iterable[Draft]) -> dict[str, OAuthDeployError]:
    """Write the changed files, and standard input in any case. Returns the errors, by name."""
    from oauthdeploy.manifest.editing.files import FileNotWritten, replace_file

    failed: dict[str, OAuthDeployError] = {}
    for draft in drafts:
        name = draft.text.name
        if name == STDIN:
            streams.write_manifest(draft.after)
        elif draft.changed:
            try:
                replace_file(name, draft.before, draft.after.encode("utf-8"))
            except FileNotWritten as error:
                failed[name] = error
    return failed


def _print_diff(draft: Draft, output: Output) -> None:
    from oauthdeploy.manifest.editing.compare import unified_diff
    from oauthdeploy.manifest.source import Source as Text
    from oauthdeploy.reports.escape import visible

    if not draft.changed:
        return
    colours = {"+": "green", "-": "red", "@": "cyan"}
    colour = output.look().colour
    lines: list[str] = []
    for line in unified_diff(draft.text, Text(draft.text.name, draft.after)):
        shown = visible(line)
        sign = line[:1] if len(lines) >= 2 else ""
        lines.append(click.style(shown, fg=colours[sign]) if colour and sign in colours else shown)
    if draft.before.startswith(b"\xef\xbb\xbf"):
        lines.append("\\ The byte order mark at the start is removed")
    streams.write_result("".join(f"{line}\n" for line in lines))


def _say(drafts: Iterable[Draft], failed: Container[str], output: Output, *, dry: bool) -> None:
    """Name the files that were or would be written."""
    from oauthdeploy.reports.escape import visible
    from oauthdeploy.reports.formatting import counted

    written = [draft for draft in drafts if draft.text.name not in failed and (dry or draft.text.name != STDIN)]
    changed = [draft for draft in written if draft.changed]
    for draft in changed:
        output.talk(f"{'would change' if dry else 'formatted'}: {visible(draft.text.name)}")
    if written and not changed and not failed:
        output.talk(f"{counted(len(written), 'file')} in canonical form.")


def _report(problems: Iterable[Diagnostic], failed: Iterable[OAuthDeployError], output: Output) -> None:
    from oauthdeploy.core.diagnostics import Diagnostics
    from oauthdeploy.reports.diagnostics import render_diagnostics, render_error

    if found := Diagnostics.of(problems).sorted():
        streams.write_talk(render_diagnostics(found, output.talk_look()))
    for error in failed:
        streams.write_talk(render_error(error, output.talk_look()))
