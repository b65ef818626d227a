"""Where a secret goes besides files: to a program's standard input, or into the account's keyring."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.secrets import Secret

COMMAND_SECONDS: Final = 60.0
"""How long a program that takes a secret may run."""


def check_command(command: Sequence[str], *, base: Path) -> str:
    """Find the program of a command, and give its path. A name with a slash starts from `base`. Raises DeliveryFailed."""
    program = command[0]
    place = str(base / program) if os.path.dirname(program) else program
    found = shutil.which(place)
    if found is None:
        raise _failed(program, "there is no such program that this account may run", "Name a program that is there.")
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
    fix = "Run the program by hand with a made-up secret to see what it lacks."
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
