"""One spelling for each URL: what RFC 3986 section 6.2 calls equivalent becomes equal."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]\Z")


def normalized_url(url: str) -> str:
    """The URL in one spelling, without user information, query or fragment: scheme and host in lower case, no default port, no
    dot segments, no trailing slash, escapes only if needed. A string that is not a URL is returned unchanged.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return url
    if not parts.scheme or not parts.hostname:
        return url
    scheme, host = parts.scheme.lower(), parts.hostname.lower().rstrip(".")
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{host}:{port}"
    return urlunsplit((scheme, place, _path(parts.path), "", ""))


def _path(path: str) -> str:
    kept: list[str] = []
    for segment in _ESCAPE.sub(_least, path).split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept) if kept else ""


def _least(escape: re.Match[str]) -> str:
    """Decodes an unnecessary escape, and writes others in upper case."""
    character = unquote(escape[0])
    return character if _UNRESERVED.match(character) else escape[0].upper()
