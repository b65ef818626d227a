"""What a server says of itself decides a plan: it overrides its driver's table, and what it lacks is refused before a write."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.model.capabilities import Capability, Support, no, untested, yes
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Client, ClientType, Grant, Object, Revocation, Scope, Side, Trust
from oauthdeploy.model.state import LiveObject, LiveState
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.plan import build_plan
from oauthdeploy.planning.requirements import table_on, unoffered
from tests.planning.builders import FACTS, TWO_SIDES, client, desired, live, revocation, scope, trust

CUT = Revocation(client="shop", tokens="all", scope="orders.read", block=(Side.AUTHORIZATION,))


def answering(server: str, state: LiveState, **answers: Support) -> LiveState:
    """The same servers, one of which reports something of itself; `_` stands for a dot in the name of a question."""
    told = {question.replace("__", "."): answer for question, answer in answers.items()}
    return LiveState({**state.servers, server: replace(state.servers[server], answers=told)})


@pytest.mark.parametrize(
    ("value", "question", "path"),
    [
        (CUT, Capability.TOKENS_BY_SCOPE, ("scope",)),
        (CUT, Capability.BLOCK_CLIENT, ("block",)),
        (Client(grants=(Grant.PASSWORD,)), Capability.GRANT_PASSWORD, ("grants",)),
        (Client(description="x"), "clients.description", ("description",)),
        (Scope(description="x"), Capability.SCOPES, ()),
    ],
    ids=lambda value: str(value) if not isinstance(value, Model) else type(value).__name__,
)
def test_what_a_server_says_it_lacks_is_an_error(value: Object, question: str, path: tuple[str, ...]) -> None:
    """Whatever its driver's table says; the finding names the server, the question, its reason and the place."""
    kinds = {Client: client("shop"), Scope: scope("orders.read"), Revocation: revocation("CUT-1")}
    address = kinds[type(value)]
    wanted = desired({address: value}, places={address: ("entry",)})
    state = live({})
    told = LiveState({**state.servers, "as": replace(state.servers["as"], answers={question: no("for the test")})})
    (found,) = unoffered(wanted, told)
    assert (found.rule, found.severity, found.address) == ("not-supported", Severity.ERROR, str(address))
    assert found.path == ("entry", *path)
    assert f"as says that it does not offer {question}: for the test." in found.detail


def test_a_trust_is_refused_at_the_entry_of_its_server() -> None:
    """The way of checking tokens is written there."""
    wanted = desired({trust(): Trust(authorization_server="as", via="remote")})
    told = answering("rs", live({}), trust__remote=no("for the test"))
    assert [found.path for found in unoffered(wanted, told)] == [("servers", "rs", "authorization_server")]


@pytest.mark.parametrize("answer", [yes("here"), untested("nobody knows")])
def test_only_a_no_refuses(answer: Support) -> None:
    """Another note, or a doubt, stops nothing; nor does a no to what nobody requires."""
    wanted = desired({client("shop"): Client(description="x")})
    assert list(unoffered(wanted, answering("as", live({}), clients__description=answer))) == []
    assert list(unoffered(wanted, answering("as", live({}), clients__id_choice=no("for the test")))) == []


def test_the_answers_of_a_server_override_its_drivers_table() -> None:
    """And no other server's."""
    told = answering("as", live({}), clients__rename=no("not here"))
    tables: dict[str, Any] = {name: table_on(FACTS, TWO_SIDES[name], told.servers[name]) for name in TWO_SIDES}
    assert not tables["as"][Capability.CLIENT_RENAME]
    assert tables["rs"][Capability.CLIENT_RENAME]
    assert tables["as"][Capability.CLIENTS]


def test_a_plan_follows_what_the_server_says() -> None:
    """A server that cannot change the type of a client has it replaced, although its driver's table says that it can."""
    wanted = desired({client("shop"): Client(type=ClientType.CONFIDENTIAL)})
    state = live({client("shop"): LiveObject(Client(type=ClientType.PUBLIC), identity="shop")})
    assert [change.action for change in build_plan(wanted, state, FACTS).changes] == [Action.UPDATE]
    told = answering("as", state, clients__type_change=no("for the test"))
    assert [change.action for change in build_plan(wanted, told, FACTS).changes] == [Action.REPLACE]
