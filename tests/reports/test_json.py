"""What holds for JSON documents."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import ManifestInvalid, ServersFailed, Unreachable
from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.planning.plan import Plan, plan_document
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.console import Look
from oauthdeploy.reports.json import (
    apply_document,
    error_document,
    ping_document,
    to_text,
    validation_document,
)
from oauthdeploy.reports.saved_plan import NotAPlan, saved_plan
from oauthdeploy.reports.text import render_text
from tests.reports import samples

SHAPE = partial(shape_problem, "plan")
PLANS = {
    "first": samples.first_plan(),
    "second": samples.second_plan(),
    "empty": samples.empty_plan(),
    "hostile": samples.hostile_plan(),
}
DOCUMENTS: dict[str, Any] = {
    "apply": apply_document(samples.partial_report()),
    "done": apply_document(samples.done_report()),
    "ping": ping_document(samples.ping_answers()),
    "invalid": error_document(ManifestInvalid(Diagnostics((samples.ERROR,)))),
    "failed": error_document(ServersFailed([Unreachable("no answer", server="login")])),
    "validation": validation_document(["a.yaml"], Diagnostics((samples.ERROR, samples.WARNING)), valid=False),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_names_its_format_and_reads_back(name: str) -> None:
    """A program can tell what it reads, and reads what was meant."""
    text = to_text(DOCUMENTS[name])
    assert json.loads(text) == DOCUMENTS[name]
    assert DOCUMENTS[name]["format"].startswith("oauthdeploy/")
    assert DOCUMENTS[name]["format_version"] == "1.0"
    assert samples.CANARY not in text


@given(st.text())
def test_json_text_is_harmless_on_a_terminal_and_loses_nothing(text: str) -> None:
    """Control, bidirectional and invisible characters are escaped, and read back as they were."""
    shown = to_text({text: [text]})
    assert json.loads(shown) == {text: [text]}
    shown.encode("utf-8")
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_findings_have_their_place() -> None:
    """File, line and column let an editor or a pipeline jump there."""
    found = DOCUMENTS["validation"]["diagnostics"]
    assert {(item["rule"], item["file"], item["line"], item["column"]) for item in found} == {
        ("redirect-uri-not-https", "shop.yaml", 41, 21),
        ("scope-opens-nothing", "oauthdeploy.yaml", 58, 3),
    }
    assert (DOCUMENTS["validation"]["errors"], DOCUMENTS["validation"]["warnings"]) == (1, 1)


def test_an_apply_tells_each_change_and_how_it_ended() -> None:
    """What happened, not what was planned."""
    document = DOCUMENTS["apply"]
    assert document["counts"] == {"done": 4, "failed": 1, "skipped": 2, "unknown": 1}
    assert document["complete"] is False
    failed = [item for item in document["outcomes"] if item["status"] == "failed"]
    assert failed[0]["because"]["rule"] == "permission-denied"
    assert DOCUMENTS["done"]["delivered"] == {"client/nightly-batch@login": "out/batch.env"}


@pytest.mark.parametrize("name", PLANS)
def test_a_saved_plan_is_shown_as_it_was_made(name: str) -> None:
    """`show` writes what `plan` wrote, but for the places of objects, which only the manifest knows."""
    plan = PLANS[name]
    again = saved_plan(json.loads(to_text(plan_document(plan))), SHAPE)
    # Source lines stay with the manifest; a saved plan holds their places.
    known = replace(plan, diagnostics=_without_source(plan.diagnostics), stops=_without_source(plan.stops))
    assert render_text(plan_report(again), Look(100)) == render_text(plan_report(known), Look(100))
    assert samples.CANARY not in to_text(plan_document(plan))


def _without_source(found: Diagnostics) -> Diagnostics:
    return Diagnostics.of(
        replace(item, path=(), span=replace(item.span, text="") if item.span else None) for item in found.sorted()
    )


@pytest.mark.parametrize(
    "document",
    [
        None,
        7,
        [],
        {},
        {"format": "other"},
        {"format": "oauthdeploy/plan"},
        {"format": "oauthdeploy/plan", "format_version": "9.0"},
    ],
)
def test_what_is_no_plan_is_refused_by_name(document: Any) -> None:
    """Any other document gives a named error."""
    with pytest.raises(NotAPlan) as caught:
        saved_plan(document, SHAPE)
    assert caught.value.fix


def test_a_newer_addition_is_read_and_a_newer_format_is_not() -> None:
    """The first part of the version decides."""
    document = json.loads(to_text(plan_document(samples.first_plan())))
    assert isinstance(saved_plan({**document, "format_version": "2.9", "new": 1}, SHAPE), Plan)
    with pytest.raises(NotAPlan, match="another format version"):
        saved_plan({**document, "format_version": "3.0"}, SHAPE)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(samples.HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_a_damaged_plan_is_refused_or_shown(data: st.DataObject) -> None:
    """Whatever stands in the place of any part, there is a plan or a named error, never a traceback."""
    document = json.loads(to_text(plan_document(samples.second_plan())))
    target: Any = document
    for _ in range(4):
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(target[key], dict | list) or not target[key] or data.draw(st.booleans()):
            target[key] = data.draw(JSON_VALUES)
            break
        target = target[key]
    try:
        plan = saved_plan(document, SHAPE)
    except NotAPlan:
        return
    shown = render_text(plan_report(plan), Look(80))
    assert shown.startswith("Plan for")
    assert all(char.isprintable() or char == "\n" for char in shown)
