"""Comparison of two live servers, or of what a manifest declares for two environments. Pure.

The items are those of a drift report, read as left against right: `missing` is what only the left side has, `unexpected`
what only the right side has, and in fields, before is left and after is right. An item's address names the server that has
the object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostics, Path
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.held_fields import field_name
from oauthdeploy.model.objects import KIND_OF, OPENS, Object, Side
from oauthdeploy.model.state import UNTOLD, DesiredState, LiveObject, Unheld
from oauthdeploy.planning.changes import FieldChange
from oauthdeploy.planning.drift.classification import DriftClass, DriftItem, in_order
from oauthdeploy.planning.export.client_matching import group_clients, keys_of
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.normalize import OPTIONS, flatten, live_value, same, write_only
from oauthdeploy.planning.omissions import Omission, beyond, lost_between, unheld
from oauthdeploy.planning.plan import ServerSummary
from oauthdeploy.planning.unread import Unread, unread_among

_COMPARED: Final = (Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION)


class SidesCompared(Struct, frozen=True):
    """The differences between two sides. `servers` are those compared, with the number of requests for reading; `unread`
    could not be read. `omissions` were not compared, by object and field; `beyond` says what is never compared.
    """

    left: str
    right: str
    items: tuple[DriftItem, ...]
    servers: tuple[ServerSummary, ...] = ()
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    unread: tuple[Unread, ...] = ()
    omissions: tuple[Omission, ...] = ()
    beyond: str = ""

    @property
    def different(self) -> bool:
        """True if the sides differ in something that could be compared."""
        return any(item.counts for item in self.items)


def compare_servers(
    inventory: Inventory, left: str, right: str, servers: tuple[ServerSummary, ...] = ()
) -> SidesCompared:
    """The differences between two live servers, in the kinds that both support.

    Clients are paired by the manifest's keys, their ids, or their names and versions, as for an export. Secrets, which
    servers do not return, are left out, and so are fields that only one of the servers supports.
    """
    items: list[DriftItem] = []
    omissions: list[Omission] = []
    compared: list[Kind] = []
    lost: dict[str, list[Kind]] = {left: [], right: []}
    keys = _keys(inventory, left, right)
    for kind in _COMPARED:
        if not {left, right} <= set(inventory.holders(kind)) or (
            kind is Kind.SETTINGS and not _shared_sides(inventory, left, right)
        ):
            continue
        unread = [name for name in (left, right) if not inventory.live.readable(name, kind)]
        items += (_unread(inventory, kind, name) for name in unread)
        hidden = [name for name in (left, right) if kind in inventory.live.servers[name].hidden]
        for name in {*unread, *hidden}:
            lost[name].append(kind)
        if not unread:
            pairs = _matched(inventory, kind, left, right, keys)
            items += _pairs(inventory, kind, left, right, pairs)
            omissions += _not_compared(inventory, left, right, pairs)
            compared.append(kind)
    items += _foreign_items(inventory, left, right, compared)
    omissions += _foreign_unknown(inventory, left, right, compared)
    return SidesCompared(
        left,
        right,
        in_order(items),
        servers,
        unread=unread_among(inventory.live, lost),
        omissions=tuple(sorted(set(omissions))),
        beyond="; ".join(filter(None, ("secrets", beyond(inventory, (left, right))))),
    )


def compare_desired(left: str, one: DesiredState, right: str, other: DesiredState) -> SidesCompared:
    """The differences between two environments of a manifest, on every server."""
    items: list[DriftItem] = []
    for address in sorted(one.objects.keys() | other.objects.keys()):
        before, after = one.objects.get(address), other.objects.get(address)
        if before is None or after is None:
            kind, having = (DriftClass.MISSING, one) if after is None else (DriftClass.UNEXPECTED, other)
            items.append(DriftItem(kind, address, "", place=having.places.get(address, ())))
        else:
            items += _changed(address, _desired_differences(before, after), other.places.get(address, ()))
    return SidesCompared(left, right, in_order(items))


Pairs = Mapping[str, tuple[LiveObject | None, LiveObject | None]]
"""The objects of a kind on both sides, by their names."""


def _not_compared(inventory: Inventory, left: str, right: str, pairs: Pairs) -> Iterator[Omission]:
    """What cannot be compared of the objects that both sides have: one of them does not support or return it, or it is unknown
    whether a field that no manifest holds is equal.
    """
    for name, (on_left, on_right) in pairs.items():
        if on_left is None or on_right is None or on_left.built_in:
            continue
        for server, other, item, opposite in ((left, right, on_left, on_right), (right, left, on_right, on_left)):
            address = str(Address(KIND_OF[type(item.value)], name, server))
            open_ones = {
                key: one for key, one in item.unheld.items() if not _is_known(inventory, one, opposite.unheld.get(key))
            }
            yield from unheld(server, address, replace(item, unheld=open_ones))
            yield from lost_between(inventory, server, other, address, item)
            for path in item.incomparable:
                yield Omission(address, path, f"{server} does not return it")


def _is_known(inventory: Inventory, one: Unheld, other: Unheld | None) -> bool:
    """Whether the values of a field that no manifest holds can be compared; where it is absent, it is the usual one."""
    return _twins(inventory) and one.value is not UNTOLD and (other is None or other.value is not UNTOLD)


def _unheld_differences(left: Mapping[str, Unheld], right: Mapping[str, Unheld]) -> Iterator[FieldChange]:
    """The fields that no manifest holds and that are known to differ."""
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key), right.get(key)
        before = one.value if one is not None else other.usual if other is not None else None
        after = other.value if other is not None else one.usual if one is not None else None
        if before is not UNTOLD and after is not UNTOLD and before != after:
            yield FieldChange(key, before, after)


def _foreign_items(inventory: Inventory, left: str, right: str, kinds: Collection[Kind]) -> Iterator[DriftItem]:
    """Objects of other protocols that one side lacks, and what differs of those that servers of one driver make themselves."""
    one, other = inventory.live.servers[left], inventory.live.servers[right]
    if not _alike(inventory):
        return
    for kind, name in sorted({(a.kind, a.name) for a in (*one.foreign, *other.foreign) if a.kind in kinds}):
        sides = [Address(kind, name, server) in state.foreign for server, state in ((left, one), (right, other))]
        if sides != [True, True]:
            found = DriftClass.MISSING if sides[0] else DriftClass.UNEXPECTED
            yield DriftItem(found, Address(kind, name, left if sides[0] else right), "")
    for kind, name in sorted({(a.kind, a.name) for a in (*one.changed_stock, *other.changed_stock) if a.kind in kinds}):
        before, after = (state.changed_stock.get(Address(kind, name, state.server), {}) for state in (one, other))
        yield from _changed(Address(kind, name, right), _unheld_differences(before, after), ())


def _foreign_unknown(inventory: Inventory, left: str, right: str, kinds: Collection[Kind]) -> Iterator[Omission]:
    """Objects of other protocols of which it is not known that they are equal."""
    for server, opposite in ((left, right), (right, left)):
        there = inventory.live.servers[opposite].foreign
        for address, one in inventory.live.servers[server].foreign.items():
            same_there = there.get(Address(address.kind, address.name, opposite))
            if address.kind not in kinds or (_alike(inventory) and same_there is None):
                continue
            if same_there is None or one.value is UNTOLD or one.value != same_there.value:
                yield Omission(str(address), "", one.why)
        for address, fields in inventory.live.servers[server].changed_stock.items():
            if address.kind in kinds and _alike(inventory):
                yield from (Omission(str(address), key, one.why) for key, one in fields.items() if one.value is UNTOLD)


# -- live -------------------------------------------------------------------------------------------------------------


def _keys(inventory: Inventory, left: str, right: str) -> Mapping[tuple[str, str], str]:
    chooses = {name for name in (left, right) if inventory.can(name, Capability.CLIENT_ID_CHOICE)}
    return keys_of(group_clients(inventory.desired, inventory.live, (left, right), chooses))


def _matched(inventory: Inventory, kind: Kind, left: str, right: str, keys: Mapping[tuple[str, str], str]) -> Pairs:
    sides = [_objects_by_name(inventory, kind, name, keys) for name in (left, right)]
    return {name: (sides[0].get(name), sides[1].get(name)) for name in sorted(sides[0].keys() | sides[1].keys())}


def _pairs(inventory: Inventory, kind: Kind, left: str, right: str, pairs: Pairs) -> Iterator[DriftItem]:
    for name, (on_left, on_right) in pairs.items():
        if on_left is None or on_right is None:
            missing = on_right is None
            having = left if missing else right
            place = inventory.desired.places.get(Address(kind, name, having), ())
            found = DriftClass.MISSING if missing else DriftClass.UNEXPECTED
            yield DriftItem(found, Address(kind, name, having), "", place=place)
        else:
            address = Address(kind, name, right)
            fields = _live_differences(inventory, kind, (left, on_left), (right, on_right))
            yield from _changed(address, fields, inventory.desired.places.get(address, ()))


def _objects_by_name(
    inventory: Inventory, kind: Kind, server: str, keys: Mapping[tuple[str, str], str]
) -> dict[str, LiveObject]:
    """The objects of a kind by the names that they have on both sides."""
    found: dict[str, LiveObject] = {}
    for address, item in inventory.live.servers[server].objects.items():
        if address.kind is not kind or (item.built_in and not _alike(inventory)):
            continue
        if kind is Kind.CLIENT:
            found[keys.get((server, address.name), address.name)] = item
        elif kind is Kind.ASSOCIATION:
            client = keys.get((server, address.client), address.client)
            found[Address.association(client, address.scope, server).name] = item
        else:
            found[address.name] = item
    return found


def _live_differences(
    inventory: Inventory, kind: Kind, left: tuple[str, LiveObject], right: tuple[str, LiveObject]
) -> Iterator[FieldChange]:
    model = type(left[1].value)
    flat = [flatten(item.value) for _, item in (left, right)]
    incomparable = left[1].incomparable | right[1].incomparable | write_only(model)
    incomparable |= _undetermined(inventory, kind, (left, right))
    if _alike(inventory):
        yield from _option_differences(inventory.driver(left[0]).name, left[1].options, right[1].options)
    if _twins(inventory):
        yield from _unheld_differences(left[1].unheld, right[1].unheld)
    for path in dict.fromkeys([*flat[0], *flat[1]]):
        if path in incomparable or not all(path in side for side in flat):
            continue
        before, after = (
            live_value(model, path, side[path], inventory.driver(server).defaults.get(kind, {}))
            for side, (server, _) in zip(flat, (left, right), strict=True)
        )
        if not (same(before, after) or same(after, before)):
            yield FieldChange(path, before, after)


def _undetermined(inventory: Inventory, kind: Kind, sides: Iterable[tuple[str, LiveObject]]) -> frozenset[str]:
    """What a scope opens, where a server does not store it, or is an authorization server that stores nothing."""
    if kind is not Kind.SCOPE:
        return frozenset()
    return frozenset(
        path
        for path in OPENS
        for server, item in sides
        if not inventory.can(server, field_name(kind, path))
        or (Side.RESOURCE not in inventory.entry(server).role.sides and not getattr(item.value, path))
    )


def _alike(inventory: Inventory) -> bool:
    """Whether both servers have the same driver, so that its own objects and options mean the same on both."""
    return len({inventory.driver(name).name for name in inventory.live.servers}) == 1


def _twins(inventory: Inventory) -> bool:
    """Whether both servers have the same driver and role, so that a manifest holds the same of both."""
    return _alike(inventory) and len({inventory.entry(name).role for name in inventory.live.servers}) == 1


def _option_differences(driver: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[FieldChange]:
    """The options that differ, down to single keys of nested ones; None is a default."""
    for name in sorted(left.keys() | right.keys()):
        before, after = left.get(name), right.get(name)
        path = f"{OPTIONS}.{driver}.{name}"
        if isinstance(before or {}, Mapping) and isinstance(after or {}, Mapping):
            for key in sorted({*(before or {}), *(after or {})}):
                one, other = (before or {}).get(key), (after or {}).get(key)
                if one != other:
                    yield FieldChange(f"{path}.{key}", one, other)
        elif before != after:
            yield FieldChange(path, before, after)


def _shared_sides(inventory: Inventory, left: str, right: str) -> frozenset[Side]:
    """The sides that both servers have: settings belong to a side, and the resources of scopes to the resource side."""
    return inventory.entry(left).role.sides & inventory.entry(right).role.sides


def _unread(inventory: Inventory, kind: Kind, server: str) -> DriftItem:
    names = {Kind.ASSOCIATION: "*:*"}.get(kind, "" if kind.is_singleton else "*")
    why = inventory.live.servers[server].unreadable[kind]
    return DriftItem(DriftClass.UNREADABLE, Address(kind, names, server), f"{why.summary}. {why.detail}".strip())


# -- wanted -----------------------------------------------------------------------------------------------------------


def _desired_differences(left: Object, right: Object) -> Iterator[FieldChange]:
    """Fields that the two write differently, or that only one writes."""
    flat = [flatten(left), flatten(right)]
    for path in dict.fromkeys([*flat[0], *flat[1]]):
        before, after = flat[0].get(path), flat[1].get(path)
        if before != after or (path in flat[0]) != (path in flat[1]):
            yield FieldChange(path, before, after)
    if getattr(left, "options", None) != getattr(right, "options", None):
        yield FieldChange("options", getattr(left, "options", None), getattr(right, "options", None))


def _changed(address: Address, fields: Iterable[FieldChange], place: Path) -> Iterator[DriftItem]:
    listed = tuple(fields)
    if listed:
        paths = ", ".join(field.path for field in listed)
        yield DriftItem(DriftClass.CHANGED, address, f"Different: {paths}.", listed, place)
