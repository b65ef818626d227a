"""Clients of every shape that Keycloak has, as its own API takes them, for the test that moves them to Hydra and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

CALLBACK: Final = "https://shop.example.com/cb"
_DEFAULT: Final = ("acr", "basic", "email", "profile", "roles", "web-origins")
_OPTIONAL: Final = ("address", "microprofile-jwt", "offline_access", "organization", "phone")


def secret_of(client_id: str) -> str:
    """The secret of a confidential client."""
    return f"secret of {client_id}"


def _client(client_id: str, /, **more: Any) -> tuple[str, Mapping[str, Any]]:
    base = {"standardFlowEnabled": False, "directAccessGrantsEnabled": False, "protocol": "openid-connect"}
    secret = {} if more.get("publicClient") else {"publicClient": False, "secret": secret_of(client_id)}
    return client_id, {"clientId": client_id, **base, **secret, **more}


def _web(client_id: str, /, **more: Any) -> tuple[str, Mapping[str, Any]]:
    return _client(client_id, **{"standardFlowEnabled": True, "redirectUris": [CALLBACK], **more})


SCOPES: Final[tuple[Mapping[str, Any], ...]] = (
    {"name": "orders.read", "protocol": "openid-connect", "description": "Read orders"},
    {
        "name": "orders.write",
        "protocol": "openid-connect",
        "attributes": {"consent.screen.text": "Change orders", "display.on.consent.screen": "true"},
        "protocolMappers": [
            {
                "name": "audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": "orders", "access.token.claim": "true"},
            }
        ],
    },
    {"name": "reports", "protocol": "openid-connect"},
)

CLIENTS: Final[Mapping[str, Mapping[str, Any]]] = dict(
    (
        _web("web-shop", name="Web Shop", description="The shop's front end"),
        _web("single-page", publicClient=True, attributes={"pkce.code.challenge.method": "S256"}),
        _client(
            "nightly-batch",
            serviceAccountsEnabled=True,
            defaultClientScopes=[*_DEFAULT, "orders.write"],
            optionalClientScopes=[*_OPTIONAL, "orders.read"],
        ),
        _client("no-scope", serviceAccountsEnabled=True, defaultClientScopes=[], optionalClientScopes=[]),
        _web("many-uris", redirectUris=[CALLBACK, "http://127.0.0.1:8400/cb", "com.example.app:/cb"]),
        _web("any-uri", publicClient=True, redirectUris=["https://shop.example.com/*", "*"]),
        _web("switched-off", enabled=False, description="Until May"),
        _web("short-lived", attributes={"access.token.lifespan": "120", "client.session.idle.timeout": "900"}),
        _client("endless", serviceAccountsEnabled=True, attributes={"access.token.lifespan": "-1"}),
        _web("asks-first", consentRequired=True, optionalClientScopes=[*_OPTIONAL, "orders.read"]),
        _web("no-refresh", attributes={"use.refresh.tokens": "false"}),
        _client(
            "signs-itself",
            serviceAccountsEnabled=True,
            clientAuthenticatorType="client-jwt",
            attributes={"use.jwks.url": "true", "jwks.url": "https://shop.example.com/keys"},
        ),
        _web(
            "logs-out",
            frontchannelLogout=True,
            attributes={
                "frontchannel.logout.url": "https://shop.example.com/front",
                "backchannel.logout.url": "https://shop.example.com/back",
                "post.logout.redirect.uris": "https://shop.example.com/bye##https://shop.example.com/gone",
            },
        ),
        _web(
            "with-addresses",
            rootUrl="https://shop.example.com",
            baseUrl="/start",
            adminUrl="https://shop.example.com/admin",
            webOrigins=["https://shop.example.com", "https://other.example.com"],
        ),
        _web("narrow-roles", fullScopeAllowed=False),
        _client("television", publicClient=True, attributes={"oauth2.device.authorization.grant.enabled": "true"}),
        _client("old-script", directAccessGrantsEnabled=True),
        _web(
            "every-grant",
            implicitFlowEnabled=True,
            directAccessGrantsEnabled=True,
            serviceAccountsEnabled=True,
            attributes={"oidc.ciba.grant.enabled": "true", "standard.token.exchange.enabled": "true"},
        ),
        _web("kürzel mit ümlaut", name="Kürzel"),
        _web("with blanks", name="Blanks"),
        _web(
            "with-mappers",
            protocolMappers=[
                {
                    "name": "team",
                    "protocol": "openid-connect",
                    "protocolMapper": "oidc-hardcoded-claim-mapper",
                    "config": {"claim.name": "team", "claim.value": "7", "access.token.claim": "true"},
                }
            ],
        ),
        _client("receives-only", bearerOnly=True),
        _web("a/path", name="Slash"),
    )
)
"""By client id; each is odd in one way, or ordinary."""
