"""Requests, clients and the authorization server, as Authlib defines them."""

from __future__ import annotations

import hmac
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer as FlaskAuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnsupportedGrantTypeError,
)
from flask import Request, Response
from flask import session as browser_session
from msgspec import Struct
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from oauthdeploy.server import token_store
from oauthdeploy.server.admin.server_settings import SHORT_TOKENS, is_on
from oauthdeploy.server.models import CONFIDENTIAL, PUBLIC, Client
from oauthdeploy.server.passwords import digest, generate_secret, generate_short_token, is_quick
from oauthdeploy.server.state import State, basic_credentials, now
from oauthdeploy.server.store import Identity, get_settings, identify, scopes_of

BASIC = "client_secret_basic"
SESSION = "session"
RESPONSE_TYPES = ("code", "token")
#: The host of loopback redirect URIs. `localhost` may lead elsewhere (RFC 8252 section 8.3), and Integration Server refuses
#: the brackets of an IPv6 address.
LOOPBACK = "127.0.0.1"
#: How long a browser stays signed in, in seconds.
SESSION_SECONDS = 8 * 3600
GRANT_TYPES = ("authorization_code", "client_credentials", "password", "refresh_token")


class _Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, values: MultiDict[str, str]) -> None:
        self._values = values

    @property
    def data(self) -> MultiDict[str, str]:
        return self._values

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(list, {key: self._values.getlist(key) for key in self._values})


class ParsedRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """An OAuth request with its parameters from one place only: the query, or the body.

    Authlib requires HTTPS; here the setting `requireHTTPS` decides, before a request gets this far.
    """

    def __init__(self, request: Request, values: MultiDict[str, str]) -> None:
        super().__init__(request.method, "https://localhost" + request.path, headers=request.headers)
        self.flask_request = request
        self.payload = _Payload(values)
        self._values = values

    @property
    def args(self) -> MultiDict[str, str]:
        """The parameters."""
        return self._values

    @property
    def form(self) -> MultiDict[str, str]:
        """The parameters."""
        return self._values


def body_request(request: Request) -> ParsedRequest:
    """The request with the parameters of its body: a form, or a JSON object of strings as API Gateway sends it.

    Raises:
        InvalidRequestError: the body is neither, names a parameter twice (RFC 6749 section 3.2), or holds credentials
            beside those of the header (RFC 6749 section 2.3).
    """
    values: MultiDict[str, str] = MultiDict(request.form)
    if request.is_json:
        values = MultiDict(_json_strings(request))
    if any(len(values.getlist(name)) > 1 for name in values):
        raise InvalidRequestError("A parameter is repeated.")
    if request.headers.get("Authorization") and not values.keys().isdisjoint(_BODY_CREDENTIALS):
        raise InvalidRequestError("The client authenticates by the header and by the body; use one of them.")
    return ParsedRequest(request, values)


_BODY_CREDENTIALS = ("client_secret", "client_assertion")


def _json_strings(request: Request) -> dict[str, str]:
    try:
        document = json.loads(request.get_data())
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise InvalidRequestError("The body must be a JSON object of strings.")
    return document


