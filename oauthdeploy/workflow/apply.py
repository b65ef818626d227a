"""The steps of the road, one after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import ServerReport
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.outcome import ApplyReport, Event
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running.apply import apply_plan, require_safety
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.journal import Journal
from oauthdeploy.running.precondition import Freshness
from oauthdeploy.running.undelivered_secrets import with_lost_secrets
from oauthdeploy.workflow.connections import connected, load, prover_of
from oauthdeploy.workflow.locking import locked, state_folder
from oauthdeploy.workflow.options import PingResult, RunOptions
from oauthdeploy.workflow.planner import plan_now, require_errors

Confirm = Callable[[Plan], bool]
Listener = Callable[[Event], None]


def make_plan(request: ManifestRequest, options: RunOptions | None = None) -> tuple[Plan, Manifest]:
    """Compare the manifest with the live servers and give the plan. Writes nothing: the transport refuses to.

    Raises ManifestInvalid, Unreachable, Unauthorized, Forbidden, Unsupported.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as drivers:
        plan, _live, _reports = plan_now(manifest, drivers, options)
    return plan, manifest


def run_plan(
    request: ManifestRequest,
    options: RunOptions | None = None,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Plan, ask `confirm` (None: no question), then apply, verify and report.

    Gives None when `confirm` said no. An empty plan is not asked about and writes nothing. `on_event` is called from worker
    threads, one call at a time. Setting `stop` finishes the requests in flight and skips the rest.

    Raises what `make_plan` raises, and SafetyStop, StalePlan, LockBusy.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    return carry_out(manifest, options, confirm=confirm, on_event=on_event, stop=stop)


def carry_out(
    manifest: Manifest,
    options: RunOptions,
    *,
    review: Callable[[Plan, LiveState], tuple[Address, ...]] | None = None,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Plan and apply under the lock. `review` compares with a saved plan, and gives what of it is in place already."""
    stop = stop or threading.Event()
    journals = state_folder(manifest, options) / "journal"
    with locked(manifest, options, stop):
        with connected(manifest, options, read_only=True) as readers:
            plan, live, _reports = plan_now(manifest, readers, options)
        plan = with_lost_secrets(plan, journals, manifest.desired, live, base=Path(manifest.base))
        in_place = review(plan, live) if review else ()
        unread = _unread(manifest, live, options)
        if plan.is_empty:
            return ApplyReport(plan=plan, outcomes=(), verified=options.verify, in_place=in_place, unread=unread)
        require_errors(plan)
        if confirm is not None and not confirm(plan):
            return None
        require_safety(plan, options.allow)
        with (
            connected(manifest, options, read_only=False) as drivers,
            Journal.create(journals, manifest.desired.name, now=utc_now) as journal,
        ):
            report = apply_plan(
                plan,
                drivers,
                desired=manifest.desired,
                facts=driver_facts(),
                on_event=on_event,
                journal=journal,
                base=Path(manifest.base),
                stop=stop,
                allowed=options.allow,
                verify=options.verify,
                prover=prover_of(manifest),
                fresh=Freshness(plan, drivers, manifest.desired, always=review is not None),
            )
        return replace(report, in_place=in_place, unread=unread)


def _unread(manifest: Manifest, live: LiveState, options: RunOptions) -> tuple[str, ...]:
    """What the manifest manages and nobody could read; a run that was pointed at chosen objects answers for those alone."""
    if options.targets or options.excludes:
        return ()
    desired = manifest.desired
    managed = {(address.server, address.kind) for address in (*desired.objects, *desired.absent)}
    found = {(server, kind) for server, kind in managed if server in live.servers and not live.readable(server, kind)}
    return tuple(f"{server}: {kind}" for server, kind in sorted(found, key=lambda one: (one[0], one[1].rank)))


def ping(request: ManifestRequest, options: RunOptions | None = None) -> tuple[PingResult, ...]:
    """Ask every server of the manifest who it is and whether the credentials are accepted. Raises ManifestInvalid."""
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as drivers:

        def ask(name: str) -> PingResult:
            server = manifest.desired.servers[name]
            begun = time.monotonic()
            report: ServerReport | None = None
            error: OAuthDeployError | None = None
            try:
                report = drivers[name].check()
            except OAuthDeployError as caught:
                error = caught
            seconds = time.monotonic() - begun
            return PingResult(name, server.driver, server.role.value, server.url or "", report, error, seconds)

        with ThreadPoolExecutor(max_workers=max(1, len(drivers))) as pool:
            return tuple(pool.map(ask, sorted(drivers)))
