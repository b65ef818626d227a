"""A real server of dynamic client registration behind a proxy, and the registry of its clients."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.rfc7591.client_registry import Book, ClientRegistry
from tests.contract.rfc7591 import REGISTRY_KEY
from tests.faults.manifests import ALLOWED, PATIENT
from tests.faults.proxy import Proxy
from tests.faults.site import Ran, Setting, Site, plain
from tests.servers import oidc_provider
from tests.servers.oidc_provider import OidcProvider

REGISTRY: Final = "clients.registry"
_ANEW: Final = "rfc7591-registered-anew"
_MADE_UP: Final = frozenset({"client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at"})
"""Fields whose values the server makes up."""

_MANIFEST: Final = """\
version: 1
name: faults
servers:
  login:
    role: authorization
    driver: rfc7591
    url: "${{env:LOGIN_URL}}"
    issuer: "${{env:LOGIN_ISSUER}}"
    credentials: {{registry_key: "${{env:REGISTRY_KEY}}", initial_access_token: "${{env:LOGIN_PASSWORD}}"}}
    options: {{registry: clients.registry, empty_scope: nothing}}
    limits: {{timeout: {timeout}s, retries: {retries}, parallel: {parallel}}}
scopes: {{orders.read: {{}}, orders.write: {{}}, a.read: {{}}}}
"""

_EMPTY: Final = """\
clients:
  web-shop:
    name: Web Shop
    type: public
    redirect_uris: ["https://shop.example.com/callback"]
    grants: [authorization_code, refresh_token]
    options: {rfc7591: {logo_uri: "https://shop.example.com/logo.png"}}
  batch:
    name: Batch
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
  robot:
    name: Robot
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    secret: {generate: true, deliver_to: {file: out/robot.json, format: json}}
associations:
  - {client: web-shop, scopes: [orders.read]}
  - {client: batch, scopes: []}
  - {client: robot, scopes: [orders.read]}
"""

_CHANGE: Final = """\
clients:
  shop:
    moved_from: web-shop
    name: Shop
    type: public
    redirect_uris: ["https://shop.example.com/other"]
    grants: [authorization_code, refresh_token]
    options: {rfc7591: {logo_uri: null}}
  batch: {state: absent}
  robot:
    name: Robot
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    contacts: [robots@example.com]
  auditor:
    name: Auditor
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    secret: {generate: true, deliver_to: {file: out/auditor.json, format: json}}
associations:
  - {client: shop, scopes: [orders.read, a.read]}
  - {client: robot, scopes: [orders.write]}
  - {client: auditor, scopes: [a.read]}
