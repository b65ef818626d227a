"""Rules across the two sides: scopes, clients and associations must be on both."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, client_finding, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.model.capabilities import Answer, Capability
from oauthdeploy.model.objects import Grant, ScopeContents, Trust


def _scope_finding(name: str, field: str, detail: str) -> Finding:
    return Finding(("scopes", name, field) if field else ("scopes", name), detail, object_address(Kind.SCOPE, name))


def _trusting(context: RuleContext, server: str, capability: Capability) -> tuple[str, ...]:
    """The resource servers that accept tokens of `server` and can hold a kind of object."""
    return tuple(
        name
        for name in context.resource_servers
        if context.trusted_by(name) == server and context.writable(name) and context.support(name, capability)
    )


@rule(
    "scope-description-missing",
    Severity.INFO,
    "Scope has no description",
    reason="Users read the description when they are asked for consent, and reviewers rely on it when they check "
    "an association.",
    source="RFC 6749 sections 3.3 and 10.2",
    fix="Describe in a few words what the scope allows.",
    bad="""
scopes:
  orders.read:
    resources: [orders.v1]
""",
    good="""
scopes:
  orders.read:
    description: Read orders
    resources: [orders.v1]
""",
)
def description_missing(context: RuleContext) -> Iterator[Finding]:
    """No description, or an empty one."""
    for name, entry in context.scopes:
        if not (entry.description or "").strip():
            yield _scope_finding(name, "", f"{name} has no description of what it allows.")


def _opens(own: ScopeContents | None) -> bool:
    return own is not None and bool(own.resources or own.url_templates)


@rule(
    "scope-opens-nothing",
    Severity.WARNING,
    "Scope gives access to nothing",
    reason="A token with this scope is valid, but every service refuses it, unless the scope already exists on "
    "the resource server and gives access that nobody reviews here.",
    source="webMethods Integration Server, Defining Scopes; RFC 6749 section 7",
    fix="List folders and services in resources, or REST resources in url_templates.",
    bad="""
scopes:
  orders.read:
    description: Read orders
""",
    good="""
scopes:
  orders.read:
    description: Read orders
    url_templates: [GET_orders.v1/orders]
""",
)
def opens_nothing(context: RuleContext) -> Iterator[Finding]:
    """Neither resources nor url_templates on a scope of a resource server."""
    opening = [
        name
        for name in context.resource_servers
        if context.support(name, "scopes.resources") or context.support(name, "scopes.url_templates")
    ]
    for name, entry in context.scopes:
        if not entry.resources and not entry.url_templates:
            overrides = entry.overrides or {}
            server = next(
                (one for one in opening if context.holds(one, Kind.SCOPE, name) and not _opens(overrides.get(one))),
                None,
            )
            if server is not None:
                yield _scope_finding(name, "", f"{name} lists nothing that it gives access to on {server}.")


@rule(
    "scope-not-on-resource-server",
    Severity.WARNING,
    "Scope is on no resource server",
    reason="The authorization server issues tokens for it, but no resource server knows it, so such a token gives "
    "access to nothing.",
    source="RFC 6749 section 7; webMethods Integration Server, Defining Scopes",
    fix="Add the resource server to on, or remove on.",
    bad="""
scopes:
  orders.read:
    description: Read orders
    on: [login]
""",
    good="""
scopes:
  orders.read:
    description: Read orders
    resources: [orders.v1]
    on: [login, orders]
