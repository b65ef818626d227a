"""The contract suite on the `opa` driver, against a real Open Policy Agent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauthdeploy.testing import Site
from tests.contract.opa import OpaSite
from tests.contract.results import OurSuite
from tests.servers import opa as opa_server
from tests.servers.plugin import RUN, usable

pytestmark = [pytest.mark.live, pytest.mark.timeout(120, func_only=True)]


class TestOpa(OurSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("opa")
        opa = usable(lambda: opa_server.launch(folder, pytestconfig.stash[RUN].owner, bearer=True))
        yield OpaSite(opa)
        opa.process.stop()
