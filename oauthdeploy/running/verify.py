"""Verification: reads again what was written, and compares it with the manifest once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Driver, Wanted
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.objects import Client, Object, Revocation
from oauthdeploy.model.state import DesiredState, LiveState, ServerState
from oauthdeploy.planning.changes import Action, Change, FieldChange
from oauthdeploy.planning.diff import compare
from oauthdeploy.planning.outcome import Status
from oauthdeploy.planning.pending_revocations import REFUSED, TOKENS
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.unkept import Unkept, unkept_of
from oauthdeploy.running import apply_findings
from oauthdeploy.running.batch_executor import LateResult
from oauthdeploy.running.read import ask_each, read_wanted, wanted_of


def verify(
    plan: Plan, drivers: Mapping[str, Driver], desired: DesiredState, facts: Mapping[str, DriverFacts]
) -> Diagnostics:
    """Read what the plan touched and compare it with the manifest again; `facts` are by driver name.

    Returns a finding for each field that differs, each object that should not exist or is missing, and each cut-off that is not
    complete. What cannot be read is a `not-verified` finding, not an error.
    """
    return verify_changes(plan.changes, drivers, desired, facts)


def verify_changes(
    changes: Sequence[Change],
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
    secrets: Mapping[Address, Secret] = MappingProxyType({}),
) -> Diagnostics:
    """The same for some changes of a plan; `secrets` are the delivered ones, compared if the server returns its own."""
    return look_again(changes, drivers, desired, facts, secrets)[0]


def look_again(
    changes: Sequence[Change],
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
    secrets: Mapping[Address, Secret] = MappingProxyType({}),
    unkept: Sequence[Unkept] = (),
) -> tuple[Diagnostics, tuple[Unkept, ...], Mapping[Address, Object]]:
    """The same, with the fields that the servers did not store as they were sent, and the objects that were read. `unkept` are
    the fields of earlier runs: what was not sent because of them is no finding.
    """
    readback = _read_back(changes, drivers, desired, facts, everything=False, unkept=unkept)
    found = [item for change in changes for item in _findings(change, readback)]
    found += (item for change in changes for item in _other_secret(change, readback, secrets.get(change.address)))
    lost = {address: names for state in readback.live.servers.values() for address, names in state.lost.items()}
    found += (apply_findings.fields_lost(c, lost[c.address]) for c in changes if c.address in lost)
    updates = [remaining for remaining in readback.remaining.values() if remaining.action is Action.UPDATE]
    fields = tuple(unkept_of(remaining.address, field) for remaining in updates for field in remaining.fields)
    live = readback.live.objects
    objects = {change.address: live[change.address].value for change in changes if change.address in live}
    return Diagnostics.of(found).sorted(), fields, objects


def _other_secret(change: Change, readback: _Readback, delivered: Secret | None) -> Iterator[Diagnostic]:
    """A finding if the server returns another secret than the delivered one."""
    live = readback.live.objects.get(change.address)
    returned = returned_secret(live.value) if live is not None else None
    if delivered is not None and returned is not None and returned != delivered:
        yield apply_findings.not_live(change, "Somebody else has given the client another secret since.")


def returned_secret(value: object) -> Secret | None:
    """The secret of a live client, if its server returns it."""
    return value.secret.value if isinstance(value, Client) and value.secret is not None else None


def settle(
    changes: Sequence[Change],
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
) -> Sequence[LateResult]:
    """Find out what became of changes of one server whose response was lost. Returns one result for each, in order."""
    # A driver may remember what it read for the writes that follow, so everything that was read before is read again.
    readback = _read_back(changes, drivers, desired, facts, everything=True)
    return [_late_result(change, readback) for change in changes]


class _Readback(Struct, frozen=True):
    """The result of a second read: the live state, and the changes that remain, by address.

    `not_returned` are findings, by written address, about what the server did not return; `trouble` says, by server, why
    nothing could be read.
    """

    live: LiveState
    remaining: Mapping[Address, Change]
    not_returned: Mapping[str, Diagnostic] = field(default_factory=dict)
    trouble: Mapping[str, Diagnostic] = field(default_factory=dict)

    def unreadable(self, address: Address) -> str:
        """Why the object could not be read; empty if it could."""
        state = self.live.servers.get(address.server)
        unread = self.trouble.get(address.server) or (state.unreadable.get(address.kind) if state else None)
        found = unread or self.not_returned.get(str(address))
        if found:
            return f"{found.summary}: {found.detail}" if found.detail else found.summary
        live = self.live.objects.get(address)
        return live.unread if live is not None else ""

    def still_to_do(self, change: Change) -> bool:
        """Whether the change is not in effect."""
        if change.action is Action.DELETE:
            return change.address in self.live.objects
        return change.address in self.remaining


def _read_back(
    changes: Sequence[Change],
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
    *,
    everything: bool,
    unkept: Sequence[Unkept] = (),
) -> _Readback:
    """Read the servers of the changes, and compare all of them at once: a cut-off has one time on both sides."""
    touched = {change.address: change for change in changes}
    deleted = frozenset(address for address, change in touched.items() if change.action is Action.DELETE)
    wanted_state = replace(desired, absent=desired.absent | deleted)
    by_server: dict[str, list[Change]] = {}
    for address, change in touched.items():
        by_server.setdefault(address.server, []).append(change)

    def read(driver: Driver) -> ServerState:
        wanted = wanted_of(wanted_state, driver.name, everything=everything)
        if not everything:
            wanted = _about(by_server[driver.name], wanted)
        return read_wanted({driver.name: driver}, {driver.name: wanted}).servers[driver.name]

    states, failed = ask_each({server: drivers[server] for server in by_server}, read)
    trouble = {server: apply_findings.of_error(error, by_server[server][0]) for server, error in failed.items()}
    live = LiveState(states)
    seen = compare(wanted_state, live, facts, unkept)
    remaining = {change.address: change for change in seen.changes if change.address in touched}
    not_returned = {found.address: found for found in seen.diagnostics if found.rule == "revocation-not-read"}
    return _Readback(live, remaining, not_returned, trouble)


def _about(changes: Sequence[Change], wanted: Wanted) -> Wanted:
    """What to read for some changes: their objects, and the clients and settings that servers store these with."""
    addresses = {change.address for change in changes}
    clients = {address.client for address in addresses if address.kind in (Kind.CLIENT, Kind.ASSOCIATION)}
    clients |= {change.desired.client for change in changes if isinstance(change.desired, Revocation)}
    objects = {
        address: value
        for address, value in wanted.objects.items()
        if address in addresses
        or address.kind in (Kind.SETTINGS, Kind.TRUST)
        or (address.kind is Kind.CLIENT and address.name in clients)
    }
    return replace(
        wanted, objects=objects, absent=wanted.absent & addresses, kinds=_kinds(changes, wanted), everything=False
    )


def _kinds(changes: Sequence[Change], wanted: Wanted) -> frozenset[Kind]:
    """The kinds of the changes, and clients for kinds that are stored with the client."""
    kinds = {change.address.kind for change in changes}
    return frozenset(kinds | (wanted.kinds & {Kind.CLIENT} if kinds & {Kind.ASSOCIATION, Kind.REVOCATION} else set()))


def _late_result(change: Change, readback: _Readback) -> LateResult:
    if why := readback.unreadable(change.address):
        return LateResult(Status.UNKNOWN, f"reading the server did not settle it: {why}.")
    if readback.still_to_do(change):
        return LateResult(Status.FAILED, "reading the server shows that the change was not made.")
    return LateResult(Status.DONE, "reading the server shows that the change was made.")


def _findings(change: Change, readback: _Readback) -> Sequence[Diagnostic]:
    """What differs from the manifest after a change that was reported as made."""
    address = change.address
    if why := readback.unreadable(address):
        return [
            apply_findings.about(
                change, apply_findings.NOT_VERIFIED, "A change could not be verified", why, "", Severity.WARNING
            )
        ]
    if not readback.still_to_do(change):
        return ()
    remaining = readback.remaining.get(address)
    if remaining is not None and isinstance(change.desired, Revocation):
        return [_cut_off(change, field) for field in remaining.fields]
    if remaining is not None and remaining.action is Action.UPDATE:
        return [apply_findings.not_kept(change, field) for field in remaining.fields]
    if change.action is Action.DELETE:
        detail = "It still exists, or exists again."
    elif remaining is not None and remaining.action is Action.CREATE:
        detail = "It does not exist."
    else:
        detail = "The server has it in a form that can only be replaced."
    fix = "Check whether somebody else is changing the server, then apply again."
    return [apply_findings.about(change, "change-not-kept", "A change did not last", detail, fix)]


def _cut_off(change: Change, field: FieldChange) -> Diagnostic:
    """A cut-off is complete when no token that it names is active and the client is disabled where the manifest says so."""
    if field.path == TOKENS:
        remaining = f"{field.before} active {'token is' if field.before == 1 else 'tokens are'} left."
        return apply_findings.cut_off_incomplete(change, remaining)
    if field.path == REFUSED:
        return apply_findings.cut_off_incomplete(change, "Tokens from before the cut-off are still accepted.")
    return apply_findings.cut_off_incomplete(change, "The client is still enabled.")
