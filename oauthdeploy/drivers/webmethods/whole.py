"""Makes a PATCH safe, whatever the server does with the fields that it leaves out. Pure.

The guide of the Administrator API describes PATCH as a JSON Merge Patch (RFC 7396) in general; no page says so of the OAuth
resources, and a server that replaces instead would clear scopes, grants or redirect URIs. The body of an update is therefore
the whole object as it was read, with the changes in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oauthdeploy.core.secrets import is_masked, names_secret
from oauthdeploy.drivers.json_wire import Untraced

NEVER_SENT: Final = frozenset({"client_id", "client_secret", "clientSecret", "password", "url", "warnings"})
"""What an update must not send back to the server: a mask would become the secret."""


def whole_body(before: Any, changes: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """The whole object: `before` as the server returned it, as far as it accepts the fields, and the changes.

    `types` are the fields that the server accepts in a PATCH, with their JSON types. Fields that its document does not list, or
    that it returned in a type that cannot be converted to the listed one, are sent only if they change.
    """
    changes = typed(changes, types)
    if not isinstance(before, Mapping):
        return changes
    kept = {str(key): _given_back(str(key), value, types[key]) for key, value in before.items() if key in types}
    return {**{key: value for key, value in kept.items() if value is not None and key not in NEVER_SENT}, **changes}


def typed(changes: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """New values in the document's types: a number as text where it lists a string."""
    return {
        key: str(value)
        if types.get(key) == "string" and isinstance(value, int) and not isinstance(value, bool)
        else value
        for key, value in changes.items()
    }


def _given_back(key: str, value: Any, kind: str) -> Any:
    """A value in the document's type; None if it cannot be converted."""
    match kind, value:
        case "integer", str():
            digits = value.removeprefix("-")
            return int(value) if digits.isascii() and digits.isdigit() and len(digits) < 16 else None
        case "boolean", str():
            return {"true": True, "false": False}.get(value.lower())
        case (("integer" | "boolean"), float()):
            return None
        case _, str() if is_masked(value):
            return None
        case _, str() if names_secret(key):
            return Untraced(value)
        case _:
            return value
