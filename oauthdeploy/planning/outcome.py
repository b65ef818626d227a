"""The outcome of each change and of a whole apply, derived from the servers' responses and never from the plan."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.values import LateTyped
from oauthdeploy.model.state import TokenCount
from oauthdeploy.planning.changes import Action, Change

if TYPE_CHECKING:
    from oauthdeploy.planning.plan import Plan


class Status(StrEnum):
    """How a change ended. `unknown`: the request was sent, no response came, and reading the object again did not show the
    result.
    """

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Outcome(Struct, frozen=True):
    """How one change ended. `because` says why it failed or was skipped; `requests` is their number and `seconds` the
    duration. `found` are the tokens that a cut-off ended, if they were counted only then.
    """

    change: Change
    status: Status
    because: Diagnostic | None = None
    note: str = ""
    identity: str = ""
    requests: int = 0
    seconds: float = 0.0
    found: TokenCount | None = None


class ApplyReport(LateTyped, frozen=True):
    """The result of an apply. `verification` are findings from reading the objects again; none means that all is as planned.

    `delivered` names the destinations of secrets, by written address. `interrupted` is true after Ctrl-C or SIGTERM.
    `in_place` are changes of a saved plan that were already made. What could not be read is in `plan.unread`.
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
        """The number of changes of each action with this status."""
        found = dict.fromkeys(Action, 0)
        for outcome in self.outcomes:
            if outcome.status is status:
                found[outcome.change.action] += 1
        return found


class EventType(StrEnum):
    """The kinds of events of a running apply."""

    STARTED = "started"
    CHANGE_STARTED = "change-started"
    CHANGE_DONE = "change-done"
    CHANGE_FAILED = "change-failed"
    CHANGE_SKIPPED = "change-skipped"
    VERIFYING = "verifying"
    FINISHED = "finished"


class Event(Struct, frozen=True):
    """One event, with a sentence for people. `done` of `total` changes are finished."""

    type: EventType
    message: str
    address: Address | None = None
    action: Action | None = None
    server: str = ""
    done: int = 0
    total: int = 0
