"""What an exit code of the command line means as conditions of an estate. docs/exit-codes.md shows this table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.operator.resource import ConditionStatus

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


class ConditionType(StrEnum):
    """The conditions of an estate, in the order in which they are written."""

    READY = "Ready"
    """The last run did what its mode asks for."""
    IN_SYNC = "InSync"
    """The servers match the manifest."""
    PLAN_PENDING = "PlanPending"
    """A plan waits for approval."""
    STALLED = "Stalled"
    """Nothing gets better until somebody changes something."""
    DEGRADED = "Degraded"
    """Something fails that may work at the next attempt."""


class Again(StrEnum):
    """When the next run is due."""

    INTERVAL = "after the interval"
    BACK_OFF = "soon, and after each failure later"
    CHANGE = "after the interval, or when something changes"


class Meaning(Struct, frozen=True):
    """The conditions after a run with an exit code; `reason` is the same for all of them, and unique."""

    reason: str
    ready: ConditionStatus
    in_sync: ConditionStatus
    stalled: ConditionStatus = FALSE
    degraded: ConditionStatus = FALSE
    again: Again = Again.INTERVAL

    def status(self, kind: ConditionType, *, pending: bool) -> ConditionStatus:
        """The status of one condition; `pending`: a plan waits for approval."""
        if kind is ConditionType.PLAN_PENDING:
            return TRUE if pending else FALSE
        return {
            ConditionType.READY: self.ready,
            ConditionType.IN_SYNC: self.in_sync,
            ConditionType.STALLED: self.stalled,
            ConditionType.DEGRADED: self.degraded,
        }[kind]


MEANINGS: Final[Mapping[ExitCode, Meaning]] = MappingProxyType(
    {
        ExitCode.DONE: Meaning("InSync", TRUE, TRUE),
        ExitCode.ERROR: Meaning("Failed", FALSE, UNKNOWN, degraded=TRUE, again=Again.BACK_OFF),
        ExitCode.CHANGES: Meaning("Differs", TRUE, FALSE),
        ExitCode.MANIFEST_INVALID: Meaning("ManifestInvalid", FALSE, UNKNOWN, stalled=TRUE, again=Again.CHANGE),
        ExitCode.PARTIAL: Meaning("PartlyApplied", FALSE, FALSE, degraded=TRUE, again=Again.BACK_OFF),
        ExitCode.SAFETY_STOP: Meaning("SafetyStop", FALSE, FALSE, stalled=TRUE, again=Again.CHANGE),
        ExitCode.STALE: Meaning("PlanStale", FALSE, FALSE, degraded=TRUE, again=Again.BACK_OFF),
        ExitCode.LOCK_BUSY: Meaning("LockBusy", UNKNOWN, UNKNOWN, again=Again.BACK_OFF),
        ExitCode.UNREACHABLE: Meaning("NotReadable", FALSE, UNKNOWN, degraded=TRUE, again=Again.BACK_OFF),
        ExitCode.USAGE: Meaning("SpecInvalid", FALSE, UNKNOWN, stalled=TRUE, again=Again.CHANGE),
        ExitCode.INTERRUPTED: Meaning("Interrupted", UNKNOWN, UNKNOWN, again=Again.BACK_OFF),
    }
)
"""Every exit code, once."""

SUSPENDED: Final = "Suspended"
"""The reason of Ready=False of an estate that is suspended; no run, so no exit code."""
