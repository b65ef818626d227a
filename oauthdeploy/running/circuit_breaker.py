"""The circuit breaker: a server that keeps failing gets no more requests in this run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Final

from oauthdeploy.core.errors import ServerError, Unreachable
from oauthdeploy.planning.outcome import Outcome, Status

GIVE_UP_AFTER: Final = 5
"""The number of consecutive changes of a server that fail (unreachable or 5xx) before the rest of its changes are skipped.

Each of them was retried up to `limits.retries` times, so a short outage does not reach this number.
"""

_OF_THE_SERVER: Final = frozenset({Unreachable.rule, ServerError.rule})


class Breaker:
    """Counts the consecutive failures of each server. Safe to use from several threads."""

    def __init__(self, limit: int = GIVE_UP_AFTER) -> None:
        self._limit = limit
        self._row: Counter[str] = Counter()
        self._given_up: set[str] = set()
        self._lock = threading.Lock()

    def has_given_up(self, server: str) -> bool:
        """Whether the server gets no more requests."""
        return server in self._given_up

    def note(self, outcomes: Iterable[Outcome]) -> None:
        """Count the outcomes of changes that were tried, as soon as they are known."""
        with self._lock:
            for outcome in outcomes:
                self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        server = outcome.change.address.server
        if outcome.status is Status.SKIPPED:
            return
        if outcome.status is Status.DONE or outcome.because is None or outcome.because.rule not in _OF_THE_SERVER:
            self._row[server] = 0
            return
        self._row[server] += 1
        if self._row[server] >= self._limit:
            self._given_up.add(server)
