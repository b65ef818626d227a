"""What is known of Keycloak without a server.

Source: the admin REST API of Keycloak 26.7 and the Server Administration Guide; each line was tried on a real 26.7.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.keycloak.fields import COLUMN, FIELDS
from oauthdeploy.drivers.keycloak.notices import NOTICES
from oauthdeploy.drivers.keycloak.options import (
    DRIVER_NAME,
    KeycloakClientOptions,
    KeycloakScopeOptions,
    KeycloakSettingsOptions,
)
from oauthdeploy.model.capabilities import (
    Capability,
    DriverFacts,
    Endpoints,
    Interruption,
    Limit,
    SideEffect,
    Support,
    no,
    yes,
)
from oauthdeploy.model.fields import Flag, Model, Text
from oauthdeploy.model.held_fields import Unit
from oauthdeploy.model.objects import AS, Grant
from oauthdeploy.model.servers import Role

MASTER: Final = "master"
"""The realm of the administrators of all realms."""

BUILT_IN_CLIENTS: Final = frozenset(
    {"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}
)
"""The clients that Keycloak creates in every realm and needs itself."""

BUILT_IN_SCOPES: Final = frozenset(
    {
        "acr",
        "address",
        "basic",
        "email",
        "microprofile-jwt",
        "offline_access",
        "organization",
        "phone",
        "profile",
        "roles",
        "service_account",
        "web-origins",
    }
)
"""The OpenID Connect client scopes that Keycloak creates in every realm."""


def _realm(name: str) -> str:
    if name in (".", "..") or not name.isprintable() or set(name) & set('/\\?#%"<>&;{}[]^`|'):
        raise ValueError("write a realm name without / ? # % or similar characters")
    return name


def _managed_realm(name: str) -> str:
    if name.lower() == MASTER:
        raise ValueError("the realm master is reserved for administration and is never managed; choose another realm")
    return _realm(name)


RealmName = Annotated[Text, AfterValidator(_realm)]


def token_path(realm: str) -> str:
    """The token endpoint of a realm, below the server's address (OpenID Connect metadata `token_endpoint`)."""
    return f"{_realm_path(realm)}/protocol/openid-connect/token"


def _realm_path(realm: str) -> str:
    return f"/realms/{quote(realm, safe='')}"


class KeycloakCredentials(Model):
    """A service account (client_id and client_secret), or a user (username and password)."""

    realm: RealmName = Field(
        MASTER, min_length=1, description="The realm that the account belongs to; default: master.", examples=[MASTER]
    )
    client_id: Text | None = Field(
        None,
        min_length=1,
        description="The client that signs in; default with username and password: admin-cli.",
        examples=["oauthdeploy"],
    )
    client_secret: Secret | None = Field(
        None, description="Its secret; a public client such as admin-cli has none.", examples=["${env:LOGIN_SECRET}"]
    )
    username: Text | None = Field(None, min_length=1, description="The user that signs in, if a user does.")
    password: Secret | None = Field(None, description="Its password.", examples=["${env:LOGIN_PASSWORD}"])

    @model_validator(mode="after")
    def _one_way(self) -> KeycloakCredentials:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password must be given together")
        if self.username is None and (self.client_id is None or self.client_secret is None):
            raise ValueError("write client_id and client_secret, or username and password")
        return self

    @property
    def account(self) -> str:
        """Who signs in, in words."""
        return self.username or self.client_id or ""

    @property
    def form(self) -> Mapping[str, str | Secret]:
        """The token request (RFC 6749 sections 4.3.2 and 4.4.2)."""
        found: dict[str, str | Secret] = {"client_id": self.client_id or "admin-cli"}
        if self.client_secret is not None:
            found["client_secret"] = self.client_secret
        if self.username is None or self.password is None:
            return {"grant_type": "client_credentials", **found}
        return {"grant_type": "password", **found, "username": self.username, "password": self.password}


class KeycloakOptions(Model):
    """Which realm of the server is managed."""

    realm: Annotated[Text, AfterValidator(_managed_realm)] = Field(
        min_length=1,
        max_length=255,
        description="The realm to manage; never master.",
        examples=["payments"],
    )
    create_realm: Flag = Field(False, description="Create the realm if it does not exist.")


