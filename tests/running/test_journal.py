"""The journal: on disk before anything goes on, readable after a crash, and without secrets."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import JournalFailed
from oauthdeploy.core.secrets import Secret, SourcedText
from oauthdeploy.model.objects import Client, ClientSecret, ClientType, Grant, Revocation, Scope
from oauthdeploy.planning.outcome import Event, EventType, Outcome, Status
from oauthdeploy.planning.run_history import End
from oauthdeploy.running import journal as journal_module
from oauthdeploy.running.apply import apply_plan
from oauthdeploy.running.journal import Journal, last_journal, read_journal, read_run_history
from tests.running.kit import FACTS_BY_DRIVER, NOON, Clock, at, create, desired_state, plan_of, update
from tests.running.memory_driver import MemoryDriver, MemoryServer

CANARY = "canary-77aa01"
SHOP = at("client/shop@login")


def test_its_name_says_manifest_time_and_process(tmp_path: Path) -> None:
    """Journals sort by time, and none takes another's place."""
    with Journal.create(tmp_path / "a" / "journal", "shop/eu", now=Clock(), pid=42) as journal:
        assert journal.path.name == "shop%2Feu-20261120T120000.000000Z-42.jsonl"
        assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
        with pytest.raises(JournalFailed, match="cannot be written"):
            Journal.create(tmp_path / "a" / "journal", "shop/eu", now=Clock(), pid=42)


def test_a_run_that_wrote_nothing_leaves_no_journal_behind(tmp_path: Path) -> None:
    """What `--resume` and `rollback` take for the last run is the last one that wrote; a killed one's empty file too."""
    with Journal.create(tmp_path, "shop", now=Clock(), pid=1) as written:
        written.begin(plan_of())
    with Journal.create(tmp_path, "shop", now=Clock(), pid=2) as unused:
        assert unused.path.exists()
    assert list(tmp_path.iterdir()) == [written.path]
    killed = written.path.with_name("shop-20991231T120000.000000Z-3.jsonl")
    killed.touch()
    assert last_journal(tmp_path, "shop") == written.path


def test_it_tells_what_was_asked_and_what_came_of_it(tmp_path: Path) -> None:
    """Run, intent with the image before and after, outcome with its reason, end: each with version and time in UTC."""
    before, after = Scope(description="Old", resources=("b", "a")), Scope(description="New")
    change = update(at("scope/read@login"), before, after, "description")
    failed = Outcome(change, Status.FAILED, Diagnostic("conflict", "In use", "used by x", "Free it"), requests=1)
    with Journal.create(tmp_path, "shop", now=Clock()) as journal:
        journal.begin(plan_of(change), allowed=["protected"])
        journal.intent([change])
        journal.outcome([failed])
        journal.end(interrupted=False)
    run, intent, outcome, end = read_journal(journal.path).records
    assert {(r["v"], r["at"]) for r in (run, intent, outcome, end)} == {(1, "2026-11-20T12:00:00.000000Z")}
    assert (run["type"], run["manifest"], run["changes"], run["allowed"]) == ("run", "shop", 1, ["protected"])
    assert (intent["type"], intent["address"], intent["action"]) == ("intent", "scope/read@login", "update")
    assert intent["before"] == {"description": "Old", "resources": ["b", "a"]}
    assert intent["after"] == {"description": "New"}
    assert intent["fields"] == ["description"]
    assert (outcome["status"], outcome["because"]["rule"], outcome["requests"]) == ("failed", "conflict", 1)
    assert end["interrupted"] is False


def test_secrets_stand_there_as_their_origin(tmp_path: Path) -> None:
    """Given by reference, in options, or from a secret source: the origin is written, the value never."""
    kept = SourcedText(CANARY, "${keyring:shop/x}", sensitive=True)
    value = Client(
        type=ClientType.CONFIDENTIAL,
        grants=(Grant.PASSWORD,),
        secret=ClientSecret(value=Secret(CANARY, "env:SHOP"), revision=2),
        options={"memory": {"key": Secret(CANARY, "env:OTHER"), "list": [kept, True, None, 1.5]}},
    )
    with Journal.create(tmp_path, "shop", now=Clock()) as journal:
        journal.intent([create(SHOP, value)])
    assert CANARY not in journal.path.read_text()
    (record,) = read_journal(journal.path).records
    assert record["after"] == {
        "type": "confidential",
        "grants": ["password"],
        "secret": {"value": {"secret": "env:SHOP"}, "revision": 2},
        "options": {
            "memory": {"key": {"secret": "env:OTHER"}, "list": [{"secret": "${keyring:shop/x}"}, True, None, 1.5]}
        },
    }


