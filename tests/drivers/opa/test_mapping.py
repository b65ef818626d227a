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
from oauthdeploy.model.objects import Client, ClientType, Object
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
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
@pytest.mark.slow
def test_reading_trusts_in_nothing(document: dict[str, Any]) -> None:
    """Whatever stands there is read, or garbled; never another error."""
    for section in ("clients", "scopes", "associations", "blocked", "issued_before", "trust", "also_trusted"):
        for value in (document, {"x": document}, {"x": {"tokens": document, "grants": document, "owner": document}}):
            whole = {"trust": {"via": "jwt"}, section: value}
            for kind in Kind:
                try:
                    list(read_kind(whole, kind, NAME, OWNER))
                    read_revocation(whole, "I", cut("x", tokens="all"))
                    edited(whole, [], OWNER, None)
                except Garbled as problem:
                    assert str(problem)


def test_a_section_that_is_no_object_is_garbled() -> None:
    """Then nobody knows what stands there."""
    with pytest.raises(Garbled, match="clients is not an object"):
        list(read_kind({"clients": []}, Kind.CLIENT, NAME, OWNER))


@pytest.mark.parametrize(
    ("entry", "unparsed"),
    [
        ({"type": "secret-9", "name": "n"}, {"type": '"secret-9"'}),
        ({"tokens": {"access_lifetime": "soon"}, "name": "n"}, {"tokens.access_lifetime": '"soon"'}),
        ({"tokens": 5, "name": "n"}, {"tokens.access_lifetime": "5", "tokens.refresh_count": "5"}),
        ({"description": {"password": "hunter2"}, "name": "n"}, {"description": '{"password": "***"}'}),
    ],
)
def test_an_odd_value_spoils_its_own_field_alone(entry: dict[str, Any], unparsed: dict[str, str]) -> None:
    """It is shown as it is, but for what is named a secret; the object's other fields and other objects are read."""
    found = dict(read_kind({"clients": {"a": entry, "b": {"name": "b"}}}, Kind.CLIENT, NAME, OWNER))
    odd, sound = found[at(Kind.CLIENT, "a")], found[at(Kind.CLIENT, "b")]
    assert {path: shown.text for path, shown in odd.unparsed.items()} == unparsed
    assert odd.value == client(name="n", enabled=True)
    assert (sound.value, dict(sound.unparsed)) == (client(name="b", enabled=True), {})


def test_an_entry_that_is_no_object_is_there_and_can_be_put_right() -> None:
    """A policy can't use it, so all of it differs; writing puts an object in its place."""
    document = {"clients": {"a": 1}}
    ((address, live),) = read_kind(document, Kind.CLIENT, NAME, OWNER)
    assert live.unparsed["type"].text == "1"
    change = Change(
        address,
        Action.UPDATE,
        Reason.DIFFERS,
        Stage.WIDEN_RESOURCE,
        desired=client(type="public"),
        live=live,
        fields=(FieldChange("type", live.unparsed["type"], ClientType.PUBLIC),),
    )
    assert edited(document, [change], OWNER, None)["clients"] == {"a": {"owner": OWNER, "type": "public"}}


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
