"""Entries that contradict each other: absent and in use, renamed and kept, associated twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Path, Severity
from oauthdeploy.manifest.document import AssociationEntry
from oauthdeploy.manifest.rules.base import Finding, Rule, client_finding, rule
from oauthdeploy.manifest.rules.context import Pair, RuleContext
from oauthdeploy.model.objects import AS, AssignedAs


def _pair_address(pair: Pair) -> str:
    return Address.association(pair.client, pair.scope, "").without_server


@rule(
    "absent-client-in-use",
    Severity.ERROR,
    "Client is marked absent but has associations",
    reason="An association needs its client, so one of the two entries is a mistake.",
    source="oauthdeploy manifest, version 1: associations",
    fix="Remove the client from the associations, or remove state: absent.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  legacy-batch: {state: absent}
associations:
  - {client: legacy-batch, scopes: [orders.read]}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  legacy-batch: {state: absent}
  batch: {type: public}
associations:
  - {client: batch, scopes: [orders.read]}
""",
)
def absent_client(context: RuleContext) -> Iterator[Finding]:
    """An association of a client that is to be removed."""
    for pair in context.pairs if context.absent_clients else ():
        if pair.client in context.absent_clients:
            detail = f"{pair.client} is marked absent, but it is associated with {pair.scope}."
            yield Finding(pair.path, detail, _pair_address(pair))


@rule(
    "absent-scope-in-use",
    Severity.ERROR,
    "Scope is marked absent but still in use",
    reason="A scope that a client may request cannot be removed: the server refuses, and the apply fails halfway.",
    source="webMethods Integration Server, Deleting Scopes",
    fix="Remove the scope from the associations, or remove state: absent.",
    bad="""
scopes:
  orders.read: {state: absent}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
    good="""
scopes:
  orders.read: {state: absent}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: []}
""",
)
def absent_scope(context: RuleContext) -> Iterator[Finding]:
    """An association of a scope that is to be removed."""
    for pair in context.pairs if context.absent_scopes else ():
        if pair.scope in context.absent_scopes:
            detail = f"{pair.scope} is marked absent, but {pair.client} may request it."
            yield Finding(pair.path, detail, _pair_address(pair))


@rule(
    "association-duplicate",
    Severity.INFO,
    "Association is listed twice",
    reason="The second entry has no effect. If you later remove the first, the association stays.",
    source="oauthdeploy manifest, version 1: associations",
    fix="Remove one of the two.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
  - {scope: orders.read, clients: [mobile]}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
)
def association_duplicate(context: RuleContext) -> Iterator[Finding]:
    """The same client and scope, written from either end."""
    if _plainly_distinct(context.document.associations or ()):
        return
    seen: set[tuple[str, str]] = set()
    for pair in context.pairs:
        key = (pair.client, pair.scope)
        if key in seen:
            yield Finding(
                pair.path, f"{pair.client} and {pair.scope} are already associated above.", _pair_address(pair)
            )
        seen.add(key)


@rule(
    "moved-from-still-there",
    Severity.ERROR,
    "Client is renamed from a client that still has its own entry",
    reason="A rename takes over the old client, so the old key can be neither kept nor removed as a separate client.",
    source="oauthdeploy manifest, version 1: moved_from",
    fix="Remove the old entry, or remove moved_from.",
    bad="""
clients:
  web-shop: {type: public, moved_from: webshop}
  webshop: {type: public}
""",
    good="""
clients:
  web-shop: {type: public, moved_from: webshop}
""",
)
def moved_still_there(context: RuleContext) -> Iterator[Finding]:
    """moved_from names a key of the manifest, including the client's own."""
    entries = context.document.clients or {}
    for key, entry in context.clients_that_write("moved_from"):
        if entry.moved_from is not None and entry.moved_from in entries:
            yield client_finding(key, "moved_from", f"{entry.moved_from} has an entry in this manifest.")


@rule(
    "moved-from-twice",
    Severity.ERROR,
    "Two clients are renamed from the same client",
    reason="Only one client can take over the old one.",
    source="oauthdeploy manifest, version 1: moved_from",
    fix="Keep moved_from on one of them.",
    bad="""
clients:
  web-shop: {type: public, moved_from: webshop}
  shop: {type: public, moved_from: webshop}
""",
    good="""
clients:
  web-shop: {type: public, moved_from: webshop}
  shop: {type: public}
""",
)
def moved_twice(context: RuleContext) -> Iterator[Finding]:
    """The same moved_from in two entries."""
    owners: dict[str, str] = {}
    for key, entry in context.clients_that_write("moved_from"):
        if entry.moved_from is None:
            continue
        other = owners.setdefault(entry.moved_from, key)
        if other != key:
            yield client_finding(key, "moved_from", f"{other} is also renamed from {entry.moved_from}.")


