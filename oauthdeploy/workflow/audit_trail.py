"""The audit records of cut-offs: before the first write, after the last one, and when a later run lifts them."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.processes import account_name
from oauthdeploy.core.version import __version__
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.revocation.audit_records import (
    failed_records,
    lifted_records,
    request_records,
    result_of,
    server_records,
)
from oauthdeploy.planning.revocation.audit_schema import AskedRecord, AuditRecord, ServerRecord
from oauthdeploy.planning.revocation.request import CutOff, asked_in
from oauthdeploy.running.audit import append, require_writable
from oauthdeploy.running.clock import utc_now


class AuditTrail:
    """The two records of one run's cut-offs."""

    def __init__(self, path: Path, blank: AuditRecord) -> None:
        self.path = path
        self._blank = blank

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        path: Path,
        command: Literal["revoke", "tokens delete", "apply"],
        requests: Sequence[AskedRecord],
        *,
        who: str | None = None,
        reason: str | None = None,
        ticket: str | None = None,
    ) -> Self:
        """Open the audit file for writing. Raises AuditFailed."""
        account = account_name()
        blank = AuditRecord(
            version=1,
            format="oauthdeploy/audit",
            type="started",
            id=uuid.uuid4().hex,
            at=utc_now(),
            command=command,
            tool=f"oauthdeploy {__version__}",
            manifest=manifest.desired.name,
            environment=manifest.environment,
            who=who or account,
            account=account,
            host=socket.gethostname(),
            reason=reason,
            ticket=ticket,
            asked=tuple(requests),
            servers=(),
            result=None,
            seconds=None,
            journal=None,
        )
        require_writable(path)
        return cls(path, blank)

    def started(self) -> None:
        """Record what is about to be done."""
        append(self.path, self._blank.model_copy(update={"at": utc_now()}))

    def finished(self, servers: tuple[ServerRecord, ...], report: ApplyReport | None, seconds: float) -> AuditRecord:
        """Record and return what was done."""
        return self._end(
            servers=servers,
            result=result_of(servers),
            seconds=round(seconds, 3),
            journal=report.journal if report is not None and report.journal else None,
        )

    def failed(self, request: CutOff, error: OAuthDeployError, seconds: float) -> None:
        """Record that the cut-off failed."""
        self._end(servers=failed_records(request, error), result="failed", seconds=round(seconds, 3))

    def lifted(self, servers: tuple[ServerRecord, ...], report: ApplyReport) -> None:
        """Record that cut-offs are lifted."""
        self._end(type="lifted", servers=servers, journal=report.journal or None)

    def _end(self, **fields: object) -> AuditRecord:
        record = self._blank.model_copy(update={"type": "finished", "at": utc_now(), **fields})
        append(self.path, record)
        return record


class PlannedCutOffs:
    """The records of the cut-offs that a plan makes and of those that it lifts; other plans have no records."""

    def __init__(self, manifest: Manifest, plan: Plan, live: LiveState, path: Path) -> None:
        """Raises AuditFailed if there is something to record and the file cannot be written."""
        self._manifest, self._plan, self._live, self._path = manifest, plan, live, path
        self._asked = asked_in(plan, manifest.desired)
        wanted = {
            address.name: value
            for address, value in self._asked.desired.objects.items()
            if isinstance(value, Revocation)
        }
        self._trail = self._new(request_records(wanted)) if wanted else None
        if any(change.undoes for change in plan.changes):
            require_writable(path)

    def _new(self, requests: Sequence[AskedRecord]) -> AuditTrail:
        return AuditTrail.of(self._manifest, self._path, "apply", requests)

    def started(self) -> None:
        """Record what is about to be cut off."""
        if self._trail is not None:
            self._trail.started()

    def record_end(self, report: ApplyReport) -> None:
        """Record what was cut off, and what was lifted."""
        if self._trail is not None:
            records = server_records(
                self._asked,
                self._plan,
                self._live,
                MappingProxyType({}),
                report,
                report.verification,
                MappingProxyType({}),
                driver_facts(),
            )
            self._trail.finished(records, report, report.seconds)
        requests, servers = lifted_records(report, self._manifest.desired)
        if requests:
            self._new(requests).lifted(servers, report)

    def failed(self, error: OAuthDeployError) -> None:
        """Record that the cut-off failed."""
        if self._trail is not None:
            self._trail.failed(self._asked, error, 0.0)
