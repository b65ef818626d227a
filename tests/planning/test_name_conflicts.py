"""A name that another object has is found while planning, not by the server's refusal in the middle of an apply."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.objects import Client
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.diff import NAME_TAKEN as RULE

from .builders import FACTS, client, desired, facts, live, plan_of

BY_NAME: Mapping[str, DriverFacts] = {
    "fake": replace(
        facts(defaults={Kind.CLIENT: {"version": "1", "name": ""}})["fake"], unique={Kind.CLIENT: ("name", "version")}
    )
}
SHOP = Client(name="Shop", version="1")


def conflicts(wanted: DesiredState, state: LiveState, known: Mapping[str, DriverFacts] = BY_NAME) -> list[str]:
    plan = plan_of(wanted, state, facts=known)
    return [item.address for item in plan.diagnostics.errors if item.rule == RULE]


def test_a_new_client_needs_a_free_name_even_where_its_holder_goes() -> None:
    """What comes is made before what goes; the fix names the move that keeps the client."""
    state = live({client("old"): SHOP})
    for wanted in (
        desired({client("new"): SHOP}),
        desired({client("new"): SHOP}, absent=frozenset({client("old")})),
        desired({client("new"): Client(name="Shop")}, absent=frozenset({client("old")})),
    ):
        assert conflicts(wanted, state) == ["client/new@as"]
        (found,) = plan_of(wanted, state, facts=BY_NAME).diagnostics.errors
        assert "moved_from: old" in found.fix


@pytest.mark.parametrize("free", [Client(name="Shop", version="2"), Client(name="Other")])
def test_another_version_is_another_name(free: Client) -> None:
    """All fields together make the name."""
    assert conflicts(desired({client("new"): free}), live({client("old"): SHOP})) == []


def test_a_rename_needs_a_free_name() -> None:
    """An update of the name, and no update of anything else."""
    state = live({client("old"): SHOP, client("b"): Client(name="B", version="1")})
    assert conflicts(desired({client("b"): Client(name="Shop")}), state) == ["client/b@as"]
    assert conflicts(desired({client("b"): Client(description="x")}), state) == []
    assert conflicts(desired({client("old"): Client(name="Shop", description="x")}), state) == []


def test_a_move_keeps_the_name() -> None:
    """The object that moves has the name itself."""
    assert conflicts(desired({client("new"): SHOP}, moved={client("new"): "old"}), live({client("old"): SHOP})) == []


def test_only_servers_that_tell_objects_by_name_ask() -> None:
    """Where the key is the id, two clients may be called the same; another server's client takes nothing here."""
    wanted = desired({client("new"): SHOP})
    assert conflicts(wanted, live({client("old"): SHOP}), FACTS) == []
    assert conflicts(wanted, live({client("old", "rs"): SHOP})) == []
