"""The drivers by name: the built-in ones, and those of other packages by the entry point group `oauthdeploy.drivers`.

An entry point names a `DriverInfo` as `module:attribute`. One that cannot be used is a finding when its name is requested,
and never affects the others. Built-in drivers work the same way, with two differences: they are also found in a source tree,
and cannot be replaced.

A driver is imported when its name is requested, and installed packages are searched only for names that are not built in, so
that a manifest loads only the drivers that it names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from pydantic import ValidationError

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError
from oauthdeploy.core.version import __version__
from oauthdeploy.drivers.base import API_VERSION, Connection, Driver, DriverInfo, SignIn
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Server

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from oauthdeploy.drivers.egress import Egress
    from oauthdeploy.drivers.http import AdminClient

GROUP: Final = "oauthdeploy.drivers"

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "external": "oauthdeploy.drivers.external:DRIVER",
        "hydra": "oauthdeploy.drivers.hydra:DRIVER",
        "keycloak": "oauthdeploy.drivers.keycloak:DRIVER",
        "opa": "oauthdeploy.drivers.opa:DRIVER",
        "rfc7591": "oauthdeploy.drivers.rfc7591:DRIVER",
        "webmethods": "oauthdeploy.drivers.webmethods:DRIVER",
    }
)


class DriverNotUsable(OAuthDeployError):
    """A driver is unknown, or its package is broken or made for another version of the interface."""

    rule = "driver-not-usable"


class DriverVersion(Struct, frozen=True):
    """The package of a driver, its version, and the version of the interface that it implements."""

    name: str
    package: str
    version: str
    api_version: int


class Registry:
    """The drivers of `built_in` (name to `module:attribute`) and of the entry points that `find` returns; both are loaded on
    demand.
    """

    def __init__(self, built_in: Mapping[str, str], find: Callable[[], Iterable[EntryPoint]]) -> None:
        self._built_in = built_in
        self._find = find
        self._infos: dict[str, DriverInfo] = {}
        self._problems: dict[str, Diagnostic] = {}

    @cached_property
    def _points(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        """The entry points of other packages, by name."""
        found: dict[str, list[EntryPoint]] = defaultdict(list)
        for point in sorted(self._find(), key=lambda point: (point.name, point.value)):
            if self._built_in.get(point.name) != point.value and point not in found[point.name]:
                found[point.name].append(point)
        return {name: tuple(points) for name, points in found.items() if points}

    @property
    def known(self) -> tuple[str, ...]:
        """The names of all drivers, sorted; imports none of them."""
        return tuple(sorted({*self._built_in, *self._points}))

    def get(self, name: str) -> DriverInfo | None:
        """The driver of this name, imported if necessary. None if it does not exist or cannot be used."""
        if name not in self._infos:
            if name in self._built_in:
                self._infos[name] = _info(name, _attribute(self._built_in[name]))
            elif name not in self._problems and name in self._points:
                self._bring_in(self._points[name])
        return self._infos.get(name)

    def _bring_in(self, points: tuple[EntryPoint, ...]) -> None:
        point = points[0]
        if len(points) > 1:
            self._problems[point.name] = _problem(point, "two packages provide a driver with this name")
            return
        try:
            self._infos[point.name] = _info(point.name, point.load())
        except Exception as error:  # noqa: BLE001 - third-party code can raise anything, and must not stop the others
            words = str(error) if isinstance(error, _NotADriver) else f"{type(error).__name__}: {error}"
            self._problems[point.name] = _problem(point, " ".join(words.split())[:300])

    def problem(self, name: str) -> Diagnostic | None:
        """Why the third-party driver of this name cannot be used; None if it can, or if there is none."""
        if name in self._built_in and name in self._points:
            return _problem(self._points[name][0], "the name belongs to a built-in driver")
        self.get(name)
        return self._problems.get(name)

    def version(self, name: str) -> DriverVersion | None:
        """The origin of the driver of this name; `unknown` if the package does not say. None if there is no such driver."""
        info = self.get(name)
        if info is None:
            return None
        if name in self._built_in:
            return DriverVersion(name, "oauthdeploy", __version__, info.api_version)
        dist = self._points[name][0].dist
        package, version = ("unknown", "unknown") if dist is None else (dist.name, dist.version)
        return DriverVersion(name, package, version, info.api_version)


class KnownFacts(Mapping[str, DriverFacts]):
    """The facts of each driver, by name. A lookup imports only that driver; iteration imports all.

    `missed` are the names that were not found.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.missed: set[str] = set()

    def __getitem__(self, name: str) -> DriverFacts:
        """The facts of a driver that can be used. Raises KeyError for any other name."""
        info = self._registry.get(name)
        if info is None:
            self.missed.add(name)
            raise KeyError(name)
        return info.facts

    def __iter__(self) -> Iterator[str]:
        """The names of the drivers that can be used, sorted."""
        return (name for name in self._registry.known if self._registry.get(name) is not None)

    def __len__(self) -> int:
        """The number of drivers."""
        return sum(1 for _name in self)


