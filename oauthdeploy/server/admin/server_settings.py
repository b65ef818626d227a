"""`/admin/server/setting`: the server parameters that this server knows, read-only. A profile sets them."""

from __future__ import annotations

from oauthdeploy.server.admin.api import Api
from oauthdeploy.server.admin.errors import missing
from oauthdeploy.server.admin.fields import Field
from oauthdeploy.server.profile import Profile

PATH = "/admin/server/setting"

FIELDS = (
    Field("name", "", "text", "Name of the parameter."),
    Field("value", "", "text", "Its value."),
)


def parameters(profile: Profile) -> dict[str, str]:
    """The parameters by name, each value as text."""
    return {"watt.server.oauth.disableClient.disableTokens": str(profile.disable_tokens).lower()}


def register(api: Api) -> None:
    """Serve parameters: list and read."""
    known = parameters(api.state.profile)

    @api.operation("GET", PATH, summary="List the server parameters", tag="server", answer="ServerSettingList")
    def list_settings() -> object:
        return {"settings": [{"name": name, "value": value} for name, value in known.items()]}

    @api.operation("GET", PATH + "/{name}", summary="Read a server parameter", tag="server", answer="ServerSetting")
    def read_setting(name: str) -> object:
        if name not in known:
            raise missing("server parameter", name)
        return {"name": name, "value": known[name]}
