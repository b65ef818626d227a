"""What happened: one outcome for each change, and the report of a whole apply; told from answers, never from the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.planning.changes import Action, Change

if TYPE_CHECKING:
    from oauthdeploy.planning.plan import Plan


class Status(StrEnum):
    """How a change ended. `unknown`: the request was sent and its answer never came, and a look didn't settle it."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """How one change ended. `because` says why it failed or was skipped; `requests` were sent; `seconds` it took."""

    change: Change
    status: Status
    because: Diagnostic | None = None
    note: str = ""
    identity: str = ""
    requests: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class ApplyReport:
    """The end of an apply. `verification` are findings of the second look; empty means that all is as planned.

    `delivered` names the places that secrets went to, by written address. `interrupted` is true after Ctrl-C or SIGTERM.
    `in_place` are changes of a saved plan that were made already, and so not made again. What could not be read
    is `plan.unread`.
    """

    plan: Plan
    outcomes: tuple[Outcome, ...]
    verification: Diagnostics = field(default_factory=Diagnostics)
    verified: bool = False
    delivered: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    allowed: tuple[str, ...] = ()
    interrupted: bool = False
    journal: str = ""
    seconds: float = 0.0
    in_place: tuple[Address, ...] = ()

    @property
    def complete(self) -> bool:
        """True where every change was made."""
        return all(outcome.status is Status.DONE for outcome in self.outcomes)

    def counts(self, status: Status) -> Mapping[Action, int]:
        """How many changes of each action ended so."""
        found = dict.fromkeys(Action, 0)
        for outcome in self.outcomes:
            if outcome.status is status:
                found[outcome.change.action] += 1
        return found


class EventType(StrEnum):
    """What an apply reports while it runs."""

    STARTED = "started"
    CHANGE_STARTED = "change-started"
    CHANGE_DONE = "change-done"
    CHANGE_FAILED = "change-failed"
    CHANGE_SKIPPED = "change-skipped"
    VERIFYING = "verifying"
    FINISHED = "finished"


@dataclass(frozen=True)
class Event:
    """One thing that happened, with a sentence for people. `done` of `total` changes are finished."""

    type: EventType
    message: str
    address: Address | None = None
    action: Action | None = None
    server: str = ""
    done: int = 0
    total: int = 0
