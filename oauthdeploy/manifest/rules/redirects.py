"""Redirect URIs: where authorization codes and tokens go, and the first thing that an attacker tries to change."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RedirectUse, RuleContext
from oauthdeploy.model.objects import ClientType

_SCRIPTS = frozenset(("data", "javascript", "vbscript", "view-source"))
_NO_PAGES = frozenset(("about", "blob", "chrome", "file", "filesystem", "ftp", "mailto", "ws", "wss"))
_DANGEROUS = _SCRIPTS | _NO_PAGES


def _found(use: RedirectUse, detail: str, fix: str = "") -> Finding:
    return Finding(use.path, detail, object_address(Kind.CLIENT, use.client), fix)


def _sound(context: RuleContext) -> Iterator[RedirectUse]:
    return (use for use in context.redirects if not use.uri.problem)


def _custom(context: RuleContext) -> Iterator[RedirectUse]:
    return (use for use in _sound(context) if not use.uri.is_web and use.uri.scheme not in _DANGEROUS)


@rule(
    "redirect-uri-malformed",
    Severity.ERROR,
    "Redirect URI is not an absolute URI",
    reason="A server compares redirect URIs character by character. A value that is not an absolute URI never "
    "matches, or matches something that you did not intend.",
    source="RFC 6749 section 3.1.2; RFC 3986 section 4.3",
    fix="Write the whole address, such as https://shop.example.com/callback; percent-encode characters that a URI "
    "cannot contain.",
    bad="""
clients:
  web-shop:
    type: public
    redirect_uris: [shop.example.com/callback]
""",
    good="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def malformed(context: RuleContext) -> Iterator[Finding]:
    """Redirect URIs that are not absolute URIs."""
    for use in context.redirects:
        if use.uri.problem:
            yield _found(use, f'"{use.uri.text}" is not an absolute URI: {use.uri.problem}.')


@rule(
    "redirect-uri-not-https",
    Severity.ERROR,
    "Redirect URI is not secure",
    reason="Over plain HTTP, anyone on the network path can read the authorization code or the token.",
    source="RFC 9700 section 2.6; RFC 6749 section 3.1.2.1; RFC 8252 section 7.3",
    fix="Use https. Plain http is accepted only for loopback addresses.",
    bad="""
clients:
  web-shop:
    type: public
    redirect_uris: ["http://shop.example.com/callback"]
""",
    good="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback", "http://127.0.0.1:8400/callback"]
""",
)
def not_https(context: RuleContext) -> Iterator[Finding]:
    """Plain http to another machine."""
    for use in _sound(context):
        uri = use.uri
        if uri.scheme == "http" and not uri.is_loopback and uri.host != "localhost":
            yield _found(use, f'"{uri.text}" sends authorization codes in clear text.')


@rule(
    "redirect-uri-localhost",
    Severity.WARNING,
    "Redirect URI uses the name localhost",
    reason="The name may resolve to an interface other than loopback, or be blocked by a firewall. The address "
    "avoids both.",
    source="RFC 8252 section 8.3",
    fix="Write 127.0.0.1 or [::1] instead of localhost.",
    bad="""
clients:
  desktop:
    type: public
    redirect_uris: ["http://localhost:8400/callback"]
""",
    good="""
clients:
  desktop:
    type: public
    redirect_uris: ["http://127.0.0.1:8400/callback"]
""",
)
def localhost(context: RuleContext) -> Iterator[Finding]:
    """The name localhost instead of a loopback address."""
    for use in _sound(context):
        if use.uri.scheme == "http" and use.uri.host == "localhost":
            yield _found(use, f'"{use.uri.text}" depends on how the name localhost is resolved.')


@rule(
    "redirect-uri-wildcard",
    Severity.WARNING,
    "Redirect URI has a wildcard",
    reason="A server that reads * as a wildcard sends codes to any matching address, even one that an attacker "
    "chose. Any other server never matches it.",
    source="RFC 9700 sections 2.1 and 4.1.3",
    fix="List each address in full.",
    bad="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/*"]
""",
    good="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback", "https://shop.example.com/silent"]
""",
)
def wildcard(context: RuleContext) -> Iterator[Finding]:
    """An asterisk anywhere in the URI."""
    for use in _sound(context):
        if "*" in use.uri.text:
            yield _found(use, f'"{use.uri.text}" may match more than the client\'s own pages.')


@rule(
    "redirect-uri-fragment",
    Severity.ERROR,
    "Redirect URI has a fragment",
    reason="The server uses the part after # for its response, so the standard forbids it in a redirect URI.",
    source="RFC 6749 section 3.1.2",
    fix="Remove the # and what follows it.",
    bad="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback#done"]
