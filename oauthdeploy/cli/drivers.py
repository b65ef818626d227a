"""`oauthdeploy drivers`: list the drivers and what each can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from oauthdeploy.cli import complete
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import meant
from oauthdeploy.cli.options import output_options
from oauthdeploy.cli.output import Output, as_json

if TYPE_CHECKING:
    from oauthdeploy.reports.drivers import DriverCard


@command(
    examples=(
        ("oauthdeploy drivers", "list the drivers"),
        ("oauthdeploy drivers keycloak", "what one can do"),
    ),
    main=("sinks",),
)
@click.argument("name", required=False, shell_complete=complete.drivers)
@output_options("text", "json")
def drivers(name: str | None, output: Output) -> None:
    """List the drivers, where they come from, and what each can do.

    With NAME, show that driver in full: its keys in the manifest, and each capability with its note.
    """
    from oauthdeploy.core.diagnostics import Diagnostics
    from oauthdeploy.drivers.registry import driver_facts, driver_problems, get_driver, names
    from oauthdeploy.reports.drivers import drivers_document, render_driver, render_drivers

    if name is not None:
        if name not in names():
            raise click.UsageError(
                f"There is no driver '{name}'.{meant(name, names())} The drivers are: {', '.join(names())}."
            )
        get_driver(name)
        card = _card(name)
        output.emit(
            {
                "text": lambda look: render_driver(card, look),
                "json": as_json(lambda: drivers_document([card], Diagnostics())),
            }
        )
        return
    cards = [_card(known) for known in driver_facts()]
    problems = driver_problems()
    output.emit(
        {
            "text": lambda look: render_drivers(cards, problems, look),
            "json": as_json(lambda: drivers_document(cards, problems)),
        }
    )


def _card(name: str) -> DriverCard:
    """The description of a usable driver."""
    from oauthdeploy.drivers.registry import driver_versions, get_driver
    from oauthdeploy.reports.drivers import DriverCard

    (origin,) = driver_versions([name])
    return DriverCard(get_driver(name).facts, origin.package, origin.version, origin.api_version)
