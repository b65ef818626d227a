"""Differences between live state and manifest, by class.

    missing          the manifest has it, the server does not
    unexpected       the server has it, and the manifest marks it absent, would prune it, or does not name it
    changed          a written field differs, or a cut-off is not in force
    sides-disagree   a resource server and its authorization server hold different things, named in the manifest or not
    cannot-compare   the server does not return a field; not drift
    unreadable       a kind could not be read; not drift

Objects that the manifest does not name count as drift, although a plan leaves them alone: drift reports are meant to find
clients created by hand. Three groups do not count: kinds of which the manifest names nothing on that server (they are not
managed there), associations of clients whose list the manifest does not write, and objects with another manifest's mark. If
others also work on a server without marks, `unnamed=False` leaves all such objects out, or a baseline lists the known ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Path
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.state import DesiredState, LiveState
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason
from oauthdeploy.planning.cross_side import REPORTED_AS_DRIFT, disagreements, unnamed_disagreements
from oauthdeploy.planning.diff import EXTERNAL_MISSING
from oauthdeploy.planning.identities import Names
from oauthdeploy.planning.json_documents import Document, diagnostic_documents, field_document
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.unmanaged import RULES as KEPT_RULES
from oauthdeploy.planning.unmanaged import Kept, counted, kept_documents
from oauthdeploy.planning.unread import unread_documents

DRIFT_FORMAT: Final = "oauthdeploy/drift"
DRIFT_FORMAT_VERSION: Final = "1.3"


class DriftClass(StrEnum):
    """The classes of a drift report; the last two are not drift and never count."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    CHANGED = "changed"
    SIDES_DISAGREE = "sides-disagree"
    CANNOT_COMPARE = "cannot-compare"
    UNREADABLE = "unreadable"

    @property
    def counts(self) -> bool:
        """True if the class counts as drift."""
        return self not in (DriftClass.CANNOT_COMPARE, DriftClass.UNREADABLE)


class Acceptance(Struct, frozen=True):
    """Who accepts a known difference, why, and until which day; `place` is the line of the baseline's entry."""

    owner: str
    reason: str
    expires: date
    place: str = ""


class DriftItem(Struct, frozen=True):
    """One difference. `fields` read before = live, after = manifest; `detail` describes it; `others` are the other names of
    the object. `orphaned` is true if the object carries this manifest's mark but the manifest no longer names it.
    """

    kind: DriftClass
    address: Address
    detail: str
    fields: tuple[FieldChange, ...] = ()
    place: Path = ()
    accepted: Acceptance | None = None
    others: tuple[Address, ...] = ()
    orphaned: bool = False

    @property
    def counts(self) -> bool:
        """True if it is drift and not accepted."""
        return self.kind.counts and self.accepted is None


class BaselineUse(Struct, frozen=True):
    """How a baseline was used: the number of its entries, and the positions of those that have expired or match nothing."""

    entries: int
    expired: tuple[int, ...] = ()
    unused: tuple[int, ...] = ()

    @property
    def active(self) -> int:
        """The entries that still accept something, or would."""
        return self.entries - len(set(self.expired) | set(self.unused))


class DriftReport(Struct, frozen=True):
    """All differences, by address; `plan` would repair those that an apply can repair.

    `kept` are live objects that the manifest does not name and that are not items; `left_alone` counts those that were left
    out on request. `requests` is the number of requests for reading, by server; `baseline` is None if none was used.
    """

    plan: Plan
    items: tuple[DriftItem, ...]
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    left_alone: int = 0
    kept: tuple[Kept, ...] = ()
    requests: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    baseline: BaselineUse | None = None

    @property
    def drifted(self) -> bool:
        """True if live differs from the manifest in something that is not accepted."""
        return any(item.counts for item in self.items)

    @property
    def accepted(self) -> tuple[DriftItem, ...]:
        """What a baseline accepts."""
        return tuple(item for item in self.items if item.accepted is not None)


def in_order(items: Iterable[DriftItem]) -> tuple[DriftItem, ...]:
    """By address, then by class."""
    classes = list(DriftClass)
    return tuple(sorted(items, key=lambda item: (item.address.sort_key, classes.index(item.kind), item.detail)))


# -- classifying ------------------------------------------------------------------------------------------------------


def classify(
    desired: DesiredState,
    live: LiveState,
    plan: Plan,
    facts: Mapping[str, DriverFacts],
    *,
    unnamed: bool = True,
    selected: Callable[[Address], bool] = lambda _address: True,
) -> DriftReport:
    """Classify the differences between live state and manifest; `facts` are by driver name.

    A disagreement between two sides is reported in addition to each side's difference from the manifest, because it is what
    callers notice. `unnamed` says whether objects that the manifest does not name count; those that it created always do.
    `selected` filters the items that are not changes of the plan, which has been filtered already.
    """
    kept = [item for item in plan.kept if selected(item.address)]
    strays = [item for item in counted(kept) if unnamed or item.orphaned]
    # These are reported as items, so their findings would be duplicates.
    reported = (REPORTED_AS_DRIFT if unnamed else frozenset()) | {EXTERNAL_MISSING}
    beside = [
        *_disagreements(desired, live, facts, unnamed=unnamed),
        *(_incomparable(address, path, desired) for address, path in plan.incomparable),
        *map(_stray, strays),
        *(_external(found) for found in plan.diagnostics if found.rule == EXTERNAL_MISSING),
    ]
    items = [*map(_item_of, plan.changes), *(item for item in beside if selected(item.address)), *_unreadable(live)]
    names = Names(desired, live)
    return DriftReport(
        plan=plan,
        items=in_order(replace(item, others=tuple(names.others(item.address))) for item in items),
        diagnostics=Diagnostics.of(found for found in plan.diagnostics if found.rule not in reported | KEPT_RULES),
        left_alone=len(counted(kept)) - len(strays),
        kept=tuple(item for item in kept if not item.weighs or not (unnamed or item.orphaned)),
        requests=MappingProxyType({name: state.requests for name, state in sorted(live.servers.items())}),
    )


