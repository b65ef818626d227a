"""What a value may be read from on this machine, within bounds: a file, and what a command writes."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread


def read_value_file(path: Path, limit: int) -> bytes:
    """Read a file; one byte more than `limit` where it holds more. Raises OSError, and ValueError for a name that is none.

    A named pipe without a writer is an error at once: opening it in the ordinary way would wait for ever.
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
    """Run a program without a shell and without input. Gives its status and output, at most one byte more than `limit`.

    It is ended when it takes longer than `seconds` (TimeoutError) or writes more than `limit`. What it says on standard error
    goes nowhere, since that may hold the secret; a terminal is still its own, for those that ask for a PIN. Raises OSError
    where it can't be run and ValueError for words that no command can hold.
    """
    import subprocess  # rarely needed, and slow to import

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

    # In a thread, since something that the program left behind may keep the pipe open for ever.
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
