"""The limits of a server hold for all runs of all replicas."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import httpx2
import pytest
from lightkube import Client, KubeConfig

from oauthdeploy.drivers.egress import Withheld
from oauthdeploy.model.servers import Limits
from oauthdeploy.operator.bounds import Bounds
from oauthdeploy.operator.server_claims import PAUSE_SECONDS, TENURE_SECONDS, ServerBusy, ServerClaims
from oauthdeploy.running import lease as lease_module
from oauthdeploy.running.lease import SKEW_SECONDS
from oauthdeploy.workflow.shared_limits import origin_of
from tests.operator.conftest import PASSWORD, SECRET, Namespace, Site, StartReplica, env, in_sync, own_manifest
from tests.running.test_lease import Api

LOGIN, ORDERS = "https://login.example.com", "https://orders.example.com"
FEW = Limits(parallel=3, requests_per_second=10)
DURATION = 5


class Time:
    """One clock for the processes of a test and for their Leases."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr(lease_module, "_clock", lambda: self.seconds)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def replica(api: Api, clock: Time) -> Iterator[Callable[..., ServerClaims]]:
    """Makes the claims of a replica."""
    config = KubeConfig.from_dict(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            "users": [{"name": "c", "user": {"token": "t"}}],
            "current-context": "c",
        }
    )
    made: list[ServerClaims] = []
    with Client(config, transport=httpx2.MockTransport(api)) as client:

        def make(per_server: int = 2, sleep: Callable[[float], None] = lambda _: None) -> ServerClaims:
            claims = ServerClaims(
                client,
                "oauthdeploy",
                Bounds(),
                per_server=per_server,
                duration=DURATION,
                clock=lambda: clock.seconds,
                sleep=sleep,
                now=clock.now,
            )
            made.append(claims)
            return claims

        yield make
        for claims in made:
            for claim in claims._claims.values():
                claim.kept.close()


def test_one_replica_talks_to_a_server_until_its_last_run_there_has_ended(replica: Callable[[], ServerClaims]) -> None:
    """Its own runs join, up to a number; another replica has to wait, and holds no other server meanwhile."""
    first, second = replica(), replica()
    first.take({LOGIN: FEW})
    first.take({LOGIN: FEW})
    with pytest.raises(ServerBusy):
        first.take({LOGIN: FEW})
    with pytest.raises(ServerBusy) as busy:
        second.take({ORDERS: FEW, LOGIN: FEW})
    assert busy.value.server == LOGIN
    first.take({ORDERS: FEW})
    first.give({LOGIN: FEW})
    with pytest.raises(ServerBusy):
        second.take({LOGIN: FEW})
    first.give({LOGIN: FEW})
    second.take({LOGIN: FEW})


def test_the_strictest_limits_of_the_runs_at_a_server_count(replica: Callable[[], ServerClaims]) -> None:
    """For all of them, whatever each manifest says, as long as the strictest one runs."""
    claims = replica()
    strict = Limits(parallel=1, requests_per_second=2)
    claims.take({LOGIN: FEW})
    gate = claims.egress.gate(f"{LOGIN}:443/is/", FEW)
    assert gate.throttle.width == 3
    claims.take({LOGIN: strict})
    assert claims.egress.gate(LOGIN, strict) is gate
    assert gate.throttle.width == 1
    claims.give({LOGIN: strict})
    assert gate.throttle.width == 3


def test_a_server_is_given_back_once_the_next_request_would_not_have_to_wait(
    replica: Callable[..., ServerClaims],
) -> None:
    """So the rate holds across the hand-over."""
    slept: list[float] = []
    claims = replica(sleep=slept.append)
    claims.take({LOGIN: FEW})
    claims.egress.gate(LOGIN, FEW).pace.wait()
    claims.give({LOGIN: FEW})
    assert len(slept) == 1
    assert 0.05 < slept[0] <= 0.1


def test_a_replica_that_had_a_server_for_long_lets_others_have_it(
    replica: Callable[[], ServerClaims], clock: Time
) -> None:
    """It begins nothing more there, and stays away for longer than others wait between two attempts."""
    claims, other = replica(), replica()
    claims.take({LOGIN: FEW})
    clock.seconds += TENURE_SECONDS / 2
    claims._claims[LOGIN].leases._sure_at = clock.seconds  # as its renewal does
    claims.take({LOGIN: FEW})
    claims.give({LOGIN: FEW})
    clock.seconds += TENURE_SECONDS / 2 + 1
    with pytest.raises(ServerBusy):
        claims.take({LOGIN: FEW})
    claims.give({LOGIN: FEW})
    with pytest.raises(ServerBusy) as busy:
        claims.take({LOGIN: FEW})
    assert 1 < busy.value.seconds <= PAUSE_SECONDS
    other.take({LOGIN: FEW})
    other.give({LOGIN: FEW})
    clock.seconds += PAUSE_SECONDS
    claims.take({LOGIN: FEW})


