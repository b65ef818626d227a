"""Clients that a server registers and deletes, and never changes: what differs about them is made by replacing them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Client, Object
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Reason, is_recreated, replaced_with
from oauthdeploy.planning.diff import compare

from .builders import ASSOCIATION, FACTS, MANAGED, association, client, desired, facts, live, there

WHY = "The server does not change clients."
SHOP = client("web-shop")
READ, WRITE = association("web-shop", "read"), association("web-shop", "write")


def actions(
    wanted: dict[Address, Object], found: dict[Address, Object | LiveObject], listed: bool = True
) -> dict[Address, Action]:
    names = frozenset({"web-shop"}) if listed else frozenset[str]()
    state = desired(wanted, prune=MANAGED, listed_clients=names)
    return {change.address: change.action for change in compare(state, live(found), FACTS).changes}


def test_a_change_of_a_field_replaces_the_client_and_says_why() -> None:
    """The note is the driver's own; the same change is an update where the server can make it."""
    found = there(Client(name="Shop"), fixed=WHY)
    (change,) = compare(desired({SHOP: Client(name="Boutique")}), live({SHOP: found}), FACTS).changes
    assert (change.action, change.note) == (Action.REPLACE, WHY)
    (change,) = compare(desired({SHOP: Client(name="Boutique")}), live({SHOP: replace(found, fixed="")}), FACTS).changes
    assert change.action is Action.UPDATE


def test_nothing_is_replaced_where_nothing_differs() -> None:
    """Least of all a client."""
    assert actions({SHOP: Client(), READ: ASSOCIATION}, {SHOP: there(Client(), fixed=WHY), READ: ASSOCIATION}) == {}


def test_another_scope_replaces_the_client_with_all_that_it_may_request() -> None:
    """The new registration has no scope but those that are sent with it."""
    fixed = there(Client(), fixed=WHY)
    found = actions({SHOP: Client(), READ: ASSOCIATION, WRITE: ASSOCIATION}, {SHOP: fixed, READ: ASSOCIATION})
    assert found == {SHOP: Action.REPLACE, READ: Action.CREATE, WRITE: Action.CREATE}


def test_a_scope_less_replaces_the_client_without_it() -> None:
    """Nothing is left to delete: it goes with the old registration."""
    fixed = there(Client(), fixed=WHY)
    found = actions({SHOP: Client(), READ: ASSOCIATION}, {SHOP: fixed, READ: ASSOCIATION, WRITE: ASSOCIATION})
    assert found == {SHOP: Action.REPLACE, READ: Action.CREATE}


@pytest.mark.parametrize("differs", [True, False])
def test_a_new_name_replaces_only_what_differs(differs: bool) -> None:
    """A key that the driver alone keeps costs nothing."""
    renamed = client("boutique")
    fixed = there(Client(name="Shop"), fixed=WHY)
    state = desired({renamed: Client(name="Boutique" if differs else "Shop")}, moved={renamed: "web-shop"})
    (change,) = compare(state, live({SHOP: fixed}), facts()).changes
    assert change.reason is Reason.RENAMED
    assert change.action is (Action.REPLACE if differs else Action.UPDATE)
    assert (WHY in change.note) is differs


def test_an_association_of_a_replaced_client_is_made_again_and_is_no_surprise() -> None:
    """It exists until the client is replaced, although it is planned as a create."""
    fixed = there(Client(), fixed=WHY)
    wanted = {SHOP: Client(), READ: ASSOCIATION, WRITE: ASSOCIATION}
    changes = compare(desired(wanted), live({SHOP: fixed, READ: ASSOCIATION}), FACTS).changes
    replaced = replaced_with(changes)
    assert replaced == {SHOP}
    assert {change.address for change in changes if is_recreated(change, replaced)} == {READ, WRITE}
    assert not any(is_recreated(change, frozenset()) for change in changes)


def test_a_type_that_cannot_change_replaces_without_being_fixed() -> None:
    """As before."""
    state = desired({SHOP: Client(type="public")})
    found = live({SHOP: there(Client(type="confidential"))})
    (change,) = compare(state, found, facts(without=[Capability.CLIENT_TYPE_CHANGE])).changes
    assert change.action is Action.REPLACE
