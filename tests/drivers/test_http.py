"""The HTTP client against real servers on loopback, friendly and hostile."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from oauthdeploy import __version__
from oauthdeploy.core.errors import (
    Conflict,
    Forbidden,
    ManifestInvalid,
    NotFound,
    Rejected,
    ServerError,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
    WriteRefused,
)
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.http import BasicAuth, counting, open_client
from oauthdeploy.drivers.json_wire import Route
from oauthdeploy.drivers.rate_limit import RETRY_AFTER_LIMIT, Pace, backoff, retry_after
from oauthdeploy.model.servers import Server
from tests.drivers.kit import Naps, Running, Says, Seen, client_for, closed_port, raw_serving, says, serving

pytestmark = pytest.mark.live

SECRET = Secret("kept-dark-77", "env:X")
PASSWORD = Secret("pass-wörd-€", "env:P")


def test_a_good_answer_is_parsed_and_the_request_says_who_asks() -> None:
    """Every request carries the tool's name, an id, and asks for plain JSON."""
    with serving([says({"a": [1]})]) as server, client_for(server.url) as client:
        answer = client.get("/admin/x", {"expand": "true"})
        assert answer.body == {"a": [1]}
        seen = server.seen[0]
        assert seen.path == "/admin/x?expand=true"
        assert seen.headers["User-Agent"] == f"oauthdeploy/{__version__}"
        assert re.fullmatch(r"[0-9a-f]{32}", seen.headers["X-Request-Id"])
        assert seen.headers["Accept-Encoding"] == "identity"


def test_basic_sign_in_is_sent_in_utf_8() -> None:
    """RFC 7617: names and passwords are UTF-8."""
    with serving([says({})]) as server, client_for(server.url, auth=BasicAuth("jürgen", PASSWORD)) as client:
        client.get("/")
        assert server.seen[0].headers["Authorization"] == "Basic asO8cmdlbjpwYXNzLXfDtnJkLeKCrA=="


def test_secrets_in_a_body_reach_the_server_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """The serialiser alone reveals a Secret; the trace shows a mask."""
    caplog.set_level(logging.DEBUG, logger="oauthdeploy")
    with serving([says({}, 201)]) as server, client_for(server.url, auth=BasicAuth("u", PASSWORD)) as client:
        client.request("POST", "/c", {"name": "x", "deep": [{"client_secret": SECRET}]})
        assert server.seen[0].json == {"name": "x", "deep": [{"client_secret": "kept-dark-77"}]}
    text = caplog.text
    assert "POST /c: 201" in text
    assert "***" in text
    assert "kept-dark-77" not in text
    assert PASSWORD.reveal() not in text


def test_a_secret_in_a_path_is_shown_as_a_mask(caplog: pytest.LogCaptureFixture) -> None:
    """An id that may be a token is in the request and in no error and no trace."""
    caplog.set_level(logging.DEBUG, logger="oauthdeploy")
    with serving([says({"message": "no"}, 404)]) as server, client_for(server.url) as client:
        with pytest.raises(NotFound) as caught:
            client.request("DELETE", Route.to("/token/{}/x", SECRET))
        assert server.seen[0].path == "/token/kept-dark-77/x"
    assert caught.value.path == "/token/***/x"
    assert "kept-dark-77" not in caplog.text + str(caught.value) + caught.value.detail


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (422, Rejected),
        (500, ServerError),
        (501, ServerError),
        (302, UnexpectedAnswer),
        (600, ServerError),
    ],
)
def test_each_status_is_its_own_error(status: int, kind: type[ServerError]) -> None:
    """A status becomes the error that says what it means, with the server's words."""
    with (
        serving([says({"message": "why not"}, status)]) as server,
        client_for(server.url) as client,
        pytest.raises(ServerError) as caught,
    ):
        client.get("/thing")
    error = caught.value
    assert type(error) is kind
    assert (error.server, error.method, error.path, error.status) == ("login", "GET", "/thing", status)
    assert error.words == ("" if status == 302 else "why not")
    assert not error.uncertain


