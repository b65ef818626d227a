"""From a manifest and open drivers to a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.drivers.base import Driver, ServerReport
from oauthdeploy.drivers.http import counting
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.manifest.severities import weighed
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Change, Lockout
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.plan import Plan, build_plan, with_losses, with_survivors
from oauthdeploy.planning.recorded_cut_offs import guarded, marked
from oauthdeploy.planning.safety import check_risk
from oauthdeploy.planning.selection import is_selected, require_known, select
from oauthdeploy.planning.surviving_tokens import asks_for_tokens
from oauthdeploy.planning.unmanaged import kept_findings, weighed_kept
from oauthdeploy.planning.unread import selected
from oauthdeploy.running.audit import recorded_cut_offs
from oauthdeploy.running.read import check_all, read_live, wanted_of, with_tokens
from oauthdeploy.workflow.locking import audit_file
from oauthdeploy.workflow.options import RunOptions


def plan_now(
    manifest: Manifest,
    drivers: Mapping[str, Driver],
    options: RunOptions,
    facts: Mapping[str, DriverFacts] | None = None,
) -> tuple[Plan, LiveState, Mapping[str, ServerReport]]:
    """Read what the servers hold and plan; gives the plan, what was live, and what the servers said of themselves.

    `facts` are by driver name; None: those of the drivers that are installed.
    """
    desired = manifest.desired
    reports = check_all(drivers)
    live = read_live(drivers, desired)

    def batch_key(server: str, change: Change) -> str:
        return drivers[server].batch_key(change)

    def writes(server: str, changes: Sequence[Change]) -> int:
        return drivers[server].writes(changes)

    def lockouts(changes: Sequence[Change]) -> Sequence[Lockout]:
        return [
            found
            for name, driver in drivers.items()
            for found in driver.lockouts([change for change in changes if change.address.server == name])
        ]

    plan = build_plan(
        desired,
        live,
        driver_facts() if facts is None else facts,
        digest=manifest.digest,
        accounts={name: report.account for name, report in reports.items()},
        products={name: f"{report.product} {report.version}".strip() for name, report in reports.items()},
        batch_key=batch_key,
        writes=writes,
        lockouts=lockouts,
    )
    if token_servers := asks_for_tokens(plan.changes, desired, live):
        live = with_tokens(drivers, live, token_servers)
        plan = with_survivors(plan, desired, live, token_servers)
    plan = _with_losses(plan, drivers)
    found = [item for report in reports.values() for item in report.diagnostics]
    found += _server_findings(desired, drivers, reports, plan.changes)
    stopped = {(stop.rule, stop.address) for stop in plan.stops}
    found = [item for item in found if (item.rule, item.address) not in stopped]
    plan = replace(plan, diagnostics=plan.diagnostics + Diagnostics.of(found))
    names = Names(desired, live)
    chosen = [*(("--target", one) for one in options.targets), *(("--exclude", one) for one in options.excludes)]
    if chosen:
        planned = {address for change in plan.changes for address in (change.address, change.live_address)}
        require_known(chosen, {*desired.objects, *desired.absent, *live.objects, *planned}, names)
    plan = select(plan, options.targets, options.excludes, names)
    if options.targets or options.excludes:
        plan = replace(
            plan,
            unread=selected(plan.unread, desired, options.targets, options.excludes, names),
            kept=tuple(
                item for item in plan.kept if is_selected(item.address, options.targets, options.excludes, names)
            ),
            disagreeing=tuple(
                item for item in plan.disagreeing if is_selected(item, options.targets, options.excludes, names)
            ),
        )
    recorded, unread = recorded_cut_offs(audit_file(manifest, options), named=options.audit is not None)
    plan = guarded(replace(plan, diagnostics=plan.diagnostics + unread), [*marked(live), *recorded])
    if options.fail_on is not None:
        plan = replace(plan, stops=plan.stops + check_risk(plan.changes, options.fail_on))
    plan = replace(
        plan,
        diagnostics=Diagnostics.of(
            weighed(
                (*plan.diagnostics, *kept_findings(plan.kept)),
                manifest.severities,
                driver_facts() if facts is None else facts,
            )
        )
        + manifest.void,
    )
    plan = _located(plan, manifest)
    shown = Diagnostics.of(item for item in plan.diagnostics if not manifest.is_ignored(item))
    return replace(plan, diagnostics=shown, kept=weighed_kept(plan.kept, shown)), live, reports


def _server_findings(
    desired: DesiredState,
    drivers: Mapping[str, Driver],
    reports: Mapping[str, ServerReport],
    changes: Sequence[Change],
) -> Iterator[Diagnostic]:
    for name, driver in drivers.items():
        yield from driver.unsupported(wanted_of(desired, name), reports[name])
        yield from driver.refusals([change for change in changes if change.address.server == name])


def _with_losses(plan: Plan, drivers: Mapping[str, Driver]) -> Plan:
    """The plan with what the servers tell of what goes along with its changes."""
    lost: dict[Address, Sequence[str]] = {}
    reads: dict[str, int] = {}
    for name in sorted({change.address.server for change in plan.changes if change.lost} & drivers.keys()):
        with counting() as tally:
            lost.update(drivers[name].losses([c for c in plan.changes if c.address.server == name and c.lost]))
        reads[name] = tally.requests
    return with_losses(plan, lost, reads) if reads else plan


def _located(plan: Plan, manifest: Manifest) -> Plan:
    """The same plan, its findings with their places in the manifest."""

    def place(found: Diagnostics) -> Diagnostics:
        return Diagnostics.of(
            item if item.span is not None or not item.path else item.at(manifest.locate(item.path)) for item in found
        )

    return replace(plan, diagnostics=place(plan.diagnostics).sorted(), stops=place(plan.stops).sorted())
