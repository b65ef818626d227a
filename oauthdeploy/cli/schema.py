"""`oauthdeploy schema`: print the JSON Schema of a document."""

from __future__ import annotations

from importlib.resources import files

import click

from oauthdeploy.cli import streams
from oauthdeploy.core.errors import OAuthDeployError

SCHEMAS = {
    name: f"{name}.v1.schema.json"
    for name in (
        "manifest",
        "plan",
        "apply",
        "drift",
        "baseline",
        "validation",
        "comparison",
        "error",
        "line",
        "event",
        "audit",
    )
}


class SchemaMissing(OAuthDeployError):
    """The installation lacks its schemas."""

    rule = "schema-missing"


@click.command()
@click.argument("name", type=click.Choice(list(SCHEMAS)), default="manifest")
def schema(name: str) -> None:
    """Print the JSON Schema of a document: the manifest, or one that a command prints.

    \b
    manifest    what you write, for editors; the default
    plan        what `plan -o json` prints and `plan --out` saves
    apply       what `apply -o json` prints
    drift       what `drift -o json` prints
    baseline    the file of known drift that `drift --baseline` reads
    validation  what `validate -o json` prints
    comparison  what `compare -o json` prints
    error       what any of them prints with -o json where it ends in an error
    line        a line of `plan`, `drift`, `validate` or `compare -o ndjson`
    event       a line of `apply -o ndjson`
    audit       a line of the audit file of `revoke` and `tokens delete`

    \b
    In an editor with the YAML language server, the first line of a manifest can name it:
    # yaml-language-server: $schema=manifest.v1.schema.json
    """
    package = files("oauthdeploy")
    # Beside the sources in a checkout, inside the package where it is installed.
    for place in (package / "schemas" / SCHEMAS[name], package / ".." / "schemas" / SCHEMAS[name]):
        if place.is_file():
            streams.write_result(place.read_text(encoding="utf-8"))
            return
    raise SchemaMissing(
        "The schema is not installed",
        detail=f"{SCHEMAS[name]} is missing from the package.",
        fix="Install oauthdeploy again.",
    )
