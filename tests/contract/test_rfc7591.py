"""The contract suite on the `rfc7591` driver, against servers that others wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauthdeploy.testing import Site
from tests.contract.results import OurSuite
from tests.contract.rfc7591 import HydraRegistrationSite, NanoidpSite, OidcProviderSite
from tests.servers import hydra, nanoidp, oidc_provider
from tests.servers.plugin import RUN, usable

pytestmark = [pytest.mark.live, pytest.mark.timeout(120, func_only=True)]


class TestRotating(OurSuite):
    """Each update gives a new registration access token."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("oidc-provider")
        server = usable(lambda: oidc_provider.launch(folder, pytestconfig.stash[RUN].owner))
        yield OidcProviderSite(server, "rotating")
        server.process.stop()


class TestKeeping(OurSuite):
    """A registration access token stays valid as long as its client exists."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("oidc-provider")
        server = usable(lambda: oidc_provider.launch(folder, pytestconfig.stash[RUN].owner, rotates=False))
        yield OidcProviderSite(server, "keeping")
        server.process.stop()


class TestNanoidp(OurSuite):
    """A server that does not change clients."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("nanoidp")
        server = usable(lambda: nanoidp.launch(folder, pytestconfig.stash[RUN].owner))
        yield NanoidpSite(server)
        server.process.stop()


class TestHydra(OurSuite):
    """Ory Hydra's own endpoint."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("hydra")
        server = usable(lambda: hydra.launch(folder, pytestconfig.stash[RUN].owner, registers=True))
        yield HydraRegistrationSite(server)
        server.process.stop()
