"""Keycloak's own clients and client scopes, as the driver knows them."""

from __future__ import annotations

from oauthdeploy.drivers.keycloak import fresh
from tests.servers.keycloak import Realm


def test_the_file_of_a_fresh_realm_is_what_this_keycloak_makes(realm: Realm) -> None:
    """Object by object and field by field, whatever the realm is called."""
    for section, path, key in ((fresh.CLIENTS, "/clients", "clientId"), (fresh.SCOPES, "/client-scopes", "name")):
        found = {raw[key]: fresh.told(raw, realm.name) for raw in realm.get(path)}
        assert found == fresh.objects(section)


def test_what_is_otherwise_is_told_by_its_path_and_a_secret_is_not() -> None:
    """Also what is gone, in the words of the fresh realm."""
    raw = {
        "description": "Mail",
        "protocolMappers": [{"name": "x", "config": {"a": "1"}}],
        "protocol": "openid-connect",
    }
    found = fresh.changed(raw, fresh.SCOPES, "email", "r")
    assert (found["description"].value, found["description"].usual) == ("Mail", "OpenID Connect built-in scope: email")
    assert found["protocolMappers.x"].value == '{"config": {"a": "1"}}'
    assert found["protocolMappers.email"].value is None
    assert "protocol" not in found
