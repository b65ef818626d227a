"""How a realm is read: by pages or by key, with how many requests; and what is read of sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_CLIENTS, BUILT_IN_SCOPES, KeycloakOptions, endpoints
from oauthdeploy.model.objects import Association, Object
from tests.drivers.keycloak.site import Site, client, converge, scope
from tests.drivers.keycloak.test_live import user
from tests.drivers.webmethods.site import at, link, plan_of

CLIENTS = frozenset({Kind.CLIENT})


def test_requests_grow_with_pages_and_each_client_is_told_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of four: 6 clients of Keycloak's and 21 more are seven pages, asked for in groups of 1, 2 and 4, and one for the
    realm.
    """
    for number in range(21):
        site.realm.add("/clients", {"clientId": f"client-{number}"})
    monkeypatch.setattr(api, "PAGE", 4)
    with site.driver(read_only=True, parallel=4) as driver:
        state = driver.read(Wanted({}, CLIENTS))
    assert {address.name for address in state.objects} == {f"client-{number}" for number in range(21)}
    assert state.requests == 1 + 7


def test_associations_cost_three_lists_more_however_many_there_are(site: Site) -> None:
    """They come with the clients; the lists are the client scopes and the realm's two."""
    objects: dict[Address, Object] = {
        **{at(Kind.SCOPE, name): scope() for name in ("a", "b", "c")},
        at(Kind.CLIENT, "shop"): client(),
        **{link("shop", name): Association() for name in ("a", "b", "c")},
    }
    converge(site, objects)
    kinds = frozenset({Kind.CLIENT, Kind.SCOPE, Kind.ASSOCIATION})
    with site.driver(read_only=True) as driver:
        state = driver.read(Wanted({}, kinds))
    assert state.requests == 1 + 1 + 3
    assert len([address for address in state.objects if address.kind is Kind.ASSOCIATION]) == 3


def test_few_clients_are_read_by_key(site: Site) -> None:
    """One request each, and one for the realm; a look before a write takes one alone."""
    objects: dict[Address, Object] = {at(Kind.CLIENT, name): client(type="public") for name in ("a", "b")}
    converge(site, objects)
    with site.driver(read_only=True) as driver:
        state = driver.read(Wanted(objects, CLIENTS, everything=False))
        assert state.objects.keys() == objects.keys()
        assert state.requests == 3
        plan, _state = plan_of(driver, site.desired({at(Kind.CLIENT, "a"): client(enabled=False)}))
        wanted = Wanted({at(Kind.CLIENT, "a"): client(enabled=False)}, CLIENTS, everything=False)
        again = driver.read_again(plan.changes, wanted)
        assert again is not None
        assert again.requests == 1
        assert plan.changes[0].live is not None
        assert again.objects[at(Kind.CLIENT, "a")].fingerprint == plan.changes[0].live.fingerprint


def test_the_built_in_objects_are_those_of_a_fresh_realm(site: Site) -> None:
    """A newer Keycloak that makes more of them is found here."""
    assert {one["clientId"] for one in site.realm.get("/clients")} == BUILT_IN_CLIENTS
    made = {one["name"] for one in site.realm.get("/client-scopes") if one["protocol"] == "openid-connect"}
    assert made == BUILT_IN_SCOPES


def test_a_change_by_hand_is_seen(site: Site) -> None:
    """Each of the things that an administrator does: drift, found and repaired."""
    objects: dict[Address, Object] = {
        at(Kind.SCOPE, "orders.read"): scope(description="Read"),
        at(Kind.CLIENT, "shop"): client(type="public", redirect_uris=["https://a.example.com/cb"], grants=[]),
        link("shop", "orders.read"): Association(),
    }
    converge(site, objects)
    realm = site.realm
    shop, read = realm.client("shop"), site.scope("orders.read")
    for path, body in (
        (f"/clients/{shop['id']}", {"clientId": "shop", "redirectUris": ["https://evil.example.com/*"]}),
        (f"/client-scopes/{read['id']}", {"name": "orders.read", "description": "Read everything"}),
    ):
        assert realm.call("PUT", path, body).ok
    assert realm.call("DELETE", f"/clients/{shop['id']}/optional-client-scopes/{read['id']}").ok
    road = converge(site, objects)
    assert {change.address for change in road.plan.changes} == objects.keys()


def test_sessions_stand_for_tokens(site: Site) -> None:
    """Of users, online and offline, with the longest time that they can last; each can be told from the others."""
    realm = site.realm
    realm.add("/users", user("alice"))
    secret = Secret("a-good-long-secret", "env:S")
    converge(site, {at(Kind.CLIENT, "shop"): client(grants=["password", "refresh_token"], secret={"value": secret})})
    form = {"grant_type": "password", "username": "alice", "password": "pw"}
    for asked in ("openid", "openid offline_access"):
        assert realm.token("shop", secret.reveal(), **form, scope=asked).status_code == 200
    with site.driver(read_only=True) as driver:
        found = driver.read_tokens()
        assert found is not None
        tokens, requests = found
        assert requests == 5
    assert [(token.owner, token.client) for token in tokens] == [("alice", realm.client("shop")["id"])] * 2
    assert len({token.handle for token in tokens}) == 2
    online, offline = sorted(tokens, key=lambda token: token.until is None)
    assert online.until is not None
    assert online.issued is not None
    assert timedelta(hours=9) < online.until - online.issued <= timedelta(hours=10)
    assert offline.until is None


def test_endpoints_are_those_of_the_servers_metadata(site: Site) -> None:
    """RFC 8414: what the facts say without asking is what the realm says."""
    url = f"{site.realm.issuer}/.well-known/openid-configuration"
    told = requests.get(url, timeout=60).json()
    found = endpoints(site.realm.server.url, KeycloakOptions(realm=site.realm.name))
    assert (found.issuer, found.jwks_uri) == (told["issuer"], told["jwks_uri"])
    assert found.introspection == told["introspection_endpoint"]
    assert (found.token, found.revocation) == (told["token_endpoint"], told["revocation_endpoint"])
