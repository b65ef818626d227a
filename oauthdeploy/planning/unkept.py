"""Fields that a server does not store as they are sent, so that no plan asks for the same again and again.

The journal of a run remembers them. A field for people is planned twice; if the server has the same other value after both runs,
a finding takes the place of the change. A field that decides who may do what is planned until it is in force, and each plan says
why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.planning.changes import Change, FieldChange, Risk
from oauthdeploy.planning.json_documents import json_value
from oauthdeploy.planning.risk import Direction, effect_of

NOT_KEPT: Final = "field-not-kept"
TRIED_AGAIN: Final = "tried-again"

_TRIES: Final = 2
"""So many runs send a field for people; a single one may have met a fault that is over."""


class Unkept(Struct, frozen=True):
    """A field that a server did not store as it was sent.

    `address` is that of the object as it is written, `sent` and `kept` are JSON values, a secret as its origin. `runs` is the
    number of runs, one after the other, that sent it with the same result.
    """

    address: str
    path: str
    sent: Any
    kept: Any
    runs: int = 1

    @property
    def key(self) -> tuple[str, str]:
        """Which field of which object it is."""
        return self.address, self.path

    def is_repeated(self, field: FieldChange) -> bool:
        """Whether a planned change of the field would send the same again, to a server that has the same as then."""
        return (
            self.path == field.path and self.sent == json_value(field.after) and self.kept == json_value(field.before)
        )


def unkept_of(address: Address, field: FieldChange) -> Unkept:
    """A field of which a second look showed that `before` stands there, and not `after`."""
    return Unkept(str(address), field.path, json_value(field.after), json_value(field.before))


def is_for_people(kind: Kind, field: FieldChange) -> bool:
    """Whether the change of a field neither gives nor takes a right, as that of a description or a name."""
    effect = effect_of(kind, field)
    return effect.direction is Direction.SIDEWAYS and effect.risk <= Risk.LOW


def without_hopeless(
    address: Address, fields: Iterable[FieldChange], known: Mapping[tuple[str, str], Unkept], place: Path
) -> tuple[tuple[FieldChange, ...], tuple[Diagnostic, ...]]:
    """The fields of a change that are worth sending, and a finding for each that was sent before and is not in force."""
    kept: list[FieldChange] = []
    found: list[Diagnostic] = []
    for field in fields:
        item = known.get((str(address), field.path))
        if item is None or not item.is_repeated(field):
            kept.append(field)
        elif item.runs >= _TRIES and is_for_people(address.kind, field):
            found.append(_given_up(item, place))
        else:
            kept.append(field)
            found.append(_tried_again(item, place))
    return tuple(kept), tuple(found)


def remembered(plan: Iterable[Unkept], made: Iterable[Change], seen: Iterable[Unkept]) -> Iterator[Unkept]:
    """What is known after a run: `plan` is what was known before, `made` are the changes of the run, `seen` is what a second
    look at them showed.
    """
    before = {item.key: item for item in plan}
    sent = {(str(change.address), field.path) for change in made for field in change.fields}
    now = {item.key: item for item in seen if item.key in sent}
    yield from (item for key, item in before.items() if key not in sent)
    for key, item in now.items():
        former = before.get(key)
        again = former is not None and (former.sent, former.kept) == (item.sent, item.kept)
        yield Unkept(item.address, item.path, item.sent, item.kept, former.runs + 1 if former and again else 1)


def _given_up(item: Unkept, place: Path) -> Diagnostic:
    return Diagnostic(
        NOT_KEPT,
        "A field is not planned, because the server does not store it as it is written",
        detail=f"{item.path}: {_told(item)}. It is not sent again.",
        fix="Write the value as the server stores it, or leave the field out so that it is not managed.",
        severity=Severity.WARNING,
        address=item.address,
        path=place,
    )


def _tried_again(item: Unkept, place: Path) -> Diagnostic:
    return Diagnostic(
        TRIED_AGAIN,
        "A field is sent again, because the server did not store it",
        detail=f"{item.path}: {_told(item)}. It is not in force until the server stores it.",
        fix="Check whether the server supports the value; then write one that it stores, or leave the field out.",
        severity=Severity.WARNING,
        address=item.address,
        path=place,
    )


def _told(item: Unkept) -> str:
    times = "the last apply" if item.runs == 1 else f"the last {item.runs} applies"
    return f"{times} sent {_shown(item.sent)}, and the server still has {_shown(item.kept)}"


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, Mapping):
        return "a secret" if value.keys() == {"secret"} else "an object"
    return str(value).lower() if isinstance(value, bool) else str(value)
