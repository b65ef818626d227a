"""Secret sinks: where a server-made secret is delivered, once, before it is forgotten."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.delivery_bounds import DeliveryBounds
from oauthdeploy.core.environment import given_environment
from oauthdeploy.core.errors import DeliveryFailed
from oauthdeploy.core.extras import ExtraMissing, needs_extra
from oauthdeploy.core.files import make_folder, remove_leftovers, replace_file
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import DeliverTo
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.deliveries import Deliveries

_BARE: Final = re.compile(r"[A-Za-z0-9_./+=:@%,-]*\Z")
"""The characters that dotenv readers and POSIX shells all accept without quotes."""
_MOST_BYTES: Final = 1_048_576
"""The number of bytes read of a file to find a delivered secret."""
COMMAND_SECONDS: Final = 60.0
"""The seconds that a program that receives a secret may run."""


class Sinks(Protocol):
    """What an apply needs for delivering secrets."""

    def check(self, target: DeliverTo, address: Address) -> None:
        """Check before anything is sent that `target` can receive the secret of a client. Raises DeliveryFailed."""

    def deliver(self, secret: Secret, target: DeliverTo, address: Address, *, client_id: str) -> str:
        """Deliver the secret; returns the place for the report. Raises DeliveryFailed."""

    def delivered(self, target: DeliverTo) -> Secret | None:
        """The secret at the place of delivery; None if it cannot be read back. Raises DeliveryFailed if there is none."""


class LocalSinks(Struct, frozen=True):
    """The sinks of this machine: files, programs and the keyring. Relative paths start from the folder of `bounds`.

    `deliveries` are the marks of what earlier runs delivered: another file or entry is replaced only with `overwrite`.
    """

    bounds: DeliveryBounds
    deliveries: Deliveries = field(default_factory=Deliveries)
    overwrite: bool = False
    now: Callable[[], datetime] = utc_now

    def check(self, target: DeliverTo, address: Address) -> None:
        """Check that the file may and can be written (creates its folder), the program exists, or the keyring can store. Raises
        DeliveryFailed.
        """
        if target.command is not None:
            check_command(target.command, base=self.bounds.base)
        elif target.keyring is not None:
            library = check_keyring(target.keyring)
            if _in_keyring(library, target.keyring) is not None:
                self._require_ours(target, address, target.own_place)
        else:
            self._check_file(target, address)

    def refusal(self, target: DeliverTo, address: Address) -> str:
        """Why a file cannot receive the secret of a client; "" if it can, and for other targets. Changes nothing."""
        if target.file is None:
            return ""
        refused = self.bounds.refusal(target.file)
        if refused is not None:
            return f"{target.file}: {refused.reason}."
        try:
            if os.path.lexists(self.bounds.place(target.file)):
                self._require_ours(target, address, target.file)
        except DeliveryFailed as error:
            return error.detail
        return ""

    def deliver(self, secret: Secret, target: DeliverTo, address: Address, *, client_id: str) -> str:
        """Check again, then write the file, run the program, or store in the keyring. Raises DeliveryFailed."""
        self.check(target, address)
        base = self.bounds.base
        # Recorded before the secret is written: a run that is killed in between must recognize its own file. A record that
        # cannot be written only makes the next plan doubt the delivery, and must not cost the secret.
        with suppress(OSError):
            moment = self.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            self.deliveries.record(address, self.recorded(target), secret, moment)
        if target.command is not None:
            return run_command(secret, target.command, base=base, client_id=client_id)
        if target.keyring is not None:
            return put_in_keyring(secret, target.keyring)
        return write_file(secret, target, self.bounds.place(target.file or ""), client_id=client_id)

    def delivered(self, target: DeliverTo) -> Secret | None:
        """Read the file or the keyring entry; None for a program. Raises DeliveryFailed if there is no secret."""
        if target.keyring is not None:
            found = _in_keyring(check_keyring(target.keyring), target.keyring)
            if not found:
                raise _failed(target.own_place, "the keyring has no such entry", _KEYRING_FIX)
            return Secret(found, target.own_place)
        return None if target.file is None else self.in_file(target)[1]

    def in_file(self, target: DeliverTo) -> tuple[str, Secret]:
        """The client_id and the secret in a delivered file. Raises DeliveryFailed if it has none."""
        path = Path(os.path.normpath(self.bounds.base / (target.file or "")))
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise _file_failed(path, "it is not a regular file")
            with path.open("rb") as stream:
                data = stream.read(_MOST_BYTES)
        except FileNotFoundError:
            raise _file_failed(path, "it does not exist") from None
        except (OSError, ValueError) as error:
            raise NotReadable(path, error) from None
        values = _values(data, target.format)
        if not values.get("client_secret"):
            raise _file_failed(path, "it contains no client_secret")
        return values.get("client_id", ""), Secret(values["client_secret"], f"file:{target.file}")

    def _check_file(self, target: DeliverTo, address: Address) -> None:
        file = target.file or ""
        refused = self.bounds.refusal(file)
        if refused is not None:
            raise _file_failed(Path(os.path.normpath(self.bounds.base / file)), refused.reason)
        path = self.bounds.place(file)
        try:
            make_folder(path.parent)
        except (OSError, ValueError) as error:
            raise _file_failed(path, getattr(error, "strerror", None) or "it is not a usable path") from None
        # The path may have changed since it was checked, and lead elsewhere.
        refused = self.bounds.refusal(file)
        if refused is not None:
            raise _file_failed(path, refused.reason)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise _file_failed(path, "its folder is not writable")
        if os.path.lexists(path):
            self._require_ours(target, address, str(path))

    def _require_ours(self, target: DeliverTo, address: Address, place: str) -> None:
        """Refuse to replace what no record of this client's deliveries names, unless overwriting is allowed. Raises
        DeliveryFailed.
        """
        if self.overwrite:
            return
        recorded = self.recorded(target)
        mine = self.deliveries.of(address)
        if mine is not None and mine.place == recorded:
            return
        other = self.deliveries.other_owner(address, recorded)
        reason = f"it contains the secret of {other.whose}" if other else "it exists, and oauthdeploy did not write it"
        raise DeliveryFailed(
            "The delivery would replace something that oauthdeploy did not write",
            detail=f"{place}: {reason}.",
            fix="Move it away, name another place in deliver_to, or run with --overwrite to replace it.",
        )

    def recorded(self, target: DeliverTo) -> str:
        """The place as records name it; a file relative to the manifest's folder, so that the folder may move."""
        if target.file is not None:
            root = os.path.realpath(self.bounds.base)
            return f"file {os.path.relpath(self.bounds.place(target.file), root)}".replace(os.sep, "/")
        return target.own_place or f"command {json.dumps(target.command)}"


