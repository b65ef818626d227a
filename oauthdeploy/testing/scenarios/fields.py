"""A round trip and a limit for every field of the model, from what the driver declares; a new field needs no scenario of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, get_args

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.model.capabilities import Capability as Can
from oauthdeploy.model.capabilities import Limit
from oauthdeploy.model.fields import SetLike, field_at, metadata_of
from oauthdeploy.model.held_fields import Unit, field_name, fields_of
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.model.servers import Introspection, Server
from oauthdeploy.planning.normalize import flatten
from oauthdeploy.testing.harness import Bench, Breach, Parts
from oauthdeploy.testing.scenarios.base import (
    SCENARIOS,
    NoHook,
    NotDeclared,
    Run,
    back_and_forth,
    can,
    public,
    require_written,
    sample,
    scenario,
)
from oauthdeploy.testing.scenarios.kinds import simple_scope

_KIND: Final = {
    Kind.SETTINGS: Can.SETTINGS,
    Kind.SCOPE: Can.SCOPES,
    Kind.CLIENT: Can.CLIENTS,
    Kind.ASSOCIATION: Can.ASSOCIATIONS,
}
_PAIR: Final = Address.association("web-shop", "orders.read", "").name
_SIGN: Final = "\U0001f511"
"""A character outside the basic multilingual plane: one character, two UTF-16 code units, four bytes of UTF-8."""


def _parts(bench: Bench, kind: Kind, path: str, value: Any, name: str = "") -> Parts:
    """A manifest of one object in which the field has the value."""
    name = name or ("orders.read" if kind is Kind.SCOPE else "web-shop")
    head, _, inside = path.partition(".")
    written = {head: {inside: value} if inside else value} if head else {}
    match kind:
        case Kind.SETTINGS:
            return {"settings": {"overrides": {bench.site.server: written}}}
        case Kind.SCOPE:
            return {"scopes": {name: simple_scope(bench, **written)}}
        case Kind.ASSOCIATION:
            return {
                "scopes": {"orders.read": simple_scope(bench)},
                "clients": {"web-shop": public()},
                "associations": [{"client": "web-shop", "scopes": ["orders.read"], **written}],
            }
        case _:
            return {"clients": {name: public(**written)}}


def _address(kind: Kind, name: str = "") -> str:
    if kind is Kind.SETTINGS:
        return "settings"
    return f"{kind}/{name or {Kind.SCOPE: 'orders.read', Kind.ASSOCIATION: _PAIR}.get(kind, 'web-shop')}"


# -- round trips --------------------------------------------------------------------------------------------------------


def two_values(kind: Kind, path: str) -> tuple[Any, Any]:
    """Two different values for a field: its examples if it gives two, otherwise values of its type."""
    info = field_at(MODEL_OF[kind], path)
    examples = list(info.examples or ())
    if len(examples) > 1:
        return examples[0], examples[1]
    enums = [one for one in _types(info.annotation) if issubclass(one, StrEnum)]
    members = [member.value for one in enums for member in one]
    if any(isinstance(mark, SetLike) for mark in metadata_of(info)):
        first = examples[0] if examples else ["one"]
        return (members[:1], members[:2]) if members else (first, [*first, f"{first[0]}-2"])
    if members:
        return members[0], members[-1]
    for one in _types(info.annotation):
        if one is bool:
            return True, False
        if one is int:
            return examples[0] if examples else 3, "20m" if "lifetime" in path else 5
    return "The first", 'La "deuxième" - 注文'


def _types(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def _round_trip(kind: Kind, path: str) -> Run:
    def run(bench: Bench) -> None:
        first, second = sample(bench, field_name(kind, path), *two_values(kind, path))
        address = _address(kind)
        back_and_forth(bench, path, address, path, lambda value: _parts(bench, kind, path, value), (first, second))

    run.__doc__ = f"{path} has one value, then another, and the first again"
    return run


# -- trust --------------------------------------------------------------------------------------------------------------

WAYS: Final[Mapping[str, Can]] = {
    "external": Can.TRUST_EXTERNAL,
    "jwt": Can.TRUST_JWT,
    "remote": Can.TRUST_REMOTE,
    "local": Can.TRUST,
}
"""The ways in which a resource server checks tokens."""

_OF_RESOURCE: Final = frozenset({"authorization_server", "audience"})
"""The fields of a trust that are written in the entry of the resource server."""


def trust_entries(path: str, value: Any, trusted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """What the entries of a resource server and of the server it trusts (`trusted`) must say so that a field of the trust has
    the value; None if no manifest can say it.
    """
    if path in _OF_RESOURCE:
        return {path: value}, {}
    if path in Introspection.model_fields:
        return {}, {"introspection": {**trusted.get("introspection", {}), path: value}}
    return ({}, {path: value}) if path in Server.model_fields else None


def _trust_round_trip(path: str) -> Run:
    def run(bench: Bench) -> None:
        targets = {way: bench.site.trusted(way) for way, able in WAYS.items() if can(bench, able)}
        known = list(dict.fromkeys(target for target in targets.values() if target is not None))
        if path in ("authorization_server", "via"):
            if len(known) < 2:
                raise NoHook("trusted, of two servers")
            back_and_forth(bench, path, "trust", path, lambda name: {"server": {"authorization_server": name}}, known)
            return
        first, second = sample(bench, field_name(Kind.TRUST, path), *two_values(Kind.TRUST, path))
        for target in known:

            def parts(value: Any, target: str = target) -> Parts:
                own, other = trust_entries(path, value, bench.site.others.get(target, {})) or ({}, {})
                return {"server": {"authorization_server": target, **own}, "others": {target: other}}

            wanted = bench.manifest(parts(first)).desired.objects[bench.address("trust")]
            if path not in flatten(wanted):
                continue
            planned = bench.settle(f"{path} is {first}", parts(first))
            if path in bench.live(planned, "trust").incomparable:
                continue
            back_and_forth(bench, path, "trust", path, parts, (first, second))
            return
        raise NoHook(f"trusted, in a way to which {path} matters and in which the server tells it")

    run.__doc__ = f"The trust's {path} has one value, then another, and the first again"
    return run


# -- limits -------------------------------------------------------------------------------------------------------------


def _is_measured(kind: Kind, path: str) -> bool:
    """Whether a field has strings or numbers, which can be too long or too large."""
    return bool({str, int} & set(_types(field_at(MODEL_OF[kind], path).annotation)))


def _limit(bench: Bench, kind: Kind, path: str) -> Limit:
    """The limit that the driver declares. Raises NotDeclared if it declares none."""
    facts, role = bench.info.facts, bench.site.role
    found = facts.held_field(role, kind, path).limit if path else facts.names.get(kind)
    if found is None or (found.max_length is None and found.maximum is None):
        raise NotDeclared(f"no limit of {field_name(kind, path)}" if path else f"no limit of {kind}s' names")
    return found


def edge_values(limit: Limit, start: str) -> Iterator[tuple[Any, Any]]:
    """Values at a limit, each with one just beyond it; strings begin with `start`, in ASCII and, if allowed, in other
    characters.
    """
    if limit.maximum is not None:
        yield limit.maximum, limit.maximum + 1
    if limit.max_length is None:
        return
    for sign in ("d", _SIGN):
        size = limit.length(sign)
        room = limit.max_length - limit.length(start)
        whole = start + sign * (room // size) + "d" * (room % size)
        if not limit.breach(whole):
            yield whole, whole + "d"
        if limit.unit is Unit.CHARACTERS:
            return


def _try_limit(kind: Kind, path: str) -> Run:
    def run(bench: Bench) -> None:
        limit = _limit(bench, kind, path)
        first = sample(bench, field_name(kind, path), *two_values(kind, path))[0] if path else "k"
        listed = isinstance(first, list)
        start = str(first[0]) if listed else "k"
        for number, (within, beyond) in enumerate(edge_values(limit, start)):
            inside, outside = (([value] if listed else value) for value in (within, beyond))
            names = (f"in-{number}", f"out-{number}") if path else (within, beyond)
            kept = _parts(bench, kind, path, inside, names[0])
            planned = bench.settle("a value at the limit", kept)
            if path:
                require_written(bench, planned, _address(kind, names[0]), path)
            if not _refused(bench, kept, _parts(bench, kind, path, outside, names[1])):
                raise Breach("the server accepts more than the driver declares")
            bench.rest(kept)

    what = path or "names"
    run.__doc__ = f"The server takes {what} at the declared limit, and refuses the next longer or larger value"
    return run


def _refused(bench: Bench, kept: Parts, parts: Parts) -> bool:
    """Whether an apply of `parts` beside `kept` ends in an error of the server, or stores a value that differs from the written
    one.
    """
    both = {
        section: {**kept.get(section, {}), **content} if section != "settings" else content
        for section, content in parts.items()
    }
    try:
        bench.settle("a value beyond the limit", both)
    except (Breach, OAuthDeployError):
        return True
    return False


def _register() -> None:
    proved = {entry.proves for entry in SCENARIOS.values()}
    for kind, able in _KIND.items():
        for path in fields_of(kind):
            name = field_name(kind, path)
            if name not in proved:
                scenario(f"{name.partition('.')[0]}/{path}", able, proves=name)(_round_trip(kind, path))
    for path in fields_of(Kind.TRUST):
        scenario(f"trust/{path}", Can.TRUST, proves=field_name(Kind.TRUST, path))(_trust_round_trip(path))
    for kind, able in _KIND.items():
        if kind in (Kind.SCOPE, Kind.CLIENT):
            scenario(f"limits/{kind}s", able)(_try_limit(kind, ""))
        for path in filter(lambda path: _is_measured(kind, path), fields_of(kind)):
            name = field_name(kind, path)
            scenario(f"limits/{name}", able, name)(_try_limit(kind, path))


_register()
