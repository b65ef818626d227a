"""Ctrl-C and SIGTERM around an apply, and around a trial of writing.

before the first write    ends at once; nothing was written
while it writes           requests in flight finish, the rest is skipped, the report is written: exit code 4
a second time             ends without waiting for the report
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from oauthdeploy.cli import streams
from oauthdeploy.cli.entrypoint import InterruptedApply
from oauthdeploy.cli.output import Output
from oauthdeploy.cli.progress import Tell, progress
from oauthdeploy.planning.outcome import Event
from oauthdeploy.running.signals import Handling


class Interrupts(Handling):
    """In the block, the signals do what the table above says. `stop` is for the apply."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._writing = threading.Event()

    def begin(self) -> None:
        """From now on something may have been written."""
        if not self._writing.is_set():
            self._writing.set()

    def noting(self, tell: Callable[[Event], None]) -> Callable[[Event], None]:
        """A listener that also records that writing has begun, at the first event."""

        def listen(event: Event) -> None:
            self.begin()
            tell(event)

        return listen

    def handle(self) -> None:
        """The first signal requests an orderly end if something may have been written; the second does not wait for it."""
        if not self._writing.is_set():
            raise KeyboardInterrupt
        if self.stop.is_set():
            raise InterruptedApply
        self.stop.set()
        streams.write_at_once(
            "\nStopping: requests in flight finish, the rest is skipped. Press again to stop without a report.\n"
        )


@contextmanager
def interruptible(output: Output) -> Iterator[tuple[Tell, threading.Event]]:
    """Show progress while a run writes; returns the listener for its events, and the event that stops it."""
    with progress(output) as tell, Interrupts() as interrupts:
        yield interrupts.noting(tell), interrupts.stop
