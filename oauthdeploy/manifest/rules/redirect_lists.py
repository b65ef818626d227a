"""Lists of redirect URIs: whether they match the client's grants."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, client_finding, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.manifest.rules.uris import equivalent
from oauthdeploy.model.objects import Grant

_REDIRECTING = (Grant.AUTHORIZATION_CODE, Grant.IMPLICIT)


@rule(
    "redirect-uri-duplicate",
    Severity.WARNING,
    "Redirect URI is listed twice",
    reason="The second entry has no effect; often another address was meant.",
    source="RFC 3986 section 6.2.2.1",
    fix="Remove one of the two, or correct it.",
    bad="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback", "https://SHOP.example.com/callback"]
""",
    good="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback", "https://shop.example.com/silent"]
""",
)
def duplicate(context: RuleContext) -> Iterator[Finding]:
    """The same URI twice, apart from the case of scheme and host."""
    for key, entry in context.clients:
        uris = entry.redirect_uris
        if uris is None or len(uris) < 2:
            continue
        if len({uri.lower() for uri in uris}) == len(uris):
            continue
        seen: set[str] = set()
        for index, uri in enumerate(uris):
            form = equivalent(uri)
            if form in seen:
                path = ("clients", key, "redirect_uris", index)
                yield Finding(path, f'"{uri}" is already in the list.', object_address(Kind.CLIENT, key))
            seen.add(form)


@rule(
    "redirect-uris-missing",
    Severity.ERROR,
    "Client has a grant that needs a redirect URI, but no redirect URI",
    reason="The authorization code and implicit grants end with a redirect. Without a registered address, a "
    "server refuses the client or, worse, accepts any address.",
    source="RFC 6749 section 3.1.2.2; webMethods Integration Server, Registering Clients",
    fix="List at least one redirect URI, or remove authorization_code and implicit from the grants.",
    bad="""
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: []
""",
    good="""
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def missing(context: RuleContext) -> Iterator[Finding]:
    """An empty list or null beside a grant that redirects."""
    for grant in _REDIRECTING:
        for key, entry in context.clients_with[grant]:
            if entry.redirect_uris or "redirect_uris" not in entry.model_fields_set:
                continue
            if _first(entry.grants) is grant:
                yield client_finding(key, "redirect_uris", f"{grant} needs a redirect URI.")


@rule(
    "redirect-uris-not-written",
    Severity.WARNING,
    "Redirect URIs are not managed for a grant that needs one",
    reason="A new client then gets no redirect URI, and for an existing client nobody reviews where codes are sent.",
    source="RFC 6749 section 3.1.2.2",
    fix="Write redirect_uris.",
    bad="""
clients:
  web-shop:
    type: public
    grants: [authorization_code]
""",
    good="""
clients:
  web-shop:
    type: public
    grants: [authorization_code]
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def not_written(context: RuleContext) -> Iterator[Finding]:
    """No redirect_uris beside a grant that redirects."""
    for grant in _REDIRECTING:
        for key, entry in context.clients_with[grant]:
            if (
                not entry.redirect_uris
                and "redirect_uris" not in entry.model_fields_set
                and _first(entry.grants) is grant
            ):
                detail = f"{grant} needs a redirect URI, but redirect_uris is not set."
                yield client_finding(key, "grants", detail)


@rule(
    "redirect-uris-unused",
    Severity.WARNING,
    "None of the client's grants uses its redirect URIs",
    reason="Only the authorization code and implicit grants redirect. An attacker could use an unneeded address "
    "as soon as such a grant is added.",
    source="RFC 6749 sections 3.1.2, 4.3 and 4.4",
    fix="Write redirect_uris: [], or add the grant that uses them.",
    bad="""
clients:
  batch:
    type: confidential
    grants: [client_credentials]
    redirect_uris: ["https://batch.example.com/callback"]
    secret: {value: "${env:BATCH_SECRET}"}
""",
    good="""
clients:
  batch:
    type: confidential
    grants: [client_credentials]
    redirect_uris: []
    secret: {value: "${env:BATCH_SECRET}"}
""",
)
def unused(context: RuleContext) -> Iterator[Finding]:
    """Redirect URIs beside a list of grants of which none redirects."""
    for key, entry in context.clients:
        grants = entry.grants
        if not entry.redirect_uris or grants is None:
            continue
        if Grant.AUTHORIZATION_CODE not in grants and Grant.IMPLICIT not in grants:
            detail = "None of the client's grants redirects."
            yield client_finding(key, "redirect_uris", detail)


def _first(grants: tuple[Grant, ...] | None) -> Grant | None:
    """The grant that a finding names, so that two grants make one finding."""
    return next((grant for grant in _REDIRECTING if grant in (grants or ())), None)


RULES: tuple[Rule, ...] = (duplicate, missing, not_written, unused)
