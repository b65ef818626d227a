"""Servers of RFC 7591 and RFC 7592 as sites of the contract suite; each scenario has a registry of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from oauthdeploy.model.servers import Role
from oauthdeploy.testing import Site
from tests.servers.hydra import Hydra
from tests.servers.nanoidp import VERSION, Nanoidp
from tests.servers.oidc_provider import NOTHING, OidcProvider

REGISTRY_KEY: Final = "c29tZS1ieXRlcy1mb3ItdGhlLXRlc3RzLWFsb25lLTE="


class OidcProviderSite(Site):
    """A server of oidc-provider; `title` says whether management tokens rotate."""

    driver = "rfc7591"
    role = Role.AUTHORIZATION
    server_version = "oidc-provider 9.13.3"

    def __init__(self, server: OidcProvider, title: str) -> None:
        self._server = server
        self.title = title

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def entry(self) -> Mapping[str, Any]:
        return {
            "issuer": self._server.url,
            "credentials": {"registry_key": REGISTRY_KEY, "initial_access_token": self._server.initial},
            "options": {"registry": "clients.registry", "empty_scope": NOTHING},
        }

    def reset(self) -> None:
        self._server.clear()

    def signs_in(self, client_id: str, secret: str) -> bool:
        return self._server.token(client_id, secret).status_code == 200

    def token(self, client_id: str, secret: str, *, scope: str = "", owner: str = "") -> str | None:
        if owner:
            return None
        answer = self._server.token(client_id, secret, **({"scope": scope} if scope else {}))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def is_active(self, token: str) -> bool:
        return self._server.is_active(token)


class NanoidpSite(Site):
    """A nanoidp: it registers, reads and deletes clients, and changes none."""

    driver = "rfc7591"
    role = Role.AUTHORIZATION
    title = "nanoidp"
    server_version = f"nanoidp {VERSION}"
    # It wants a redirect URI of every client, also of one that never redirects.
    samples: Mapping[str, Sequence[Any]] = {
        "clients.redirect_uris": (
            ["https://a.example.com/cb"],
            ["https://a.example.com/cb", "https://b.example.com/cb"],
        )
    }
    lacks: Mapping[str, str] = {"clients.contacts": "nanoidp drops contacts"}

    def __init__(self, server: Nanoidp) -> None:
        self._server = server

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def entry(self) -> Mapping[str, Any]:
        return {
            "issuer": self._server.url,
            "credentials": {"registry_key": REGISTRY_KEY},
            "options": {"registry": "clients.registry", "empty_scope": NOTHING, "update": False},
        }

    def reset(self) -> None:
        self._server.clear()

    def signs_in(self, client_id: str, secret: str) -> bool:
        return self._server.token(client_id, secret).status_code == 200

    def token(self, client_id: str, secret: str, *, scope: str = "", owner: str = "") -> str | None:
        if owner:
            return None
        answer = self._server.token(client_id, secret, **({"scope": scope} if scope else {}))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def is_active(self, token: str) -> bool:
        return self._server.is_active(token)


class HydraRegistrationSite(Site):
    """Hydra's own endpoint of dynamic registration, which is off by default."""

    driver = "rfc7591"
    role = Role.AUTHORIZATION
    title = "hydra"
    server_version = "Ory Hydra v2.3.0"

    def __init__(self, hydra: Hydra) -> None:
        self._hydra = hydra

    @property
    def url(self) -> str:
        return self._hydra.public_url

    @property
    def entry(self) -> Mapping[str, Any]:
        # Its metadata have the endpoint only if its configuration writes the whole address a second time.
        endpoint = f"{self._hydra.public_url}/oauth2/register"
        options = {"registry": "clients.registry", "empty_scope": NOTHING, "registration_endpoint": endpoint}
        return {
            "issuer": self._hydra.public_url,
            "credentials": {"registry_key": REGISTRY_KEY},
            "options": options,
        }

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
