"""Introspection, revocation, metadata, and the demand for HTTPS."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_plus

import pytest
import requests
from werkzeug.security import check_password_hash

from oauthdeploy.server import SeedUser, ServerConfig, passwords, start

from .kit import ADMIN, ALICE, CALLBACK, READER, RESOURCE, Kit, code_for


def test_who_may_introspect(tolerant: Kit) -> None:
    """Confidential clients, administrators and resource servers; all others get 401."""
    client = tolerant.machine(tolerant.scope("a"))
    other = tolerant.machine(tolerant.scope("a"))
    token = tolerant.token(client)["access_token"]
    for caller in (ADMIN, RESOURCE, (other["client_id"], other["client_secret"])):
        assert tolerant.service_as(caller, "introspectToken", token=token).json()["active"] is True
    for caller in (ALICE, READER, (ADMIN[0], "wrong"), (other["client_id"], "wrong")):
        response = tolerant.service_as(caller, "introspectToken", token=token)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert tolerant.service("introspectToken", token=token).status_code == 401


@pytest.mark.parametrize("service", ["getToken", "introspectToken", "revokeToken"])
def test_an_unknown_client_costs_as_much_as_a_wrong_secret(
    tolerant: Kit, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    """Each refusal does the same number of slow hashes, whether the client is unknown, disabled, or its secret made or chosen."""
    slow: list[str] = []
    check = check_password_hash

    def counted(form: str, given: str) -> bool:
        slow.append(form)
        return check(form, given)

    monkeypatch.setattr(passwords, "check_password_hash", counted)
    made = tolerant.machine(tolerant.scope("a"))
    disabled = tolerant.machine(tolerant.scope("a"))
    path = f"/oauth/client/{disabled['client_id']}"
    assert tolerant.admin("PATCH", path, {"enabled": False}).status_code == 200
    refused = [(made["client_id"], "wrong"), ("nobody", "wrong"), (disabled["client_id"], disabled["client_secret"])]
    costs = []
    for caller in refused:
        slow.clear()
        answer = tolerant.service_as(caller, service, token="t", grant_type="client_credentials")
        assert answer.status_code == 401
        costs.append(len(slow))
    assert costs[0] > 0
    assert costs == costs[:1] * len(refused)


def test_basic_credentials_are_form_decoded(tmp_path: Path) -> None:
    """+ is a blank (RFC 6749 section 2.3.1 and appendix B), for clients and for accounts that introspect."""
    account = ("orders rs", "p@ss/w0rd +%:ä")
    admin = SeedUser(*ADMIN, ("Administrators",))
    config = ServerConfig(
        role="authorization", data_dir=tmp_path, users=(admin, SeedUser(*account, ("ResourceServers",)))
    )
    with start(config) as server:
        settings = f"{server.url}/admin/oauth/globalsetting/"
        assert requests.patch(settings, json={"requireHTTPS": False}, auth=ADMIN, timeout=10).ok
        encoded = (quote_plus(account[0]), quote_plus(account[1]))
        for caller, status in (
            (encoded, 200),
            (account, 200),
            ((encoded[0], quote_plus(account[1] + "x")), 401),
            ((quote_plus("orders+rs"), encoded[1]), 401),
        ):
            url = f"{server.url}/invoke/pub.oauth/introspectToken"
            name, password = (part.encode() for part in caller)
            header = b64encode(name + b":" + password).decode()
            answer = requests.post(url, data={"token": "t"}, headers={"Authorization": f"Basic {header}"}, timeout=10)
            assert answer.status_code == status, caller


def test_what_introspection_says(tolerant: Kit) -> None:
    """The documented members, and the client's name and version as an extension."""
    client = tolerant.machine(tolerant.scope("a"), tokenLifetime=60)
    token = tolerant.token(client)
    answer = tolerant.introspect(token["access_token"])
    issued = answer.pop("iat")
    assert answer == {
        "active": True,
        "token_type": "Bearer",
        "scope": token["scope"],
        "client_id": client["client_id"],
        "owner_id": client["client_id"],
        "exp": issued + 60,
        "client_name": client["name"],
        "client_version": "1",
    }


def test_unknown_tokens_are_inactive(tolerant: Kit) -> None:
    """Whatever it is, and whatever the hint, the answer is only that it isn't active."""
    for token in ("unknown", "ä\"'<>", "x" * 100_000):
        for hint in ("access_token", "refresh_token", "magic"):
            response = tolerant.service_as(RESOURCE, "introspectToken", token=token, token_type_hint=hint)
            assert response.json() == {"active": False}
    assert tolerant.service_as(RESOURCE, "introspectToken").json()["error"] == "invalid_request"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revocation_ends_the_pair(tolerant: Kit, which: str) -> None:
    """Revoking either of access and refresh token ends both; a second time, and an unknown token, is 200 as well."""
    client = tolerant.client(tolerant.scope("a"), resourceOwnerCredentialsGrant=True, tokenRefreshCount=1)
    token = tolerant.token(client, grant_type="password", username=ALICE[0], password=ALICE[1])
    other = tolerant.token(client, grant_type="password", username=ALICE[0], password=ALICE[1])
    for _ in range(2):
        assert tolerant.service_as(client, "revokeToken", token=token[which]).status_code == 200
        assert not tolerant.active(token["access_token"])
        assert not tolerant.active(token["refresh_token"])
    assert tolerant.active(other["access_token"])
    assert tolerant.call("a:b", token["access_token"]).status_code == 401


