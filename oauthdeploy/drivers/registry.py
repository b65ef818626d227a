"""Which drivers there are, by name: our own, and those of other packages by the entry point group `oauthdeploy.drivers`.

An entry point names a `DriverInfo` as `module:attribute`. One that can't be used is a finding for those who ask for it by
name, and never a hindrance to the others. Our own drivers are found from a source tree too, and can't be replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from oauthdeploy import __version__
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError
from oauthdeploy.drivers.base import API_VERSION, Connection, Driver, DriverInfo, SignIn
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Server
from oauthdeploy.planning.capabilities import DriverFacts

if TYPE_CHECKING:
    from oauthdeploy.drivers.http import AdminClient

GROUP: Final = "oauthdeploy.drivers"

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "external": "oauthdeploy.drivers.external:DRIVER",
        "webmethods": "oauthdeploy.drivers.webmethods:DRIVER",
    }
)


class DriverNotUsable(OAuthDeployError):
    """A driver is not known, or its package is broken or made for another version of the interface."""

    rule = "driver-not-usable"


@dataclass(frozen=True)
class Registry:
    """The drivers that can be used, and for each that can't the reason, by name."""

    drivers: Mapping[str, DriverInfo]
    problems: Mapping[str, Diagnostic]


def load(built_in: Mapping[str, str], found: Iterable[EntryPoint]) -> Registry:
    """Bring in the drivers of `built_in` (name to `module:attribute`) and of entry points; collect what can't be used."""
    drivers = {name: _info(name, _attribute(target)) for name, target in built_in.items()}
    problems: dict[str, Diagnostic] = {}
    for point in sorted(found, key=lambda point: (point.name, point.value)):
        if point.name in built_in:
            if point.value != built_in[point.name]:
                problems[point.name] = _problem(point, "the name belongs to a driver of oauthdeploy itself")
            continue
        if point.name in drivers:
            problems[point.name] = _problem(point, "two packages offer a driver of this name")
            del drivers[point.name]
        if point.name in problems:
            continue
        try:
            drivers[point.name] = _info(point.name, point.load())
        except Exception as error:  # noqa: BLE001 - anything may happen in the code of others, and it must not stop us
            words = str(error) if isinstance(error, _NotADriver) else f"{type(error).__name__}: {error}"
            problems[point.name] = _problem(point, " ".join(words.split())[:300])
    return Registry(MappingProxyType(dict(sorted(drivers.items()))), MappingProxyType(problems))


class _NotADriver(Exception):
    """What an entry point leads to is no driver of this version."""


def _attribute(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _info(name: str, found: Any) -> DriverInfo:
    if not isinstance(found, DriverInfo):
        raise _NotADriver("it is no DriverInfo")
    if found.api_version != API_VERSION:
        raise _NotADriver(
            f"it is made for version {found.api_version} of the driver interface, and this is version {API_VERSION}"
        )
    if found.facts.name != name:
        raise _NotADriver(f"it calls itself '{found.facts.name}'")
    return found


def _problem(point: EntryPoint, why: str) -> Diagnostic:
    return Diagnostic(
        "driver-not-usable",
        "A driver can't be used",
        detail=f"Driver '{point.name}' ({point.value}): {why}.",
        fix="Update or remove the package that offers it.",
        severity=Severity.WARNING,
    )


@cache
def _registry() -> Registry:
    return load(BUILT_IN, entry_points(group=GROUP))


def names() -> tuple[str, ...]:
    """The names of the drivers that can be used, sorted."""
    return tuple(_registry().drivers)


def driver_facts() -> Mapping[str, DriverFacts]:
    """What is known of each driver, by name."""
    return MappingProxyType({name: info.facts for name, info in _registry().drivers.items()})


def driver_problems() -> Diagnostics:
    """Findings about drivers of other packages that can't be used."""
    return Diagnostics.of(_registry().problems.values())


@dataclass(frozen=True)
class DriverVersion:
    """Which package offers a driver, in which version, and the version of the interface that it was made for."""

    name: str
    package: str
    version: str
    api_version: int


def driver_versions(wanted: Iterable[str]) -> tuple[DriverVersion, ...]:
    """The versions of the drivers of these names, sorted; `unknown` where a package doesn't tell its own."""
    found: dict[str, tuple[str, str]] = {}
    for point in entry_points(group=GROUP):
        if point.name not in BUILT_IN and point.dist is not None:
            found[point.name] = (point.dist.name, point.dist.version)
    own = ("oauthdeploy", __version__)
    return tuple(
        DriverVersion(name, *(own if name in BUILT_IN else found.get(name, ("unknown", "unknown"))), info.api_version)
        for name, info in sorted(_registry().drivers.items())
        if name in set(wanted)
    )


def get_driver(name: str) -> DriverInfo:
    """The driver of this name. Raises DriverNotUsable with the reason."""
    registry = _registry()
    info = registry.drivers.get(name)
    if info is not None:
        return info
    problem = registry.problems.get(name)
    if problem is not None:
        raise DriverNotUsable(f"The driver '{name}' can't be used", detail=problem.detail, fix=problem.fix)
    raise DriverNotUsable(f"There is no driver '{name}'", fix=f"Drivers are: {', '.join(registry.drivers)}.")


def open_driver(
    name: str,
    server: Server,
    credentials: Model | Mapping[str, Any],
    options: Model | Mapping[str, Any],
    *,
    read_only: bool,
    base: Path,
) -> Driver:
    """Make the driver of the server entry `name`. Nothing is sent yet.

    `credentials` and `options` are the driver's own parts of the entry, as its models or still as written; `base` is the
    folder that relative paths start from. With `read_only` nothing can be written through the driver.
    Raises DriverNotUsable, and ManifestInvalid for what the entry has wrong.
    """
    info = get_driver(server.driver)
    if info.open is None:
        raise DriverNotUsable(
            f"Server '{name}' is not connected to",
            detail=f"The driver '{server.driver}' only describes a server that is trusted.",
            fix="This is a bug in oauthdeploy; please report it.",
        )
    # Imported late: it brings the HTTP library, which offline commands don't need.
    from oauthdeploy.drivers.http import open_client

    own_credentials = _validated(name, "credentials", info.facts.credentials, credentials)
    own_options = _validated(name, "options", info.facts.options, options)

    def token_client(path: str) -> AdminClient:
        return open_client(name, server, None, read_only=False, base=base, post_only=path)

    auth = None if info.sign_in is None else info.sign_in(SignIn(own_credentials, own_options, token_client))
    http = open_client(name, server, auth, read_only=read_only, base=base)
    return info.open(Connection(name, server, own_credentials, own_options, http))


def _validated(server: str, part: str, model: type[Model], value: Model | Mapping[str, Any]) -> Model:
    if isinstance(value, model):
        return value
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ManifestInvalid(
            Diagnostics.of(
                Diagnostic(
                    f"server-{part}",
                    f"The {part} of a server are not what its driver takes",
                    detail=f"{'.'.join(str(step) for step in problem['loc']) or part}: {problem['msg']}.",
                    path=("servers", server, part, *problem["loc"]),
                )
                for problem in error.errors(include_input=False, include_context=False, include_url=False)
            )
        ) from None
