"""Profiles: each switch changes what it is about, and a file with a wrong one is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.server import ConfigError, Profile, load_profile

from .kit import ADMIN, ALICE, Browser, Kit, code_for, unique

Launch = Callable[..., Kit]


def profile(**switches: Any) -> Profile:
    return Profile.model_validate(switches)


def tokens_of(kit: Kit, **query: str) -> Any:
    return kit.admin("GET", "/oauth/token", params=query or {"expand": "true"}).json()


def test_a_profile_is_read_from_json_and_toml(tmp_path: Path) -> None:
    """By suffix; a document that follows the published schema is one."""
    document = {"format": "oauthdeploy/profile", "format_version": "1.0", "missing": 400, "patch": "clears"}
    assert shape_problem("profile", document) == ""
    assert shape_problem("profile", {"missing": 404, "weather": "fine"}) != ""
    (tmp_path / "a.json").write_text(json.dumps(document))
    (tmp_path / "a.toml").write_text('missing = 400\npatch = "clears"\n')
    assert (
        load_profile(tmp_path / "a.json") == load_profile(tmp_path / "a.toml") == profile(missing=400, patch="clears")
    )


@pytest.mark.parametrize(
    ("document", "words"),
    [({"missing": 418}, "missing"), ({"weather": "fine"}, "weather"), ({"format": "other"}, "format")],
)
def test_a_wrong_profile_is_refused_by_name(tmp_path: Path, document: dict[str, Any], words: str) -> None:
    """The message names the switch."""
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=words):
        load_profile(tmp_path / "a.json")


def test_strict_introspection_says_only_what_is_documented(strict: Kit) -> None:
    """pub.oauth:introspectToken: active as text, and neither the client's name nor the id of a public client."""
    scope = strict.scope("a:b")
    machine = strict.machine(scope)
    answer = strict.introspect(strict.token(machine)["access_token"])
    assert set(answer) == {"active", "token_type", "scope", "client_id", "owner_id", "iat", "exp"}
    assert answer["active"] == "true"
    assert strict.introspect("unknown") == {"active": "false"}
    public = strict.client(scope, type="Public", authorizationCodeGrant=True, redirect_uris=["https://app.example/cb"])
    code = code_for(strict, public)
    form = {"grant_type": "authorization_code", "code": code, "client_id": public["client_id"]}
    made = strict.service("getToken", **form, redirect_uri="https://app.example/cb").json()
    found = strict.introspect(made["access_token"])
    assert "client_id" not in found
    assert found["owner_id"] == ALICE[0]
    assert strict.call("a:b", made["access_token"]).status_code == 200


def test_a_confidential_client_has_an_account_of_the_name_of_its_id(strict: Kit) -> None:
    """It comes with the client, follows its type, and goes with it (Configuring OAuth, client types)."""
    made = strict.machine()
    address = f"/user/{made['client_id']}"
    assert strict.admin("GET", address).json() == {"name": made["client_id"], "enabled": True, "groups": []}
    client = f"/oauth/client/{made['client_id']}"
    change = {"type": "Public", "clientCredentialsGrant": False}
    assert strict.admin("PATCH", client, change).status_code == 200
    assert strict.admin("GET", address).status_code == 404
    assert strict.admin("PATCH", client, {"type": "Confidential"}).status_code == 200
    assert strict.admin("GET", address).status_code == 200
    assert strict.admin("DELETE", client).status_code == 204
    assert strict.admin("GET", address).status_code == 404


def test_an_account_that_somebody_else_made_is_left_alone(launch: Launch) -> None:
    """A client whose id is the name of a user doesn't take the user along."""
    kit = launch(strict=True, accept_client_id=True)
    body = {"name": "a", "version": 1, "type": "Confidential", "client_id": ALICE[0], "client_secret": "given-secret-1"}
    assert kit.admin("POST", "/oauth/client", body).status_code == 201
    assert kit.admin("DELETE", f"/oauth/client/{ALICE[0]}").status_code == 204
    assert kit.admin("GET", f"/user/{ALICE[0]}").status_code == 200


