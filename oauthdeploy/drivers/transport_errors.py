"""Explains failed requests from the exceptions of the HTTP library: what happened, and what to do."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import TypeVar

import requests
from msgspec import Struct
from urllib3.exceptions import NameResolutionError, NewConnectionError

from oauthdeploy.drivers.egress import Withheld
from oauthdeploy.drivers.json_wire import clean
from oauthdeploy.drivers.transport import Silent

E = TypeVar("E", bound=BaseException)


class Fault(Struct, frozen=True):
    """Why there was no response.

    `sent` is false if the request certainly never reached the server; `transient` is true if retrying may help; `garbled` if
    something other than HTTP came back.
    """

    words: str
    fix: str = ""
    sent: bool = True
    transient: bool = True
    garbled: bool = False


_RUNNING = "Check that the server is running and that url has its host and port."


def explain(error: BaseException, seconds: float) -> Fault:
    """Classify an exception that ended a request; `seconds` is the request's time limit."""
    causes = tuple(_causes(error))
    withheld = _first(causes, Withheld)
    if withheld is not None:
        return Fault(withheld.words, withheld.fix, sent=False, transient=False)
    tls = _first(causes, ssl.SSLError)
    if tls is not None:
        return _tls_fault(tls)
    if isinstance(error, requests.exceptions.ProxyError):
        fix = "Check proxy of the server entry, or HTTPS_PROXY, HTTP_PROXY and NO_PROXY."
        return Fault("the proxy did not connect", fix, sent=False)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Fault("timed out while connecting", _RUNNING, sent=False)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
        return Fault("the address cannot be requested", "Correct url in the manifest.", sent=False, transient=False)
    if _first(causes, NewConnectionError, NameResolutionError) is not None:
        return _connect_fault(causes)
    if _first(causes, Silent) is not None:
        return Fault("it did not respond in time", "Raise limits.read_timeout if the server needs longer.")
    if isinstance(error, requests.exceptions.Timeout) or _first(causes, TimeoutError) is not None:
        return Fault(f"no complete answer within {seconds:g} s", "Raise limits.timeout if the server needs longer.")
    if _first(causes, http.client.RemoteDisconnected, ConnectionError, http.client.IncompleteRead) is not None:
        return Fault("the connection broke before the answer was complete", "Try again; see the server's log.")
    if _first(causes, http.client.HTTPException) is not None:
        fix = "Check that url has the administration port and the right scheme, http or https."
        return Fault("the answer is not HTTP", fix, transient=False, garbled=True)
    return Fault(clean(f"the connection failed ({type(error).__name__})"), _RUNNING)


def _tls_fault(error: ssl.SSLError) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = clean(error.verify_message or "not trusted")
        fix = "Give the authority's certificate in tls.ca_file, and use the host name in the certificate."
        return Fault(f"the server's certificate was rejected: {why}", fix, sent=False, transient=False)
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"):
        return Fault("the port does not speak TLS", "Use http:// or the TLS port.", sent=False, transient=False)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Fault("the TLS connection broke", "Try again; see the server's log.")
    reason = clean((error.reason or "unknown reason").replace("_", " ").lower())
    fix = "The server must speak tls.minimum_version or newer (default TLSv1.2), and accept the client certificate, if any."
    return Fault(f"TLS failed: {reason}", fix, transient=False)


def _connect_fault(causes: tuple[BaseException, ...]) -> Fault:
    unknown = _first(causes, socket.gaierror)
    if unknown is not None:
        passing = unknown.errno == socket.EAI_AGAIN
        return Fault("the host name is unknown", "Correct url in the manifest.", sent=False, transient=passing)
    refused = _first(causes, ConnectionRefusedError)
    why = "the connection was refused" if refused is not None else "the host cannot be reached"
    return Fault(why, _RUNNING, sent=False)


def _first(causes: tuple[BaseException, ...], *kinds: type[E]) -> E | None:
    return next((cause for cause in causes if isinstance(cause, kinds)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and everything that caused it: its arguments, reasons and causes."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        for inner in (*current.args, getattr(current, "reason", None), current.__cause__, current.__context__):
            if isinstance(inner, BaseException):
                waiting.append(inner)