""",
    good="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def fragment(context: RuleContext) -> Iterator[Finding]:
    """A fragment, including an empty one."""
    for use in _sound(context):
        if use.uri.fragment:
            yield _found(use, f'"{use.uri.text}" has a fragment.')


@rule(
    "redirect-uri-userinfo",
    Severity.WARNING,
    "Redirect URI has a user name in it",
    reason="A name before the @ hides the real host from people, and may contain a password that anyone can read.",
    source="RFC 3986 sections 3.2.1 and 7.5; RFC 9110 section 4.2.4",
    fix="Remove everything between // and @.",
    bad="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com@evil.example/callback"]
""",
    good="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def userinfo(context: RuleContext) -> Iterator[Finding]:
    """A user name or password before the host; the detail does not repeat it."""
    for use in _sound(context):
        if use.uri.userinfo:
            yield _found(use, f'The redirect URI points to "{use.uri.host}" and has a user name before the host.')


@rule(
    "redirect-uri-dangerous-scheme",
    Severity.ERROR,
    "Redirect URI has a dangerous scheme",
    reason="Such an address runs a script, opens a local file or leaves the browser. It is never a page of the client.",
    source="RFC 6749 section 3.1.2.1; RFC 8252 section 7",
    fix="Use https, or for a native app a loopback address or a private-use scheme such as com.example.app.",
    bad="""
clients:
  web-shop:
    type: public
    redirect_uris: ["javascript:alert(1)"]
""",
    good="""
clients:
  web-shop:
    type: public
    redirect_uris: ["https://shop.example.com/callback"]
""",
)
def dangerous_scheme(context: RuleContext) -> Iterator[Finding]:
    """Schemes on which no client can receive a response."""
    for use in _sound(context):
        if use.uri.scheme in _DANGEROUS:
            yield _found(use, f'"{use.uri.scheme}:" can\'t safely receive the response of an authorization server.')


@rule(
    "redirect-uri-custom-scheme",
    Severity.INFO,
    "Redirect URI has a private-use scheme",
    reason="Another app on the device can claim the same scheme and receive the code; PKCE makes the code useless "
    "to that app.",
    source="RFC 8252 sections 7.1 and 8.1",
    fix="Require PKCE, or use a claimed https address or a loopback address.",
    bad="""
clients:
  mobile:
    type: public
    redirect_uris: ["com.example.mobile:/callback"]
""",
    good="""
clients:
  mobile:
    type: public
    redirect_uris: ["https://mobile.example.com/callback"]
""",
)
def custom_scheme(context: RuleContext) -> Iterator[Finding]:
    """Schemes of native apps, on clients that may be native apps."""
    for use in _custom(context):
        if use.entry.type is not ClientType.CONFIDENTIAL and "." in use.uri.scheme:
            yield _found(use, f'Other apps can claim the scheme "{use.uri.scheme}".')


@rule(
    "redirect-uri-scheme-without-dot",
    Severity.WARNING,
    "Private-use scheme is not a reversed domain name",
    reason="Only a scheme based on a domain name that you own is safe from accidental use by other vendors' apps.",
    source="RFC 8252 section 7.1",
    fix="Use your own domain name, reversed, such as com.example.mobile:/callback.",
    bad="""
clients:
  mobile:
    type: public
    redirect_uris: ["myapp:/callback"]
""",
    good="""
clients:
  mobile:
    type: public
    redirect_uris: ["https://mobile.example.com/callback"]
""",
)
def scheme_without_dot(context: RuleContext) -> Iterator[Finding]:
    """Schemes of one word, on clients that may be native apps."""
    for use in _custom(context):
        if use.entry.type is not ClientType.CONFIDENTIAL and "." not in use.uri.scheme:
            yield _found(use, f'"{use.uri.scheme}" is not a reversed domain name.')


@rule(
    "redirect-uri-scheme-on-confidential",
    Severity.WARNING,
    "Confidential client has the redirect URI of a native app",
    reason="A private-use scheme belongs to an app on the user's device, and such an app cannot keep a secret.",
    source="RFC 8252 sections 7.1 and 8.4; RFC 6749 section 2.1",
    fix="Make the client public, or use an https address of its server.",
    bad="""
clients:
  mobile:
    type: confidential
    redirect_uris: ["com.example.mobile:/callback"]
    secret: {value: "${env:MOBILE_SECRET}"}
""",
    good="""
clients:
  mobile:
    type: confidential
    redirect_uris: ["https://mobile.example.com/callback"]
    secret: {value: "${env:MOBILE_SECRET}"}
""",
)
def scheme_on_confidential(context: RuleContext) -> Iterator[Finding]:
    """Schemes of native apps on confidential clients."""
    for use in _custom(context):
        if use.entry.type is ClientType.CONFIDENTIAL:
            yield _found(use, f'"{use.uri.text}" is received by an app on the user\'s device.')


RULES: tuple[Rule, ...] = (
    malformed,
    not_https,
    localhost,
    wildcard,
    fragment,
    userinfo,
    dangerous_scheme,
    custom_scheme,
    scheme_without_dot,
    scheme_on_confidential,
)
