"""Secrets that went down with a run: told where they are missed, and nowhere else."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.model.objects import Client, ClientSecret, ClientType, DeliverTo
from oauthdeploy.model.state import LiveState, ServerState
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.outcome import Outcome, Status
from oauthdeploy.running.journal import Journal, last_journal, read_run_history
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
    found = list(lost_secrets(folder, desired_state({ROBOT: wanted}), state, plan, base=folder))
    assert all(item.address == str(ROBOT) and "elete the client" in item.fix for item in found)
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
    old.write_text("")
    os.utime(old, (0, 0))
    cut_off(tmp_path, *outcomes)
    assert told(tmp_path) == ["secret-lost"] * rules


def test_a_lost_secret_is_not_forgotten_by_the_next_run(tmp_path: Path) -> None:
    """Each run hands on what it knows; a renewal whose delivery is recorded ends it."""
    cut_off(tmp_path)
    for day in (1, 2):
        state = LiveState({"login": ServerState("login", {ROBOT: live(OTHER)})})
        lost = lost_secrets(tmp_path, desired_state({ROBOT: MADE}), state, plan_of(), base=tmp_path)
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
    (tmp_path / "out/robot.env").write_text("")
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
    (tmp_path / "out/robot.env").write_text("")
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
    file.write_text("CLIENT_ID=robot\n")
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
    (tmp_path / "out/robot.env").write_text("")
    path.write_bytes(b"damaged\n" + path.read_bytes())
    state = LiveState({"login": ServerState("login", {ROBOT: live(OTHER)})})
    (found,) = lost_secrets(tmp_path, desired_state({ROBOT: MADE}), state, plan_of(), base=tmp_path)
    assert (found.rule, found.severity) == ("journal-unread", Severity.WARNING)
    assert f"{path}:1: not a record." in found.detail
    assert found.fix
