"""File operations that are never half done, not even after a power failure."""

from __future__ import annotations

import os
import re
import stat
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_BESIDE: Final = re.compile(r"(\..+)\.[0-9a-f]{32}")
"""The name of a file that is still being written and not yet in its place."""
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


def replace_file(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write `data` at `path` in one step: readers see the old file or the new one, and it is on disk when this returns.

    The file has `mode` from its first byte on. None: the mode and, if the system allows it, the owner of the existing file, or
    the umask's mode for a new one. Raises OSError; then `path` is unchanged.
    """
    standing = None
    if mode is None:
        with suppress(FileNotFoundError):
            standing = path.stat()
    beside = path.with_name(f"{_hidden(path)}.{uuid.uuid4().hex}")
    first = mode if mode is not None else 0o666 if standing is None else 0o600
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, first)
        try:
            _occupy(descriptor)
            write_all(descriptor, data)
            if standing is not None:
                _like(beside, standing)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Create a new file; complete and on disk when this returns. Raises FileExistsError and other OSErrors."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def append_file(path: Path, data: bytes) -> None:
    """Add `data` to the end of an existing file; it is on disk when this returns. A process that is killed meanwhile may leave a
    part of it. Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove the temporary files that a process killed in the middle of `replace_file` left beside `paths`.

    Files that another process is writing now stay, and so do those that this account cannot remove.
    """
    wanted: dict[Path, set[str]] = defaultdict(set)
    for path in paths:
        wanted[path.parent].add(_hidden(path))
    for folder, names in wanted.items():
        with suppress(OSError):
            for entry in list(os.scandir(folder)):
                found = _BESIDE.fullmatch(entry.name)
                if found and found[1] in names:
                    _remove(Path(entry.path))


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents, for the owner alone; existing folders are left as they are. Raises OSError."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however few the system accepts at a time. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make a new or renamed entry of `folder` survive a power failure. Raises OSError.

    Does nothing if the system cannot open folders (Windows syncs entries by itself).
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _like(path: Path, standing: os.stat_result) -> None:
    """Give a file the owner and mode of another one; only root may change the owner."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, standing.st_uid, standing.st_gid)
    os.chmod(path, stat.S_IMODE(standing.st_mode))


def _hidden(path: Path) -> str:
    return f".{path.name[:100]}"


def _occupy(descriptor: int) -> None:
    """Mark the file as being written, for as long as it is open; unnecessary on Windows, which removes no open file. Raises
    OSError.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove(left: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(left, os.O_RDWR | _NOFOLLOW)
        try:
            _occupy(descriptor)
        finally:
            os.close(descriptor)
        left.unlink()
