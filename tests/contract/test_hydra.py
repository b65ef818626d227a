"""The contract suite on the `hydra` driver, against a real Ory Hydra."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauthdeploy.testing import Site
from tests.contract.hydra import HydraSite
from tests.contract.results import OurSuite
from tests.servers import hydra as hydra_server
from tests.servers.plugin import RUN, usable

pytestmark = [pytest.mark.live, pytest.mark.timeout(120, func_only=True)]


class TestHydra(OurSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("hydra")
        hydra = usable(lambda: hydra_server.launch(folder, pytestconfig.stash[RUN].owner))
        yield HydraSite(hydra)
        hydra.process.stop()
