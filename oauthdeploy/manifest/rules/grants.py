"""Grants: which grants suit which client."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, client_finding, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.model.objects import ClientType, Grant


@rule(
    "client-credentials-on-public",
    Severity.ERROR,
    "Public client has the client credentials grant",
    reason="With this grant, the secret is the only thing that protects a token, and a public client has none. "
    "Anyone who knows its id could get tokens.",
    source="RFC 6749 section 4.4",
    fix="Make the client confidential, or remove client_credentials from its grants.",
    bad="""
clients:
  batch:
    type: public
    grants: [client_credentials]
""",
    good="""
clients:
  batch:
    type: confidential
    grants: [client_credentials]
    secret: {value: "${env:BATCH_SECRET}"}
""",
)
def client_credentials_on_public(context: RuleContext) -> Iterator[Finding]:
    """client_credentials beside type: public."""
    for key, entry in context.clients_with[Grant.CLIENT_CREDENTIALS]:
        if entry.type is ClientType.PUBLIC:
            yield client_finding(key, "grants", f"{key} is public and cannot authenticate.")


@rule(
    "password-grant-on-public",
    Severity.ERROR,
    "Public client has the password grant",
    reason="Anyone who knows the client's id can use it to guess passwords. Some servers allow this grant for "
    "confidential clients only.",
    source="RFC 9700 section 2.4; RFC 6749 section 4.3.2; webMethods Integration Server, Registering Clients",
    fix="Use authorization_code with PKCE, or make the client confidential.",
    bad="""
clients:
  kiosk:
    type: public
    grants: [password]
""",
    good="""
clients:
  kiosk:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://kiosk.example.com/callback"]
""",
)
def password_on_public(context: RuleContext) -> Iterator[Finding]:
    """password beside type: public."""
    for key, entry in context.clients_with[Grant.PASSWORD]:
        if entry.type is ClientType.PUBLIC:
            yield client_finding(key, "grants", f"{key} is public, so only the user's password protects its tokens.")


@rule(
    "password-grant",
    Severity.WARNING,
    "Client has the password grant",
    reason="It gives users' passwords to the client and does not support a second factor. OAuth 2.1 removes it.",
    source="RFC 9700 section 2.4; OAuth 2.1 draft, section 10",
    fix="Use authorization_code with PKCE for people, client_credentials for machines.",
    bad="""
clients:
  legacy:
    type: confidential
    grants: [password]
    secret: {value: "${env:LEGACY_SECRET}"}
""",
    good="""
clients:
  legacy:
    type: confidential
    grants: [client_credentials]
    secret: {value: "${env:LEGACY_SECRET}"}
""",
)
def password(context: RuleContext) -> Iterator[Finding]:
    """password on any other client; on public ones it is an error."""
    for key, entry in context.clients_with[Grant.PASSWORD]:
        if entry.type is not ClientType.PUBLIC:
            yield client_finding(key, "grants", f"{key} sees the passwords of its users.")


@rule(
    "implicit-grant",
    Severity.WARNING,
    "Client has the implicit grant",
    reason="It sends access tokens through the browser's address bar, where history, logs and other pages can "
    "read them. OAuth 2.1 removes it.",
    source="RFC 9700 section 2.1.2; OAuth 2.1 draft, section 10",
    fix="Use authorization_code with PKCE.",
    bad="""
clients:
  dashboard:
    type: public
    grants: [implicit]
    redirect_uris: ["https://dashboard.example.com/callback"]
""",
    good="""
clients:
  dashboard:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://dashboard.example.com/callback"]
""",
)
def implicit(context: RuleContext) -> Iterator[Finding]:
    """implicit on any client."""
    for key, _ in context.clients_with[Grant.IMPLICIT]:
        yield client_finding(key, "grants", f"{key} receives its access tokens in the browser's address bar.")


@rule(
    "grants-empty",
    Severity.INFO,
    "Client has no grants",
    reason="A client without grants never gets a token, which is right for one that only receives and introspects them. An "
    "empty list is managed: grants that exist on the server are removed.",
    source="RFC 6749 section 1.3",
    fix="If the client needs tokens, list its grants; remove the key to leave them unmanaged, or write enabled: false to stop "
    "the client.",
    bad="""
clients:
  batch:
    type: public
    grants: []
""",
    good="""
clients:
  batch:
    type: public
    enabled: false
""",
)
def grants_empty(context: RuleContext) -> Iterator[Finding]:
    """An empty list of grants on a client that is not disabled."""
    for key, entry in context.clients:
        if entry.grants is not None and not entry.grants and entry.enabled is not False:
            yield client_finding(key, "grants", f"{key} cannot get any token.")


@rule(
    "refresh-grant-alone",
    Severity.WARNING,
    "Client has only the refresh token grant",
    reason="A refresh token is issued together with an access token of another grant. Without one, the client "
    "never gets a refresh token.",
    source="RFC 6749 sections 1.5 and 6",
    fix="Add the grant that issues the first token.",
    bad="""
