"""Converts the settings of a realm between the model and Keycloak's JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.drivers.field_table import read_fields, write_fields
from oauthdeploy.drivers.json_values import a_flag, a_number, fingerprint
from oauthdeploy.drivers.keycloak.field_map import SETTINGS as OPTIONS
from oauthdeploy.drivers.keycloak.field_map import told_options
from oauthdeploy.drivers.keycloak.fields import SETTINGS, SSL, Enforced, LiveRealm, RealmDraft
from oauthdeploy.drivers.keycloak.options import DRIVER_NAME, KeycloakSettingsOptions, SecretRotation
from oauthdeploy.drivers.keycloak.policies import Rule
from oauthdeploy.drivers.keycloak.stock import REALM
from oauthdeploy.model.fields import Unparsed
from oauthdeploy.model.objects import Settings

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

POLICIES: Final = (*RULES, "secret_rotation")
"""The options that are client policies."""

OFFLINE: Final = "offlineSessionMaxLifespan"
_RESET: Final = {
    OPTIONS["device_code_lifetime"].key: OPTIONS["device_code_lifetime"].default,
    "oauth2DevicePollingInterval": REALM["oauth2DevicePollingInterval"],
}
_RESET_ATTRIBUTES: Final = {
    key: REALM[f"attributes.{key}"]
    for key in (
        "cibaAuthRequestedUserHint",
        "cibaBackchannelTokenDeliveryMode",
        "cibaExpiresIn",
        "cibaInterval",
        "parRequestUriLifespan",
    )
}
"""What a PUT of a realm resets to these defaults unless it is sent (docs/servers.md, "Keycloak 26.7")."""
_NO_OPTIONS: Final = KeycloakSettingsOptions.model_construct()
"""Made without a validator, which would be built for it at each start."""
_NO_SETTINGS: Final = frozenset({"notBefore", "defaultRole"})


def is_whole(raw: Mapping[str, Any]) -> bool:
    """Whether the JSON of a realm has its settings: an account without the role view-realm only gets its name."""
    return SSL in raw


def read_settings(
    raw: Mapping[str, Any], desired: Settings | None, enforced: Enforced
) -> tuple[Settings, Mapping[str, Unparsed]]:
    """The settings of a realm in the manifest's form, and what of them cannot be parsed.

    Of client policies, only what the manifest writes is included.
    """
    managed = None if desired is None else frozenset(desired.model_fields_set)
    fields = read_fields(SETTINGS, LiveRealm(raw, enforced, managed))
    value = fields.build(Settings)
    written, wanted = options_of(desired)
    if not written:
        return value, fields.unparsed
    values, odd = told_options(written, wanted, lambda name: read_option(raw, name, enforced), OPTIONS)
    return value.model_copy(update={"options": {DRIVER_NAME: values}}), {**fields.unparsed, **odd}


def read_option(raw: Mapping[str, Any], name: str, enforced: Enforced) -> Any:
    """The value of one option. Raises Garbled."""
    if name in RULES:
        return enforced(RULES[name]) is not None
    match name:
        case "offline_session_max":
            return a_number(raw, OFFLINE, 0, 0) if a_flag(raw, f"{OFFLINE}Enabled", False) else None
        case "secret_rotation":
            found = enforced(ROTATION)
            if found is None:
                return None
            return SecretRotation(**{key: a_number(found, at, 0, 0) for key, at in _PERIODS.items()})
        case _:
            return OPTIONS[name].read(raw)


def options_of(settings: Settings | None) -> tuple[Mapping[str, Any], KeycloakSettingsOptions]:
    """The options that the manifest writes for a realm: as written, and as a model."""
    written = (settings.options or {}).get(DRIVER_NAME, {}) if settings is not None else {}
    return written, KeycloakSettingsOptions.model_validate(dict(written)) if written else _NO_OPTIONS


def settings_fingerprint(raw: Mapping[str, Any]) -> str:
    """A digest of everything in a realm's representation, including its client policies, except other objects."""
    return fingerprint(raw, _NO_SETTINGS)


def draft_settings(values: Mapping[str, Any], desired: Settings, names: frozenset[str]) -> RealmDraft:
    """What to send to a realm for fields of the model's Settings and the options of those names."""
    draft = RealmDraft({}, [])
    write_fields(SETTINGS, values, draft)
    _written, wanted = options_of(desired)
    for name in sorted(names & OPTIONS.keys()):
        OPTIONS[name].write(draft.body, getattr(wanted, name))
    if "offline_session_max" in names:
        draft.body[f"{OFFLINE}Enabled"] = wanted.offline_session_max is not None
        if wanted.offline_session_max is not None:
            draft.body[OFFLINE] = wanted.offline_session_max
    draft.rules.extend((RULES[name], bool(getattr(wanted, name))) for name in sorted(names & RULES.keys()))
    if "secret_rotation" in names:
        rotation = wanted.secret_rotation
        periods = {at: getattr(rotation, key) for key, at in _PERIODS.items()} if rotation is not None else {}
        draft.rules.append((replace(ROTATION, configuration=periods), rotation is not None))
    return draft


def with_kept_fields(body: Mapping[str, Any], realm: Mapping[str, Any]) -> Mapping[str, Any]:
    """What to send to change a realm, with those fields of it, as it was read, that the PUT would reset.

    A PUT replaces the attributes of a realm, so all of them are sent if one would be reset.
    """
    kept = {key: realm[key] for key, usual in _RESET.items() if realm.get(key, usual) != usual}
    attributes = realm.get("attributes")
    if isinstance(attributes, Mapping) and any(
        attributes.get(k, usual) != usual for k, usual in _RESET_ATTRIBUTES.items()
    ):
        kept["attributes"] = attributes
    return {**kept, **body}
