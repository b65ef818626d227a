"""A manifest for a server of dynamic registration, and the command line in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import requests

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.rfc7591.client_registry import Book, ClientRegistry
from oauthdeploy.testing.proxy import Proxy
from tests.contract.rfc7591 import REGISTRY_KEY
from tests.live.conftest import Result, run_command
from tests.servers.oidc_provider import NOTHING

SHOP = {
    "name": "Web Shop",
    "type": "public",
    "grants": ["authorization_code"],
    "redirect_uris": ["https://shop.example.com/cb"],
}
MOVED = {**SHOP, "redirect_uris": ["https://new.example.com/cb"]}
BATCH = {
    "type": "confidential",
    "grants": ["client_credentials"],
    "redirect_uris": [],
    "secret": {"generate": True, "deliver_to": {"file": "batch.json", "format": "json"}},
}


class Server(Protocol):
    """Where a server is, and the token with which clients are registered."""

    url: str
    initial: str


class Folder:
    """A manifest for a server named `login` behind a proxy, and the command line in its folder."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.proxy = Proxy(server.url)
        self.url, self.issuer = self.proxy.url, server.url
        self.options: dict[str, Any] = {"registry": "clients.registry", "empty_scope": NOTHING}
        self.env = {"REGISTRY_KEY": REGISTRY_KEY, "INITIAL": server.initial}

    def write(self, clients: Mapping[str, Any], **sections: Any) -> None:
        login = {
            "role": "authorization",
            "driver": "rfc7591",
            "url": self.url,
            "issuer": self.issuer,
            "credentials": {"registry_key": "${env:REGISTRY_KEY}", "initial_access_token": "${env:INITIAL}"},
            "options": self.options,
        }
        text = {"version": 1, "name": "shop", "servers": {"login": login}, "clients": clients, **sections}
        (self.folder / "oauthdeploy.yaml").write_text(json.dumps(text))

    def run(self, *arguments: str) -> Result:
        ran = run_command(self.folder, *arguments, env=self.env)
        for secret in (REGISTRY_KEY, self.server.initial):
            assert secret not in ran.out + ran.err
        return ran

    def apply(self, *allow: str) -> Result:
        return self.run("apply", "--yes", *(word for rule in allow for word in ("--allow", rule)))

    def first(self) -> None:
        ran = self.apply("rfc7591-registry-new")
        assert ran.code == 0, ran.out + ran.err

    def plan(self, code: int = 0) -> Any:
        ran = self.run("plan", "-o", "json")
        assert ran.code == code, ran.out + ran.err
        return ran.json

    def book(self) -> Book:
        keys = (Secret(REGISTRY_KEY, "test"),)
        return ClientRegistry("login", self.folder / "clients.registry", keys).read(self.issuer)

    def client(self, key: str) -> Any:
        entry = self.book().entries[key]
        assert entry.token is not None
        headers = {"Authorization": f"Bearer {entry.token.reveal()}"}
        answer = requests.get(entry.uri, headers=headers, timeout=20)
        assert answer.ok, answer.text
        return answer.json()


def actions(plan: Any) -> dict[str, str]:
    """What a plan does, by address without the server."""
    return {change["address"].partition("@")[0]: change["action"] for change in plan["changes"]}


def rules(plan: Any, part: str = "diagnostics") -> list[str]:
    """The rules of a plan's findings."""
    return [item["rule"] for item in plan[part]]
