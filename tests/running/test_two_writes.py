"""Objects that swap something: after every single write, what the old and the new manifest both allow is allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import Rejected
from oauthdeploy.model.objects import Association, Client, Object, Scope, Trust
from oauthdeploy.planning.changes import Action, Change, FieldChange, Interim, Reason, Stage
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.outcome import Status
from oauthdeploy.planning.plan import build_plan
from oauthdeploy.planning.rollback.inverse import inverse
from oauthdeploy.planning.rollback.steps import steps_of
from oauthdeploy.planning.selection import select
from oauthdeploy.planning.two_writes import interim_of, write_steps
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.journal import read_journal
from oauthdeploy.running.read import read_live
from tests.running.kit import FACTS_BY_DRIVER
from tests.running.test_rollback import Pair

NAMES = ("s", "t", "u")
RESOURCES = ("f", "g", "h")
Estate = Mapping[str, tuple[str, ...]]
"""The resources of each scope, and the scopes of the client `c`."""


def objects(estate: Estate) -> dict[Address, Object]:
    """What both servers hold."""
    found: dict[Address, Object] = {}
    for name in NAMES:
        found[Address(Kind.SCOPE, name, "login")] = Scope()
        found[Address(Kind.SCOPE, name, "orders")] = Scope(resources=estate[name])
    for server in ("login", "orders"):
        found[Address(Kind.CLIENT, "c", server)] = Client()
    return found | {Address.association("c", name, "login"): Association() for name in estate["c"]}


def on(found: Mapping[Address, Object], server: str) -> dict[Address, Object]:
    return {address: value for address, value in found.items() if address.server == server}


def allowed(pair: Pair) -> frozenset[str]:
    """What a token of the client opens that is asked for now, with every scope that it may ask for."""
    granted = {a.scope for a in pair.stores["login"].objects if a.kind is Kind.ASSOCIATION}
    scopes = [pair.stores["orders"].objects.get(Address(Kind.SCOPE, name, "orders")) for name in granted]
    return frozenset(each for scope in scopes if isinstance(scope, Scope) for each in scope.resources or ())


def watched(pair: Pair) -> list[frozenset[str]]:
    """What is allowed before the first write and after each: the states that a kill would leave behind."""
    seen = [allowed(pair)]
    for store in pair.stores.values():
        store.after = lambda _change: seen.append(allowed(pair))
    return seen


def started(folder: Path, before: Estate, after: Estate) -> tuple[Pair, dict[Address, Object], tuple[Address, ...]]:
    there, wanted = objects(before), objects(after)
    pair = Pair(folder, on(there, "login"), on(there, "orders"))
    return pair, wanted, tuple(there.keys() - wanted.keys())


def test_a_plan_says_what_is_open_for_a_while(tmp_path: Path) -> None:
    """A scope that gets something while a client is yet to lose it, and one that is yet to lose what a client isn't to get."""
    before = {"s": (), "t": ("g",), "u": (), "c": ("s",)}
    pair, wanted, gone = started(tmp_path, before, {"s": ("f",), "t": (), "u": (), "c": ("t",)})
    notes = {str(change.address): change.note for change in pair.plan(pair.desired(wanted, *gone)).changes}
    assert notes["scope/s@orders"] == "Until c lost the scope, also open to it: f."
    assert notes["scope/t@orders"] == "Until the scope has lost it, also open to c: g."


SWAP = ({"s": ("f",), "t": ("g",), "u": (), "c": ("s", "t")}, {"s": ("g",), "t": ("f",), "u": (), "c": ("s", "t")})


def test_a_swap_is_one_change_of_each_object_in_two_writes(tmp_path: Path) -> None:
    """The plan says it, and counts both requests; the report has one outcome for each object."""
    pair, wanted, _gone = started(tmp_path, *SWAP)
    plan = pair.plan(pair.desired(wanted))
    assert [str(change.address) for change in plan.changes] == ["scope/s@orders", "scope/t@orders"]
    assert "In two writes: f stays until it can be reached elsewhere." in plan.changes[0].note
    assert {server.name: server.writes for server in plan.servers} == {"login": 0, "orders": 4}
    report, _journal = pair.apply(pair.desired(wanted))
    assert [(outcome.status, outcome.requests) for outcome in report.outcomes] == [(Status.DONE, 2)] * 2
    assert not report.verification


def test_the_second_write_expects_what_the_first_left_in_any_order() -> None:
    """Servers have their own order of a set, and an object is looked at once more before its second write."""
    address = Address(Kind.SCOPE, "s", "orders")
    field = FieldChange("resources", ("a",), ("b",))
    change = Change(
        address, Action.UPDATE, Reason.DIFFERS, Stage.WIDEN_RESOURCE, Scope(resources=("b",)), fields=(field,)
    )
    interim = interim_of(change, {"resources": frozenset({"a"})}, ())
    first, second = write_steps([replace(change, interim=interim)])
    assert first.fields[0].after == second.fields[0].before == ("a", "b")


