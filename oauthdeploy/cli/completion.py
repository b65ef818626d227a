"""`oauthdeploy completion`: print the completion script for a shell."""

from __future__ import annotations

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import command


@command(
    examples=(
        ("source <(oauthdeploy completion bash)", "bash, zsh: now"),
        ("oauthdeploy completion fish | source", "fish: now"),
    ),
    main=(),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    To have it in every session, add the line of the example to ~/.bashrc, ~/.zshrc (after compinit) or
    ~/.config/fish/config.fish. Servers, environments, addresses, clients, rules, formats and journals are completed too.
    """
    from oauthdeploy.cli.app import app
    from oauthdeploy.cli.entrypoint import COMPLETE, NAME
    from oauthdeploy.cli.shells import completion_of

    streams.write_result(completion_of(shell)(app, {}, NAME, COMPLETE).source() + "\n")
