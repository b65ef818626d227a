"""nanoidp (PyPI): dynamic registration with reading and deletion by RFC 7592, and without updates; ready in a second."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from tests.servers.obtain import Tool, once, run
from tests.servers.oidc_provider import SCOPES
from tests.servers.process import Running, answers, free_port, spawn, start

VERSION: Final = "3.4.0"
PINNED: Final = Path(__file__).parent / "nanoidp_packages" / "requirements.txt"
START_WITHIN: Final = 60


def obtain() -> Path:
    """The virtual environment in which it is installed, with all that it needs pinned by digests. Raises Unobtainable."""

    def make(target: Path) -> None:
        uv = Tool("uv", "nanoidp", "0.9 or newer", "python3-pip")
        beside = Path(sys.executable).parent / "uv"
        program = beside if beside.is_file() else uv.find()
        run([program, "venv", "--quiet", "--relocatable", "--python", sys.executable, target])
        run([program, "pip", "install", "--quiet", "--require-hashes", "--python", target, "-r", PINNED])

    pinned = hashlib.sha256(PINNED.read_bytes() + sys.version.encode()).hexdigest()
    return once(f"nanoidp-{VERSION}-{pinned[:8]}", make)


@dataclass
class Nanoidp:
    """A running server: its address, and its clients by hand."""

    url: str
    process: Running
    secret: str = field(default="", repr=False)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """A request; gives the answer, whatever its status."""
        return requests.request(method, self.url + path, json=body, **{"timeout": 20, **options})

    def token(self, client_id: str, secret: str, **form: str) -> requests.Response:
        """A token request with HTTP Basic."""
        return self.call("POST", "/token", data={"grant_type": "client_credentials", **form}, auth=(client_id, secret))

    def is_active(self, token: str) -> bool:
        """Whether a token is valid (RFC 7662)."""
        answer = self.call("POST", "/introspect", data={"token": token}, auth=("introspector", self.secret))
        assert answer.ok, answer.text
        return bool(answer.json()["active"])

    def clear(self) -> None:
        """Delete every registered client."""
        for client in self.call("GET", "/api/runtime/clients").json()["clients"]:
            assert self.call("DELETE", f"/api/runtime/clients/{client['client_id']}").ok, client


def launch(folder: Path, owner: int | None = None) -> Nanoidp:
    """Start a server on a free port, with its configuration in `folder`. Raises Unobtainable and NotStarted."""
    program = obtain() / "bin" / "nanoidp"
    folder.mkdir(parents=True, exist_ok=True)
    made = Nanoidp("", Running("nanoidp", folder, folder), secrets.token_urlsafe(24))

    def attempt() -> tuple[Running, Callable[[], bool]]:
        port = free_port()
        made.url = f"http://127.0.0.1:{port}"
        settings = {
            "config_version": 1,
            "server": {"host": "127.0.0.1", "port": port},
            "jwt": {"keys_dir": str(folder / "keys")},
            "oauth": {
                "issuer": made.url,
                "scopes_supported": list(SCOPES),
                "dynamic_registration": {"enabled": True, "max_clients": 500},
                "clients": [{"client_id": "introspector", "client_secret": made.secret}],
            },
        }
        (folder / "settings.yaml").write_text(json.dumps(settings), encoding="utf-8")
        (folder / "users.yaml").write_text(json.dumps({"config_version": 1, "users": {}}), encoding="utf-8")
        command: list[str | Path] = [program, "--config", folder, "--host", "127.0.0.1", "--port", str(port)]
        made.process = spawn("nanoidp", command, folder, owner or os.getpid(), {})
        return made.process, lambda: answers(f"{made.url}/.well-known/openid-configuration")

    start(attempt, START_WITHIN)
    return made
