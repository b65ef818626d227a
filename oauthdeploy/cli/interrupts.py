"""Ctrl-C and SIGTERM around an apply.

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
    """While this holds, the signals do what the table above says. `stop` is to be handed to the apply."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._writing = threading.Event()

    def noting(self, tell: Callable[[Event], None]) -> Callable[[Event], None]:
        """A listener that also takes note that the writing has begun: the first event says so."""

        def listen(event: Event) -> None:
            self._writing.set()
            tell(event)

        return listen

    def handle(self) -> None:
        """The first asks for an orderly end where something may have been written, the second doesn't wait for it."""
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
    """Show progress while a run writes; gives the listener for its events, and the event that asks it to stop."""
    with progress(output) as tell, Interrupts() as interrupts:
        yield interrupts.noting(tell), interrupts.stop
