"""The events of a running apply: the emitter that counts them and passes them on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.outcome import Event, EventType, Outcome, Status

_DOING: Final = {
    Action.CREATE: "Creating",
    Action.UPDATE: "Updating",
    Action.REPLACE: "Replacing",
    Action.DELETE: "Deleting",
    Action.DISABLE: "Disabling",
    Action.REVOKE: "Revoking",
}
_DONE: Final = {
    Action.CREATE: "Created",
    Action.UPDATE: "Updated",
    Action.REPLACE: "Replaced",
    Action.DELETE: "Deleted",
    Action.DISABLE: "Disabled",
    Action.REVOKE: "Revoked",
}


class EventEmitter:
    """Counts the changes that have ended and passes events to the listener, one call at a time, from any thread.

    A listener that raises is not called again: a broken progress line must not stop an apply halfway.
    """

    def __init__(self, listener: Callable[[Event], None] | None, total: int) -> None:
        self._listener = listener
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def emit(self, type_: EventType, message: str) -> None:
        """Emit an event about the run as a whole."""
        self._emit(Event(type_, message, done=self._done, total=self._total))

    def started(self, change: Change) -> None:
        """Emit that a change starts."""
        self._about(EventType.CHANGE_STARTED, f"{_DOING[change.action]} {change.address}.", change)

    def finish_change(self, outcome: Outcome) -> None:
        """Count the change and emit its outcome."""
        change, because = outcome.change, outcome.because
        with self._lock:
            self._done += 1
        if outcome.status is Status.DONE:
            note = f" {outcome.note}" if outcome.note else ""
            self._about(EventType.CHANGE_DONE, f"{_DONE[change.action]} {change.address}.{note}", change)
        elif outcome.status is Status.SKIPPED:
            self._about(EventType.CHANGE_SKIPPED, f"Skipped {change.address}. {_why(because)}", change)
        else:
            state = "Failed" if outcome.status is Status.FAILED else "Unknown outcome"
            self._about(EventType.CHANGE_FAILED, f"{state}: {change.address}. {_why(because)}", change)

    def _about(self, type_: EventType, message: str, change: Change) -> None:
        address = change.address
        event = Event(type_, message.strip(), address, change.action, address.server, self._done, self._total)
        self._emit(event)

    def _emit(self, event: Event) -> None:
        with self._lock:
            if self._listener is None:
                return
            try:
                self._listener(event)
            except Exception:  # noqa: BLE001  (see the class: the apply goes on whatever a listener does)
                self._listener = None


def _why(because: Diagnostic | None) -> str:
    if because is None:
        return ""
    return f"{because.summary}: {because.detail}" if because.detail else f"{because.summary}."
