"""`oauthdeploy graph`: draw the clients, scopes and servers of the manifest."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import REPORT_FORMATS, Sink, from_environment, option
from oauthdeploy.cli.options import Source, manifest_options
from oauthdeploy.cli.output import Output, write_file
from oauthdeploy.core.errors import ManifestInvalid, UsageError
from oauthdeploy.core.garbage_collector import paused

if TYPE_CHECKING:
    from oauthdeploy.reports.graph import Graph

MOST_NODES: Final = 1000
"""The number of clients, scopes and servers from which a picture can no longer be read as a whole."""

FORMATS: Final = ("mermaid", "dot", "svg")
_SUFFIXES: Final = {".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot", ".svg": "svg"}
_REPORTS: Final = frozenset(REPORT_FORMATS)
"""Formats of other commands: certainly not meant as the name of a file."""


def read_sink(form: str | None, value: str | None) -> Sink:
    """The file of each format.

    `value` is `FORMAT`, `FORMAT=FILE` as for other commands, or the name of a file, whose suffix determines the format if
    `form` does not. Raises click.UsageError.
    """
    name, equals, file = (value or "").partition("=")
    if name in _REPORTS:
        raise click.UsageError(f"'{name}' is not a format of this command; the formats are {', '.join(FORMATS)}.")
    if name not in FORMATS:
        known = _SUFFIXES.get(PurePath(value or "").suffix.lower())
        return Sink(form or known or FORMATS[0], None if value in (None, "", "-") else value)
    if form is not None and form != name:
        raise click.UsageError(f"--format says {form}, and -o says {name}.")
    if equals and not file:
        raise click.UsageError(f"'{value}' names no file; write {name}=FILE, or {name} for standard output.")
    return Sink(name, None if not equals or file == "-" else file)


def _own_output(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The value, unless the variable has a format of other commands."""
    foreign = value is not None and value.partition("=")[0] in _REPORTS
    return None if foreign and from_environment(ctx, parameter) else value


@command(
    examples=(
        ("oauthdeploy graph > estate.mmd", "as Mermaid"),
        ("oauthdeploy graph -o svg=estate.svg", "as a picture"),
    ),
    main=("file", "form", "target", "output"),
)
@manifest_options
@option("--format", "form", env="FORMAT", type=click.Choice(FORMATS), help="Output format.  [default: mermaid]")
@option(
    "--target",
    env="TARGET",
    multiple=True,
    metavar="ADDRESS",
    help="Show only these addresses (globs) and the objects connected to them. Repeatable.",
)
@option(
    "-o",
    "--output",
    "output",
    env="OUTPUT",
    callback=_own_output,
    metavar="FILE",
    help="File to write, or FORMAT[=FILE] as for other commands; its ending gives the format.  [default: standard output]",
)
def graph(source: Source, form: str | None, target: tuple[str, ...], output: str | None) -> None:
    """Draw the clients, scopes and servers of the manifest.

    Lines lead from clients to the scopes that they may request, from scopes to the resource servers where they grant access, and
    from there to the authorization server that is trusted. Clients that are cut off and objects that are to be removed are
    marked. GitHub and GitLab render Mermaid inside Markdown, Graphviz renders DOT, and browsers render SVG.

    \b
    oauthdeploy graph -o estate.svg
    oauthdeploy graph --format dot | dot -Tpdf -o estate.pdf
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.graph import build_graph
    from oauthdeploy.reports.graph_mermaid import MOST_EDGES, MOST_TEXT

    sink = read_sink(form, output)
    manifest, findings = workflow.validate(source.request())
    if manifest is None:
        raise ManifestInvalid(findings)
    picture = build_graph(manifest.desired, target)
    if not picture.nodes:
        raise UsageError(
            f"Nothing matches {', '.join(repr(glob) for glob in target)}",
            fix="Write addresses such as client/web-shop, scope/orders.* or trust@orders, in quotes if they hold a *.",
        )
    with paused():  # A picture of ten thousand clients has half a million values.
        text = draw(picture, sink.format)
    if sink.format == "mermaid" and (len(picture.edges) > MOST_EDGES or len(text) > MOST_TEXT):
        streams.write_talk(
            f"Mermaid draws at most {MOST_EDGES} lines and reads at most {MOST_TEXT:,} characters unless it is configured "
            f"for more; this has {len(picture.edges):,} lines and {len(text):,} characters. Narrow it with --target, or use "
            "--format svg.\n"
        )
    elif len(picture.nodes) > MOST_NODES:
        streams.write_talk(
            f"The picture has {len(picture.nodes):,} clients, scopes and servers, more than a reader can take in. Narrow it with "
            "--target, such as --target client/NAME or --target 'scope/orders.*'.\n"
        )
    if sink.file is None:
        Output((sink,)).emit({sink.format: lambda _look: text})
    else:
        write_file(Path(sink.file), streams.without_secrets(text))


def draw(picture: Graph, form: str) -> str:
    """The graph in one of the formats."""
    if form == "dot":
        from oauthdeploy.reports.graph_dot import dot_text

        return dot_text(picture)
    if form == "svg":
        from oauthdeploy.reports.graph_svg import svg_text

        return svg_text(picture)
    from oauthdeploy.reports.graph_mermaid import mermaid_text

    return mermaid_text(picture)
