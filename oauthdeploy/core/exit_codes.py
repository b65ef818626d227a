"""The exit codes of every command; nothing else defines their numbers."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """The exit code of a command. Scripts depend on the numbers, so they never change."""

    brief: str
    meaning: str

    def __new__(cls, number: int, brief: str, meaning: str) -> Self:
        """Create a member from its number, a short meaning, and its meaning."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.brief = brief
        member.meaning = meaning
        return member

    DONE = 0, "done or nothing to do", "done, or nothing to do"
    ERROR = 1, "error", "any other error"
    CHANGES = (
        2,
        "changes or drift present",
        "there are changes or drift: `plan --detailed-exitcode`, `drift`, `compare`",
    )
    MANIFEST_INVALID = 3, "manifest invalid", "the manifest, or another file in its format, is not valid"
    PARTIAL = 4, "partial apply", "only a part was applied; run the same command again to continue"
    SAFETY_STOP = 5, "safety stop", "a safety stop, or `--fail-on`: nothing was written"
    STALE = 6, "stale plan", "the plan is stale: no object that had changed was overwritten"
    LOCK_BUSY = 7, "lock busy", "another run holds the lock"
    UNREACHABLE = (
        8,
        "server unreachable, or something managed not readable",
        "a server cannot be reached, refuses the credentials, or something that the manifest manages cannot be read",
    )
    USAGE = 64, "wrong usage", "wrong usage of the command line"
    INTERRUPTED = 130, "interrupted", "ended by Ctrl-C before anything was written"
