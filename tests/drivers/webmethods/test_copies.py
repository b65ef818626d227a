"""What is exported from an Integration Server is the same again elsewhere, and five changes by hand are found and repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Client, Object
from tests.drivers.copies import Contents, Copy, End, Hand
from tests.drivers.webmethods.site import ADMIN, Site, start_site

MADE_BY_SERVER = {"client_id", "client_secret", "registrationAccessToken"}
IDLE = {"authorization": {"FoldersAndServices", "urlTemplates"}, "resource": {"scopes"}, "both": set[str]()}
"""What a server holds and doesn't act on in a role, so that an export leaves it out by name."""
OPENING = {("scope/orders.read", "resources"), ("scope/orders.write", "url_templates")}


TRUSTED = "partner"
PARTNER: Mapping[str, Any] = {
    "role": "authorization",
    "driver": "external",
    "introspection": {
        "endpoint": "https://idp.partner.example/introspect",
        "client_id": "orders-rs",
        "client_secret": "${env:RS_SECRET}",
        "user": "Default",
    },
}
"""The server that a resource server trusts."""


def _client(name: str, /, **more: Any) -> Mapping[str, Any]:
    usual = {
        "version": 1,
        "type": "Public",
        "authorizationCodeGrant": True,
        "redirect_uris": ["https://shop.example.com/cb"],
    }
    return {"name": name, **usual, **more}


SCOPES: Sequence[Mapping[str, Any]] = (
    {"name": "orders.read", "description": "Read", "FoldersAndServices": ["orders.v1", "orders.v1:get"]},
    {"name": "orders.write", "description": "", "urlTemplates": ["GET_orders.v1/orders"]},
    {"name": "empty"},
)
CLIENTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "nothing but one of each": (_client("shop"),),
    "every grant": (
        _client(
            "job",
            type="Confidential",
            implicitGrant=True,
            clientCredentialsGrant=True,
            resourceOwnerCredentialsGrant=True,
            redirect_uris=["https://b.example.com/x", "https://a.example.com/y"],
        ),
    ),
    "no grant": (_client("receiver", type="Confidential", authorizationCodeGrant=False),),
    "versions and texts": (
        _client("shop", version=1, description="Der Laden - 店"),
        _client("shop", version=2, description=""),
        _client("Till No. 7", version=10),
    ),
    "lifetimes": (
        _client("a", tokenLifetime=99, tokenRefreshCount=3),
        _client("b", tokenLifetime=-1, tokenRefreshCount=0),
        _client("c", tokenLifetime=-2, tokenRefreshCount=-1),
    ),
    "disabled": (_client("off", enabled=False),),
    "scopes of clients": (
        _client("all", scopes=["orders.read", "orders.write", "empty"]),
        _client("one", scopes=["empty"]),
        _client("none", scopes=[]),
    ),
}
SETTINGS = {
    "requirePKCE": True,
    "authCodeLifetimeSeconds": 61,
    "accessTokenLifetimeSeconds": 901,
    "requireHTTPS": False,
}


@pytest.fixture(scope="module", params=["authorization", "both", "resource"])
def sites(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Site]]:
    made = [
        start_site(tmp_path_factory.mktemp("data"), strict=True, takes_ids=False, role=request.param) for _ in range(2)
    ]
    yield made[0], made[1]
    for site in made:
        site.stop()


def contents(site: Site) -> Contents:
    """Everything by the Administrator API; clients by name and version, since the server makes their ids."""
    found = {"settings": site.raw("GET", "/oauth/globalsetting", status=200)}
    for raw in site.raw("GET", "/oauth/scope?expand=true", status=200)["scopes"]:
        found[f"scope {raw['name']}"] = _plain(raw, site.role)
    for raw in site.raw("GET", "/oauth/client?expand=true", status=200)["clients"]:
        found[f"client {raw['name']} {raw['version']}"] = _plain(raw, site.role)
    for raw in site.raw("GET", "/oauth/externalserver?expand=true", status=200)["externalServers"]:
        found[f"external server {raw['name']}"] = _plain(raw, site.role)
    return found


