"""The last check of what is about to be written: no known secret leaves the program, and an address that came from outside the
manifest is shown as the reference that it came from.

Secrets are a type, so nothing here should ever find one; what it does find is a bug, and is replaced and reported as one.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

SHORTEST: Final = 6
"""Characters from which on a secret is looked for; shorter ones stand in ordinary words."""
MOST: Final = 20_000
"""Values that are remembered; the oldest are forgotten first, so that a long run doesn't grow."""
MASK: Final = "***"

_REFERENCE: Final = re.compile(r"\$\{[a-z]+:[^{}]*\}\Z")
_PLAIN_WORD: Final = re.compile(r"[a-z]{1,12}\Z|[0-9]{1,7}\Z", re.IGNORECASE)


class Disclosure:
    """The values of one process that no output may show."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: OrderedDict[str, None] = OrderedDict()
        self._references: OrderedDict[str, str] = OrderedDict()
        self._needles: dict[str, str] | None = None
        self._heads: frozenset[str] = frozenset()

    def add_secret(self, text: str) -> None:
        """Remember a secret. Texts under `SHORTEST` characters are left out, and references that were not looked up."""
        if len(text) < SHORTEST or _REFERENCE.match(text):
            return
        with self._lock:
            if text not in self._secrets:
                self._secrets[text] = None
                self._needles = None
                if len(self._secrets) > MOST:
                    self._secrets.popitem(last=False)

    def add_reference(self, text: str, reference: str) -> None:
        """Remember a value of a server's connection, and the reference (`${env:LOGIN_URL}`) that is shown for it."""
        if len(text) < SHORTEST:
            return
        with self._lock:
            if self._references.get(text) != reference:
                self._references[text] = reference
                self._needles = None
                if len(self._references) > MOST:
                    self._references.popitem(last=False)

    def forget(self) -> None:
        """Begin anew: nothing is known."""
        with self._lock:
            self._secrets.clear()
            self._references.clear()
            self._needles = None

    def clean(self, text: str) -> tuple[str, int]:
        """Give `text` with references for connection values and *** for secrets, and how many secrets were in it."""
        needles, heads = self._looked_for()
        if not needles or (len(heads) > 64 and heads.isdisjoint(_windows(text))):
            return text, 0
        found = [needle for needle in needles if needle in text]
        hits = 0
        # The longest first: a secret may hold another one, and a URL its own host.
        for needle in sorted(found, key=len, reverse=True):
            replacement = needles[needle]
            if replacement == MASK and _PLAIN_WORD.match(needle):
                # A password such as `manage` is also a word of our own sentences: it is one only where a value stands.
                text, count = re.subn(rf"(?<=[\"'`=]){re.escape(needle)}(?=[\"'`,;&<\s]|$)", MASK, text)
            else:
                count = text.count(needle)
                text = text.replace(needle, replacement)
            hits += count if replacement == MASK else 0
        return text, hits

    def _looked_for(self) -> tuple[dict[str, str], frozenset[str]]:
        with self._lock:
            if self._needles is None:
                needles: dict[str, str] = {}
                for value, reference in self._references.items():
                    needles.update(dict.fromkeys(_spellings_of_address(value), reference))
                for secret in self._secrets:
                    needles.update(dict.fromkeys(_encodings(secret), MASK))
                self._needles = needles
                self._heads = frozenset(needle[:SHORTEST] for needle in needles)
            return self._needles, self._heads


def _windows(text: str) -> Iterator[str]:
    return (text[start : start + SHORTEST] for start in range(len(text) - SHORTEST + 1))


def _encodings(secret: str) -> Iterator[str]:
    """A secret as the formats of our outputs and of HTTP would write it."""
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield json.dumps(secret)[1:-1]
    yield html.escape(secret)
    yield quote(data, safe="")
    yield quote_plus(data)
    yield repr(secret)[1:-1]
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        # The last group changes with what follows it, as in the credentials of Basic (RFC 7617).
        yield encoded.decode().rstrip("=")
    yield data.hex()


def _spellings_of_address(value: str) -> Iterator[str]:
    yield value
    try:
        parts = urlsplit(value)
    except ValueError:
        return
    if parts.scheme and parts.netloc:
        yield value.rstrip("/")
        # Only with a port or a dot: `localhost` alone stands in too many sentences.
        if len(parts.netloc) >= SHORTEST and (":" in parts.netloc or "." in parts.netloc):
            yield parts.netloc


KNOWN: Final = Disclosure()
"""Of this process: what is secret for one manifest must not be shown by another one's error either."""
