"""Drift: differences between live state and manifest, with a baseline of accepted ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.errors import OAuthDeployError, ServerError, ServersFailed
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.baselines import BaselineFile, read_baseline
from oauthdeploy.planning.drift.baseline import judge
from oauthdeploy.planning.drift.classification import DriftReport, classify
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.selection import is_selected
from oauthdeploy.running.clock import utc_now
from oauthdeploy.workflow.connections import connected, load
from oauthdeploy.workflow.forgotten_cut_offs import plan_with_cut_offs
from oauthdeploy.workflow.options import RunOptions
from oauthdeploy.workflow.server_identity import require_own_baseline


def detect_drift(
    request: ManifestRequest,
    options: RunOptions | None = None,
    *,
    unnamed: bool = True,
    baseline: BaselineFile | None = None,
    today: date | None = None,
) -> tuple[DriftReport, Manifest]:
    """Compare the manifest with the live servers and classify the differences. Writes nothing.

    `unnamed` says whether live objects that the manifest does not name count. `baseline` (see `read_baseline`) accepts known
    differences until the expiry date of each entry, as of `today` (default: the date in UTC). Raises what `make_plan`
    raises, and OtherServer for a baseline of other servers.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    if baseline is not None:
        require_own_baseline(baseline.baseline, baseline.source.name, manifest, options)
    with connected(manifest, options, read_only=True) as drivers:
        remembered = plan_with_cut_offs(manifest, drivers, options)
    plan, live, manifest = remembered.plan, remembered.live, remembered.manifest
    names = Names(manifest.desired, live)
    report = classify(
        manifest.desired,
        live,
        plan,
        driver_facts(),
        unnamed=unnamed,
        selected=lambda address: is_selected(address, options.targets, options.excludes, names),
    )
    if baseline is None:
        return report, manifest
    require_own_baseline(baseline.baseline, baseline.source.name, manifest, options, plan)
    whole = not (options.servers or options.targets or options.excludes) and unnamed
    today = today or utc_now().date()
    return judge(report, baseline.baseline, today, whole=whole, place=baseline.place), manifest


class DriftRound(Struct, frozen=True):
    """One check of a watch, which started at `begun` and took `seconds`.

    `report` covers the servers that responded; None if there were none, or if the `manifest` or the baseline cannot be read.
    `down` are the errors of the other servers by name, `error` is one that concerns no server.
    """

    begun: datetime
    seconds: float
    report: DriftReport | None = None
    manifest: Manifest | None = None
    down: Mapping[str, OAuthDeployError] = field(default_factory=dict)
    error: OAuthDeployError | None = None

    @property
    def complete(self) -> bool:
        """True if everything could be checked."""
        return self.report is not None and not self.down and not self.report.plan.unread


def look_for_drift(
    request: ManifestRequest, options: RunOptions | None = None, *, unnamed: bool = True, baseline: str | None = None
) -> DriftRound:
    """Like `detect_drift`, for a repeated check: errors are part of the result, and a server that is down does not hide
    findings about the others. `baseline` is a file name; the file is read again each time. Raises nothing of `core.errors`.
    """
    seen: list[Manifest] = []
    options = replace(options or RunOptions(), on_manifest=seen.append)
    start_time, started = utc_now(), time.monotonic()
    down: dict[str, OAuthDeployError] = {}

    def finished_round(report: DriftReport | None = None, error: OAuthDeployError | None = None) -> DriftRound:
        manifest = seen[-1] if seen else None
        return DriftRound(start_time, time.monotonic() - started, report, manifest, dict(sorted(down.items())), error)

    while True:
        try:
            known = read_baseline(baseline) if baseline is not None else None
            report, _ = detect_drift(request, options, unnamed=unnamed, baseline=known)
            return finished_round(report)
        except OAuthDeployError as error:
            members = error.members if isinstance(error, ServersFailed) else (error,)
            failed = {one.server: one for one in members if isinstance(one, ServerError) and one.server not in down}
            if not failed or not seen:
                return finished_round(error=error)
            down.update(failed)
            chosen = options.servers or tuple(seen[-1].desired.servers)
            left = tuple(name for name in chosen if name not in down and name in seen[-1].credentials)
            facts = driver_facts()
            left = tuple(name for name in left if facts[seen[-1].desired.servers[name].driver].writable)
            if not left:
                return finished_round()
            options = replace(options, servers=left)