def _plain(raw: Mapping[str, Any], role: str) -> Mapping[str, Any]:
    out = MADE_BY_SERVER | IDLE[role]
    kept = {key: value for key, value in raw.items() if key not in out and value not in ("", None)}
    return {key: sorted(value) if isinstance(value, list) else value for key, value in kept.items()}


def end(site: Site) -> End:
    entry = {
        "role": site.role,
        "driver": "webmethods",
        "url": site.url,
        "credentials": {"username": ADMIN[0], "password": "${env:PASSWORD}"},
    }
    if site.role == "both":
        entry["authorization_server"] = "one"
    if site.role == "resource":
        entry["authorization_server"] = TRUSTED
        return End(entry, partial(contents, site), {TRUSTED: PARTNER})
    return End(entry, partial(contents, site))


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_exported_is_the_same_server_again(name: str, sites: tuple[Site, Site], tmp_path: Path) -> None:
    """All that the server holds, by its own API; then five changes by hand of different kinds, on the copy."""
    source, target = sites
    for site in sites:
        site.clear()
    copy = Copy(tmp_path, {"PASSWORD": ADMIN[1], "RS_SECRET": "a-good-long-secret"})
    if source.role == "resource":
        # The trust comes by a manifest, since its account on the server and its secret are made for it.
        copy.applied(copy.entry(end(source)))
    source.raw("PATCH", "/oauth/globalsetting/", SETTINGS, status=200)
    for raw in SCOPES:
        source.raw("POST", "/oauth/scope", {"scopeInputData": raw}, status=201)
    for raw in CLIENTS[name]:
        source.raw("POST", "/oauth/client", raw, status=201)
    text = copy.round_trip(end(source), end(target))
    scoped = {(f"client/{raw['name']}", "scopes") for raw in CLIENTS[name] if raw.get("scopes")}
    assert copy.omitted == {"authorization": OPENING, "resource": scoped, "both": set()}[source.role]
    copy.hand_changes(text, end(target), partial(hands, target))


def hands(site: Site, objects: Mapping[Address, Object]) -> Sequence[Hand]:
    """A setting, the texts of a scope and a client, a redirect URI, whether a client is enabled, an association or a grant."""
    listed = site.raw("GET", "/oauth/client?expand=true", status=200)["clients"]
    known = {(raw["name"], str(raw["version"])): raw for raw in listed}
    address, value = next((address, value) for address, value in objects.items() if isinstance(value, Client))
    raw = known[value.name or address.name, value.version or "1"]
    client = address.without_server

    def patch(**fields: Any) -> Callable[[], None]:
        return lambda: site.raw("PATCH", f"/oauth/client/{raw['client_id']}", fields, status=200)

    def scope() -> None:
        body = {**site.raw("GET", "/oauth/scope/orders.read", status=200), "description": "by hand"}
        site.raw("PUT", "/oauth/scope/orders.read", {"scopeInputData": body}, status=200)

    def setting() -> None:
        site.raw("PATCH", "/oauth/globalsetting/", {"accessTokenLifetimeSeconds": 77}, status=200)

    made = [
        Hand(scope, frozenset({("scope/orders.read", "description")})),
        Hand(patch(description="by hand"), frozenset({(client, "description")})),
        Hand(
            patch(redirect_uris=[*raw["redirect_uris"], "https://hand.example.com/cb"]),
            frozenset({(client, "redirect_uris")}),
        ),
        Hand(patch(enabled=not raw["enabled"]), frozenset({(client, "enabled")})),
    ]
    if any(one.kind is Kind.SETTINGS for one in objects):
        made.append(Hand(setting, frozenset({("settings", "access_token_lifetime")})))
    if any(one.kind is Kind.ASSOCIATION for one in objects) and raw["scopes"]:
        gone = {(Address.association(address.name, one, "").without_server, "") for one in raw["scopes"]}
        made.append(Hand(patch(scopes=[]), frozenset(gone)))
    else:
        made.append(Hand(patch(implicitGrant=not raw["implicitGrant"]), frozenset({(client, "grants")})))
    return made
