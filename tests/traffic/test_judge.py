"""The judge is right about calls before, during and after a change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.traffic.judge import Call, How, Question, Span, Verdict, View, judge

CHANGE = Span(10, 20)
BEFORE, DURING, AFTER, ACROSS = Span(1, 2), Span(12, 13), Span(21, 22), Span(9, 21)


def view(*scopes: str, cut: bool = False, issuer: str = "login", **client: Any) -> View:
    """A manifest in which `c` has these scopes of `s`, which opens `f:x`."""
    revocations = [{"client": "c", "tokens": "all"}] if cut else []
    return View(
        {
            "servers": {"login": {}, "next": {}, "orders": {"authorization_server": issuer}},
            "clients": {"c": {"grants": ["client_credentials"], **client}},
            "scopes": {"s": {"resources": ["f:x"]}, "t": {"resources": []}},
            "associations": [{"client": "c", "scopes": list(scopes)}],
            "revocations": revocations,
        }
    )


def call(
    span: Span, *, allowed: bool, got: Span | None = None, issuer: str | None = None, how: How = How.FRESH
) -> Call:
    return Call(Question(("c",), ("s",), "orders", "f:x", how), span, got or span, allowed, issuer)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("span", [BEFORE, DURING, AFTER, ACROSS])
def test_an_answer_is_judged_by_the_manifests_of_its_time(span: Span, new: bool, old: bool, allowed: bool) -> None:
    """One manifest alone speaks before and after the change; in between, and across, either may."""
    sides = {BEFORE: {old}, AFTER: {new}}.get(span, {old, new})
    wrong = Verdict.WRONG_GRANT if allowed else Verdict.WRONG_REFUSAL
    views = view(*(["s"] if old else ["t"])), view(*(["s"] if new else ["t"]))
    assert judge(call(span, allowed=allowed), *views, CHANGE) is (Verdict.RIGHT if allowed in sides else wrong)


@pytest.mark.parametrize(
    ("got", "right"), [(BEFORE, {False}), (DURING, {True, False}), (AFTER, {True})], ids=["before", "during", "after"]
)
def test_a_cut_off_ends_the_tokens_from_before_it(got: Span, right: set[bool]) -> None:
    """Those that were asked for meanwhile may be dead or alive; later ones work."""
    later = Span(30, 31)
    seen = {
        allowed
        for allowed in (True, False)
        if judge(call(later, allowed=allowed, got=got, how=How.HELD), view("s"), view("s", cut=True), CHANGE)
        is Verdict.RIGHT
    }
    assert seen == right


@pytest.mark.parametrize(
    "lacking",
    [
        view("s", enabled=False),
        view("s", state="absent"),
        view("s", on=["login"]),
        view("s", on=["orders"]),
        view("s", grants=["password"]),
        view("s", issuer="nobody", on=["login", "orders"]),
        View({**view("s").manifest, "revocations": [{"client": "c", "block": ["resource"]}]}),
        View({**view("s").manifest, "scopes": {"s": {"resources": ["f:x"], "on": ["login"]}}}),
        View({**view("s").manifest, "scopes": {"s": {"resources": ["f:x"], "on": ["orders"]}}}),
    ],
)
def test_what_refuses(lacking: View) -> None:
    """A client or scope that is off, or not on both sides, and a grant that the client hasn't got."""
    question = Question(("c",), ("s",), "orders", "f:x")
    assert view("s").allows(question)
    assert not lacking.allows(question)


def test_a_held_token_is_good_where_its_issuer_is_trusted() -> None:
    """A resource server that has turned away refuses it."""
    question = Question(("c",), ("s",), "orders", "f:x", How.HELD)
    assert view("s").allows(question, "login")
    assert not view("s", issuer="next").allows(question, "login")


def test_one_of_several_clients_and_scopes_is_enough() -> None:
    """A renamed client and a renamed scope are asked for by both names."""
    assert view("s").allows(Question(("gone", "c"), ("old", "s"), "orders", "f:x"))
    assert not view("s").allows(Question(("gone",), ("old", "s"), "orders", "f:x"))