"""

_SCENARIOS: Final = {"empty": _EMPTY, "change": _CHANGE}


@dataclass
class RegistrationSite(Site):
    """One oidc-provider, whose updates give new registration access tokens if it `rotates`. It holds a client by hand.

    A client that the registry does not have was abandoned: nobody has its token. No apply can put that right, so every later one
    has to name it.
    """

    rotates: bool = True
    server: OidcProvider = field(init=False)
    _states: dict[str, tuple[Any, bytes | None]] = field(default_factory=dict)
    """What the server and the registry hold at first, by scenario."""
    _scenario: str = "empty"
    _there: frozenset[str] = frozenset()
    """The ids of the clients that no manifest names."""
    _last: Ran | None = None

    updates_by: ClassVar[str] = "PUT"
    allowed: ClassVar[Sequence[str]] = (*ALLOWED, "rfc7591-registry-new")

    def open(self) -> None:
        self.server = oidc_provider.launch(self.home / "server", os.getpid(), rotates=self.rotates)
        self.passwords = {"LOGIN_PASSWORD": self.server.initial, "REGISTRY_KEY": REGISTRY_KEY}
        self.proxies = {"login": Proxy(self.server.url)}
        made = self.server.register(client_name="By Hand", grant_types=["client_credentials"], response_types=[])
        self._there = frozenset({made["client_id"], "introspector"})
        self._states["empty"] = (self.server.everything(), None)

    def close(self) -> None:
        self.proxies["login"].close()
        self.server.process.stop()

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "LOGIN_ISSUER": self.server.url}

    def reset(self, scenario: str) -> None:
        self.proxies["login"].arm()
        if scenario not in self._states:
            self.reset("empty")
            folder = self.folder("prior", self._manifest("empty", PATIENT, 0, 1))
            ran = self.apply(folder)
            assert ran.code == 0, ran.said
            self._states[scenario] = (self.server.everything(), (folder / REGISTRY).read_bytes())
            self.proxies["login"].arm()
        self._scenario, self._last = scenario, None
        self.server.restore(self._states[scenario][0])

    def folder(self, name: str, manifest: str) -> Path:
        made = super().folder(name, manifest)
        if (kept := self._states[self._scenario][1]) is not None:
            (made / REGISTRY).write_bytes(kept)
        return made

    def manifest(self, setting: Setting, timeout: int = PATIENT) -> str:
        return self._manifest(setting.scenario, timeout, setting.retries, setting.parallel)

    @staticmethod
    def _manifest(scenario: str, timeout: int, retries: int, parallel: int) -> str:
        return _MANIFEST.format(timeout=timeout, retries=retries, parallel=parallel) + _SCENARIOS[scenario]

    def apply(self, folder: Path, *more: str) -> Ran:
        self._folder = folder
        self._last = super().apply(folder, *more)
        return self._last

    def one_more_apply(self, folder: Path) -> Ran:
        """Apply; where the answer to an update took a client's new token with it, apply with the word that this asks for."""
        ran = self.apply(folder)
        if ran.code == 5 and f"[{_ANEW}]" in ran.out + ran.err:
            return self.apply(folder, _ANEW)
        return ran

    def generated(self, scenario: str) -> Sequence[str]:
        return ("robot",) if scenario == "empty" else ("auditor",)

    def keeps_own_secret(self, scenario: str) -> bool:
        return False

    def _book(self) -> Book:
        registry = ClientRegistry("login", self._folder / REGISTRY, (Secret(REGISTRY_KEY, "test"),))
        return registry.read(self.server.url)

    def holdings(self) -> Mapping[str, Mapping[str, Any]]:
        """The clients that the manifest manages, and those of nobody's; and what the registry has of them."""
        book, clients = self._book(), self.server.clients()
        managed = {key: clients.get(entry.client_id) for key, entry in book.entries.items()}
        others = {name: client for name, client in clients.items() if name in self._there}
        notes = {key: (entry.owner, entry.pending) for key, entry in book.entries.items()}
        for client in filter(None, (*managed.values(), *others.values())):
            client["scope"] = " ".join(sorted(client.get("scope", "").split()))
        held = plain({"managed": managed, "others": others}, without=_MADE_UP, told=lambda _key: False)
        return {"login": {**held, "notes": notes}}

    def names(self) -> Sequence[str]:
        """The clients by their names, but for those that are abandoned. Fails if one of those is not named."""
        managed = {entry.client_id for entry in self._book().entries.values()} | self._there
        clients = self.server.clients()
        abandoned = {key: str(raw.get("client_name")) for key, raw in clients.items() if key not in managed}
        said = " ".join((self._last.out + self._last.err).split()) if self._last is not None else ""
        unnamed = {key: name for key, name in abandoned.items() if key not in said}
        for name, number in Counter(unnamed.values()).items():
            assert said.count(f"the client named '{name}'") >= number, f"nobody names {number} of '{name}'\n{said}"
        return [f"client {raw.get('client_name')} of login" for key, raw in clients.items() if key not in abandoned]

    def remove_client(self, client: str) -> None:
        """Forget it here and delete it there, by the manifest."""
        path = self._folder / "oauthdeploy.yaml"
        before = path.read_text()
        path.write_text(
            _MANIFEST.format(timeout=PATIENT, retries=0, parallel=1) + f"clients: {{{client}: {{state: absent}}}}\n"
        )
        ran = self.apply(self._folder)
        assert ran.code == 0, ran.said
        path.write_text(before)

    def token(self, client_id: str, secret: str) -> str:
        answer = self.server.token(client_id, secret)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])
