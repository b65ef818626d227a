"""The protected services: token, client, resource owner and scope, under each kind of trust."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import pytest

from oauthdeploy.server import SeedUser

from .kit import ADMIN, ALICE, RESOURCE, Json, Kit, escaped, unique

Launch = Callable[..., Kit]


def challenge(response: Any) -> str:
    return str(response.headers.get("WWW-Authenticate", ""))


def test_a_call_with_a_good_token(either: Kit) -> None:
    """It answers with service, client, owner and scope, to GET and POST."""
    scope = either.scope("a")
    client = either.machine(scope)
    token = either.token(client)["access_token"]
    for method in ("GET", "POST"):
        response = either.call("a:b", token, method)
        assert response.status_code == 200
        assert response.json() == {
            "service": "a:b",
            "client_id": client["client_id"],
            "owner_id": client["client_id"],
            "scope": scope,
        }
    assert either.call("a:b", token, "DELETE").status_code == 405


def test_a_call_without_a_token(tolerant: Kit) -> None:
    """401 with a bare challenge: no error code when no token was sent; a token elsewhere doesn't count."""
    token = tolerant.token(tolerant.machine(tolerant.scope("a")))["access_token"]
    for response in (
        tolerant.call("a:b"),
        tolerant.call("a:b", params={"access_token": token}),
        tolerant.call("a:b", method="POST", data={"access_token": token}),
        tolerant.call("a:b", auth=ADMIN),
    ):
        assert response.status_code == 401
        assert challenge(response) == 'Bearer realm="oauthdeploy"'


def test_a_call_with_a_bad_token(tolerant: Kit) -> None:
    """Unknown, revoked and refresh tokens are invalid_token; what can't be a token is invalid_request."""
    client = tolerant.client(tolerant.scope("a"), resourceOwnerCredentialsGrant=True, tokenRefreshCount=1)
    pair = tolerant.token(client, grant_type="password", username=ALICE[0], password=ALICE[1])
    assert tolerant.call("a:b", pair["access_token"]).status_code == 200
    for token in ("unknown", pair["refresh_token"]):
        response = tolerant.call("a:b", token)
        assert response.status_code == 401
        assert 'error="invalid_token"' in challenge(response)
    for token in ("", "a b", 'a"b', "a,b"):
        response = tolerant.call("a:b", token)
        assert response.status_code == 400
        assert 'error="invalid_request"' in challenge(response)
    twice = tolerant.call("a:b", pair["access_token"], params={"access_token": pair["access_token"]})
    assert twice.status_code == 400


@pytest.mark.parametrize(
    ("resources", "templates", "opened", "closed"),
    [
        (["orders.v1:get"], [], ["GET orders.v1:get", "POST orders.v1:get"], ["GET orders.v1:put", "GET orders:get"]),
        (["orders.v1"], [], ["GET orders.v1:get", "GET orders.v1.sub:x"], ["GET orders.v10:get", "GET orders:x"]),
        (["orders"], [], ["GET orders.v1:get", "GET orders:x"], ["GET ordersx:get", "GET my.orders:x"]),
        ([], ["GET_orders.v1/get"], ["GET orders.v1:get"], ["POST orders.v1:get", "GET orders.v1:getAll"]),
        ([], ["POST_orders.v1/{any}"], ["POST orders.v1:x"], ["GET orders.v1:x", "POST orders.v2:x"]),
        ([], ["GET_orders.v1/a/b", "GET_orders.v1"], [], ["GET orders.v1:a", "GET orders.v1:b"]),
        ([], [], [], ["GET orders:x"]),
    ],
)
def test_what_a_scope_opens(
    tolerant: Kit, resources: list[str], templates: list[str], opened: list[str], closed: list[str]
) -> None:
    """A service, a folder with all below it, or a URL template for one method."""
    scope = tolerant.scope(*resources, urlTemplates=templates)
    token = tolerant.token(tolerant.machine(scope))["access_token"]
    for expected, calls in ((200, opened), (403, closed)):
        for call in calls:
            method, _, service = call.partition(" ")
            response = tolerant.call(service, token, method)
            assert response.status_code == expected, call
            if expected == 403:
                assert 'error="insufficient_scope"' in challenge(response)


