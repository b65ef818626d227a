"""Objects that `policy.protect` keeps from being deleted, by any of their names, and patterns that match nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, Reason
from oauthdeploy.planning.identities import Names

_SHOWN: Final = 5


def kinds_of(pattern: str) -> list[Kind]:
    """The kinds whose addresses a pattern can match."""
    head = re.split(r"[/@]", pattern, maxsplit=1)[0]
    matches = re.compile(translate(head)).match
    return [kind for kind in Kind if matches(kind) or ("*" in head and head == pattern)]


def protected_objects(changes: Sequence[Change], desired: DesiredState, live: LiveState) -> Iterator[Diagnostic]:
    """A delete or replacement of an object that `policy.protect` names, or of the client of such an association."""
    patterns = desired.policy.protect
    if not patterns:
        return
    names = Names(desired, live)
    lost = [change for change in changes if change.action in (Action.DELETE, Action.REPLACE)]
    for change in lost:
        if names.matches(change.address, patterns):
            yield _protected(change.address, f"{change.address} is protected, and the plan would {change.action} it.")
    clients = {change.address for change in lost if change.address.kind is Kind.CLIENT}
    for address in _associations_of(live, clients) if clients else ():
        if names.matches(address, patterns):
            yield _protected(address, f"{address} is protected, and the plan would delete its client.")


def idle_patterns(changes: Sequence[Change], desired: DesiredState, live: LiveState) -> Iterator[Diagnostic]:
    """A pattern that matches nothing of a kind that is pruned: the object that it was meant for may be among the deleted
    ones.
    """
    pruned = [c for c in changes if c.action is Action.DELETE and c.reason is Reason.NOT_IN_MANIFEST]
    if not pruned or not desired.policy.protect:
        return
    names = Names(desired, live)
    known = sorted({*live.objects, *desired.objects})
    for position, pattern in enumerate(desired.policy.protect):
        kinds = kinds_of(pattern)
        deletes = [str(change.address) for change in pruned if change.address.kind in kinds]
        if not deletes or any(address.kind in kinds and names.matches(address, (pattern,)) for address in known):
            continue
        more = f" and {len(deletes) - _SHOWN} more" if len(deletes) > _SHOWN else ""
        yield Diagnostic(
            "protects-nothing",
            "A protect pattern protects nothing, and the plan would prune",
            detail=f"'{pattern}' matches no object. The plan would delete {', '.join(deletes[:_SHOWN])}{more}.",
            fix="Write the object's label or id as the plan shows it; remove the pattern if you do not need it; or "
            "lift the rule once with --allow protects-nothing.",
            path=("policy", "protect", position),
        )


def _protected(address: Address, detail: str) -> Diagnostic:
    return Diagnostic(
        "protected-object",
        "A protected object would be deleted",
        detail=detail,
        fix="Remove it from policy.protect if it may be deleted, or override the rule once with --allow protected-object.",
        address=str(address),
    )


def _associations_of(live: LiveState, clients: Iterable[Address]) -> Iterator[Address]:
    wanted = set(clients)
    for server in sorted({client.server for client in wanted} & live.servers.keys()):
        for address in sorted(a for a in live.servers[server].objects if a.kind is Kind.ASSOCIATION):
            if Address(Kind.CLIENT, address.client, server) in wanted:
                yield address