CAPABILITIES: Final[Mapping[Role, Mapping[Capability, Support]]] = {
    Role.AUTHORIZATION: {
        Capability.SETTINGS: yes(),
        Capability.SCOPES: yes("as client scopes"),
        Capability.CLIENTS: yes(),
        Capability.CLIENTS_LIST: yes(),
        Capability.CLIENT_UPDATE: yes(),
        Capability.CLIENT_TYPE_CHANGE: yes(),
        Capability.CLIENT_ID_CHOICE: yes("the key is the client_id"),
        Capability.CLIENT_SECRET_CHOICE: yes(),
        Capability.CLIENT_SECRET_GENERATE: yes(),
        Capability.CLIENT_SECRET_READ: yes("even with view rights alone"),
        Capability.CLIENT_SECRET_ROTATE: yes(),
        Capability.CLIENT_RENAME: yes(
            "the key is the client_id, so the client needs its new one, and its tokens stop working"
        ),
        Capability.GRANT_IMPLICIT: yes(),
        Capability.GRANT_PASSWORD: yes(),
        Capability.GRANT_DEVICE_CODE: yes(),
        Capability.GRANT_CIBA: yes(),
        Capability.GRANT_TOKEN_EXCHANGE: yes(),
        Capability.ASSOCIATIONS: yes("as optional or default client scopes"),
        Capability.TRUST: no("an authorization server does not introspect tokens elsewhere"),
        Capability.TRUST_REMOTE: no("an authorization server does not introspect tokens elsewhere"),
        Capability.TRUST_EXTERNAL: no("an authorization server does not introspect tokens elsewhere"),
        Capability.TRUST_JWT: no("an authorization server does not introspect tokens elsewhere"),
        Capability.TOKENS_LIST: no(
            "only users' sessions are listed; tokens without a session, such as those of client credentials, are not"
        ),
        Capability.TOKENS_DELETE: yes("sets not-before and ends sessions"),
        Capability.TOKENS_BY_TIME: yes("by not-before"),
        Capability.TOKENS_BY_OWNER: no("not-before applies to a whole client, or to a user at every client"),
        Capability.TOKENS_BY_SCOPE: no("not-before applies to a whole client"),
        Capability.TOKENS_BY_HANDLE: no("tokens are not listed, and not-before applies to a whole client"),
        Capability.BLOCK_CLIENT: yes(),
        Capability.USERS_LIST: yes("requires the role view-users"),
        Capability.MARKS: yes("in attributes of clients and client scopes"),
        Capability.LEASE: no(
            "no write of the admin API is conditional, so a lease could not be renewed or taken over safely"
        ),
    }
}

NAMES: Final[Mapping[Kind, Limit]] = {
    Kind.SCOPE: Limit(
        r"[\x21\x23-\x5b\x5d-\x7e]+",
        COLUMN,
        'printable ASCII without space, quotation mark and backslash (" \\)',
    ),
    Kind.CLIENT: Limit(
        r"[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*",
        COLUMN,
        "no control characters, and not blank",
        Unit.UTF16,
    ),
}


SIDE_EFFECTS: Final = (
    SideEffect(Kind.CLIENT, "its own roles, and their assignments"),
    SideEffect(Kind.CLIENT, "its sessions and its service account, with that account's roles and groups"),
    SideEffect(
        Kind.CLIENT,
        "its service account, with that account's roles and groups",
        field="grants",
        gone=Grant.CLIENT_CREDENTIALS,
    ),
    SideEffect(Kind.SCOPE, "its mappers and role mappings outside the manifest, and its assignments to other clients"),
)
"""Tried on a real server: what is created again has none of it."""


def endpoints(url: str, options: Model) -> Endpoints:
    """What a realm returns at /.well-known/openid-configuration, derived without a request."""
    realm = getattr(options, "realm", "")
    if not realm:
        return Endpoints()
    issuer = url.rstrip("/") + _realm_path(realm)
    protocol = f"{issuer}/protocol/openid-connect"
    return Endpoints(
        issuer=issuer,
        jwks_uri=f"{protocol}/certs",
        introspection=f"{protocol}/token/introspect",
        token=f"{protocol}/token",
        revocation=f"{protocol}/revoke",
    )


FACTS: Final = DriverFacts(
    name=DRIVER_NAME,
    title="Keycloak",
    roles=frozenset({Role.AUTHORIZATION}),
    credentials=KeycloakCredentials,
    options=KeycloakOptions,
    capabilities=CAPABILITIES,
    fields={Role.AUTHORIZATION: FIELDS},
    client_options=KeycloakClientOptions,
    scope_options=KeycloakScopeOptions,
    settings_options=KeycloakSettingsOptions,
    names=NAMES,
    side_effects=SIDE_EFFECTS,
    interruptions=(
        Interruption(
            Kind.ASSOCIATION,
            AS,
            "A scope that moves between the default and the optional scopes is unassigned in between: Keycloak ignores an "
            "assignment to the other list until then.",
        ),
        Interruption(
            Kind.CLIENT,
            "secret.revision",
            "The old secret stops working before the new one is delivered, unless a client policy of the realm keeps the old one "
            "(secret_rotation in the options of the settings).",
        ),
    ),
    endpoints=endpoints,
    block_proof={Role.AUTHORIZATION: yes("a disabled client gets no tokens, and its tokens are inactive")},
    lockouts=yes("the client, its grant, secret, scopes and roles, and rules of the realm, such as HTTPS"),
    notices=NOTICES,
    proved_against="Keycloak 26.7.3",
    absence=no(
        "lists omit what the account may not view; the driver checks the roles in the access token, at the realm's "
        "fine-grained permissions and at a request that asks for the right to view all clients"
    ),
    located_by=("realm",),
    protecting=frozenset(
        {
            *("pkce_method", "full_scope_allowed", "client_authenticator", "consent_required", "require_par"),
            *("dpop_bound", "mtls_bound", "access_token_signature", "authentication_flows", "protocol_mappers"),
            *("audiences", "ssl_required", "revoke_refresh_token", "reject_implicit", "reject_password"),
            "secret_rotation",
        }
    ),
    default_scopes_option="default_scopes",
    # OpenID Connect Core 1.0 section 3.1.2.1: the scope that makes a request one of OpenID Connect.
    implied_scopes=frozenset({"openid"}),
    beyond="users, groups, roles and who has them, identity providers, authentication flows, authorization services and keys",
)
