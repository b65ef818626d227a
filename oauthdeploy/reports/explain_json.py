"""The output of `explain`, for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oauthdeploy.model.explanation import FieldFacts, FieldStanding, Managed, ObjectFacts, Origin, RuleFacts
from oauthdeploy.planning.json_documents import Document, diagnostic_documents, json_value
from oauthdeploy.reports.json import VERSION


def _head(about: str) -> Document:
    return {"format": "oauthdeploy/explanation", "format_version": VERSION, "about": about}


def rule_document(rule: RuleFacts) -> Document:
    """The document of `explain RULE -o json`."""
    return _head("rule") | {
        "rule": rule.id,
        "severity": rule.severity,
        "structural": rule.structural,
        "group": rule.group or "manifest",
        "title": rule.title,
        "reason": rule.reason,
        "source": rule.source,
        "links": list(rule.links),
        "fix": rule.fix,
        "bad": rule.bad,
        "good": rule.good,
        "fields": list(rule.looks_at),
    }


def fields_document(fields: Sequence[FieldFacts]) -> Document:
    """The document of `explain FIELD -o json`; it has several fields if several drivers have one of this name."""
    return _head("field") | {"fields": [_field(field) for field in fields]}


def _field(field: FieldFacts) -> Document:
    return {
        "path": field.path,
        "driver": field.driver or None,
        "description": field.description,
        "types": list(field.types),
        "values": list(field.values),
        "required": field.required,
        "default": field.default,
        "examples": list(field.examples),
        "notes": list(field.notes),
        "unset": field.unset,
        "null": field.null,
        "empty": field.empty or None,
        "server_defaults": dict(field.server_defaults),
        "keys": dict(field.keys),
        "support": [
            {
                "driver": answer.driver,
                "roles": list(answer.roles),
                "capability": answer.capability,
                "answer": answer.answer,
                "note": answer.note,
            }
            for answer in field.support
        ],
        "rules": [name for name, _ in field.rules],
    }


def object_document(facts: ObjectFacts) -> Document:
    """The document of `explain ADDRESS -o json`. It has only the origin of a secret."""
    return _head("object") | {
        "address": facts.address,
        "kind": facts.kind.value,
        "name": facts.name,
        "state": "absent" if facts.absent else "present",
        "moved_from": facts.moved_from or None,
        "origin": _origin(facts.origin),
        "servers": [
            {
                "server": standing.server,
                "role": standing.role,
                "driver": standing.driver,
                "stands": standing.stands,
                "why": standing.why,
            }
            for standing in facts.servers
        ],
        "fields": [_field_status(field) for field in facts.fields],
        "related": [
            {"address": related.address, "how": related.how, "origin": _origin(related.origin)}
            for related in facts.related
        ],
        "diagnostics": diagnostic_documents(facts.findings),
    }


def _field_status(field: FieldStanding) -> Document:
    found: Document = {"path": field.path, "managed": field.managed.value}
    if field.managed is Managed.NOT_MANAGED:
        return found
    return found | {
        "value": json_value(field.value),
        "servers": list(field.servers),
        "origin": _origin(field.origin),
        "because": field.because,
        "defaults": {driver: json_value(value) for driver, value in field.defaults},
        "away": [{"server": away.server, "why": away.why} for away in field.away],
    }


def _origin(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    return {
        "file": origin.span.file if origin.span else None,
        "line": origin.span.line if origin.span else None,
        "column": origin.span.column if origin.span else None,
        "overlay": origin.overlay or None,
        "references": list(origin.references),
    }
