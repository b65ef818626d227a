"""Count the requests of one change while other changes run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from msgspec import Struct


class Tally(Struct):
    """How many requests were sent inside one `counting()` block, and how many of them may change something."""

    requests: int = 0
    writes: int = 0


_TALLY: ContextVar[Tally | None] = ContextVar("oauthdeploy_http_tally", default=None)


@contextmanager
def counting() -> Iterator[Tally]:
    """Count the requests that are sent inside the block, attempts included: by this thread, and by workers that it hands
    its context to.
    """
    tally = Tally()
    token = _TALLY.set(tally)
    try:
        yield tally
    finally:
        _TALLY.reset(token)
        outer = _TALLY.get()
        if outer is not None:
            outer.requests += tally.requests
            outer.writes += tally.writes


def count(*, writes: bool) -> None:
    """Count one request in the block around, if there is one. The caller sees to it that no two threads do so at once."""
    tally = _TALLY.get()
    if tally is not None:
        tally.requests += 1
        tally.writes += int(writes)
