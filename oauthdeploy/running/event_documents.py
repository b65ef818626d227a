"""The events of a running apply as NDJSON, with their published schema.

A stream of `apply -o ndjson` is a version line, a line for each event as it happens, and a summary line, even if the run ended
before the first event.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import Field
from pydantic.json_schema import models_json_schema

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.schemas import without_nulls
from oauthdeploy.core.version import __version__
from oauthdeploy.model.fields import Model
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.outcome import ApplyReport, Event, EventType, Status

VERSION: Final = 1
SCHEMA_ID: Final = "urn:oauthdeploy:schema:event:v1"


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