def test_times_are_written_as_rfc_3339(tmp_path: Path) -> None:
    """A revocation's moment and date are texts that can be read back."""
    value = Revocation.model_validate(
        {"client": "shop", "tokens": {"issued_before": "2026-11-20T08:00:00Z"}, "expires": "2027-01-31"}
    )
    with Journal.create(tmp_path, "shop", now=Clock()) as journal:
        journal.intent([create(at("revocation/R1@login"), value)])
    (record,) = read_journal(journal.path).records
    assert record["after"]["tokens"] == {"issued_before": "2026-11-20T08:00:00+00:00"}
    assert record["after"]["expires"] == "2027-01-31"


def test_each_record_is_synced_before_the_call_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk holds at each sync includes the record that is waited for."""
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    with Journal.create(tmp_path, "shop", now=Clock()) as journal:
        monkeypatch.setattr(os, "fsync", fsync)
        for number in range(3):
            journal.end(interrupted=False)
            assert len(synced) == number + 1
            assert synced[-1] == journal.path.stat().st_size


def test_many_threads_write_whole_lines_and_share_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records never mix, none returns before a sync that covers it, and waiting threads share one sync."""
    syncs = 0
    real = os.fsync
    all_in = threading.Barrier(8, timeout=10)

    def fsync(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with Journal.create(tmp_path, "shop", now=Clock()) as journal, ThreadPoolExecutor(8) as pool:
        syncs = 0

        def write(number: int) -> None:
            all_in.wait()
            for turn in range(25):
                journal.intent([create(at(f"scope/s{number}-{turn}@login"), Scope(description="x" * 500))])

        list(pool.map(write, range(8)))
    contents = read_journal(journal.path)
    assert len({record["address"] for record in contents.records}) == 200
    assert 1 <= syncs <= 200


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 2000), description=st.text(max_size=40))
def test_a_journal_that_was_cut_short_anywhere_tells_all_whole_records(
    tmp_path: Path, cut: int, description: str
) -> None:
    """A crash or a full disk costs at most the last record, and is noticed."""
    clock = Clock()
    with Journal.create(tmp_path, "shop", now=clock, pid=cut + 10_000 * len(list(tmp_path.iterdir()))) as journal:
        for number in range(4):
            journal.intent([create(at(f"scope/s{number}@login"), Scope(description=description))])
    whole = journal.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    left = whole[: min(cut, len(whole))]
    journal.path.write_bytes(left)
    contents = read_journal(journal.path)
    assert len(contents.records) == left.count(b"\n")
    assert contents.torn is not left.endswith(b"\n")
    assert list(contents.records) == [json.loads(line) for line in lines[: left.count(b"\n")]]


END = b'{"v":1,"at":"2026-11-20T08:00:00Z","type":"end","interrupted":false}'
RUN = {
    "v": 1, "at": "2026-11-20T08:00:00Z", "type": "run", "tool": "oauthdeploy 1", "by": "ops", "host": "h", "pid": 1,
    "manifest": "shop", "manifest_digest": "", "planned": [], "allowed": [],
}  # fmt: skip


@pytest.mark.parametrize("line", [b"garbage", b"[]", b'{"v": 1}', b"\xff", b""])
def test_damage_in_the_middle_is_an_error_with_its_line(tmp_path: Path, line: bytes) -> None:
    """Only the end may be torn; anything else was edited or lost, and nothing is guessed."""
    path = tmp_path / "j.jsonl"
    path.write_bytes(END + b"\n" + line + b"\n" + END + b"\n")
    with pytest.raises(JournalFailed) as caught:
        read_journal(path)
    assert f"{path}:2" in caught.value.detail


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pid": "hunter2"}, "$.pid: must be integer"),
        ({"planned": [{"address": "client/x@as", "action": "hunter2"}]}, "$.planned[0].action: must be one of create,"),
        ({"planned": [{"address": "hunter2", "action": "create"}]}, "$.planned[0].address: must match ^"),
        ({"allowed": None}, "$.allowed: must be array"),
        ({"host": None}, "$.host: must be string"),
        ({"type": None}, "$.type: must be string"),
    ],
)
def test_what_breaks_the_schema_is_named_by_its_json_path(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """File, line, path and what is wrong; no value of the journal is quoted."""
    path = tmp_path / "j.jsonl"
    path.write_text(json.dumps(RUN) + "\n" + json.dumps(RUN | change) + "\n")
    with pytest.raises(JournalFailed) as caught:
        read_journal(path)
    assert caught.value.detail.startswith(f"{path}:2: {said}")
    assert caught.value.fix
    assert "hunter2" not in str(caught.value) + caught.value.detail


def test_records_of_a_later_release_with_more_in_them_are_read(tmp_path: Path) -> None:
    """Keys and types that are new under the same version are passed over."""
    path = tmp_path / "j.jsonl"
    path.write_text(json.dumps(RUN | {"new": 1}) + '\n{"v":1,"at":"2026-11-20T08:00:00Z","type":"note"}\n')
    assert [record["type"] for record in read_journal(path).records] == ["run", "note"]


def test_a_journal_of_another_version_or_that_isnt_there_says_so(tmp_path: Path) -> None:
    """The message names the version that this release reads, or the path."""
    path = tmp_path / "j.jsonl"
    path.write_text('{"v":2,"type":"run"}\n')
    with pytest.raises(JournalFailed, match="another version"):
        read_journal(path)
    with pytest.raises(JournalFailed) as caught:
        read_journal(tmp_path / "none.jsonl")
    assert "none.jsonl" in caught.value.detail


def test_an_empty_journal_has_no_records(tmp_path: Path) -> None:
    """A run that ended before its first record."""
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"")
    assert read_journal(path).records == ()
    assert read_journal(path).torn is False


