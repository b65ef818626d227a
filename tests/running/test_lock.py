"""The lock: one holder at a time, who it is, how it is waited for, taken over and given back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from oauthdeploy.core.errors import LockBusy
from oauthdeploy.running.lock import Held, force_unlock, lock, renew, who_holds
from tests.running.kit import Clock

TARGETS = ("https://login.example", "https://orders.example")


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_it_says_who_holds_it_and_is_gone_afterwards(tmp_path: Path) -> None:
    """Owner, host, process, since and until when; nothing is left behind."""
    clock = Clock()
    with lock(tmp_path / "state", "shop", TARGETS, now=clock, lease=60) as holder:
        assert holder.host == socket.gethostname()
        assert holder.pid == os.getpid()
        assert holder.since == clock.moment
        assert (holder.expires - holder.since).total_seconds() == 60
        assert who_holds(tmp_path / "state", "shop", TARGETS) == holder
        assert only_file(tmp_path / "state").stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "state").iterdir()) == []


def test_a_second_holder_is_told_whose_it_is_and_how_to_force_it(tmp_path: Path) -> None:
    """The message has owner, host, since and the way out; the exit code is 7."""
    with (
        lock(tmp_path, "shop", TARGETS, now=Clock()) as holder,
        pytest.raises(LockBusy) as caught,
        lock(tmp_path, "shop", reversed(TARGETS), now=Clock()),
    ):
        pass
    assert caught.value.exit_code == 7
    for part in (holder.owner, holder.host, "2026-11-20T12:00:00Z"):
        assert part in caught.value.detail
    assert "force-unlock" in caught.value.fix
    assert who_holds(tmp_path, "shop", TARGETS) is None


def test_another_manifest_or_other_targets_have_a_lock_of_their_own(tmp_path: Path) -> None:
    """Two test systems may be applied at the same time."""
    with lock(tmp_path, "shop", TARGETS), lock(tmp_path, "shop", ["https://other.example"]), lock(tmp_path, "a/../b"):
        assert len(list(tmp_path.iterdir())) == 3


def test_another_spelling_of_an_address_is_the_same_lock(tmp_path: Path) -> None:
    """Two manifests that write to the same server must not run beside each other (RFC 3986 section 6.2)."""
    with (
        lock(tmp_path, "shop", ["https://login.example/"]),
        pytest.raises(LockBusy),
        lock(tmp_path, "shop", ["HTTPS://LOGIN.example:443"]),
    ):
        pass


def test_it_is_released_when_the_block_fails(tmp_path: Path) -> None:
    """An error on the way out doesn't leave the lock."""
    with pytest.raises(RuntimeError), lock(tmp_path, "shop"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_waiting_looks_again_with_growing_pauses_until_the_time_is_up(tmp_path: Path) -> None:
    """0.1 s, then twice as long each time, at most 5 s, and never past the end."""
    clock = Clock()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(round(seconds, 3))
        clock.forward(seconds)

    with lock(tmp_path, "shop"), pytest.raises(LockBusy), lock(tmp_path, "shop", timeout=14, now=clock, pause=pause):
        pass
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 2.7]


def test_waiting_ends_when_the_lock_is_given_back(tmp_path: Path) -> None:
    """A waiter gets the lock as soon as it looks after the release."""
    first = lock(tmp_path, "shop", now=Clock())
    former = first.__enter__()
    clock = Clock()

    def pause(_seconds: float) -> None:
        first.__exit__(None, None, None)

    with lock(tmp_path, "shop", timeout=5, now=clock, pause=pause) as holder:
        assert holder.token != former.token


def test_waiting_ends_when_the_run_is_stopped(tmp_path: Path) -> None:
    """Ctrl-C while waiting doesn't wait for the time to be up."""
    stop = threading.Event()
    stop.set()
    with lock(tmp_path, "shop"), pytest.raises(LockBusy), lock(tmp_path, "shop", timeout=3600, stop=stop):
        pass


