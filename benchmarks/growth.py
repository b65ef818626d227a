"""CPU and memory of reading, planning and exporting more and more objects without a server, and how both grow."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.garbage_collector import set_for_a_command
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.editing.export_merge import write_export
from oauthdeploy.manifest.editing.format import format_source
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.source import Source
from oauthdeploy.model.capabilities import table_for
from oauthdeploy.model.objects import Object
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, ServerState
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.values import ExportOptions
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.plan import build_plan

HEAD: Final = """\
version: 1
name: scale
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://login.example.com
    credentials: {username: deployer, password: "${env:P}"}
  orders:
    role: resource
    driver: webmethods
    url: https://orders.example.com
    credentials: {username: deployer, password: "${env:P}"}
    authorization_server: login
settings: {require_https: true, require_pkce: true, access_token_lifetime: 30m}
resource_owners: []
"""
NOTHING, ONE_IN_A_HUNDRED, ALL = "plan, nothing to do", "plan, one in a hundred differs", "plan, all to create"
WORKS: Final = ("validate", "fmt --check", NOTHING, ONE_IN_A_HUNDRED, ALL, "export")
MOST: Final = {"fmt --check": 10_000, "export": 10_000}
"""The sizes beyond which a work is left out, for the sake of the time that a run takes."""


def manifest(clients: int) -> str:
    """A manifest with that many clients, a tenth as many scopes, and two scopes for each client."""
    scopes = max(2, clients // 10)
    parts = [HEAD, "scopes:\n"]
    parts += [
        f"  scope.{n}:\n    description: What number {n} opens\n    resources: [orders.v{n}, orders.v{n}:get]\n"
        for n in range(scopes)
    ]
    parts.append("clients:\n")
    parts += [
        f'  client-{n}:\n    name: Client {n}\n    version: "1"\n    type: confidential\n'
        f"    redirect_uris: [https://app{n}.example.com/callback]\n    grants: [authorization_code, refresh_token]\n"
        f"    tokens: {{access_lifetime: 15m, refresh_count: 10}}\n    secret: {{value: '${{env:P}}'}}\n"
        for n in range(clients)
    ]
    parts.append("associations:\n")
    parts += [
        f"  - {{client: client-{n}, scopes: [scope.{n % scopes}, scope.{(n * 7 + 1) % scopes}]}}\n"
        for n in range(clients)
    ]
    return "".join(parts)


def measure(work: str, clients: int) -> Mapping[str, float]:
    """CPU seconds of one work in this process, without what prepares it, and the peak of memory in megabytes."""
    set_for_a_command()
    do = _prepared(work, clients)
    begun = time.process_time()
    do()
    seconds = time.process_time() - begun
    return {"seconds": seconds, "megabytes": _peak()}


def _peak() -> float:
    """The most memory of this process, in megabytes; on Linux, `ru_maxrss` contains that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text("ascii").splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _prepared(work: str, clients: int) -> Callable[[], object]:
    text = manifest(clients)
    if work == "fmt --check":
        return lambda: format_source(Source("m.yaml", text))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.yaml")
        path.write_text(text, encoding="utf-8")
        request = ManifestRequest(files=(str(path),), environ={"P": "secret"})
        facts = driver_facts()
        if work == "validate":
            from oauthdeploy.manifest.input_files import read_sources

            sources, _problems = read_sources(request)
            return lambda: load_manifest(request, facts, sources)
        loaded, found = load_manifest(request, facts)
    if loaded is None:
        raise SystemExit("\n".join(f"{item.span} {item.rule} {item.detail}" for item in found.errors[:5]))
    desired = loaded.desired
    if work == "export":
        return _export(desired)
    differing = clients // 100 if work == ONE_IN_A_HUNDRED else 0
    live = _live(desired, {} if work == ALL else desired.objects, differing)
    return lambda: build_plan(desired, live, facts)


def _live(desired: DesiredState, there: Mapping[Address, Object], differing: int) -> LiveState:
    """What the servers would have; the first clients have another description."""
    states: dict[str, dict[Address, LiveObject]] = {name: {} for name in desired.servers}
    others = {f"client-{number}" for number in range(differing)}
    for address, value in there.items():
        if address.kind is Kind.CLIENT and address.name in others:
            value = value.model_copy(update={"name": "Another"})
        states[address.server][address] = LiveObject(value, fingerprint="f")
    return LiveState({name: ServerState(name, objects) for name, objects in states.items()})


def _export(desired: DesiredState) -> Callable[[], object]:
    facts = driver_facts()
    tables = {name: table_for(facts[entry.driver], entry.role) for name, entry in desired.servers.items()}
    empty = DesiredState(name=desired.name, servers=desired.servers, objects={})
    inventory = Inventory(empty, _live(desired, desired.objects, 0), facts, tables)
    return lambda: write_export([Source("m.yaml", HEAD)], export(inventory, ExportOptions()))


def growth(sizes: Sequence[int]) -> Iterator[Mapping[str, Any]]:
    """Every work at every size, each in a process of its own; `growth` is 1 where it is linear since the size before."""
    for work in WORKS:
        before: tuple[int, float] | None = None
        for size in sizes:
            if size > MOST.get(work, size):
                continue
            command = [sys.executable, "-m", "benchmarks.growth", work, str(size)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout)
            linear = None if before is None else round(found["seconds"] / before[1] / (size / before[0]), 2)
            before = size, found["seconds"]
            yield {
                "work": work,
                "clients": size,
                "seconds": round(found["seconds"], 2),
                "megabytes": round(found["megabytes"]),
                "growth": linear,
            }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