def test_the_authorization_server_may_check_the_scope_as_well(launch: Launch) -> None:
    """With scope_check both, a scope without contents on the authorization server opens nothing anywhere."""
    opened: dict[str, int] = {}
    for name, contents in (("with", ["a:b"]), ("without", [])):
        login = launch(f"login-{name}", role="authorization", profile=profile(scope_check="both"))
        orders = launch(f"orders-{name}", role="resource", profile=profile(resource_clients="any"))
        scope = login.scope(*contents, name="orders.read")
        orders.scope("a:b", name="orders.read")
        host, _, port = login.url.removeprefix("http://").partition(":")
        remote = {"alias": "login", "host": host, "port": int(port), "user": ADMIN[0], "password": ADMIN[1]}
        assert orders.admin("POST", "/remoteserver/", remote).status_code == 201
        orders.settings(authServerAlias="login")
        token = login.token(login.machine(scope))["access_token"]
        opened[name] = orders.call("a:b", token).status_code
    assert opened == {"with": 200, "without": 401}


@pytest.mark.parametrize("patch", ["merges", "clears", "replaces"])
def test_what_a_patch_makes_of_the_rest(launch: Launch, patch: str) -> None:
    """It stays, or it is reset, and with `replaces` the natural key is required."""
    kit = launch(profile=profile(patch=patch))
    made = kit.client(kit.scope(), redirect_uris=["https://a.example/cb"], tokenLifetime=99, description="x")
    address = f"/oauth/client/{made['client_id']}"
    answer = kit.admin("PATCH", address, {"description": "y"})
    if patch == "replaces":
        assert answer.status_code == 400
        whole = {"name": made["name"], "version": 1, "type": "Confidential", "description": "y"}
        answer = kit.admin("PATCH", address, whole)
    kept = patch == "merges"
    told = answer.json()
    assert told["description"] == "y"
    assert (told["tokenLifetime"], told["scopes"], told["redirect_uris"]) == (
        (99, made["scopes"], made["redirect_uris"]) if kept else (-2, [], [])
    )


def test_how_secrets_are_shown(launch: Launch) -> None:
    """Hidden after the creation, as a mask, or in clear; for clients and for trusted servers."""
    for secrets in ("hidden", "masked", "clear"):
        kit = launch(secrets, profile=profile(secrets=secrets))
        made = kit.machine()
        told = kit.admin("GET", f"/oauth/client/{made['client_id']}").json().get("client_secret")
        assert told == {"hidden": None, "masked": "********", "clear": made["client_secret"]}[secrets]
        remote = {"alias": unique("r"), "host": "h", "port": 1, "user": "u", "password": "remote-pass"}
        shown = kit.admin("POST", "/remoteserver/", remote).json().get("password")
        assert shown == {"hidden": None, "masked": "********", "clear": "remote-pass"}[secrets]
    late = launch("late", profile=profile(secret_at_creation=False))
    assert "client_secret" not in late.client()


def test_two_token_lists_and_single_deletions(launch: Launch) -> None:
    """Access and refresh tokens have rows of their own, and one that is deleted leaves the other."""
    kit = launch(profile=profile(token_lists="two", token_deletion="single"))
    client = kit.client(kit.scope("a"), resourceOwnerCredentialsGrant=True, tokenRefreshCount=3)
    token = kit.token(client, grant_type="password", username=ALICE[0], password=ALICE[1])
    lists = tokens_of(kit)
    assert {name: len(rows) for name, rows in lists.items()} == {"access_tokens": 1, "refresh_tokens": 1}
    access, refresh = lists["access_tokens"][0], lists["refresh_tokens"][0]
    assert (refresh["remainingRefreshes"], refresh["ownerId"], access["refreshTokenId"]) == ("3", ALICE[0], "")
    assert kit.admin("DELETE", f"/oauth/token/accesstoken/{access['accessTokenId']}").status_code == 204
    assert kit.admin("DELETE", f"/oauth/token/accesstoken/{access['accessTokenId']}").status_code == 404
    assert not kit.active(token["access_token"])
    assert {name: len(rows) for name, rows in tokens_of(kit).items()} == {"access_tokens": 0, "refresh_tokens": 1}
    renewed = kit.token(client, grant_type="refresh_token", refresh_token=token["refresh_token"])
    assert kit.active(renewed["access_token"])
    refresh_id = tokens_of(kit)["refresh_tokens"][0]["refreshTokenId"]
    assert kit.admin("DELETE", f"/oauth/token/refreshtoken/{refresh_id}").status_code == 204
    assert kit.active(renewed["access_token"])
    spent = kit.service_as(client, "getToken", grant_type="refresh_token", refresh_token=renewed["refresh_token"])
    assert spent.json()["error"] == "invalid_grant"


