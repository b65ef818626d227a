"""What a change requires of the driver, according to its fields. Pure."""

from __future__ import annotations

import re

from oauthdeploy.drivers.common_steps import changed_values
from oauthdeploy.drivers.keycloak.fields import SETTINGS
from oauthdeploy.drivers.keycloak.settings import draft_settings
from oauthdeploy.model.objects import Client, ClientType, Scope, Settings
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.normalize import OPTIONS


def becomes_confidential(change: Change) -> bool:
    """Whether a change gives a secret to a public client."""
    return any(field.path == "type" and field.after is ClientType.CONFIDENTIAL for field in change.fields)


def sends_secret(change: Change) -> bool:
    """Whether a change is about the secret of an existing client."""
    return any(field.path.startswith("secret") for field in change.fields)


def option_names(change: Change) -> frozenset[str]:
    """The driver's own options that a change is about, by their top-level names."""
    prefix = f"{OPTIONS}.keycloak."
    paths = (field.path.removeprefix(prefix) for field in change.fields if field.path.startswith(prefix))
    return frozenset(re.split(r"[.\[]", path, maxsplit=1)[0] for path in paths)


def count_writes(change: Change) -> int:
    """How many requests one change takes, except for associations; reads that may prove unnecessary are counted."""
    desired = change.desired
    match desired:
        case Settings():
            draft = draft_settings(changed_values(change, SETTINGS), desired, option_names(change))
            return 1 + int(bool(draft.body)) + 4 * len(draft.rules)
        case Client():
            renews = desired.secret is not None and (becomes_confidential(change) or sends_secret(change))
            makes = renews and bool(desired.secret and desired.secret.generate) and not becomes_confidential(change)
            # The lock is created, read three times and removed, and the client is read two more times.
            update = 3 + 7 * int(renews) + int(makes)
            return {Action.CREATE: 2, Action.UPDATE: update, Action.REPLACE: 3}.get(change.action, 1)
        case Scope():
            return 2
        case _:
            return 1