def _plainly_distinct(entries: Sequence[AssociationEntry]) -> bool:
    """Whether each client has one entry that names no scope twice, as in most manifests: it takes a fraction of the memory to
    tell.
    """
    clients = {entry.client for entry in entries}
    if None in clients or len(clients) < len(entries):
        return False
    return all(len(set(entry.scopes or ())) == len(entry.scopes or ()) for entry in entries)


@rule(
    "association-as-differs",
    Severity.ERROR,
    "An association is default and optional at once",
    reason="A client has a scope in one way.",
    source="oauthdeploy manifest, version 1: associations",
    fix="Keep one of the two; the field as of associations says it for all servers.",
    bad="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://login.example.com
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
    options: {realm: shop}
scopes:
  orders.read: {description: Read orders}
clients:
  mobile:
    type: public
    options: {keycloak: {default_scopes: []}}
associations:
  - {client: mobile, scopes: [orders.read], as: default}
""",
    good="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://login.example.com
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
    options: {realm: shop}
scopes:
  orders.read: {description: Read orders}
  orders.write: {description: Change orders}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read], as: default}
  - {client: mobile, scopes: [orders.write], as: optional}
""",
)
def association_as_differs(context: RuleContext) -> Iterator[Finding]:
    """Two entries, or an entry and the option of a driver that lists default scopes."""
    entries = enumerate(context.document.associations or ())
    ways = {index: entry.association.assigned_as for index, entry in entries if AS in entry.model_fields_set}
    if not ways:
        return
    listed = {key: scopes for key, _path, scopes in _listed_defaults(context)}
    known = {
        (pair.client, pair.scope): AssignedAs.DEFAULT if pair.scope in listed[pair.client] else AssignedAs.OPTIONAL
        for pair in context.pairs
        if pair.client in listed
    }
    for pair in context.pairs:
        way = ways.get(pair.entry)
        if way is not None and known.setdefault((pair.client, pair.scope), way) is not way:
            other = known[pair.client, pair.scope]
            yield Finding(pair.path, f"{pair.scope} is {way} here and {other} elsewhere.", _pair_address(pair))


def _listed_defaults(context: RuleContext) -> Iterator[tuple[str, Path, frozenset[str]]]:
    """The options of clients that list their default scopes: the client, the path, and the listed scopes."""
    for key, entry in context.clients:
        for driver, options in (entry.options or {}).items():
            option = context.drivers[driver].default_scopes_option if driver in context.drivers else ""
            if option and option in options:
                yield key, ("clients", key, "options", driver, option), frozenset(options[option] or ())


@rule(
    "default-scope-not-associated",
    Severity.ERROR,
    "A default scope is not associated with the client",
    reason="The option says how a client has its scopes, and the client does not have this one.",
    source="oauthdeploy manifest, version 1: associations",
    fix="Add the association, or remove the scope from the list.",
    bad="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://login.example.com
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
    options: {realm: shop}
scopes:
  orders.read: {description: Read orders}
clients:
  mobile:
    type: public
    options: {keycloak: {default_scopes: [orders.read]}}
""",
    good="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://login.example.com
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
    options: {realm: shop}
scopes:
  orders.read: {description: Read orders}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read], as: default}
""",
)
def default_scope_not_associated(context: RuleContext) -> Iterator[Finding]:
    """A scope in the list of an option, without an association."""
    listed = list(_listed_defaults(context))
    pairs = {(pair.client, pair.scope) for pair in context.pairs} if listed else ()
    for key, path, scopes in listed:
        for scope in sorted(scopes):
            if (key, scope) not in pairs:
                detail = f"{path[-1]} names '{scope}', which the client is not associated with."
                yield Finding(path, detail, object_address(Kind.CLIENT, key))


RULES: tuple[Rule, ...] = (
    absent_client,
    absent_scope,
    association_duplicate,
    association_as_differs,
    default_scope_not_associated,
    moved_still_there,
    moved_twice,
)
