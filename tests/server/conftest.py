from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .kit import Kit


@pytest.fixture(scope="session")
def tolerant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Authorization and resource server in tolerant mode over plain HTTP."""
    with Kit(tmp_path_factory.mktemp("tolerant")) as kit:
        yield kit


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """The same in strict mode, with a fixed list of services."""
    with Kit(
        tmp_path_factory.mktemp("strict"), strict=True, services=("orders.v1:getOrder", "orders.v1:putOrder", "a:b")
    ) as kit:
        yield kit


@pytest.fixture(params=["tolerant", "strict"])
def either(request: pytest.FixtureRequest) -> Kit:
    """Each mode in turn, for rules that don't depend on it."""
    kit = request.getfixturevalue(request.param)
    assert isinstance(kit, Kit)
    return kit


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Authorization and resource server over TLS, with the default setting that requires it."""
    with Kit(tmp_path_factory.mktemp("secure"), tls=True, https_required=True) as kit:
        yield kit


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Kit]]:
    """Starts servers of a test's own, each in `tmp_path / name`, and stops them afterwards."""
    kits: list[Kit] = []

    def launch_one(name: str = "server", **options: Any) -> Kit:
        kits.append(Kit(tmp_path / name, **options))
        return kits[-1]

    yield launch_one
    for kit in reversed(kits):
        kit.stop()
