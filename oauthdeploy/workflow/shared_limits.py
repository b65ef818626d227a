"""Limits that several runs of a process share, and addresses that none of them may reach: the `Egress` for `RunOptions`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial, reduce
from urllib.parse import urlsplit

from oauthdeploy.core.urls import normalized_url
from oauthdeploy.drivers.concurrency_limit import Throttle
from oauthdeploy.drivers.egress import Gate, Withheld
from oauthdeploy.drivers.rate_limit import Pace
from oauthdeploy.model.servers import Limits

Refusal = Callable[[str, str, int, str], str]
"""Why a connection must not be made, from scheme, host, port and IP address; "" if it may."""


class SharedLimits:
    """One gate for each origin. Safe to use from several threads."""

    def __init__(self, *, refuses: Refusal, withholds: Callable[[str], str]) -> None:
        """`withholds` says why no request may be sent to an origin now; "" if it may."""
        self._refuses = refuses
        self._withholds = withholds
        self._turn = threading.Lock()
        self._gates: dict[str, Gate] = {}

    def set(self, origin: str, runs: Sequence[Limits]) -> None:
        """From now on keep to the strictest of these limits, which are those of the runs at a server."""
        limits = reduce(stricter, runs)
        gate = self.gate(origin, limits)
        gate.throttle.limit(limits.parallel)
        gate.pace.limit(limits.requests_per_second)

    def busy_for(self, origin: str) -> float:
        """Seconds until a request to a server would not have to wait for its turn."""
        gate = self._gates.get(origin)
        return gate.pace.busy_for if gate is not None else 0.0

    def gate(self, url: str, limits: Limits) -> Gate:
        """See `Egress`."""
        origin = origin_of(url)
        with self._turn:
            if origin not in self._gates:
                check = partial(self._check, origin)
                self._gates[origin] = Gate(Throttle(limits.parallel), Pace(limits.requests_per_second), check)
            return self._gates[origin]

    def refusal(self, scheme: str, host: str, port: int, address: str) -> str:
        """See `Egress`."""
        return self._refuses(scheme, host, port, address)

    def _check(self, origin: str) -> None:
        if why := self._withholds(origin):
            raise Withheld(why, "The next run is due soon.")


def stricter(one: Limits, other: Limits) -> Limits:
    """What is within the limits of both."""
    rates = [rate for rate in (one.requests_per_second, other.requests_per_second) if rate is not None]
    update = {"parallel": min(one.parallel, other.parallel), "requests_per_second": min(rates, default=None)}
    return one.model_copy(update=update)


def origin_of(url: str) -> str:
    """The origin of a URL, for which limits count."""
    parts = urlsplit(normalized_url(url))
    return f"{parts.scheme}://{parts.netloc}"
