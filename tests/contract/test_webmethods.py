"""The contract suite on the `webmethods` driver: strict and tolerant servers, on either side and on both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauthdeploy.model.servers import Role
from oauthdeploy.testing import Site
from tests.contract.results import OurSuite
from tests.contract.webmethods import webmethods_site

pytestmark = pytest.mark.live

MODES = [
    (Role.AUTHORIZATION, True, False),
    (Role.RESOURCE, True, False),
    (Role.BOTH, True, True),
    (Role.BOTH, False, False),
]


class TestWebMethods(OurSuite):
    @pytest.fixture(
        scope="class",
        params=MODES,
        ids=lambda mode: f"{mode[0].value}-{'strict' if mode[1] else 'tolerant'}" + ("-ids" if mode[2] else ""),
    )
    @classmethod
    def site(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        role, strict, takes_ids = request.param
        with webmethods_site(tmp_path_factory.mktemp("site"), role, strict=strict, takes_ids=takes_ids) as site:
            yield site
