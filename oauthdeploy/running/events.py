"""The events of a running apply: the emitter that counts them, and their NDJSON form with its published schema.

A stream of `apply -o ndjson` is a version line, a line for each event as it happens, and a summary line, even if the run ended
before the first event.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import Field
from pydantic.json_schema import models_json_schema

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.version import __version__
from oauthdeploy.model.fields import Model
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.outcome import ApplyReport, Event, EventType, Outcome, Status

VERSION: Final = 1
SCHEMA_ID: Final = "urn:oauthdeploy:schema:event:v1"

_DOING: Final = {
    Action.CREATE: "Creating",
    Action.UPDATE: "Updating",
    Action.REPLACE: "Replacing",
    Action.DELETE: "Deleting",
    Action.DISABLE: "Disabling",
    Action.REVOKE: "Revoking",
}
_DONE: Final = {
    Action.CREATE: "Created",
    Action.UPDATE: "Updated",
    Action.REPLACE: "Replaced",
    Action.DELETE: "Deleted",
    Action.DISABLE: "Disabled",
    Action.REVOKE: "Revoked",
}


class EventDocument(Model):
    """One line of `apply -o ndjson`: one event, with a sentence for people."""

    version: int = Field(VERSION, description="Version of this document.", ge=VERSION, le=VERSION)
    type: EventType = Field(description="What happened.")
    message: str = Field(description="The event in a sentence for people.")
    at: datetime | None = Field(None, description="Time of the record, in UTC.")
    address: str | None = Field(None, description="The object, as kind/name@server.")
    kind: Kind | None = Field(None, description="The kind of the object.")
    action: Action | None = Field(None, description="What is done to it.")
    server: str | None = Field(None, description="The server entry of the manifest.")
    done: int = Field(description="Changes that have ended, whatever the outcome.", ge=0)
    total: int = Field(description="Changes of the plan.", ge=0)


class VersionDocument(Model):
    """The first line of the stream."""

    version: int = Field(VERSION, description="Version of these documents.", ge=VERSION, le=VERSION)
    type: Literal["version"] = Field("version", description="Always version.")
    format: Literal["oauthdeploy/events"] = Field("oauthdeploy/events", description="The name of the stream.")
    tool: str = Field(description="Release of oauthdeploy that writes it.")


class ErrorDocument(Model):
    """The error that ended the run."""

    rule: str = Field(description="Stable id.")
    summary: str = Field(description="What happened.")
    detail: str = Field(description="Why, with names.")
    fix: str = Field(description="What to do.")


class SummaryDocument(Model):
    """The last line of the stream: the outcome of the run."""

    version: int = Field(VERSION, description="Version of these documents.", ge=VERSION, le=VERSION)
    type: Literal["summary"] = Field("summary", description="Always summary.")
    exit_code: int = Field(description="The exit code of the command.", ge=0, le=255)
    complete: bool = Field(description="Whether every change of the plan was made.")
    interrupted: bool = Field(description="Whether the run was interrupted.")
    verified: bool = Field(description="Whether the servers were read again afterwards.")
    done: int = Field(description="Changes that were made.", ge=0)
    failed: int = Field(description="Changes that failed.", ge=0)
    skipped: int = Field(description="Changes that were not tried.", ge=0)
    unknown: int = Field(description="Changes whose response was lost and whose outcome could not be read.", ge=0)
    in_place: int = Field(description="Changes of a saved plan that were made already.", ge=0)
    findings: int = Field(description="Findings of the verification.", ge=0)
    journal: str | None = Field(None, description="The journal of the run.")
    seconds: float = Field(description="How long the changes took.", ge=0)
    error: ErrorDocument | None = Field(None, description="The error that ended the run.")


def version_document() -> dict[str, Any]:
    """The first line of a stream."""
    return VersionDocument(version=VERSION, type="version", format="oauthdeploy/events", tool=__version__).model_dump()


def summary_document(
    report: ApplyReport | None, exit_code: int, error: OAuthDeployError | None = None
) -> dict[str, Any]:
    """The last line of a stream. `report` is None if nothing was tried; `error` is what ended the run, if anything."""
    ends = Counter(outcome.status for outcome in report.outcomes) if report else Counter[Status]()
    document = SummaryDocument(
        version=VERSION,
        type="summary",
        exit_code=exit_code,
        complete=report is not None and report.complete,
        interrupted=report is not None and report.interrupted,
        verified=report is not None and report.verified,
        done=ends[Status.DONE],
        failed=ends[Status.FAILED],
        skipped=ends[Status.SKIPPED],
        unknown=ends[Status.UNKNOWN],
        in_place=len(report.in_place) if report else 0,
        findings=len(report.verification) if report else 0,
        journal=(report.journal or None) if report else None,
        seconds=round(report.seconds, 3) if report else 0.0,
        error=ErrorDocument(rule=error.rule, summary=error.summary, detail=error.detail, fix=error.fix)
        if error
        else None,
    )
    return document.model_dump(mode="json", exclude_none=True)


def event_document(event: Event, *, at: datetime | None = None) -> dict[str, Any]:
    """The event as a JSON document; `at` is the time to record, if the caller has a clock. Unknown values are left out."""
    document = EventDocument(
        version=VERSION,
        type=event.type,
        message=event.message,
        at=at.astimezone(UTC) if at else None,
        address=str(event.address) if event.address else None,
        kind=event.address.kind if event.address else None,
        action=event.action,
        server=event.server or (event.address.server if event.address else None),
        done=event.done,
        total=event.total,
    )
    return document.model_dump(mode="json", exclude_none=True)


def event_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a line of the stream; the file in `schemas/` is equal to it."""
    lines: list[type[Model]] = [VersionDocument, EventDocument, SummaryDocument]
    _, schema = models_json_schema([(line, "serialization") for line in lines], ref_template="#/$defs/{model}")
    definitions = {name: without_nulls(part) for name, part in sorted(schema["$defs"].items())}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "oauthdeploy event, version 1",
        "description": "One line of `apply -o ndjson`: a version line, then events, then a summary.",
        "oneOf": [{"$ref": f"#/$defs/{line.__name__}"} for line in lines],
        "$defs": definitions,
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


