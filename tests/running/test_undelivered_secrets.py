"""Secrets that went down with a run: told where they are missed, and nowhere else."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from oauthdeploy.core.delivery_bounds import DeliveryBounds
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Client, ClientSecret, ClientType, DeliverTo
from oauthdeploy.model.state import LiveState, ServerState
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.outcome import Outcome, Status
from oauthdeploy.running.deliveries import Deliveries
from oauthdeploy.running.journal import Journal, last_journal, read_run_history
from oauthdeploy.running.secret_sinks import LocalSinks
from oauthdeploy.running.undelivered_secrets import lost_secrets
from tests.running.kit import NOON, Clock, at, create, desired_state, live, plan_of

ROBOT = at("client/robot@login")
SECRET = ClientSecret(generate=True, deliver_to=DeliverTo(file="out/robot.env"))
MADE = Client(type=ClientType.CONFIDENTIAL, secret=SECRET)
OTHER = Client(type=ClientType.CONFIDENTIAL)


def told(folder: Path, *, wanted: Client = MADE, stands: bool = True, anew: bool = False) -> list[str]:
    """The rules of what is found, with journals in `folder`."""
    objects = {ROBOT: live(OTHER)} if stands else {}
    state = LiveState({"login": ServerState("login", objects)})
    plan = plan_of(create(ROBOT, MADE)) if anew else plan_of()
    found = list(
        lost_secrets(folder, desired_state({ROBOT: wanted}), state, plan, sinks=LocalSinks(DeliveryBounds(folder)))
    )
    fixes = ("elete the client", "--overwrite")
    assert all(item.address == str(ROBOT) and any(fix in item.fix for fix in fixes) for item in found)
    return [item.rule for item in found]


def cut_off(folder: Path, *outcomes: Status) -> None:
    """A journal of a run that sent the client, with the ends that it came to record."""
    change = create(ROBOT, MADE)
    with Journal.create(folder, "shop", now=Clock()) as journal:
        journal.begin(plan_of(change))
        journal.intent([change])
        for status in outcomes:
            journal.outcome([Outcome(change, status)])


@pytest.mark.parametrize(("outcomes", "rules"), [((), 1), ((Status.UNKNOWN,), 1), ((Status.DONE,), 0)])
def test_the_end_in_the_journal_decides(tmp_path: Path, outcomes: tuple[Status, ...], rules: int) -> None:
    """A secret whose delivery was recorded isn't lost; one of an unknown end probably is."""
    (tmp_path / "out").mkdir()
    old = tmp_path / "out/robot.env"
    old.write_text("CLIENT_ID=robot\nCLIENT_SECRET=s3cret\n")
    os.utime(old, (0, 0))
    cut_off(tmp_path, *outcomes)
    assert told(tmp_path) == ["secret-lost"] * rules


def test_a_lost_secret_is_not_forgotten_by_the_next_run(tmp_path: Path) -> None:
    """Each run hands on what it knows; a renewal whose delivery is recorded ends it."""
    cut_off(tmp_path)
    for day in (1, 2):
        state = LiveState({"login": ServerState("login", {ROBOT: live(OTHER)})})
        lost = lost_secrets(
            tmp_path, desired_state({ROBOT: MADE}), state, plan_of(), sinks=LocalSinks(DeliveryBounds(tmp_path))
        )
        plan = replace(plan_of(), diagnostics=Diagnostics.of(lost))
        clock = Clock(NOON + timedelta(days=day))
        with Journal.create(tmp_path, "shop", now=clock) as journal:
            journal.begin(plan)
            journal.end(interrupted=False)
        assert read_run_history(last_journal(tmp_path, "shop")).undelivered == (str(ROBOT),)
        assert told(tmp_path) == ["secret-lost"]
    renewal = replace(create(ROBOT, MADE), action=Action.REPLACE)
    with Journal.create(tmp_path, "shop", now=Clock(NOON + timedelta(days=3))) as journal:
        journal.begin(plan)
        journal.intent([renewal])
        journal.outcome([Outcome(renewal, Status.DONE)])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/robot.env").write_text("CLIENT_ID=robot\nCLIENT_SECRET=s3cret\n")
    assert told(tmp_path) == []


def test_a_secret_that_nothing_took_is_lost(tmp_path: Path) -> None:
    """The change failed for its delivery: the server made the secret all the same."""
    change = create(ROBOT, MADE)
    failed = Outcome(change, Status.FAILED, Diagnostic("secret-not-delivered", "The secret was not delivered"))
    with Journal.create(tmp_path, "shop", now=Clock()) as journal:
        journal.begin(plan_of(change))
        journal.intent([change])
        journal.outcome([failed])
    assert told(tmp_path) == ["secret-lost"]


