"""From a manifest and open drivers to a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

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
from oauthdeploy.planning.unkept import Unkept
from oauthdeploy.planning.unmanaged import kept_findings, weighed_kept
from oauthdeploy.planning.unread import selected
from oauthdeploy.running.audit import recorded_cut_offs
from oauthdeploy.running.journal import JOURNALS, unkept_in
from oauthdeploy.running.journaled_renewals import journaled_renewals
from oauthdeploy.running.read import check_and_read, wanted_of, with_tokens
from oauthdeploy.workflow.connections import state_folder
from oauthdeploy.workflow.locking import audit_file
from oauthdeploy.workflow.options import RunOptions


def plan_now(
    manifest: Manifest,
    drivers: Mapping[str, Driver],
    options: RunOptions,
    facts: Mapping[str, DriverFacts] | None = None,
    unkept: Sequence[Unkept] = (),
) -> tuple[Plan, LiveState, Mapping[str, ServerReport]]:
    """Read the servers and plan. Returns the plan, the live state, and the reports of the servers about themselves.

    `facts` are by driver name; None: those of the installed drivers. `unkept` are fields that earlier runs sent and a server did
    not store (`known_unkept`).
    """
    known = driver_facts() if facts is None else facts
    reports, live = check_and_read(drivers, manifest.desired)
    return plan_for(manifest, drivers, options, reports, live, known, unkept)


def plan_for(
    manifest: Manifest,
    drivers: Mapping[str, Driver],
    options: RunOptions,
    reports: Mapping[str, ServerReport],
    live: LiveState,
    known: Mapping[str, DriverFacts],
    unkept: Sequence[Unkept] = (),
    *,
    bound: bool = True,
) -> tuple[Plan, LiveState, Mapping[str, ServerReport]]:
    """The same from what was read; `known` are facts by driver name. A plan that is only looked at need not be `bound` to the
    manifest by its digest.
    """
    desired = manifest.desired
    plan = _build(manifest, drivers, reports, live, known, unkept, digest=manifest.digest if bound else "")
    if token_servers := asks_for_tokens(plan.changes, desired, live):
        live = with_tokens(drivers, live, token_servers)
        plan = with_survivors(plan, desired, live, token_servers, known)
    plan = _with_losses(plan, drivers)
    plan = _with_gaps(plan, manifest, options)
    plan = _with_server_findings(plan, desired, drivers, reports)
    plan = _selected(plan, desired, live, options)
    plan = _with_recorded_cut_offs(plan, manifest, live, options)
    if options.fail_on is not None:
        plan = replace(plan, stops=plan.stops + check_risk(plan.changes, options.fail_on))
    return _with_severities(plan, manifest, known), live, reports


def known_unkept(manifest: Manifest, options: RunOptions) -> Sequence[Unkept]:
    """The fields of the manifest's objects that the last run sent and a server did not store."""
    addresses = {str(address) for address in manifest.desired.objects}
    known = unkept_in(state_folder(manifest, options) / JOURNALS, manifest.desired.name)
    return tuple(item for item in known if item.address in addresses)


def _build(
    manifest: Manifest,
    drivers: Mapping[str, Driver],
    reports: Mapping[str, ServerReport],
    live: LiveState,
    facts: Mapping[str, DriverFacts],
    unkept: Sequence[Unkept],
    *,
    digest: str,
) -> Plan:
    """Compare and order. The pure steps get the drivers' knowledge as functions."""

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

    return build_plan(
        manifest.desired,
        live,
        facts,
        digest=digest,
        accounts={name: report.account for name, report in reports.items()},
        products={name: f"{report.product} {report.version}".strip() for name, report in reports.items()},
        batch_key=batch_key,
        writes=writes,
        lockouts=lockouts,
        unkept=unkept,
    )


def _with_losses(plan: Plan, drivers: Mapping[str, Driver]) -> Plan:
    """Add what the servers delete along with the changes, as far as they report it."""
    lost: dict[Address, Sequence[str]] = {}
    reads: dict[str, int] = {}
    for name in sorted({change.address.server for change in plan.changes if change.lost} & drivers.keys()):
        with counting() as tally:
            lost.update(drivers[name].losses([c for c in plan.changes if c.address.server == name and c.lost]))
        reads[name] = tally.requests
    return with_losses(plan, lost, reads) if reads else plan


