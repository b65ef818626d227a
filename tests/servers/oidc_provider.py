"""A server of oidc-provider (npm) with dynamic client registration and its management, ready in half a second."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

from tests.servers.npm import node, packages
from tests.servers.process import Running, answers, free_port, spawn, start

SOURCE: Final = Path(__file__).parent / "oidc_provider_program"
NODE: Final = node("oidc-provider")
START_WITHIN: Final = 60
NOTHING: Final = "nothing"
"""A scope that grants nothing, for clients that may request no other."""
SCOPES: Final = (
    *("openid", "offline_access", NOTHING, "orders.read", "orders.write", "a.read", "a.write", "b.read"),
    *(f"scope-{number}" for number in range(10)),
)


def obtain() -> Path:
    """The folder in whose `node_modules` it is. Raises Unobtainable."""
    return packages("oidc-provider", SOURCE)


@dataclass
class OidcProvider:
    """A running server: its address, the initial access token, and its clients by hand."""

    url: str
    initial: str
    process: Running
    secret: str = field(default="", repr=False)

    def call(self, method: str, path: str, body: Any = None, token: str = "", **options: Any) -> requests.Response:
        """A request; gives the answer, whatever its status."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = path if path.startswith("http") else self.url + path
        return requests.request(method, url, json=body, headers=headers, **{"timeout": 20, **options})

    def register(self, **metadata: Any) -> Any:
        """Register a client by hand; gives the whole answer."""
        answer = self.call("POST", "/reg", {"redirect_uris": [], **metadata}, self.initial)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def token(self, client_id: str, secret: str, **form: str) -> requests.Response:
        """A token request with HTTP Basic."""
        data = {"grant_type": "client_credentials", **form}
        return self.call("POST", "/token", data=data, auth=(client_id, secret))

    def is_active(self, token: str) -> bool:
        """Whether a token is valid (RFC 7662)."""
        answer = self.call("POST", "/token/introspection", data={"token": token}, auth=("introspector", self.secret))
        assert answer.ok, answer.text
        return bool(answer.json()["active"])

    def everything(self) -> Any:
        """All that it holds, for `restore`."""
        answer = self.call("GET", "/everything")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def restore(self, everything: Any) -> None:
        """Hold again what it held then."""
        assert self.call("PUT", "/everything", everything).status_code == 200

    def clients(self) -> dict[str, Any]:
        """The registered clients by their ids."""
        return dict(self.everything().get("Client", ()))

    def clear(self) -> None:
        """Forget every client and token."""
        assert self.call("POST", "/forget-everything").status_code == 204


def launch(
    folder: Path, owner: int | None = None, *, rotates: bool = True, rotates_reads: bool = False
) -> OidcProvider:
    """Start a server on a free port. `rotates`: each update gives a new registration access token; `rotates_reads`: so does each
    read.

    Raises Unobtainable and NotStarted.
    """
    home = obtain()
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "server.mjs"
    shutil.copy(SOURCE / "server.mjs", program)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(home / "node_modules")
    made = OidcProvider(
        "", secrets.token_urlsafe(24), Running("oidc-provider", folder, folder), secrets.token_urlsafe(24)
    )

    def attempt() -> tuple[Running, Callable[[], bool]]:
        port = free_port()
        given = {
            "port": port,
            "initial": made.initial,
            "secret": made.secret,
            "rotates": rotates,
            "rotatesReads": rotates_reads,
            "scopes": SCOPES,
        }
        made.url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [NODE.find(), program, json.dumps(given)]
        made.process = spawn("oidc-provider", command, folder, owner or os.getpid(), {})
        return made.process, lambda: answers(f"{made.url}/.well-known/openid-configuration")

    start(attempt, START_WITHIN)
    return made
