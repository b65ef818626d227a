"""The published JSON Schemas, and validation of documents that are read back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import NoneType
from typing import Any, Final

from oauthdeploy.core.errors import OAuthDeployError

SCHEMAS: Final = {
    name: f"{name}.v{major}.schema.json"
    for name, major in {
        "manifest": 1,
        "plan": 2,
        "apply": 1,
        "journal": 1,
        "drift": 1,
        "baseline": 1,
        "validation": 1,
        "comparison": 1,
        "export": 1,
        "error": 1,
        "line": 1,
        "event": 1,
        "audit": 1,
        "profile": 1,
        "record": 1,
    }.items()
}
"""The file of each schema, by major format version."""


class SchemaMissing(OAuthDeployError):
    """The installation lacks its schemas."""

    rule = "schema-missing"


def schema_text(name: str) -> str:
    """A published schema. Raises SchemaMissing."""
    package = files("oauthdeploy")
    # Beside the sources in a checkout, inside the package when installed.
    for place in (package / "schemas" / SCHEMAS[name], package / ".." / "schemas" / SCHEMAS[name]):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise SchemaMissing(
        "The schema is not installed",
        detail=f"{SCHEMAS[name]} is missing from the package.",
        fix="Install oauthdeploy again.",
    )


def shape_problem(name: str, document: Any, additions: bool = False) -> str:
    """The first place where the document violates its schema, as a JSON path, and how; "" if it is valid.

    `document` is as `json.loads` returns it. No value of it is quoted. `additions` allows keys that are not in the schema, for
    documents of newer releases.
    """
    schema = _schema(name, additions)
    quick = _quick(name, additions)
    if quick is not None and quick(document):
        return ""
    # Imported here, since most documents are valid.
    from jsonschema import Draft202012Validator

    error = next(Draft202012Validator(schema).iter_errors(document), None)
    if error is None:
        return ""
    while error.context:
        # Of several alternatives, the one that the document matches best.
        error = max(error.context, key=lambda inner: len(inner.path))
    return f"{error.json_path}: {_what(error)}"


def _what(error: Any) -> str:
    """What is wrong, in the schema's terms: the messages of jsonschema would quote the value."""
    wanted = error.validator_value
    match error.validator:
        case "required":
            return f"the key {next(key for key in wanted if key not in error.instance)} is missing"
        case "additionalProperties":
            return f"the key {min(set(error.instance) - set(error.schema.get('properties', ())))} is not known"
        case "type":
            return f"must be {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        case "enum":
            return f"must be one of {', '.join(str(value) for value in wanted)}"
        case "const":
            return f"must be {wanted}"
        case "minimum":
            return f"must be at least {wanted}"
        case "maximum":
            return f"must be at most {wanted}"
        case "pattern":
            return f"must match {wanted}"
        case keyword:
            return f"breaks {keyword} of its schema"


@cache
def _schema(name: str, additions: bool) -> Any:
    import json

    schema = json.loads(schema_text(name))
    return _inlined(schema, schema.get("$defs", {}), additions)


def _inlined(schema: Any, definitions: Mapping[str, Any], additions: bool) -> Any:
    """The schema with its definitions inlined; with `additions`, without `additionalProperties: false`."""
    if isinstance(schema, list):
        return [_inlined(part, definitions, additions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].removeprefix("#/$defs/")], **schema}
    return {
        key: _inlined(part, definitions, additions)
        for key, part in schema.items()
        if key not in ("$ref", "$defs") and not (additions and key == "additionalProperties" and part is False)
    }


# -- the quick check -----------------------------------------------------------------------------------------------------
#
# A journal or a saved plan has tens of thousands of parts, for each of which jsonschema makes objects. What this check accepts is
# valid; anything else is left to jsonschema, which also says what is wrong.

Check = Callable[[Any], bool]

_CLASSES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (NoneType,),
    "object": (dict,),
    "array": (list,),
}
_ANNOTATIONS: Final = frozenset({"$schema", "$id", "title", "description", "examples", "default", "format"})


class _NotQuick(Exception):
    """A schema has a keyword that the quick check does not know."""


@cache
def _quick(name: str, additions: bool) -> Check | None:
    """Whether a document is certainly valid; None if the schema is not simple enough to tell."""
    try:
        return _check(_schema(name, additions))
    except _NotQuick:
        return None


def _check(schema: Any) -> Check:
    if isinstance(schema, bool):
        return lambda _value: schema
    checks = [_KEYWORDS[word](wanted, schema) for word, wanted in schema.items() if _is_checked(word)]
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> bool:
        for one in checks:  # noqa: SIM110  (a generator would cost as much as the checks)
            if not one(value):
                return False
        return True

    return check