class NotReadable(DeliveryFailed):
    """The delivered file exists, but this account may not read it."""

    def __init__(self, path: Path, error: OSError | ValueError) -> None:
        reason = getattr(error, "strerror", None) or "it is not a usable path"
        super().__init__(
            "The delivered secret cannot be read", detail=f"{path}: {reason}.", fix="Check the permissions of the file."
        )


def write_file(secret: Secret, target: DeliverTo, path: Path, *, client_id: str) -> str:
    """Write client_id and secret to `path`, as dotenv or JSON; returns the path for the report.

    The file has mode 0600 from its first byte on and is replaced in one step: a reader sees the old file or the new one. Raises
    DeliveryFailed, whose text never contains the secret.
    """
    content = _content(secret, target, client_id, path)
    try:
        replace_file(path, content, mode=0o600)
    except OSError as error:
        raise _file_failed(path, error.strerror or type(error).__name__) from None
    return str(path)


def clear_leftovers(targets: Iterable[DeliverTo], *, base: Path) -> None:
    """Remove the temporary files that a run killed in the middle of `deliver` left beside the files of `targets`: they may
    contain secrets.

    Files that another process is writing now stay, and so do those that this account cannot remove.
    """
    remove_leftovers(Path(os.path.normpath(base / target.file)) for target in targets if target.file)


def _content(secret: Secret, target: DeliverTo, client_id: str, path: Path) -> bytes:
    values = {"client_id": client_id, "client_secret": secret.reveal()}
    if target.format == "json":
        return (json.dumps(values, indent=2) + "\n").encode()
    lines = []
    for name, value in values.items():
        written = _dotenv(value)
        if written is None:
            raise _file_failed(path, f"the {name} has characters that dotenv files cannot represent; use format: json")
        lines.append(f"{name.upper()}={written}\n")
    return "".join(lines).encode()