def test_forms_of_answers(launch: Launch) -> None:
    """Links, wrappers, types, empty values and statuses, as a profile has them."""
    kit = launch(
        profile=profile(
            expand="ignored", links="absolute", list_shape="with_ids", values="text", versions="text", empty="absent",
            missing=400, duplicate=400,
        )
    )  # fmt: skip
    made = kit.client()
    address = f"{kit.url}/admin/oauth/client/{made['client_id']}/"
    listed = kit.admin("GET", "/oauth/client", params={"expand": "true"}).json()
    assert listed["clients"] == [{"name": made["name"], "url": address}]
    assert len(listed["ids"]) == 1
    told = kit.admin("GET", f"/oauth/client/{made['client_id']}").json()
    assert (told["version"], told["enabled"], told["tokenLifetime"]) == ("1", "true", "-2")
    assert "scopes" not in told
    assert kit.admin("GET", "/oauth/client/none").status_code == 400
    body = {"name": made["name"], "version": 1, "type": "Confidential"}
    assert kit.admin("POST", "/oauth/client", body).status_code == 400
    partial = launch("partial", profile=profile(list_items="partial", list_shape="array"))
    partial.client()
    (item,) = partial.admin("GET", "/oauth/client", params={"expand": "true"}).json()
    assert "scopes" not in item
    assert "enabled" not in item


def test_parameters_change_what_the_oauth_services_do(launch: Launch) -> None:
    """requirePost, token.short, the approval page, and PKCE of one client (10.15)."""
    kit = launch(profile=profile(release="10.15", client_pkce="integer"))

    def put(name: str, value: str) -> None:
        path = f"/server/setting/watt.server.oauth.{name}"
        assert kit.admin("PATCH", path, {"name": f"watt.server.oauth.{name}", "value": value}).status_code == 200

    client = kit.machine(kit.scope("a:b"))
    asked: dict[str, Any] = {
        "auth": (client["client_id"], client["client_secret"]),
        "params": {"grant_type": "client_credentials"},
    }
    url = f"{kit.url}/invoke/pub.oauth/getToken"
    assert kit.http.get(url, **asked).status_code == 400
    put("requirePost", "false")
    long = kit.http.get(url, **asked).json()["access_token"]
    put("token.short", "true")
    assert len(kit.http.get(url, **asked).json()["access_token"]) == 32 < len(long)
    assert kit.admin("PATCH", "/server/setting/watt.server.oauth.unknown", {"value": "1"}).status_code == 404
    app = kit.client(
        kit.scope("a:b"), type="Public", authorizationCodeGrant=True, redirect_uris=["https://app.example/cb"]
    )
    put("approvalpage.title", "Our own title")
    request = {"response_type": "code", "client_id": app["client_id"]}
    with Browser(kit) as browser:
        browser.sign_in(browser.authorize(**request))
        assert "Our own title" in browser.authorize(**request).text
        assert kit.admin("PATCH", f"/oauth/client/{app['client_id']}", {"requirePKCE": 1}).status_code == 200
        assert "code_challenge" in browser.authorize(**request).headers["Location"]
