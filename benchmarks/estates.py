"""`python -m benchmarks.estates`: many OAuthEstates, two operators, changes by hand, and kills; prints the figures as JSON.

An API server of Kubernetes and the operators are processes of their own; the OAuth servers are embedded in this process, so
its processor time is not that of an operator. Every estate has its own manifest; several share a server.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from oauthdeploy.server import SeedUser, ServerConfig, start
from tests.operator.conftest import (
    MANIFEST,
    PASSWORD,
    SECRET,
    Namespace,
    Replica,
    Site,
    _record,
    env,
    in_sync,
    install,
    new_namespace,
    spawn_replica,
)
from tests.servers import kubernetes

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.estates", description=__doc__)
    parser.add_argument("--estates", type=int, default=50)
    parser.add_argument("--sites", type=int, default=5, help="embedded servers that the estates share")
    parser.add_argument("--interval", type=int, default=20, help="seconds")
    parser.add_argument("--changes", type=int, default=20, help="changes by hand")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        # Hashing of passwords is slow on purpose, and would be what is measured.
        stack.enter_context(patch("oauthdeploy.server.passwords.METHOD", "scrypt:1024:8:1"))
        print(json.dumps(measure(given, Path(folder), stack), indent=2))


def measure(given: argparse.Namespace, folder: Path, stack: ExitStack) -> dict[str, Any]:
    cluster = kubernetes.launch(folder / "kubernetes")
    stack.callback(cluster.stop)
    install(cluster)
    namespace = new_namespace(cluster)
    namespace.secret("login", password=PASSWORD, batch=SECRET)
    sites = [stack.enter_context(site(folder / f"site{number}")) for number in range(given.sites)]
    names = [f"e{number:04}" for number in range(given.estates)]
    for number, name in enumerate(names):
        text = MANIFEST.replace("NAME", name).replace("orders.read", f"{name}.read").replace("spare:", f"{name}.spare:")
        namespace.estate(
            name,
            manifest={"inline": text},
            env=env(sites[number % len(sites)]),
            mode="apply",
            interval=f"{given.interval}s",
        )
    flags: tuple[str, ...] = (
        "--claim-seconds",
        "5",
        "--workers",
        str(given.workers),
        "--per-namespace",
        str(given.workers),
    )
    made = iter(range(1000))

    def replica() -> Replica:
        return spawn_replica(cluster, [namespace], folder / f"replica{next(made)}", flags)

    began = time.monotonic()
    replicas = [replica(), replica()]
    stack.callback(lambda: [item.stop() for item in replicas])
    first = all_in_sync(namespace, names, began, 600)
    settled = steady(namespace, names, sites, replicas, 2 * given.interval)
    repaired = changes(given, names, sites, replicas, replica)
    wait_for(lambda: all(in_sync(item) for item in statuses(namespace).values()), 10 * given.interval + 60)
    end = time.monotonic() + 60
    while held(namespace) and time.monotonic() < end:
        time.sleep(0.1)  # A run that is under way holds its Leases for less than a second.
    return {
        "estates": given.estates,
        "sites": given.sites,
        "interval_s": given.interval,
        "workers": given.workers,
        "first_round_s": round(first, 1),
        "first_round_estates_per_s": round(given.estates / first, 1),
        "steady": settled,
        "changes": given.changes,
        "kills": given.kills,
        "repair_s": {
            "median": round(statistics.median(repaired), 1),
            "worst": round(max(repaired), 1),
        },
        "missing_at_the_end": missing(names, sites),
    }


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """An embedded server that counts requests."""
    server = start(
        ServerConfig(
            role="both",
            data_dir=folder,
            accept_client_id=True,
            users=(SeedUser("deployer", PASSWORD, ("Administrators",)),),
        )
    )
    made = Site(server)
    _record(server.app, made.seen)
    try:
        yield made
    finally:
        server.stop()


def statuses(namespace: Namespace) -> dict[str, dict[str, Any]]:
    found = namespace.cluster.get(namespace.estates)["items"]
    return {item["metadata"]["name"]: item.get("status") or {} for item in found}


def all_in_sync(namespace: Namespace, names: list[str], began: float, within: float) -> float:
    """Seconds from the start of the operators until every estate is in sync."""
    wait_for(lambda: sum(in_sync(item) for item in statuses(namespace).values()) == len(names), within)
    return time.monotonic() - began


def steady(
    namespace: Namespace, names: list[str], sites: list[Site], replicas: list[Replica], seconds: float
) -> dict[str, Any]:
    """What it costs while nothing changes."""
    requests, runs = sum(len(item.seen) for item in sites), last_runs(namespace)
    used, began = [processor(item) for item in replicas], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    after = last_runs(namespace)
    busy = sum(processor(item) - before for item, before in zip(replicas, used, strict=True))
    return {
        "seconds": round(passed, 1),
        "estates_run_at_least_once": sum(after[name] != runs[name] for name in names),
        "requests_per_s": round((sum(len(item.seen) for item in sites) - requests) / passed, 1),
        "processor_share_of_both": round(busy / passed, 2),
        "memory_mb": [round(memory(item)) for item in replicas],
        "run_s_median": round(
            statistics.median(item["lastRun"]["seconds"] for item in statuses(namespace).values()), 3
        ),
    }


def last_runs(namespace: Namespace) -> dict[str, str]:
    return {name: item["lastRun"]["time"] for name, item in statuses(namespace).items()}


def changes(
    given: argparse.Namespace,
    names: list[str],
    sites: list[Site],
    replicas: list[Replica],
    replica: Callable[[], Replica],
) -> list[float]:
    """Seconds until each change by hand was repaired; among them, replicas are killed and started again."""
    chance = random.Random(7)
    killed_before = set(chance.sample(range(given.changes), min(given.kills, given.changes)))
    repaired = []
    for number in range(given.changes):
        place = chance.randrange(len(names))
        where, scope = sites[place % len(sites)], f"{names[place]}.spare"
        wait_for(partial(has, where, scope), 10 * given.interval + 60)
        where.remove_scope(scope)
        began = time.monotonic()
        if number in killed_before:
            time.sleep(chance.random())
            victim = chance.randrange(len(replicas))
            replicas[victim].kill()
            replicas[victim] = replica()
        wait_for(partial(has, where, scope), 10 * given.interval + 60)
        repaired.append(time.monotonic() - began)
    return repaired


def wait_for(holds: Callable[[], bool], within: float) -> None:
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("It did not get there.")
        time.sleep(0.1)


def has(where: Site, scope: str) -> bool:
    """Whether a server has a scope."""
    return scope in where.scopes()


def held(namespace: Namespace) -> int:
    leases = namespace.cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace.name}/leases")["items"]
    return sum(bool(item["spec"].get("holderIdentity")) for item in leases)


def missing(names: list[str], sites: list[Site]) -> int:
    """Scopes that no server has, although a manifest wants them."""
    live = [item.scopes() for item in sites]
    return sum(
        f"{name}.{scope}" not in live[number % len(sites)]
        for number, name in enumerate(names)
        for scope in ("read", "spare")
    )


def memory(replica: Replica) -> float:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{replica.process.pid}/statm").read_text().split()[1])
    return pages * PAGE / 1e6


def processor(replica: Replica) -> float:
    """Processor time in seconds."""
    fields = Path(f"/proc/{replica.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


if __name__ == "__main__":
    main()
