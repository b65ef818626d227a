"""A real Hydra behind a proxy, given its first state by hand for each proof."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.manifests import PATIENT
from tests.faults.proxy import Proxy
from tests.faults.site import Setting, Site, plain
from tests.servers import hydra as hydra_server
from tests.servers.hydra import Hydra

_MADE_UP: Final = frozenset({"created_at", "updated_at", "client_secret"})
"""Fields whose values a server or a run makes up."""
_TIME: Final = "oauthdeploy.revoked."

_MANIFEST: Final = """\
version: 1
name: faults
servers:
  login:
    role: authorization
    driver: hydra
    url: "${{env:LOGIN_URL}}"
    credentials: {{token: "${{env:LOGIN_PASSWORD}}"}}
    limits: {{timeout: {timeout}s, retries: {retries}, parallel: {parallel}}}
"""

_EMPTY: Final = """\
scopes: {orders.read: {}, reports.read: {}}
clients:
  web-shop:
    name: Web Shop
    type: public
    redirect_uris: ["http://127.0.0.1:8400/callback"]
    grants: [authorization_code, refresh_token]
    options: {hydra: {logo_uri: "https://shop.example.com/logo.png"}}
  batch:
    name: Batch
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {access_lifetime: 12h}
    secret: {value: "${env:BATCH_SECRET}"}
  robot:
    name: Robot
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {access_lifetime: 12h}
    secret: {generate: true, deliver_to: {file: out/robot.json, format: json}}
associations:
  - {client: web-shop, scopes: [orders.read]}
  - {client: batch, scopes: [reports.read]}
  - {client: robot, scopes: [orders.read]}
"""

_CHANGE: Final = """\
scopes: {orders.read: {}, audit.read: {}}
clients:
  web-shop:
    name: Shop
    type: public
    redirect_uris: ["http://127.0.0.1:8400/other"]
    grants: [authorization_code, refresh_token]
    options: {hydra: {logo_uri: null}}
  batch: {state: absent}
  robot:
    name: Robot
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {access_lifetime: 13h}
    secret: {generate: true, revision: 1, deliver_to: {file: out/robot.json, format: json}}
  auditor:
    name: Auditor
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    secret: {generate: true, deliver_to: {file: out/auditor.json, format: json}}
associations:
  - {client: web-shop, scopes: [orders.read, audit.read]}
  - {client: robot, scopes: [audit.read]}
  - {client: auditor, scopes: [audit.read]}
revocations:
  - {id: CUT-1, client: robot, reason: a key was found, tokens: all}
"""

_SCENARIOS: Final = {"empty": _EMPTY, "change": _CHANGE}
_BY_HAND: Final = {
    "client_id": "by-hand",
    "client_name": "By Hand",
    "client_secret": "canary-by-hand-secret-8c21",
    "grant_types": ["client_credentials"],
    "scope": "by.hand",
}


@dataclass
class HydraSite(Site):
    """One Hydra. It holds a client that no manifest names."""

    hydra: Hydra = field(init=False)
    _states: dict[str, Sequence[Any]] = field(default_factory=dict)

    def open(self) -> None:
        self.hydra = hydra_server.launch(self.home / "hydra", os.getpid())
        self.passwords = {"LOGIN_PASSWORD": "canary-login-token-6b1e", "BATCH_SECRET": "canary-batch-secret-19f3"}
        self.proxies = {"login": Proxy(self.hydra.url)}
        self.hydra.clear()
        assert self.hydra.call("POST", "/admin/clients", _BY_HAND).status_code == 201
        self._states["empty"] = self._clients()

    def close(self) -> None:
        self.proxies["login"].close()
        self.hydra.process.stop()

    def reset(self, scenario: str) -> None:
        for proxy in self.proxies.values():
            proxy.arm()
        if scenario not in self._states:
            self._restore("empty")
            ran = self.apply(self.folder("prior", self._manifest("empty", PATIENT, 0, 1)))
            assert ran.code == 0, ran.said
            self._states[scenario] = self._clients()
            for proxy in self.proxies.values():
                proxy.arm()
        self._restore(scenario)

    def _clients(self) -> Sequence[Any]:
        return self.hydra.get("/admin/clients?page_size=1000")  # type: ignore[no-any-return]

    def _restore(self, scenario: str) -> None:
        self.hydra.clear()
        for client in self._states[scenario]:
            kept = {key: value for key, value in client.items() if key not in ("created_at", "updated_at")}
            answer = self.hydra.call("POST", "/admin/clients", kept)
            assert answer.status_code == 201, answer.text

    def manifest(self, setting: Setting, timeout: int = PATIENT) -> str:
        return self._manifest(setting.scenario, timeout, setting.retries, setting.parallel)

    @staticmethod
    def _manifest(scenario: str, timeout: int, retries: int, parallel: int) -> str:
        return _MANIFEST.format(timeout=timeout, retries=retries, parallel=parallel) + _SCENARIOS[scenario]

    def generated(self, scenario: str) -> Sequence[str]:
        return ("robot",) if scenario == "empty" else ("robot", "auditor")

    def holdings(self) -> Mapping[str, Mapping[str, Any]]:
        # Hydra reads no response types as the code alone (client/client.go, GetResponseTypes).
        clients = [{**client, "response_types": client["response_types"] or ["code"]} for client in self._clients()]
        held = plain(clients, without=_MADE_UP, told=lambda key: key.startswith(_TIME))
        return {"login": {"clients": held}}

    def names(self) -> Sequence[str]:
        return [f"client {item['client_id']} of login" for item in self._clients()]

    def remove_client(self, client: str) -> None:
        assert self.hydra.call("DELETE", f"/admin/clients/{client}").status_code == 204

    def token(self, client_id: str, secret: str) -> str:
        answer = self.hydra.token(client_id, secret)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])
