"""Turns Ctrl-C and SIGTERM into an orderly end, unless the embedding program handles them."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self

Handler = Callable[[int, FrameType | None], Any]

_ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


class _Unwind:
    """Exits by an exception, so that every `finally` runs; 128 + number is what shells expect."""

    def __call__(self, number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)


class _Stop:
    """Requests an orderly end: requests in flight finish, the rest is skipped."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.stop.set()


class Handling(ABC):
    """In the block, signals that end a program go to `handle`, whoever handled them before; ignored signals stay ignored, as
    nohup requires. Only for the program itself: as a library, oauthdeploy leaves others' handlers alone.
    """

    @abstractmethod
    def handle(self) -> None:
        """Handles a signal; called in the main thread, between any two of its steps."""

    def __enter__(self) -> Self:
        self._held = _handled(_ENDING, lambda _number, _frame: self.handle(), lambda handler: handler != signal.SIG_IGN)
        self._held.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, traceback)


@contextmanager
def unwinding() -> Iterator[None]:
    """In the block, SIGTERM and SIGHUP raise SystemExit instead of ending the process at once."""
    with _handled(tuple(number for number in _ENDING if number != signal.SIGINT), _Unwind()):
        yield


@contextmanager
def deferred(stop: threading.Event) -> Iterator[None]:
    """In the block, Ctrl-C, SIGTERM and SIGHUP only set `stop`."""
    with _handled(_ENDING, _Stop(stop)):
        yield


def _is_nobodys(handler: Any) -> bool:
    """Whether the handler is Python's or our own; a handler of the embedding program stays in place."""
    return handler in (signal.SIG_DFL, signal.default_int_handler) or isinstance(handler, _Unwind)


@contextmanager
def _handled(
    numbers: tuple[signal.Signals, ...], handler: Handler, takes: Callable[[Any], bool] = _is_nobodys
) -> Iterator[None]:
    """Install `handler` in place of those for which `takes` is true.

    Only the main thread receives signals, so in other threads there is nothing to install.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former: dict[signal.Signals, Any] = {}
    try:
        for number in numbers:
            installed = signal.getsignal(number)
            # None means a handler that was not installed from Python, which could not be restored.
            if installed is not None and takes(installed):
                former[number] = signal.signal(number, handler)
        yield
    finally:
        for number, installed in former.items():
            signal.signal(number, installed)
