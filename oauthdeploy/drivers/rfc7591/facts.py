"""What is known, without a server, of servers that speak RFC 7591 and RFC 7592.

A server may do less than these allow; `check` and the registry find out what it lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.rfc7591.fields import FIELDS
from oauthdeploy.drivers.rfc7591.notices import NOTICES
from oauthdeploy.model.capabilities import (
    Capability,
    DriverFacts,
    Endpoints,
    Limit,
    SideEffect,
    Support,
    left_out,
    no,
    untested,
    yes,
)
from oauthdeploy.model.fields import Flag, Model, Text, TextSet
from oauthdeploy.model.servers import Role


class RegistrationCredentials(Model):
    """The key of the registry, and the initial access token if the server asks for one (RFC 7591 section 3)."""

    registry_key: Secret = Field(
        description="The key that encrypts the registry: 32 random bytes in URL-safe Base64.",
        examples=["${keyring:oauthdeploy/registry}"],
    )
    former_registry_key: Secret | None = Field(
        None, description="The key before it, while it is being replaced: the next write encrypts with the new one."
    )
    initial_access_token: Secret | None = Field(
        None, description="The token that a registration needs.", examples=["${env:LOGIN_TOKEN}"]
    )


class RegistrationOptions(Model):
    """Where the registry is, and what the server's metadata does not say."""

    registry: Text = Field(
        min_length=1,
        description="The file with the client ids and registration access tokens, encrypted; relative to the manifest's folder. "
        "All who apply the manifest must use the same file.",
        examples=["/mnt/team/login.registry"],
    )
    registration_endpoint: Text | None = Field(
        None,
        pattern=r"^https?://[^\s#]+$",
        description="The address of registrations; default: registration_endpoint of the server's metadata.",
    )
    update: Flag | None = Field(
        None,
        description="Whether the server changes clients (RFC 7592 section 2.2); false: a changed client is replaced. Default: it "
        "does until it refuses to, which the registry remembers.",
    )
    empty_scope: Text | None = Field(
        None,
        pattern=r"^[!#-\[\]-~]+$",
        description="A scope of the server that grants nothing, for clients that may request no scope.",
    )
    ended: TextSet | None = Field(
        None,
        description="The ids of lost registrations that no longer exist at the server, so that they are not named again.",
    )


class Registration(Model):
    """A client that was registered without oauthdeploy: where it is managed, and with which token (RFC 7592 section 3)."""

    client_uri: Text = Field(
        pattern=r"^https?://[^\s#]+$",
        description="The registration_client_uri of the client.",
        examples=["https://login.example.com/register/s6BhdRkqt3"],
    )
    access_token: Secret = Field(
        description="The registration_access_token of the client.", examples=["${env:WEB_SHOP_REGISTRATION_TOKEN}"]
    )


class RegistrationClientOptions(Model):
    """What the model lacks of a client, by the names of RFC 7591 and OpenID Connect."""

    registration: Registration | None = Field(
        None,
        description="How to reach a client that the registry does not have, for adopt; ignored once the registry has it.",
    )
    token_endpoint_auth_method: (
        Literal["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"] | None
    ) = Field(None, description="How a confidential client authenticates (RFC 7591 section 2).")
    client_uri: Text | None = Field(None, description="The client's home page.")
    logo_uri: Text | None = Field(None, description="The client's logo.")
    tos_uri: Text | None = Field(None, description="The client's terms of service.")
    policy_uri: Text | None = Field(None, description="The client's privacy policy.")
    jwks_uri: Text | None = Field(None, description="The client's public keys, for private_key_jwt.")
    software_id: Text | None = Field(None, description="What software the client is.")
    software_version: Text | None = Field(None, description="The version of that software.")
    software_statement: Text | None = Field(
        None, description="A signed statement about the software (RFC 7591 section 2.3)."
    )
    application_type: Literal["web", "native"] | None = Field(
        None, description="Whether the client is a web server or an app (OpenID Connect Registration section 2)."
    )
    subject_type: Literal["public", "pairwise"] | None = Field(
        None, description="Who a user is to the client (OpenID Connect Registration section 2)."
    )
    post_logout_redirect_uris: TextSet | None = Field(None, description="Where users may be sent after a logout.")


_NO_TRUST: Final = no("an authorization server does not introspect tokens elsewhere")
_NO_TOKENS: Final = no("a token is revoked only by the client that holds it (RFC 7009 section 2.1)")
_BY_METADATA: Final = "if grant_types_supported of the metadata has it"

