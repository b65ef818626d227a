"""Secret sinks: where a secret that a server made goes, once, before it is forgotten."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import DeliverTo
from oauthdeploy.running.files import make_folder, sync_folder, write_all
from oauthdeploy.running.outlets import check_command, check_keyring, put_in_keyring, run_command

if sys.platform != "win32":
    import fcntl

_BARE: Final = re.compile(r"[A-Za-z0-9_./+=:@%,-]*\Z")
"""What dotenv readers and POSIX shells all take without quotes."""
_BESIDE: Final = re.compile(r"(\..+)\.[0-9a-f]{32}")
"""The name of a file that is being written and is not yet in its place."""


class Sinks(Protocol):
    """What an apply needs of the outside to hand secrets over."""

    def check(self, target: DeliverTo) -> None:
        """Find out before anything is sent whether `target` can take a secret. Raises DeliveryFailed."""

    def deliver(self, secret: Secret, target: DeliverTo, *, client_id: str) -> str:
        """Hand the secret over and give the place for the report. Raises DeliveryFailed."""


@dataclass(frozen=True)
class LocalSinks:
    """The sinks of this machine: files, programs and the keyring. Relative paths start from `base`, the manifest's folder."""

    base: Path

    def check(self, target: DeliverTo) -> None:
        """Find out whether the file can be written (its folder is made), the program is there, or the keyring can store.

        Raises DeliveryFailed.
        """
        if target.command is not None:
            check_command(target.command, base=self.base)
        elif target.keyring is not None:
            check_keyring(target.keyring)
        else:
            check_target(target, base=self.base)

    def deliver(self, secret: Secret, target: DeliverTo, *, client_id: str) -> str:
        """Write the file, run the program, or store in the keyring. Raises DeliveryFailed."""
        if target.command is not None:
            return run_command(secret, target.command, base=self.base, client_id=client_id)
        if target.keyring is not None:
            return put_in_keyring(secret, target.keyring)
        return deliver(secret, target, base=self.base, client_id=client_id)


def deliver(secret: Secret, target: DeliverTo, *, base: Path, client_id: str) -> str:
    """Write client_id and secret to the file of `target`, as dotenv or JSON, and give its path for the report.

    The file has mode 0600 from its first byte on and is replaced in one step: a reader sees the old file or the new one.
    A relative path starts from `base` and can't leave it by a symbolic link. Raises DeliveryFailed; its text never holds
    the secret.
    """
    path = check_target(target, base=base)
    content = _content(secret, target, client_id, path)
    beside = path.with_name(f"{_hidden(path)}.{uuid.uuid4().hex}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600)
        try:
            _hold(descriptor)
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise _failed(path, error.strerror or type(error).__name__) from None
    return str(path)


_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


def _hidden(path: Path) -> str:
    return f".{path.name[:100]}"


def _hold(descriptor: int) -> None:
    """Say that somebody writes this file, for as long as it is open. Windows removes no open file anyway. Raises OSError."""
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear_leftovers(targets: Iterable[DeliverTo], *, base: Path) -> None:
    """Remove what a run that was killed in the middle of `deliver` left beside the files of `targets`: it may hold a secret.

    What another process writes just now stays, and so does what this account can't remove.
    """
    wanted: dict[Path, set[str]] = defaultdict(set)
    for target in targets:
        if target.file:
            path = Path(os.path.normpath(base / target.file))
            wanted[path.parent].add(_hidden(path))
    for folder, names in wanted.items():
        with suppress(OSError):
            for entry in list(os.scandir(folder)):
                found = _BESIDE.fullmatch(entry.name)
                if found and found[1] in names:
                    _remove(Path(entry.path))


def _remove(left: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(left, os.O_RDWR | _NOFOLLOW)
        try:
            _hold(descriptor)
        finally:
            os.close(descriptor)
        left.unlink()


def check_target(target: DeliverTo, *, base: Path) -> Path:
    """Find the file of `target`, make its folder, and look whether a file may be put there. Raises DeliveryFailed."""
    root = Path(os.path.realpath(base))
    file = target.file or ""
    path = Path(os.path.normpath(root / file))
    if not file or path.name in ("", "..") or file.endswith(("/", os.sep)):
        raise _failed(path, "it names a folder, not a file")
    try:
        make_folder(path.parent)
        folder = Path(os.path.realpath(path.parent))
        leads_out = folder != path.parent and not folder.is_relative_to(root)
        if leads_out and not Path(file).is_absolute():
            raise _failed(path, f"a symbolic link on the way leads out of {root}")
        standing = path.lstat()
    except FileNotFoundError:
        standing = None
    except (OSError, ValueError) as error:
        raise _failed(path, getattr(error, "strerror", None) or "it is no usable path") from None
    if standing is not None and not stat.S_ISREG(standing.st_mode):
        raise _failed(path, "something other than a plain file stands there")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _failed(path, "its folder is not writable")
    return path


def _content(secret: Secret, target: DeliverTo, client_id: str, path: Path) -> bytes:
    values = {"client_id": client_id, "client_secret": secret.reveal()}
    if target.format == "json":
        return (json.dumps(values, indent=2) + "\n").encode()
    lines = []
    for name, value in values.items():
        written = _dotenv(value)
        if written is None:
            raise _failed(path, f"the {name} has characters that dotenv files can't hold; use format: json")
        lines.append(f"{name.upper()}={written}\n")
    return "".join(lines).encode()


def _dotenv(value: str) -> str | None:
    """Write a value so that dotenv readers and shells read the same; None where there is no such way."""
    if _BARE.match(value):
        return value
    if not value.isprintable():
        return None
    if "'" not in value:
        return f"'{value}'"
    return f'"{value}"' if not set(value) & set('"\\$`!') else None


def _failed(path: Path, reason: str) -> DeliveryFailed:
    return DeliveryFailed(
        "The secret can't be delivered",
        detail=f"{path}: {reason}.",
        fix="Name a file in deliver_to that this account may write.",
    )
