"""The sites that proofs run on, made once, and the count of faults at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.proof import Bench
from tests.faults.site import Site

_COUNTS = pytest.StashKey[dict[str, int]]()

BenchFor = Callable[[bool], Bench]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = {"tried": 0, "survived": 0}


@pytest.fixture(scope="session")
def bench_for(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[BenchFor]:
    """Gives the bench whose servers accept client ids, or the one whose servers make them."""
    benches: dict[bool, Bench] = {}

    def bench(accepts: bool) -> Bench:
        if accepts not in benches:
            site = Site(tmp_path_factory.mktemp("faults"), accepts)
            benches[accepts] = Bench(site)
            site.open()
        return benches[accepts]

    yield bench
    for made in benches.values():
        made.site.close()
        _add(pytestconfig, {"tried": made.tried, "survived": made.survived})


def _add(config: pytest.Config, more: dict[str, int]) -> None:
    for word, number in more.items():
        config.stash[_COUNTS][word] += number


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts of a worker of pytest-xdist to the process that tells them."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["faults"] = session.config.stash[_COUNTS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _add(node.config, getattr(node, "workeroutput", {}).get("faults", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell how many faults were tried, and how many an apply survived."""
    counts = config.stash[_COUNTS]
    if counts["tried"]:
        terminalreporter.write_line(f"Faults tried: {counts['tried']}, survived: {counts['survived']}.")
