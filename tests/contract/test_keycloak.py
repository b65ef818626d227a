"""The contract suite on the `keycloak` driver, against a real Keycloak."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauthdeploy.testing import Site
from tests.contract.keycloak import KeycloakSite
from tests.contract.results import OurSuite
from tests.servers.keycloak import Keycloak

pytestmark = [pytest.mark.live, pytest.mark.timeout(240, func_only=True)]


class TestKeycloak(OurSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, _keycloak: Keycloak) -> Iterator[Site]:
        site = KeycloakSite(_keycloak)
        yield site
        site.reset()
