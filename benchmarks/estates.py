"""`python -m benchmarks.estates`: many OAuthEstates, two operators, changes by hand, and kills; prints the figures as JSON.

An API server of Kubernetes and the operators are processes of their own; the OAuth servers are embedded in this process, so
its processor time is not that of an operator. Every estate has its own manifest; several share a server. Changes by hand are
made at a fixed pace, and some of them are followed by the kill of a replica. `--page` writes the tables into
docs/kubernetes-scale.md; `--from FILE` does so from the JSON of an earlier run, without measuring.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import flask

from benchmarks import scale
from oauthdeploy import __version__
from oauthdeploy.server import SeedUser, ServerConfig, start
from tests.operator.conftest import (
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
    own_manifest,
    spawn_replica,
)
from tests.servers import kubernetes
from tests.servers.kubernetes import Kubernetes

PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")
KILLED_AFTER = 2.0
"""At most so many seconds after a change by hand a replica is killed."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.estates", description=__doc__.partition("\n")[0])
    parser.add_argument("--estates", type=int, default=50)
    parser.add_argument("--sites", type=int, default=5, help="embedded servers that the estates share")
    parser.add_argument("--interval", type=int, default=60, help="seconds between the runs of an estate")
    parser.add_argument("--changes", type=int, default=40, help="changes by hand")
    parser.add_argument("--kills", type=int, default=5, help="how many changes a kill follows")
    parser.add_argument("--pace", type=float, default=10, help="seconds between two changes by hand")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--parallel", type=int, default=4, help="limits.parallel of every manifest")
    parser.add_argument("--rate", type=int, default=30, help="limits.requests_per_second of every manifest")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true", help="write the tables into docs/kubernetes-scale.md")
    parser.add_argument("--from", dest="earlier", type=Path, metavar="FILE", help="take the figures from this file")
    given = parser.parse_args()
    figures = json.loads(given.earlier.read_text(encoding="utf-8")) if given.earlier else measured(given)
    text = json.dumps(figures, indent=2) + "\n"
    if given.json:
        given.json.write_text(text, encoding="utf-8")
    if given.page:
        page = scale.PAGE.read_text(encoding="utf-8")
        scale.PAGE.write_text(scale.with_figures(page, figures), encoding="utf-8")
    sys.stdout.write(text)


