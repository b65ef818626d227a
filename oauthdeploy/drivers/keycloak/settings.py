"""The settings of a realm, between the model and Keycloak's JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oauthdeploy.drivers.values import Garbled, a_number, a_text, fingerprint
from oauthdeploy.model.objects import Settings

SECONDS: Final[Mapping[str, str]] = {
    "authorization_code_lifetime": "accessCodeLifespan",
    "access_token_lifetime": "accessTokenLifespan",
}
SSL: Final = "sslRequired"
ALL: Final = "all"
OUTSIDE: Final = "external"
"""HTTPS is required of all but private addresses: Keycloak's default."""

_NO_SETTINGS: Final = frozenset({"notBefore", "clientProfiles", "clientPolicies", "defaultRole"})


def is_whole(raw: Mapping[str, Any]) -> bool:
    """Whether the JSON of a realm has its settings: an account without the right view-realm gets only the name of it."""
    return SSL in raw


def read_settings(raw: Mapping[str, Any], pkce: bool | None) -> Settings:
    """`pkce` is whether PKCE is required of public clients; None where nobody asked. Raises Garbled."""
    values: dict[str, Any] = {field: a_number(raw, key, 0, -1) for field, key in SECONDS.items() if key in raw}
    ssl = a_text(raw, SSL).lower()
    if ssl not in (ALL, OUTSIDE, "none"):
        raise Garbled(f"{SSL} is neither all nor external nor none")
    values["require_https"] = ssl == ALL
    if pkce is not None:
        values["require_pkce"] = pkce
    return Settings(**values)


def settings_fingerprint(raw: Mapping[str, Any], pkce: bool | None) -> str:
    """A digest of all that the realm says of itself, but what other objects are."""
    return fingerprint({**raw, "pkce": pkce}, _NO_SETTINGS)


def write_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a realm to send, from fields of the model's Settings; PKCE is no field of it."""
    body: dict[str, Any] = {SECONDS[field]: value for field, value in values.items() if field in SECONDS}
    if "require_https" in values:
        body[SSL] = ALL if values["require_https"] else OUTSIDE
    return body
