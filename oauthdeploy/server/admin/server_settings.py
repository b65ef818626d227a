"""`/admin/server/setting`: the server parameters (`watt.server.oauth.*`) that have no field on the OAuth settings page."""

from __future__ import annotations

from collections.abc import Mapping

from flask import request
from sqlalchemy import select

from oauthdeploy.server.admin.api import Api
from oauthdeploy.server.admin.errors import invalid, missing
from oauthdeploy.server.admin.fields import Field, read_body
from oauthdeploy.server.models import ServerParameter
from oauthdeploy.server.profile import Profile
from oauthdeploy.server.state import State

PATH = "/admin/server/setting"
PREFIX = "watt.server.oauth."
DISABLE_TOKENS = PREFIX + "disableClient.disableTokens"
REQUIRE_POST = PREFIX + "requirePost"
SHORT_TOKENS = PREFIX + "token.short"
TITLE = PREFIX + "approvalpage.title"
HEADER = PREFIX + "approvalpage.header"
FOOTER = PREFIX + "approvalpage.footer"

FIELDS = (
    Field("name", "", "text", "Name of the parameter."),
    Field("value", "", "text", "Its value."),
)


def defaults(profile: Profile) -> dict[str, str]:
    """The parameters of a release by name, with their documented defaults as text."""
    known = {
        DISABLE_TOKENS: str(profile.disable_tokens).lower(),
        REQUIRE_POST: "true",
        PREFIX + "token.endpoint.internal.requireSecret": "false",
        PREFIX + "custom.responseHeader": "false",
        PREFIX + "log.authErrors": "false",
        TITLE: "Access Approval",
        HEADER: "Resource access approval",
        PREFIX + "approvalpage.logo": "/WmPublic/images/fw_logo_sag.gif",
        FOOTER: "",
    }
    return {**known, SHORT_TOKENS: "false"} if profile.release == "10.15" else known


def parameters(state: State) -> dict[str, str]:
    """The parameters by name, each value as text."""
    with state.store.read() as session:
        written = {row.name: row.value for row in session.scalars(select(ServerParameter))}
    return {**defaults(state.profile), **written}


def is_on(state: State, name: str) -> bool:
    """Whether a parameter is true."""
    return parameters(state).get(name, "").lower() == "true"


def register(api: Api) -> None:
    """Serve parameters: list, read, update one."""
    state = api.state

    @api.operation("GET", PATH, summary="List the server parameters", tag="server", answer="ServerSettingList")
    def list_settings() -> object:
        return {"settings": [_shown(state.profile, name, value) for name, value in parameters(state).items()]}

    @api.operation("GET", PATH + "/{name}", summary="Read a server parameter", tag="server", answer="ServerSetting")
    def read_setting(name: str) -> object:
        known = parameters(state)
        if name not in known:
            raise missing("server parameter", name)
        return _shown(state.profile, name, known[name])

    @api.operation(
        "PATCH",
        PATH + "/{name}",
        summary="Update a server parameter",
        tag="server",
        body="ServerSetting",
        answer="ServerSetting",
    )
    def update_setting(name: str) -> object:
        if name not in parameters(state):
            raise missing("server parameter", name)
        value = _given(state.profile, name, read_body(request, merge_patch=True))
        with state.store.write() as session:
            session.merge(ServerParameter(name=name, value=value))
        return _shown(state.profile, name, value)


def _shown(profile: Profile, name: str, value: str) -> dict[str, object]:
    return {name: value} if profile.parameters == "pairs" else {"name": name, "value": value}


def _given(profile: Profile, name: str, body: Mapping[str, object]) -> str:
    key = name if profile.parameters == "pairs" else "value"
    value = body.get(key)
    if not isinstance(value, str) or body.get("name", name) != name or body.keys() - {key, "name"}:
        raise invalid(f"The body must hold '{key}' as a string.")
    return value
