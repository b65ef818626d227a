"""Four live servers: strict and tolerant, with and without ids of the creator's choice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.webmethods.site import Site, start_site

MODES = [(True, True), (True, False), (False, True), (False, False)]


@pytest.fixture(scope="session", params=MODES, ids=["strict-ids", "strict", "tolerant-ids", "tolerant"])
def _running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    strict, takes_ids = request.param
    site = start_site(tmp_path_factory.mktemp("site"), strict=strict, takes_ids=takes_ids)
    yield site
    site.stop()


@pytest.fixture
def site(_running: Site) -> Iterator[Site]:
    """A server of each mode, empty."""
    yield _running
    _running.clear()


@pytest.fixture(scope="session")
def _one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = start_site(tmp_path_factory.mktemp("one"), strict=False, takes_ids=True)
    yield made
    made.stop()


@pytest.fixture
def one_site(_one: Site) -> Iterator[Site]:
    """One server that takes ids, empty, for what doesn't depend on the mode."""
    yield _one
    _one.clear()
