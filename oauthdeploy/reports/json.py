"""Reports for machines: JSON documents with a format name, stable keys and no secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from oauthdeploy.core.diagnostics import Diagnostics, Severity
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError, ServerError, ServersFailed
from oauthdeploy.core.log_commands import disarmed
from oauthdeploy.planning.drift.classification import DriftReport, drift_document
from oauthdeploy.planning.json_documents import Document, diagnostic_document, diagnostic_documents
from oauthdeploy.planning.omissions import Omission, omission_documents
from oauthdeploy.planning.outcome import ApplyReport, Outcome, Status
from oauthdeploy.planning.plan import Plan, plan_document
from oauthdeploy.planning.unmanaged import kept_documents
from oauthdeploy.planning.unread import Unread, unread_documents
from oauthdeploy.reports.document import Field, Item, Report, Run, Value
from oauthdeploy.reports.ping import ServerAnswer

_HASH: Final = "\\u0023"
VERSION: Final = "1.0"
"""The minor version is raised for additions, the major version for changes that an older reader would misread."""


def to_text(document: Mapping[str, Any]) -> str:
    """The document as UTF-8 JSON text, indented by two spaces; characters that a terminal or build server would interpret or
    hide are escaped.
    """
    text = disarmed(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False), hash_sign=_HASH)
    if text.replace("\n", "").isprintable():
        return f"{text}\n"
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text) + "\n"


def to_line(document: Mapping[str, Any]) -> str:
    """The document as a line of JSON in ASCII, so that nothing in it can break the line or be interpreted."""
    return disarmed(json.dumps(document, ensure_ascii=True, separators=(",", ":")), hash_sign=_HASH) + "\n"


def render_json(report: Report) -> str:
    """The report as the published document of its command."""
    return to_text(document_of(report))


def document_of(report: Report) -> Document:
    """The published document: that of the plan, apply or drift behind the report, or else one for the report itself."""
    subject = report.subject
    if isinstance(subject, Plan):
        return plan_document(subject)
    if isinstance(subject, DriftReport):
        return drift_document(subject)
    if isinstance(subject, ApplyReport):
        return apply_document(subject)
    if report.run is Run.COMPARE:
        return comparison_document(report)
    return validation_document(report.files, report.findings, valid=report.estate is not None, unread=report.unread)


def export_document(
    files: Mapping[str, bool],
    variables: Mapping[str, str],
    omissions: Sequence[Omission],
    beyond: str,
    unread: Sequence[Unread],
    findings: Diagnostics,
) -> Document:
    """The document of `export -o json`: the files by name, whether they change, and what they leave out."""
    return {
        "format": "oauthdeploy/export",
        "format_version": VERSION,
        "files": [{"name": name, "changed": changed} for name, changed in files.items()],
        "variables": dict(variables),
        "left_out": omission_documents(omissions),
        "beyond": beyond,
        "unread": list(unread_documents(unread)),
        "diagnostics": diagnostic_documents(findings),
    }


def comparison_document(report: Report) -> Document:
    """The document of `compare -o json`: in fields, before is the first side and after the second, in words."""
    return {
        "format": "oauthdeploy/comparison",
        "format_version": VERSION,
        "name": report.name,
        "different": any(item.state.real for item in report.items),
        "summary": {count.state.word: count.number for count in report.counts},
        "unread": list(unread_documents(report.unread)),
        "items": [_difference(item) for item in report.items],
        "not_compared": omission_documents(report.omissions),
        "beyond": report.beyond,
        "diagnostics": diagnostic_documents(report.findings),
    }


def _difference(item: Item) -> Document:
    return {
        "class": item.state.word,
        "address": str(item.address),
        "detail": item.note,
        "fields": [field_words(field) for field in item.fields],
    }


def field_words(field: Field) -> Document:
    """A field in words; lists stay lists, and null is the absence of a value."""
    return {"path": field.path, "before": _words(field.before), "after": _words(field.after)}


def _words(value: Value | None) -> str | list[str] | None:
    if value is None:
        return None
    return value.text if value.items is None else list(value.items)


def validation_document(
    files: Sequence[str], diagnostics: Diagnostics, *, valid: bool, unread: Sequence[Unread] = ()
) -> Document:
    """The document of `validate -o json`."""
    return {
        "format": "oauthdeploy/validation",
        "format_version": VERSION,
        "valid": valid,
        "files": list(files),
        "errors": diagnostics.count(Severity.ERROR),
        "warnings": diagnostics.count(Severity.WARNING),
        "unread": list(unread_documents(unread)),
        "diagnostics": diagnostic_documents(diagnostics),
    }


def error_document(error: OAuthDeployError) -> Document:
    """The document of a command that failed."""
    found: Document = {
        "format": "oauthdeploy/error",
        "format_version": VERSION,
        "error": _error(error),
        "diagnostics": diagnostic_documents(error.diagnostics) if isinstance(error, ManifestInvalid) else [],
    }
    if isinstance(error, ServersFailed):
        found["members"] = [_error(member) for member in error.members]
    return found


def _error(error: OAuthDeployError) -> Document:
    found: Document = {
        "rule": error.rule,
        "summary": error.summary,
        "detail": error.detail,
        "fix": error.fix,
        "exit_code": error.exit_code,
    }
    if isinstance(error, ServerError):
        found |= {"server": error.server, "method": error.method, "path": error.path, "status": error.status}
    return found


def apply_document(report: ApplyReport) -> Document:
    """The document of `apply -o json`: each change with its outcome."""
    return {
        "format": "oauthdeploy/apply",
        "format_version": VERSION,
        "name": report.plan.name,
        "complete": report.complete,
        "interrupted": report.interrupted,
        "verified": report.verified,
        "counts": {status.value: sum(report.counts(status).values()) for status in Status},
        "outcomes": [_outcome(outcome) for outcome in report.outcomes],
        "verification": diagnostic_documents(report.verification),
        "delivered": dict(sorted(report.delivered.items())),
        "allowed": list(report.allowed),
        "in_place": [str(address) for address in report.in_place],
        "kept": list(kept_documents(report.plan.kept)),
        "unread": list(unread_documents(report.plan.unread)),
        "journal": report.journal,
        "seconds": round(report.seconds, 3),
    }


def _outcome(outcome: Outcome) -> Document:
    return {
        "address": str(outcome.change.address),
        "action": outcome.change.action.value,
        "reason": outcome.change.reason.value,
        "status": outcome.status.value,
        "because": diagnostic_document(outcome.because) if outcome.because else None,
        "note": outcome.note,
        "identity": outcome.identity,
        "requests": outcome.requests,
        "seconds": round(outcome.seconds, 3),
    }


def ping_document(answers: Sequence[ServerAnswer]) -> Document:
    """The document of `ping -o json`."""
    return {
        "format": "oauthdeploy/ping",
        "format_version": VERSION,
        "servers": [
            {
                "name": answer.server,
                "role": answer.role,
                "driver": answer.driver,
                "url": answer.url,
                "ok": answer.error is None,
                "product": answer.product,
                "version": answer.version,
                "account": answer.account,
                "seconds": round(answer.seconds, 3),
                "error": _error(answer.error) if answer.error else None,
                "unread": list(unread_documents(answer.unread)),
                "diagnostics": diagnostic_documents(answer.diagnostics),
            }
            for answer in answers
        ],
    }