@pytest.mark.parametrize(
    ("status", "unsure"), [(400, False), (409, False), (429, True), (503, True), (500, True), (502, True)]
)
def test_a_failed_write_says_whether_it_may_have_happened(status: int, unsure: bool) -> None:
    """4xx means that nothing was done; 5xx leaves it open, and so do 429 and 503 of a gateway before the server."""
    with serving([says({}, status)]) as server, client_for(server.url, retries=0) as client:
        with pytest.raises(ServerError) as caught:
            client.request("POST", "/thing", {})
        assert caught.value.uncertain is unsure
        assert len(server.seen) == 1


def test_words_of_the_server_are_cut_and_cleaned() -> None:
    """Control characters, line ends and direction marks go; 300 characters stay."""
    message = "bad\x1b[31m\nthing\u202e " + "x" * 1000
    with (
        serving([says({"message": message}, 400)]) as server,
        client_for(server.url) as client,
        pytest.raises(Rejected) as caught,
    ):
        client.get("/")
    words = caught.value.words
    assert words.startswith("bad [31m thing xxx")
    assert len(words) == 300
    assert words.isprintable()


@pytest.mark.parametrize("echo", ["{}", "%s", "x {} y"])
def test_words_that_hold_a_sent_secret_are_dropped(echo: str) -> None:
    """A server that echoes what it was sent gives nothing away: not the body's secrets, not the credentials."""
    for secret in (
        SECRET.reveal(),
        "kept%2Ddark%2D77".replace("%2D", "-"),
        PASSWORD.reveal(),
        "dTpwYXNzLXfDtnJkLeKCrA==",
    ):
        said = echo.replace("{}", secret).replace("%s", secret)
        with (
            serving([says({"message": said}, 400)]) as server,
            client_for(server.url, auth=BasicAuth("u", PASSWORD)) as client,
            pytest.raises(Rejected) as caught,
        ):
            client.request("POST", "/", {"s": SECRET})
        assert caught.value.words == ""


def test_words_that_hold_a_secret_of_an_earlier_request_are_dropped() -> None:
    """What was sent once stays guarded for the life of the client; so does a secret that the server made."""
    answers = [says({}), says({"message": "old kept-dark-77"}, 400), says({"message": "made s3rver-made"}, 400)]
    with serving(answers) as server, client_for(server.url) as client:
        client.request("POST", "/", {"s": SECRET})
        client.guard(Secret("s3rver-made", "server"))
        for _ in range(2):
            with pytest.raises(Rejected) as caught:
                client.get("/")
            assert caught.value.words == ""


