"""`oauthdeploy validate`: check the manifest, without any server."""

from __future__ import annotations

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.flags import leave
from oauthdeploy.cli.options import Source, manifest_options, output_options
from oauthdeploy.cli.output import Output, as_json, as_junit, as_sarif
from oauthdeploy.core.errors import ManifestInvalid


@click.command()
@manifest_options
@output_options("text", "json", "sarif", "junit")
def validate(source: Source, output: Output) -> None:
    """Check the manifest, without any server.

    Every problem is reported in one run, with its place, the reason and the fix. Exit code 3 where there is an error.
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.diagnostics import render_diagnostics
    from oauthdeploy.reports.json import validation_document
    from oauthdeploy.reports.sheet import Look
    from oauthdeploy.reports.validation import render_validation, validation_line

    manifest, diagnostics = workflow.validate(source.request())
    files = manifest.files if manifest is not None else source.files
    desired = manifest.desired if manifest is not None else None

    def line(look: Look) -> str:
        return validation_line(files, diagnostics, desired, look)

    def text(look: Look) -> str:
        return render_validation(files, diagnostics, desired, look)

    if output.text_on_stdout:
        streams.write_talk(render_diagnostics(diagnostics, output.talk_look()))
    output.emit(
        {
            "text": text,
            "json": as_json(lambda: validation_document(files, diagnostics, valid=manifest is not None)),
            "sarif": as_sarif("validate", files, diagnostics),
            "junit": as_junit("validate", files, diagnostics, valid=manifest is not None),
        },
        on_screen=line if manifest is not None else lambda _look: "",
    )
    if manifest is None:
        if output.text_on_stdout:
            streams.write_talk(f"\n{line(output.talk_look())}")
        leave(ManifestInvalid.exit_code)