def _is_checked(word: str) -> bool:
    if word in _ANNOTATIONS or word in ("then", "else"):
        return False
    if word not in _KEYWORDS:
        raise _NotQuick
    return True


def _type(wanted: str | Sequence[str], _schema: Any) -> Check:
    kinds = [wanted] if isinstance(wanted, str) else wanted
    classes = frozenset(each for kind in kinds for each in _CLASSES[kind])
    # No isinstance: true is no integer. 1.0 is one (JSON Schema 2020-12, core, section 4.2.1).
    if "integer" in kinds and float not in classes:
        return lambda value: value.__class__ in classes or (value.__class__ is float and value.is_integer())
    return lambda value: value.__class__ in classes


def _one_of(wanted: Sequence[Any]) -> Check:
    if any(isinstance(one, list | dict) for one in wanted):
        raise _NotQuick
    allowed = frozenset((_kind(one), one) for one in wanted)
    return lambda value: not isinstance(value, list | dict) and (_kind(value), value) in allowed


def _kind(value: Any) -> type:
    """1 and 1.0 are equal (JSON Schema 2020-12, core, section 4.2.2); 1 and true are not."""
    return float if value.__class__ is int else value.__class__


def _pattern(wanted: str, _schema: Any) -> Check:
    search = re.compile(wanted).search
    return lambda value: value.__class__ is not str or search(value) is not None


def _bound(wanted: float, sign: int) -> Check:
    return lambda value: value.__class__ not in (int, float) or sign * value >= sign * wanted


def _required(wanted: Sequence[str], _schema: Any) -> Check:
    names = frozenset(wanted)
    return lambda value: value.__class__ is not dict or names <= value.keys()


def _properties(wanted: Mapping[str, Any], _schema: Any) -> Check:
    checks = tuple((name, _check(part)) for name, part in wanted.items())

    def check(value: Any) -> bool:
        return value.__class__ is not dict or all(name not in value or one(value[name]) for name, one in checks)

    return check


def _additional(wanted: Any, schema: Mapping[str, Any]) -> Check:
    if "patternProperties" in schema:
        raise _NotQuick
    known, one = frozenset(schema.get("properties", ())), _check(wanted)
    if wanted is False:
        return lambda value: value.__class__ is not dict or value.keys() <= known
    return lambda value: value.__class__ is not dict or all(one(value[name]) for name in value.keys() - known)


def _names(wanted: Any, _schema: Any) -> Check:
    one = _check(wanted)
    return lambda value: value.__class__ is not dict or all(map(one, value))


def _items(wanted: Any, schema: Mapping[str, Any]) -> Check:
    if "prefixItems" in schema:
        raise _NotQuick
    one = _check(wanted)
    return lambda value: value.__class__ is not list or all(map(one, value))


def _any_of(wanted: Sequence[Any], _schema: Any) -> Check:
    checks = [_check(part) for part in wanted]
    return lambda value: any(one(value) for one in checks)


def _all_of(wanted: Sequence[Any], _schema: Any) -> Check:
    checks = [_check(part) for part in wanted]
    return lambda value: all(one(value) for one in checks)


def _if(wanted: Any, schema: Mapping[str, Any]) -> Check:
    condition, then, other = _check(wanted), _check(schema.get("then", True)), _check(schema.get("else", True))
    return lambda value: then(value) if condition(value) else other(value)


_KEYWORDS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], Check]]] = {
    "type": _type,
    "const": lambda wanted, _schema: _one_of([wanted]),
    "enum": lambda wanted, _schema: _one_of(wanted),
    "pattern": _pattern,
    "minimum": lambda wanted, _schema: _bound(wanted, 1),
    "maximum": lambda wanted, _schema: _bound(wanted, -1),
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "anyOf": _any_of,
    "allOf": _all_of,
    "if": _if,
}


def without_nulls(part: Mapping[str, Any]) -> dict[str, Any]:
    """A definition whose properties do not allow null."""
    if "properties" not in part:
        return dict(part)
    offered = part["properties"]
    needed = [name for name in offered if {"type": "null"} not in offered[name].get("anyOf", ())]
    return {
        **part,
        "properties": {name: _without_null(inner) for name, inner in offered.items()},
        "required": needed,
    }


def _without_null(part: Mapping[str, Any]) -> dict[str, Any]:
    """Unknown values are left out of a document and never null, so the schema does not allow null."""
    out = {key: value for key, value in part.items() if key not in ("default", "title")}
    choices = [choice for choice in out.pop("anyOf", ()) if choice != {"type": "null"}]
    return {**choices[0], **out} if choices else out
