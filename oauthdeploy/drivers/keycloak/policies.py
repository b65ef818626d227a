"""Client policies: rules of a realm for many clients at once, such as PKCE for all public clients. Pure.

Keycloak has two lists: profiles, which say what is enforced (executors), and policies, which say for whom (conditions) and name
profiles. Each of our rules is a profile and a policy of the same name, which begins with `oauthdeploy-`; those of others are
read and never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from oauthdeploy.drivers.json_values import Garbled

Json = Mapping[str, Any]


class Rule(Struct, frozen=True):
    """What is enforced (the executor), and on which clients: those with an `access_type`, or all if it is empty."""

    name: str
    executor: str
    access_type: str = ""
    configuration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def profile(self) -> Json:
        """Our profile."""
        return {
            "name": self.name,
            "description": "Created by oauthdeploy.",
            "executors": [{"executor": self.executor, "configuration": dict(self.configuration)}],
        }

    @property
    def policy(self) -> Json:
        """Our policy."""
        condition = (
            {"condition": "client-access-type", "configuration": {"type": [self.access_type]}}
            if self.access_type
            else {"condition": "any-client", "configuration": {}}
        )
        return {
            "name": self.name,
            "description": "Created by oauthdeploy.",
            "enabled": True,
            "conditions": [condition],
            "profiles": [self.name],
        }


def entries(document: Any, key: str) -> Sequence[Json]:
    """One of the lists: `profiles`, `globalProfiles` or `policies`. Raises Garbled."""
    found = document.get(key, []) if isinstance(document, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise Garbled(f"there is no list of {key}")
    return found


def named_profiles(policies: Iterable[Json]) -> frozenset[str]:
    """The profiles that enabled policies name."""
    return frozenset(str(name) for one in policies if one.get("enabled") for name in one.get("profiles") or ())


def enforced(rule: Rule, profiles: Iterable[Json], policies: Iterable[Json]) -> Mapping[str, Any] | None:
    """The configuration with which some policy, ours or another, applies the rule to all the clients that it is for, or None."""
    able = {str(one.get("name")): found for one in profiles if (found := _executor(one, rule.executor)) is not None}
    for one in policies:
        if one.get("enabled") and _covers(one, rule.access_type):
            for name in one.get("profiles") or ():
                if name in able:
                    return able[name]
    return None


def _executor(profile: Json, executor: str) -> Mapping[str, Any] | None:
    for one in profile.get("executors") or ():
        if isinstance(one, Mapping) and one.get("executor") == executor:
            configuration = one.get("configuration")
            return configuration if isinstance(configuration, Mapping) else {}
    return None


def _covers(policy: Json, access_type: str) -> bool:
    """Whether every condition of a policy matches all clients of the access type."""
    return all(_lets_through(one, access_type) for one in policy.get("conditions") or ()) and bool(
        policy.get("conditions")
    )


def _lets_through(condition: Any, access_type: str) -> bool:
    if not isinstance(condition, Mapping):
        return False
    configuration = condition.get("configuration") or {}
    if not isinstance(configuration, Mapping) or configuration.get("is-negative-logic") in (True, "true"):
        return False
    if condition.get("condition") == "any-client":
        return True
    types = configuration.get("type") or ()
    return bool(condition.get("condition") == "client-access-type" and access_type and access_type in types)


def switched(rule: Rule, existing: Iterable[Json], *, on: bool, what: str) -> list[Json]:
    """One of the lists with our entry of the rule, or without it; `what` is `profile` or `policy`."""
    kept = [one for one in existing if one.get("name") != rule.name]
    return [*kept, getattr(rule, what)] if on else kept
