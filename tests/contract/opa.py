"""A real OPA as a site of the contract suite: one document of policy data, emptied between scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.servers import Role
from oauthdeploy.testing import Site
from tests.servers.opa import Opa

PATH = "oauth/orders"
_POLICY = """\
package contract

import rego.v1

default refused := false

refused if {
    some entry in data.oauth.orders.issued_before[input.client]
    input.iat < entry.before
    object.get(entry, "owner", input.owner) == input.owner
    object.get(entry, "scope", input.scope) == input.scope
}
"""
_OTHERS: Mapping[str, Mapping[str, Any]] = {
    "login": {
        "role": "authorization",
        "driver": "external",
        "issuer": "https://login.example.com/realms/shop",
        "jwks_uri": "https://login.example.com/realms/shop/certs",
    },
    "partner-idp": {
        "role": "authorization",
        "driver": "external",
        "introspection": {
            "endpoint": "https://idp.partner.example.com/introspect",
            "client_id": "orders-rs",
            "client_secret": "introspection-secret-2c",
        },
    },
}
_SECTIONS = {Kind.CLIENT: "clients", Kind.SCOPE: "scopes"}


class OpaSite(Site):
    """An OPA that asks for a bearer token."""

    driver = "opa"
    role = Role.RESOURCE
    others = _OTHERS

    def __init__(self, opa: Opa) -> None:
        self._opa = opa
        answer = opa.call("PUT", "/v1/policies/contract", headers={"Content-Type": "text/plain"}, data=_POLICY)
        assert answer.status_code == 200, answer.text

    @property
    def url(self) -> str:
        return self._opa.url

    @property
    def entry(self) -> Mapping[str, Any]:
        return {"credentials": {"token": self._opa.token}, "options": {"path": PATH}}

    def reset(self) -> None:
        answer = self._opa.call("PUT", "/v1/data/oauth", {})
        assert answer.status_code in (204, 304), answer.text

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"token": "a-wrong-token-5e"}

    def reader_credentials(self) -> Mapping[str, Any]:
        return {"token": f"{self._opa.token}-reader"}

    def refuses(self, client_id: str, issued: datetime, *, scope: str = "", owner: str = "") -> bool:
        token = {"client": client_id, "iat": int(issued.timestamp()), "scope": scope, "owner": owner}
        answer = self._opa.call("POST", "/v1/data/contract/refused", {"input": token})
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["result"])

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        if kind not in _SECTIONS:
            return False
        patch = [{"op": "add", "path": f"/{_SECTIONS[kind]}/{name}/by_hand", "value": {"kept": [1, None, "x"]}}]
        headers = {"Content-Type": "application/json-patch+json"}
        answer = self._opa.call("PATCH", f"/v1/data/{PATH}", patch, headers=headers)
        assert answer.status_code == 204, answer.text
        return True

    def photograph(self, kind: Kind, identity: str, name: str) -> Mapping[str, Any]:
        return dict(self._opa.data(PATH)[_SECTIONS[kind]][name])

    def trusted(self, via: str) -> str | None:
        return {"jwt": "login", "external": "partner-idp"}.get(via)
