"""Deletes: objects declared absent, and live objects that the manifest does not name, as the policy allows.

    none     no unnamed object is deleted
    managed  clients and scopes with this manifest's mark; associations that a list in the manifest leaves out: the list of a
    client, or that of a scope, which covers all clients, also those that the manifest does not name
    full     every unnamed object is deleted, except those with another manifest's mark

An object with another manifest's mark is deleted only if the manifest declares it absent (`state: absent`), and then behind
the safety stop `foreign-ownership`. The associations of a deleted client are deleted with it and not listed. A scope can be
deleted only when no client is associated with it, so those associations are listed and deleted first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.state import DesiredState, LiveObject, Ownership, Prune
from oauthdeploy.planning.changes import Action, Change, Reason
from oauthdeploy.planning.server_view import DiffItem, LiveItem, ServerView, UnmanagedObject


def unwanted_objects(view: ServerView, kind: Kind, spared: Collection[Address]) -> Iterator[DiffItem]:
    """Deletes and kept objects of clients or scopes, by address. `spared` are live objects that another change handles."""
    mode = view.desired.policy.prune.clients if kind is Kind.CLIENT else view.desired.policy.prune.scopes
    for address, live in sorted(_objects_not_in_manifest(view, kind), key=lambda item: item[0].sort_key):
        if address in spared or address in view.desired.external:
            continue
        if address in view.absent:
            yield view.change(address, Action.DELETE, Reason.MARKED_ABSENT, live=live)
        elif _prunable(mode, live):
            yield view.change(address, Action.DELETE, Reason.NOT_IN_MANIFEST, live=live)
        else:
            yield UnmanagedObject(address)


def unwanted_associations(
    view: ServerView, carried: Mapping[Address, LiveItem], deleted: Mapping[Address, Change]
) -> Iterator[DiffItem]:
    """Deletes and kept objects of associations, by address.

    `carried` are the live associations under their future names, without those that are deleted with their client.
    `deleted` are the deletes of clients and scopes of this server.
    """
    for address in sorted(carried.keys() - view.wanted.keys()):
        former, live = carried[address]
        change = partial(view.change, address, Action.DELETE, live=live, former=former if former != address else None)
        ends = (Address(Kind.SCOPE, address.scope, view.name), Address(Kind.CLIENT, former.client, view.name))
        end = next((deleted[each] for each in ends if each in deleted), None)
        if address in view.absent:
            yield change(Reason.MARKED_ABSENT)
        elif end is not None:
            yield change(end.reason)
        elif _prunable_association(view, address):
            yield change(Reason.NOT_IN_MANIFEST)
        else:
            yield UnmanagedObject(address)
            if view.desired.policy.prune.associations is not Prune.NONE and is_listed(view.desired, address):
                yield _of_another(view, address)


def _of_another(view: ServerView, address: Address) -> Diagnostic:
    client = Address(Kind.CLIENT, address.client, view.name)
    return Diagnostic(
        "listed-association-kept",
        "A client of another manifest has a scope that is not in its list",
        detail=f"{address} stays: {client} is marked as '{view.live.objects[client].owner}'.",
        fix="Remove it in the manifest that the client belongs to, or add it to the list.",
        severity=Severity.WARNING,
        address=str(address),
    )


def _objects_not_in_manifest(view: ServerView, kind: Kind) -> Iterator[LiveItem]:
    return (item for item in view.of_kind(kind) if item[0] not in view.wanted)


def _prunable(mode: Prune, live: LiveObject) -> bool:
    if mode is Prune.FULL:
        return live.ownership is not Ownership.FOREIGN
    return mode is Prune.MANAGED and live.ownership is Ownership.OURS


def _prunable_association(view: ServerView, address: Address) -> bool:
    mode, desired = view.desired.policy.prune.associations, view.desired
    if mode is Prune.NONE:
        return False
    client = Address(Kind.CLIENT, address.client, view.name)
    owner = view.live.objects.get(client)
    if client in view.wanted or owner is None or owner.ownership is not Ownership.FOREIGN:
        return mode is Prune.FULL or is_listed(desired, address)
    return False


def is_listed(desired: DesiredState, address: Address) -> bool:
    """Whether a list in the manifest, of the client or of the scope, covers an association.

    A list covers the servers of its client or scope. The list of an external scope or client covers only this manifest's own
    objects.
    """
    client = Address(Kind.CLIENT, address.client, address.server)
    scope = Address(Kind.SCOPE, address.scope, address.server)
    own_client, own_scope = client in desired.objects, desired.has_scope(address.server, address.scope)
    by_client = own_client or (own_scope and client in desired.external)
    by_scope = own_scope or (own_client and scope in desired.external)
    return (by_client and address.client in desired.listed_clients) or (
        by_scope and address.scope in desired.listed_scopes
    )
