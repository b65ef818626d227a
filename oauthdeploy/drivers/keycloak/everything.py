"""All of an object, whatever a manifest writes: the options that aren't Keycloak's defaults, and what no manifest can hold. Pure.

For exports and comparisons. Values are in the manifest's words; what can't be read as an option is among what can't be held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.field_table import WireField
from oauthdeploy.drivers.json_values import Garbled, a_flag
from oauthdeploy.drivers.keycloak import stock
from oauthdeploy.drivers.keycloak.field_map import CLIENT as CLIENT_OPTIONS
from oauthdeploy.drivers.keycloak.field_map import SCOPE as SCOPE_OPTIONS
from oauthdeploy.drivers.keycloak.field_map import SETTINGS as SETTINGS_OPTIONS
from oauthdeploy.drivers.keycloak.field_map import Place, read_mappers
from oauthdeploy.drivers.keycloak.fields import BEARER_ONLY, FLAGS, SSL, Enforced, attributes_of
from oauthdeploy.drivers.keycloak.fields import SETTINGS as SETTINGS_FIELDS
from oauthdeploy.drivers.keycloak.mapping import LiveClient, read_flows
from oauthdeploy.drivers.keycloak.options import MARK, TAKEN
from oauthdeploy.drivers.keycloak.policies import entries
from oauthdeploy.drivers.keycloak.scopes import NONE, LiveScope
from oauthdeploy.drivers.keycloak.settings import OFFLINE, POLICIES, read_option
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Grant

Told = tuple[Mapping[str, Any], Mapping[str, str]]
"""The options of an object that aren't defaults, and what can't be held of it, with the reason."""

NO_FIELD: Final = "a manifest has no field for it"
UNREADABLE: Final = "its value is not one that the option can have"
SECRET: Final = "it may be a secret"
RECEIVES_ONLY: Final = "grants: [] makes a client that only receives tokens, without this flag"

_KEPT_BY_SERVER: Final = ("client.secret.", MARK)
_HELD_OF_REALM: Final = frozenset(
    {
        *(place.key for place in SETTINGS_OPTIONS.values()),
        *(key for entry in SETTINGS_FIELDS.values() if isinstance(entry, WireField) for key in entry.keys),
        *(OFFLINE, f"{OFFLINE}Enabled", "clientPolicies.policies", "clientProfiles.profiles"),
        *("id", "realm", "notBefore"),
    }
)
"""Fields of a realm that settings hold, or that name it."""
OWN_POLICY: Final = "oauthdeploy-"
"""The client policies that fields of the settings lay down begin so."""
_SHOWN_BY_DEFAULT: Final = frozenset({"include_in_token_scope", "display_on_consent_screen"})
"""Options of a client scope that Keycloak takes for true where they are absent."""


def client_told(live: LiveClient, flows: Mapping[str, str]) -> Told:
    """All of a client; `flows` are the aliases of authentication flows by id."""
    found = _Found()
    raw = live.raw
    found.places(raw, CLIENT_OPTIONS, {"web_origins": _origins(live.value.redirect_uris or ())})
    found.option("authentication_flows", "authenticationFlowBindingOverrides", lambda: read_flows(raw, flows))
    found.mappers(raw)
    found.attributes(raw, stock.CLIENT_ATTRIBUTES)
    for key, usual in stock.CLIENT.items():
        if raw.get(key, usual) not in (usual, None):
            found.unheld[key] = NO_FIELD
    if a_flag(raw, BEARER_ONLY, False):
        found.unheld[BEARER_ONLY] = RECEIVES_ONLY
        found.unheld.update({flag: RECEIVES_ONLY for flag in FLAGS.values() if a_flag(raw, flag, False)})
    return found.told()


def scope_told(live: LiveScope, new_clients: str) -> Told:
    """All of a client scope; `new_clients` is how new clients get it."""
    found = _Found()
    found.places(live.raw, SCOPE_OPTIONS, dict.fromkeys(_SHOWN_BY_DEFAULT, True))
    found.mappers(live.raw)
    found.attributes(live.raw, {})
    if new_clients != NONE:
        found.options["new_clients"] = new_clients
    return found.told()


def settings_told(raw: Mapping[str, Any], enforced: Enforced) -> Told:
    """All of the settings of a realm."""
    found = _Found()
    found.places(raw, {name: place for name, place in SETTINGS_OPTIONS.items() if place.key != SSL}, {})
    if raw.get(SSL) == "none":
        # The other two words are those of require_https.
        found.options["ssl_required"] = "none"
    for name in (*POLICIES, "offline_session_max"):
        found.option(
            name, OFFLINE if name == "offline_session_max" else name, partial(read_option, raw, name, enforced)
        )
    for key, value in stock.flat({key: value for key, value in raw.items() if key != "defaultRole"}):
        usual = stock.REALM.get(key)
        if key.removeprefix("attributes.") not in _HELD_OF_REALM and value != usual and (value or usual):
            found.unheld[key] = NO_FIELD
    policies = {str(one.get("name")) for one in entries(raw.get("clientPolicies", {}), "policies")}
    for name in sorted(policies):
        if not name.startswith(OWN_POLICY):
            found.unheld[f"clientPolicies.{name}"] = NO_FIELD
    return found.told()


def lacking(live: LiveClient, there: Collection[str]) -> frozenset[str]:
    """The client scopes of `there` that every new client gets, and that a client doesn't have so."""
    usual = {scope for scope in _given(live) if scope in there}
    return frozenset(scope for scope in usual if not is_given(live, scope))