@pytest.mark.parametrize(
    "answer",
    [
        Says(body=b"<html>hello</html>", content_type="text/html"),
        Says(body=b"ok", content_type="text/plain"),
        Says(body=b'{"a": NaN}'),
        Says(body=b'{"a": 1, "a": 2}'),
        Says(body=b'{"a": 1'),
        Says(body=b"\xff\xfe{}"),
        Says(body=b'"\\ud800"'),
        Says(body=b"[" * 100_000),
        Says(body=b"9" * 10_000),
        Says(body=b"{}", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["html", "text", "nan", "duplicate", "cut", "utf-8", "surrogate", "deep", "huge-number", "gzip"],
)
def test_what_is_no_sound_json_is_an_unexpected_answer(answer: Says) -> None:
    """A good status with garbage is no success; the error names the type and holds nothing of the content."""
    with serving([answer]) as server, client_for(server.url) as client:
        with pytest.raises(UnexpectedAnswer) as caught:
            client.get("/")
        assert len(server.seen) == 1
    assert "hello" not in caught.value.summary
    assert caught.value.fix


def test_an_html_page_is_named_by_its_type() -> None:
    """A sign-in page of a portal is the common case; the message leads there."""
    with (
        serving([Says(body=b"<html>secret page</html>", content_type="text/html; charset=x")]) as server,
        client_for(server.url) as client,
        pytest.raises(UnexpectedAnswer, match="text/html, not application/json"),
    ):
        client.get("/")


def test_an_empty_answer_is_no_body() -> None:
    """204 has none."""
    with serving([Says(204, b"", content_type=None)]) as server, client_for(server.url) as client:
        assert client.request("DELETE", "/x").body is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """Credentials don't go where a server points; the error names the host."""
    with serving([says({})]) as other:
        moved = says({}, status, Location=other.url + "/steal?x=secret")
        with serving([moved]) as server, client_for(server.url, auth=BasicAuth("u", PASSWORD)) as client:
            with pytest.raises(UnexpectedAnswer) as caught:
                client.get("/")
            assert not other.seen
            assert other.url in caught.value.summary
            assert "steal" not in caught.value.summary
            assert "url" in caught.value.fix


@pytest.mark.parametrize("location", ["http://[::", "//", "", "http://\x00", "http://a:99999999"])
def test_a_hostile_redirect_is_still_only_an_error(location: str) -> None:
    """A Location that is no address gives no traceback."""

    def talk(connection: socket.socket, _ended: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n")

    with raw_serving(talk) as url, client_for(url, retries=0) as client, pytest.raises(ServerError):
        client.get("/")


def test_cookies_are_not_kept() -> None:
    """The admin APIs are stateless; a session would outlive the account."""
    with serving([says({}, Set_Cookie="sid=1; Path=/"), says({})]) as server, client_for(server.url) as client:
        client.get("/")
        client.get("/")
        assert "Cookie" not in server.seen[1].headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "MERGE"])
def test_the_read_only_client_sends_no_write(method: str) -> None:
    """Planning can't write: the server sees nothing at all."""
    with serving([says({})]) as server, client_for(server.url, read_only=True) as client:
        with pytest.raises(WriteRefused):
            client.request(method, "/", {})
        assert not server.seen
        assert client.requests == 0
        for reading in ("GET", "HEAD", "OPTIONS"):
            client.request(reading, "/")
        assert [seen.method for seen in server.seen] == ["GET", "HEAD", "OPTIONS"]


def test_a_client_that_read_writes_only_after_it_was_allowed_to() -> None:
    """An apply keeps the connections of its plan; until the plan has passed, nothing can be written through them."""
    with serving([says({})]) as server, client_for(server.url, read_only=True) as client:
        client.get("/")
        with pytest.raises(WriteRefused):
            client.request("PUT", "/", {})
        client.allow_writes()
        client.request("PUT", "/", {})
        assert [seen.method for seen in server.seen] == ["GET", "PUT"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("trouble", [Says(503), Says(502), Says(504), Says(429), Says(drop=True)])
def test_idempotent_requests_are_repeated(method: str, trouble: Says) -> None:
    """RFC 9110 9.2.2: doing it twice is the same, so passing trouble is waited out."""
    naps = Naps()
    with serving([trouble, trouble, says({"ok": 1})]) as server, client_for(server.url, naps=naps) as client:
        assert client.request(method, "/").body == {"ok": 1}
        assert len(server.seen) == 3
        assert client.requests == 3
        assert len({seen.headers["X-Request-Id"] for seen in server.seen}) == 1
    assert len(naps.taken) == 2
    assert all(0 < nap <= 1 for nap in naps.taken)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_other_writes_are_not_repeated_where_they_may_have_been_carried_out(method: str) -> None:
    """No status of trouble says that nothing was done, nor does a lost answer: whoever asked has to look first."""
    for trouble in (Says(503), Says(429), Says(502), Says(504), Says(500), Says(drop=True)):
        with serving([trouble, says({}, 201)]) as server, client_for(server.url) as client:
            with pytest.raises(ServerError) as caught:
                client.request(method, "/", {})
            assert caught.value.uncertain
            assert len(server.seen) == 1


@pytest.mark.parametrize("status", [200, 201, 204])
def test_one_connection_is_enough_for_one_thread(status: int) -> None:
    """Also where answers have no body: a connection whose answer was not read to its end would be thrown away."""
    connections: set[object] = set()

    def answer(seen: Seen) -> Says:
        connections.add(seen.headers["X-From"])
        return Says(status, b"" if status == 204 else b"{}")

    with serving(answer) as server, client_for(server.url) as client:
        for method in ("PUT", "DELETE", "POST", "GET") * 3:
            client.request(method, "/", {} if method != "GET" else None)
    assert len(server.seen) == 12
    assert len(connections) == 1


@pytest.mark.parametrize(
    ("location", "made"),
    [
        ("https://login.example/admin/realms/shop/clients/0b5c-9f", "0b5c-9f"),
        ("/clients/0b5c", "0b5c"),
        ("/clients/", ""),
        ("/clients/../x y", ""),
        ("/clients/%2e%2e", ""),
        ("x", ""),
    ],
)
def test_the_id_of_what_was_created_is_in_the_answer(location: str, made: str) -> None:
    """Location of RFC 9110, for a 201 alone; an id with other characters is none."""
    for status, found in ((201, made), (200, "")):
        with serving([says({}, status, Location=location)]) as server, client_for(server.url) as client:
            assert client.request("POST", "/clients", {}).made == found


def test_a_driver_may_say_that_a_write_is_safe_to_repeat() -> None:
    """A merge patch of whole values is."""
    with serving([Says(drop=True), says({"ok": 1})]) as server, client_for(server.url) as client:
        assert client.request("PATCH", "/", {}, repeatable=True).body == {"ok": 1}
        assert len(server.seen) == 2


def test_a_refused_connection_is_retried_even_for_a_create_and_is_certain() -> None:
    """Where no connection was made, nothing was carried out."""
    naps = Naps()
    with client_for(f"http://127.0.0.1:{closed_port()}", naps=naps, retries=2) as client:
        with pytest.raises(Unreachable, match="refused") as caught:
            client.request("POST", "/", {})
        assert client.requests == 0
    assert not caught.value.uncertain
    assert caught.value.exit_code == 8
    assert len(naps.taken) == 2


def test_an_unknown_host_is_not_asked_again() -> None:
    """A misspelled name won't be right the next time."""
    naps = Naps()
    with client_for("http://no-such-host.invalid", naps=naps) as client, pytest.raises(Unreachable) as caught:
        client.get("/admin")
    assert "host name" in caught.value.summary or "reached" in caught.value.summary
    assert caught.value.detail == "GET http://no-such-host.invalid/admin", "the message names what was asked"


def test_retries_end() -> None:
    """After `retries` repetitions the last error stands."""
    with serving([says({"message": "busy"}, 503)]) as server, client_for(server.url, retries=2) as client:
        with pytest.raises(Unreachable) as caught:
            client.get("/")
        assert len(server.seen) == 3
    assert caught.value.status == 503
    assert caught.value.words == "busy"


@pytest.mark.parametrize(
    ("header", "expected"),
    [("7", 7.0), ("0", 0.0), ("99999999999", RETRY_AFTER_LIMIT), ("-5", None), ("soon", None), ("", None), ("٣", None)],
)
def test_retry_after_is_honoured_and_capped(header: str, expected: float | None) -> None:
    """Seconds are waited as told, to a limit; nonsense falls back to the own wait."""
    naps = Naps()
    moment = datetime(2026, 11, 20, 8, tzinfo=UTC)
    told = retry_after(header, moment)
    wait = backoff(1, told)
    assert wait == expected if expected is not None else 0 < wait <= 0.25
    if header.isascii():
        with (
            serving([says({}, 503, Retry_After=header), says({})]) as server,
            client_for(server.url, naps=naps) as client,
        ):
            client.get("/")
        assert naps.taken == [expected] if expected is not None else 0 < naps.taken[0] <= 0.25


def test_retry_after_as_a_date_counts_from_the_servers_clock() -> None:
    """RFC 9110 10.2.3: an HTTP date, compared with the Date of the same answer, whatever the local clock says."""
    there = datetime(2001, 1, 1, tzinfo=UTC)
    later = format_datetime(there + timedelta(seconds=9), usegmt=True)
    naps = Naps()
    busy = Says(503, b"{}", {"Retry-After": later}, date=format_datetime(there, usegmt=True))
    with serving([busy, says({})]) as server, client_for(server.url, naps=naps) as client:
        client.get("/")
    assert naps.taken == [9.0]


def test_backoff_grows_with_jitter_and_has_a_limit() -> None:
    """Many clients must not come back in step."""
    for attempt in range(1, 30):
        highest = min(20.0, 0.25 * 2 ** (attempt - 1))
        waits = {backoff(attempt) for _ in range(20)}
        assert all(highest / 2 <= wait <= highest for wait in waits)
        assert len(waits) > 1


def test_a_dripping_server_ends_with_the_deadline() -> None:
    """The time out is for the whole answer, not for each byte."""

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while not ended.wait(0.05):
            connection.sendall(b" ")

    with raw_serving(talk) as url, client_for(url, retries=0, timeout=1) as client:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="within 1 s"):
            client.get("/")
        assert time.monotonic() - begun < 3


def test_dripping_headers_end_with_the_deadline() -> None:
    """Headers count too."""

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.05):
            connection.sendall(b"X-A: b\r\n")

    with raw_serving(talk) as url, client_for(url, retries=0, timeout=1) as client:
        begun = time.monotonic()
        with pytest.raises(ServerError):
            client.get("/")
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "bytes_back",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x15\x03\x01\x00\x02\x02P",
        b"HTTP/1.1 abc def\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
    ],
    ids=["ssh", "tls-alert", "status", "many-headers"],
)
def test_what_is_no_http_is_said_to_be_none(bytes_back: bytes) -> None:
    """Another protocol on the port is not "unreachable"."""

    def talk(connection: socket.socket, _ended: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(bytes_back)

    with (
        raw_serving(talk) as url,
        client_for(url, retries=0) as client,
        pytest.raises(UnexpectedAnswer, match="not HTTP"),
    ):
        client.get("/")


def test_an_answer_that_ends_early_is_no_answer() -> None:
    """Half a list must never be taken for the whole."""

    def talk(connection: socket.socket, _ended: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(
            b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"clients": []}'
        )

    with raw_serving(talk) as url, client_for(url, retries=0) as client, pytest.raises(Unreachable, match="broke"):
        client.get("/")


def test_a_broken_chunked_answer_is_no_answer() -> None:
    """The same for chunks."""

    def talk(connection: socket.socket, _ended: threading.Event) -> None:
        connection.recv(65536)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"2\r\n{}\r\nzz\r\n")

    with raw_serving(talk) as url, client_for(url, retries=0) as client, pytest.raises(ServerError):
        client.get("/")


