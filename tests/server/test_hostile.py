"""Input that means no good: it gets a 4xx, in JSON, and the server goes on."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from .kit import ADMIN, ALICE, Kit, unique

CLIENT = "/oauth/client"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b"\xff\xfe",
        b'{"name": NaN}',
        b'{"version": Infinity}',
        b'{"version": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"name": "a" "b"}',
        b'{"name": "\xff"}',
    ],
    ids=range(14),
)
def test_bodies_that_are_no_objects(either: Kit, body: bytes) -> None:
    """Broken, deep and foreign JSON is 400."""
    for method, path in (("POST", CLIENT), ("PATCH", "/oauth/globalsetting/"), ("POST", "/oauth/scope")):
        response = either.admin(method, path, data=body, headers=JSON)
        assert response.status_code == 400
        assert response.json().keys() == {"message"}


def test_big_bodies(either: Kit) -> None:
    """More than 1 MiB is 413, with and without a length; just below is read.

    The server answers without reading on, so a client that is still sending may see the connection end instead.
    """
    big = b'{"name": "' + b"x" * 1_100_000 + b'"}'
    chunks = (big[start : start + 65536] for start in range(0, len(big), 65536))
    for body, codes in ((big, {413}), (chunks, {400, 413})):
        with contextlib.suppress(requests.ConnectionError):
            assert either.admin("POST", CLIENT, data=body, headers=JSON).status_code in codes
    either.http.close()
    fits = b'{"name": "' + b"x" * 1_000_000 + b'"}'
    assert either.admin("POST", CLIENT, data=fits, headers=JSON).status_code == 400
    assert either.admin("GET", CLIENT).status_code == 200


def test_chunked_bodies_are_read(tolerant: Kit) -> None:
    """A body without a length is as good as another."""
    name = unique("chunked")
    body = (part.encode() for part in ('{"name": "', name, '", "version": 1, "type": "Public"}'))
    assert tolerant.admin("POST", CLIENT, data=body, headers=JSON).status_code == 201


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\x1b[31m", "\x7f", "\u202e", "\u2028"])
def test_texts_that_are_no_names(either: Kit, text: str) -> None:
    """Lone surrogates, control characters and invisible ones aren't names."""
    response = either.admin("POST", CLIENT, {"name": text, "version": 1, "type": "Public"})
    assert response.status_code == 400
    assert "'name'" in response.json()["message"]


@pytest.mark.parametrize("field", ["description", "registrationAccessToken", "registrationClientUri"])
def test_surrogates_in_other_texts(either: Kit, field: str) -> None:
    """They can't be stored, so they are refused and don't fail later."""
    body = {"name": unique("c"), "version": 1, "type": "Public", field: "\ud800"}
    assert either.admin("POST", CLIENT, body).status_code == 400


@pytest.mark.parametrize("name", ["Robert'); DROP TABLE client;--", "%s%n", "${7*7}", "{{7*7}}", "../../etc/passwd"])
def test_names_are_never_commands(tolerant: Kit, name: str) -> None:
    """Whatever a name looks like, it is refused or kept as it is."""
    response = tolerant.admin("POST", CLIENT, {"name": name, "version": 1, "type": "Public"})
    if response.status_code == 201:
        assert response.json()["name"] == name
    else:
        assert response.status_code == 400
    assert tolerant.admin("GET", CLIENT).status_code == 200
    scope = {"name": name.replace(" ", "").replace(",", "").replace('"', ""), "description": name}
    assert tolerant.admin("POST", "/oauth/scope", scope).json()["description"] == name


def test_unknown_members_with_strange_names(strict: Kit) -> None:
    """They are named in the message, cut and printable."""
    for name in ("\ud800", "x" * 10_000, "<b>"):
        response = strict.admin("PATCH", "/oauth/globalsetting/", {name: 1})
        assert response.status_code == 400
        assert len(response.content) < 1000


