"""The circuit breaker: a server that keeps failing is left alone for the rest of the run."""

from __future__ import annotations

from collections import Counter
from typing import Final

from oauthdeploy.core.errors import ServerError, Unreachable
from oauthdeploy.planning.outcome import Outcome, Status

GIVE_UP_AFTER: Final = 5
"""Changes of one server that fail one after the other, unreachable or with a 5xx, before the rest of its changes are skipped.

Each of them was tried as often as `limits.retries` allows, so that a short trouble doesn't lead here.
"""

_OF_THE_SERVER: Final = frozenset({Unreachable.rule, ServerError.rule})


class Breaker:
    """Counts the failures of each server. One thread notes; any thread may ask."""

    def __init__(self, limit: int = GIVE_UP_AFTER) -> None:
        self._limit = limit
        self._row: Counter[str] = Counter()
        self._given_up: set[str] = set()

    def has_given_up(self, server: str) -> bool:
        """Whether the server is left alone."""
        return server in self._given_up

    def note(self, outcome: Outcome) -> bool:
        """Take the end of a change; True where its server is given up for it, once for each server."""
        server = outcome.change.address.server
        if outcome.status is Status.SKIPPED or server in self._given_up:
            return False
        if outcome.because is None or outcome.because.rule not in _OF_THE_SERVER or outcome.status is Status.DONE:
            self._row[server] = 0
            return False
        self._row[server] += 1
        if self._row[server] < self._limit:
            return False
        self._given_up.add(server)
        return True
