"""The road from a manifest to a report, as functions for Python callers; the command line calls the same ones.

    validate()      manifest -> findings
    make_plan()     manifest -> desired -> live -> diff -> plan; on connections that refuse to write
    run_plan()      the same, then apply -> verify -> report
    detect_drift()  the same as a plan, told as drift
    ping()          who the servers are and whether they let us in

Errors are those of `core.errors`; each has the exit code that the command line leaves with.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError, SafetyStop, UsageError
from oauthdeploy.drivers.base import Driver, ServerReport
from oauthdeploy.drivers.registry import driver_facts, open_driver
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.drift import DriftReport, classify
from oauthdeploy.planning.outcome import ApplyReport, Event
from oauthdeploy.planning.plan import Plan, build_plan
from oauthdeploy.planning.selection import select
from oauthdeploy.running.apply import apply_plan, hold_safety
from oauthdeploy.running.clock import utc_now
from oauthdeploy.running.journal import Journal
from oauthdeploy.running.lock import lock
from oauthdeploy.running.read import check_all, read_live, wanted_of


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    `servers` restricts the run to some servers; `targets` and `excludes` are address globs. `parallelism` caps the requests
    at the same time for every server. `max_deletes` overrides the manifest's limit. `allow` names the safety rules to lift.
    `lock_timeout` is in seconds. `state_dir` holds journals and lock files (default: `.oauthdeploy` beside the manifest).
    """

    servers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    parallelism: int | None = None
    max_deletes: str | None = None
    allow: tuple[str, ...] = ()
    lock_timeout: int = 0
    verify: bool = True
    state_dir: Path | None = None


@dataclass(frozen=True)
class PingResult:
    """What one server answered: its report, or the error that stood in the way. `seconds` is the time that it took."""

    server: str
    driver: str
    role: str
    url: str
    report: ServerReport | None
    error: OAuthDeployError | None
    seconds: float


def validate(request: ManifestRequest) -> tuple[Manifest | None, Diagnostics]:
    """Read and check a manifest without any server. Gives None and the findings when there are errors."""
    return load_manifest(request, driver_facts())


def make_plan(request: ManifestRequest, options: RunOptions | None = None) -> tuple[Plan, Manifest]:
    """Compare the manifest with the live servers and give the plan. Writes nothing: the transport refuses to.

    Raises ManifestInvalid, Unreachable, Unauthorized, Forbidden, Unsupported.
    """
    options = options or RunOptions()
    manifest = _load(request, options)
    with _connected(manifest, options, read_only=True) as drivers:
        plan, _live, _reports = _plan(manifest, drivers, options)
    return plan, manifest


def detect_drift(request: ManifestRequest, options: RunOptions | None = None) -> tuple[DriftReport, Manifest]:
    """Compare the manifest with the live servers and tell the differences by class. Writes nothing.

    Raises what `make_plan` raises.
    """
    options = options or RunOptions()
    manifest = _load(request, options)
    with _connected(manifest, options, read_only=True) as drivers:
        plan, live, _reports = _plan(manifest, drivers, options)
    return classify(manifest.desired, live, plan), manifest


def run_plan(
    request: ManifestRequest,
    options: RunOptions | None = None,
    *,
    confirm: Callable[[Plan], bool] | None = None,
    on_event: Callable[[Event], None] | None = None,
    stop: threading.Event | None = None,
) -> ApplyReport | None:
    """Plan, ask `confirm` (None: no question), then apply, verify and report.

    Gives None when `confirm` said no. An empty plan is not asked about and writes nothing. `on_event` is called from worker
    threads, one call at a time. Setting `stop` finishes the requests in flight and skips the rest.

    Raises what `make_plan` raises, and SafetyStop, StalePlan, LockBusy.
    """
    options = options or RunOptions()
    stop = stop or threading.Event()
    manifest = _load(request, options)
    state_dir = options.state_dir or Path(manifest.base) / ".oauthdeploy"
    targets = [server.url for server in manifest.desired.servers.values() if server.url]
    with lock(state_dir, manifest.desired.name, targets, timeout=options.lock_timeout, stop=stop):
        with _connected(manifest, options, read_only=True) as readers:
            plan = _plan(manifest, readers, options)[0]
        if plan.is_empty:
            return ApplyReport(plan=plan, outcomes=(), verified=options.verify)
        _hold_errors(plan)
        if confirm is not None and not confirm(plan):
            return None
        hold_safety(plan, options.allow)
        with (
            _connected(manifest, options, read_only=False) as drivers,
            Journal.create(state_dir / "journal", manifest.desired.name, now=utc_now) as journal,
        ):
            return apply_plan(
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
            )


