"""The published JSON Schemas, and validation of documents that are read back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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

_CLASSES: Final = {"string": str, "boolean": bool, "integer": int, "null": NoneType}
_ANNOTATIONS: Final = frozenset({"title", "description", "examples"})


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

    No value of the document is quoted. `additions` allows keys that are not in the schema, for documents of newer releases.
    """
    error = next(_validator(name, additions).iter_errors(document), None)
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
def _validator(name: str, additions: bool) -> Any:
    import json

    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    schema = json.loads(schema_text(name))
    quick: Any = extend(Draft202012Validator, {"properties": _properties})  # type: ignore[no-untyped-call]
    return quick(_inlined(schema, schema.get("$defs", {}), additions))


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


def _properties(validator: Any, properties: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
    """The keyword `properties`, without a call for each valid string and number, which most values are."""
    if isinstance(instance, dict):
        for name, part in properties.items():
            if name in instance and not _is_right(instance[name], part):
                yield from validator.descend(instance[name], part, path=name, schema_path=name)


def _is_right(value: Any, schema: Any) -> bool:
    """True for a string, number, boolean or null that the schema allows; False if it does not, or if that takes more to check."""
    if not isinstance(schema, dict) or value.__class__ not in _CLASSES.values():
        return False
    for keyword, wanted in schema.items():
        match keyword:
            case "type":
                right = value.__class__ in [
                    _CLASSES.get(kind) for kind in ([wanted] if isinstance(wanted, str) else wanted)
                ]
            case "enum":
                right = value.__class__ is str and value in wanted
            case "pattern":
                right = value.__class__ is str and re.search(wanted, value) is not None
            case _:
                right = keyword in _ANNOTATIONS
        if not right:
            return False
    return True


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