def is_given(live: LiveClient, scope: str) -> bool:
    """Whether a client has a scope as every new client does."""
    given = _given(live)
    return scope in given and scope in (live.default if given[scope] else live.optional)


def _given(live: LiveClient) -> Mapping[str, bool]:
    own = Grant.CLIENT_CREDENTIALS in (live.value.grants or ())
    return {**stock.CLIENT_SCOPES, **({stock.SERVICE_ACCOUNT: True} if own else {})}


def _origins(redirect_uris: Iterable[str]) -> tuple[str, ...]:
    """What Keycloak makes of the redirect URIs of a new client whose origins it isn't told."""
    parts = (urlsplit(uri) for uri in redirect_uris if uri.startswith("http"))
    return tuple(sorted({f"{part.scheme}://{part.netloc}" for part in parts}))


class _Found:
    """Collects options and what can't be held."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.unheld: dict[str, str] = {}

    def told(self) -> Told:
        return self.options, self.unheld

    def option(self, name: str, key: str, read: Callable[[], Any], usual: Any = None) -> None:
        """One option, where it isn't what a new object has."""
        try:
            value = read()
        except Garbled:
            self.unheld[key] = UNREADABLE
            return
        if isinstance(value, Model):
            value = {field: inner for field, inner in value.model_dump(mode="json").items() if inner is not None}
        if isinstance(value, Secret):
            self.unheld[key] = SECRET
        elif value != usual and not (_is_nothing(value) and _is_nothing(usual)):
            self.options[name] = list(value) if isinstance(value, tuple) else value

    def places(self, raw: Mapping[str, Any], places: Mapping[str, Place], usual: Mapping[str, Any]) -> None:
        """The options that are one value at one place; `usual` are those of a new object that aren't the place's default."""
        for name, place in places.items():
            default = usual.get(name, place.default)
            key = f"attributes.{place.key}" if place.attribute else place.key

            def read(place: Place = place, default: Any = default) -> Any:
                found = place.read(raw)
                return default if found is None else found

            self.option(name, key, read, default)

    def mappers(self, raw: Mapping[str, Any]) -> None:
        """Every protocol mapper that can be written, without the secrets of its config."""
        try:
            listed = read_mappers(raw)
        except Garbled:
            self.unheld["protocolMappers"] = UNREADABLE
            return
        made: dict[str, Any] = {}
        for name, mapper in listed.items():
            config = {key: text for key, text in mapper.config.items() if not isinstance(text, Secret)}
            self.unheld.update({f"protocolMappers.{name}.{key}": SECRET for key in mapper.config if key not in config})
            made[name] = {"type": mapper.type, "config": config}
        if made:
            self.options["protocol_mappers"] = made

    def attributes(self, raw: Mapping[str, Any], usual: Mapping[str, str]) -> None:
        """The attributes that no other field holds."""
        made: dict[str, str] = {}
        for key, text in attributes_of(raw).items():
            if key in TAKEN or key.startswith(_KEPT_BY_SERVER) or usual.get(key) == text or not text:
                continue
            if isinstance(text, Secret):
                self.unheld[f"attributes.{key}"] = SECRET
            else:
                made[key] = text
        if made:
            self.options["attributes"] = made


def _is_nothing(value: Any) -> bool:
    return value in (None, "", False, ()) or value == {}
