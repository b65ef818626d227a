"""`oauthdeploy schema`: print the JSON Schema of a document."""

from __future__ import annotations

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command
from oauthdeploy.core.schemas import SCHEMAS, schema_text


@command(
    examples=(
        ("oauthdeploy schema > manifest.v1.schema.json", "for editors"),
        ("oauthdeploy schema plan", "the schema of `plan -o json`"),
    ),
    main=(),
)
@click.argument("name", type=click.Choice(list(SCHEMAS)), default="manifest")
def schema(name: str) -> None:
    """Print the JSON Schema of a document: the manifest, or one that a command prints.

    \b
    manifest    what you write, for editors; the default
    plan        what `plan -o json` prints and `plan --out` saves
    apply       what `apply -o json` prints
    journal     a line of the journal that `apply` keeps
    drift       what `drift -o json` prints
    baseline    the file of known drift that `drift --baseline` reads
    validation  what `validate -o json` prints
    comparison  what `compare -o json` prints
    error       what any of them prints with -o json where it ends in an error
    line        a line of `plan`, `drift`, `validate` or `compare -o ndjson`
    event       a line of `apply -o ndjson`
    audit       a line of the audit file of `revoke` and `tokens delete`
    profile     the file that `serve --profile` reads
    record      what `doctor -o json` prints

    \b
    In an editor with the YAML language server, the first line of a manifest can name it:
    # yaml-language-server: $schema=manifest.v1.schema.json
    """
    streams.write_result(schema_text(name))
