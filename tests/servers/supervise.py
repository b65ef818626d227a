"""Run a command and end it when told to, or when the process that owns the test run is gone.

Called as `supervise.py OWNER MARK -- COMMAND...`. The file MARK contains the id of the command's process, and is removed when
that has ended; a file beside it that ends in `.stop` asks for the end. It is a process of its own because a worker of pytest
may start a server that other workers use, and because no `finally` runs after kill -9.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SECONDS_TO_END = 15


def gone(owner: int) -> bool:
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        return True
    return False


def supervise(owner: int, mark: Path, command: list[str]) -> None:
    """Gives control back when the command has ended."""
    child = subprocess.Popen(command)
    mark.write_text(str(child.pid))
    stop = mark.with_suffix(".stop")
    while child.poll() is None:
        if stop.exists() or gone(owner):
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
        supervise(int(sys.argv[1]), mark, sys.argv[4:])
    finally:
        mark.unlink(missing_ok=True)
