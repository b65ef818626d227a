"""What a driver holds of the model's fields, as data: whether, within which limits, and the reason where it does not.

A field that a driver does not name is not held: so a field that is added to the model is refused by name on every server until
a driver says that it holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache, cached_property
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import Model, Transient, leaves, marked
from oauthdeploy.model.objects import MODEL_OF, Via


class Answer(StrEnum):
    """Yes and no are proved against a real server; untested is not."""

    YES = "yes"
    NO = "no"
    UNTESTED = "untested"


class Support(Struct, frozen=True):
    """An answer and a note: the reason for a no, the condition of a yes.

    `deliberate` marks a no that is a choice: the server might take it, and the driver leaves it out for the reason of the note.
    """

    answer: Answer
    note: str = ""
    deliberate: bool = False

    def __bool__(self) -> bool:
        return self.answer is not Answer.NO


def yes(note: str = "") -> Support:
    """Proved to work."""
    return Support(Answer.YES, note)


def no(note: str) -> Support:
    """Cannot be done there; the note says why."""
    return Support(Answer.NO, note)


def left_out(note: str) -> Support:
    """The server might take it there, and the driver never asks it to; the note says why."""
    return Support(Answer.NO, note, deliberate=True)


def untested(note: str = "") -> Support:
    """Should work; nothing has shown it."""
    return Support(Answer.UNTESTED, note)


class Unit(StrEnum):
    """What a server counts when it measures a text."""

    CHARACTERS = "characters"
    UTF16 = "UTF-16 code units"
    UTF8 = "bytes of UTF-8"


_LENGTHS: Final[Mapping[Unit, Callable[[str], int]]] = {
    Unit.CHARACTERS: len,
    Unit.UTF16: lambda text: len(text) + sum(character > "\uffff" for character in text),
    Unit.UTF8: lambda text: len(text.encode("utf-8", "surrogatepass")),
}


class Limit(Struct, frozen=True, dict=True):
    """What a server accepts of a text, of each text of a list, or of a number.

    A text matches `pattern` as a whole and is not longer than `max_length`, counted in `unit`; a number lies between `minimum`
    and `maximum`, both included. `words` say the rule of the pattern.
    """

    pattern: str = ""
    max_length: int | None = None
    words: str = ""
    unit: Unit = Unit.CHARACTERS
    minimum: int | None = None
    maximum: int | None = None

    def breach(self, value: Any) -> str:
        """What is wrong with a value, in words; "" where nothing is. Words such as `never` and null are no numbers."""
        if isinstance(value, Secret):
            return "" if not self._of_text(value.reveal()) else "it is too long, or has forbidden characters"
        if isinstance(value, str):
            return self._of_text(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return ""
        if self.minimum is not None and value < self.minimum:
            return f"{value} is less than {self.minimum}"
        if self.maximum is not None and value > self.maximum:
            return f"{value} is more than {self.maximum}"
        return ""

    def _of_text(self, text: str) -> str:
        if self.max_length is not None and (length := self.length(text)) > self.max_length:
            return f"it has {length} {self.unit}; the maximum is {self.max_length}"
        if self._matches is not None and not self._matches(text):
            return f'"{shortened(text)}" is not {self.words}'
        return ""

    @cached_property
    def _matches(self) -> Callable[[str], re.Match[str] | None] | None:
        return re.compile(self.pattern).fullmatch if self.pattern else None

    def length(self, text: str) -> int:
        """The length of a text as the server counts it."""
        return _LENGTHS[self.unit](text)


def shortened(text: str) -> str:
    """A text as a message shows it."""
    return text if len(text) <= 60 else f"{text[:57]}..."


class HeldField(Struct, frozen=True):
    """What a driver answers about one field of one kind: whether it holds it, within which limit, and the server's default.

    `default` is what null asks for, in the model's words; None where it is not known. `key_stands_in` says that the object's
    key is sent where the field is not written, so the limit is the key's too. `via` are, for a field of a trust, the values of
    `Trust.via` with which the driver uses the field; None: all of them.
    """

    support: Support = field(default_factory=yes)
    limit: Limit | None = None
    default: Any = None
    key_stands_in: bool = False
    via: frozenset[Via] | None = None

    def is_used_via(self, via: Via) -> bool:
        """Whether a driver that holds this field of a trust uses it where the resource server checks tokens that way."""
        return self.via is None or via in self.via


HeldFields = Mapping[Kind, Mapping[str, HeldField]]
"""By kind and dotted path; a group of fields such as `tokens` answers for those in it that are not named."""

SECTIONS: Final[Mapping[Kind, str]] = {
    Kind.SETTINGS: "settings",
    Kind.SCOPE: "scopes",
    Kind.CLIENT: "clients",
    Kind.ASSOCIATION: "associations",
    Kind.TRUST: "trust",
}
"""The kinds whose fields drivers hold, by the word in front of a field's name."""

_APART: Final = frozenset({"options", "secret"})
"""Options have models of the drivers' own; what becomes of a secret is asked by capabilities. What is transient is declared in
`DriverFacts`."""

NOT_HELD: Final = HeldField(no("the driver has no field for it"))


def field_name(kind: Kind, path: str) -> str:
    """The name of a field among the capabilities: `clients.tokens.access_lifetime`."""
    return f"{SECTIONS[kind]}.{path}"


@cache
def fields_of(kind: Kind) -> tuple[str, ...]:
    """The dotted paths of the fields of a kind that a driver holds or does not, in the order of the model."""
    return tuple(held_paths(MODEL_OF[kind]))


def held_paths(model: type[Model]) -> Iterator[str]:
    """The dotted paths of a model that a driver holds or does not."""
    apart = _APART | marked(model, Transient)
    return (path for path in leaves(model) if path.partition(".")[0] not in apart)


def declared(fields: HeldFields, kind: Kind, path: str) -> HeldField:
    """What a driver declares of a field: by its path, or by the nearest group around it; else it does not hold it."""
    known, around = fields.get(kind, {}), path
    while around:
        if around in known:
            return known[around]
        around = around.rpartition(".")[0]
    return NOT_HELD


def every_field(support: Support, *kinds: Kind) -> HeldFields:
    """The same answer for every field of some kinds (none: of all that have fields), for drivers that hold whatever there is."""
    return {kind: {path: HeldField(support) for path in fields_of(kind)} for kind in kinds or tuple(SECTIONS)}
