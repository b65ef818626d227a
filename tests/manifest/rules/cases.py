"""Hand-written cases beside the catalogue's examples: for each rule what makes it fire and what nearly does.

A case is a part of a manifest; `helpers.manifest` writes the rest around it.
"""

from __future__ import annotations

SECRET = 'secret: {value: "${env:BATCH_SECRET}"}'
KEYCLOAK = "kc: {role: authorization, driver: keycloak, url: 'https://kc.example.com', options: {realm: shop}}"
AS = "login: {role: authorization, driver: webmethods, url: 'https://as.example.com'}"
RS = "orders: {role: resource, driver: webmethods, url: 'https://rs.example.com', authorization_server: login}"
BOTH = "is: {role: both, driver: webmethods, url: 'https://is.example.com', authorization_server: is}"
IDP = "idp: {role: authorization, driver: external, introspection: {endpoint: 'https://idp.example.com/i', client_id: rs}}"
RFC7591 = "reg: {role: authorization, driver: rfc7591, url: 'https://reg.example.com'}"
OPA = "opa: {role: resource, driver: opa, url: 'https://opa.example.com', authorization_server: login}"
KEYCLOAK = "kc: {role: authorization, driver: keycloak, url: 'https://kc.example.com', options: {realm: a}}"
SCOPES = "scopes: {read: {description: Read, resources: [a]}, write: {description: Write, resources: [a]}}"


def servers(*entries: str) -> str:
    """The section of servers."""
    return "servers:\n" + "".join(f"  {entry}\n" for entry in entries)


def app(text: str) -> str:
    """A section with the one client `app`."""
    return f"clients: {{app: {{{text}}}}}\n"


SECRET_NAMES = (
    "crm.password",
    "crm_password2",
    "crmPassword",
    "db-pwd",
    "client.secret",
    "client.secret.rotated",
    "api_key",
    "apiKey",
    "saml.signing.private.key",
    "callback.token",
    "old.access_token.value",
    "pairwiseSubAlgorithmSalt",
)
"""Names of attributes that say that their value is a secret."""

BOTH_PAIRS = "{client_id: x, client_secret: '${env:RS_SECRET}', username: x, password: '${env:RS_SECRET}'}"
CODE = "redirect_uris: ['https://a.example.com/cb'], grants: [authorization_code"
REVOKED = SCOPES + "\n" + app("type: public") + "associations: [{client: app, scopes: [read]}]\n"