""",
)
def not_on_resource_server(context: RuleContext) -> Iterator[Finding]:
    """A scope only on an authorization server, although resource servers trust that server."""
    trusting = {name: _trusting(context, name, Capability.SCOPES) for name in context.authorization_servers}
    for name, entry in context.scopes:
        if entry.on is None:
            continue
        for server, others in trusting.items():
            if not others or not context.holds(server, Kind.SCOPE, name):
                continue
            if not any(context.holds(other, Kind.SCOPE, name) for other in others):
                yield _scope_finding(
                    name, "on", f"{server} issues tokens for it, but it is not on {', '.join(others)}."
                )
                break


@rule(
    "scope-not-obtainable",
    Severity.WARNING,
    "No client may request this scope",
    reason="Nobody can use what the scope gives access to on the resource server.",
    source="webMethods Integration Server, Associating Scopes and Clients",
    fix="Associate a client, or remove the scope.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
  orders.write: {description: Change orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
  orders.write: {description: Change orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read, orders.write]}
""",
)
def not_obtainable(context: RuleContext) -> Iterator[Finding]:
    """A scope on a resource server without an association, if the manifest has any associations.

    Clients of an external authorization server are unknown, so a scope on its resource servers may be in use.
    """
    if context.document.associations is None:
        return
    used = {pair.scope for pair in context.pairs}
    known = [
        name
        for name in context.resource_servers
        if (trusted := context.trusted_by(name)) is not None
        and trusted in context.servers
        and context.writable(trusted)
    ]
    for name, _ in context.scopes:
        if name in used:
            continue
        holders = [server for server in context.resource_servers if context.holds(server, Kind.SCOPE, name)]
        if holders and all(server in known for server in holders):
            yield _scope_finding(name, "", f"No association names {name}.")


@rule(
    "association-has-no-server",
    Severity.ERROR,
    "No authorization server has both the client and the scope",
    reason="An association is stored on an authorization server, together with its client and scope.",
    source="webMethods Integration Server, Associating Scopes and Clients",
    fix="Add the authorization server to on, for both the client and the scope.",
    bad="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public, on: [orders]}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
    good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public, on: [login, orders]}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
    void=True,
)
def no_server(context: RuleContext) -> Iterator[Finding]:
    """A client and a scope, both present, that share no server with associations; only an `on` can cause that."""
    clients = {key for key, entry in context.clients_that_write("on") if entry.on is not None}
    scopes = {name for name, entry in context.scopes if entry.on is not None}
    if not clients and not scopes:
        return
    present = {key for key, _ in context.clients}
    known = {name for name, _ in context.scopes}
    for pair in context.pairs:
        if pair.client not in clients and pair.scope not in scopes:
            continue
        if pair.client not in present or pair.scope not in known:
            continue
        if not any(
            Address.association(pair.client, pair.scope, server) in context.desired.objects
            for server in context.servers
        ):
            address = Address.association(pair.client, pair.scope, "").without_server
            yield Finding(
                pair.path, f"{pair.client} and {pair.scope} are not together on any authorization server.", address
            )


@rule(
    "client-not-on-resource-server",
    Severity.INFO,
    "Client is missing on a resource server",
    reason="A resource server needs the same clients: you can block them there immediately, and some servers "
    "refuse tokens of unknown clients.",
    source="webMethods Integration Server, Enabling and Disabling Clients",
    fix="Add the resource server to on, or remove on.",
    bad="""
clients:
  mobile: {type: public, on: [login]}
""",
    good="""
clients:
  mobile: {type: public, on: [login, orders]}
""",
)
def client_missing(context: RuleContext) -> Iterator[Finding]:
    """A client with an `on` that leaves out a resource server that trusts its authorization server."""
    trusting = {name: _trusting(context, name, Capability.CLIENTS) for name in context.authorization_servers}
    for key, entry in context.clients_that_write("on"):
        if entry.on is None:
            continue
        missing = [
            other
            for server, others in trusting.items()
            if context.holds(server, Kind.CLIENT, key)
            for other in others
            if not context.holds(other, Kind.CLIENT, key)
        ]
        if missing:
            yield client_finding(
                key, "on", f"{', '.join(dict.fromkeys(missing))} accepts its tokens and does not have it."
            )


@rule(
    "on-nothing",
    Severity.WARNING,
    "Object is on no server",
    reason="With an empty list, the object is deployed to no server. It is easy to mistake this for every server.",
    source="oauthdeploy manifest, version 1: on",
    fix="List servers, or remove on to use every server that supports the object.",
    bad="""
clients:
  mobile: {type: public, on: []}
""",
    good="""
clients:
  mobile: {type: public}
""",
    void=True,
)
def on_nothing(context: RuleContext) -> Iterator[Finding]:
    """on: []."""
    for name, scope in context.scopes:
        if scope.on is not None and not scope.on:
            yield _scope_finding(name, "on", f"{name} is on no server.")
    for key, client in context.clients_that_write("on"):
        if client.on is not None and not client.on:
            yield client_finding(key, "on", f"{key} is on no server.")


