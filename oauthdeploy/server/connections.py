"""The HTTP server below the application: clients that send slowly, or nothing at all, do not delay others.

In cheroot, a client occupies one of a fixed number of threads until its request is read, and a TLS handshake occupies the
thread that accepts connections. Here, a handshake is done by the thread of its connection, threads are added while all of them
wait for clients, only complete requests enter the application, and a request that takes too long to arrive is cut off.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from queue import Queue
from typing import TYPE_CHECKING, Any, Final

from cheroot.errors import FatalSSLAlert
from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.workers.threadpool import ThreadPool, WorkerThread
from cheroot.wsgi import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_CONNECTIONS: Final = 200
"""The number of connections that are served at the same time; more of them wait."""
SILENT_SECONDS: Final = 15
"""How long a client may pause while it sends a request or receives a response."""
RECEIVE_SECONDS: Final = 20
"""How long a request may take to arrive, with its TLS handshake."""

_PLAIN_HTTP: Final = b"This server only accepts HTTPS on this port.\n"

log = logging.getLogger(__name__)


class ApplicationServer(Server):
    """A cheroot server for one WSGI application, of which at most `threads` requests are in the application at a time.

    `max_body` is the length in bytes that the application accepts of a body; up to that, a body is read before the application
    is called. Log records go to `logging`.
    """

    def __init__(
        self, address: tuple[str, int], app: WSGIApplication, threads: int, max_body: int, **options: Any
    ) -> None:
        self.deadlines = _Deadlines()
        super().__init__(
            address, _WholeRequests(app, threads, max_body, self.deadlines), timeout=SILENT_SECONDS, **options
        )
        self.requests = _GrowingPool(self, min=threads, max=max(threads, MAX_CONNECTIONS))
        self.ConnectionClass = _Connection

    def stop(self) -> None:
        """Stop accepting connections, let the requests in the application finish, and end the others."""
        self.deadlines.stop()
        super().stop()

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        """Bind a socket, and close it if that fails, which cheroot leaves to the garbage collector."""
        try:
            bound: socket.socket = Server.bind_socket(socket_, bind_addr)  # type: ignore[no-untyped-call]
        except OSError:
            socket_.close()
            raise
        return bound

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log instead of writing to the standard error stream."""
        log.log(level, "%s", msg, exc_info=traceback)


class LateTls(BuiltinSSLAdapter):
    """TLS whose handshake is left to the thread of the connection: one silent client must not keep others from connecting."""

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        """The socket to use from here on, and its values for the WSGI environment."""
        try:
            wrapped = self.context.wrap_socket(sock, do_handshake_on_connect=False, server_side=True)
        except OSError as problem:
            raise FatalSSLAlert(*problem.args) from problem
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class _Request(HTTPRequest):
    """A request whose target cannot be parsed is a bad request; cheroot alone would report a server error."""

    def read_request_line(self) -> bool:
        try:
            return bool(super().read_request_line())  # type: ignore[no-untyped-call]
        except ValueError:
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request
    server: ApplicationServer
    _is_ready = False

    def communicate(self) -> bool:
        """Read a request and answer it; returns whether the connection stays open."""
        deadlines = self.server.deadlines
        deadlines.begin(self.socket)
        try:
            if not self._is_ready:
                self._is_ready = self._shake_hands()
            return self._is_ready and bool(super().communicate())  # type: ignore[no-untyped-call]
        finally:
            deadlines.end()

    def _shake_hands(self) -> bool:
        if not isinstance(self.socket, ssl.SSLSocket):
            return True
        try:
            self.socket.do_handshake()
        except OSError as problem:
            if isinstance(problem, ssl.SSLError) and problem.reason == "HTTP_REQUEST":
                self._refuse_plain_http()
            log.info("A TLS handshake failed: %s", problem)
            return False
        return True

    def _refuse_plain_http(self) -> None:
        head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {len(_PLAIN_HTTP)}\r\n"
        with contextlib.suppress(OSError):
            # Bypasses the TLS layer of the same socket.
            socket.socket.sendall(self.socket, f"{head}Connection: close\r\n\r\n".encode() + _PLAIN_HTTP)


class _GrowingPool(ThreadPool):
    """Adds a thread while all of them are busy, so that those that wait for clients do not delay others."""

    _threads: list[WorkerThread]
    _queue: Queue[HTTPConnection]

    def put(self, obj: HTTPConnection) -> None:
        """Queue a connection that has something to read."""
        if self.idle <= self._queue.qsize() and len(self._threads) < self.max:
            # Not with `grow`, which makes the thread that accepts connections sleep.
            worker = WorkerThread(self.server)  # type: ignore[no-untyped-call]
            worker.start()
            self._threads.append(worker)
        super().put(obj)


class _Deadlines:
    """Ends connections whose request takes longer than RECEIVE_SECONDS to arrive; one thread watches all of them."""

    def __init__(self) -> None:
        self._until: dict[int, tuple[float, socket.socket]] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self, connection: socket.socket) -> None:
        """This thread starts to receive a request."""
        with self._lock:
            self._until[threading.get_ident()] = (time.monotonic() + RECEIVE_SECONDS, connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="oauthdeploy-deadlines", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """This thread has received its request."""
        with self._lock:
            self._until.pop(threading.get_ident(), None)

    def stop(self) -> None:
        """End all connections that are still receiving a request."""
        self._stopped.set()
        self._close(float("inf"))
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.5):
            self._close(time.monotonic())

    def _close(self, now: float) -> None:
        with self._lock:
            for until, connection in self._until.values():
                if until <= now:
                    with contextlib.suppress(OSError):
                        # Bypasses the TLS layer, which another thread is using, so that its read ends.
                        socket.socket.shutdown(connection, socket.SHUT_RD)


class _WholeRequests:
    """Calls the application with complete requests, at most `threads` of them at a time."""

    def __init__(self, app: WSGIApplication, threads: int, max_body: int, deadlines: _Deadlines) -> None:
        self._app = app
        self._slots = threading.BoundedSemaphore(threads)
        self._max_body = max_body
        self._deadlines = deadlines

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        declared = environ.get("CONTENT_LENGTH") or ""
        # A longer body is refused by its length, unread; one without a length, at its first byte too many.
        if not declared or 0 <= int(declared) <= self._max_body:
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(declared or self._max_body + 1)))
        self._deadlines.end()
        with self._slots:
            response = self._app(environ, start_response)
            try:
                return list(response)
            finally:
                close = getattr(response, "close", None)
                if close is not None:
                    close()
