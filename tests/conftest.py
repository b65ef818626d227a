"""What the whole test suite shares: its options, its markers, and servers that start fast."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A run in the background ignores Ctrl-C, and so would every program that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["pytester", "tests.servers.plugin"]

# No test measures time: what hypothesis takes for slow is a machine that has other work.
hypothesis.settings.register_profile("oauthdeploy", deadline=None)
hypothesis.settings.load_profile("oauthdeploy")

HERE = Path(__file__).parent
LIVE_FOLDERS = frozenset({"contract", "faults", "language_server", "live", "pipelines", "server", "servers"})
"""Where every test talks to a server, a browser or a program that others wrote."""
LIVE_FIXTURES = frozenset({"browser", "keycloak", "start_opa"})
LIVE_TOOLS = frozenset({"serving", "raw_serving", "closed_port", "Kit", "Site", "Pair", "make_pair", "pairs_in"})
"""Tools of the tests by which a module starts a server, or looks for a port that has none."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `live` what needs a server, so that nobody has to remember it."""
    for item in items:
        folders = item.path.relative_to(HERE).parts[:-1] if item.path.is_relative_to(HERE) else ()
        fixtures = getattr(item, "fixturenames", ())
        tools = vars(item.module) if isinstance(item, pytest.Function) else ()
        if LIVE_FOLDERS & set(folders) or LIVE_FIXTURES & set(fixtures) or LIVE_TOOLS & set(tools):
            item.add_marker(pytest.mark.live)


@pytest.fixture(autouse=True)
def _offline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test without the marker `live` reaches no network, which is what makes it fast and the same everywhere."""
    if request.node.get_closest_marker("live") is not None:
        return

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            pytest.fail(f"This test connects to {address}; mark it live.")
        connect(self, address)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session", autouse=True)
def cheap_hashing() -> Iterator[None]:
    """Hashing of passwords is slow on purpose; the embedded servers of the tests start with many users."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oauthdeploy.server.passwords.METHOD", "scrypt:1024:8:1")
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all-faults`: try every fault at every request instead of a fair sample; `--all-realms`: copy every realm."""
    parser.addoption(
        "--all-faults",
        action="store_true",
        help="tests/faults: every fault at every request of an apply, not a sample (takes some hours)",
    )
    parser.addoption(
        "--all-realms",
        action="store_true",
        help="tests/drivers/keycloak/test_realms.py: every realm, not a sample (takes some minutes)",
    )
    parser.addoption(
        "--faults-json",
        default=None,
        metavar="FILE",
        help="tests/faults: where the figures are written as JSON",
    )
