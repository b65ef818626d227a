"""`oauthdeploy help`: a command with all its flags, or the variables of all flags."""

from __future__ import annotations

from collections.abc import Iterator

import click

from oauthdeploy.cli import streams
from oauthdeploy.cli.command import TaskCommand, command
from oauthdeploy.core.exit_codes import ExitCode

_TOPICS = ("commands", "environment", "exit-codes")


def _topics(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    group = ctx.find_root().command
    names = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return [name for name in (*names, *_TOPICS) if name.startswith(incomplete)]


@command(
    examples=(
        ("oauthdeploy help plan", "every option of a command"),
        ("oauthdeploy help environment", "the variables that set options"),
    ),
    main=(),
)
@click.argument("topic", nargs=-1, metavar="[COMMAND|TOPIC]", shell_complete=_topics)
@click.pass_context
def help(ctx: click.Context, topic: tuple[str, ...]) -> None:
    """Explain a command with all its options, or a topic: commands, environment, exit-codes."""
    root = ctx.find_root()
    if len(topic) == 1 and topic[0] in _TOPICS:
        tell = {"commands": _commands, "environment": _environment, "exit-codes": _exit_codes}[topic[0]]
        streams.write_result(tell(root))
        return
    found = root
    for name in topic:
        group = found.command
        inner = group.get_command(found, name) if isinstance(group, click.Group) else None
        if inner is None:
            raise click.UsageError(f"There is no command '{' '.join(topic)}'.\n`help` lists the commands.")
        found = click.Context(inner, parent=found, info_name=inner.name)
    formatter = found.make_formatter()
    if isinstance(found.command, TaskCommand):
        found.command.format_full_help(found, formatter)
    else:
        found.command.format_help(found, formatter)
    streams.write_result(formatter.getvalue())


def _commands(root: click.Context) -> str:
    """Every command in one line."""
    from oauthdeploy.cli.app import ALIASES, COMMANDS

    formatter = root.make_formatter()
    formatter.write_dl([*COMMANDS.items(), *((alias, f"Same as {name}.") for alias, name in ALIASES.items())])
    return formatter.getvalue()


def _exit_codes(root: click.Context) -> str:
    formatter = root.make_formatter()
    formatter.write_dl([(f"{code:d}", f"{code.meaning}.") for code in ExitCode])
    return formatter.getvalue()


def _environment(root: click.Context) -> str:
    """Each variable with its flag, and with the commands that have it."""
    flags: dict[str, tuple[str, list[str]]] = {}
    for name, option in _options(root):
        if isinstance(option.envvar, str):
            flags.setdefault(option.envvar, (option.opts[-1], []))[1].append(name)
    most = len(dict.fromkeys(name for _, names in flags.values() for name in names)) // 2
    formatter = root.make_formatter()
    formatter.write_text(
        "Each variable sets a flag of the commands that have it; the command line wins. A flag that can be repeated takes one "
        "value from each line of its variable. Flags without a value take true or false. NO_COLOR turns colour off everywhere."
    )
    with formatter.section("Variables"):
        formatter.write_dl(
            [
                (variable, f"{flag}  ({'most commands' if len(names) > most else ', '.join(names)})")
                for variable, (flag, names) in sorted(flags.items())
            ],
            col_max=40,
        )
    with formatter.section("For the program itself"):
        formatter.write_dl(
            [
                ("OAUTHDEPLOY_VAR_NAME", "the value of the variable NAME of the manifest, as --var NAME=VALUE"),
                ("OAUTHDEPLOY_DEBUG=1", "show a traceback, without values, after an internal error"),
            ],
            col_max=40,
        )
    return formatter.getvalue()


def _options(parent: click.Context) -> Iterator[tuple[str, click.Option]]:
    group = parent.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(parent):
        inner = group.get_command(parent, name)
        if inner is None:
            continue
        if isinstance(inner, click.Group):
            yield from ((f"{name} {rest}", option) for rest, option in _options(click.Context(inner, parent=parent)))
        yield from ((name, param) for param in inner.params if isinstance(param, click.Option))
