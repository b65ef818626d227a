"""The CustomResourceDefinition of OAuthEstate, made from the models: a structural schema, defaults, and rules in CEL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from oauthdeploy.operator.resource import GROUP, KIND, PLURAL, SHORT, SINGULAR, VERSION, EstateSpec, EstateStatus

_KEPT: Final = frozenset(
    {
        "type", "format", "description", "enum", "pattern", "default", "required", "items", "properties",
        "additionalProperties", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum",
        "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    }
)  # fmt: skip
"""What a structural schema may contain, of what pydantic writes."""

RULES: Final[Mapping[str, tuple[str, str]]] = {
    "ManifestSource": (
        "has(self.inline) || (has(self.configMaps) && size(self.configMaps) > 0)",
        "write inline or configMaps",
    ),
    "ValueFrom": (
        "has(self.secretKeyRef) != has(self.configMapKeyRef)",
        "write either secretKeyRef or configMapKeyRef",
    ),
    "Value": ("has(self.value) != has(self.valueFrom)", "write either value or valueFrom"),
    "Files": ("has(self.secret) != has(self.configMap)", "write either secret or configMap"),
}
"""What the models check across fields, by model, for the API server: the rule in CEL, and the message."""

_COLUMNS: Final = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
    ("In Sync", "string", '.status.conditions[?(@.type=="InSync")].status', 0),
    ("Mode", "string", ".spec.mode", 0),
    ("Status", "string", ".status.summary", 0),
    ("Last Run", "date", ".status.lastRun.time", 0),
    ("Next Run", "string", ".status.nextRun", 1),
    ("Plan", "string", ".status.pendingPlan.digest", 1),
    ("Age", "date", ".metadata.creationTimestamp", 0),
)


def definition() -> dict[str, Any]:
    """The CustomResourceDefinition (apiextensions.k8s.io/v1)."""
    schema = {
        "type": "object",
        "description": "An OAuth estate: one manifest for authorization and resource servers, and how it is kept true.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(EstateSpec),
            # kstatus, by which Flux waits, takes an object without observedGeneration for ready.
            "status": structural(EstateStatus) | {"default": {"observedGeneration": -1}},
        },
    }
    columns = [
        {"name": name, "type": kind, "jsonPath": path, **({"priority": priority} if priority else {})}
        for name, kind, path, priority in _COLUMNS
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/name": "oauthdeploy"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT],
                "categories": ["oauth"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                }
            ],
        },
    }


def structural(model: type[BaseModel]) -> dict[str, Any]:
    """The structural schema of a model: references are resolved, and null stands for an absent field."""
    schema = model.model_json_schema(mode="validation")
    return _resolved(schema, schema.get("$defs", {}))


def _resolved(schema: Mapping[str, Any], known: Mapping[str, Any], about: str = "") -> dict[str, Any]:
    about = about or str(schema.get("description", ""))
    name = str(schema.get("title", ""))
    if "$ref" in schema:
        return _resolved(known[schema["$ref"].rpartition("/")[2]], known, about) | _default(schema)
    if "anyOf" in schema:
        (kept,) = (each for each in schema["anyOf"] if each.get("type") != "null")
        return _resolved({**kept, **_default(schema)}, known, about)
    made = {key: value for key, value in schema.items() if key in _KEPT}
    if about:
        made["description"] = about
    made.pop("default", None)
    made.update(_default(schema))
    if "properties" in made:
        made["properties"] = {key: _resolved(value, known) for key, value in made["properties"].items()}
    if isinstance(made.get("items"), Mapping):
        made["items"] = _resolved(made["items"], known)
    made.pop("additionalProperties", None)
    # Names of keys cannot be restricted by a structural schema; the model checks them.
    for values in (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()):
        if isinstance(values, Mapping):
            made["additionalProperties"] = _resolved(values, known)
    if name in RULES and made.get("type") == "object":
        rule, message = RULES[name]
        made["x-kubernetes-validations"] = [{"rule": rule, "message": message}]
    return made


def _default(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The default, unless it is that of an absent or empty field, which needs none."""
    default = schema.get("default")
    return {} if default in (None, "", (), [], {}) else {"default": default}
