"""The sites that proofs run on, made once, and the figures of all proofs at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.faults.figures import table, totals
from tests.faults.hydra import HydraSite
from tests.faults.keycloak_opa import KeycloakOpaSite
from tests.faults.profiles import PROFILES
from tests.faults.proof import Bench, Result
from tests.faults.registration import RegistrationSite
from tests.faults.site import EmbeddedSite, Site
from tests.servers.plugin import RUN, shared_keycloak, usable

_FRESH = pytest.StashKey[list[Result]]()
"""What the running test has found."""
_COLLECTED = pytest.StashKey[list[Result]]()
"""What the reports of tests have told."""

BenchFor = Callable[[str], Bench]


class _Collector:
    """Collects what the reports of tests tell, in the process that writes the figures."""

    def __init__(self, results: list[Result]) -> None:
        self._results = results

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._results.extend(Result(*found) for found in getattr(report, "faults", ()))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FRESH] = []
    config.stash[_COLLECTED] = []
    config.pluginmanager.register(_Collector(config.stash[_COLLECTED]))


def _site(estate: str, home: Path, config: pytest.Config) -> Site:
    if estate == "keycloak-opa":
        return KeycloakOpaSite(home, start_keycloak=lambda: usable(lambda: shared_keycloak(config.stash[RUN])))
    if estate == "hydra":
        return HydraSite(home)
    if estate.startswith("registration"):
        return RegistrationSite(home, rotates=estate == "registration")
    if estate in PROFILES:
        # The services take versions as text, which the document of the strict mode does not.
        profile = PROFILES[estate]
        return EmbeddedSite(home, accepts=False, profile=profile, strict=profile.administration == "api")
    return EmbeddedSite(home, accepts=estate == "embedded")


@pytest.fixture(scope="session")
def bench_for(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[BenchFor]:
    """Gives the bench of an estate: servers that accept client ids, that make them, that play a profile, Keycloak
    and OPA, Hydra, or dynamic registration with registration access tokens that change or stay."""
    benches: dict[str, Bench] = {}

    def bench(estate: str) -> Bench:
        if estate not in benches:
            site = _site(estate, tmp_path_factory.mktemp("faults"), pytestconfig)
            benches[estate] = Bench(site, pytestconfig.stash[_FRESH])
            usable(benches[estate].site.open)
        return benches[estate]

    yield bench
    for made in benches.values():
        made.site.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what a test has found into its report, so that a run that is broken off has figures too."""
    report = yield
    if call.when == "call":
        fresh = item.config.stash[_FRESH]
        report.__dict__["faults"] = [(found.estate, found.fault, list(found.breaches)) for found in fresh]
        fresh.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures as a table, and write them as JSON where `--faults-json` asks for it."""
    results = config.stash[_COLLECTED]
    if not results:
        return
    for line in table(results):
        terminalreporter.write_line(line)
    if file := config.getoption("faults_json"):
        Path(file).write_text(json.dumps(totals(results), indent=2) + "\n", encoding="utf-8")
