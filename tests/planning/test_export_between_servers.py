"""What an export makes of servers that differ in what scopes open, and of client ids that a copy cannot keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.capabilities import table_for
from oauthdeploy.model.objects import Client, Scope
from oauthdeploy.model.state import LiveObject, LiveState
from oauthdeploy.planning.drift.comparison import compare_servers
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.client_ids import RULE
from oauthdeploy.planning.export.values import Export, ExportOptions
from oauthdeploy.planning.inventory import Inventory
from tests.planning.builders import TWO_SIDES, client, desired, facts, live, scope

A, B = Scope(resources=("a",)), Scope(resources=("b",))
NOTHING = Scope(resources=())
TO_ORDERS = ExportOptions(source="as", target="rs")
TO_LOGIN = ExportOptions(source="rs", target="as")


def inventory(
    there: Mapping[Address, Any], written: Mapping[Address, Any] | None = None, generating: str = ""
) -> Inventory:
    """An authorization server `as` and a resource server `rs`; `generating` makes client ids itself."""
    found = live(there, servers=TWO_SIDES)
    state = LiveState({name: replace(one, makes_client_ids=name == generating) for name, one in found.servers.items()})
    driver = facts()["fake"]
    tables = {name: table_for(driver, entry.role) for name, entry in TWO_SIDES.items()}
    return Inventory(desired(written or {}, servers=TWO_SIDES), state, {"fake": driver}, tables)


def contents(made: Export) -> tuple[Any, Mapping[str, Any]] | None:
    """What the export says of the resources of scope r: for all servers, and for single ones."""
    if not made.scopes:
        return None
    (entry,) = made.scopes
    return entry.values.get("resources"), {name: own["resources"] for name, own in entry.overrides.items()}


@pytest.mark.parametrize(
    ("on_as", "on_rs", "said"),
    [
        (A, A, (("a",), {})),
        (NOTHING, A, (("a",), {"as": ()})),
        (B, A, (("a",), {"as": ("b",)})),
        (A, NOTHING, ((), {"as": ("a",)})),
        (NOTHING, NOTHING, (None, {})),
    ],
)
def test_a_scope_that_opens_different_things_gets_an_override(on_as: Scope, on_rs: Scope, said: Any) -> None:
    """The entry has what the resource server opens; another server has its own."""
    assert contents(export(inventory({scope("r"): on_as, scope("r", "rs"): on_rs}), ExportOptions())) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ((A, A), ((("a",), {"as": ("b",)}))),
        ((B, A), None),
        ((NOTHING, B), (("a",), {"as": ("b",), "rs": None})),
    ],
)
def test_an_export_over_a_manifest_changes_what_the_servers_do_not_fulfil(
    written: tuple[Scope, Scope], said: Any
) -> None:
    """Live are b on the authorization server and a on the resource server; an entry that says so is left alone."""
    there = {scope("r"): B, scope("r", "rs"): A}
    made = export(inventory(there, dict(zip(there, written, strict=True))), ExportOptions())
    assert contents(made) == said


def test_an_override_that_a_server_no_longer_needs_is_taken_out() -> None:
    """Both servers open the same now."""
    there = {scope("r"): A, scope("r", "rs"): A}
    assert contents(export(inventory(there, {scope("r"): B, scope("r", "rs"): A}), ExportOptions())) == (
        ("a",),
        {"as": None},
    )


@pytest.mark.parametrize(
    ("options", "on_as", "on_rs", "said"),
    [
        (TO_ORDERS, A, None, (("a",), {})),
        (TO_LOGIN, None, A, (("a",), {})),
        (TO_ORDERS, A, B, (("a",), {})),
        # An authorization server may leave empty what a resource server must open.
        (TO_ORDERS, NOTHING, B, (None, {})),
    ],
)
def test_a_copy_moves_what_a_scope_opens_in_both_directions(
    options: ExportOptions, on_as: Scope | None, on_rs: Scope | None, said: Any
) -> None:
    """Whole scopes are copied, from either side."""
    there = {scope("r", name): value for name, value in (("as", on_as), ("rs", on_rs)) if value is not None}
    assert contents(export(inventory(there), options)) == said


@pytest.mark.parametrize(("on_as", "differs"), [(A, False), (B, True), (NOTHING, False)])
def test_servers_are_compared_in_what_their_scopes_open(on_as: Scope, differs: bool) -> None:
    """Nothing on an authorization server is no difference: it need not store what a scope opens."""
    found = inventory({scope("r"): on_as, scope("r", "rs"): A})
    assert compare_servers(found, "as", "rs").different is differs


MACHINE_MADE = "0123456789abcdef0123456789abcdef"


def copied(generating: str, *, target_id: str = "") -> Export:
    there = {client("shop"): LiveObject(Client(name="Shop", version="1"), client_id=MACHINE_MADE)}
    if target_id:
        there[client("shop", "rs")] = LiveObject(Client(name="Shop", version="1"), client_id=target_id)
    return export(inventory(there, generating=generating), TO_ORDERS)


def test_a_copy_keeps_client_ids_where_the_target_accepts_them() -> None:
    """The key becomes the id, so even an id that a machine made is the key."""
    made = copied("as")
    assert [entry.name for entry in made.clients] == [MACHINE_MADE]
    assert not [item for item in made.findings if item.rule == RULE]


@pytest.mark.parametrize(("generating", "target_id"), [("rs", ""), ("", "another"), ("rs", "another")])
def test_a_copy_names_the_clients_that_get_another_id(generating: str, target_id: str) -> None:
    """With the id on the source, as a warning."""
    (found,) = [item for item in copied(generating, target_id=target_id).findings if item.rule == RULE]
    assert f"({MACHINE_MADE}" in found.detail
    assert target_id in found.detail
    assert found.severity == "warning"


def test_a_client_whose_key_is_not_its_id_is_named_where_the_key_becomes_the_id() -> None:
    """The manifest calls it shop already."""
    there = {client("shop"): LiveObject(Client(), client_id=MACHINE_MADE)}
    made = export(inventory(there, {client("shop"): Client()}, generating="as"), TO_ORDERS)
    (found,) = [item for item in made.findings if item.rule == RULE]
    assert "keys of the manifest as client ids" in found.detail
