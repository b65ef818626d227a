"""Immediate cut-offs of clients. Like an apply, with three differences for incidents.

    load servers and clients -> desired state of revocations -> read -> (review) -> audit -> cut off -> verify -> audit

- A server that does not respond is skipped and reported; the cut-off is still made on the others.
- No lock is taken. A cut-off must not wait for a long apply, and it only takes access away. A concurrent apply can undo it
  only by a change that it planned before, so the holder of the lock is reported and you can repeat the cut-off afterwards.
- Only servers and clients of the manifest are read, so an unset secret of some client is no obstacle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.core.errors import NotKnown, OAuthDeployError, ServerError, ServersFailed
from oauthdeploy.drivers.base import Driver, ServerReport
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.outcome import ApplyReport, Event, EventType
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.requirements import table_on
from oauthdeploy.planning.revocation.audit_records import request_records, server_records
from oauthdeploy.planning.revocation.audit_schema import AuditRecord
from oauthdeploy.planning.revocation.request import (
    DOUBTS,
    CutOff,
    as_offered,
    cut_off,
    cut_off_changes,
    cut_off_plan,
    is_there,
    on_servers,
)
from oauthdeploy.running.apply import require_safety
from oauthdeploy.running.lock import Holder, who_holds
from oauthdeploy.running.read import check_and_read_each, raise_all
from oauthdeploy.running.revocation_proof import prove
from oauthdeploy.workflow import execution
from oauthdeploy.workflow.audit_trail import AuditTrail
from oauthdeploy.workflow.connections import connected, load, prover_of, state_folder
from oauthdeploy.workflow.execution import Confirm, Listener
from oauthdeploy.workflow.locking import audit_file
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import Job
from oauthdeploy.workflow.planner import plan_for
from oauthdeploy.workflow.revocation_request import RevocationRequest
from oauthdeploy.workflow.tokens import ClientNotThere

JOURNALS: Final = "revocations"
"""The folder of the journals of cut-offs, separate from those of applies, which `apply --resume` continues."""


class Observation(Struct, frozen=True):
    """A planned cut-off: what was read, and the plan. `down` are the servers that did not respond, each with its error;
    `in_memory` are those that lose the cut-off when they restart. `read_at` is when reading began, by `time.monotonic`.
    """

    asked: CutOff
    plan: Plan
    live: LiveState
    down: Mapping[str, OAuthDeployError]
    in_memory: tuple[str, ...] = ()
    read_at: float | None = None

    @property
    def found(self) -> bool:
        """Whether any server has a client to cut off."""
        return any(is_there(live) for address, live in self.live.objects.items() if address in self.asked.addresses)


class Revoked(Struct, frozen=True):
    """A finished cut-off: its audit record, the report of its apply (None if there was nothing to do), the errors of skipped
    servers, the audit file, who was applying the manifest meanwhile, and which servers lose the cut-off when they restart.
    """

    record: AuditRecord
    plan: Plan
    report: ApplyReport | None
    down: Mapping[str, OAuthDeployError]
    audit: Path
    holder: Holder | None = None
    in_memory: tuple[str, ...] = ()


def plan_revocation(
    request: ManifestRequest, order: RevocationRequest, options: RunOptions | None = None
) -> Observation:
    """Read what is to be cut off, for a request of `request_revocation` or `request_token_deletion`. Writes nothing.

    Raises ManifestInvalid, UsageError, ClientNotThere, and the errors of the servers if none responded.
    """
    options = options or RunOptions()
    manifest = load(replace(request, who_only=True), options)
    asked = _asked(manifest, order, options)
    with _connected(manifest, asked, options) as drivers:
        return _observe_first(manifest, order, asked, drivers, options)


def revoke(
    request: ManifestRequest,
    order: RevocationRequest,
    options: RunOptions | None = None,
    *,
    audit: Path | None = None,
    confirm: Callable[[Plan], bool] | None = None,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
) -> Revoked | None:
    """Cut off on every server that responds, verify, and record it in `audit` (default: that of the options).

    Returns None if `confirm` returned False. If there is nothing to do, that is recorded too. `on_event` and `stop` are as
    for `run_plan`. Raises what `plan_revocation` raises, and SafetyStop, AuditFailed and JournalFailed with nothing done.
    """
    options = options or RunOptions()
    manifest = load(replace(request, who_only=True), options)
    folder = state_folder(manifest, options)
    asks = options.asks and confirm is not None
    asked = _asked(manifest, order, options, urgent=not asks)
    with _connected(manifest, asked, options) as drivers:
        observation = _observe_first(manifest, order, asked, drivers, options)
        requests = request_records(order.revocations)
        details = {"who": order.who or None, "reason": order.reason or None, "ticket": order.ticket or None}
        trail = AuditTrail.of(manifest, audit or audit_file(manifest, options), order.command, requests, **details)
        if not observation.plan.is_empty and confirm is not None and not confirm(observation.plan):
            return None
        if asks:
            # Somebody has thought about it, so what was read may have changed.
            observation = replace(observation, read_at=None)
        require_safety(observation.plan, options.allow)
        trail.started()
        watch = _Watch(on_event)
        try:
            observation, report = cut_off_now(
                manifest, observation, drivers, options, on_event=watch.hear, stop=stop, records=False
            )
        except OAuthDeployError as error:
            trail.failed(observation.asked, error, watch.seconds)
            raise
    seen = _proved(manifest, observation, options) + (report.verification if report is not None else Diagnostics())
    servers = server_records(
        observation.asked,
        observation.plan,
        observation.live,
        observation.down,
        report,
        seen,
        watch.effective,
        driver_facts(),
    )
    record = trail.finished(servers, report, watch.seconds)
    targets = [server.url for server in manifest.desired.servers.values() if server.url]
    holder = who_holds(folder, manifest.desired.name, targets)
    return Revoked(record, observation.plan, report, observation.down, trail.path, holder, observation.in_memory)


# -- reading and cutting off --------------------------------------------------------------------------------------------------


def _asked(manifest: Manifest, order: RevocationRequest, options: RunOptions, *, urgent: bool = False) -> CutOff:
    """What is requested of the servers that options choose; `urgent`: it is made without anybody's answer."""
    facts = driver_facts()
    request = cut_off(manifest.desired, order.revocations, facts)
    chosen = options.servers or tuple(
        name for name, server in request.desired.servers.items() if facts[server.driver].writable
    )
    request = on_servers(request, chosen)
    return replace(request, desired=replace(request.desired, urgent=urgent))


