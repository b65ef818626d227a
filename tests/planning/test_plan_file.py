"""Saved plans as documents: shape, digest, reading back, and what has moved between two plans."""

from __future__ import annotations

import copy
import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from oauthdeploy import __version__
from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.model.objects import Client, Revocation, Scope, Settings
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Change, Risk
from oauthdeploy.planning.plan import Plan, plan_document
from oauthdeploy.planning.planfile import plan_file as saved_module
from oauthdeploy.planning.planfile.binding import (
    Asked,
    Binding,
    DriverUse,
    SecretSource,
    Selection,
    VariableSource,
)
from oauthdeploy.planning.planfile.decoding import NotAPlan
from oauthdeploy.planning.planfile.plan_file import (
    PlanEdited,
    SavedPlan,
    binding_of,
    content_digest,
    read_saved,
    saved_document,
)
from oauthdeploy.planning.planfile.staleness import compare_plans, manifest_moved
from oauthdeploy.planning.safety import check_risk
from tests.planning.builders import client, desired, live, plan_of, revocation, scope, there, tokens
from tests.planning.builders import settings as settings_at
from tests.planning.test_plan import CANARY, rich_plan

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "plan.v2.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
BINDING = Binding(
    tool=__version__,
    drivers=(DriverUse(name="fake", package="fakes", version="1.2", api_version=1),),
    request=Asked(
        base="..",
        files=("a.yaml", "b/*.yaml"),
        environment="prod",
        variables=(VariableSource(name="tier", source="--var", value="x"), VariableSource(name="pw", source="--var")),
        var_files=("vars.env",),
        severities={"redirect-uri-not-https": "error"},
    ),
    selection=Selection(targets=("client/*",)),
    secrets=(
        SecretSource(path="clients.x.secret.value", origin="${env:S}", unset=()),
        SecretSource(path="servers.as.credentials.password", origin="${var:pw}", unset=()),
    ),
    parts={"servers.as": "a" * 64, "clients": "b" * 64},
)
SHAPE = partial(shape_problem, "plan")
DOCUMENT = saved_document(rich_plan(), BINDING)


