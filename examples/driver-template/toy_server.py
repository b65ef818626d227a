"""The Acme Gateway: a toy with the administration API that the driver is written for. `python toy_server.py` runs it.

GET, PUT and DELETE of /scopes/{id} and /clients/{id}, and GET of the two lists; a PUT creates or replaces. Every request
needs the token. Everything is in memory.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "let-me-in"
READER = "let-me-look"


class Gateway:
    """A running gateway; `tables` are its objects by list and id."""

    def __init__(self, port: int = 0) -> None:
        self.tables: dict[str, dict[str, Any]] = {"scopes": {}, "clients": {}}
        gateway = self

        class Handler(_Handler):
            tables = gateway.tables

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def serve(self) -> None:
        """Serve until Ctrl-C."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def wipe(self) -> None:
        """Remove every object."""
        for table in self.tables.values():
            table.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Otherwise each small answer waits for the acknowledgement of its headers.
    disable_nagle_algorithm = True
    tables: dict[str, dict[str, Any]]

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self._answer(json.loads(body) if body else None)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_DELETE = _handle

    def _answer(self, body: Any) -> tuple[int, Any]:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in (TOKEN, READER):
            return 401, {"error": "unknown token"}
        if self.command != "GET" and token != TOKEN:
            return 403, {"error": "this token may only read"}
        if self.path == "/version":
            return 200, {"product": "Acme Gateway", "version": "1.0"}
        _, name, *rest = self.path.split("/")
        table = self.tables.get(name)
        if table is None or len(rest) > 1:
            return 404, {"error": "no such path"}
        return self._of_list(table) if not rest else self._of_object(table, unquote(rest[0]), body)

    def _of_list(self, table: dict[str, Any]) -> tuple[int, Any]:
        return (200, list(table.values())) if self.command == "GET" else (405, {"error": "only GET"})

    def _of_object(self, table: dict[str, Any], name: str, body: Any) -> tuple[int, Any]:
        if self.command == "PUT":
            table[name] = {**body, "id": name}
            return 200, table[name]
        if name not in table:
            return 404, {"error": "not found"}
        if self.command == "DELETE":
            del table[name]
            return 204, None
        return 200, table[name]


if __name__ == "__main__":
    gateway = Gateway(8099)
    print(f"Acme Gateway: {gateway.url}, token {TOKEN}; Ctrl-C ends it.")
    gateway.serve()
