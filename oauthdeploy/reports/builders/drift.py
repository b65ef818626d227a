"""The report of a drift check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from oauthdeploy.planning.drift.classification import DriftClass, DriftItem, DriftReport
from oauthdeploy.planning.unread import not_known
from oauthdeploy.reports.builders.common import (
    ACCEPTED,
    CLASSES,
    columns_of,
    differing_lines,
    fields_of,
    in_order,
    kept_remarks,
    placed,
    rows_of,
)
from oauthdeploy.reports.document import Count, Item, ManifestView, Report, Run, Verdict
from oauthdeploy.reports.formatting import counted, visible

_CLEAN = "No drift. Both sides match the manifest."
_KNOWN_ONLY = "No drift beyond what the baseline accepts."


def drift_report(drift: DriftReport, manifest: ManifestView | None = None) -> Report:
    """Drift as a report: rows by class; before is live, and after is the manifest."""
    manifest = manifest or ManifestView()
    ordered = [item for kind in DriftClass for item in drift.items if item.kind is kind and item.accepted is None]
    items = [_item(item, manifest) for item in (*ordered, *drift.accepted)]
    servers = tuple(replace(server, writes=None) for server in in_order(drift.plan.servers))
    columns = columns_of(servers, items)
    counts = counts_of(drift.items)
    return Report(
        run=Run.DRIFT,
        name=visible(drift.plan.name),
        verdict=Verdict.FAILED if drift.plan.unread else Verdict.WAITING if drift.drifted else Verdict.CLEAN,
        headline=_line(drift, counts),
        subject=drift,
        servers=servers,
        columns=columns,
        counts=counts,
        rows=rows_of(items, columns, key=lambda item: (item.state, item.address.without_server)),
        findings=drift.diagnostics,
        facts=_left_alone(drift.left_alone),
        files=manifest.files,
        estate=manifest.desired,
        unread=drift.plan.unread,
        closing=_closing(drift),
        remarks=tuple(kept_remarks(drift.kept)),
    )


def _line(drift: DriftReport, counts: Sequence[Count]) -> str:
    unread = drift.plan.unread
    clean = "No drift in what could be read." if unread else _KNOWN_ONLY if drift.accepted else _CLEAN
    return " ".join((difference_line(counts, clean=clean), *_closing(drift)))


def _closing(drift: DriftReport) -> tuple[str, ...]:
    """Orphaned objects, and what is unknown."""
    orphaned = (item.address for item in drift.items if item.orphaned and item.accepted is None)
    return tuple(line for line in (*differing_lines(orphaned), not_known(drift.plan.unread)) if line)


def counts_of(items: Sequence[DriftItem]) -> tuple[Count, ...]:
    """The number of items in each class, and of accepted ones."""
    counts = Counter(item.kind for item in items if item.accepted is None)
    accepted = len(items) - counts.total()
    known = ((counts[kind], state) for kind, state in CLASSES.items())
    return tuple(Count(number, state) for number, state in (*known, (accepted, ACCEPTED)) if number)


def _left_alone(number: int) -> tuple[str, ...]:
    return (f"{counted(number, 'object')} that the manifest does not name were left out.",) if number else ()


def difference_line(counts: Sequence[Count], *, title: str = "Drift", clean: str = _CLEAN) -> str:
    """`Drift: 1 missing, 2 changed.`, or the sentence for no drift."""
    known = ", ".join(count.words for count in counts if count.state.real)
    rest = ", ".join(count.words for count in counts if not count.state.real)
    head = f"{title}: {known}." if known else clean
    return f"{head} Also: {rest}." if rest else head


def _item(item: DriftItem, manifest: ManifestView) -> Item:
    # The fields follow with their values, and the column says if the object is missing.
    detail = item.detail.partition("Different: ")[0].strip() if item.fields else item.detail
    if item.kind is DriftClass.MISSING:
        detail = ""
    accepted = item.accepted
    if accepted is not None:
        where = f", {accepted.place}" if accepted.place else ""
        detail = f"{item.kind}: {accepted.reason} ({accepted.owner}, until {accepted.expires}{where})"
    return Item(
        item.address,
        CLASSES[item.kind] if accepted is None else ACCEPTED,
        fields=fields_of(item.fields),
        note=visible(detail),
        place=placed(manifest.locate, item.place),
    )