def test_an_endless_answer_is_cut_off() -> None:
    """Memory is bounded by `limits.answer_size`, whatever a server sends, and the error names the key."""

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not ended.is_set():
            connection.sendall(b" " * 65536)

    with (
        raw_serving(talk) as url,
        client_for(url, retries=0, answer_size=1) as client,
        pytest.raises(UnexpectedAnswer, match="larger than 1 MiB") as caught,
    ):
        client.get("/")
    assert "limits.answer_size" in caught.value.fix


def test_a_silent_server_ends_with_the_read_timeout_and_a_slow_one_does_not() -> None:
    """`limits.read_timeout` is for silence alone: a long answer that keeps coming may take until `limits.timeout`."""

    def talk(connection: socket.socket, ended: threading.Event) -> None:
        asked = connection.recv(65536)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"
        connection.sendall(head + b"[")
        for byte in (b" ", b" ", b" ", b" "):
            ended.wait(0.4)
            connection.sendall(byte)
        ended.wait(5 if b"/silent" in asked else 0.4)
        connection.sendall(b"]")

    with raw_serving(talk) as url, client_for(url, retries=0, read_timeout=1, timeout=10) as client:
        assert client.get("/slow").body == []
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="did not respond in time") as caught:
            client.get("/silent")
        assert time.monotonic() - begun < 5
    assert "limits.read_timeout" in caught.value.fix