class _NotADriver(Exception):
    """The target of an entry point is not a driver of this version."""


def _attribute(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _info(name: str, found: Any) -> DriverInfo:
    if not isinstance(found, DriverInfo):
        raise _NotADriver("it is not a DriverInfo")
    if found.api_version != API_VERSION:
        raise _NotADriver(
            f"it is written for version {found.api_version} of the driver interface, and this is version {API_VERSION}"
        )
    if found.facts.name != name:
        raise _NotADriver(f"its own name is '{found.facts.name}'")
    return found


def _problem(point: EntryPoint, why: str) -> Diagnostic:
    return Diagnostic(
        "driver-not-usable",
        "A driver cannot be used",
        detail=f"Driver '{point.name}' ({point.value}): {why}.",
        fix="Update or remove the package that provides it.",
        severity=Severity.WARNING,
    )


def _installed() -> Iterable[EntryPoint]:
    # Imported here because it takes longer than all drivers of a manifest together.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


@cache
def _registry() -> Registry:
    return Registry(BUILT_IN, _installed)


def names() -> tuple[str, ...]:
    """The names of all drivers, sorted. None is imported, so some may turn out to be unusable."""
    return _registry().known


def driver_facts() -> KnownFacts:
    """What is known of each driver, by name."""
    return KnownFacts(_registry())


def driver_problems(wanted: Iterable[str] | None = None) -> Diagnostics:
    """Findings about third-party drivers that cannot be used: of these names, or of all."""
    registry = _registry()
    found = (registry.problem(name) for name in sorted(registry.known if wanted is None else set(wanted)))
    return Diagnostics.of(item for item in found if item is not None)


def driver_versions(wanted: Iterable[str]) -> tuple[DriverVersion, ...]:
    """The versions of the drivers of these names, sorted; `unknown` if the package does not say."""
    found = (_registry().version(name) for name in sorted(set(wanted)))
    return tuple(item for item in found if item is not None)


def get_driver(name: str) -> DriverInfo:
    """The driver of this name. Raises DriverNotUsable with the reason."""
    registry = _registry()
    info = registry.get(name)
    if info is not None:
        return info
    problem = registry.problem(name)
    if problem is not None:
        raise DriverNotUsable(f"The driver '{name}' cannot be used", detail=problem.detail, fix=problem.fix)
    raise DriverNotUsable(f"There is no driver '{name}'", fix=f"The drivers are: {', '.join(registry.known)}.")


def open_driver(
    name: str,
    server: Server,
    credentials: Model | Mapping[str, Any],
    options: Model | Mapping[str, Any],
    *,
    read_only: bool,
    base: Path,
    egress: Egress | None = None,
) -> Driver:
    """Make the driver of the server entry `name`. Nothing is sent yet.

    `credentials` and `options` are the driver's own parts of the entry, as its models or still as written; `base` is the
    folder that relative paths start from. With `read_only` nothing can be written through the driver.
    `egress` is the way out of the process, if that is shared.
    Raises DriverNotUsable, and ManifestInvalid for what the entry has wrong.
    """
    info = get_driver(server.driver)
    return connect(info, name, server, credentials, options, read_only=read_only, base=base, egress=egress)


def connect(
    info: DriverInfo,
    name: str,
    server: Server,
    credentials: Model | Mapping[str, Any],
    options: Model | Mapping[str, Any],
    *,
    read_only: bool,
    base: Path,
    egress: Egress | None = None,
) -> Driver:
    """The same for a driver that is at hand, registered or not."""
    if info.open is None:
        raise DriverNotUsable(
            f"Server '{name}' has no connection",
            detail=f"The driver '{server.driver}' only describes a server that is trusted.",
            fix="This is a bug in oauthdeploy; please report it.",
        )
    # Imported late: it brings the HTTP library, which offline commands do not need.
    from oauthdeploy.drivers.http import open_client

    own_credentials = _validated(name, "credentials", info.facts.credentials, credentials)
    own_options = _validated(name, "options", info.facts.options, options)

    def token_client(path: str) -> AdminClient:
        return open_client(name, server, None, read_only=False, base=base, post_only=path, egress=egress)

    auth = None if info.sign_in is None else info.sign_in(SignIn(own_credentials, own_options, token_client))
    http = open_client(name, server, auth, read_only=read_only, base=base, egress=egress)
    return info.open(Connection(name, server, own_credentials, own_options, http, base))


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
                    f"The {part} of a server are invalid for its driver",
                    detail=f"{'.'.join(str(step) for step in problem['loc']) or part}: {problem['msg']}.",
                    path=("servers", server, part, *problem["loc"]),
                )
                for problem in error.errors(include_input=False, include_context=False, include_url=False)
            )
        ) from None
