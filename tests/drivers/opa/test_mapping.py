"""The document: read without trust, and changed by nothing but what OPA's JSON Patch has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.json_values import Garbled
from oauthdeploy.drivers.opa.mapping import (
    REVISION,
    document_of,
    edited,
    empty,
    patch,
    read_kind,
    read_revocation,
    revised,
)
from oauthdeploy.model.objects import Client, Object
from tests.drivers.opa.site import LINK, NAME, OWNER, at, client, cut, link, scope, trust

KEYS = st.text('a~/%"ä .-', min_size=0, max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=4)


def patched(document: Any, operations: list[dict[str, Any]]) -> Any:
    """What RFC 6902 says of add, remove and replace on objects, with OPA's reading of a pointer."""
    for operation in operations:
        steps = [
            step.replace("%25", "%").replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]
        ]
        place = document
        for step in steps[:-1]:
            place = place[step]
        assert (steps[-1] in place) is (operation["op"] != "add")
        if operation["op"] == "remove":
            del place[steps[-1]]
        else:
            place[steps[-1]] = operation["value"]
    return document


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_leads_from_one_document_to_the_other(before: Any, after: Any) -> None:
    """For any two documents, and to itself by no operation at all."""
    assert patched(_copy(before), list(patch(before, after))) == after
    assert list(patch(before, _copy(before))) == []


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


@given(DOCUMENTS)
def test_reading_trusts_in_nothing(document: dict[str, Any]) -> None:
    """Whatever stands there is read, or garbled; never another error."""
    for section in ("clients", "scopes", "associations", "blocked", "issued_before", "trust"):
        for value in (document, {"x": document}, {"x": {"tokens": document, "grants": document, "owner": document}}):
            whole = {section: value}
            for kind in Kind:
                try:
                    list(read_kind(whole, kind, NAME, OWNER))
                    read_revocation(whole, "I", cut("x", tokens="all"))
                    edited(whole, [], OWNER, None)
                except Garbled as problem:
                    assert str(problem)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"clients": []}, "clients is no object"),
        ({"clients": {"a": 1}}, "clients/a is no object"),
        ({"clients": {"a": {"type": "secret-9"}}}, "clients/a: type can't be read"),
        ({"clients": {"a": {"tokens": {"access_lifetime": "soon"}}}}, "clients/a: tokens.access_lifetime"),
    ],
)
def test_what_can_not_be_read_is_named_by_its_place(document: dict[str, Any], said: str) -> None:
    """And no value is shown: somebody may have put anything there."""
    with pytest.raises(Garbled, match=said) as caught:
        list(read_kind(document, Kind.CLIENT, NAME, OWNER))
    assert "secret-9" not in str(caught.value)


def test_an_association_counts_where_it_is_true_and_nowhere_else() -> None:
    """A policy that asks for true must find the same."""
    document = {"associations": {"a": {"x": True, "y": False, "z": 1, "w": None}}}
    assert [address.scope for address, _ in read_kind(document, Kind.ASSOCIATION, NAME, OWNER)] == ["x"]


@pytest.mark.parametrize("there", [None, {}, [], "7", {"x": 1}, {"7": "a"}, {"6": "a", "7": "b"}, {"9" * 40: "a"}])
def test_the_revision_grows_whatever_was_there(there: Any) -> None:
    """It has one member afterwards, which was not there before."""
    made = revised({REVISION: there}, {}, OWNER)[REVISION]
    assert list(made.values()) == [OWNER]
    assert not isinstance(there, dict) or not made.keys() & there.keys()


def test_the_document_of_a_manifest_is_what_reading_gives_back() -> None:
    """Every kind, written from nothing and read again."""
    objects: dict[Address, Object] = {
        at(Kind.TRUST): trust(issuer="https://i", jwks_uri="https://i/k"),
        at(Kind.SCOPE, "s"): scope(description="d", resources=["a", "b"]),
        at(Kind.CLIENT, "c"): client(enabled=False, grants=["password"], secret={"value": "never-kept"}),
        link("c", "s"): LINK,
        at(Kind.REVOCATION, "I"): cut("c", block=["resource"], tokens={"issued_before": "2026-11-20T08:00:00Z"}),
    }
    document = document_of(objects, OWNER)
    assert "never-kept" not in repr(document)
    found = {a: live.value for kind in Kind for a, live in read_kind(document, kind, NAME, OWNER)}
    assert found == {
        address: value
        if not isinstance(value, Client)
        else Client.model_validate({"enabled": False, "grants": ["password"]})
        for address, value in objects.items()
        if address.kind is not Kind.REVOCATION
    }
    live = read_revocation(document, "I", objects[at(Kind.REVOCATION, "I")])  # type: ignore[arg-type]
    assert (live.blocked, live.refused) == (True, True)
    assert document_of({}, OWNER) == empty()
