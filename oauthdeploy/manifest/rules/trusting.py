"""Which server a resource server trusts, and how it checks tokens."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.manifest.rules.uris import is_plain_http, server_url_problem
from oauthdeploy.model.servers import Role


@rule(
    "introspection-not-https",
    Severity.WARNING,
    "Introspection uses plain HTTP",
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
    "keys-not-https",
    Severity.WARNING,
    "Keys of an authorization server are fetched over plain HTTP",
    reason="Anyone on the network path can substitute their own keys, and the resource server then accepts every "
    "token that they sign.",
    source="RFC 8414 section 2: jwks_uri; RFC 7517 section 9.1",
    fix="Use an https address.",
    bad="""
servers:
  idp:
    role: authorization
    driver: external
    issuer: https://idp.example.com
    jwks_uri: http://idp.example.com/keys
""",
    good="""
servers:
  idp:
    role: authorization
    driver: external
    issuer: https://idp.example.com
    jwks_uri: https://idp.example.com/keys
""",
)
def keys_not_https(context: RuleContext) -> Iterator[Finding]:
    """http to another machine as the address of keys; if it comes from the url, the url has its own finding."""
    for name, entry in context.servers.items():
        if entry.jwks_uri is not None and is_plain_http(entry.jwks_uri):
            yield Finding(("servers", name, "jwks_uri"), f"The keys of {name} cross the network unprotected.")


@rule(
    "metadata-invalid",
    Severity.ERROR,
    "Issuer or address of keys cannot be used",
    reason="A token is accepted if its iss is exactly the issuer and a key from that address verifies its "
    "signature. An issuer is an address without query and fragment.",
    source="RFC 8414 section 2: issuer, jwks_uri; RFC 9068 section 4",
    fix="Copy the value from the server's metadata, at /.well-known/oauth-authorization-server or "
    "/.well-known/openid-configuration.",
    bad="""
servers:
  idp:
    role: authorization
    driver: external
    issuer: idp.example.com
    jwks_uri: https://idp.example.com/keys
""",
    good="""
servers:
  idp:
    role: authorization
    driver: external
    issuer: https://idp.example.com
    jwks_uri: https://idp.example.com/keys
""",
)
def metadata_invalid(context: RuleContext) -> Iterator[Finding]:
    """An issuer or jwks_uri that is not such an address; the detail does not repeat it, since it may contain a password."""
    for name, entry in context.servers.items():
        if entry.issuer is not None and (problem := server_url_problem(entry.issuer)):
            yield Finding(("servers", name, "issuer"), f"The issuer {name} cannot be used: {problem}.")
        if entry.jwks_uri is not None and (problem := server_url_problem(entry.jwks_uri.partition("?")[0])):
            yield Finding(
                ("servers", name, "jwks_uri"), f"The address of the keys of {name} cannot be used: {problem}."
            )


@rule(
    "resource-server-trusts-nobody",
    Severity.WARNING,
    "Resource server names no authorization server",
    reason="Which server it trusts is then not managed, and the two sides cannot be checked against each other.",
    source="RFC 6749 section 1.1; webMethods Integration Server, Configuring OAuth Settings",
    fix="Set authorization_server to the name of a server entry.",
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
    reason="No server in this manifest accepts its tokens. That is fine if its resource servers are in another "
    "manifest.",
    source="RFC 6749 section 1.1",
    fix="If a resource server belongs to it, set that server's authorization_server.",
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
    """An authorization server that no entry names, if the manifest has any resource servers."""
    trusted = {context.trusted_by(name) for name in context.resource_servers}
    for name, entry in context.servers.items():
        if entry.role is Role.AUTHORIZATION and context.resource_servers and name not in trusted:
            yield Finding(("servers", name), f"No resource server of this manifest accepts tokens of {name}.")


RULES: tuple[Rule, ...] = (
    introspection_not_https,
    keys_not_https,
    metadata_invalid,
    trusts_nobody,
    not_trusted,
)
