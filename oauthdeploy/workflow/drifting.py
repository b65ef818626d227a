"""Drift: how live differs from the manifest, measured against what is known and accepted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from oauthdeploy.core.addresses import Address
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.baselines import BaselineFile
from oauthdeploy.planning.baseline import judge
from oauthdeploy.planning.changes import matches
from oauthdeploy.planning.drift import DriftReport, classify
from oauthdeploy.running.clock import utc_now
from oauthdeploy.workflow.making import plan_now
from oauthdeploy.workflow.opening import connected, load
from oauthdeploy.workflow.options import RunOptions


def detect_drift(
    request: ManifestRequest,
    options: RunOptions | None = None,
    *,
    unnamed: bool = True,
    baseline: BaselineFile | None = None,
    today: date | None = None,
) -> tuple[DriftReport, Manifest]:
    """Compare the manifest with the live servers and tell the differences by class. Writes nothing.

    `unnamed`: whether live objects count that the manifest doesn't name. `baseline` (see `read_baseline`) accepts known
    differences until the day of each entry, by `today` (default: that of UTC). Raises what `make_plan` raises.
    """
    options = options or RunOptions()
    manifest = load(request, options)
    with connected(manifest, options, read_only=True) as drivers:
        plan, live, _reports = plan_now(manifest, drivers, options)
    report = classify(
        manifest.desired,
        live,
        plan,
        driver_facts(),
        unnamed=unnamed,
        selected=lambda address: _selected(address, options.targets, options.excludes),
    )
    if baseline is None:
        return report, manifest
    whole = not (options.servers or options.targets or options.excludes) and unnamed
    today = today or utc_now().date()
    return judge(report, baseline.baseline, today, whole=whole, place=baseline.place), manifest


def _selected(address: Address, targets: Sequence[str], excludes: Sequence[str]) -> bool:
    return (not targets or matches(address, targets)) and not matches(address, excludes)
