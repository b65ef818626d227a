"""Ctrl-C and SIGTERM around an apply.

before the first write    ends at once; nothing was written
while it writes           requests in flight finish, the rest is skipped, the report is written: exit code 4
a second time             ends without waiting for the report
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from oauthdeploy.cli.run import InterruptedApply
from oauthdeploy.planning.outcome import Event

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """While this holds, the signals do what the table above says. `stop` is to be handed to the apply."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._writing = threading.Event()
        self._former: dict[int, Any] = {}

    def noting(self, tell: Callable[[Event], None]) -> Callable[[Event], None]:
        """A listener that also takes note that the writing has begun: the first event says so."""

        def listen(event: Event) -> None:
            self._writing.set()
            tell(event)

        return listen

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            # What is ignored stays ignored: nohup asks for that.
            for number in (number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN):
                self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._writing.is_set():
            raise KeyboardInterrupt
        if self.stop.is_set():
            raise InterruptedApply
        self.stop.set()
        _say("\nStopping: requests in flight finish, the rest is left. Again to stop without a report.\n")


def _say(text: str) -> None:
    """Write past the buffers of the stream: the signal may have come in the middle of a write to it."""
    with suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), text.encode())
