"""Signing in with a token: on a connection that can do nothing else, renewed in time, one fetch for many threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from oauthdeploy.core.errors import ServerError, Unauthorized, UnexpectedAnswer, Unreachable, WriteRefused
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.http import AdminClient, counting, open_client
from oauthdeploy.drivers.sign_in import TokenAuth
from oauthdeploy.model.servers import Server
from tests.drivers.kit import Says, Script, Seen, says, serving

TOKEN_PATH = "/token"
FORM: dict[str, str | Secret] = {
    "grant_type": "client_credentials",
    "client_id": "deployer",
    "client_secret": Secret("s3 cret&", "env:S"),
}


class Endpoint:
    """A server with a token endpoint, whose tokens are t1, t2, ...; it takes those in `good` (None: all)."""

    def __init__(self, expires_in: int | None = 60) -> None:
        self.issued = 0
        self.expires_in = expires_in
        self.good: set[str] | None = None
        self.refused: list[Seen] = []
        self._lock = threading.Lock()

    def __call__(self, seen: Seen) -> Says:
        if seen.path == TOKEN_PATH:
            with self._lock:
                self.issued += 1
                number = self.issued
            body = {"access_token": f"t{number}", "token_type": "Bearer"}
            return says(body if self.expires_in is None else {**body, "expires_in": self.expires_in})
        token = seen.headers["Authorization"].removeprefix("Bearer ")
        if self.good is not None and token not in self.good:
            self.refused.append(seen)
            return says({"error": f"the token {token} is stale"}, 401)
        return says({"token": token, "method": seen.method})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def signed_in(script: Script, clock: Clock | None = None, *, read_only: bool = False) -> Iterator[AdminClient]:
    with serving(script) as running:
        limits = {"retries": 0, "timeout": 5}
        server = Server.model_validate({"role": "authorization", "driver": "any", "url": running.url, "limits": limits})
        tokens = open_client("login", server, None, read_only=False, base=Path(), post_only=TOKEN_PATH)
        auth = TokenAuth(tokens, TOKEN_PATH, FORM, clock=clock or Clock())
        client = open_client("login", server, auth, read_only=read_only, base=Path())
        try:
            yield client
        finally:
            client.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", TOKEN_PATH),
        ("PUT", TOKEN_PATH),
        ("POST", "/admin"),
        ("POST", "/token/"),
        ("POST", "/token?x=1"),
        ("DELETE", "/"),
    ],
)
def test_the_connection_that_signs_in_can_send_nothing_else(method: str, path: str) -> None:
    """So that planning, which may not write, may sign in."""
    with serving([says({})]) as running:
        server = Server.model_validate({"role": "authorization", "driver": "any", "url": running.url})
        client = open_client("login", server, None, read_only=False, base=Path(), post_only=TOKEN_PATH)
        with pytest.raises(WriteRefused):
            client.request(method, path, {})
        client.request("POST", TOKEN_PATH, {})
        client.close()
        assert [(seen.method, seen.path) for seen in running.seen] == [("POST", TOKEN_PATH)]


def test_a_read_only_client_signs_in_and_still_refuses_to_write() -> None:
    """The token is fetched beside the connection that only reads."""
    endpoint = Endpoint()
    with signed_in(endpoint, read_only=True) as client:
        assert client.get("/a").body["token"] == "t1"
        with pytest.raises(WriteRefused):
            client.request("POST", TOKEN_PATH, {})


def test_the_request_is_a_form_with_the_secret_in_it() -> None:
    """RFC 6749, 4.4.2 and appendix B."""
    seen: list[Seen] = []
    endpoint = Endpoint()

    def script(request: Seen) -> Says:
        seen.append(request)
        return endpoint(request)

    with signed_in(script) as client:
        client.get("/a")
    assert seen[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(seen[0].body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["deployer"],
        "client_secret": ["s3 cret&"],
    }


def test_a_token_is_used_until_shortly_before_it_ends() -> None:
    """Of 60 seconds the last 12 are not used."""
    clock, endpoint = Clock(), Endpoint(60)
    with signed_in(endpoint, clock) as client:
        assert client.get("/a").body["token"] == "t1"
        clock.now += 47
        assert client.get("/a").body["token"] == "t1"
        clock.now += 2
        assert client.get("/a").body["token"] == "t2"


def test_a_token_that_does_not_say_when_it_ends_is_used_until_it_is_refused() -> None:
    """expires_in is only recommended (RFC 6749, 5.1)."""
    clock, endpoint = Clock(), Endpoint(None)
    with signed_in(endpoint, clock) as client:
        client.get("/a")
        clock.now += 10**6
        assert client.get("/a").body["token"] == "t1"
        endpoint.good = {"t2"}
        assert client.get("/a").body["token"] == "t2"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_refused_token_is_renewed_and_the_request_sent_once_more(method: str) -> None:
    """401 comes before the server looks at the request, so even a POST is sent again."""
    endpoint = Endpoint()
    with signed_in(endpoint) as client:
        client.get("/a")
        endpoint.good = {"t2"}
        assert client.request(method, "/a", {"x": 1} if method != "GET" else None).body == {
            "token": "t2",
            "method": method,
        }
        assert len(endpoint.refused) == 1


def test_a_server_that_takes_no_token_is_asked_twice_and_no_more() -> None:
    """The error is the server's, and its words don't give the token away."""
    endpoint = Endpoint()
    endpoint.good = set()
    with signed_in(endpoint) as client:
        with pytest.raises(Unauthorized) as caught:
            client.get("/a")
        assert len(endpoint.refused) == 2
        assert "t2" not in str(caught.value.detail)


def test_many_threads_fetch_one_token() -> None:
    """At the start, when it ends, and when it is refused."""
    clock, endpoint = Clock(), Endpoint()
    with signed_in(endpoint, clock) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.get("/a"), range(24)))
        assert endpoint.issued == 1
        clock.now += 55
        list(pool.map(lambda _: client.get("/a"), range(24)))
        assert endpoint.issued == 2
        endpoint.good = {"t3"}
        answers = list(pool.map(lambda _: client.get("/a"), range(24)))
        assert endpoint.issued == 3
        assert {answer.body["token"] for answer in answers} == {"t3"}


def test_fetching_a_token_is_no_request_of_the_plan() -> None:
    """How often a token is fetched depends on time, and equal input must give an equal plan."""
    with signed_in(Endpoint()) as client, counting() as tally:
        client.get("/a")
        assert (tally.requests, tally.writes) == (1, 0)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_grant", "error_description": "Invalid user credentials"}, Unauthorized),
        (401, {"error": "invalid_client"}, Unauthorized),
        (403, {}, Unauthorized),
        (404, {"error": "Realm does not exist"}, Unauthorized),
        (429, {}, ServerError),
        (500, {}, ServerError),
        (503, {}, Unreachable),
        (200, {"token_type": "Bearer"}, UnexpectedAnswer),
        (200, {"access_token": "a\nb", "token_type": "Bearer"}, UnexpectedAnswer),
        (200, {"access_token": "a", "token_type": "mac"}, UnexpectedAnswer),
        (200, {"access_token": "a", "token_type": "Bearer", "expires_in": "soon"}, UnexpectedAnswer),
        (200, [], UnexpectedAnswer),
    ],
)
def test_a_sign_in_that_fails_says_so(status: int, body: object, kind: type[ServerError]) -> None:
    """With the server's words, without the secret, and never as a write whose end is unknown."""
    with signed_in(lambda _seen: says(body, status)) as client:
        with pytest.raises(kind) as caught:
            client.get("/a")
        assert not caught.value.uncertain
        assert caught.value.path == TOKEN_PATH
        if isinstance(body, dict) and "error_description" in body:
            assert "Invalid user credentials" in caught.value.detail


def test_words_that_hold_the_secret_are_not_told() -> None:
    """A server may echo what it was sent."""
    with signed_in(lambda _seen: says({"error": "bad secret s3 cret&"}, 401)) as client:
        with pytest.raises(Unauthorized) as caught:
            client.get("/a")
        assert "s3" not in caught.value.detail


def test_the_trace_masks_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    """The body of a token request is shown without it."""
    with caplog.at_level(logging.DEBUG, "oauthdeploy.http"), signed_in(Endpoint()) as client:
        client.get("/a")
    assert "POST /token" in caplog.text
    assert "s3" not in caplog.text
