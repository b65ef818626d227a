"""Two Hydras for all tests of the driver, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import hydra as hydra_server
from tests.servers.hydra import Hydra
from tests.servers.plugin import RUN, usable


@pytest.fixture(scope="package")
def _running(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hydra, Hydra]]:
    owner = pytestconfig.stash[RUN].owner
    folders = [tmp_path_factory.mktemp(name) for name in ("hydra", "other")]
    strategies = ("jwt", "opaque")
    found = [
        usable(lambda: hydra_server.launch(folder, owner, strategy=strategy))  # noqa: B023
        for folder, strategy in zip(folders, strategies, strict=True)
    ]
    yield found[0], found[1]
    for hydra in found:
        hydra.process.stop()


@pytest.fixture
def hydra(_running: tuple[Hydra, Hydra]) -> Hydra:
    """An empty Hydra whose access tokens are JWTs."""
    _running[0].clear()
    return _running[0]


@pytest.fixture
def other(_running: tuple[Hydra, Hydra]) -> Hydra:
    """Another empty one, whose access tokens are opaque."""
    _running[1].clear()
    return _running[1]
