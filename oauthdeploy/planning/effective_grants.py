"""What authorization servers still grant after a plan. No resource server may lose it earlier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, Reason
from oauthdeploy.planning.server_view import DiffItem, UnmanagedObject, trusted_by


class Granted(Struct, frozen=True):
    """The associations of one authorization server, with their scopes and clients, by name."""

    associations: frozenset[str]
    scopes: frozenset[str]
    clients: frozenset[str]

    def holds(self, address: Address) -> bool:
        """Whether a scope, client or association of that name is still granted."""
        names = {Kind.SCOPE: self.scopes, Kind.CLIENT: self.clients, Kind.ASSOCIATION: self.associations}
        return address.name in names.get(address.kind, frozenset())


def granted_after(changes: Iterable[Change], live: LiveState, server: str) -> Granted:
    """What `server` grants after the changes."""
    state = live.servers.get(server)
    pairs = {a for a in state.objects if a.kind is Kind.ASSOCIATION} if state is not None else set()
    gone: set[str] = set()
    for change in changes:
        address = change.address
        if address.server != server:
            continue
        if address.kind is Kind.ASSOCIATION and change.action is Action.DELETE:
            pairs.discard(address)
        elif address.kind is Kind.ASSOCIATION:
            pairs.add(address)
        elif address.kind is Kind.CLIENT and change.action is Action.DELETE:
            gone.add(address.name)
        elif address.kind is Kind.CLIENT and change.former is not None:
            gone.add(change.former.name)
    kept = [address for address in pairs if address.client not in gone]
    return Granted(
        frozenset(address.name for address in kept),
        frozenset(address.scope for address in kept),
        frozenset(address.client for address in kept),
    )


def still_granted(changes: Iterable[Change], desired: DesiredState, live: LiveState) -> Iterator[tuple[Change, str]]:
    """Deletes on resource servers of objects that their authorization server still grants afterwards, with that server's
    name.
    """
    changes = tuple(changes)
    known: dict[str, Granted] = {}
    for change in changes:
        if change.action is not Action.DELETE:
            continue
        trusted = trusted_by(desired, change.address.server)
        if trusted is None or trusted == change.address.server:
            continue
        if trusted not in known:
            known[trusted] = granted_after(changes, live, trusted)
        if known[trusted].holds(change.address):
            yield change, trusted


def withhold_granted(found: Iterable[DiffItem], desired: DesiredState, live: LiveState) -> Iterator[DiffItem]:
    """Keep what a prune would delete on a resource server while the authorization server still grants it, with a finding for
    each.

    Deletes that the manifest itself requests stay in the plan, behind a safety stop. So do those on a server of both roles,
    which has associations of its own with the object.
    """
    found = tuple(found)
    changes = [item for item in found if isinstance(item, Change)]
    granting = {
        change.address: trusted
        for change, trusted in still_granted(changes, desired, live)
        if change.reason is Reason.NOT_IN_MANIFEST and desired.servers[change.address.server].role is Role.RESOURCE
    }
    for item in found:
        if isinstance(item, Change) and item.address in granting:
            yield UnmanagedObject(item.address)
            yield Diagnostic(
                "still-granted",
                "Kept, since it is still granted",
                detail=f"{item.address} would be pruned, but {granting[item.address]} still grants it.",
                fix="Remove its associations there first, or add it to the manifest.",
                severity=Severity.WARNING,
                address=str(item.address),
            )
        else:
            yield item
