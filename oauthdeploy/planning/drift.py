"""Drift: how live differs from the manifest, by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostics, Path
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason
from oauthdeploy.planning.documents import Document, diagnostic_documents, field_document
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.sides import disagreements

DRIFT_FORMAT: Final = "oauthdeploy/drift"
DRIFT_FORMAT_VERSION: Final = "1.0"


class DriftClass(StrEnum):
    """The classes of drift; the last two are no drift and never count."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    CHANGED = "changed"
    SIDES_DISAGREE = "sides-disagree"
    CANNOT_COMPARE = "cannot-compare"
    UNREADABLE = "unreadable"

    @property
    def counts(self) -> bool:
        """True where the class is real drift."""
        return self not in (DriftClass.CANNOT_COMPARE, DriftClass.UNREADABLE)


@dataclass(frozen=True)
class DriftItem:
    """One difference. `fields` read before = live, after = manifest; `detail` says it in words."""

    kind: DriftClass
    address: Address
    detail: str
    fields: tuple[FieldChange, ...] = ()
    place: Path = ()


@dataclass(frozen=True)
class DriftReport:
    """All differences, by address; `plan` is what would repair them."""

    plan: Plan
    items: tuple[DriftItem, ...]
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def drifted(self) -> bool:
        """True where live differs from the manifest."""
        return any(item.kind.counts for item in self.items)


# -- classifying ------------------------------------------------------------------------------------------------------


def classify(desired: DesiredState, live: LiveState, plan: Plan) -> DriftReport:
    """Tell the differences between live and manifest by class.

    What the policy leaves alone (`plan.kept`) is no drift. What two sides disagree about is told besides the difference from
    the manifest, since it is what their callers run into. Only objects and accounts that the manifest puts on both sides are
    looked at; findings about others stand in `diagnostics`.
    """
    items = [
        *(_item_of(change) for change in plan.changes),
        *(
            DriftItem(DriftClass.SIDES_DISAGREE, found.address, found.detail, place=found.place)
            for found in disagreements(desired, live)
        ),
        *(_blind(address, path, desired) for address, path in plan.blind),
        *_unreadable(live),
    ]
    ordered = sorted(items, key=lambda item: (item.address.sort_key, list(DriftClass).index(item.kind), item.detail))
    return DriftReport(plan=plan, items=tuple(ordered), diagnostics=plan.diagnostics)


def _item_of(change: Change) -> DriftItem:
    server = change.address.server
    match change.action:
        case Action.CREATE:
            kind, detail = DriftClass.MISSING, f"{server} doesn't have it."
        case Action.DELETE:
            why = (
                "The manifest wants it gone"
                if change.reason is Reason.MARKED_ABSENT
                else "The manifest doesn't name it"
            )
            kind, detail = DriftClass.UNEXPECTED, f"{why}, and {server} has it."
        case Action.UPDATE | Action.REPLACE:
            kind, detail = DriftClass.CHANGED, _changed(change)
        case Action.DISABLE | Action.REVOKE:
            kind, detail = DriftClass.CHANGED, _not_cut_off(change)
        case _:
            assert_never(change.action)
    return DriftItem(kind, change.address, detail, change.fields, change.place)


def _changed(change: Change) -> str:
    renamed = f"{change.address.server} has it as {change.former}. " if change.former is not None else ""
    paths = ", ".join(field.path for field in change.fields)
    return f"{renamed}{'Different: ' + paths + '.' if paths else ''}".strip()


def _not_cut_off(change: Change) -> str:
    client = change.desired.client if isinstance(change.desired, Revocation) else ""
    left = {field.path: field.before for field in change.fields}
    said = []
    if "tokens.active" in left:
        number = left["tokens.active"]
        said.append(f"has {number} live {'token' if number == 1 else 'tokens'}")
    if "blocked" in left:
        said.append("is enabled")
    return f"Client '{client}' is to be cut off and {' and '.join(said)} on {change.address.server}."


def _blind(address: Address, path: str, desired: DesiredState) -> DriftItem:
    detail = f"{address.server} doesn't tell {path}."
    return DriftItem(DriftClass.CANNOT_COMPARE, address, detail, place=desired.places.get(address, ()))


def _unreadable(live: LiveState) -> Iterator[DriftItem]:
    """One item for each kind that a server didn't show; `*` stands for all names."""
    for name, state in sorted(live.servers.items()):
        for kind, why in state.unreadable.items():
            names = {Kind.ASSOCIATION: "*:*"}.get(kind, "" if kind.is_singleton else "*")
            address = Address(kind, names, name)
            yield DriftItem(DriftClass.UNREADABLE, address, f"{why.summary}. {why.detail}".strip())


# -- as a document ----------------------------------------------------------------------------------------------------


def drift_document(report: DriftReport) -> Document:
    """The report as JSON (`schemas/drift.v1.schema.json`), in stable order, without secrets. In fields, before is live and
    after is the manifest.
    """
    counts = Counter(item.kind for item in report.items)
    return {
        "format": DRIFT_FORMAT,
        "format_version": DRIFT_FORMAT_VERSION,
        "name": report.plan.name,
        "manifest_digest": report.plan.manifest_digest,
        "drifted": report.drifted,
        "summary": {kind.value: counts[kind] for kind in DriftClass},
        "items": [
            {
                "class": item.kind.value,
                "address": str(item.address),
                "detail": item.detail,
                "fields": [field_document(field) for field in item.fields],
                "place": list(item.place),
            }
            for item in report.items
        ],
        "diagnostics": diagnostic_documents(report.diagnostics),
    }
