"""What a write was not about must still be there after it."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.drivers.untouched import lost_fields

BEFORE = {
    "name": "Shop",
    "scopes": ["orders.read", "stock.read"],
    "implicit": True,
    "count": "5",
    "attributes": {"a": "1", "b": "2"},
    "mappers": [{"name": "m", "config": {}}],
    "empty": [],
    "none": None,
}


@pytest.mark.parametrize(
    ("sent", "after", "lost"),
    [
        ({}, BEFORE, ()),
        ({"name": "New"}, {**BEFORE, "name": "New"}, ()),
        ({"name": "New"}, {**BEFORE, "name": "cut"}, ()),
        ({"name": "New"}, {"name": "New"}, ("attributes.a", "attributes.b", "count", "implicit", "mappers[m]",
                                          "scopes[orders.read]", "scopes[stock.read]")),
        ({}, {**BEFORE, "count": 5, "implicit": "true"}, ()),
        ({}, {**BEFORE, "implicit": False}, ("implicit",)),
        ({}, {**BEFORE, "scopes": None}, ("scopes[orders.read]", "scopes[stock.read]")),
        ({"scopes": ["stock.read", "new"]}, {**BEFORE, "scopes": ["new"]}, ("scopes[stock.read]",)),
        ({"attributes": {"a": "", "b": "2"}}, {**BEFORE, "attributes": {"b": "2"}}, ()),
        ({"attributes": {"a": ""}}, {**BEFORE, "attributes": {}}, ("attributes.b",)),
        ({}, {**BEFORE, "attributes": 7}, ("attributes.a", "attributes.b")),
        ({}, {**BEFORE, "secret": "x", "empty": ["y"]}, ()),
    ],
)  # fmt: skip
def test_what_vanished_is_named_and_what_was_sent_is_not(sent: Any, after: Any, lost: tuple[str, ...]) -> None:
    """Over all fields, whoever knows what they mean; texts of numbers and flags are the same values."""
    assert lost_fields(BEFORE, sent, after) == lost


def test_what_changes_by_itself_is_left_out() -> None:
    """At any depth."""
    assert lost_fields({"secret": "x", "a": {"secret": "y"}}, {}, {}, {"secret"}) == ()


@pytest.mark.parametrize("value", [None, 7, [], "x"])
def test_what_is_no_object_can_not_be_compared(value: Any) -> None:
    """No answer, no finding: whether the change was made is told elsewhere."""
    assert lost_fields(value, {}, BEFORE) == lost_fields(BEFORE, {}, value) == ()
