"""What nearly breaks a rule and doesn't: values on the bound, and fields that are not written."""

from __future__ import annotations

from tests.manifest.rules.cases import (
    AS,
    BOTH,
    BOTH_PAIRS,
    CODE,
    IDP,
    KEYCLOAK,
    OPA,
    REVOKED,
    RFC7591,
    RS,
    SCOPES,
    SECRET,
    app,
    servers,
)

HARMLESS_NAMES = (
    "access.token.header.type.rfc9068",
    "access.token.lifetime",
    "backchannel.logout.revoke.offline.tokens",
    "ciba.backchannel.token.delivery.mode",
    "client.secret.authentication.allowed.method",
    "client.secret.expiration.time",
    "client.secret.rotation.enabled",
    "client.use.lightweight.access.token.enabled",
    "id.token.as.detached.signature",
    "id.token.encrypted.response.alg",
    "jwt.credential.public.key",
    "login.hint.tokens",
    "password.policy",
    "standard.token.exchange.enableRefreshRequestedTokenType",
    "token.endpoint.auth.signing.alg",
    "token.response.type.bearer.lower-case",
    "token_endpoint",
    "token_lifetime",
    "x509.subjectdn",
    "login_theme",
)
"""Names of attributes that speak about secrets and tokens and hold none; most are Keycloak's own."""

PROVED = REVOKED + "revocations: [{id: leak, client: app, tokens: all, proof: {token: '${env:RS_SECRET}'}}]\n"

