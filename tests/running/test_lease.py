"""Leases as a lock, against an API that compares resource versions as the real one does; tests/operator asks the real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from lightkube import Client, KubeConfig

from oauthdeploy.core.errors import LockBusy
from oauthdeploy.running import lease as lease_module
from oauthdeploy.running.lease import DURATION_SECONDS, SKEW_SECONDS, LeaseFailed, Leases, lease_lock, run_leases

URLS = ("https://login.example.com/", "https://orders.example.com")


class Api:
    """Leases in memory; `away` makes requests fail, `silent` is called before they fail, `forget_answer` makes the next write
    succeed without an answer.
    """

    def __init__(self) -> None:
        self.leases: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.away = False
        self.silent: Callable[[], None] | None = None
        self.forget_answer = False
        self.requests: list[str] = []
        self.turn = threading.Lock()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        with self.turn:
            if self.silent is not None:
                self.silent()
                raise httpx2.ReadTimeout("no answer", request=request)
            if self.away:
                raise httpx2.ConnectError("refused", request=request)
            self.requests.append(request.method)
            answer = self._answer(request)
            if self.forget_answer and request.method != "GET":
                self.forget_answer = False
                raise httpx2.ReadTimeout("no answer", request=request)
            return answer

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.rpartition("/")[2]
        if request.method == "GET":
            return self._json(200, self.leases[name]) if name in self.leases else self._problem(404)
        body = json.loads(request.content)
        known = self.leases.get(body["metadata"]["name"])
        if request.method == "POST" and known is not None:
            return self._problem(409)
        if request.method == "PUT" and (
            known is None or known["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]
        ):
            return self._problem(409)
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.leases[body["metadata"]["name"]] = body
        return self._json(200, body)

    @staticmethod
    def _json(status: int, body: Any) -> httpx2.Response:
        return httpx2.Response(status, json=body)

    def _problem(self, status: int) -> httpx2.Response:
        return self._json(status, {"kind": "Status", "code": status, "message": f"it is {status}"})


class Clock:
    """One time for both clocks: that of the Leases, and that of the process."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(lease_module, "_clock", lambda: made.seconds)
    return made


@pytest.fixture
def make(api: Api, clock: Clock) -> Iterator[Callable[[], Leases]]:
    config = KubeConfig.from_dict(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            "users": [{"name": "c", "user": {"token": "t"}}],
            "current-context": "c",
        }
    )
    with Client(config, transport=httpx2.MockTransport(api)) as client:
        yield lambda: Leases(client, "shop", run_leases("shop", URLS), now=clock.now)


def test_of_two_runs_one_gets_all_the_leases(api: Api, make: Callable[[], Leases]) -> None:
    """One Lease for each server, which says for what it stands; the other run holds none, and learns who has them."""
    first, second = make(), make()
    assert first.take() is None
    assert {item["metadata"]["annotations"][lease_module.SERVER] for item in api.leases.values()} == {
        "https://login.example.com",
        "https://orders.example.com",
    }
    other = second.take()
    assert other is not None
    assert first.identity.endswith(other.token)
    assert first.still_held()
    first.release()
    assert second.take() is None
    assert {item["spec"]["leaseTransitions"] for item in api.leases.values()} == {1}


def test_runs_that_share_one_server_exclude_each_other(api: Api, make: Callable[[], Leases]) -> None:
    """And the one that is refused gives back what it had taken."""
    whole = make()
    part = Leases(whole._client, "shop", run_leases("shop", URLS[1:]), now=whole._now)
    assert part.take() is None
    assert whole.take() is not None
    assert [item["spec"].get("holderIdentity") is None for item in api.leases.values()].count(True) == 1
    assert part.still_held()


def test_a_process_that_was_paused_beyond_the_expiry_writes_nothing_more(
    make: Callable[[], Leases], clock: Clock, api: Api
) -> None:
    """Even if nobody took the Lease meanwhile; another run may take it only after the time by which clocks may differ."""
    paused, other = make(), make()
    assert paused.take() is None
    clock.pass_by(DURATION_SECONDS + 0.5)
    assert other.take() is not None, "clocks may differ"
    assert not paused.still_held()
    clock.pass_by(SKEW_SECONDS)
    assert other.take() is None
    assert not paused.still_held()
    paused.release()
    assert other.still_held()
    assert {item["spec"]["holderIdentity"] for item in api.leases.values()} == {other.identity}


def test_a_lease_that_was_taken_away_is_noticed_before_the_next_write(make: Callable[[], Leases], clock: Clock) -> None:
    """By force-unlock, within a second."""
    run, other = make(), make()
    assert run.take() is None
    holder = other.holder()
    assert holder is not None
    assert not other.break_off("another token")
    assert other.break_off(holder.token)
    assert other.holder() is None
    clock.pass_by(1.1)
    assert not run.still_held()


def test_an_api_server_that_is_away_takes_nothing_away_before_the_expiry(
    make: Callable[[], Leases], clock: Clock, api: Api
) -> None:
    """Until then no other run can have taken the Lease; afterwards, one might."""
    run = make()
    assert run.take() is None
    api.away = True
    clock.pass_by(DURATION_SECONDS - 1)
    assert run.still_held()
    clock.pass_by(1)
    assert not run.still_held()
    api.away = False
    assert not run.still_held()
    api.away = True
    with pytest.raises(LeaseFailed, match="does not answer"):
        make().take()


def test_an_api_server_that_is_silent_does_not_hold_a_write_beyond_the_expiry(
    make: Callable[[], Leases], clock: Clock, api: Api
) -> None:
    """The question was asked before the expiry, and nobody answered until after it."""
    run = make()
    assert run.take() is None
    api.silent = lambda: clock.pass_by(5)
    clock.pass_by(DURATION_SECONDS - 10)
    assert run.still_held()
    clock.pass_by(2)
    assert not run.still_held()


def test_a_renewal_whose_answer_was_lost_is_recognized(make: Callable[[], Leases], clock: Clock, api: Api) -> None:
    """The next one meets a version that it did not expect, and finds its own name in it."""
    run = make()
    assert run.take() is None
    clock.pass_by(DURATION_SECONDS / 2 + 1)
    api.forget_answer = True
    assert run.still_held()
    clock.pass_by(2)
    assert run.still_held()
    clock.pass_by(DURATION_SECONDS - 2)
    assert run.still_held(), "the second renewal counts"


def test_a_write_asks_the_api_at_most_once_a_second(make: Callable[[], Leases], clock: Clock, api: Api) -> None:
    """A hundred writes in a second are not slowed down by a hundred questions."""
    run = make()
    assert run.take() is None
    before = len(api.requests)
    assert all(run.still_held() for _ in range(100))
    assert len(api.requests) == before
    clock.pass_by(1.1)
    assert all(run.still_held() for _ in range(100))
    assert len(api.requests) == before + len(URLS)


def test_the_lock_waits_and_says_who_holds_it(make: Callable[[], Leases], clock: Clock) -> None:
    """As long as it was told to; LockBusy names the holder and what to do."""
    first, second = make(), make()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.pass_by(seconds)

    with lease_lock(first) as held:
        assert held()
        with pytest.raises(LockBusy) as busy, lease_lock(second, timeout=3, pause=pause):
            pass
    assert sum(pauses) == pytest.approx(3)
    assert "force-unlock" in busy.value.fix
    with lease_lock(second) as held:
        assert held()
