"""Who a process is, for locks, claims and journals: its account, its machine, and whether it still runs."""

from __future__ import annotations

import getpass
import os
from pathlib import Path


def account_name() -> str:
    """The name of the account that runs the tool; `unknown` where there is none, as in a bare container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def machine() -> str:
    """The boot of this machine and the namespace of its process ids (proc(5), pid_namespaces(7)); "" if unknown.

    A process id means the same process only where both are the same.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started(pid: int) -> str:
    """When a process was started, in ticks since boot (proc_pid_stat(5), field 22); "" if unknown."""
    try:
        # The name of the program stands in parentheses and may hold blanks and parentheses itself.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_running(pid: int) -> bool:
    """Whether a process of this machine runs; True where this is not known."""
    if os.name == "nt":  # There, signal 0 would end the process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # EPERM: the process is there, and another account's (kill(2)).
    except (PermissionError, OverflowError):
        return True
    return True
