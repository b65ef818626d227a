"""What a realm can't hold is said of the field, so that an export leaves out no more than that."""

from __future__ import annotations

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Path
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.keycloak.findings import Realm, find_all
from oauthdeploy.model.objects import Object
from tests.drivers.keycloak.site import client, settings
from tests.drivers.webmethods.site import at


@pytest.mark.parametrize(
    ("address", "value", "path"),
    [
        (
            at(Kind.CLIENT, "a"),
            client(tokens={"access_lifetime": "never"}),
            ("clients", "a", "tokens", "access_lifetime"),
        ),
        (at(Kind.SETTINGS), settings(access_token_lifetime="never"), ("settings", "access_token_lifetime")),
        (at(Kind.SETTINGS), settings(authorization_code_lifetime="never"), ("settings", "authorization_code_lifetime")),
    ],
)
def test_a_lifetime_without_end_is_refused_where_it_is_written(address: Address, value: Object, path: Path) -> None:
    """Keycloak's codes and tokens always expire; what a client of the realm has already is read, and left alone."""
    realm = Realm("login", "https://login", "shop", False, frozenset())
    (found,) = find_all(realm, Wanted({address: value}, frozenset(Kind)))
    assert (found.rule, found.path) == ("token-lifetime-endless", path)