def test_a_refusal_names_the_scopes_that_would_do(tolerant: Kit) -> None:
    """The scope attribute lists what opens the service."""
    folder = unique("folder")
    needed = sorted(tolerant.scope(folder) for _ in range(2))
    token = tolerant.token(tolerant.machine(tolerant.scope("other")))["access_token"]
    assert f'scope="{" ".join(needed)}"' in challenge(tolerant.call(f"{folder}:x", token))


def test_scope_changes_act_at_once(tolerant: Kit) -> None:
    """What a scope opens is looked up at the call, not when the token was issued."""
    scope = tolerant.scope("before")
    token = tolerant.token(tolerant.machine(scope))["access_token"]
    assert tolerant.call("before:x", token).status_code == 200
    tolerant.admin("PATCH", f"/oauth/scope/{escaped(scope)}", {"FoldersAndServices": ["after"]})
    assert tolerant.call("before:x", token).status_code == 403
    assert tolerant.call("after:x", token).status_code == 200


def test_only_known_services_exist(strict: Kit) -> None:
    """With a list of services other names are 404."""
    token = strict.token(strict.machine(strict.scope("orders", "a")))["access_token"]
    assert strict.call("orders.v1:getOrder", token).status_code == 200
    assert strict.call("a:b", token).status_code == 200
    assert strict.call("orders.v1:none", token).status_code == 404
    assert strict.call("a:none").status_code == 404


class Pair:
    """An authorization server, and a resource server that trusts it as a remote server over TLS."""

    def __init__(self, launch: Launch) -> None:
        self.login = launch("login", role="authorization", tls=True, https_required=True)
        users = (SeedUser(*ADMIN, ("Administrators",)), SeedUser(*ALICE))
        self.orders = launch("orders", role="resource", users=users, ca_file=self.login.running.ca_file)
        address = urlsplit(self.login.url)
        self.remote = {
            "alias": "login",
            "host": address.hostname,
            "port": address.port,
            "ssl": "yes",
            "user": RESOURCE[0],
            "password": RESOURCE[1],
        }
        assert self.orders.admin("POST", "/remoteserver/", self.remote).status_code == 201
        self.orders.settings(authServerAlias="login")

    def everywhere(self, **more: object) -> Json:
        """A client on both servers with one scope on each; the login server's answer."""
        scope = self.login.scope("orders")
        self.orders.scope("orders", name=scope)
        name = unique("shared")
        self.orders.client(name=name, type="Confidential")
        return self.login.client(scope, name=name, clientCredentialsGrant=True, **more)


def test_roles(launch: Launch) -> None:
    """A resource server has no OAuth services, an authorization server no protected ones; both have the admin API."""
    pair = Pair(launch)
    assert pair.orders.call("pub.oauth:getToken", method="POST").status_code == 404
    assert pair.orders.call("pub.oauth:authorize").status_code == 404
    assert pair.orders.http.get(f"{pair.orders.url}/.well-known/oauth-authorization-server").status_code == 404
    assert pair.login.call("orders:list").status_code == 404
    for kit in (pair.orders, pair.login):
        assert kit.admin("GET", "/oauth/client").status_code == 200


def test_a_remote_authorization_server(launch: Launch) -> None:
    """Tokens are checked by introspection at the trusted server, at each call; clients match by name and version."""
    pair = Pair(launch)
    client = pair.everywhere()
    token = pair.login.token(client)["access_token"]
    answer = pair.orders.call("orders:list", token)
    assert answer.status_code == 200
    assert answer.json()["client_id"] == client["client_id"]
    assert pair.orders.call("orders:list", "unknown").status_code == 401

    registered = pair.orders.admin("GET", f"/oauth/client/{client['name']}/version/1").json()["client_id"]
    assert registered != client["client_id"]
    pair.orders.admin("PATCH", f"/oauth/client/{registered}", {"enabled": False})
    refused = pair.orders.call("orders:list", token)
    assert refused.status_code == 401
    assert "disabled" in refused.json()["error_description"]
    pair.orders.admin("PATCH", f"/oauth/client/{registered}", {"enabled": True})
    assert pair.orders.call("orders:list", token).status_code == 200

    pair.login.admin("PATCH", f"/oauth/client/{client['client_id']}", {"enabled": False})
    assert pair.orders.call("orders:list", token).status_code == 401
    pair.login.admin("PATCH", f"/oauth/client/{client['client_id']}", {"enabled": True})
    pair.login.service_as(client, "revokeToken", token=token)
    assert pair.orders.call("orders:list", token).status_code == 401


