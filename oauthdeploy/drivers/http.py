"""The HTTP client of all drivers: pools, timeouts, retries, limits, TLS, trace, and conversion of responses to errors.

GET, HEAD, OPTIONS, PUT and DELETE (RFC 9110 section 9.2.2) are retried after a broken connection, a timeout, 429, 502, 503
and 504. POST and PATCH are retried only if the server certainly did not carry them out, because no connection was made. A
429 or 503 may come from a gateway after the server has acted, so it proves nothing: the error is `uncertain`, and the driver
reads before it sends the request again. A driver that knows a request to be idempotent says so with `repeatable`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from requests import PreparedRequest, RequestException, Response, Session
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import HTTPError

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import ManifestInvalid, ServerError, UnexpectedAnswer, Unreachable
from oauthdeploy.core.secrets import Secret
from oauthdeploy.core.version import __version__
from oauthdeploy.drivers.egress import Egress, Gate, own_gate
from oauthdeploy.drivers.exchange import Answer, Call, judge
from oauthdeploy.drivers.json_wire import FORM, Route, encode, encode_form, header_secrets, masked, secrets_in
from oauthdeploy.drivers.rate_limit import RETRY_AFTER_LIMIT, backoff, http_date, retry_after
from oauthdeploy.drivers.request_count import Tally, count, counting
from oauthdeploy.drivers.transport import (
    SAFE_METHODS,
    allow_one_post,
    allow_writes,
    deadline,
    host_of,
    make_session,
    prepared,
    send,
    tls_context,
    written,
)
from oauthdeploy.drivers.transport_errors import explain
from oauthdeploy.model.servers import Limits, Proxy, Server

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logging.getLogger("oauthdeploy.http")

__all__ = ["AdminClient", "Answer", "BasicAuth", "BearerAuth", "RenewingAuth", "Tally", "counting", "open_client"]

_IDEMPOTENT: Final = SAFE_METHODS | {"PUT", "DELETE"}
_OVERLOADED: Final = frozenset({429, 503})
_PASSING: Final = frozenset({429, 502, 503, 504})


class BasicAuth(AuthBase):
    """HTTP Basic in UTF-8 (RFC 7617); the password is revealed when a request is about to be sent."""

    def __init__(self, username: str, password: Secret) -> None:
        self._username = username
        self._password = password

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request."""
        basic = HTTPBasicAuth(self._username.encode(), self._password.reveal().encode())
        basic(request)
        return request


class BearerAuth(AuthBase):
    """A fixed bearer token (RFC 6750 section 2.1); it is revealed when a request is about to be sent."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class RenewingAuth(AuthBase, ABC):
    """A sign-in that expires: if the server refuses it, the request is sent again with a new one."""

    @abstractmethod
    def renew(self, refused: PreparedRequest) -> bool:
        """Sign in again after `refused` was answered with 401; False if that cannot help. Raises ServerError."""

    @abstractmethod
    def set_stop_event(self, stop: threading.Event) -> None:
        """As `AdminClient.set_stop_event`."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections."""

    def claims(self) -> Mapping[str, Any]:
        """What the sign-in says about the account, such as the roles in an access token. Default: nothing."""
        return {}

    def time_reached(self) -> int | None:
        """A time that the server's clock has reached by now, in seconds since 1970. Default: unknown."""
        return None


class _Again(Exception):
    """An attempt that may be retried, with the error to raise if it is not."""

    def __init__(self, error: ServerError, after: float | None = None) -> None:
        super().__init__()
        self.error = error
        self.after = after


