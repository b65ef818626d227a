"""Slowing down for a server that has too much, and waits that end when somebody asks for the end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from oauthdeploy.core.errors import Unreachable
from oauthdeploy.drivers.concurrency_limit import Throttle
from oauthdeploy.drivers.http import AdminClient
from oauthdeploy.drivers.transport import make_session
from oauthdeploy.model.servers import Limits
from tests.drivers.kit import Naps, Says, Seen, client_for, says, serving


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_sign_halves_the_width_once_for_all_requests_under_way() -> None:
    """Eight requests refused together are one sign: four at a time; a later refusal makes it two, and never none."""
    clock = Clock()
    throttle = Throttle(8, clock=clock)
    for _ in range(8):
        throttle.slow_down(99.0, None)
    assert throttle.width == 4
    clock.now = 101.0
    throttle.slow_down(100.5, None)
    assert throttle.width == 2
    for later in range(102, 110):
        clock.now = later
        throttle.slow_down(later - 0.5, None)
    assert throttle.width == 1


def test_good_answers_open_the_gate_again() -> None:
    """One more at a time for each row of good answers as long as the width, up to what was allowed."""
    throttle = Throttle(4, clock=Clock())
    throttle.slow_down(100.5, None)
    assert throttle.width == 2
    throttle.speed_up()
    assert throttle.width == 2
    throttle.speed_up()
    assert throttle.width == 3
    for _ in range(20):
        throttle.speed_up()
    assert throttle.width == 4


def test_retry_after_holds_new_requests_of_every_thread() -> None:
    """A request that is new waits until the time that another one was told; the longest time counts."""
    clock = Clock()
    throttle = Throttle(4, clock=clock)
    throttle.slow_down(99.0, 30.0)
    throttle.slow_down(99.0, 5.0)
    assert throttle.pause == 30.0
    clock.now = 131.0
    assert throttle.pause == 0.0


def test_no_more_requests_than_the_width_are_under_way() -> None:
    """The gate holds under many threads, and lets all through in the end."""
    throttle = Throttle(8)
    throttle.slow_down(time.monotonic() + 1, None)
    busy, most, lock = 0, 0, threading.Lock()

    def work(_number: int) -> None:
        nonlocal busy, most
        with throttle.turn():
            with lock:
                busy += 1
                most = max(most, busy)
            time.sleep(0.002)
            with lock:
                busy -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(60)))
    assert most == 4


def test_a_server_that_has_too_much_gets_less_and_then_more_again() -> None:
    """429 with Retry-After: another request waits for it before it is sent at all; good answers end it."""
    naps = Naps()
    with serving([says({}, 429, Retry_After="7"), says({})]) as server, client_for(server.url, naps=naps) as client:
        client.get("/first")
        assert naps.taken == [pytest.approx(7.0)]
        client.get("/second")
        assert len(naps.taken) == 2
        assert 6.0 < naps.taken[1] <= 7.0
        assert len(server.seen) == 3


def test_the_width_follows_a_live_server() -> None:
    """While a server refuses what is too much for it, no more requests than the narrowed width are under way."""
    busy, most, refused, lock = 0, [], [0], threading.Lock()

    def answer(_seen: Seen) -> Says:
        nonlocal busy
        with lock:
            busy += 1
            here = busy
        time.sleep(0.01)
        with lock:
            busy -= 1
            if here > 2:
                refused[0] += 1
                return says({}, 503)
            most.append(here)
        return says({})

    with (
        serving(answer) as server,
        client_for(server.url, parallel=8, retries=20) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(lambda number: client.get(f"/{number}"), range(60)))
    assert len(most) == 60
    assert refused[0] < 60


def test_a_stop_ends_the_wait_between_repetitions_at_once() -> None:
    """A server that asks for a minute is not waited for once somebody asks for the end, and is not asked again."""
    stop = threading.Event()
    with serving([says({"message": "busy"}, 503, Retry_After="60")]) as server:
        session = make_session(server.url, 2, None, read_only=False)
        client = AdminClient("login", server.url, session, None, Limits(retries=5))
        client.set_stop_event(stop)
        begun = time.monotonic()
        timer = threading.Timer(0.2, stop.set)
        timer.start()
        with pytest.raises(Unreachable):
            client.get("/x")
        timer.join()
        client.close()
        assert time.monotonic() - begun < 5
        assert len(server.seen) == 1


def test_a_new_request_is_sent_after_a_stop_but_not_repeated() -> None:
    """A look at what became of a change is still possible; only waiting is over."""
    stop = threading.Event()
    stop.set()
    with serving([says({"a": 1}), says({}, 503)]) as server:
        session = make_session(server.url, 2, None, read_only=False)
        client = AdminClient("login", server.url, session, None, Limits(retries=5))
        client.set_stop_event(stop)
        assert client.get("/x").body == {"a": 1}
        with pytest.raises(Unreachable):
            client.get("/y")
        client.close()
        assert len(server.seen) == 2
