"""All of an object, whatever a manifest writes: options that differ from Keycloak's defaults, and what no manifest can
represent. Pure.

For exports and comparisons. Values are in the manifest's form; options that cannot be parsed count as not representable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from oauthdeploy.core.secrets import Secret, is_masked, is_named_secret
from oauthdeploy.drivers.field_table import WireField
from oauthdeploy.drivers.json_values import Garbled, a_flag
from oauthdeploy.drivers.keycloak import stock
from oauthdeploy.drivers.keycloak.field_map import CLIENT as CLIENT_OPTIONS
from oauthdeploy.drivers.keycloak.field_map import SCOPE as SCOPE_OPTIONS
from oauthdeploy.drivers.keycloak.field_map import SETTINGS as SETTINGS_OPTIONS
from oauthdeploy.drivers.keycloak.field_map import Place, own_audiences, read_mappers, without_audiences
from oauthdeploy.drivers.keycloak.fields import (
    BEARER_ONLY,
    FLAGS,
    LISTS,
    REFRESH,
    SSL,
    Enforced,
    attributes_of,
    is_on,
    serves_users,
)
from oauthdeploy.drivers.keycloak.fields import SETTINGS as SETTINGS_FIELDS
from oauthdeploy.drivers.keycloak.mapping import LiveClient, read_flows
from oauthdeploy.drivers.keycloak.options import (
    CLIENT_TAKEN,
    MARK,
    SCOPE_TAKEN,
    KeycloakClientOptions,
    KeycloakScopeOptions,
    KeycloakSettingsOptions,
)
from oauthdeploy.drivers.keycloak.policies import entries
from oauthdeploy.drivers.keycloak.scopes import NONE, LiveScope
from oauthdeploy.drivers.keycloak.settings import OFFLINE, POLICIES, read_option
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import AssignedAs, Grant
from oauthdeploy.model.state import UNTOLD, Unheld

Told = tuple[Mapping[str, Any], Mapping[str, Unheld]]
"""The options of an object that differ from the defaults, and what cannot be represented."""

NO_FIELD: Final = "a manifest has no field for it"
UNREADABLE: Final = "its value is not one that the option can have"
SECRET: Final = "it may be a secret"
RECEIVES_ONLY: Final = "grants: [] makes a client that only receives tokens, without this flag"
IDLE: Final = "it means nothing with the grants that the client has"
CUT_OFF: Final = "it is a cut-off, which is no state"
NAMELESS_SCOPE: Final = "it contains a client scope without a name"
NO_PROTOCOL: Final = "it has none, and a new one has openid-connect"

_KEPT_BY_SERVER: Final = ("client.secret.", MARK)
_HELD_OF_REALM: Final = frozenset(
    {
        *(place.key for place in SETTINGS_OPTIONS.values()),
        *(key for entry in SETTINGS_FIELDS.values() if isinstance(entry, WireField) for key in entry.keys),
        *(OFFLINE, f"{OFFLINE}Enabled", "clientPolicies.policies", "clientProfiles.profiles"),
        *("id", "realm", "notBefore"),
    }
)
"""The fields of a realm that settings cover, or that name it."""
OWN_POLICY: Final = "oauthdeploy-"
"""The prefix of client policies that represent fields of the settings."""
_OF_MAPPER: Final = frozenset({"id", "name", "protocolMapper", "config"})
_SHOWN_BY_DEFAULT: Final = frozenset({"include_in_token_scope", "display_on_consent_screen"})
"""The options of a client scope that Keycloak takes for true if they are absent."""


def client_told(live: LiveClient, flows: Mapping[str, str], there: Collection[str]) -> Told:
    """All of a client; `flows` are the aliases of authentication flows by id, `there` the client scopes of the realm."""
    found = _Found(KeycloakClientOptions)
    raw = live.raw
    found.places(raw, CLIENT_OPTIONS, {"web_origins": _origins(live.value.redirect_uris or ())})
    if raw.get("authenticationFlowBindingOverrides"):
        found.option("authentication_flows", "authenticationFlowBindingOverrides", lambda: read_flows(raw, flows))
    found.mappers(raw)
    found.attributes(raw, stock.CLIENT_ATTRIBUTES, CLIENT_TAKEN)
    for key, usual in stock.CLIENT.items():
        if raw.get(key, usual) not in (usual, None):
            found.lost(key, NO_FIELD, raw[key])
    given = _given(live)
    absent = [scope for scope in given if scope not in there] if there else []
    for way, key in LISTS.items():
        listed = way is AssignedAs.DEFAULT
        missing = sorted(scope for scope in absent if given[scope] is listed)
        have = live.default if listed else live.optional
        passing = _passing_scopes(live, way, there)
        if missing or passing or "" in have:
            lost: dict[str, list[str]] = {
                f"a copy gets {', '.join(missing)} as well, which this realm does not have": missing,
                NAMELESS_SCOPE: [scope for scope in have if not scope],
                **passing,
            }
            why = [why for why, scopes in lost.items() if scopes]
            found.unheld[key] = Unheld("; ".join(why), [scope for scopes in lost.values() for scope in scopes])
    if live.not_before:
        found.lost("notBefore", CUT_OFF, live.not_before)
    if a_flag(raw, BEARER_ONLY, False):
        for flag in (BEARER_ONLY, *(flag for flag in FLAGS.values() if a_flag(raw, flag, False))):
            found.lost(flag, RECEIVES_ONLY, True)
    elif not is_on(attributes := attributes_of(raw), REFRESH, True) and not serves_users(raw, attributes):
        found.lost(f"attributes.{REFRESH}", IDLE, "false")
    return found.told()


def scope_told(live: LiveScope, new_clients: str) -> Told:
    """All of a client scope; `new_clients` is how new clients get it."""
    found = _Found(KeycloakScopeOptions)
    found.places(live.raw, SCOPE_OPTIONS, dict.fromkeys(_SHOWN_BY_DEFAULT, True))
    found.mappers(live.raw)
    if audiences := found.own_audiences(live.raw):
        found.options["audiences"] = list(audiences)
    found.attributes(live.raw, {}, SCOPE_TAKEN)
    if not live.raw.get("protocol"):
        found.lost("protocol", NO_PROTOCOL, "")
    if new_clients != NONE:
        found.options["new_clients"] = new_clients
    return found.told()


def settings_told(raw: Mapping[str, Any], enforced: Enforced) -> Told:
    """All of the settings of a realm."""
    found = _Found(KeycloakSettingsOptions)
    found.places(raw, {name: place for name, place in SETTINGS_OPTIONS.items() if place.key != SSL}, {})
    if raw.get(SSL) == "none":
        # The other two values are those of require_https.
        found.options["ssl_required"] = "none"
    for name in (*POLICIES, "offline_session_max"):
        found.option(
            name, OFFLINE if name == "offline_session_max" else name, partial(read_option, raw, name, enforced)
        )
    for key, value in stock.flat({key: value for key, value in raw.items() if key != "defaultRole"}):
        usual = stock.REALM.get(key)
        if key.removeprefix("attributes.") not in _HELD_OF_REALM and value != usual and (value or usual):
            found.lost(key, NO_FIELD, value, usual)
    if raw.get("notBefore"):
        found.lost("notBefore", CUT_OFF, raw["notBefore"])
    for section, listed in (("clientPolicies", "policies"), ("clientProfiles", "profiles")):
        for one in entries(raw.get(section, {}), listed):
            called = str(one.get("name"))
            if not called.startswith(OWN_POLICY):
                found.lost(f"{section}.{called}", NO_FIELD, one)
    return found.told()


def lacking(live: LiveClient, there: Collection[str]) -> frozenset[str]:
    """The client scopes of `there` that every new client gets, and that a client does not have in the same way. That of service
    accounts is none of them: no manifest can keep it from a client.
    """
    lost = _given(live).keys() - has_like_new(live) - {stock.SERVICE_ACCOUNT}
    return frozenset(scope for scope in lost if scope in there)


def has_like_new(live: LiveClient) -> frozenset[str]:
    """The scopes that a client has in the same way as every new client."""
    given = _given(live).items()
    return frozenset([scope for scope, default in given if scope in (live.default if default else live.optional)])


def _passing_scopes(live: LiveClient, way: AssignedAs, there: Collection[str]) -> dict[str, list[str]]:
    """The scope of service accounts where Keycloak adds or removes it at the next change of the client, and why it does."""
    scope, own = stock.SERVICE_ACCOUNT, Grant.CLIENT_CREDENTIALS in (live.value.grants or ())
    if own and way is AssignedAs.DEFAULT and scope in there and scope not in live.default:
        return {f"Keycloak adds {scope} to a client with a service account at its next change": [scope]}
    if scope in live.optional if way is AssignedAs.OPTIONAL else scope in live.default and not own:
        return {f"Keycloak removes {scope} at the next change of the client": [scope]}
    return {}


def _given(live: LiveClient) -> Mapping[str, bool]:
    own = Grant.CLIENT_CREDENTIALS in (live.value.grants or ())
    return _GIVEN_TO_SERVICES if own else stock.CLIENT_SCOPES


_GIVEN_TO_SERVICES: Final[Mapping[str, bool]] = {**stock.CLIENT_SCOPES, stock.SERVICE_ACCOUNT: True}


def _origins(redirect_uris: Iterable[str]) -> tuple[str, ...]:
    """What Keycloak derives from the redirect URIs of a new client without origins."""
    parts = (urlsplit(uri) for uri in redirect_uris if uri.startswith("http"))
    return tuple(sorted({f"{part.scheme}://{part.netloc}" for part in parts}))


class _Found:
    """Collects options of a `model`, and what cannot be represented."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.options: dict[str, Any] = {}
        self.unheld: dict[str, Unheld] = {}

    def told(self) -> Told:
        return self.options, self.unheld

    def lost(self, key: str, why: str, value: Any, usual: Any = None) -> None:
        """Record what cannot be represented; `value` is shown unless it may be secret."""
        self.unheld[key] = Unheld(why, UNTOLD if _may_be_secret(key, value) else _shown(value), _shown(usual))

    def option(self, name: str, key: str, read: Callable[[], Any], usual: Any = None) -> None:
        """One option, if it differs from that of a new object."""
        try:
            value = read()
        except Garbled as problem:
            self.lost(key, UNREADABLE, problem.value)
            return
        if isinstance(value, Model):
            value = {field: inner for field, inner in value.model_dump(mode="json").items() if inner is not None}
        if isinstance(value, Secret):
            self.unheld[key] = Unheld(SECRET)
        elif value != usual and not (_is_nothing(value) and _is_nothing(usual)):
            written = list(value) if isinstance(value, tuple) else value
            if self._takes(name, written):
                self.options[name] = written
            else:
                self.lost(key, UNREADABLE, value)

    def _takes(self, name: str, value: Any) -> bool:
        try:
            self.model.model_validate({name: value})
        except ValidationError:
            return False
        return True

    def places(self, raw: Mapping[str, Any], places: Mapping[str, Place], usual: Mapping[str, Any]) -> None:
        """The options with one value in one place; `usual` are those of a new object that differ from the place's default."""
        attributes = raw.get("attributes") or {}
        for name, place in places.items():
            holder = attributes if place.attribute else raw
            if name not in usual and isinstance(holder, dict) and holder.get(place.key) in (None, ""):
                # Most options of most clients: nothing is written, which is the default.
                continue
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
            self.lost("protocolMappers", UNREADABLE, raw.get("protocolMappers"))
            return
        made: dict[str, Any] = {}
        for name, mapper in listed.items():
            config = {key: text for key, text in mapper.config.items() if not isinstance(text, Secret)}
            self.unheld |= {
                f"protocolMappers.{name}.{key}": Unheld(SECRET) for key in mapper.config if key not in config
            }
            made[name] = {"type": mapper.type, "config": config}
        if made:
            self.options["protocol_mappers"] = made
        for one in raw.get("protocolMappers") or ():
            for key, value in one.items():
                if key not in _OF_MAPPER and value not in (None, "", False, stock.MAPPER.get(key)):
                    self.lost(f"protocolMappers.{one['name']}.{key}", NO_FIELD, value, stock.MAPPER.get(key))

    def own_audiences(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        """The audiences whose mappers the option of that name makes; these are no mappers beside it."""
        if "protocol_mappers" not in self.options:
            return ()
        audiences = own_audiences(raw)
        if not (rest := without_audiences(self.options.pop("protocol_mappers"), audiences)):
            return audiences
        self.options["protocol_mappers"] = rest
        return audiences

    def attributes(self, raw: Mapping[str, Any], usual: Mapping[str, str], taken: Collection[str]) -> None:
        """The attributes that no other field holds; `taken` are those that one does."""
        made: dict[str, str] = {}
        for key, text in attributes_of(raw).items():
            if key in taken or key.startswith(_KEPT_BY_SERVER) or usual.get(key) == text or not text:
                continue
            if isinstance(text, Secret):
                self.unheld[f"attributes.{key}"] = Unheld(SECRET)
            else:
                made[key] = text
        if made:
            self.options["attributes"] = made


def _is_nothing(value: Any) -> bool:
    return value is None or value is False or value in ("", ()) or value == {}


def _may_be_secret(key: str, value: Any) -> bool:
    """Whether a value, or one in it, is secret by its name or hidden by the server."""
    if isinstance(value, Mapping):
        return any(_may_be_secret(str(name), one) for name, one in value.items())
    if isinstance(value, list | tuple):
        return any(_may_be_secret(key, one) for one in value)
    if isinstance(value, str):
        return is_masked(value) or is_named_secret(key.rpartition(".")[2], value)
    return isinstance(value, Secret)


def _shown(value: Any) -> Any:
    """A value as it is shown: JSON where it is, or has in it, an object."""
    listed = value if isinstance(value, list | tuple) else (value,)
    return json.dumps(value, sort_keys=True) if any(isinstance(one, Mapping) for one in listed) else value
