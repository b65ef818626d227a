"""Store and check passwords, client secrets and tokens, only as hashes.

Generated values have at least 128 bits of entropy, so one SHA-256 is enough. Values that people choose are hashed by scrypt,
with a cache of successful checks so that HTTP Basic on every request stays fast.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict

from werkzeug.security import check_password_hash, generate_password_hash

#: How chosen secrets are hashed, in Werkzeug's notation; without numbers, Werkzeug uses its own slow parameters.
METHOD = "scrypt"

_QUICK = "sha256:"

#: Stands in for the password of an unknown user, so that checking it takes as long; it never matches.
_NOBODY = (
    "scrypt:32768:8:1$PTBjf2DHoF1WVQgg$d45c746cf895f13ce9faafa47aeed80b1b6bfbc582a7cee3e56222b057b2a3cf"
    "a91280c7fc9dc04768ba5eb397121542ef099f4317e3c7445d28ab97a1132e42"
)


def digest(value: str) -> str:
    """The SHA-256 of a token, code or generated secret, as 64 hex digits; this is what the database has."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def generate_client_id() -> str:
    """A new client id: 32 hex digits."""
    return secrets.token_hex(16)


def generate_short_token() -> str:
    """A token of 32 bytes, for watt.server.oauth.token.short."""
    return secrets.token_hex(16)


def generate_secret() -> str:
    """A new token or secret: 43 characters that pass through URLs, forms and headers unchanged."""
    return secrets.token_urlsafe(32)


def hash_generated(secret: str) -> str:
    """The stored form of a secret from `generate_secret`."""
    return _QUICK + digest(secret)


def is_quick(stored: str) -> bool:
    """Whether a stored form is that of a generated secret, which is fast to check."""
    return stored.startswith(_QUICK)


def hash_chosen(secret: str) -> str:
    """The stored form of a secret that a person chose: salted scrypt, slow on purpose."""
    return generate_password_hash(secret, method=METHOD)


class SecretChecker:
    """Checks secrets against their stored form; one for each process.

    A successful slow check is remembered as an HMAC, under a key that never leaves the process, of the stored form and the
    secret. A changed password has another stored form, so its cached result is void at once.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()
        self._slow = threading.BoundedSemaphore(2)

    def check(self, stored: str | None, given: str) -> bool:
        """Whether `given` is the secret behind `stored`.

        Nothing stored (an unknown user) takes as much time as a wrong password, and never matches.
        """
        if stored is not None and is_quick(stored):
            return hmac.compare_digest(stored, hash_generated(given))
        form = _NOBODY if stored is None else stored
        memo = hmac.digest(self._key, f"{form}\0{given}".encode("utf-8", "surrogatepass"), "sha256")
        with self._lock:
            if memo in self._good:
                self._good.move_to_end(memo)
                return True
        with self._slow:
            right = _slow_check(form, given) and stored is not None
        if right:
            with self._lock:
                self._good[memo] = None
                while len(self._good) > self._capacity:
                    self._good.popitem(last=False)
        return right


def _slow_check(stored: str, given: str) -> bool:
    try:
        return check_password_hash(stored, given)
    except UnicodeEncodeError:
        return False
