"""If a server does not respond, an apply still makes the manifest's cut-offs on the others.

Everything else waits until all servers respond, because the order of work needs both sides. A cut-off only takes access
away, and a leaked secret is an emergency, so it does not wait. RFC 7009 section 2.1 likewise requires a revocation to take
effect immediately.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace

from oauthdeploy.core.errors import ServerError, ServersFailed
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.planning.outcome import ApplyReport
from oauthdeploy.workflow.connections import connected
from oauthdeploy.workflow.execution import Confirm, Listener
from oauthdeploy.workflow.options import RunOptions


def cutting_off_first(
    manifest: Manifest,
    options: RunOptions,
    run: Callable[[], ApplyReport | None],
    *,
    confirm: Confirm | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """The report of `run`; if it raises the errors of servers, with nothing written, that of the cut-offs on the other servers,
    with a finding (`server-left-out`) for each server that failed.

    Raises the error of `run` if no server is left, or if there is nothing to cut off on those that are.
    """
    try:
        return run()
    except (ServerError, ServersFailed) as error:
        report = _without(error, manifest, options, confirm, on_event, stop)
        if report is None:
            raise
        return report


def _without(
    error: ServerError | ServersFailed,
    manifest: Manifest,
    options: RunOptions,
    confirm: Confirm | None,
    on_event: Listener | None,
    stop: threading.Event | None,
) -> ApplyReport | None:
    # Only a run that met a dead server pays for these imports.
    from oauthdeploy.planning.revocation.request import declared_cut_offs, on_servers
    from oauthdeploy.workflow.revocation import by_server, cut_off_now, observe

    chosen = set(options.servers or manifest.desired.servers)
    cut_offs = on_servers(declared_cut_offs(manifest.desired), chosen)
    try:
        down = by_server(error, chosen)
        if not {address.server for address in cut_offs.addresses} - down.keys():
            return None
        left = tuple(sorted({address.server for address in cut_offs.addresses} - down.keys()))
        part = replace(manifest, desired=cut_offs.desired)
        with connected(part, replace(options, servers=left), read_only=True) as drivers:
            observation = observe(manifest, cut_offs, drivers, options, down)
            observation, report = cut_off_now(
                manifest, observation, drivers, options, confirm=confirm, on_event=on_event, stop=stop
            )
    except (ServerError, ServersFailed):
        return None
    return None if report is None else replace(report, plan=observation.plan)
