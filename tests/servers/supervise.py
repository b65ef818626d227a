"""Run a command and end it when told to, or when the process that owns the test run is gone.

Called as `supervise.py OWNER MARK -- COMMAND...`; the file MARK is removed when the command has ended. It is a process of
its own because a worker of pytest may start a server that other workers use, and because no `finally` runs after kill -9.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS_TO_END = 15


def gone(owner: int) -> bool:
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        return True
    return False


def supervise(owner: int, command: list[str]) -> None:
    """Gives control back when the command has ended."""
    told = False

    def end(*_: Any) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, end)
    child = subprocess.Popen(command)
    while child.poll() is None:
        if told or gone(owner):
            child.terminate()
            try:
                child.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            return
        try:
            child.wait(0.1)
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    mark = Path(sys.argv[2])
    try:
        supervise(int(sys.argv[1]), sys.argv[4:])
    finally:
        mark.unlink(missing_ok=True)
