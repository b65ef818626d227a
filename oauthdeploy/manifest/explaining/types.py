"""Describes the types of a value in words, from its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from msgspec import Struct
from pydantic import WithJsonSchema

from oauthdeploy.model.fields import Duration

Schema = Mapping[str, Any]

REFERENCE: Final = "#/$defs/Reference"
_WRITTEN: Final = next(
    meta.json_schema["anyOf"][0]
    for meta in get_args(Duration)
    if isinstance(meta, WithJsonSchema) and meta.json_schema is not None
)
_DURATION: Final = _WRITTEN["pattern"]
_DURATIONS: Final = _WRITTEN["examples"]
OWN_KEYS: Final = "a mapping of the keys below"
_FORMATS: Final = {"date-time": "a time", "date": "a date"}


class Shape(Struct, frozen=True):
    """The description of a schema: its types in words, its keywords, the mappings with known keys in it, examples, and whether
    null is allowed.
    """

    words: tuple[str, ...]
    values: tuple[str, ...]
    objects: tuple[Schema, ...]
    examples: tuple[Any, ...]
    description: str
    nullable: bool
    is_list: bool
    is_set: bool
    is_text: bool
    is_duration: bool


def shape_of(schema: Schema, definitions: Schema) -> Shape:
    """Read a schema; `definitions` resolve its references."""
    branches = list(_branches(schema, definitions))
    types = {branch.get("type") for branch in branches}
    return Shape(
        words=_unique(_words(branch, definitions) for branch in branches if not _repeats_a_text(branch, branches)),
        values=_unique(value for branch in branches for value in _values(branch, definitions)),
        objects=tuple(part for branch in branches for part in _objects(branch, definitions)),
        examples=tuple(example for branch in branches for example in branch.get("examples", ())),
        description=next((str(branch["description"]) for branch in branches if "description" in branch), ""),
        nullable="null" in types,
        is_list="array" in types,
        is_set=any(branch.get("uniqueItems", False) for branch in branches),
        is_text="number" in types,
        is_duration=any(branch.get("pattern") == _DURATION for branch in branches),
    )


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, words)))


def _repeats_a_text(branch: Schema, branches: Sequence[Schema]) -> bool:
    """Whether a number is only how editors read a string of digits, which another branch allows."""
    is_number = branch.get("type") == "integer" and "maximum" not in branch
    return is_number and any(other.get("type") == "string" and "pattern" in other for other in branches)


def _branches(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    """The alternatives of a schema, with references resolved, but without the one that any value may be a reference ${...}."""
    reference = schema.get("$ref")
    if reference == REFERENCE:
        return
    if isinstance(reference, str):
        yield from _branches(definitions[reference.rpartition("/")[2]], definitions)
    elif "anyOf" in schema:
        for part in schema["anyOf"]:
            yield from _branches(part, definitions)
    else:
        yield schema


def _objects(branch: Schema, definitions: Schema) -> Iterator[Schema]:
    """The mappings with known keys in a branch: itself, its items, or the values of its names."""
    if "properties" in branch:
        yield branch
        return
    for inner in _inner(branch):
        for part in _branches(inner, definitions):
            yield from _objects(part, definitions)


def _inner(branch: Schema) -> Iterator[Schema]:
    """The schema of a list's items or of a mapping's values."""
    for part in (
        branch.get("items"),
        branch.get("additionalProperties"),
        *branch.get("patternProperties", {}).values(),
    ):
        if isinstance(part, Mapping):
            yield part


def _values(branch: Schema, definitions: Schema) -> Iterator[str]:
    yield from (str(value) for value in branch.get("enum", ()))
    if isinstance(branch.get("const"), str):
        yield str(branch["const"])
    if branch.get("type") == "array":
        for part in _branches(branch["items"], definitions):
            yield from _values(part, definitions)


def _words(branch: Schema, definitions: Schema) -> str:
    if "enum" in branch:
        values = [str(value) for value in branch["enum"]]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if "const" in branch:
        return str(branch["const"])
    match branch.get("type"):
        case "null":
            return ""
        case "boolean":
            return "true or false"
        case "integer":
            return f"a whole number{_bounds(branch)}"
        case "array":
            inner = shape_of(branch["items"], definitions).words
            return f"a list of {' or '.join(_plural(word) for word in inner)}"
        case "object":
            return _mapping(branch, definitions)
        case _:
            return _text(branch)


def _text(branch: Schema) -> str:
    if branch.get("pattern") == _DURATION:
        return f"a duration: {', '.join(_DURATIONS)}, or whole seconds"
    if branch.get("format") in _FORMATS:
        examples = branch.get("examples", ())
        return f"{_FORMATS[branch['format']]} such as {examples[0]}" if examples else _FORMATS[branch["format"]]
    if "pattern" in branch:
        longest = f", of at most {branch['maxLength']} characters" if "maxLength" in branch else ""
        return f"a string that matches {branch['pattern']}{longest}"
    return "a string" if "type" in branch else "anything"


def _bounds(branch: Schema) -> str:
    # If a bound is beside null, pydantic writes it as `ge` and `le`.
    low, high = branch.get("minimum", branch.get("ge")), branch.get("maximum", branch.get("le"))
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" from {low} on" if low is not None else ""


def _mapping(branch: Schema, definitions: Schema) -> str:
    if "properties" in branch:
        return OWN_KEYS
    inner = [word for part in _inner(branch) for word in shape_of(part, definitions).words]
    if not inner:
        return "a mapping"
    return f"a mapping of names to {' or '.join(dict.fromkeys(_plural(word) for word in inner))}"


def _plural(word: str) -> str:
    if word.startswith("one of "):
        return f"({word.removeprefix('one of ')})"
    head, space, rest = word.removeprefix("a ").partition(" ")
    if word.startswith("a ") and head in ("string", "mapping", "list"):
        return f"{head}s{space}{rest.replace('that matches', 'that match')}"
    return word
