"""The semantic checks of a manifest: one small function and one stable id for each rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.rules import (
    contradictions,
    grants,
    lifetimes,
    limits,
    names,
    policy,
    redirect_lists,
    redirects,
    revocations,
    secrets,
    servers,
    settings,
    sides,
    structural,
    supported,
    trusting,
)
from oauthdeploy.manifest.rules.base import Rule
from oauthdeploy.manifest.rules.context import RuleContext

__all__ = ["CATALOGUE", "Rule", "RuleContext", "check_all"]

_RULES: tuple[Rule, ...] = (
    *servers.RULES,
    *trusting.RULES,
    *settings.RULES,
    *lifetimes.RULES,
    *redirects.RULES,
    *redirect_lists.RULES,
    *grants.RULES,
    *secrets.RULES,
    *names.RULES,
    *limits.RULES,
    *sides.RULES,
    *supported.RULES,
    *contradictions.RULES,
    *revocations.RULES,
    *policy.RULES,
    *structural.RULES,
)

CATALOGUE: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in sorted(_RULES, key=lambda rule: rule.id)})
"""Every rule by its id, sorted."""


def check_all(context: RuleContext) -> Iterator[Diagnostic]:
    """Return the findings of all rules, rule by rule; each has a path into the composed document and no place in a file."""
    for rule in _RULES:
        yield from rule.diagnose(context)
