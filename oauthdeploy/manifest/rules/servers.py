"""Server entries: addresses, verification, drivers, and whom a resource server trusts."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.manifest.rules.uris import is_plain_http, server_url_problem
from oauthdeploy.model.objects import Side
from oauthdeploy.model.servers import Role


def _asked(context: RuleContext, server: str) -> bool:
    """True where a resource server asks `server` by its address: the loader then says that it is missing."""
    return any(
        other != server and context.trusted_by(other) == server and not context.holds(other, Kind.TRUST, "")
        for other in context.resource_servers
    )


@rule(
    "server-url-missing",
    Severity.ERROR,
    "Server has no address",
    reason="A server that shall be read or changed must be reached.",
    source="oauthdeploy manifest, version 1: servers",
    fix="Write url: https://host:port.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
""",
)
def url_missing(context: RuleContext) -> Iterator[Finding]:
    """No url where the driver speaks to the server."""
    for name, entry in context.servers.items():
        facts = context.facts(name)
        if entry.url is None and facts is not None and facts.writable and not _asked(context, name):
            yield Finding(("servers", name), f"The driver {entry.driver} needs the address of {name}.")


@rule(
    "server-url-invalid",
    Severity.ERROR,
    "Server address can't be used",
    reason="Paths of the admin API are added to the address, so it has to be a plain https or http address. A name "
    "and password in it "
    "would end up in logs.",
    source="RFC 3986 sections 3 and 3.2.1",
    fix="Write https://host:port, and the sign-in under credentials.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: is-auth.example.com:5543
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
""",
)
def url_invalid(context: RuleContext) -> Iterator[Finding]:
    """A url that is no base address; the detail doesn't repeat it, since it may hold a password."""
    for name, entry in context.servers.items():
        problem = server_url_problem(entry.url) if entry.url is not None else ""
        if problem:
            yield Finding(("servers", name, "url"), f"The address of {name} can't be used: {problem}.")


@rule(
    "server-url-not-https",
    Severity.WARNING,
    "Server is administered over plain HTTP",
    reason="The administrator's password and all client secrets cross the network in clear text.",
    source="RFC 9700 section 2.6; RFC 7617 section 4",
    fix="Use the server's https port.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: http://is-auth.example.com:5555
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
""",
)
def url_not_https(context: RuleContext) -> Iterator[Finding]:
    """http to another machine."""
    for name, entry in context.servers.items():
        if entry.url is not None and is_plain_http(entry.url) and not server_url_problem(entry.url):
            yield Finding(("servers", name, "url"), f"Credentials for {name} cross the network in clear text.")


@rule(
    "server-url-twice",
    Severity.WARNING,
    "Two entries have the same address",
    reason="Each entry is planned by itself; two for one server write the same objects twice, and may undo each other.",
    source="oauthdeploy manifest, version 1: servers",
    fix="Make one entry with role: both, or correct an address.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is.example.com:5543
  orders:
    role: resource
    driver: webmethods
    url: https://is.example.com:5543/
    authorization_server: login
""",
    good="""
servers:
  is:
    role: both
    driver: webmethods
    url: https://is.example.com:5543
    authorization_server: is
""",
)
def url_twice(context: RuleContext) -> Iterator[Finding]:
    """The same address, driver and options in two entries."""
    seen: dict[tuple[str, str, str], str] = {}
    for name, entry in context.servers.items():
        if entry.url is None or not context.writable(name):
            continue
        key = (entry.driver, entry.url.rstrip("/").lower(), repr(sorted(entry.options.items())))
        if key in seen:
            yield Finding(("servers", name, "url"), f"{seen[key]} and {name} are the same server.")
        seen.setdefault(key, name)


@rule(
    "tls-not-verified",
    Severity.WARNING,
    "Server certificate is not verified",
    reason="Anybody on the way can pose as the server, read the administrator's password and answer what he likes.",
    source="RFC 6749 section 1.6; RFC 9110 section 4.3.4",
    fix="Remove verify: false, and name the authority's certificate in tls.ca_file.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    tls: {verify: false}
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    tls: {ca_file: certs/ca.pem}
""",
)
def tls_not_verified(context: RuleContext) -> Iterator[Finding]:
    """tls.verify: false."""
    for name, entry in context.servers.items():
        if not entry.tls.verify:
            yield Finding(("servers", name, "tls", "verify"), f"The certificate of {name} is not verified.")


@rule(
    "introspection-not-https",
    Severity.WARNING,
    "Introspection goes over plain HTTP",
    reason="Every token that the resource server receives, and its own secret, cross the network in clear text.",
    source="RFC 7662 section 4",
    fix="Use an https address.",
    bad="""
servers:
  idp:
    role: authorization
    driver: external
    introspection: {endpoint: "http://idp.example.com/introspect", client_id: orders-rs, client_secret: "${env:RS_SECRET}"}
""",
    good="""
servers:
  idp:
    role: authorization
    driver: external
    introspection: {endpoint: "https://idp.example.com/introspect", client_id: orders-rs, client_secret: "${env:RS_SECRET}"}
""",
)
def introspection_not_https(context: RuleContext) -> Iterator[Finding]:
    """http to another machine as the introspection endpoint."""
    for name, entry in context.servers.items():
        endpoint = entry.introspection.endpoint if entry.introspection is not None else None
        if endpoint is not None and is_plain_http(endpoint):
            path = ("servers", name, "introspection", "endpoint")
            yield Finding(path, f"Tokens are sent to {name} in clear text.")


@rule(
    "resource-server-trusts-nobody",
    Severity.WARNING,
    "Resource server names no authorization server",
    reason="Whom a resource server trusts is then not managed, and nothing can be checked across the two sides.",
    source="RFC 6749 section 1.1; webMethods Integration Server, Configuring OAuth Settings",
    fix="Write authorization_server: with the name of a server entry.",
    bad="""
servers:
  login:
    role: both
    driver: webmethods
    url: https://is-auth.example.com:5543
  orders:
    role: resource
    driver: webmethods
    url: https://is-orders.example.com:5543
""",
    good="""
servers:
  login:
    role: both
    driver: webmethods
    url: https://is-auth.example.com:5543
  orders:
    role: resource
    driver: webmethods
    url: https://is-orders.example.com:5543
    authorization_server: login
""",
)
def trusts_nobody(context: RuleContext) -> Iterator[Finding]:
    """No authorization_server on an entry that is a resource server only."""
    for name, entry in context.servers.items():
        if entry.role is Role.RESOURCE and entry.authorization_server is None:
            yield Finding(("servers", name), f"{name} names no server whose tokens it accepts.")


@rule(
    "authorization-server-not-trusted",
    Severity.INFO,
    "No resource server trusts this authorization server",
    reason="Its tokens open nothing that this manifest knows. That is right where the resource servers stand in "
    "another manifest.",
    source="RFC 6749 section 1.1",
    fix="Name it in authorization_server of a resource server, if one belongs to it.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
  is:
    role: both
    driver: webmethods
    url: https://is.example.com:5543
    authorization_server: is
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
""",
)
def not_trusted(context: RuleContext) -> Iterator[Finding]:
    """An authorization server that nobody names, where the manifest has resource servers at all."""
    trusted = {context.trusted_by(name) for name in context.resource_servers}
    for name, entry in context.servers.items():
        if entry.role is Role.AUTHORIZATION and context.resource_servers and name not in trusted:
            yield Finding(("servers", name), f"No resource server of this manifest accepts tokens of {name}.")


@rule(
    "server-field-without-use",
    Severity.WARNING,
    "Key has no meaning for the server's role",
    reason="What is written and does nothing misleads: authorization_server is for resource servers, introspection "
    "for authorization "
    "servers.",
    source="oauthdeploy manifest, version 1: servers",
    fix="Remove the key, or correct the role.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    authorization_server: login
""",
    good="""
servers:
  login:
    role: both
    driver: webmethods
    url: https://is-auth.example.com:5543
    authorization_server: login
""",
)
def field_without_use(context: RuleContext) -> Iterator[Finding]:
    """authorization_server without a resource side, introspection without an authorization side."""
    for name, entry in context.servers.items():
        if entry.authorization_server is not None and Side.RESOURCE not in entry.role.sides:
            yield Finding(("servers", name, "authorization_server"), f"{name} is no resource server.")
        if entry.introspection is not None and Side.AUTHORIZATION not in entry.role.sides:
            yield Finding(("servers", name, "introspection"), f"{name} is no authorization server.")


RULES: tuple[Rule, ...] = (
    url_missing,
    url_invalid,
    url_not_https,
    url_twice,
    tls_not_verified,
    introspection_not_https,
    trusts_nobody,
    not_trusted,
    field_without_use,
)
