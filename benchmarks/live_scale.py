"""What the tool adds to the requests it sends: a plan and an apply against a live server, and the same requests sent bare.

    python benchmarks/live_scale.py [--clients 5000] [--creates 1000] [--rounds 3]

An embedded server runs in a process of its own and records what it is asked. Each round measures the tool, and then a bare
loader that sends the same requests to a server in the same state, with the same parallelism, and reads the answers as JSON.
The tool is measured as a whole process, start-up included, and from its first request to its last. Figures are the least of
the rounds, in wall-clock seconds; the ratios are what to compare.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import flask
import requests

from oauthdeploy.server import SeedUser, ServerConfig, start

USER: Final = ("deployer", "a password of the benchmark")
PARALLEL: Final = 8


@dataclass(frozen=True)
class Call:
    """A request as the server got it, and when it came and was answered, in seconds of the server's clock."""

    method: str
    target: str
    body: bytes
    came: float
    answered: float


class Server:
    """An embedded server in a process of its own, whose state is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_serve, args=(folder, theirs), daemon=True)
        self._process.start()
        self.url: str = self._ours.recv()
        # The first request of an account takes long, since passwords are hashed.
        requests.get(f"{self.url}/admin/oauth/scope", auth=USER, timeout=60).raise_for_status()
        self.calls()

    def calls(self) -> list[Call]:
        """The requests since the last time this was asked, in the order in which they came."""
        self._ours.send("calls")
        told: list[Call] = self._ours.recv()
        return sorted(told, key=lambda call: call.came)

    def stop(self) -> None:
        """End the process; the folder keeps what it held."""
        self._ours.send("stop")
        self._process.join()


def _serve(folder: Path, pipe: Connection) -> None:
    calls: list[Call] = []
    users = (SeedUser(*USER, ("Administrators",)),)
    with start(ServerConfig(role="both", data_dir=folder, users=users, accept_client_id=True)) as server:

        def came() -> None:
            flask.g.came, flask.g.body = time.perf_counter(), flask.request.get_data()

        def answered(_error: BaseException | None) -> None:
            asked = flask.request
            target = asked.full_path.removesuffix("?")
            calls.append(Call(asked.method, target, flask.g.body, flask.g.came, time.perf_counter()))

        server.app.before_request(came)
        server.app.teardown_request(answered)
        pipe.send(server.url)
        while pipe.recv() == "calls":
            pipe.send(list(calls))
            calls.clear()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server for the block."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


def manifest(url: str, *, clients: int = 0, scopes: int = 0) -> str:
    """A manifest of one server on both sides with that many public clients and scopes."""
    head = (
        "version: 1\nname: live\nservers:\n  main:\n    role: both\n    driver: webmethods\n"
        f"    url: {url}\n    credentials: {{username: {USER[0]}, password: '${{env:P}}'}}\n"
        f"    limits: {{parallel: {PARALLEL}}}\n"
    )
    parts = [head]
    if scopes:
        parts.append("scopes:\n")
        parts += [f"  scope.{n}: {{description: Number {n}, resources: [orders.v{n}]}}\n" for n in range(scopes)]
    if clients:
        parts.append("clients:\n")
        parts += [
            f'  client-{n}: {{name: Client {n}, version: "1", type: public, grants: [authorization_code], '
            f"redirect_uris: [https://app{n}.example.com/callback]}}\n"
            for n in range(clients)
        ]
    return "".join(parts)


def tool(folder: Path, *arguments: str) -> float:
    """Run the tool as a process; wall-clock seconds of it all."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OAUTHDEPLOY_")}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "oauthdeploy", *arguments],
        cwd=folder,
        env={**environment, "P": USER[1], "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(
            f"oauthdeploy {' '.join(arguments)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
        )
    return taken


def bare(url: str, calls: list[Call]) -> float:
    """Send the calls with `PARALLEL` threads, each with a session of its own; wall-clock seconds from first to last."""
    local = threading.local()

    def send(call: Call) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.auth = USER
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer = local.session.request(call.method, url + call.target, data=call.body, headers=headers, timeout=60)
        answer.raise_for_status()
        if answer.content:
            answer.json()

    begun = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(send, calls))
    return time.perf_counter() - begun


def span(calls: list[Call]) -> float:
    """Seconds from the first request to the last answer."""
    return max(call.answered for call in calls) - calls[0].came


def show(title: str, calls: int, whole: float, between: float, loader: float) -> None:
    """One line of the table."""
    print(
        f"{title:28} {calls:8} {loader:8.2f} s {between:10.2f} s {between / loader:6.2f} {whole:10.2f} s {whole / loader:6.2f}"
    )


def no_op_plan(folder: Path, clients: int, rounds: int) -> None:
    """A plan with nothing to do."""
    with serving(folder / "data") as server:
        (folder / "oauthdeploy.yaml").write_text(manifest(server.url, clients=clients))
        bare(server.url, [_create(n) for n in range(clients)])
        server.calls()
        wholes, betweens, loaders = [], [], []
        for _ in range(rounds):
            wholes.append(tool(folder, "plan", "--detailed-exitcode", "-q"))
            calls = server.calls()
            betweens.append(span(calls))
            loaders.append(bare(server.url, calls))
            server.calls()
    show(f"plan of {clients} clients", len(calls), min(wholes), min(betweens), min(loaders))


def _create(number: int) -> Call:
    client = {
        "client_id": f"client-{number}",
        "name": f"Client {number}",
        "version": "1",
        "type": "public",
        "redirect_uris": [f"https://app{number}.example.com/callback"],
        "authorizationCodeGrant": True,
    }
    return Call("POST", "/admin/oauth/client", json.dumps(client).encode(), 0, 0)


def creates(folder: Path, scopes: int, rounds: int) -> None:
    """An apply of that many creates, on a server that is new in each round."""
    wholes, betweens, loaders = [], [], []
    for number in range(rounds):
        here = folder / str(number)
        here.mkdir()
        with serving(here / "data") as server:
            (here / "oauthdeploy.yaml").write_text(manifest(server.url, scopes=scopes))
            wholes.append(tool(here, "apply", "--yes", "-q"))
            calls = server.calls()
            betweens.append(span(calls))
        with serving(here / "bare") as server:
            loaders.append(bare(server.url, calls))
    show(f"apply of {scopes} creates", len(calls), min(wholes), min(betweens), min(loaders))


def main() -> None:
    """Both measurements, as a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--creates", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{'':28} {'requests':>8} {'bare':>10} {'in requests':>12} {'ratio':>6} {'whole':>12} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        plan, apply = Path(folder, "plan"), Path(folder, "apply")
        plan.mkdir()
        apply.mkdir()
        no_op_plan(plan, given.clients, given.rounds)
        creates(apply, given.creates, given.rounds)


if __name__ == "__main__":
    main()
