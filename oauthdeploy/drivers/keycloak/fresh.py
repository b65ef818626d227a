"""Keycloak's own clients and client scopes in a fresh realm, and how those of a realm differ from them.

`fresh_realm.json` was read from a fresh realm of a real 26.7.3; a test compares it with a live one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.keycloak.options import MARK
from oauthdeploy.model.state import Unheld

CLIENTS: Final = "clients"
SCOPES: Final = "client_scopes"

CHANGED: Final = "it is Keycloak's own, and not as on a fresh realm"
MISSING: Final = "it is Keycloak's own, and not in this realm"

NAMELESS: Final = "it has no name"

_PASSING: Final = frozenset({"id", "clientId", "access", "secret", "notBefore", "registrationAccessToken"})
"""Keys that name an object, are secret, or are a cut-off."""
_OF_ITS_REALM: Final = frozenset({"id", "access", "secret", "notBefore"})
"""Keys in which equal objects of two realms differ."""
_LISTS: Final = ("defaultClientScopes", "optionalClientScopes")
_REALM: Final = "{realm}"
_OF_SERVER: Final = ("client.secret.", MARK)


Lists = tuple[frozenset[str], frozenset[str]]


@cache
def objects(section: str) -> Mapping[str, Mapping[str, Any]]:
    """The objects of a section of the file by name, each as `told` returns it."""
    text = resources.files(__package__ or "").joinpath("fresh_realm.json").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, Any]] = json.loads(text)[section]
    return found


def told(raw: Mapping[str, Any], realm: str) -> dict[str, Any]:
    """The JSON of an object by dotted path, without what differs between two fresh realms. `realm` is the name of its realm."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "protocolMappers":
            found |= {
                f"{key}.{one['name']}": _mapper(one)
                for one in value or ()
                if isinstance(one, Mapping) and "name" in one
            }
        elif key in ("attributes", "authenticationFlowBindingOverrides") and isinstance(value, Mapping):
            found |= {f"{key}.{name}": text for name, text in value.items() if not name.startswith(_OF_SERVER)}
        elif key not in _PASSING:
            found[key] = value
    return {key: _plain(value, realm) for key, value in found.items() if value not in (None, "", [], False)}


def changed(
    raw: Mapping[str, Any], section: str, name: str, realm: str, given: Lists | None = None
) -> Mapping[str, Unheld]:
    """How an object that Keycloak creates itself differs from that of a fresh realm, by dotted path.

    `given` are the default and the optional client scopes that the realm gives to its clients; None: unknown.
    """
    have, usual = told(raw, realm), dict(objects(section)[name])
    for key, scopes in zip(_LISTS, given or (None, None), strict=True):
        if scopes is None or scopes >= set(have.get(key, ())):
            have.pop(key, None)
            usual.pop(key, None)
    if raw.get("secret") and usual.get("publicClient"):
        have["secret"] = Secret("", "server")
    paths = sorted(key for key in have.keys() | usual.keys() if have.get(key) != usual.get(key))
    return {
        key: Unheld(CHANGED)
        if _is_sealed(have.get(key))
        else Unheld(CHANGED, _shown(have.get(key)), _shown(usual.get(key)))
        for key in paths
    }


def foreign_told(found: Mapping[Address, Mapping[str, Any]]) -> dict[Address, Unheld]:
    """Objects that no manifest can hold, and why: without a name, or not of OpenID Connect. Those that Keycloak creates itself
    are looked at apart (`changed`).
    """
    return {
        address: Unheld(_why_foreign(raw), fingerprint(raw, _OF_ITS_REALM))
        for address, raw in found.items()
        if address.name not in objects(SCOPES)
    }


def _why_foreign(raw: Mapping[str, Any]) -> str:
    if raw.get("name") == "" and "clientId" not in raw:
        return NAMELESS
    protocol = str(raw.get("protocol"))
    return "it is an object of SAML" if protocol == "saml" else f"its protocol is {protocol}"


def _is_sealed(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_sealed(one) for one in value.values())
    return isinstance(value, Secret)


def _mapper(one: Mapping[str, Any]) -> Any:
    return {key: value for key, value in one.items() if key not in ("id", "name") and value not in (None, False)}


def _plain(value: Any, realm: str) -> Any:
    if isinstance(value, str):
        return value.replace(f"/{realm}/", f"/{_REALM}/")
    if isinstance(value, list):
        return sorted((_plain(one, realm) for one in value), key=str)
    return value


def _shown(value: Any) -> Any:
    """An object as a string; other values unchanged."""
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
