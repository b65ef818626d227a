"""Helpers for flags without slow imports; `version` needs only these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import click
from click.core import ParameterSource

from oauthdeploy.cli import complete

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


REPORT_FORMATS: Final = ("text", "json", "ndjson", "markdown", "html", "junit", "sarif")
"""Every format of a report; each command has some of them."""


class Flag(click.Option):
    """A flag whose variable has several values, one per line.

    click splits most variables at spaces and paths at colons. Values here may contain spaces, commas, colons and semicolons (a
    variable's value, an address, a file name), but no line break.
    """

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """The value of the variable; None if it is not set or empty."""
        found = self.resolve_envvar_value(ctx)
        if found is None or not self.multiple:
            return found
        return tuple(line for line in found.splitlines() if line.strip())


def option(*names: str, env: str, help: str, **more: Any) -> Decorator:
    """A flag with its variable OAUTHDEPLOY_<env>; the command line wins over the variable."""
    return click.option(*names, cls=Flag, envvar=f"OAUTHDEPLOY_{env}", help=help, **more)


def host_and_port(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """The callback of a flag with an address. Raises click.BadParameter."""
    if value is None:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter("write HOST:PORT, such as 127.0.0.1:9464.")
    return host.strip("[]") or "127.0.0.1", int(port)


class Sink(NamedTuple):
    """One `-o`: a format and its file; None is standard output."""

    format: str
    file: str | None


def parse_sinks(values: Sequence[str], formats: Sequence[str]) -> tuple[Sink, ...]:
    """Parse the values of `-o`. Raises click.BadParameter for an unknown format, or two reports for one place."""
    sinks: list[Sink] = []
    for value in values:
        name, equals, file = value.partition("=")
        if name not in formats:
            raise click.BadParameter(
                f"'{name}' is not a format of this command; the formats are {', '.join(formats)}.{meant(name, formats)}"
            )
        if equals and not file:
            raise click.BadParameter(f"'{value}' names no file; write {name}=FILE, or {name} for standard output.")
        sinks.append(Sink(name, None if not equals or file == "-" else file))
    places = [sink.file for sink in sinks]
    for place in places:
        if places.count(place) > 1:
            raise click.BadParameter(f"two reports go to {place or 'standard output'}; give each report its own file.")
    return tuple(sinks)


def meant(word: str, known: Iterable[str]) -> str:
    """` Did you mean ...?` if one of the known words is similar; else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def from_environment(ctx: click.Context, parameter: click.Parameter) -> bool:
    """Whether the value comes from the flag's variable, which is set for all commands and not only for this one."""
    return parameter.name is not None and ctx.get_parameter_source(parameter.name) is ParameterSource.ENVIRONMENT


def _sinks(ctx: click.Context, parameter: click.Parameter, values: Sequence[str], formats: Sequence[str]) -> Any:
    """The sinks. A format of other commands in the variable is ignored, and is not an error."""
    if from_environment(ctx, parameter):
        others = set(REPORT_FORMATS) - set(formats)
        values = tuple(value for value in values if value.partition("=")[0] not in others)
    return parse_sinks(values, formats)


def sink_option(*formats: str) -> Decorator:
    """`-o FORMAT[=FILE]` for a command that has these formats; the command gets the sinks as `sinks`."""
    return option(
        "-o",
        "--output",
        "sinks",
        env="OUTPUT",
        multiple=True,
        metavar="FORMAT[=FILE]",
        shell_complete=complete.formats(formats),
        callback=lambda ctx, parameter, values: _sinks(ctx, parameter, values, formats),
        help=f"{', '.join(formats)}; to standard output or to a file. Repeatable.  [default: text]",
    )


def leave(code: int) -> None:
    """Exit with a code; 0 continues."""
    if code:
        click.get_current_context().exit(code)
