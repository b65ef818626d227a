"""The JSON Schema (2020-12) of the manifest, generated from its models, for editors, pipelines and SchemaStore."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from oauthdeploy.manifest.document import Document
from oauthdeploy.model.fields import Model

SCHEMA_ID: Final = "https://www.schemastore.org/oauthdeploy.v1.json"
"""A web address, as SchemaStore requires of every schema's id."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE: Final = {
    "title": "Reference",
    "description": "A reference to a value: ${env:NAME}, ${env:NAME:-default}, ${var:NAME}, ${file:PATH}, "
    "${keyring:service/name} or ${command:program argument}.",
    "type": "string",
    "pattern": r"\$\{(env|var|file|keyring|command):[^{}]+\}",
    "examples": ["${env:LOGIN_PASSWORD}"],
}
_ANNOTATIONS: Final = ("title", "description", "default", "examples", "deprecated")
_BOUNDS: Final = {"ge": "minimum", "le": "maximum"}
"""Limits that pydantic leaves in its own terms, if they are around a union."""

_SCALARS: Final = ("string", "number", "boolean")
_LITERAL: Final = frozenset({"Variable", "VariableType"})
"""Declarations of variables are read before references are replaced, so they cannot contain any."""


class _Generator(GenerateJsonSchema):
    """Describes values as they are after validation, so that limits and patterns are included; written forms are added later."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """The schema of the inner type, with its limits, where pydantic would show only the type of the input."""
        return self.generate_inner(schema["schema"])


def manifest_schema() -> dict[str, Any]:
    """The schema as data. Every value that is not a free string may also be a reference.

    `servers` is required of the whole manifest, but not of each of its files, so the schema does not require it.
    """
    raw = Document.model_json_schema(mode="validation", ref_template="#/$defs/{model}", schema_generator=_Generator)
    definitions = raw.pop("$defs")
    document = _object(raw)
    document["required"] = [name for name in raw["required"] if name != "servers"]
    document["properties"]["version"] = {**_without_default(raw["properties"]["version"]), "const": 1}
    definitions = {
        name: _tidy(schema) if name in _LITERAL else _transform(schema) for name, schema in sorted(definitions.items())
    }
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        **_plain_types(document),
        "title": "oauthdeploy manifest",
        "$defs": {**_plain_types(definitions), "Reference": dict(_REFERENCE)},
    }


def own_schema(model: type[Model]) -> dict[str, Any]:
    """The schema of a driver's part, in the same form."""
    return model.model_json_schema(mode="validation", ref_template="#/$defs/{model}", schema_generator=_Generator)


def schema_text() -> str:
    """The schema as committed and printed."""
    return json.dumps(manifest_schema(), indent=2, ensure_ascii=False) + "\n"


def _transform(schema: dict[str, Any]) -> dict[str, Any]:
    """One schema with references allowed wherever the type is not a free string."""
    schema = _without_default(schema)
    if "anyOf" in schema:
        members = [_inner(member) for member in schema["anyOf"]]
        if any(_is_strict(member) for member in schema["anyOf"]):
            members.append({"$ref": "#/$defs/Reference"})
        return {**schema, "anyOf": members}
    if _is_strict(schema):
        notes: dict[str, Any] = {key: schema[key] for key in _ANNOTATIONS if key in schema}
        core = {key: value for key, value in schema.items() if key not in notes}
        numbers = [{"type": "integer", "minimum": 0}] if _takes_digits(schema) else []
        return {**notes, "anyOf": [core, *numbers, {"$ref": "#/$defs/Reference"}]}
    return _inner(schema)


def _inner(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with transformed parts."""
    if schema.get("type") == "object":
        return _object(schema)
    if schema.get("type") == "array":
        return {**schema, "items": _transform(schema["items"])}
    if schema.get("type") == "string" and not _is_strict(schema):
        # Editors read `version: 1` as a number; the manifest's reader keeps it as a string.
        return {**schema, "type": ["string", "number"]}
    return schema


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    copy = dict(schema)
    if "properties" in copy:
        copy["properties"] = {name: _transform(inner) for name, inner in copy["properties"].items()}
    if "patternProperties" in copy:
        copy["patternProperties"] = {name: _transform(inner) for name, inner in copy["patternProperties"].items()}
        copy["additionalProperties"] = False
    elif isinstance(copy.get("additionalProperties"), dict):
        copy["additionalProperties"] = _transform(copy["additionalProperties"])
    return copy


def _is_strict(schema: dict[str, Any]) -> bool:
    """True for a scalar type that does not accept every string."""
    if "enum" in schema or "const" in schema:
        return True
    kind = schema.get("type")
    return kind in ("integer", "number", "boolean") or (
        kind == "string" and ("pattern" in schema or "format" in schema)
    )


def _takes_digits(schema: dict[str, Any]) -> bool:
    """True for a string with a pattern that may be all digits: editors take those for numbers."""
    return schema.get("type") == "string" and "pattern" in schema and bool(re.search(schema["pattern"], "30"))


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    """Without `default: null`: null requests the server's default, while a field that is not written is not managed."""
    return {key: value for key, value in schema.items() if not (key == "default" and value is None)}


def _plain_types(node: Any) -> Any:
    """The same with one type in each schema and alternatives as `anyOf`, as Ajv's strict mode, which SchemaStore uses,
    requires.
    """
    if isinstance(node, list):
        return [_plain_types(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return _as_branches(_with_bounds({key: _plain_part(key, value) for key, value in node.items()}))


def _plain_part(key: str, value: Any) -> Any:
    if key in ("properties", "patternProperties"):
        return {name: _plain_types(inner) for name, inner in value.items()}
    return value if key in ("examples", "enum", "default") else _plain_types(value)


def _with_bounds(schema: dict[str, Any]) -> dict[str, Any]:
    """Limits in pydantic's terms, moved to the integers that they limit, in JSON Schema's terms."""
    bounds = {_BOUNDS[word]: schema.pop(word) for word in _BOUNDS if word in schema}
    for part in schema.get("anyOf", [schema]):
        if part.get("type") == "integer":
            part.update(bounds)
    return schema


def _as_branches(schema: dict[str, Any]) -> dict[str, Any]:
    """Several types as one branch each; the other keywords apply to strings."""
    if not isinstance(schema.get("type"), list):
        return schema
    notes: dict[str, Any] = {key: schema[key] for key in _ANNOTATIONS if key in schema}
    rest = {key: value for key, value in schema.items() if key not in notes and key != "type"}
    return {**notes, "anyOf": [{"type": kind, **(rest if kind == "string" else {})} for kind in schema["type"]]}


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    tidied = _without_default(schema)
    if "properties" in tidied:
        tidied["properties"] = {name: _without_default(inner) for name, inner in tidied["properties"].items()}
        tidied["properties"]["default"]["type"] = list(_SCALARS)
        allowed = tidied["properties"]["allowed"]["anyOf"][0]
        allowed["items"] = {"type": list(_SCALARS)}
    return tidied
