"""`oauthdeploy drift`: report how the servers differ from the manifest."""

from __future__ import annotations

import click

from oauthdeploy.cli.flags import leave
from oauthdeploy.cli.options import Reach, Source, manifest_options, output_options, reach_options
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.cli.plan import risk_exit

DRIFT = 2


@click.command()
@manifest_options
@reach_options
@output_options("text", "json")
def drift(source: Source, reach: Reach, output: Output) -> None:
    """Report how the servers differ from the manifest, by class.

    Exit code 2 where there is drift, 5 where its repair has a change of the risk that --fail-on names. Reads the servers on
    connections that refuse to write.
    """
    from oauthdeploy import workflow
    from oauthdeploy.planning.drift import drift_document
    from oauthdeploy.reports.drift import render_drift

    report, manifest = workflow.detect_drift(source.request(), reach.options())
    output.emit(
        {
            "text": lambda look: render_drift(report, look, locate=manifest.locate),
            "json": as_json(lambda: drift_document(report)),
        }
    )
    leave(risk_exit(report.plan, reach) or (DRIFT if report.drifted else 0))