class AdminClient:
    """Requests to one server, from any number of threads."""

    def __init__(
        self,
        server: str,
        url: str,
        session: Session,
        auth: AuthBase | None,
        limits: Limits,
        *,
        sleep: Callable[[float], None] | None = None,
        gate: Gate | None = None,
    ) -> None:
        """`server` is the name for errors; `url` is the base URL; `session` comes from `make_session`; `gate` is what its
        requests pass (None: one of its own).

        `sleep` waits for some seconds; the default wait also ends when the stop event is set (`set_stop_event`).
        """
        self.server = server
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._root = f"{parts.scheme}://{parts.netloc}"
        self._session = session
        self._auth = auth
        self._limits = limits
        self._stop = threading.Event()
        self._sleep = sleep or self._nap
        self._gate = gate or own_gate(limits)
        self._throttle = self._gate.throttle
        self._lock = threading.Lock()
        self._sent = 0
        self._secrets: set[Secret] = set()

    @property
    def requests(self) -> int:
        """The number of requests sent so far, including retries."""
        return self._sent

    def set_stop_event(self, stop: threading.Event) -> None:
        """Once `stop` is set, waits end at once and nothing is retried; new requests are still sent."""
        self._stop = stop
        if isinstance(self._auth, RenewingAuth):
            self._auth.set_stop_event(stop)

    @property
    def is_stopping(self) -> bool:
        """Whether the stop event is set."""
        return self._stop.is_set()

    def _nap(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()
        if isinstance(self._auth, RenewingAuth):
            self._auth.close()

    def allow_writes(self) -> None:
        """End the refusal to write of a client that was opened for reading; its connections and its sign-in stay."""
        allow_writes(self._session)

    def claims(self) -> Mapping[str, Any]:
        """What the sign-in of the last request says about the account; empty if it says nothing."""
        return self._auth.claims() if isinstance(self._auth, RenewingAuth) else {}

    def time_reached(self) -> int | None:
        """A time that the clock of the server has reached by now, in seconds since 1970; None if the sign-in does not tell it."""
        return self._auth.time_reached() if isinstance(self._auth, RenewingAuth) else None

    def guard(self, secret: Secret) -> None:
        """Never show text of this server that contains `secret`, such as one that it generated."""
        with self._lock:
            self._secrets.add(secret)

    def get(self, route: Route | str, params: Mapping[str, str] | None = None, auth: AuthBase | None = None) -> Answer:
        """GET a JSON document. Raises what `request` raises."""
        return self.request("GET", route, params=params, auth=auth)

    def request(
        self,
        method: str,
        route: Route | str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        repeatable: bool | None = None,
        only_new: bool = False,
        auth: AuthBase | None = None,
    ) -> Answer:
        """Send one request and return the successful response (2xx).

        `route` is an escaped path below the base URL. `body` is a JSON structure that may contain Secrets; with the
        `content_type` FORM it is one level deep and sent as a form. `repeatable` says whether the request is idempotent;
        None: as its method is. With `only_new` it is carried out only if the target does not exist yet (If-None-Match: *,
        RFC 9110 section 13.1.2), and raises Conflict if it does; it is then never retried unless `repeatable` says so.
        `auth` signs this request in place of the sign-in of the server entry.

        Raises Unreachable, Unauthorized, Forbidden, NotFound, Conflict, Rejected, UnexpectedAnswer, ServerError (5xx),
        and WriteRefused on a read-only client. An error is `uncertain` if a write may have been carried out.
        """
        method = method.upper()
        if isinstance(route, str):
            route = Route(route, route)
        again = method in _IDEMPOTENT and not only_new if repeatable is None else repeatable
        call = Call(
            self.server, method, route, body, params or {}, content_type, again, os.urandom(16).hex(), only_new, auth
        )
        for secret in secrets_in(body):
            self.guard(secret)
        if pause := self._throttle.pause:
            self._sleep(pause)
        try:
            return self._attempt(call)
        except _Again as problem:
            first = problem
        try:
            return self._retried(call, first)
        except _Again as last:
            raise last.error from None

    def _retried(self, call: Call, failed: _Again) -> Answer:
        """Send a request again whose first attempt failed. Raises _Again for the last one."""
        # Imported here, since most runs repeat nothing.
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        attempts = Retrying(
            stop=stop_after_attempt(self._limits.retries + 1),
            wait=self._wait,
            retry=retry_if_exception_type(_Again),
            sleep=self._sleep,
            reraise=True,
        )
        made = 0

        def attempt() -> Answer:
            nonlocal failed, made
            made += 1
            if made == 1:
                raise failed
            if self._stop.is_set():
                raise failed.error from None
            try:
                return self._attempt(call)
            except _Again as problem:
                failed = problem
                raise

        return attempts(attempt)

    def _wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what this response requests, and no less than what another one requested."""
        problem = state.outcome.exception() if state.outcome is not None else None
        own = backoff(state.attempt_number, problem.after if isinstance(problem, _Again) else None)
        return max(own, self._throttle.pause)

    def _attempt(self, call: Call) -> Answer:
        self._gate.pace.wait(self._sleep)
        request = self._prepared(call)
        response, raw = self._exchange(call, request)
        # A server that refuses the sign-in has not processed the request, so any method may be sent again.
        auth = call.auth or self._auth
        if response.status_code == 401 and isinstance(auth, RenewingAuth) and auth.renew(request):
            request = self._prepared(call)
            response, raw = self._exchange(call, request)
        return self._judge(call, response, raw, request)

    def _exchange(self, call: Call, request: PreparedRequest) -> tuple[Response, bytes]:
        """Send a request and read the whole response, whatever its status."""
        started = time.monotonic()
        seconds = float(self._limits.timeout)
        silence = min(seconds, self._limits.read_timeout or seconds)
        with self._throttle.turn() as taken, deadline(seconds, silence):
            try:
                self._gate.check()
                timeout = (min(seconds, self._limits.connect_timeout), silence)
                response = send(self._session, request, timeout)
                with response:
                    raw = self._read(call, response)
            except (RequestException, HTTPError, OSError) as error:
                self._trace(call, "no answer", started)
                raise self._lost(call, error, seconds) from None
        self._count(call)
        self._trace(call, str(response.status_code), started)
        self._adapt(response, taken)
        return response, raw

    def _adapt(self, response: Response, started: float) -> None:
        """Send less if the server reports overload, and more again if it copes."""
        if response.status_code in _OVERLOADED:
            after = _asked_to_wait(response)
            self._throttle.slow_down(started, None if after is None else min(after, RETRY_AFTER_LIMIT))
        elif response.status_code < 500:
            self._throttle.speed_up()

    def _count(self, call: Call) -> None:
        with self._lock:
            self._sent += 1
            count(writes=call.writes)

    def _prepared(self, call: Call) -> PreparedRequest:
        headers = {
            "Accept": "application/json",
            # A response without compression cannot be a decompression bomb.
            "Accept-Encoding": "identity",
            "User-Agent": f"oauthdeploy/{__version__}",
            "X-Request-Id": call.id,
        }
        if call.only_new:
            headers["If-None-Match"] = "*"
        data = None
        if call.body is not None:
            data = encode_form(call.body) if call.content_type == FORM else encode(call.body)
            headers["Content-Type"] = call.content_type
        address = self._addresses[call.route.at_root] + call.route.path
        if call.params:
            address += f"?{urlencode(call.params)}"
        return prepared(call.method, address, headers, data, call.auth or self._auth)

    @cached_property
    def _addresses(self) -> tuple[str, str]:
        """The base URL and its root as they are requested: in ASCII."""
        return written(self.url), written(self._root)

    def _read(self, call: Call, response: Response) -> bytes:
        if call.method == "HEAD" or response.status_code in (204, 304):
            # Nothing follows, but only a response that was read to its end releases its connection.
            response.raw.drain_conn()
            return b""
        chunks: list[bytes] = []
        size, limit = 0, self._limits.answer_size
        for chunk in response.raw.stream(2**16, decode_content=False):
            size += len(chunk)
            if size > limit * 2**20:
                raise call.error(
                    UnexpectedAnswer,
                    f"The answer of '{self.server}' is larger than {limit} MiB",
                    status=response.status_code,
                    fix="Raise limits.answer_size if the server has that much data.",
                    uncertain=call.writes,
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _lost(self, call: Call, error: BaseException, seconds: float) -> Exception:
        fault = explain(error, seconds)
        if fault.sent:
            self._count(call)
        kind, what = (
            (UnexpectedAnswer, "returned no usable answer") if fault.garbled else (Unreachable, "cannot be reached")
        )
        summary = f"'{self.server}' {what}: {fault.words}"
        uncertain = call.writes and fault.sent
        # Which address was asked explains more than a name; one from a reference is shown as that (`core.disclosure`).
        self_made = call.error(kind, summary, fix=fault.fix, uncertain=uncertain, address=self.url)
        if fault.transient and (call.repeatable or not fault.sent):
            return _Again(self_made)
        return self_made

    def _judge(self, call: Call, response: Response, raw: bytes, request: PreparedRequest) -> Answer:
        try:
            return judge(call, response.status_code, response.headers, raw, lambda: self._guarded(request))
        except ServerError as error:
            status = error.status
            if status in _PASSING and call.repeatable:
                raise _Again(error, _asked_to_wait(response)) from None
            raise

    def _guarded(self, request: PreparedRequest) -> list[str]:
        """Texts that must not occur in quoted words of the server: secrets that were sent, and what signed this request."""
        with self._lock:
            sent = [secret.reveal() for secret in self._secrets]
        for name in ("Authorization", "Proxy-Authorization"):
            sent += header_secrets(request.headers.get(name))
        return sent

    def _trace(self, call: Call, end: str, started: float) -> None:
        if log.isEnabledFor(logging.DEBUG):
            took = (time.monotonic() - started) * 1000
            body = "" if call.body is None else f" {masked(call.body)!r}"
            log.debug(
                "%s %s %s: %s in %.0f ms [%s]%s", self.server, call.method, call.route.shown, end, took, call.id, body
            )


def open_client(
    server_name: str,
    server: Server,
    auth: AuthBase | None,
    *,
    read_only: bool,
    base: Path,
    post_only: str | None = None,
    egress: Egress | None = None,
) -> AdminClient:
    """Create the client of one server entry; its TLS files are relative to the folder `base`.

    With `read_only` every method but GET, HEAD and OPTIONS raises WriteRefused before anything is sent; with `post_only`
    everything but a POST to that path below the server's URL. `egress` is the way out of the process, if that is
    shared. Sends nothing. Raises ManifestInvalid for an invalid URL or TLS file.
    """
    url = server.url or ""
    why = _bad_address(url)
    if why:
        fix = "Write only the base address, such as https://is.example.com:5543."
        finding = Diagnostic("server-url", "The address cannot be used", why, fix, path=("servers", server_name, "url"))
        raise ManifestInvalid(Diagnostics.of([finding]))
    proxy = server.proxy
    if isinstance(proxy, Proxy) and (why := _bad_address(proxy.url)):
        fix = "Write only its address, such as http://proxy.example.com:3128; use the keys username and password for credentials."
        place = ("servers", server_name, "proxy", "url")
        finding = Diagnostic("proxy-url", "The address of the proxy cannot be used", why, fix, path=place)
        raise ManifestInvalid(Diagnostics.of([finding]))
    context = tls_context(server_name, server.tls, base) if url.lower().startswith("https:") else None
    session = make_session(
        url,
        server.limits.parallel,
        context,
        read_only=read_only,
        proxy=proxy,
        server_name=server.tls.server_name,
        egress=egress,
    )
    if post_only is not None:
        allow_one_post(session, url.rstrip("/") + post_only)
    gate = egress.gate(url, server.limits) if egress is not None else None
    client = AdminClient(server_name, url, session, auth, server.limits, gate=gate)
    if isinstance(proxy, Proxy) and proxy.password is not None:
        client.guard(proxy.password)
    return client


def _asked_to_wait(response: Response) -> float | None:
    """The seconds of Retry-After by the server's own clock; None if absent or invalid."""
    now = http_date(response.headers.get("Date")) or datetime.now(UTC)
    return retry_after(response.headers.get("Retry-After"), now)


def _bad_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return "It is not an address."
    if parts.scheme not in ("http", "https") or not host_of(url):
        return "It must start with http:// or https:// and name a host."
    if parts.username is not None or parts.password is not None:
        return "Do not put credentials in it; use the credentials of the server entry."
    if parts.query or parts.fragment:
        return "It must not have a query or a fragment."
    return ""
