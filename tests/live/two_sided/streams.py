"""A constant stream of token requests and calls, and the log of what became of each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from oauthlib.oauth2 import OAuth2Error


@dataclass(frozen=True)
class Span:
    """A part of the run, by the monotonic clock."""

    begin: float
    end: float


@dataclass(frozen=True)
class Entry:
    """One round: a token, or the error that was given instead of one, and the status of the call that was made with it."""

    stream: str
    began: float
    ended: float
    error: str
    status: int | None

    @property
    def allowed(self) -> bool:
        return self.error == "" and self.status == 200


Round = tuple[Callable[[], str], Callable[[str], int]]
"""How a token is got (raises OAuth2Error), and the call that is made with it."""


@dataclass
class Log:
    """What all streams did, in the order of its end."""

    entries: list[Entry] = field(default_factory=list)

    def of(self, stream: str, *, since: float = 0.0, until: float = float("inf")) -> Sequence[Entry]:
        """The rounds of a stream, those alone that began and ended in time."""
        return [each for each in self.entries if each.stream == stream and since <= each.began and each.ended <= until]

    def during(self, stream: str, span: Span) -> Sequence[Entry]:
        """The rounds of a stream of which a part lies within a span."""
        return [each for each in self.of(stream) if each.began <= span.end and each.ended >= span.begin]

    def write(self, path: Path) -> None:
        lines = [json.dumps(asdict(each)) for each in self.entries]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def flowing(streams: Mapping[str, Round]) -> Iterator[Log]:
    """Run every stream in a thread of its own until the block ends; what breaks in a stream is raised at the end."""
    log, over = Log(), threading.Event()

    def flow(name: str, token: Callable[[], str], call: Callable[[str], int]) -> None:
        while not over.is_set():
            began = time.monotonic()
            error, status = "", None
            try:
                status = call(token())
            except OAuth2Error as refusal:
                error = str(refusal.error)
            log.entries.append(Entry(name, began, time.monotonic(), error, status))

    with ThreadPoolExecutor(len(streams)) as pool:
        running = [pool.submit(flow, name, *one) for name, one in streams.items()]
        try:
            yield log
        finally:
            over.set()
        for one in running:
            one.result()


def rounds(log: Log, names: Sequence[str], count: int, within: float = 60) -> None:
    """Wait until each of these streams has done `count` more rounds."""
    wanted = {name: len(log.of(name)) + count for name in names}
    end = time.monotonic() + within
    while any(len(log.of(name)) < number for name, number in wanted.items()):
        assert time.monotonic() < end, f"the streams stand still: {[(name, len(log.of(name))) for name in names]}"
        time.sleep(0.02)
