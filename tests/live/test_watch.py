"""`drift --watch` and its metrics, live: in a process of its own, as a service runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.live.conftest import Pair

pytestmark = pytest.mark.live

Numbers = dict[tuple[str, ...], float]


def numbers_of(text: str) -> Numbers:
    """The samples by name and label values, read by the library's own parser."""
    return {
        (
            sample.name.removeprefix("oauthdeploy_drift_"),
            *(v for k, v in sorted(sample.labels.items()) if k != "manifest"),
        ): (sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def estate(pair: Pair) -> Pair:
    assert pair.run("apply", "--yes").code == 0
    return pair


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(estate: Pair, tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
        with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
            made = subprocess.Popen(
                [sys.executable, "-m", "oauthdeploy", "drift", *arguments],
                cwd=estate.folder,
                env={**inherited, **estate.environment},
                stdout=out,
                stderr=err,
                text=True,
            )
        running.append(made)
        return made

    yield begin
    for made in running:
        if made.poll() is None:
            made.kill()
        made.wait()


def until(found: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def test_a_watch_goes_on_where_a_server_is_down_and_ends_in_order(estate: Pair, start: Start, tmp_path: Path) -> None:
    """Each look is a line of JSON; drift and a server that is down are numbers; SIGTERM ends it with exit code 0."""
    watch = start("--watch", "1s", "--metrics-listen", "127.0.0.1:0", "-o", "json")
    until(lambda: "Metrics at" in (tmp_path / "err").read_text())
    (address,) = re.findall(r"Metrics at (\S+)", (tmp_path / "err").read_text())

    def numbers() -> Numbers:
        return numbers_of(requests.get(address, timeout=5).text)

    until(lambda: numbers().get(("rounds_total", "clean"), 0) >= 1)
    clean = numbers()
    assert clean["detected",] == 0
    assert clean["items", "missing", "orders"] == 0
    assert clean["server_up", "login"] == clean["server_up", "orders"] == clean["complete",] == 1
    assert clean["requests", "login"] > 0
    assert clean["duration_seconds",] > 0

    estate.admin(estate.orders, "DELETE", "/admin/oauth/scope/orders.read")
    until(lambda: numbers()["detected",] == 1)
    drifted = numbers()
    assert (drifted["items", "missing", "orders"], drifted["items", "sides-disagree", "orders"]) == (1, 1)

    estate.login.stop()
    until(lambda: numbers()["server_up", "login"] == 0)
    down = numbers()
    assert (down["server_up", "orders"], down["complete",]) == (1, 0)
    assert ("items", "missing", "login") not in down
    assert down["items", "missing", "orders"] == 1
    assert down["last_success_timestamp_seconds", "login"] < down["last_success_timestamp_seconds", "orders"]

    watch.send_signal(signal.SIGTERM)
    assert watch.wait(30) == 0
    documents = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert {document["drifted"] for document in documents} == {False, True}
    said = (tmp_path / "err").read_text()
    assert "server-unreachable" in said
    assert f"Stopped after {sum(numbers_at_end(said))} checks." in said


def numbers_at_end(said: str) -> list[int]:
    return [1 for _ in re.findall(r"  check \d+: ", said)]


def test_metrics_go_into_a_file_without_a_watch_too(estate: Pair) -> None:
    """Also where the look failed: then the file says which server, and the exit code is what it always is."""
    ok = estate.run("drift", "--metrics-file", "drift.prom")
    assert ok.code == 0, ok.err
    assert numbers_of((estate.folder / "drift.prom").read_text())["detected",] == 0
    estate.admin(estate.login, "POST", "/admin/oauth/scope", {"name": "stray", "FoldersAndServices": ["a"]})
    flags = ("--baseline", "known.yaml", "--metrics-file", "drift.prom")
    assert estate.run("drift", *flags, "--write-baseline", "--owner", "o", "--reason", "r").code == 0
    assert estate.run("drift", *flags).code == 0
    accepted = numbers_of((estate.folder / "drift.prom").read_text())
    assert accepted["accepted_items", "unexpected", "login"] == 1
    assert (accepted["items", "unexpected", "login"], accepted["baseline_entries", "active"]) == (0, 2)
    estate.orders.stop()
    assert estate.run("drift", *flags).code == 8
    down = numbers_of((estate.folder / "drift.prom").read_text())
    assert (down["server_up", "orders"], down["server_up", "login"]) == (0, 1)


def test_a_watch_that_can_not_work_does_not_start(estate: Pair) -> None:
    """Wrong flags, a manifest with errors, an address that is taken: at once, with the usual exit codes."""
    assert estate.run("drift", "--metrics-listen", "127.0.0.1:0").code == 64
    assert estate.run("drift", "--watch", "soon").code == 64
    assert estate.run("drift", "--watch", "0s").code == 64
    assert estate.run("drift", "--watch=1m", "--metrics-listen", "here").code == 64
    assert estate.run("drift", "--watch=1m", "--baseline=k.yaml", "--write-baseline").code == 64
    assert estate.run("drift", "--watch=1m", "-f", "none.yaml").code == 3
    port = estate.orders.url.rpartition(":")[2]
    taken = estate.run("drift", "--watch=1m", "--metrics-listen", f"127.0.0.1:{port}")
    assert taken.code == 1
    assert "metrics-failed" in taken.err
