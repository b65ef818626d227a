"""Applying to a live server over HTTP: limits, signals and sudden death, with the command line as users run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import requests

from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.planning.outcome import Status
from oauthdeploy.planning.run_history import End
from oauthdeploy.running.journal import read_journal, read_run_history
from oauthdeploy.server import RunningServer, SeedUser, ServerConfig, start
from oauthdeploy.workflow import make_plan, run_plan

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

PASSWORD = "dep-loyer-pass-word"
SCOPES = [f"s{number:02}" for number in range(12)]


class Site:
    """One server on both sides that takes its time over writes, and a manifest with twelve scopes for it."""

    def __init__(self, folder: Path, server: RunningServer, *, parallel: int) -> None:
        self.folder = folder
        self.server = server
        self.pause = 0.0
        self.writes = threading.Semaphore(0)
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self.manifest = folder / "oauthdeploy.yaml"
        scopes = "".join(f"  {name}: {{description: Scope {name}}}\n" for name in SCOPES)
        self.manifest.write_text(
            "version: 1\nname: live\nservers:\n  main:\n    role: both\n    driver: webmethods\n"
            f"    url: {server.url}\n"
            "    credentials: {username: deployer, password: '${env:LIVE_PASSWORD}'}\n"
            f"    limits: {{parallel: {parallel}}}\nscopes:\n{scopes}"
        )
        server.app.before_request(self._slowly)
        server.app.teardown_request(self._done)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
        return {**inherited, "LIVE_PASSWORD": PASSWORD, "NO_COLOR": "1"}

    @property
    def request(self) -> ManifestRequest:
        return ManifestRequest(files=(str(self.manifest),), environ=self.environment)

    @property
    def held(self) -> list[str]:
        """The scopes that the server has."""
        answer = requests.get(f"{self.server.url}/admin/oauth/scope", auth=("deployer", PASSWORD), timeout=10)
        return sorted(scope["name"] for scope in answer.json()["scopes"])

    @property
    def journal(self) -> Path:
        return max((self.folder / ".oauthdeploy" / "journal").iterdir())

    def start(self) -> subprocess.Popen[str]:
        """`oauthdeploy apply --yes`, running."""
        return subprocess.Popen(
            [sys.executable, "-m", "oauthdeploy", "apply", "--yes", "-o", "json"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _slowly(self) -> None:
        if flask.request.method in ("POST", "PATCH", "PUT", "DELETE"):
            flask.g.counted = True
            with self._lock:
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
            self.writes.release()
            time.sleep(self.pause)

    def _done(self, _error: BaseException | None) -> None:
        if flask.g.get("counted"):
            with self._lock:
                self.at_once -= 1


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    users = (SeedUser("deployer", PASSWORD, ("Administrators",)),)
    with start(ServerConfig(role="both", data_dir=tmp_path / "data", users=users)) as server:
        yield Site(tmp_path, server, parallel=3)


def statuses(report: Any) -> list[str]:
    return [outcome.status.value for outcome in report.outcomes]


def test_no_more_writes_than_the_limit_are_in_flight(site: Site) -> None:
    """`limits.parallel` is used and kept, the second look is taken, and a second plan is empty."""
    site.pause = 0.05
    report = run_plan(site.request)
    assert report is not None
    assert statuses(report) == ["done"] * len(SCOPES)
    assert report.verified
    assert not report.verification
    assert site.most_at_once == 3
    assert site.held == SCOPES
    assert make_plan(site.request)[0].is_empty


def test_a_server_that_refuses_one_change_gets_the_others(site: Site) -> None:
    """A 4xx for one scope is that scope's failure with the server's words; the rest is made and the next run finishes."""

    def refuse() -> Any:
        body = flask.request.get_json(silent=True) or {}
        if refusing.is_set() and flask.request.method == "POST" and "s05" in json.dumps(body):
            return {"message": "quota of scopes reached"}, 400
        return None

    refusing = threading.Event()
    refusing.set()
    site.server.app.before_request(refuse)
    report = run_plan(site.request)
    assert report is not None
    failed = [outcome for outcome in report.outcomes if outcome.status is not Status.DONE]
    assert [str(outcome.change.address) for outcome in failed] == ["scope/s05@main"]
    assert failed[0].because is not None
    assert "quota of scopes reached" in failed[0].because.detail
    refusing.clear()
    again = run_plan(site.request)
    assert again is not None
    assert statuses(again) == ["done"]
    assert site.held == SCOPES


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_finishes_what_is_in_flight_and_says_so(site: Site, number: signal.Signals) -> None:
    """Exit code 4; what the server has is exactly what the report calls done; no lock is left; the next run finishes."""
    site.pause = 0.4
    process = site.start()
    assert site.writes.acquire(timeout=30)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 4, out + err
    site.pause = 0
    records = read_journal(site.journal)
    done = [r["address"] for r in records.records if r["type"] == "outcome" and r["status"] == "done"]
    assert 1 <= len(done) <= 6
    assert sorted(done) == [f"scope/{name}@main" for name in site.held]
    assert records.records[-1]["interrupted"] is True
    assert not read_run_history(site.journal).of(End.OPEN)
    assert json.loads(out)["interrupted"] is True
    assert list((site.folder / ".oauthdeploy").glob("*.lock")) == []
    report = run_plan(site.request)
    assert report is not None
    assert len(report.outcomes) == len(SCOPES) - len(done)
    assert site.held == SCOPES


def test_after_a_kill_the_journal_told_the_truth_and_the_next_run_converges(site: Site) -> None:
    """kill -9 in the middle: what the server has was announced in the journal; the lock doesn't stand in the way."""
    site.pause = 0.4
    process = site.start()
    for _ in range(4):
        assert site.writes.acquire(timeout=30)
    process.kill()
    process.communicate(timeout=30)
    site.pause = 0
    time.sleep(0.6)  # the server still carries out what it has received
    records = read_journal(site.journal)
    announced = {record["address"] for record in records.records if record["type"] == "intent"}
    recorded = {record["address"] for record in records.records if record["type"] == "outcome"}
    held = {f"scope/{name}@main" for name in site.held}
    assert recorded <= held <= announced
    assert (
        {str(entry.address) for entry in read_run_history(site.journal).of(End.OPEN)} == announced - recorded != set()
    )
    assert len(list((site.folder / ".oauthdeploy").glob("*.lock"))) == 1
    report = run_plan(site.request)
    assert report is not None
    assert report.complete
    assert site.held == SCOPES
    assert make_plan(site.request)[0].is_empty


