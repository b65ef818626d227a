"""What an account may not see is hidden, and never taken for absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.keycloak.visibility import Sight, roles_in, shows_all_clients
from oauthdeploy.model.objects import Object, Revocation
from oauthdeploy.model.state import ServerState
from tests.drivers.keycloak.site import KINDS, Site, client, scope
from tests.drivers.webmethods.site import at

ABOUT_CLIENTS = {Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION}


def claims(client_id: str, *roles: str) -> Mapping[str, Any]:
    return {"resource_access": {client_id: {"roles": list(roles)}}}


@pytest.mark.parametrize(
    ("told", "signed_in_to", "roles"),
    [
        (claims("realm-management", "view-clients"), "shop", {"view-clients"}),
        (claims("shop-realm", "manage-clients"), "master", {"manage-clients"}),
        (claims("other-realm", "manage-clients"), "master", set()),
        (claims("account", "view-profile"), "shop", set()),
        ({"azp": "admin-cli"}, "master", None),
        ({"resource_access": 7}, "shop", None),
        ({"resource_access": {"realm-management": {"roles": 7}}}, "shop", set()),
    ],
)
def test_the_roles_of_a_token_are_those_about_the_realm(
    told: Mapping[str, Any], signed_in_to: str, roles: set[str] | None
) -> None:
    """A lightweight token tells none, which is not the same as having none."""
    assert roles_in(told, "shop", signed_in_to) == roles


@pytest.mark.parametrize(
    ("roles", "may_view", "permissions", "same_realm", "all_of_them"),
    [
        (frozenset({"view-clients"}), False, True, True, True),
        (frozenset({"query-clients"}), False, False, True, False),
        (None, True, False, True, True),
        (None, True, True, True, False),
        (None, True, None, True, False),
        (None, True, True, False, True),
        (None, False, None, False, False),
        (frozenset(), True, True, True, False),
    ],
)
def test_all_is_seen_by_a_role_or_where_nothing_but_a_role_lets_through(
    roles: frozenset[str] | None, may_view: bool, permissions: bool | None, same_realm: bool, all_of_them: bool
) -> None:
    """Fine-grained permissions may show all clients but one to an account of the same realm."""
    found = shows_all_clients(roles, may_view=may_view, permissions=permissions, same_realm=same_realm)
    assert found is all_of_them


def test_the_server_is_asked_once_and_only_where_it_matters() -> None:
    """A whole list of a realm without fine-grained permissions needs no proof."""
    asked: list[int] = []

    def may_view() -> bool:
        asked.append(1)
        return True

    sight = Sight("shop", "shop", False, dict, may_view)
    assert sight.shows_all(whole_list=True)
    assert not asked
    assert sight.shows_all(whole_list=False)
    assert sight.shows_all(whole_list=False)
    assert len(asked) == 1


# -- on a real Keycloak -----------------------------------------------------------------------------------------------


def look(site: Site, wanted: Wanted) -> ServerState:
    with site.driver(read_only=True) as driver:
        return driver.read(wanted)


def test_query_clients_alone_shows_nothing_and_proves_nothing(site: Site) -> None:
    """An empty list with 200: neither a client nor a scope of it is missing, and a cut-off is not done."""
    site.realm.add("/clients", {"clientId": "hidden", "publicClient": True})
    poor = site.account("deployer", "query-clients", "view-realm")
    for everything in (True, False):
        objects: dict[Address, Object] = {
            at(Kind.CLIENT, "hidden"): client(type="public"),
            at(Kind.SCOPE, "orders"): scope(description="d"),
            at(Kind.REVOCATION, "INC-1"): Revocation(client="hidden", block=("authorization",)),
        }
        state = look(poor, Wanted(objects, KINDS, everything=everything))
        assert state.unreadable.keys() == ABOUT_CLIENTS | {Kind.SCOPE}
        assert {found.rule for found in state.unreadable.values()} == {"list-filtered"}
        assert "hidden" in state.unreadable[Kind.CLIENT].detail
        assert not {address.kind for address in state.objects} & state.unreadable.keys()


def test_a_client_that_fine_grained_permissions_hide_is_not_missing(site: Site) -> None:
    """What the account was given can be managed; what it wasn't is hidden, and an export of it would be a part."""
    assert site.realm.call("PUT", "", {"adminPermissionsEnabled": True}).status_code == 204
    poor = site.account("deployer", "query-clients", "view-realm")
    for name in ("seen", "hidden"):
        site.realm.add("/clients", {"clientId": name, "publicClient": True})
    user = site.realm.get(f"/clients/{site.realm.client('deployer')['id']}/service-account-user")["id"]
    below = f"/clients/{site.realm.client('admin-permissions')['id']}/authz/resource-server"
    assert site.realm.call("POST", f"{below}/policy/user", {"name": "deployer", "users": [user]}).status_code == 201
    rule = {
        "name": "see",
        "resourceType": "Clients",
        "resources": [site.realm.client("seen")["id"]],
        "scopes": ["view", "manage"],
        "policies": ["deployer"],
    }
    assert site.realm.call("POST", f"{below}/permission/scope", rule).status_code == 201
    seen = {at(Kind.CLIENT, "seen"): client(type="public")}
    state = look(poor, Wanted(seen, frozenset({Kind.CLIENT})))
    assert (set(state.unreadable), set(state.hidden)) == (set(), {Kind.CLIENT})
    assert at(Kind.CLIENT, "seen") in state.objects
    both = {**seen, at(Kind.CLIENT, "hidden"): client(type="public")}
    assert look(poor, Wanted(both, frozenset({Kind.CLIENT}))).unreadable.keys() == {Kind.CLIENT}


def test_an_account_with_the_role_sees_what_is_missing(site: Site) -> None:
    """With view-clients, and as the administrator of the server, absence is absence; also under fine-grained permissions."""
    viewer = site.account("viewer", "view-clients", "view-realm")
    for enabled in (False, True):
        assert site.realm.call("PUT", "", {"adminPermissionsEnabled": enabled}).status_code == 204
        for who in (viewer, site):
            for everything in (True, False):
                wanted = Wanted({at(Kind.CLIENT, "new"): client(type="public")}, KINDS, everything=everything)
                state = look(who, wanted)
                assert (dict(state.unreadable), dict(state.hidden)) == ({}, {})
