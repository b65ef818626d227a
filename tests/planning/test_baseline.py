"""A baseline accepts known differences, and nothing else."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.objects import Client
from oauthdeploy.planning.drift.baseline import Baseline, entries_for, judge, overdue
from oauthdeploy.planning.drift.classification import DriftClass, DriftReport, classify, drift_document
from tests.planning.test_drift import VALIDATOR

from .builders import FACTS, client, desired, live, plan_of, scope

TODAY = date(2026, 11, 24)


def report(**more: Any) -> DriftReport:
    """Client a is missing, b has another name and description, x is nobody's."""
    wanted = desired({client("a"): Client(name="a"), client("b"): Client(name="b", description="d")})
    seen = live({client("b"): Client(name="x", description="y"), client("x"): Client()}, **more)
    found = classify(wanted, seen, plan_of(wanted, seen), FACTS)
    kinds = (DriftClass.SIDES_DISAGREE,)
    return DriftReport(found.plan, tuple(item for item in found.items if item.kind not in kinds))


def entry(address: str, kind: str, expires: str = "2027-01-31", **more: Any) -> dict[str, Any]:
    return {"address": address, "class": kind, "owner": "ops", "reason": "known", "expires": expires, **more}


def baseline(*entries: dict[str, Any]) -> Baseline:
    return Baseline.model_validate({"version": "1", "accepted": list(entries)})


def counting(found: DriftReport) -> list[tuple[str, str, list[str]]]:
    return [
        (item.kind.value, str(item.address), [field.path for field in item.fields])
        for item in found.items
        if item.counts
    ]


def rules(found: DriftReport) -> list[tuple[str, str]]:
    return [(item.rule, item.address) for item in found.diagnostics]


def test_an_entry_accepts_what_its_address_and_class_match() -> None:
    """Globs, with and without a server; another class of the same object counts on."""
    known = baseline(entry("client/a@as", "missing"), entry("client/*", "unexpected"))
    found = judge(report(), known, TODAY)
    assert counting(found) == [("changed", "client/b@as", ["name", "description"])]
    (accepted, _) = found.accepted
    assert accepted.accepted is not None
    assert (accepted.accepted.owner, accepted.accepted.expires) == ("ops", date(2027, 1, 31))
    assert judge(report(), baseline(entry("client/a@rs", "missing")), TODAY).accepted == ()


def test_a_baseline_accepts_nothing_on_servers_that_it_does_not_name() -> None:
    """An entry without a server means those that the baseline was made for, and none that the manifest has got since."""
    known = baseline(entry("client/a", "missing"))
    assert len(judge(report(), known, TODAY).accepted) == 1
    for name, accepted in (("as", 1), ("rs", 0)):
        bound = Baseline.model_validate({"version": 1, "servers": {name: {"driver": "d"}}, "accepted": known.accepted})
        assert len(judge(report(), bound, TODAY).accepted) == accepted, name


def test_accepted_fields_leave_the_others_counting() -> None:
    """A changed object of which one field is known is told in two parts; where all are known it is accepted."""
    one = judge(report(), baseline(entry("client/b", "changed", fields=["name"])), TODAY)
    assert ("changed", "client/b@as", ["description"]) in counting(one)
    assert [[field.path for field in item.fields] for item in one.accepted] == [["name"]]
    both = judge(report(), baseline(entry("client/b", "changed", fields=["na*", "desc*"])), TODAY)
    assert not any(kind == "changed" for kind, _, _ in counting(both))


def test_what_has_expired_counts_again_and_is_named() -> None:
    """The last day still counts as accepted; the day after it doesn't."""
    known = baseline(entry("client/a", "missing", "2026-11-24"), entry("client/x", "unexpected", "2026-11-23"))
    found = judge(report(), known, TODAY, place=lambda position: f"known.yaml:{position + 3}")
    assert [address for _, address, _ in counting(found)] == ["client/b@as", "client/x@as"]
    assert rules(found) == [("baseline-expired", "client/x")]
    assert "known.yaml:4" in found.diagnostics.items[-1].detail
    assert found.baseline is not None
    assert (found.baseline.entries, found.baseline.expired, found.baseline.active) == (2, (1,), 1)


def test_what_matches_nothing_is_removable_unless_nobody_could_look() -> None:
    """Not in a part of the estate, and not where the kind was unreadable on the server that the entry means."""
    known = baseline(entry("client/gone@as", "missing"), entry("scope/gone@rs", "missing"))
    assert rules(judge(report(), known, TODAY)) == [
        ("baseline-unused", "client/gone@as"),
        ("baseline-unused", "scope/gone@rs"),
    ]
    assert rules(judge(report(), known, TODAY, whole=False)) == []
    blind = report(unreadable=[("rs", Kind.SCOPE)])
    assert rules(judge(blind, known, TODAY)) == [("baseline-unused", "client/gone@as")]


def test_the_document_says_who_accepts() -> None:
    """And follows the schema."""
    document = drift_document(
        judge(report(), baseline(entry("client/a", "missing")), TODAY, place=lambda _p: "k.yaml:3")
    )
    assert list(VALIDATOR.iter_errors(document)) == []
    assert document["items"][0]["accepted"] == {
        "owner": "ops",
        "reason": "known",
        "expires": "2027-01-31",
        "place": "k.yaml:3",
    }
    assert (document["accepted"], document["baseline"]["active"]) == (1, 1)
    assert json.dumps(document)


NAMES = st.text(st.sampled_from("ab*?[]!:@/. "), min_size=1, max_size=6)


@given(st.sets(NAMES, max_size=4), st.sets(NAMES, max_size=4))
def test_what_is_written_accepts_exactly_what_counts(wanted: set[str], seen: set[str]) -> None:
    """New entries accept everything that counted, also names full of glob signs, and nothing that comes later."""
    asked, state = (
        desired([scope(name) for name in sorted({*wanted, "s"})]),
        live([scope(name) for name in sorted(seen)]),
    )
    found = classify(asked, state, plan_of(asked, state), FACTS)
    made = entries_for(found, Baseline(version=1), TODAY, owner="ops", reason="known", expires=TODAY)
    known = Baseline(version=1, accepted=made)
    assert counting(judge(found, known, TODAY)) == []
    more = desired([scope(name) for name in sorted({*wanted, "s", "new"})])
    later = judge(classify(more, state, plan_of(more, state), FACTS), known, TODAY)
    assert [address for _, address, _ in counting(later)] == ["scope/new@as"]


def test_an_expired_entry_is_not_renewed() -> None:
    """Whether it is accepted for longer is its owner's decision; what is accepted already is not written twice."""
    known = baseline(entry("client/x", "unexpected", "2026-01-01"), entry("client/a", "missing"))
    found = judge(report(), known, TODAY)
    made = entries_for(found, known, TODAY, owner="ops", reason="known", expires=TODAY)
    assert [(one.address, one.class_.value, one.fields) for one in made] == [
        ("client/b@as", "changed", ("name", "description"))
    ]
    assert [str(item.address) for item in overdue(found, known, TODAY)] == ["client/x@as"]