def _connected(
    manifest: Manifest, request: CutOff, options: RunOptions
) -> AbstractContextManager[Mapping[str, Driver]]:
    """The drivers of the servers that are to cut off, with their short timeouts. They serve the reads, the cut-off and its
    verification, so that nothing waits for a second sign-in.
    """
    servers = tuple(sorted({address.server for address in request.addresses}))
    part = replace(manifest, desired=request.desired)
    return connected(part, replace(options, servers=servers), read_only=True) if servers else nullcontext({})


def _observe_first(
    manifest: Manifest, order: RevocationRequest, asked: CutOff, drivers: Mapping[str, Driver], options: RunOptions
) -> Observation:
    observation = observe(manifest, asked, drivers, options, MappingProxyType({}))
    if not observation.found and not observation.down and not any(True for _ in observation.asked.gaps):
        _require_sight(observation.live, order)
        clients = ", ".join(sorted({f"'{item.client}'" for item in order.revocations.values()}))
        known = sorted({address.name for address in manifest.desired.objects if address.kind.value == "client"})
        raise ClientNotThere(
            f"No server has the client {clients}",
            detail=f"Searched: {', '.join(sorted(drivers))}. Nothing was done.",
            fix="Give the client's key in the manifest, or its id or name on a server."
            + (f" Clients of the manifest are: {', '.join(known[:20])}." if known else ""),
        )
    return observation


def _require_sight(live: LiveState, order: RevocationRequest) -> None:
    """Refuse to call a client absent if a server does not show all clients to the account. Raises NotKnown."""
    veiled = [
        found
        for state in live.servers.values()
        for kind in (Kind.CLIENT, Kind.REVOCATION)
        for found in (state.unreadable.get(kind), state.hidden.get(kind))
        if found is not None
    ]
    if veiled:
        clients = ", ".join(sorted({f"'{item.client}'" for item in order.revocations.values()}))
        raise NotKnown(
            f"Whether a server has the client {clients} is not known",
            detail="\n".join(dict.fromkeys(f"{found.summary}. {found.detail}" for found in veiled)),
            fix="Give the account the right to view all clients, or cut the client off with another account.",
        )


