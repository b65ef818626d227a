"""Safety stops: what a plan must not do unless `--allow` names the rule. One function for each rule.

Each takes a `SafetyInput` and returns findings with the relevant numbers. A stop does not change the plan.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import UsageError
from oauthdeploy.model.objects import Client, Revocation, Side
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Ownership
from oauthdeploy.planning.changes import Action, Change, Lockout, Reason, Risk
from oauthdeploy.planning.effective_grants import still_granted
from oauthdeploy.planning.protection import idle_patterns, protected_objects
from oauthdeploy.planning.risk import Direction, effect_of
from oauthdeploy.planning.server_view import trusted_by

_SHOWN: Final = 5
_COUNTED: Final = (Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION)


class SafetyInput(Struct, frozen=True):
    """The parts of a future plan. `accounts` maps a server to the account that the tool uses there; `lockouts` are changes
    that would lock a driver out.
    """

    changes: Sequence[Change]
    desired: DesiredState
    live: LiveState
    accounts: Mapping[str, str]
    lockouts: Sequence[Lockout] = ()


Check = Callable[[SafetyInput], Iterator[Diagnostic]]


def check_safety(
    changes: Sequence[Change],
    desired: DesiredState,
    live: LiveState,
    accounts: Mapping[str, str],
    lockouts: Sequence[Lockout] = (),
) -> Diagnostics:
    """All stops for the changes, by rule and address. Raises UsageError for a limit that is not a number or percentage."""
    given = SafetyInput(changes, desired, live, accounts, lockouts)
    return Diagnostics.of(found for check in CHECKS for found in check(given))


RISK_RULE: Final = "risk-too-high"


def check_risk(changes: Sequence[Change], limit: Risk) -> Diagnostics:
    """The stop for changes with a risk of `limit` or greater, for `--fail-on`."""
    found = [change for change in changes if change.risk >= limit]
    if not found:
        return Diagnostics()
    names = ", ".join(f"{change.address} ({change.risk})" for change in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return Diagnostics.of(
        [
            Diagnostic(
                RISK_RULE,
                "The risk of a change is too high",
                detail=f"--fail-on {limit}: {names}{more}.",
                fix=f"Check the plan; then leave --fail-on out, or override the rule once with --allow {RISK_RULE}.",
            )
        ]
    )


# -- thresholds -------------------------------------------------------------------------------------------------------


def too_many_deletes(given: SafetyInput) -> Iterator[Diagnostic]:
    """More deletes and replacements of a kind on a server than `max_deletes`. A percentage applies to any population if all
    of it is deleted.
    """
    limit = given.desired.policy.limits.max_deletes
    actions = (Action.DELETE, Action.REPLACE)
    yield from _too_many(given, "too-many-deletes", actions, "deleted", "max_deletes", limit, _emptied(given))


def too_many_updates(given: SafetyInput) -> Iterator[Diagnostic]:
    """More updates of a kind on a server than `max_updates`."""
    limit = given.desired.policy.limits.max_updates
    yield from _too_many(given, "too-many-updates", (Action.UPDATE,), "changed", "max_updates", limit)


def _emptied(given: SafetyInput) -> frozenset[tuple[Kind, str]]:
    """The kinds of which a server has several objects and would keep none, because the manifest declares none there."""
    gone = Counter(
        (change.address.kind, change.address.server) for change in given.changes if change.action is Action.DELETE
    )
    if not gone:
        return frozenset()
    population, present = _population(given.live), _present(given)
    return frozenset(
        place
        for place, count in gone.items()
        if place[0] in (Kind.SCOPE, Kind.CLIENT) and 1 < population[place] == count and place not in present
    )


def _present(given: SafetyInput) -> frozenset[tuple[Kind, str]]:
    """The kinds of which the manifest declares an object, by server."""
    return frozenset((address.kind, address.server) for address in given.desired.objects)


def _too_many(
    given: SafetyInput,
    rule: str,
    actions: Iterable[Action],
    done: str,
    option: str,
    limit: str,
    emptied: Collection[tuple[Kind, str]] = (),
) -> Iterator[Diagnostic]:
    allowed, is_share = parse_limit(limit)
    minimum = given.desired.policy.limits.minimum_population
    chosen = frozenset(actions)
    touched = Counter(
        (change.address.kind, change.address.server) for change in given.changes if change.action in chosen
    )
    population = _population(given.live) if touched else Counter()
    for (kind, server), count in sorted(touched.items(), key=lambda item: (item[0][1], item[0][0].rank)):
        if kind not in _COUNTED:
            continue
        living = population[kind, server]
        # A percentage means little for a small population: one of two clients is half of them.
        counts = living >= minimum or (kind, server) in emptied
        too_many = counts and count * 100 > allowed * living if is_share else count > allowed
        if too_many:
            share = f", which is {count * 100 / living:.0f}%" if living else ""
            yield Diagnostic(
                rule,
                f"Too many objects would be {done}",
                detail=f"{count} of {living} {kind}s on {server} would be {done}{share}; the limit is {limit}.",
                fix=f"Check the plan. Raise policy.limits.{option}, or override the rule once with --allow {rule}.",
            )


def parse_limit(text: str) -> tuple[int, bool]:
    """Parse `30%` or `30`; return the number and whether it is a percentage. Raises UsageError."""
    if not re.fullmatch(r"[0-9]{1,9}%?", text):
        raise UsageError(f"'{text}' is not a limit", fix="Write a share such as 30%, or a count such as 12.")
    return int(text.removesuffix("%")), text.endswith("%")


def _population(live: LiveState) -> Counter[tuple[Kind, str]]:
    return Counter((address.kind, server) for server, state in live.servers.items() for address in state.objects)


# -- objects that must not change -------------------------------------------------------------------------------------


def protected_object(given: SafetyInput) -> Iterator[Diagnostic]:
    """A delete or a replacement of what `policy.protect` names."""
    yield from protected_objects(given.changes, given.desired, given.live)


def protects_nothing(given: SafetyInput) -> Iterator[Diagnostic]:
    """A prune while a pattern of `policy.protect` matches no object."""
    yield from idle_patterns(given.changes, given.desired, given.live)


def foreign_ownership(given: SafetyInput) -> Iterator[Diagnostic]:
    """A change of an object with another manifest's mark; an association belongs to the owner of its client."""
    for change in given.changes:
        owner = _owner(given, change)
        if owner is not None and owner.ownership is Ownership.FOREIGN:
            yield Diagnostic(
                "foreign-ownership",
                "An object belongs to another manifest",
                detail=f"{change.address} is marked as '{owner.owner or 'unknown'}', not as '{given.desired.name}'.",
                fix="Change it in the manifest that owns it, or override the rule once with --allow foreign-ownership.",
                address=str(change.address),
                path=change.place,
            )