def _dotenv(value: str) -> str | None:
    """Write a value so that dotenv readers and shells read the same; None if that is impossible."""
    if _BARE.match(value):
        return value
    if not value.isprintable():
        return None
    if "'" not in value:
        return f"'{value}'"
    return f'"{value}"' if not set(value) & set('"\\$`!') else None


def _values(data: bytes, form: str) -> dict[str, str]:
    """The values of a delivered file, by name in lower case; none if it has another format."""
    try:
        text = data.decode()
        if form == "json":
            document = json.loads(text)
            found = document.items() if isinstance(document, dict) else ()
            return {name: value for name, value in found if isinstance(name, str) and isinstance(value, str)}
    except ValueError:
        return {}
    lines = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines())
    return {name.strip().lower(): _unquoted(value.strip()) for name, equals, value in lines if equals}


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _file_failed(path: Path, reason: str) -> DeliveryFailed:
    return DeliveryFailed(
        "The secret cannot be delivered",
        detail=f"{path}: {reason}.",
        fix="Name a file in deliver_to that this account may write.",
    )


# -- programs and the keyring --------------------------------------------------------------------------------------------


def check_command(command: Sequence[str], *, base: Path) -> str:
    """The path of a command's program. A name with a slash is relative to `base`. Raises DeliveryFailed."""
    program = command[0]
    place = str(base / program) if os.path.dirname(program) else program
    found = shutil.which(place)
    if found is None:
        raise _failed(program, "there is no such program that this account may run", "Name an existing program.")
    return os.path.abspath(found)


def run_command(
    secret: Secret, command: Sequence[str], *, base: Path, client_id: str, seconds: float = COMMAND_SECONDS
) -> str:
    """Run the command in `base` with client_id and secret as one JSON object on its standard input; returns its name.

    No shell is involved, and the program's output is not shown, since it could contain the secret. Raises DeliveryFailed if it
    cannot be started, takes longer than `seconds`, or exits with a code other than 0.
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
            env=given_environment(),
            timeout=seconds,
            check=False,
            # Ctrl-C requests an orderly end; it must not cut the delivery short.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise _failed(command[0], f"it did not end in {seconds:g} s", fix) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be started"
        raise _failed(command[0], reason, fix) from None
    if done.returncode != 0:
        raise _failed(command[0], f"it exited with {done.returncode}", fix)
    return f"command {command[0]}"


def check_keyring(entry: str) -> Any:
    """The keyring library, if a backend can store. Raises DeliveryFailed."""
    place = f"keyring {entry}"
    try:
        with needs_extra("keyring", "deliver_to.keyring"):
            library: Any = importlib.import_module("keyring")
    except ExtraMissing as error:
        raise _failed(place, error.summary, error.fix) from None
    try:
        usable = library.get_keyring().priority > 0
    except Exception as error:  # noqa: BLE001  (backends raise what they like, and their words could hold anything)
        raise _failed(place, f"no backend can be used ({type(error).__name__})", _KEYRING_FIX) from None
    if not usable:
        raise _failed(place, "this account has no keyring that can store secrets", _KEYRING_FIX)
    return library


_KEYRING_FIX: Final = "Set up a keyring backend, or deliver to a file or a command."


def put_in_keyring(secret: Secret, entry: str) -> str:
    """Store the secret at `service/name`; returns the place for the report. Raises DeliveryFailed."""
    library = check_keyring(entry)
    service, _, name = entry.rpartition("/")
    try:
        library.set_password(service, name, secret.reveal())
    except Exception as error:  # noqa: BLE001  (as above)
        raise _failed(f"keyring {entry}", f"it was refused ({type(error).__name__})", _KEYRING_FIX) from None
    return f"keyring {entry}"


def _in_keyring(library: Any, entry: str) -> str | None:
    """The entry in the keyring; None if there is none. Raises DeliveryFailed if it cannot be read."""
    service, _, name = entry.rpartition("/")
    try:
        found: str | None = library.get_password(service, name)
    except Exception as error:  # noqa: BLE001  (as above)
        raise _failed(f"keyring {entry}", f"it cannot be read ({type(error).__name__})", _KEYRING_FIX) from None
    return found


def _failed(place: str, reason: str, fix: str) -> DeliveryFailed:
    return DeliveryFailed("The secret cannot be delivered", detail=f"{place}: {reason}.", fix=fix)