clients:
  web-shop:
    type: public
    grants: [refresh_token]
""",
    good="""
clients:
  web-shop:
    type: public
    grants: [authorization_code, refresh_token]
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def refresh_alone(context: RuleContext) -> Iterator[Finding]:
    """refresh_token and nothing else."""
    for key, entry in context.clients_with[Grant.REFRESH_TOKEN]:
        grants = entry.grants or ()
        if grants.count(Grant.REFRESH_TOKEN) == len(grants):
            yield client_finding(key, "grants", f"{key} has no grant that issues its first token.")


@rule(
    "refresh-without-user",
    Severity.WARNING,
    "Client has only the client credentials and refresh token grants",
    reason="A client with a secret can request a new token at any time, so the response should not include a "
    "refresh token. It would be one more secret to protect.",
    source="RFC 6749 section 4.4.3",
    fix="Remove refresh_token from the grants.",
    bad="""
clients:
  batch:
    type: confidential
    grants: [client_credentials, refresh_token]
    secret: {value: "${env:BATCH_SECRET}"}
""",
    good="""
clients:
  batch:
    type: confidential
    grants: [client_credentials]
    secret: {value: "${env:BATCH_SECRET}"}
""",
)
def refresh_without_user(context: RuleContext) -> Iterator[Finding]:
    """refresh_token and client_credentials, and nothing else."""
    for key, entry in context.clients_with[Grant.CLIENT_CREDENTIALS]:
        grants = entry.grants or ()
        refreshing = grants.count(Grant.REFRESH_TOKEN)
        if refreshing and refreshing + grants.count(Grant.CLIENT_CREDENTIALS) == len(grants):
            yield client_finding(key, "grants", f"{key} acts for itself and needs no refresh token.")


@rule(
    "refresh-grant-without-count",
    Severity.WARNING,
    "Refresh tokens are granted, but the refresh count is 0",
    reason="With a count of 0 no refresh token is issued, so the grant has no effect. One of the two is probably "
    "a mistake.",
    source="RFC 6749 section 6; webMethods Integration Server, Registering Clients",
    fix="Raise tokens.refresh_count, or remove refresh_token from the grants.",
    bad="""
clients:
  web-shop:
    type: public
    grants: [authorization_code, refresh_token]
    redirect_uris: ["https://shop.example.com/callback"]
    tokens: {refresh_count: 0}
""",
    good="""
clients:
  web-shop:
    type: public
    grants: [authorization_code, refresh_token]
    redirect_uris: ["https://shop.example.com/callback"]
    tokens: {refresh_count: 10}
""",
)
def refresh_without_count(context: RuleContext) -> Iterator[Finding]:
    """refresh_token beside refresh_count: 0."""
    for key, entry in context.clients_with[Grant.REFRESH_TOKEN]:
        if entry.tokens is not None and entry.tokens.refresh_count == 0:
            yield client_finding(key, "tokens.refresh_count", f"{key} may use refresh tokens, but never gets one.")


@rule(
    "refresh-count-without-grant",
    Severity.WARNING,
    "A refresh count is set, but refresh tokens are not granted",
    reason="Most servers do not accept a refresh token without the grant. On a server where only the count "
    "matters, the client gets refresh tokens that its grants do not show.",
    source="RFC 6749 section 6",
    fix="Add refresh_token to the grants, or write refresh_count: 0.",
    bad="""
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback"]
    tokens: {refresh_count: 10}
""",
    good="""
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback"]
    tokens: {refresh_count: 0}
""",
)
def count_without_refresh(context: RuleContext) -> Iterator[Finding]:
    """A count above 0 beside a list of grants without refresh_token."""
    for key, entry in context.clients_that_write("tokens"):
        if entry.tokens is None or not entry.tokens.refresh_count:
            continue
        if entry.grants is not None and Grant.REFRESH_TOKEN not in entry.grants:
            yield client_finding(key, "tokens.refresh_count", f"{key} is not granted refresh_token.")


@rule(
    "client-type-missing",
    Severity.WARNING,
    "Client type is not set",
    reason="PKCE, secrets and grants depend on whether a client can keep a secret. A new client gets the server's "
    "default, which may be either type.",
    source="RFC 6749 section 2.1",
    fix="Write type: public or type: confidential.",
    bad="""
clients:
  web-shop:
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback"]
""",
    good="""
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def type_missing(context: RuleContext) -> Iterator[Finding]:
    """No type on a client that is registered here, rather than only enabled, disabled or described."""
    for key, entry in context.clients:
        written = entry.model_fields_set
        if "type" not in written and not written.isdisjoint(("grants", "redirect_uris", "secret")):
            yield client_finding(key, "", f"{key} is registered here, but its type is not set.")


RULES: tuple[Rule, ...] = (
    client_credentials_on_public,
    password_on_public,
    password,
    implicit,
    grants_empty,
    refresh_alone,
    refresh_without_user,
    refresh_without_count,
    count_without_refresh,
    type_missing,
)
