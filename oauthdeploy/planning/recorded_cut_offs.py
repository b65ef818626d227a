"""Cut-offs that were recorded, against a plan that would give back what they took away.

A cut-off by `revoke` stands on the servers and in the audit file. A manifest that still says `enabled: true` undoes it with the
next apply, and nobody who reads the plan sees why that matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.model.objects import Client
from oauthdeploy.planning.changes import Action, Change, Risk
from oauthdeploy.planning.plan import Plan

UNDOES_CUT_OFF: Final = "undoes-cut-off"
_SHOWN: Final = 5


@dataclass(frozen=True)
class RecordedCutOff:
    """A client that was disabled on a server, by the key or name that was asked for and the server's own id of it; `said` names
    the record: its ticket or id, and when.
    """

    server: str
    client: str
    identity: str
    said: str

    def is_about(self, change: Change) -> bool:
        """Whether the change is about that client."""
        address = change.address
        if address.kind is not Kind.CLIENT or address.server != self.server:
            return False
        live = {change.live.identity, change.live.client_id} - {""} if change.live is not None else set()
        return address.name == self.client or self.identity in live or self.client in live


def guarded(plan: Plan, recorded: Sequence[RecordedCutOff]) -> Plan:
    """The plan with the changes that undo a recorded cut-off at high risk, and the stop for them."""
    undone = {
        change.address: cut
        for cut in recorded
        for change in plan.changes
        if _gives_back(change) and cut.is_about(change)
    }
    if not undone:
        return plan
    changes = tuple(
        replace(change, risk=Risk.HIGH, note=f"{change.note} {_note(undone[change.address])}".strip())
        if change.address in undone
        else change
        for change in plan.changes
    )
    names = [f"{address} ({cut.said})" for address, cut in sorted(undone.items())]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    stop = Diagnostic(
        UNDOES_CUT_OFF,
        "The plan gives back what a cut-off took away",
        detail=f"Cut off, and allowed again by this plan: {', '.join(names[:_SHOWN])}{more}.",
        fix="Write the cut-off into the manifest: a revocation, or enabled: false. Where the incident is over, lift the rule "
        f"once with --allow {UNDOES_CUT_OFF}.",
    )
    return replace(plan, changes=changes, stops=(plan.stops + Diagnostics((stop,))).sorted())


def _gives_back(change: Change) -> bool:
    """Whether the client can get tokens again after the change."""
    if change.action in (Action.CREATE, Action.REPLACE):
        return not (isinstance(change.desired, Client) and change.desired.enabled is False)
    return any(field.path == "enabled" and field.after is True for field in change.fields)


def _note(cut: RecordedCutOff) -> str:
    return f"It was cut off ({cut.said}), and this undoes it."
