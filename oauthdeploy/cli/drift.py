"""`oauthdeploy drift`: report how the servers differ from the manifest."""

from __future__ import annotations

import click

from oauthdeploy.cli.flags import leave
from oauthdeploy.cli.options import Reach, Source, manifest_options, output_options, reach_options
from oauthdeploy.cli.output import Output
from oauthdeploy.cli.plan import risk_exit
from oauthdeploy.cli.reporting import FORMS, view_of

DRIFT = 2


@click.command()
@manifest_options
@reach_options
@output_options(*FORMS)
def drift(source: Source, reach: Reach, output: Output) -> None:
    """Report how the servers differ from the manifest, by class.

    Exit code 2 where there is drift, 5 where its repair has a change of the risk that --fail-on names. Reads the servers on
    connections that refuse to write.
    """
    from oauthdeploy import workflow
    from oauthdeploy.reports.building.drift import drift_report

    report, manifest = workflow.detect_drift(source.request(), reach.options())
    output.emit_report(drift_report(report, view_of(manifest)))
    leave(risk_exit(report.plan, reach) or (DRIFT if report.drifted else 0))