def test_a_server_that_dies_in_the_middle_leaves_a_report_and_is_finished_later(site: Site) -> None:
    """Every change has an end, and a run against the server that came back makes the rest."""
    config = site.server.config
    seen = 0
    death = threading.Thread(target=site.server.stop)

    def die_later() -> None:
        nonlocal seen
        if flask.request.method == "POST":
            seen += 1
            if seen == 4:
                death.start()

    site.server.app.before_request(die_later)
    site.manifest.write_text(site.manifest.read_text().replace("parallel: 3", "parallel: 1, retries: 0, timeout: 5s"))
    report = run_plan(site.request)
    assert report is not None
    assert len(report.outcomes) == len(SCOPES)
    assert 3 <= statuses(report).count("done") < len(SCOPES)
    assert {outcome.because.rule for outcome in report.outcomes if outcome.because} <= {
        "server-unreachable",
        "unexpected-answer",
        "server-gave-up",
    }
    assert not report.verified
    death.join(timeout=30)
    with start(ServerConfig(role="both", data_dir=config.data_dir, users=config.users)) as back:
        site.manifest.write_text(site.manifest.read_text().replace(site.server.url, back.url))
        again = run_plan(site.request)
        assert again is not None
        assert again.complete
        site.server = back
        assert site.held == SCOPES
