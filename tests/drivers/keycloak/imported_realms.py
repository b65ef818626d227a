"""Realms as files that people import hold them: whole representations, with what old versions and other tools leave behind.

Each is what `POST /admin/realms` takes. Of what no manifest holds (users, roles, identity providers), only what changes clients,
client scopes and settings is of interest here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.drivers.keycloak.realm_shapes import CALLBACK, _client, _mapper, _scope, _web

_AUDIENCE: Final = {"included.client.audience": "api", "access.token.claim": "true", "id.token.claim": "false"}

REALMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "no client scopes at all": {
        "clientScopes": [],
        "defaultDefaultClientScopes": [],
        "defaultOptionalClientScopes": [],
        "clients": [_web(), _client("job", serviceAccountsEnabled=True)],
    },
    "client scopes of an old version": {
        "keycloakVersion": "4.8.3.Final",
        "clientScopes": [
            _scope("profile", protocolMappers=[_mapper("username", "oidc-usermodel-property-mapper")]),
            _scope("email", description="Own mail scope", attributes={"include.in.token.scope": "false"}),
            _scope("offline_access"),
            {"name": "role_list", "protocol": "saml"},
        ],
        "defaultDefaultClientScopes": ["profile", "email", "role_list"],
        "defaultOptionalClientScopes": ["offline_access"],
        "clients": [_web()],
    },
    "built-in scopes changed": {
        "clients": [_web()],
        "clientScopes": [
            *(
                _scope(name)
                for name in ("acr", "basic", "profile", "roles", "web-origins", "address", "phone", "offline_access")
            ),
            _scope("email", description="Mail", protocolMappers=[_mapper("team", "oidc-hardcoded-claim-mapper")]),
            _scope("microprofile-jwt"),
            _scope("organization"),
            _scope("own"),
        ],
        "defaultDefaultClientScopes": ["basic", "profile", "own"],
        "defaultOptionalClientScopes": ["email", "roles"],
    },
    "built-in clients changed": {
        "clients": [
            {"clientId": "account", "enabled": False, "redirectUris": ["https://x.example.com/*"]},
            {"clientId": "admin-cli", "publicClient": True, "directAccessGrantsEnabled": False},
            _web(),
        ],
    },
    "nulls everywhere": {
        "displayName": None,
        "clients": [
            {
                **_web(),
                "name": None,
                "description": None,
                "rootUrl": None,
                "baseUrl": None,
                "adminUrl": None,
                "webOrigins": None,
                "attributes": {"pkce.code.challenge.method": None, "login_theme": None},
                "protocolMappers": None,
                "defaultClientScopes": None,
                "optionalClientScopes": None,
                "authenticationFlowBindingOverrides": {"browser": None},
            }
        ],
    },
    "roles and service accounts": {
        "roles": {
            "realm": [
                {"name": "user", "composite": True, "composites": {"realm": ["offline_access"]}},
                {
                    "name": "boss",
                    "description": "Composite",
                    "composites": {"client": {"job": ["run"]}},
                    "composite": True,
                },
            ],
            "client": {"job": [{"name": "run"}]},
        },
        "defaultRoles": ["user"],
        "users": [
            {
                "username": "service-account-job",
                "enabled": True,
                "serviceAccountClientId": "job",
                "clientRoles": {"realm-management": ["view-users"]},
            },
            {"username": "alice", "enabled": True, "realmRoles": ["boss"]},
        ],
        "groups": [{"name": "staff", "realmRoles": ["boss"]}],
        "scopeMappings": [{"client": "web", "roles": ["user"]}],
        "clientScopeMappings": {"job": [{"client": "web", "roles": ["run"]}]},
        "clients": [
            _web(fullScopeAllowed=False),
            _client("job", serviceAccountsEnabled=True, defaultRoles=["run"]),
        ],
    },
    "identity providers": {
        "identityProviders": [
            {
                "alias": "corp",
                "providerId": "oidc",
                "enabled": True,
                "config": {
                    "clientId": "kc",
                    "clientSecret": "hush-hush-hush",
                    "authorizationUrl": "https://idp.example.com/auth",
                    "tokenUrl": "https://idp.example.com/token",
                },
            }
        ],
        "smtpServer": {"host": "mail.example.com", "from": "a@example.com", "user": "u", "password": "hush-hush-mail"},
        "clients": [_web()],
    },
    "very long texts": {
        "displayName": "x" * 255,
        "clients": [
            _web(
                description="d" * 255,
                redirectUris=[f"https://shop.example.com/{'p' * 200}"],
                attributes={
                    "post.logout.redirect.uris": "##".join(f"https://shop.example.com/{n}" for n in range(200))
                },
            ),
            _web("l" * 255, secret="short"),
        ],
        "clientScopes": None,
    },
    "blanks and lines": {
        "displayName": " Shop\tof ours ",
        "clients": [
            _web(" padded ", name=" padded ", description="line one\nline two\n"),
            _web("tab\tinside"),
            _web("quote\"'`$", name="${client_quote}", description="#not a comment: - [x]"),
            _web("a/b?c=d&e#f"),
            _web("%2F"),
            _web("emoji 🛒"),
            _web("null"),
            _web("~"),
            _web("1.0"),
            _web("2024-01-01"),
        ],
    },
    "saml among the defaults": {
        "clients": [_web(), {"clientId": "https://sp.example.com", "protocol": "saml"}],
        "clientScopes": None,
    },
    "without any field": {
        "clients": [
            {"clientId": "sp", "protocol": "saml"},
            {"clientId": "plain", "publicClient": True, "redirectUris": [CALLBACK]},
            {"clientId": "bare"},
        ],
    },
    "leftovers": {
        "clientTemplates": [{"name": "old", "protocol": "openid-connect"}],
        "clients": [
            _web(
                useTemplateScope=False,
                useTemplateConfig=False,
                useTemplateMappers=False,
                attributes={
                    "saml.assertion.signature": "false",
                    "saml_force_name_id_format": "false",
                    "saml.multivalued.roles": "false",
                    "tls.client.certificate.bound.access.tokens": "false",
                    "exclude.session.state.from.auth.response": "false",
                    "display.on.consent.screen": "true",
                    "id.token.as.detached.signature": "false",
                    "require.pushed.authorization.requests": "false",
                    "client_credentials.use_refresh_token": "false",
                    "oauth2.device.authorization.grant.enabled": "false",
                    "oidc.ciba.grant.enabled": "false",
                    "use.refresh.tokens": "true",
                    "backchannel.logout.session.required": "true",
                    "token.response.type.bearer.lower-case": "false",
                    "acr.loa.map": "{}",
                    "access.token.lifespan": "",
                },
                notBefore=0,
                surrogateAuthRequired=False,
                nodeReRegistrationTimeout=0,
            )
        ],
    },
    "consent text of a client": {
        "clients": [
            _web(
                consentRequired=True,
                attributes={"display.on.consent.screen": "true", "consent.screen.text": "Let us in", "gui.order": "5"},
            )
        ],
    },
    "refresh of client credentials": {
        "clients": [
            _client(
                "job",
                serviceAccountsEnabled=True,
                attributes={"client_credentials.use_refresh_token": "true", "use.refresh.tokens": "false"},
            ),
            _web("both", serviceAccountsEnabled=True, attributes={"client_credentials.use_refresh_token": "true"}),
            _web("odd", attributes={"client_credentials.use_refresh_token": "true", "use.refresh.tokens": "false"}),
            _client("exchange", attributes={"standard.token.exchange.enableRefreshRequestedTokenType": "SAME_SESSION"}),
            _client(
                "exchange2",
                attributes={
                    "standard.token.exchange.enabled": "true",
                    "standard.token.exchange.enableRefreshRequestedTokenType": "SAME_SESSION",
                },
            ),
        ],
    },
    "odd attribute values": {
        "clients": [
            _web("a", attributes={"pkce.code.challenge.method": "S512"}),
            _web("b", attributes={"pkce.code.challenge.method": ""}),
            _web("c", attributes={"use.refresh.tokens": "maybe"}),
            _web("d", attributes={"require.pushed.authorization.requests": "yes"}),
            _web("e", attributes={"access.token.lifespan": "99999999999999999999"}),
            _web("f", attributes={"access.token.lifespan": "0"}),
            _web("g", attributes={"access.token.lifespan": " 60 "}),
            _web("h", attributes={"access.token.lifespan": "1.5"}),
            _web("i", attributes={"client.session.max.lifespan": "0"}),
            _web("j", attributes={"post.logout.redirect.uris": "##"}),
            _web(
                "k",
                attributes={"post.logout.redirect.uris": "https://b.example.com##https://a.example.com"},
            ),
            _web("l", attributes={"post.logout.redirect.uris": "-"}),
            _web("m", attributes={"oauth2.device.authorization.grant.enabled": "TRUE"}),
            _web("n", attributes={"standard.token.exchange.enabled": "on"}),
            _web("o", attributes={"client.offline.session.max.lifespan": "-1"}),
            _web("p", attributes={"access.token.signed.response.alg": "none"}),
        ],
    },
    "odd redirect uris": {
        "clients": [
            _client("a", standardFlowEnabled=True, rootUrl="https://a.example.com", redirectUris=["/*"]),
            _client("b", standardFlowEnabled=True, redirectUris=["https://*.example.com/*", "http://b.example.com"]),
            _client("c", standardFlowEnabled=True, redirectUris=["", "https://c.example.com/cb"]),
            _client(
                "d", standardFlowEnabled=True, redirectUris=["https://d.example.com/a?x=1", "urn:ietf:wg:oauth:2.0:oob"]
            ),
            _client("e", standardFlowEnabled=True, redirectUris=["com.example.app:/cb", "http://localhost"]),
            _client("f", standardFlowEnabled=True, rootUrl="${authBaseUrl}", redirectUris=["/realms/x/*"]),
            _client("g", standardFlowEnabled=True, redirectUris=["https://dup.example.com", "https://dup.example.com"]),
        ],
    },
    "mappers of every kind": {
        "clients": [
            _web(
                protocolMappers=[
                    _mapper("aud", "oidc-audience-mapper", **_AUDIENCE),
                    _mapper("aud 2", "oidc-audience-mapper", **{**_AUDIENCE, "included.custom.audience": "x"}),
                    _mapper("resolve", "oidc-audience-resolve-mapper"),
                    _mapper("script", "oidc-sha256-pairwise-sub-mapper", pairwiseSubAlgorithmSalt="hush-hush-salt"),
                    _mapper(
                        "attr", "oidc-usermodel-attribute-mapper", **{"user.attribute": "x", "claim.name": "a\\.b"}
                    ),
                    _mapper("empty", "oidc-full-name-mapper"),
                    {**_mapper("consent", "oidc-full-name-mapper"), "consentRequired": True, "consentText": "Name?"},
                    {
                        "name": "saml in oidc",
                        "protocol": "saml",
                        "protocolMapper": "saml-role-list-mapper",
                        "config": {},
                    },
                ]
            )
        ],
        "clientScopes": [
            _scope("basic"),
            _scope(
                "orders",
                protocolMappers=[
                    _mapper("aud", "oidc-audience-mapper", **_AUDIENCE),
                    _mapper("id only", "oidc-audience-mapper", **{**_AUDIENCE, "access.token.claim": "false"}),
                ],
            ),
        ],
    },
    "scopes without a protocol": {
        "clientScopes": [
            {"name": "none"},
            _scope("basic"),
            {"name": "odd", "protocol": "oid4vc"},
            _scope("with space"),
        ],
        "defaultDefaultClientScopes": ["basic"],
        "clients": [_web()],
    },
    "scope texts": {
        "clientScopes": [
            _scope("basic"),
            _scope("long", description="d" * 255, attributes={"consent.screen.text": "c" * 2048}),
            _scope("blank", description=" ", attributes={"consent.screen.text": "${blankScopeConsentText}"}),
            _scope("order", attributes={"gui.order": "", "display.on.consent.screen": ""}),
            _scope("negative", attributes={"gui.order": "-1"}),
            _scope("odd flag", attributes={"include.in.token.scope": "yes"}),
            _scope("dynamic", attributes={"is.dynamic.scope": "false", "dynamic.scope.regexp": "dynamic:*"}),
            _scope("Ünï:código/*"),
        ],
    },
    "policies and flows": {
        "clientProfiles": {
            "profiles": [
                {
                    "name": "own",
                    "executors": [{"executor": "pkce-enforcer", "configuration": {"auto-configure": False}}],
                }
            ]
        },
        "clientPolicies": {
            "policies": [
                {
                    "name": "own",
                    "enabled": True,
                    "conditions": [{"condition": "any-client", "configuration": {}}],
                    "profiles": ["own"],
                }
            ]
        },
        "authenticationFlows": None,
        "clients": [_web(attributes={"pkce.code.challenge.method": "S256"})],
    },
    "odd settings": {
        "accessTokenLifespan": 1,
        "accessTokenLifespanForImplicitFlow": 0,
        "accessCodeLifespan": 1,
        "accessCodeLifespanUserAction": 1,
        "ssoSessionIdleTimeout": 2147483647,
        "ssoSessionMaxLifespan": 2147483647,
        "offlineSessionIdleTimeout": 2147483647,
        "notBefore": 1700000000,
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        "sslRequired": "EXTERNAL",
        "displayNameHtml": "<b>Shop</b>",
        "internationalizationEnabled": True,
        "supportedLocales": ["de", "en"],
        "defaultLocale": "de",
        "passwordPolicy": "length(12)",
        "attributes": {"frontendUrl": "https://login.example.com", "acr.loa.map": '{"gold":"2"}', "own": "x"},
        "browserSecurityHeaders": {"xFrameOptions": "DENY"},
        "loginTheme": "keycloak",
        "enabled": True,
        "eventsEnabled": True,
        "enabledEventTypes": ["LOGIN"],
        "organizationsEnabled": True,
    },
    "session lifetimes of clients in a realm": {
        "attributes": {
            "client.session.idle.timeout": "900",
            "clientSessionIdleTimeout": "300",
            "clientOfflineSessionMaxLifespan": "600",
            "oauth2DeviceCodeLifespan": "30",
            "cibaExpiresIn": "90",
        },
        "clientOfflineSessionIdleTimeout": 500,
    },
    "flow overrides": {
        "clients": [
            _web(authenticationFlowBindingOverrides={"browser": "", "direct_grant": ""}),
        ],
    },
    "authenticators": {
        "clients": [
            _client(
                "jwt",
                clientAuthenticatorType="client-jwt",
                serviceAccountsEnabled=True,
                attributes={
                    "token.endpoint.auth.signing.alg": "PS256",
                    "jwt.credential.certificate": "MIICnTCCAYUCBgF",
                    "use.jwks.url": "false",
                    "jwks.string": '{"keys":[]}',
                },
            ),
            _client("federated", clientAuthenticatorType="federated-jwt", serviceAccountsEnabled=True),
            _client("odd", clientAuthenticatorType="no-such", serviceAccountsEnabled=True),
            _client("public job", publicClient=True, serviceAccountsEnabled=False, directAccessGrantsEnabled=True),
        ],
    },
    "every flag of a client": {
        "clients": [
            _web(
                "all",
                enabled=False,
                alwaysDisplayInConsole=True,
                consentRequired=True,
                implicitFlowEnabled=True,
                directAccessGrantsEnabled=True,
                serviceAccountsEnabled=True,
                frontchannelLogout=True,
                fullScopeAllowed=False,
                surrogateAuthRequired=True,
                bearerOnly=False,
                origin="somewhere",
                attributes={
                    "frontchannel.logout.url": "https://shop.example.com/out",
                    "frontchannel.logout.session.required": "true",
                    "backchannel.logout.revoke.offline.tokens": "true",
                    "logoUri": "https://shop.example.com/logo.png",
                    "policyUri": "https://shop.example.com/policy",
                    "tosUri": "https://shop.example.com/tos",
                    "acr.loa.map": '{"silver":"1","gold":"2"}',
                    "minimum.acr.value": "gold",
                    "default.acr.values": "silver##gold",
                    "request.object.required": "not required",
                    "request.uris": "https://shop.example.com/ro##https://shop.example.com/ro2",
                    "user.info.response.signature.alg": "RS256",
                    "id.token.encrypted.response.alg": "RSA-OAEP",
                    "access.token.header.type.rfc9068": "true",
                    "client.use.lightweight.access.token.enabled": "true",
                    "client.introspection.response.allow.jwt.claim.enabled": "false",
                    "tls-client-certificate-bound-access-tokens": "x",
                    "realm_client": "true",
                },
            )
        ],
    },
    "a client scope without a name": {
        "clientScopes": [_scope("basic"), _scope(""), _scope("ok")],
        "defaultDefaultClientScopes": ["", "ok"],
        "clients": [
            _web("w", defaultClientScopes=["", "ok"]),
            _web("v", defaultClientScopes=["basic"], optionalClientScopes=[""]),
        ],
    },
    "names that YAML takes for something else": {
        "clients": [
            _web(
                protocolMappers=[
                    _mapper(name, "oidc-full-name-mapper") for name in ("", "null", "~", "<<", "a.b", "a##b")
                ],
                attributes={"": "x", "null": "null", "yes": "yes", "a b": "c", "$ref": "${env:HOME}", "x": "${y}"},
            )
        ],
        "clientScopes": [_scope("basic"), _scope("null", attributes={"~": "v"}), _scope("yes")],
    },
    "names that differ in case": {
        "clients": [
            _web("Shop", defaultClientScopes=[], optionalClientScopes=["Orders", "orders"]),
            _web("shop", defaultClientScopes=["Orders"], optionalClientScopes=[]),
        ],
        "clientScopes": [_scope("basic"), _scope("Orders", description="All"), _scope("orders")],
    },
    "ids that are names of others": {
        "clients": [
            {**_web("one"), "id": "11111111-2222-3333-4444-555555555555"},
            _web("11111111-2222-3333-4444-555555555555", name="Other"),
            {**_web("two"), "id": "a/b"},
            {**_web("three"), "id": ".."},
        ],
        "clientScopes": [_scope("basic"), {**_scope("s"), "id": "x/y"}, {**_scope("t"), "id": "s"}],
    },
    "audiences beside mappers": {
        "clientScopes": [
            _scope("basic"),
            _scope(
                "orders",
                protocolMappers=[
                    _mapper(
                        "audience orders",
                        "oidc-audience-mapper",
                        **{
                            "included.custom.audience": "orders",
                            "access.token.claim": "true",
                            "id.token.claim": "false",
                            "introspection.token.claim": "true",
                        },
                    ),
                    _mapper("team", "oidc-hardcoded-claim-mapper", **{"claim.name": "team"}),
                ],
            ),
        ],
    },
    "service accounts without their scope": {
        "clients": [
            _client("job", serviceAccountsEnabled=True, defaultClientScopes=["basic"], optionalClientScopes=["own"]),
            _client("odd", serviceAccountsEnabled=True, optionalClientScopes=["service_account"]),
            _web(defaultClientScopes=["basic", "service_account"], optionalClientScopes=["own"]),
        ],
        "clientScopes": [_scope("basic"), _scope("service_account"), _scope("own")],
    },
    "lifetimes of zero, and those that a change resets": {
        "offlineSessionMaxLifespanEnabled": True,
        "offlineSessionMaxLifespan": 0,
        "oauth2DeviceCodeLifespan": 90,
        "oauth2DevicePollingInterval": 9,
        "attributes": {"cibaExpiresIn": "77", "parRequestUriLifespan": "44", "own": "x"},
        "clients": [_web(attributes={"client.session.idle.timeout": "0", "client.offline.session.max.lifespan": "0"})],
    },
    "signs of paths": {
        "clients": [_web(name) for name in (".", "..", "../x", "a/b", "a\nb", "%2e%2e", "a;b=c", "a\\b")],
        "clientScopes": [_scope("basic"), *(_scope(name) for name in (".", "..", "a/b", "%2e%2e", "a;b", "a?b", "#x"))],
    },
}
"""By a name that says what is odd about it."""
