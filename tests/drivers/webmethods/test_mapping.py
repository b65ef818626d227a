"""The server's JSON and the model: case files for both directions, and no input that gives anything but Garbled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.drivers.json_values import Garbled, a_list, fingerprint
from oauthdeploy.drivers.webmethods.fields import FLAGS, is_version_number, place_of
from oauthdeploy.drivers.webmethods.mapping import (
    find_scope,
    in_spelling_of,
    read_client,
    read_scope,
    read_settings,
    settings_fingerprint,
    write_client,
    write_scope,
    write_settings,
)
from oauthdeploy.drivers.webmethods.tokens import read_token
from oauthdeploy.drivers.webmethods.trust import external_trust, remote_trust
from oauthdeploy.model.objects import Client, Grant, Settings, Trust
from oauthdeploy.planning.normalize import flatten

CASES = json.loads((Path(__file__).parent / "cases" / "clients.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_client_is_read_or_garbled(case: dict[str, Any]) -> None:
    """Each case is an object, with what can't be parsed beside it; or an error, where nobody can tell which one it is."""
    if "error" in case:
        with pytest.raises(Garbled, match=case["error"]):
            read_client(case["raw"])
        return
    live = read_client(case["raw"])
    if "unparsed" in case:
        assert {path: found.text for path, found in live.unparsed.items()} == case["unparsed"]
        assert not {path for path in case["unparsed"] if path in flatten(live.value)}
        assert ("scopes" in case) == (live.scopes is None)
        return
    assert live.value == Client.model_validate(case["value"])
    assert live.scopes == tuple(case["raw"].get("scopes") or ())
    assert (live.secret is None) == (not case["raw"].get("client_secret"))


BASE = {"client_id": "a", "name": "n", "version": 1, "type": "Public", "scopes": ["s"], "redirect_uris": ["x", "y"]}


@pytest.mark.parametrize(
    ("more", "same"),
    [
        ({"client_secret": "x"}, True),
        ({"registrationAccessToken": "x"}, True),
        ({"scopes": []}, True),
        ({"description": None}, True),
        ({"redirect_uris": ["y", "x"]}, True),
        ({"redirect_uris": ["y"]}, False),
        ({"enabled": False}, False),
        ({"futureField": 1}, False),
        ({"version": 2}, False),
    ],
)
def test_a_fingerprint_is_of_what_matters(more: dict[str, Any], same: bool) -> None:
    """Not of secrets, nulls, the order of sets, and not of associations, which are objects of their own."""
    assert (read_client({**BASE, **more}).fingerprint == read_client(BASE).fingerprint) is same


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
client_like = st.fixed_dictionaries(
    {},
    optional={
        key: json_values | st.sampled_from(["Public", "true", 1, -1, [], ["a"], "x", True])
        for key in ("client_id", "name", "version", "type", "redirect_uris", "scopes", "implicitGrant", "tokenLifetime")
    },
)


@given(json_values | client_like)
def test_nothing_but_garbled_is_raised(raw: Any) -> None:
    """A hostile server gives a value or Garbled, never a traceback."""
    readers: list[Any] = [
        read_client,
        read_scope,
        read_settings,
        read_token,
        settings_fingerprint,
        lambda body: a_list(body, "things"),
        lambda body: find_scope(body, "x", "scopeInputData"),
        lambda body: external_trust("a", body),
        lambda body: remote_trust("a", body, None),
    ]
    for read in readers:
        try:
            read(raw)
        except Garbled as problem:
            assert str(problem)


lifetimes = st.sampled_from(["inherit", "never"]) | st.integers(1, 2**31 - 1)
clients = st.builds(
    lambda **fields: Client.model_validate(fields),
    name=st.text("abc XYZ-_.", min_size=1, max_size=8),
    version=st.integers(-5, 99).map(str),
    description=st.text("abc é", max_size=8),
    type=st.sampled_from(["confidential", "public"]),
    redirect_uris=st.lists(st.sampled_from(["https://a/", "https://b/"]), unique=True),
    grants=st.lists(st.sampled_from([grant.value for grant in FLAGS]), unique=True),
    tokens=st.fixed_dictionaries(
        {"access_lifetime": lifetimes, "refresh_count": st.just("unlimited") | st.integers(0, 9)}
    ),
    enabled=st.booleans(),
)


