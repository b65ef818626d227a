"""Field values: not managed, the server's default, or a value; and the types of values.

A field that was not written is not in `model_fields_set`: it is not managed, never compared, never changed. A field that is
None requests the server's default. An empty list is an empty list.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Annotated, Any, Final, Literal

from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.fields import FieldInfo

from oauthdeploy.core.secrets import Secret, SourcedText, is_named_secret

INT32_MAX: Final = 2**31 - 1


# The modules of the manifest's models have no `from __future__ import annotations`: pydantic would evaluate each annotation from
# its text, at every start and again for each subclass. Their defaults are made with `model_construct`: building a validator for
# each of these models would take longer than anything that it does.


class Model(BaseModel):
    """The base of every object: frozen, strict about keys, and distinguishing unset from null."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True, defer_build=True
    )

    def model_post_init(self, _context: Any) -> None:
        """Share the set of written fields with the objects that write the same: of very many objects, few sets are different."""
        object.__setattr__(self, "__pydantic_fields_set__", one_set(self.__pydantic_fields_set__))


@lru_cache(maxsize=4096)
def _one_set(names: tuple[str, ...]) -> set[str]:
    return set(names)


def one_set(names: Iterable[str]) -> set[str]:
    """The one set of these names, for `model_fields_set` of every object that writes them: nobody may change it."""
    return _one_set(tuple(names))


class SetLike(Struct, frozen=True):
    """Marks a list whose order has no meaning: compared and shown sorted, each entry once."""


class WriteOnly(Struct, frozen=True):
    """Marks a field that servers accept and may never return."""


class NaturalKey(Struct, frozen=True):
    """Marks a field by which a server that generates ids identifies its objects."""


class Needed(Struct, frozen=True):
    """Marks a field that must be held on other sides of OAuth than the authorization side alone, the default."""

    authorization: bool = True
    resource: bool = True


class ForPeople(Struct, frozen=True):
    """Marks a field that is written for people and that no server acts on."""


class Instruction(Struct, frozen=True):
    """Marks a field that instructs oauthdeploy and is not part of a server's state."""


class Transient(Struct, frozen=True):
    """Marks a list that no manifest writes: a change in two writes fills it and empties it again, and what a run that ended in
    between left in it counts as a difference.
    """


class SafeAt(Struct, frozen=True):
    """Marks a choice with one safe value: any other opens something, and if `severe`, too much."""

    value: Any
    severe: bool = True


class Opens(Struct, frozen=True):
    """Marks a list each of whose entries opens something; those for which `severe` returns true, too much."""

    severe: Callable[[Any], bool] = lambda _entry: False


class Amount(Struct, frozen=True):
    """Marks an amount: more of it opens more, and the word `endless` too much."""

    endless: str


class KnownAfterApply:
    """The placeholder for a value that the server will generate."""

    def __repr__(self) -> str:
        return "(known after apply)"


KNOWN_AFTER_APPLY: Final = KnownAfterApply()


class Unparsed(Struct, frozen=True):
    """The placeholder for a server's value that the model cannot represent, such as a lifetime of `5m` seconds.

    `text` shows it as it is: as JSON, on one line, shortened, secrets masked. It equals no value that a manifest can write, so
    it is a difference wherever its field is managed.
    """

    text: str

    def __str__(self) -> str:
        return self.text


