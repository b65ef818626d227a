"""A fresh realm for each test, on the Keycloak that the whole run shares."""

from __future__ import annotations

import pytest

from tests.drivers.keycloak.site import Site
from tests.servers.keycloak import Realm


@pytest.fixture
def site(realm: Realm) -> Site:
    """A realm of the test's own, managed by the administrator of the server."""
    return Site(realm)
