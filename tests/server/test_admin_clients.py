"""Client registrations."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event

from oauthdeploy.server.app import state_of

from .kit import CALLBACK, Kit, unique

PATH = "/oauth/client"


def fresh(**more: object) -> dict[str, object]:
    return {"name": unique("fresh"), "version": 1, "type": "Confidential", **more}


def test_a_client_starts_with_the_documented_defaults(either: Kit) -> None:
    """Grants off, enabled, lifetime as in the settings, no refreshes; the id is 32 hex digits."""
    body = fresh()
    created = either.admin("POST", PATH, body)
    assert created.status_code == 201
    client = created.json()
    assert re.fullmatch("[0-9a-f]{32}", client.pop("client_id"))
    assert len(client.pop("client_secret")) >= 32
    assert client == {
        **body,
        "description": None,
        "redirect_uris": [],
        "scopes": [],
        "authorizationCodeGrant": False,
        "implicitGrant": False,
        "clientCredentialsGrant": False,
        "resourceOwnerCredentialsGrant": False,
        "tokenLifetime": -2,
        "tokenRefreshCount": 0,
        "enabled": True,
        "registrationClientUri": None,
        "registrationAccessToken": None,
    }


def test_the_secret_is_told_once(either: Kit) -> None:
    """Only the creating answer has the secret, and only for confidential clients."""
    client = either.machine(either.scope("a"))
    address = f"{PATH}/{client['client_id']}"
    assert "client_secret" not in either.admin("GET", address).json()
    assert "client_secret" not in either.admin("PATCH", address, {"enabled": True}).json()
    assert all("client_secret" not in one for one in either.admin("GET", PATH + "?expand=true").json()["clients"])
    public = either.client(type="Public", authorizationCodeGrant=True, redirect_uris=[CALLBACK])
    assert "client_secret" not in public


def test_lists_name_clients_or_hold_them_whole(either: Kit) -> None:
    """By default name and URL, where the URL has the client_id; with expand whole clients."""
    client = either.client()
    short = either.admin("GET", PATH).json()["clients"]
    assert {"name": client["name"], "url": f"/admin/oauth/client/{client['client_id']}"} in short
    whole = either.admin("GET", PATH + "?expand=true").json()["clients"]
    del client["client_secret"]
    assert client in whole


def test_a_client_is_found_by_name_and_version(either: Kit) -> None:
    """The path with name and version gives the same object; an unknown pair is 404."""
    client = either.client(name=unique("with space"), version=7)
    found = either.admin("GET", f"{PATH}/{client['name']}/version/7").json()
    assert found["client_id"] == client["client_id"]
    assert either.admin("GET", f"{PATH}/{client['name']}/version/8").status_code == 404


def test_put_replaces_all_but_id_and_secret(either: Kit) -> None:
    """Unnamed fields go to their defaults; the old secret still works."""
    scope = either.scope("a")
    client = either.machine(scope, description="old", tokenLifetime=60)
    address = f"{PATH}/{client['client_id']}"
    body = {"name": client["name"], "version": 2, "type": "Confidential", "clientCredentialsGrant": True}
    replaced = either.admin("PUT", address, body).json()
    assert replaced["client_id"] == client["client_id"]
    assert (replaced["description"], replaced["tokenLifetime"], replaced["scopes"]) == (None, -2, [])
    assert replaced["version"] == 2
    either.admin("PATCH", address, {"scopes": [scope]})
    assert either.token(client)["scope"] == scope
    for missing in ("name", "version", "type"):
        response = either.admin("PUT", address, {key: value for key, value in body.items() if key != missing})
        assert response.status_code == 400
        assert f"'{missing}'" in response.json()["message"]


def test_patch_merges(either: Kit) -> None:
    """Named fields change, arrays as a whole, null means the default, the rest stays."""
    one, two = either.scope("a"), either.scope("a")
    client = either.machine(one, description="text", tokenLifetime=60, redirect_uris=[CALLBACK])
    address = f"{PATH}/{client['client_id']}"
    changed = either.admin("PATCH", address, {"scopes": [two, two], "enabled": False}).json()
    assert (changed["scopes"], changed["enabled"], changed["description"]) == ([two], False, "text")
    changed = either.admin("PATCH", address, {"description": None, "tokenLifetime": None, "scopes": None}).json()
    assert (changed["description"], changed["tokenLifetime"], changed["scopes"]) == (None, -2, [])
    assert changed["redirect_uris"] == [CALLBACK]
    assert either.admin("PATCH", address, {"name": None}).status_code == 400


def test_name_and_version_together_are_unique(either: Kit) -> None:
    """A second client of the same name needs another version: on create, replace and update."""
    first = either.client()
    assert either.admin("POST", PATH, {**fresh(), "name": first["name"]}).status_code == 409
    second = either.client(name=first["name"], version=2)
    address = f"{PATH}/{second['client_id']}"
    assert either.admin("PATCH", address, {"version": 1}).status_code == 409
    assert either.admin("PUT", address, {**fresh(), "name": first["name"]}).status_code == 409
    assert either.admin("PATCH", address, {"version": 2}).status_code == 200
    assert either.admin("GET", address).json()["version"] == 2


@pytest.mark.parametrize("character", list("&()\\;,/\":'<>"))
def test_forbidden_characters_in_names(either: Kit, character: str) -> None:
    """Name and version refuse the documented characters; spaces pass."""
    response = either.admin("POST", PATH, fresh(name=f"a{character}b"))
    assert response.status_code == 400
    assert "'name'" in response.json()["message"]
    if not either.config.strict:
        response = either.admin("POST", PATH, fresh(version=f"1{character}0"))
        assert response.status_code == 400
        assert "'version'" in response.json()["message"]


@pytest.mark.parametrize(
    "uri",
    [
        "app.example/cb",
        "custom://app/cb",
        "https:///cb",
        "https://-x",
        "ftp://app.example",
        "https://app.example/c b",
        "https://app.example/^",
        "https://app.example/#f",
        "https://app.example/%20",
        'https://app.example/"',
        "javascript:alert(1)",
    ],
)
def test_redirect_uris_are_held_to_the_rule(either: Kit, uri: str) -> None:
    """A redirect URI starts with http:// or https:// and a letter or digit, and has none of ^ # % and quotes."""
    response = either.admin("POST", PATH, fresh(redirect_uris=[CALLBACK, uri]))
    assert response.status_code == 400
    assert "redirect_uris" in response.json()["message"]


