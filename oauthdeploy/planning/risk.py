"""The risk of a change: of a field by its mark in the model, of a whole object by one table.

Whether a change widens decides when it is made (`ordering`); its risk decides whether it needs a review (`--fail-on`). A
change that cannot be classified counts as widening.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Flag
from functools import cache
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.fields import (
    Amount,
    ForPeople,
    Instruction,
    NaturalKey,
    Opens,
    SafeAt,
    WriteOnly,
    field_at,
    metadata_of,
)
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.planning.changes import Action, FieldChange, Risk
from oauthdeploy.planning.normalize import OPTIONS


class Direction(Flag):
    """Whether a change allows more, less, or both; `SIDEWAYS` is neither."""

    SIDEWAYS = 0
    WIDENS = 1
    NARROWS = 2


class Effect(Struct, frozen=True):
    """The effect of one change of a field or of an object."""

    direction: Direction
    risk: Risk


SIDEWAYS: Final = Effect(Direction.SIDEWAYS, Risk.NONE)
NARROWS: Final = Effect(Direction.NARROWS, Risk.LOW)
UNKNOWN: Final = Effect(Direction.WIDENS, Risk.MEDIUM)

UNCLASSED: Final = Effect(Direction.WIDENS, Risk.HIGH)


def effect_of(kind: Kind, change: FieldChange) -> Effect:
    """The effect of a change of one field, by the field's mark in the model.

    The effect of a driver's own option is unknown: it counts as widening with medium risk. A field of the model without a
    mark has high risk.
    """
    if change.path.startswith(f"{OPTIONS}."):
        return UNKNOWN
    match class_of(kind, change.path):
        case ForPeople():
            return SIDEWAYS
        case NaturalKey():
            return Effect(Direction.SIDEWAYS, Risk.LOW)
        case WriteOnly() | Instruction():
            # A changed instruction sends the secret again, which locks out everyone who still uses the old secret.
            return Effect(Direction.SIDEWAYS, Risk.MEDIUM)
        case SafeAt(value=safe, severe=severe):
            return NARROWS if change.after == safe else Effect(Direction.WIDENS, Risk.HIGH if severe else Risk.MEDIUM)
        case Opens(severe=severe):
            return _entries(change, severe)
        case Amount(endless=endless):
            return _amount(change, endless)
        case _:
            return UNCLASSED


@cache
def class_of(kind: Kind, path: str) -> Any:
    """The mark that decides the risk of a field; None if the model has none."""
    try:
        marks = metadata_of(field_at(MODEL_OF[kind], path))
    except KeyError:
        return None
    return next((mark for mark in marks if isinstance(mark, _CLASSES)), None)


_CLASSES: Final = (ForPeople, NaturalKey, WriteOnly, Instruction, SafeAt, Opens, Amount)


def direction_of(kind: Kind, fields: Iterable[FieldChange]) -> Direction:
    """The combined effect of the fields of an update."""
    found = Direction.SIDEWAYS
    for change in fields:
        found |= effect_of(kind, change).direction
    return found


def risk_of(kind: Kind, action: Action, fields: Iterable[FieldChange]) -> Risk:
    """The risk of a change: for an update that of its riskiest field, otherwise that of its kind and action."""
    if action is Action.UPDATE:
        return max((effect_of(kind, change).risk for change in fields), default=Risk.LOW)
    return _ACTIONS.get((kind, action), Risk.LOW if action in _CUT_OFFS else Risk.MEDIUM)


_CUT_OFFS: Final = (Action.DISABLE, Action.REVOKE)

_ACTIONS: Final[Mapping[tuple[Kind, Action], Risk]] = {
    (Kind.TRUST, Action.CREATE): Risk.HIGH,
    (Kind.TRUST, Action.DELETE): Risk.HIGH,
    (Kind.SETTINGS, Action.CREATE): Risk.MEDIUM,
    (Kind.SCOPE, Action.CREATE): Risk.LOW,
    (Kind.SCOPE, Action.DELETE): Risk.MEDIUM,
    (Kind.CLIENT, Action.CREATE): Risk.LOW,
    (Kind.CLIENT, Action.DELETE): Risk.MEDIUM,
    # The client's tokens, its generated id and its secret are lost.
    (Kind.CLIENT, Action.REPLACE): Risk.HIGH,
    (Kind.ASSOCIATION, Action.CREATE): Risk.MEDIUM,
    (Kind.ASSOCIATION, Action.DELETE): Risk.LOW,
}


def _entries(change: FieldChange, severe: Callable[[Any], bool]) -> Effect:
    """Lists: added entries widen, with the risk of the riskiest one; removed entries narrow."""
    added, removed = change.added, change.removed
    direction = (Direction.WIDENS if added else Direction.SIDEWAYS) | (
        Direction.NARROWS if removed else Direction.SIDEWAYS
    )
    risks = (Risk.HIGH if severe(entry) else Risk.MEDIUM for entry in added)
    return Effect(direction, max(risks, default=Risk.LOW))


def _amount(change: FieldChange, endless: str) -> Effect:
    """A lifetime or a count: a larger one widens, and `endless` is the largest; a word such as `inherit` has no known size."""
    if change.after == endless:
        return Effect(Direction.WIDENS, Risk.HIGH)
    if change.before == endless:
        return NARROWS
    if isinstance(change.before, int) and isinstance(change.after, int):
        return NARROWS if change.after < change.before else UNKNOWN
    return UNKNOWN
