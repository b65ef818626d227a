"""A proxy on loopback that forwards to a server, holds each answer back for a while, and counts what passes.

Counted are requests, connections, bytes of bodies and *round trips*: the longest chain of requests of which each was sent only
after the one before it was answered. With a delay that is long against the work between two requests, that number doesn't depend
on the machine: times the delay, it is what a user far from the server waits for.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from typing import Any, Final, Protocol, Self, cast
from urllib.parse import urlsplit

_PASSED_ON: Final = frozenset({"content-type", "date", "location", "www-authenticate", "etag", "retry-after"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; times in seconds of one monotonic clock, sizes of bodies in bytes."""

    method: str
    path: str
    status: int
    came: float
    answered: float
    sent: int
    received: int

    @property
    def writes(self) -> bool:
        """Whether it may change something; fetching a token (RFC 6749) is a POST and changes nothing."""
        return self.method not in _SAFE and not self.path.endswith("/openid-connect/token")


def round_trips(exchanges: Iterable[Exchange]) -> int:
    """The longest chain of requests of which each came after the one before it was answered."""
    chain, until = 0, float("-inf")
    for one in sorted(exchanges, key=lambda exchange: exchange.answered):
        if one.came >= until:
            chain, until = chain + 1, one.answered
    return chain


class Counter(Protocol):
    """What counts: a `CountingProxy` here or in another process."""

    @property
    def url(self) -> str:
        """Where to send requests."""

    def reset(self) -> None:
        """Count anew."""

    def told(self) -> tuple[Sequence[Exchange], int]:
        """What has passed since the last `reset`, in the order of the requests, and the connections opened."""


class CountingProxy:
    """Listens on a free port and forwards to `target`, a base URL; each answer waits for `delay` seconds. A context manager."""

    def __init__(self, target: str, delay: float = 0.0) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 80)
        self.delay = delay
        self._lock = threading.Lock()
        self._seen: list[Exchange] = []
        self._connections = 0
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def connections(self) -> int:
        """Opened since the last `reset`."""
        return self._connections

    @property
    def seen(self) -> Sequence[Exchange]:
        """What has passed since the last `reset`, in the order of the requests."""
        with self._lock:
            return sorted(self._seen, key=lambda exchange: exchange.came)

    def reset(self) -> None:
        """Count anew."""
        with self._lock:
            self._seen, self._connections = [], 0

    def address(self) -> str:
        """The `url`, for another process."""
        return self.url

    def told(self) -> tuple[Sequence[Exchange], int]:
        """`seen` and `connections`."""
        return self.seen, self.connections

    def count_connection(self) -> None:
        with self._lock:
            self._connections += 1

    def note(self, exchange: Exchange) -> None:
        with self._lock:
            self._seen.append(exchange)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler_of(proxy: CountingProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The answer goes out in one piece; otherwise its end waits for the client's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            proxy.count_connection()
            self.upstream = http.client.HTTPConnection(*proxy.target, timeout=300)

        def finish(self) -> None:
            self.upstream.close()
            with suppress(OSError):
                super().finish()

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._forward
            raise AttributeError(name)

        def _body(self) -> bytes:
            """The body, in chunks (RFC 9112 section 7.1) or of a known length; it is forwarded with its length."""
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)

        def _forward(self) -> None:
            came = time.monotonic()
            body = self._body()
            headers = {
                key: value
                for key, value in self.headers.items()
                if key.lower() not in ("connection", "keep-alive", "transfer-encoding")
            }
            if self.upstream.sock is None:
                self.upstream.connect()
                # http.client sets it, and its type doesn't say so.
                cast(socket.socket, self.upstream.sock).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.upstream.request(self.command, self.path, body or None, headers)
            answer = self.upstream.getresponse()
            data = answer.read()
            time.sleep(max(0.0, came + proxy.delay - time.monotonic()))
            path = self.path.partition("?")[0]
            # Noted before it is sent, so that nothing that the client does next can come earlier.
            proxy.note(Exchange(self.command, path, answer.status, came, time.monotonic(), len(body), len(data)))
            self.send_response_only(answer.status)
            for key, value in answer.getheaders():
                if key.lower() in _PASSED_ON:
                    self.send_header(key, value)
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            return

    return Handler


class _Manager(BaseManager):
    """The process of `proxies_apart`."""


_Manager.register("proxy", CountingProxy, exposed=("reset", "told", "address"))


@dataclass(frozen=True)
class _Apart:
    """A proxy in another process."""

    url: str
    handle: Any

    def reset(self) -> None:
        self.handle.reset()

    def told(self) -> tuple[Sequence[Exchange], int]:
        seen, connections = self.handle.told()
        return seen, connections


@contextmanager
def proxies_apart(targets: Iterable[str], delay: float = 0.0) -> Iterator[Sequence[Counter]]:
    """A proxy for each target, in a process of their own: in this one they would share an interpreter with what is measured."""
    with _Manager(ctx=get_context("spawn")) as manager:
        handles = [cast(Any, manager).proxy(target, delay) for target in targets]
        yield [_Apart(handle.address(), handle) for handle in handles]