def observe(
    manifest: Manifest,
    request: CutOff,
    drivers: Mapping[str, Driver],
    options: RunOptions,
    down: Mapping[str, OAuthDeployError],
) -> Observation:
    """Plan for the servers that respond. Raises the errors of those that do not if none does."""
    down = dict(down)
    begun = time.monotonic()
    while True:
        here = {name: driver for name, driver in drivers.items() if name not in down}
        if down and not here:
            raise_all([down[name] for name in sorted(down)])
        reports, live, failed = check_and_read_each(here, on_servers(request, here).desired)
        if failed:
            down |= by_server(ServersFailed(tuple(failed.values())), here)
            here = {name: driver for name, driver in here.items() if name in reports}
            if not here:
                continue
        facts, servers = driver_facts(), request.desired.servers
        request = as_offered(request, {name: table_on(facts, servers[name], live.servers[name]) for name in here})
        try:
            return _planned(manifest, request, here, options, down, reports, live, begun)
        except (ServerError, ServersFailed) as error:
            down |= by_server(error, here)


def _planned(
    manifest: Manifest,
    request: CutOff,
    drivers: Mapping[str, Driver],
    options: RunOptions,
    down: Mapping[str, OAuthDeployError],
    reports: Mapping[str, ServerReport],
    live: LiveState,
    begun: float,
) -> Observation:
    here = on_servers(request, drivers)
    # Findings that cast doubt on a cut-off are always reported; no comment or flag can ignore them.
    severities = {rule: level for rule, level in manifest.severities.items() if rule not in DOUBTS}
    part = replace(manifest, desired=here.desired, severities=severities, is_ignored=lambda _finding: False)
    chosen = replace(options, servers=tuple(sorted(drivers)))
    plan, live, reports = plan_for(part, drivers, chosen, reports, live, driver_facts())
    in_memory = tuple(sorted(name for name in drivers if reports[name].in_memory))
    return Observation(request, cut_off_plan(plan, request, down), live, MappingProxyType(down), in_memory, begun)


def cut_off_now(
    manifest: Manifest,
    observation: Observation,
    drivers: Mapping[str, Driver],
    options: RunOptions,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
    records: bool = True,
) -> tuple[Observation, ApplyReport | None]:
    """Apply; if a server no longer responds, read the others again and apply without it. The report is None if
    there was nothing to do, or `confirm` returned False. Without `records` the caller writes the audit trail.
    """
    while not observation.plan.is_empty:
        left = {name: driver for name, driver in drivers.items() if name not in observation.down}
        part = replace(manifest, desired=on_servers(observation.asked, left).desired)
        job = Job(
            observation.plan,
            part,
            observation.live,
            urgent=True,
            records=records,
            journals=JOURNALS,
            readers=left,
            read_at=observation.read_at,
        )
        try:
            report = execution.carry_out(
                job, replace(options, servers=tuple(sorted(left))), confirm=confirm, on_event=on_event, stop=stop
            )
            return observation, report
        except (ServerError, ServersFailed) as error:
            observation = observe(
                manifest, observation.asked, drivers, options, {**observation.down, **by_server(error, left)}
            )
    return observation, None


def _proved(manifest: Manifest, observation: Observation, options: RunOptions) -> Diagnostics:
    """The results of trying the given tokens, even if there was nothing to do: a token that is still accepted must not pass
    for cut off.
    """
    request = on_servers(
        observation.asked, {address.server for address in observation.asked.addresses} - observation.down.keys()
    )
    prover = prover_of(replace(manifest, desired=request.desired), options)
    return prove(cut_off_changes(request), request.desired.servers, prover)


def by_server(error: ServerError | ServersFailed, servers: Collection[str]) -> dict[str, OAuthDeployError]:
    """The errors by server. An error that concerns none of the requested servers is raised."""
    members = error.members if isinstance(error, ServersFailed) else (error,)
    found: dict[str, OAuthDeployError] = {
        m.server: m for m in members if isinstance(m, ServerError) and m.server in servers
    }
    if len(found) < len(members):
        raise error
    return found


# -- recording ----------------------------------------------------------------------------------------------------------


class _Watch:
    """Measures from the start of the cut-off until each change was made."""

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        self._on_event = on_event
        self._begun = time.monotonic()
        self.effective: dict[Address, float] = {}

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begun

    def hear(self, event: Event) -> None:
        """Note the event and pass it on."""
        if event.type is EventType.CHANGE_DONE and event.address is not None:
            self.effective[event.address] = self.seconds
        if self._on_event is not None:
            self._on_event(event)
