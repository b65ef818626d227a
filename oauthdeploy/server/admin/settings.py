"""`/admin/oauth/globalsetting`: the global OAuth settings."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request
from sqlalchemy.orm import Session

from oauthdeploy.server.admin.api import Api, answer_fields
from oauthdeploy.server.admin.errors import invalid
from oauthdeploy.server.admin.fields import Field, Value, patch_of, read_body, read_fields
from oauthdeploy.server.models import ExternalServer, RemoteServer, Settings
from oauthdeploy.server.store import LOCAL, get_settings

FIELDS = (
    Field("requireHTTPS", "require_https", "boolean", "Refuse the OAuth services over plain HTTP.", True),
    Field("requirePKCE", "require_pkce", "boolean", "Require PKCE of public clients.", False),
    Field(
        "authCodeLifetimeSeconds",
        "auth_code_lifetime",
        "integer",
        "Lifetime of an authorization code, in seconds; -1 never ends.",
        600,
        minimum=-1,
    ),
    Field(
        "accessTokenLifetimeSeconds",
        "access_token_lifetime",
        "integer",
        "Lifetime of an access token, in seconds; -1 never ends.",
        3600,
        minimum=-1,
    ),
    Field(
        "tokenEndpointAuth",
        "token_endpoint_auth",
        "text",
        "Whether an existing session is accepted at the token endpoint, or credentials are required.",
        "session",
        choices=("session", "credentials"),
    ),
    Field(
        "authServerAlias",
        "auth_server_alias",
        "text",
        "The authorization server that this resource server trusts: local, or the alias of a remote server "
        "or of an external authorization server.",
        LOCAL,
    ),
)


def register(api: Api) -> None:
    """Serve the settings: read, replace, update. Changes take effect immediately."""
    state = api.state

    @api.operation("GET", "/admin/oauth/globalsetting", summary="Read the OAuth settings", answer="GlobalSetting")
    def read_settings() -> object:
        with state.store.read() as session:
            return _answer(get_settings(session))

    @api.operation(
        "PUT",
        "/admin/oauth/globalsetting/",
        summary="Replace the OAuth settings; unnamed ones get their default",
        body="GlobalSetting",
        answer="GlobalSetting",
    )
    def replace_settings() -> object:
        return change(partial=False)

    @api.operation(
        "PATCH",
        "/admin/oauth/globalsetting/",
        summary="Update some OAuth settings (JSON Merge Patch)",
        body="GlobalSetting",
        answer="GlobalSetting",
    )
    def update_settings() -> object:
        return change(partial=True)

    def change(*, partial: bool) -> object:
        body: Mapping[str, object] = read_body(request, merge_patch=partial)
        body, partial = patch_of(state.profile, body, {}, partial=partial)
        values = read_fields(body, FIELDS, strict=state.strict, partial=partial)
        with state.store.write() as session:
            _check(session, values)
            settings = get_settings(session)
            for attribute, value in values.items():
                setattr(settings, attribute, value)
            return _answer(settings)


_LIFETIMES = {"access_token_lifetime": "accessTokenLifetimeSeconds", "auth_code_lifetime": "authCodeLifetimeSeconds"}


def _answer(settings: Settings) -> dict[str, object]:
    return answer_fields(settings, FIELDS, {})


def _check(session: Session, values: dict[str, Value]) -> None:
    for attribute, name in _LIFETIMES.items():
        if values.get(attribute) == 0:
            raise invalid(f"Field '{name}' must be at least 1, or -1 for never.")
    alias = values.get("auth_server_alias", LOCAL)
    if alias == LOCAL:
        return
    if session.get(RemoteServer, alias) is None and session.get(ExternalServer, alias) is None:
        raise invalid(
            "Field 'authServerAlias' must be local or the alias of a remote server or an external authorization server."
        )
