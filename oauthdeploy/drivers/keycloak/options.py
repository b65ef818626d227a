"""What the model lacks: the driver's own options of a client, and where each of them stands in Keycloak's JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from oauthdeploy.drivers.values import Garbled
from oauthdeploy.model.fields import Duration, Flag, Model, Text, TextSet

MARK: Final = "oauthdeploy."
"""Attributes that begin so are the driver's own."""

CLIENT_ATTRIBUTES: Final = frozenset({"access.token.lifespan", "use.refresh.tokens", "client.secret.creation.time"})
"""Attributes of a client that the manifest sets by other fields, or that the server keeps for itself."""


def _attributes(value: Mapping[str, str | None]) -> Mapping[str, str | None]:
    known = CLIENT_ATTRIBUTES | {place.key for place in CLIENT.values() if place.attribute}
    for key in value:
        if key.startswith(MARK):
            raise ValueError(f"attributes that begin with {MARK} are oauthdeploy's own")
        if key in known:
            raise ValueError(f"the attribute {key} is set by a field of its own")
    return value


class Mapper(Model):
    """A protocol mapper: what it does, and how. Keys of config that are not written are not managed."""

    type: Text = Field(min_length=1, description="The mapper's type.", examples=["oidc-audience-mapper"])
    config: Mapping[Text, Text] = Field(
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
    web_origins: TextSet | None = Field(
        None, description="Origins for CORS; + means those of the redirect URIs.", examples=[["+"]]
    )
    root_url: Text | None = Field(None, description="Where relative addresses of the client begin.")
    base_url: Text | None = Field(None, description="The client's page for users.")
    admin_url: Text | None = Field(None, description="Where the client is told of logouts and of not-before.")
    always_display_in_console: Flag | None = Field(None, description="Show the client in the account console always.")
    frontchannel_logout: Flag | None = Field(None, description="Log users out through their browser.")
    post_logout_redirect_uris: TextSet | None = Field(
        None, description="Where users may be sent after a logout; + means the redirect URIs."
    )
    client_authenticator: Text | None = Field(
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
    protocol_mappers: Mapping[Text, Mapper | None] | None = Field(
        None,
        description="Protocol mappers by name; null removes one, and one that isn't written stays as it is.",
    )
    attributes: Annotated[Mapping[Text, Text | None], AfterValidator(_attributes)] | None = Field(
        None,
        description="Other attributes by Keycloak's names; null removes one, and one that isn't written stays as it is.",
        examples=[{"login_theme": "shop"}],
    )


# -- where the simple ones stand ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Codec:
    """From a value of Keycloak's JSON to one of an option and back. Raises Garbled for what is none."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def _read_flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Garbled("a flag is neither true nor false")


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Garbled("a text is none")
    return value


def _read_seconds(value: Any) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Garbled("a number of seconds is none")
    return int(text)


def _read_texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Garbled("a list of texts is none")
    return tuple(sorted(set(value)))


FLAG: Final = Codec(_read_flag, bool)
FLAG_TEXT: Final = Codec(_read_flag, lambda value: "true" if value else "false")
TEXT: Final = Codec(_read_text, str)
SECONDS: Final = Codec(_read_seconds, int)
SECONDS_TEXT: Final = Codec(_read_seconds, str)
TEXTS: Final = Codec(_read_texts, lambda value: list(dict.fromkeys(value)))
JOINED: Final = Codec(lambda value: _read_texts(_read_text(value).split("##")), lambda value: "##".join(value))


@dataclass(frozen=True)
class Place:
    """Where an option stands: a field or an attribute of Keycloak's JSON, how it is written, and what null asks for."""

    key: str
    codec: Codec
    default: Any = None
    attribute: bool = False

    def read(self, raw: Mapping[str, Any]) -> Any:
        """The option's value in the JSON of an object; its default where nothing is there. Raises Garbled."""
        value = (raw.get("attributes") or {}).get(self.key) if self.attribute else raw.get(self.key)
        return self.default if value is None or value == "" else self.codec.read(value)

    def write(self, raw: dict[str, Any], value: Any) -> None:
        """Put a value into the JSON of an object. An attribute is removed by an empty text."""
        value = self.default if value is None else value
        if self.attribute:
            raw.setdefault("attributes", {})[self.key] = "" if value is None else self.codec.write(value)
        else:
            raw[self.key] = value if value is None else self.codec.write(value)


def _attribute(key: str, codec: Codec, default: Any = None) -> Place:
    return Place(key, codec, default, attribute=True)


CLIENT: Final[Mapping[str, Place]] = {
    "consent_required": Place("consentRequired", FLAG, default=False),
    "full_scope_allowed": Place("fullScopeAllowed", FLAG, default=True),
    "web_origins": Place("webOrigins", TEXTS, default=()),
    "root_url": Place("rootUrl", TEXT, default=""),
    "base_url": Place("baseUrl", TEXT, default=""),
    "admin_url": Place("adminUrl", TEXT, default=""),
    "always_display_in_console": Place("alwaysDisplayInConsole", FLAG, default=False),
    "frontchannel_logout": Place("frontchannelLogout", FLAG, default=False),
    "post_logout_redirect_uris": _attribute("post.logout.redirect.uris", JOINED),
    "client_authenticator": Place("clientAuthenticatorType", TEXT, default="client-secret"),
    "device_authorization": _attribute("oauth2.device.authorization.grant.enabled", FLAG_TEXT),
    "ciba": _attribute("oidc.ciba.grant.enabled", FLAG_TEXT),
    "refresh_for_client_credentials": _attribute("client_credentials.use_refresh_token", FLAG_TEXT),
    "pkce_method": _attribute("pkce.code.challenge.method", TEXT),
    "require_par": _attribute("require.pushed.authorization.requests", FLAG_TEXT),
    "dpop_bound": _attribute("dpop.bound.access.tokens", FLAG_TEXT),
    "mtls_bound": _attribute("tls.client.certificate.bound.access.tokens", FLAG_TEXT),
    "access_token_signature": _attribute("access.token.signed.response.alg", TEXT),
    "session_idle": _attribute("client.session.idle.timeout", SECONDS_TEXT),
    "session_max": _attribute("client.session.max.lifespan", SECONDS_TEXT),
    "offline_session_idle": _attribute("client.offline.session.idle.timeout", SECONDS_TEXT),
    "offline_session_max": _attribute("client.offline.session.max.lifespan", SECONDS_TEXT),
}
"""The options of a client that are one value at one place."""


# -- told as the manifest has it ----------------------------------------------------------------------------------------


def told(written: Mapping[str, Any], wanted: Model, live: Callable[[str], Any]) -> dict[str, Any]:
    """The live values of the written options, as the manifest has to see them: in its own spelling where they are equal.

    `written` are the options as written, `wanted` the same as a model, `live` gives the value that stands there by name, in
    the model's types.
    """
    return {name: _told(raw, getattr(wanted, name), live(name)) for name, raw in written.items()}


def _told(raw: Any, wanted: Any, have: Any) -> Any:
    if isinstance(wanted, Mapping) and isinstance(raw, Mapping) and isinstance(have, Mapping):
        return {key: _told(raw[key], wanted[key], have.get(key)) for key in raw}
    if isinstance(wanted, Model) and isinstance(raw, Mapping) and isinstance(have, Model):
        return told(raw, wanted, lambda name: getattr(have, name))
    if _same(wanted, have):
        return raw
    return list(have) if isinstance(have, tuple) else have.model_dump() if isinstance(have, Model) else have


def _same(wanted: Any, have: Any) -> bool:
    if isinstance(wanted, tuple) and isinstance(have, tuple):
        return set(wanted) == set(have)
    return bool(wanted == have) or (wanted in (None, "", False, ()) and have in (None, "", False, ()))


# -- protocol mappers -----------------------------------------------------------------------------------------------------


def read_mappers(raw: Mapping[str, Any]) -> dict[str, Mapper]:
    """The protocol mappers in the JSON of a client or a client scope, by name. Raises Garbled."""
    found: dict[str, Mapper] = {}
    for one in raw.get("protocolMappers") or ():
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            raise Garbled("a protocol mapper has no name")
        config = one.get("config") or {}
        if not isinstance(config, Mapping):
            raise Garbled("the config of a protocol mapper is no object")
        texts = {str(key): str(value) for key, value in config.items() if value is not None}
        found[one["name"]] = Mapper(type=str(one.get("protocolMapper", "")), config=texts)
    return found


def write_mappers(standing: Iterable[Any], wanted: Mapping[str, Mapper | None]) -> list[Any]:
    """The mappers of an object as they shall be: `standing` as read, changed by `wanted`; None takes one away.

    What a mapper has beside its type and config (its id) is kept; a mapper of another type is made anew.
    """
    kept = {one["name"]: one for one in standing}
    for name, mapper in wanted.items():
        before = kept.pop(name, None)
        if mapper is None:
            continue
        if before is not None and before.get("protocolMapper") == mapper.type:
            kept[name] = {**before, "config": {**(before.get("config") or {}), **mapper.config}}
        else:
            kept[name] = {
                "name": name,
                "protocol": "openid-connect",
                "protocolMapper": mapper.type,
                "config": dict(mapper.config),
            }
    return list(kept.values())
