"""`drift --watch`: check repeatedly until it is stopped.

first signal     a look that is under way is finished and told, then it ends: exit code 0
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
    """While this holds, the signals do what the table above says."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._looking = False

    def every(self, seconds: float, look: Callable[[], None]) -> None:
        """Look, and look again that many seconds after the last look began, until a signal comes."""
        while not self.asked.is_set():
            started = time.monotonic()
            self._looking = True
            look()
            self._looking = False
            self.asked.wait(max(0.0, seconds - (time.monotonic() - started)))

    def handle(self) -> None:
        """The first signal asks for the end, the second doesn't wait for it."""
        if self.asked.is_set():
            raise KeyboardInterrupt
        self.asked.set()
        if self._looking:
            streams.write_at_once("\nStopping after this check. Press again to stop at once.\n")
