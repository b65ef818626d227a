"""Errors of the machine that are not bugs: no space, memory, threads or file descriptors, or a file in the way."""

from __future__ import annotations

import errno
import os
from typing import Final

from msgspec import Struct

RULE: Final = "system-trouble"

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OPEN: Final = frozenset({errno.EMFILE, errno.ENFILE})
_NO_THREAD: Final = "can't start new thread"
"""CPython's message (Modules/_threadmodule.c)."""


class Trouble(Struct, frozen=True):
    """What is wrong, why, and what to do."""

    summary: str
    detail: str
    fix: str
    rule: str = RULE


def trouble_of(error: BaseException) -> Trouble | None:
    """The machine's problem behind an error; None if there is none, which means a bug.

    A library may wrap the system's error, so for exhausted resources the causes of the error count as well.
    """
    seen: BaseException | None = error
    while seen is not None:
        if found := _scarcity(seen):
            return found
        seen = seen.__cause__ or seen.__context__
    if not isinstance(error, OSError) or error.errno is None:
        return None
    return Trouble(
        "The system refused an operation", _reason(error), "Check that the file or folder exists and can be used."
    )


def _scarcity(error: BaseException) -> Trouble | None:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return Trouble(
            "There is not enough memory",
            "The system gave the process no more memory.",
            "Give the process more memory (container limit, ulimit -v), or select less with --target or --server.",
        )
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return Trouble(
            "No thread could be started",
            "The system allows the process no more threads.",
            "Raise the limit (ulimit -u, or the container's limit of process ids), or lower --parallelism.",
        )
    if not isinstance(error, OSError):
        return None
    if error.errno in _FULL:
        return Trouble(
            "There is no space left to write", _reason(error), "Free some space, or name another place for the file."
        )
    if error.errno in _OPEN:
        return Trouble(
            "Too many files are open", _reason(error), "Raise the limit (ulimit -n), or lower --parallelism."
        )
    return None


def _reason(error: OSError) -> str:
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return f"{name}: {error.strerror}." if name else f"{error.strerror}."
