"""Recorded cut-offs, and plans that would undo them.

A cut-off is recorded in the audit file and, on some servers, by a mark that names it. If a manifest without the revocation
has `enabled: true`, the next apply undoes the cut-off, and the plan alone would not show why that matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.model.objects import Client, Revocation
from oauthdeploy.model.state import LiveState
from oauthdeploy.planning.changes import Action, Change, Risk
from oauthdeploy.planning.plan import Plan

UNDOES_CUT_OFF: Final = "undoes-cut-off"
_SHOWN: Final = 5


class RecordedCutOff(Struct, frozen=True):
    """A client that was disabled on a server, by the key or name of the request and by the server's own id.

    `record` describes the record: its ticket or id, and the time. `name` is that of the revocation. `stands` is true if the
    server itself has the record and keeps the client disabled until it is enabled. `blocks` is false if only tokens were ended;
    `tokens` names them, as issued before the moment of the record, and is None if there were none.
    """

    server: str
    client: str
    identity: str
    record: str
    name: str = ""
    stands: bool = False
    blocks: bool = True
    tokens: Revocation | None = None

    def is_about(self, change: Change) -> bool:
        """Whether the change is about that client."""
        address = change.address
        if address.kind is not Kind.CLIENT or address.server != self.server:
            return False
        live = {change.live.identity, change.live.client_id} - {""} if change.live is not None else set()
        return address.name == self.client or self.identity in live or self.client in live


def marked(live: LiveState) -> Iterator[RecordedCutOff]:
    """The cut-offs that the servers themselves have recorded."""
    for server, state in live.servers.items():
        for client, name in state.cut_offs.items():
            yield RecordedCutOff(server, client, client, f"{name}, by its mark on {server}", name, stands=True)


def guarded(plan: Plan, recorded: Iterable[RecordedCutOff]) -> Plan:
    """The plan with high risk for the changes that undo a recorded cut-off, and with the stop for them."""
    undone = {
        change.address: cut
        for cut in recorded
        for change in plan.changes
        if cut.blocks and cut.is_about(change) and _gives_back(change, cut)
    }
    if not undone:
        return plan
    changes = tuple(
        replace(
            change,
            risk=Risk.HIGH,
            note=f"{change.note} {_note(undone[change.address])}".strip(),
            undoes=undone[change.address].name,
        )
        if change.address in undone
        else change
        for change in plan.changes
    )
    names = [f"{address} ({cut.record})" for address, cut in sorted(undone.items())]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    stop = Diagnostic(
        UNDOES_CUT_OFF,
        "The plan gives back what a cut-off took away",
        detail=f"Cut off, and allowed again by this plan: {', '.join(names[:_SHOWN])}{more}.",
        fix="Write the cut-off into the manifest: a revocation, or enabled: false. Where the incident is over, lift the rule "
        f"once with --allow {UNDOES_CUT_OFF}.",
    )
    return replace(plan, changes=changes, stops=(plan.stops + Diagnostics((stop,))).sorted())


def _gives_back(change: Change, cut: RecordedCutOff) -> bool:
    """Whether the client can get tokens again after the change."""
    if change.action in (Action.CREATE, Action.REPLACE):
        enabled = change.desired.enabled if isinstance(change.desired, Client) else None
        return enabled is True if cut.stands and change.action is Action.CREATE else enabled is not False
    return any(field.path == "enabled" and field.after is True for field in change.fields)


def _note(cut: RecordedCutOff) -> str:
    return f"It was cut off ({cut.record}), and this undoes it."
