"""Lifetimes of codes and tokens, and how often tokens can be refreshed."""

from __future__ import annotations

from collections.abc import Iterator

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, client_finding, rule
from oauthdeploy.manifest.rules.context import LONGEST_ACCESS, LONGEST_CODE, RuleContext
from oauthdeploy.model.fields import INT32_MAX, format_duration
from oauthdeploy.model.objects import ClientType


@rule(
    "access-token-never-expires",
    Severity.WARNING,
    "Access tokens never expire",
    reason="Anyone who finds a leaked token can use it until it is deleted, and you cannot tell which one to delete.",
    source="RFC 6749 section 10.3; RFC 6750 section 5.3",
    fix="Write a lifetime such as 1h, and grant refresh tokens to clients that need access for longer.",
    bad="""
settings:
  access_token_lifetime: never
""",
    good="""
settings:
  access_token_lifetime: 1h
""",
)
def never_expires(context: RuleContext) -> Iterator[Finding]:
    """never, for a server or for a client."""
    for use in context.lifetimes:
        if use.value == "never" and use.longest == LONGEST_ACCESS:
            yield Finding(use.path, "A leaked token stays valid forever.", use.address)


@rule(
    "access-token-lifetime-long",
    Severity.WARNING,
    "Access tokens live longer than a day",
    reason="The longer a bearer token lives, the longer a stolen copy can be used. An hour or less is recommended.",
    source="RFC 6750 section 5.3; RFC 6749 section 10.3",
    fix="Shorten the lifetime to a day or less; use refresh tokens for longer sessions.",
    bad="""
settings:
  access_token_lifetime: 30d
""",
    good="""
settings:
  access_token_lifetime: 12h
""",
)
def access_long(context: RuleContext) -> Iterator[Finding]:
    """More than 24 hours, within the valid range."""
    for use in context.lifetimes:
        if isinstance(use.value, int) and use.longest == LONGEST_ACCESS < use.value <= INT32_MAX:
            yield Finding(use.path, f"A leaked token stays valid for up to {format_duration(use.value)}.", use.address)


@rule(
    "authorization-code-lifetime-long",
    Severity.WARNING,
    "Authorization codes live longer than ten minutes",
    reason="A client redeems a code within seconds. After that, a longer lifetime only helps someone who stole it.",
    source="RFC 6749 section 4.1.2",
    fix="Write 10m or less.",
    bad="""
settings:
  authorization_code_lifetime: 1h
""",
    good="""
settings:
  authorization_code_lifetime: 5m
""",
)
def code_long(context: RuleContext) -> Iterator[Finding]:
    """never, or more than ten minutes, within the valid range."""
    for use in context.lifetimes:
        if use.value == "never" and use.longest == LONGEST_CODE:
            yield Finding(use.path, "Codes never expire; the maximum is ten minutes.", use.address)
        if isinstance(use.value, int) and use.longest == LONGEST_CODE < use.value <= INT32_MAX:
            detail = f"Codes can be redeemed for {format_duration(use.value)}; the maximum is ten minutes."
            yield Finding(use.path, detail, use.address)


@rule(
    "lifetime-zero",
    Severity.ERROR,
    "A lifetime is 0",
    reason="A code or token with a lifetime of 0 has expired when it arrives. Some servers read 0 as never, which "
    "is the opposite.",
    source="RFC 6749 section 5.1; webMethods Integration Server, Configuring OAuth Settings (1 to 2147483647 seconds)",
    fix="Write at least 1s; write never for tokens that must not expire.",
    bad="""
settings:
  access_token_lifetime: 0s
""",
    good="""
settings:
  access_token_lifetime: 15m
""",
)
def zero(context: RuleContext) -> Iterator[Finding]:
    """A lifetime of zero seconds."""
    for use in context.lifetimes:
        if use.value == 0:
            yield Finding(use.path, "The lifetime is 0 seconds.", use.address)