def test_an_expired_lock_is_taken_over_and_its_former_holder_leaves_the_new_one_alone(tmp_path: Path) -> None:
    """A lock whose time is up is stale; releasing and renewing look whose it is."""
    clock = Clock()
    first = lock(tmp_path, "shop", now=clock, lease=60)
    former = first.__enter__()
    clock.forward(61)
    with lock(tmp_path, "shop", now=clock) as holder:
        assert holder.token != former.token
        assert renew(only_file(tmp_path), former, now=clock) is False
        first.__exit__(None, None, None)
        assert who_holds(tmp_path, "shop") == holder


def test_renewing_moves_the_end(tmp_path: Path) -> None:
    """A long apply keeps its lock past the first lease."""
    clock = Clock()
    with lock(tmp_path, "shop", now=clock, lease=60) as holder:
        clock.forward(50)
        assert renew(only_file(tmp_path), holder, lease=60, now=clock) is True
        clock.forward(50)
        with pytest.raises(LockBusy), lock(tmp_path, "shop", now=clock):
            pass


def test_it_is_renewed_by_itself_while_the_block_runs(tmp_path: Path) -> None:
    """The holder need not think of it."""
    clock = Clock()
    with lock(tmp_path, "shop", now=clock, lease=0.15) as holder:
        clock.forward(100)
        deadline = time.monotonic() + 10
        while (standing := who_holds(tmp_path, "shop")) is None or standing.expires <= holder.expires:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert standing.token == holder.token


def test_the_lock_of_a_process_that_is_gone_from_this_host_is_taken_over(tmp_path: Path) -> None:
    """After a kill -9 the next run doesn't wait for the time to be up."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with lock(tmp_path, "shop"):
        change(only_file(tmp_path), pid=gone.pid)
        with lock(tmp_path, "shop") as holder:
            assert holder.pid == os.getpid()


def test_whoever_was_stopped_finds_out_whether_the_lock_is_still_its_own(tmp_path: Path) -> None:
    """An expired lock that nobody took is renewed; one that was forced, taken over or removed is lost."""
    clock = Clock()
    with lock(tmp_path, "shop", now=clock, lease=60) as holder:
        held = Held(tmp_path, "shop", (), holder, lease=60, now=clock)
        assert held()
        assert held(), "the second answer needs no reading"
        clock.forward(61)
        assert held()
        found = who_holds(tmp_path, "shop")
        assert found is not None
        assert (found.expires - clock.moment).total_seconds() == 60
        clock.forward(61)
        with lock(tmp_path, "shop", now=clock, lease=60) as other:
            assert not held()
            assert Held(tmp_path, "shop", (), other, lease=60, now=clock)()
        assert not held(), "the other has given it back"
    assert not Held(tmp_path / "gone", "shop", (), holder)()


def test_a_lock_that_is_taken_away_between_two_writes_is_missed_at_the_next(tmp_path: Path) -> None:
    """Removed, or replaced by a file of the same size: what was read before does not count."""
    with lock(tmp_path, "shop") as holder:
        held = Held(tmp_path, "shop", (), holder)
        assert held()
        file = only_file(tmp_path)
        text = file.read_text()
        file.unlink()
        assert not held()
        file.write_text(text.replace(holder.token, holder.token[::-1]))
        assert not held()
        file.write_text(text)
        assert held()


@pytest.mark.parametrize("other", [{"machine": "another-boot pid:[1]"}, {"machine": ""}])
def test_a_process_id_of_another_boot_or_namespace_says_nothing(tmp_path: Path, other: dict[str, str]) -> None:
    """Two containers can have one host name; the lock is held until its time is up."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with lock(tmp_path, "shop"):
        change(only_file(tmp_path), pid=gone.pid, **other)
        with pytest.raises(LockBusy), lock(tmp_path, "shop"):
            pass


def test_a_process_that_got_the_number_of_a_dead_one_does_not_hold_its_lock(tmp_path: Path) -> None:
    """The system gives numbers again; when the process was started tells two apart."""
    with lock(tmp_path, "shop"):
        change(only_file(tmp_path), started="1")
        with lock(tmp_path, "shop") as holder:
            assert holder.pid == os.getpid()


