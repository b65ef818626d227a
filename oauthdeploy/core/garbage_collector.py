"""Pauses Python's cycle collector where it would find nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def set_for_a_command() -> None:
    """Search for cycles seldom: a command makes values that live until it ends, and hardly any cycles.

    The default of 700 is for programs of which nobody knows better; it costs a tenth of a short run.
    """
    gc.set_threshold(50_000, 20, 20)


@contextmanager
def paused(wanted: bool = True) -> Iterator[None]:
    """Pause the collector in the block, if `wanted` and if it is running.

    For steps that create very many live objects without cycles: searching them for cycles doubles their time.
    """
    if not wanted or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # Moves the new objects to the oldest generation; in the youngest, they would be searched at once, in vain.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
