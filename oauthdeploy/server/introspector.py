"""Introspects a token at the trusted authorization server: this server itself, a remote one, or an external one."""

from __future__ import annotations

import logging
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from oauthdeploy.server import token_store
from oauthdeploy.server.models import ExternalServer, RemoteServer
from oauthdeploy.server.outbound import TrustUnavailable
from oauthdeploy.server.state import State
from oauthdeploy.server.store import LOCAL, get_settings

Trust = Literal["local", "remote", "external"]
log = logging.getLogger(__name__)


class Claims(Struct, frozen=True):
    """What the trusted authorization server says about an active token."""

    trust: Trust
    client_id: str | None
    client_name: str | None
    client_version: str | None
    owner_id: str | None
    scope: str


def examine(state: State, token: str, service: str) -> Claims | None:
    """What the trusted authorization server says about a token now; None if it is not active. Nothing is cached.

    `service` is the path of the request that the token came with; it is sent to a remote Integration Server.

    Raises:
        TrustUnavailable: the server could not be reached.
    """
    with state.store.read() as session:
        alias = get_settings(session).auth_server_alias
        remote = session.get(RemoteServer, alias) if alias != LOCAL else None
        external = session.get(ExternalServer, alias) if alias != LOCAL else None
    if alias == LOCAL:
        return _claims("local", token_store.introspect(state, token), "")
    try:
        if remote is not None:
            scheme = "https" if remote.ssl == "yes" else "http"
            host = f"[{remote.host}]" if ":" in remote.host else remote.host
            url = f"{scheme}://{host}:{remote.port}/invoke/pub.oauth/introspectToken"
            password = state.vault.open(remote.password) or ""
            return _claims("remote", state.outbound.ask(url, (remote.user, password), token, service), "")
        if external is not None:
            secret = state.vault.open(external.client_secret) or ""
            answer = state.outbound.ask(
                external.introspection_endpoint, (quote(external.client_id, safe=""), quote(secret, safe="")), token
            )
            return _claims("external", answer, external.default_scope or "")
    except TrustUnavailable as problem:
        log.warning("Introspection at %s failed: %s", alias, problem)
        raise TrustUnavailable(f"Authorization server '{alias}': {problem}.") from problem
    raise TrustUnavailable(f"Authorization server '{alias}' is not defined.")


def _claims(trust: Trust, answer: dict[str, object], default_scope: str) -> Claims | None:
    # The documented service returns `active` as a string, RFC 7662 as a boolean.
    if answer.get("active") not in (True, "true"):
        return None
    owner = _text(answer.get("owner_id")) or _text(answer.get("username")) or _text(answer.get("sub"))
    return Claims(
        trust,
        _text(answer.get("client_id")),
        _text(answer.get("client_name")),
        _text(answer.get("client_version")),
        owner,
        _text(answer.get("scope")) or default_scope,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
