"""What the whole test suite shares: its options, and servers that start fast."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest_plugins = ["pytester", "tests.servers.plugin"]


@pytest.fixture(scope="session", autouse=True)
def cheap_hashing() -> Iterator[None]:
    """Hashing of passwords is slow on purpose; the embedded servers of the tests start with many users."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oauthdeploy.server.passwords.METHOD", "scrypt:1024:8:1")
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all-faults`: try every fault at every request instead of a fair sample."""
    parser.addoption(
        "--all-faults",
        action="store_true",
        help="tests/faults: every fault at every request of an apply, not a sample (takes some hours)",
    )
