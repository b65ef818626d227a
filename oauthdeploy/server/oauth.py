"""The OAuth services of an authorization server: `/invoke/pub.oauth/...`, and their metadata (RFC 8414)."""

from __future__ import annotations

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask, Response, jsonify, request
from sqlalchemy import delete, select

from oauthdeploy.server import token_store
from oauthdeploy.server.admin.server_settings import REQUIRE_POST, is_on
from oauthdeploy.server.config import ADMINISTRATORS, RESOURCE_SERVERS
from oauthdeploy.server.grants import CHALLENGE_METHODS, make_server
from oauthdeploy.server.models import Scope, Token
from oauthdeploy.server.protocol import (
    BASIC,
    GRANT_TYPES,
    RESPONSE_TYPES,
    OAuthClient,
    OAuthServer,
    ParsedRequest,
    body_request,
    client_and_cost,
    spellings,
)
from oauthdeploy.server.scope_contents import opens
from oauthdeploy.server.state import NOT_FOR_PRODUCTION, State, basic_credentials
from oauthdeploy.server.store import Identity, get_settings, log_in

PUBLIC_FOLDER = "pub.oauth"
INTERNAL_FOLDER = "wm.server.oauth"
BASE = f"/invoke/{PUBLIC_FOLDER}"
METADATA_PATH = "/.well-known/oauth-authorization-server"


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib has no types
    """RFC 7662 introspection, for confidential clients and for users who are administrators or resource servers."""

    server: OAuthServer

    def authenticate_endpoint_client(self, request: ParsedRequest) -> object:
        """The caller.

        Raises:
            InvalidClientError: there are no credentials, wrong ones, or those of an ordinary user.
        """
        state = self.server.state
        credentials = basic_credentials(request.flask_request)
        client, has_paid = client_and_cost(state, credentials) if credentials else (None, True)
        caller = client or (introspecting_user(state, credentials) if credentials else None)
        if caller is None:
            if credentials and not has_paid:
                # An unknown client costs as much as a wrong secret.
                state.checker.check(None, credentials[1])
            raise InvalidClientError("Introspection needs the credentials of a resource server.", status_code=401)
        return caller

    def authenticate_token(self, request: ParsedRequest, _client: object) -> str:
        """The token's value; a hint is not needed to find it."""
        return token_parameter(request)

    def create_introspection_payload(self, token: str) -> dict[str, object]:
        """The introspection response about the token."""
        state = self.server.state
        found = token_store.introspect(state, token)
        if state.profile.scope_check == "both" and found["active"] and not opens_here(state, found):
            found = {"active": False}
        return token_store.shown_introspection(state, found)


class Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib has no types
    """RFC 7009 revocation: a client ends its own tokens, and an access and a refresh token end together."""

    CLIENT_AUTH_METHODS = (BASIC, "none")
    server: OAuthServer

    def authenticate_token(self, request: ParsedRequest, client: OAuthClient) -> str | None:
        """The id of the token to end, or None when there is nothing to end.

        Raises:
            InvalidRequestError: the token belongs to another client (RFC 7009 section 2.1).
        """
        value = token_parameter(request)
        with self.server.state.store.read() as session:
            token = token_store.find_token(session, value)
        if token is not None and token.client_id != client.client_id:
            raise InvalidRequestError("The token was issued to another client.")
        return None if token is None else token.access_id

    def revoke_token(self, token: str, _request: ParsedRequest) -> None:
        """End the token and its pair."""
        with self.server.state.store.write() as session:
            session.execute(delete(Token).where(Token.access_id == token))


def opens_here(state: State, found: dict[str, object]) -> bool:
    """Whether a scope of an active token gives access to the service that the calling server names in `request_uri`.

    How a server that checks this learns of the service is not documented; an internal service accepts the request URI.
    """
    folder, slash, service = request.form.get("request_uri", "").removeprefix("/invoke/").partition("/")
    granted = str(found.get("scope", "")).split()
    if not slash or not granted:
        return True
    with state.store.read() as session:
        scopes = session.scalars(select(Scope).where(Scope.name.in_(granted))).all()
    return any(opens(scope, folder, service, "POST") for scope in scopes)


def token_parameter(request: ParsedRequest) -> str:
    """The parameter `token`.

    Raises:
        InvalidRequestError: it is missing or empty.
    """
    value = request.form.get("token")
    if not value:
        raise InvalidRequestError("The parameter token is missing.")
    return value


