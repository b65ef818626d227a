"""The last check of all output: no known secret leaves the program, and an address from outside the manifest is shown as its
reference.

Secrets have their own type, so this should never find one. If it does, it masks the secret and reports a bug.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlsplit

SHORTEST: Final = 6
"""The shortest length of a secret that is searched for; shorter ones occur in ordinary words."""
MOST: Final = 20_000
"""How many values are remembered; the oldest are forgotten first, so that a long run needs no more memory."""
MASK: Final = "***"

_REFERENCE: Final = re.compile(r"\$\{[a-z]+:[^{}]*\}\Z")
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
"""The characters that a backslash escapes in Markdown (CommonMark 2.4)."""
_LOWER_ESCAPE: Final = re.compile("%[0-9A-F]{2}")
_PLAIN_WORD: Final = re.compile(r"[a-z]{1,12}\Z|[0-9]{1,7}\Z", re.IGNORECASE)


class Disclosure:
    """The values of one process that no output may show."""

    def __init__(self) -> None:
        # A signal's handler writes too, in a thread that may hold the lock.
        self._lock = threading.RLock()
        self._replacements: OrderedDict[str, str] = OrderedDict()
        self._new: list[str] = []
        self._by_head: dict[str, dict[str, str]] = {}
        self._kept_back = 0

    def add_secret(self, text: str) -> None:
        """Remember a secret, unless it is shorter than `SHORTEST` or a reference that was not resolved."""
        if len(text) >= SHORTEST and self._replacements.get(text) != MASK and not _REFERENCE.match(text):
            self._add(text, MASK)

    def add_reference(self, text: str, reference: str) -> None:
        """Remember a value of a server's connection, and the reference (`${env:LOGIN_URL}`) that is shown for it.

        A value that is also a secret stays a secret.
        """
        if len(text) >= SHORTEST and self._replacements.get(text) != MASK:
            self._add(text, reference)

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._replacements.clear()
            self._new.clear()
            self._by_head.clear()
            self._kept_back = 0

    def take_kept_back(self) -> int:
        """How many secrets `json_line` has masked in files since the last call; the user is informed, since each is a bug."""
        with self._lock:
            found, self._kept_back = self._kept_back, 0
        return found

    def json_line(self, document: Any, *, ensure_ascii: bool = False) -> str:
        """A document of JSON values on one line, with *** for the secrets in its strings; keys and addresses stay as they are."""
        line = _compact(document, ensure_ascii)
        if not self.clean(line, references=False)[1]:
            return line
        return _compact(self._cleaned(document), ensure_ascii)

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._cleaned(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._cleaned(inner) for inner in value]
        if not isinstance(value, str):
            return value
        # As a quoted value, where even an ordinary word counts.
        clean, hits = self.clean(f'"{value}"', references=False)
        with self._lock:
            self._kept_back += hits
        return clean[1:-1]

    def clean(self, text: str, *, references: bool = True) -> tuple[str, int]:
        """Return `text` with references for connection values and *** for secrets, and the number of secrets in it.

        `references`: False leaves connection values as they are.
        """
        found = self._known_in(text)
        if not references:
            found = {needle: shown for needle, shown in found.items() if shown == MASK}
        hits = 0
        # Longest first: a secret may contain another one, and a URL its own host.
        for needle in sorted(found, key=len, reverse=True):
            shown = found[needle]
            if shown == MASK and _PLAIN_WORD.match(needle):
                # A password such as `manage` is also a word of our own sentences, so it is masked only where it is a value.
                text, count = re.subn(rf"(?<=[\"'`=]){re.escape(needle)}(?=[\"'`,;&<\s]|$)", MASK, text)
            else:
                count = text.count(needle)
                text = text.replace(needle, shown)
            hits += count if shown == MASK else 0
        return text, hits

    def _add(self, text: str, shown: str) -> None:
        with self._lock:
            if self._replacements.get(text) == shown:
                return
            self._replacements[text] = shown
            self._new.append(text)
            if len(self._replacements) > MOST:
                self._replacements.popitem(last=False)
                self._by_head.clear()
                self._new = list(self._replacements)

    def _known_in(self, text: str) -> dict[str, str]:
        """The values that occur in a text, and what is shown for each.

        Other threads wait, since a secret that one of them learns would be added to what is being searched.
        """
        with self._lock:
            heads = self._heads()
            places: Iterable[str]
            if len(heads) <= len(text):
                places = [head for head in heads if head in text]
            else:
                places = {text[start : start + SHORTEST] for start in range(len(text) - SHORTEST + 1)} & heads.keys()
            return {needle: shown for head in places for needle, shown in heads[head].items() if needle in text}

    def _heads(self) -> dict[str, dict[str, str]]:
        """The values to search for, by their first characters. Their spellings are built only when something is written."""
        while self._new:
            value = self._new[-1]
            if (shown := self._replacements.get(value)) is not None:
                for needle in _encodings(value) if shown == MASK else _spellings_of_address(value):
                    self._by_head.setdefault(needle[:SHORTEST], {})[needle] = shown
            # Only now, since the handler of a signal may search in between, and then has done the same.
            if self._new and self._new[-1] is value:
                self._new.pop()
        return self._by_head


def _compact(document: Any, ensure_ascii: bool) -> str:
    if not ensure_ascii:
        with suppress(UnicodeEncodeError):  # Half of a surrogate pair, which a server can send.
            return _encoder()(document).decode()
    return json.dumps(document, ensure_ascii=ensure_ascii, separators=(",", ":"), default=str)


@cache
def _encoder() -> Callable[[Any], bytes]:
    """Writes a document in a tenth of the time of `json`: the journal of a large apply has thousands."""
    # Imported here, since `version` and the help load this module too.
    from msgspec.json import Encoder

    return Encoder(enc_hook=str).encode


def _encodings(secret: str) -> Iterator[str]:
    """A secret in the spellings of our output formats and of HTTP; spellings that are too short are left out."""
    data = secret.encode("utf-8", "surrogatepass")
    texts = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        *_spellings_in_html(secret),
        quote(data, safe=""),
        quote(data),
        quote_plus(data),
        repr(secret)[1:-1],
        _PUNCTUATION.sub(r"\\\g<0>", secret),
        data.hex(),
    }
    texts |= {_LOWER_ESCAPE.sub(lambda found: found[0].lower(), text) for text in texts if "%" in text}
    yield from texts
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        # Inside something longer, such as the credentials of Basic (RFC 7617), Base64 can start at any of three positions in a
        # group, and only the characters that encode nothing but the secret are always the same.
        for offset in range(3):
            encoded = encode(b"\0" * offset + data).decode()
            needle = encoded[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]
            if len(needle) >= SHORTEST:
                yield needle


def _spellings_in_html(text: str) -> Iterator[str]:
    """Not by `html.escape`: that module takes longer to import than all of this one, for its table of entities."""
    data = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield data
    # An attribute in XML (XML 1.0 section 2.4) may keep the apostrophe, and character data the quotes.
    attribute = data.replace('"', "&quot;")
    yield attribute
    yield attribute.replace("'", "&#x27;")


def _spellings_of_address(value: str) -> Iterator[str]:
    yield value
    try:
        parts = urlsplit(value)
    except ValueError:
        return
    if parts.scheme and parts.netloc:
        yield value.rstrip("/")
        # Only with a port or a dot: `localhost` alone occurs in too many sentences.
        if len(parts.netloc) >= SHORTEST and (":" in parts.netloc or "." in parts.netloc):
            yield parts.netloc


KNOWN: Final = Disclosure()
"""For the whole process: a secret of one manifest must not appear in an error about another one either."""