def ping(request: ManifestRequest, options: RunOptions | None = None) -> tuple[PingResult, ...]:
    """Ask every server of the manifest who it is and whether the credentials are accepted. Raises ManifestInvalid."""
    options = options or RunOptions()
    manifest = _load(request, options)
    with _connected(manifest, options, read_only=True) as drivers:

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


def _load(request: ManifestRequest, options: RunOptions) -> Manifest:
    manifest, diagnostics = validate(request)
    if manifest is None:
        raise ManifestInvalid(diagnostics)
    return _narrowed(manifest, options)


def _narrowed(manifest: Manifest, options: RunOptions) -> Manifest:
    """The manifest as the options cut it: fewer servers, other limits."""
    desired = manifest.desired
    if options.servers:
        unknown = [name for name in options.servers if name not in desired.servers]
        if unknown:
            known = ", ".join(sorted(desired.servers))
            raise UsageError(f"No server '{unknown[0]}' in the manifest", fix=f"Servers are: {known}.")
        chosen = set(options.servers)
        desired = replace(
            desired,
            objects={address: value for address, value in desired.objects.items() if address.server in chosen},
            absent=frozenset(address for address in desired.absent if address.server in chosen),
        )
    if options.max_deletes is not None:
        limits = desired.policy.limits.model_copy(update={"max_deletes": options.max_deletes})
        desired = replace(desired, policy=desired.policy.model_copy(update={"limits": limits}))
    return replace(manifest, desired=desired)


@contextmanager
def _connected(manifest: Manifest, options: RunOptions, *, read_only: bool) -> Iterator[Mapping[str, Driver]]:
    facts = driver_facts()
    drivers: dict[str, Driver] = {}
    try:
        for name, server in manifest.desired.servers.items():
            if not facts[server.driver].writable or (options.servers and name not in options.servers):
                continue
            if options.parallelism is not None:
                limits = server.limits.model_copy(update={"parallel": options.parallelism})
                server = server.model_copy(update={"limits": limits})
            drivers[name] = open_driver(
                name,
                server,
                manifest.credentials[name],
                manifest.options[name],
                read_only=read_only,
                base=Path(manifest.base),
            )
        yield drivers
    finally:
        for driver in drivers.values():
            driver.close()


def _plan(
    manifest: Manifest, drivers: Mapping[str, Driver], options: RunOptions
) -> tuple[Plan, LiveState, Mapping[str, ServerReport]]:
    desired = manifest.desired
    reports = check_all(drivers)
    live = read_live(drivers, desired)

    def batch_key(server: str, change: Change) -> str:
        return drivers[server].batch_key(change)

    def writes(server: str, changes: Sequence[Change]) -> int:
        return drivers[server].writes(changes)

    plan = build_plan(
        desired,
        live,
        driver_facts(),
        digest=manifest.digest,
        accounts={name: report.account for name, report in reports.items()},
        products={name: f"{report.product} {report.version}".strip() for name, report in reports.items()},
        batch_key=batch_key,
        writes=writes,
    )
    found = [item for report in reports.values() for item in report.diagnostics]
    found += _server_findings(desired, drivers, reports)
    plan = replace(plan, diagnostics=plan.diagnostics + Diagnostics.of(found))
    return _located(select(plan, options.targets, options.excludes), manifest), live, reports


def _server_findings(
    desired: DesiredState, drivers: Mapping[str, Driver], reports: Mapping[str, ServerReport]
) -> Iterator[Diagnostic]:
    for name, driver in drivers.items():
        yield from driver.unsupported(wanted_of(desired, name), reports[name])


def _located(plan: Plan, manifest: Manifest) -> Plan:
    """The same plan, its findings with their places in the manifest."""

    def place(found: Diagnostics) -> Diagnostics:
        return Diagnostics.of(
            item if item.span is not None or not item.path else item.at(manifest.locate(item.path)) for item in found
        )

    return replace(plan, diagnostics=place(plan.diagnostics).sorted(), stops=place(plan.stops).sorted())


def _hold_errors(plan: Plan) -> None:
    """Refuse a plan with findings that no flag lifts: a server can't do what the manifest asks of it."""
    errors = plan.diagnostics.errors
    if errors:
        raise SafetyStop(
            "The plan can't be carried out",
            detail="\n".join(f"[{item.rule}] {item.address} {item.detail or item.summary}" for item in errors),
            fix="Put right what the findings of the plan name. Nothing was written.",
        )


def environment() -> Mapping[str, str]:
    """The process environment, for `ManifestRequest.environ`."""
    return dict(os.environ)