@given(clients, st.booleans())
def test_what_is_written_is_read_back(client: Client, texts: bool) -> None:
    """Both directions agree on every field."""
    values = mapping_values(client)
    raw = write_client(values, refreshes=None, text_versions=texts)
    live = in_spelling_of(client, read_client({"client_id": "x", **raw}).value)
    assert mapping_values(live) == {**values, "grants": live.grants}
    assert set(live.grants or ()) == set(client.grants or ())
    assert isinstance(raw["version"], str if texts else int)


def mapping_values(client: Client) -> dict[str, Any]:
    assert client.tokens is not None
    return {
        "name": client.name,
        "version": client.version,
        "description": client.description,
        "type": client.type,
        "redirect_uris": client.redirect_uris,
        "grants": client.grants,
        "tokens.access_lifetime": client.tokens.access_lifetime,
        "tokens.refresh_count": client.tokens.refresh_count,
        "enabled": client.enabled,
    }


@pytest.mark.parametrize(
    ("grants", "standing", "sent"),
    [
        ((), 0, None),
        ((), 5, 0),
        ((), -1, 0),
        ((Grant.REFRESH_TOKEN,), 0, -1),
        ((Grant.REFRESH_TOKEN,), 5, None),
        ((Grant.REFRESH_TOKEN,), -1, None),
        ((Grant.REFRESH_TOKEN,), None, None),
        ((), None, None),
    ],
)
def test_grants_move_the_count_only_where_it_contradicts_them(
    grants: tuple[Grant, ...], standing: int | None, sent: int | None
) -> None:
    """A limit that somebody chose is kept; None means that the manifest manages the count itself."""
    body = write_client({"grants": grants}, refreshes=standing, text_versions=True)
    assert body.get("tokenRefreshCount") == sent


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"clients": [1]}, [1]),
        ({"total": 1, "anything": [2]}, [2]),
        ([4], [4]),
        ({"clients": None}, ()),
        ({"Clients": []}, []),
    ],
)
def test_a_list_is_the_only_array_whatever_it_is_called(body: Any, expected: Any) -> None:
    """The name of the wrapper is not public."""
    assert a_list(body, "clients") == expected


@pytest.mark.parametrize(
    "body",
    [
        None,
        "x",
        5,
        True,
        {"clients": "a"},
        {"message": "no"},
        {},
        {"errors": []},
        {"errors": None},
        {"ids": [], "clients": []},
        {"ids": ["a"], "clients": [{"name": "a"}]},
    ],
)
def test_what_holds_no_list_is_not_an_empty_list(body: Any) -> None:
    """An error page, or an answer of another shape, taken for "no clients" would make creates."""
    with pytest.raises(Garbled):
        a_list(body, "clients")


@pytest.mark.parametrize(
    ("raw", "path", "shown"),
    [
        ({"requireHTTPS": "maybe"}, "require_https", '"maybe"'),
        ({"authCodeLifetimeSeconds": -2}, "authorization_code_lifetime", "-2"),
        ({"accessTokenLifetimeSeconds": -2}, "access_token_lifetime", "-2"),
        ({"accessTokenLifetimeSeconds": 0.5}, "access_token_lifetime", "0.5"),
        ({"tokenEndpointAuth": "none"}, "token_endpoint_auth", '"none"'),
        ({"tokenEndpointAuth": ["session"]}, "token_endpoint_auth", '["session"]'),
    ],
)
def test_an_odd_setting_is_shown_as_it_is_and_spoils_no_other(raw: Any, path: str, shown: str) -> None:
    """Never a value that was made up."""
    live = read_settings({"requirePKCE": True, **raw})
    assert {path: found.text for path, found in live.unparsed.items()} == {path: shown}
    assert live.value == Settings(require_pkce=True)


def test_settings_that_are_no_object_are_garbled() -> None:
    """Then nothing is known."""
    with pytest.raises(Garbled):
        read_settings("x")


@pytest.mark.parametrize("told", [{}, {"message": "ok"}, {"authServerAlias": "local"}])
def test_settings_without_a_setting_are_garbled(told: dict[str, Any]) -> None:
    """Read as a server that leaves everything at its default, they would match a manifest that wants the defaults."""
    with pytest.raises(Garbled):
        read_settings(told)


