"""Limits concurrent requests to a server: fewer when it reports overload, more again when it copes.

429 or 503            half as many at a time, once for all requests in flight
with Retry-After      and no new request before that time
a row of successes one more at a time, up to limits.parallel
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Throttle:
    """A gate for at most `most` concurrent requests, which servers can narrow. Safe to use from several threads."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._most = most
        self._width = most
        self._clock = clock
        self._busy = 0
        self._good = 0
        self._until = 0.0
        self._slowed = float("-inf")
        self._changed = threading.Condition()

    @property
    def width(self) -> int:
        """The current limit of concurrent requests."""
        return self._width

    def limit(self, most: int) -> None:
        """Change the limit that the caller sets; what a server has narrowed stays narrow."""
        with self._changed:
            self._width = most if self._width == self._most else min(self._width, most)
            self._most = most
            self._changed.notify_all()

    @property
    def pause(self) -> float:
        """Seconds until the server accepts new requests."""
        return max(0.0, self._until - self._clock())

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Hold one of the places; yields the time at which it was taken, for `slow_down`."""
        with self._changed:
            while self._busy >= self._width:
                self._changed.wait()
            self._busy += 1
        try:
            yield self._clock()
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def slow_down(self, started: float, after: float | None) -> None:
        """Report overload, from a request that started at `begun`, with the seconds of its Retry-After (None if absent)."""
        with self._changed:
            now = self._clock()
            self._good = 0
            if started > self._slowed:
                # Requests that were in flight together count as one sign of overload.
                # Halve at a refusal, add one after a success, as TCP does (RFC 5681, 3.1): that finds a limit that
                # nobody states.
                self._width = max(1, self._width // 2)
                self._slowed = now
            if after is not None:
                self._until = max(self._until, now + after)

    def speed_up(self) -> None:
        """Report that the server handled a request."""
        with self._changed:
            if self._width >= self._most:
                return
            self._good += 1
            # Only a whole round at this width shows that the server can handle it.
            if self._good >= self._width:
                self._good = 0
                self._width += 1
                self._changed.notify()
