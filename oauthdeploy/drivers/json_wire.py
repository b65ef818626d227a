"""JSON on the wire: secrets are revealed only when bytes are made, and responses are never trusted."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlencode

from msgspec import Struct

from oauthdeploy.core.secrets import MASK, Secret

WORDS_LIMIT: Final = 300
"""The number of characters kept of a server's own words."""

FORM: Final = "application/x-www-form-urlencoded"

_CODE: Final = re.compile("[a-z_]{1,60}")
_WORD_KEYS: Final = ("message", "errorMessage", "error_description", "detail", "error", "title")


class NotJson(ValueError):
    """A response is not acceptable JSON; the message says why and quotes nothing of the response."""


class Untraced(str):
    """A text that is sent but not traced: a server's own value that is sent back unchanged and whose meaning is unknown
    here.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK


def revealed(value: Any) -> Any:
    """The same structure with every Secret as its text, only for sending."""
    match value:
        case Secret():
            return value.reveal()
        case Mapping():
            return {str(key): revealed(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [revealed(inner) for inner in value]
        case str():
            return str(value)
        case _:
            return value


def masked(value: Any) -> Any:
    """The same structure with every Secret and every Untraced as `***`: for the trace."""
    match value:
        case Secret() | Untraced():
            return MASK
        case Mapping():
            return {str(key): masked(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [masked(inner) for inner in value]
        case str():
            return str(value)
        case _:
            return value


def secrets_in(value: Any) -> Iterator[Secret]:
    """All Secrets in a structure."""
    match value:
        case Secret():
            yield value
        case Mapping():
            for inner in value.values():
                yield from secrets_in(inner)
        case list() | tuple() | set() | frozenset():
            for inner in value:
                yield from secrets_in(inner)


def encode(value: Any) -> bytes:
    """Serialize a body with its secrets. The result must only be sent."""
    return json.dumps(revealed(value), ensure_ascii=False, allow_nan=False).encode("utf-8")


def encode_form(value: Mapping[str, Any]) -> bytes:
    """Serialize a body as a form (RFC 6749, appendix B) with its secrets. The result must only be sent."""
    return urlencode(revealed(value)).encode("ascii")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("an object has a duplicate key")
    return members


def _no_constant(_name: str) -> Any:
    raise NotJson("it holds a number that JSON does not allow")


def decode(raw: bytes) -> Any:
    """Parse a response. Raises NotJson for anything but one valid JSON value in UTF-8."""
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except NotJson:
        raise
    except UnicodeError:
        raise NotJson("it is not valid UTF-8") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValueError:
        raise NotJson("it cannot be parsed") from None
    return value


def header_secrets(authorization: str | bytes | None) -> Iterator[str]:
    """The secret texts of an Authorization header: the whole value, its token, and the password of Basic."""
    if not authorization:
        return
    text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
    yield text
    scheme, _, token = text.partition(" ")
    if token:
        yield token
    if scheme.lower() == "basic" and token:
        try:
            yield b64decode(token, validate=True).decode("utf-8", "replace").partition(":")[2]
        except ValueError:
            return


def _forms(text: str) -> Iterator[str]:
    """The forms in which a server may echo a text."""
    yield text
    yield quote(text, safe="")
    yield quote_plus(text)
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield b64encode(text.encode("utf-8", "replace")).decode("ascii").rstrip("=")


def clean(words: str, limit: int = WORDS_LIMIT) -> str:
    """Text that is safe for a terminal: no control or direction characters, single spaces, at most `limit` characters."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in words[: 20 * limit]).split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def server_words(raw: bytes, content_type: str, secrets: Iterable[str]) -> str:
    """A server's error message, cleaned and shortened; "" if it would reveal any of `secrets`."""
    try:
        text = raw.decode("utf-8", "replace")
    except MemoryError:
        return ""
    media = media_type(content_type)
    if is_json(media):
        try:
            text = _message_of(decode(raw))
        except NotJson:
            return ""
    elif "html" in media or "xml" in media or not media.startswith("text/"):
        return ""
    text = text[: 200 * WORDS_LIMIT]
    if any(form and form in text for secret in secrets if secret for form in _forms(secret)):
        return ""
    return clean(text)


def error_code(raw: bytes, content_type: str) -> str:
    """The `error` of an OAuth error response (RFC 6749 section 5.2); "" if it is no such response."""
    if not is_json(media_type(content_type)):
        return ""
    try:
        body = decode(raw)
    except NotJson:
        return ""
    code = body.get("error") if isinstance(body, Mapping) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _message_of(body: Any) -> str:
    if isinstance(body, str):
        return body
    if isinstance(body, Mapping):
        for key in _WORD_KEYS:
            value = body.get(key)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, Mapping) and isinstance(value.get("message"), str):
                return str(value["message"])
    return ""


def media_type(content_type: str) -> str:
    """`Application/JSON; charset=utf-8` gives `application/json`."""
    return content_type.partition(";")[0].strip().lower()


def is_json(media: str) -> bool:
    """Whether a media type is JSON (RFC 8259, RFC 6839)."""
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


class Route(Struct, frozen=True):
    """A path to request, and a form of it that may be shown if the path itself contains something secret.

    It is below the server's URL; with `at_root`, below the URL's scheme, host and port.
    """

    path: str
    shown: str
    at_root: bool = False

    @classmethod
    def to(cls, template: str, *segments: str | Secret) -> Route:
        """Fill the `{}` of a path template, each with one escaped segment. Raises ValueError for a text that cannot be one."""
        parts = template.split("{}")
        if len(parts) != len(segments) + 1:
            raise ValueError("a path template and its segments do not match; this is a bug in oauthdeploy")
        path, shown = parts[0], parts[0]
        for value, rest in zip(segments, parts[1:], strict=True):
            plain = segment(value.reveal() if isinstance(value, Secret) else value)
            path += plain + rest
            shown += (MASK if isinstance(value, Secret) else plain) + rest
        return cls(path, shown)


def segment(text: str) -> str:
    """Escape a text as one path segment (RFC 3986, 3.3).

    Raises ValueError for an empty text and for dot segments, with which a path leads to another object (RFC 3986 section
    5.2.4).
    """
    if text in ("", ".", ".."):
        raise ValueError(f"'{text}' cannot be part of a path")
    return quote(text, safe="")


def texts(values: Sequence[Secret]) -> list[str]:
    """The texts of secrets, for comparison with a server's words; never shown."""
    return [value.reveal() for value in values]
