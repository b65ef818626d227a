"""The estate that every tool makes on Keycloak, as bodies of requests and as a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DEFAULTS: Final = ["web-origins", "acr", "roles", "profile", "basic", "email"]
OPTIONALS: Final = ["address", "phone", "offline_access", "microprofile-jwt", "organization"]


@dataclass(frozen=True)
class Estate:
    """So many clients with two redirect URIs and two of so many scopes each."""

    clients: int
    scopes: int

    def scope_bodies(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "name": f"scope.{n}",
                "protocol": "openid-connect",
                "description": f"Number {n}",
                "attributes": {"include.in.token.scope": "true", "display.on.consent.screen": "true"},
            }
            for n in range(self.scopes)
        ]

    def client_bodies(self, changed: int = 0) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "clientId": f"client-{n}",
                "publicClient": True,
                "redirectUris": self._uris(n, changed),
                "attributes": {"use.refresh.tokens": "false"},
                "defaultClientScopes": DEFAULTS,
                "optionalClientScopes": [*OPTIONALS, *self._scopes_of(n)],
            }
            for n in range(self.clients)
        ]

    def manifest(self, server: str, *, changed: int = 0, gone: int = 0) -> str:
        """The same as a manifest; the first clients have other redirect URIs, the last ones are marked as absent."""
        lines = ["version: 1", "name: bench", "servers:", "  login:", "    role: authorization", server, "scopes:"]
        lines += [f"  scope.{n}: {{description: Number {n}}}" for n in range(self.scopes)]
        lines.append("clients:")
        for n in range(self.clients):
            uris = ", ".join(self._uris(n, changed))
            body = f"type: public, grants: [authorization_code], redirect_uris: [{uris}]"
            lines.append(f"  client-{n}: {{{'state: absent' if n >= self.clients - gone else body}}}")
        lines.append("associations:")
        there = range(self.clients - gone)
        lines += [f"  - {{client: client-{n}, scopes: [{', '.join(self._scopes_of(n))}]}}" for n in there]
        return "\n".join(lines) + "\n"

    def _uris(self, number: int, changed: int) -> list[str]:
        place = "other" if number < changed else "callback"
        return [f"https://a{number}.example/{place}", f"https://b{number}.example/{place}"]

    def _scopes_of(self, number: int) -> list[str]:
        return [f"scope.{one % self.scopes}" for one in (number, number + 1)]
