"""Several operators, pipelines, deaths, and an API server that is away."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.operator.resource import GROUP
from tests.live.conftest import run_command
from tests.operator.conftest import (
    MANIFEST,
    PASSWORD,
    SECRET,
    Namespace,
    Site,
    StartReplica,
    condition,
    env,
    in_sync,
    install,
    new_namespace,
    spawn_replica,
)
from tests.servers import kubernetes as kubernetes_server
from tests.servers.kubernetes import Kubernetes
from tests.servers.plugin import RUN

pytestmark = pytest.mark.live


def many_scopes(name: str, number: int) -> str:
    scopes = "".join(f"  s{index}: {{description: number {index}}}\n" for index in range(number))
    return MANIFEST.replace("NAME", name).replace("scopes:\n", f"scopes:\n{scopes}", 1)


def estate(namespace: Namespace, name: str, site: Site, text: str, **spec: Any) -> None:
    namespace.secret("login", password=PASSWORD, batch=SECRET)
    given = {"manifest": {"inline": text}, "env": env(site), "interval": "3s", "mode": "apply"}
    namespace.estate(name, **{**given, **spec})


def test_another_replica_takes_over_from_one_that_was_killed_in_the_middle_of_an_apply(
    namespace: Namespace, site: Site, start_replica: StartReplica
) -> None:
    """Every scope is created once, whoever did it; nothing stays open."""
    estate(
        namespace, "shop", site, many_scopes("shop", 40).replace("retries: 0", "retries: 0, requests_per_second: 20")
    )
    first = start_replica(namespace, flags=("--claim-seconds", "3"))
    end = time.monotonic() + 20
    while len(site.writes()) < 5:
        assert time.monotonic() < end, first.words()
        time.sleep(0.02)
    first.kill()
    assert len(site.scopes()) < 40
    start_replica(namespace, flags=("--claim-seconds", "3"))
    namespace.wait("shop", in_sync, 60)
    assert {f"s{index}" for index in range(40)} <= site.scopes()
    created = Counter(path for method, path in site.writes() if method == "POST" and "scope" in path)
    assert all(number <= 42 for number in created.values()), created


def test_two_replicas_share_the_estates_and_run_each_once(
    namespace: Namespace, make_site: Callable[[], Site], start_replica: StartReplica
) -> None:
    """Of an estate that is due, one replica reads its server, not both."""
    sites = [make_site() for _ in range(4)]
    for number, site in enumerate(sites):
        estate(
            namespace, f"shop{number}", site, MANIFEST.replace("NAME", f"shop{number}"), interval="1h", mode="report"
        )
    replicas = [start_replica(namespace) for _ in range(2)]
    for number in range(4):
        namespace.wait(f"shop{number}", lambda status: condition(status, "InSync") == "False")
    time.sleep(1)
    for site in sites:
        signed_in = Counter(path for _, path in site.seen)
        assert max(signed_in.values()) <= 2, signed_in
    done = ["shop" in replica.words() for replica in replicas]
    assert any(done)
    for replica in replicas:
        assert replica.stop() == 0


def test_pipeline_and_operator_exclude_each_other(
    namespace: Namespace, site: Site, start_replica: StartReplica, tmp_path: Path
) -> None:
    """The command line takes the Lease that the manifest names, which is the operator's too."""
    text = many_scopes("shop", 30).replace("retries: 0", "retries: 0, requests_per_second: 10")
    text += f"lock: {{kubernetes: {{namespace: {namespace.name}}}}}\n"
    estate(namespace, "shop", site, text, interval="1h")
    replica = start_replica(namespace)
    end = time.monotonic() + 20
    while len(site.writes()) < 3:
        assert time.monotonic() < end, replica.words()
        time.sleep(0.02)
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli/oauthdeploy.yaml").write_text(text)
    config = namespace.cluster.kubeconfig(tmp_path / "admin.kubeconfig")
    given = {
        "URL": site.url,
        "PASSWORD": PASSWORD,
        "BATCH_SECRET": SECRET,
        "KUBECONFIG": str(config),
        "NO_PROXY": os.environ.get("NO_PROXY", "") + ",127.0.0.1",
    }
    refused = run_command(tmp_path / "cli", "apply", "--yes", env=given)
    assert refused.code == 7, refused.err
    assert "Lease" in refused.err
    namespace.wait("shop", in_sync, 30)
    assert run_command(tmp_path / "cli", "apply", "--yes", env=given).code == 0
    assert run_command(tmp_path / "cli", "force-unlock", "--yes", env=given).out.startswith("Nobody holds the lock")
    leases = namespace.cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace.name}/leases")["items"]
    locks = [item for item in leases if item["metadata"]["annotations"].get(f"{GROUP}/manifest") == "shop"]
    assert [item["spec"].get("holderIdentity") for item in locks] == [None]


def test_nothing_is_lost_while_the_api_server_is_away(
    tmp_path: Path, site: Site, kubernetes: Kubernetes, pytestconfig: pytest.Config
) -> None:
    """What was changed by hand meanwhile is repaired once it answers again, without a restart of the operator."""
    # An API server of its own, since this one is stopped; the shared one is asked for so that this test skips where it does.
    assert kubernetes.url
    owner = pytestconfig.stash[RUN].owner
    cluster = kubernetes_server.launch(tmp_path / "kubernetes", owner)
    try:
        install(cluster)
        namespace = new_namespace(cluster)
        estate(namespace, "shop", site, MANIFEST.replace("NAME", "shop"))
        replica = spawn_replica(cluster, [namespace], tmp_path / "replica")
        try:
            namespace.wait("shop", in_sync)
            cluster.process.stop()
            time.sleep(4)
            site.remove_scope("spare")
            before = len(site.writes())
            kubernetes_server.restart(cluster, owner)
            end = time.monotonic() + 40
            while "spare" not in site.scopes():
                assert time.monotonic() < end, replica.words()
                time.sleep(0.1)
            namespace.wait("shop", in_sync)
            assert replica.process.poll() is None
            written = [item for item in site.writes()[before:] if item[0] == "POST" and "scope" in item[1]]
            assert 1 <= len(written) <= 2, written
        finally:
            assert replica.stop() == 0
    finally:
        cluster.stop()


def test_a_run_that_loses_its_lock_does_not_stop_the_others(
    namespace: Namespace, site: Site, start_replica: StartReplica
) -> None:
    """Only that run ends; the next one of the same replica does the rest."""
    estate(
        namespace, "shop", site, many_scopes("shop", 30).replace("retries: 0", "retries: 0, requests_per_second: 10")
    )
    replica = start_replica(namespace)
    end = time.monotonic() + 20
    while len(site.writes()) < 3:
        assert time.monotonic() < end, replica.words()
        time.sleep(0.02)
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace.name}/leases"
    (lock,) = (
        item
        for item in namespace.cluster.get(path)["items"]
        if item["metadata"].get("annotations", {}).get(f"{GROUP}/manifest") == "shop"
    )
    taken = {"spec": {"holderIdentity": "somebody@elsewhere/1/a", "leaseDurationSeconds": 1}}
    answer = namespace.cluster.call(
        "PATCH",
        f"{path}/{lock['metadata']['name']}",
        taken,
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert answer.ok, answer.text
    namespace.wait("shop", in_sync, 60)
    assert "has lost its lock" in replica.words()
    assert {f"s{index}" for index in range(30)} <= site.scopes()