def _owner(given: SafetyInput, change: Change) -> LiveObject | None:
    if change.address.kind is not Kind.ASSOCIATION:
        return change.live
    if change.live is not None and change.live.ownership is Ownership.FOREIGN:
        return change.live
    if Address(Kind.CLIENT, change.address.client, change.address.server) in given.desired.external:
        # The manifest associates its own scope with another manifest's client, which itself does not change.
        return None
    server = change.address.server
    state = given.live.servers.get(server)
    return state.objects.get(Address(Kind.CLIENT, change.address.client, server)) if state is not None else None


# -- manifests that look empty by accident ----------------------------------------------------------------------------


def empty_manifest(given: SafetyInput) -> Iterator[Diagnostic]:
    """A manifest without any scope, client and association that would prune something."""
    pruned = _pruned(given)
    if pruned and not _filled(given):
        yield Diagnostic(
            "empty-manifest",
            "The manifest is empty, and the plan would delete objects",
            detail=f"The manifest has no scope, client or association, and {sum(pruned.values())} would be deleted.",
            fix="Check that the right files were read, or override the rule once with --allow empty-manifest.",
        )


def empty_section(given: SafetyInput) -> Iterator[Diagnostic]:
    """A server on which a kind would be pruned of which the manifest declares no object there.

    A list that is written as empty is intended.
    """
    filled = _filled(given)
    if not filled:
        return
    for (kind, server), count in sorted(_pruned(given).items(), key=lambda item: (item[0][1], item[0][0].rank)):
        if (kind, server) in filled:
            continue
        yield Diagnostic(
            "empty-section",
            "A section is empty, and the plan would delete objects",
            detail=f"No {kind} is written for {server}, and {count} there {'is' if count == 1 else 'are'} to be deleted.",
            fix=f"Check the {kind}s of the manifest and their `on:`, or override the rule once with --allow empty-section.",
        )


def _pruned(given: SafetyInput) -> Counter[tuple[Kind, str]]:
    return Counter(
        (change.address.kind, change.address.server)
        for change in given.changes
        if change.action is Action.DELETE and change.reason is Reason.NOT_IN_MANIFEST
    )


def _filled(given: SafetyInput) -> frozenset[tuple[Kind, str]]:
    """The counted kinds of which the manifest declares an object, by server; a written list of associations counts, even an
    empty one.
    """
    desired = given.desired
    kinds = {place for place in _present(given) if place[0] in _COUNTED}
    if desired.listed_clients or desired.listed_scopes:
        kinds |= {(Kind.ASSOCIATION, server) for server in desired.servers if desired.keeps_associations(server)}
    return frozenset(kinds)


# -- lockouts ---------------------------------------------------------------------------------------------------------


