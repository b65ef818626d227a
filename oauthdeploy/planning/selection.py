"""Part of a plan: `--target` with dependencies, and `--exclude` with dependants."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import UsageError
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.plan import Plan


def select(plan: Plan, targets: Sequence[str], excludes: Sequence[str], names: Names) -> Plan:
    """The same plan with fewer changes; a pattern matches an object by any of its `names`.

    A targeted change includes the changes that it depends on. An excluded change also excludes the changes that depend on
    it, which would otherwise fail or leave a gap. The plan's findings report both, and patterns that match nothing.
    """
    if not targets and not excludes:
        return plan
    found: list[Diagnostic] = [
        _no_match(pattern) for pattern in (*targets, *excludes) if not _matches_any(plan, pattern, names)
    ]
    kept = {change.address for change in plan.changes}
    if targets:
        named = {change.address for change in plan.changes if names.matches(change.address, targets)}
        kept = _closure(plan.changes, named, forward=False)
        found += [
            _dependency_finding("target-pulled-in", "Included by --target", address) for address in sorted(kept - named)
        ]
    if excludes:
        named = {change.address for change in plan.changes if names.matches(change.address, excludes)}
        gone = _closure(plan.changes, named, forward=True)
        found += [
            _dependency_finding("exclude-shielded", "Left out by --exclude", address)
            for address in sorted((gone - named) & kept)
        ]
        kept -= gone
    changes = tuple(change for change in plan.changes if change.address in kept)
    return replace(plan, changes=changes, diagnostics=plan.diagnostics + Diagnostics.of(found))


def is_selected(address: Address, targets: Sequence[str], excludes: Sequence[str], names: Names) -> bool:
    """Whether a selection is about the object at an address."""
    return (not targets or names.matches(address, targets)) and not names.matches(address, excludes)


def restrict_to(plan: Plan, addresses: Collection[Address]) -> Plan:
    """The same plan with the changes of these addresses and those that they depend on."""
    named = {change.address for change in plan.changes if change.address in addresses}
    kept = _closure(plan.changes, named, forward=False)
    return replace(plan, changes=tuple(change for change in plan.changes if change.address in kept))


def require_known(patterns: Sequence[tuple[str, str]], known: Collection[Address], names: Names) -> None:
    """Reject patterns that match no object, desired or live: a typing error would select or exclude nothing.

    `patterns` are flags with their globs, which match an object by any of its `names`. Raises UsageError with the most
    similar addresses.
    """
    lost = [
        (flag, pattern)
        for flag, pattern in patterns
        if not any(names.matches(address, (pattern,)) for address in known)
    ]
    if not lost:
        return
    written = sorted({text for address in known for text in (str(address), address.without_server)})
    near = {name for _flag, pattern in lost for name in difflib.get_close_matches(pattern, written, n=3, cutoff=0.5)}
    suggestion = f"Did you mean {', '.join(sorted(near))}? " if near else ""
    raise UsageError(
        "A selection matches nothing",
        detail="\n".join(
            f"{flag} '{pattern}' matches no object of the manifest or of its servers." for flag, pattern in lost
        ),
        fix=f"{suggestion}An address is kind/name@server, such as client/web-shop@login; * matches any characters.",
    )


def _matches_any(plan: Plan, pattern: str, names: Names) -> bool:
    return any(names.matches(change.address, (pattern,)) for change in plan.changes)


def _closure(changes: Sequence[Change], start: set[Address], *, forward: bool) -> set[Address]:
    """Everything reachable from `start`: dependants when `forward`, else dependencies."""
    edges: dict[Address, set[Address]] = {}
    for change in changes:
        for needed in change.waits_for:
            source, target = (needed, change.address) if forward else (change.address, needed)
            edges.setdefault(source, set()).add(target)
    reached, waiting = set(start), list(start)
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached


def _dependency_finding(rule: str, summary: str, address: Address) -> Diagnostic:
    return Diagnostic(
        rule,
        summary,
        detail=f"{address} and the selected changes depend on each other.",
        severity=Severity.INFO,
        address=str(address),
    )


def _no_match(pattern: str) -> Diagnostic:
    return Diagnostic(
        "selection-matches-nothing",
        "A selection matches no change",
        detail=f"'{pattern}' matches no address in this plan.",
        fix="Ignore this if the object is already as you want it; otherwise copy an address from the plan.",
        severity=Severity.INFO,
    )
