"""What a change opens and what it breaks: of fields by the marks of the model, of whole objects by one table.

Widening decides when a change is made (`ordering`), risk decides who should look at it (`--fail-on`). What can't be judged
counts as widening.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Flag
from functools import cache
from typing import Any, Final

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
    """Whether more becomes possible, or less, or both at once; `SIDEWAYS` is neither."""

    SIDEWAYS = 0
    WIDENS = 1
    NARROWS = 2


@dataclass(frozen=True)
class Effect:
    """What one change of a field, or of an object, does."""

    direction: Direction
    risk: Risk


SIDEWAYS: Final = Effect(Direction.SIDEWAYS, Risk.NONE)
NARROWS: Final = Effect(Direction.NARROWS, Risk.LOW)
UNKNOWN: Final = Effect(Direction.WIDENS, Risk.MEDIUM)

UNCLASSED: Final = Effect(Direction.WIDENS, Risk.HIGH)


def effect_of(kind: Kind, change: FieldChange) -> Effect:
    """What the change of one field does, by the mark that the model gives it.

    What a driver's own option does isn't known here, and counts as widening, medium; a field of the model without a mark, high.
    """
    if change.path.startswith(f"{OPTIONS}."):
        return UNKNOWN
    match class_of(kind, change.path):
        case ForPeople():
            return SIDEWAYS
        case NaturalKey():
            return Effect(Direction.SIDEWAYS, Risk.LOW)
        case WriteOnly() | Instruction():
            # An instruction that is a difference sends the secret again. Whoever still uses the old secret is shut out.
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
    """The mark by which changes of a field are judged; None where the model gives it none."""
    try:
        marks = metadata_of(field_at(MODEL_OF[kind], path))
    except KeyError:
        return None
    return next((mark for mark in marks if isinstance(mark, _CLASSES)), None)


_CLASSES: Final = (ForPeople, NaturalKey, WriteOnly, Instruction, SafeAt, Opens, Amount)


def direction_of(kind: Kind, fields: Iterable[FieldChange]) -> Direction:
    """What the fields of an update do together."""
    found = Direction.SIDEWAYS
    for change in fields:
        found |= effect_of(kind, change).direction
    return found


def risk_of(kind: Kind, action: Action, fields: Iterable[FieldChange]) -> Risk:
    """The risk of a change: of its worst field for an update, of its kind and action for all others."""
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
    # The client's tokens, its server-made id and its secret are gone.
    (Kind.CLIENT, Action.REPLACE): Risk.HIGH,
    (Kind.ASSOCIATION, Action.CREATE): Risk.MEDIUM,
    (Kind.ASSOCIATION, Action.DELETE): Risk.LOW,
}


def _entries(change: FieldChange, severe: Callable[[Any], bool]) -> Effect:
    """Lists: what is added widens, as much as its worst entry; what is taken away narrows."""
    added, removed = change.added, change.removed
    direction = (Direction.WIDENS if added else Direction.SIDEWAYS) | (
        Direction.NARROWS if removed else Direction.SIDEWAYS
    )
    risks = (Risk.HIGH if severe(entry) else Risk.MEDIUM for entry in added)
    return Effect(direction, max(risks, default=Risk.LOW))


def _amount(change: FieldChange, endless: str) -> Effect:
    """A lifetime or a count: more widens, `endless` most; a word such as `inherit` can't be measured from here."""
    if change.after == endless:
        return Effect(Direction.WIDENS, Risk.HIGH)
    if change.before == endless:
        return NARROWS
    if isinstance(change.before, int) and isinstance(change.after, int):
        return NARROWS if change.after < change.before else UNKNOWN
    return UNKNOWN
