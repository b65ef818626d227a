"""An API server of Kubernetes that is away for a minute, while applies are in progress and estates are due."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import flask
import pytest

from oauthdeploy.operator.resource import GROUP
from oauthdeploy.running.lease import DURATION_SECONDS, SKEW_SECONDS
from tests.operator.conftest import (
    MANIFEST,
    PASSWORD,
    SECRET,
    Namespace,
    Site,
    env,
    in_sync,
    new_namespace,
    spawn_replica,
)
from tests.servers import kubernetes as kubernetes_server
from tests.servers.kubernetes import Kubernetes
from tests.servers.plugin import RUN

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]

AWAY = 60.0
"""Seconds without the API server: for the first half its connections are silent, then they are refused."""
SCOPES = 80


@dataclass(frozen=True)
class Write:
    """A request that changes something, and when it arrived (seconds since 1970)."""

    at: float
    method: str
    path: str
    body: str


def writes_of(site: Site) -> list[Write]:
    """The list to which a server adds every write from now on."""
    found: list[Write] = []

    def note(sender: flask.Flask, **_: Any) -> None:
        request = flask.request
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            found.append(Write(time.time(), request.method, request.path, request.get_data(as_text=True)))

    flask.request_started.connect(note, site.server.app, weak=False)
    return found


def renewed(namespace: Namespace, manifest: str) -> float:
    """When the Lease of a manifest was renewed last, in seconds since 1970; 0 if nobody holds it."""
    leases = namespace.cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace.name}/leases")["items"]
    for item in leases:
        named = item["metadata"].get("annotations", {}).get(f"{GROUP}/manifest") == manifest
        if named and item["spec"].get("holderIdentity"):
            return datetime.fromisoformat(item["spec"]["renewTime"]).timestamp()
    return 0.0


def until(holds: Callable[[], Any], within: float, words: Callable[[], str]) -> None:
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, words()
        time.sleep(0.05)


def test_a_minute_without_the_api_server(
    make_site: Callable[[], Site], own_cluster: Kubernetes, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Nothing is lost and nothing is done twice.

    An apply that loses its Lease meanwhile writes nothing after its expiry, and is finished by another run; what was changed by
    hand is repaired; watches work again, without a restart of the operator.
    """
    namespace = new_namespace(own_cluster)
    namespace.secret("login", password=PASSWORD, batch=SECRET)
    long, others = make_site(), [make_site() for _ in range(3)]
    scopes = "".join(f"  s{index}: {{description: number {index}}}\n" for index in range(SCOPES))
    limited = MANIFEST.replace("retries: 0", "retries: 0, requests_per_second: 3")
    namespace.estate(
        "long",
        manifest={"inline": limited.replace("NAME", "long").replace("scopes:\n", f"scopes:\n{scopes}", 1)},
        env=env(long),
        interval="3s",
        mode="apply",
    )
    for number, site in enumerate(others):
        text = MANIFEST.replace("NAME", f"due{number}")
        namespace.config_map(f"due{number}", {"estate.yaml": text})
        namespace.estate(
            f"due{number}",
            manifest={"configMaps": [{"name": f"due{number}"}]},
            env=env(site),
            # The last one is run again only if a watch says so.
            interval="3s" if number < 2 else "1h",
            mode="apply",
        )
    seen = writes_of(long)
    replica = spawn_replica(own_cluster, [namespace], tmp_path / "replica")
    try:
        for number in range(3):
            namespace.wait(f"due{number}", in_sync)
        until(lambda: len(seen) > 3, 30, replica.words)
        expires = 0.0
        while not expires:
            moment = renewed(namespace, "long")
            # Not just before the next renewal, so that this one is the last.
            expires = moment + DURATION_SECONDS if 1 < time.time() - moment < 6 else 0.0
        os.kill(own_cluster.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        for site in others[:2]:
            site.remove_scope("spare")
        time.sleep(AWAY / 2)
        own_cluster.process.kill()
        time.sleep(max(0.0, began + AWAY - time.monotonic()))
        before = len(seen)
        assert 3 < before < SCOPES, "it was in the middle of its apply"
        # A write that was sent just before may arrive a moment later; that is what the skew is for.
        assert max(write.at for write in seen) < expires + 1
        meanwhile = [write for write in seen if write.at > expires - DURATION_SECONDS / 2]
        assert meanwhile, "a Lease is good until it expires, whether the API server answers or not"
        kubernetes_server.restart(own_cluster, pytestconfig.stash[RUN].owner)
        answered = time.time()
        until(lambda: len(seen) > before, 60, replica.words)
        assert seen[before].at > expires + SKEW_SECONDS
        for number in range(2):
            until(partial(has, others[number], "spare"), 40, replica.words)
        namespace.wait("long", in_sync, 120)
        assert {f"s{index}" for index in range(SCOPES)} <= long.scopes()
        created = Counter(write.body for write in seen if write.method == "POST" and "scope" in write.path)
        assert len(created) == SCOPES + 2
        assert set(created.values()) == {1}, created.most_common(3)
        for number, site in enumerate(others):
            repaired = [path for method, path in site.writes() if method == "POST" and "scope" in path]
            assert len(repaired) == (3 if number < 2 else 2), repaired
        # A watch that was cut off is there again: this estate is not due for an hour.
        text = MANIFEST.replace("NAME", "due2").replace("spare:", "more:")
        namespace.config_map("due2", {"estate.yaml": text})
        until(partial(has, others[2], "more"), 30, replica.words)
        assert replica.process.poll() is None
        ready = namespace.read("long")["status"]["conditions"][0]["lastTransitionTime"]
        assert datetime.fromisoformat(ready).timestamp() > answered - 1
        assert replica.stop() == 0
    finally:
        if replica.process.poll() is None:
            replica.stop()


def has(site: Site, scope: str) -> bool:
    return scope in site.scopes()
