"""Plan, ask, apply, verify."""

from __future__ import annotations

import threading

from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.workflow.connections import load
from oauthdeploy.workflow.cut_offs_first import cutting_off_first
from oauthdeploy.workflow.execution import Confirm, Listener, run_job
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.plan import planned


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