def managed(value: Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields that were written, as `(dotted path, value)`; nested models are entered, None is kept."""
    for name in type(value).model_fields:
        if name not in value.model_fields_set:
            continue
        inner = getattr(value, name)
        if isinstance(inner, Model):
            yield from managed(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


@cache
def marked(model: type[Model], mark: type) -> frozenset[str]:
    """The dotted paths of the fields of `model` that carry `mark`."""
    found: set[str] = set()
    for name, info in model.model_fields.items():
        if any(isinstance(meta, mark) for meta in metadata_of(info)):
            found.add(name)
        for inner in _models_in(info.annotation):
            found.update(f"{name}.{path}" for path in marked(inner, mark))
    return frozenset(found)


def leaves(model: type[Model]) -> Iterator[str]:
    """The dotted paths of the fields of `model` that have no fields inside."""
    for name, info in model.model_fields.items():
        inner = list(_models_in(info.annotation))
        if not inner:
            yield name
        for one in inner:
            yield from (f"{name}.{path}" for path in leaves(one))


def inner_model(model: type[Model], name: str) -> type[Model]:
    """The model of a field that groups others. Raises KeyError if the field groups none."""
    found = next(_models_in(model.model_fields[name].annotation), None)
    if found is None:
        raise KeyError(name)
    return found


def field_at(model: type[Model], path: str) -> FieldInfo:
    """The field of `model` at a dotted path. Raises KeyError if there is none."""
    name, _, rest = path.partition(".")
    info = model.model_fields[name]
    if not rest:
        return info
    inner = next((one for one in _models_in(info.annotation) if rest.partition(".")[0] in one.model_fields), None)
    if inner is None:
        raise KeyError(path)
    return field_at(inner, rest)


def metadata_of(info: FieldInfo) -> tuple[Any, ...]:
    """The marks of a field, anywhere in its type."""
    return (*info.metadata, *_metadata_in(info.annotation))


def _metadata_in(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for argument in getattr(annotation, "__args__", ()):
        yield from _metadata_in(argument)


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


# -- booleans ---------------------------------------------------------------------------------------------------------

_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise ValueError("write true or false")
    raise ValueError("write true or false")


Flag = Annotated[bool, BeforeValidator(_boolean, json_schema_input_type=bool)]
"""true or false, as YAML 1.2 spells them; `yes`, `no`, `on` and `off` are strings in YAML 1.2, and refused."""

# -- numbers ----------------------------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z")


def parse_integer(value: Any) -> int:
    """Parse a whole number from a number or a string of digits. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("write a whole number")
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _INTEGER.match(value):
        return int(value)
    raise ValueError("write a whole number")


_Natural = Annotated[int, Field(ge=0)]
_Positive = Annotated[int, Field(ge=1)]
# The bounds come before the validator: after it they would apply, but not reach the JSON Schema.
Natural = Annotated[_Natural, BeforeValidator(parse_integer, json_schema_input_type=_Natural)]
"""A whole number of at least 0."""
Positive = Annotated[_Positive, BeforeValidator(parse_integer, json_schema_input_type=_Positive)]
"""A whole number of at least 1."""

# -- durations --------------------------------------------------------------------------------------------------------

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORT = re.compile(r"([0-9]{1,10})([smhd])\Z")
_ISO = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})W|(?:([0-9]{1,9})D)?(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?)\Z"
)
_DURATION_HELP = "write a duration such as 90s, 10m, 12h, 30d, PT1H, or whole seconds"