def test_clients_and_owners_must_be_known_to_the_resource_server(launch: Launch) -> None:
    """An unknown client is refused; so is a token whose owner is no user here, but not that of another client."""
    pair = Pair(launch)
    stranger = pair.login.machine(pair.login.scope("orders"))
    refused = pair.orders.call("orders:list", pair.login.token(stranger)["access_token"])
    assert refused.status_code == 401
    assert "not registered" in refused.json()["error_description"]

    client = pair.everywhere(resourceOwnerCredentialsGrant=True)
    form = {"grant_type": "password"}
    alice = pair.login.token(client, **form, username=ALICE[0], password=ALICE[1])["access_token"]
    other = pair.login.token(client, **form, username=RESOURCE[0], password=RESOURCE[1])["access_token"]
    assert pair.orders.call("orders:list", alice).json()["owner_id"] == "alice"
    refused = pair.orders.call("orders:list", other)
    assert refused.status_code == 403
    assert "not a user" in refused.json()["error_description"]
    assert pair.orders.call("orders:list", pair.login.token(client)["access_token"]).status_code == 200


def test_scope_names_must_exist_on_the_resource_server(launch: Launch) -> None:
    """A scope that only the authorization server knows opens nothing."""
    pair = Pair(launch)
    client = pair.everywhere()
    token = pair.login.token(client)["access_token"]
    pair.orders.admin("DELETE", f"/oauth/scope/{client['scopes'][0]}")
    assert pair.orders.call("orders:list", token).status_code == 403


def test_an_authorization_server_that_cannot_be_asked(launch: Launch) -> None:
    """Refused credentials, an untrusted certificate, a wrong port or a stopped server: 503 with a reason, never 200."""
    pair = Pair(launch)
    client = pair.everywhere()
    token = pair.login.token(client)["access_token"]
    assert pair.orders.call("orders:list", token).status_code == 200

    def refused(reason: str) -> None:
        response = pair.orders.call("orders:list", token)
        assert response.status_code == 503
        assert reason in response.json()["error_description"]
        assert "'login'" in response.json()["error_description"]

    def change(**values: object) -> None:
        assert pair.orders.admin("PATCH", "/remoteserver/login", values).status_code == 200

    change(password="wrong")
    refused("refuses this server's credentials")
    change(password=RESOURCE[1], ssl="no")
    refused("answered with status 400")
    change(ssl="yes", port=1)
    refused("cannot be reached")
    change(port=pair.remote["port"])
    assert pair.orders.call("orders:list", token).status_code == 200
    pair.login.stop()
    refused("cannot be reached")


def test_certificates_are_verified(launch: Launch) -> None:
    """Without the authority's certificate the authorization server isn't believed."""
    pair = Pair(launch)
    other = launch("other", role="resource")
    other.admin("POST", "/remoteserver/", pair.remote)
    other.settings(authServerAlias="login")
    response = other.call("orders:list", "token")
    assert response.status_code == 503
    assert "certificate" in response.json()["error_description"]


