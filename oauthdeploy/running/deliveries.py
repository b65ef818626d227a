"""The record of deliveries: which place has the secret of which client, and how to recognize that secret again.

Each client of a server has one file in `deliveries/` of the state folder, replaced at each delivery. From it, a run knows its
own files from those of others, and a later plan knows that a program received a secret that is no longer the live one. The file
contains no secret, only a salted digest (PBKDF2, RFC 8018) of one that a server generated from random data.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct, field
from msgspec.structs import asdict

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.files import make_folder, remove_leftovers, replace_file
from oauthdeploy.core.secrets import Secret
from oauthdeploy.core.urls import normalized_url

FOLDER: Final = "deliveries"
_VERSION: Final = 1
_ROUNDS: Final = 10_000


class Delivery(Struct, frozen=True):
    """A delivery: of which client (with its server's address), to which place, and when (RFC 3339)."""

    manifest: str
    address: str
    url: str
    place: str
    at: str
    salt: str
    digest: str

    @property
    def whose(self) -> str:
        """The client in words."""
        return f"{self.address} of {self.manifest} ({self.url})"

    def is_of(self, secret: Secret) -> bool:
        """Whether this is the delivered secret."""
        return hmac.compare_digest(self.digest, _digest(secret, self.salt))


class Deliveries(Struct, frozen=True):
    """The records in `folder` (None: none are kept) for one manifest; `urls` are its servers' addresses by name."""

    folder: Path | None = None
    manifest: str = ""
    urls: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, address: Address) -> Delivery | None:
        """The last delivery of a client; None if none is recorded or the record cannot be read."""
        return None if self.folder is None else _read(self._file(self.folder, address))

    def other_owner(self, address: Address, place: str) -> Delivery | None:
        """The delivery of another client to this place; None if there is none."""
        if self.folder is None:
            return None
        mine = self._file(self.folder, address)
        with suppress(OSError):
            for file in sorted(self.folder.glob("*.json")):
                found = _read(file) if file != mine else None
                if found is not None and found.place == place:
                    return found
        return None

    def record(self, address: Address, place: str, secret: Secret, at: str) -> None:
        """Record a delivery; on disk when this returns. Raises OSError."""
        if self.folder is None:
            return
        salt = os.urandom(16).hex()
        url = self._url(address)
        made = Delivery(self.manifest, str(address), url, place, at, salt, _digest(secret, salt))
        make_folder(self.folder)
        data = json.dumps({"v": _VERSION, **asdict(made)}, indent=2) + "\n"
        replace_file(self._file(self.folder, address), data.encode(), mode=0o600)

    def clear_leftovers(self, addresses: Iterable[Address]) -> None:
        """Remove the temporary files that a run killed in the middle of `record` left for these clients."""
        if self.folder is not None:
            remove_leftovers([self._file(self.folder, address) for address in addresses])

    def _url(self, address: Address) -> str:
        return normalized_url(self.urls.get(address.server, ""))

    def _file(self, folder: Path, address: Address) -> Path:
        key = json.dumps([self.manifest, str(address), self._url(address)])
        return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _digest(secret: Secret, salt: str) -> str:
    data = secret.reveal().encode("utf-8", "surrogatepass")
    return hashlib.pbkdf2_hmac("sha256", data, bytes.fromhex(salt), _ROUNDS).hex()


def _read(file: Path) -> Delivery | None:
    try:
        record = json.loads(file.read_bytes())
        names = Delivery.__struct_fields__
        if record["v"] != _VERSION or not all(isinstance(record[name], str) for name in names):
            return None
        bytes.fromhex(record["salt"])
        return Delivery(**{name: record[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError):
        return None