def test_good_redirect_uris_pass(either: Kit) -> None:
    """Ports, queries and loopback addresses are fine."""
    uris = ["http://127.0.0.1:8080/cb", "https://app.example/cb?x=1&y=2", "http://localhost/cb"]
    assert either.client(redirect_uris=uris)["redirect_uris"] == uris


@pytest.mark.parametrize("grant", ["authorizationCodeGrant", "implicitGrant"])
def test_browser_grants_need_a_redirect_uri(either: Kit, grant: str) -> None:
    """With the authorization code or implicit grant there is at least one redirect URI, also after an update."""
    assert either.admin("POST", PATH, fresh(**{grant: True})).status_code == 400
    client = either.client(**{grant: True, "redirect_uris": [CALLBACK]})
    address = f"{PATH}/{client['client_id']}"
    assert either.admin("PATCH", address, {"redirect_uris": []}).status_code == 400
    assert either.admin("PATCH", address, {"redirect_uris": [], grant: False}).status_code == 200


@pytest.mark.parametrize("grant", ["clientCredentialsGrant", "resourceOwnerCredentialsGrant"])
def test_grants_of_confidential_clients(either: Kit, grant: str) -> None:
    """Client credentials and password are for confidential clients only, also after an update."""
    response = either.admin("POST", PATH, fresh(type="Public", **{grant: True}))
    assert response.status_code == 400
    assert grant in response.json()["message"]
    client = either.client(**{grant: True})
    assert either.admin("PATCH", f"{PATH}/{client['client_id']}", {"type": "Public"}).status_code == 400


