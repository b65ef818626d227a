"""The desired state without what its servers do not hold: a driver never receives a field that it does not declare.

The rules have reported each such field by then. Most are errors; the others are fields that only the other side needs, or whose
finding the user ignores.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.capabilities import Capabilities, DriverFacts, supports, table_for
from oauthdeploy.model.fields import Model, inner_model
from oauthdeploy.model.held_fields import SECTIONS, field_name, fields_of
from oauthdeploy.model.objects import Object, Trust, Via
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import DesiredState


def held_part(desired: DesiredState, drivers: Mapping[str, DriverFacts]) -> DesiredState:
    """The part of the desired state that its servers hold. Objects stay, however little of them is held."""
    missing = {
        (name, kind): (gaps, _heads(gaps))
        for name, server in desired.servers.items()
        if server.driver in drivers
        for kind in SECTIONS
        if (gaps := _gaps(table_for(drivers[server.driver], server.role), kind))
    }
    less: dict[Any, Object] = {}
    for address, value in desired.objects.items():
        gone, heads = missing.get((address.server, address.kind), _NOTHING)
        if isinstance(value, Trust):
            server = desired.servers[address.server]
            gone = gone | _unused(drivers.get(server.driver), server.role, value.via)
            heads = _heads(gone)
        if heads and not value.model_fields_set.isdisjoint(heads):
            less[address] = _less(value, gone, address.kind)
    return replace(desired, objects={**desired.objects, **less}) if less else desired


_NOTHING: Final = (frozenset[str](), frozenset[str]())


def _gaps(table: Capabilities, kind: Kind) -> frozenset[str]:
    return frozenset(path for path in fields_of(kind) if not supports(table, field_name(kind, path)))


def _unused(facts: DriverFacts | None, role: Role, via: Via) -> frozenset[str]:
    """The fields of a trust that a driver does not use with that way of checking tokens."""
    if facts is None:
        return frozenset()
    return frozenset(
        path for path in fields_of(Kind.TRUST) if not facts.held_field(role, Kind.TRUST, path).is_used_via(via)
    )


@cache
def _heads(gaps: frozenset[str]) -> frozenset[str]:
    return frozenset(path.partition(".")[0] for path in gaps)


def _less(value: Any, gaps: frozenset[str], kind: Kind) -> Any:
    """The same object without those fields; a group that is null becomes null in each field that is held."""
    written: dict[str, Any] = {name: getattr(value, name) for name in type(value).model_fields}
    fields = set(value.model_fields_set)
    for name in fields & _heads(gaps):
        inner = [path for path in fields_of(kind) if path.startswith(f"{name}.")]
        kept = [path for path in inner if path not in gaps]
        if not kept:
            fields.discard(name)
            written[name] = None
        else:
            written[name] = _inside(type(value), name, written[name], [path.partition(".")[2] for path in kept])
            if not written[name].model_fields_set:
                fields.discard(name)
    return type(value).model_construct(fields, **written)


def _inside(model: type[Model], name: str, value: Model | None, kept: list[str]) -> Model:
    group = type(value) if value is not None else inner_model(model, name)
    fields = {path for path in kept if value is None or path in value.model_fields_set}
    return group.model_construct(fields, **{path: getattr(value, path, None) for path in fields})
