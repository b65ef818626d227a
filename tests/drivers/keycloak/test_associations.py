"""Associations on a real Keycloak: default and optional client scopes, and those that clients have without anybody's doing."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import AssignedAs, Association
from oauthdeploy.planning.changes import Action
from tests.drivers.keycloak.site import Site, client, converge, scope
from tests.drivers.webmethods.site import at, link

SECRET = Secret("a-good-long-secret", "env:S")
SCOPES = {at(Kind.SCOPE, name): scope() for name in ("orders.read", "orders.write")}


DEFAULT, OPTIONAL = (Association.made(way) for way in AssignedAs)


def shop() -> Any:
    return client(grants=["client_credentials"], secret={"value": SECRET})


def assigned(site: Site, name: str = "shop") -> tuple[set[str], set[str]]:
    """Our scopes of a client: the default ones and the optional ones."""
    made = site.realm.client(name)
    ours = {"orders.read", "orders.write", "company"}
    return set(made["defaultClientScopes"]) & ours, set(made["optionalClientScopes"]) & ours


def test_an_association_is_optional_unless_it_says_default(site: Site) -> None:
    """And moves from one to the other, which Keycloak does only when it is taken away between: what narrows comes last."""
    read, write = link("shop", "orders.read"), link("shop", "orders.write")
    address = at(Kind.CLIENT, "shop")
    converge(site, {**SCOPES, address: shop(), read: DEFAULT, write: Association()})
    assert assigned(site) == ({"orders.read"}, {"orders.write"})
    assert "orders.read" in site.realm.token("shop", SECRET.reveal()).json()["scope"].split()
    road = converge(site, {**SCOPES, address: shop(), read: OPTIONAL, write: DEFAULT})
    assert [(change.address, change.action) for change in road.plan.changes] == [
        (write, Action.UPDATE),
        (read, Action.UPDATE),
    ]
    assert assigned(site) == ({"orders.write"}, {"orders.read"})
    converge(site, {**SCOPES, address: shop(), read: Association(), write: Association()})
    assert assigned(site) == ({"orders.write"}, {"orders.read"})
    converge(site, {**SCOPES, address: shop(), read: OPTIONAL, write: OPTIONAL})
    assert assigned(site) == (set(), {"orders.read", "orders.write"})
    wanted = {**SCOPES, address: shop(), link("shop", "orders.read"): Association()}
    road = converge(site, wanted, prune={"associations": "managed"}, listed=["shop"])
    assert [change.action for change in road.plan.changes] == [Action.DELETE]
    assert assigned(site) == (set(), {"orders.read"})
    converge(site, {**SCOPES, address: shop()}, absent=[link("shop", "orders.read")])
    assert assigned(site) == (set(), set())


def test_what_clients_have_without_anybodys_doing_is_not_pruned(site: Site) -> None:
    """Keycloak's own client scopes and the realm's defaults; a named one is managed like any other."""
    company = site.realm.add("/client-scopes", {"name": "company", "protocol": "openid-connect"})
    assert site.realm.call("PUT", f"/default-default-client-scopes/{company}").ok
    objects = {**SCOPES, at(Kind.CLIENT, "shop"): shop(), link("shop", "orders.read"): Association()}
    converge(site, objects, prune={"associations": "managed"}, listed=["shop"])
    made = site.realm.client("shop")
    assert {"basic", "profile", "roles", "company"} <= set(made["defaultClientScopes"])
    assert converge(site, objects, prune={"associations": "full"}).plan.is_empty
    named = {**objects, at(Kind.SCOPE, "profile"): scope()}
    road = converge(site, named, prune={"associations": "managed"}, listed=["shop"])
    assert [change.address for change in road.plan.changes] == [link("shop", "profile")]
    assert "profile" not in site.realm.client("shop")["defaultClientScopes"]


def test_a_scope_in_use_goes_after_its_associations(site: Site) -> None:
    """The plan takes them away first; Keycloak would do so by itself and tell nobody."""
    objects = {**SCOPES, at(Kind.CLIENT, "shop"): shop(), link("shop", "orders.read"): Association()}
    converge(site, objects)
    gone = at(Kind.SCOPE, "orders.read")
    road = converge(site, {at(Kind.CLIENT, "shop"): shop()}, absent=[gone, link("shop", "orders.read")])
    assert [change.address for change in road.plan.changes] == [link("shop", "orders.read"), gone]


def test_tokens_of_an_association_have_its_audience(site: Site) -> None:
    """By a mapper in the client scope; only an audience of a token may introspect it."""
    orders = scope(options={"keycloak": {"audiences": ["orders-api"]}})
    objects = {
        at(Kind.SCOPE, "orders.read"): orders,
        at(Kind.CLIENT, "shop"): shop(),
        at(Kind.CLIENT, "orders-api"): client(secret={"value": SECRET}, grants=[]),
        link("shop", "orders.read"): Association(),
    }
    converge(site, objects)
    plain = site.realm.token("shop", SECRET.reveal()).json()["access_token"]
    token = site.realm.token("shop", SECRET.reveal(), scope="orders.read").json()["access_token"]
    assert site.realm.introspect(plain, "orders-api", SECRET.reveal())["active"] is False
    told = site.realm.introspect(token, "orders-api", SECRET.reveal())
    assert told["active"] is True
    assert "orders.read" in told["scope"].split()


def test_a_scope_that_somebody_moves_to_the_other_list_is_moved_back(site: Site) -> None:
    """Either way it is drift: tokens have a scope that nobody requests, or lack one that everybody expects."""
    read, write = link("shop", "orders.read"), link("shop", "orders.write")
    wanted = {**SCOPES, at(Kind.CLIENT, "shop"): shop(), read: DEFAULT, write: OPTIONAL}
    converge(site, wanted)
    uuid = site.realm.client("shop")["id"]
    ids = {one["name"]: one["id"] for one in site.realm.get("/client-scopes")}
    for name, way in (("orders.read", "optional"), ("orders.write", "default")):
        assert site.realm.call("DELETE", f"/clients/{uuid}/default-client-scopes/{ids[name]}").ok
        assert site.realm.call("PUT", f"/clients/{uuid}/{way}-client-scopes/{ids[name]}").ok
    road = converge(site, wanted)
    assert {(c.address, c.action, *(f.path for f in c.fields)) for c in road.plan.changes} == {
        (read, Action.UPDATE, "as"),
        (write, Action.UPDATE, "as"),
    }
    assert assigned(site) == ({"orders.read"}, {"orders.write"})


@pytest.mark.parametrize("way", ["default", "optional"])
def test_taking_a_scope_away_by_one_path_takes_it_whichever_way_it_was_given(site: Site, way: str) -> None:
    """What the driver relies on: DELETE on the path of optional ones removes a default one too."""
    uuid = site.realm.add("/clients", {"clientId": "shop"})
    scope_id = site.realm.add("/client-scopes", {"name": "orders.read", "protocol": "openid-connect"})
    assert site.realm.call("PUT", f"/clients/{uuid}/{way}-client-scopes/{scope_id}").status_code == 204
    other = "optional" if way == "default" else "default"
    assert site.realm.call("PUT", f"/clients/{uuid}/{other}-client-scopes/{scope_id}").status_code == 204
    assert assigned(site) == (({"orders.read"}, set()) if way == "default" else (set(), {"orders.read"}))
    assert site.realm.call("DELETE", f"/clients/{uuid}/optional-client-scopes/{scope_id}").status_code == 204
    assert assigned(site) == (set(), set())


def test_a_client_is_renamed_and_its_association_moves_in_one_run(site: Site) -> None:
    """The list of its scopes is that of the client under its new name."""
    read = link("shop", "orders.read")
    converge(site, {**SCOPES, at(Kind.CLIENT, "shop"): shop(), read: DEFAULT})
    renamed = {at(Kind.CLIENT, "store"): shop(), link("store", "orders.read"): OPTIONAL}
    converge(site, {**SCOPES, **renamed}, moved={at(Kind.CLIENT, "store"): "shop"})
    assert assigned(site, "store") == (set(), {"orders.read"})