def test_a_server_that_never_shakes_hands_ends_with_the_connect_timeout(tmp_path: Path) -> None:
    """TLS belongs to connecting: a port that takes connections and says nothing doesn't hold a run for `limits.timeout`."""

    def talk(_connection: socket.socket, ended: threading.Event) -> None:
        ended.wait(20)

    with raw_serving(talk) as url:
        limits = {"connect_timeout": "1s", "timeout": "20s", "retries": 0}
        entry = _entry(url.replace("http:", "https:"), limits=limits)
        client = open_client("login", entry, None, read_only=True, base=tmp_path)
        begun = time.monotonic()
        with pytest.raises(Unreachable):
            client.get("/")
        assert time.monotonic() - begun < 10
        client.close()


def test_parallel_requests_stay_within_the_limit() -> None:
    """`limits.parallel` holds for all threads together."""
    at_once, most, lock = 0, 0, threading.Lock()

    def slow(_seen: Seen) -> Says:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return says({})

    with serving(slow) as server, client_for(server.url, parallel=3) as client, ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: client.get("/"), range(24)))
        assert client.requests == 24
    assert most == 3


def test_the_pace_is_never_exceeded() -> None:
    """Of `requests_per_second` starts, each waits for its turn; time that was not used is not saved up."""
    now = 100.0
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    pace = Pace(10, clock=lambda: now, sleep=sleep)
    starts = []
    for _ in range(5):
        pace.wait()
        starts.append(now)
    now += 50
    pace.wait()
    pace.wait()
    assert waits == pytest.approx([0.1] * 5)
    assert starts == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])


