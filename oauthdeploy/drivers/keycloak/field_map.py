"""Where options are in Keycloak's JSON, and the conversion in both directions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.json_values import Garbled, unparsed
from oauthdeploy.drivers.keycloak.fields import raw_attributes, texts_of
from oauthdeploy.drivers.keycloak.options import CLIENT_ATTRIBUTES, SCOPE_ATTRIBUTES, Mapper
from oauthdeploy.model.fields import Model, Unparsed


class Codec(Struct, frozen=True):
    """From a value of Keycloak's JSON to that of an option and back. Raises Garbled for an invalid value."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


_JOINT: Final = "##"


def _read_flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Garbled("expected true or false", value)


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Garbled("expected a string", value)
    return value


def _read_number(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Garbled("expected a number", value)
    return int(text)


def _read_joined(value: Any) -> tuple[str, ...]:
    """The texts between ##, in their order; empty ones are none."""
    texts = tuple(dict.fromkeys(text for text in _read_text(value).split(_JOINT) if text))
    if not texts:
        raise Garbled("expected a text", value)
    return texts


def _read_texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Garbled("expected a list of strings", value)
    return tuple(sorted(set(value)))


FLAG: Final = Codec(_read_flag, bool)
FLAG_TEXT: Final = Codec(_read_flag, lambda value: "true" if value else "false")
TEXT: Final = Codec(_read_text, str)
NUMBER: Final = Codec(_read_number, int)
NUMBER_TEXT: Final = Codec(_read_number, str)
LOWER: Final = Codec(lambda value: _read_text(value).lower(), str)
TEXTS: Final = Codec(_read_texts, lambda value: list(dict.fromkeys(value)))
JOINED: Final = Codec(_read_joined, _JOINT.join)


class Place(Struct, frozen=True):
    """Where an option is: a field or an attribute of Keycloak's JSON, how it is written, and its default."""

    key: str
    codec: Codec
    default: Any = None
    attribute: bool = False

    def read(self, raw: Mapping[str, Any]) -> Any:
        """The option's value in the JSON of an object; its default if there is none. Raises Garbled."""
        value = raw_attributes(raw).get(self.key) if self.attribute else raw.get(self.key)
        return self.default if value is None or value == "" else self.codec.read(value)

    def write(self, raw: dict[str, Any], value: Any) -> None:
        """Put a value into the JSON of an object. An empty string removes an attribute."""
        value = self.default if value is None else value
        if self.attribute:
            raw["attributes"] = {**kept_attributes(raw), self.key: "" if value is None else self.codec.write(value)}
        else:
            raw[self.key] = value if value is None else self.codec.write(value)


def kept_attributes(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of an object to be changed; anything other than an object of attributes is replaced."""
    found = raw.get("attributes")
    return found if isinstance(found, Mapping) else {}


def _attributes(keys: Mapping[str, str], codecs: Mapping[str, Codec]) -> dict[str, Place]:
    return {name: Place(key, codecs.get(name, FLAG_TEXT), attribute=True) for name, key in keys.items()}


CLIENT: Final[Mapping[str, Place]] = {
    "consent_required": Place("consentRequired", FLAG, default=False),
    "full_scope_allowed": Place("fullScopeAllowed", FLAG, default=True),
    "web_origins": Place("webOrigins", TEXTS, default=()),
    "root_url": Place("rootUrl", TEXT, default=""),
    "base_url": Place("baseUrl", TEXT, default=""),
    "admin_url": Place("adminUrl", TEXT, default=""),
    "always_display_in_console": Place("alwaysDisplayInConsole", FLAG, default=False),
    "frontchannel_logout": Place("frontchannelLogout", FLAG, default=False),
    "client_authenticator": Place("clientAuthenticatorType", TEXT, default="client-secret"),
    **_attributes(
        CLIENT_ATTRIBUTES,
        {
            "post_logout_redirect_uris": JOINED,
            "pkce_method": TEXT,
            "access_token_signature": TEXT,
            "session_idle": NUMBER_TEXT,
            "session_max": NUMBER_TEXT,
            "offline_session_idle": NUMBER_TEXT,
            "offline_session_max": NUMBER_TEXT,
        },
    ),
}
"""The options of a client with one value in one place."""

SCOPE: Final[Mapping[str, Place]] = _attributes(SCOPE_ATTRIBUTES, {"consent_text": TEXT, "order": NUMBER_TEXT})
"""The options of a client scope with one value in one place."""

SETTINGS: Final[Mapping[str, Place]] = {
    "display_name": Place("displayName", TEXT, default=""),
    "ssl_required": Place("sslRequired", LOWER, default="external"),
    "implicit_token_lifetime": Place("accessTokenLifespanForImplicitFlow", NUMBER, default=900),
    "device_code_lifetime": Place("oauth2DeviceCodeLifespan", NUMBER, default=600),
    "login_lifetime": Place("accessCodeLifespanLogin", NUMBER, default=1800),
    "revoke_refresh_token": Place("revokeRefreshToken", FLAG, default=False),
    "refresh_token_max_reuse": Place("refreshTokenMaxReuse", NUMBER, default=0),
    "sso_session_idle": Place("ssoSessionIdleTimeout", NUMBER, default=1800),
    "sso_session_max": Place("ssoSessionMaxLifespan", NUMBER, default=36000),
    "client_session_idle": Place("clientSessionIdleTimeout", NUMBER, default=0),
    "client_session_max": Place("clientSessionMaxLifespan", NUMBER, default=0),
    "offline_session_idle": Place("offlineSessionIdleTimeout", NUMBER, default=2592000),
}
"""The options of settings with one value in one place."""


# -- told as the manifest has it ----------------------------------------------------------------------------------------


def told_options(
    written: Mapping[str, Any], wanted: Model, live: Callable[[str], Any], places: Mapping[str, Place]
) -> tuple[dict[str, Any], dict[str, Unparsed]]:
    """`told` for each written option separately, and those that cannot be parsed, by their dotted path in the model."""
    values: dict[str, Any] = {}
    odd: dict[str, Unparsed] = {}
    for name, raw in written.items():
        try:
            values.update(told({name: raw}, wanted, live, places))
        except Garbled as problem:
            odd[f"options.keycloak.{name}"] = unparsed(problem.value)
    return values, odd


def told(
    written: Mapping[str, Any], wanted: Model, live: Callable[[str], Any], places: Mapping[str, Place]
) -> dict[str, Any]:
    """The live values of the written options in the manifest's form: with its own spelling if they are equal.

    `written` are the options as written, `wanted` the same as a model, and `live` returns the live value by name, in the
    model's types. null requests the default of the option's place. Raises Garbled.
    """

    def asked(name: str) -> Any:
        value = getattr(wanted, name)
        return places[name].default if value is None and name in places else value

    return {name: _told(raw, asked(name), live(name)) for name, raw in written.items()}


def _told(raw: Any, wanted: Any, have: Any) -> Any:
    if isinstance(wanted, Mapping) and isinstance(raw, Mapping) and isinstance(have, Mapping):
        return {key: _told(raw[key], wanted[key], have.get(key)) for key in raw}
    if isinstance(wanted, Model) and isinstance(raw, Mapping) and isinstance(have, Model):
        return told(raw, wanted, lambda name: getattr(have, name), {})
    if _same(wanted, have):
        return raw
    return list(have) if isinstance(have, tuple) else dict(have) if isinstance(have, Model) else have


def _same(wanted: Any, have: Any) -> bool:
    if isinstance(wanted, tuple) and isinstance(have, tuple):
        return set(wanted) == set(have)
    return bool(wanted == have) or (_is_nothing(wanted) and _is_nothing(have))


def _is_nothing(value: Any) -> bool:
    """Whether a value says as much as none; 0 is a value, and not the same as no limit."""
    if isinstance(value, Secret):
        return not value
    return value is None or value is False or value == "" or value == ()


# -- protocol mappers -----------------------------------------------------------------------------------------------------


def read_mappers(raw: Mapping[str, Any]) -> dict[str, Mapper]:
    """The protocol mappers in the JSON of a client or a client scope, by name. Raises Garbled."""
    found: dict[str, Mapper] = {}
    listed = raw.get("protocolMappers") or ()
    if not isinstance(listed, list | tuple):
        raise Garbled("protocolMappers is not a list", listed)
    for one in listed:
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            raise Garbled("a protocol mapper has no name", one)
        config = one.get("config") or {}
        if not isinstance(config, Mapping):
            raise Garbled("the config of a protocol mapper is not an object", config)
        found[one["name"]] = Mapper(type=str(one.get("protocolMapper", "")), config=texts_of(config))
    return found


def write_mappers(standing: Any, wanted: Mapping[str, Mapper | None]) -> list[Any]:
    """The desired mappers of an object: `standing` as read, changed by `wanted`; None removes one.

    A mapper keeps what it has besides its type and config (its id). A mapper whose type changes is created anew, and one
    without a name is left out.
    """
    listed = standing if isinstance(standing, list | tuple) else ()
    kept = {one["name"]: one for one in listed if isinstance(one, Mapping) and isinstance(one.get("name"), str)}
    for name, mapper in wanted.items():
        before = kept.pop(name, None)
        if mapper is None:
            continue
        if before is not None and before.get("protocolMapper") == mapper.type:
            config = before.get("config")
            kept[name] = {**before, "config": {**(config if isinstance(config, Mapping) else {}), **mapper.config}}
        else:
            kept[name] = {
                "name": name,
                "protocol": "openid-connect",
                "protocolMapper": mapper.type,
                "config": dict(mapper.config),
            }
    return list(kept.values())


def _listed(raw: Mapping[str, Any]) -> list[Any]:
    listed = raw.get("protocolMappers")
    return list(listed) if isinstance(listed, list | tuple) else []


def _is_sound(mapper: Any) -> bool:
    try:
        return bool(read_mappers({"protocolMappers": [mapper]}))
    except Garbled:
        return False


# -- audiences ------------------------------------------------------------------------------------------------------------

AUDIENCE: Final = "oidc-audience-mapper"
_AUDIENCE_KEYS: Final = ("included.client.audience", "included.custom.audience")


def read_audiences(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The audiences that the mappers of an object add to access tokens, whoever created them."""
    found = [mapper.config.get(key) for mapper in read_mappers(raw).values() if _adds(mapper) for key in _AUDIENCE_KEYS]
    return tuple(sorted({one for one in found if one and isinstance(one, str)}))


def _adds(mapper: Mapper) -> bool:
    return mapper.type == AUDIENCE and mapper.config.get("access.token.claim") == "true"


def audience_mappers(raw: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Mapper | None]:
    """The mappers to add, and as None those to remove, so that an object adds `wanted` to access tokens."""
    # A mapper that cannot be parsed adds an unknown audience, which is no reason not to write the others.
    raw = {"protocolMappers": [one for one in _listed(raw) if _is_sound(one)]}
    have, asked = set(read_audiences(raw)), set(wanted)
    gone = {
        name: None
        for name, mapper in read_mappers(raw).items()
        if _adds(mapper) and not asked & {mapper.config.get(key) for key in _AUDIENCE_KEYS}
    }
    return {**gone, **{_audience_name(one): _audience_mapper(one) for one in sorted(asked - have)}}


def own_audiences(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The audiences of an object, where each is put into access tokens by a mapper as `audience_mappers` makes it; else none.

    Raises Garbled.
    """
    mappers, found = read_mappers(raw), read_audiences(raw)
    adding = {name: mapper for name, mapper in mappers.items() if _adds(mapper)}
    return found if adding == {_audience_name(one): _audience_mapper(one) for one in found} else ()


def without_audiences(mappers: Mapping[str, Any], audiences: Iterable[str]) -> dict[str, Any]:
    """The mappers of an object but those that `audience_mappers` makes."""
    names = {_audience_name(one) for one in audiences}
    return {name: mapper for name, mapper in mappers.items() if name not in names}


def _audience_name(audience: str) -> str:
    return f"audience {audience}"


def _audience_mapper(audience: str) -> Mapper:
    config = {"access.token.claim": "true", "id.token.claim": "false", "introspection.token.claim": "true"}
    return Mapper(type=AUDIENCE, config={"included.custom.audience": audience, **config})
