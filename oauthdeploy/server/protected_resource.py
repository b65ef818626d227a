"""The protected services of a resource server: `/invoke/<folder.path>/<service>` with a bearer token (RFC 6750)."""

from __future__ import annotations

import re

from flask import Flask, Response, jsonify, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import MethodNotAllowed, NotFound

from oauthdeploy.server.introspector import Claims, examine
from oauthdeploy.server.models import Client, Scope
from oauthdeploy.server.oauth import INTERNAL_FOLDER, PUBLIC_FOLDER
from oauthdeploy.server.outbound import TrustUnavailable
from oauthdeploy.server.scope_contents import opens
from oauthdeploy.server.state import State
from oauthdeploy.server.store import find_client, identify

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_REALM = "oauthdeploy"


class Refusal(Exception):
    """A refused request.

    `error` is a code of RFC 6750 section 3.1, None if no token was sent, or another word if RFC 6750 defines none.
    """

    def __init__(self, status: int, error: str | None, description: str, scope: str = "") -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.scope = scope


def register(app: Flask, state: State) -> None:
    """Serve every service name outside the OAuth folders that this server knows."""
    own_services = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/invoke/")}

    @app.route("/invoke/<folder>/<service>", methods=["GET", "POST"])
    def protected_service(folder: str, service: str) -> Response:
        if folder in (PUBLIC_FOLDER, INTERNAL_FOLDER):
            raise MethodNotAllowed() if request.path in own_services else NotFound()
        if state.seed.services is not None and f"{folder}:{service}" not in state.seed.services:
            raise NotFound()
        try:
            claims = check(state, folder, service)
        except Refusal as refusal:
            return refused(refusal)
        except TrustUnavailable as problem:
            return refused(Refusal(503, "temporarily_unavailable", str(problem)))
        return jsonify(
            {
                "service": f"{folder}:{service}",
                "client_id": claims.client_id,
                "owner_id": claims.owner_id,
                "scope": claims.scope,
            }
        )


def check(state: State, folder: str, service: str) -> Claims:
    """Check a request to a service: its token, client, resource owner and scope, in this order.

    Raises:
        Refusal: one of them does not match.
        TrustUnavailable: the authorization server could not be reached.
    """
    claims = examine(state, bearer_token(), f"/invoke/{folder}/{service}")
    if claims is None:
        raise Refusal(401, "invalid_token", "The access token is unknown, expired or revoked.")
    with state.store.read() as session:
        check_client(state, session, claims)
        check_owner(session, claims)
        check_scope(session, claims, folder, service)
    return claims


def bearer_token() -> str:
    """The token in the Authorization header; no other place is read.

    Raises:
        Refusal: there is none, or it is malformed.
    """
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refusal(401, None, "A bearer token is required in the Authorization header.")
    if not _TOKEN.fullmatch(value.strip()):
        raise Refusal(400, "invalid_request", "The Authorization header contains no bearer token.")
    if "access_token" in request.values:
        raise Refusal(400, "invalid_request", "The token was sent in more than one way.")
    return value.strip()


def check_client(state: State, session: Session, claims: Claims) -> None:
    """The client must be enabled here, and registered: unless its server is external, or the profile asks for no registration.

    It is found by its client_id, else by name and version, since the same client may have another id here.
    """
    client = session.get(Client, claims.client_id) if claims.client_id else None
    if client is None and claims.client_name and claims.client_version:
        client = find_client(session, claims.client_name, claims.client_version)
    if client is None:
        if claims.trust == "external" or state.profile.resource_clients == "any":
            return
        raise Refusal(401, "invalid_token", "The client of the token is not registered on this resource server.")
    if not client.enabled:
        raise Refusal(401, "invalid_token", "The client of the token is disabled on this resource server.")


def check_owner(session: Session, claims: Claims) -> None:
    """The resource owner must be a user here, unless the token came from client credentials or an external server."""
    if claims.trust == "external" or claims.owner_id == claims.client_id:
        return
    if claims.owner_id is None or identify(session, claims.owner_id) is None:
        raise Refusal(403, "access_denied", "The resource owner of the token is not a user of this resource server.")


def check_scope(session: Session, claims: Claims, folder: str, service: str) -> None:
    """One of the token's scopes must exist here and give access to the service."""
    granted = set(claims.scope.split())
    opening = [scope.name for scope in session.scalars(select(Scope)) if opens(scope, folder, service, request.method)]
    if granted.isdisjoint(opening):
        raise Refusal(
            403,
            "insufficient_scope",
            "The token's scope does not give access to this service.",
            " ".join(sorted(opening)),
        )


def refused(refusal: Refusal) -> Response:
    """The response to a refused request, with the challenge of RFC 6750 section 3."""
    response = jsonify({"error": refusal.error or "unauthorized", "error_description": refusal.description})
    response.status_code = refusal.status
    if refusal.status in (400, 401, 403):
        challenge = [f'realm="{_REALM}"']
        if refusal.error in ("invalid_request", "invalid_token", "insufficient_scope"):
            challenge += [f'error="{refusal.error}"', f'error_description="{refusal.description}"']
        if refusal.scope:
            challenge.append(f'scope="{refusal.scope}"')
        response.headers["WWW-Authenticate"] = "Bearer " + ", ".join(challenge)
    if refusal.status == 503:
        response.headers["Retry-After"] = "5"
    return response
