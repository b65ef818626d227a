"""Reads values from this machine, within limits: from a file, or from the output of a command."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread


def read_value_file(path: Path, limit: int) -> bytes:
    """Read a file, at most one byte more than `limit`. Raises OSError, and ValueError for an invalid name.

    A named pipe without a writer is an error at once: opening it in the ordinary way would wait forever.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    with open(handle, "rb") as file:
        os.set_blocking(handle, True)
        data = file.read(limit + 1)
        if not data and stat.S_ISFIFO(os.fstat(handle).st_mode):
            raise OSError(0, "It is a pipe without a writer")
        return data


def run_command(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float, limit: int
) -> tuple[int, bytes]:
    """Run a program without a shell and without input. Returns its status and output, at most one byte more than `limit`.

    It is killed if it takes longer than `seconds` (TimeoutError) or writes more than `limit`. Its standard error is discarded,
    since it may contain the secret; it keeps its terminal, for programs that prompt for a PIN. Raises OSError if it cannot be
    run, and ValueError for arguments that no command can have.
    """
    import subprocess  # Rarely needed, and slow to import.

    process = subprocess.Popen(
        words,
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    stream = process.stdout
    assert stream is not None
    until = time.monotonic() + seconds
    got: list[bytes] = []

    # In a thread, since a process that the program started may keep the pipe open forever.
    def read() -> None:
        with stream:
            got.append(stream.read(limit + 1))

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        reader.join(seconds)
        if not got:
            raise TimeoutError
        if len(got[0]) > limit:
            process.kill()
        return process.wait(max(0.0, until - time.monotonic())), got[0]
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    finally:
        process.kill()
        process.wait()
        reader.join(0.1)