def test_counting_counts_this_threads_requests_with_their_repetitions() -> None:
    """A driver tells how many requests a change took, while others go on beside it."""
    with serving([Says(503), says({})]) as server, client_for(server.url) as client, counting() as outer:
        with counting() as inner:
            client.get("/")
        client.get("/")
        thread = threading.Thread(target=lambda: client.get("/"))
        thread.start()
        thread.join()
    assert (inner.requests, outer.requests, client.requests) == (2, 3, 4)


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_a_text_that_leads_to_another_path_is_no_segment(text: str) -> None:
    """DELETE /client/ would be the collection, DELETE /client/.. its parent."""
    with pytest.raises(ValueError, match="path"):
        Route.to("/client/{}", text)


def test_segments_arrive_as_they_were() -> None:
    """Slashes, question marks and percent signs of a name don't change the path."""
    with serving([says({})]) as server, client_for(server.url) as client:
        client.get(Route.to("/s/{}", "a/b?c#d%e f[ü]~:@"))
        assert server.seen[0].path == "/s/a%2Fb%3Fc%23d%25e%20f%5B%C3%BC%5D~%3A%40"


def _entry(server: Running | str, **more: object) -> Server:
    url = server if isinstance(server, str) else server.url
    return Server.model_validate({"role": "both", "driver": "x", "url": url, **more})


def test_a_base_path_is_kept(tmp_path: Path) -> None:
    """Some servers live below a path of a gateway."""
    with serving([says({})]) as server:
        client = open_client("login", _entry(server.url + "/is/"), None, read_only=True, base=tmp_path)
        client.get("/admin/x")
        client.close()
        assert server.seen[0].path == "/is/admin/x"


@pytest.mark.parametrize(
    "url", ["ftp://x", "x", "http://", "http://u:p@h", "http://h/?a=b", "http://h:x", "http://h/#f", "http://["]
)
def test_an_address_that_cannot_be_used_is_a_finding_with_its_place(url: str, tmp_path: Path) -> None:
    """Nothing is sent; the finding names the key of the manifest, and credentials in it are not repeated."""
    with pytest.raises(ManifestInvalid) as caught:
        open_client("login", _entry(url), None, read_only=True, base=tmp_path)
    (finding,) = caught.value.diagnostics
    assert finding.path == ("servers", "login", "url")
    assert "u:p" not in finding.detail


