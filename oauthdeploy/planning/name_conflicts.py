"""Name conflicts: names in use, which a server would reject in the middle of an apply, found while planning.

On a server that identifies clients by name and version, a client cannot be created or renamed while another one has both,
even if the plan deletes that one, because creates come before deletes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.objects import Object
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.diff import NAME_TAKEN


def name_conflicts(
    changes: Sequence[Change], desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts]
) -> Iterator[Diagnostic]:
    """One finding for each change that needs the name of another live object; `facts` are by driver name."""
    holders: dict[tuple[str, Kind], Mapping[tuple[Any, ...], Address]] = {}
    for change in changes:
        address, known = change.address, facts[desired.servers[change.address.server].driver]
        fields = known.unique.get(address.kind, ())
        if not fields or change.desired is None or change.action is Action.REPLACE or not _names(change, fields):
            continue
        place = (address.server, address.kind)
        if place not in holders:
            holders[place] = _taken(live, address.server, address.kind, fields)
        values = _asked(change, fields, known.defaults.get(address.kind, {}))
        holder = holders[place].get(values)
        if holder is not None and holder not in (address, change.live_address):
            yield _conflict(change, holder, fields, values)


def _names(change: Change, fields: Sequence[str]) -> bool:
    """Whether the change gives the object a name."""
    return change.action is Action.CREATE or any(field.path in fields for field in change.fields)


def _taken(live: LiveState, server: str, kind: Kind, fields: Sequence[str]) -> Mapping[tuple[Any, ...], Address]:
    state = live.servers.get(server)
    objects = state.objects.items() if state is not None else ()
    return {
        tuple(getattr(found.value, field) for field in fields): address
        for address, found in objects
        if address.kind is kind
    }


def _asked(change: Change, fields: Sequence[str], defaults: Mapping[str, Any]) -> tuple[Any, ...]:
    below: Object | None = change.live.value if change.live is not None else None
    return tuple(_value(change.desired, below, field, defaults, change.address.name) for field in fields)


def _value(wanted: Object | None, below: Object | None, field: str, defaults: Mapping[str, Any], key: str) -> Any:
    written, stands = getattr(wanted, field), getattr(below, field, None)
    if written is not None:
        return written
    return stands if stands is not None else defaults.get(field, key)


def _conflict(change: Change, holder: Address, fields: Sequence[str], values: Sequence[Any]) -> Diagnostic:
    shown = " and ".join(f"{field} '{value}'" for field, value in zip(fields, values, strict=True))
    fix = (
        f"Write moved_from: {holder.name} to keep that {holder.kind} under its new key, choose another {fields[0]}, or delete it "
        "in an apply of its own."
    )
    return Diagnostic(
        NAME_TAKEN,
        "The name is already in use",
        f"{holder} has {shown}, and {change.address.server} lets only one {holder.kind} have that: {change.address} cannot be "
        f"{'made' if change.action is Action.CREATE else 'called so'}.",
        fix,
        address=str(change.address),
        path=change.place,
    )
