"""One request and its response: a JSON document, or an error of this tool for the HTTP status."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from oauthdeploy.core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Rejected,
    ServerError,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from oauthdeploy.core.values import LateTyped
from oauthdeploy.drivers.json_wire import NotJson, Route, clean, decode, error_code, is_json, media_type, server_words
from oauthdeploy.drivers.rate_limit import http_date
from oauthdeploy.drivers.transport import SAFE_METHODS, redirect_host

if TYPE_CHECKING:
    from requests.auth import AuthBase

_ID_AT_END: Final = re.compile(r"/([0-9A-Za-z-]{1,64})\Z")


class Answer(Struct, frozen=True):
    """A successful response. `body` is the parsed JSON or None; `date` is the server's clock, if the response has it.

    `made` is the last segment of the Location of the created object (RFC 9110 section 10.2.2), "" if absent; it has only
    letters, digits and hyphens.
    """

    status: int
    body: Any
    date: datetime | None = None
    made: str = ""


class Call(LateTyped, frozen=True):
    """One request of a driver."""

    server: str
    method: str
    route: Route
    body: Any
    params: Mapping[str, str]
    content_type: str
    repeatable: bool
    id: str
    only_new: bool = False
    auth: AuthBase | None = None

    @property
    def writes(self) -> bool:
        """Whether the method may change something."""
        return self.method not in SAFE_METHODS

    def error(
        self,
        kind: type[ServerError],
        summary: str,
        status: int | None = None,
        words: str = "",
        fix: str = "",
        uncertain: bool = False,
        address: str = "",
    ) -> ServerError:
        """An error of this request. The path is shown in its safe form, and below the base `address` in the detail."""
        return kind(
            summary,
            server=self.server,
            method=self.method,
            path=self.route.shown,
            status=status,
            words=words,
            fix=fix,
            uncertain=uncertain,
            address=address,
        )


def judge(
    call: Call, status: int, headers: Mapping[str, str], raw: bytes, guarded: Callable[[], Iterable[str]]
) -> Answer:
    """Return the successful response (2xx), or raise the error for the status.

    `raw` is the whole body; `guarded` returns the texts that must not occur in quoted words of the server. Raises
    ServerError.
    """
    if 200 <= status < 300:
        location = _ID_AT_END.search(headers.get("Location", "")) if status == 201 else None
        return Answer(
            status, _parsed(call, status, headers, raw), http_date(headers.get("Date")), location[1] if location else ""
        )
    if call.only_new and status in (304, 412):
        # RFC 9110 section 13.2.2 requires 412 for a write; some servers return 304, which is for reads.
        raise call.error(Conflict, f"'{call.server}' already has an object there", status)
    # Following a redirect would send the credentials to its target (RFC 9110 section 15.4), so none is followed.
    if 300 <= status < 400:
        raise redirected(call, status, headers)
    content_type = headers.get("Content-Type", "")
    error = refused(call, status, server_words(raw, content_type, guarded()))
    error.code = error_code(raw, content_type)
    error.asks_to_wait = "Retry-After" in headers
    raise error


def _parsed(call: Call, status: int, headers: Mapping[str, str], raw: bytes) -> Any:
    # 204 has no content (RFC 9110, 15.3.5), and some servers leave a 200 or 201 empty as well.
    if not raw.strip():
        return None
    # Requests ask for `identity`, because a small compressed response could expand to any size.
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    media = media_type(headers.get("Content-Type", ""))
    why = ""
    if encoding not in ("", "identity"):
        why = "it is compressed, though compression was not requested"
    elif media and not is_json(media):
        why = f"it is {clean(media, 60)}, not application/json"
    else:
        try:
            return decode(raw)
        except NotJson as problem:
            why = str(problem)
    raise call.error(
        UnexpectedAnswer,
        f"The answer of '{call.server}' cannot be used: {why}",
        status=status,
        fix="Check that url points to the administration API, not to a proxy, a portal or a sign-in page.",
        uncertain=call.writes,
    )


def redirected(call: Call, status: int, headers: Mapping[str, str]) -> ServerError:
    """The error for a 3xx: credentials are never sent to the target of a redirect."""
    target = redirect_host(headers)
    destination = f"to {target}" if target else "to another path"
    return call.error(
        UnexpectedAnswer,
        f"'{call.server}' redirects {destination}",
        status,
        fix="Redirects are not followed, because they would receive the credentials. Set url to the final address.",
    )


def refused(call: Call, status: int, words: str) -> ServerError:
    """The error for a status of 400 and up; `words` are the server's, cleaned."""
    name = f"'{call.server}'"
    match status:
        case 401:
            fix = "Check the credentials of the server entry."
            return call.error(Unauthorized, f"{name} rejected the credentials", status, words, fix)
        case 403:
            fix = "Give the account the right to do this, or use another account."
            return call.error(Forbidden, f"{name} does not allow the account to do this", status, words, fix)
        case 404:
            return call.error(NotFound, f"{name} does not have it", status, words)
        case 409:
            return call.error(Conflict, f"{name} reports a conflict", status, words)
        case 502 | 503 | 504:
            # 503 should say that the request was not handled (RFC 9110, 15.6.4), but gateways also send it when the server
            # behind them was too slow, and has done it.
            fix = "The server or a proxy before it is not ready; try again later."
            return call.error(Unreachable, f"{name} is not available", status, words, fix, call.writes)
        case 429:
            fix = "Lower limits.parallel or limits.requests_per_second."
            return call.error(Rejected, f"{name} rejects the request", status, words, fix, call.writes)
        case _ if 400 <= status < 500:
            return call.error(Rejected, f"{name} rejects the request", status, words)
        case _ if status >= 500:
            fix = "See the server's log."
            return call.error(ServerError, f"{name} failed", status, words, fix, call.writes)
        case _:
            return call.error(UnexpectedAnswer, f"{name} returned an unexpected status", status)
