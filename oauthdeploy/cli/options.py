"""The flags that commands share. Each has a variable OAUTHDEPLOY_NAME; the command line wins over the variable,
and a repeatable flag takes one value from each line of its variable.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from oauthdeploy.cli import complete, streams
from oauthdeploy.cli.flags import Command, Decorator, option, sink_option
from oauthdeploy.cli.output import Output
from oauthdeploy.core.environment import given_environment

if TYPE_CHECKING:
    from oauthdeploy.manifest.api import ManifestRequest
    from oauthdeploy.workflow import RunOptions


class Source(Struct, frozen=True):
    """Which manifest, and how to read it."""

    file: tuple[str, ...] = ()
    environment: str | None = None
    var: tuple[tuple[str, str], ...] = ()
    var_file: tuple[str, ...] = ()
    allow_commands: bool = False
    allow_env: tuple[str, ...] = ()
    allow_files: tuple[str, ...] = ()
    allow_delivery: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    warn: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @property
    def takes_stdin(self) -> bool:
        """True if the manifest comes from standard input, which then cannot be used for answers."""
        return "-" in self.file

    def can_ask(self, *, no_input: bool = False) -> bool:
        """Whether questions can be answered: standard input is a terminal that is not read as the manifest."""
        return not no_input and not self.takes_stdin and streams.is_terminal(sys.stdin)

    @property
    def files(self) -> tuple[str, ...]:
        """The named files, or the default."""
        return self.file or ("oauthdeploy.yaml",)

    def request(self) -> ManifestRequest:
        """The request for reading the manifest; reads standard input if a file is `-`."""

        from oauthdeploy.manifest.api import ManifestRequest

        return ManifestRequest(
            files=self.files,
            stdin=_read_stdin() if self.takes_stdin else None,
            environment=self.environment,
            variables=dict(self.var),
            var_files=self.var_file,
            environ=given_environment(),
            allow_commands=self.allow_commands,
            allow_env=self.allow_env or None,
            allow_files=self.allow_files,
            allow_delivery=self.allow_delivery,
            severities=self._severities(),
        )

    def _severities(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for severity, rules in (("error", self.error), ("warning", self.warn), ("ignore", self.ignore)):
            for rule in rules:
                if found.setdefault(rule, severity) != severity:
                    raise click.UsageError(f"The rule '{rule}' is given two severities.")
        if not found:
            return found
        from oauthdeploy.drivers.registry import driver_facts
        from oauthdeploy.manifest.severities import unchangeable

        drivers = driver_facts()
        for rule, severity in found.items():
            if problem := unchangeable(rule, drivers):
                flag = severity.replace("warning", "warn")
                raise click.BadParameter(" ".join(problem), param_hint=f"--{flag}")
        return found


def _read_stdin() -> str:
    data = sys.stdin.buffer.read() if sys.stdin is not None else b""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"The manifest on standard input is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}."
        ) from None


def bundle(make: type[Struct], name: str, options: Sequence[Decorator]) -> Decorator:
    """Pass the values of several flags to the command as one value."""
    own = make.__struct_fields__

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def call(**values: Any) -> Any:
            values[name] = make(**{key: values.pop(key) for key in own})
            return function(**values)

        wrapped: Command = call
        for each in reversed(options):
            wrapped = each(wrapped)
        return wrapped

    return decorate


def _pairs(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            # The value is not repeated: it may be meant for a sensitive variable.
            raise click.BadParameter("write NAME=VALUE.")
        if name in found:
            raise click.BadParameter(f"the variable '{name}' is given twice.")
        found[name] = text
    return tuple(found.items())


_manifest_flags = (
    option(
        "-f",
        "--file",
        env="FILE",
        multiple=True,
        type=click.Path(allow_dash=True),
        metavar="FILE",
        help="Manifest file, folder or glob; - for standard input. Repeatable; files are merged.  [default: oauthdeploy.yaml]",
    ),
    option(
        "--env",
        "environment",
        env="ENV",
        metavar="NAME",
        shell_complete=complete.environments,
        help="Environment of the manifest to use.",
    ),
    option(
        "--var",
        env="VAR",
        multiple=True,
        callback=_pairs,
        metavar="NAME=VALUE",
        help="Set a variable. Repeatable.",
    ),
    option(
        "--var-file",
        env="VAR_FILE",
        multiple=True,
        type=click.Path(),
        metavar="FILE",
        help="Read variables from a YAML, JSON or dotenv file. Repeatable.",
    ),
    option("--allow-commands", env="ALLOW_COMMANDS", is_flag=True, help="Allow the manifest to run ${command:...}."),
    option(
        "--allow-env",
        env="ALLOW_ENV",
        multiple=True,
        metavar="NAME",
        help="Allow the manifest to read only these environment variables (names or globs). Repeatable.  [default: any]",
    ),
    option(
        "--allow-files",
        env="ALLOW_FILES",
        multiple=True,
        type=click.Path(file_okay=False),
        metavar="DIR",
        help="Allow ${file:...} to read from this folder too, in fields that are not secret. Repeatable.",
    ),
    option(
        "--allow-delivery",
        env="ALLOW_DELIVERY",
        multiple=True,
        type=click.Path(file_okay=False),
        metavar="DIR",
        help="Allow secret.deliver_to to write files to this folder too. Repeatable.",
    ),
    option(
        "--error",
        env="ERROR",
        multiple=True,
        metavar="RULE",
        shell_complete=complete.rules,
        help="Treat a rule's findings as errors. Repeatable.",
    ),
    option(
        "--warn",
        env="WARN",
        multiple=True,
        metavar="RULE",
        shell_complete=complete.rules,
        help="Treat a rule's findings as warnings. Repeatable.",
    ),
    option(
        "--ignore",
        env="IGNORE",
        multiple=True,
        metavar="RULE",
        shell_complete=complete.rules,
        help="Ignore a rule's findings. Repeatable.",
    ),
)

manifest_options: Decorator = bundle(Source, "source", _manifest_flags)
"""-f, --env, --var, --var-file, --allow-commands, --error, --warn, --ignore; the command gets them as `source`."""


_one_environment = _manifest_flags[1]
_two_environments = option(
    "--env",
    "environments",
    env="ENV",
    shell_complete=complete.environments,
    multiple=True,
    metavar="NAME",
    help="Environment of the manifest; give it twice to compare two, - for none.",
)


def several_environments(function: Command) -> Command:
    """Like `manifest_options`, with --env any number of times; the command gets them as `environments`, a single one as part of
    `source`.
    """

    @functools.wraps(function)
    def call(**values: Any) -> Any:
        named = values["environments"]
        own = {name: values.pop(name) for name in Source.__struct_fields__ if name != "environment"}
        source = Source(environment=named[0] if len(named) == 1 else None, **own)
        return function(source=source, **values)

    wrapped: Command = call
    for each in reversed(_manifest_flags):
        wrapped = (_two_environments if each is _one_environment else each)(wrapped)
    return wrapped


class Reach(Struct, frozen=True):
    """The selected part of the servers and objects, and the limits on requests."""

    server: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    parallelism: int | None = None
    max_deletes: str | None = None
    allow: tuple[str, ...] = ()
    fail_on: str | None = None
    state_dir: Path | None = None
    audit: Path | None = None

    @property
    def partial(self) -> bool:
        """True if a part was selected."""
        return bool(self.server or self.target or self.exclude)

    def options(self, *, lock_timeout: int = 0, verify: bool = True, overwrite: bool = False) -> RunOptions:
        """The options for `workflow`."""
        from oauthdeploy.planning.changes import Risk
        from oauthdeploy.workflow import RunOptions

        return RunOptions(
            servers=self.server,
            targets=self.target,
            excludes=self.exclude,
            parallelism=self.parallelism,
            max_deletes=self.max_deletes,
            allow=self.allow,
            fail_on=Risk[self.fail_on.upper()] if self.fail_on else None,
            lock_timeout=lock_timeout,
            verify=verify,
            overwrite=overwrite,
            state_dir=self.state_dir,
            audit=self.audit,
        )


def _liftable(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    if values:
        from oauthdeploy.drivers.registry import driver_facts
        from oauthdeploy.manifest.severities import not_liftable

        drivers = driver_facts()
        for rule in values:
            if problem := not_liftable(rule, drivers):
                raise click.BadParameter(problem, param_hint="--allow")
    return values


allow_option = option(
    "--allow",
    env="ALLOW",
    shell_complete=complete.stops,
    multiple=True,
    callback=_liftable,
    metavar="RULE",
    help="Lift a safety rule by its name. Repeatable.",
)


def _share(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.removesuffix("%").isdecimal():
        raise click.BadParameter("write a share such as 30%, or a count such as 5.")
    return value


def duration(_ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    """Convert a duration such as 30s or 5m into seconds."""
    from oauthdeploy.model.fields import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _trace(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from oauthdeploy.cli.trace import trace

        trace(ctx, parameter, value)


_server_flag = option(
    "--server",
    env="SERVER",
    multiple=True,
    metavar="NAME",
    shell_complete=complete.servers,
    help="Use only this server of the manifest. Repeatable.",
)
_parallelism_flag = option(
    "--parallelism",
    env="PARALLELISM",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Limit concurrent requests per server, instead of the manifest's limits.",
)
_trace_flag = option(
    "--trace",
    env="TRACE",
    is_flag=True,
    expose_value=False,
    callback=_trace,
    help="Log each HTTP request to standard error: method, path, status, time, request id, and the body with *** for secrets.",
)
_state_flag = option(
    "--state-dir",
    env="STATE_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of journals, locks and the audit file.  [default: .oauthdeploy beside the manifest]",
)
_audit_flag = option(
    "--audit",
    env="AUDIT",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Audit file of cut-offs, one JSON document per line.  [default: audit.jsonl in the state folder]",
)
_reach_flags = (
    _server_flag,
    option(
        "--target",
        env="TARGET",
        shell_complete=complete.addresses,
        multiple=True,
        metavar="ADDRESS",
        help="Include only these addresses (globs) and what they depend on. Repeatable.",
    ),
    option(
        "--exclude",
        env="EXCLUDE",
        shell_complete=complete.addresses,
        multiple=True,
        metavar="ADDRESS",
        help="Exclude these addresses (globs) and what depends on them. Repeatable.",
    ),
    _parallelism_flag,
    _trace_flag,
    option(
        "--max-deletes",
        env="MAX_DELETES",
        callback=_share,
        metavar="SHARE",
        help="Limit the deletes, such as 30% or 5, instead of the manifest's limit.",
    ),
    allow_option,
    option(
        "--fail-on",
        env="FAIL_ON",
        type=click.Choice(["low", "medium", "high"]),
        help="Stop with exit code 5 if a change has this risk or a higher one; apply then writes nothing.",
    ),
    _state_flag,
    _audit_flag,
)

reach_options: Decorator = bundle(Reach, "reach", _reach_flags)
"""--server, --target, --exclude, --parallelism, --trace, --max-deletes, --allow, --fail-on, --state-dir, --audit; the command
gets them as `reach`.
"""


overwrite_option = option(
    "--overwrite",
    env="OVERWRITE",
    is_flag=True,
    help="Let the delivery of a generated secret replace a file or keyring entry that oauthdeploy did not write.",
)


def state_option(function: Command) -> Command:
    """--state-dir; the command gets it as `state_dir`."""
    return _state_flag(function)


def audit_option(function: Command) -> Command:
    """--audit; the command gets it as `audit`."""
    return _audit_flag(function)


class Servers(Struct, frozen=True):
    """The selected servers, and the limits on requests."""

    server: tuple[str, ...] = ()
    parallelism: int | None = None

    def options(self) -> RunOptions:
        """The options for `workflow`."""
        return Reach(server=self.server, parallelism=self.parallelism).options()


class Pressure(Struct, frozen=True):
    """Limits on requests, for commands that choose their servers themselves."""

    parallelism: int | None = None

    def options(self) -> RunOptions:
        """The options for `workflow`."""
        return Reach(parallelism=self.parallelism).options()


parallel_options: Decorator = bundle(Pressure, "pressure", (_parallelism_flag, _trace_flag))
"""--parallelism and --trace; the command gets them as `pressure`."""

server_options: Decorator = bundle(Servers, "servers", (_server_flag, _parallelism_flag, _trace_flag))
"""--server, --parallelism and --trace; the command gets them as `servers`."""


def output_options(*formats: str) -> Decorator:
    """-o, --no-color, -q and -v; the command gets them as `output`.

    If a format for machines was requested, an error is also written as a document before it is raised further.
    """
    flags = (
        sink_option(*formats),
        option(
            "--no-color", env="NO_COLOR", is_flag=True, help="Disable colour; NO_COLOR does the same for every command."
        ),
        option("-q", "--quiet", env="QUIET", is_flag=True, help="Print only reports and errors."),
        option("-v", "--verbose", env="VERBOSE", count=True, help="Show all details."),
    )

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def call(**values: Any) -> Any:
            verbosity = -1 if values.pop("quiet") else 0
            verbosity = values.pop("verbose") or verbosity
            output = Output(values.pop("sinks"), values.pop("no_color"), verbosity)
            return _reporting(function, output, values)

        wrapped: Command = call
        for each in reversed(flags):
            wrapped = each(wrapped)
        return wrapped

    return decorate


def _reporting(function: Command, output: Output, values: Mapping[str, Any]) -> Any:
    from oauthdeploy.core.errors import OAuthDeployError

    try:
        return function(output=output, **values)
    except OAuthDeployError as error:
        source = values.get("source")
        output.emit_error(error, function.__name__, source.files if source is not None else ())
        raise
