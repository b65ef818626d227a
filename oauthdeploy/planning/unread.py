"""Needed kinds and objects that could not be read. While there are any, no run succeeds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.model.state import DesiredState, LiveState, Prune
from oauthdeploy.planning.identities import Names

_WORDS: Final = {"list-filtered": "partly hidden from the account"}
_STATUS: Final = re.compile(r"\banswered ([1-5][0-9]{2})\b")


class Unread(Struct, frozen=True):
    """A kind of a server that the manifest needs and that could not be read, with a short reason such as `403 Forbidden`.

    `hidden` is true if a part of the kind was read: everything that the manifest names, where the account may not see everything
    else, or everything but the object at `address`.
    """

    server: str
    kind: Kind
    why: str
    hidden: bool = False
    address: Address | None = None

    def __str__(self) -> str:
        return f"{self.kind.value if self.kind.is_singleton else f'{self.kind.value}s'} on {self.server} ({self.why})"


def needed_kinds(desired: DesiredState, server: str) -> frozenset[Kind]:
    """The kinds that must be read from a server: those that the manifest names or prunes, and those that these depend on."""
    named = (*desired.objects, *desired.absent, *desired.external)
    here = [address for address in named if address.server == server]
    pruned = pruned_kinds(desired, server)
    kinds = {address.kind for address in here} | pruned
    scopes_go = Kind.SCOPE in pruned or any(address.kind is Kind.SCOPE for address in desired.absent & set(here))
    if scopes_go and desired.keeps_associations(server):
        # A scope cannot be deleted while clients can request it, so its associations must be known.
        kinds.add(Kind.ASSOCIATION)
    if kinds & {Kind.ASSOCIATION, Kind.REVOCATION}:
        # Servers store both with the client, and identify clients by their own ids.
        kinds.add(Kind.CLIENT)
    return frozenset(kinds)


def pruned_kinds(desired: DesiredState, server: str) -> frozenset[Kind]:
    """The kinds of which the server must list all objects, because those that the manifest does not name may be deleted."""
    prune = desired.policy.prune
    found = set()
    if prune.clients is not Prune.NONE:
        found.add(Kind.CLIENT)
    if prune.scopes is not Prune.NONE:
        found.add(Kind.SCOPE)
    listed = bool(desired.listed_clients or desired.listed_scopes)
    associations = prune.associations is Prune.FULL or (prune.associations is Prune.MANAGED and listed)
    if associations and desired.keeps_associations(server):
        found.add(Kind.ASSOCIATION)
    return frozenset(found)


def unread_of(desired: DesiredState, live: LiveState) -> tuple[Unread, ...]:
    """The needed kinds of each server that could not be read, in the order of servers and kinds, then such objects."""
    failed = [
        name for name, state in live.servers.items() if (state.unreadable or state.hidden) and name in desired.servers
    ]
    kinds = unread_among(live, {name: needed_kinds(desired, name) for name in failed})
    objects = sorted(
        (address, found.unread)
        for state in live.servers.values()
        for address, found in state.objects.items()
        if found.unread and address in desired.objects
    )
    return (
        *kinds,
        *(
            Unread(address.server, address.kind, f"{address.without_server}: {why}", hidden=True, address=address)
            for address, why in objects
        ),
    )


def unread_among(live: LiveState, kinds: Mapping[str, Collection[Kind]]) -> tuple[Unread, ...]:
    """Those of `kinds`, by server, that could not be read completely, in the order of servers and kinds."""
    return tuple(
        Unread(name, kind, brief(why), hidden=kind not in state.unreadable)
        for name in sorted(kinds)
        for state in (live.servers[name],)
        for kind in Kind
        if kind in kinds[name] and (why := state.unreadable.get(kind) or state.hidden.get(kind)) is not None
    )


def selected(
    unread: Iterable[Unread], desired: DesiredState, targets: Sequence[str], excludes: Sequence[str], names: Names
) -> tuple[Unread, ...]:
    """Those within a selection: a run with selected objects depends only on these."""
    chosen = [
        address
        for address in (*desired.objects, *desired.absent, *desired.external)
        if (not targets or names.matches(address, targets)) and not names.matches(address, excludes)
    ]
    kinds = {(address.server, address.kind) for address in chosen}
    # An association is stored with its client.
    clients = {
        (address.server, address.client) for address in chosen if address.kind in (Kind.CLIENT, Kind.ASSOCIATION)
    }

    def counts(item: Unread) -> bool:
        if item.address is not None:
            return (item.server, item.address.client) in clients
        return (item.server, item.kind) in kinds and not (item.hidden and targets)

    return tuple(item for item in unread if counts(item))


def not_known(unread: Sequence[Unread]) -> str:
    """`Not known: scopes on login (403 Forbidden).`; "" if everything is known."""
    return f"Not known: {', '.join(str(item) for item in unread)}." if unread else ""


def brief(why: Diagnostic) -> str:
    """A short reason: the status of the response, or else the error."""
    status = _STATUS.search(why.detail)
    if status is None:
        return _WORDS.get(why.rule) or why.rule.replace("-", " ")
    number = int(status[1])
    phrase = next((item.phrase for item in HTTPStatus if item == number), "")
    return f"{number} {phrase}".strip()


def unread_documents(unread: Iterable[Unread]) -> Iterator[dict[str, str | bool]]:
    """For the JSON of plans and reports."""
    for item in unread:
        yield {"server": item.server, "kind": item.kind.value, "why": item.why, "hidden": item.hidden}