def _with_gaps(plan: Plan, manifest: Manifest, options: RunOptions) -> Plan:
    """Say how long the renewal of a secret took last time, where there is a gap between the old one and the new."""
    renewing = {c.address for c in plan.changes if any(field.path == "secret.revision" for field in c.fields)}
    if not renewing:
        return plan
    took = journaled_renewals(state_folder(manifest, options) / JOURNALS, manifest.desired.name, renewing)

    def told(change: Change) -> Change:
        seconds = took.get(change.address)
        return change if seconds is None else replace(change, note=f"{change.note} Last time it took {seconds:.1f} s.")

    return replace(plan, changes=tuple(told(change) for change in plan.changes))


def _with_server_findings(
    plan: Plan, desired: DesiredState, drivers: Mapping[str, Driver], reports: Mapping[str, ServerReport]
) -> Plan:
    """Add the drivers' findings: from their checks, about the desired objects, and about the changes; and their stops."""
    found = [item for report in reports.values() for item in report.diagnostics]
    found += _server_findings(desired, drivers, reports, plan.changes)
    stops = [
        stop
        for name, driver in drivers.items()
        for stop in driver.stops([change for change in plan.changes if change.address.server == name])
    ]
    plan = replace(plan, stops=(plan.stops + Diagnostics.of(stops)).sorted())
    stopped = {(stop.rule, stop.address) for stop in plan.stops}
    unsaid = [item for item in found if (item.rule, item.address) not in stopped]
    return replace(plan, diagnostics=plan.diagnostics + Diagnostics.of(unsaid))


def _server_findings(
    desired: DesiredState,
    drivers: Mapping[str, Driver],
    reports: Mapping[str, ServerReport],
    changes: Sequence[Change],
) -> Iterator[Diagnostic]:
    for name, driver in drivers.items():
        yield from driver.unsupported(wanted_of(desired, name), reports[name])
        yield from driver.refusals([change for change in changes if change.address.server == name])


def _selected(plan: Plan, desired: DesiredState, live: LiveState, options: RunOptions) -> Plan:
    """Keep what --target and --exclude select. Raises UsageError for a pattern that matches nothing known."""
    targets, excludes = options.targets, options.excludes
    if not targets and not excludes:
        return plan
    names = Names(desired, live)
    planned = {address for change in plan.changes for address in (change.address, change.live_address)}
    known = {*desired.objects, *desired.absent, *live.objects, *planned}
    require_known([*(("--target", one) for one in targets), *(("--exclude", one) for one in excludes)], known, names)
    plan = select(plan, targets, excludes, names)
    return replace(
        plan,
        unread=selected(plan.unread, desired, targets, excludes, names),
        kept=tuple(item for item in plan.kept if is_selected(item.address, targets, excludes, names)),
        disagreeing=tuple(item for item in plan.disagreeing if is_selected(item, targets, excludes, names)),
    )


def _with_recorded_cut_offs(plan: Plan, manifest: Manifest, live: LiveState, options: RunOptions) -> Plan:
    """Stop changes that would undo a cut-off of the audit file or of the servers' own marks."""
    recorded, unread = recorded_cut_offs(audit_file(manifest, options), named=options.audit is not None)
    return guarded(replace(plan, diagnostics=plan.diagnostics + unread), [*marked(live), *recorded])


def _with_severities(plan: Plan, manifest: Manifest, facts: Mapping[str, DriverFacts]) -> Plan:
    """Set the findings' severities and positions from the manifest, add those about keys without effect, and drop ignored
    ones.
    """
    found = weighed((*plan.diagnostics, *kept_findings(plan.kept)), manifest.severities, facts)
    plan = _located(replace(plan, diagnostics=Diagnostics.of(found) + manifest.void), manifest)
    shown = Diagnostics.of(item for item in plan.diagnostics if not manifest.is_ignored(item))
    return replace(plan, diagnostics=shown, kept=weighed_kept(plan.kept, shown))


def with_findings(plan: Plan, found: Iterable[Diagnostic], manifest: Manifest) -> Plan:
    """The plan with more findings, with severities and positions from the manifest, without ignored ones."""
    placed = _placed(weighed(found, manifest.severities, driver_facts()), manifest)
    more = Diagnostics.of(item for item in placed if not manifest.is_ignored(item))
    return replace(plan, diagnostics=(plan.diagnostics + more).sorted())


def _placed(found: Iterable[Diagnostic], manifest: Manifest) -> Diagnostics:
    return Diagnostics.of(
        item if item.span is not None or not item.path else item.at(manifest.locate(item.path)) for item in found
    )


def _located(plan: Plan, manifest: Manifest) -> Plan:
    """The same plan, with the positions of its findings in the manifest."""

    diagnostics, stops = (_placed(found, manifest).sorted() for found in (plan.diagnostics, plan.stops))
    return replace(plan, diagnostics=diagnostics, stops=stops)
