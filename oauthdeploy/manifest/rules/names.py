"""Names that OAuth or a server doesn't take."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, object_address, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.model.capabilities import Answer, Capability

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")


@rule(
    "scope-name-characters",
    Severity.ERROR,
    "Scope name has characters that a scope can't have",
    reason="Scopes are sent as one text with spaces between them, so a name with a space is two scopes. Quotation "
    "mark and backslash "
    "are excluded, and so is all that isn't ASCII.",
    source="RFC 6749 section 3.3",
    fix="Use letters, digits and signs such as . : _ - /.",
    bad="""
scopes:
  "read orders":
    description: Read orders
    resources: [orders.v1]
""",
    good="""
scopes:
  orders.read:
    description: Read orders
    resources: [orders.v1]
""",
)
def scope_characters(context: RuleContext) -> Iterator[Finding]:
    """Anything outside RFC 6749's scope-token."""
    for name, _ in context.scopes:
        if not _SCOPE.match(name):
            wrong = sorted({repr(character) for character in name if not _SCOPE.match(character)})
            detail = f"It holds {', '.join(wrong[:5])}." if wrong else "It is empty."
            yield Finding(("scopes", name), detail, object_address(Kind.SCOPE, name))


def _names(context: RuleContext, kind: Kind) -> Iterator[tuple[str, Path, str]]:
    """What is written as a name of an object of a kind: the object's key, the place of the name, the name."""
    if kind is Kind.CLIENT:
        for key, entry in context.clients:
            name = entry.name
            if name is None:
                yield key, ("clients", key), key
            else:
                yield key, ("clients", key, "name"), name
            if entry.version is not None:
                yield key, ("clients", key, "version"), entry.version
    elif kind is Kind.SCOPE:
        for name, _ in context.scopes:
            if _SCOPE.match(name):
                yield name, ("scopes", name), name
    elif kind is Kind.TRUST:
        for server, settings in context.servers.items():
            if settings.authorization_server is not None and settings.authorization_server != server:
                yield server, ("servers", server, "authorization_server"), settings.authorization_server


def _holders(context: RuleContext, servers: list[str], kind: Kind, key: str, path: Path) -> Iterator[str]:
    """Those of the servers on which the name is of use."""
    held = [name for name in servers if name == key] if kind is Kind.TRUST else servers
    for server in held:
        if not context.holds(server, kind, "" if kind is Kind.TRUST else key):
            continue
        if path[-1] != "version" or context.support(server, Capability.CLIENT_VERSION):
            yield server


@rule(
    "name-not-accepted",
    Severity.ERROR,
    "Server doesn't accept this name",
    reason="Each server has its own rules for names; a name that breaks them is refused in the middle of an apply.",
    source="oauthdeploy drivers: rules for names; webMethods Integration Server, Registering Clients and Defining Scopes",
    fix="Choose a name that every server accepts; clients have name for what people see.",
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
def not_accepted(context: RuleContext) -> Iterator[Finding]:
    """A name that breaks the rule of a driver that holds the object; one finding for each name and server."""
    for driver in dict.fromkeys(entry.driver for entry in context.servers.values()):
        facts = context.drivers.get(driver)
        servers = [name for name, entry in context.servers.items() if entry.driver == driver]
        for kind, limit in facts.names.items() if facts is not None and facts.writable else ():
            matches = re.compile(limit.pattern).fullmatch
            longest = limit.max_length if limit.max_length is not None else sys.maxsize
            for key, path, name in _names(context, kind):
                if len(name) <= longest and matches(name):
                    continue
                shown = name if len(name) <= 60 else f"{name[:57]}..."
                for server in _holders(context, servers, kind, key, path):
                    address = Address(kind, "" if kind.is_singleton else key, server)
                    yield Finding(path, f'{server} doesn\'t accept "{shown}": {limit.words}.', str(address))


@rule(
    "client-name-twice",
    Severity.ERROR,
    "Two clients have the same name and version",
    reason="The server makes the client's id itself and tells clients apart by name and version, so the two entries "
    "would fight over "
    "one client.",
    source="webMethods Integration Server, Registering Clients",
    fix="Change the name or the version of one of them.",
    bad="""
clients:
  shop-old:
    name: Web Shop
    version: "1"
    type: public
  shop-new:
    name: Web Shop
    version: "1"
    type: public
""",
    good="""
clients:
  shop-old:
    name: Web Shop
    version: "1"
    type: public
  shop-new:
    name: Web Shop
    version: "2"
    type: public
""",
)
def name_twice(context: RuleContext) -> Iterator[Finding]:
    """The same name and version on a server that tells clients apart by them; one finding for each pair."""
    if len({entry.name or key for key, entry in context.clients}) == len(context.clients):
        return
    reported: set[tuple[str, str]] = set()
    for server in context.servers:
        facts = context.facts(server)
        if facts is None or not facts.writable or not _by_name(context, server):
            continue
        default = facts.defaults.get(Kind.CLIENT, {}).get("version")
        here = context.names(server, Kind.CLIENT)
        seen: dict[tuple[str, str | None], str] = {}
        for key, entry in context.clients:
            if key not in here:
                continue
            known_as = (entry.name or key, entry.version or default)
            other = seen.setdefault(known_as, key)
            if other is not key and (other, key) not in reported:
                reported.add((other, key))
                detail = f"On {server} {other} and {key} are the same client: {_shown(*known_as)}."
                yield Finding(("clients", key), detail, str(Address(Kind.CLIENT, key, server)))


def _by_name(context: RuleContext, server: str) -> bool:
    """True where a server has versions of clients, or makes the ids itself: then names are all that tells clients apart."""
    versions = context.support(server, Capability.CLIENT_VERSION).answer is not Answer.NO
    return versions or context.support(server, Capability.CLIENT_ID_CHOICE).answer is Answer.NO


def _shown(name: str, version: str | None) -> str:
    return f'"{name}"' if version is None else f'"{name}", version "{version}"'


@rule(
    "scope-names-alike",
    Severity.INFO,
    "Two scopes differ in case only",
    reason="Scope names are compared with their case, so these are two scopes; people and some products take them for one.",
    source="RFC 6749 section 3.3",
    fix="Rename one, or keep one.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
  Orders.read: {description: Read all orders, resources: [orders.v1]}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
  orders.read.all: {description: Read all orders, resources: [orders.v1]}
""",
)
def scopes_alike(context: RuleContext) -> Iterator[Finding]:
    """Names that are equal in lower case."""
    seen: dict[str, str] = {}
    for name, _ in context.scopes:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            yield Finding(("scopes", name), f"{other} is another scope.", object_address(Kind.SCOPE, name))


RULES: tuple[Rule, ...] = (scope_characters, not_accepted, name_twice, scopes_alike)
