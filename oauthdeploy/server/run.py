"""Starting and stopping a server: in a background thread, or in the foreground until a signal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

from flask import Flask

from oauthdeploy.server.app import MAX_BODY, close_app, create_app, state_of
from oauthdeploy.server.config import ADMINISTRATOR_PASSWORD_FILE, ServerConfig
from oauthdeploy.server.connections import ApplicationServer, LateTls
from oauthdeploy.server.tls import ensure_certificates

#: Value of the `Server` header.
SERVER_NAME = "oauthdeploy-embedded (not for production)"

_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - replaced, not bound to
_SHUTDOWN_SECONDS = 10


class RunningServer:
    """A server that answers at `url` until `stop`; as a context manager it stops at the end of the block.

    Attributes:
        config: what it was started with.
        url: scheme, host and port, without a slash at the end.
        ca_file: PEM file of the authority behind its certificate; None without TLS.
        administrator_password_file: where the generated password of `Administrator` is; None when the seed
            named an administrator.
        app: the application that it runs.
    """

    def __init__(self, config: ServerConfig, app: Flask) -> None:
        self.config = config
        self.app = app
        self.ca_file: Path | None = None
        password_file = config.data_dir / ADMINISTRATOR_PASSWORD_FILE
        self.administrator_password_file = password_file if password_file.exists() else None
        self._server = ApplicationServer(
            (config.host, config.port),
            app,
            config.threads,
            MAX_BODY,
            server_name=SERVER_NAME,
            request_queue_size=128,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        # The application answers 413 in JSON beyond MAX_BODY; far beyond it the connection is not read any more.
        self._server.max_request_body_size = 8 * MAX_BODY
        # How often, in seconds, the server checks whether it should stop.
        self._server.expiration_interval = 0.1
        self._server.max_request_header_size = 64 * 1024
        if config.tls:
            files = ensure_certificates(config.data_dir, config.host)
            self._server.ssl_adapter = LateTls(str(files.certificate), str(files.key))
            self.ca_file = files.ca_file
        self._server.prepare()
        self.url = _url(config, self._server.bind_addr[1])
        if config.host not in _WILDCARDS:
            state_of(app).issuer = self.url
        self._thread = threading.Thread(target=self._server.serve, name=f"oauthdeploy-server {self.url}", daemon=True)
        self._stopped = False
        self._thread.start()

    def stop(self) -> None:
        """Accept no more connections, let the requests in flight finish, and close the database."""
        if self._stopped:
            return
        self._stopped = True
        self._server.stop()
        self._thread.join(_SHUTDOWN_SECONDS)
        close_app(self.app)

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _url(config: ServerConfig, port: int) -> str:
    host = _WILDCARDS.get(config.host, config.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if config.tls else 'http'}://{host}:{port}"


def start(config: ServerConfig) -> RunningServer:
    """Start a server in the background of this process; it accepts requests when this returns.

    Raises:
        ConfigError: the configuration or seed cannot be used.
        OSError: the address cannot be bound, or the data directory not written.
    """
    app = create_app(config)
    try:
        return RunningServer(config, app)
    except BaseException:
        close_app(app)
        raise


def serve(config: ServerConfig, on_ready: Callable[[RunningServer], None] | None = None) -> None:
    """Run a server in the foreground until SIGINT or SIGTERM, then stop it gracefully.

    To be called in the main thread, where signals arrive. The former signal handlers are restored.

    Args:
        config: what to serve.
        on_ready: called once with the running server, when it accepts requests.

    Raises:
        ConfigError, OSError: as `start`.
    """
    asked_to_stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked_to_stop.set()

    with start(config) as running:
        previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            if on_ready is not None:
                on_ready(running)
            # A wait without a timeout is not interrupted by signals on every platform.
            while not asked_to_stop.wait(0.5):
                pass
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
