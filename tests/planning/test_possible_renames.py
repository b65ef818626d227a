"""A client that goes and one that comes which look the same are probably one client that was renamed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.capabilities import Capability, no
from oauthdeploy.model.objects import Client, ClientType
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.possible_renames import POSSIBLE_RENAME

from .builders import FACTS, client, desired, live, plan_of

SHOP = Client(type=ClientType.PUBLIC, redirect_uris=("https://a.example/cb",), description="The shop")


def found(wanted: DesiredState, state: object, **more: object) -> list[str]:
    plan = plan_of(wanted, state, **more)  # type: ignore[arg-type]
    return [item.fix for item in plan.diagnostics if item.rule == POSSIBLE_RENAME]


def test_a_removed_and_a_new_client_that_look_alike_are_told() -> None:
    """Whether the old one is removed or no longer named; the fix is the line to write."""
    state = live({client("old"): SHOP})
    assert found(desired({client("new"): SHOP}, absent=frozenset({client("old")})), state) == [
        "Renamed? Write under its new key:\n  moved_from: old"
    ]
    assert found(desired({client("new"): SHOP}), state) == ["Renamed? Write under its new key:\n  moved_from: old"]


@pytest.mark.parametrize(
    "wanted",
    [
        SHOP.model_copy(update={"redirect_uris": ("https://b.example/cb",)}),
        SHOP.model_copy(update={"type": ClientType.CONFIDENTIAL}),
        Client(type=ClientType.PUBLIC),
    ],
)
def test_clients_that_differ_or_say_too_little_are_two(wanted: Client) -> None:
    """One field in common is no likeness."""
    assert found(desired({client("new"): wanted}, absent=frozenset({client("old")})), live({client("old"): SHOP})) == []


def test_nothing_is_said_where_it_is_said_already_or_cannot_be() -> None:
    """A move that is written; two candidates; a server that can't rename."""
    state = live({client("old"): SHOP})
    assert found(desired({client("new"): SHOP}, moved={client("new"): "old"}), state) == []
    two: dict[Address, Client] = {client("old"): SHOP, client("older"): SHOP}
    assert found(desired({client("new"): SHOP}), live(two)) == []
    able = FACTS["fake"]
    table = {role: {**entries, Capability.CLIENT_RENAME: no("x")} for role, entries in able.capabilities.items()}
    assert found(desired({client("new"): SHOP}), state, facts={"fake": replace(able, capabilities=table)}) == []
