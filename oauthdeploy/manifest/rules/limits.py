"""Names and values that a server does not accept, according to the limits that its driver declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.manifest.rules.names import SCOPE_TOKEN
from oauthdeploy.model.capabilities import DriverFacts, HeldField, Limit
from oauthdeploy.model.fields import Model, NaturalKey, marked
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.model.servers import Role

_WITH_LIMITS: Final = (*fields_of(Kind.CLIENT), "secret.value")


class _Alike(Struct, frozen=True):
    """Servers of one driver in one role, which have the same limits."""

    facts: DriverFacts
    role: Role
    servers: tuple[str, ...]

    def limited(self, kind: Kind, *, names: bool) -> Iterator[tuple[str, HeldField, Limit]]:
        """The held fields of a kind that have a limit: either the names, or the others."""
        for path in _WITH_LIMITS if kind is Kind.CLIENT else fields_of(kind):
            declared = self.facts.held_field(self.role, kind, path)
            if (
                declared.limit is not None
                and (declared.support or path == "secret.value")
                and _is_name(kind, path) is names
            ):
                yield path, declared, declared.limit


@cache
def _is_name(kind: Kind, path: str) -> bool:
    return path in marked(MODEL_OF[kind], NaturalKey)


def _alike(context: RuleContext) -> Iterator[_Alike]:
    found: dict[tuple[str, Role], list[str]] = {}
    for name, entry in context.servers.items():
        if context.writable(name) and context.facts(name) is not None:
            found.setdefault((entry.driver, entry.role), []).append(name)
    for (driver, role), servers in found.items():
        yield _Alike(context.drivers[driver], role, tuple(servers))


def _entries(context: RuleContext, kind: Kind) -> Iterable[tuple[str, Model]]:
    return context.scopes if kind is Kind.SCOPE else context.clients


def _findings(context: RuleContext, alike: _Alike, kind: Kind, key: str, path: Path, problem: str) -> Iterator[Finding]:
    for server in alike.servers:
        if context.holds(server, kind, key):
            yield Finding(path, f"{server} does not accept it: {problem}.", str(Address(kind, key, server)))


@rule(
    "name-not-accepted",
    Severity.ERROR,
    "Server does not accept this name",
    reason="Each server has its own rules for names; a server refuses a name that breaks them, and the apply "
    "fails halfway.",
    source="oauthdeploy drivers: rules for names; webMethods Integration Server, Registering Clients and Defining Scopes",
    fix="Choose a name that every server accepts. For a client, set name to what people should see.",
    bad="""
clients:
  web-shop:
    name: Web & Shop
    type: public
""",
    good="""
clients:
  web-shop:
    name: Web Shop
    type: public
""",
)
def name_not_accepted(context: RuleContext) -> Iterator[Finding]:
    """A key, or a field that identifies objects on servers, that exceeds a limit; one finding for each server."""
    for alike in _alike(context):
        for kind, limit in alike.facts.names.items():
            if kind is Kind.TRUST:
                yield from _trusted(context, alike, limit)
                continue
            for key, _ in _entries(context, kind):
                # Characters that no scope name may have are found by another rule.
                if kind is Kind.SCOPE and not SCOPE_TOKEN.match(key):
                    continue
                if problem := limit.breach(key):
                    yield from _findings(context, alike, kind, key, (f"{kind}s", key), problem)
        for path, declared, limit in alike.limited(Kind.CLIENT, names=True):
            for key, entry in context.clients:
                value = getattr(entry, path)
                place: Path = ("clients", key, path)
                if value is None and declared.key_stands_in:
                    value, place = key, ("clients", key)
                if value is not None and (problem := limit.breach(value)):
                    yield from _findings(context, alike, Kind.CLIENT, key, place, problem)


def _trusted(context: RuleContext, alike: _Alike, limit: Limit) -> Iterator[Finding]:
    """The names of authorization servers, which a resource server stores under the same names."""
    for server in alike.servers:
        name = context.servers[server].authorization_server
        if name is not None and name != server and (problem := limit.breach(name)):
            path: Path = ("servers", server, "authorization_server")
            yield from _findings(context, _Alike(alike.facts, alike.role, (server,)), Kind.TRUST, "", path, problem)


@rule(
    "value-not-accepted",
    Severity.ERROR,
    "Server does not accept this value",
    reason="The value is longer or larger than the server can store, or has characters that it refuses. Every "
    "apply would fail on it.",
    source="oauthdeploy drivers: limits of fields; tried on Keycloak 26.7",
    fix="Write a value that every server accepts, or exclude the server with on.",
    bad="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://login.example.com
    options: {realm: shop}
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback[1]"]
""",
    good="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://login.example.com
    options: {realm: shop}
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def value_not_accepted(context: RuleContext) -> Iterator[Finding]:
    """A value of any other field that exceeds a limit; one finding for each server, at the entry of a list."""
    for alike in _alike(context):
        for kind in (Kind.SCOPE, Kind.CLIENT):
            for path, _, limit in alike.limited(kind, names=False):
                way = path.split(".")
                for key, entry in _entries(context, kind):
                    for place, problem in _breaches(_value_at(entry, way), limit):
                        full: Path = (f"{kind}s", key, *way, *place)
                        yield from _findings(context, alike, kind, key, full, problem)
        for path, _, limit in alike.limited(Kind.SETTINGS, names=False):
            for use in context.setting(path):
                for place, problem in _breaches(use.value, limit):
                    here = tuple(server for server in use.servers if server in alike.servers)
                    only = _Alike(alike.facts, alike.role, here)
                    yield from _findings(context, only, Kind.SETTINGS, "", (*use.path, *place), problem)


def _value_at(entry: Model, way: Iterable[str]) -> Any:
    found: Any = entry
    for name in way:
        found = getattr(found, name, None)
    return found


def _breaches(value: Any, limit: Limit) -> Iterator[tuple[Path, str]]:
    """The places in a value that exceed a limit, and how."""
    if isinstance(value, tuple):
        for index, one in enumerate(value):
            if problem := limit.breach(one):
                yield (index,), problem
    elif value is not None and (problem := limit.breach(value)):
        yield (), problem


RULES: tuple[Rule, ...] = (name_not_accepted, value_not_accepted)
