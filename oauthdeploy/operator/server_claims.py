"""The limits of servers hold across runs and replicas: the replica that talks to a server holds a Lease for it.

take      a run joins the Lease of each of its servers, or waits until another replica has given it back
gate      all runs of a replica share the requests at the same time and per second; of several manifests, the strictest counts
give      the last run gives the Lease back, once the next request would not have to wait
A replica that has held a server for long lets its runs finish and pauses, so that others get their turn. See
docs/decisions/one-replica-per-server.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Final

from lightkube import Client
from msgspec import Struct, field

from oauthdeploy.model.servers import Limits
from oauthdeploy.operator.bounds import Bounds
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.lease import SERVER, Leases, lease_name, own_identity
from oauthdeploy.workflow.shared_limits import SharedLimits

TENURE_SECONDS: Final = 20.0
"""How long a replica begins runs at a server before it lets others have it."""
PAUSE_SECONDS: Final = 2.0
"""How long it then leaves the server alone: longer than others wait between two attempts."""
RETRY_SECONDS: Final = 1.0
_LONGEST_GAP: Final = 2.0


class ServerBusy(Exception):
    """A server has as many runs as it may, or another replica talks to it. No error of a run: it has not begun."""

    def __init__(self, server: str, seconds: float = RETRY_SECONDS) -> None:
        super().__init__(server)
        self.server = server
        self.seconds = seconds


class _Claim(Struct):
    """A server that this replica talks to: its Lease, when it was taken, and the limits of the runs that are at it."""

    leases: Leases
    since: float
    kept: ExitStack = field(default_factory=ExitStack)
    runs: list[Limits] = field(default_factory=list)


class ServerClaims:
    """The servers that this replica talks to; `egress` is for all its runs. Safe to use from several threads."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        bounds: Bounds,
        *,
        per_server: int,
        duration: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`namespace` is where all replicas keep these Leases; `per_server` is the number of runs at a server at the same time;
        `duration` is that of the Leases in seconds.
        """
        self._client = client
        self._namespace = namespace
        self.egress = SharedLimits(refuses=bounds.address_refusal, withholds=self._withheld)
        self._per_server = per_server
        self._duration = duration
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._identity = own_identity()
        self._turn = threading.Lock()
        self._claims: dict[str, _Claim] = {}
        self._pauses: dict[str, float] = {}

    def take(self, servers: Mapping[str, Limits]) -> None:
        """Begin a run at these servers, by origin; at all, or at none. Raises ServerBusy and LeaseFailed."""
        begun: dict[str, Limits] = {}
        try:
            for origin, limits in sorted(servers.items()):
                with self._turn:
                    self._begin(origin, limits)
                begun[origin] = limits
        except BaseException:
            self.give(begun)
            raise

    def give(self, servers: Mapping[str, Limits]) -> None:
        """End a run at these servers."""
        for origin, limits in servers.items():
            with self._turn:
                left = self._end(origin, limits)
            if left is not None:
                # Another replica may send a request as soon as it has the Lease, and must not do so before its time.
                self._sleep(min(self.egress.busy_for(origin), _LONGEST_GAP))
                left.kept.close()

    def _begin(self, origin: str, limits: Limits) -> None:
        claim, now = self._claims.get(origin), self._clock()
        if claim is None:
            if (pause := self._pauses.get(origin, 0.0) - now) > 0:
                raise ServerBusy(origin, pause)
            claim = self._claims[origin] = self._claimed(origin, now)
        elif len(claim.runs) >= self._per_server or now - claim.since > TENURE_SECONDS or claim.leases.expired:
            raise ServerBusy(origin)
        claim.runs.append(limits)
        self.egress.set(origin, claim.runs)

    def _claimed(self, origin: str, now: float) -> _Claim:
        leases = Leases(
            self._client,
            self._namespace,
            [lease_name(("server", origin), {SERVER: origin})],
            identity=self._identity,
            duration=self._duration,
            now=self._now,
        )
        if leases.take() is not None:
            raise ServerBusy(origin)
        claim = _Claim(leases, now)
        claim.kept.enter_context(leases.kept())
        return claim

    def _end(self, origin: str, limits: Limits) -> _Claim | None:
        """The claim, if this was the last run."""
        claim = self._claims[origin]
        claim.runs.remove(limits)
        if claim.runs:
            self.egress.set(origin, claim.runs)
            return None
        del self._claims[origin]
        if self._clock() - claim.since > TENURE_SECONDS:
            self._pauses[origin] = self._clock() + PAUSE_SECONDS
        return claim

    def _withheld(self, origin: str) -> str:
        """A replica that was paused may have lost a server to another, which keeps to the limits without it."""
        claim = self._claims.get(origin)
        lost = claim is not None and claim.leases.expired
        return "another replica of the operator may be using it" if lost else ""
