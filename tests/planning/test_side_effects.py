"""What goes along with a change for good is said in the plan, with a risk, and by the rollback that can't bring it back."""

from __future__ import annotations

from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.model.capabilities import Interruption, SideEffect
from oauthdeploy.model.objects import Client, Grant
from oauthdeploy.planning.changes import Risk
from oauthdeploy.planning.plan import with_losses
from oauthdeploy.planning.rollback.inverse import NOT_RESTORABLE, inverse
from oauthdeploy.planning.rollback.steps import steps_of
from oauthdeploy.running.journal import plain

from .builders import FACTS, client, desired, live, plan_of

EFFECTS = (
    SideEffect(Kind.CLIENT, "its sessions"),
    SideEffect(Kind.CLIENT, "its account", field="grants", gone=Grant.CLIENT_CREDENTIALS),
)
KNOWN = {"fake": replace(FACTS["fake"], side_effects=EFFECTS)}
MACHINE = Client(grants=(Grant.CLIENT_CREDENTIALS, Grant.PASSWORD))


def test_a_plan_names_what_goes_along() -> None:
    """With a deletion, and with a grant that goes; at least a medium risk; nothing where nothing goes."""
    state = live({client("a"): MACHINE, client("b"): MACHINE, client("c"): MACHINE})
    wanted = desired(
        {client("b"): Client(grants=(Grant.PASSWORD,)), client("c"): Client(grants=(Grant.CLIENT_CREDENTIALS,))},
        absent=frozenset({client("a")}),
    )
    changes = {c.address.name: c for c in plan_of(wanted, state, facts=KNOWN).changes}
    assert changes["a"].lost == ("its sessions",)
    assert (changes["b"].lost, changes["b"].risk) == (("its account",), Risk.MEDIUM)
    assert "Also deletes permanently: its account." in changes["b"].note
    assert (changes["c"].lost, changes["c"].note) == ((), "")


def test_what_the_server_tells_is_added() -> None:
    """The exact names stand in the plan, and reading them counts."""
    plan = plan_of(desired(absent=frozenset({client("a")})), live({client("a"): MACHINE}), facts=KNOWN)
    told = with_losses(plan, {client("a"): ["its roles: x, y"]}, {"as": 2})
    assert told.changes[0].lost == ("its sessions", "its roles: x, y")
    assert [server.reads for server in told.servers if server.name == "as"] == [4]


def test_a_rollback_says_what_does_not_come_back() -> None:
    """From the journal, by the words of the plan."""
    change = plan_of(
        desired({client("b"): Client(grants=(Grant.PASSWORD,))}), live({client("b"): MACHINE}), facts=KNOWN
    ).changes[0]
    same = {"address": str(change.address), "action": "update"}
    fields = [{"path": "grants", "before": plain(MACHINE.grants), "after": ["password"]}]
    intent = {**same, "type": "intent", "before": plain(MACHINE), "after": {"grants": ["password"]}, "changed": fields}
    ended = {**same, "type": "outcome", "status": "done"}
    (step,) = steps_of([{**intent, "lost": ["its account: biller"]}, ended])
    found = [item for item in inverse([step], desired()).findings if item.rule == NOT_RESTORABLE]
    assert ["its account: biller" in item.detail for item in found] == [True]


def test_drivers_declare_what_goes_with_a_client() -> None:
    """Servers that hold more of a client than the manifest says so."""
    said = {name: [effect.what for effect in facts.side_effects] for name, facts in driver_facts().items()}
    assert any("service account" in what for what in said["keycloak"])
    assert any("tokens" in what for what in said["webmethods"])


def test_a_plan_says_what_is_interrupted() -> None:
    """Beside the change of that field and at least of medium risk; not where another field changes, nor for a new object."""
    one = Interruption(Kind.CLIENT, "description", "The client rests.")
    known = {"fake": replace(FACTS["fake"], interruptions=(one,))}
    wanted = desired({client(key): Client(name="n", description="new") for key in "abc"})
    there = {client("a"): Client(name="n", description="old"), client("b"): Client(name="m", description="new")}
    changes = {change.address.name: change for change in plan_of(wanted, live(there), facts=known).changes}
    assert [(changes[key].note, changes[key].risk >= Risk.MEDIUM) for key in "abc"] == [
        ("The client rests.", True),
        ("", False),
        ("", False),
    ]