def data(document: Any, **layout: Any) -> bytes:
    return json.dumps(document, **layout).encode()


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a digest that fits it."""
    return document | {"content_digest": content_digest(document)}


def saved(plan: Plan, binding: Binding = BINDING) -> SavedPlan:
    return read_saved(data(saved_document(plan, binding)), SHAPE)


# -- the file ---------------------------------------------------------------------------------------------------------


def test_a_saved_plan_reads_back_in_any_layout() -> None:
    """The same content is the same plan, however it is laid out; and it follows the published schema."""
    Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(DOCUMENT)
    for layout in ({}, {"indent": 4}, {"sort_keys": True}, {"ensure_ascii": False}):
        found = read_saved(data(DOCUMENT, **layout), SHAPE)
        assert found.document == DOCUMENT
        assert found.binding == BINDING
        assert plan_document(found.plan)["summary"] == DOCUMENT["summary"]


def test_equal_plans_are_equal_documents_and_hold_neither_secret_nor_digest_of_one() -> None:
    """Made twice, the bytes are equal; a secret is its origin, and no hash of it is there to try guesses on."""
    assert data(saved_document(rich_plan(), BINDING)) == data(DOCUMENT)
    text = json.dumps(DOCUMENT)
    assert "${env:S}" in text
    for name in ("md5", "sha1", "sha256", "sha512"):
        assert hashlib.new(name, CANARY.encode()).hexdigest() not in text
    assert CANARY not in text


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=4) | st.sampled_from(["create", "2.0", "2.7"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def edited(draw: st.DrawFn) -> dict[str, Any]:
    """The document with one value somewhere replaced, taken out or added."""
    document = copy.deepcopy(DOCUMENT)
    target: Any = document
    for _ in range(6):
        keys = sorted(target) if isinstance(target, dict) else list(range(len(target)))
        key = draw(st.sampled_from(keys))
        inner = target[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 3)) == 0:
            break
        target = inner
    how = draw(st.sampled_from(["replace", "remove", "add"]))
    if how == "replace":
        target[key] = draw(JSON_VALUES)
    elif how == "remove":
        del target[key]
    elif isinstance(target, dict):
        target[draw(st.text(min_size=1, max_size=4))] = draw(JSON_VALUES)
    else:
        target.append(draw(JSON_VALUES))
    return document


def _same_json(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@settings(max_examples=300)
@given(edited())
def test_every_edit_is_found(document: dict[str, Any]) -> None:
    """Whatever is changed, taken out or added anywhere, the file is refused, or it says the same as before."""
    if _same_json(document, DOCUMENT):
        assert read_saved(data(document), SHAPE).document == DOCUMENT
        return
    with pytest.raises((PlanEdited, NotAPlan)) as caught:
        read_saved(data(document), SHAPE)
    assert caught.value.fix
    if "format" in document and document["format"] == DOCUMENT["format"] and "format_version" in document:
        assert isinstance(caught.value, PlanEdited) or document["format_version"] != "2.0"


@settings(max_examples=300)
@given(edited())
def test_what_is_read_is_what_the_published_schema_allows(document: dict[str, Any]) -> None:
    """The quick check of plain values changes nothing of what jsonschema says."""
    assert (SHAPE(document, False) == "") == VALIDATOR.is_valid(document), SHAPE(document, False)


@settings(max_examples=200)
@given(edited())
def test_a_document_of_any_shape_with_a_fitting_digest_is_read_or_refused_by_name(document: dict[str, Any]) -> None:
    """A digest proves nothing about the writer: what is out of shape is refused all the same, never a traceback."""
    document = sealed(document)
    try:
        found = read_saved(data(document), SHAPE)
    except (NotAPlan, PlanEdited):
        return
    assert found.document == document
    assert VALIDATOR.is_valid(document) or document["format_version"] != "2.0"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 7}, "x.json, $.name: must be string."),
        ({"servers": [{"name": "as"}]}, "x.json, $.servers[0]: the key role is missing."),
        ({"fingerprints": {"hunter2": ""}}, "x.json, $.fingerprints: must match ^(trust|"),
        ({"kept": [{"server": "as", "kind": "hunter2", "count": 1}]}, "x.json, $.kept[0].kind: must be one of trust,"),
        ({"summary": {**DOCUMENT["summary"], "reads": -1}}, "x.json, $.summary.reads: must be at least 0."),
        ({"more": "hunter2"}, "x.json, $: the key more is not known."),
        (
            {"saved": {**DOCUMENT["saved"], "parts": {"clients": "hunter2"}}},
            "x.json, $.saved.parts.clients: must match",
        ),
    ],
)
def test_what_breaks_the_schema_is_named_by_its_json_path(change: dict[str, Any], said: str) -> None:
    """File, path, what is wrong and what to do; no value of the document is quoted."""
    with pytest.raises(NotAPlan, match="damaged") as caught:
        read_saved(data(sealed({**DOCUMENT, **change})), SHAPE, "x.json")
    assert caught.value.detail.startswith(said)
    assert caught.value.fix
    assert "hunter2" not in caught.value.detail


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"a": NaN}', b"[" * 200_000, b'{"format": "oauthdeploy/plan"}'],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_no_plan_is_refused_by_name(text: bytes) -> None:
    """Truncated, nested without end, in another encoding or another document: a named error with a way out."""
    with pytest.raises(NotAPlan) as caught:
        read_saved(text, SHAPE)
    assert caught.value.fix


def test_a_key_that_stands_twice_is_an_edit() -> None:
    """A reviewer could read the one, and the program the other."""
    text = data(DOCUMENT).replace(b'"name": "estate"', b'"name": "other", "name": "estate"', 1)
    with pytest.raises(PlanEdited, match="edited"):
        read_saved(text, SHAPE)


def test_a_file_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit, checked before anything is parsed."""
    monkeypatch.setattr(saved_module, "MAX_PLAN_BYTES", 1000)
    with pytest.raises(NotAPlan, match="too large"):
        read_saved(data(DOCUMENT), SHAPE)


