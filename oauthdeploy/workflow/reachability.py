"""Whether each server of a manifest answers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import ServerReport
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.planning.unread import Unread, unread_of
from oauthdeploy.running.read import read_live
from oauthdeploy.workflow.connections import connected, load
from oauthdeploy.workflow.options import PingResult, RunOptions


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
