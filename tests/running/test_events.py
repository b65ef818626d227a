"""The NDJSON form of events and its published schema."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Scope
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.outcome import Event, EventType, Outcome, Status
from oauthdeploy.running.apply_findings import interrupted
from oauthdeploy.running.event_documents import event_document, event_schema
from oauthdeploy.running.events import EventEmitter
from tests.running.kit import NOON, at, create

SCHEMA_FILE = Path(__file__).parents[2] / "schemas" / "event.v1.schema.json"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(event_schema(), format_checker=FormatChecker())


def test_the_published_schema_is_the_one_of_the_code() -> None:
    """Who reads the file reads what is written."""
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == event_schema()


def test_the_schema_is_a_schema_and_explains_every_field() -> None:
    """Valid against the metaschema of JSON Schema 2020-12; each property is described."""
    schema = event_schema()
    Draft202012Validator.check_schema(schema)
    lines = [schema["$defs"][line["$ref"].rpartition("/")[2]] for line in schema["oneOf"]]
    assert len(lines) == 3
    assert all(part.get("description") for line in lines for part in line["properties"].values())


EVENTS = st.builds(
    Event,
    st.sampled_from(EventType),
    st.text(min_size=1),
    st.one_of(
        st.none(), st.builds(Address, st.just(Kind.CLIENT), st.text(min_size=1), st.sampled_from(["login", "a"]))
    ),
    st.one_of(st.none(), st.sampled_from(Action)),
    st.sampled_from(["", "login"]),
    st.integers(0, 10),
    st.integers(0, 10),
)


@given(EVENTS, st.one_of(st.none(), st.datetimes(timezones=st.just(timezone(timedelta(hours=2))))))
def test_every_event_fits_the_schema_on_one_line(event: Event, at_: datetime | None) -> None:
    """Whatever is told: one JSON document without null, valid against the published schema."""
    document = event_document(event, at=at_)
    Draft202012Validator(event_schema()).validate(document)
    line = json.dumps(document)
    assert "\n" not in line
    assert None not in document.values()
    assert document["message"] == event.message


def test_an_event_names_its_object(validator: Draft202012Validator) -> None:
    """Address, kind and server are there for programs, the sentence for people."""
    address = at("client/shop@login")
    document = event_document(
        Event(EventType.CHANGE_DONE, "Created.", address, Action.CREATE, done=1, total=2), at=NOON
    )
    assert document == {
        "version": 1,
        "type": "change-done",
        "message": "Created.",
        "at": "2026-11-20T12:00:00Z",
        "address": "client/shop@login",
        "kind": "client",
        "action": "create",
        "server": "login",
        "done": 1,
        "total": 2,
    }
    validator.validate(document)


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"type": "other"}, {"done": -1}, {"message": None}, {"extra": 1}, {"action": None}],
    ids=str,
)
def test_what_is_no_event_does_not_fit_the_schema(validator: Draft202012Validator, change: dict[str, Any]) -> None:
    """The schema says no to other versions, unknown words, missing sentences and extra keys."""
    document = event_document(Event(EventType.STARTED, "Applying.")) | change
    assert not validator.is_valid(document)


def test_each_end_has_its_own_sentence() -> None:
    """Done, failed, unknown and skipped read differently, and each names the object."""
    told: list[Event] = []
    events = EventEmitter(told.append, 4)
    change = create(at("scope/read@login"), Scope())
    events.started(change)
    events.finish_change(Outcome(change, Status.DONE, note="By hand."))
    for status in (Status.FAILED, Status.UNKNOWN, Status.SKIPPED):
        events.finish_change(Outcome(change, status, interrupted(change)))
    reason = "Not tried, because the run was interrupted."
    assert [event.message for event in told] == [
        "Creating scope/read@login.",
        "Created scope/read@login. By hand.",
        f"Failed: scope/read@login. {reason}",
        f"Unknown outcome: scope/read@login. {reason}",
        f"Skipped scope/read@login. {reason}",
    ]
    assert [event.done for event in told] == [0, 1, 2, 3, 4]
