"""What the model lacks: the driver's own options of settings, scopes and clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import Duration, Flag, FreeText, Model, Natural, SecretsAmongTexts, Text, TextSet
from oauthdeploy.model.held_fields import Limit, Unit

COLUMN: Final = 255
"""The length of most columns of Keycloak's database, in UTF-16 code units; a longer text is a 500."""

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
"""Attributes that begin so are the driver's own."""

CLIENT_ATTRIBUTES: Final[Mapping[str, str]] = {
    "post_logout_redirect_uris": "post.logout.redirect.uris",
    "device_authorization": "oauth2.device.authorization.grant.enabled",
    "ciba": "oidc.ciba.grant.enabled",
    "refresh_for_client_credentials": "client_credentials.use_refresh_token",
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

_TAKEN: Final = frozenset(
    {
        *CLIENT_ATTRIBUTES.values(),
        *SCOPE_ATTRIBUTES.values(),
        "access.token.lifespan",
        "use.refresh.tokens",
        "client.secret.creation.time",
    }
)
"""Attributes that other fields set, or that the server keeps for itself."""


def _attributes(value: Mapping[str, str | Secret | None]) -> Mapping[str, str | Secret | None]:
    for key in value:
        if key.startswith(MARK):
            raise ValueError(f"attributes that begin with {MARK} are oauthdeploy's own")
        if key in _TAKEN:
            raise ValueError(f"the attribute {key} is set by a field of its own")
    return value


def _short_values(value: Mapping[str, str | Secret | None]) -> Mapping[str, str | Secret | None]:
    limit = Limit(max_length=SCOPE_ATTRIBUTE, unit=Unit.UTF16)
    for key, text in value.items():
        if text is not None and (problem := limit.breach(text)):
            raise ValueError(f"{key}: {problem}")
    return value


Attributes = Annotated[Mapping[ShortText, FreeText | None], SecretsAmongTexts, AfterValidator(_attributes)]


class Mapper(Model):
    """A protocol mapper: what it does, and how. Keys of config that are not written are not managed."""

    type: Text = Field(min_length=1, description="The mapper's type.", examples=["oidc-audience-mapper"])
    config: Annotated[Mapping[ShortText, FreeText], SecretsAmongTexts] = Field(
        default_factory=dict,
        description="Its configuration, by Keycloak's keys.",
        examples=[{"included.client.audience": "orders-api", "access.token.claim": "true"}],
    )


class Flows(Model):
    """Authentication flows that take the place of the realm's; null gives it back to the realm."""

    browser: Text | None = Field(None, description="The flow in the browser, by its alias.")
    direct_grant: Text | None = Field(None, description="The flow of the password grant, by its alias.")


class KeycloakClientOptions(Model):
    """What Keycloak knows of a client beyond the manifest. null asks for Keycloak's default."""

    default_scopes: TextSet | None = Field(
        None,
        description="Those of the client's associations that are given without being asked for; the others are optional.",
        examples=[["orders.read"]],
    )
    consent_required: Flag | None = Field(None, description="Users are asked for consent.")
    full_scope_allowed: Flag | None = Field(
        None, description="Tokens carry every role of the user, not only those that scopes map."
    )
    web_origins: ShortTexts | None = Field(
        None, description="Origins for CORS; + means those of the redirect URIs.", examples=[["+"]]
    )
    root_url: Annotated[Text, _within(ROOT_URL)] | None = Field(
        None, description="Where relative addresses of the client begin."
    )
    base_url: ShortText | None = Field(None, description="The client's page for users.")
    admin_url: ShortText | None = Field(None, description="Where the client is told of logouts and of not-before.")
    always_display_in_console: Flag | None = Field(None, description="Show the client in the account console always.")
    frontchannel_logout: Flag | None = Field(None, description="Log users out through their browser.")
    post_logout_redirect_uris: TextSet | None = Field(
        None, description="Where users may be sent after a logout; + means the redirect URIs."
    )
    client_authenticator: ShortText | None = Field(
        None,
        description="How the client proves who it is.",
        examples=["client-secret", "client-jwt", "client-secret-jwt", "client-x509"],
    )
    device_authorization: Flag | None = Field(None, description="Allow the device grant (RFC 8628).")
    ciba: Flag | None = Field(None, description="Allow client-initiated backchannel authentication.")
    refresh_for_client_credentials: Flag | None = Field(
        None, description="Give refresh tokens for client credentials too, against RFC 6749 section 4.4.3."
    )
    pkce_method: Literal["S256", "plain"] | None = Field(
        None, description="PKCE with this method is required (RFC 7636)."
    )
    require_par: Flag | None = Field(None, description="Authorization requests must be pushed (RFC 9126).")
    dpop_bound: Flag | None = Field(None, description="Access tokens are bound by DPoP (RFC 9449).")
    mtls_bound: Flag | None = Field(None, description="Access tokens are bound to the client's certificate (RFC 8705).")
    access_token_signature: Text | None = Field(
        None, description="Signature algorithm of access tokens.", examples=["RS256", "ES256"]
    )
    session_idle: Duration | None = Field(None, description="How long a session may be idle.", examples=["30m"])
    session_max: Duration | None = Field(None, description="How long a session lasts.", examples=["10h"])
    offline_session_idle: Duration | None = Field(None, description="How long an offline session may be idle.")
    offline_session_max: Duration | None = Field(None, description="How long an offline session lasts.")
    authentication_flows: Flows | None = Field(None, description="Flows that take the place of the realm's.")
    protocol_mappers: Mapping[ShortText, Mapper | None] | None = Field(
        None,
        description="Protocol mappers by name; null removes one, and one that isn't written stays as it is.",
    )
    attributes: Attributes | None = Field(
        None,
        description="Other attributes by Keycloak's names; null removes one, and one that isn't written stays as it is.",
        examples=[{"login_theme": "shop"}],
    )


class KeycloakScopeOptions(Model):
    """What Keycloak knows of a client scope beyond the manifest. null asks for Keycloak's default."""

    include_in_token_scope: Flag | None = Field(None, description="The scope claim of tokens names the scope.")
    display_on_consent_screen: Flag | None = Field(None, description="Users are shown the scope when they are asked.")
    consent_text: Annotated[Text, _within(SCOPE_ATTRIBUTE)] | None = Field(
        None, description="What they are shown.", examples=["See your orders"]
    )
    order: Natural | None = Field(None, description="The place of the scope on pages.")
    new_clients: Literal["default", "optional", "none"] | None = Field(
        None,
        description="How clients get the scope that are made from now on by others than oauthdeploy; null is none.",
    )
    audiences: TextSet | None = Field(
        None,
        description="Audiences of access tokens with the scope, by audience mappers. Keycloak lets nobody but an audience of a "
        "token introspect it.",
        examples=[["orders-api"]],
    )
    protocol_mappers: Mapping[ShortText, Mapper | None] | None = Field(
        None,
        description="Protocol mappers by name; null removes one, and one that isn't written stays as it is.",
    )
    attributes: Annotated[Attributes, AfterValidator(_short_values)] | None = Field(
        None, description="Other attributes by Keycloak's names; one that isn't written stays as it is."
    )


class SecretRotation(Model):
    """How confidential clients get new secrets: the feature client-secret-rotation of Keycloak must be on."""

    every: Duration = Field(description="How long a secret is good for.", examples=["90d"])
    keep_old: Duration = Field(description="How long the former secret still works after that.", examples=["2d"])
    early: Duration = Field(
        0, description="A change of a client in so long a time before the end makes a new secret.", examples=["10d"]
    )


class KeycloakSettingsOptions(Model):
    """What a realm can be told beyond the manifest's settings. null asks for Keycloak's default."""

    display_name: ShortText | None = Field(None, description="The realm's name for people.")
    ssl_required: Literal["all", "external", "none"] | None = Field(
        None, description="Who must use HTTPS; finer than require_https, which is all or external."
    )
    implicit_token_lifetime: Duration | None = Field(
        None, description="Lifetime of access tokens of the implicit grant."
    )
    device_code_lifetime: Duration | None = Field(None, description="How long a device code is good for (RFC 8628).")
    login_lifetime: Duration | None = Field(None, description="How long a user has for the whole login.")
    revoke_refresh_token: Flag | None = Field(None, description="A refresh token is good for one use (RFC 9700).")
    refresh_token_max_reuse: Natural | None = Field(
        None, description="How often it may be used again all the same, where it is for one use."
    )
    sso_session_idle: Duration | None = Field(
        None, description="How long a user's session may be idle.", examples=["30m"]
    )
    sso_session_max: Duration | None = Field(None, description="How long a user's session lasts.", examples=["10h"])
    client_session_idle: Duration | None = Field(None, description="The same for one client's part of it; 0: as that.")
    client_session_max: Duration | None = Field(None, description="The same for one client's part of it; 0: as that.")
    offline_session_idle: Duration | None = Field(None, description="How long an offline session may be idle.")
    offline_session_max: Duration | None = Field(
        None, description="How long an offline session lasts; null: there is no limit."
    )
    reject_implicit: Flag | None = Field(None, description="No client may use the implicit grant (client policy).")
    reject_password: Flag | None = Field(None, description="No client may use the password grant (client policy).")
    secret_rotation: SecretRotation | None = Field(
        None, description="Secrets of confidential clients end and are made anew (client policy)."
    )
