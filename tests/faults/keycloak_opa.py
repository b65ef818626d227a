"""A realm of a real Keycloak and a real OPA behind proxies, given their first state by hand for each proof."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from tests.faults.manifests import PATIENT
from tests.faults.proxy import Proxy
from tests.faults.site import SERVERS, Setting, Site, plain
from tests.servers import opa as opa_server
from tests.servers.keycloak import Keycloak, Realm, make_realm
from tests.servers.opa import Opa

_PATH: Final = "oauth/orders"
_MADE_UP: Final = frozenset(
    {"id", "containerId", "access", "secret", "created", "client.secret.creation.time", "revision"}
)
"""Fields whose values a server or a run makes up."""
_TIMES: Final = frozenset({"notBefore", "before"})
_TRUE_UNLESS_SAID: Final = {"include.in.token.scope": "true", "display.on.consent.screen": "true"}
"""Attributes of a client scope that mean `true` where they are missing (Keycloak's ClientScopeModel)."""
_MARK_OF_A_CUT_OFF: Final = "oauthdeploy.revoked."

_MANIFEST: Final = """\
version: 1
name: faults
servers:
  login:
    role: authorization
    driver: keycloak
    url: "${{env:LOGIN_URL}}"
    credentials: {{username: "${{env:KEYCLOAK_ADMIN}}", password: "${{env:LOGIN_PASSWORD}}"}}
    options: {{realm: "${{env:LOGIN_REALM}}"}}
    limits: {{timeout: {timeout}s, retries: {retries}, parallel: {parallel}}}
  orders:
    role: resource
    driver: opa
    url: "${{env:ORDERS_URL}}"
    credentials: {{token: "${{env:ORDERS_TOKEN}}"}}
    options: {{path: oauth/orders}}
    authorization_server: login
    limits: {{timeout: {timeout}s, retries: {retries}, parallel: {parallel}}}
"""

_EMPTY: Final = """\
settings: {require_https: false, access_token_lifetime: 30m}
scopes:
  orders.read: {description: Read orders, resources: ["GET /orders"]}
  reports.read: {description: Read reports, resources: ["GET /reports"]}
clients:
  web-shop:
    name: Web Shop
    type: public
    redirect_uris: ["http://127.0.0.1:8400/callback"]
    grants: [authorization_code, refresh_token]
  batch:
    name: Batch
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
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
settings: {require_https: false, access_token_lifetime: 20m}
scopes:
  orders.read: {description: Read all orders, resources: ["GET /orders", "GET /orders/*"]}
  audit.read: {description: Read the audit log, resources: ["GET /audit"]}
  reports.read: {state: absent}
clients:
  web-shop:
    name: Shop
    type: public
    redirect_uris: ["http://127.0.0.1:8400/other"]
    grants: [authorization_code, refresh_token]
  batch: {state: absent}
  robot:
    name: Robot
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    tokens: {access_lifetime: 13h}
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
  - {id: CUT-1, client: robot, reason: a key was found, tokens: all, block: [resource]}
"""

_SCENARIOS: Final = {"empty": _EMPTY, "change": _CHANGE}


def _explicit(scope: Any) -> Any:
    return {**scope, "attributes": {**_TRUE_UNLESS_SAID, **scope.get("attributes", {})}}


@dataclass(frozen=True)
class _State:
    """What both servers hold, as their APIs tell it and take it."""

    realm: Any
    clients: Sequence[Any]
    scopes: Sequence[Any]
    document: Any


@dataclass
class KeycloakOpaSite(Site):
    """`login` is a realm of a Keycloak that others use too, `orders` an OPA of this site's own."""

    start_keycloak: Callable[[], Keycloak] = field(kw_only=True)
    realm: Realm = field(init=False)
    opa: Opa = field(init=False)
    _states: dict[str, _State] = field(default_factory=dict)

    updates_by: ClassVar[str] = "PUT"

    def open(self) -> None:
        keycloak = self.start_keycloak()
        self.realm = make_realm(keycloak, sslRequired="none")
        self.opa = opa_server.launch(self.home / "opa", os.getpid(), bearer=True)
        self.passwords = {
            "LOGIN_PASSWORD": keycloak.password,
            "ORDERS_TOKEN": self.opa.token,
            "BATCH_SECRET": "canary-batch-secret-19f3",
        }
        self.proxies = dict(zip(SERVERS, (Proxy(keycloak.url), Proxy(self.opa.url)), strict=True))
        # Its parent is there: an OPA without it is asked in another way than one that has had an apply.
        assert self.opa.call("PUT", "/v1/data/oauth", {}).status_code == 204
        self._states["empty"] = self._state()

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.close()
        self.opa.process.stop()
        self.realm.call("DELETE")

    def environment(self) -> dict[str, str]:
        more = {"LOGIN_REALM": self.realm.name, "KEYCLOAK_ADMIN": self.realm.server.username}
        return {**super().environment(), **more}

    def reset(self, scenario: str) -> None:
        for proxy in self.proxies.values():
            proxy.arm()
        if scenario not in self._states:
            self._clear()
            ran = self.apply(self.folder("prior", self._manifest("empty", PATIENT, 0, 1)))
            assert ran.code == 0, ran.said
            self._states[scenario] = self._state()
            for proxy in self.proxies.values():
                proxy.arm()
        self._clear()
        self._fill(self._states[scenario])

    def _state(self) -> _State:
        clients, scopes = self.realm.get("/clients"), self.realm.get("/client-scopes")
        return _State(self.realm.get(), clients, scopes, self.opa.data("oauth"))

    def _clear(self) -> None:
        """Delete what a new realm doesn't have: making a realm takes seconds."""
        empty = self._states["empty"]
        for path, kept in (("/clients", empty.clients), ("/client-scopes", empty.scopes)):
            ids = {item["id"] for item in kept}
            for item in self.realm.get(path):
                if item["id"] not in ids:
                    assert self.realm.call("DELETE", f"{path}/{item['id']}").status_code == 204, item

    def _fill(self, state: _State) -> None:
        empty = self._states["empty"]
        assert self.realm.call("PUT", "", state.realm).status_code == 204
        for path, wanted, there in (
            ("/client-scopes", state.scopes, empty.scopes),
            ("/clients", state.clients, empty.clients),
        ):
            for item in wanted:
                if item not in there:
                    self.realm.add(path, item)
        answer = self.opa.call("PUT", "/v1/data/oauth", state.document)
        assert answer.status_code in (204, 304), answer.text

    def manifest(self, setting: Setting, timeout: int = PATIENT) -> str:
        return self._manifest(setting.scenario, timeout, setting.retries, setting.parallel)

    @staticmethod
    def _manifest(scenario: str, timeout: int, retries: int, parallel: int) -> str:
        return _MANIFEST.format(timeout=timeout, retries=retries, parallel=parallel) + _SCENARIOS[scenario]

    def generated(self, scenario: str) -> Sequence[str]:
        return ("robot",) if scenario == "empty" else ("auditor",)

    def holdings(self) -> Mapping[str, Mapping[str, Any]]:
        realm = self.realm
        login = {
            "settings": realm.get(),
            "clients": sorted(realm.get("/clients"), key=lambda item: str(item["clientId"])),
            "scopes": sorted(map(_explicit, realm.get("/client-scopes")), key=lambda item: str(item["name"])),
        }
        return {"login": self._plain(login), "orders": {"document": self._plain(self.opa.data(_PATH))}}

    @staticmethod
    def _plain(value: Any) -> Any:
        """What there is, without what is made up: ids, secrets and times."""
        return plain(value, without=_MADE_UP, told=lambda key: key in _TIMES or key.startswith(_MARK_OF_A_CUT_OFF))

    def names(self) -> Sequence[str]:
        clients = [f"client {item['clientId']} of login" for item in self.realm.get("/clients")]
        return [*clients, *(f"scope {item['name']} of login" for item in self.realm.get("/client-scopes"))]

    def remove_client(self, client: str) -> None:
        answer = self.realm.call("DELETE", f"/clients/{self.realm.client(client)['id']}")
        assert answer.status_code == 204, answer.text

    def token(self, client_id: str, secret: str) -> str:
        answer = self.realm.token(client_id, secret)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])
