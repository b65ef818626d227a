"""`oauthdeploy bundle`: write the file that a server loads by itself."""

from __future__ import annotations

from pathlib import Path

import click

from oauthdeploy.cli import complete, streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import option
from oauthdeploy.cli.options import Source, manifest_options
from oauthdeploy.cli.output import write_file


@command(
    examples=(
        ("oauthdeploy bundle orders --out bundle.tar.gz", "the data of one server"),
        ("oauthdeploy bundle login --format msr --out application.properties", "a template of a Microservices Runtime"),
    ),
    main=("out", "file", "environment"),
)
@click.argument("server", required=False, shell_complete=complete.servers)
@option(
    "--out",
    env="OUT",
    required=True,
    metavar="FILE",
    help="File to write; - for standard output.",
)
@option(
    "--format",
    "form",
    env="BUNDLE_FORMAT",
    type=click.Choice(["bundle", "msr"]),
    default="bundle",
    show_default=True,
    help="bundle: of Open Policy Agent; msr: configuration variables template of a Microservices Runtime.",
)
@manifest_options
def bundle(server: str | None, out: str, form: str, source: Source) -> None:
    """Write the policy data of a server as a bundle, without contacting the server.

    For servers that load bundles instead of accepting writes, such as Open Policy Agent. The bundle holds the document that
    `apply` would write, as a .tar.gz with its roots. Equal manifests give equal bytes, so a pipeline can tell whether anything
    changed; the pipeline signs and publishes the file.

    For a webMethods server, --format msr writes the settings and the remote alias as the configuration variables template of a
    Microservices Runtime, without passwords, and lists in comments what such a template cannot hold.

    You can omit SERVER if the manifest has only one server that loads such a file.

    \b
    oauthdeploy bundle orders --out orders.tar.gz
    opa run --server --bundle orders.tar.gz policy/
    """
    from oauthdeploy import workflow

    name, content = workflow.make_bundle(source.request(), server, form)
    if out == "-":
        streams.write_bytes(content)
        return
    write_file(Path(out), content)
    streams.write_talk(f"Wrote the bundle of {name} to {out} ({len(content):,} bytes).\n")
