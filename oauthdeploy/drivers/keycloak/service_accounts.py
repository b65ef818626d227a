"""The service account behind client credentials: Keycloak deletes it with the client and with the grant, including its roles.

Granting client_credentials again creates a new one, which has only the realm's default roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import ServerError, Unauthorized, Unreachable
from oauthdeploy.drivers.common_steps import at_once
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.model.objects import Client, Grant
from oauthdeploy.planning.changes import Action, Change

MOST: Final = 50
"""The number of service accounts whose roles are read; if more are deleted, the plan does not list their roles."""

_GIVEN: Final = "default-roles-"
"""The prefix of the role that every user has; the realm's name follows."""


def lost_roles(admin: AdminApi, changes: Sequence[Change]) -> Mapping[Address, Sequence[str]]:
    """The roles of the service accounts that are deleted with the changes, in words."""
    ending = [change for change in changes if _ends_account(change)][:MOST]
    said = at_once(admin.parallel, lambda change: _roles_of(admin, change), ending)
    return {change.address: (words,) for change, words in zip(ending, said, strict=True) if words}


def _ends_account(change: Change) -> bool:
    before = change.live.value if change.live is not None else None
    if change.address.kind is not Kind.CLIENT or not isinstance(before, Client):
        return False
    if Grant.CLIENT_CREDENTIALS not in (before.grants or ()):
        return False
    return change.action in (Action.DELETE, Action.REPLACE) or any(
        field.path == "grants" and Grant.CLIENT_CREDENTIALS in field.removed for field in change.fields
    )


def _roles_of(admin: AdminApi, change: Change) -> str:
    try:
        user = admin.service_account(change.live.identity if change.live is not None else "")
        given = admin.role_mappings(str(user.get("id"))) if user is not None else None
    except (Unreachable, Unauthorized):
        raise
    except ServerError as error:
        return f"the roles of its service account, which could not be read ({error.summary})"
    names = list(_names(given or {}))
    return f"the roles of its service account: {', '.join(names)}" if names else ""


def _names(given: Mapping[str, Any]) -> Iterator[str]:
    """`biller` of the realm, `orders/reader` of a client."""
    for name in _of(given.get("realmMappings")):
        if not name.startswith(_GIVEN):
            yield name
    clients = given.get("clientMappings")
    for client, entry in sorted(clients.items()) if isinstance(clients, Mapping) else ():
        yield from (f"{client}/{name}" for name in _of(entry.get("mappings") if isinstance(entry, Mapping) else None))


def _of(roles: Any) -> Iterator[str]:
    listed = roles if isinstance(roles, list) else ()
    return iter(sorted(str(role.get("name")) for role in listed if isinstance(role, Mapping)))
