"""`oauthdeploy completion`: print the completion script for a shell."""

from __future__ import annotations

import click

from oauthdeploy.cli import streams


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  source <(oauthdeploy completion bash)
    zsh:   source <(oauthdeploy completion zsh)
    fish:  oauthdeploy completion fish | source
    """
    from click.shell_completion import get_completion_class

    from oauthdeploy.cli.app import app
    from oauthdeploy.cli.entrypoint import COMPLETE, NAME

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    streams.write_result(found(app, {}, NAME, COMPLETE).source() + "\n")
