"""Signs in with an access token (RFC 6749 sections 4.3 and 4.4), fetched with the first request and renewed before it expires.

The request and the response have only a few fields, so no OAuth library is used: those build the form as one string with the
secret in it, and parse the response again from text. Here the secret stays a `Secret` until it is sent, and the response is
parsed by the one JSON reader that trusts nothing.
"""

from __future__ import annotations

import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, Final

from requests import PreparedRequest

from oauthdeploy.core.errors import Forbidden, NotFound, Rejected, ServerError, Unauthorized, UnexpectedAnswer
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.http import AdminClient, RenewingAuth
from oauthdeploy.drivers.json_wire import FORM, decode

EARLY_SECONDS: Final = 30.0
"""How long before its expiry a token is renewed, or when a fifth of its lifetime is left, whichever is later."""


class TokenAuth(RenewingAuth):
    """Adds a bearer token (RFC 6750) to every request. Safe to use from several threads; one of them fetches for all.

    Fetching a token changes nothing on the server that a plan could manage, and how often it happens depends on how long a run
    takes; so it is not counted among the requests of a plan.
    """

    def __init__(
        self,
        http: AdminClient,
        path: str,
        form: Mapping[str, str | Secret],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`http` is from `SignIn.token_client` for `path`, the token endpoint; `form` is the body of the request. `clock`
        returns seconds.
        """
        self._http = http
        self._path = path
        self._form = form
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._renew_at = 0.0
        self._arrived = 0.0

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request. Raises ServerError if no token can be obtained."""
        with self._lock:
            token = self._token
            if token is None or self._clock() >= self._renew_at:
                token = self._fetch()
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
        return request

    def claims(self) -> Mapping[str, Any]:
        """The claims of the current token, if it is a JWT (RFC 9068); not verified, and empty if it is not."""
        with self._lock:
            token = self._token
        parts = token.reveal().split(".") if token is not None else []
        if len(parts) != 3:
            return {}
        try:
            body = decode(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            return {}
        return body if isinstance(body, Mapping) else {}

    def time_reached(self) -> int | None:
        """When the current token was issued (RFC 9068 section 2.2, `iat`), and the time since it arrived."""
        issued = self.claims().get("iat")
        with self._lock:
            passed = self._clock() - self._arrived
        return int(issued + passed) if isinstance(issued, int) and not isinstance(issued, bool) else None

    def renew(self, refused: PreparedRequest) -> bool:
        """Fetch a new token, unless another thread has done so since `refused` was signed."""
        with self._lock:
            if self._token is None or refused.headers.get("Authorization") == f"Bearer {self._token.reveal()}":
                self._fetch()
        return True

    def set_stop_event(self, stop: threading.Event) -> None:
        """As `AdminClient.set_stop_event`."""
        self._http.set_stop_event(stop)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _fetch(self) -> Secret:
        self._token = None
        started = self._clock()
        # In its own context: the request must not be counted for whoever happens to need the token first.
        token, seconds = Context().run(self._ask)
        self._token, self._arrived = token, self._clock()
        self._renew_at = float("inf") if seconds is None else started + seconds - min(EARLY_SECONDS, seconds / 5)
        return token

    def _ask(self) -> tuple[Secret, float | None]:
        """The token, and its lifetime in seconds (None if the response does not have it)."""
        try:
            answer = self._http.request("POST", self._path, self._form, content_type=FORM, repeatable=True)
        except ServerError as error:
            raise self._refusal(error) from None
        body = answer.body if isinstance(answer.body, Mapping) else {}
        token, kind, seconds = body.get("access_token"), body.get("token_type"), body.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise self._garbled("it has no access token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise self._garbled("its token is not a bearer token")
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0):
            raise self._garbled("expires_in is not a number of seconds")
        return Secret(token, "server"), None if seconds is None else float(seconds)

    def _refusal(self, error: ServerError) -> ServerError:
        """What a failed sign-in means: 400 is a refusal too (RFC 6749 section 5.2), and it never changed anything."""
        error.uncertain = False
        context: dict[str, Any] = {
            "server": error.server,
            "method": error.method,
            "path": error.path,
            "status": error.status,
            "words": error.words,
        }
        if isinstance(error, NotFound):
            fix = "Check url, and the realm or tenant that the credentials belong to."
            return Unauthorized(f"'{error.server}' has no token endpoint there", **context, fix=fix)
        if isinstance(error, Unauthorized | Forbidden | Rejected) and error.status != 429:
            fix = "Check the credentials of the server entry, and that their client may use this grant."
            return Unauthorized(f"'{error.server}' refused the sign-in", **context, fix=fix)
        return error

    def _garbled(self, why: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            f"The answer of the token endpoint of '{self._http.server}' cannot be used: {why}",
            server=self._http.server,
            method="POST",
            path=self._path,
            fix="Check that url points to the authorization server, not to a proxy or a portal.",
        )
