"""Adoption: the live objects that the manifest names, what the next apply would change on them, and the marks to write.

Objects are matched by the server's natural key, so nothing is written on a server that cannot store marks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState, Ownership
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.json_documents import Document, diagnostic_documents, field_document
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.requirements import table_on

MARK: Final = "mark"
"""The path of the field change that writes a mark."""

ADOPT_FORMAT: Final = "oauthdeploy/adopt"
ADOPT_FORMAT_VERSION: Final = "1.0"
_MARKED: Final = (Kind.SCOPE, Kind.CLIENT)
_LOOKED_AT: Final = (Kind.TRUST, Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION)


class Adoptable(Struct, frozen=True):
    """A live object that the manifest names. `fields` are what the next apply would change; `marks` says whether its server
    can hold a mark.
    """

    address: Address
    live: LiveObject
    action: Action | None
    fields: tuple[FieldChange, ...]
    marks: bool

    @property
    def to_mark(self) -> bool:
        """Whether a mark will be written for it."""
        return self.marks and self.address.kind in _MARKED and self.live.ownership is not Ownership.OURS


class Adoption(Struct, frozen=True):
    """What can be adopted, by address. The changes of `plan` write the marks, and its stops say what prevents that;
    `missing` are entries of the manifest that exist on no server yet.
    """

    plan: Plan
    items: tuple[Adoptable, ...]
    missing: tuple[Address, ...]


def adoption(
    desired: DesiredState,
    live: LiveState,
    plan: Plan,
    facts: Mapping[str, DriverFacts],
    patterns: Collection[str] = (),
) -> Adoption:
    """Pair live objects with the manifest; `plan` is that of the next apply, `facts` are by driver name.

    `patterns` are address globs; none means all. An object with another manifest's mark triggers `foreign-ownership`.
    """
    changes = {change.live_address: change for change in plan.changes}
    names = Names(desired, live)
    items = []
    missing = []
    for address in sorted(desired.objects):
        if address.kind not in _LOOKED_AT or (patterns and not names.matches(address, patterns)):
            continue
        former = desired.moved.get(address)
        places = [address] if former is None else [address, Address(address.kind, former, address.server)]
        state = live.servers.get(address.server)
        if state is None or address.kind in state.unreadable:
            continue
        stands = next((place for place in places if place in state.objects), None)
        if stands is None:
            missing.append(address)
            continue
        marks = bool(supports(table_on(facts, desired.servers[address.server], state), Capability.MARKS))
        items.append(_item(address, state.objects[stands], changes.get(stands), marks=marks))
    to_write = tuple(_mark(item, desired.name) for item in items if item.to_mark)
    return Adoption(
        plan=Plan(
            name=desired.name,
            changes=to_write,
            servers=plan.servers,
            diagnostics=plan.diagnostics,
            stops=Diagnostics.of(_foreign(item, desired.name) for item in items if item.to_mark and _is_foreign(item)),
            manifest_digest=plan.manifest_digest,
        ),
        items=tuple(items),
        missing=tuple(missing),
    )


def _item(address: Address, live: LiveObject, change: Change | None, *, marks: bool) -> Adoptable:
    return Adoptable(address, live, change.action if change else None, change.fields if change else (), marks)


def _mark(item: Adoptable, owner: str) -> Change:
    from_whom = item.live.owner or None
    return Change(
        address=item.address,
        action=Action.UPDATE,
        reason=Reason.DIFFERS,
        stage=Stage.WIDEN_RESOURCE,
        desired=item.live.value,
        live=item.live,
        fields=(FieldChange(MARK, from_whom, owner),),
        batch=str(item.address),
        note=f"Marked as '{owner}'; nothing else changes.",
    )


def _is_foreign(item: Adoptable) -> bool:
    return item.live.ownership is Ownership.FOREIGN


def _foreign(item: Adoptable, name: str) -> Diagnostic:
    return Diagnostic(
        "foreign-ownership",
        "An object belongs to another manifest",
        detail=f"{item.address} is marked as '{item.live.owner or 'unknown'}', not as '{name}'.",
        fix="Change it in the manifest that owns it, or override the rule once with --allow foreign-ownership.",
        address=str(item.address),
    )


def adoption_document(found: Adoption, written: Collection[Address], failed: Diagnostics) -> Document:
    """As JSON: each object with its identity, its owner and the fields that the next apply would change; no secret."""
    return {
        "format": ADOPT_FORMAT,
        "format_version": ADOPT_FORMAT_VERSION,
        "name": found.plan.name,
        "objects": [
            {
                "address": str(item.address),
                "identity": item.live.identity,
                "ownership": item.live.ownership.value,
                "owner": item.live.owner,
                "can_be_marked": item.marks,
                "marked": item.address in written,
                "next_action": item.action.value if item.action else None,
                "fields": [field_document(field) for field in item.fields],
            }
            for item in found.items
        ],
        "missing": [str(address) for address in found.missing],
        "to_mark": [str(change.address) for change in found.plan.changes],
        "stops": diagnostic_documents(found.plan.stops),
        "failed": diagnostic_documents(failed),
    }
