"""Settings of the authorization servers that weaken security."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext, SettingUse
from oauthdeploy.model.objects import ClientType, Grant, TokenEndpointAuth


def _address(use: SettingUse) -> str:
    return f"settings@{use.servers[0]}" if len(use.servers) == 1 else "settings"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _default(context: RuleContext, server: str, field: str) -> object:
    """What null means on `server`; None if unknown."""
    facts = context.facts(server)
    return None if facts is None else facts.defaults.get(Kind.SETTINGS, {}).get(field)


@rule(
    "https-not-required",
    Severity.WARNING,
    "HTTPS is not required",
    reason="Over plain HTTP, anyone on the network path can read passwords, codes and tokens. OAuth 2.0 relies on "
    "TLS to protect them.",
    source="RFC 6749 sections 3.1 and 3.2; RFC 9700 section 2.6",
    fix="Write require_https: true.",
    bad="""
settings:
  require_https: false
""",
    good="""
settings:
  require_https: true
""",
)
def https_not_required(context: RuleContext) -> Iterator[Finding]:
    """require_https: false on a server that is reached over a network."""
    for use in context.setting("require_https"):
        exposed = [name for name in use.servers if not context.is_loopback(name)]
        if use.value is False and exposed:
            yield Finding(
                use.path, f"OAuth requests over plain HTTP are accepted on {_listed(exposed)}.", _address(use)
            )


@rule(
    "https-not-required-on-loopback",
    Severity.INFO,
    "HTTPS is not required on this machine",
    reason="Traffic that never leaves the machine cannot be intercepted, but the same setting on a real server "
    "would be a vulnerability.",
    source="RFC 6749 sections 3.1 and 3.2",
    fix="Write require_https: true before the manifest is used for another server.",
    bad="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: http://127.0.0.1:5555
settings:
  require_https: false
""",
    good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://127.0.0.1:5543
settings:
  require_https: true
""",
)
def https_not_required_here(context: RuleContext) -> Iterator[Finding]:
    """require_https: false if all servers concerned are on this machine."""
    for use in context.setting("require_https"):
        if use.value is False and use.servers and all(context.is_loopback(name) for name in use.servers):
            yield Finding(use.path, "OAuth requests over plain HTTP are accepted on this machine.", _address(use))


@rule(
    "pkce-not-required",
    Severity.WARNING,
    "PKCE is not required for public clients",
    reason="Anyone who intercepts a public client's authorization code can redeem it. PKCE prevents that.",
    source="RFC 9700 section 2.1.1; RFC 7636 section 1",
    fix="Write require_pkce: true.",
    bad="""
settings:
  require_pkce: false
clients:
  mobile:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://mobile.example.com/callback"]
""",
    good="""
settings:
  require_pkce: true
clients:
  mobile:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://mobile.example.com/callback"]
""",
)
def pkce_not_required(context: RuleContext) -> Iterator[Finding]:
    """require_pkce false, or null where that is the default, on a server with a public client that uses codes."""
    public = [key for key, entry in context.clients_with[Grant.AUTHORIZATION_CODE] if entry.type is ClientType.PUBLIC]
    for use in context.setting("require_pkce") if public else ():
        open_on = [
            name
            for name in use.servers
            if use.value is False or (use.value is None and _default(context, name, "require_pkce") is False)
        ]
        found = [key for key in public if any(context.holds(name, Kind.CLIENT, key) for name in open_on)]
        if found:
            yield Finding(use.path, f"{_listed(found)} can use authorization codes without PKCE.", _address(use))


@rule(
    "token-endpoint-session",
    Severity.WARNING,
    "Token endpoint accepts a session instead of the client's credentials",
    reason="A session that was opened for another purpose then replaces the client's secret, so a token can be "
    "obtained without the secret.",
    source="webMethods Integration Server, Configuring OAuth Settings; RFC 6749 section 3.2.1",
    fix="Write token_endpoint_auth: credentials.",
    bad="""
settings:
  token_endpoint_auth: session
""",
    good="""
settings:
  token_endpoint_auth: credentials
""",
)
def token_endpoint_session(context: RuleContext) -> Iterator[Finding]:
    """token_endpoint_auth: session."""
    for use in context.setting("token_endpoint_auth"):
        if use.value is TokenEndpointAuth.SESSION and use.servers:
            yield Finding(use.path, f"{_listed(list(use.servers))} accepts an existing session.", _address(use))


RULES: tuple[Rule, ...] = (https_not_required, https_not_required_here, pkce_not_required, token_endpoint_session)
