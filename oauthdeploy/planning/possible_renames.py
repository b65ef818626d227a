"""Clients that were probably renamed: a removed and a new client look the same, and nothing connects them.

A client that is deleted and created again loses its tokens, and an id or secret that the server generated; `moved_from` keeps
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports
from oauthdeploy.model.objects import Client
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.requirements import table_on
from oauthdeploy.planning.unmanaged import Kept

POSSIBLE_RENAME = "possible-rename"

_COMPARED = ("type", "redirect_uris", "grants", "description", "contacts")
"""Fields that are compared. Names differ in a rename, and secrets cannot be compared."""
_ENOUGH = 2


def possible_renames(
    changes: Sequence[Change],
    kept: Sequence[Kept],
    desired: DesiredState,
    live: LiveState,
    facts: Mapping[str, DriverFacts],
) -> Iterator[Diagnostic]:
    """One finding for each new client that looks like one that is removed or that the manifest no longer names.

    `kept` are the live objects that the manifest leaves alone; `facts` are by driver name.
    """
    going = _going(changes, kept, live)
    for change in changes:
        address, wanted = change.address, change.desired
        if change.action is not Action.CREATE or not isinstance(wanted, Client) or address in desired.moved:
            continue
        server = desired.servers[address.server]
        if not supports(table_on(facts, server, live.servers.get(address.server)), Capability.CLIENT_RENAME):
            continue
        alike = [former for former, client in going.get(address.server, ()) if _is_alike(wanted, client)]
        if len(alike) == 1:
            yield _finding(change, alike[0])


def _going(
    changes: Sequence[Change], kept: Sequence[Kept], live: LiveState
) -> Mapping[str, Sequence[tuple[Address, Client]]]:
    """By server, the live clients that are deleted, and those that no entry of the manifest names."""
    gone = [
        change.address for change in changes if change.action is Action.DELETE and change.address.kind is Kind.CLIENT
    ]
    left = [item.address for item in kept if item.unexpected and item.address.kind is Kind.CLIENT]
    found: dict[str, list[tuple[Address, Client]]] = {}
    for address in (*gone, *left):
        state = live.servers.get(address.server)
        client = state.objects.get(address) if state is not None else None
        if client is not None and isinstance(client.value, Client):
            found.setdefault(address.server, []).append((address, client.value))
    return found


def _is_alike(wanted: Client, former: Client) -> bool:
    """True if every field that the manifest writes and that can be compared is equal, and enough of them are."""
    written = [name for name in _COMPARED if getattr(wanted, name) is not None]
    return len(written) >= _ENOUGH and all(
        _plain(getattr(wanted, name)) == _plain(getattr(former, name)) for name in written
    )


def _plain(value: object) -> object:
    return frozenset(value) if isinstance(value, tuple | frozenset) else value


def _finding(change: Change, former: Address) -> Diagnostic:
    return Diagnostic(
        POSSIBLE_RENAME,
        "A new client looks like one that goes",
        f"{change.address} is created, and it is like {former}, which the manifest no longer names or removes. A new client "
        "starts without the former one's tokens, and with another id and secret where the server makes them.",
        f"Renamed? Write under its new key:\n  moved_from: {former.name}",
        severity=Severity.WARNING,
        address=str(change.address),
        path=change.place,
    )