CAPABILITIES: Final[Mapping[Role, Mapping[Capability, Support]]] = {
    Role.AUTHORIZATION: {
        Capability.SETTINGS: no("RFC 7591 is about clients; no request changes the server's settings"),
        Capability.SCOPES: no("a scope is a word in the scope of the clients that may request it"),
        Capability.CLIENTS: yes("those that the registry has"),
        Capability.CLIENTS_LIST: no("RFC 7592 has no list: each client takes a request of its own"),
        Capability.CLIENT_UPDATE: yes("a server without PUT replaces a client (RFC 7592 section 2.2)"),
        Capability.CLIENT_TYPE_CHANGE: left_out(
            "a server need not make the secret that a confidential client needs (RFC 7592 section 2.2), so it is replaced"
        ),
        Capability.CLIENT_ID_CHOICE: no("the server chooses the client_id (RFC 7591 section 3.2.1)"),
        Capability.CLIENT_SECRET_CHOICE: no("the server chooses secrets (RFC 7591 section 3.2.1)"),
        Capability.CLIENT_SECRET_GENERATE: yes(),
        Capability.CLIENT_SECRET_READ: no("a secret that the server chose has nothing to be compared with"),
        Capability.CLIENT_SECRET_ROTATE: no("no request asks for a new secret (RFC 7592 section 2.2)"),
        Capability.CLIENT_RENAME: yes("the key is in the registry alone: the id, the secret and the tokens stay"),
        Capability.GRANT_IMPLICIT: yes(_BY_METADATA),
        Capability.GRANT_PASSWORD: untested(_BY_METADATA),
        Capability.GRANT_DEVICE_CODE: yes(_BY_METADATA),
        Capability.GRANT_CIBA: untested(_BY_METADATA),
        Capability.GRANT_TOKEN_EXCHANGE: untested(_BY_METADATA),
        Capability.ASSOCIATIONS: yes("as words in the scope of a client"),
        Capability.TRUST: _NO_TRUST,
        Capability.TRUST_REMOTE: _NO_TRUST,
        Capability.TRUST_EXTERNAL: _NO_TRUST,
        Capability.TRUST_JWT: _NO_TRUST,
        Capability.TOKENS_LIST: no("neither RFC 7009 nor RFC 7662 lists tokens"),
        Capability.TOKENS_DELETE: _NO_TOKENS,
        Capability.TOKENS_BY_TIME: _NO_TOKENS,
        Capability.TOKENS_BY_OWNER: _NO_TOKENS,
        Capability.TOKENS_BY_SCOPE: _NO_TOKENS,
        Capability.TOKENS_BY_HANDLE: _NO_TOKENS,
        Capability.BLOCK_CLIENT: no("a client cannot be disabled, only deleted (RFC 7592 section 2.3)"),
        Capability.USERS_LIST: no("RFC 7591 is about clients; no request lists users"),
        Capability.MARKS: yes("in the registry"),
        Capability.LEASE: no("no request of RFC 7592 is conditional on who made the last one"),
    }
}

NAMES: Final[Mapping[Kind, Limit]] = {
    # RFC 6749, appendix A.4: scope-token.
    Kind.SCOPE: Limit(r"[!#-\[\]-~]+", None, 'printable ASCII without space, quotation mark and backslash (" \\)'),
}


def endpoints(url: str, options: Model) -> Endpoints:  # noqa: ARG001 - the interface of all drivers
    """The issuer is the address unless the entry has another; its endpoints stand in metadata, which takes a request."""
    return Endpoints(issuer=url)


FACTS: Final = DriverFacts(
    name="rfc7591",
    title="Dynamic client registration (RFC 7591, RFC 7592)",
    roles=frozenset({Role.AUTHORIZATION}),
    credentials=RegistrationCredentials,
    options=RegistrationOptions,
    capabilities=CAPABILITIES,
    fields={Role.AUTHORIZATION: FIELDS},
    client_options=RegistrationClientOptions,
    names=NAMES,
    side_effects=(
        SideEffect(Kind.CLIENT, "its client id and secret, which applications are configured with, and its tokens"),
    ),
    endpoints=endpoints,
    block_proof={Role.AUTHORIZATION: no("a client cannot be disabled")},
    lockouts=no(
        "a registration access token belongs to one client, and an initial access token to none that is managed"
    ),
    notices=NOTICES,
    proved_against="oidc-provider 9.13, nanoidp 3.4, Ory Hydra 2.3",
    absence=no(
        "a refused token is not absence (RFC 7592 section 2): such a client is named, and neither made nor deleted"
    ),
    protecting=frozenset({"token_endpoint_auth_method", "software_statement"}),
    beyond="its settings, its users, and every client that the registry does not have",
    registry_option="registry",
)
