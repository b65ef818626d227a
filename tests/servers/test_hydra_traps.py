"""What a real Ory Hydra does that its documents leave open: the driver is written for this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.servers import hydra as hydra_server
from tests.servers.hydra import Hydra
from tests.servers.plugin import RUN, usable

pytestmark = pytest.mark.live

CLIENTS = "/admin/clients"
BATCH: dict[str, Any] = {
    "client_id": "batch",
    "client_secret": "a-secret-of-9e",
    "grant_types": ["client_credentials"],
    "scope": "read",
}
LIFESPAN = "client_credentials_grant_access_token_lifespan"


@pytest.fixture(scope="module")
def running(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hydra]:
    folder = tmp_path_factory.mktemp("hydra")
    hydra = usable(lambda: hydra_server.launch(folder, pytestconfig.stash[RUN].owner))
    yield hydra
    hydra.process.stop()


@pytest.fixture
def hydra(running: Hydra) -> Hydra:
    running.clear()
    return running


def made(hydra: Hydra, **fields: Any) -> Any:
    answer = hydra.call("POST", CLIENTS, {**BATCH, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def patched(hydra: Hydra, path: str, value: Any, op: str = "replace") -> requests.Response:
    return hydra.call("PATCH", f"{CLIENTS}/batch", [{"op": op, "path": path, "value": value}])


def test_an_empty_scope_stands_for_the_default_scopes(hydra: Hydra) -> None:
    """So a client that may request none has a blank as its scope, in a create and in every later change."""
    assert made(hydra, scope="")["scope"] == "offline_access offline openid"
    assert patched(hydra, "/scope", "").json()["scope"] == "offline_access offline openid"
    assert patched(hydra, "/scope", " ").json()["scope"] == " "
    assert patched(hydra, "/client_name", "Batch").json()["scope"] == " "
    assert hydra.token("batch", BATCH["client_secret"], scope="openid").status_code == 400


def test_a_client_without_grants_has_the_authorization_code_grant(hydra: Hydra) -> None:
    """RFC 7591 section 2: a client that may use no grant cannot be expressed."""
    assert made(hydra, grant_types=[], redirect_uris=["https://app.example.com/cb"])["grant_types"] == []
    query = {"client_id": "batch", "response_type": "code", "state": "12345678", "scope": "read"}
    answer = requests.get(f"{hydra.public_url}/oauth2/auth", query, allow_redirects=False, timeout=20)
    assert answer.status_code in (302, 303)
    assert "login_challenge" in answer.headers["Location"], "the grant is refused"


def test_any_text_is_stored_as_a_grant_type(hydra: Hydra) -> None:
    """Storing a grant proves nothing about having it."""
    assert made(hydra, grant_types=["password"])["grant_types"] == ["password"]
    form = {"grant_type": "password", "username": "alice", "password": "x"}
    answer = hydra.token("batch", BATCH["client_secret"], **form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), answer.text


def test_a_patch_keeps_the_fields_that_it_does_not_name_and_knows_no_test(hydra: Hydra) -> None:
    """There is no conditional write: `test` is answered 500, and an update time is no condition either."""
    made(hydra, contacts=["ops@example.com"], metadata={"team": 7})
    after = patched(hydra, "/metadata/more", "x", "add").json()
    assert after["contacts"] == ["ops@example.com"]
    assert after["metadata"] == {"team": 7, "more": "x"}
    assert patched(hydra, "/client_name", "", "test").status_code == 500


def test_a_patch_cannot_take_a_lifetime_away(hydra: Hydra) -> None:
    """Null is ignored there; the request for lifetimes replaces all of them."""
    made(hydra)
    assert patched(hydra, f"/{LIFESPAN}", "30m").json()[LIFESPAN] == "30m0s"
    assert patched(hydra, f"/{LIFESPAN}", None).json()[LIFESPAN] == "30m0s"
    other = "refresh_token_grant_refresh_token_lifespan"
    assert patched(hydra, f"/{other}", "48h").json()[other] == "48h0m0s"
    answer = hydra.call("PUT", f"{CLIENTS}/batch/lifespans", {LIFESPAN: None})
    assert (answer.json()[LIFESPAN], answer.json()[other]) == (None, None)


def test_a_put_replaces_everything_but_the_secret(hydra: Hydra) -> None:
    """A field that is left out gets its default; the old secret still works."""
    made(hydra, contacts=["ops@example.com"], metadata={"team": 7})
    body = {key: value for key, value in BATCH.items() if key != "client_secret"}
    after = hydra.call("PUT", f"{CLIENTS}/batch", body).json()
    assert (after["contacts"], after["metadata"]) == (None, {})
    assert hydra.token("batch", BATCH["client_secret"]).status_code == 200


def test_the_secret_is_told_once_and_replaced_at_once(hydra: Hydra) -> None:
    """It is in the answer that makes or sets it and nowhere else; the old one ends with the new."""
    assert made(hydra, client_secret="")["client_secret"]
    assert "client_secret" not in hydra.client("batch")
    assert patched(hydra, "/client_secret", "another-4c").json()["client_secret"] == "another-4c"
    assert hydra.token("batch", "another-4c").status_code == 200
    assert hydra.call("POST", CLIENTS, {"client_id": "short", "client_secret": "12345"}).status_code == 400


def test_a_taken_id_is_refused(hydra: Hydra) -> None:
    """409, so that a create whose answer was lost can be told from another client."""
    made(hydra)
    assert hydra.call("POST", CLIENTS, BATCH).status_code == 409


def test_the_end_of_a_list_is_a_page_that_is_not_full(hydra: Hydra) -> None:
    """Pages are by offset, ordered by id, and a page beyond the last is empty."""
    for number in range(5):
        made(hydra, client_id=f"c{number}")
    first = hydra.call("GET", f"{CLIENTS}?page_size=2")
    assert [client["client_id"] for client in first.json()] == ["c0", "c1"]
    second = requests.get(hydra.url + first.links["next"]["url"], timeout=20)
    assert second.ok
    assert len(second.json()) == 2
    beyond = "eyJvZmZzZXQiOiI1MDAiLCJ2IjoyfQ"
    assert hydra.get(f"{CLIENTS}?page_size=500&page_token={beyond}") == []


def test_deleting_tokens_ends_access_tokens(hydra: Hydra) -> None:
    """Of this client, at once; a client without any answers 204 too."""
    made(hydra)
    made(hydra, client_id="other")
    mine, other = (hydra.token(name, BATCH["client_secret"]).json()["access_token"] for name in ("batch", "other"))
    assert hydra.call("DELETE", "/admin/oauth2/tokens?client_id=batch").status_code == 204
    assert (hydra.is_active(mine), hydra.is_active(other)) == (False, True)
    assert hydra.call("DELETE", "/admin/oauth2/tokens?client_id=nobody").status_code == 204


def test_consents_are_withdrawn_for_one_subject_only(hydra: Hydra) -> None:
    """Nothing ends the refresh tokens of all users of a client, while it has the grant."""
    path = "/admin/oauth2/auth/sessions/consent"
    assert hydra.call("DELETE", f"{path}?client=batch").status_code == 400
    assert hydra.call("DELETE", f"{path}?client=batch&subject=alice").status_code == 204


def test_the_admin_api_is_not_at_the_public_address(hydra: Hydra) -> None:
    """The clients are 404 there, and so is the version."""
    for path in (CLIENTS, "/version"):
        assert requests.get(hydra.public_url + path, timeout=20).status_code == 404
    assert hydra.get("/version") == {"version": hydra_server.VERSION}


def test_the_issuer_is_the_configured_address(hydra: Hydra) -> None:
    """As it is written, without a slash at its end."""
    answer = requests.get(f"{hydra.public_url}/.well-known/openid-configuration", timeout=20).json()
    assert answer["issuer"] == hydra.public_url
    assert answer["jwks_uri"] == f"{hydra.public_url}/.well-known/jwks.json"
    assert answer["token_endpoint"] == f"{hydra.public_url}/oauth2/token"
    assert answer["revocation_endpoint"] == f"{hydra.public_url}/oauth2/revoke"


def test_a_client_with_a_slash_in_its_id_cannot_be_reached(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It is made and listed, and its path is not found, however it is escaped: on a server of its own, since it stays."""
    folder = tmp_path_factory.mktemp("hydra")
    hydra = usable(lambda: hydra_server.launch(folder, pytestconfig.stash[RUN].owner))
    try:
        assert hydra.call("POST", CLIENTS, {"client_id": "a/b"}).status_code == 201
        assert [client["client_id"] for client in hydra.get(CLIENTS)] == ["a/b"]
        for path in ("a%2Fb", "a%252Fb", "a/b"):
            assert hydra.call("DELETE", f"{CLIENTS}/{path}").status_code == 404
    finally:
        hydra.process.stop()