@rule(
    "account-not-resource-owner",
    Severity.WARNING,
    "Client with the client credentials grant is not among the resource owners",
    reason="With the client credentials grant, a client acts as the account that has its name. The account must "
    "exist on the authorization server and the resource server, and only listed accounts are checked.",
    source="RFC 6749 section 4.4; webMethods Integration Server, pub.oauth:introspectToken",
    fix="Add the client's key to resource_owners.",
    bad="""
clients:
  batch:
    type: confidential
    grants: [client_credentials]
    secret: {value: "${env:BATCH_SECRET}"}
resource_owners: [alice]
""",
    good="""
clients:
  batch:
    type: confidential
    grants: [client_credentials]
    secret: {value: "${env:BATCH_SECRET}"}
resource_owners: [alice, batch]
""",
)
def account_missing(context: RuleContext) -> Iterator[Finding]:
    """resource_owners without the client's key, although a resource server trusts a server of its own kind."""
    if context.document.resource_owners is None:
        return
    owners = frozenset(context.document.resource_owners)
    for key, _ in context.clients_with[Grant.CLIENT_CREDENTIALS] if _sharing_accounts(context) else ():
        if key not in owners:
            yield client_finding(key, "grants", f"resource_owners does not list the account {key}.")


@rule(
    "resource-owners-unchecked",
    Severity.WARNING,
    "Resource owners are not checked",
    reason="Accounts are checked where a resource server runs requests as accounts of its own, named by an authorization server "
    "of the same kind, and where the driver can read accounts. Elsewhere, listed accounts are never compared with anything.",
    source="webMethods Integration Server, Configuring OAuth; oauthdeploy drivers: capability tables",
    fix="Remove resource_owners, or check the accounts by hand.",
    bad="""
servers:
  partner-idp:
    role: authorization
    driver: external
    introspection: {endpoint: "https://idp.example.com/introspect", client_id: orders-rs, client_secret: "${env:RS_SECRET}"}
  orders:
    role: resource
    driver: webmethods
    url: https://is-orders.example.com:5543
    authorization_server: partner-idp
resource_owners: [alice]
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
  orders:
    role: resource
    driver: webmethods
    url: https://is-orders.example.com:5543
    authorization_server: login
resource_owners: [alice]
""",
    void=True,
)
def owners_unchecked(context: RuleContext) -> Iterator[Finding]:
    """resource_owners although no two servers share accounts, or on a server whose driver cannot read accounts."""
    if not context.document.resource_owners or not context.servers:
        return
    sharing = _sharing_accounts(context)
    if not sharing:
        yield Finding(("resource_owners",), "No server is asked whether it has these accounts.")
    for name in sharing:
        known = context.writable(name) and context.facts(name) is not None
        support = context.support(name, Capability.USERS_LIST)
        if known and support.answer is Answer.NO:
            note = f": {support.note}" if support.note else ""
            yield Finding(("resource_owners",), f"The accounts of {name} are not checked{note}.")


def _sharing_accounts(context: RuleContext) -> tuple[str, ...]:
    """The servers of the pairs in which a resource server runs requests as accounts that its authorization server names."""
    pairs = [
        (server, value.authorization_server)
        for server in context.servers
        for _, value in context.placed(server, Kind.TRUST)
        if isinstance(value, Trust) and value.via in ("local", "remote")
    ]
    return tuple(dict.fromkeys(name for pair in pairs for name in pair if name in context.servers))


RULES: tuple[Rule, ...] = (
    owners_unchecked,
    description_missing,
    opens_nothing,
    not_on_resource_server,
    not_obtainable,
    no_server,
    client_missing,
    on_nothing,
    account_missing,
)
