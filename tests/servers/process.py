"""A server process: started, asked until it answers, stopped; it never outlives the test run that owns it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

SUPERVISOR = Path(__file__).with_name("supervise.py")
ATTEMPTS = 3


class NotStarted(Exception):
    """A server that is there does not start; the message holds the end of its log."""


@dataclass(frozen=True)
class Running:
    """A process that a supervisor watches; any process of the test run may stop it."""

    name: str
    log: Path
    mark: Path
    """A file that is there as long as the process is, and contains its id."""

    def alive(self) -> bool:
        return self.mark.exists()

    @property
    def pid(self) -> int:
        """The id of the process, for signals."""
        return int(self.mark.read_text())

    def kill(self, within: float = 10) -> None:
        """Kill the process, also one that SIGSTOP has suspended, and wait for its end."""
        os.kill(self.pid, signal.SIGKILL)
        end = time.monotonic() + within
        while self.alive() and time.monotonic() < end:
            time.sleep(0.02)
        assert not self.alive(), f"{self.name} was not killed; its log: {self.log}"

    def stop(self, within: float = 30) -> None:
        """End the process and wait for its end; a second call does nothing."""
        if not self.alive():
            return
        self.mark.with_suffix(".stop").touch()
        end = time.monotonic() + within
        while self.alive() and time.monotonic() < end:
            time.sleep(0.02)
        assert not self.alive(), f"{self.name} does not stop; its log: {self.log}"


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn(name: str, command: Sequence[str | Path], folder: Path, owner: int, env: Mapping[str, str]) -> Running:
    """Start `command` under a supervisor that ends it when the process `owner` is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    log, mark = folder / f"{name}.log", folder / f"{name}.running"
    mark.with_suffix(".stop").unlink(missing_ok=True)
    mark.touch()
    with log.open("ab") as file:
        supervisor = subprocess.Popen(
            [sys.executable, "-I", SUPERVISOR, str(owner), mark, "--", *map(str, command)],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    supervisor.returncode = 0  # its end is told by the mark, to whichever process asks
    return Running(name, log, mark)


def start(attempt: Callable[[], tuple[Running, Callable[[], bool]]], within: float) -> Running:
    """Start a server and wait until it answers; a start that ends early (its port was taken) is tried again.

    `attempt` gives the process and the question whether it is ready. Raises NotStarted.
    """
    for _ in range(ATTEMPTS):
        running, ready = attempt()
        end = time.monotonic() + within
        while running.alive() and time.monotonic() < end:
            if ready():
                return running
            time.sleep(0.05)
        ended = not running.alive()
        running.stop()
        if not (ended and "in use" in running.log.read_text(errors="replace")):
            break
    last = "\n  ".join(running.log.read_text(errors="replace").splitlines()[-20:])
    what = "ended while starting" if ended else f"was not ready within {within:.0f} s"
    raise NotStarted(f"{running.name} {what}; its log: {running.log}\n  {last}")


def answers(url: str, **options: Any) -> bool:
    """Whether a GET of `url` is answered with success; `options` are those of requests."""
    try:
        return requests.get(url, timeout=5, **options).ok
    except requests.RequestException:
        return False