def test_a_swap_in_one_request_is_one_write(tmp_path: Path) -> None:
    """A server that takes a whole stage in one request has no moment in between."""
    pair, wanted, _gone = started(tmp_path, *SWAP)
    desired = pair.desired(wanted)
    plan = build_plan(
        desired, read_live(pair.drivers, desired), FACTS_BY_DRIVER, batch_key=lambda _server, _change: "all"
    )
    assert [change.interim for change in plan.changes] == [None, None]


@pytest.fixture(params=["first write of s", "first write of t", "second write of s"])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """A swap of which one write is refused."""
    which, _, name = request.param.partition(" write of ")
    pair, wanted, _gone = started(tmp_path, *SWAP)
    states = watched(pair)
    wrote: list[str] = []

    def refuse(change: Change) -> None:
        wrote.append(change.address.name)
        if change.address.name == name and wrote.count(name) == (1 if which == "first" else 2):
            raise Rejected("No", server="orders", status=400)

    pair.stores["orders"].before = refuse
    report, _journal = pair.apply(pair.desired(wanted))
    assert not report.complete
    assert all(
        outcome.status is not Status.SKIPPED or not wrote.count(outcome.change.address.name)
        for outcome in report.outcomes
    )
    assert all(state == {"f", "g"} for state in states), states
    return pair


def test_a_swap_that_failed_half_way_takes_nothing_and_is_finished_later(broken: Pair) -> None:
    """Both resources stay open all the time, and the next apply brings the swap to its end."""
    broken.stores["orders"].before = lambda _change: None
    wanted = objects(SWAP[1])
    assert broken.apply(broken.desired(wanted))[0].complete
    assert on(broken.stores["orders"].objects, "orders")[Address(Kind.SCOPE, "s", "orders")].resources == ("g",)  # type: ignore[union-attr]
    assert broken.plan(broken.desired(wanted)).is_empty


def test_a_selection_does_not_tear_a_swap_apart(tmp_path: Path) -> None:
    """A target pulls in the other half; an exclusion shields both, so that no resource is left in neither scope."""
    pair, wanted, _gone = started(tmp_path, *SWAP)
    desired = pair.desired(wanted)
    plan, names = pair.plan(desired), Names(desired, read_live(pair.drivers, desired))
    both = {change.address.name for change in plan.changes}
    assert {change.address.name for change in select(plan, ["scope/s@orders"], [], names).changes} == both == {"s", "t"}
    assert select(plan, [], ["scope/t@orders"], names).is_empty


def test_what_the_first_of_two_writes_did_not_keep_is_told_without_a_second_look(tmp_path: Path) -> None:
    """The end of a change is that of both of its writes."""
    pair, wanted, _gone = started(tmp_path, *SWAP)
    store, writes = pair.stores["orders"], Counter[str]()

    def cut(address: Address, value: Object) -> Object:
        writes[address.name] += 1
        return value.model_copy(update={"resources": ("f",)}) if writes == Counter(s=1) else value

    store.keeps = cut
    desired = pair.desired(wanted)
    report = apply_plan(pair.plan(desired), pair.drivers, desired=desired, facts=FACTS_BY_DRIVER, verify=False)
    assert report.complete
    assert [found.rule for found in report.verification] == ["not-in-force"]


def test_a_swap_is_rolled_back_whole(tmp_path: Path) -> None:
    """The journal tells of each write as of the whole change."""
    pair, wanted, _gone = started(tmp_path, *SWAP)
    before = pair.holdings()
    _report, journal = pair.apply(pair.desired(wanted))
    assert pair.holdings() != before
    back = pair.inverse(journal, pair.desired(wanted))
    assert not [item for item in back.findings if item.rule == "changed-since"]
    pair.apply(back.desired)
    assert pair.holdings() == before


def test_a_rollback_of_a_switch_trusts_nobody_else(tmp_path: Path) -> None:
    """What a killed run had left in the trust before is not brought back with it."""
    address = Address.singleton(Kind.TRUST, "orders")
    left = Trust(authorization_server="login", via="jwt", also_trusted=("older",))
    pair, wanted = Pair(tmp_path, {}, {address: left}), Trust(authorization_server="next", via="jwt")
    desired = pair.desired({address: wanted})
    (change,) = pair.plan(desired).changes
    assert change.interim == Interim((FieldChange("also_trusted", ("older",), ("login", "older")),), ())
    _report, journal = pair.apply(desired)
    assert pair.stores["orders"].objects[address] == wanted.model_copy(update={"also_trusted": ()})
    back = inverse(steps_of(read_journal(journal).records), desired, read_live(pair.drivers, desired))
    assert pair.apply(back.desired)[0].complete
    assert pair.stores["orders"].objects[address] == left.model_copy(update={"also_trusted": ()})
    assert pair.plan(back.desired).is_empty