def test_a_code_may_never_expire() -> None:
    """watt.server.oauth.authCode.expirySeconds takes -1 for never, and so is it read and written."""
    live = read_settings({"authCodeLifetimeSeconds": -1})
    assert live.value.authorization_code_lifetime == "never"
    assert not live.unparsed
    assert write_settings({"authorization_code_lifetime": "never"}) == {"authCodeLifetimeSeconds": -1}


@pytest.mark.parametrize(
    ("shown", "secret"), [("********", None), ("ab****", None), ("<hidden>", None), ("s3cr*t-9", "s3cr*t-9")]
)
def test_a_mask_is_no_secret(shown: str, secret: str | None) -> None:
    """A server that hides a secret must not have its asterisks delivered."""
    found = read_client({**BASE, "client_secret": shown}).secret
    assert (found.reveal() if found else None) == secret


def test_settings_that_a_server_does_not_have_stay_unset() -> None:
    """Older servers have no PKCE."""
    settings = read_settings({"requireHTTPS": "true", "requirePKCE": None, "accessTokenLifetimeSeconds": "-1"}).value
    assert settings.model_fields_set == {"require_https", "access_token_lifetime"}
    assert settings.access_token_lifetime == "never"
    assert write_settings({"access_token_lifetime": "never", "require_https": False}) == {
        "accessTokenLifetimeSeconds": -1,
        "requireHTTPS": False,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"name": "s", "description": "d"},
        {"scopeInputData": {"name": "s", "description": "d"}},
        {"scopes": [{"name": "other"}, {"name": "s", "description": "d"}], "scopeInputData": None},
    ],
)
def test_the_answer_to_a_new_scope_is_found_in_every_form(body: Any) -> None:
    """The document prints a wrapper that may be a slip."""
    live = find_scope(body, "s", "scopeInputData")
    assert live is not None
    assert live.value.description == "d"


@pytest.mark.parametrize("body", [None, [], {}, {"scopes": "s"}, {"scopes": [{"name": "t"}]}, {"scopeInputData": 5}])
def test_an_answer_without_the_scope_is_no_scope(body: Any) -> None:
    """Then the server is asked again."""
    assert find_scope(body, "s", "scopeInputData") is None


def test_a_scope_keeps_warnings_out_of_its_fingerprint() -> None:
    """They come with the answer to a write only."""
    raw = {"name": "s", "FoldersAndServices": ["b", "a"]}
    assert read_scope({**raw, "warnings": ["x"]}).fingerprint == read_scope(raw).fingerprint
    assert write_scope({"resources": ("a", "b", "a")}) == {"FoldersAndServices": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", True),
        ("0", True),
        ("-1", True),
        ("2147483647", True),
        ("2147483648", False),
        ("01", False),
        ("1.0", False),
    ],
)
def test_a_version_is_a_number_in_one_spelling_only(text: str, number: bool) -> None:
    """Else the server would give back another text than the manifest has."""
    assert is_version_number(text) is number


@pytest.mark.parametrize("text", ["", "-", "+1", "1 ", "٣", "--1"])
def test_other_texts_are_no_number(text: str) -> None:
    """No Python reading of numbers here."""
    assert not is_version_number(text)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("https://h.example:443", True),
        ("https://h.example", True),
        ("https://H.example/", True),
        ("http://h.example:443", False),
        ("https://h.example:444", False),
        ("https://other.example", False),
    ],
)
def test_a_remote_address_is_told_in_the_manifests_spelling(written: str, same: bool) -> None:
    """Host, port and scheme are what the server keeps; only they are compared."""
    desired = Trust(authorization_server="a", via="remote", endpoint=written)
    live = remote_trust("a", {"host": "h.example", "port": "443", "ssl": "yes", "user": "u"}, desired)
    assert (live.value.endpoint == written) is same


@pytest.mark.parametrize("url", ["", "h", "ftp://h", "http://", "http://h:x", "http://["])
def test_an_address_that_is_none_is_seen(url: str) -> None:
    """No traceback for what people write."""
    assert place_of(url) is None


def test_deep_answers_are_garbled_not_crashes() -> None:
    """Nesting is bounded."""
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(Garbled):
        fingerprint({"x": deep})
