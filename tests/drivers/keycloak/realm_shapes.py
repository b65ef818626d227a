"""Realms as people have them, for the test that exports each and builds it again: client scopes, clients and settings by name.

Each is what is sent to Keycloak's own API; `default` and `optional` are the realm's lists beyond Keycloak's, `dropped` what is
taken out of them, `absent` (client, scope) what is taken from a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CALLBACK: Final = "https://shop.example.com/cb"


@dataclass(frozen=True)
class Shape:
    """One realm."""

    clients: tuple[Mapping[str, Any], ...] = ()
    scopes: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    default: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    absent: tuple[tuple[str, str], ...] = ()


def _client(client_id: str, /, **more: Any) -> Mapping[str, Any]:
    base = {
        "publicClient": False,
        "standardFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "protocol": "openid-connect",
    }
    secret = {} if more.get("publicClient") else {"secret": f"secret of {client_id}"}
    return {"clientId": client_id, **base, **secret, **more}


def _scope(name: str, /, **more: Any) -> Mapping[str, Any]:
    return {"name": name, "protocol": "openid-connect", **more}


def _mapper(name: str, kind: str, /, **config: str) -> Mapping[str, Any]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}


def _web(client_id: str = "web", /, **more: Any) -> Mapping[str, Any]:
    return _client(client_id, **{"standardFlowEnabled": True, "redirectUris": [CALLBACK], **more})


_AUDIENCE: Final = {"included.custom.audience": "orders", "access.token.claim": "true", "id.token.claim": "false"}

SHAPES: Final[Mapping[str, Shape]] = {
    "nothing": Shape(),
    "receives tokens only": Shape((_client("rs"),)),
    "bearer-only": Shape((_client("api", bearerOnly=True), _client("api2", bearerOnly=True, standardFlowEnabled=True))),
    "code flow": Shape((_web(),)),
    "code flow without refresh tokens": Shape((_web(attributes={"use.refresh.tokens": "false"}),)),
    "public with pkce": Shape((_web(publicClient=True, attributes={"pkce.code.challenge.method": "S256"}),)),
    "pkce for a confidential client": Shape((_web(attributes={"pkce.code.challenge.method": "plain"}),)),
    "implicit": Shape((_web(implicitFlowEnabled=True, publicClient=True),)),
    "implicit alone": Shape((_client("spa", implicitFlowEnabled=True, publicClient=True, redirectUris=[CALLBACK]),)),
    "password": Shape((_client("cli", directAccessGrantsEnabled=True),)),
    "client credentials": Shape((_client("job", serviceAccountsEnabled=True),)),
    "client credentials with refresh": Shape(
        (_client("job", serviceAccountsEnabled=True, attributes={"client_credentials.use_refresh_token": "true"}),)
    ),
    "device": Shape(
        (
            _client("tv", publicClient=True, attributes={"oauth2.device.authorization.grant.enabled": "true"}),
            _client(
                "tv2",
                publicClient=True,
                attributes={"oauth2.device.authorization.grant.enabled": "true", "use.refresh.tokens": "false"},
            ),
        )
    ),
    "ciba": Shape((_client("bank", attributes={"oidc.ciba.grant.enabled": "true"}),)),
    "ciba with a mode": Shape(
        (
            _client(
                "bank",
                attributes={
                    "oidc.ciba.grant.enabled": "true",
                    "ciba.backchannel.token.delivery.mode": "ping",
                    "ciba.backchannel.client.notification.endpoint": "https://bank.example.com/ciba",
                },
            ),
        )
    ),
    "token exchange": Shape((_client("swap", attributes={"standard.token.exchange.enabled": "true"}),)),
    "every grant": Shape(
        (
            _web(
                implicitFlowEnabled=True,
                directAccessGrantsEnabled=True,
                serviceAccountsEnabled=True,
                attributes={
                    "oauth2.device.authorization.grant.enabled": "true",
                    "oidc.ciba.grant.enabled": "true",
                    "standard.token.exchange.enabled": "true",
                },
            ),
        )
    ),
    "name equal to the key": Shape((_web(name="web"), _web("shop", name="The shop"), _web("till", name=""))),
    "descriptions": Shape(
        (_web(description="The shop"), _web("b", description=""), _web("c")),
        (_scope("s1", description="Read"), _scope("s2", description=""), _scope("s3")),
    ),
    "disabled": Shape((_web(enabled=False),)),
    "consent and scope of roles": Shape((_web(consentRequired=True, fullScopeAllowed=False),)),
    "addresses": Shape(
        (
            _web(
                rootUrl="https://shop.example.com",
                baseUrl="/start",
                adminUrl="https://shop.example.com/admin",
                webOrigins=["+", "https://other.example.com"],
                alwaysDisplayInConsole=True,
                frontchannelLogout=True,
            ),
        )
    ),
    "no redirect uris": Shape((_client("x", standardFlowEnabled=True, redirectUris=[]),)),
    "lifetimes": Shape(
        (
            _web(attributes={"access.token.lifespan": "600"}),
            _web("b", attributes={"access.token.lifespan": "-1"}),
            _web("c", attributes={"client.session.idle.timeout": "900", "client.offline.session.max.lifespan": "3600"}),
        )
    ),
    "odd lifetimes": Shape(
        (
            _web(attributes={"access.token.lifespan": "soon"}),
            _web("b", attributes={"access.token.lifespan": "-7"}),
            _web("c", attributes={"client.session.idle.timeout": "-1"}),
        )
    ),
    "client authentication": Shape(
        (
            _client("jwt", clientAuthenticatorType="client-jwt", serviceAccountsEnabled=True),
            _client(
                "x509",
                clientAuthenticatorType="client-x509",
                serviceAccountsEnabled=True,
                attributes={"x509.subjectdn": "CN=job", "x509.allow.regex.pattern.comparison": "false"},
            ),
            _client("sjwt", clientAuthenticatorType="client-secret-jwt", serviceAccountsEnabled=True),
        )
    ),
    "bound tokens": Shape(
        (
            _web(
                attributes={
                    "require.pushed.authorization.requests": "true",
                    "dpop.bound.access.tokens": "true",
                    "tls.client.certificate.bound.access.tokens": "true",
                    "access.token.signed.response.alg": "ES256",
                }
            ),
        )
    ),
    "attributes": Shape(
        (
            _web(
                attributes={
                    "login_theme": "shop",
                    "backchannel.logout.url": "https://shop.example.com/logout",
                    "backchannel.logout.session.required": "false",
                    "post.logout.redirect.uris": "+##https://shop.example.com/bye",
                    "jwks.url": "https://shop.example.com/keys",
                    "use.jwks.url": "true",
                    "acr.loa.map": '{"gold":"2"}',
                    "my.api_secret": "hush-hush-hush",
                }
            ),
        )
    ),
    "mappers of a client": Shape(
        (
            _web(
                protocolMappers=[
                    _mapper("audience", "oidc-audience-mapper", **_AUDIENCE),
                    _mapper(
                        "team",
                        "oidc-hardcoded-claim-mapper",
                        **{"claim.name": "team", "claim.value": "7", "access.token.claim": "true"},
                    ),
                ]
            ),
        )
    ),
    "mappers of a scope": Shape(
        (_web(optionalClientScopes=["orders"]),),
        (
            _scope(
                "orders",
                description="Orders",
                attributes={
                    "consent.screen.text": "Your orders",
                    "display.on.consent.screen": "false",
                    "include.in.token.scope": "true",
                    "gui.order": "3",
                },
                protocolMappers=[_mapper("audience", "oidc-audience-mapper", **_AUDIENCE)],
            ),
        ),
    ),
    "scope attributes": Shape(
        (),
        (
            _scope("quiet", attributes={"include.in.token.scope": "false", "display.on.consent.screen": "false"}),
            _scope("bare", attributes={}),
            _scope("own", attributes={"my.key": "7", "gui.order": "x"}),
        ),
    ),
    "optional scope": Shape((_web(optionalClientScopes=["api.read"]),), (_scope("api.read"),)),
    "realm default": Shape(
        (_web(), _web("other", defaultClientScopes=["basic"], optionalClientScopes=[])),
        (_scope("always"), _scope("api.read")),
        default=("always",),
        absent=(("web", "email"),),
    ),
    "realm default and own optional": Shape(
        (
            _web(
                defaultClientScopes=["basic", "profile", "email", "roles", "web-origins", "acr", "always"],
                optionalClientScopes=[
                    "address",
                    "phone",
                    "organization",
                    "offline_access",
                    "microprofile-jwt",
                    "api.read",
                ],
            ),
        ),
        (_scope("always"), _scope("api.read")),
        default=("always",),
    ),
    "realm optional": Shape((_web(),), (_scope("may"),), optional=("may",)),
    "default and optional of one client": Shape(
        (
            _web(
                defaultClientScopes=["basic", "profile", "email", "roles", "web-origins", "acr", "a"],
                optionalClientScopes=["address", "phone", "organization", "offline_access", "microprofile-jwt", "b"],
            ),
        ),
        (_scope("a"), _scope("b")),
    ),
    "no scope at all": Shape((_web(defaultClientScopes=[], optionalClientScopes=[]),)),
    "built-in scope the other way": Shape(
        (
            _web(
                defaultClientScopes=["basic", "profile", "roles", "web-origins", "acr", "offline_access"],
                optionalClientScopes=["address", "phone", "organization", "email", "microprofile-jwt"],
            ),
            _web("usual"),
        ),
    ),
    "realm without email": Shape((_web(), _client("job", serviceAccountsEnabled=True)), dropped=("email", "phone")),
    "odd client ids": Shape(
        (
            _web("https://app.example.com/client"),
            _web("with space"),
            _web("ümlaut"),
            _web("UPPER"),
            _web("0123"),
            _web("a.b:c"),
            _web("true"),
            _web("*"),
        )
    ),
    "odd scope names": Shape(
        (_web(optionalClientScopes=["https://api.example.com/read"]),),
        (
            _scope("https://api.example.com/read"),
            _scope("on"),
            _scope("1"),
        ),
    ),
    "saml": Shape(
        (_web(), {"clientId": "sp", "protocol": "saml"}), (_scope("s"), {"name": "saml-own", "protocol": "saml"})
    ),
    "patterns of redirect uris": Shape(
        (_client("x", standardFlowEnabled=True, redirectUris=["*"]), _web("y", publicClient=True)),
    ),
    "redirect uris of apps": Shape(
        (
            _client(
                "x",
                standardFlowEnabled=True,
                redirectUris=["myapp://cb", "http://localhost:*/cb", "http://127.0.0.1/*"],
            ),
        )
    ),
    "authorization services": Shape((_client("rs", serviceAccountsEnabled=True, authorizationServicesEnabled=True),)),
    "flow of a client": Shape((_web(authenticationFlowBindingOverrides={"browser": "direct grant"}),)),
    "surrogate and nodes": Shape((_web(surrogateAuthRequired=True, nodeReRegistrationTimeout=60),)),
    "settings": Shape(
        settings={
            "sslRequired": "all",
            "accessCodeLifespan": 30,
            "accessTokenLifespan": 120,
            "displayName": "Shop",
            "revokeRefreshToken": True,
            "refreshTokenMaxReuse": 1,
            "ssoSessionIdleTimeout": 900,
            "ssoSessionMaxLifespan": 7200,
            "accessTokenLifespanForImplicitFlow": 300,
        }
    ),
    "settings of sessions": Shape(
        settings={
            "clientSessionIdleTimeout": 60,
            "clientSessionMaxLifespan": 600,
            "offlineSessionIdleTimeout": 1000,
            "offlineSessionMaxLifespanEnabled": True,
            "offlineSessionMaxLifespan": 5000,
            "accessCodeLifespanLogin": 900,
            "oauth2DeviceCodeLifespan": 90,
        }
    ),
    "no https": Shape(settings={"sslRequired": "none"}),
    "settings beyond": Shape(
        settings={"registrationAllowed": True, "bruteForceProtected": True, "loginTheme": "keycloak"}
    ),
}
"""By a name that says what is odd about it."""