SILENT: dict[str, list[str]] = {
    "client-credentials-on-public": [app("grants: [client_credentials]")],
    "password-grant-on-public": [app("grants: [password]")],
    "password-grant": [app("type: public, grants: [password]")],
    "implicit-grant": [app(f"type: public, {CODE}]")],
    "grants-empty": [app("type: public, grants: null"), app("type: public, grants: [], enabled: false")],
    "refresh-grant-alone": [app("type: public, grants: []"), app(f"type: public, {CODE}, refresh_token]")],
    "refresh-without-user": [
        app(f"type: confidential, {CODE}, client_credentials, refresh_token], {SECRET}"),
        app(f"type: confidential, grants: [client_credentials], {SECRET}"),
    ],
    "refresh-grant-without-count": [
        app(f"type: public, {CODE}, refresh_token]"),
        app(f"type: public, {CODE}, refresh_token], tokens: {{refresh_count: null}}"),
        app(f"type: public, {CODE}, refresh_token], tokens: {{}}"),
    ],
    "refresh-count-without-grant": [
        app("type: public, tokens: {refresh_count: 10}"),
        app("type: public, grants: null, tokens: {refresh_count: 10}"),
        app(f"type: public, {CODE}], tokens: {{refresh_count: 0}}"),
    ],
    "client-type-missing": [
        app("enabled: false"),
        app("description: x"),
        app("type: null, grants: [authorization_code]"),
    ],
    "access-token-never-expires": [app("type: public, tokens: {access_lifetime: inherit}")],
    "access-token-lifetime-long": [
        "settings: {access_token_lifetime: 24h}\n",
        "settings: {access_token_lifetime: null}\n",
        app("type: public, tokens: {access_lifetime: inherit}"),
        # out of range is another rule's
        "settings: {access_token_lifetime: 2147483648}\n",
    ],
    "authorization-code-lifetime-long": [
        "settings: {authorization_code_lifetime: PT10M}\n",
        "settings: {access_token_lifetime: 1h}\n",
    ],
    "lifetime-zero": ["settings: {access_token_lifetime: 1s}\n", "settings: {access_token_lifetime: null}\n"],
    "lifetime-too-long": ["settings: {access_token_lifetime: 2147483647}\n"],
    "refresh-count-out-of-range": [
        app("type: public, tokens: {refresh_count: 0}"),
        app("type: public, tokens: {refresh_count: 2147483647}"),
        app("type: public, tokens: {refresh_count: unlimited}"),
    ],
    "refresh-unlimited-on-public": [app("tokens: {refresh_count: unlimited}")],
    "refresh-unlimited": [app("type: public, tokens: {refresh_count: unlimited}")],
    "https-not-required": [
        "settings: {require_https: null}\n",
        "settings: {require_https: false, overrides: {login: {require_https: true}}}\n",
        servers("here: {role: authorization, driver: webmethods, url: 'http://127.0.0.1:1'}")
        + "settings: {require_https: false}\n",
    ],
    "https-not-required-on-loopback": [
        "settings: {require_https: false}\n",
        servers(IDP) + "settings: {require_https: false}\n",
    ],
    "pkce-not-required": [
        "settings: {require_pkce: false}\n",
        "settings: {require_pkce: false}\n" + app(f"type: confidential, {CODE}], {SECRET}"),
        "settings: {require_pkce: false}\n" + app("type: public, grants: [client_credentials]"),
        "settings: {require_pkce: false}\n" + app(f"type: public, {CODE}], on: [orders]"),
        "settings: {require_https: true}\n" + app(f"type: public, {CODE}]"),
    ],
    "token-endpoint-session": ["settings: {token_endpoint_auth: null}\n"],
    "server-url-missing": [
        servers(IDP),
        # a resource server asks login by its address: the loader says so already
        servers("login: {role: authorization, driver: webmethods}", RS),
    ],
    "server-url-invalid": [
        servers(f"login: {{role: authorization, driver: webmethods, url: '{url}'}}")
        for url in ("https://a.example.com/base/", "HTTPS://A.example.com", "http://[::1]:5555", "https://a:65535")
    ],
    "server-url-not-https": [
        servers(f"login: {{role: authorization, driver: webmethods, url: '{url}'}}")
        for url in ("http://localhost:1", "http://127.0.0.1:1", "http://app.localhost:1", "ftp://a")
    ],
    "environments-share-server": [
        servers(AS) + "environments: {prod: {}}\n",
        servers(AS) + "environments: {test: {}, prod: {servers: {login: {url: 'https://as.example.com:8443'}}}}\n",
        servers(AS.replace("as.example.com", "${env:LOGIN_HOST:-a}")) + "environments: {test: {}, prod: {}}\n",
        servers(KEYCLOAK) + "environments: {test: {}, prod: {servers: {kc: {options: {realm: b}}}}}\n",
        servers(IDP) + "environments: {test: {}, prod: {}}\n",
    ],
    "server-url-twice": [
        servers(AS, "again: {role: authorization, driver: webmethods, url: 'https://as.example.com:8443'}"),
        servers(AS, "again: {role: authorization, driver: glewlwyd, url: 'https://as.example.com'}"),
    ],
    "server-paths-nested": [
        servers(
            AS,
            "a: {role: resource, driver: opa, url: 'https://o', authorization_server: login, options: {path: ov}}",
            "b: {role: resource, driver: opa, url: 'https://o', authorization_server: login, options: {path: ov2/clients}}",
        ),
        servers(
            AS,
            "a: {role: resource, driver: opa, url: 'https://o', authorization_server: login, options: {path: ov}}",
            "b: {role: resource, driver: opa, url: 'https://o2', authorization_server: login, options: {path: ov/clients}}",
        ),
    ],
    "tls-not-verified": [
        servers("login: {role: authorization, driver: webmethods, url: 'https://a', tls: {verify: true}}")
    ],
    "introspection-not-https": [
        servers(IDP.replace("https://idp.example.com", "http://127.0.0.1:9")),
        servers(IDP.replace("endpoint: 'https://idp.example.com/i', ", "")),
    ],
    "keys-not-https": [
        servers(f"idp: {{role: authorization, driver: external, issuer: 'https://i', jwks_uri: '{url}'}}")
        for url in ("https://idp.example.com/keys", "http://127.0.0.1:8080/keys", "http://localhost/keys")
    ],
    "metadata-invalid": [
        servers(
            "idp: {role: authorization, driver: external, issuer: 'https://i/realms/a', jwks_uri: 'https://i/keys?v=1'}"
        ),
        servers("idp: {role: authorization, driver: external, issuer: null, jwks_uri: null}"),
    ],
    "resource-server-trusts-nobody": [
        servers("is: {role: both, driver: webmethods, url: 'https://is'}"),
        servers(IDP, RS.replace("login", "idp")),
    ],
    "authorization-server-not-trusted": [
        servers(AS),
        servers("is: {role: both, driver: webmethods, url: 'https://is'}"),
        servers(AS, RS),
    ],
    "server-field-without-use": [
        servers(BOTH.replace("}", ", introspection: {username: x, password: '${env:RS_SECRET}'}}")),
        servers(AS.replace("}", ", introspection: {username: x, password: '${env:RS_SECRET}'}}"), RS),
        servers(
            AS.replace(
                "}", ", introspection: {client_id: x, client_secret: '${env:RS_SECRET}', user: u, default_scope: s}}"
            ),
            RS,
        ),
        servers(AS.replace("}", ", introspection: {client_id: x, username: x}}")),
        servers(AS.replace("}", f", introspection: {BOTH_PAIRS}}}"), RS) + PROVED,
        servers(AS.replace("}", ", issuer: 'https://as', jwks_uri: 'https://as/keys'}"), OPA),
        servers(AS.replace("}", ", issuer: 'https://as', jwks_uri: 'https://as/keys'}")),
        servers(AS, RS.replace("}", ", audience: null}")),
    ],
    "secret-in-manifest": [
        servers(IDP.replace("client_id: rs", "client_id: rs, client_secret: '${env:RS_SECRET}'")),
        servers("g: {role: authorization, driver: glewlwyd, url: 'https://g', credentials: {account: plain}}"),
        app('type: confidential, secret: {value: "a${env:BATCH_SECRET}"}'),
        app("type: confidential, secret: {value: null}"),
        *(app(f"options: {{keycloak: {{attributes: {{{name}: plain}}}}}}") for name in HARMLESS_NAMES),
        app("options: {keycloak: {attributes: {crm.password: 'true', api.key: '', private.key: null}}}"),
        app("options: {keycloak: {attributes: {crm.password: '${env:API_KEY}'}}}"),
    ],
    "secret-empty": [app("type: confidential, secret: {value: null}"), app(f"type: confidential, {SECRET}")],
    "secret-on-public-client": [app("type: public, secret: null"), app(SECRET)],
    "secret-not-received": [
        app("type: public"),
        app("enabled: false"),
        app("type: confidential, secret: null"),
        app("type: confidential, on: [orders]"),
        servers("g: {role: authorization, driver: glewlwyd, url: 'https://g'}") + app("type: confidential"),
    ],
    "secret-revision-without-effect": [
        app("type: confidential, secret: {generate: true, deliver_to: {file: a.env}}"),
        app("type: confidential, on: [orders], secret: {revision: 2, generate: true, deliver_to: {file: a.env}}"),
    ],
    "secret-without-source": [app("type: confidential, secret: null")],
    "secret-file-shared": [
        "clients: {a: {type: confidential, secret: {generate: true, deliver_to: {file: a.env}}},"
        " b: {type: confidential, secret: {generate: true, deliver_to: {file: b.env}}}}\n"
    ],
    "secret-value-not-supported": [servers(AS, RFC7591) + app(f"type: confidential, {SECRET}, on: [login]")],
    "secret-generate-not-supported": [
        servers(AS, "g: {role: authorization, driver: glewlwyd, url: 'https://g'}")
        + app("type: confidential, on: [login], secret: {generate: true, deliver_to: {file: a.env}}")
    ],
    "scope-name-characters": [
        f"scopes: {{{name}: {{description: d, resources: [a]}}}}\n"
        for name in ('"orders:read"', "'!#[]~'", "a/b", '"https://api.example.com/read"')
    ],
    "name-not-accepted": [
        f"scopes: {{{'s' * 100}: {{description: d, resources: [a]}}}}\n",
        "clients: {'a;b': {type: public, name: A B, version: 1.0-rc1}}\n",
        servers(RFC7591) + "clients: {'a;b': {type: public}}\n",
        app("type: public, name: null, version: null"),
    ],
    "value-not-accepted": [
        servers(KEYCLOAK) + app("type: public, redirect_uris: ['https://[2001:db8::1]/cb?filter[state]=1']"),
        servers(KEYCLOAK) + app(f"type: public, description: {'d' * 255}"),
        servers(KEYCLOAK) + app(f"type: public, description: {chr(0x1F600) * 127}"),
        servers(KEYCLOAK) + app(f"type: public, redirect_uris: ['https://shop.example.com/{'d' * 230}']"),
        app(f"type: public, description: {'d' * 300}"),
    ],
    "client-name-twice": [
        'clients: {a: {name: x, version: "1", type: public}, b: {name: x, version: "2", type: public}}\n',
        "clients: {a: {name: x, type: public, on: [login]}, b: {name: x, type: public, on: [orders]}}\n",
        "clients: {a: {name: x, type: public}, b: {name: x, state: absent}}\n",
        "clients: {a: {name: x, type: public}, b: {name: X, type: public}}\n",
    ],
    "scope-names-alike": ["scopes: {a.b: {description: d, resources: [a]}, A.B: {state: absent}}\n"],
    "scope-description-missing": ["scopes: {a: {state: absent}}\n"],
    "scope-opens-nothing": [
        "scopes: {a: {description: d, on: [login]}}\n",
        "scopes: {a: {state: absent}}\n",
        servers(AS) + "scopes: {a: {description: d}}\n",
    ],
    "scope-not-on-resource-server": [
        "scopes: {a: {description: d, resources: [x]}}\n",
        "scopes: {a: {description: d, resources: [x], on: [orders]}}\n",
        servers(AS) + "scopes: {a: {description: d, on: [login]}}\n",
    ],
    "scope-not-obtainable": [
        SCOPES + "\n",
        servers(IDP, RS.replace("login", "idp")) + SCOPES + "\nassociations: []\n",
        "scopes: {a: {description: d, on: [login]}}\nassociations: []\n",
    ],
    "association-has-no-server": [
        REVOKED,
        SCOPES + "\nclients: {app: {state: absent, on: [orders]}}\nassociations: [{client: app, scopes: [read]}]\n",
        SCOPES + "\n" + app("type: public, on: [login]") + "associations: [{client: app, scopes: [read]}]\n",
    ],
    "client-not-on-resource-server": [
        app("type: public"),
        app("type: public, on: [orders]"),
        servers(AS) + app("type: public, on: [login]"),
    ],
    "on-nothing": [app("type: public, on: null"), "clients: {app: {state: absent, on: []}}\n"],
    "account-not-resource-owner": [
        app(f"type: confidential, grants: [client_credentials], {SECRET}"),
        app(f"type: confidential, grants: [client_credentials], {SECRET}") + "resource_owners: null\n",
        app(f"type: confidential, {CODE}], {SECRET}") + "resource_owners: [alice]\n",
        servers(IDP, RS.replace("login", "idp"))
        + app(f"type: confidential, grants: [client_credentials], {SECRET}")
        + "resource_owners: [alice]\n",
    ],
    "resource-owners-unchecked": [
        app(f"type: public, {CODE}]") + "resource_owners: [alice]\n",
        servers(BOTH) + app(f"type: public, {CODE}]") + "resource_owners: [alice]\n",
        servers(IDP, RS.replace("login", "idp")) + app(f"type: public, {CODE}]") + "resource_owners: []\n",
    ],
    "not-supported": [
        servers(RFC7591) + app("type: public, name: App, description: x"),
        # lifetimes matter where tokens are made; what a resource server can't hold of them it doesn't need
        servers(AS, OPA) + app("type: public, tokens: {refresh_count: 1}"),
        servers(AS, OPA) + "scopes: {a: {description: d, resources: [x]}}\n",
        servers(AS, RFC7591) + "settings: {overrides: {login: {require_https: true}}}\n",
        servers(AS, RFC7591) + app("type: public, enabled: false, on: [login]"),
        servers(RFC7591) + "revocations: [{id: i, client: app, tokens: all}]\n",
        servers(IDP, RS.replace("login", "idp")) + app("type: public"),
        servers("what: {role: authorization, driver: nobody-knows, url: 'https://w'}")
        + app("type: public, enabled: true"),
    ],
    "support-untested": [
        servers(AS, OPA) + app("type: public"),
        servers("what: {role: authorization, driver: nobody-knows, url: 'https://w'}")
        + app("type: public, enabled: true"),
    ],
    "on-server-cannot-hold": [
        servers(AS, RFC7591) + "scopes: {a: {description: d}}\n",
        servers(AS, RFC7591) + app("type: public, on: [reg]"),
        servers(AS, RFC7591) + "scopes: {a: {description: d, on: [nowhere]}}\n",
    ],
    "section-without-server": [
        servers(IDP) + "scopes: {}\n",
        servers(IDP, RS.replace("login", "idp")) + "settings: {overrides: {orders: {require_https: true}}}\n",
    ],
    "absent-client-in-use": [
        SCOPES + "\nclients: {app: {state: absent}}\nassociations: [{client: app, scopes: []}]\n",
    ],
    "absent-scope-in-use": ["scopes: {read: {state: absent}}\nassociations: []\n"],
    "association-duplicate": [
        SCOPES
        + "\n"
        + app("type: public")
        + "associations: [{client: app, scopes: [read]}, {scope: write, clients: [app]}]\n",
    ],
    "association-as-differs": [
        servers(KEYCLOAK)
        + "scopes: {read: {}}\n"
        + app("type: public, options: {keycloak: {default_scopes: [read]}}")
        + "associations: [{client: app, scopes: [read], as: default}, {scope: read, clients: [app]}]\n",
    ],
    "default-scope-not-associated": [
        servers(KEYCLOAK) + app("type: public, options: {keycloak: {default_scopes: []}}"),
    ],
    "moved-from-still-there": [app("type: public, moved_from: old"), app("type: public, moved_from: null")],
    "moved-from-twice": ["clients: {a: {type: public, moved_from: o}, b: {type: public, moved_from: p}}\n"],
    "revocation-does-nothing": [app("type: public") + "revocations: [{id: i, client: app, tokens: all}]\n"],
    "revocation-selection-unused": [
        app("type: public") + "revocations: [{id: i, client: app, tokens: all, owner: alice}]\n"
    ],
    "revocation-without-server": [
        app("type: public") + "revocations: [{id: i, client: app, tokens: all, block: [resource, authorization]}]\n",
        servers(BOTH) + app("type: public") + "revocations: [{id: i, client: app, block: [resource]}]\n",
    ],
    "enabled-and-blocked": [
        app("type: public, enabled: false") + "revocations: [{id: i, client: app, block: [resource]}]\n",
        app("type: public, enabled: true") + "revocations: [{id: i, client: app, tokens: all, block: []}]\n",
    ],
    "revoked-and-absent": [app("type: public") + "revocations: [{id: i, client: app, block: [resource]}]\n"],
    "revoked-and-granted": [
        REVOKED + "revocations: [{id: i, client: app, tokens: all, scope: write}]\n",
        REVOKED + "revocations: [{id: i, client: app, tokens: all, block: [resource]}]\n",
        REVOKED + 'revocations: [{id: i, client: app, tokens: {issued_before: "2026-01-01T00:00:00Z"}}]\n',
        REVOKED.replace("type: public", "type: public, enabled: false")
        + "revocations: [{id: i, client: app, tokens: all}]\n",
    ],
    "revocations-contradict": [
        app("type: public")
        + "revocations: [{id: i, client: app, block: [resource], expires: 2027-01-31},"
        + " {id: j, client: app, block: [authorization]}]\n",
        app("type: public")
        + "revocations: [{id: i, client: app, block: [resource], expires: 2027-01-31},"
        + " {id: j, client: app, block: [resource], expires: 2027-01-31}]\n",
    ],
    "external-with-fields": [
        "scopes: {read: {external: true}}\n" + app("external: true, name: App, version: '1', on: [login]"),
        "scopes: {read: {external: false, resources: [a]}}\n",
    ],
    "revocation-expired": [
        app("type: public") + "revocations: [{id: i, client: app, tokens: all, expires: '2999-01-31'}]\n",
        app("type: public") + "revocations: [{id: i, client: app, tokens: all}]\n",
    ],
    "revocation-redundant": [
        app("type: public")
        + "revocations: [{id: i, client: app, tokens: all, owner: a}, {id: j, client: app, tokens: all, owner: b}]\n",
        app("type: public")
        + "revocations: [{id: i, client: app, tokens: all}, {id: j, client: app, tokens: all, owner: a, block: [resource]}]\n",
        app("type: public")
        + "revocations: [{id: i, client: app, tokens: all, owner: a}, {id: j, client: app, tokens: all, scope: s}]\n",
        app("type: public")
        + "revocations: [{id: i, client: app, tokens: all, handles: [a1]}, {id: j, client: app, tokens: all, handles: [b2]}]\n",
    ],
    "prune-without-marks": [
        "policy: {prune: {associations: managed}}\n",
        "policy: {prune: {clients: none, scopes: none}}\n",
    ],
    "protect-pattern-invalid": [
        app("type: public") + f"policy: {{protect: ['{pattern}']}}\n"
        for pattern in ("*", "client/*", "c*/app", "settings", "settings@login", "*@orders", "[cs]*/app")
    ],
    "protect-matches-nothing": [
        app("type: public") + f"settings: {{require_https: true}}\npolicy: {{protect: ['{pattern}']}}\n"
        for pattern in (
            "*",
            "client/a??",
            "client/app@login",
            "client/app@*",
            "*@orders",
            "settings",
            "settings@login",
            "nokind/x",
        )
    ]
    + [REVOKED + "policy: {protect: ['association/app:*']}\n"],
    "policy-limit-over-100": [
        "policy: {limits: {max_updates: 100%, max_deletes: 000100%}}\n",
        "policy: {limits: {max_updates: 1000}}\n",
    ],
    "prune-full-unprotected": [
        "policy: {prune: {clients: managed}}\n",
        app("type: public") + "policy: {prune: {clients: full, scopes: full, associations: full}, protect: ['*']}\n",
    ],
}