def test_a_client_that_becomes_confidential_gets_a_secret(either: Kit) -> None:
    """The answer that makes it confidential holds the new secret; one that makes it public drops it."""
    client = either.client(type="Public")
    address = f"{PATH}/{client['client_id']}"
    secret = either.admin("PATCH", address, {"type": "Confidential"}).json()["client_secret"]
    assert "client_secret" not in either.admin("PATCH", address, {"type": "Public"}).json()
    assert either.admin("PATCH", address, {"type": "Confidential"}).json()["client_secret"] != secret


def test_scopes_of_a_client_must_exist(either: Kit) -> None:
    """An unknown scope is 400, and the client isn't created."""
    body = fresh(scopes=[either.scope("a"), "no-such-scope"])
    response = either.admin("POST", PATH, body)
    assert response.status_code == 400
    assert "no-such-scope" in response.json()["message"]
    assert either.admin("GET", f"{PATH}/{body['name']}/version/1").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("name", ""),
        ("name", "  "),
        ("name", "x" * 256),
        ("name", "a\nb"),
        ("version", 1.5),
        ("version", True),
        ("version", 2**31),
        ("version", ["1"]),
        ("type", "Secret"),
        ("type", None),
        ("description", {"a": 1}),
        ("redirect_uris", CALLBACK),
        ("redirect_uris", [1]),
        ("scopes", {"a": 1}),
        ("enabled", "true"),
        ("implicitGrant", 0),
        ("tokenLifetime", "60"),
        ("tokenLifetime", 0),
        ("tokenLifetime", -3),
        ("tokenLifetime", 2**31),
        ("tokenRefreshCount", -2),
        ("registrationClientUri", 5),
    ],
)
def test_wrong_values_are_refused_by_name(either: Kit, field: str, value: object) -> None:
    """Wrong types and ranges are 400 naming the field."""
    response = either.admin("POST", PATH, {**fresh(), field: value})
    assert response.status_code == 400
    assert field in response.json()["message"]


def test_strict_mode_takes_literal_types(strict: Kit) -> None:
    """The version is an integer, and the type is spelled as printed."""
    assert strict.admin("POST", PATH, fresh(version="1")).status_code == 400
    assert strict.admin("POST", PATH, fresh(type="confidential")).status_code == 400


def test_tolerant_mode_takes_text_versions(tolerant: Kit) -> None:
    """The version may be text and is answered as it was given; 1 and "1" are the same version."""
    for version in (3, "3.1-beta", "4"):
        client = tolerant.client(version=version)
        address = f"{PATH}/{client['client_id']}"
        assert client["version"] == tolerant.admin("GET", address).json()["version"] == version
        other = str(version)
        assert tolerant.admin("POST", PATH, fresh(name=client["name"], version=other)).status_code == 409
    assert tolerant.client(type="PUBLIC")["type"] == "Public"


def test_versions_stay_readable_in_the_other_mode(launch: Callable[..., Kit]) -> None:
    """Strict mode answers a stored version as an integer when it is one, and as text when it isn't."""
    kit = launch()
    kit.client(name="number", version="12")
    kit.client(name="text", version="1.0")
    kit.stop()
    kit = launch(strict=True)
    versions = {one["name"]: one["version"] for one in kit.admin("GET", PATH + "?expand=true").json()["clients"]}
    assert versions == {"number": 12, "text": "1.0"}


def test_ids_and_secrets_are_generated_unless_accepted(strict: Kit, tolerant: Kit) -> None:
    """Without accept_client_id they are refused in strict mode and ignored in tolerant mode."""
    chosen = {"client_id": unique("chosen"), "client_secret": "chosen-secret-1"}
    response = strict.admin("POST", PATH, fresh(**chosen))
    assert response.status_code == 400
    assert "client_id" in response.json()["message"]
    client = tolerant.client(**chosen)
    assert client["client_id"] != chosen["client_id"]
    assert client["client_secret"] != chosen["client_secret"]


