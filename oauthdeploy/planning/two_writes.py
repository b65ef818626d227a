"""Changes that are made in two writes: one that adds, and in the narrowing half one that removes.

    scope x   [a] ───► [a, b] ───────► [b]
    scope y   [b] ───► [a, b] ───────► [a]
                 widen          narrow

If two scopes that swap resources were written one after the other, a resource would temporarily be in neither. So an entry
that such an object loses stays in it until another object has the entry and the clients can reach it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from oauthdeploy.core.addresses import Address
from oauthdeploy.planning.changes import Change, FieldChange, Interim, Stage
from oauthdeploy.planning.normalize import canonical_default

_NARROWING: Final[Mapping[Stage, Stage]] = MappingProxyType(
    {
        Stage.WIDEN_RESOURCE: Stage.NARROW_RESOURCE,
        Stage.WIDEN_AUTHORIZATION: Stage.NARROW_AUTHORIZATION,
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


def in_words(change: Change) -> str:
    """The sentence in a plan about the first of two writes."""
    assert change.interim is not None
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
    assert change.desired is not None
    return replace(
        change,
        desired=change.desired.model_copy(update={path: field.after for path, field in first.items()}),
        fields=tuple(first.get(field.path, field) for field in change.fields),
        interim=None,
    )


def _second(change: Change) -> Change:
    assert change.interim is not None
    final = {field.path: field.after for field in change.fields}
    return replace(
        change,
        stage=_NARROWING[change.stage],
        fields=tuple(FieldChange(field.path, field.after, final[field.path]) for field in change.interim.fields),
        depends_on=(change.address, *change.interim.until),
        interim=None,
    )