FIRES: dict[str, list[str]] = {
    "client-credentials-on-public": [app(f"type: public, {CODE}, client_credentials]")],
    "password-grant-on-public": [app("type: public, grants: [password]")],
    "password-grant": [app(f"type: confidential, grants: [password, client_credentials], {SECRET}")],
    "implicit-grant": [app(f"type: public, {CODE}, implicit]")],
    "grants-empty": [app("type: public, grants: []"), app("type: public, grants: [], enabled: true")],
    "refresh-grant-alone": [app("type: public, grants: [refresh_token, refresh_token]")],
    "refresh-without-user": [app(f"type: confidential, grants: [refresh_token, client_credentials], {SECRET}")],
    "refresh-grant-without-count": [app(f"type: public, {CODE}, refresh_token], tokens: {{refresh_count: 0}}")],
    "refresh-count-without-grant": [
        app(f"type: public, {CODE}], tokens: {{refresh_count: unlimited}}"),
        app("type: public, grants: [], tokens: {refresh_count: 1}"),
    ],
    "client-type-missing": [app("grants: [authorization_code]"), app("redirect_uris: []"), app(SECRET)],
    "access-token-never-expires": [
        app("type: public, tokens: {access_lifetime: never}"),
        "settings: {overrides: {login: {access_token_lifetime: never}}}\n",
    ],
    "access-token-lifetime-long": [
        "settings: {access_token_lifetime: 86401}\n",
        app("type: public, tokens: {access_lifetime: 2d}"),
        "settings: {overrides: {orders: {access_token_lifetime: P2D}}}\n",
    ],
    "authorization-code-lifetime-long": ["settings: {authorization_code_lifetime: 601s}\n"],
    "lifetime-zero": [
        "settings: {authorization_code_lifetime: 0}\n",
        app("type: public, tokens: {access_lifetime: 0s}"),
    ],
    "lifetime-too-long": [
        "settings: {authorization_code_lifetime: 2147483648}\n",
        app("type: public, tokens: {access_lifetime: 2147483648}"),
    ],
    "refresh-count-out-of-range": [app("type: public, tokens: {refresh_count: 2147483648}")],
    "refresh-unlimited-on-public": [app(f"type: public, {CODE}, refresh_token], tokens: {{refresh_count: unlimited}}")],
    "refresh-unlimited": [app("tokens: {refresh_count: unlimited}")],
    "https-not-required": [
        "settings: {require_https: false}\n",
        "settings: {require_https: true, overrides: {login: {require_https: false}}}\n",
        servers(AS, "here: {role: authorization, driver: webmethods, url: 'http://127.0.0.1:1'}")
        + "settings: {require_https: false}\n",
    ],
    "https-not-required-on-loopback": [
        servers("here: {role: authorization, driver: webmethods, url: 'http://localhost:5555'}")
        + "settings: {require_https: false}\n",
        servers("here: {role: authorization, driver: webmethods, url: 'http://[::1]:5555'}")
        + "settings: {overrides: {here: {require_https: false}}}\n",
    ],
    "pkce-not-required": [
        # null asks for the server's default, which is no on webMethods
        "settings: {require_pkce: null}\n" + app(f"type: public, {CODE}]"),
        "settings: {require_pkce: true, overrides: {login: {require_pkce: false}}}\n" + app(f"type: public, {CODE}]"),
    ],
    "token-endpoint-session": ["settings: {overrides: {login: {token_endpoint_auth: session}}}\n"],
    "server-url-missing": [servers("login: {role: both, driver: webmethods}")],
    "server-url-invalid": [
        servers(f"login: {{role: authorization, driver: webmethods, url: '{url}'}}")
        for url in (
            "ftp://a.example.com",
            "https://",
            "https://u:p@a.example.com",
            "https://a.example.com/?x=1",
            "https://a.example.com/#x",
            "https://a.example.com:99999",
            "https://[::1",
            "",
        )
    ],
    "server-url-not-https": [servers("login: {role: authorization, driver: webmethods, url: 'HTTP://as.example.com'}")],
    "environments-share-server": [
        servers(AS) + "environments: {test: {}, prod: {}}\n",
        servers(AS) + "environments: {test: {}, prod: {servers: {login: {url: 'HTTPS://as.example.com:443/'}}}}\n",
        "variables: {host: {default: as.example.com}}\n"
        + servers(AS.replace("as.example.com", "${var:host}"))
        + "environments: {test: {}, prod: {variables: {host: {default: as.example.com}}}}\n",
        servers(KEYCLOAK) + "environments: {test: {}, prod: {servers: {kc: {options: {create_realm: true}}}}}\n",
    ],
    "server-url-twice": [
        servers(AS, "again: {role: authorization, driver: webmethods, url: 'https://AS.example.com/'}"),
    ],
    "server-paths-nested": [
        servers(
            AS,
            "a: {role: resource, driver: opa, url: 'https://o', authorization_server: login, options: {path: ov/clients}}",
            "b: {role: resource, driver: opa, url: 'https://O:443/', authorization_server: login, options: {path: ov}}",
        ),
    ],
    "tls-not-verified": [
        servers("login: {role: authorization, driver: webmethods, url: 'https://127.0.0.1', tls: {verify: false}}")
    ],
    "introspection-not-https": [
        servers(
            "login: {role: authorization, driver: webmethods, url: 'https://a', introspection: {endpoint: 'http://b/i'}}"
        )
    ],
    "keys-not-https": [
        servers(f"idp: {{role: authorization, driver: external, issuer: 'https://i', jwks_uri: '{url}'}}")
        for url in ("http://idp.example.com/keys", "HTTP://idp.example.com/keys?version=1")
    ],
    "metadata-invalid": [
        *(
            servers(f"idp: {{role: authorization, driver: external, issuer: '{issuer}', jwks_uri: 'https://i/keys'}}")
            for issuer in ("idp", "https://i?tenant=1", "https://i#a", "https://u:p@i", "", "urn:example:idp")
        ),
        *(
            servers(f"idp: {{role: authorization, driver: external, issuer: 'https://i', jwks_uri: '{keys}'}}")
            for keys in ("keys", "https://u:p@i/keys", "file:///keys.json", "https://[::1")
        ),
    ],
    "resource-server-trusts-nobody": [servers(AS, "rs: {role: resource, driver: webmethods, url: 'https://rs'}")],
    "authorization-server-not-trusted": [servers(AS, BOTH), servers(AS, IDP, RS)],
    "server-field-without-use": [
        servers(AS, RS.replace("orders:", "rs:").replace("}", ", introspection: {client_id: x}}")),
        servers("login: {role: authorization, driver: webmethods, url: 'https://a', authorization_server: login}"),
        servers("login: {role: authorization, driver: webmethods, url: 'https://a', audience: orders}"),
        servers(AS, RS.replace("}", ", issuer: 'https://a'}")),
        servers(AS, RS.replace("}", ", jwks_uri: 'https://a/keys'}")),
        servers(AS, RS.replace("}", ", audience: orders}")),
        servers(BOTH.replace("}", ", issuer: 'https://is', jwks_uri: 'https://is/keys'}")),
        servers(AS.replace("}", ", issuer: 'https://as'}"), OPA),
        servers(BOTH.replace("}", ", introspection: {username: x}}")),
        servers(BOTH.replace("}", ", introspection: {username: x, password: '${env:RS_SECRET}', user: u}}")),
        servers(AS.replace("}", ", introspection: {endpoint: 'https://a/i', username: x}}"), RS),
        servers(AS.replace("}", ", introspection: {username: x, client_secret: '${env:RS_SECRET}'}}"), RS),
        *(
            servers(AS.replace("}", f", introspection: {{client_id: x, {field}: '${{env:RS_SECRET}}'}}}}"), RS)
            for field in ("username", "password")
        ),
        servers(AS.replace("}", f", introspection: {BOTH_PAIRS}}}"), RS),
        *(
            servers(AS.replace("}", f", introspection: {{username: x, {field}: x}}}}"), RS)
            for field in ("user", "default_scope")
        ),
    ],
    "secret-in-manifest": [
        servers(IDP.replace("client_id: rs", "client_id: rs, client_secret: plain")),
        servers(IDP.replace("client_id: rs", "username: rs, password: plain")),
        servers("g: {role: authorization, driver: glewlwyd, url: 'https://g', credentials: {phrase: plain}}"),
        *(app(f"options: {{keycloak: {{attributes: {{{name}: plain}}}}}}") for name in SECRET_NAMES),
        app("options: {keycloak: {protocol_mappers: {m: {type: t, config: {api.key: plain}}}}}"),
        "scopes: {read: {options: {keycloak: {attributes: {crm.password: plain}}}}}",
    ],
    "secret-empty": [
        app('type: confidential, secret: {value: ""}'),
        servers("g: {role: authorization, driver: glewlwyd, url: 'https://g', credentials: {phrase: '${env:X:-}'}}"),
    ],
    "secret-on-public-client": [app("type: public, secret: {generate: true, deliver_to: {file: a.env}}")],
    "secret-not-received": [app("type: confidential, on: [login]")],
    "secret-revision-without-effect": [
        app("type: confidential, secret: {revision: 2, generate: true, deliver_to: {file: a.env}}")
    ],
    "secret-without-source": [
        app("type: confidential, secret: {}"),
        app("type: confidential, secret: {generate: false}"),
        app("type: confidential, secret: {value: null}"),
    ],
    "secret-file-shared": [
        "clients:\n"
        + "".join(
            f"  c{n}: {{type: confidential, secret: {{generate: true, deliver_to: {{file: a.env}}}}}}\n"
            for n in range(3)
        )
    ],
    "secret-value-not-supported": [servers(AS, RFC7591) + app(f"type: confidential, {SECRET}")],
    "secret-generate-not-supported": [
        servers(AS, "g: {role: authorization, driver: glewlwyd, url: 'https://g'}")
        + app("type: confidential, secret: {generate: true, deliver_to: {file: a.env}}")
    ],
    "scope-name-characters": [
        f"scopes: {{{name}: {{description: d, resources: [a]}}}}\n"
        for name in ('"a b"', "'a\"b'", "'a\\b'", '"é"', '"a\\u007fb"', '""', '"a\\tb"')
    ],
    "name-not-accepted": [
        'scopes: {"a,b": {description: d, resources: [a]}}\n',
        f"scopes: {{{'s' * 101}: {{description: d, resources: [a]}}}}\n",
        "clients: {'a;b': {type: public}}\n",
        app('type: public, version: "1/2"'),
        servers(KEYCLOAK) + f"clients: {{{'k' * 256}: {{type: public, name: Shop}}}}\n",
        servers(KEYCLOAK) + app(f"type: public, name: {'n' * 256}"),
    ],
    "value-not-accepted": [
        servers(KEYCLOAK)
        + app("type: public, redirect_uris: ['https://a.example.com/b', 'https://a.example.com/[c]']"),
        servers(KEYCLOAK) + app(f"type: public, description: {'d' * 256}"),
        servers(KEYCLOAK) + app(f"type: public, description: {chr(0x1F600) * 128}"),
        servers(KEYCLOAK) + app(f"type: public, redirect_uris: ['https://shop.example.com/{'d' * 231}']"),
        servers(KEYCLOAK) + f"scopes: {{a: {{description: {'d' * 256}}}}}\n",
    ],
    "client-name-twice": [
        "clients: {a: {name: x, type: public}, b: {name: x, type: public}}\n",
        # the version that is not written is webMethods' default, 1
        'clients: {a: {name: x, version: "1", type: public}, b: {name: x, type: public}}\n',
        "clients: {a: {name: b, type: public}, b: {type: public}}\n",
    ],
    "scope-names-alike": ["scopes: {a.b: {description: d, resources: [a]}, A.B: {description: e, resources: [a]}}\n"],
    "scope-description-missing": [
        'scopes: {a: {description: "", resources: [a]}}\n',
        "scopes: {a: {description: null, resources: [a]}}\n",
        "scopes: {a: {description: ' ', resources: [a]}}\n",
    ],
    "scope-opens-nothing": [
        "scopes: {a: {description: d, resources: [], url_templates: []}}\n",
        "scopes: {a: {description: d, resources: null}}\n",
    ],
    "scope-not-on-resource-server": ["scopes: {a: {description: d, resources: [x], on: [login]}}\n"],
    "scope-not-obtainable": [
        SCOPES + "\nassociations: []\n",
        SCOPES + "\n" + app("type: public") + "associations: [{scope: read, clients: [app]}]\n",
    ],
    "association-has-no-server": [
        "scopes: {read: {description: d, resources: [a], on: [orders]}}\n"
        + app("type: public")
        + "associations: [{scope: read, clients: [app]}]\n",
        servers(AS, "other: {role: authorization, driver: webmethods, url: 'https://o'}")
        + "scopes: {read: {description: d, on: [login]}}\n"
        + app("type: public, on: [other]")
        + "associations: [{client: app, scopes: [read]}]\n",
    ],
    "client-not-on-resource-server": [app("type: public, on: [login]")],
    "on-nothing": ["scopes: {a: {description: d, resources: [a], on: []}}\n"],
    "account-not-resource-owner": [
        app(f"type: confidential, grants: [client_credentials], {SECRET}") + "resource_owners: []\n",
        servers(BOTH) + app(f"type: confidential, grants: [client_credentials], {SECRET}") + "resource_owners: [x]\n",
    ],
    "resource-owners-unchecked": [
        servers(AS) + app(f"type: public, {CODE}]") + "resource_owners: [alice]\n",
        servers(IDP, "rs: {role: resource, driver: webmethods, url: 'https://rs', authorization_server: idp}")
        + "resource_owners: [alice]\n",
    ],
    "not-supported": [
        servers(RFC7591) + app("type: public, enabled: true"),
        servers(RFC7591) + app("type: public, enabled: null"),
        servers(RFC7591) + app("type: public, tokens: {refresh_count: 1}"),
        servers(RFC7591) + app(f"type: public, {CODE}, implicit]"),
        servers(RFC7591) + app("type: public, moved_from: old"),
        servers(RFC7591) + "settings: {require_https: true}\n",
        servers(AS, RFC7591) + "settings: {require_https: true}\n",
        servers(RFC7591) + "settings: {overrides: {reg: {require_pkce: true}}}\n",
        servers(RFC7591) + "revocations: [{id: i, client: app, block: [authorization]}]\n",
        servers(RFC7591) + 'revocations: [{id: i, client: app, tokens: {issued_before: "2026-01-01T00:00:00Z"}}]\n',
        servers(RFC7591) + "revocations: [{id: i, client: app, tokens: all, owner: alice}]\n",
        servers(RFC7591) + "revocations: [{id: i, client: app, tokens: all, scope: read}]\n",
        servers(AS, OPA) + "scopes: {a: {description: d, url_templates: [GET_a/b]}}\n",
        # with no server on the side that should hold it, the other side must
        servers("opa: {role: resource, driver: opa, url: 'https://o', authorization_server: idp}", IDP)
        + app("type: public, tokens: {refresh_count: 1}"),
    ],
    "support-untested": [servers(AS, OPA) + app("type: public, enabled: false")],
    "on-server-cannot-hold": [
        servers(AS, RFC7591) + "scopes: {a: {description: d, on: [reg]}}\n",
    ],
    "section-without-server": [
        servers(IDP) + "scopes: {a: {description: d}}\n",
        servers(RFC7591) + "scopes: {a: {description: d}}\n",
        servers(IDP) + "settings: {require_https: true}\n",
        servers(AS, IDP) + "settings: {overrides: {idp: {require_https: true}}}\n",
    ],
    "absent-client-in-use": [
        SCOPES + "\nclients: {app: {state: absent}}\nassociations: [{scope: read, clients: [app]}]\n",
    ],
    "absent-scope-in-use": [
        "scopes: {read: {state: absent}}\n" + app("type: public") + "associations: [{scope: read, clients: [app]}]\n",
    ],
    "association-duplicate": [
        SCOPES + "\n" + app("type: public") + "associations: [{client: app, scopes: [read, write, read]}]\n",
    ],
    "association-as-differs": [
        servers(KEYCLOAK)
        + "scopes: {read: {}}\n"
        + app("type: public, options: {keycloak: {default_scopes: []}}")
        + "associations: [{client: app, scopes: [read], as: default}]\n",
        servers(KEYCLOAK)
        + "scopes: {read: {}}\n"
        + app("type: public")
        + "associations: [{client: app, scopes: [read], as: default}, {client: app, scopes: [read], as: optional}]\n",
    ],
    "default-scope-not-associated": [
        servers(KEYCLOAK)
        + "scopes: {read: {}, write: {}}\n"
        + app("type: public, options: {keycloak: {default_scopes: [read, write]}}")
        + "associations: [{client: app, scopes: [read]}]\n",
    ],
    "moved-from-still-there": [
        app("type: public, moved_from: app"),
        "clients: {new: {type: public, moved_from: old}, old: {state: absent}}\n",
    ],
    "moved-from-twice": [
        "clients: {a: {type: public, moved_from: o}, b: {type: public}, c: {type: public, moved_from: o}}\n",
    ],
    "revocation-does-nothing": [
        app("type: public") + "revocations: [{id: i, client: app, block: []}]\n",
        app("type: public") + "revocations: [{id: i, client: app, tokens: null, block: null}]\n",
    ],
    "revocation-selection-unused": [
        app("type: public") + "revocations: [{id: i, client: app, scope: s, block: [resource]}]\n"
    ],
    "revocation-without-server": [
        app("type: public, on: [orders]") + "revocations: [{id: i, client: app, tokens: all}]\n",
        app("type: public, on: [login]") + "revocations: [{id: i, client: app, block: [authorization, resource]}]\n",
    ],
    "enabled-and-blocked": [
        app("type: public, enabled: true") + "revocations: [{id: i, client: app, block: [authorization]}]\n",
    ],
    "revoked-and-absent": ["clients: {app: {state: absent}}\nrevocations: [{id: i, client: app, block: [resource]}]\n"],
    "revoked-and-granted": [
        REVOKED + "revocations: [{id: i, client: app, tokens: all, scope: read}]\n",
        REVOKED + "revocations: [{id: i, client: app, tokens: all, owner: alice}]\n",
    ],
    "revocations-contradict": [
        app("type: public")
        + "revocations: [{id: i, client: app, block: [resource]},"
        + " {id: j, client: app, block: [resource], expires: 2027-01-31}]\n",
    ],
    "external-with-fields": [
        "scopes: {read: {external: true, resources: [a]}}\n",
        app("external: true, type: public"),
        app("external: true, state: absent"),
    ],
    "revocation-expired": [
        app("type: public") + "revocations: [{id: i, client: app, tokens: all, expires: '2026-01-31'}]\n",
        app("type: public") + "revocations: [{id: i, client: app, block: [resource], expires: '2020-01-31'}]\n",
    ],
    "revocation-redundant": [
        app("type: public")
        + "revocations: [{id: i, client: app, tokens: all, owner: alice}, {id: j, client: app, tokens: all}]\n",
        app("type: public") + "revocations: [{id: i, client: app, tokens: all}, {id: j, client: app, tokens: all}]\n",
        app("type: public")
        + "revocations: [{id: i, client: app, tokens: all, handles: [a1]}, {id: j, client: app, tokens: all}]\n",
    ],
    "protect-pattern-invalid": ["policy: {protect: [web-shop]}\n", "policy: {protect: ['']}\n"],
    "protect-matches-nothing": [
        "policy: {protect: ['client/*']}\n",
        app("type: public") + "policy: {protect: ['client/*@nowhere']}\n",
    ],
    "prune-without-marks": [
        "policy: {prune: {clients: managed}}\n",
        "policy: {prune: {scopes: managed}}\n",
    ],
    "policy-limit-over-100": [
        "policy: {limits: {max_updates: 101%}}\n",
        f"policy: {{limits: {{max_deletes: {'9' * 5000}%}}}}\n",
    ],
    "prune-full-unprotected": [
        "policy: {prune: {scopes: full}}\n",
        app("type: public") + "policy: {prune: {associations: full}, protect: [client/app]}\n",
        app("type: public") + "policy: {prune: {clients: full}, protect: [client/batch]}\n",
    ],
}
