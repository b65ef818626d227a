"""`oauthdeploy init`: write a first manifest."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from oauthdeploy.cli import complete, streams
from oauthdeploy.cli.command import command
from oauthdeploy.cli.flags import option
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError

if TYPE_CHECKING:
    from oauthdeploy.manifest.editing.starter import Answers, Starter

DEFAULT = "oauthdeploy.yaml"
STDOUT = "-"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class AlreadyThere(OAuthDeployError):
    """The file exists, and --force was not given."""

    rule = "file-exists"


class Wanted(Struct):
    """The values of the flags; None and empty if not given."""

    name: str | None
    authorization_url: str | None
    authorization_driver: str | None
    introspection_endpoint: str | None
    resource_url: tuple[str, ...]
    resource_driver: str | None
    client: tuple[str, ...]
    scope: tuple[str, ...]


@command(
    examples=(
        ("oauthdeploy init", "ask, and write oauthdeploy.yaml"),
        ("oauthdeploy init --client web-shop --scope orders.read", "with a client and a scope"),
    ),
    main=("name", "authorization_url", "authorization_driver", "resource_url", "client", "scope", "force", "no_input"),
)
@click.argument("path", default=DEFAULT, type=click.Path(allow_dash=True, readable=False))
@option("--name", env="INIT_NAME", metavar="NAME", help="Name of the manifest.  [default: the folder's]")
@option("--authorization-url", env="INIT_AUTHORIZATION_URL", metavar="URL", help="Address of the authorization server.")
@option(
    "--authorization-driver",
    env="INIT_AUTHORIZATION_DRIVER",
    shell_complete=complete.drivers,
    metavar="DRIVER",
    help="Driver of the authorization server; external for a server that is only trusted.  [default: webmethods]",
)
@option(
    "--introspection-endpoint",
    env="INIT_INTROSPECTION_ENDPOINT",
    metavar="URL",
    help="Introspection endpoint (RFC 7662) of an external authorization server; replaces its address.",
)
@option(
    "--resource-url",
    env="INIT_RESOURCE_URL",
    multiple=True,
    metavar="[NAME=]URL",
    help="Address of a resource server. Repeatable.",
)
@option(
    "--resource-driver",
    env="INIT_RESOURCE_DRIVER",
    shell_complete=complete.drivers,
    metavar="DRIVER",
    help="Driver of the resource servers.  [default: webmethods]",
)
@option("--client", env="INIT_CLIENT", multiple=True, metavar="NAME", help="Client to start with. Repeatable.")
@option("--scope", env="INIT_SCOPE", multiple=True, metavar="NAME", help="Scope to start with. Repeatable.")
@option(
    "--existing",
    env="INIT_EXISTING",
    is_flag=True,
    help="The servers hold clients and scopes already: start from these, which `export --write` then reads.",
)
@option("--force", env="FORCE", is_flag=True, help="Replace an existing file.")
@option("--no-input", env="NO_INPUT", is_flag=True, help="Never ask, even on a terminal.")
def init(path: str, existing: bool, force: bool, no_input: bool, **flags: object) -> None:
    """Write a first manifest, with a comment on each section.

    PATH is the file, or a folder for it; - is standard output. On a terminal, asks for values that no flag gives. The manifest
    is valid and in canonical form, and would change no existing server. The names of the environment variables for accounts and
    secrets are printed at the end, and the next command.

    Exit codes: 1 if the file already exists, 3 if a driver does not accept a name, 64 if a value is missing.
    """
    from oauthdeploy.drivers.registry import driver_facts
    from oauthdeploy.manifest.editing.starter import write_starter

    file = str(Path(path) / DEFAULT) if path != STDOUT and Path(path).is_dir() else path
    _refuse_existing(file, force=force)
    interactive = not no_input and streams.is_terminal(sys.stdin)
    wanted = Wanted(**flags)  # type: ignore[arg-type]
    answers, existing = _answers(wanted, interactive, default_name(file), existing=existing)
    drivers = driver_facts()
    starter = write_starter(answers, drivers)
    _prove(starter)
    _write(file, starter.text, force=force)
    streams.write_talk(_next_steps(file, starter, existing=existing))


def default_name(file: str) -> str:
    """The name of a manifest, from the name of its folder."""
    folder = Path.cwd() if file == STDOUT else Path(file).absolute().parent
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name).lstrip("._-")[:64] or "estate"


# -- answers ------------------------------------------------------------------------------------------------------------


def _answers(wanted: Wanted, interactive: bool, name: str, *, existing: bool) -> tuple[Answers, bool]:
    """The values for the manifest: from flags, then questions, then defaults. Raises click.UsageError."""
    from oauthdeploy.manifest.editing.starter import EXTERNAL, Answers

    endpoint = wanted.introspection_endpoint
    driver = wanted.authorization_driver or (EXTERNAL if endpoint else None)
    found = _ask if interactive else _no_question
    name = wanted.name or found("Name of the manifest", name, check_name)
    driver = driver or found("Driver of the authorization server", "webmethods", check_authorization)
    if driver == EXTERNAL:
        if wanted.authorization_url:
            raise click.UsageError(
                "Describe an external server with --introspection-endpoint, not --authorization-url."
            )
        address = endpoint or _required(interactive, "Its introspection endpoint", "--introspection-endpoint")
    else:
        if endpoint:
            raise click.UsageError("--introspection-endpoint needs --authorization-driver external.")
        address = wanted.authorization_url or _required(interactive, "Its address", "--authorization-url")
    resources = wanted.resource_url or _several(interactive, "Address of a resource server", check_resource)
    other = driver if driver in able_drivers("resource") else "webmethods"
    resource_driver = wanted.resource_driver
    if resources and resource_driver is None:
        resource_driver = found("Driver of the resource servers", other, check_resource_driver)
    ask = interactive and not (wanted.client or wanted.scope)
    existing = existing or (
        ask and _confirm("Do the servers hold clients and scopes already that you want to start from?")
    )
    answers = Answers(
        name=check_name(name),
        authorization=check_url(address),
        authorization_driver=check_authorization(driver),
        resources=tuple(check_resource(url) for url in resources),
        resource_driver=check_resource_driver(resource_driver or "webmethods"),
        clients=_once(wanted.client or _several(interactive and not existing, "Name of a client", check_text)),
        scopes=_once(wanted.scope or _several(interactive and not existing, "Name of a scope", check_text)),
    )
    return answers, existing


Check = Callable[[str], str]


def _ask(question: str, default: str | None, check: Check) -> str:
    answer: str = click.prompt(question, default=default, value_proc=check, err=True, show_default=bool(default))
    return answer


def _confirm(question: str) -> bool:
    return click.confirm(question, default=False, err=True)


def _no_question(_question: str, default: str, _check: Check) -> str:
    return default


def _required(interactive: bool, question: str, flag: str) -> str:
    if not interactive:
        raise click.UsageError(f"Give {flag} URL; there is no terminal to ask on.")
    return _ask(question, None, check_url)


def _several(interactive: bool, question: str, check: Check) -> tuple[str, ...]:
    """Ask until the answer is empty."""
    found: list[str] = []
    while interactive:
        more = "another, or nothing" if found else "or nothing"
        answer = _ask(f"{question} ({more})", "", lambda text: check(text) if text.strip() else "")
        if not answer:
            break
        found.append(answer)
    return tuple(found)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(check_text(name) for name in names))


def check_name(text: str) -> str:
    """The name of a manifest. Raises click.UsageError, as the other checks do."""
    if not _NAME.fullmatch(text):
        raise click.UsageError(
            "The name of a manifest has at most 64 characters: letters, digits, dots, hyphens and _."
        )
    return text


def check_url(text: str) -> str:
    """An address with http or https and a host."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
    except ValueError:
        good = False
    if not good:
        raise click.UsageError("Write an address such as https://is.example.com:5543.")
    return text


