"""What the tests of the HTTP client drive it against: real servers on loopback that do as a test says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from requests.auth import AuthBase

from oauthdeploy.drivers.http import AdminClient
from oauthdeploy.drivers.transport import make_session
from oauthdeploy.model.servers import Limits


@dataclass(frozen=True)
class Seen:
    """One request as the server saw it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Says:
    """One answer; `drop` breaks the connection instead."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = "application/json"
    drop: bool = False
    date: str | None = None


def says(value: Any, status: int = 200, **headers: str) -> Says:
    """An answer in JSON."""
    return Says(status, json.dumps(value).encode(), {key.replace("_", "-"): text for key, text in headers.items()})


Script = Callable[[Seen], Says]


class Scripted:
    """A server that answers by a function, or by a list of answers of which the last one repeats."""

    def __init__(self, script: Script | Sequence[Says]) -> None:
        self.seen: list[Seen] = []
        self._answers = None if callable(script) else list(script)
        self._script = script if callable(script) else self._next
        self._lock = threading.Lock()

    def _next(self, _seen: Seen) -> Says:
        assert self._answers is not None
        with self._lock:
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def answer(self, seen: Seen) -> Says:
        with self._lock:
            self.seen.append(seen)
        return self._script(seen)


@dataclass(frozen=True)
class Running:
    """A scripted server that runs."""

    url: str
    script: Scripted

    @property
    def seen(self) -> list[Seen]:
        return self.script.seen


@contextmanager
def serving(script: Script | Sequence[Says]) -> Iterator[Running]:
    """Run a scripted server on a free loopback port."""
    scripted = Scripted(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            # From where the request came tells connections apart.
            headers = {**dict(self.headers.items()), "X-From": str(self.client_address)}
            seen = Seen(self.command, self.path, headers, self.rfile.read(length))
            answer = scripted.answer(seen)
            if answer.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response_only(answer.status)
            if answer.date is not None:
                self.send_header("Date", answer.date)
            if answer.content_type is not None:
                self.send_header("Content-Type", answer.content_type)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{server.server_address[1]}", scripted)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw_serving(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Run a server that handles raw connections; `talk` gets each one, and an event that is set when it must end."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ended = threading.Event()

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                talk(connection, ended)
            except OSError:
                return

    def accept() -> None:
        threads = []
        while not ended.is_set():
            try:
                connection, _address = listener.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(timeout=2)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        thread.join()
        listener.close()


class Naps:
    """Stands for sleeping: remembers how long, and doesn't."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@contextmanager
def client_for(
    url: str,
    *,
    auth: AuthBase | None = None,
    read_only: bool = False,
    naps: Naps | None = None,
    **limits: Any,
) -> Iterator[AdminClient]:
    """An AdminClient that sleeps in `naps`."""
    made = Limits(**{"retries": 3, "timeout": 5, **limits})
    session = make_session(url, made.parallel, None, read_only=read_only)
    client = AdminClient("login", url, session, auth, made, sleep=naps or Naps())
    try:
        yield client
    finally:
        client.close()


def closed_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


HERE = Path(__file__).parent
