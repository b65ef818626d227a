"""The driver at Keycloak's own registration endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.drivers.rfc7591.folder import BATCH, MOVED, SHOP, Folder, actions, rules
from tests.servers.keycloak import Realm

pytestmark = pytest.mark.live


@dataclass
class Place:
    """The realm as a server of dynamic registration."""

    url: str
    initial: str


@pytest.fixture
def shop(tmp_path: Path, realm: Realm) -> Iterator[Folder]:
    answer = realm.call("POST", "/clients-initial-access", {"count": 20, "expiration": 3600})
    assert answer.ok, answer.text
    made = Folder(tmp_path, Place(realm.issuer, answer.json()["token"]))
    del made.options["empty_scope"]
    # Keycloak calls itself as it was called, and takes tokens only there.
    made.url = realm.issuer
    yield made
    made.proxy.close()


def test_clients_are_registered_changed_and_deleted(shop: Folder, realm: Realm) -> None:
    """An update gives another token, and a read does not."""
    shop.write({"web-shop": SHOP, "batch": BATCH})
    shop.first()
    first = shop.book().entries["web-shop"].token
    assert actions(shop.plan()) == {}
    assert shop.book().entries["web-shop"].token == first
    shop.write({"web-shop": MOVED, "batch": BATCH})
    ran = shop.apply()
    assert ran.code == 0, ran.out + ran.err
    client_id = shop.book().entries["web-shop"].client_id
    assert realm.client(client_id)["redirectUris"] == MOVED["redirect_uris"]
    assert shop.book().entries["web-shop"].token != first
    assert rules(shop.plan()) == []
    shop.write({"web-shop": {"state": "absent"}, "batch": BATCH})
    ran = shop.apply()
    assert ran.code == 0, ran.out + ran.err
    assert realm.get("/clients", params={"clientId": client_id}) == []
    assert set(shop.book().entries) == {"batch"}
