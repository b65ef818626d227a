"""`drift --watch`: look again and again, until somebody stops it.

first signal     a look that is under way is finished and told, then it ends: exit code 0
while waiting    it ends at once
second signal    ends at once, exit code 130
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from oauthdeploy.cli import streams

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stop:
    """While this holds, the signals do what the table above says."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._looking = False
        self._former: dict[int, Any] = {}

    def every(self, seconds: float, look: Callable[[], None]) -> None:
        """Look, and look again that many seconds after the last look began, until a signal comes."""
        while not self.asked.is_set():
            begun = time.monotonic()
            self._looking = True
            look()
            self._looking = False
            self.asked.wait(max(0.0, seconds - (time.monotonic() - begun)))

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN):
                self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked.is_set():
            raise KeyboardInterrupt
        self.asked.set()
        if self._looking:
            streams.write_talk("\nStopping after this look. Again to stop at once.\n")