def test_a_replica_that_was_paused_beyond_the_expiry_sends_nothing_more(
    replica: Callable[[], ServerClaims], clock: Time
) -> None:
    """Another one may have the server by then, and would exceed the limits with it."""
    paused, other = replica(), replica()
    paused.take({LOGIN: FEW})
    gate = paused.egress.gate(LOGIN, FEW)
    gate.check()
    clock.seconds += DURATION + 0.5
    with pytest.raises(ServerBusy):
        other.take({LOGIN: FEW})
    with pytest.raises(Withheld):
        gate.check()
    with pytest.raises(ServerBusy):
        paused.take({LOGIN: FEW})
    clock.seconds += SKEW_SECONDS
    other.take({LOGIN: FEW})
    paused.give({LOGIN: FEW})
    other.egress.gate(LOGIN, FEW).check()
    with pytest.raises(ServerBusy):
        paused.take({LOGIN: FEW})


def test_limits_count_for_an_origin() -> None:
    """However its URL is written."""
    assert origin_of("HTTPS://Login.Example.com:443/is/") == LOGIN
    assert origin_of("http://login.example.com:5555/") == "http://login.example.com:5555"


RATE = 12
PARALLEL = 2


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.timeout(200, func_only=True)
def test_two_replicas_and_many_estates_stay_within_the_limits_of_their_server(
    make_namespace: Callable[[], Namespace], site: Site, start_replica: StartReplica
) -> None:
    """Whatever runs where: as many requests at a time and per second as the manifests say, also when a replica is killed."""
    arrived, at_once = observed(site)
    namespaces = [make_namespace(), make_namespace()]
    limits = f"retries: 0, parallel: {PARALLEL}, requests_per_second: {RATE}"
    for namespace in namespaces:
        namespace.secret("login", password=PASSWORD, batch=SECRET)
        for number in range(4):
            name = f"{namespace.name}-{number}"
            own = own_manifest(name).replace("retries: 0", limits)
            namespace.estate(f"e{number}", manifest={"inline": own}, env=env(site), interval="2s", mode="apply")
    flags = ("--claim-seconds", "3", "--per-server", "3")
    replicas = [start_replica(*namespaces, flags=flags) for _ in range(2)]
    for namespace in namespaces:
        for number in range(4):
            namespace.wait(f"e{number}", in_sync, 90)
    busy = [replica for replica in replicas if "Applying" in replica.words()]
    busy[0].kill()
    replicas = [*(item for item in replicas if item is not busy[0]), start_replica(*namespaces, flags=flags)]
    before = len(arrived)
    time.sleep(15)
    assert len(arrived) > before + RATE, "the other one went on"
    for replica in replicas:
        assert replica.stop() == 0
    assert at_once[0] <= PARALLEL
    # Requests that started in the same second: they arrive a little later than they start, not all by the same time.
    windows = [sum(moment <= other < moment + 1 for other in arrived) for moment in arrived]
    assert max(windows) <= RATE + 2, sorted(windows)[-5:]
    span = arrived[-1] - arrived[0]
    assert len(arrived) <= RATE * span + 2


def observed(site: Site) -> tuple[list[float], list[int]]:
    """When requests arrive at a server, and the most at the same time, without those of the test itself."""
    arrived: list[float] = []
    most, now, turn = [0], [0], threading.Lock()

    def ours() -> bool:
        return flask.request.headers.get("User-Agent", "").startswith("oauthdeploy/")

    def begin(sender: flask.Flask, **_: Any) -> None:
        if ours():
            with turn:
                arrived.append(time.monotonic())
                now[0] += 1
                most[0] = max(most[0], now[0])

    def end(sender: flask.Flask, **_: Any) -> None:
        if ours():
            with turn:
                now[0] -= 1

    flask.request_started.connect(begin, site.server.app, weak=False)
    flask.request_finished.connect(end, site.server.app, weak=False)
    return arrived, most
