"""What requests meet between a driver and the network, where several runs share it: limits, and addresses out of reach.

The command line has no `Egress`: each run has its own limits, and may reach every address. The operator has one for all runs of
its process (`workflow/shared_limits.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from oauthdeploy.drivers.concurrency_limit import Throttle
from oauthdeploy.drivers.rate_limit import Pace
from oauthdeploy.model.servers import Limits


class Withheld(OSError):
    """A request that was not sent, since it must not be; `fix` says what helps."""

    def __init__(self, words: str, fix: str) -> None:
        super().__init__(words)
        self.words = words
        self.fix = fix


class Gate(Struct, frozen=True):
    """What every request to a server passes: how many at a time, how many a second, and `check`, which raises Withheld."""

    throttle: Throttle
    pace: Pace
    check: Callable[[], None] = lambda: None


def own_gate(limits: Limits) -> Gate:
    """A gate that nobody else shares."""
    return Gate(Throttle(limits.parallel), Pace(limits.requests_per_second))


class Egress(Protocol):
    """The way out of a process. Safe to use from several threads."""

    def gate(self, url: str, limits: Limits) -> Gate:
        """The gate to the server at this address."""
        ...

    def refusal(self, scheme: str, host: str, port: int, address: str) -> str:
        """Why a connection to a host must not be made to this IP address of it; "" if it may."""
        ...
