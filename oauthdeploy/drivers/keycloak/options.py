"""What the model lacks: the driver's own options of settings, scopes and clients."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.keycloak.fields import ATTRIBUTES, CC_REFRESH, COLUMN
from oauthdeploy.model.fields import Duration, Flag, FreeText, Model, Natural, SecretsAmongTexts, Text, TextSet
from oauthdeploy.model.held_fields import Limit, Unit
from oauthdeploy.model.objects import Grant

DRIVER_NAME: Final = "keycloak"

ROOT_URL: Final = COLUMN - len("/*")
"""A client without redirect URIs gets all addresses below its root URL."""

SCOPE_ATTRIBUTE: Final = 2048
"""The length of the value of a client scope's attribute; that of a client's attribute has no limit."""


def _within(longest: int) -> AfterValidator:
    limit = Limit(max_length=longest, unit=Unit.UTF16)

    def check(value: Any) -> Any:
        texts = value if isinstance(value, tuple) else (value,)
        for text in texts:
            if isinstance(text, str | Secret) and (problem := limit.breach(text)):
                raise ValueError(problem)
        return value

    return AfterValidator(check)


ShortText = Annotated[Text, _within(COLUMN)]
ShortTexts = Annotated[TextSet, _within(COLUMN)]

MARK: Final = "oauthdeploy."
"""The prefix of attributes that are the driver's own."""

CLIENT_ATTRIBUTES: Final[Mapping[str, str]] = {
    "post_logout_redirect_uris": "post.logout.redirect.uris",
    "refresh_for_client_credentials": CC_REFRESH,
    "pkce_method": "pkce.code.challenge.method",
    "require_par": "require.pushed.authorization.requests",
    "dpop_bound": "dpop.bound.access.tokens",
    "mtls_bound": "tls.client.certificate.bound.access.tokens",
    "access_token_signature": "access.token.signed.response.alg",
    "session_idle": "client.session.idle.timeout",
    "session_max": "client.session.max.lifespan",
    "offline_session_idle": "client.offline.session.idle.timeout",
    "offline_session_max": "client.offline.session.max.lifespan",
}
"""The options of a client that are attributes."""

SCOPE_ATTRIBUTES: Final[Mapping[str, str]] = {
    "include_in_token_scope": "include.in.token.scope",
    "display_on_consent_screen": "display.on.consent.screen",
    "consent_text": "consent.screen.text",
    "order": "gui.order",
}
"""The options of a client scope that are attributes."""

CLIENT_TAKEN: Final = frozenset({*CLIENT_ATTRIBUTES.values(), *ATTRIBUTES, "client.secret.creation.time"})
"""Attributes of a client that other fields set, or that the server keeps for itself."""

SCOPE_TAKEN: Final = frozenset(SCOPE_ATTRIBUTES.values())
"""Attributes of a client scope that other fields set."""


def _without(taken: Collection[str]) -> AfterValidator:
    def check(value: Mapping[str, str | Secret | None]) -> Mapping[str, str | Secret | None]:
        for key in value:
            if key.startswith(MARK):
                raise ValueError(f"attributes that begin with {MARK} are reserved for oauthdeploy")
            if key in taken:
                raise ValueError(f"the attribute {key} has a field of its own; use that")
        return value

    return AfterValidator(check)


def _short_values(value: Mapping[str, str | Secret | None]) -> Mapping[str, str | Secret | None]:
    limit = Limit(max_length=SCOPE_ATTRIBUTE, unit=Unit.UTF16)
    for key, text in value.items():
        if text is not None and (problem := limit.breach(text)):
            raise ValueError(f"{key}: {problem}")
    return value


Attributes = Annotated[Mapping[ShortText, FreeText | None], SecretsAmongTexts]


