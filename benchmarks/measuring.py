"""Runs of programs behind a counting proxy, and what they took."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.servers.counting_proxy import Counter, round_trips


class Failed(Exception):
    """A program did not do its work."""


@dataclass(frozen=True)
class Run:
    """One run: wall-clock seconds, and what passed the proxies. `chain` is the longest chain of requests (round trips)."""

    seconds: float
    requests: int
    connections: int
    chain: int
    received: int


@dataclass(frozen=True)
class Row:
    """What one tool took for one work on one kind of server: medians of the runs, and the ratio to the bare loader's seconds."""

    server: str
    work: str
    tool: str
    seconds: float
    requests: int
    connections: int
    chain: int
    kilobytes: int
    ratio: float | None = None

    def document(self) -> Mapping[str, Any]:
        return asdict(self)


def measured(work: Callable[[], object], proxies: Sequence[Counter]) -> Run:
    """Do a work and count what passes the proxies meanwhile."""
    for proxy in proxies:
        proxy.reset()
    begun = time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    told = [proxy.told() for proxy in proxies]
    seen = [one for passed, _opened in told for one in passed]
    connections = sum(opened for _passed, opened in told)
    return Run(seconds, len(seen), connections, round_trips(seen), sum(one.received for one in seen))


def row(server: str, work: str, tool: str, runs: Sequence[Run], bare: Sequence[Run] = ()) -> Row:
    """The medians of some runs; `bare` are those of the loader in the same rounds."""
    seconds = statistics.median(run.seconds for run in runs)
    ratio = (
        statistics.median(run.seconds / least.seconds for run, least in zip(runs, bare, strict=True)) if bare else None
    )
    return Row(
        server,
        work,
        tool,
        round(seconds, 3),
        int(statistics.median(run.requests for run in runs)),
        int(statistics.median(run.connections for run in runs)),
        int(statistics.median(run.chain for run in runs)),
        round(statistics.median(run.received for run in runs) / 1000),
        None if ratio is None else round(ratio, 2),
    )


def program(command: Sequence[str | Path], folder: Path, env: Mapping[str, str], good: Sequence[int] = (0,)) -> None:
    """Run a program to its end. Raises Failed with its last words if it fails."""
    # Compiled modules are kept between runs, as they are where people install packages.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OAUTHDEPLOY_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**inherited, "NO_COLOR": "1", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in good:
        raise Failed(f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")


def bare(folder: Path, work: str, arguments: Mapping[str, Any], **given: Any) -> None:
    """Run the bare loader as a process of its own, start-up included; `given` is as `benchmarks.bare` says."""
    file = folder / "bare.json"
    file.write_text(json.dumps({**given, "work": work, "arguments": arguments}), encoding="utf-8")
    program([sys.executable, "-m", "benchmarks.bare", file], Path(__file__).resolve().parent.parent, {})


def oauthdeploy(folder: Path, env: Mapping[str, str], *arguments: str) -> None:
    """Run the tool as a process of its own, start-up included."""
    # A cut-off on an OPA ends with 4: only a token would prove that its policies obey the data.
    program(
        [sys.executable, "-m", "oauthdeploy", *arguments],
        folder,
        env,
        good=(0, 4) if arguments[0] == "revoke" else (0,),
    )
