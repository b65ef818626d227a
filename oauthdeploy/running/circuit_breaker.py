"""The circuit breaker: a server that keeps failing is left alone for the rest of the run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Final

from oauthdeploy.core.errors import ServerError, Unreachable
from oauthdeploy.planning.outcome import Outcome, Status

GIVE_UP_AFTER: Final = 5
"""Changes of one server that fail one after the other, unreachable or with a 5xx, before the rest of its changes are skipped.

Each of them was tried as often as `limits.retries` allows, so that a short trouble doesn't lead here.
"""

_OF_THE_SERVER: Final = frozenset({Unreachable.rule, ServerError.rule})


class Breaker:
    """Counts the failures of each server in a row. Safe to use from several threads."""

    def __init__(self, limit: int = GIVE_UP_AFTER) -> None:
        self._limit = limit
        self._row: Counter[str] = Counter()
        self._given_up: set[str] = set()
        self._lock = threading.Lock()

    def has_given_up(self, server: str) -> bool:
        """Whether the server is left alone."""
        return server in self._given_up

    def note(self, outcomes: Iterable[Outcome]) -> None:
        """Take the ends of changes that were tried, as soon as they are known."""
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
