"""The HTTP side: metadata (RFC 8414, OpenID Connect Discovery), registration (RFC 7591) and management (RFC 7592)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from oauthdeploy.core.errors import NotFound, Rejected, ServerError, UnexpectedAnswer, Unsupported
from oauthdeploy.core.secrets import MASK, Secret
from oauthdeploy.core.urls import normalized_url
from oauthdeploy.drivers.common_steps import parsed
from oauthdeploy.drivers.http import AdminClient, Answer, BearerAuth
from oauthdeploy.drivers.json_values import an_object, some_texts
from oauthdeploy.drivers.json_wire import Route
from oauthdeploy.drivers.rfc7591.client_registry import Entry
from oauthdeploy.drivers.rfc7591.errors import INITIAL, MANAGEMENT, named
from oauthdeploy.drivers.rfc7591.mapping import client_id_of, sealed

RFC8414: Final = "/.well-known/oauth-authorization-server"
OPENID: Final = "/.well-known/openid-configuration"
_ATTEMPTS: Final = 4
_TOO_MANY: Final = 429

Json = Mapping[str, Any]
T = TypeVar("T")


class Metadata(Struct, frozen=True):
    """What the server says of itself (RFC 8414 section 2). None: it does not say."""

    issuer: str
    registration: str = ""
    introspection: str = ""
    revocation: str = ""
    scopes: frozenset[str] | None = None
    grants: frozenset[str] | None = None
    responses: frozenset[str] | None = None


class RegistrationApi:
    """The requests of the driver. Methods raise ServerError. Secrets in responses are sealed, so that nothing shows them."""

    def __init__(self, http: AdminClient, issuer: str | None) -> None:
        """`issuer` is the one that the metadata must name; None: the URL."""
        self.http = http
        path = urlsplit(http.url).path
        self.places = (Route(f"{RFC8414}{path}", f"{RFC8414}{path}", at_root=True), Route(OPENID, OPENID))
        """Where metadata may be: those of RFC 8414, and of OpenID Connect."""
        self._issuer = issuer or http.url
        self._origins = {_origin(http.url), _origin(self._issuer)}

    def metadata(self) -> Metadata:
        """The metadata, of RFC 8414 or else of OpenID Connect. Raises Unsupported if there is none."""
        for place in self.places:
            try:
                answer = self.http.get(place)
            except (NotFound, Rejected) as error:
                if error.status == _TOO_MANY:
                    raise
                continue
            return self._read_metadata(place.shown, answer)
        raise Unsupported(
            f"'{self.http.server}' publishes no metadata",
            server=self.http.server,
            method="GET",
            path=OPENID,
            fix="Write the issuer as url: it has /.well-known/oauth-authorization-server or openid-configuration below it.",
        )

    def _read_metadata(self, path: str, answer: Answer) -> Metadata:
        def read() -> Metadata:
            raw = an_object(answer.body, "the metadata")
            return Metadata(
                _a_text(raw, "issuer"),
                _a_text(raw, "registration_endpoint"),
                _a_text(raw, "introspection_endpoint"),
                _a_text(raw, "revocation_endpoint"),
                _listed(raw, "scopes_supported"),
                _listed(raw, "grant_types_supported"),
                _listed(raw, "response_types_supported"),
            )

        found = parsed(self.http.server, "GET", path, read)
        if normalized_url(found.issuer) != normalized_url(self._issuer):
            # RFC 8414 section 3.3: metadata of another issuer must not be used.
            raise UnexpectedAnswer(
                f"The metadata of '{self.http.server}' are those of another issuer",
                server=self.http.server,
                method="GET",
                path=path,
                fix=f"If {found.issuer or 'an issuer'} is meant, write it as issuer of the server entry.",
            )
        return found

    def register(self, endpoint: str, body: Json, token: Secret | None) -> tuple[Json, Entry]:
        """POST a client, once. The response has its id, its secret, and how it is managed."""
        route = self._route(endpoint, "")
        auth = BearerAuth(token) if token is not None else None
        with named(INITIAL):
            answer = _patiently(lambda: self.http.request("POST", route, body, auth=auth))
        raw = self._client("POST", route, answer)
        return raw, self._entry(raw, Entry(client_id_of(raw)))

    def read(self, entry: Entry) -> tuple[Json, Entry]:
        """GET a client; the entry has a new token if the server gave one."""
        route = self._route(entry.uri, entry.client_id)
        with named(MANAGEMENT):
            raw = self._client("GET", route, self.http.get(route, auth=_bearer(entry)))
        return raw, self._entry(raw, entry)

    def update(self, entry: Entry, body: Json) -> tuple[Json, Entry]:
        """PUT a client, whole. It is sent once: a lost answer may have had a new token, and the old one is then refused."""
        route = self._route(entry.uri, entry.client_id)
        with named(MANAGEMENT):
            answer = _patiently(lambda: self.http.request("PUT", route, body, auth=_bearer(entry), repeatable=False))
        raw = self._client("PUT", route, answer)
        return raw, self._entry(raw, entry)

    def delete(self, entry: Entry) -> None:
        """DELETE a client. It is sent once: the token of a deleted client is refused like a wrong one."""
        route = self._route(entry.uri, entry.client_id)
        with named(MANAGEMENT):
            _patiently(lambda: self.http.request("DELETE", route, auth=_bearer(entry), repeatable=False))

    def _client(self, method: str, route: Route, answer: Answer) -> Json:
        def read() -> Json:
            raw = sealed(an_object(answer.body, "a client"))
            client_id_of(raw)
            return raw

        return parsed(self.http.server, method, route.shown, read)

    def _entry(self, raw: Json, before: Entry) -> Entry:
        """The entry after a response, which may have a new token and address (RFC 7592 section 3)."""
        for secret in (raw.get("client_secret"), raw.get("registration_access_token")):
            if isinstance(secret, Secret):
                self.http.guard(secret)
        token, uri = raw.get("registration_access_token"), raw.get("registration_client_uri")
        return Entry(
            client_id_of(raw),
            uri if isinstance(uri, str) and uri else before.uri,
            token if isinstance(token, Secret) else before.token,
            before.owner,
            before.revision,
            former=before.token if isinstance(token, Secret) and token != before.token else before.former,
        )

    def _route(self, url: str, client_id: str) -> Route:
        """The route of an absolute URL. Raises Unsupported for another host, which must not get a token."""
        if _origin(url) not in self._origins:
            raise Unsupported(
                f"'{self.http.server}' names an address on another host",
                server=self.http.server,
                fix="Tokens are sent to the host of url alone. Write the address as url, or as options.registration_endpoint.",
            )
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        # An address may have the token in it; one that ends with the id of the client does not.
        harmless = not client_id or (not parts.query and parts.path.endswith(client_id))
        return Route(path, parts.path if harmless else MASK, at_root=True)


def _listed(raw: Json, key: str) -> frozenset[str] | None:
    return frozenset(some_texts(raw, key)) if key in raw else None


def _a_text(raw: Json, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _origin(url: str) -> str:
    parts = urlsplit(normalized_url(url))
    return f"{parts.scheme}://{parts.netloc}"


def _bearer(entry: Entry) -> BearerAuth | None:
    return BearerAuth(entry.token) if entry.token is not None else None


def _patiently(send: Callable[[], T]) -> T:
    """Send a request, again after 429 with Retry-After, with which a server says that it wants the request later.

    RFC 6585 section 4 does not say that nothing was done, so after a 429 alone this is unknown, as after any lost response.
    """
    for _attempt in range(_ATTEMPTS - 1):
        try:
            return send()
        except ServerError as error:
            if not is_postponed(error):
                raise
    return send()


def is_postponed(error: ServerError) -> bool:
    """Whether the server did not carry out a request and wants it later."""
    return error.status == _TOO_MANY and error.asks_to_wait
