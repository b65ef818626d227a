"""Users and groups as an Integration Server lists them. Pure.

No page of the guides names the fields of a user or a group. Members are therefore looked for under the names that such a list
can have, and written under the one that the server's own document lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.drivers.json_values import Garbled, a_flag, a_name, an_object, some_texts

MEMBERS: Final = ("members", "users", "memberNames", "userNames")
"""The names under which a group may hold its users."""

EVERYBODY: Final = frozenset({"Everybody", "Anonymous"})
"""Groups that every user is in without being put there."""


class Group(Struct, frozen=True):
    """A group and its users; None where the answer shows none."""

    name: str
    members: tuple[str, ...] | None


def read_user(body: Any) -> tuple[str, bool]:
    """The name of a user, and whether the user can sign in; without a flag, yes. Raises Garbled."""
    raw = an_object(body, "a user")
    return a_name(raw, "name"), a_flag(raw, "enabled", True)


def read_group_name(body: Any) -> str:
    """The name of a group. Raises Garbled."""
    return a_name(an_object(body, "a group"), "name")


def read_group(body: Any) -> Group:
    """A group with its users. Raises Garbled."""
    raw = an_object(body, "a group")
    key = next((key for key in MEMBERS if key in raw), None)
    return Group(a_name(raw, "name"), None if key is None else some_texts(raw, key))


def read_whole_group(body: Any) -> Group:
    """The same of an answer that must show the users. Raises Garbled."""
    group = read_group(body)
    if group.members is None:
        raise Garbled(
            f"group {group.name} has none of {', '.join(MEMBERS)}", sorted(map(str, an_object(body, "a group")))
        )
    return group


def memberships(groups: Iterable[Group]) -> Mapping[str, frozenset[str]]:
    """The groups of each user, without those that everybody is in."""
    found: dict[str, frozenset[str]] = {}
    for group in groups:
        for user in group.members or () if group.name not in EVERYBODY else ():
            found[user] = found.get(user, frozenset()) | {group.name}
    return found