class Mapper(Model):
    """A protocol mapper: its type and its configuration. Keys of config that are not written are not managed."""

    type: Text = Field(min_length=1, description="The mapper's type.", examples=["oidc-audience-mapper"])
    config: Annotated[Mapping[ShortText, FreeText], SecretsAmongTexts] = Field(
        default_factory=dict,
        description="Its configuration, by Keycloak's keys.",
        examples=[{"included.client.audience": "orders-api", "access.token.claim": "true"}],
    )


class Flows(Model):
    """Authentication flows that override the realm's; null restores the realm's."""

    browser: Text | None = Field(None, description="The alias of the browser flow.")
    direct_grant: Text | None = Field(None, description="The alias of the flow for the password grant.")


AS_GRANTS: Final = {"device_authorization": Grant.DEVICE_CODE, "ciba": Grant.CIBA}
"""Options that describe a client in a way that its grants can describe too."""


class KeycloakClientOptions(Model):
    """What Keycloak has for a client beyond the manifest. null requests Keycloak's default."""

    default_scopes: TextSet | None = Field(
        None,
        description="The scopes that the client has as default; it has the others as optional. The same as the field `as` of "
        "associations.",
        examples=[["orders.read"]],
    )
    consent_required: Flag | None = Field(None, description="Ask users for consent.")
    full_scope_allowed: Flag | None = Field(
        None, description="Put every role of the user into tokens, not only those that scopes map."
    )
    web_origins: ShortTexts | None = Field(
        None, description="Allowed CORS origins; + means the origins of the redirect URIs.", examples=[["+"]]
    )
    root_url: Annotated[Text, _within(ROOT_URL)] | None = Field(
        None, description="The base URL for the client's relative addresses."
    )
    base_url: ShortText | None = Field(None, description="The client's home page for users.")
    admin_url: ShortText | None = Field(
        None, description="The URL that Keycloak notifies of logouts and of not-before."
    )
    always_display_in_console: Flag | None = Field(None, description="Always show the client in the account console.")
    device_authorization: Flag | None = Field(
        None, description="Allow the device grant; the same as device_code among the client's grants."
    )
    ciba: Flag | None = Field(
        None,
        description="Allow client-initiated backchannel authentication; the same as ciba among the client's grants.",
    )
    frontchannel_logout: Flag | None = Field(None, description="Use front-channel logout, through the user's browser.")
    post_logout_redirect_uris: TextSet | None = Field(
        None, description="Allowed redirect URIs after a logout; + means those for sign-in."
    )
    client_authenticator: ShortText | None = Field(
        None,
        description="How the client authenticates.",
        examples=["client-secret", "client-jwt", "client-secret-jwt", "client-x509"],
    )
    refresh_for_client_credentials: Flag | None = Field(
        None, description="Issue refresh tokens for client credentials too, against RFC 6749 section 4.4.3."
    )
    pkce_method: Literal["S256", "plain"] | None = Field(None, description="Require PKCE with this method (RFC 7636).")
    require_par: Flag | None = Field(None, description="Require pushed authorization requests (RFC 9126).")
    dpop_bound: Flag | None = Field(None, description="Bind access tokens with DPoP (RFC 9449).")
    mtls_bound: Flag | None = Field(None, description="Bind access tokens to the client's certificate (RFC 8705).")
    access_token_signature: Text | None = Field(
        None, description="The signature algorithm of access tokens.", examples=["RS256", "ES256"]
    )
    session_idle: Duration | None = Field(None, description="How long a session may be idle.", examples=["30m"])
    session_max: Duration | None = Field(None, description="How long a session lasts.", examples=["10h"])
    offline_session_idle: Duration | None = Field(None, description="How long an offline session may be idle.")
    offline_session_max: Duration | None = Field(None, description="How long an offline session lasts.")
    authentication_flows: Flows | None = Field(None, description="Flows that override the realm's.")
    protocol_mappers: Mapping[ShortText, Mapper | None] | None = Field(
        None,
        description="Protocol mappers by name; null removes one; those you leave out stay unchanged.",
    )
    attributes: Annotated[Attributes, _without(CLIENT_TAKEN)] | None = Field(
        None,
        description="Other attributes by Keycloak's names; null removes one; those you leave out stay unchanged.",
        examples=[{"login_theme": "shop"}],
    )


