"""Plans, changes and findings as JSON values: deterministic, and free of secrets.

A secret is written as `{"secret": origin}`, a value that the server will generate as `{"known_after_apply": true}`, and one
that cannot be parsed as `{"unparsed": text}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from oauthdeploy.core.diagnostics import Diagnostic, path_text
from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.model.fields import KnownAfterApply, Model, Unparsed, managed
from oauthdeploy.planning.changes import Change, FieldChange, Stage

Document = dict[str, Any]


def json_value(value: Any) -> Any:
    """A value of the model as JSON. Raises TypeError for a type that has no JSON form."""
    if isinstance(value, Secret):
        return {"secret": value.origin}
    if isinstance(value, SourcedText) and value.sensitive:
        return {"secret": value.origin}
    if isinstance(value, KnownAfterApply):
        return {"known_after_apply": True}
    if isinstance(value, Unparsed):
        return {"unparsed": value.text}
    if isinstance(value, Enum):
        return json_value(value.value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Model):
        return {path: json_value(inner) for path, inner in managed(value)}
    if isinstance(value, Mapping):
        return {str(key): json_value(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    raise TypeError(f"a {type(value).__name__} has no JSON form; this is a bug in oauthdeploy")


def stage_name(stage: Stage) -> str:
    """The name of a stage in documents, such as `widen-resource`."""
    return stage.name.lower().replace("_", "-")


def field_document(field: FieldChange) -> Document:
    """One changed field."""
    return {"path": field.path, "before": json_value(field.before), "after": json_value(field.after)}


def change_document(change: Change) -> Document:
    """One change; `live_address` and `identity` identify the object that it changes."""
    address = change.address
    return {
        "address": str(address),
        "kind": address.kind.value,
        "name": address.name,
        "server": address.server,
        "action": change.action.value,
        "reason": change.reason.value,
        "stage": stage_name(change.stage),
        "risk": str(change.risk),
        "fields": [field_document(field) for field in change.fields],
        "depends_on": [str(needed) for needed in change.depends_on],
        "batch": change.batch,
        "place": list(change.place),
        "note": change.note,
        "live_address": str(change.live_address) if change.live is not None else None,
        "identity": change.live.identity if change.live is not None else "",
    }


def diagnostic_document(item: Diagnostic) -> Document:
    """One finding; `file`, `line` and `column` are null if it has no position."""
    return {
        "rule": item.rule,
        "severity": item.severity.value,
        "summary": item.summary,
        "detail": item.detail,
        "fix": item.fix,
        "address": item.address,
        "path": path_text(item.path),
        "file": item.span.file if item.span else None,
        "line": item.span.line if item.span else None,
        "column": item.span.column if item.span else None,
    }


def diagnostic_documents(items: Iterable[Diagnostic]) -> list[Document]:
    """Findings in a stable order."""
    return [diagnostic_document(item) for item in sorted(items, key=lambda item: item.sort_key)]
