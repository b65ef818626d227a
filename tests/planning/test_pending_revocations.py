"""Revocations as declared objects."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.objects import Client, Revocation, Side
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.planning.changes import Action, Reason, Stage
from oauthdeploy.planning.diff import compare
from oauthdeploy.planning.pending_revocations import to_align

from .builders import FACTS, actions, by_address, client, desired, facts, live, plan_of, revocation, there, tokens

AUTHORIZATION, RESOURCE = Side.AUTHORIZATION, Side.RESOURCE


def test_live_tokens_are_revoked_and_an_enabled_client_is_disabled() -> None:
    """Tokens go on the AS, the block is the RS's; each change says what it finds and what it leaves."""
    on_as, on_rs = Revocation(client="x", tokens="all"), Revocation(client="x", block=(RESOURCE,))
    wanted = desired({revocation("R"): on_as, revocation("R", "rs"): on_rs})
    seen = {revocation("R"): there(on_as, tokens=tokens(3)), revocation("R", "rs"): there(on_rs, blocked=False)}
    found = by_address(compare(wanted, live(seen), FACTS).changes)
    assert actions(found.values()) == {"revocation/R@as": "revoke", "revocation/R@rs": "disable"}
    assert [(f.path, f.before, f.after) for f in found["revocation/R@as"].fields] == [("tokens.active", 3, 0)]
    assert [(f.path, f.before, f.after) for f in found["revocation/R@rs"].fields] == [("blocked", False, True)]
    assert {change.reason for change in found.values()} == {Reason.CUT_OFF}


@pytest.mark.parametrize(
    ("block", "refused", "fields", "action"),
    [
        ((), False, ["tokens.refused"], Action.REVOKE),
        ((RESOURCE,), False, ["tokens.refused", "blocked"], Action.REVOKE),
        ((RESOURCE,), True, ["blocked"], Action.DISABLE),
        ((RESOURCE,), None, ["blocked"], Action.DISABLE),
    ],
)
def test_a_resource_server_is_told_to_refuse_tokens_that_nobody_can_delete(
    block: tuple[Side, ...], refused: bool | None, fields: list[str], action: Action
) -> None:
    """Where its driver says that they aren't refused yet; it comes before everything else."""
    cut = Revocation(client="x", tokens="all", block=block)
    address = revocation("R", "rs")
    (change,) = plan_of(desired({address: cut}), live({address: there(cut, blocked=False, refused=refused)})).changes
    assert ([field.path for field in change.fields], change.action) == (fields, action)
    assert change.stage is Stage.CUT_OFF_RESOURCE


def test_refused_tokens_are_not_refused_again() -> None:
    """The second plan is empty."""
    cut = Revocation(client="x", tokens="all")
    address = revocation("R", "rs")
    assert not compare(desired({address: cut}), live({address: there(cut, refused=True)}), FACTS).changes


@pytest.mark.parametrize(
    ("on_as", "on_rs", "planned", "moment"),
    [
        ({"tokens": tokens(0), "cut_at": 20.0}, {"refused": True, "cut_at": 20.0}, [], None),
        ({"tokens": tokens(0), "cut_at": 20.0}, {"refused": True, "cut_at": 19.0}, ["rs"], 20.0),
        ({"tokens": tokens(0), "cut_at": 20.0}, {"refused": True, "cut_at": 21.0}, ["rs"], 20.0),
        ({"tokens": tokens(0), "cut_at": 20.0}, {"refused": False}, ["rs"], 20.0),
        ({"tokens": tokens(2)}, {"refused": True, "cut_at": 19.0}, ["as", "rs"], None),
        ({"tokens": tokens(2)}, {"refused": False}, ["as", "rs"], None),
        ({"tokens": tokens(0)}, {"refused": True, "cut_at": 19.0}, [], None),
        ({"tokens": tokens(0), "cut_at": 20.0}, {"refused": None}, [], None),
        # A server that keeps no moment would never come to rest.
        ({"tokens": tokens(0), "cut_at": 20.0}, {"refused": True}, [], None),
    ],
)
def test_a_cut_off_of_all_tokens_has_one_moment_on_both_sides(
    on_as: dict[str, Any], on_rs: dict[str, Any], planned: list[str], moment: float | None
) -> None:
    """The authorization server's moment counts. One that is to be cut off has none yet: the resource server is aligned during the
    apply.
    """
    cut = Revocation(client="x", tokens="all")
    wanted = desired({revocation("R"): cut, revocation("R", "rs"): cut})
    state = live({revocation("R"): there(cut, **on_as), revocation("R", "rs"): there(cut, **on_rs)})
    plan = plan_of(wanted, state)
    assert sorted(change.address.server for change in plan.changes) == planned
    assert [change.cut_at for change in plan.changes if change.address.server == "rs"] == [moment] * ("rs" in planned)
    pairs = {key: [peer.address for peer in peers] for key, peers in to_align(plan.changes, wanted).items()}
    assert pairs == ({revocation("R"): [revocation("R", "rs")]} if "rs" in planned else {})


def test_a_cut_off_that_is_done_is_not_done_again() -> None:
    """Expired tokens need no deletion, and a disabled client stays as it is."""
    on_as, on_rs = Revocation(client="x", tokens="all"), Revocation(client="x", block=(RESOURCE,))
    wanted = desired({revocation("R"): on_as, revocation("R", "rs"): on_rs})
    seen = {revocation("R"): there(on_as, tokens=tokens(0)), revocation("R", "rs"): there(on_rs, blocked=True)}
    found = compare(wanted, live(seen), FACTS)
    assert found.changes == ()
    assert not found.diagnostics


