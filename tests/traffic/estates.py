"""The estates that traffic is sent through: servers in processes of their own, a manifest, and what clients know."""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML

from tests.servers.process import Running, free_port, spawn, start
from tests.traffic.catalogue import Manifest
from tests.traffic.generator import USER, USER_PASSWORD

PASSWORD = "dep-loyer-pass-word"
MACHINES = ("reader", "writer", "partner")
CLIENTS = (*MACHINES, "web")
SECRETS = {client: f"{client}-secret-canary-61" for client in CLIENTS}


@dataclass
class Estate:
    """Servers, a folder with the manifest, and the addresses and credentials that clients use."""

    name: str
    folder: Path
    manifest: Manifest
    environment: Mapping[str, str]
    urls: Mapping[str, str]
    left_out: frozenset[str] = frozenset()
    own_ids: bool = False
    renames_in_place: bool = False
    """Whether a renamed client keeps its id, so that its former key means it too."""
    _looked: float = 0.0
    _known: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def write(self) -> Path:
        """Write the manifest as it is now."""
        path = self.folder / "oauthdeploy.yaml"
        YAML(typ="safe").dump({name: value for name, value in self.manifest.items() if name != "spare"}, path)
        return path

    def learn(self) -> None:
        """Ask the servers for the ids of the clients, as their owners would be told them."""

    def look_again(self) -> None:
        """The same, where ids and secrets may have been made anew; a few times a second at most."""
        if self.own_ids and time.monotonic() - self._looked > 0.2:
            self._looked = time.monotonic()
            self.learn()

    def verify(self) -> ssl.SSLContext | bool:
        """The certificates that clients trust."""
        return True

    def token_url(self, server: str) -> str:
        return f"{self.urls[server]}/invoke/pub.oauth/getToken"

    def revoke_url(self, server: str) -> str | None:
        return f"{self.urls[server]}/invoke/pub.oauth/revokeToken"

    def call(self, server: str, service: str, token: str) -> tuple[str, Mapping[str, Any]]:
        return f"{self.urls[server]}/invoke/{service.replace(':', '/')}", {
            "headers": {"Authorization": f"Bearer {token}"}
        }

    def opens(self, status: int, said: Any) -> bool:
        return status == 200

    def credentials(self, client: str, server: str) -> tuple[str, str] | None:
        unknown = None if self.own_ids else (client, SECRETS[_origin(client)])
        return self._known.get((client, server), unknown)


class EmbeddedEstate(Estate):
    """Embedded servers; with `own_ids` these make the ids and secrets of clients themselves."""

    def learn(self) -> None:
        """Find clients by name and version, and their secrets where the manifest has them delivered."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for server in ("login",) if self.own_ids else ("login", "next"):
            answer = requests.get(
                f"{self.urls[server]}/admin/oauth/client?expand=true", auth=("deployer", PASSWORD), timeout=30
            )
            answer.raise_for_status()
            ids = {(live["name"], str(live["version"])): live["client_id"] for live in answer.json()["clients"]}
            for key, entry in self.manifest["clients"].items():
                client_id = ids.get((entry["name"], str(entry["version"])))
                secret = self._secret(key)
                if client_id is not None and secret is not None:
                    found[key, server] = (client_id, secret)
        # A client that goes is asked for until it is gone.
        self._known |= found

    def _secret(self, key: str) -> str | None:
        origin = _origin(key)
        if not self.own_ids:
            return SECRETS[origin]
        path = self.folder / "secrets" / f"{origin}.json"
        return str(json.loads(path.read_text())["client_secret"]) if path.exists() else None


def _origin(key: str) -> str:
    """The first key of a client that the catalogue renames."""
    return "writer" if key == "editor" else key


def client_entry(key: str, *grants: str, own_ids: bool) -> dict[str, Any]:
    """A confidential client of the manifest."""
    secret: dict[str, Any] = {"value": f"${{env:{key.upper()}_SECRET}}"}
    if own_ids:
        secret = {"generate": True, "deliver_to": {"file": f"secrets/{key}.json", "format": "json"}}
    return {
        "name": key.title(),
        "version": "1",
        "description": f"Client {key}",
        "type": "confidential",
        "redirect_uris": [f"https://{key}.example.com/callback"],
        "grants": list(grants),
        "tokens": {"access_lifetime": "10m", "refresh_count": "unlimited" if "refresh_token" in grants else 0},
        "secret": secret,
        "enabled": True,
    }


def manifest_of(
    servers: Mapping[str, Any], spare: Mapping[str, Any], *, prune: str, own_ids: bool, limit: int | None
) -> Manifest:
    """The manifest of the start; `prune` is how far it deletes what it doesn't name."""
    every = {**servers, **spare}
    for server in every.values():
        if limit:
            server["limits"] = {"requests_per_second": limit}
    machine = ("client_credentials",)
    on = ["login", "orders"]
    return {
        "version": 1,
        "name": "traffic",
        "servers": dict(servers),
        "spare": dict(spare),
        "settings": {"require_https": False, "access_token_lifetime": "10m"},
        "clients": {
            **{key: client_entry(key, *machine, own_ids=own_ids) for key in MACHINES},
            "web": client_entry("web", "password", "refresh_token", own_ids=own_ids),
        },
        "scopes": {
            "orders.read": {"description": "Read orders", "resources": ["orders.v1:getOrder"], "on": on},
            "orders.write": {"description": "Change orders", "resources": ["orders.v1:putOrder"], "on": on},
        },
        "associations": [
            {"client": "reader", "scopes": ["orders.read"]},
            {"client": "writer", "scopes": ["orders.read", "orders.write"]},
            {"client": "partner", "scopes": ["orders.read"]},
            {"client": "web", "scopes": ["orders.read"]},
        ],
        "resource_owners": [USER],
        "policy": {
            "prune": dict.fromkeys(("clients", "scopes", "associations"), prune),
            "limits": {"max_deletes": "100%", "max_updates": "100%"},
        },
    }


