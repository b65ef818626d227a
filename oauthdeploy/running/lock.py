"""The lock of a manifest on its servers: one apply at a time, with a visible holder.

It is a file `<name>-<digest of the targets>.lock`, created in one step. It records who holds it, since when, and until when.
The holder renews it while it works, and checks before each write that it still holds it: a process that was stopped for long,
or whose lock was forced, must not write beside the next holder. A lock is stale, and can be taken over, when it has expired or
when its process on this machine is gone. All who read and change the file take turns with a lock on the folder (flock), so that
two who find the same stale lock do not both get it.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import asdict, replace

from oauthdeploy.core.errors import LockBusy
from oauthdeploy.core.files import create_file, make_folder, replace_file
from oauthdeploy.core.processes import account_name, is_running, machine, started
from oauthdeploy.core.urls import normalized_url
from oauthdeploy.model.fields import parse_time
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.signals import unwinding

if sys.platform != "win32":
    import fcntl

LEASE_SECONDS: Final = 900
"""How long a lock is valid without being renewed; it is renewed three times in that time."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class Holder(Struct, frozen=True):
    """Who holds a lock: account, host, process, since and until when; `token` distinguishes two locks of one process.

    `machine` says where a process id means the same process: the boot of the machine, the namespace of process ids, and the
    start time of the process. Two containers can have the same host name and the same process ids. "" if unknown.
    """

    owner: str
    host: str
    pid: int
    since: datetime
    expires: datetime
    token: str
    machine: str = ""
    started: str = ""

    def __str__(self) -> str:
        return f"{self.owner} on {self.host} (process {self.pid}) since {_written(self.since)}"


@contextmanager
def lock(
    folder: Path,
    name: str,
    targets: Iterable[str] = (),
    *,
    timeout: float = 0,
    lease: float = LEASE_SECONDS,
    now: Callable[[], datetime] = utc_now,
    stop: threading.Event | None = None,
    pause: Callable[[float], object] | None = None,
) -> Iterator[Holder]:
    """Hold the lock of manifest `name` on `targets` (the servers' addresses) while the block runs.

    Waits up to `timeout` seconds for another holder, checking again after 0.1 s, then twice as long each time up to 5 s, with
    `pause(seconds)`; setting `stop` ends the wait. The lock is valid for `lease` seconds and is renewed until the block ends.
    It is released when the block ends, also by an exception, SIGTERM or SIGHUP. Raises LockBusy, and OSError if the folder
    cannot be used.
    """
    path = _path(folder, name, targets)
    make_folder(folder)
    stop = stop or threading.Event()
    with unwinding():
        holder = _acquire(path, timeout, lease, now, pause or stop.wait, stop)
        done = threading.Event()
        renewer = threading.Thread(
            target=_keep, args=(path, holder, lease, now, done), name="lock-renewal", daemon=True
        )
        try:
            renewer.start()
            yield holder
        finally:
            done.set()
            renewer.join()
            _release(path, holder)


def who_holds(folder: Path, name: str, targets: Iterable[str] = ()) -> Holder | None:
    """The current holder of the lock; None if it is free."""
    return _read(_path(folder, name, targets))


