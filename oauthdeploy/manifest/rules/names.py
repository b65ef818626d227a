"""Names that OAuth or a server doesn't take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, object_address, rule
from oauthdeploy.manifest.rules.context import RuleContext, client_name
from oauthdeploy.model.objects import Client, Trust
from oauthdeploy.planning.capabilities import Answer, Capability, NameRule

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


def _breach(limit: NameRule, pattern: re.Pattern[str], name: str) -> bool:
    return (limit.max_length is not None and len(name) > limit.max_length) or pattern.fullmatch(name) is None


def _names(context: RuleContext, server: str, kind: Kind) -> Iterator[tuple[str, Path, str]]:
    """The names of a kind on a server, with the place of each and the written form of its address."""
    if kind is Kind.CLIENT:
        versions = context.support(server, Capability.CLIENT_VERSION).answer is not Answer.NO
        for address, value in context.placed.get((server, kind), ()):
            if isinstance(value, Client):
                path = context.place(address)
                name = client_name(address.name, value)
                yield name, (*path, "name") if value.name is not None else path, str(address)
                if versions and value.version is not None:
                    yield value.version, (*path, "version"), str(address)
    elif kind is Kind.TRUST:
        for address, value in context.placed.get((server, kind), ()):
            if isinstance(value, Trust) and value.via != "local":
                yield value.authorization_server, ("servers", server, "authorization_server"), str(address)
    else:
        for address, _ in context.placed.get((server, kind), ()):
            if kind is not Kind.SCOPE or _SCOPE.match(address.name):
                yield address.name, context.place(address), str(address)


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
    for server in context.servers:
        facts = context.facts(server)
        if facts is None or not facts.writable:
            continue
        for kind, limit in facts.names.items():
            pattern = re.compile(limit.pattern)
            for name, path, address in _names(context, server, kind):
                if _breach(limit, pattern, name):
                    shown = name if len(name) <= 60 else f"{name[:57]}..."
                    yield Finding(path, f'{server} doesn\'t accept "{shown}": {limit.words}.', address)


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
    """The same name and version on a server that tells clients apart by them; reported once for each client."""
    reported: set[str] = set()
    for server in context.servers:
        facts = context.facts(server)
        if facts is None or not facts.writable or not _by_name(context, server):
            continue
        default = facts.defaults.get(Kind.CLIENT, {}).get("version")
        seen: dict[tuple[str, str | None], str] = {}
        for address, value in context.placed.get((server, Kind.CLIENT), ()):
            if not isinstance(value, Client):
                continue
            key = (client_name(address.name, value), value.version if value.version is not None else default)
            other = seen.setdefault(key, address.name)
            if other != address.name and address.name not in reported:
                reported.add(address.name)
                detail = f"On {server} {other} and {address.name} are the same client: {_shown(*key)}."
                yield Finding(context.place(address), detail, str(address))


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
