"""A proxy on loopback that forwards to a real server and, at the Nth request, does what bad networks and servers do."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import urlsplit

_LONGEST_HANG: Final = 10.0
_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class Fault(Enum):
    """What happens to a request. `before` and `after` say whether the server has acted when it happens."""

    CLOSE_UNREAD = "close unread"
    REFUSE = "refuse"
    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    HANG_BEFORE = "hang before"
    HANG_AFTER = "hang after"
    ACT_LATE = "act when the client has given up"
    TOO_MANY = "429 before"
    TOO_MANY_AFTER = "429 after"
    ERROR_BEFORE = "500 before"
    ERROR_AFTER = "500 after"
    UNAVAILABLE = "503 before"
    UNAVAILABLE_AFTER = "503 after"
    GATEWAY_AFTER = "504 after"
    TRUNCATED = "truncated after"
    GARBAGE = "garbage after"
    PORTAL = "HTML page before"
    PAGE_AFTER = "HTML page after"
    NO_SECRET = "answer without its secret"
    MASKED_SECRET = "answer with a masked secret"
    NOT_KEPT = "a field that the server drops"
    NOT_SHOWN = "an answer that lacks a field"
    STALE = "a stale read"
    KILL_BEFORE = "kill -9 before"
    KILL_AFTER = "kill -9 after"
    TERMINATE_BEFORE = "SIGTERM before"
    TERMINATE_AFTER = "SIGTERM after"
    INTERRUPT_AFTER = "SIGINT after"


SIGNALS: Final = {
    Fault.KILL_BEFORE: signal.SIGKILL,
    Fault.KILL_AFTER: signal.SIGKILL,
    Fault.TERMINATE_BEFORE: signal.SIGTERM,
    Fault.TERMINATE_AFTER: signal.SIGTERM,
    Fault.INTERRUPT_AFTER: signal.SIGINT,
}
NETWORK_FAULTS: Final = tuple(fault for fault in Fault if fault not in SIGNALS)
CONTENT_FAULTS: Final = (Fault.NO_SECRET, Fault.MASKED_SECRET, Fault.NOT_KEPT, Fault.NOT_SHOWN, Fault.STALE)
"""The connection is as it should be, and what it brings isn't. Not every request can meet each of them."""
SILENT: Final = frozenset({Fault.HANG_BEFORE, Fault.HANG_AFTER, Fault.ACT_LATE})
"""No answer comes until the client has given up."""
_NOT_FORWARDED: Final = frozenset(
    {
        Fault.CLOSE_UNREAD,
        Fault.REFUSE,
        Fault.RESET_BEFORE,
        Fault.HANG_BEFORE,
        Fault.TOO_MANY,
        Fault.ERROR_BEFORE,
        Fault.UNAVAILABLE,
        Fault.PORTAL,
        Fault.KILL_BEFORE,
    }
)
_PASSED_ON: Final = ("content-type", "date", "location")
_PAGE: Final = b"<!doctype html><title>Sign in</title><p>Please sign in.</p>"


@dataclass(frozen=True)
class Trap:
    """The fault, the request of this proxy that it begins with (from 1), and whether it goes on for good."""

    fault: Fault
    at: int
    lasting: bool = False

    def hits(self, number: int) -> bool:
        return number == self.at or (self.lasting and number > self.at)


@dataclass(frozen=True)
class Seen:
    """One request that arrived, and which faults of content it could meet."""

    method: str
    path: str
    open_to: frozenset[Fault] = frozenset()

    @property
    def writes(self) -> bool:
        """Whether it may change something; a sign-in of Keycloak's is a POST and changes nothing."""
        return self.method not in _SAFE and not self.path.endswith("/openid-connect/token")

    def can_meet(self, fault: Fault) -> bool:
        return fault not in CONTENT_FAULTS or fault in self.open_to