class KeycloakScopeOptions(Model):
    """What Keycloak has for a client scope beyond the manifest. null requests Keycloak's default."""

    include_in_token_scope: Flag | None = Field(None, description="Include the scope in the scope claim of tokens.")
    display_on_consent_screen: Flag | None = Field(None, description="Show the scope on the consent screen.")
    consent_text: Annotated[Text, _within(SCOPE_ATTRIBUTE)] | None = Field(
        None, description="The text on the consent screen.", examples=["See your orders"]
    )
    order: Natural | None = Field(None, description="The position of the scope on pages.")
    new_clients: Literal["default", "optional", "none"] | None = Field(
        None,
        description="How clients that others create from now on get the scope; null: they do not get it.",
    )
    audiences: TextSet | None = Field(
        None,
        description="Audiences of access tokens with the scope, by audience mappers. Keycloak lets nobody but an audience of a "
        "token introspect it.",
        examples=[["orders-api"]],
    )
    protocol_mappers: Mapping[ShortText, Mapper | None] | None = Field(
        None,
        description="Protocol mappers by name; null removes one; those you leave out stay unchanged.",
    )
    attributes: Annotated[Attributes, _without(SCOPE_TAKEN), AfterValidator(_short_values)] | None = Field(
        None, description="Other attributes by Keycloak's names; those you leave out stay unchanged."
    )


class SecretRotation(Model):
    """How confidential clients get new secrets; requires Keycloak's feature client-secret-rotation."""

    every: Duration = Field(description="How long a secret is valid.", examples=["90d"])
    keep_old: Duration = Field(description="How long the former secret stays valid after a rotation.", examples=["2d"])
    early: Duration = Field(
        0, description="A change of a client this long before its secret expires rotates the secret.", examples=["10d"]
    )


class KeycloakSettingsOptions(Model):
    """What Keycloak has for a realm beyond the manifest's settings. null requests Keycloak's default."""

    display_name: ShortText | None = Field(None, description="The realm's display name.")
    ssl_required: Literal["all", "external", "none"] | None = Field(
        None, description="Who must use HTTPS; finer than require_https, which is all or external."
    )
    implicit_token_lifetime: Duration | None = Field(
        None, description="Lifetime of access tokens of the implicit grant."
    )
    device_code_lifetime: Duration | None = Field(None, description="How long a device code is valid (RFC 8628).")
    login_lifetime: Duration | None = Field(None, description="The time limit for the whole login.")
    revoke_refresh_token: Flag | None = Field(
        None, description="Rotate refresh tokens: each is valid for one use (RFC 9700)."
    )
    refresh_token_max_reuse: Natural | None = Field(
        None, description="How often a rotated refresh token may be reused."
    )
    sso_session_idle: Duration | None = Field(
        None, description="How long a user's session may be idle.", examples=["30m"]
    )
    sso_session_max: Duration | None = Field(None, description="How long a user's session lasts.", examples=["10h"])
    client_session_idle: Duration | None = Field(
        None, description="The same for one client's session; 0: no value of its own."
    )
    client_session_max: Duration | None = Field(
        None, description="The same for one client's session; 0: no value of its own."
    )
    offline_session_idle: Duration | None = Field(None, description="How long an offline session may be idle.")
    offline_session_max: Duration | None = Field(
        None, description="How long an offline session lasts; null: there is no limit."
    )
    reject_implicit: Flag | None = Field(
        None, description="Reject the implicit grant for every client (client policy)."
    )
    reject_password: Flag | None = Field(
        None, description="Reject the password grant for every client (client policy)."
    )
    secret_rotation: SecretRotation | None = Field(
        None, description="Rotate the secrets of confidential clients (client policy)."
    )
