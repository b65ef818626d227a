"""What journals know that some servers do not: when a cut-off was made, ids of clients, how long a renewal took."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Client, Revocation
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
from oauthdeploy.planning.outcome import Outcome, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running.journal import Journal
from oauthdeploy.running.journaled_clients import journaled_identities
from oauthdeploy.running.journaled_cut_offs import journaled_cut_offs
from oauthdeploy.running.journaled_renewals import journaled_renewals

CUT = Address(Kind.REVOCATION, "INC-1", "login")
WRITER = Address(Kind.CLIENT, "writer", "login")
EDITOR = Address(Kind.CLIENT, "editor", "login")
ALL = Revocation(client="writer", tokens="all", reason="a leak")
START = datetime(2026, 11, 20, 8, tzinfo=UTC)


def record(
    folder: Path,
    change: Change,
    *,
    at: datetime = START,
    seconds: float = 1,
    status: Status = Status.DONE,
    identity: str = "",
    cut_at: float | None = None,
    gap: float | None = None,
) -> None:
    """A journal of a run that made one change."""
    moments = iter([at, at, at, at + timedelta(seconds=seconds), at + timedelta(seconds=seconds)])
    plan = Plan(name="shop", changes=(change,), servers=())
    with Journal.create(folder, "shop", now=lambda: next(moments), pid=int(at.timestamp())) as journal:
        journal.begin(plan)
        journal.intent([change])
        outcome = Outcome(change, status, identity=identity)
        journal.outcome([outcome], cut_at={change.address: cut_at}, gaps={change.address: gap})
        journal.end(interrupted=False)


def cut(revocation: Revocation = ALL) -> Change:
    return Change(CUT, Action.REVOKE, Reason.CUT_OFF, Stage.CUT_OFF_AUTHORIZATION, revocation)


def desired(objects: Mapping[Address, Client | Revocation], moved: Mapping[Address, str] | None = None) -> DesiredState:
    return DesiredState("shop", servers={}, objects=MappingProxyType(dict(objects)), moved=moved or {})


def test_the_moment_of_a_cut_off_is_the_last_one_recorded(tmp_path: Path) -> None:
    """By the server's clock; of two runs, the later one counts."""
    record(tmp_path, cut(), cut_at=1000.0)
    record(tmp_path, cut(), at=START + timedelta(hours=1), cut_at=2000.0)
    assert journaled_cut_offs(tmp_path, desired({CUT: ALL})) == {CUT: 2000.0}


@pytest.mark.parametrize(
    "now",
    [
        ALL.model_copy(update={"client": "reader"}),
        ALL.model_copy(update={"scope": "orders.read"}),
        Revocation(client="writer", block=("authorization",)),
    ],
)
def test_a_revocation_that_asks_for_something_else_was_not_carried_out(tmp_path: Path, now: Revocation) -> None:
    """The same id may be used for another cut-off later."""
    record(tmp_path, cut(), cut_at=1000.0)
    assert journaled_cut_offs(tmp_path, desired({CUT: now})) == {}


def test_another_reason_is_the_same_cut_off(tmp_path: Path) -> None:
    """A corrected text deletes no tokens."""
    record(tmp_path, cut(), cut_at=1000.0)
    assert journaled_cut_offs(tmp_path, desired({CUT: ALL.model_copy(update={"reason": "another"})})) == {CUT: 1000.0}


def test_a_cut_off_that_failed_or_that_nobody_knows_of_was_not_made(tmp_path: Path) -> None:
    """Then tokens are deleted once more; also where a journal cannot be read."""
    record(tmp_path, cut(), cut_at=1000.0, status=Status.FAILED)
    (tmp_path / "shop-20261201T000000.000000Z-1.jsonl").write_text('{"cut_at": 5000.0\nbroken\n')
    assert journaled_cut_offs(tmp_path, desired({CUT: ALL})) == {}
    assert journaled_cut_offs(tmp_path / "none", desired({CUT: ALL})) == {}


def test_a_client_that_is_renamed_is_known_by_the_id_of_its_former_key(tmp_path: Path) -> None:
    """A server that makes ids knows no keys."""
    change = Change(WRITER, Action.CREATE, Reason.MISSING, Stage.WIDEN_AUTHORIZATION, Client(name="Writer"))
    record(tmp_path, change, identity="c-1")
    found = journaled_identities(tmp_path, desired({EDITOR: Client(name="Editor")}, {EDITOR: "writer"}))
    assert {address: identity.id for address, identity in found.items()} == {WRITER: "c-1"}


def test_a_deleted_client_and_one_that_is_still_wanted_have_none(tmp_path: Path) -> None:
    """Another client may have the id by now, and a key of the manifest is looked for as ever."""
    change = Change(WRITER, Action.CREATE, Reason.MISSING, Stage.WIDEN_AUTHORIZATION, Client(name="Writer"))
    record(tmp_path, change, identity="c-1")
    both = desired({EDITOR: Client(name="Editor"), WRITER: Client(name="Writer")}, {EDITOR: "writer"})
    assert journaled_identities(tmp_path, both) == {}
    gone = replace(change, action=Action.DELETE, desired=None)
    record(tmp_path, gone, at=START + timedelta(hours=1), identity="c-1")
    assert journaled_identities(tmp_path, desired({EDITOR: Client(name="Editor")}, {EDITOR: "writer"})) == {}


def test_a_renewal_took_the_time_from_its_write_to_its_delivery(tmp_path: Path) -> None:
    """In seconds; updates of other fields are none. A journal that has no such time says how long the whole change took."""
    secret = FieldChange("secret.revision", 1, 2)
    change = Change(
        WRITER,
        Action.UPDATE,
        Reason.SECRET_REVISION,
        Stage.WIDEN_AUTHORIZATION,
        Client(name="Writer"),
        fields=(secret,),
    )
    other = replace(change, address=EDITOR, fields=(FieldChange("description", "a", "b"),))
    record(tmp_path, change, seconds=1.5)
    record(tmp_path, other, at=START + timedelta(hours=1), seconds=9)
    assert journaled_renewals(tmp_path, "shop", {WRITER, EDITOR}) == {WRITER: 1.5}
    record(tmp_path, change, at=START + timedelta(hours=2), seconds=9, gap=0.25)
    assert journaled_renewals(tmp_path, "shop", {WRITER, EDITOR}) == {WRITER: 0.25}