def measured(given: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        # Hashing of passwords is slow on purpose, and would be what is measured.
        stack.enter_context(patch("oauthdeploy.server.passwords.METHOD", "scrypt:1024:8:1"))
        return measure(given, Path(folder), stack)


@dataclass
class Watched:
    """An embedded server, when requests of operators arrived at it, and how many were there at the same time."""

    site: Site
    arrived: list[float] = field(default_factory=list)
    writes: int = 0
    most: int = 0
    now: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    def watch(self) -> None:
        """Begin to count."""
        flask.request_started.connect(self._begin, self.site.server.app, weak=False)
        flask.request_finished.connect(self._end, self.site.server.app, weak=False)

    def _begin(self, _sender: flask.Flask, **_: Any) -> None:
        if _by_operator():
            with self.turn:
                self.arrived.append(time.monotonic())
                self.writes += flask.request.method not in ("GET", "HEAD", "OPTIONS")
                self.now += 1
                self.most = max(self.most, self.now)

    def _end(self, _sender: flask.Flask, **_: Any) -> None:
        if _by_operator():
            with self.turn:
                self.now -= 1

    def most_in_a_second(self) -> int:
        """The most requests that arrived within any second."""
        moments, first, most = sorted(self.arrived), 0, 0
        for last, moment in enumerate(moments):
            while moment - moments[first] >= 1:
                first += 1
            most = max(most, last - first + 1)
        return most


def _by_operator() -> bool:
    return flask.request.headers.get("User-Agent", "").startswith("oauthdeploy/")


def say(words: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {words}\n")


def measure(given: argparse.Namespace, folder: Path, stack: ExitStack) -> dict[str, Any]:
    cluster = kubernetes.launch(folder / "kubernetes")
    stack.callback(cluster.stop)
    install(cluster)
    namespace = new_namespace(cluster)
    namespace.secret("login", password=PASSWORD, batch=SECRET)
    watched = [Watched(stack.enter_context(site(folder / f"site{number}"))) for number in range(given.sites)]
    sites = [item.site for item in watched]
    for item in watched:
        item.watch()
    flags = ("--claim-seconds", "5", "--workers", str(given.workers), "--per-namespace", str(given.workers))
    made = iter(range(1000))

    def replica(of: Namespace = namespace) -> Replica:
        return spawn_replica(cluster, [of], folder / f"replica{next(made)}", flags)

    limits = f"retries: 0, parallel: {given.parallel}, requests_per_second: {given.rate}"

    def estate(of: Namespace, name: str, where: Site) -> None:
        text = own_manifest(name).replace("retries: 0", limits)
        of.estate(name, manifest={"inline": text}, env=env(where), mode="apply", interval=f"{given.interval}s")

    say("the memory of a replica with one estate")
    alone = new_namespace(cluster)
    alone.secret("login", password=PASSWORD, batch=SECRET)
    estate(alone, "alone", sites[0])
    lone = replica(alone)
    wait_for(lambda: not not_in_sync(alone), 120)
    warm_mb = memory(lone)
    lone.stop()
    say("making the estates")
    names = [f"e{number:04}" for number in range(given.estates)]
    for number, name in enumerate(names):
        estate(namespace, name, sites[number % len(sites)])
    began = time.monotonic()
    replicas = [replica(), replica()]
    stack.callback(lambda: [item.stop() for item in replicas])
    first = all_in_sync(namespace, names, began, 600)
    say(f"all in sync after {first:.0f} s; now nothing changes for {given.interval} s")
    settled = steady(namespace, cluster, watched, replicas, given.interval)
    say("changes by hand, and kills")
    repaired, killed = changes(given, names, sites, replicas, replica)
    say("waiting for the end")
    end = time.monotonic() + 2 * given.interval + 60
    while (held(namespace) or not_in_sync(namespace)) and time.monotonic() < end:
        time.sleep(0.2)  # A run that is under way holds its Leases for less than a second.
    times = [item for item in repaired if item is not None]
    return {
        "about": f"oauthdeploy {__version__} and Python {platform.python_version()} on {os.cpu_count()} cores with a load of "
        f"{os.getloadavg()[1]:.0f}, which the API server of Kubernetes, etcd and the OAuth servers share",
        "estates": given.estates,
        "sites": given.sites,
        "interval_s": given.interval,
        "workers": given.workers,
        "first_round_s": round(first, 1),
        "first_round_estates_per_s": round(given.estates / first, 1),
        "one_estate_memory_mb": round(warm_mb),
        "steady": settled,
        "changes": given.changes,
        "kills": killed,
        "repair_s": {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)},
        "limits": {"parallel": given.parallel, "requests_per_second": given.rate},
        "most_at_a_time": max(item.most for item in watched),
        "most_in_a_second": max(item.most_in_a_second() for item in watched),
        "memory_peak_mb": round(max(peak(item) for item in replicas)),
        "not_repaired": repaired.count(None),
        "missing": missing(names, sites),
        "double": double(names, sites),
        "not_in_sync": not_in_sync(namespace),
        "leases_held": held(namespace),
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
    namespace: Namespace, cluster: Kubernetes, watched: list[Watched], replicas: list[Replica], seconds: float
) -> dict[str, Any]:
    """What it costs while nothing changes."""
    sent, asked, runs = sum(len(item.arrived) for item in watched), api_requests(cluster), finished_runs(replicas)
    written = sum(item.writes for item in watched)
    used, began = [processor(item) for item in replicas], time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    busy = sum(processor(item) - before for item, before in zip(replicas, used, strict=True))
    runs = finished_runs(replicas) - runs
    return {
        "seconds": round(passed, 1),
        "runs": runs,
        "estates_per_s": round(runs / passed, 2),
        "requests_per_run": round((sum(len(item.arrived) for item in watched) - sent) / runs, 1),
        "writes": sum(item.writes for item in watched) - written,
        "api_requests_per_run": round((api_requests(cluster) - asked) / runs, 1),
        "processor_s_per_run": round(busy / runs, 4),
        "processor_share": round(busy / passed / len(replicas), 2),
        "memory_mb": [round(memory(item)) for item in replicas],
        "run_s_median": round(
            statistics.median(item["lastRun"]["seconds"] for item in statuses(namespace).values()), 3
        ),
    }


def finished_runs(replicas: list[Replica]) -> int:
    return sum(item.words().count(": InSync: ") for item in replicas)


def api_requests(cluster: Kubernetes) -> int:
    """How many requests the API server has answered."""
    text = cluster.call("GET", "/metrics").text
    return int(
        sum(float(number) for number in re.findall(r"^apiserver_request_total\{.*\} (\S+)$", text, re.MULTILINE))
    )


def changes(
    given: argparse.Namespace,
    names: list[str],
    sites: list[Site],
    replicas: list[Replica],
    replica: Callable[[], Replica],
) -> tuple[list[float | None], int]:
    """Seconds until each change by hand was repaired (None: not within ten intervals), and the number of kills.

    An estate is changed once, so that no change is undone by the run that another one is waiting for.
    """
    chance = random.Random(7)
    places = chance.sample(range(len(names)), min(given.changes, len(names)))
    killed = set(chance.sample(range(len(places)), min(given.kills, len(places))))
    waiting: dict[str, tuple[Site, float]] = {}
    repaired: list[float | None] = []
    longest = 10 * given.interval + 60
    following = time.monotonic()
    for number, place in enumerate(places):
        while time.monotonic() < following:
            look(waiting, repaired, longest)
            time.sleep(0.1)
        following += given.pace
        where, scope = sites[place % len(sites)], f"{names[place]}.spare"
        where.remove_scope(scope)
        waiting[scope] = where, time.monotonic()
        if number in killed:
            time.sleep(chance.random() * KILLED_AFTER)
            victim = chance.randrange(len(replicas))
            replicas[victim].kill()
            replicas[victim] = replica()
    while waiting:
        look(waiting, repaired, longest)
        time.sleep(0.1)
    return repaired, len(killed)


def look(waiting: dict[str, tuple[Site, float]], repaired: list[float | None], longest: float) -> None:
    """Take the changes that are repaired off the list."""
    live = {id(where): where.scopes() for where, _ in waiting.values()}
    for scope, (where, began) in list(waiting.items()):
        passed = time.monotonic() - began
        if scope in live[id(where)] or passed > longest:
            repaired.append(passed if passed <= longest else None)
            del waiting[scope]


def wait_for(holds: Callable[[], bool], within: float) -> None:
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("It did not get there.")
        time.sleep(0.1)


def not_in_sync(namespace: Namespace) -> int:
    """How many estates are not in sync."""
    return sum(not in_sync(item) for item in statuses(namespace).values())


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


def double(names: list[str], sites: list[Site]) -> int:
    """Clients that a server has more than once."""
    known = Counter(item["name"] for site in sites for item in site.admin("GET", "client?expand=true")["clients"])
    return sum(known[f"{name}-batch"] > 1 for name in names)


def peak(replica: Replica) -> float:
    """The most resident memory so far, in MB."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{replica.process.pid}/status").read_text())
        return int(found[1]) / 1e3 if found else 0.0
    return 0.0


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