def test_proxies_of_the_environment_are_not_used_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A loopback server is reached directly; others go through the proxy that the environment names."""
    with serving([says({"by": "proxy"})]) as proxy, serving([says({"by": "server"})]) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        client = open_client("login", _entry(server), None, read_only=True, base=tmp_path)
        assert client.get("/").body == {"by": "server"}
        client.close()
        client = open_client("login", _entry("http://is.example.com:5555"), None, read_only=True, base=tmp_path)
        assert client.get("/x").body == {"by": "proxy"}
        client.close()
        assert proxy.seen[0].path == "http://is.example.com:5555/x"


def test_a_proxy_of_the_entry_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`proxy` names the way to one server; `direct` is none, whatever the environment says."""
    refusing = f"http://127.0.0.1:{closed_port()}"
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, refusing)
    account = {"username": "us:er".replace(":", "@"), "password": "p@ss:w/rd"}
    with serving([says({"message": "p@ss:w/rd is wrong"}, 407)]) as proxy, serving([says({"by": "server"})]) as server:
        entry = _entry("http://is.example.com:5555", proxy={"url": proxy.url, **account})
        client = open_client("login", entry, None, read_only=True, base=tmp_path)
        with pytest.raises(Rejected) as caught:
            client.get("/x")
        client.close()
        assert "p@ss" not in str(caught.value) + caught.value.detail
        (seen,) = proxy.seen
        assert seen.path == "http://is.example.com:5555/x"
        assert seen.headers["Proxy-Authorization"] == f"Basic {b64encode(b'us@er:p@ss:w/rd').decode()}"
        client = open_client("login", _entry(server, proxy="direct"), None, read_only=True, base=tmp_path)
        assert client.get("/").body == {"by": "server"}
        client.close()
        assert "Proxy-Authorization" not in server.seen[0].headers


def test_a_proxy_sees_nothing_of_a_tls_connection_but_its_host(tmp_path: Path) -> None:
    """CONNECT carries the proxy's credentials and none of the server's; a refusal names the proxy."""
    heard: list[bytes] = []

    def talk(connection: socket.socket, _ended: threading.Event) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    with raw_serving(talk) as url:
        entry = _entry("https://is.example.com:5543", proxy={"url": url, "username": "u", "password": "pw-of-proxy"})
        client = open_client("login", entry, BasicAuth("admin", PASSWORD), read_only=True, base=tmp_path)
        with pytest.raises(Unreachable, match="the proxy did not connect") as caught:
            client.get("/secret-path")
        client.close()
    assert "proxy of the server entry" in caught.value.fix
    assert "pw-of-proxy" not in str(caught.value) + caught.value.detail
    said = b"".join(heard)
    assert said.startswith(b"CONNECT is.example.com:5543 HTTP/1.")
    assert b64encode(b"u:pw-of-proxy") in said
    assert b"secret-path" not in said
    assert b"\r\nauthorization:" not in said.lower()


@pytest.mark.parametrize("url", ["proxy.example.com:3128", "socks5://proxy:1080", "http://u:p@proxy:3128", "http://"])
def test_an_address_of_a_proxy_that_cannot_be_used_is_a_finding(url: str, tmp_path: Path) -> None:
    """With its place, and without the credentials that somebody put into it."""
    with pytest.raises(ManifestInvalid) as caught:
        open_client("login", _entry("http://is.example.com", proxy={"url": url}), None, read_only=True, base=tmp_path)
    (finding,) = caught.value.diagnostics
    assert finding.path == ("servers", "login", "proxy", "url")
    assert "u:p" not in finding.detail


def test_a_netrc_file_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials come from the manifest alone."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login stray password stray\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving([says({})]) as server:
        client = open_client("login", _entry(server), None, read_only=True, base=tmp_path)
        client.get("/")
        client.close()
        assert "Authorization" not in server.seen[0].headers


@pytest.mark.parametrize("status", [304, 412])
def test_a_write_for_what_is_new_says_so_and_is_sent_once(status: int) -> None:
    """If-None-Match: *; what is there already is a conflict, and a lost answer is not followed by another attempt."""
    with serving([says({}, 201), Says(status, b"", content_type=None)]) as server, client_for(server.url) as client:
        client.request("PUT", "/x", {}, only_new=True)
        with pytest.raises(Conflict, match="already has an object there"):
            client.request("PUT", "/x", {}, only_new=True)
        assert [seen.headers.get("If-None-Match") for seen in server.seen] == ["*", "*"]
    with serving([Says(drop=True)]) as server, client_for(server.url) as client:
        with pytest.raises(Unreachable) as caught:
            client.request("PUT", "/x", {}, only_new=True)
        assert (caught.value.uncertain, len(server.seen)) == (True, 1)
