"""The policy of a manifest: patterns that protect nothing, limits that limit nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Finding, Rule, rule
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.model.capabilities import Answer, Capability
from oauthdeploy.model.state import Prune
from oauthdeploy.planning.protection import kinds_of


@rule(
    "protect-pattern-invalid",
    Severity.WARNING,
    "Protect pattern cannot match any address",
    reason="A pattern that does not start with a kind of object protects nothing, although it looks as if it did.",
    source="oauthdeploy manifest, version 1: policy",
    fix="Write kind/name, such as client/admin-*; kinds are settings, scope, client, association, revocation, trust.",
    bad="""
policy:
  protect: [clients/admin-*]
""",
    good="""
clients:
  admin-console: {type: public}
policy:
  protect: [client/admin-*]
""",
)
def pattern_invalid(context: RuleContext) -> Iterator[Finding]:
    """A pattern whose first part is not a kind."""
    for index, pattern in enumerate(context.document.policy.protect):
        if not kinds_of(pattern):
            yield Finding(("policy", "protect", index), f"'{pattern}' does not start with a kind of object.")


@rule(
    "protect-matches-nothing",
    Severity.INFO,
    "Protect pattern matches nothing in this manifest",
    reason="It may still protect objects that exist only on a server. If you meant an object of this manifest, "
    "the name is wrong.",
    source="oauthdeploy manifest, version 1: policy",
    fix="Correct the pattern, or remove it.",
    bad="""
clients:
  admin-console: {type: public}
policy:
  protect: [client/amdin-*]
""",
    good="""
clients:
  admin-console: {type: public}
policy:
  protect: [client/admin-*]
""",
    void=True,
)
def matches_nothing(context: RuleContext) -> Iterator[Finding]:
    """A valid pattern that matches no object of the manifest."""
    for index, pattern in enumerate(context.document.policy.protect):
        kinds = kinds_of(pattern)
        if kinds and not _matches(context, pattern, kinds):
            yield Finding(("policy", "protect", index), f"'{pattern}' matches no object of this manifest.")


def _matches(context: RuleContext, pattern: str, kinds: list[Kind]) -> bool:
    """True if an address matches, with or without its server. The usual pattern, `kind/name*`, is compared with names only."""
    whole = re.compile(translate(pattern)).match
    _, slash, name = pattern.partition("/")
    for kind in kinds:
        if slash and "@" not in name and kind is not Kind.ASSOCIATION:
            matches = re.compile(translate(name)).match
            if any(any(map(matches, context.names(server, kind))) for server in context.servers):
                return True
            continue
        texts = (_text(address) for address in context.desired.objects if address.kind is kind)
        if any(whole(text) or whole(text.rpartition("@")[0]) for text in texts):
            return True
    return False


def _text(address: Address) -> str:
    """The address with its name as it is written in the manifest."""
    return f"{address.kind}/{address.name}@{address.server}" if address.name else f"{address.kind}@{address.server}"


@rule(
    "policy-limit-over-100",
    Severity.ERROR,
    "Limit is above 100%",
    reason="A limit above 100% never stops a plan, so it protects nothing.",
    source="oauthdeploy manifest, version 1: policy",
    fix="Write a share up to 100%, or a count without the percent sign.",
    bad="""
policy:
  limits: {max_deletes: 300%}
""",
    good="""
policy:
  limits: {max_deletes: 30%}
""",
)
def over_100(context: RuleContext) -> Iterator[Finding]:
    """A share of more than 100 percent."""
    limits = context.document.policy.limits
    for field in ("max_deletes", "max_updates"):
        value = getattr(limits, field)
        share = value[:-1].lstrip("0") if value.endswith("%") else ""
        if len(share) > 3 or int(share or "0") > 100:
            yield Finding(("policy", "limits", field), f"{value} is more than all objects.")


@rule(
    "prune-full-unprotected",
    Severity.WARNING,
    "Everything that is not in the manifest is deleted",
    reason="full also deletes objects that other teams or the server itself created, such as the client of an "
    "admin console.",
    source="oauthdeploy manifest, version 1: policy",
    fix="Write managed, or list the objects to keep under policy.protect.",
    bad="""
policy:
  prune: {clients: full}
""",
    good="""
clients:
  admin-console: {type: public}
policy:
  prune: {clients: full}
  protect: [client/admin-*]
""",
)
def full_unprotected(context: RuleContext) -> Iterator[Finding]:
    """prune: full for a kind without any protected object. A pattern that matches nothing in the manifest may match nothing at
    all.
    """
    policy = context.document.policy
    protected = {
        kind
        for pattern in policy.protect
        if (kinds := kinds_of(pattern)) and (_is_glob(pattern) or _matches(context, pattern, kinds))
        for kind in kinds
    }
    for field, kind in (("clients", Kind.CLIENT), ("scopes", Kind.SCOPE), ("associations", Kind.ASSOCIATION)):
        if getattr(policy.prune, field) is Prune.FULL and kind not in protected:
            yield Finding(("policy", "prune", field), f"All {field} that the manifest does not name are deleted.")


def _is_glob(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")


@rule(
    "prune-without-marks",
    Severity.WARNING,
    "Pruning has no effect on a server that cannot store ownership marks",
    reason="managed deletes only objects with this manifest's ownership mark. On a server that cannot store marks, "
    "no object has one.",
    source="oauthdeploy drivers: capability tables",
    fix="Write state: absent for each object to delete, or use full with policy.protect.",
    bad="""
policy:
  prune: {clients: managed}
""",
    good="""
servers:
  login:
    role: authorization
    driver: keycloak
    url: https://keycloak.example.com
    credentials: {username: admin, password: "${env:LOGIN_PASSWORD}"}
    options: {realm: payments}
policy:
  prune: {clients: managed}
""",
    void=True,
)
def without_marks(context: RuleContext) -> Iterator[Finding]:
    """prune: managed for clients or scopes, on servers whose driver cannot store ownership marks."""
    known = [name for name in context.servers if context.writable(name) and context.facts(name) is not None]
    bare = [name for name in known if context.support(name, Capability.MARKS).answer is Answer.NO]
    for field in ("clients", "scopes"):
        if bare and getattr(context.document.policy.prune, field) is Prune.MANAGED:
            names = ", ".join(bare)
            yield Finding(
                ("policy", "prune", field), f"No {field} are pruned on {names}, which cannot store ownership marks."
            )


RULES: tuple[Rule, ...] = (pattern_invalid, matches_nothing, over_100, full_unprotected, without_marks)