def test_block_and_tokens_on_one_server_are_one_change() -> None:
    """One address has one change; it names both."""
    both = Revocation(client="x", tokens="all", block=(AUTHORIZATION,))
    (change,) = compare(
        desired({revocation("R"): both}), live({revocation("R"): there(both, tokens=tokens(1), blocked=False)}), FACTS
    ).changes
    assert change.action is Action.REVOKE
    assert [field.path for field in change.fields] == ["tokens.active", "blocked"]


@pytest.mark.parametrize(
    ("role", "block", "blocked"),
    [
        (Role.AUTHORIZATION, (RESOURCE,), False),
        (Role.RESOURCE, (AUTHORIZATION,), False),
        (Role.BOTH, (RESOURCE,), True),
        (Role.BOTH, (AUTHORIZATION,), True),
    ],
)
def test_a_block_counts_on_the_sides_that_a_server_stands_on(
    role: Role, block: tuple[Side, ...], blocked: bool
) -> None:
    """`block: [resource]` is none of a server that is authorization server only."""
    servers = {"s": Server(role=role, driver="fake")}
    value = Revocation(client="x", block=block)
    state = live({revocation("R", "s"): there(value, blocked=False)}, servers=servers)
    assert bool(compare(desired({revocation("R", "s"): value}, servers=servers), state, FACTS).changes) is blocked


def test_two_revocations_disable_a_client_once() -> None:
    """The flag of a client has one change, however many incidents name it."""
    value = Revocation(client="x", block=(RESOURCE,))
    names = [revocation("A", "rs"), revocation("B", "rs")]
    state = live({name: there(value, blocked=False) for name in names})
    assert actions(compare(desired(dict.fromkeys(names, value)), state, FACTS).changes) == {
        "revocation/A@rs": "disable"
    }


def test_a_client_that_is_not_there_needs_no_block_and_it_is_said() -> None:
    """Nothing to disable is information, no change."""
    value = Revocation(client="x", block=(RESOURCE,))
    found = compare(
        desired({revocation("R", "rs"): value}), live({revocation("R", "rs"): there(value, blocked=None)}), FACTS
    )
    assert found.changes == ()
    assert [(item.rule, item.severity) for item in found.diagnostics] == [("revocation-client-absent", "info")]


def test_the_flag_of_a_blocked_client_belongs_to_its_revocation() -> None:
    """An existing client that a revocation disables has no second change for `enabled`; other fields are compared."""
    value = Revocation(client="x", block=(RESOURCE,))
    wanted = desired({client("x", "rs"): Client(enabled=False, name="new"), revocation("R", "rs"): value})
    seen = {client("x", "rs"): Client(enabled=True, name="old"), revocation("R", "rs"): there(value, blocked=False)}
    found = by_address(compare(wanted, live(seen), FACTS).changes)
    assert found.keys() == {"client/x@rs", "revocation/R@rs"}
    assert [field.path for field in found["client/x@rs"].fields] == ["name"]


def test_a_client_that_is_made_anew_is_made_disabled() -> None:
    """On create the flag stays: the client must not be open for a moment."""
    value = Revocation(client="x", block=(RESOURCE,))
    wanted = desired({client("x", "rs"): Client(enabled=False), revocation("R", "rs"): value})
    found = by_address(compare(wanted, live({revocation("R", "rs"): there(value)}), FACTS).changes)
    assert [(field.path, field.after) for field in found["client/x@rs"].fields] == [("enabled", False)]


def test_an_unreadable_or_untold_revocation_is_never_taken_as_done() -> None:
    """What was not read is said; a driver that gives nothing for a client that is there is an error."""
    value = Revocation(client="x", tokens="all")
    wanted = desired({revocation("R"): value})
    hidden = compare(wanted, live(unreadable=[("as", Kind.REVOCATION)]), FACTS)
    assert (hidden.changes, [item.rule for item in hidden.diagnostics]) == ((), ["unreadable"])
    not_returned = compare(wanted, live([client("x")]), FACTS)
    assert [(item.rule, item.severity) for item in not_returned.diagnostics] == [("revocation-not-read", "error")]
    gone = compare(wanted, live(), FACTS)
    assert [item.rule for item in gone.diagnostics] == ["revocation-client-absent"]


def test_a_cut_off_after_a_rename_says_which_tokens_the_resource_server_goes_on_accepting() -> None:
    """It knows the client by the name in a token, and that of older tokens is the former one. A server that asks for each token,
    and a client that keeps its name, have no such note.
    """
    cut = Revocation(client="new", block=(RESOURCE,))
    address = revocation("R", "rs")
    seen = live({address: there(cut, blocked=False), client("new"): Client()})

    def note(*without: Capability, **moved: str) -> str:
        wanted = desired(
            {address: cut, client("new"): Client()}, moved={client(key): name for key, name in moved.items()}
        )
        (change,) = compare(wanted, seen, facts(without=without)).changes
        return change.note

    assert "name it as 'old'" in note(new="old")
    assert note() == note(Capability.TOKENS_REFUSE, new="old") == ""
