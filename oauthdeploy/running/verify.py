"""The second look: read again what was written, and compare it with the manifest once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.drivers.base import Driver, Wanted
from oauthdeploy.model.objects import Revocation, Side
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState
from oauthdeploy.planning.capabilities import DriverFacts
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.diff import compare
from oauthdeploy.planning.outcome import Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running import findings
from oauthdeploy.running.carry import Settled, shown
from oauthdeploy.running.read import read_wanted, wanted_of


def verify(
    plan: Plan, drivers: Mapping[str, Driver], desired: DesiredState, facts: Mapping[str, DriverFacts]
) -> Diagnostics:
    """Read what the plan touched and compare it with the manifest again; `facts` are by driver name.

    Gives a finding for each field that is not as asked, each object that is still or not there, and each cut-off that isn't
    complete. What can't be read is a `not-verified` finding, not an error.
    """
    return verify_changes(plan.changes, drivers, desired, facts)


def verify_changes(
    changes: Sequence[Change],
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
) -> Diagnostics:
    """The same for some changes of a plan."""
    found: list[Diagnostic] = []
    for server in sorted({change.address.server for change in changes}):
        mine = [change for change in changes if change.address.server == server]
        look = _look(mine, server, drivers, desired, facts, whole=False)
        for change in mine:
            found += _findings(change, look, desired.servers[server].role.sides)
    return Diagnostics.of(found).sorted()


def settle(
    changes: Sequence[Change],
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
) -> Sequence[Settled]:
    """Look what became of changes of one server whose answer got lost; gives one result for each, in order."""
    # A driver may remember what it read for the writes that follow, so it is asked for all that it was asked before.
    look = _look(changes, changes[0].address.server, drivers, desired, facts, whole=True)
    return [_settled(change, look) for change in changes]


@dataclass(frozen=True)
class _Look:
    """What a second read showed: what is there, and what is still to do by address. `trouble` says why nothing could be read."""

    live: LiveState
    left: Mapping[Address, Change]
    trouble: Diagnostic | None = None

    def unreadable(self, address: Address) -> str:
        """Why the object couldn't be looked at; empty where it could."""
        state = self.live.servers.get(address.server)
        found = self.trouble or (state.unreadable.get(address.kind) if state else None)
        return (f"{found.summary}: {found.detail}" if found.detail else found.summary) if found else ""


def _look(
    changes: Sequence[Change],
    server: str,
    drivers: Mapping[str, Driver],
    desired: DesiredState,
    facts: Mapping[str, DriverFacts],
    *,
    whole: bool,
) -> _Look:
    gone = frozenset(change.address for change in changes if change.action is Action.DELETE)
    asked = replace(desired, absent=desired.absent | gone)
    wanted = wanted_of(asked, server, everything=whole)
    if not whole:
        wanted = replace(wanted, kinds=_kinds(changes, wanted))
    try:
        live = read_wanted({server: drivers[server]}, {server: wanted})
    except OAuthDeployError as error:
        return _Look(LiveState({}), {}, findings.of_error(error, changes[0]))
    touched = {change.address for change in changes}
    left = {change.address: change for change in compare(asked, live, facts).changes if change.address in touched}
    return _Look(live, left)


def _kinds(changes: Sequence[Change], wanted: Wanted) -> frozenset[Kind]:
    """The kinds of the changes, and clients where those are kept with the client."""
    kinds = {change.address.kind for change in changes}
    return frozenset(kinds | (wanted.kinds & {Kind.CLIENT} if kinds & {Kind.ASSOCIATION, Kind.REVOCATION} else set()))


def _settled(change: Change, look: _Look) -> Settled:
    if why := look.unreadable(change.address):
        return Settled(Status.UNKNOWN, f"a look at the server didn't settle it: {why}.")
    if change.address in look.left:
        return Settled(Status.FAILED, "a look at the server shows that the change was not made.")
    return Settled(Status.DONE, "a look at the server shows that the change was made.")


def _findings(change: Change, look: _Look, sides: frozenset[Side]) -> Sequence[Diagnostic]:
    """What is not as asked after a change that was reported as made."""
    address = change.address
    if why := look.unreadable(address):
        return [findings.about(change, findings.NOT_VERIFIED, "A change could not be verified", why, Severity.WARNING)]
    if isinstance(change.desired, Revocation):
        return _cut_off(change, change.desired, sides, look.live.objects.get(address))
    left = look.left.get(address)
    if left is None:
        return ()
    if left.action in (Action.UPDATE, Action.REPLACE) and left.fields:
        return [
            findings.not_kept(address, field.path, shown(field.after), shown(field.before)) for field in left.fields
        ]
    said = {Action.CREATE: "It is not there.", Action.DELETE: "It is still there."}
    detail = said.get(left.action, f"The server still needs: {left.action}.")
    return [findings.about(change, "change-not-kept", "A change did not last", detail, Severity.ERROR)]


def _cut_off(
    change: Change, wanted: Revocation, sides: frozenset[Side], live: LiveObject | None
) -> Sequence[Diagnostic]:
    """A cut-off is complete when no token that it names is active and the client is disabled where it is to be."""
    summary = "A client is not cut off completely"
    if live is None:
        return [
            findings.about(change, "cut-off-incomplete", summary, "The server tells nothing of it.", Severity.ERROR)
        ]
    found = []
    if live.tokens is not None and live.tokens.active:
        number = live.tokens.active
        detail = (
            f"{number} active {'token is' if number == 1 else 'tokens are'} left; the client may have got new ones."
        )
        found.append(findings.about(change, "cut-off-incomplete", summary, detail, Severity.ERROR))
    if live.blocked is False and set(wanted.block or ()) & sides:
        found.append(
            findings.about(change, "cut-off-incomplete", summary, "The client is still enabled.", Severity.ERROR)
        )
    return found