class Proxy:
    """Listens on a port of its own that stays the same, and forwards to `target`."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 80)
        self.seen: list[Seen] = []
        self.secrets: set[str] = set()
        self.struck: Seen | None = None
        self.victim: int | None = None
        self.victim_known = threading.Event()
        self.answers: dict[str, bytes] = {}
        """The last answer to each GET, by path."""
        self._trap: Trap | None = None
        self._count = 0
        self._busy = 0
        self._lock = threading.Condition()
        self._open: set[socket.socket] = set()
        self._port = 0
        self._listener: socket.socket | None = None
        self._listen()
        self.url = f"http://127.0.0.1:{self._port}"

    # -- for the test ------------------------------------------------------------------------------------------------

    def arm(self, trap: Trap | None = None) -> None:
        """Start counting anew, with another trap or none."""
        self.quiet()
        self._drop_connections()
        with self._lock:
            self.seen, self.struck, self.answers = [], None, {}
            self._trap, self._count = trap, 0
            self.victim = None
            self.victim_known.clear()
        if trap is not None and trap.fault is Fault.REFUSE and trap.at == 1:
            self._stop_listening()
        else:
            self._listen()

    def aim(self, pid: int) -> None:
        """Say whose process a signal is for."""
        self.victim = pid
        self.victim_known.set()

    def quiet(self) -> None:
        """Wait until no request is on its way."""
        with self._lock:
            assert self._lock.wait_for(lambda: self._busy == 0, timeout=30), "requests hang in the proxy"

    def close(self) -> None:
        self._stop_listening()
        self._drop_connections()

    # -- connections -------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(64)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: Any) -> None:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        try:
            with suppress(OSError, ValueError):
                Handler(connection, address, None)  # type: ignore[arg-type]
        finally:
            with self._lock:
                self._open.discard(connection)
            with suppress(OSError):
                connection.close()

    def _drop_connections(self) -> None:
        with self._lock:
            standing = list(self._open)
        for connection in standing:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # -- for the handler ---------------------------------------------------------------------------------------------

    def enter(self) -> tuple[int, Fault | None]:
        """Count a request that begins to arrive; gives its number and what is to happen to it."""
        with self._lock:
            self._count += 1
            self._busy += 1
            number, trap = self._count, self._trap
        return number, trap.fault if trap is not None and trap.hits(number) else None

    def leave(self) -> None:
        with self._lock:
            self._busy -= 1
            self._lock.notify_all()

    def note(self, seen: Seen, fault: Fault | None) -> None:
        with self._lock:
            self.seen.append(seen)
            if fault is not None and self.struck is None:
                self.struck = seen

    def ends_with(self, number: int) -> bool:
        """Whether this request is the last before the server is gone."""
        trap = self._trap
        return trap is not None and trap.fault is Fault.REFUSE and number >= trap.at - 1

    def go_away(self, but: socket.socket) -> None:
        self._stop_listening()
        with self._lock:
            standing = [connection for connection in self._open if connection is not but]
        for connection in standing:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Proxy

    def log_message(self, format: str, *arguments: Any) -> None:
        return

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(*self.owner.target, timeout=30)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def handle_one_request(self) -> None:
        try:
            begun = self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            begun = b""
        if not begun:
            self.close_connection = True
            return
        number, fault = self.owner.enter()
        try:
            if fault is Fault.CLOSE_UNREAD:
                self.owner.note(Seen("", ""), fault)
                self._reset()
                return
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:  # the client died on the way; a server would wait for the rest
                self.close_connection = True
                return
            self._answer(number, fault, body)
        finally:
            self.owner.leave()

    def _answer(self, number: int, fault: Fault | None, body: bytes) -> None:
        if fault is None or fault in CONTENT_FAULTS:
            self._pass_on(number, fault, body)
            return
        self.owner.note(Seen(self.command, self.path), fault)
        if fault in SIGNALS:
            self._signal_around(fault, body)
            return
        if fault is Fault.ACT_LATE:
            self._hang()
            self._forward(body)
            self._reset()
            return
        _, _, answer = (0, {}, b"") if fault in _NOT_FORWARDED else self._forward(body)
        self._spoil(fault, answer)

    def _pass_on(self, number: int, fault: Fault | None, body: bytes) -> None:
        """Forward, with what a fault of content makes of the request or the answer."""
        reads = self.command == "GET"
        sent = without_field(body, number) if fault is Fault.NOT_KEPT and not reads else body
        status, headers, answer = self._forward(sent)
        before = self.owner.answers.get(self.path) if reads else None
        if reads and status == HTTPStatus.OK:
            self.owner.answers[self.path] = answer
        variants = {
            Fault.NO_SECRET: without_secret(answer),
            Fault.MASKED_SECRET: with_masked_secret(answer),
            Fault.NOT_SHOWN: without_field(answer, number),
            Fault.STALE: answer if before is None else before,
        }
        could = {kind for kind, variant in variants.items() if variant != answer}
        if not reads and without_field(body, number) != body:
            could.add(Fault.NOT_KEPT)
        self.owner.note(Seen(self.command, self.path, frozenset(could)), fault if fault in could else None)
        last = self.owner.ends_with(number)
        self._send(status, headers, variants.get(fault, answer) if fault else answer, close=last)
        if last:
            self.owner.go_away(self.connection)

    def _spoil(self, fault: Fault, answer: bytes) -> None:
        kind = {"Content-Type": "application/json"}
        page = {"Content-Type": "text/html"}
        deeds: dict[Fault, Callable[[], None]] = {
            Fault.RESET_BEFORE: self._reset,
            Fault.RESET_AFTER: self._reset,
            Fault.REFUSE: self._reset,
            Fault.HANG_BEFORE: self._hang_up,
            Fault.HANG_AFTER: self._hang_up,
            Fault.TOO_MANY: lambda: self._send(429, {"Retry-After": "0", **kind}, b'{"message": "slowly"}'),
            Fault.TOO_MANY_AFTER: lambda: self._send(429, kind, b'{"message": "slowly"}'),
            Fault.ERROR_BEFORE: lambda: self._send(500, kind, b'{"message": "it failed"}'),
            Fault.ERROR_AFTER: lambda: self._send(500, kind, b'{"message": "it failed"}'),
            Fault.UNAVAILABLE: lambda: self._send(503, page, _PAGE),
            Fault.UNAVAILABLE_AFTER: lambda: self._send(503, page, _PAGE),
            Fault.GATEWAY_AFTER: lambda: self._send(504, page, _PAGE),
            Fault.TRUNCATED: lambda: self._send(200, kind, answer or b"{}", claimed=len(answer or b"{}") + 20),
            Fault.GARBAGE: lambda: self._send(200, kind, b'{"\xff\x00 [[[ ' + os.urandom(20).hex().encode()),
            Fault.PORTAL: lambda: self._send(200, page, _PAGE),
            Fault.PAGE_AFTER: lambda: self._send(200, page, _PAGE),
        }
        deeds[fault]()

    def _signal_around(self, fault: Fault, body: bytes) -> None:
        number = SIGNALS[fault]
        if fault not in _NOT_FORWARDED and "before" not in fault.value:
            status, headers, answer = self._forward(body)
            self._strike(number)
        else:
            self._strike(number)
            if number is signal.SIGKILL:
                self._reset()
                return
            status, headers, answer = self._forward(body)
        self._send(status, headers, answer)

    def _strike(self, number: int) -> None:
        assert self.owner.victim_known.wait(10)
        assert self.owner.victim is not None
        os.kill(self.owner.victim, number)
        # Until the signal has been taken notice of; a kill ends the connection, any other doesn't.
        select.select([self.connection], [], [], 5.0 if number is signal.SIGKILL else 0.1)

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in ("connection", "content-length")
        }
        self.upstream.request(self.command, self.path, body or None, headers)
        response = self.upstream.getresponse()
        answer = response.read()
        kept = {name: value for name, value in response.getheaders() if name.lower() in _PASSED_ON}
        with suppress(ValueError):
            self.owner.secrets.update(found for _, _, found in _secrets_in(json.loads(answer), _SECRETS | _TOKENS))
        return response.status, kept, answer

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, *, claimed: int | None = None, close: bool = False
    ) -> None:
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if status != 204:
            lines.append(f"Content-Length: {len(body) if claimed is None else claimed}")
        if close or claimed is not None:
            lines.append("Connection: close")
            self.close_connection = True
        with suppress(OSError):
            self.connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def _hang(self) -> None:
        """Say nothing until the client has had enough."""
        until = time.monotonic() + _LONGEST_HANG
        with suppress(OSError):
            while time.monotonic() < until:
                readable, _, _ = select.select([self.connection], [], [], 0.1)
                if readable and not self.connection.recv(1, socket.MSG_PEEK):
                    return

    def _hang_up(self) -> None:
        self._hang()
        self._reset()

    def _reset(self) -> None:
        """Close with RST, as a crashed peer or a firewall does."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with self.owner._lock:
                self.owner._open.discard(self.connection)
            os.close(self.connection.detach())