def introspecting_user(state: State, credentials: tuple[str, str]) -> Identity | None:
    """The administrator or resource server of a header's two parts, taken literally or form-decoded (RFC 6749 section 2.3.1).

    HTTP Basic itself sends a user's name and password unencoded (RFC 7617); OAuth clients encode both.
    """
    for name, password in spellings(credentials):
        identity = log_in(state.store, state.checker, name, password)
        if identity is not None and identity.groups & {ADMINISTRATORS, RESOURCE_SERVERS}:
            return identity
    return None


def privileged_user(state: State, *groups: str) -> Identity | None:
    """The user of this request's HTTP Basic header, if in one of the groups (administrators and resource servers)."""
    credentials = basic_credentials(request)
    identity = log_in(state.store, state.checker, *credentials) if credentials else None
    if identity is None or not identity.groups & set(groups or (ADMINISTRATORS, RESOURCE_SERVERS)):
        return None
    return identity


def register(app: Flask, state: State) -> OAuthServer:
    """Serve the token services and the metadata."""
    server = make_server(state)
    server.register_endpoint(Introspection)
    server.register_endpoint(Revocation)

    def answer(name: str) -> Response:
        response: Response
        if request.method != "POST" and is_on(state, REQUIRE_POST):
            return oauth_problem(400, "invalid_request", "The OAuth services accept only POST.")
        try:
            parsed = body_request(request) if request.method == "POST" else ParsedRequest(request, request.args)
            # Authlib's grants accept only POST; whether GET may be used was decided above.
            parsed.method = "POST"
        except OAuth2Error as error:
            response = server.handle_response(*error())
            return response
        token = name == "token"
        response = server.create_token_response(parsed) if token else server.create_endpoint_response(name, parsed)
        return response

    methods = ("GET", "POST")

    @app.route(f"{BASE}/getToken", methods=methods)
    def get_token() -> Response:
        return answer("token")

    @app.route(f"{BASE}/introspectToken", methods=methods)
    def introspect_token() -> Response:
        return answer(Introspection.ENDPOINT_NAME)

    @app.route(f"{BASE}/revokeToken", methods=methods)
    def revoke_token() -> Response:
        return answer(Revocation.ENDPOINT_NAME)

    @app.route(f"{BASE}/removeExpiredAccessTokens", methods=["GET", "POST"])
    def remove_expired_access_tokens() -> Response:
        if privileged_user(state, ADMINISTRATORS) is None:
            response = oauth_problem(401, "invalid_client", "This service needs an administrator.")
            response.headers["WWW-Authenticate"] = 'Basic realm="oauthdeploy"'
            return response
        with state.store.write() as session:
            removed = token_store.remove_expired(session)
        return jsonify({"removedTokensCount": removed})

    @app.get(METADATA_PATH)
    def metadata() -> Response:
        return jsonify(server_metadata(state))

    return server


def require_https(state: State) -> Response | None:
    """Refuse plain HTTP while the setting `requireHTTPS` is on. Headers of proxies are not trusted."""
    if request.is_secure:
        return None
    with state.store.read() as session:
        required = get_settings(session).require_https
    return oauth_problem(400, "invalid_request", "The OAuth services require HTTPS.") if required else None


def oauth_problem(status: int, error: str, description: str) -> Response:
    """An error response in the form of RFC 6749 section 5.2."""
    response = jsonify({"error": error, "error_description": description})
    response.status_code = status
    return response


def server_metadata(state: State) -> dict[str, object]:
    """The metadata of RFC 8414 section 2, with what this server supports."""
    issuer = state.issuer_of(request)
    with state.store.read() as session:
        scopes = list(session.scalars(select(Scope.name).order_by(Scope.name)))
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}{BASE}/authorize",
        "token_endpoint": f"{issuer}{BASE}/getToken",
        "introspection_endpoint": f"{issuer}{BASE}/introspectToken",
        "revocation_endpoint": f"{issuer}{BASE}/revokeToken",
        "scopes_supported": scopes,
        "response_types_supported": list(RESPONSE_TYPES),
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": ["implicit", *GRANT_TYPES],
        "token_endpoint_auth_methods_supported": [BASIC, "none"],
        "introspection_endpoint_auth_methods_supported": [BASIC],
        "revocation_endpoint_auth_methods_supported": [BASIC, "none"],
        "code_challenge_methods_supported": list(CHALLENGE_METHODS),
        "authorization_response_iss_parameter_supported": True,
        "notice": NOT_FOR_PRODUCTION,
    }
