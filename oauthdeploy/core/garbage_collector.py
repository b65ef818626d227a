"""Python's cycle collector, kept still where it would find nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused(wanted: bool = True) -> Iterator[None]:
    """Keep the collector from running in the block, if `wanted` and if it runs at all.

    For steps that make very many live objects and no cycles among them: looking for some doubles their time.
    """
    if not wanted or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # Moves what was made to the oldest generation; as the youngest, it would be searched at once, and in vain.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