@rule(
    "lifetime-too-long",
    Severity.ERROR,
    "A lifetime is out of range",
    reason="Servers store lifetimes as 32-bit numbers of seconds. A greater number is refused, or overflows to a "
    "negative one.",
    source="webMethods Integration Server, Configuring OAuth Settings (1 to 2147483647 seconds)",
    fix="Write at most 2147483647 seconds (24855d), or never.",
    bad="""
settings:
  access_token_lifetime: 30000d
""",
    good="""
settings:
  access_token_lifetime: 1d
""",
)
def too_long(context: RuleContext) -> Iterator[Finding]:
    """More than 2147483647 seconds."""
    for use in context.lifetimes:
        if isinstance(use.value, int) and use.value > INT32_MAX:
            yield Finding(use.path, f"{use.value} seconds is more than {INT32_MAX}.", use.address)


@rule(
    "refresh-count-out-of-range",
    Severity.ERROR,
    "Refresh count is out of range",
    reason="Servers store the count as a 32-bit number; some read a negative number as unlimited.",
    source="webMethods Integration Server, Registering Clients (0 to 2147483647)",
    fix="Write 0 to 2147483647, or unlimited.",
    bad="""
clients:
  web-shop:
    type: public
    tokens: {refresh_count: -1}
""",
    good="""
clients:
  web-shop:
    type: public
    tokens: {refresh_count: 10}
""",
)
def count_range(context: RuleContext) -> Iterator[Finding]:
    """A negative count or one of more than 31 bits."""
    for key, entry in context.clients_that_write("tokens"):
        count = entry.tokens.refresh_count if entry.tokens is not None else None
        if isinstance(count, int) and not 0 <= count <= INT32_MAX:
            yield client_finding(key, "tokens.refresh_count", f"{count} is not between 0 and {INT32_MAX}.")


@rule(
    "refresh-unlimited-on-public",
    Severity.WARNING,
    "Public client has refresh tokens that never expire",
    reason="A refresh token is not bound to a public client: anyone who steals it can renew it forever.",
    source="RFC 9700 sections 2.2.2 and 4.14.2",
    fix="Limit tokens.refresh_count, so that people sign in again from time to time.",
    bad="""
clients:
  mobile:
    type: public
    tokens: {refresh_count: unlimited}
""",
    good="""
clients:
  mobile:
    type: public
    tokens: {refresh_count: 30}
""",
)
def unlimited_on_public(context: RuleContext) -> Iterator[Finding]:
    """unlimited on a public client."""
    for key, entry in context.clients_that_write("tokens"):
        if entry.tokens is not None and entry.tokens.refresh_count == "unlimited" and entry.type is ClientType.PUBLIC:
            yield client_finding(
                key, "tokens.refresh_count", f"A refresh token stolen from {key} can be renewed forever."
            )


@rule(
    "refresh-unlimited",
    Severity.INFO,
    "Client has refresh tokens that never expire",
    reason="Users who consented once are never asked again, even if the client has not been used for years.",
    source="RFC 9700 section 4.14.2",
    fix="Limit tokens.refresh_count.",
    bad="""
clients:
  web-shop:
    type: confidential
    tokens: {refresh_count: unlimited}
    secret: {value: "${env:WEB_SHOP_SECRET}"}
""",
    good="""
clients:
  web-shop:
    type: confidential
    tokens: {refresh_count: 100}
    secret: {value: "${env:WEB_SHOP_SECRET}"}
""",
)
def unlimited(context: RuleContext) -> Iterator[Finding]:
    """unlimited on any other client."""
    for key, entry in context.clients_that_write("tokens"):
        if (
            entry.tokens is not None
            and entry.tokens.refresh_count == "unlimited"
            and entry.type is not ClientType.PUBLIC
        ):
            yield client_finding(key, "tokens.refresh_count", f"Access granted to {key} never ends by itself.")


RULES: tuple[Rule, ...] = (
    never_expires,
    access_long,
    code_long,
    zero,
    too_long,
    count_range,
    unlimited_on_public,
    unlimited,
)