class Held:
    """Called before each write, it returns whether a holder still holds the lock, and renews the lock if more than half of its
    time is over. Safe to use from several threads.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        targets: Iterable[str],
        holder: Holder,
        *,
        lease: float = LEASE_SECONDS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._path = _path(folder, name, targets)
        self._holder = holder
        self._lease = lease
        self._now = now
        self._known: tuple[tuple[int, ...], datetime] | None = None

    def __call__(self) -> bool:
        """Whether it is still held."""
        # A lock changes hands as a new file, and thousands of writes ask: a file that has been read is not read again.
        known = self._known
        if known and known[0] and known[0] == self._file() and not self._is_due(known[1]):
            return True
        try:
            with _turn(self._path.parent):
                return self._look()
        except OSError:
            return False

    def _look(self) -> bool:
        file = self._file()
        current = _read(self._path)
        if current is None or current.token != self._holder.token:
            return False
        if self._is_due(current.expires):
            try:
                _renewed(self._path, current, self._lease, self._now())
            except OSError:
                return current.expires > self._now()
        else:
            self._known = (file, current.expires)
        return True

    def _is_due(self, expires: datetime) -> bool:
        return (expires - self._now()).total_seconds() < self._lease / 2

    def _file(self) -> tuple[int, ...]:
        """What distinguishes the file from any other one that has taken its place; empty if there is none."""
        try:
            # Opened, not only looked up: a network file system may answer a look from its cache, but asks when a file is opened.
            with self._path.open("rb", buffering=0) as file:
                found = os.fstat(file.fileno())
        except OSError:
            return ()
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def force_unlock(folder: Path, name: str, targets: Iterable[str] = (), *, only: str | None = None) -> Holder | None:
    """Remove the lock and return its holder; None if the lock was free.

    With `only`, a holder's token, the lock is removed only if that holder still holds it. Raises OSError.
    """
    path = _path(folder, name, targets)
    if not folder.is_dir():
        return None
    with _turn(folder):
        holder = _read(path)
        if only is not None and (holder is None or holder.token != only):
            return None
        path.unlink(missing_ok=True)
    return holder


def _path(folder: Path, name: str, targets: Iterable[str]) -> Path:
    digest = hashlib.sha256("\n".join(sorted({normalized_url(target) for target in targets})).encode()).hexdigest()[:12]
    return folder / f"{quote(name, safe='')}-{digest}.lock"


def _acquire(
    path: Path,
    timeout: float,
    lease: float,
    now: Callable[[], datetime],
    pause: Callable[[float], object],
    stop: threading.Event,
) -> Holder:
    until = now() + timedelta(seconds=timeout)
    wait = _FIRST_PAUSE
    while True:
        with _turn(path.parent):
            current = _read(path)
            if current is None or _is_stale(current, now()):
                path.unlink(missing_ok=True)
                holder = _new_holder(lease, now())
                if _create(path, holder):
                    return holder
                current = _read(path)
        remaining = (until - now()).total_seconds()
        if remaining <= 0 or stop.is_set():
            raise _busy(path, current)
        pause(min(wait, remaining))
        wait = min(wait * 2, _LONGEST_PAUSE)


def _keep(path: Path, holder: Holder, lease: float, now: Callable[[], datetime], done: threading.Event) -> None:
    """Renew the lock until `done`. A failed renewal is retried at the next one."""
    # Two renewals may fail before the lock expires.
    while not done.wait(lease / 3):
        with suppress(OSError):
            renew(path, holder, lease=lease, now=now)


def renew(path: Path, holder: Holder, *, lease: float = LEASE_SECONDS, now: Callable[[], datetime] = utc_now) -> bool:
    """Extend a lock that `holder` still holds; False if it was taken away. Raises OSError."""
    with _turn(path.parent):
        current = _read(path)
        if current is None or current.token != holder.token:
            return False
        _renewed(path, current, lease, now())
    return True


def _renewed(path: Path, current: Holder, lease: float, moment: datetime) -> None:
    replace_file(path, _record(replace(current, expires=moment + timedelta(seconds=lease))), mode=0o600)


def _release(path: Path, holder: Holder) -> None:
    """Remove the lock if it is still ours: it may have been forced and taken by another."""
    with suppress(FileNotFoundError), _turn(path.parent):
        current = _read(path)
        if current is not None and current.token == holder.token:
            path.unlink(missing_ok=True)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Exclusive access to the lock files of the folder; the system releases it if the process dies."""
    if sys.platform == "win32":
        # Without flock, the file is still created in one step; only taking over a stale lock is not guarded.
        yield
    else:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _new_holder(lease: float, moment: datetime) -> Holder:
    expires = moment + timedelta(seconds=lease)
    pid = os.getpid()
    token = uuid.uuid4().hex
    return Holder(account_name(), socket.gethostname(), pid, moment, expires, token, machine(), started(pid))


def _create(path: Path, holder: Holder) -> bool:
    """Create the file unless it exists; returns whether it was created."""
    try:
        create_file(path, _record(holder), mode=0o600)
    except FileExistsError:
        return False
    return True


def _record(holder: Holder) -> bytes:
    record = asdict(holder) | {"since": holder.since.isoformat(), "expires": holder.expires.isoformat()}
    return (json.dumps(record) + "\n").encode()


def _read(path: Path) -> Holder | None:
    """The holder that the file names; None if there is no file. An unreadable file is held by an unknown holder since its last
    write.
    """
    try:
        text = path.read_bytes()
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        record = json.loads(text)
        return Holder(
            owner=str(record["owner"]),
            host=str(record["host"]),
            pid=int(record["pid"]),
            since=parse_time(record["since"]),
            expires=parse_time(record["expires"]),
            token=str(record["token"]),
            machine=str(record.get("machine", "")),
            started=str(record.get("started", "")),
        )
    except (ValueError, KeyError, TypeError):
        return Holder("unknown", "unknown host", 0, written, written + timedelta(seconds=LEASE_SECONDS), "")


def _is_stale(holder: Holder, moment: datetime) -> bool:
    if holder.expires <= moment:
        return True
    # A process id is meaningful only on its own host, boot and namespace.
    if holder.host != socket.gethostname() or holder.machine != machine():
        return False
    return not is_running(holder.pid) or bool(holder.started and holder.started != started(holder.pid))


def _busy(path: Path, holder: Holder | None) -> LockBusy:
    whose = f"{holder} holds it until {_written(holder.expires)}" if holder else "Somebody holds it"
    return LockBusy(
        "Somebody else is applying this manifest",
        detail=f"{whose} ({path}).",
        fix="Wait for it with --lock-timeout. If you are sure that it no longer runs, run oauthdeploy force-unlock.",
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