def apply_one(
    journal: Journal, store: MemoryServer, *more: str, on_event: Callable[[Event], None] | None = None
) -> tuple[MemoryServer, list[Outcome]]:
    drivers = {"login": MemoryDriver("login", store, parallel=1)}
    changes = [create(at(f"scope/{name}@login"), Scope()) for name in ("read", *more)]
    desired = desired_state({change.address: Scope() for change in changes}, drivers)
    report = apply_plan(
        plan_of(*changes), drivers, desired=desired, facts=FACTS_BY_DRIVER, journal=journal, on_event=on_event
    )
    return store, list(report.outcomes)


def test_without_a_journal_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk stops the run before its next write, and the reason is told for each change."""
    with Journal.create(tmp_path, "shop", now=Clock()) as journal:

        def full(_descriptor: int, _data: bytes) -> None:
            raise OSError(28, "No space left on device")

        def fill_up(event: Event) -> None:
            if event.type is EventType.STARTED:
                monkeypatch.setattr(journal_module, "write_all", full)

        store, outcomes = apply_one(journal, MemoryServer(), "write", on_event=fill_up)
    assert store.batches == []
    assert [outcome.status for outcome in outcomes] == [Status.FAILED] * 2
    assert outcomes[0].because is not None
    assert outcomes[0].because.rule == "journal-failed"


def test_a_change_whose_end_cant_be_recorded_is_told_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It happened, so it is done; the report says that the journal doesn't know."""
    store = MemoryServer()

    def full(_descriptor: int, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    store.after = lambda _change: monkeypatch.setattr(journal_module, "write_all", full)
    with Journal.create(tmp_path, "shop", now=Clock()) as journal:
        _store, outcomes = apply_one(journal, store)
    assert outcomes[0].status is Status.DONE
    assert "not in the journal" in outcomes[0].note
    assert [str(entry.address) for entry in read_run_history(journal.path).of(End.OPEN)] == ["scope/read@login"]


def test_the_intent_is_on_disk_when_the_request_goes_out(tmp_path: Path) -> None:
    """Whatever happens during the write, the journal already says what was tried."""
    store = MemoryServer()
    seen: list[list[str]] = []
    with Journal.create(tmp_path, "shop", now=lambda: NOON) as journal:
        store.before = lambda _change: seen.append([r["type"] for r in read_journal(journal.path).records])
        apply_one(journal, store)
    assert seen == [["run", "intent"]]
    assert [r["type"] for r in read_journal(journal.path).records] == ["run", "intent", "outcome", "end"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_after_a_kill_the_journal_tells_which_change_was_under_way(tmp_path: Path) -> None:
    """The process dies in the middle of a write: the earlier change has its outcome, that one only its intent."""
    program = (
        "import os, pathlib, sys\n"
        "from tests.running.test_journal import apply_one, Journal, Clock, MemoryServer\n"
        "store = MemoryServer()\n"
        "store.before = lambda change: os.kill(os.getpid(), 9) if change.address.name == 'write' else None\n"
        "apply_one(Journal.create(pathlib.Path(sys.argv[1]), 'shop', now=Clock()), store, 'write')\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=root, timeout=60, check=False, capture_output=True
    )
    assert done.returncode == -9, done.stderr
    (path,) = tmp_path.iterdir()
    assert [str(entry.address) for entry in read_run_history(path).of(End.OPEN)] == ["scope/write@login"]
