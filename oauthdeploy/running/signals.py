"""Ctrl-C and SIGTERM, turned into an orderly end wherever the program has not arranged for one itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn

Handler = Callable[[int, FrameType | None], Any]

_ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


class _Unwind:
    """Leaves by an exception, so that every `finally` on the way runs; 128 + number is what shells expect."""

    def __call__(self, number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)


class _Stop:
    """Asks for an orderly end: requests in flight finish, the rest is left."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.stop.set()


@contextmanager
def unwinding() -> Iterator[None]:
    """While this holds, SIGTERM and SIGHUP raise SystemExit instead of ending the process on the spot."""
    with _handled(tuple(number for number in _ENDING if number != signal.SIGINT), _Unwind()):
        yield


@contextmanager
def deferred(stop: threading.Event) -> Iterator[None]:
    """While this holds, Ctrl-C, SIGTERM and SIGHUP set `stop` and nothing else."""
    with _handled(_ENDING, _Stop(stop)):
        yield


@contextmanager
def _handled(numbers: tuple[signal.Signals, ...], handler: Handler) -> Iterator[None]:
    """Install `handler` where Python's or our own stands; a program's own handler is left to do its work.

    Signals reach the main thread alone, so that elsewhere there is nothing to install.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former: dict[signal.Signals, Any] = {}
    try:
        for number in numbers:
            standing = signal.getsignal(number)
            if standing in (signal.SIG_DFL, signal.default_int_handler) or isinstance(standing, _Unwind):
                former[number] = signal.signal(number, handler)
        yield
    finally:
        for number, standing in former.items():
            signal.signal(number, standing)
