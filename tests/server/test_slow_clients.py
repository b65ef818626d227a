"""Clients that send slowly, or nothing at all: nobody else waits for them, and they are cut off in the end."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from oauthdeploy.server import connections

from .kit import Kit

Connect = Callable[[], socket.socket]

HALF = {
    "nothing": b"",
    "half a head": b"POST /invoke/pub.oauth/getToken HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST /invoke/pub.oauth/getToken HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\ngrant_type=",
    "half a chunk": b"POST /admin/oauth/scope HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
}


@pytest.fixture
def connect() -> Iterator[Callable[[Kit], socket.socket]]:
    with ExitStack() as stack:

        def to(kit: Kit) -> socket.socket:
            address = urlsplit(kit.url)
            assert address.hostname is not None
            return stack.enter_context(socket.create_connection((address.hostname, address.port or 0), timeout=20))

        yield to


def seconds_of_a_request(kit: Kit) -> float:
    started = time.monotonic()
    assert kit.admin("GET", "/oauth/scope").status_code == 200
    return time.monotonic() - started


@pytest.mark.parametrize("sent", HALF.values(), ids=HALF)
def test_half_sent_requests_block_nobody(
    launch: Callable[..., Kit], connect: Callable[[Kit], socket.socket], sent: bytes
) -> None:
    """Many more half-sent requests than threads don't delay the next request."""
    kit = launch(threads=2)
    for _ in range(30):
        connect(kit).sendall(sent)
    assert seconds_of_a_request(kit) < 5


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["nothing", "half a hello"])
def test_half_a_tls_handshake_blocks_nobody(
    launch: Callable[..., Kit], connect: Callable[[Kit], socket.socket], sent: bytes
) -> None:
    """A client that connects and doesn't finish its handshake doesn't keep others from connecting."""
    kit = launch(threads=2, tls=True)
    for _ in range(30):
        connect(kit).sendall(sent)
    kit.http.close()
    assert seconds_of_a_request(kit) < 5


def test_a_client_that_does_not_read_blocks_nobody(
    launch: Callable[..., Kit], connect: Callable[[Kit], socket.socket]
) -> None:
    """Responses that nobody fetches hold no place in the application."""
    kit = launch(threads=2)
    for _ in range(8):
        deaf = connect(kit)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /admin/swagger/oauth HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    assert seconds_of_a_request(kit) < 5


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_trickling_client_is_cut_off(
    launch: Callable[..., Kit],
    connect: Callable[[Kit], socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    tls: bool,
) -> None:
    """A request that arrives byte by byte ends at the deadline for a request, however short its pauses are."""
    monkeypatch.setattr(connections, "RECEIVE_SECONDS", 1)
    kit = launch(tls=tls)
    client: socket.socket = connect(kit)
    if tls:
        client = ssl.create_default_context(cafile=str(kit.running.ca_file)).wrap_socket(
            client, server_hostname="127.0.0.1"
        )
    started = time.monotonic()
    ended = False
    client.settimeout(0.1)
    while not ended and time.monotonic() - started < 10:
        try:
            client.sendall(b"G")
            ended = client.recv(100) == b"" or ended
        except TimeoutError:
            continue
        except OSError:
            ended = True
    client.close()
    assert ended
    assert 0.5 < time.monotonic() - started < 8


def test_plain_http_on_a_tls_port_is_told(launch: Callable[..., Kit], connect: Callable[[Kit], socket.socket]) -> None:
    """Who sends plain HTTP to a TLS port gets an answer in plain HTTP that says so."""
    client = connect(launch(tls=True))
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"400" in (answer := client.recv(4096))
    assert b"HTTPS" in answer


def test_stopping_does_not_wait_for_slow_clients(
    launch: Callable[..., Kit], connect: Callable[[Kit], socket.socket]
) -> None:
    """A server stops at once while clients are still sending."""
    kit = launch()
    for _ in range(5):
        connect(kit).sendall(HALF["half a head"])
    time.sleep(0.3)
    started = time.monotonic()
    kit.stop()
    assert time.monotonic() - started < 5
