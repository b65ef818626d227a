"""Changes that are made in two writes: one that adds, and in the narrowing half one that removes.

    scope x   [a] ───► [a, b] ───────► [b]
    scope y   [b] ───► [a, b] ───────► [a]
                 widen          narrow

If two scopes that swap resources were written one after the other, a resource would temporarily be in neither. So an entry
that such an object loses stays in it until another object has the entry and the clients can reach it there.

    trust     login ───► next, and login too ───► next
                  switch                    narrow

In the same way, a resource server that can trust two authorization servers trusts both while it switches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import ALSO_TRUSTED, Object, Trust, Via
from oauthdeploy.planning.changes import Change, FieldChange, Interim, Stage
from oauthdeploy.planning.normalize import canonical_default

_NARROWING: Final[Mapping[Stage, Stage]] = MappingProxyType(
    {
        Stage.WIDEN_RESOURCE: Stage.NARROW_RESOURCE,
        Stage.WIDEN_AUTHORIZATION: Stage.NARROW_AUTHORIZATION,
        Stage.SWITCH_TRUST: Stage.NARROW_RESOURCE,
    }
)


def interim_of(change: Change, moving: Mapping[str, frozenset[str]], until: Iterable[Address]) -> Interim:
    """The first of two writes: `moving` are the entries, by field, that stay until the changes in `until` are made."""
    assert change.desired is not None
    kept = []
    for field in change.fields:
        if staying := tuple(entry for entry in field.removed if str(entry) in moving.get(field.path, ())):
            both = canonical_default(type(change.desired), field.path, (*field.after, *staying))
            kept.append(FieldChange(field.path, field.before, both))
    return Interim(tuple(kept), tuple(sorted(set(until))))


def trusting_both(change: Change, vias: Collection[Via]) -> Interim | None:
    """The first of two writes of a resource server that switches to another authorization server: it trusts both; None if it
    cannot. `vias` are the ways of checking tokens with which it can (`DriverFacts.trusts_two`).
    """
    old, new = change.live.value if change.live is not None else None, change.desired
    if not (isinstance(old, Trust) and isinstance(new, Trust)) or not {old.via, new.via} <= {*vias}:
        return None
    if change.live is None or change.live.unparsed or not old.authorization_server:
        return None
    left = old.also_trusted or ()
    both = {*left} - {new.authorization_server} | {old.authorization_server}
    return Interim((FieldChange(ALSO_TRUSTED, left, tuple(sorted(both))),), ())


def in_words(change: Change) -> str:
    """The sentence in a plan about the first of two writes."""
    assert change.interim is not None
    if change.address.kind is Kind.TRUST:
        now = change.desired.authorization_server if isinstance(change.desired, Trust) else ""
        names = [name for field in change.interim.fields for name in field.after]
        also = ", ".join(f"the former {name}" if name == now else name for name in names)
        return f"In two writes: tokens of {also} are accepted too until the last stage."
    final = {field.path: field.after for field in change.fields}
    staying = sorted({str(e) for field in change.interim.fields for e in field.after if e not in final[field.path]})
    stay = "stays until it" if len(staying) == 1 else "stay until they"
    return f"In two writes: {', '.join(staying)} {stay} can be reached elsewhere."


def write_steps(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The writes for the changes: one for each in their order, followed by the second writes of those that need two."""
    return (*(_first(change) for change in changes), *(_second(change) for change in changes if change.interim))


def _first(change: Change) -> Change:
    if change.interim is None:
        return change
    first = {field.path: field for field in change.interim.fields}
    fields = {field.path: field for field in change.fields} | first
    return replace(change, desired=_with(change, first.values()), fields=tuple(fields.values()), interim=None)


def _second(change: Change) -> Change:
    assert change.interim is not None
    final = {field.path: field.after for field in change.fields}
    # A list that the change as a whole leaves empty is none of its fields.
    fields = [FieldChange(field.path, field.after, final.get(field.path, ())) for field in change.interim.fields]
    return replace(
        change,
        stage=_NARROWING[change.stage],
        desired=_with(change, fields),
        fields=tuple(fields),
        depends_on=(change.address, *change.interim.until),
        interim=None,
    )


def _with(change: Change, fields: Iterable[FieldChange]) -> Object:
    """The desired object with other values of some fields."""
    assert change.desired is not None
    return change.desired.model_copy(update={field.path: field.after for field in fields})
