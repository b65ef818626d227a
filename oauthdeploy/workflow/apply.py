"""Plan, apply and ping."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Driver, ServerReport
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.unread import Unread, unread_of
from oauthdeploy.running.journal import JOURNALS
from oauthdeploy.running.read import read_live
from oauthdeploy.running.undelivered_secrets import lost_secrets
from oauthdeploy.workflow.connections import connected, load, state_folder
from oauthdeploy.workflow.cut_offs_first import cutting_off_first
from oauthdeploy.workflow.execution import Confirm, Job, Listener, run_job
from oauthdeploy.workflow.forgotten_cut_offs import plan_with_cut_offs
from oauthdeploy.workflow.locking import local_sinks
from oauthdeploy.workflow.options import PingResult, RunOptions
from oauthdeploy.workflow.planner import with_findings


def make_plan(request: ManifestRequest, options: RunOptions | None = None) -> tuple[Plan, Manifest]:
    """Compare the manifest with the live servers and return the plan. Writes nothing: the transport refuses to.

    Raises ManifestInvalid, Unreachable, Unauthorized, Forbidden, Unsupported.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as drivers:
        return planned(manifest, drivers, options).plan, manifest


def run_plan(
    request: ManifestRequest,
    options: RunOptions | None = None,
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Plan, ask `confirm` (None: no question), then apply, verify and report.

    Returns None if `confirm` returned False. An empty plan is not confirmed and writes nothing. `on_event` is called from
    worker threads, one call at a time. Setting `stop` finishes the requests in flight and skips the rest.

    If a server does not respond, only the manifest's cut-offs are made, on the other servers (`cut_offs_first`).

    Raises what `make_plan` raises, and SafetyStop, StalePlan, LockBusy.
    """
    options = options or RunOptions()
    manifest = load(request, options)

    def run() -> ApplyReport | None:
        return run_job(
            manifest,
            options,
            lambda readers: planned(manifest, readers, options),
            confirm=confirm,
            on_event=on_event,
            stop=stop,
        )

    return cutting_off_first(manifest, options, run, confirm=confirm, on_event=on_event, stop=stop)


def planned(manifest: Manifest, readers: Mapping[str, Driver], options: RunOptions) -> Job:
    """The plan of the whole manifest, with findings about secrets that earlier runs did not deliver."""
    remembered = plan_with_cut_offs(manifest, readers, options)
    plan, live = remembered.plan, remembered.live
    journals = state_folder(manifest, options) / JOURNALS
    lost = lost_secrets(journals, manifest.desired, live, plan, sinks=local_sinks(manifest, options))
    return Job(with_findings(plan, lost, manifest), remembered.manifest, live)


def ping(request: ManifestRequest, options: RunOptions | None = None) -> tuple[PingResult, ...]:
    """Check every server of the manifest: its product, whether it accepts the credentials, and whether the account can read
    what the manifest manages.

    Raises ManifestInvalid.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as drivers:

        def ask(name: str) -> PingResult:
            server = manifest.desired.servers[name]
            started = time.monotonic()
            report: ServerReport | None = None
            unread: tuple[Unread, ...] = ()
            error: OAuthDeployError | None = None
            try:
                report = drivers[name].check()
                live = read_live({name: drivers[name]}, manifest.desired, everything=False)
                unread = unread_of(manifest.desired, live)
            except OAuthDeployError as caught:
                error = caught
            seconds = time.monotonic() - started
            return PingResult(name, server.driver, server.role.value, server.url or "", report, error, seconds, unread)

        with ThreadPoolExecutor(max_workers=max(1, len(drivers))) as pool:
            return tuple(pool.map(ask, sorted(drivers)))