def test_a_plan_of_a_newer_addition_is_shown_and_not_applied() -> None:
    """What it adds is not known, so it is not known what applying it means; the release that can is named."""
    document = {**DOCUMENT, "format_version": "2.9", "new": 1, "saved": {**DOCUMENT["saved"], "tool": "9.9.9"}}
    found = read_saved(data(sealed(document)), SHAPE)
    assert len(found.plan.changes) == len(DOCUMENT["changes"])
    with pytest.raises(NotAPlan, match="newer release") as caught:
        binding_of(found)
    assert "oauthdeploy 9.9.9" in caught.value.detail
    with pytest.raises(PlanEdited):
        read_saved(data(document), SHAPE)


def test_a_printed_plan_is_shown_and_not_applied() -> None:
    """`plan -o json` holds no binding."""
    found = read_saved(data(plan_document(rich_plan())), SHAPE)
    with pytest.raises(NotAPlan, match="not applied"):
        binding_of(found)


# -- what has moved ---------------------------------------------------------------------------------------------------


WANTED = desired(
    {
        settings_at(): Settings(require_pkce=True),
        scope("s"): Scope(description="new"),
        scope("t"): Scope(description="t"),
        client("x"): Client(description="wanted", enabled=True),
    },
    absent=frozenset({client("old")}),
)
LIVE: dict[Address, LiveObject] = {
    settings_at(): there(Settings(require_pkce=False)),
    scope("s"): there(Scope(description="old")),
    client("x"): there(Client(description="was", enabled=True), identity="id-x"),
    client("old"): there(Client(), identity="id-old"),
}


def moved(now: dict[Address, LiveObject], **more: Any) -> list[str]:
    """What has moved for the plan of WANTED and LIVE, where the servers hold `now`."""
    state = live(now, **more)
    return [
        str(item) for item in compare_plans(saved(plan_of(WANTED, live(LIVE))), plan_of(WANTED, state), state).moved
    ]


def test_nothing_moved_is_nothing_moved() -> None:
    """The same plan made again."""
    state = live(LIVE)
    found = compare_plans(saved(plan_of(WANTED, state)), plan_of(WANTED, state), state)
    assert (found.moved, found.in_place, found.stale) == ((), (), False)


@pytest.mark.parametrize(
    ("address", "value", "said"),
    [
        (scope("s"), there(Scope(description="hand")), 'scope/s@as: description was "old", and is now "hand".'),
        (
            scope("s"),
            there(Scope(description="old"), fingerprint="other"),
            "scope/s@as: a field that the manifest does not manage has changed.",
        ),
        (
            scope("t"),
            there(Scope(description="hand")),
            "scope/t@as: it now exists, and was to be created, and now would be updated (description).",
        ),
        (client("x"), None, "client/x@as: it no longer exists, and was to be updated, and now would be created."),
        (
            client("x"),
            there(Client(description="was", enabled=False), identity="id-x"),
            "client/x@as: enabled matched the manifest (true), and is now false.",
        ),
        (
            client("x"),
            there(Client(description="was", enabled=True), identity="id-2"),
            "client/x@as: it is now a different object: its id was 'id-x', and is 'id-2'.",
        ),
    ],
)
def test_each_way_of_moving_has_its_words(address: Address, value: LiveObject | None, said: str) -> None:
    """The address first, then the field with what it was and is; nothing else is named."""
    now = {key: there for key, there in LIVE.items() if key != address} | ({address: value} if value else {})
    assert moved(now) == [said]


def test_an_object_that_the_plan_does_not_touch_is_named_when_it_would_be_touched_now() -> None:
    """A new change was reviewed by nobody."""
    as_wanted = {**LIVE, scope("s"): there(Scope(description="new"))}
    state = live(LIVE)
    found = compare_plans(saved(plan_of(WANTED, live(as_wanted))), plan_of(WANTED, state), state)
    assert [str(item) for item in found.moved] == [
        "scope/s@as: the plan does not change it, but now it would be updated (description)."
    ]