# -- content -----------------------------------------------------------------------------------------------------------

_SECRETS: Final = frozenset({"client_secret", "secret", "access_token", "refresh_token"})
_TOKENS: Final = frozenset({"registration_access_token"})
"""What nothing may show either. An answer without it comes from a server of another kind, and is no fault."""
_MASK: Final = "**********"
"""How Keycloak writes a secret that it doesn't tell."""
_KEYS: Final = frozenset(
    {
        *("name", "version", "clientId", "client_id", "id", "realm", "protocol", "op", "path", "key"),
        *("registration_client_uri", "registration_access_token"),
    }
)
"""What names an object, says which sort of object it is, or how it is managed: no server forgets it and answers that all went
well.
"""


def without_secret(answer: bytes) -> bytes:
    """A JSON answer without the secrets in it; any other as it is."""

    def remove(holder: dict[str, Any], key: str) -> None:
        del holder[key]

    return _with_secrets_changed(answer, remove)


def with_masked_secret(answer: bytes) -> bytes:
    """A JSON answer with asterisks for the secrets in it; any other as it is."""

    def mask(holder: dict[str, Any], key: str) -> None:
        holder[key] = _MASK

    return _with_secrets_changed(answer, mask)


def _with_secrets_changed(answer: bytes, change: Callable[[dict[str, Any], str], None]) -> bytes:
    with suppress(ValueError):
        body = json.loads(answer)
        if found := list(_secrets_in(body)):
            for holder, key, _ in found:
                change(holder, key)
            return json.dumps(body).encode()
    return answer