def self_lockout(given: SafetyInput) -> Iterator[Diagnostic]:
    """A change that locks out the tool's own account, or the client with which resource servers introspect.

    The driver knows what else a sign-in depends on (`Driver.lockouts`).
    """
    known = {found.change.address for found in given.lockouts}
    for found in given.lockouts:
        yield _lockout(found.change, found.why, found.rule or "self-lockout")
    for change in given.changes:
        if change.address.kind not in (Kind.CLIENT, Kind.REVOCATION) or not _shuts_out(change):
            continue
        server = change.address.server
        names = _names_of(change)
        account = given.accounts.get(server, "")
        if account and account in names and change.address not in known:
            yield _lockout(change, f"oauthdeploy signs in to {server} as '{account}'")
        introspection = given.desired.servers[server].introspection
        # Introspection requires an authenticated caller (RFC 7662 section 2.1): without it, resource servers
        # refuse every token.
        callers = (introspection.client_id, introspection.username) if introspection is not None else ()
        for caller in callers:
            if caller and caller in names:
                yield _lockout(change, f"resource servers ask {server} about tokens as '{caller}'")


def _shuts_out(change: Change) -> bool:
    if change.action in (Action.DELETE, Action.REPLACE, Action.DISABLE, Action.REVOKE):
        return True
    if change.action is not Action.UPDATE:
        return False
    kind = change.address.kind
    # The server entry still has the old credentials until someone writes the new ones.
    changed = any(field.path in ("secret.value", "name", "version") for field in change.fields)
    return changed or any(
        Direction.NARROWS in effect_of(kind, field).direction
        for field in change.fields
        if field.path in ("enabled", "grants", "type")
    )


def _names_of(change: Change) -> frozenset[str]:
    """Every name by which a server may know the client of a change."""
    if isinstance(change.desired, Revocation):
        return frozenset({change.desired.client, change.desired.owner or ""})
    names = {change.address.name}
    if change.live is not None:
        names.add(change.live.identity)
    for value in (change.desired, change.live.value if change.live is not None else None):
        if isinstance(value, Client) and value.name:
            names.add(value.name)
    return frozenset(names)


def _lockout(change: Change, why: str, rule: str = "self-lockout") -> Diagnostic:
    return Diagnostic(
        rule,
        "The plan would lock out oauthdeploy or a resource server",
        detail=f"{change.address} ({change.action}): {why}.",
        fix=f"Use another account, client or address first, or override the rule once with --allow {rule}.",
        address=str(change.address),
        path=change.place,
    )


# -- guards that need both sides --------------------------------------------------------------------------------------


def still_granted_object(given: SafetyInput) -> Iterator[Diagnostic]:
    """A delete on a resource server of an object that its authorization server still grants afterwards."""
    for change, trusted in still_granted(given.changes, given.desired, given.live):
        yield Diagnostic(
            "still-granted",
            "A resource server would lose what is still granted",
            detail=f"{change.address} would be deleted, and {trusted} still grants it: its tokens would be refused.",
            fix=f"Remove its associations on {trusted} too, or override the rule once with --allow still-granted.",
            address=str(change.address),
            path=change.place,
        )


def unreadable_guard(given: SafetyInput) -> Iterator[Diagnostic]:
    """Changes on one side whose order depends on a kind that could not be read on the other."""
    widened = {c.address.server for c in given.changes if c.address.kind is Kind.ASSOCIATION and _makes(c)}
    dropped = {c.address.server for c in given.changes if c.action is Action.DELETE and c.address.kind in _COUNTED[:2]}
    for name in sorted(given.desired.servers):
        trusted = trusted_by(given.desired, name)
        if trusted is None or trusted == name:
            continue
        if trusted in widened:
            for kind in _COUNTED if given.desired.keeps_associations(name) else _COUNTED[:2]:
                if _unread(given.live, name, kind):
                    yield _unguarded(name, kind, f"{trusted} would grant scopes that {name} might not know")
        if name in dropped and _unread(given.live, trusted, Kind.ASSOCIATION):
            yield _unguarded(trusted, Kind.ASSOCIATION, f"{name} would lose scopes that {trusted} might still grant")
    for server in sorted(dropped):
        if Side.AUTHORIZATION in given.desired.servers[server].role.sides and _unread(
            given.live, server, Kind.ASSOCIATION
        ):
            yield _unguarded(server, Kind.ASSOCIATION, "what is deleted there might still be granted")


def _makes(change: Change) -> bool:
    return change.action is Action.CREATE


def _unread(live: LiveState, server: str, kind: Kind) -> bool:
    state = live.servers.get(server)
    return state is not None and kind in state.unreadable


def _unguarded(server: str, kind: Kind, why: str) -> Diagnostic:
    return Diagnostic(
        "unreadable-guard",
        "A safety check could not be made",
        detail=f"The {kind}s of {server} could not be read: {why}.",
        fix="Let oauthdeploy read them, or override the rule once with --allow unreadable-guard.",
    )


CHECKS: Final[tuple[Check, ...]] = (
    too_many_deletes,
    too_many_updates,
    protected_object,
    protects_nothing,
    foreign_ownership,
    empty_manifest,
    empty_section,
    self_lockout,
    still_granted_object,
    unreadable_guard,
)