@contextmanager
def embedded(folder: Path, *, own_ids: bool = False, limit: int | None = None) -> Iterator[Estate]:
    """Two authorization and two resource servers, of which a pair is in use at first."""
    names = {"login": "authorization", "next": "authorization", "orders": "resource", "billing": "resource"}
    urls: dict[str, str] = {}
    running = []
    try:
        for name, role in names.items():
            urls[name], process = serve(folder / name, name, role, own_ids=own_ids)
            running.append(process)
        servers = {name: webmethods_entry(urls[name], role) for name, role in names.items()}
        spare = {name: servers.pop(name) for name in ("next", "billing")}
        manifest = manifest_of(servers, spare, prune="full", own_ids=own_ids, limit=limit)
        (folder / "manifest").mkdir()
        environment = {"DEPLOYER_PASSWORD": PASSWORD} | {
            f"{key.upper()}_SECRET": value for key, value in SECRETS.items()
        }
        name = "embedded-own-ids" if own_ids else "embedded"
        # A delivered secret has one place, so a client of generated secrets can't be on two authorization servers.
        left_out = frozenset({"switch of issuer"}) if own_ids else frozenset()
        yield EmbeddedEstate(
            name, folder / "manifest", manifest, environment, urls, left_out, own_ids, renames_in_place=True
        )
    finally:
        for process in running:
            process.stop()


def webmethods_entry(url: str, role: str) -> dict[str, Any]:
    """The server entry of an embedded server; a resource server trusts `login`."""
    entry: dict[str, Any] = {
        "role": role,
        "driver": "webmethods",
        "url": url,
        "credentials": {"username": "deployer", "password": "${env:DEPLOYER_PASSWORD}"},
    }
    if role == "resource":
        return {**entry, "authorization_server": "login"}
    return {**entry, "introspection": {"username": "gateway", "password": "${env:DEPLOYER_PASSWORD}"}}


def serve(folder: Path, name: str, role: str, *, own_ids: bool) -> tuple[str, Running]:
    """Start an embedded server; gives its address and its process."""
    folder.mkdir(parents=True)
    groups = {"deployer": ["Administrators"], "gateway": ["ResourceServers"]}
    people = [{"name": each, "password": PASSWORD, "groups": some} for each, some in groups.items()]
    people += [{"name": each, "password": USER_PASSWORD} for each in (USER, *MACHINES)]
    seed = folder / "seed.json"
    seed.write_text(json.dumps({"users": people}), encoding="utf-8")
    urls: list[str] = []

    def attempt() -> tuple[Running, Callable[[], bool]]:
        port = free_port()
        urls.append(f"http://127.0.0.1:{port}")
        command: list[str | Path] = [
            *(sys.executable, "-m", "oauthdeploy", "serve", "--role", role, "--port", str(port)),
            *("--data", folder / "data", "--seed", seed, "--threads", "16"),
            *(() if own_ids else ("--accept-client-id",)),
        ]
        process = spawn(name, command, folder, os.getpid(), {})
        return process, lambda: _answers(urls[-1])

    process = start(attempt, within=60)
    return urls[-1], process


def _answers(url: str) -> bool:
    try:
        return (
            requests.get(f"{url}/admin/oauth/globalsetting", auth=("deployer", PASSWORD), timeout=5).status_code == 200
        )
    except requests.RequestException:
        return False


def embedded_own_ids(folder: Path, *, limit: int | None = None) -> AbstractContextManager[Estate]:
    """The same, where the servers make the ids and secrets of clients."""
    return embedded(folder, own_ids=True, limit=limit)


ESTATES: Mapping[str, Callable[..., AbstractContextManager[Estate]]] = {
    "embedded": embedded,
    "embedded-own-ids": embedded_own_ids,
}