class EventEmitter:
    """Counts the changes that have ended and passes events to the listener, one call at a time, from any thread.

    A listener that raises is not called again: a broken progress line must not stop an apply halfway.
    """

    def __init__(self, listener: Callable[[Event], None] | None, total: int) -> None:
        self._listener = listener
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def emit(self, type_: EventType, message: str) -> None:
        """Emit an event about the run as a whole."""
        self._emit(Event(type_, message, done=self._done, total=self._total))

    def started(self, change: Change) -> None:
        """Emit that a change starts."""
        self._about(EventType.CHANGE_STARTED, f"{_DOING[change.action]} {change.address}.", change)

    def finish_change(self, outcome: Outcome) -> None:
        """Count the change and emit its outcome."""
        change, because = outcome.change, outcome.because
        with self._lock:
            self._done += 1
        if outcome.status is Status.DONE:
            note = f" {outcome.note}" if outcome.note else ""
            self._about(EventType.CHANGE_DONE, f"{_DONE[change.action]} {change.address}.{note}", change)
        elif outcome.status is Status.SKIPPED:
            self._about(EventType.CHANGE_SKIPPED, f"Skipped {change.address}. {_why(because)}", change)
        else:
            state = "Failed" if outcome.status is Status.FAILED else "Unknown outcome"
            self._about(EventType.CHANGE_FAILED, f"{state}: {change.address}. {_why(because)}", change)

    def _about(self, type_: EventType, message: str, change: Change) -> None:
        address = change.address
        event = Event(type_, message.strip(), address, change.action, address.server, self._done, self._total)
        self._emit(event)

    def _emit(self, event: Event) -> None:
        with self._lock:
            if self._listener is None:
                return
            try:
                self._listener(event)
            except Exception:  # noqa: BLE001  (see the class: the apply goes on whatever a listener does)
                self._listener = None


def _why(because: Diagnostic | None) -> str:
    if because is None:
        return ""
    return f"{because.summary}: {because.detail}" if because.detail else f"{because.summary}."
