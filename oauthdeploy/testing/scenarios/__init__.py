"""The scenarios of the contract suite, from easy to hard."""

from __future__ import annotations

from typing import Final

from oauthdeploy.testing.scenarios import answers, behaviour, clients, failures, fields, kinds, revocation
from oauthdeploy.testing.scenarios.base import SCENARIOS as _REGISTERED
from oauthdeploy.testing.scenarios.base import NoHook, NotDeclared, Scenario

_PARTS: Final = (kinds, clients, revocation, behaviour, answers, failures, fields)

GROUPS: Final = {
    "arrival": "Arrival",
    "settings": "Settings",
    "scopes": "Scopes",
    "clients": "Clients",
    "limits": "Limits",
    "secrets": "Secrets",
    "associations": "Associations",
    "trust": "Trust",
    "tokens": "Tokens and revocations",
    "block": "Blocked clients",
    "marks": "Ownership",
    "accounts": "Accounts",
    "unmanaged": "Unmanaged fields",
    "requests": "Requests",
    "refused": "Permissions",
    "answers": "Incomplete and unexpected responses",
    "reading": "Errors while reading",
    "writing": "Errors while writing",
    "vanished": "Deleted in the meantime",
}
"""The groups of scenarios and their titles, in order."""

SCENARIOS: Final[dict[str, Scenario]] = {
    name: one for group in GROUPS for name, one in _REGISTERED.items() if one.group == group
}
"""All scenarios by name, in order."""

__all__ = ["GROUPS", "SCENARIOS", "NoHook", "NotDeclared", "Scenario"]
