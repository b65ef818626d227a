"""Three servers of oidc-provider for all tests of the driver, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import oidc_provider
from tests.servers.oidc_provider import OidcProvider
from tests.servers.plugin import RUN, usable


@pytest.fixture(scope="package")
def _running(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, OidcProvider]]:
    owner = pytestconfig.stash[RUN].owner
    how = {"rotating": {}, "keeping": {"rotates": False}, "restless": {"rotates_reads": True}}
    folders = {name: tmp_path_factory.mktemp(name) for name in how}
    found = {
        name: usable(lambda: oidc_provider.launch(folder, owner, **how[name]))  # noqa: B023
        for name, folder in folders.items()
    }
    yield found
    for server in found.values():
        server.process.stop()


@pytest.fixture
def rotating(_running: dict[str, OidcProvider]) -> OidcProvider:
    """An empty server that gives a new registration access token with each update."""
    _running["rotating"].clear()
    return _running["rotating"]


@pytest.fixture
def restless(_running: dict[str, OidcProvider]) -> OidcProvider:
    """An empty server that gives a new registration access token with each read, too."""
    _running["restless"].clear()
    return _running["restless"]


@pytest.fixture
def keeping(_running: dict[str, OidcProvider]) -> OidcProvider:
    """An empty server whose registration access tokens stay."""
    _running["keeping"].clear()
    return _running["keeping"]