def _disagreements(
    desired: DesiredState, live: LiveState, facts: Mapping[str, DriverFacts], *, unnamed: bool
) -> Iterator[DriftItem]:
    found = (*disagreements(desired, live), *(unnamed_disagreements(desired, live, facts) if unnamed else ()))
    for item in found:
        yield DriftItem(DriftClass.SIDES_DISAGREE, item.address, item.detail, place=item.place)


def _stray(kept: Kept) -> DriftItem:
    reason = (
        "Orphaned: this manifest made it, and no longer names it" if kept.orphaned else "The manifest does not name it"
    )
    detail = f"{reason}, and {kept.address.server} has it. An apply leaves it alone."
    return DriftItem(DriftClass.UNEXPECTED, kept.address, detail, orphaned=kept.orphaned)


def _external(found: Diagnostic) -> DriftItem:
    return DriftItem(DriftClass.MISSING, Address.parse(found.address), f"{found.detail} {found.fix}", place=found.path)


def _item_of(change: Change) -> DriftItem:
    server = change.address.server
    match change.action:
        case Action.CREATE:
            kind, detail = DriftClass.MISSING, f"{server} does not have it."
        case Action.DELETE:
            why = (
                "The manifest declares it absent"
                if change.reason is Reason.MARKED_ABSENT
                else "The manifest does not name it"
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
    states = []
    if "tokens.active" in left:
        number = left["tokens.active"]
        states.append(f"has {number} live {'token' if number == 1 else 'tokens'}")
    if "tokens.refused" in left:
        states.append("has its former tokens accepted")
    if "blocked" in left:
        states.append("is enabled")
    return f"The manifest cuts off client '{client}', which {' and '.join(states)} on {change.address.server}."


def _incomparable(address: Address, path: str, desired: DesiredState) -> DriftItem:
    detail = f"{address.server} does not return {path}, so it cannot be compared."
    return DriftItem(DriftClass.CANNOT_COMPARE, address, detail, place=desired.places.get(address, ()))


def _unreadable(live: LiveState) -> Iterator[DriftItem]:
    """One item for each kind that could not be read; `*` stands for all names."""
    for name, state in sorted(live.servers.items()):
        for kind, why in (*state.unreadable.items(), *state.hidden.items()):
            names = {Kind.ASSOCIATION: "*:*"}.get(kind, "" if kind.is_singleton else "*")
            address = Address(kind, names, name)
            yield DriftItem(DriftClass.UNREADABLE, address, f"{why.summary}. {why.detail}".strip())


# -- as a document ----------------------------------------------------------------------------------------------------


def drift_document(report: DriftReport) -> Document:
    """The report as JSON (`schemas/drift.v1.schema.json`), in stable order, without secrets. In fields, before is live and
    after is the manifest. `summary` counts all items, those that are accepted too.
    """
    counts = Counter(item.kind for item in report.items)
    return {
        "format": DRIFT_FORMAT,
        "format_version": DRIFT_FORMAT_VERSION,
        "name": report.plan.name,
        "manifest_digest": report.plan.manifest_digest,
        "drifted": report.drifted,
        "summary": {kind.value: counts[kind] for kind in DriftClass},
        "accepted": len(report.accepted),
        "baseline": None if report.baseline is None else _baseline_document(report.baseline),
        "left_alone": report.left_alone,
        "kept": list(kept_documents(report.kept)),
        "unread": list(unread_documents(report.plan.unread)),
        "requests": dict(report.requests),
        "items": [
            {
                "class": item.kind.value,
                "address": str(item.address),
                "detail": item.detail,
                "fields": [field_document(field) for field in item.fields],
                "place": list(item.place),
                "orphaned": item.orphaned,
                "accepted": None if item.accepted is None else _acceptance_document(item.accepted),
            }
            for item in report.items
        ],
        "diagnostics": diagnostic_documents(report.diagnostics),
    }


def _acceptance_document(accepted: Acceptance) -> Document:
    return {
        "owner": accepted.owner,
        "reason": accepted.reason,
        "expires": accepted.expires.isoformat(),
        "place": accepted.place,
    }


def _baseline_document(use: BaselineUse) -> Document:
    return {"entries": use.entries, "active": use.active, "expired": len(use.expired), "unused": len(use.unused)}
