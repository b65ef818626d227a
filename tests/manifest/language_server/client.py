"""A client of the language server protocol over standard input and output: enough of it to ask as an editor does."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

PATIENCE = 60
"""Seconds that an answer may take; a machine under load is slow."""


class LanguageServer:
    """A running server. Use it in `with`: at the end it is told to shut down, and ends."""

    def __init__(self, *command: str | Path, root: Path) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._output: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._number = 0
        self._root = root

    def __enter__(self) -> Self:
        asked: dict[str, Any] = {"textDocument": {"publishDiagnostics": {}, "completion": {}, "hover": {}}}
        root = self._root.as_uri()
        self.ask("initialize", {"processId": None, "rootUri": root, "capabilities": asked, "workspaceFolders": None})
        self._send({"method": "initialized", "params": {}})
        wanted = {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": {"yaml": wanted}}})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.ask("shutdown", None)
            self._send({"method": "exit"})
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._listener.join()
            self._input.close()
            self._output.close()

    def open(self, uri: str, text: str) -> list[dict[str, Any]]:
        """Open a document and give its diagnostics."""
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while True:
            said = self._next()
            if said.get("method") == "textDocument/publishDiagnostics" and said["params"]["uri"] == uri:
                found: list[dict[str, Any]] = said["params"]["diagnostics"]
                return found

    def at(self, what: str, uri: str, line: int, column: int) -> Any:
        """What the server says about a place of an open document (from 0), such as `hover` or `completion`."""
        place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}
        return self.ask(f"textDocument/{what}", place)

    def ask(self, method: str, params: Any) -> Any:
        """Send a request and give the result."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            said = self._next()
            if said.get("id") == self._number and "method" not in said:
                assert "error" not in said, said
                return said["result"]

    def _next(self) -> dict[str, Any]:
        """The next message; what the server itself asks is answered with nothing."""
        said = self._heard.get(timeout=PATIENCE)
        if "id" in said and "method" in said:
            self._send({"id": said["id"], "result": None})
        return said

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._input.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._input.flush()

    def _listen(self) -> None:
        while head := self._output.readline():
            length = int(head.split(b":")[1])
            while self._output.readline().strip():
                pass
            self._heard.put(json.loads(self._output.read(length)))
