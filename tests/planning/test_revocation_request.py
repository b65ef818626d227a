"""An estate that asks for cut-offs alone: where they go, what is left out, and what a server can't do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.model.capabilities import Capability, DriverFacts, no, table_for
from oauthdeploy.model.objects import Client, IssuedBefore, Revocation, Side
from oauthdeploy.model.servers import Limits, Role, Server
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.revocation.request import PATIENCE, REPEATS, CutOff, as_offered, cut_off, on_servers

ALL = Revocation(client="shop", tokens="all", block=tuple(Side))
SERVERS = {
    "login": Server(role=Role.AUTHORIZATION, driver="webmethods", url="https://login", limits=Limits(timeout=300)),
    "orders": Server(
        role=Role.RESOURCE, driver="webmethods", url="https://orders", limits=Limits(timeout=5, retries=0)
    ),
    "both": Server(role=Role.BOTH, driver="webmethods", url="https://both"),
    "idp": Server(role=Role.AUTHORIZATION, driver="external"),
}
CLIENT = Client(name="Shop", version="2", description="not a matter of a cut-off", enabled=True)
DESIRED = DesiredState(
    "shop", SERVERS, {Address(Kind.CLIENT, "shop", "login"): CLIENT, Address(Kind.CLIENT, "other", "login"): CLIENT}
)


def asked(revocation: Revocation, facts: dict[str, DriverFacts] | None = None) -> CutOff:
    return cut_off(DESIRED, {"INC-7": revocation}, facts or dict(driver_facts()))


def lacking(*capabilities: Capability) -> dict[str, DriverFacts]:
    """The webmethods driver without some of what it can."""
    own = driver_facts()["webmethods"]
    gone = {capability: no("for the test") for capability in capabilities}
    tables = {role: {**table_for(own, role), **gone} for role in Role}
    return {**driver_facts(), "webmethods": replace(own, capabilities=tables)}


def placed(made: CutOff) -> dict[str, tuple[object, tuple[Side, ...] | None]]:
    found = {a.server: made.desired.objects[a] for a in made.addresses}
    return {server: (v.tokens, v.block) for server, v in found.items() if isinstance(v, Revocation)}


def test_each_server_gets_its_side_of_a_cut_off() -> None:
    """Tokens end on authorization servers, a block falls on the sides that it names, and nothing is sent to a trusted server."""
    assert placed(asked(ALL)) == {
        "login": ("all", (Side.AUTHORIZATION,)),
        "orders": (None, (Side.RESOURCE,)),
        "both": ("all", tuple(Side)),
    }
    only_tokens = Revocation(client="shop", tokens="all", owner="alice")
    assert placed(asked(only_tokens)) == {"login": ("all", None), "both": ("all", None)}


def test_of_the_clients_only_their_natural_keys_are_known() -> None:
    """The plan can't be about anything else: no other client, no other field, nothing to prune."""
    made = asked(ALL).desired
    clients = {address: value for address, value in made.objects.items() if address.kind is Kind.CLIENT}
    assert clients == {Address(Kind.CLIENT, "shop", "login"): Client(name="Shop", version="2")}
    assert next(iter(clients.values())).model_fields_set == {"name", "version"}
    assert made.absent == frozenset()
    assert made.policy.prune.associations.value == "none"


def test_a_server_that_hangs_can_not_keep_the_others_waiting_for_long() -> None:
    """The manifest's patience is capped, never stretched."""
    limits = {name: server.limits for name, server in asked(ALL).desired.servers.items()}
    assert (limits["login"].timeout, limits["login"].retries) == (PATIENCE, REPEATS)
    assert (limits["orders"].timeout, limits["orders"].retries) == (5, 0)


@pytest.mark.parametrize(
    ("capability", "revocation", "left"),
    [
        (Capability.BLOCK_CLIENT, ALL, {"login": ("all", None), "both": ("all", None)}),
        (
            Capability.TOKENS_DELETE,
            ALL,
            {"login": (None, (Side.AUTHORIZATION,)), "orders": (None, (Side.RESOURCE,)), "both": (None, tuple(Side))},
        ),
        (Capability.TOKENS_BY_OWNER, Revocation(client="shop", tokens="all", owner="alice"), {}),
        (Capability.TOKENS_BY_SCOPE, Revocation(client="shop", tokens="all", scope="read"), {}),
        (Capability.TOKENS_BY_HANDLE, Revocation(client="shop", tokens="all", handles=("3f9c0a71b2de",)), {}),
        (
            Capability.TOKENS_BY_TIME,
            Revocation(client="shop", tokens=IssuedBefore(issued_before=datetime(2026, 1, 1, tzinfo=UTC))),
            {},
        ),
    ],
    ids=lambda value: value.value if isinstance(value, Capability) else "",
)
def test_what_a_server_can_not_do_is_said_and_never_made_more_of(
    capability: Capability, revocation: Revocation, left: dict[str, object]
) -> None:
    """The rest is done all the same; a selection that can't be made never becomes the deletion of everything."""
    made = asked(revocation, lacking(capability))
    assert placed(made) == left
    assert {item.rule for item in made.gaps} == {"cut-off-not-offered"}
    assert all("for the test" in item.detail for item in made.gaps)


def test_a_part_of_the_servers_keeps_its_own_findings_only() -> None:
    """Restricted to a server, nothing is said or asked of the others."""
    part = on_servers(asked(ALL, lacking(Capability.BLOCK_CLIENT)), {"login"})
    assert {address.server for address in part.desired.objects} == {"login"}
    assert {item.address for item in part.gaps} == {"revocation/INC-7@login"}


def test_what_a_server_itself_says_it_can_not_do_is_left_out_too() -> None:
    """It is known only once the server was asked, and is told like what is known before; other servers keep their part."""
    narrow = Revocation(client="shop", tokens="all", scope="read", block=(Side.AUTHORIZATION,))
    made = asked(narrow)
    facts = lacking(Capability.TOKENS_BY_SCOPE)["webmethods"]
    tables = {"login": table_for(facts, Role.AUTHORIZATION)}
    part = as_offered(made, tables)
    assert placed(part) == {**placed(made), "login": (None, (Side.AUTHORIZATION,))}
    assert [(item.rule, item.address) for item in part.gaps] == [("cut-off-not-offered", "revocation/INC-7@login")]
    assert as_offered(part, tables) == part