def parse_duration(value: Any) -> int:
    """Parse a duration into whole seconds: `90s 10m 12h 30d`, ISO 8601 (`PT1H`, `P30D`, `P2W`), or seconds.

    Raises ValueError. Years and months of ISO 8601 are refused: they have no fixed length.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str):
        if match := _SHORT.match(value):
            seconds = int(match[1]) * _UNITS[match[2]]
        elif match := _ISO.match(value):
            weeks, days, hours, minutes, rest = (int(group or 0) for group in match.groups())
            seconds = weeks * 604800 + days * 86400 + hours * 3600 + minutes * 60 + rest
        elif _INTEGER.match(value):
            seconds = int(value)
        else:
            raise ValueError(_DURATION_HELP)
    else:
        raise ValueError(_DURATION_HELP)
    if seconds < 0:
        raise ValueError("a duration is not negative")
    return seconds


def format_duration(seconds: int) -> str:
    """Format whole seconds in the largest unit that divides them: `3600` becomes `1h`."""
    for unit in ("d", "h", "m"):
        size = _UNITS[unit]
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


_DURATION_SCHEMA: Final = {
    "anyOf": [
        {
            "type": "string",
            "pattern": "^([0-9]{1,10}[smhd]?|P([0-9]+W|([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?))$",
            "examples": ["90s", "10m", "12h", "30d", "PT1H"],
        },
        {"type": "integer", "minimum": 0},
    ]
}

Duration = Annotated[int, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
"""Whole seconds."""


def _word_or(parse: Any, *words: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        if isinstance(value, str) and value in words:
            return str(value)
        try:
            return parse(value)
        except ValueError as error:
            raise ValueError(f"{error}, or {' or '.join(words)}") from None

    return BeforeValidator(read)


def _schema_with(schema: dict[str, Any], *words: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"enum": list(words)}, *schema["anyOf"]]})


Lifetime = Annotated[
    int | Literal["never"],
    _word_or(parse_duration, "never"),
    _schema_with(_DURATION_SCHEMA, "never"),
    Amount(endless="never"),
]
"""Whole seconds, or `never` for what does not expire."""

ClientLifetime = Annotated[
    int | Literal["never", "inherit"],
    _word_or(parse_duration, "never", "inherit"),
    _schema_with(_DURATION_SCHEMA, "inherit", "never"),
    Amount(endless="never"),
]
"""Whole seconds, `never`, or `inherit` for the lifetime in the server's settings."""

RefreshCount = Annotated[
    int | Literal["unlimited"],
    _word_or(parse_integer, "unlimited"),
    _schema_with({"anyOf": [{"type": "integer", "minimum": 0, "maximum": INT32_MAX}]}, "unlimited"),
    Amount(endless="unlimited"),
]
"""How many times an access token can be refreshed; with 0, no refresh token is issued."""

# -- times ------------------------------------------------------------------------------------------------------------


def parse_time(value: Any) -> datetime:
    """Parse an RFC 3339 time with a time zone, into UTC. Raises ValueError."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("write a time such as 2026-11-20T08:00:00Z") from None
        if "T" not in value and " " not in value and "t" not in value:
            raise ValueError("write a date and time such as 2026-11-20T08:00:00Z")
    else:
        raise ValueError("write a time such as 2026-11-20T08:00:00Z")
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: end it with Z or +01:00")
    return moment.astimezone(UTC)


def parse_date(value: Any) -> date:
    """Parse a date such as 2027-01-31. Raises ValueError."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}\Z", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("write a date such as 2027-01-31")


Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T08:00:00Z"]}),
]
Date = Annotated[
    date,
    BeforeValidator(parse_date),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2027-01-31"]}),
]

# -- texts ------------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, SourcedText) and value.sensitive:
        raise ValueError(f"{value.origin} is secret, but this field is shown in plans and reports")
    return value


Text = Annotated[str, BeforeValidator(_plain, json_schema_input_type=str)]
"""A string that may be shown; a value from a secret source is refused."""

TextSet = Annotated[tuple[Text, ...], SetLike(), Field(json_schema_extra={"uniqueItems": True})]
"""A list of strings whose order has no meaning."""


def _sealed(texts: Any) -> Any:
    if not isinstance(texts, Mapping):
        return texts
    return {name: Secret.written(text) if _is_secret(name, text) else text for name, text in texts.items()}


def _is_secret(name: Any, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return (isinstance(value, SourcedText) and value.may_be_secret) or is_named_secret(str(name), value)


SecretsAmongTexts = BeforeValidator(_sealed)
"""For a mapping of a server's own names to texts, of which the server alone knows what they mean: a Secret is made of what
comes from outside the manifest (a variable that is not sensitive may be shown), and of what has the name of a secret.
"""


def _free(value: Any) -> str | Secret:
    if not isinstance(value, str | Secret):
        raise ValueError("write a string")
    return value


FreeText = Annotated[
    str | Secret,
    PlainValidator(_free, json_schema_input_type=str),
    PlainSerializer(lambda value: {"secret": value.origin} if isinstance(value, Secret) else str(value)),
]
"""A text or a secret in such a mapping."""
