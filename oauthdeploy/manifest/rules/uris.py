"""How rules parse addresses: redirect URIs of all kinds, and base addresses of servers."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

PLAIN_HTTPS: Final = re.compile(
    r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~/-]*)?\Z"
)
"""Redirect URIs that no rule reports anything about; most are of this kind, so they are not parsed."""

_URI_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*\Z")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


class RedirectUri(Struct, frozen=True):
    """A parsed redirect URI. `problem` says why it is not an absolute URI (RFC 3986 section 4.3), or is empty."""

    text: str
    scheme: str
    host: str = ""
    userinfo: bool = False
    fragment: bool = False
    problem: str = ""

    @property
    def is_web(self) -> bool:
        """True for http and https."""
        return self.scheme in ("http", "https")

    @property
    def is_loopback(self) -> bool:
        """True for a loopback IP address, not for the name localhost."""
        return _is_loopback_ip(self.host)


def read_redirect_uri(text: str) -> RedirectUri:
    """Parse a redirect URI; an invalid one has a `problem` and never raises an error."""
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    if match is None:
        return RedirectUri(text, scheme, problem="it has no scheme, so it is not absolute")
    if not _URI_CHARACTERS.match(text):
        return RedirectUri(text, scheme, problem="it has characters that a URI cannot contain")
    if _BAD_ESCAPE.search(text):
        return RedirectUri(text, scheme, problem="it has a % that is not followed by two hexadecimal digits")
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return RedirectUri(text, scheme, problem="its host or port is malformed")
    problem = "it has no host" if scheme in ("http", "https") and not host else ""
    return RedirectUri(text, scheme, host, "@" in parts.netloc, "#" in text, problem)


_SCHEME_AND_HOST: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//[^/?#]*)?")


def equivalent(text: str) -> str:
    """A normal form: equal for URIs that differ only in the case of scheme and host (RFC 3986 section 6.2.2.1)."""
    found = _SCHEME_AND_HOST.match(text)
    return text if found is None else found[0].lower() + text[found.end() :]


def server_url_problem(text: str) -> str:
    """Why a string cannot be the base address of a server; empty if it can."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its host or port is malformed"
    if parts.scheme.lower() not in ("http", "https"):
        return "it does not start with https://"
    if not host:
        return "it has no host"
    if any(character.isspace() or not character.isprintable() for character in text):
        return "it contains a space or a control character"
    if "@" in parts.netloc:
        return "it contains a user name or a password"
    if "?" in text or "#" in text:
        return "it has a query or a fragment"
    return ""


def is_plain_http(text: str) -> bool:
    """True for an http address of another machine."""
    return text.lower().startswith("http://") and not is_loopback_url(text)


def is_loopback_url(text: str) -> bool:
    """True for an address on this machine: localhost, 127.0.0.0/8 or ::1."""
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or host.endswith(".localhost") or _is_loopback_ip(host)


def _is_loopback_ip(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