def test_the_lock_of_another_host_is_held_until_its_time_is_up(tmp_path: Path) -> None:
    """A process number says nothing of another machine."""
    with lock(tmp_path, "shop"):
        change(only_file(tmp_path), host="elsewhere", pid=2**30)
        with pytest.raises(LockBusy, match="Somebody else"), lock(tmp_path, "shop"):
            pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"owner": "x"}', b"\xff\xfe", b'{"since": 1}'])
def test_a_lock_file_that_cant_be_read_is_held_by_an_unknown_until_it_is_old(tmp_path: Path, content: bytes) -> None:
    """A half-written file is no permission to go on; after the usual time it is stale like others."""
    with lock(tmp_path, "shop"):
        path = only_file(tmp_path)
        path.write_bytes(content)
        with pytest.raises(LockBusy) as caught, lock(tmp_path, "shop"):
            pass
        assert "unknown" in caught.value.detail
        os.utime(path, (1, 1))
        with lock(tmp_path, "shop"):
            pass


def test_forcing_takes_the_lock_away_and_says_whose_it_was(tmp_path: Path) -> None:
    """The next apply can start; forcing what nobody holds says so."""
    with lock(tmp_path, "shop", TARGETS) as holder:
        assert force_unlock(tmp_path, "shop", TARGETS) == holder
        assert force_unlock(tmp_path, "shop", TARGETS) is None
        with lock(tmp_path, "shop", TARGETS):
            pass
    assert force_unlock(tmp_path / "nowhere", "shop") is None


def test_of_many_who_find_a_stale_lock_one_gets_it(tmp_path: Path) -> None:
    """Taking over is done in turns, so two never hold it at the same time."""
    with lock(tmp_path, "shop"):
        stale = only_file(tmp_path).read_text()
        name = only_file(tmp_path).name
    for _ in range(20):
        (tmp_path / name).write_text(json.dumps(json.loads(stale) | {"expires": "2020-01-01T00:00:00Z"}))
        holding, most = [0], [0]
        guard = threading.Lock()

        def work(
            _number: int, holding: list[int] = holding, most: list[int] = most, guard: threading.Lock = guard
        ) -> bool:
            try:
                with lock(tmp_path, "shop"):
                    with guard:
                        holding[0] += 1
                        most[0] = max(most[0], holding[0])
                    time.sleep(0.001)
                    with guard:
                        holding[0] -= 1
            except LockBusy:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert any(pool.map(work, range(4)))
        assert most[0] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
@pytest.mark.parametrize("step", ["take", "renew", "force", "release"])
def test_whoever_changes_the_lock_waits_for_the_turn_of_another(tmp_path: Path, step: str) -> None:
    """Between looking and changing nobody else may change the file; that is what makes taking over safe."""
    import fcntl

    ready, go = threading.Event(), threading.Event()

    def work() -> None:
        if step == "take":
            ready.set()
            go.wait(10)
        with lock(tmp_path, "shop") as holder:
            ready.set()
            go.wait(10)
            if step == "renew":
                renew(only_file(tmp_path), holder)
            elif step == "force":
                force_unlock(tmp_path, "shop")

    worker = threading.Thread(target=work)
    worker.start()
    assert ready.wait(10)
    turn = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        before = list(tmp_path.iterdir())
        go.set()
        worker.join(0.2)
        assert worker.is_alive()
        assert list(tmp_path.iterdir()) == before
    finally:
        os.close(turn)
    worker.join(10)
    assert not worker.is_alive()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_releases_the_lock(tmp_path: Path, number: signal.Signals) -> None:
    """A pipeline that is cancelled leaves no lock behind, and the process ends as the signal asks."""
    program = (
        "import sys, time, pathlib\n"
        "from oauthdeploy.running.lock import lock\n"
        "with lock(pathlib.Path(sys.argv[1]), 'shop'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert who_holds(tmp_path, "shop") is not None
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []
