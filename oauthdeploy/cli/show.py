"""`oauthdeploy show`: show a saved plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from oauthdeploy.cli.options import output_options
from oauthdeploy.cli.output import Output, as_json
from oauthdeploy.core.errors import OAuthDeployError


class PlanUnreadable(OAuthDeployError):
    """The file of a saved plan can't be read."""

    rule = "plan-unreadable"


@click.command()
@click.argument("planfile", type=click.Path(dir_okay=False, path_type=Path), metavar="PLANFILE")
@output_options("text", "json")
def show(planfile: Path, output: Output) -> None:
    """Show a plan that `plan --out PLANFILE` saved. Needs neither the manifest nor the servers."""
    from oauthdeploy.reports.saved import saved_plan
    from oauthdeploy.reports.text import render_plan

    document = _read(planfile)
    plan = saved_plan(document)
    output.emit({"text": lambda look: render_plan(plan, look), "json": as_json(lambda: document)})


def _read(file: Path) -> Any:
    """The JSON value in the file. Raises PlanUnreadable."""
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise PlanUnreadable(
            "The plan file can't be read", detail=f"{file}: {error.strerror}.", fix="Check its name and its rights."
        ) from None
    except (ValueError, RecursionError):
        raise PlanUnreadable(
            "The plan file is not JSON",
            detail=f"{file} can't be parsed.",
            fix="Save a plan with `oauthdeploy plan --out PLANFILE`.",
        ) from None
