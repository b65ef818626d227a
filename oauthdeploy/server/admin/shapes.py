"""Response formats, where the format is not documented. Pure."""

from __future__ import annotations

from typing import Any

from oauthdeploy.server.profile import Profile

SWAGGER = "openapi"
_NOT_IN_PARTIAL_ITEMS = (list, bool)


def reshaped(profile: Profile, result: Any, expanded: bool) -> Any:
    """A response in the format of the profile; an OpenAPI document stays as it is.

    `expanded` says that it is a list of whole objects.
    """
    if not isinstance(result, dict) or SWAGGER in result:
        return result
    if profile.list_items == "partial" and expanded:
        result = {name: _partial(value) for name, value in result.items()}
    shown = _valued(profile, result)
    return _listed(profile, shown)


def _partial(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {key: inner for key, inner in item.items() if not isinstance(inner, _NOT_IN_PARTIAL_ITEMS)}
        if isinstance(item, dict)
        else item
        for item in value
    ]


def _valued(profile: Profile, value: Any, depth: int = 0) -> Any:
    """Numbers, flags and empty values inside objects."""
    match value:
        case dict():
            made = {key: _valued(profile, inner, depth + 1) for key, inner in value.items()}
            if profile.versions == "text" and isinstance(made.get("version"), int):
                made["version"] = str(made["version"])
            # The list in the response to a list request stays a list, even if it is empty.
            if profile.empty == "shown" or (depth == 0 and _is_list(value)):
                return made
            if profile.empty == "null":
                return {key: None if inner in ("", []) else inner for key, inner in made.items()}
            return {key: inner for key, inner in made.items() if inner not in ("", [], None)}
        case list():
            return [_valued(profile, inner, depth + 1) for inner in value]
        case bool() if profile.values == "text":
            return str(value).lower()
        case int() if profile.values == "text" and not isinstance(value, bool):
            return str(value)
        case _:
            return value


def _is_list(result: dict[str, Any]) -> bool:
    return bool(result) and all(isinstance(value, list) for value in result.values())


def _listed(profile: Profile, result: dict[str, Any]) -> Any:
    if not _is_list(result) or len(result) != 1:
        return result
    ((name, items),) = result.items()
    match profile.list_shape:
        case "named":
            return result
        case "array":
            return items
        case "with_ids":
            return {"ids": [_id_of(item) for item in items], name: items}


def _id_of(item: Any) -> str:
    keys = ("client_id", "accessTokenId", "refreshTokenId", "alias", "name")
    return next((str(item[key]) for key in keys if isinstance(item, dict) and item.get(key)), "")