@contextlib.contextmanager
def stranger(answer: Callable[[dict[str, str], str], tuple[int, object]]) -> Iterator[str]:
    """Somebody else's introspection endpoint: gets the form and the Authorization header, gives status and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {key: values[0] for key, values in parse_qs(body).items()}
            status, content = answer(form, self.headers.get("Authorization", ""))
            if callable(content):
                self.send_response(status)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                content(self.wfile)
                return
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/introspect"
        finally:
            server.shutdown()
            thread.join()


def always(status: int, body: object) -> Callable[[dict[str, str], str], tuple[int, object]]:
    return lambda _form, _authorization: (status, body)


def trust(kit: Kit, endpoint: str, **more: object) -> None:
    body = {"introspectionEndpoint": endpoint, "clientId": "rs", "clientSecret": "s:e c/ret", "user": "alice", **more}
    name = unique("idp")
    assert kit.admin("POST", "/oauth/externalserver/", {"name": name, **body}).status_code == 201
    kit.settings(authServerAlias=name)


def test_an_external_authorization_server(launch: Launch) -> None:
    """Asked with our id and secret by Basic; an unregistered client and an unknown owner pass, a disabled one doesn't."""
    kit = launch(role="resource")
    kit.scope("orders", name="orders.read")
    seen: list[tuple[dict[str, str], str]] = []
    answers: dict[str, dict[str, object]] = {
        "scoped": {"active": True, "scope": "openid orders.read", "client_id": "theirs", "username": "carol"},
        "scopeless": {"active": True, "client_id": "theirs"},
        "text": {"active": "true", "scope": "orders.read"},
        "off": {"active": False, "scope": "orders.read"},
    }

    def answer(form: dict[str, str], authorization: str) -> tuple[int, object]:
        seen.append((form, authorization))
        return 200, answers[form["token"]]

    with stranger(answer) as endpoint:
        trust(kit, endpoint)
        good = kit.call("orders:list", "scoped")
        assert good.status_code == 200
        assert good.json()["owner_id"] == "carol"
        assert seen[0] == (
            {"token": "scoped", "token_type_hint": "access_token"},
            "Basic cnM6cyUzQWUlMjBjJTJGcmV0",
        )
        assert kit.call("orders:list", "text").status_code == 200
        assert kit.call("orders:list", "off").status_code == 401
        assert kit.call("orders:list", "scopeless").status_code == 403
        trust(kit, endpoint, defaultScope="orders.read")
        assert kit.call("orders:list", "scopeless").status_code == 200
        assert kit.call("orders:list", "scoped").status_code == 200
        assert len(seen) == 6
        answers["scoped"]["client_name"] = kit.client(enabled=False)["name"]
        answers["scoped"]["client_version"] = "1"
        assert kit.call("orders:list", "scoped").status_code == 401


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {}),
        (302, {}),
        (401, {"active": True}),
        (200, b"<html>"),
        (200, []),
        (200, b"[" * 60_000),
        (200, b'{"active": true, "scope": "orders.read"}' + b" " * 70_000),
    ],
)
def test_strange_answers_of_an_external_server(tolerant: Kit, status: int, body: object) -> None:
    """Anything but an introspection is 503."""
    with stranger(always(status, body)) as endpoint:
        trust(tolerant, endpoint)
        response = tolerant.call("orders:list", "x")
        tolerant.settings(authServerAlias="local")
    assert response.status_code == 503


def test_a_slow_external_server(tolerant: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes too long is 503, and the call doesn't wait for it."""
    monkeypatch.setattr("oauthdeploy.server.outbound.TIMEOUT", 0.2)
    released = threading.Event()

    def answer(_form: dict[str, str], _authorization: str) -> tuple[int, object]:
        released.wait(5)
        return 200, {}

    with stranger(answer) as endpoint:
        trust(tolerant, endpoint)
        response = tolerant.call("orders:list", "x")
        released.set()
        tolerant.settings(authServerAlias="local")
    assert response.status_code == 503
    assert "in time" in response.json()["error_description"]


def test_a_dripping_or_broken_answer(tolerant: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never ends, or ends too early, is 503 in about the time that an answer may take."""
    monkeypatch.setattr("oauthdeploy.server.outbound.TIMEOUT", 0.5)

    def drip(wfile: BinaryIO) -> None:
        with contextlib.suppress(OSError):
            for _ in range(50):
                wfile.write(b" ")
                time.sleep(0.1)

    def break_off(wfile: BinaryIO) -> None:
        wfile.write(b'{"active": true')

    started = time.monotonic()
    for body in (drip, break_off):
        with stranger(always(200, body)) as endpoint:
            trust(tolerant, endpoint)
            response = tolerant.call("orders:list", "x")
            tolerant.settings(authServerAlias="local")
        assert response.status_code == 503
    assert time.monotonic() - started < 20


def test_a_cut_off_client(tolerant: Kit) -> None:
    """The ways to stop a client with local trust: disable, delete its tokens, delete it."""
    scope = tolerant.scope("a")
    client = tolerant.machine(scope)
    address = f"/oauth/client/{client['client_id']}"
    token = tolerant.token(client)["access_token"]
    tolerant.admin("PATCH", address, {"enabled": False})
    assert tolerant.call("a:b", token).status_code == 401
    tolerant.admin("PATCH", address, {"enabled": True})
    assert tolerant.call("a:b", token).status_code == 200
    for entry in tolerant.admin("GET", "/oauth/token?expand=true").json()["tokens"]:
        if entry["client_id"] == client["client_id"]:
            tolerant.admin("DELETE", f"/oauth/token/accesstoken/{entry['accessTokenId']}")
    assert tolerant.call("a:b", token).status_code == 401
    assert tolerant.call("a:b", tolerant.token(client)["access_token"]).status_code == 200
