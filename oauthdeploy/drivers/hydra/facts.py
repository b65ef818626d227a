"""What is known of Ory Hydra without a server.

Source: the admin REST API of Ory Hydra 2.3; each line was tried on a real 2.3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, model_validator

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.hydra.fields import FIELDS
from oauthdeploy.drivers.hydra.notices import NOTICES
from oauthdeploy.model.capabilities import (
    Capability,
    DriverFacts,
    Endpoints,
    Interruption,
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


class HydraCredentials(Model):
    """How oauthdeploy authenticates to the gateway in front of Hydra's admin API: a bearer token, a user, or not at all on a
    closed network.
    """

    token: Secret | None = Field(None, description="The bearer token.", examples=["${env:LOGIN_TOKEN}"])
    username: Text | None = Field(None, min_length=1, description="The user, for HTTP Basic.")
    password: Secret | None = Field(None, description="Its password.", examples=["${env:LOGIN_PASSWORD}"])

    @model_validator(mode="after")
    def _one_way(self) -> HydraCredentials:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password must be given together")
        if self.token is not None and self.username is not None:
            raise ValueError("write token, or username and password")
        return self


class HydraOptions(Model):
    """Where clients and resource servers find Hydra."""

    public_url: Text | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        description="The address of the public endpoints, which is the issuer of tokens (urls.self.issuer). Resource servers "
        "need it to verify tokens.",
        examples=["https://login.example.com"],
    )


class HydraClientOptions(Model):
    """What the model lacks of a client, by the names of RFC 7591, OpenID Connect and Hydra."""

    audience: TextSet | None = Field(None, description="The audiences that the client may request.")
    post_logout_redirect_uris: TextSet | None = Field(None, description="Where users may be sent after a logout.")
    allowed_cors_origins: TextSet | None = Field(None, description="The origins that may call the public endpoints.")
    client_uri: Text | None = Field(None, description="The client's home page.")
    logo_uri: Text | None = Field(None, description="The client's logo.")
    policy_uri: Text | None = Field(None, description="The client's privacy policy.")
    tos_uri: Text | None = Field(None, description="The client's terms of service.")
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] | None = Field(
        None, description="How a confidential client authenticates (RFC 7591 section 2)."
    )
    jwks_uri: Text | None = Field(None, description="The client's public keys, for private_key_jwt.")
    access_token_strategy: Literal["", "jwt", "opaque"] | None = Field(
        None, description="Whether access tokens are JWTs or opaque; empty: as the server is configured."
    )
    subject_type: Literal["public", "pairwise"] | None = Field(None, description="Who a user is to the client.")
    skip_consent: Flag | None = Field(None, description="Whether users are not asked for consent.")


_NO_TRUST: Final = no("an authorization server does not introspect tokens elsewhere")

CAPABILITIES: Final[Mapping[Role, Mapping[Capability, Support]]] = {
    Role.AUTHORIZATION: {
        Capability.SETTINGS: no("settings are in Hydra's own configuration, which no request changes"),
        Capability.SCOPES: no("a scope is a word in the scope of the clients that may request it"),
        Capability.CLIENTS: yes(),
        Capability.CLIENTS_LIST: yes(),
        Capability.CLIENT_UPDATE: yes(),
        Capability.CLIENT_TYPE_CHANGE: yes(),
        Capability.CLIENT_ID_CHOICE: yes("the key is the client_id"),
        Capability.CLIENT_SECRET_CHOICE: yes(),
        Capability.CLIENT_SECRET_GENERATE: yes(),
        Capability.CLIENT_SECRET_READ: no("only a hash of the secret is stored"),
        Capability.CLIENT_SECRET_ROTATE: yes(),
        Capability.CLIENT_RENAME: no("the id of a client cannot change"),
        Capability.GRANT_IMPLICIT: yes(),
        Capability.GRANT_PASSWORD: left_out("Hydra stores any grant type, and has no password grant"),
        Capability.GRANT_DEVICE_CODE: left_out("Hydra 2.3 stores any grant type, and has no device grant"),
        Capability.GRANT_CIBA: left_out("Hydra stores any grant type, and has no CIBA grant"),
        Capability.GRANT_TOKEN_EXCHANGE: left_out("Hydra stores any grant type, and exchanges no tokens"),
        Capability.ASSOCIATIONS: yes("as words in the scope of a client"),
        Capability.TRUST: _NO_TRUST,
        Capability.TRUST_REMOTE: _NO_TRUST,
        Capability.TRUST_EXTERNAL: _NO_TRUST,
        Capability.TRUST_JWT: _NO_TRUST,
        Capability.TOKENS_LIST: no("the admin API lists no tokens"),
        Capability.TOKENS_DELETE: yes("access tokens; refresh tokens end only for one owner"),
        Capability.TOKENS_BY_TIME: no("tokens are deleted, whenever they were issued"),
        # Shown by tests/drivers/hydra/test_live.py: the contract suite has no user who signs in with a browser.
        Capability.TOKENS_BY_OWNER: untested("with the owner's consent"),
        Capability.TOKENS_BY_SCOPE: no("tokens are deleted, whatever scopes they have"),
        Capability.TOKENS_BY_HANDLE: no("the admin API lists no tokens"),
        Capability.BLOCK_CLIENT: no("a client cannot be disabled, only deleted"),
        Capability.USERS_LIST: no("Hydra has no users; a login app of your own has"),
        Capability.MARKS: yes("in the metadata of clients"),
        Capability.LEASE: no("no write of the admin API is conditional on who made the last one"),
    }
}

NAMES: Final[Mapping[Kind, Limit]] = {
    # RFC 6749, appendix A.4: scope-token.
    Kind.SCOPE: Limit(r"[!#-\[\]-~]+", None, 'printable ASCII without space, quotation mark and backslash (" \\)'),
    # The router takes an escaped slash for a separator, so that such a client cannot be reached by its id.
    Kind.CLIENT: Limit(r"[ -.0-~]*[!-.0-~][ -.0-~]*", None, "printable ASCII without a slash, and not blank"),
}


def endpoints(url: str, options: Model) -> Endpoints:
    """The endpoints of RFC 8414 below the public address; introspection is a path of the admin API."""
    introspection = f"{url.rstrip('/')}/admin/oauth2/introspect"
    issuer = getattr(options, "public_url", None)
    if not issuer:
        return Endpoints(introspection=introspection)
    base = issuer.rstrip("/")
    return Endpoints(
        issuer=issuer,
        jwks_uri=f"{base}/.well-known/jwks.json",
        introspection=introspection,
        token=f"{base}/oauth2/token",
        revocation=f"{base}/oauth2/revoke",
    )


FACTS: Final = DriverFacts(
    name="hydra",
    title="Ory Hydra",
    roles=frozenset({Role.AUTHORIZATION}),
    credentials=HydraCredentials,
    options=HydraOptions,
    capabilities=CAPABILITIES,
    fields={Role.AUTHORIZATION: FIELDS},
    client_options=HydraClientOptions,
    names=NAMES,
    side_effects=(SideEffect(Kind.CLIENT, "its tokens, and what users consented to"),),
    interruptions=(
        Interruption(
            Kind.CLIENT,
            "secret.revision",
            "The old secret stops working before the new one is delivered: Hydra 2.3 keeps one.",
        ),
    ),
    endpoints=endpoints,
    block_proof={Role.AUTHORIZATION: no("a client cannot be disabled")},
    lockouts=no(
        "the admin API asks for no credentials; a gateway in front of it may, which the driver does not change"
    ),
    notices=NOTICES,
    proved_against="Ory Hydra 2.3.0",
    absence=yes("the admin API shows everything to everybody who can reach it"),
    protecting=frozenset({"token_endpoint_auth_method", "skip_consent", "audience", "access_token_strategy"}),
    beyond="its configuration, keys, and the consents and logins of users",
)
