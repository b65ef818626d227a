"""A command whose `--help` fits a screen: purpose, two examples, the most important flags, and the names of the rest.

`oauthdeploy help COMMAND` explains every flag; `oauthdeploy help environment` lists the variables of all flags.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import click

Example = tuple[str, str]
"""A command line, and what it does in a few words."""


class TaskCommand(click.Command):
    """A command with a short and a full help. `examples` are shown in both; `main` names the parameters of the short one."""

    def __init__(self, *args: Any, examples: Sequence[Example], main: Sequence[str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.examples = tuple(examples)
        self._shown = tuple(main)
        if unknown := set(main) - {param.name for param in self.params}:
            raise TypeError(f"{self.name} has no parameters {unknown}")

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the short help."""
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(" ".join(inspect.cleandoc(self.help or "").partition("\n\n")[0].split()))
        self.format_examples(formatter)
        shown = [param for name in self._shown for param in self.params if param.name == name]
        rows = [(record[0], _brief(record[1])) for param in shown if (record := param.get_help_record(ctx))]
        if rows:
            with formatter.section("Options"):
                formatter.write_dl(rows)
        rest = [param.opts[-1] for param in self.params if isinstance(param, click.Option) and param not in shown]
        formatter.write_paragraph()
        more = f"More: {', '.join(rest)}. " if rest else ""
        about = f"All of it: oauthdeploy help {' '.join(ctx.command_path.split()[1:])}"
        # click breaks lines inside names of options, which then cannot be copied.
        formatter.write(textwrap.fill(f"{more}{about}", formatter.width, break_on_hyphens=False) + "\n")

    def format_full_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help with every flag and the full description."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_examples(formatter)
        self.format_options(ctx, formatter)

    def format_examples(self, formatter: click.HelpFormatter) -> None:
        """Write the examples, each with its description beside it or, if there is no room, below."""
        width = max(len(line) for line, _ in self.examples)
        with formatter.section("Examples"):
            for line, about in self.examples:
                room = formatter.width - formatter.current_indent
                beside = f"{line:<{width}}  {about}"
                text = beside if len(beside) <= room else f"{line}\n{' ' * formatter.current_indent}  {about}"
                formatter.write(f"{' ' * formatter.current_indent}{text}\n")


def command(
    name: str | None = None, *, examples: Sequence[Example], main: Sequence[str]
) -> Callable[[Any], TaskCommand]:
    """Create a command from a function; the parameters are those of `TaskCommand`."""
    return click.command(name, cls=TaskCommand, examples=examples, main=main)


def _brief(text: str) -> str:
    """The start of a flag's help: up to the first period, colon, semicolon or parenthesis, without its defaults."""
    return re.split(r"\.(?: |$)|[;:] | \(|  \[", text, maxsplit=1)[0]
