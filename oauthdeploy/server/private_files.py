"""Private files of the data directory, and the vault that keeps replayable secrets encrypted in the database."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


def write_private(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step, readable by the owner only (mode 0600)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


class Vault:
    """Encrypts secrets that must be sent on to another server, and so cannot be hashed.

    The key lies beside the database in `vault.key`; it protects copies of the database, not the directory.
    """

    def __init__(self, key_file: Path) -> None:
        if not key_file.exists():
            write_private(key_file, Fernet.generate_key())
        self._fernet = Fernet(key_file.read_bytes())

    def seal(self, secret: str | None) -> str | None:
        """Encrypt a secret; an empty one stays empty."""
        return None if secret is None else self._fernet.encrypt(secret.encode()).decode("ascii")

    def open(self, sealed: str | None) -> str | None:
        """Decrypt what `seal` returned.

        Raises:
            ValueError: it was sealed with another key.
        """
        if sealed is None:
            return None
        try:
            return self._fernet.decrypt(sealed.encode("ascii")).decode()
        except InvalidToken as problem:
            raise ValueError("A stored secret cannot be opened with the key of this data directory.") from problem
