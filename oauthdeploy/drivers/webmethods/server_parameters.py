"""Server parameters (`watt.*`) in the responses of `/admin/server/setting`. Pure.

The guides list the operations and do not describe the bodies, so a value is looked for in every form that the Administrator API
uses elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DISABLE_TOKENS: Final = "watt.server.oauth.disableClient.disableTokens"
"""Whether the tokens of a disabled client are inactive; true unless it is set (guide, watt.server. parameters)."""


def parameter_value(body: Any, name: str) -> str | None:
    """The value of a parameter as text: `{name: value}`, `{"name": name, "value": value}`, or either of them in a list."""
    if isinstance(body, list):
        return next((found for one in body if (found := parameter_value(one, name)) is not None), None)
    if not isinstance(body, Mapping):
        return None
    value = body.get(name)
    if value is None and name in (body.get("name"), body.get("settingName")):
        value = body.get("value", body.get("settingValue"))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    lists = [inner for inner in body.values() if isinstance(inner, list | Mapping)]
    return next((found for inner in lists if (found := parameter_value(inner, name)) is not None), None)
