"""The sites that proofs run on, made once, and the figures of all proofs at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.figures import table, totals
from tests.faults.hydra import HydraSite
from tests.faults.keycloak_opa import KeycloakOpaSite
from tests.faults.profiles import PROFILES
from tests.faults.proof import Bench, Result
from tests.faults.registration import RegistrationSite
from tests.faults.site import EmbeddedSite, Site
from tests.servers.plugin import RUN, shared_keycloak, usable

_RESULTS = pytest.StashKey[list[Result]]()

BenchFor = Callable[[str], Bench]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULTS] = []


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
            benches[estate] = Bench(_site(estate, tmp_path_factory.mktemp("faults"), pytestconfig))
            usable(benches[estate].site.open)
        return benches[estate]

    yield bench
    for made in benches.values():
        made.site.close()
        pytestconfig.stash[_RESULTS] += made.results


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the results of a worker of pytest-xdist to the process that tells them."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["faults"] = [(item.estate, item.fault, list(item.breaches)) for item in session.config.stash[_RESULTS]]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    found = getattr(node, "workeroutput", {}).get("faults", ())
    node.config.stash[_RESULTS] += [Result(*item) for item in found]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures as a table, and write them as JSON where `--faults-json` asks for it."""
    results = config.stash[_RESULTS]
    if not results:
        return
    for line in table(results):
        terminalreporter.write_line(line)
    if file := config.getoption("faults_json"):
        Path(file).write_text(json.dumps(totals(results), indent=2) + "\n", encoding="utf-8")
