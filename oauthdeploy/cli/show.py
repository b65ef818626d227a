"""`oauthdeploy show`: show a saved plan."""

from __future__ import annotations

from pathlib import Path

import click

from oauthdeploy.cli.options import output_options
from oauthdeploy.cli.output import Output, as_json


@click.command()
@click.argument("planfile", type=click.Path(dir_okay=False, path_type=Path), metavar="PLANFILE")
@output_options("text", "json")
def show(planfile: Path, output: Output) -> None:
    """Show a plan that `plan --out PLANFILE` saved. Needs neither the manifest nor the servers."""
    from oauthdeploy import workflow
    from oauthdeploy.reports.saved import saved_plan
    from oauthdeploy.reports.text import render_plan

    document = workflow.show(planfile)
    plan = saved_plan(document)
    output.emit({"text": lambda look: render_plan(plan, look), "json": as_json(lambda: document)})