@pytest.mark.parametrize("mode", [True, False])
def test_accepted_ids_and_secrets(launch: Callable[..., Kit], mode: bool) -> None:
    """With accept_client_id the creator chooses, and an update of the secret rotates it."""
    kit = launch(strict=mode, accept_client_id=True)
    scope = kit.scope("a")
    identity: dict[str, Any] = {"client_id": "web-shop@1", "client_secret": "first-secret%41"}
    created = kit.machine(scope, **identity)
    assert created["client_id"] == "web-shop@1"
    assert "client_secret" not in created
    address = f"{PATH}/web-shop@1"
    encoded = {**identity, "client_secret": "first-secret%2541"}
    assert kit.token(encoded)["scope"] == scope
    assert kit.admin("PATCH", address, {"client_secret": "second-secret"}).status_code == 200
    assert kit.service_as(encoded, "getToken", grant_type="client_credentials").status_code == 401
    assert kit.token({**identity, "client_secret": "second-secret"})["scope"] == scope
    assert kit.admin("PATCH", address, {"client_id": "other"}).status_code == 400
    assert kit.admin("PATCH", address, {"client_id": "web-shop@1"}).status_code == 200
    assert kit.admin("POST", PATH, fresh(client_id="web-shop@1")).status_code == 409
    for bad in ("", "a b", "a/b", "x" * 129):
        assert kit.admin("POST", PATH, fresh(client_id=bad)).status_code == 400
    assert kit.admin("POST", PATH, fresh(client_secret="short")).status_code == 400
    assert kit.admin("POST", PATH, fresh(client_secret="long-enough", type="Public")).status_code == 400
    generated = kit.client()
    assert len(generated["client_secret"]) >= 32


def test_deleting_a_client_deletes_its_tokens(either: Kit) -> None:
    """The client is gone with all of its tokens, and nobody else's."""
    scope = either.scope("a")
    doomed, other = either.machine(scope), either.machine(scope)
    token, kept = either.token(doomed)["access_token"], either.token(other)["access_token"]
    assert either.admin("DELETE", f"{PATH}/{doomed['client_id']}").status_code == 204
    assert either.admin("GET", f"{PATH}/{doomed['client_id']}").status_code == 404
    assert not either.active(token)
    assert either.active(kept)
    tokens = either.admin("GET", "/oauth/token?expand=true").json()["tokens"]
    assert doomed["client_id"] not in {one["client_id"] for one in tokens}


def test_concurrent_creates_give_one_client(tolerant: Kit) -> None:
    """Of simultaneous creates of one name and version exactly one is 201, the others are 409."""
    body = fresh()
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: tolerant.admin("POST", PATH, body).status_code, range(12)))
    assert sorted(statuses) == [201] + [409] * 11


def test_expanded_lists_need_few_queries(launch: Callable[..., Kit]) -> None:
    """The number of queries behind an expanded list doesn't grow with its length."""
    kit = launch()
    scope = kit.scope("a")
    engine = state_of(kit.running.app).store.engine
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    def queries() -> int:
        statements.clear()
        assert kit.admin("GET", PATH + "?expand=true").status_code == 200
        return len(statements)

    kit.client(scope)
    few = queries()
    names = ["name", "version", "version_is_number", "type", "redirect_uris", "authorization_code_grant"]
    names += ["implicit_grant", "client_credentials_grant", "password_grant", "token_lifetime", "refresh_count"]
    names += ["enabled"]
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000)"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO client (client_id, {', '.join(names)}) {numbers} "
            "SELECT printf('%032x', i), 'bulk ' || i, '1', 1, 'Confidential', '[]', 0, 0, 1, 0, -2, 0, 1 FROM n"
        )
        connection.exec_driver_sql(f"INSERT INTO client_scope {numbers} SELECT printf('%032x', i), '{scope}', 0 FROM n")
    assert queries() == few
    clients = kit.admin("GET", PATH + "?expand=true").json()["clients"]
    assert len(clients) == 5001
    assert all(client["scopes"] == [scope] for client in clients)
