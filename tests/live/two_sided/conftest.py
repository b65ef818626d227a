"""A fresh estate for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.two_sided.estate import Estate, build
from tests.servers.keycloak import Realm
from tests.servers.opa import Opa


@pytest.fixture
def estate(
    realm: Realm, start_opa: Callable[..., Opa], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Estate]:
    """A realm with a user and nothing else of ours, two OPAs with the policy of the examples and no data."""
    monkeypatch.setenv("SSL_CERT_FILE", str(realm.server.ca_file))  # what the OPAs trust when they fetch keys
    made, running = build(tmp_path, realm, start_opa, os.getpid())
    monkeypatch.delenv("SSL_CERT_FILE")
    yield made
    for process in running:
        process.stop()
