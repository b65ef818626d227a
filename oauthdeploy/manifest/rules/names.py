"""Names that OAuth or a server does not accept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.model.capabilities import Answer

SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")


@rule(
    "scope-name-characters",
    Severity.ERROR,
    "Scope name has characters that are not allowed",
    reason="Scopes are sent as one string, separated by spaces, so a name with a space is read as two scopes. "
    "Quotation marks, backslashes and non-ASCII characters are not allowed.",
    source="RFC 6749 section 3.3",
    fix="Use letters, digits and characters such as . : _ - /.",
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
        if not SCOPE_TOKEN.match(name):
            wrong = sorted({repr(character) for character in name if not SCOPE_TOKEN.match(character)})
            detail = f"It holds {', '.join(wrong[:5])}." if wrong else "It is empty."
            yield Finding(("scopes", name), detail, object_address(Kind.SCOPE, name))


@rule(
    "client-name-twice",
    Severity.ERROR,
    "Two clients have the same name and version",
    reason="The server generates the client's id and identifies clients by name and version, so both entries "
    "would change the same client.",
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
    """The same name and version on a server that identifies clients by them; one finding for each pair."""
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
    """True if a server has versions of clients, or only one client of each name: then it identifies clients by name."""
    facts = context.facts(server)
    unique = facts is not None and Kind.CLIENT in facts.unique
    return unique or context.support(server, "clients.version").answer is not Answer.NO


def _shown(name: str, version: str | None) -> str:
    return f'"{name}"' if version is None else f'"{name}", version "{version}"'


@rule(
    "scope-names-alike",
    Severity.INFO,
    "Two scopes differ only in case",
    reason="Scope names are case-sensitive, so these are two scopes, but people and some products treat them as one.",
    source="RFC 6749 section 3.3",
    fix="Rename or remove one of them.",
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


@rule(
    "external-with-fields",
    Severity.ERROR,
    "An external object has fields of its own",
    reason="Another manifest owns the object, so these fields have no effect here, and the object would be "
    "defined in two places.",
    source="oauthdeploy manifest, version 1: scopes and clients",
    fix="Remove the fields, or remove external if this manifest owns the object. You can keep on, and the name "
    "and version that identify a client.",
    bad="""
scopes:
  orders.read: {external: true, description: Read orders}
""",
    good="""
scopes:
  orders.read: {external: true}
clients:
  web-shop: {external: true, name: Web Shop, version: "1"}
""",
)
def external_with_fields(context: RuleContext) -> Iterator[Finding]:
    """More than what identifies the object and its servers."""
    for name, scope in (context.document.scopes or {}).items():
        if scope.external and (more := sorted(scope.model_fields_set - {"external", "on"})):
            yield _external(("scopes", name), object_address(Kind.SCOPE, name), more)
    for key, client in (context.document.clients or {}).items():
        if client.external and (more := sorted(client.model_fields_set - {"external", "on", "name", "version"})):
            yield _external(("clients", key), object_address(Kind.CLIENT, key), more)


def _external(path: Path, address: str, fields: list[str]) -> Finding:
    return Finding(path, f"It is external, but sets {', '.join(fields)}.", address)


RULES: tuple[Rule, ...] = (external_with_fields, scope_characters, name_twice, scopes_alike)