def check_resource(text: str) -> str:
    """An address, optionally with a name before it."""
    check_url(re.sub(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}=", "", text))
    return text


def check_driver(text: str) -> str:
    """The name of a usable driver."""
    from oauthdeploy.drivers.registry import DriverNotUsable, get_driver

    try:
        get_driver(text)
    except DriverNotUsable as error:
        raise click.UsageError(
            " ".join(part for part in (f"{error.summary}.", error.detail, error.fix) if part)
        ) from None
    return text


def able_drivers(side: str) -> list[str]:
    """The drivers for servers on a side."""
    from oauthdeploy.drivers.registry import driver_facts

    return sorted(name for name, facts in driver_facts().items() if side in facts.roles)


def check_authorization(text: str) -> str:
    """The name of a driver for authorization servers."""
    return _check_able(text, "authorization")


def check_resource_driver(text: str) -> str:
    """The name of a driver for resource servers."""
    return _check_able(text, "resource")


def _check_able(text: str, side: str) -> str:
    able = able_drivers(side)
    if check_driver(text) not in able:
        raise click.UsageError(f"The driver '{text}' is not for {side} servers. Drivers that are: {', '.join(able)}.")
    return text


def check_text(text: str) -> str:
    """The name of a client or scope; the rules of drivers are checked later."""
    if not text.strip():
        raise click.UsageError("The name is empty.")
    return text


# -- the file -----------------------------------------------------------------------------------------------------------


def _prove(starter: Starter) -> None:
    """Load the manifest as `validate` would. Raises ManifestInvalid if a driver does not accept a name."""
    from oauthdeploy import workflow
    from oauthdeploy.core.diagnostics import Diagnostics

    environ = dict.fromkeys(starter.variables, "placeholder")
    request = workflow.ManifestRequest(files=(STDOUT,), stdin=starter.text, environ=environ)
    manifest, diagnostics = workflow.validate(request)
    if manifest is None:
        raise ManifestInvalid(Diagnostics.of(diagnostics.errors))


def _refuse_existing(file: str, *, force: bool) -> None:
    if file != STDOUT and not force and (Path(file).exists() or Path(file).is_symlink()):
        raise AlreadyThere(
            "The file already exists", detail=f"{file} was not changed.", fix="Name another file, or give --force."
        )


def _write(file: str, text: str, *, force: bool) -> None:
    from oauthdeploy.manifest.editing.files import create_file, replace_file

    data = text.encode("utf-8")
    if file == STDOUT:
        streams.write_manifest(text)
    elif force and Path(file).exists():
        replace_file(file, Path(file).read_bytes(), data)
    else:
        try:
            create_file(file, data)
        except FileExistsError:
            _refuse_existing(file, force=False)


def _next_steps(file: str, starter: Starter, *, existing: bool) -> str:
    """The next steps, as lines to copy; the last one is the next command."""
    from oauthdeploy.manifest.editing.starter import SCHEMA_FILE

    schema = SCHEMA_FILE if file == STDOUT else str(Path(file).parent / SCHEMA_FILE)
    where = {STDOUT: " -f FILE", DEFAULT: ""}.get(file, f" -f {shlex.quote(file)}")
    start = "" if file == STDOUT else f"Written: {file}\n\n"
    before = [(f"export {name}=...", purpose) for name, purpose in starter.variables.items()]
    before += [
        (f"oauthdeploy schema > {shlex.quote(schema)}", "lets editors complete and explain keys"),
        (f"oauthdeploy validate{where}", "checks the manifest without contacting any server"),
    ]
    if existing:
        then = (f"oauthdeploy export --write{where}", "writes what the servers hold into it, and changes no server")
    else:
        before.append(
            (f"oauthdeploy export --write{where}", "if the servers hold something already: writes it into the file")
        )
        then = (f"oauthdeploy plan{where}", "shows what would change, and changes nothing")
    width = max(len(command) for command, _ in (*before, then))
    lines = [f"  {command:<{width}}  # {purpose}\n" for command, purpose in before]
    return f"{start}First:\n{''.join(lines)}\nNext:\n  {then[0]:<{width}}  # {then[1]}\n"
