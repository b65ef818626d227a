"""Identifies a process for locks, claims and journals: its account, its machine, and whether it still runs."""

from __future__ import annotations

import getpass
import os
from pathlib import Path


def account_name() -> str:
    """The name of the account that runs the tool; `unknown` if there is none, as in a bare container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def machine() -> str:
    """The boot of this machine and the namespace of its process ids (proc(5), pid_namespaces(7)); "" if unknown.

    A process id means the same process only if both are the same.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started(pid: int) -> str:
    """When a process was started, in ticks since boot (proc_pid_stat(5), field 22); "" if unknown."""
    try:
        # The program's name is in parentheses, and may contain spaces and parentheses.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_running(pid: int) -> bool:
    """Whether a process of this machine runs; True if unknown."""
    if os.name == "nt":  # On Windows, signal 0 would end the process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # EPERM: the process exists, and belongs to another account (kill(2)).
    except (PermissionError, OverflowError):
        return True
    return True
