"""Timing of requests: their rate, the wait before a retry, and times in headers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER_LIMIT: Final = 60.0
"""The longest accepted Retry-After, in seconds."""

_BACKOFF_START: Final = 0.25
_BACKOFF_LIMIT: Final = 20.0


class Pace:
    """Starts requests no faster than `per_second`: each start waits for its turn. None: no limit."""

    def __init__(
        self,
        per_second: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 0.0 if per_second is None else 1.0 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def limit(self, per_second: int | None) -> None:
        """Change the rate, from the next turn on."""
        with self._lock:
            self._gap = 0.0 if per_second is None else 1.0 / per_second

    @property
    def busy_for(self) -> float:
        """Seconds until a caller would not have to wait."""
        return max(0.0, self._next - self._clock())

    def wait(self, sleep: Callable[[float], None] | None = None) -> None:
        """Return when it is this caller's turn; the caller may bring its own `sleep`."""
        if not self._gap:
            return
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            # The turn is booked under the lock and waited for outside it, so that those who wait do not hold up those
            # who book.
            self._next = turn + self._gap
        if turn > now:
            (sleep or self._sleep)(turn - now)


def backoff(attempt: int, after: float | None = None) -> float:
    """Seconds to wait after the attempt with this number (from 1): Retry-After, capped, or a jittered exponential."""
    if after is not None:
        # The server's Retry-After has precedence over the backoff, but must not stop a run for hours.
        return min(max(after, 0.0), RETRY_AFTER_LIMIT)
    highest = min(_BACKOFF_LIMIT, _BACKOFF_START * 2 ** (attempt - 1))
    return random.uniform(highest / 2, highest)  # noqa: S311 - jitter, not a secret


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date to count from `now`. None if it is invalid."""
    if not value:
        return None
    # isdigit() alone takes a superscript two for a digit, which float() refuses.
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    moment = http_date(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def http_date(value: str | None) -> datetime | None:
    """Parse an HTTP date in UTC. None if it is invalid."""
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
