"""What a rule is: a record that explains itself, and for most rules a small function that finds breaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.manifest.rules.context import RuleContext


@dataclass(frozen=True)
class Finding:
    """One breach of a rule.

    `path` leads to the value in the composed document, `detail` says what is wrong with the names in it, `address` is the
    object's, and `fix` replaces the rule's own advice where the finding knows a better one.
    """

    path: Path
    detail: str
    address: str = ""
    fix: str = ""


Check = Callable[[RuleContext], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """One rule of the catalogue.

    `id` never changes; `severity` is what a finding weighs until the user says otherwise. `title` is the summary of every
    finding, `reason` says why the rule is there, `source` where that is written, `fix` what to do. `bad` and `good` are
    parts of a manifest: the first breaks this rule, the second keeps it. `check` is None for a `structural` rule: the
    loader raises it while it reads, and its severity can't be changed, since nothing can be done with such a manifest.
    `void`: it finds what has no effect, and is told in plans too: a plan without changes would pass for all that is written.
    """

    id: str
    severity: Severity
    title: str
    reason: str
    source: str
    fix: str
    bad: str
    good: str
    check: Check | None = None
    structural: bool = False
    void: bool = False

    def diagnose(self, context: RuleContext) -> Iterator[Diagnostic]:
        """Give the rule's findings in `context` as diagnostics without a place in a file."""
        if self.check is None:
            return
        for found in self.check(context):
            yield Diagnostic(
                rule=self.id,
                summary=self.title,
                detail=found.detail,
                fix=found.fix or self.fix,
                severity=self.severity,
                address=found.address,
                path=found.path,
            )


def rule(
    id: str,
    severity: Severity,
    title: str,
    *,
    reason: str,
    source: str,
    fix: str,
    bad: str,
    good: str,
    void: bool = False,
) -> Callable[[Check], Rule]:
    """Make a `Rule` of the function that stands below; the texts are those of `Rule`."""

    def make(check: Check) -> Rule:
        return Rule(id, severity, title, reason, source, fix, bad.strip("\n"), good.strip("\n"), check, void=void)

    return make


def client_finding(key: str, field: str, detail: str, fix: str = "") -> Finding:
    """A finding about a field of a client (dotted, as `tokens.refresh_count`; empty: the client as a whole)."""
    path: Path = ("clients", key, *(field.split(".") if field else ()))
    return Finding(path, detail, object_address(Kind.CLIENT, key), fix)
