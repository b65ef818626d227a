"""Server parameters (`watt.*`) in the responses of `/admin/server/setting`. Pure.

The guides list the operations and do not describe the bodies, so a value is looked for in every form that the Administrator API
uses elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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


def with_value(body: Any, name: str, text: str) -> Any:
    """The body of an update that sets a parameter, in the form in which the server shows it; None if it does not show it."""
    if isinstance(body, list):
        return next(([found] for one in body if (found := with_value(one, name, text)) is not None), None)
    if not isinstance(body, Mapping):
        return None
    if name in body:
        return {name: text}
    for key, value in (("name", "value"), ("settingName", "settingValue")):
        if body.get(key) == name:
            return {key: name, (value if value in body or "value" not in body else "value"): text}
    inner = ((key, with_value(one, name, text)) for key, one in body.items())
    return next(({key: found} for key, found in inner if found is not None), None)
