"""What a change requires of the driver, according to its fields. Pure."""

from __future__ import annotations

from typing import Final

from oauthdeploy.drivers.common_steps import changed_options, changed_values
from oauthdeploy.drivers.keycloak.fields import SETTINGS
from oauthdeploy.drivers.keycloak.options import DRIVER_NAME
from oauthdeploy.drivers.keycloak.settings import draft_settings
from oauthdeploy.model.objects import Client, ClientType, Scope, Settings
from oauthdeploy.planning.changes import Action, Change


def becomes_confidential(change: Change) -> bool:
    """Whether a change gives a secret to a public client."""
    return any(field.path == "type" and field.after is ClientType.CONFIDENTIAL for field in change.fields)


def sends_secret(change: Change) -> bool:
    """Whether a change is about the secret of an existing client."""
    return any(field.path.startswith("secret") for field in change.fields)


MAPPERS: Final = frozenset({"audiences", "protocol_mappers"})
"""The fields of a client scope that are written as mappers."""


def makes_secret(change: Change) -> bool:
    """Whether the secret that the server generates for a new client is delivered, so that it must be read."""
    desired = change.desired
    return isinstance(desired, Client) and desired.secret is not None and bool(desired.secret.generate)


def needs_look(change: Change) -> bool:
    """Whether an update of a client must start from its current state: mappers and flow bindings are written as a whole."""
    return bool(changed_options(change, DRIVER_NAME) & {"protocol_mappers", "authentication_flows"})


def count_writes(change: Change, *, known: bool) -> int:
    """How many requests one change takes, except for associations; reads that may prove unnecessary are counted.

    `known` says that a client need not be read before its update.
    """
    desired = change.desired
    match desired:
        case Settings():
            draft = draft_settings(changed_values(change, SETTINGS), desired, changed_options(change, DRIVER_NAME))
            return 1 + int(bool(draft.body)) + 4 * len(draft.rules)
        case Client():
            renews = desired.secret is not None and (becomes_confidential(change) or sends_secret(change))
            makes = renews and bool(desired.secret and desired.secret.generate) and not becomes_confidential(change)
            # The lock is created, read three times and removed.
            update = 9 + int(makes) if renews else 1 + int(needs_look(change) or not known)
            create = 1 + int(makes_secret(change))
            return {Action.CREATE: create, Action.UPDATE: update, Action.REPLACE: 1 + create}.get(change.action, 1)
        case Scope():
            return 1 + int(change.action is Action.UPDATE and bool(changed_options(change, DRIVER_NAME) & MAPPERS))
        case _:
            return 1
