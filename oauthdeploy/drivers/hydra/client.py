"""The HTTP side: one method for each request of Hydra's admin API that the driver sends, and nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from oauthdeploy.core.errors import NotFound, Rejected
from oauthdeploy.drivers.common_steps import all_pages, parsed, route_to, unroutable
from oauthdeploy.drivers.http import AdminClient, Answer
from oauthdeploy.drivers.hydra.mapping import sealed
from oauthdeploy.drivers.json_values import Garbled, an_object
from oauthdeploy.drivers.json_wire import Route

VERSION: Final = "/version"
CLIENTS: Final = "/admin/clients"
CLIENT: Final = "/admin/clients/{}"
LIFESPANS: Final = "/admin/clients/{}/lifespans"
TOKENS: Final = "/admin/oauth2/tokens"
CONSENTS: Final = "/admin/oauth2/auth/sessions/consent"

PAGE: Final = 500
"""The number of clients in one page; Hydra returns at most 1,000."""

_ATTEMPTS: Final = 8
_COLLISION: Final = "serialize access"
"""Of the message with which Hydra answers 400 to one of two writes at the same time, also to different clients."""
_PATCH: Final = "application/json-patch+json"

Json = Mapping[str, Any]
Operation = Mapping[str, Any]
"""One operation of a JSON Patch (RFC 6902)."""


class AdminApi:
    """Hydra's admin API. Methods raise ServerError; those that look for one client return None if it does not exist.

    Secrets in responses are sealed, so that nothing shows them.
    """

    def __init__(self, http: AdminClient, parallel: int) -> None:
        self.http = http
        self.parallel = parallel

    def version(self) -> str:
        """The version that the server reports; "" if it reports none."""
        try:
            body = self.http.get(VERSION).body
        except (NotFound, Rejected):
            return ""
        found = body.get("version") if isinstance(body, Mapping) else None
        return found if isinstance(found, str) else ""

    def probe(self) -> None:
        """Read one client of a page. Raises NotFound where there is no admin API."""
        self.http.get(CLIENTS, {"page_size": "1"})

    def clients(self, expected: int = 0) -> Sequence[Json]:
        """All clients; `expected` is roughly how many there are: their pages are requested at once."""
        return all_pages(self._page, size=PAGE, known=expected, parallel=self.parallel, key="client_id")

    def _page(self, offset: int) -> Sequence[Json]:
        answer = self.http.get(CLIENTS, page_of(offset, PAGE))

        def read() -> Sequence[Json]:
            if not isinstance(answer.body, list):
                raise Garbled("it is not a list")
            return [sealed(an_object(one, "a client")) for one in answer.body]

        return parsed(self.http.server, "GET", CLIENTS, read)

    def client(self, client_id: str) -> Json | None:
        """A client by its id."""
        try:
            return self._read("GET", CLIENT, self.http.get(self._route(CLIENT, client_id)))
        except NotFound:
            return None

    def create(self, body: Json) -> Json:
        """POST a client; the response has the secret that the server made. Raises Conflict if its id is taken."""
        return self._read("POST", CLIENTS, self._write("POST", CLIENTS, body))

    def patch(self, client_id: str, operations: Sequence[Operation]) -> Json:
        """Change fields of a client, whose other fields stay (RFC 6902)."""
        route = self._route(CLIENT, client_id)
        # Each operation sets a whole value, so that a repetition changes nothing more.
        answer = self._write("PATCH", route, list(operations), content_type=_PATCH, repeatable=True)
        return self._read("PATCH", CLIENT, answer)

    def put_lifespans(self, client_id: str, body: Json) -> Json:
        """Replace all lifetimes of a client's tokens. A PATCH cannot take one away: Hydra ignores its null."""
        answer = self._write("PUT", self._route(LIFESPANS, client_id), body)
        return self._read("PUT", LIFESPANS, answer)

    def delete(self, client_id: str) -> bool:
        """DELETE a client with its tokens; False if it did not exist."""
        try:
            self._write("DELETE", self._route(CLIENT, client_id))
        except NotFound:
            return False
        return True

    def delete_tokens(self, client_id: str) -> Answer:
        """Delete the access tokens of a client; its refresh tokens stay."""
        return self._write("DELETE", TOKENS, params={"client_id": client_id})

    def delete_consents(self, client_id: str, subject: str) -> Answer:
        """Withdraw what a user consented to for a client, with the access and refresh tokens issued for it."""
        return self._write("DELETE", CONSENTS, params={"client": client_id, "subject": subject})

    def _write(self, method: str, route: Route | str, body: Any = None, **options: Any) -> Answer:
        """Send a write, again where the database gave way to another one at the same time: nothing was done then."""
        attempts = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.02, max=0.5),
            retry=retry_if_exception(lambda error: isinstance(error, Rejected) and _COLLISION in error.words),
            reraise=True,
        )
        return attempts(lambda: self.http.request(method, route, body, **options))

    def _read(self, method: str, path: str, answer: Answer) -> Json:
        return parsed(self.http.server, method, path, lambda: sealed(an_object(answer.body, "a client")))

    def _route(self, path: str, client_id: str) -> Route:
        if "/" in client_id:
            # The router takes it for a separator, escaped or not, and answers 404, as for a client that does not exist.
            why = f"Hydra cannot find '{client_id}' by its id, which has a slash"
            raise unroutable(self.http.server, path, why)
        return route_to(self.http.server, path, client_id)


def page_of(offset: int, size: int) -> Mapping[str, str]:
    """The query for the page of `size` clients that begins at `offset`."""
    return {"page_size": str(size)} | ({"page_token": _token(offset)} if offset else {})


def _token(offset: int) -> str:
    """The token of a page, as the Link header of the one before has it."""
    return urlsafe_b64encode(f'{{"offset":"{offset}","v":2}}'.encode()).decode("ascii").rstrip("=")
