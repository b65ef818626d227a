"""Secret sinks: where a secret that a server made goes, once, before it is forgotten."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.files import make_folder, remove_leftovers, replace_file
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import DeliverTo

_BARE: Final = re.compile(r"[A-Za-z0-9_./+=:@%,-]*\Z")
"""What dotenv readers and POSIX shells all take without quotes."""
COMMAND_SECONDS: Final = 60.0
"""How long a program that takes a secret may run."""


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
    try:
        replace_file(path, content, mode=0o600)
    except OSError as error:
        raise _file_failed(path, error.strerror or type(error).__name__) from None
    return str(path)


def clear_leftovers(targets: Iterable[DeliverTo], *, base: Path) -> None:
    """Remove what a run that was killed in the middle of `deliver` left beside the files of `targets`: it may hold a secret.

    What another process writes just now stays, and so does what this account can't remove.
    """
    remove_leftovers(Path(os.path.normpath(base / target.file)) for target in targets if target.file)


def check_target(target: DeliverTo, *, base: Path) -> Path:
    """Find the file of `target`, make its folder, and look whether a file may be put there. Raises DeliveryFailed."""
    root = Path(os.path.realpath(base))
    file = target.file or ""
    path = Path(os.path.normpath(root / file))
    if not file or path.name in ("", "..") or file.endswith(("/", os.sep)):
        raise _file_failed(path, "it names a folder, not a file")
    try:
        make_folder(path.parent)
        folder = Path(os.path.realpath(path.parent))
        leads_out = folder != path.parent and not folder.is_relative_to(root)
        if leads_out and not Path(file).is_absolute():
            raise _file_failed(path, f"a symbolic link on the way leads out of {root}")
        existing = path.lstat()
    except FileNotFoundError:
        existing = None
    except (OSError, ValueError) as error:
        raise _file_failed(path, getattr(error, "strerror", None) or "it is no usable path") from None
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        raise _file_failed(path, "it exists and is not a regular file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _file_failed(path, "its folder is not writable")
    return path


def _content(secret: Secret, target: DeliverTo, client_id: str, path: Path) -> bytes:
    values = {"client_id": client_id, "client_secret": secret.reveal()}
    if target.format == "json":
        return (json.dumps(values, indent=2) + "\n").encode()
    lines = []
    for name, value in values.items():
        written = _dotenv(value)
        if written is None:
            raise _file_failed(path, f"the {name} has characters that dotenv files can't hold; use format: json")
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


def _file_failed(path: Path, reason: str) -> DeliveryFailed:
    return DeliveryFailed(
        "The secret can't be delivered",
        detail=f"{path}: {reason}.",
        fix="Name a file in deliver_to that this account may write.",
    )


# -- programs and the keyring --------------------------------------------------------------------------------------------


def check_command(command: Sequence[str], *, base: Path) -> str:
    """Find the program of a command, and give its path. A name with a slash starts from `base`. Raises DeliveryFailed."""
    program = command[0]
    place = str(base / program) if os.path.dirname(program) else program
    found = shutil.which(place)
    if found is None:
        raise _failed(program, "no such program exists that this account may run", "Name an existing program.")
    return os.path.abspath(found)


def run_command(
    secret: Secret, command: Sequence[str], *, base: Path, client_id: str, seconds: float = COMMAND_SECONDS
) -> str:
    """Run the command in `base` with client_id and secret as one JSON object on its standard input; gives its name.

    No shell takes part, and nothing that the program says is shown: it could say the secret. Raises DeliveryFailed where it
    can't be started, takes longer than `seconds`, or ends with another code than 0.
    """
    program = check_command(command, base=base)
    given = json.dumps({"client_id": client_id, "client_secret": secret.reveal()}).encode()
    fix = "Run the program by hand with a dummy secret to see why it fails."
    try:
        done = subprocess.run(
            [program, *command[1:]],
            input=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=base,
            timeout=seconds,
            check=False,
            # Ctrl-C asks us for an orderly end; it must not cut the delivery short.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise _failed(command[0], f"it did not end in {seconds:g} s", fix) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it can't be started"
        raise _failed(command[0], reason, fix) from None
    if done.returncode != 0:
        raise _failed(command[0], f"it ended with {done.returncode}", fix)
    return f"command {command[0]}"


def check_keyring(entry: str) -> Any:
    """Find the keyring's library and a backend that can store; gives the library. Raises DeliveryFailed."""
    place = f"keyring {entry}"
    try:
        library: Any = importlib.import_module("keyring")
    except ImportError:
        raise _failed(place, "the Python package keyring is not installed", "Install oauthdeploy[keyring].") from None
    try:
        usable = library.get_keyring().priority > 0
    except Exception as error:  # noqa: BLE001  (backends raise what they like, and their words could hold anything)
        raise _failed(place, f"no backend can be used ({type(error).__name__})", _KEYRING_FIX) from None
    if not usable:
        raise _failed(place, "this account has no keyring that can store", _KEYRING_FIX)
    return library


_KEYRING_FIX: Final = "Set up a keyring backend, or deliver to a file or a command."


def put_in_keyring(secret: Secret, entry: str) -> str:
    """Store the secret at `service/name`; gives the place for the report. Raises DeliveryFailed."""
    library = check_keyring(entry)
    service, _, name = entry.rpartition("/")
    try:
        library.set_password(service, name, secret.reveal())
    except Exception as error:  # noqa: BLE001  (as above)
        raise _failed(f"keyring {entry}", f"it was refused ({type(error).__name__})", _KEYRING_FIX) from None
    return f"keyring {entry}"


def _failed(place: str, reason: str, fix: str) -> DeliveryFailed:
    return DeliveryFailed("The secret can't be delivered", detail=f"{place}: {reason}.", fix=fix)