def test_revocation_takes_json(tolerant: Kit) -> None:
    """As API Gateway sends it: POST with Basic and a JSON body."""
    client = tolerant.machine(tolerant.scope("a"))
    token = tolerant.token(client)["access_token"]
    url = f"{tolerant.url}/invoke/pub.oauth/revokeToken"
    auth = (client["client_id"], client["client_secret"])
    assert tolerant.http.post(url, json={"token": token}, auth=auth).status_code == 200
    assert not tolerant.active(token)
    bodies: list[object] = [[], {"token": 5}, "x"]
    for body in bodies:
        assert tolerant.http.post(url, json=body, auth=auth).json()["error"] == "invalid_request"


def test_only_own_tokens_can_be_revoked(tolerant: Kit) -> None:
    """Another client, or no credentials, can't revoke; a public client can by its id."""
    client, other = (tolerant.machine(tolerant.scope("a")) for _ in range(2))
    token = tolerant.token(client)["access_token"]
    assert tolerant.service_as(other, "revokeToken", token=token).status_code == 400
    assert tolerant.service("revokeToken", token=token).status_code == 401
    assert tolerant.service("revokeToken", token=token, client_id=client["client_id"]).status_code == 401
    assert tolerant.active(token)
    public = tolerant.client(tolerant.scope("a"), type="Public", authorizationCodeGrant=True, redirect_uris=[CALLBACK])
    form = {"grant_type": "authorization_code", "code": code_for(tolerant, public)}
    own = tolerant.service("getToken", **form, client_id=public["client_id"]).json()["access_token"]
    assert tolerant.active(own)
    assert tolerant.service("revokeToken", token=own, client_id=public["client_id"]).status_code == 200
    assert not tolerant.active(own)


def test_metadata_tells_the_truth(secure: Kit) -> None:
    """RFC 8414: each endpoint is where the metadata says, with the issuer that redirects name."""
    scope = secure.scope("a")
    data = secure.http.get(f"{secure.url}/.well-known/oauth-authorization-server").json()
    assert data["issuer"] == secure.url
    assert scope in data["scopes_supported"]
    assert set(data["code_challenge_methods_supported"]) == {"S256", "plain"}
    assert "not a production server" in data["notice"]
    for name in ("token", "introspection", "revocation"):
        assert secure.http.post(data[f"{name}_endpoint"]).status_code in (400, 401)
    assert secure.http.get(data["authorization_endpoint"]).status_code == 400
    client = secure.machine(scope)
    for grant in data["grant_types_supported"]:
        error = secure.service_as(client, "getToken", grant_type=grant).json().get("error")
        assert error != "unsupported_grant_type" or grant == "implicit"


def test_https_can_be_required(launch: Callable[..., Kit], secure: Kit) -> None:
    """With requireHTTPS plain HTTP gets 400 from every OAuth service, whatever a proxy header says; TLS passes."""
    kit = launch(https_required=True)
    headers = {"X-Forwarded-Proto": "https", "Forwarded": "proto=https", "X-Forwarded-Ssl": "on"}
    for method, path in (
        ("POST", "pub.oauth/getToken"),
        ("POST", "pub.oauth/introspectToken"),
        ("POST", "pub.oauth/revokeToken"),
        ("GET", "pub.oauth/removeExpiredAccessTokens"),
        ("GET", "pub.oauth/authorize"),
        ("POST", "wm.server.oauth/approve"),
    ):
        response = kit.http.request(method, f"{kit.url}/invoke/{path}", headers=headers)
        assert response.status_code == 400
        assert "HTTPS" in response.json()["error_description"]
    assert kit.call("a:b").status_code == 401
    kit.settings(requireHTTPS=False)
    assert kit.service("getToken").json()["error_description"] != "The OAuth services require HTTPS."
    assert secure.admin("GET", "/oauth/globalsetting").json()["requireHTTPS"] is True
    assert secure.token(secure.machine(secure.scope("a")))


def test_unknown_services(tolerant: Kit) -> None:
    """Other names in the OAuth folders are 404, and GET is 400, as documented for requirePost; never a protected service."""
    for folder in ("pub.oauth", "wm.server.oauth"):
        assert tolerant.call(f"{folder}:nothing").status_code == 404
    assert tolerant.http.get(f"{tolerant.url}/invoke/pub.oauth/getToken").status_code == 400
