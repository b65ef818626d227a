"""The grants of RFC 6749 with PKCE of RFC 7636, on Authlib's implementations."""

from __future__ import annotations

import hmac

from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
)
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge
from msgspec import Struct

from oauthdeploy.server import token_store
from oauthdeploy.server.models import ClientPkce, Code
from oauthdeploy.server.passwords import digest
from oauthdeploy.server.protocol import BASIC, SESSION, OAuthClient, OAuthServer, ParsedRequest
from oauthdeploy.server.state import State, now
from oauthdeploy.server.store import get_settings, identify, log_in

NEVER_ENDS = 2**53
"""The expiry time of a code that never expires; JSON and SQLite represent it exactly."""

CHALLENGE_METHODS = ("S256", "plain")


class StoredCode(Struct, frozen=True):
    """An authorization code as it was issued, in Authlib's terms."""

    hash: str
    redirect_uri: str | None
    scope: str
    owner: str
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str | None:
        """The redirect URI that the authorization request named."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """The scope that the owner granted."""
        return self.scope


def check_redirect_uri(request: ParsedRequest, client: OAuthClient) -> str:
    """The redirect URI of an authorization request.

    Raises:
        InvalidRequestError: it is not registered, or is not named by a client that has several. This error is never
            sent to the redirect URI itself.
    """
    requested = request.payload.redirect_uri
    if requested is not None and not client.check_redirect_uri(requested):
        raise InvalidRequestError("The redirect_uri is not registered for this client.")
    uri = requested if requested is not None else client.get_default_redirect_uri()
    if uri is None:
        raise InvalidRequestError("The redirect_uri is required for this client.")
    return str(uri)


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """RFC 6749 section 4.1. A code works once; a second use ends the tokens of the first."""

    TOKEN_ENDPOINT_AUTH_METHODS = (BASIC, SESSION, "none")
    server: OAuthServer

    @staticmethod
    def validate_authorization_redirect_uri(request: ParsedRequest, client: OAuthClient) -> str:
        """The trusted redirect URI."""
        return check_redirect_uri(request, client)

    def save_authorization_code(self, code: str, request: ParsedRequest) -> None:
        """Record a code that is about to be sent to the redirect URI."""
        data = request.payload.data
        challenge = data.get("code_challenge")
        with self.server.state.store.write() as session:
            token_store.forget_old_codes(session)
            lifetime = get_settings(session).auth_code_lifetime
            session.add(
                Code(
                    hash=digest(code),
                    client_id=request.client.client_id,
                    redirect_uri=request.payload.redirect_uri,
                    scope=request.scope,
                    owner=request.user,
                    challenge=challenge,
                    challenge_method=data.get("code_challenge_method") or "plain" if challenge else None,
                    expires_at=now() + lifetime if lifetime > 0 else NEVER_ENDS,
                    used=False,
                )
            )

    def query_authorization_code(self, code: str, client: OAuthClient) -> StoredCode | None:
        """A code of this client that is neither used nor expired."""
        with self.server.state.store.read() as session:
            row = session.get(Code, digest(code))
        if row is None or row.client_id != client.client_id:
            return None
        if row.used:
            with self.server.state.store.write() as session:
                token_store.end_tokens_of_code(session, row.hash)
            return None
        if row.expires_at <= now():
            return None
        scope = client.still_allowed(row.scope)
        if scope is None:
            raise InvalidScopeError()
        return StoredCode(row.hash, row.redirect_uri, scope, row.owner, row.challenge, row.challenge_method)

    def delete_authorization_code(self, authorization_code: StoredCode) -> None:
        """A code is marked as used when its token is saved."""

    def authenticate_user(self, authorization_code: StoredCode) -> str | None:
        """The owner who granted the code, if still enabled."""
        return enabled_owner(self.server.state, authorization_code.owner)


class ImplicitGrant(grants.ImplicitGrant):  # type: ignore[misc]  # Authlib has no types
    """RFC 6749 section 4.2, for both client types: the registration allows it for either."""

    server: OAuthServer

    @staticmethod
    def validate_authorization_redirect_uri(request: ParsedRequest, client: OAuthClient) -> str:
        """The trusted redirect URI."""
        return check_redirect_uri(request, client)

    def authenticate_token_endpoint_client(self) -> OAuthClient:
        """The client that the request names; this grant has no client authentication."""
        client_id = self.request.payload.client_id
        if not client_id:
            raise InvalidClientError("The parameter client_id is missing.")
        return self.server.query_client(client_id)


class ClientCredentialsGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """RFC 6749 section 4.4. The owner of the token is the client."""

    TOKEN_ENDPOINT_AUTH_METHODS = (BASIC, SESSION)


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """RFC 6749 section 4.3."""

    TOKEN_ENDPOINT_AUTH_METHODS = (BASIC, SESSION)
    server: OAuthServer

    def authenticate_user(self, username: str, password: str) -> str:
        """The owner behind the credentials.

        Raises:
            InvalidGrantError: they are wrong (RFC 6749 section 5.2).
        """
        state = self.server.state
        identity = log_in(state.store, state.checker, username, password)
        if identity is None:
            raise InvalidGrantError("The user name or password is wrong.")
        return identity.name


class RefreshTokenGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    """RFC 6749 section 6. Each use gives a new refresh token, until the refresh count is used up.

    A refresh token that was exchanged before is refused, and ends the tokens that came from it. A refresh keeps what was
    granted, except for scopes that the client has lost since.
    """

    TOKEN_ENDPOINT_AUTH_METHODS = (BASIC, SESSION, "none")
    server: OAuthServer

    def _validate_request_token(self, client: OAuthClient) -> token_store.RefreshToken:
        value = self.request.form.get("refresh_token")
        if not value:
            raise InvalidRequestError("The parameter refresh_token is missing.")
        with self.server.state.store.read() as session:
            token = token_store.find_refresh_token(session, value)
        if token is None:
            with self.server.state.store.write() as session:
                token_store.end_if_spent(session, value, client.client_id)
        if token is None or token.client_id != client.client_id:
            raise InvalidGrantError("The refresh token is not valid.")
        return token

    def _validate_token_scope(self, token: token_store.RefreshToken) -> None:
        requested = (self.request.payload.scope or "").split()
        if not set(requested) <= set(token.granted_scope.split()):
            raise InvalidScopeError()

    def issue_token(self, _user: str, refresh_token: token_store.RefreshToken) -> dict[str, object]:
        """The new token response."""
        client: OAuthClient = self.request.client
        requested = self.request.payload.scope
        scope = requested if requested and requested.split() else client.still_allowed(refresh_token.granted_scope)
        if scope is None:
            raise InvalidScopeError()
        return self.server.generate_token(
            client=client,
            scope=scope,
            include_refresh_token=token_store.refreshes_left(refresh_token.remaining) != 0,
        )

    def authenticate_user(self, refresh_token: token_store.RefreshToken) -> str:
        """The owner of the token, if still enabled."""
        owner = enabled_owner(self.server.state, refresh_token.owner)
        if owner is None:
            raise InvalidGrantError("The resource owner is gone or disabled.")
        return owner

    def revoke_old_credential(self, refresh_token: token_store.RefreshToken) -> None:
        """The old tokens ended when the new ones were saved."""


def enabled_owner(state: State, name: str) -> str | None:
    """The name of a user, if the user still exists and is enabled."""
    with state.store.read() as session:
        identity = identify(session, name)
    return identity.name if identity else None


class Pkce(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """RFC 7636; required for public clients if the setting `requirePKCE` is on, optional otherwise."""

    def __init__(self, state: State) -> None:
        super().__init__(required=False)
        self._state = state
        self.CODE_CHALLENGE_METHODS = {
            "plain": lambda verifier, challenge: _equal(verifier, challenge),
            "S256": lambda verifier, challenge: _equal(create_s256_code_challenge(verifier), challenge),
        }

    def validate_code_challenge(self, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        """Check the challenge of an authorization request."""
        if self._demanded(grant) and not grant.request.payload.data.get("code_challenge"):
            raise InvalidRequestError("The parameter code_challenge is missing.")
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: AuthorizationCodeGrant, result: object) -> None:
        """Check the verifier of a token request."""
        if self._demanded(grant) and not grant.request.authorization_code.code_challenge:
            raise InvalidGrantError("The code was issued without a code_challenge.")
        super().validate_code_verifier(grant, result)

    def _demanded(self, grant: AuthorizationCodeGrant) -> bool:
        client: OAuthClient = grant.request.client
        if client.confidential:
            return False
        with self._state.store.read() as session:
            own = session.get(ClientPkce, client.client_id)
            # What counts if the settings and a client contradict each other is not documented: here, whichever requires it.
            return get_settings(session).require_pkce or (own is not None and own.required == 1)


def _equal(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def make_server(state: State) -> OAuthServer:
    """The authorization server with its grants."""
    server = OAuthServer(state)
    server.register_grant(AuthorizationCodeGrant, [Pkce(state)])
    server.register_grant(ImplicitGrant)
    server.register_grant(ClientCredentialsGrant)
    server.register_grant(PasswordGrant)
    server.register_grant(RefreshTokenGrant)
    return server