@pytest.mark.parametrize(
    "path",
    [
        "/admin/oauth/client/%00",
        "/admin/oauth/scope/%ff%fe",
        "/admin/%2e%2e/%2e%2e/etc/passwd",
        "/admin//oauth//client",
    ],
)
def test_strange_paths(either: Kit, path: str) -> None:
    """Nothing is found there."""
    response = either.http.get(either.url + path, auth=ADMIN)
    assert response.status_code == 404
    assert response.json().keys() == {"message"}


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /admin HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /admin/oauth/client HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",
    ],
    ids=["no host", "blank", "bad url", "big header", "negative length", "tls"],
)
def test_broken_requests(tolerant: Kit, request_: bytes) -> None:
    """They are refused by the connection, and don't harm the next request."""
    address = urlsplit(tolerant.url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 0), timeout=5) as connection:
        answer = b""
        # The server may close the connection before all is sent.
        with contextlib.suppress(OSError):
            connection.sendall(request_)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
    assert not answer.startswith(b"HTTP/1.1 5")
    assert b"Traceback" not in answer
    assert tolerant.admin("GET", CLIENT).status_code == 200


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password", "username": "\x00", "password": "\ud7ff"},
        {"grant_type": "password", "username": "alice", "password": "x" * 500_000},
        {"grant_type": "refresh_token", "refresh_token": "' OR 1=1 --"},
        {"grant_type": "authorization_code", "code": "\x00\x01"},
        {"grant_type": "client_credentials", "scope": 'a" \\ ä \x00'},
    ],
    ids=range(5),
)
def test_hostile_token_requests(tolerant: Kit, form: dict[str, str]) -> None:
    """They are refused with an OAuth error."""
    client = tolerant.client(
        tolerant.scope("a"),
        clientCredentialsGrant=True,
        resourceOwnerCredentialsGrant=True,
        authorizationCodeGrant=True,
        redirect_uris=["https://app.example/cb"],
        tokenRefreshCount=1,
    )
    response = tolerant.service_as(client, "getToken", **form)
    assert response.status_code == 400
    assert response.json()["error"] in ("invalid_grant", "invalid_scope")
    url = f"{tolerant.url}/invoke/pub.oauth/getToken"
    big = tolerant.http.post(url, data=b"grant_type=" + b"x" * 1_100_000, headers={"Content-Type": "text/plain"})
    assert big.status_code in (400, 413)
    deep = tolerant.http.post(url, data=b"[" * 100_000, headers=JSON)
    assert deep.status_code == 400


def test_many_at_once(tolerant: Kit) -> None:
    """Reads, writes, tokens and wrong passwords at the same time all get their right answer."""
    scope = tolerant.scope("a")
    client = tolerant.machine(scope)
    token = tolerant.token(client)["access_token"]

    def job(number: int) -> bool:
        match number % 5:
            case 0:
                return tolerant.admin("GET", CLIENT + "?expand=true").status_code == 200
            case 1:
                return bool(tolerant.client(scope)["client_id"])
            case 2:
                return bool(tolerant.token(client)["access_token"])
            case 3:
                return tolerant.call("a:b", token).status_code == 200
        return tolerant.admin("GET", CLIENT, user=(ALICE[0], f"wrong-{number}")).status_code == 401

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(job, range(100)))


def test_a_refresh_token_is_used_once_even_at_the_same_time(tolerant: Kit) -> None:
    """Of simultaneous uses of one refresh token, or one code, at most one succeeds."""
    client = tolerant.client(tolerant.scope("a"), resourceOwnerCredentialsGrant=True, tokenRefreshCount=-1)
    pair = tolerant.token(client, grant_type="password", username=ALICE[0], password=ALICE[1])

    def refresh(_: int) -> int:
        form = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
        return tolerant.service_as(client, "getToken", **form).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(refresh, range(8)))
    assert statuses.count(200) <= 1
    assert set(statuses) <= {200, 400}


def test_a_failure_tells_nothing(tolerant: Kit, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the server is 500 with a message, in the log with its trace."""
    app = tolerant.running.app
    good = app.view_functions["GET /admin/oauth/token"]

    def broken() -> str:
        raise RuntimeError("hidden detail")

    app.view_functions["GET /admin/oauth/token"] = broken
    try:
        response = tolerant.admin("GET", "/oauth/token")
    finally:
        app.view_functions["GET /admin/oauth/token"] = good
    assert response.status_code == 500
    assert response.json().keys() == {"message"}
    assert "hidden detail" not in response.text
    assert "hidden detail" in caplog.text
