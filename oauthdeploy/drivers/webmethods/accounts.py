"""Users and groups as an Integration Server lists them. Pure."""

from __future__ import annotations

from typing import Any

from oauthdeploy.drivers.json_values import a_flag, a_name, an_object


def read_user(body: Any) -> tuple[str, bool]:
    """The name of a user, and whether the user can sign in; without a flag, yes. Raises Garbled."""
    raw = an_object(body, "a user")
    return a_name(raw, "name"), a_flag(raw, "enabled", True)


def read_group(body: Any) -> str:
    """The name of a group. Raises Garbled."""
    return a_name(an_object(body, "a group"), "name")
