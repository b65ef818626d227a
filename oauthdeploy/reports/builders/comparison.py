"""The report of a comparison of two servers or two environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.planning.drift.classification import DriftClass, DriftItem
from oauthdeploy.planning.omissions import Omission, counted_omissions, not_compared
from oauthdeploy.planning.plan import ServerSummary
from oauthdeploy.planning.unread import Unread, not_known
from oauthdeploy.reports.builders.common import CLASSES, columns_of, fields_of, in_order, placed, rows_of
from oauthdeploy.reports.builders.drift import counts_of, difference_line
from oauthdeploy.reports.document import Item, ManifestView, Report, Run, State, Verdict
from oauthdeploy.reports.formatting import visible

_TITLES: Final = {
    DriftClass.MISSING: "Only on {left}",
    DriftClass.UNEXPECTED: "Only on {right}",
    DriftClass.CHANGED: "Different, shown as {left} -> {right}",
    DriftClass.SIDES_DISAGREE: "Sides disagree",
    DriftClass.CANNOT_COMPARE: "Cannot be compared: the servers do not return these values",
    DriftClass.UNREADABLE: "Unreadable: could not be read",
}
_COUNTED: Final = {
    DriftClass.MISSING: "only on {left}",
    DriftClass.UNEXPECTED: "only on {right}",
    DriftClass.CHANGED: "different",
}


def comparison_report(
    left: str,
    right: str,
    items: Sequence[DriftItem],
    *,
    servers: Sequence[ServerSummary] = (),
    diagnostics: Diagnostics | None = None,
    unread: Sequence[Unread] = (),
    manifest: ManifestView | None = None,
    omissions: Sequence[Omission] = (),
    beyond: str = "",
) -> Report:
    """The differences between two sides, identified by their names.

    `missing` is what `left` has and `right` lacks, `unexpected` the reverse; in fields, before is `left` and after is
    `right`. The server of an item's address is the side that has it, `right` for a field that differs.
    """
    manifest = manifest or ManifestView()
    names = {"left": visible(left), "right": visible(right)}
    ordered = [item for kind in DriftClass for item in items if item.kind is kind]
    rendered = [_item(item, _state(item.kind, names), manifest) for item in ordered]
    known = tuple(replace(server, writes=None) for server in in_order(servers))
    columns = columns_of(known, rendered)
    counts = tuple(replace(count, state=_state(DriftClass(count.state.word), names)) for count in counts_of(items))
    seen = " in what could be read" if unread else ""
    clean, left_out = f"No difference between {names['left']} and {names['right']}{seen}.", _left_out(omissions, beyond)
    if left_out and not any(item.kind.counts for item in items):
        clean, left_out = f"{names['left']} and {names['right']} are equal in what was compared; {left_out}", ""
    verdict = Verdict.WAITING if any(item.kind.counts for item in items) else Verdict.CLEAN
    return Report(
        run=Run.COMPARE,
        name=f"{names['left']} and {names['right']}",
        verdict=Verdict.FAILED if unread else verdict,
        headline=" ".join(
            filter(
                None, (difference_line(counts, title="Different", clean=clean), _capital(left_out), not_known(unread))
            )
        ),
        unread=tuple(unread),
        closing=(not_known(unread),) if unread else (),
        servers=known,
        columns=columns,
        counts=counts,
        rows=rows_of(rendered, columns, key=lambda item: (item.state, item.address.without_server)),
        findings=Diagnostics.of([*(diagnostics or ()), *not_compared(omissions)]),
        omissions=tuple(omissions),
        beyond=beyond,
        files=manifest.files,
    )


def _left_out(omissions: Sequence[Omission], beyond: str) -> str:
    """What was not compared, in a sentence; "" if everything was."""
    named = [counted_omissions(omissions), beyond]
    return f"not compared: {'; '.join(filter(None, named))}." if any(named) else ""


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _state(kind: DriftClass, names: dict[str, str]) -> State:
    known = CLASSES[kind]
    return replace(
        known,
        title=_TITLES[kind].format(**names),
        counted=_COUNTED.get(kind, known.counted).format(**names),
        # The sign of an object that only one side has stands for what only that side has of an object, too.
        signs=(CLASSES[DriftClass.MISSING].symbol, CLASSES[DriftClass.UNEXPECTED].symbol),
    )


def _item(item: DriftItem, state: State, manifest: ManifestView) -> Item:
    note = "" if item.kind in (DriftClass.MISSING, DriftClass.UNEXPECTED) else visible(item.detail)
    return Item(
        item.address, state, fields=fields_of(item.fields), note=note, place=placed(manifest.locate, item.place)
    )
