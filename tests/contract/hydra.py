"""A real Ory Hydra as a site of the contract suite, its clients deleted between scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.servers import Role
from oauthdeploy.testing import Site
from tests.servers.hydra import Hydra

UNMANAGED = [
    {"op": "add", "path": "/metadata/by_hand", "value": {"kept": [1, None, "x"]}},
    {"op": "replace", "path": "/owner", "value": "team-7"},
    {"op": "replace", "path": "/userinfo_signed_response_alg", "value": "RS256"},
    {"op": "replace", "path": "/request_uris", "value": ["https://app.example.com/request.jwt"]},
    {"op": "replace", "path": "/backchannel_logout_uri", "value": "https://app.example.com/logout"},
]
"""What the driver does not manage, set by hand."""


class HydraSite(Site):
    """A Hydra whose admin API asks for no credentials, as it is delivered."""

    driver = "hydra"
    role = Role.AUTHORIZATION

    def __init__(self, hydra: Hydra) -> None:
        self._hydra = hydra

    @property
    def url(self) -> str:
        return self._hydra.url

    @property
    def entry(self) -> Mapping[str, Any]:
        return {"options": {"public_url": self._hydra.public_url}}

    def reset(self) -> None:
        self._hydra.clear()

    def signs_in(self, client_id: str, secret: str) -> bool:
        return self._hydra.token(client_id, secret).status_code == 200

    def token(self, client_id: str, secret: str, *, scope: str = "", owner: str = "") -> str | None:
        if owner:
            return None
        answer = self._hydra.token(client_id, secret, **({"scope": scope} if scope else {}))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def is_active(self, token: str) -> bool:
        return self._hydra.is_active(token)

    def scribble(self, kind: Kind, identity: str, name: str) -> bool:
        if kind is not Kind.CLIENT:
            return False
        answer = self._hydra.call("PATCH", f"/admin/clients/{identity}", UNMANAGED)
        assert answer.status_code == 200, answer.text
        return True

    def photograph(self, kind: Kind, identity: str, name: str) -> Mapping[str, Any] | None:
        if kind is not Kind.CLIENT:
            return None
        return {key: value for key, value in self._hydra.client(identity).items() if key != "updated_at"}
