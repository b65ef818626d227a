"""What is left on the servers when an estate is deleted with deletionPolicy: remove, on a server that stores marks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.operator.resource import FINALIZER
from tests.operator.conftest import SECRET, Namespace, StartReplica, condition, in_sync
from tests.servers import hydra as hydra_server
from tests.servers.hydra import Hydra
from tests.servers.plugin import RUN, usable

pytestmark = pytest.mark.live

MANIFEST = """\
version: 1
name: removal
servers:
  main:
    role: authorization
    driver: hydra
    url: ${env:URL}
    options: {public_url: "${env:PUBLIC_URL}"}
    limits: {retries: 0, timeout: 5s}
clients:
  batch: {type: confidential, grants: [client_credentials], secret: {value: "${env:BATCH_SECRET}"}}
  nightly: {type: confidential, grants: [client_credentials], secret: {value: "${env:BATCH_SECRET}"}}
"""


@pytest.fixture
def hydra(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Hydra]:
    hydra = usable(lambda: hydra_server.launch(tmp_path / "hydra", pytestconfig.stash[RUN].owner))
    yield hydra
    hydra.process.stop()


def clients(hydra: Hydra) -> set[str]:
    return {item.get("client_name") or item["client_id"] for item in hydra.get("/admin/clients?page_size=1000")}


def test_what_carries_the_mark_is_removed_before_the_estate_goes(
    namespace: Namespace, hydra: Hydra, start_replica: StartReplica
) -> None:
    """Nothing else is; and while the server does not answer, the estate stays, unless it is to be orphaned after all."""
    namespace.secret("login", batch=SECRET)
    spec: dict[str, Any] = {
        "manifest": {"inline": MANIFEST},
        "env": [
            {"name": "URL", "value": hydra.url},
            {"name": "PUBLIC_URL", "value": hydra.public_url},
            {"name": "BATCH_SECRET", "valueFrom": {"secretKeyRef": {"name": "login", "key": "batch"}}},
        ],
        "mode": "apply",
        "interval": "2s",
        "deletionPolicy": "remove",
    }
    namespace.estate("shop", **spec)
    replica = start_replica(namespace)
    body = namespace.wait("shop", in_sync)
    assert FINALIZER in body["metadata"]["finalizers"]
    assert hydra.call("POST", "/admin/clients", {"client_id": "by-hand", "client_name": "by-hand"}).status_code == 201
    assert clients(hydra) >= {"batch", "nightly", "by-hand"}
    delete(namespace, "shop")
    gone(namespace, "shop", replica.words)
    assert clients(hydra) == {"by-hand"}

    namespace.estate("shop", **spec)
    namespace.wait("shop", in_sync)
    hydra.process.stop()
    delete(namespace, "shop")
    namespace.wait("shop", lambda status: status["handledRun"].startswith("removal"))
    status = namespace.read("shop")["status"]
    assert condition(status, "Degraded") == "True"
    namespace.estate("shop", **{**spec, "deletionPolicy": "orphan"})
    gone(namespace, "shop", replica.words)


def delete(namespace: Namespace, name: str) -> None:
    assert namespace.cluster.call("DELETE", f"{namespace.estates}/{name}").ok


def gone(namespace: Namespace, name: str, words: Any) -> None:
    end = time.monotonic() + 25
    while namespace.cluster.call("GET", f"{namespace.estates}/{name}").status_code != 404:
        assert time.monotonic() < end, words()
        time.sleep(0.1)
