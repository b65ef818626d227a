"""A loopback proxy between driver and server that sees every request, and spoils those that a scenario chooses."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct, field

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Seen(Struct, frozen=True):
    """One request that arrived; `path` includes the query."""

    method: str
    path: str

    @property
    def writes(self) -> bool:
        """Whether its method may change something (RFC 9110, 9.2.1)."""
        return self.method not in SAFE

    @property
    def bare(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Fault(Struct, frozen=True):
    """The response in place of the server's. With `after`, the server has acted before; `drop` breaks the connection."""

    name: str
    status: int = 500
    body: bytes = b'{"message": "spoilt by the contract suite"}'
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    after: bool = False
    drop: bool = False


Choose = Callable[[Seen], Fault | None]
"""Decides what happens to each request; None: nothing."""


Alter = Callable[[Seen, Any], Any]
"""Returns what the client receives instead of a JSON response of the server."""


class Proxy:
    """Listens on its own port and forwards to `target`; with TLS, `context` verifies the certificate."""

    def __init__(self, target: str, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        self.context = context if parts.scheme == "https" else None
        self._base = parts.path.rstrip("/")
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._choose: Choose | None = None
        self._alter: Alter | None = None
        self._signing_in: set[str] = set()
        self._server = _server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{self._base}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def excuse(self, path: str) -> None:
        """A path below the server's address where a POST is a sign-in: neither counted nor spoilt."""
        with self._lock:
            self._signing_in.add(self._base + path)

    def spoil(self, choose: Choose | None) -> None:
        """Let `choose` decide about each request from now on; None: all are forwarded."""
        with self._lock:
            self._choose = choose

    def alter(self, change: Alter | None) -> None:
        """Let `change` rewrite each JSON response of the server from now on, except sign-ins; None: none is changed."""
        with self._lock:
            self._alter = change

    def altered(self, seen: Seen, headers: Sequence[tuple[str, str]], answer: bytes) -> bytes:
        """A response as the client receives it."""
        with self._lock:
            change = None if seen.bare in self._signing_in else self._alter
        kinds = [value for name, value in headers if name.lower() == "content-type"]
        if change is None or not answer or not any("json" in kind for kind in kinds):
            return answer
        try:
            body = json.loads(answer)
        except ValueError:
            return answer
        return json.dumps(change(seen, body)).encode()

    def seen(self, since: int = 0) -> tuple[Seen, ...]:
        """The requests so far without sign-ins, from number `since` on."""
        with self._lock:
            return tuple(self._seen[since:])

    def arrived(self, seen: Seen) -> Fault | None:
        """Record a request and return what happens to it."""
        with self._lock:
            if seen.method == "POST" and seen.bare in self._signing_in:
                return None
            self._seen.append(seen)
            return self._choose(seen) if self._choose is not None else None


def once(fault: Fault, number: int, *, writes: bool) -> Choose:
    """Spoil the request of this number (from 1) among those that write, or those that read."""
    return _Counted(fault, number, writes=writes, lasting=False)


def from_then_on(fault: Fault, number: int, *, writes: bool) -> Choose:
    """Spoil the request of this number and each later one of its method and path."""
    return _Counted(fault, number, writes=writes, lasting=True)


class _Counted:
    def __init__(self, fault: Fault, number: int, *, writes: bool, lasting: bool) -> None:
        self._fault, self._left = fault, number
        self._writes, self._lasting = writes, lasting
        self._struck: tuple[str, str] | None = None

    def __call__(self, seen: Seen) -> Fault | None:
        if seen.writes is not self._writes:
            return None
        if self._struck is not None:
            return self._fault if self._lasting and (seen.method, seen.bare) == self._struck else None
        self._left -= 1
        if self._left:
            return None
        self._struck = (seen.method, seen.bare)
        return self._fault


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection ends only itself."""


def _server(owner: Proxy) -> ThreadingHTTPServer:
    class Handler(_Handler):
        proxy = owner

    return _Listener(("127.0.0.1", 0), Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    proxy: Proxy

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def setup(self) -> None:
        """One connection to the server for each client connection."""
        super().setup()
        host, port = self.proxy.target
        context = self.proxy.context
        self._upstream: http.client.HTTPConnection
        if context is None:
            self._upstream = http.client.HTTPConnection(host, port, timeout=60)
        else:
            self._upstream = http.client.HTTPSConnection(host, port, timeout=60, context=context)

    def finish(self) -> None:
        """Both connections end together."""
        self._upstream.close()
        with suppress(OSError):
            super().finish()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.arrived(Seen(self.command, self.path))
        if fault is None or fault.after:
            status, headers, answer = self._forward(body)
            if fault is None:
                self._answer(status, headers, self.proxy.altered(Seen(self.command, self.path), headers, answer))
                return
        if fault.drop:
            self.close_connection = True
            return
        self._answer(fault.status, fault.headers.items(), fault.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle

    def _forward(self, body: bytes) -> tuple[int, Sequence[tuple[str, str]], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        try:
            self._upstream.request(self.command, self.path, body or None, headers)
            response = self._upstream.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server has closed a kept-alive connection meanwhile, so it has not seen the request.
            self._upstream.close()
            self._upstream.request(self.command, self.path, body or None, headers)
            response = self._upstream.getresponse()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP]
        return response.status, kept, response.read()

    def _answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
