"""What planning costs: CPU and memory for 10,000 and 100,000 clients on two servers, and the ratio of the two.

    python benchmarks/planning_scale.py [CLIENTS ...]

Three plans are measured for each size: nothing to do, one in a hundred clients differs, and everything is to be made. Each
runs in a process of its own, so that the peak of memory is its own. Seconds are of CPU; memory is the process's peak in
megabytes, with what the input itself takes beside it.
"""

from __future__ import annotations

import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.capabilities import Capability, DriverFacts, every_field, yes
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import (
    Association,
    Client,
    ClientTokens,
    ClientType,
    Grant,
    Object,
    Scope,
    Settings,
    Trust,
)
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, ServerState
from oauthdeploy.planning.plan import build_plan

SCENES: Final = ("no change", "1% differ", "create all")


class NoOptions(Model):
    """A driver without options."""


FACTS: Final = {
    "bench": DriverFacts(
        name="bench",
        title="Bench",
        roles=frozenset(Role),
        credentials=NoOptions,
        options=NoOptions,
        capabilities={role: {capability: yes() for capability in Capability} for role in Role},
        fields=dict.fromkeys(Role, every_field(yes())),
    )
}


@dataclass(frozen=True)
class Result:
    """CPU seconds of one plan, peak and input memory in megabytes, changes found."""

    seconds: float
    peak: float
    given: float
    changes: int


def estate(clients: int, *, differing: int) -> tuple[Mapping[Address, Object], Mapping[Address, Object]]:
    """Desired and live objects: one scope for ten clients, three associations for each client."""
    scopes = max(1, clients // 10)
    desired: dict[Address, Object] = {
        Address.singleton(Kind.SETTINGS, "as"): Settings(require_https=True, access_token_lifetime=3600),
        Address.singleton(Kind.TRUST, "rs"): Trust(authorization_server="as", via="remote", endpoint="https://as"),
    }
    live: dict[Address, Object] = dict(desired)
    for server in ("as", "rs"):
        for number in range(scopes):
            address = Address(Kind.SCOPE, f"scope.{number}", server)
            desired[address] = Scope(
                description=f"Scope {number}", resources=(f"folder{number}:b", f"folder{number}:a")
            )
            live[address] = Scope(description=f"Scope {number}", resources=(f"folder{number}:a", f"folder{number}:b"))
        for number in range(clients):
            address = Address(Kind.CLIENT, f"client-{number}", server)
            desired[address] = client(number, lifetime=600)
            live[address] = client(number, lifetime=600 if number >= differing else 900)
    for number in range(clients):
        for step in range(3):
            address = Address.association(f"client-{number}", f"scope.{(number + step) % scopes}", "as")
            desired[address] = live[address] = Association()
    return desired, live


def client(number: int, *, lifetime: int) -> Client:
    """One client as a server gives it."""
    return Client(
        name=f"Client {number}",
        version="1",
        description="A client of the benchmark",
        type=ClientType.CONFIDENTIAL,
        redirect_uris=(f"https://app{number}.example/cb", f"https://app{number}.example/other"),
        grants=(Grant.CLIENT_CREDENTIALS, Grant.AUTHORIZATION_CODE),
        tokens=ClientTokens(access_lifetime=lifetime, refresh_count=5),
        enabled=True,
    )


def measure(clients: int, scene: str) -> Result:
    """Plan once and say what it took."""
    wanted, there = estate(clients, differing=clients // 100 if scene == "1% differ" else 0)
    if scene == "create all":
        there = {}
    servers = {
        "as": Server(role=Role.AUTHORIZATION, driver="bench"),
        "rs": Server(role=Role.RESOURCE, driver="bench", authorization_server="as"),
    }
    desired = DesiredState(name="bench", servers=servers, objects=wanted)
    live = LiveState(
        {
            name: ServerState(name, {a: LiveObject(v, fingerprint="f") for a, v in there.items() if a.server == name})
            for name in servers
        }
    )
    gc.collect()
    given = peak_memory()
    begun = time.process_time()
    plan = build_plan(desired, live, FACTS)
    seconds = time.process_time() - begun
    return Result(seconds, peak_memory(), given, len(plan.changes))


def peak_memory() -> float:
    """The greatest size of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    sizes = [int(text) for text in sys.argv[1:]] or [10_000, 100_000]
    context = multiprocessing.get_context("spawn")
    found: dict[tuple[str, int], Result] = {}
    print(f"{'plan':<12} {'clients':>8} {'changes':>8} {'CPU s':>8} {'peak MB':>8} {'input MB':>9}")
    for scene in SCENES:
        for size in sizes:
            with context.Pool(1) as pool:
                result = found[scene, size] = pool.apply(measure, (size, scene))
            numbers = f"{result.changes:>8} {result.seconds:>8.2f} {result.peak:>8.0f} {result.given:>9.0f}"
            print(f"{scene:<12} {size:>8} {numbers}", flush=True)
    for scene in SCENES if len(sizes) > 1 else ():
        first, last = found[scene, sizes[0]], found[scene, sizes[-1]]
        print(
            f"{scene}: {sizes[-1] / sizes[0]:.0f} times the clients cost {last.seconds / first.seconds:.1f} times the CPU"
        )


if __name__ == "__main__":
    main()