class OAuthClient(ClientMixin, Struct, frozen=True):  # type: ignore[misc]  # Authlib has no types
    """A client registration as it was when the request came in, in Authlib's terms."""

    client_id: str
    name: str
    version: str
    confidential: bool
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    grants: frozenset[str]
    refresh_count: int
    lifetime: int | None

    def get_client_id(self) -> str:
        """The client id."""
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        """The redirect URI, if there is only one; a client with several has to name it."""
        return self.redirect_uris[0] if len(self.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scope that a request for `scope` gets: that one, or all scopes of the client if the request names none.

        None, which makes `invalid_scope`, when it goes beyond the client's scopes or there are none at all.
        """
        requested = list(dict.fromkeys((scope or "").split())) or list(self.scopes)
        return " ".join(requested) if requested and set(requested) <= set(self.scopes) else None

    def still_allowed(self, scope: str) -> str | None:
        """The part of a granted scope that the client still has."""
        return " ".join(name for name in scope.split() if name in self.scopes) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether the URI is registered, character by character (RFC 9700 section 2.1), but for the port of a loopback
        address, which a native app only knows at run time (RFC 8252 section 7.3).
        """
        return redirect_uri in self.redirect_uris or any(
            redirect_uri == _with_port_of(redirect_uri, registered) for registered in self.redirect_uris
        )

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Confidential clients authenticate by HTTP Basic or an accepted session, public ones not at all."""
        return method in ((BASIC, SESSION) if self.confidential else ("none",)) and bool(endpoint)

    def check_response_type(self, response_type: str) -> bool:
        """Whether the client may use this response type."""
        return {"code": "authorization_code", "token": "implicit"}.get(response_type) in self.grants

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use this grant; a refresh needs a refresh count other than 0."""
        return self.refresh_count != 0 if grant_type == "refresh_token" else grant_type in self.grants


def _with_port_of(requested: str, registered: str) -> str | None:
    """A registered loopback redirect URI with the port of the requested one; None for any other URI."""
    try:
        wanted, known = urlsplit(requested), urlsplit(registered)
        port = "" if wanted.port is None else f":{wanted.port}"
        known_port = "" if known.port is None else f":{known.port}"
    except ValueError:
        return None
    host = known.netloc.removesuffix(known_port)
    if known.scheme != "http" or host != LOOPBACK:
        return None
    return registered.replace(f"//{known.netloc}", f"//{host}{port}", 1)


def load_client(session: Session, client_id: str) -> OAuthClient | None:
    """The client with this id, unless it does not exist or is disabled."""
    row = session.get(Client, client_id)
    if row is None or not row.enabled:
        return None
    flags = {
        "authorization_code": row.authorization_code_grant,
        "implicit": row.implicit_grant,
        "client_credentials": row.client_credentials_grant and row.type != PUBLIC,
        "password": row.password_grant and row.type != PUBLIC,
    }
    return OAuthClient(
        row.client_id,
        row.name,
        row.version,
        row.type == CONFIDENTIAL,
        tuple(row.redirect_uris),
        tuple(scopes_of(session, client_id)),
        frozenset(grant for grant, allowed in flags.items() if allowed),
        row.refresh_count,
        token_store.lifetime_of(session, row),
    )


def client_by_secret(state: State, request: Request) -> OAuthClient | None:
    """The confidential, enabled client with the id and secret of the HTTP Basic header (RFC 6749 section 2.3.1)."""
    credentials = basic_credentials(request)
    if credentials is None:
        return None
    client, has_paid = client_and_cost(state, credentials)
    if client is None and not has_paid:
        state.checker.check(None, credentials[1])
    return client


def client_and_cost(state: State, credentials: tuple[str, str]) -> tuple[OAuthClient | None, bool]:
    """The same for the two parts of a header, and whether the check was a slow one.

    Every refusal must take the same time, so that timing does not reveal which client ids exist.
    """
    has_paid = False
    for client_id, secret in spellings(credentials):
        with state.store.read() as session:
            row = session.get(Client, client_id)
            client = load_client(session, client_id)
        if row is None or row.secret_hash is None or client is None or not client.confidential:
            continue
        if state.checker.check(row.secret_hash, secret):
            return client, not is_quick(row.secret_hash)
        has_paid = has_paid or not is_quick(row.secret_hash)
    return None, has_paid


def spellings(credentials: tuple[str, str]) -> Iterable[tuple[str, str]]:
    """What the two parts of a Basic header can mean: form-encoded, where + is a space (RFC 6749 section 2.3.1 and appendix
    B), or as they are (RFC 7617), which many clients send nevertheless.
    """
    decoded = (unquote_plus(credentials[0]), unquote_plus(credentials[1]))
    return dict.fromkeys((decoded, credentials))


def sign_in(identity: Identity) -> None:
    """Start a browser session for a user and end the previous one."""
    browser_session.clear()
    browser_session["user"] = identity.name
    browser_session["until"] = now() + SESSION_SECONDS
    browser_session["stamp"] = digest(identity.stamp)[:32]
    browser_session["csrf"] = generate_secret()


def signed_in(state: State) -> Identity | None:
    """The user of the browser session; the session ends when the user is disabled or gets another password."""
    name = browser_session.get("user")
    until = browser_session.get("until")
    if not isinstance(name, str) or not isinstance(until, int) or until <= now():
        return None
    with state.store.read() as session:
        identity = identify(session, name)
    stamp = str(browser_session.get("stamp", ""))
    return identity if identity and hmac.compare_digest(stamp, digest(identity.stamp)[:32]) else None


class OAuthServer(FlaskAuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Authlib's authorization server on our store.

    Token endpoint authentication follows the setting `tokenEndpointAuth`. `credentials` requires HTTP Basic of a confidential
    client. `session` also accepts, in place of missing credentials, the sign-in session of the user account that stands for the
    client, the account whose name is the client_id. All that is documented is that the setting accepts an existing session, and
    that a confidential client corresponds to a user account; nothing more is inferred.
    """

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.register_client_auth_method(BASIC, self._by_basic)
        self.register_client_auth_method(SESSION, self._by_session)

    def query_client(self, client_id: str) -> OAuthClient:
        """The client with this id.

        Raises:
            InvalidClientError: there is none, or it is disabled.
        """
        with self.state.store.read() as session:
            client = load_client(session, client_id)
        if client is None:
            raise InvalidClientError("The client is unknown or disabled.", status_code=401)
        return client

    def _by_basic(self, _query: object, request: ParsedRequest) -> OAuthClient | None:
        return client_by_secret(self.state, request.flask_request)

    def _by_session(self, _query: object, request: ParsedRequest) -> OAuthClient | None:
        if request.headers.get("Authorization"):
            return None
        with self.state.store.read() as session:
            accepted = get_settings(session).token_endpoint_auth == SESSION
        identity = signed_in(self.state) if accepted else None
        if identity is None or request.payload.client_id not in (None, identity.name):
            return None
        with self.state.store.read() as session:
            return load_client(session, identity.name)

    def create_oauth2_request(self, request: ParsedRequest) -> ParsedRequest:
        """The request, already parsed."""
        return request

    def get_authorization_grant(self, request: ParsedRequest) -> Any:
        """The grant of the response type. Authlib's own error for unknown ones cannot contain every string."""
        if request.payload.response_type not in RESPONSE_TYPES:
            missing = not request.payload.response_type
            raise OAuth2Error(
                "The parameter response_type must be code or token.",
                redirect_uri=self._trusted_redirect_uri(request),
                error="invalid_request" if missing else "unsupported_response_type",
            )
        return super().get_authorization_grant(request)

    def _trusted_redirect_uri(self, request: ParsedRequest) -> str | None:
        try:
            client = self.query_client(request.payload.client_id or "")
        except InvalidClientError:
            return None
        requested = request.payload.redirect_uri
        if requested is None:
            return client.get_default_redirect_uri()
        return requested if client.check_redirect_uri(requested) else None

    def get_token_grant(self, request: ParsedRequest) -> Any:
        """The grant of the grant type."""
        if not request.payload.grant_type:
            raise _NamedError("invalid_request", "The parameter grant_type is missing.")
        if request.payload.grant_type not in GRANT_TYPES:
            raise _NamedError("unsupported_grant_type", "The grant_type is not supported.")
        return super().get_token_grant(request)

    def generate_token(
        self,
        *,
        client: OAuthClient,
        scope: str | None = None,
        include_refresh_token: bool = True,
        **_more: object,
    ) -> dict[str, object]:
        """The members of a token response (RFC 6749 section 5.1); without `expires_in` if the token never expires."""
        allowed = client.get_allowed_scope(scope)
        if allowed is None:
            raise InvalidScopeError()
        token: dict[str, object] = {"access_token": self._token_value(), "token_type": "Bearer"}
        if client.lifetime is not None:
            token["expires_in"] = client.lifetime
        if include_refresh_token and client.check_grant_type("refresh_token"):
            token["refresh_token"] = self._token_value()
        token["scope"] = allowed
        return token

    def _token_value(self) -> str:
        return generate_short_token() if is_on(self.state, SHORT_TOKENS) else generate_secret()

    def save_token(self, token: dict[str, str], request: ParsedRequest) -> None:
        """Record a token before it is returned.

        Raises:
            InvalidGrantError: its code or refresh token was used by another request in the meantime.
            InvalidClientError: its client was deleted or disabled in the meantime.
        """
        client: OAuthClient = request.client
        with self.state.store.write() as session:
            if load_client(session, client.client_id) is None:
                raise InvalidClientError("The client is unknown or disabled.", status_code=401)
            used = request.refresh_token
            refresh = token.get("refresh_token")
            if isinstance(used, token_store.RefreshToken):
                done = token_store.renew(session, used, token["scope"], client.lifetime, token["access_token"], refresh)
                if not done:
                    raise InvalidGrantError("The refresh token was used already.")
                return
            code = request.authorization_code.hash if request.authorization_code else None
            reused = code is not None and not token_store.use_code(session, code)
            if reused and code is not None:
                token_store.end_tokens_of_code(session, code)
            else:
                kind = request.payload.grant_type or "implicit"
                grant = token_store.Grant(
                    client.client_id, request.user or client.client_id, kind, token["scope"], code
                )
                renewal = (refresh, client.refresh_count) if refresh else None
                token_store.issue(session, grant, client.lifetime, token["access_token"], renewal)
        if reused:
            raise InvalidGrantError("The code was used already.")

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Does nothing: no listener is registered."""

    def handle_error_response(self, request: ParsedRequest, error: OAuth2Error) -> Response:
        """The response to a refused request; if client authentication failed, it names the scheme (RFC 6749 section 5.2)."""
        response: Response = super().handle_error_response(request, error)
        if isinstance(error, InvalidClientError) and response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="oauthdeploy", error="invalid_client"'
        return response


class _NamedError(UnsupportedGrantTypeError):  # type: ignore[misc]  # Authlib has no types
    """The error if Authlib finds no supported grant type."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__("")
        self.error = error
        self.description = description
