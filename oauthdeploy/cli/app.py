"""The commands by name. A command's module is imported when the command runs, or when its own help is requested."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import click

from oauthdeploy.cli import guesses, streams
from oauthdeploy.cli.flags import meant

COMMANDS = {
    "init": "Write a first manifest, with a comment on each section.",
    "validate": "Check the manifest without contacting any server.",
    "plan": "Show what would change on which server, in which order, and why.",
    "apply": "Change the servers to match the manifest.",
    "drift": "Report how the servers differ from the manifest, by class.",
    "revoke": "Cut off a client now, on every server at once, and verify it.",
    "tokens": "List live tokens, or delete them.",
    "compare": "Show the differences between two live servers, or between two environments of the manifest.",
    "export": "Write the objects of live servers into a manifest.",
    "adopt": "Take over objects that already exist on the servers.",
    "show": "Show a plan that `plan --out PLANFILE` saved.",
    "journal": "Show what an apply did, change by change.",
    "rollback": "Undo the changes recorded in a journal.",
    "force-unlock": "Remove a lock whose run has died.",
    "doctor": "Compare the answers of a server with what its driver expects.",
    "ping": "Show each server's product, version and account, and check that sign-in works.",
    "serve": "Start an embedded OAuth server for evaluation and tests.",
    "demo": "Run a tour on two real servers.",
    "operator": "Keep the estates of a Kubernetes cluster in line with their manifests.",
    "bundle": "Write the policy data of a server as a bundle, without contacting the server.",
    "graph": "Draw the clients, scopes and servers of the manifest.",
    "fmt": "Rewrite manifests in canonical form, keeping their meaning and every comment.",
    "explain": "Explain a rule, a field of the manifest, or one of your objects.",
    "drivers": "List the drivers, where they come from, and what each can do.",
    "schema": "Print the JSON Schema of a document: the manifest, or one that a command prints.",
    "help": "Explain a command with all its options, or a topic.",
    "completion": "Print the completion script for a shell.",
    "version": "Print the version.",
}
"""Name and short help; the command is the attribute of that name in the module `oauthdeploy.cli.NAME`, with _ for -."""

FIRST = (
    "init",
    "validate",
    "plan",
    "apply",
    "drift",
    "revoke",
    "export",
    "explain",
    "demo",
    "help",
)
"""The commands that the help describes in one line each."""

ALIASES = {"diff": "plan", "preview": "plan", "dump": "export"}


_PREFIX = "OAUTHDEPLOY_"
_ALIKE = 0.85
"""How similar a name must be: OAUTHDEPLOY_TARGETS is taken for OAUTHDEPLOY_TARGET, a user's own variable is not."""


def misspelt_variables(command: click.Command, environment: Iterable[str]) -> Iterator[str]:
    """One sentence for each variable whose name is nearly that of one of the command's flags, and so has no effect.

    `environment` are the names of the variables that are set.
    """
    known = {param.envvar.removeprefix(_PREFIX) for param in command.params if isinstance(param.envvar, str)}
    for name in sorted(environment):
        if name.startswith(_PREFIX) and (own := name.removeprefix(_PREFIX)) not in known:
            from difflib import get_close_matches

            for close in get_close_matches(own, known, 1, _ALIKE):
                yield f"{name} has no effect on `{command.name}`. Did you mean {_PREFIX}{close}?"


class Commands(click.Group):
    """A group that knows its commands by name and imports them on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order in which a user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command. Returns None if there is none with the name."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_")
        command = getattr(import_module(f"oauthdeploy.cli.{module}"), module)
        if not isinstance(command, click.Command):
            raise TypeError(f"oauthdeploy.cli.{module}.{module} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the arguments; suggest one if there is none."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and ALIASES.get(name, name) not in COMMANDS:
            there_is = guesses.COMMANDS.get(name.lower())
            hint = f"\n{there_is}" if there_is else meant(name, [*COMMANDS, *ALIASES])
            raise click.UsageError(f"There is no command '{name}'.{hint}", ctx)
        found, command, rest = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:
            if said := guesses.foreign_flag(command, rest):
                raise click.UsageError(said, click.Context(command, parent=ctx, info_name=found))
            for line in misspelt_variables(command, os.environ):
                streams.write_talk(f"warning: {line}\n")
        return found, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing them: the most important ones with a description, the rest by name."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in FIRST])
        with formatter.section("More commands"):
            names = ", ".join(name for name in COMMANDS if name not in FIRST)
            indent = " " * formatter.current_indent
            # click breaks lines inside names with a hyphen.
            lines = textwrap.fill(
                names, formatter.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
            )
            formatter.write(f"{lines}\n")
        formatter.write_paragraph()
        formatter.write_text(f"Also: {', '.join(f'{alias} is {name}' for alias, name in ALIASES.items())}.")
        formatter.write_text(
            "`oauthdeploy help` with a command, `commands`, `environment` or `exit-codes` explains it."
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Only the commands: the two flags of the program are known to everyone."""
        self.format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """The names with this prefix, without importing them."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from oauthdeploy.core.version import __version__

        click.echo(f"oauthdeploy {__version__}")
        ctx.exit()


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def app() -> None:
    """Keep OAuth settings, clients, scopes and revocations of servers in line with one manifest."""