def _secrets_in(body: Any, names: frozenset[str] = _SECRETS) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each secret of a document, with what holds it."""
    if isinstance(body, list):
        for item in body:
            yield from _secrets_in(item, names)
    if not isinstance(body, dict):
        return
    for key, value in body.items():
        # A credential of Keycloak is {"type": "secret", "value": "..."}.
        secret = key in names or (key == "value" and body.get("type") == "secret")
        if secret and isinstance(value, str) and value and value != _MASK:
            yield body, key, value
        else:
            yield from _secrets_in(value, names)


def without_field(text: bytes, turn: int) -> bytes:
    """A JSON document without one of its fields, another one at each turn; anything else as it is."""
    with suppress(ValueError):
        body = json.loads(text)
        if fields := list(_fields_in(body)):
            holder, key = fields[turn % len(fields)]
            del holder[key]
            return json.dumps(body).encode()
    return text


def _fields_in(body: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Each field of a document that is no key, with what holds it: the innermost ones."""
    if isinstance(body, list):
        for item in body:
            yield from _fields_in(item)
    if not isinstance(body, dict):
        return
    for key, value in body.items():
        inner = list(_fields_in(value))
        if inner:
            yield from inner
        elif key not in _KEYS and not isinstance(value, dict):
            yield body, key
