"""The settings of a realm, between the model and Keycloak's JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from oauthdeploy.drivers.json_values import FieldReader, Garbled, a_flag, a_number, a_text, fingerprint
from oauthdeploy.drivers.keycloak.field_map import SETTINGS, told_options
from oauthdeploy.drivers.keycloak.options import KeycloakSettingsOptions, SecretRotation
from oauthdeploy.drivers.keycloak.policies import Rule
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Settings

SECONDS: Final[Mapping[str, str]] = {
    "authorization_code_lifetime": "accessCodeLifespan",
    "access_token_lifetime": "accessTokenLifespan",
}
SSL: Final = "sslRequired"
ALL: Final = "all"
OUTSIDE: Final = "external"
"""HTTPS is required of all but private addresses: Keycloak's default."""

PKCE: Final = Rule("oauthdeploy-require-pkce", "pkce-enforcer", "public", {"auto-configure": True})
RULES: Final[Mapping[str, Rule]] = {
    "reject_implicit": Rule("oauthdeploy-reject-implicit", "reject-implicit-grant"),
    "reject_password": Rule("oauthdeploy-reject-password", "reject-ropc-grant"),
}
ROTATION: Final = Rule("oauthdeploy-secret-rotation", "secret-rotation", "confidential")
_PERIODS: Final[Mapping[str, str]] = {
    "every": "expiration-period",
    "keep_old": "rotated-expiration-period",
    "early": "remaining-rotation-period",
}

_OFFLINE: Final = "offlineSessionMaxLifespan"
_NO_OPTIONS: Final = KeycloakSettingsOptions()
_NO_SETTINGS: Final = frozenset({"notBefore", "defaultRole"})

Configuration = Mapping[str, Any]
Enforced = Callable[[Rule], Configuration | None]
"""The configuration by which a rule is laid on the clients that it is for; None where it isn't."""


def is_whole(raw: Mapping[str, Any]) -> bool:
    """Whether the JSON of a realm has its settings: an account without the right view-realm gets only the name of it."""
    return SSL in raw


def read_settings(
    raw: Mapping[str, Any], desired: Settings | None, enforced: Enforced
) -> tuple[Settings, Mapping[str, Unparsed]]:
    """The settings of a realm as the manifest has to see them, and what of them can't be parsed.

    Of client policies only what the manifest writes is told.
    """
    fields = FieldReader()
    for field, key in SECONDS.items():
        if key in raw:
            fields.take(field, lambda key=key: a_number(raw, key, 0, 0))  # type: ignore[misc]
    fields.take("require_https", lambda: _requires_https(raw))
    if desired is None or "require_pkce" in desired.model_fields_set:
        fields.take("require_pkce", lambda: enforced(PKCE) is not None)
    value = fields.build(Settings)
    written, wanted = options_of(desired)
    if not written:
        return value, fields.unparsed
    values, odd = told_options(written, wanted, lambda name: _option(raw, name, enforced), SETTINGS)
    return value.model_copy(update={"options": {"keycloak": values}}), {**fields.unparsed, **odd}


def _requires_https(raw: Mapping[str, Any]) -> bool:
    ssl = a_text(raw, SSL).lower()
    if ssl not in (ALL, OUTSIDE, "none"):
        raise Garbled(f"{SSL} is neither all nor external nor none", ssl)
    return ssl == ALL


def _option(raw: Mapping[str, Any], name: str, enforced: Enforced) -> Any:
    if name in RULES:
        return enforced(RULES[name]) is not None
    match name:
        case "offline_session_max":
            return a_number(raw, _OFFLINE, 0, 0) if a_flag(raw, f"{_OFFLINE}Enabled", False) else None
        case "secret_rotation":
            found = enforced(ROTATION)
            if found is None:
                return None
            return SecretRotation(**{key: a_number(found, at, 0, 0) for key, at in _PERIODS.items()})
        case _:
            return SETTINGS[name].read(raw)


def options_of(settings: Settings | None) -> tuple[Mapping[str, Any], KeycloakSettingsOptions]:
    """The options that the manifest writes for a realm: as written, and as a model."""
    written = (settings.options or {}).get("keycloak", {}) if settings is not None else {}
    return written, KeycloakSettingsOptions.model_validate(dict(written)) if written else _NO_OPTIONS


def settings_fingerprint(raw: Mapping[str, Any]) -> str:
    """A digest of all that the realm says of itself, its client policies among it, but what other objects are."""
    return fingerprint(raw, _NO_SETTINGS)


def write_settings(values: Mapping[str, Any], desired: Settings, names: frozenset[str]) -> dict[str, Any]:
    """The fields of a realm to send, from fields of the model's Settings and the options of those names."""
    body: dict[str, Any] = {SECONDS[field]: value for field, value in values.items() if field in SECONDS}
    if "require_https" in values:
        body[SSL] = ALL if values["require_https"] else OUTSIDE
    _written, wanted = options_of(desired)
    for name in sorted(names & SETTINGS.keys()):
        SETTINGS[name].write(body, getattr(wanted, name))
    if "offline_session_max" in names:
        body[f"{_OFFLINE}Enabled"] = wanted.offline_session_max is not None
        if wanted.offline_session_max is not None:
            body[_OFFLINE] = wanted.offline_session_max
    return body


def rules_to_lay_down(
    values: Mapping[str, Any], desired: Settings, names: frozenset[str]
) -> Iterator[tuple[Rule, bool]]:
    """The client policies to make or to take away: each with whether it is wanted."""
    if "require_pkce" in values:
        yield PKCE, bool(values["require_pkce"])
    _written, wanted = options_of(desired)
    for name in sorted(names & RULES.keys()):
        yield RULES[name], bool(getattr(wanted, name))
    if "secret_rotation" in names:
        rotation = wanted.secret_rotation
        periods = {at: getattr(rotation, key) for key, at in _PERIODS.items()} if rotation is not None else {}
        yield Rule(ROTATION.name, ROTATION.executor, ROTATION.access_type, periods), rotation is not None
