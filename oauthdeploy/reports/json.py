"""The same values for machines: JSON documents with a format name, stable keys and no secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, path_text
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError, ServerError, ServersFailed
from oauthdeploy.planning.outcome import ApplyReport, Outcome
from oauthdeploy.reports.apply import done_counts
from oauthdeploy.reports.ping import ServerAnswer

Document = dict[str, Any]

_HIDDEN: Final = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def to_text(document: Mapping[str, Any]) -> str:
    """The document as UTF-8 JSON text, two spaces deep; what a terminal would obey or hide is escaped."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def diagnostic_document(item: Diagnostic) -> Document:
    """One finding; `file`, `line` and `column` are null where it has no place."""
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
    """Findings in their order."""
    return [diagnostic_document(item) for item in items]


def validation_document(files: Sequence[str], diagnostics: Diagnostics, *, valid: bool) -> Document:
    """What `validate -o json` prints."""
    return {
        "format": "oauthdeploy/validation",
        "version": 1,
        "valid": valid,
        "files": list(files),
        "errors": len(diagnostics.errors),
        "warnings": len(diagnostics.warnings),
        "diagnostics": diagnostic_documents(diagnostics),
    }


def error_document(error: OAuthDeployError) -> Document:
    """An error of ours, for a command that had a document to print and could not make it."""
    found: Document = {
        "format": "oauthdeploy/error",
        "version": 1,
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
    """What `apply -o json` prints: each change with its end."""
    return {
        "format": "oauthdeploy/apply",
        "version": 1,
        "name": report.plan.name,
        "complete": report.complete,
        "interrupted": report.interrupted,
        "verified": report.verified,
        "counts": dict(done_counts(report)),
        "outcomes": [_outcome(outcome) for outcome in report.outcomes],
        "verification": diagnostic_documents(report.verification),
        "delivered": dict(sorted(report.delivered.items())),
        "allowed": list(report.allowed),
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
    """What `ping -o json` prints."""
    return {
        "format": "oauthdeploy/ping",
        "version": 1,
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
                "diagnostics": diagnostic_documents(answer.diagnostics),
            }
            for answer in answers
        ],
    }
