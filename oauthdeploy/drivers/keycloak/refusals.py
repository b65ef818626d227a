"""Errors of writes that find something else on the server than the plan expects."""

from __future__ import annotations

from oauthdeploy.core.errors import Conflict, NotFound


def missing(server: str, what: str, name: str) -> NotFound:
    """An object that the plan changes does not exist; `what` is its kind in words."""
    return NotFound(f"'{server}' has no {what} '{name}'", server=server, fix="Make a new plan.")


def protected(server: str, what: str, name: str) -> Conflict:
    """An object that Keycloak created itself is to be deleted."""
    return Conflict(
        f"The {what} '{name}' is Keycloak's own",
        server=server,
        fix="Remove state: absent; Keycloak's own objects are never deleted.",
    )
