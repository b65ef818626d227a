"""Omissions: what an export or a comparison of servers leaves out, by object and field."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.model.held_fields import SECTIONS, field_name
from oauthdeploy.model.objects import KIND_OF, OPENS, Side
from oauthdeploy.model.state import LiveObject, ServerState
from oauthdeploy.planning.changes import Action, FieldChange, Risk
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.normalize import OPTIONS, flatten, live_value, same
from oauthdeploy.planning.risk import risk_of

LEFT_OUT = "export-left-out"
NOT_COMPARED = "not-compared"
WEAKENS = "export-weakens"
"""The rule for an omission that makes a copy less protected than its source."""


class Omission(Struct, frozen=True, order=True):
    """A field of an object that is left out ("": the whole object), why, and the risk of a copy without it."""

    address: str
    field: str
    why: str
    risk: Risk = Risk.LOW
    fix: str = ""


def unheld(server: str, address: str, item: LiveObject) -> Iterator[Omission]:
    """The parts of a live object that a manifest cannot hold."""
    return (Omission(address, key, f"{one.why} ({server})") for key, one in sorted(item.unheld.items()))


def changed_stock(state: ServerState, address: Address) -> Iterator[Omission]:
    """The fields in which an object that a server makes by itself is otherwise there."""
    named = object_address(address.kind, address.name)
    found = state.changed_stock.get(address, {})
    return (Omission(named, key, f"{one.why} ({state.server})") for key, one in sorted(found.items()))


def lost_between(inventory: Inventory, source: str, target: str, address: str, item: LiveObject) -> Iterator[Omission]:
    """The parts of a live object of `source` that are not defaults and that the driver of `target` does not support."""
    kind, driver = KIND_OF[type(item.value)], inventory.driver(source)
    defaults = driver.defaults.get(kind, {})
    for path, value in flatten(item.value).items() if kind in SECTIONS else ():
        opens = path in OPENS and Side.RESOURCE not in inventory.entry(target).role.sides
        if path.startswith("secret.") or opens or not inventory.can(source, field_name(kind, path)):
            continue
        usual = live_value(type(item.value), path, None, defaults)
        support = inventory.tables[target].get(field_name(kind, path))
        if support is not None and not support and not same(usual, value) and value is not None:
            lost = risk_of(kind, Action.UPDATE, [FieldChange(path, value, usual)])
            yield Omission(address, path, f"{target} does not hold it: {support.note}", lost)
    if driver.name != inventory.driver(target).name:
        for name, value in sorted(item.options.items()):
            risk = Risk.HIGH if name in driver.protecting else Risk.LOW
            shown = f" ({_shown(value)})" if not isinstance(value, Mapping) else f" ({', '.join(sorted(value))})"
            yield Omission(
                address,
                f"{OPTIONS}.{driver.name}.{name}",
                f"it is an option of {driver.name}{shown}, which {target} does not have",
                risk,
            )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def findings_of(omissions: Iterable[Omission]) -> Iterator[Diagnostic]:
    """The omissions of an export: one warning for each object and reason."""
    for one, fields in _grouped(omissions):
        weakens = one.risk is Risk.HIGH
        yield Diagnostic(
            WEAKENS if weakens else LEFT_OUT,
            "The copy is weaker than its source" if weakens else "The export leaves something out",
            detail=f"{fields}{one.why}{' (risk: high)' if weakens else ''}.",
            fix=one.fix or ("Protect the copy by other means before you apply." if weakens else ""),
            severity=Severity.WARNING,
            address=one.address,
        )


def not_compared(omissions: Iterable[Omission]) -> Iterator[Diagnostic]:
    """The omissions of a comparison: one note for each object and reason."""
    for one, fields in _grouped(omissions):
        yield Diagnostic(
            NOT_COMPARED,
            "Something is not compared",
            detail=f"{fields}{one.why}.",
            severity=Severity.INFO,
            address=one.address,
        )


def _grouped(omissions: Iterable[Omission]) -> Iterator[tuple[Omission, str]]:
    """One omission for each object and reason, with the names of all its fields."""
    grouped: dict[tuple[str, str, Risk, str], list[Omission]] = defaultdict(list)
    for one in sorted(set(omissions)):
        grouped[one.address, one.why.rstrip("."), one.risk, one.fix].append(one)
    for (_, why, _, _), some in grouped.items():
        named = ", ".join(one.field for one in some if one.field)
        yield replace(some[0], why=why), f"{named}: " if named else ""


def counted_omissions(omissions: Sequence[Omission]) -> str:
    """The number of omitted objects and fields, in words; "" for none."""
    objects = len({one.address for one in omissions if not one.field})
    fields = len({(one.address, one.field) for one in omissions if one.field})
    high = len({(one.address, one.field) for one in omissions if one.risk is Risk.HIGH})
    parts = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((objects, "object"), (fields, "field"))
        if number
    ]
    return " and ".join(parts) + (f", {high} with risk high" if high else "")


def omission_documents(omissions: Iterable[Omission]) -> list[dict[str, str]]:
    """The omissions, for JSON reports."""
    return [
        {"address": one.address, "field": one.field, "reason": one.why, "risk": str(one.risk)}
        for one in sorted(set(omissions))
    ]


def beyond(inventory: Inventory, servers: Iterable[str]) -> str:
    """What these servers hold beyond what was compared, in words; "" for nothing."""
    texts = {inventory.driver(name).title: inventory.driver(name).beyond for name in servers}
    return "; ".join(f"of {title}, {words}" for title, words in sorted(texts.items()) if words)
