"""What a rule is: a description, and for most rules a small function that finds violations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.manifest.rules.context import RuleContext


class Finding(Struct, frozen=True):
    """One violation of a rule.

    `path` leads to the value in the composed document, `detail` says what is wrong with the names in it, `address` is the
    object's, and `fix` replaces the rule's own advice if the finding has better.
    """

    path: Path
    detail: str
    address: str = ""
    fix: str = ""


Check = Callable[[RuleContext], Iterator[Finding]]


class Rule(Struct, frozen=True):
    """One rule of the catalogue.

    `id` never changes; `severity` is the default. `title` is the summary of every finding, `reason` says why the rule exists,
    `source` where that is written, `fix` what to do. `bad` and `good` are parts of a manifest: the first violates this rule,
    the second does not. `check` is None for a `structural` rule: the loader raises it while it reads, and its severity cannot
    be changed, since nothing can be done with such a manifest. `void`: the rule finds what has no effect, and plans show it
    too: an empty plan would otherwise seem to cover everything that is written.
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
        """Yield the rule's findings in `context` as diagnostics without a place in a file."""
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
    """Make a `Rule` of the decorated function; the arguments are those of `Rule`."""

    def make(check: Check) -> Rule:
        return Rule(id, severity, title, reason, source, fix, bad.strip("\n"), good.strip("\n"), check, void=void)

    return make


def client_finding(key: str, field: str, detail: str, fix: str = "") -> Finding:
    """A finding about a field of a client (dotted, as `tokens.refresh_count`; empty: the whole client)."""
    path: Path = ("clients", key, *(field.split(".") if field else ()))
    return Finding(path, detail, object_address(Kind.CLIENT, key), fix)