def test_changes_that_are_made_are_in_place_and_the_rest_must_be_the_same() -> None:
    """Each subset of the changes may have been made already, as by an apply that was cut off."""
    made: dict[Address, LiveObject | None] = {
        settings_at(): there(Settings(require_pkce=True)),
        scope("s"): there(Scope(description="new")),
        scope("t"): there(Scope(description="t")),
        client("x"): there(Client(description="wanted", enabled=True), identity="id-x"),
        client("old"): None,
    }
    plan = saved(plan_of(WANTED, live(LIVE)))
    addresses = sorted(made)
    for number in range(2 ** len(addresses)):
        done = {address for bit, address in enumerate(addresses) if number >> bit & 1}
        now = {key: value for key, value in (LIVE | {a: made[a] for a in done}).items() if value is not None}
        state = live(now)
        found = compare_plans(plan, plan_of(WANTED, state), state)
        assert (found.moved, set(found.in_place)) == ((), done)


def test_what_can_not_be_read_is_not_in_place() -> None:
    """A kind that is forbidden now has no changes in a new plan, and that must not pass for done."""
    found = moved(LIVE, unreadable=[("as", Kind.SCOPE)])
    assert "scope/s@as: can no longer be read." in found
    assert "scope/t@as: can no longer be read." in found


def test_a_cut_off_does_not_wait_for_tokens() -> None:
    """The number of tokens moves all the time; the client must be the same."""
    cut = Revocation(client="x", tokens="all")
    wanted = desired({revocation("R"): cut})

    def state(count: int, identity: str = "id-x") -> Any:
        return live({revocation("R"): there(cut, tokens=tokens(count), identity=identity, fingerprint=f"{count}")})

    plan = saved(plan_of(wanted, state(3)))
    assert not compare_plans(plan, plan_of(wanted, state(7)), state(7)).stale
    assert compare_plans(plan, plan_of(wanted, state(0)), state(0)).in_place == (revocation("R"),)
    assert compare_plans(plan, plan_of(wanted, state(3, "id-y")), state(3, "id-y")).stale


def test_the_manifest_is_compared_part_by_part_and_secret_by_secret() -> None:
    """Sections, server entries, origins, defaults in the place of variables, and the sources of variables."""
    sources = {"tier": "--var", "pw": "--var"}
    assert manifest_moved(BINDING, BINDING.parts, BINDING.secrets, sources) == ()
    parts = {"servers.as": "c" * 64, "scopes": "d" * 64}
    first = BINDING.secrets[0]
    secrets = (first.model_copy(update={"unset": ("S",)}), SecretSource(path="new", origin="manifest"))
    found = manifest_moved(BINDING, parts, secrets, sources | {"pw": "default", "tier": "default"})
    assert [str(item) for item in found] == [
        "manifest, clients: is gone since the plan was made.",
        "manifest, scopes: is new since the plan was made.",
        "manifest, servers.as: has changed since the plan was made.",
        "manifest, clients.x.secret.value: the secret comes from ${env:S}, and S was set, and no longer is.",
        "manifest, new: the secret is new.",
        "manifest, servers.as.credentials.password: the secret is gone.",
        "variable pw: its value came from --var, and now comes from default.",
    ]


# -- risk -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [Risk.LOW, Risk.MEDIUM, Risk.HIGH])
@given(st.lists(st.sampled_from(Risk), max_size=8))
def test_fail_on_trips_for_that_risk_and_above(limit: Risk, risks: list[Risk]) -> None:
    """One finding with the number of the objects, exactly where a change is that risky."""
    template = plan_of(WANTED, live(LIVE)).changes[0]
    changes: list[Change] = [
        replace(template, address=client(f"c{number}"), risk=risk) for number, risk in enumerate(risks)
    ]
    found = check_risk(changes, limit)
    tripped = [change for change in changes if change.risk >= limit]
    assert len(found) == (1 if tripped else 0)
    for item in found:
        assert item.rule == "risk-too-high"
        named = [change for change in changes if f"{change.address} (" in item.detail]
        assert named == tripped[:5]
        assert (f"{len(tripped) - 5} more" in item.detail) == (len(tripped) > 5)
