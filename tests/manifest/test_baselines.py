"""Baseline files: what the reader says about mistakes, and what the writer keeps."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oauthdeploy.core.errors import ManifestInvalid
from oauthdeploy.manifest.baselines import (
    baseline_schema,
    parse_baseline,
    read_baseline,
    schema_text,
)
from oauthdeploy.manifest.editing.baseline_entries import with_entries
from oauthdeploy.manifest.source import Source
from oauthdeploy.planning.drift.baseline import AcceptableClass, BaselineEntry

ROOT = Path(__file__).parents[2]
HEAD = "version: 1\naccepted:\n"
GOOD = "  - {address: client/a, class: missing, owner: ops, reason: known, expires: 2027-01-31}\n"


def problems(text: str) -> list[tuple[str, int, int, str]]:
    with pytest.raises(ManifestInvalid, match="The baseline is not valid") as caught:
        parse_baseline(Source("known.yaml", text))
    return [
        (item.rule, item.span.line, item.span.column, item.fix)
        for item in caught.value.diagnostics
        if item.span is not None
    ]


@pytest.mark.parametrize(
    ("text", "rule", "place", "fix"),
    [
        (HEAD + GOOD.replace("owner:", "ownr:"), "unknown-key", (3, 41), "Did you mean 'owner'?"),
        (
            HEAD + GOOD.replace("owner: ops, ", ""),
            "missing-key",
            (3, 5),
            "The person or team responsible for the difference",
        ),
        (HEAD + GOOD.replace("missing", "mising"), "not-allowed-value", (3, 32), "Did you mean 'missing'?"),
        (HEAD + GOOD.replace("class: missing", "class: unreadable"), "not-allowed-value", (3, 32), "Allowed are"),
        (HEAD + GOOD.replace("client/a", "clint/a"), "wrong-value", (3, 15), "Did you mean 'client'?"),
        (HEAD + GOOD.replace("2027-01-31", "soon"), "wrong-value", (3, 77), "Write a date such as"),
        (HEAD + GOOD.replace("owner: ops", "owner: ''"), "wrong-value", (3, 48), "Write at least one character"),
        (HEAD.replace("accepted", "acepted") + GOOD, "unknown-key", (2, 1), "Did you mean 'accepted'?"),
        ("accepted: []\n", "missing-key", (1, 1), "Write version"),
        ("- a\n", "wrong-value", (1, 1), "Start with version: 1"),
        ("version: 1\nversion: 1\n", "duplicate-key", (2, 1), ""),
        ("version: [1\n", "yaml-syntax", (2, 1), ""),
    ],
)
def test_a_mistake_has_its_place_and_what_was_meant(text: str, rule: str, place: tuple[int, int], fix: str) -> None:
    """In the words and with the rules of a manifest."""
    found = problems(text)
    assert [item[0] for item in found if item[1:3] == place] or found == [], found
    (item,) = [item for item in found if item[0] == rule]
    assert item[1:3] == place
    assert fix in item[3]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A pipeline with a wrong name must not lose its baseline in silence."""
    with pytest.raises(ManifestInvalid) as caught:
        read_baseline(str(tmp_path / "none.yaml"))
    assert caught.value.diagnostics.items[0].rule == "file-unreadable"


def made(address: str = "scope/x@login", **more: Any) -> BaselineEntry:
    values = {"owner": "ops", "reason": "known", "expires": date(2027, 1, 31), "class_": AcceptableClass.MISSING}
    return BaselineEntry.model_construct(**{"address": address, **values, **more})


def test_entries_are_added_and_everything_else_stays() -> None:
    """Comments above, beside and below, and the entries that were there."""
    text = "# ours\nversion: 1\naccepted:\n  # first\n" + GOOD.rstrip() + "  # beside\n# the end\n"
    after = with_entries(Source("known.yaml", text), [made(fields=("a", "b"))])
    for comment in ("# ours", "  # first", "# beside", "# the end"):
        assert comment in after
    read = parse_baseline(Source("known.yaml", after))
    assert [entry.address for entry in read.baseline.accepted] == ["client/a", "scope/x@login"]
    assert read.baseline.accepted[1].fields == ("a", "b")
    assert read.place(1) == f"known.yaml:{after.splitlines().index('  - address: scope/x@login') + 1}"


def test_a_new_file_says_what_it_is() -> None:
    """It is read back, and names its owner."""
    after = with_entries(None, [made()])
    assert after.startswith("# Known drift")
    assert parse_baseline(Source("known.yaml", after)).baseline.accepted[0].owner == "ops"


def test_what_is_left_open_is_marked_and_refused() -> None:
    """An entry without owner or reason cannot be used by mistake."""
    after = with_entries(None, [made(owner="", reason="")])
    assert "# fill in owner and reason" in after
    assert {rule for rule, *_ in problems(after)} == {"wrong-value"}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), min_size=1, max_size=4))
def test_any_name_comes_back_as_it_was(names: list[str]) -> None:
    """Names of live objects are data: references, quotes, comments and control characters in them are nothing special."""
    entries = [made(f"scope/{name}@login", reason=name) for name in names]
    read = parse_baseline(Source("known.yaml", with_entries(None, entries)))
    assert [(entry.address, entry.reason) for entry in read.baseline.accepted] == [
        (entry.address, entry.reason) for entry in entries
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"owner": None}, {"owner": ""}, {"class": "unreadable"}, {"class": ["missing"]}, {"fields": None}, {"fields": "name"},
        {"fields": [["name"]]}, {"more": "x"}, {"expires": None}, {"address": {}}, {"reason": ["known"]},
    ],
)  # fmt: skip
def test_the_reader_and_the_published_schema_refuse_the_same(change: dict[str, object]) -> None:
    """One model makes both. YAML has texts only, so the types are those that JSON would have."""
    good = {"address": "client/a", "class": "missing", "owner": "o", "reason": "r", "expires": "2027-01-31"}
    validator = Draft202012Validator(baseline_schema())
    for entry, valid in ((good, True), (good | change, False)):
        assert validator.is_valid({"version": 1, "accepted": [entry]}) is valid
        text = json.dumps({"version": 1, "accepted": [entry]})
        if valid:
            assert parse_baseline(Source("known.yaml", text)).baseline.accepted
        else:
            assert problems(text)


def test_the_committed_schema_is_the_generated_one() -> None:
    """`manifest.baselines.schema_text()` is the new text; it is a schema, and takes what the reader takes."""
    assert (ROOT / "schemas" / "baseline.v1.schema.json").read_text(encoding="utf-8") == schema_text()
    schema = baseline_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    good = {"address": "client/a", "class": "missing", "owner": "o", "reason": "r", "expires": "2027-01-31"}
    assert validator.is_valid({"version": 1, "accepted": [{**good, "fields": ["name"]}]})
    for wrong in ({**good, "owner": ""}, {**good, "class": "unreadable"}, {**good, "fields": None}, {"address": "a"}):
        assert not validator.is_valid({"version": 1, "accepted": [wrong]})
    assert json.loads(schema_text()) == schema
