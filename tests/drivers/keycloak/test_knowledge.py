"""What a driver remembers of a realm: enough to write without another read, and to notice what a write took away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.keycloak.knowledge import Knowledge
from oauthdeploy.drivers.keycloak.mapping import read_client
from oauthdeploy.drivers.keycloak.reading import Reader
from oauthdeploy.model.objects import Client

SHOP = Address(Kind.CLIENT, "shop", "login")
UUID = "0e2f4c5a-1111-4222-8333-944445555666"


def as_read(**fields: Any) -> Reader:
    """A reading that found one client."""
    raw = {"id": UUID, "clientId": "shop", "defaultClientScopes": [], "optionalClientScopes": [], **fields}
    live = read_client(raw)
    return cast(Reader, SimpleNamespace(clients={"shop": live}, scopes={}, known_realm_scopes=None))


def learned(reader: Reader) -> Knowledge:
    known = Knowledge()
    known.learn(reader, Wanted({SHOP: Client()}, frozenset({Kind.CLIENT})), whole=True)
    return known


def unassigned(scope: str) -> Address:
    return Address.association("shop", scope, "login")


def test_what_was_neither_sent_nor_kept_is_lost() -> None:
    """The redirect URIs were sent, and the description was not."""
    before = as_read(description="By hand", redirectUris=["https://a"])
    known = learned(before)
    known.wrote(SHOP, UUID, known.body(UUID), {"redirectUris": ["https://b"]})
    assert dict(known.lost(as_read(redirectUris=["https://b"]))) == {SHOP: ("description",)}
    assert not dict(known.lost(as_read(description="By hand", redirectUris=["https://b"])))


def test_several_writes_to_one_client_are_compared_together() -> None:
    """Each of two writes unassigned one scope; the third scope belongs to neither."""
    before = as_read(optionalClientScopes=["a", "b", "c"])
    known = learned(before)
    for gone, kept in (("a", ["b", "c"]), ("b", ["a", "c"])):
        known.wrote(unassigned(gone), UUID, known.body(UUID), {"optionalClientScopes": kept})
    assert not dict(known.lost(as_read(optionalClientScopes=["c"])))
    lost = ("optionalClientScopes[c]",)
    assert dict(known.lost(as_read())) == {unassigned("a"): lost, unassigned("b"): lost}


def test_a_write_of_another_thread_does_not_disturb_the_comparison() -> None:
    """One thread may find out what became of a lost response while others write to the same client."""
    known = learned(as_read(optionalClientScopes=["a", "b", "c"]))
    body = known.body(UUID)
    for gone, kept in (("a", ["b", "c"]), ("b", ["a", "c"])):
        known.wrote(unassigned(gone), UUID, body, {"optionalClientScopes": kept})
    found = iter(known.lost(as_read()))
    first, _lost = next(found)
    known.wrote(unassigned("c"), UUID, body, {"optionalClientScopes": ["a", "b"]})
    assert {first, *(address for address, _lost in found)} == {unassigned("a"), unassigned("b")}


def test_a_scope_that_this_run_deleted_is_not_lost_by_the_clients_that_were_sent_with_it() -> None:
    """The realm gave a new client two scopes; one was deleted after that, and the server dropped neither or the other."""
    known = learned(as_read())
    lists = {"optionalClientScopes": ["address", "old"]}
    known.wrote(SHOP, UUID, lists, lists)
    known.forget_scope("old")
    assert not dict(known.lost(as_read(optionalClientScopes=["address"])))
    assert dict(known.lost(as_read())) == {SHOP: ("optionalClientScopes[address]",)}


def test_a_client_is_read_again_before_a_second_write_to_it_and_forgotten_with_its_deletion() -> None:
    """After a write, the JSON in memory is no longer what the server has; a new client of the name has another id."""
    known = learned(as_read())
    assert known.body(UUID) is not None
    known.wrote(SHOP, UUID, known.body(UUID), {"enabled": False})
    assert known.body(UUID) is None
    assert not known.is_new("shop")
    assert not known.is_new(UUID), "a manifest may name a client by its id"
    known.forget_client("shop", UUID)
    assert known.is_new("shop")
    assert known.client("shop") is None
