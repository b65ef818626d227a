"""One odd value spoils one field of one object, on every driver: whatever JSON stands in the place of one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.field_table import keys_of
from oauthdeploy.drivers.json_values import SHOWN, Garbled
from oauthdeploy.drivers.keycloak import mapping as keycloak
from oauthdeploy.drivers.keycloak.scopes import read_scope as keycloak_scope
from oauthdeploy.drivers.keycloak.settings import read_settings as keycloak_settings
from oauthdeploy.drivers.opa.mapping import read_kind
from oauthdeploy.drivers.webmethods import mapping as webmethods
from oauthdeploy.drivers.webmethods.fields import SETTINGS
from oauthdeploy.drivers.webmethods.trust import external_trust, remote_trust
from oauthdeploy.model.fields import Model, Unparsed
from oauthdeploy.planning.normalize import flatten

Told = tuple[Model, Mapping[str, Unparsed]]
Read = Callable[[dict[str, Any]], Told]


def _webmethods_client(raw: dict[str, Any]) -> Told:
    live = webmethods.read_client(raw)
    return live.value, live.unparsed


def _webmethods_scope(raw: dict[str, Any]) -> Told:
    live = webmethods.read_scope(raw)
    return live.value, live.unparsed


def _webmethods_settings(raw: dict[str, Any]) -> Told:
    live = webmethods.read_settings(raw)
    return live.value, live.unparsed


def _external(raw: dict[str, Any]) -> Told:
    live = external_trust("login", raw)
    return live.value, live.unparsed


def _remote(raw: dict[str, Any]) -> Told:
    live = remote_trust("login", raw, None)
    return live.value, live.unparsed


def _keycloak_client(raw: dict[str, Any]) -> Told:
    live = keycloak.read_client(raw)
    return live.value, live.unparsed


def _keycloak_scope(raw: dict[str, Any]) -> Told:
    live = keycloak_scope(raw)
    return live.value, live.unparsed


def _keycloak_settings(raw: dict[str, Any]) -> Told:
    return keycloak_settings(raw, None, lambda _rule: None)


def _opa(kind: Kind, section: str) -> Read:
    def read(raw: dict[str, Any]) -> Told:
        ((_address, live),) = read_kind({section: {"a": raw}}, kind, "orders", "us")
        return live.value, live.unparsed

    return read


GRANTS = frozenset({"grants"})
READERS: dict[str, tuple[Read, dict[str, Any], dict[str, frozenset[str]], frozenset[str]]] = {
    "webmethods client": (
        _webmethods_client,
        {
            "client_id": "a1", "name": "Shop", "version": "1.0", "type": "Confidential", "description": "d",
            "redirect_uris": ["https://a/cb"], "scopes": ["s"], "authorizationCodeGrant": True, "implicitGrant": False,
            "clientCredentialsGrant": "true", "resourceOwnerCredentialsGrant": False, "tokenLifetime": 60,
            "tokenRefreshCount": "5", "enabled": True, "client_secret": "********", "registrationClientUri": "u",
        },
        {
            "type": frozenset({"type"}), "description": frozenset({"description"}),
            "redirect_uris": frozenset({"redirect_uris"}), "authorizationCodeGrant": GRANTS, "implicitGrant": GRANTS,
            "clientCredentialsGrant": GRANTS, "resourceOwnerCredentialsGrant": GRANTS,
            "tokenLifetime": frozenset({"tokens.access_lifetime"}),
            "tokenRefreshCount": GRANTS | {"tokens.refresh_count"}, "enabled": frozenset({"enabled"}),
        },
        frozenset({"client_id", "name", "version"}),
    ),
    "webmethods scope": (
        _webmethods_scope,
        {"name": "s", "description": "d", "FoldersAndServices": ["a"], "urlTemplates": ["GET_a"], "warnings": ["w"]},
        {
            "description": frozenset({"description"}), "FoldersAndServices": frozenset({"resources"}),
            "urlTemplates": frozenset({"url_templates"}),
        },
        frozenset({"name"}),
    ),
    "webmethods settings": (
        _webmethods_settings,
        {
            "requireHTTPS": True, "requirePKCE": "false", "authCodeLifetimeSeconds": -1,
            "accessTokenLifetimeSeconds": 3600, "tokenEndpointAuth": "session", "authServerAlias": "local",
        },
        {key: frozenset({field}) for field in SETTINGS for key in keys_of(SETTINGS, field)},
        frozenset(),
    ),
    "webmethods external server": (
        _external,
        {
            "name": "login", "introspectionEndpoint": "https://login/i", "clientId": "c", "clientSecret": "x",
            "user": "u", "keystoreAlias": "k", "keyAlias": "ka", "truststoreAlias": "t", "defaultScope": "s",
        },
        {
            "introspectionEndpoint": frozenset({"endpoint"}), "clientId": frozenset({"client_id"}),
            "user": frozenset({"user"}), "keystoreAlias": frozenset({"keystore_alias"}),
            "keyAlias": frozenset({"key_alias"}), "truststoreAlias": frozenset({"truststore_alias"}),
            "defaultScope": frozenset({"default_scope"}),
        },
        frozenset(),
    ),
    "webmethods remote server": (
        _remote,
        {
            "alias": "login", "host": "login", "port": "5555", "ssl": "yes", "user": "u", "password": "x",
            "keystoreAlias": "k", "keyAlias": "ka", "acl": "Internal", "keepAlive": "5", "timeout": 1, "retryServer": "h",
        },
        {key: frozenset({"endpoint"}) for key in ("host", "port", "ssl")}
        | {
            "user": frozenset({"username"}), "keystoreAlias": frozenset({"keystore_alias"}),
            "keyAlias": frozenset({"key_alias"}), "acl": frozenset({"execute_acl"}),
            "keepAlive": frozenset({"keep_alive_connections"}), "timeout": frozenset({"keep_alive_minutes"}),
            "retryServer": frozenset({"retry_server"}),
        },
        frozenset(),
    ),
    "keycloak client": (
        _keycloak_client,
        {
            "id": "1", "clientId": "shop", "name": "n", "description": "d", "enabled": True, "publicClient": False,
            "secret": "**********", "redirectUris": ["https://a/cb"], "webOrigins": [], "protocol": "openid-connect",
            "standardFlowEnabled": True, "implicitFlowEnabled": False, "directAccessGrantsEnabled": False,
            "serviceAccountsEnabled": True, "attributes": {"access.token.lifespan": "300"}, "notBefore": 0,
            "defaultClientScopes": ["basic"], "optionalClientScopes": ["phone"], "protocolMappers": [{"name": "m"}],
            "authenticationFlowBindingOverrides": {}, "registrationAccessToken": "x", "access": {"view": True},
        },
        {
            "name": frozenset({"name"}), "description": frozenset({"description"}), "enabled": frozenset({"enabled"}),
            "publicClient": frozenset({"type", "secret.value"}), "redirectUris": frozenset({"redirect_uris"}),
            "standardFlowEnabled": GRANTS, "implicitFlowEnabled": GRANTS, "directAccessGrantsEnabled": GRANTS,
            "serviceAccountsEnabled": GRANTS, "attributes": GRANTS | {"tokens.access_lifetime"},
            "secret": frozenset({"secret.value"}),
        },
        frozenset({"id", "clientId"}),
    ),
    "keycloak scope": (
        _keycloak_scope,
        {
            "id": "1", "name": "orders.read", "description": "d", "protocol": "openid-connect",
            "attributes": {"display.on.consent.screen": "true"}, "protocolMappers": [{"name": "m", "config": {}}],
        },
        {"description": frozenset({"description"})},
        frozenset({"id", "name"}),
    ),
    "keycloak settings": (
        _keycloak_settings,
        {"realm": "r", "accessCodeLifespan": 60, "accessTokenLifespan": 300, "sslRequired": "external", "notBefore": 0},
        {
            "accessCodeLifespan": frozenset({"authorization_code_lifetime"}),
            "accessTokenLifespan": frozenset({"access_token_lifetime"}), "sslRequired": frozenset({"require_https"}),
        },
        frozenset(),
    ),
    "opa client": (
        _opa(Kind.CLIENT, "clients"),
        {
            "owner": "us", "name": "n", "type": "public", "description": "d", "redirect_uris": ["https://a/cb"],
            "grants": ["authorization_code"], "tokens": {"access_lifetime": 300, "refresh_count": 0}, "more": 1,
        },
        {key: frozenset({key}) for key in ("name", "type", "description", "redirect_uris", "grants", "version")}
        | {"tokens": frozenset({"tokens", "tokens.access_lifetime", "tokens.refresh_count"})},
        frozenset(),
    ),
    "opa scope": (
        _opa(Kind.SCOPE, "scopes"),
        {"owner": "us", "description": "d", "resources": ["a"], "url_templates": ["GET_a"]},
        {key: frozenset({key}) for key in ("description", "resources", "url_templates")},
        frozenset(),
    ),
}  # fmt: skip
"""How objects are read, an answer as servers give it, the fields that each key is about, and the keys that identify it."""

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats(allow_nan=False) | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", READERS)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.slow
def test_one_odd_value_spoils_its_own_field_alone(name: str, data: st.DataObject) -> None:
    """Any JSON in the place of any value: the other fields are read as ever, and what can't be parsed is shown, bounded."""
    read, sound, about, identity = READERS[name]
    key = data.draw(st.sampled_from(sorted(sound)))
    value, before = flatten(read(dict(sound))[0]), dict(sound)
    before[key] = data.draw(ANYTHING)
    try:
        odd, unparsed = read(before)
    except Garbled:
        assert key in identity
        return
    now = flatten(odd)
    touched = {path for path in value.keys() | now.keys() if value.get(path) != now.get(path)}
    allowed = about.get(key, frozenset()) | (identity & {key})
    assert touched <= allowed
    assert unparsed.keys() <= allowed
    assert not unparsed.keys() & now.keys()
    assert all(len(found.text) <= SHOWN and found.text.isprintable() for found in unparsed.values())
