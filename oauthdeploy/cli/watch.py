"""`drift --watch`: check repeatedly until it is stopped.

first signal     a check in progress is finished and reported, then it ends: exit code 0
while waiting    it ends at once
second signal    ends at once, exit code 130
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from oauthdeploy.cli import streams
from oauthdeploy.running.signals import Handling


class Stop(Handling):
    """In the block, the signals do what the table above says."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._looking = False

    def every(self, seconds: float, look: Callable[[], None]) -> None:
        """Check, and check again that many seconds after the last check began, until a signal arrives."""
        while not self.asked.is_set():
            started = time.monotonic()
            self._looking = True
            look()
            self._looking = False
            self.asked.wait(max(0.0, seconds - (time.monotonic() - started)))

    def handle(self) -> None:
        """The first signal requests the end, the second does not wait for it."""
        if self.asked.is_set():
            raise KeyboardInterrupt
        self.asked.set()
        if self._looking:
            streams.write_at_once("\nStopping after this check. Press again to stop at once.\n")
