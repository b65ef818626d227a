"""The fixtures `keycloak`, `realm`, `opa` and `kubernetes` for every test, and the life of the servers behind them.

One Keycloak and one API server of Kubernetes serve a whole run, all its workers: the first that needs it starts it, the process
that controls the run stops it. Where a server can't be had, its tests skip; with `CI=true` they fail.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from filelock import FileLock

from tests.servers import keycloak as keycloak_server
from tests.servers import kubernetes as kubernetes_server
from tests.servers import opa as opa_server
from tests.servers.keycloak import Keycloak, Realm
from tests.servers.kubernetes import Kubernetes
from tests.servers.obtain import Unobtainable
from tests.servers.opa import Opa
from tests.servers.process import NotStarted, Running

LAUNCHERS = ("keycloak", "kubernetes", "start_opa")
"""Fixtures that may obtain a server first, which must not count for the time limit of a test."""
TEST_LIMIT = 120
LOG_SECTION = "server log"
T = TypeVar("T")


@dataclass
class Run:
    """What the processes of one test run share."""

    folder: Path
    owner: int
    """The process that outlives all others of the run."""
    keep: bool = False
    """Whether a test that used a server failed, so that the logs stay."""


RUN = pytest.StashKey[Run]()
LOGS = pytest.StashKey[list[tuple[Path, int]]]()
"""The logs of the servers that a test uses, and how long each was before."""


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", {}).get("servers")
    if given:
        config.stash[RUN] = Run(Path(given["folder"]), given["owner"])
    else:
        run = Run(Path(tempfile.mkdtemp(prefix="oauthdeploy-tests.")), os.getpid())
        config.stash[RUN] = run
        config.pluginmanager.register(Keeper(run))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist what it shares with the others."""
    run = node.config.stash[RUN]
    node.workerinput["servers"] = {"folder": str(run.folder), "owner": run.owner}


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is None or hasattr(config, "workerinput"):
        return
    state = run.folder / "keycloak.json"
    if state.exists() and "url" in (told := json.loads(state.read_text())):
        Keycloak.from_state(told).process.stop()
    state = run.folder / "kubernetes.json"
    if state.exists() and "url" in (told := json.loads(state.read_text())):
        Kubernetes.from_state(told).stop()
    if not run.keep:
        shutil.rmtree(run.folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that uses a real server is marked `live`; its time limit leaves out what its fixtures take."""
    for item in items:
        if not set(LAUNCHERS).isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.live)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_LIMIT, func_only=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failed test where the logs of its servers are, and how they end."""
    report = yield
    if report.failed:
        for log, before in item.stash.get(LOGS, []):
            if log.exists():
                end = b"\n".join(log.read_bytes()[before:].splitlines()[-10:]).decode(errors="replace")
                report.sections.append((f"{LOG_SECTION}, kept in {log}", end))
    return report


class Keeper:
    """Notes in the process that controls a run whether the logs are of use to somebody."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and any(title.startswith(LOG_SECTION) for title, _ in report.sections):
            self.run.keep = True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.run.keep:
            terminalreporter.write_line(f"Logs of the servers that failed tests used: {self.run.folder}")


def usable(obtain: Callable[[], T]) -> T:
    """What `obtain` gives; where it can't, the test skips, or with `CI=true` fails, with the reason."""
    try:
        return obtain()
    except Unobtainable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


def shared_keycloak(run: Run) -> Keycloak:
    """The Keycloak of this run; the first worker that asks starts it, and what it met the others meet too."""
    if standing := keycloak_server.standing():
        return standing
    launch = keycloak_server.launch
    return Keycloak.from_state(_shared(run, "keycloak", lambda folder: launch(folder, run.owner).to_state()))


def shared_kubernetes(run: Run) -> Kubernetes:
    """The API server of this run; each test has namespaces of its own."""
    launch = kubernetes_server.launch
    return Kubernetes.from_state(_shared(run, "kubernetes", lambda folder: launch(folder, run.owner).to_state()))


def _shared(run: Run, name: str, launch: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The state of a server that the first worker starts who asks for it."""
    state = run.folder / f"{name}.json"
    with FileLock(run.folder / f"{name}.lock"):
        if not state.exists():
            try:
                state.write_text(json.dumps(launch(run.folder / name)))
            except (Unobtainable, NotStarted) as error:
                state.write_text(json.dumps({"problem": type(error).__name__, "words": str(error)}))
    told: dict[str, Any] = json.loads(state.read_text())
    if problem := told.get("problem"):
        raise {kind.__name__: kind for kind in (Unobtainable, NotStarted)}[problem](told["words"])
    return told


@pytest.fixture(scope="session")
def _keycloak(pytestconfig: pytest.Config) -> Keycloak:
    return usable(lambda: shared_keycloak(pytestconfig.stash[RUN]))


@pytest.fixture
def keycloak(_keycloak: Keycloak, request: pytest.FixtureRequest) -> Keycloak:
    """The Keycloak that this whole run shares; change nothing outside a realm of your own."""
    _note(request, _keycloak.process)
    return _keycloak


@pytest.fixture(scope="session")
def _kubernetes(pytestconfig: pytest.Config) -> Kubernetes:
    return usable(lambda: shared_kubernetes(pytestconfig.stash[RUN]))


@pytest.fixture
def kubernetes(_kubernetes: Kubernetes, request: pytest.FixtureRequest) -> Kubernetes:
    """The API server that this whole run shares; change nothing outside a namespace of your own."""
    _note(request, _kubernetes.process)
    return _kubernetes


@pytest.fixture
def make_realm(keycloak: Keycloak) -> Iterator[Callable[..., Realm]]:
    """Makes realms of a test's own, with `settings` of their representation; they end with the test.

    The administrator has roles of every realm, and Keycloak looks through them at each request: with some hundred realms a GET
    takes seconds.
    """
    made: list[Realm] = []

    def make(**settings: Any) -> Realm:
        made.append(keycloak_server.make_realm(keycloak, **settings))
        return made[-1]

    yield make
    for realm in made:
        # A server that is too busy, or stopped by the test, is no fault of what was tested.
        with suppress(requests.RequestException):
            realm.call("DELETE")


@pytest.fixture
def realm(make_realm: Callable[..., Realm]) -> Realm:
    """One fresh realm for this test alone."""
    return make_realm()


@pytest.fixture
def start_opa(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Callable[..., Opa]]:
    """Starts OPAs with the options of `tests.servers.opa.launch`; they stop after the test."""
    running: list[Opa] = []
    run = pytestconfig.stash[RUN]

    def launch(**options: Any) -> Opa:
        folder = Path(tempfile.mkdtemp(prefix="opa-", dir=run.folder))
        running.append(usable(lambda: opa_server.launch(folder, run.owner, **options)))
        _note(request, running[-1].process)
        return running[-1]

    yield launch
    for opa in running:
        opa.process.stop()


@pytest.fixture
def opa(start_opa: Callable[..., Opa]) -> Opa:
    """One empty OPA that lets everybody in, gone after the test."""
    return start_opa()


def _note(request: pytest.FixtureRequest, process: Running) -> None:
    request.node.stash.setdefault(LOGS, []).append((process.log, process.log.stat().st_size))
