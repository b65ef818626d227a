"""The contents of scopes in an export: one value for all servers, and overrides for those with another. Pure.

An authorization server may store the contents of scopes without using them. So an empty list there, on a server without a
resource side, does not mean that another server must have an empty list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.held_fields import field_name
from oauthdeploy.model.objects import OPENS, Scope, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.values import ExportOptions, Left, can_be_written
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.normalize import flatten, live_value, same


class Contents(Struct, frozen=True):
    """Values by path, overrides by server and path (None removes one), and the paths that YAML cannot represent."""

    values: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    unwritable: list[str] = field(default_factory=list)


def contents_of(
    inventory: Inventory,
    options: ExportOptions,
    name: str,
    sides: Mapping[str, LiveObject],
    left: Collection[Left],
) -> Contents:
    """What the entry of a scope must contain to match its servers; `sides` are the live objects by server."""
    found = Contents()
    flat = {server: flatten(there.value) for server, there in sides.items()}
    written = {
        server: flatten(inventory.desired.objects[Address(Kind.SCOPE, name, server)])
        for server in inventory.placed(Kind.SCOPE, name)
    }
    for path in sorted(OPENS):
        if (Kind.SCOPE.value, name, path) in left or any(path in there.unparsed for there in sides.values()):
            continue
        live = {
            server: live_value(Scope, path, fields[path], {})
            for server, fields in flat.items()
            if path in fields and inventory.can(server, field_name(Kind.SCOPE, path))
        }
        if not live:
            continue
        if not all(can_be_written(value) for value in live.values()):
            found.unwritable.append(path)
            continue
        wanted = {server: fields[path] or () for server, fields in written.items() if path in fields}
        if options.levels:
            _copied(inventory, options, path, live, wanted, found)
        else:
            _shared(inventory, options, path, live, wanted, found)
    return found


def _copied(
    inventory: Inventory,
    options: ExportOptions,
    path: str,
    live: Mapping[str, Any],
    wanted: Mapping[str, Any],
    found: Contents,
) -> None:
    """The source's value for the target too."""
    source, target = options.source or "", options.target or ""
    value = live[source]
    if not value and not (wanted and _has_resource_side(inventory, source)):
        return
    ends = [end for end in (source, target) if inventory.can(end, field_name(Kind.SCOPE, path))]
    if all(end in wanted and same(wanted[end], value) for end in ends):
        return
    found.values[path] = value
    for end in set(ends) & wanted.keys():
        found.overrides[end][path] = None


def _shared(
    inventory: Inventory,
    options: ExportOptions,
    path: str,
    live: Mapping[str, Any],
    wanted: Mapping[str, Any],
    found: Contents,
) -> None:
    """One value, that of the first resource server, and overrides for the servers with another one."""

    def needs(server: str) -> bool:
        if server not in wanted:
            return bool(live[server]) or (options.full and _has_resource_side(inventory, server))
        return not same(wanted[server], live[server])

    if not any(needs(server) for server in live):
        return
    first = next((server for server in live if _has_resource_side(inventory, server)), next(iter(live)))
    base = live[first]
    found.values[path] = base
    for server, value in live.items():
        if not same(value, base):
            found.overrides[server][path] = value
        elif server in wanted and not same(wanted[server], base):
            found.overrides[server][path] = None


def _has_resource_side(inventory: Inventory, server: str) -> bool:
    return Side.RESOURCE in inventory.entry(server).role.sides
