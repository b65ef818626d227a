"""`as` at associations: what a manifest may say, on which servers, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oauthdeploy.core.addresses import Address
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.model.objects import AssignedAs, Association

KEYCLOAK = {
    "role": "authorization",
    "driver": "keycloak",
    "url": "https://login.example.com",
    "options": {"realm": "shop"},
    "credentials": {"username": "deployer", "password": "${env:P}"},
}
ACCOUNT = {"username": "deployer", "password": "${env:P}"}
WEBMETHODS = {"role": "authorization", "driver": "webmethods", "url": "https://is.example.com", "credentials": ACCOUNT}
OPA = {
    "role": "resource",
    "driver": "opa",
    "url": "https://opa.example.com",
    "authorization_server": "login",
    "credentials": {"token": "${env:P}"},
    "options": {"path": "oauth/shop"},
}
IDP = {
    "role": "authorization",
    "driver": "external",
    "issuer": "https://i.example.com",
    "jwks_uri": "https://i.example.com/keys",
}


Loaded = tuple[Manifest | None, set[str]]


def load(servers: dict[str, Any], associations: list[Any], options: dict[str, Any] | None = None) -> Loaded:
    document = {
        "version": 1,
        "name": "shop",
        "servers": servers,
        "scopes": {"read": {}, "write": {}},
        "clients": {"web": {"type": "public", "options": {"keycloak": options}} if options else {"type": "public"}},
        "associations": associations,
    }
    request = ManifestRequest(files=("-",), stdin=json.dumps(document), environ={"P": "secret-of-the-deployer"})
    manifest, found = load_manifest(request, driver_facts())
    return manifest, {item.rule for item in found.errors}


def ways(manifest: Manifest | None) -> dict[str, AssignedAs | None]:
    assert manifest is not None
    objects = manifest.desired.objects
    return {a.without_server: value.assigned_as for a, value in objects.items() if isinstance(value, Association)}


def test_what_an_entry_says_counts_for_each_of_its_associations() -> None:
    """From either end; without a word, nothing is managed."""
    entries = [
        {"client": "web", "scopes": ["read"], "as": "default"},
        {"scope": "write", "clients": ["web"], "as": "optional"},
    ]
    manifest, errors = load({"login": KEYCLOAK}, entries)
    assert errors == set()
    assert ways(manifest) == {"association/web:read": AssignedAs.DEFAULT, "association/web:write": AssignedAs.OPTIONAL}
    manifest, _errors = load({"login": KEYCLOAK}, [{"client": "web", "scopes": ["read", "write"]}])
    assert ways(manifest) == {"association/web:read": None, "association/web:write": None}


@pytest.mark.parametrize("listed", [["read"], [], None])
def test_the_option_of_the_client_says_the_same(listed: list[str] | None) -> None:
    """It is taken apart before a driver sees it: what it lists is default, everything else optional."""
    manifest, errors = load(
        {"login": KEYCLOAK}, [{"client": "web", "scopes": ["read", "write"]}], {"default_scopes": listed}
    )
    assert errors == set()
    assert ways(manifest) == {
        "association/web:read": AssignedAs.DEFAULT if listed else AssignedAs.OPTIONAL,
        "association/web:write": AssignedAs.OPTIONAL,
    }
    assert manifest is not None
    client = manifest.desired.objects[Address.parse("client/web@login")]
    assert "default_scopes" not in (getattr(client, "options", None) or {}).get("keycloak", {})


@pytest.mark.parametrize(
    "servers", [{"login": WEBMETHODS}, {"login": IDP, "opa": OPA}, {"login": KEYCLOAK, "is": WEBMETHODS}]
)
def test_a_server_that_does_not_distinguish_refuses_it_by_name(servers: dict[str, Any]) -> None:
    """Without a request, where it is an authorization server, or the only one that holds associations."""
    _manifest, errors = load(servers, [{"client": "web", "scopes": ["read"], "as": "default"}])
    assert errors == {"not-supported"}


def test_a_resource_server_beside_one_that_holds_it_is_not_given_it() -> None:
    """How a token gets its scopes is the authorization server's business."""
    manifest, errors = load({"login": KEYCLOAK, "opa": OPA}, [{"client": "web", "scopes": ["read"], "as": "default"}])
    assert errors == set()
    assert manifest is not None
    found = {
        a.server: value.assigned_as for a, value in manifest.desired.objects.items() if isinstance(value, Association)
    }
    assert found == {"login": AssignedAs.DEFAULT, "opa": None}


@pytest.mark.parametrize(
    "entry",
    [
        {"client": "web", "scopes": ["read"], "as": "always"},
        {"client": "web", "as": "default"},
        {"client": "web", "scopes": ["read"], "clients": ["web"], "as": "default"},
        {"client": "web", "scopes": ["read"], "assigned_as": "default"},
    ],
)
def test_what_it_can_not_say_is_an_error(entry: dict[str, Any]) -> None:
    """Another word, an entry without a list, or with both, and another name of the field."""
    manifest, errors = load({"login": KEYCLOAK}, [entry])
    assert manifest is None
    assert errors