def test_a_file_that_is_gone_is_told_in_every_plan(tmp_path: Path) -> None:
    """Without any journal: the manifest says where the secret is, and it is not there."""
    assert told(tmp_path) == ["secret-not-there"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/robot.env").write_text("CLIENT_ID=robot\nCLIENT_SECRET=s3cret\n")
    assert told(tmp_path) == []


def test_nothing_is_told_where_nobody_misses_a_secret(tmp_path: Path) -> None:
    """The client isn't there, is about to be made anew, or has a secret of another kind."""
    cut_off(tmp_path)
    assert told(tmp_path, stands=False) == []
    assert told(tmp_path, anew=True) == []
    assert told(tmp_path, wanted=OTHER) == []


def test_a_file_that_came_after_the_request_is_the_delivery(tmp_path: Path) -> None:
    """An older file is of an older secret."""
    cut_off(tmp_path)
    file = tmp_path / "out" / "robot.env"
    file.parent.mkdir()
    file.write_text("CLIENT_ID=robot\nCLIENT_SECRET=s3cret\n")
    for seconds, rules in ((-1, ["secret-lost"]), (1, [])):
        moment = (NOON + timedelta(seconds=seconds)).timestamp()
        os.utime(file, (moment, moment))
        assert told(tmp_path) == rules


def test_without_a_journal_only_the_file_counts(tmp_path: Path) -> None:
    """No run of this manifest is recorded here: another machine may have delivered."""
    assert told(tmp_path / "nowhere") == ["secret-not-there"]


def test_a_damaged_journal_is_a_warning_and_stops_nothing(tmp_path: Path) -> None:
    """The warning names the line, and that a secret may be lost."""
    cut_off(tmp_path)
    (path,) = tmp_path.iterdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/robot.env").write_text("CLIENT_ID=robot\nCLIENT_SECRET=s3cret\n")
    path.write_bytes(b"damaged\n" + path.read_bytes())
    state = LiveState({"login": ServerState("login", {ROBOT: live(OTHER)})})
    (found,) = lost_secrets(
        tmp_path, desired_state({ROBOT: MADE}), state, plan_of(), sinks=LocalSinks(DeliveryBounds(tmp_path))
    )
    assert (found.rule, found.severity) == ("journal-unread", Severity.WARNING)
    assert f"{path}:1: not a record." in found.detail
    assert found.fix


def told_by_server(
    folder: Path, target: DeliverTo, told: str | None, *, record: str = "", client_id: str = ""
) -> list[str]:
    """The rules of what is found for a client whose secret the server tells; `record` is the one recorded as delivered."""
    secret = ClientSecret(value=Secret(told, "server")) if told else None
    state = live(Client(type=ClientType.CONFIDENTIAL, secret=secret) if secret else OTHER)
    state = replace(state, client_id=client_id)
    wanted = Client(type=ClientType.CONFIDENTIAL, secret=ClientSecret(generate=True, deliver_to=target))
    sinks = LocalSinks(DeliveryBounds(folder), Deliveries(folder / "records", "shop"))
    if record:
        sinks.deliveries.record(ROBOT, sinks.recorded(target), Secret(record, "server"), "2026-11-20T12:00:00Z")
    estate = LiveState({"login": ServerState("login", {ROBOT: state})})
    found = lost_secrets(folder / "journal", desired_state({ROBOT: wanted}), estate, plan_of(), sinks=sinks)
    return [item.rule for item in found]


def test_a_delivered_secret_that_is_not_the_live_one_is_told_in_every_plan(tmp_path: Path) -> None:
    """Where the server tells secrets, a file is compared with it, and for a program the record of what it got."""
    file, program = DeliverTo(file="s.env"), DeliverTo(command=("bin/store",))
    (tmp_path / "s.env").write_text("CLIENT_ID=robot\nCLIENT_SECRET=first\n")
    assert told_by_server(tmp_path, file, "first") == []
    assert told_by_server(tmp_path, file, "second") == ["secret-not-live"]
    assert told_by_server(tmp_path, program, "first") == ["secret-not-there"]
    assert told_by_server(tmp_path, program, "first", record="first") == []
    assert told_by_server(tmp_path, program, "second", record="first") == ["secret-not-live"]
    assert told_by_server(tmp_path, program, None, record="first") == []
    assert told_by_server(tmp_path, DeliverTo(command=("bin/other",)), None, record="") == ["secret-not-there"]


def test_the_file_of_another_client_is_not_the_delivery(tmp_path: Path) -> None:
    """Where the server doesn't tell secrets, the client_id in the file has to be the live one."""
    (tmp_path / "s.env").write_text("CLIENT_ID=abc\nCLIENT_SECRET=first\n")
    assert told_by_server(tmp_path, DeliverTo(file="s.env"), None, client_id="abc") == []
    assert told_by_server(tmp_path, DeliverTo(file="s.env"), None, client_id="def") == ["secret-not-there"]


def test_a_delivery_that_the_plan_can_not_make_is_told_before(tmp_path: Path) -> None:
    """A new client whose secret would replace a stranger's file: the plan says so, and how to go on."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/robot.env").write_text("KEEP=me\n")
    assert told(tmp_path, stands=False, anew=True) == ["delivery-not-possible"]
