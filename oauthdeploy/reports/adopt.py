"""An adoption, planned or done, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.state import Ownership
from oauthdeploy.planning.adoption import Adoptable, Adoption
from oauthdeploy.planning.changes import Action
from oauthdeploy.planning.outcome import Outcome, Status
from oauthdeploy.reports.builders.common import ACTIONS, fields_of
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.diagnostics import add_diagnostic
from oauthdeploy.reports.fields import add_fields
from oauthdeploy.reports.formatting import counted, visible

NOTHING_TO_WRITE = (
    "Nothing to write: these servers do not store ownership marks, and objects are matched by their natural key. "
    "`oauthdeploy apply` manages them from now on."
)
ALL_OURS = "Nothing to write: all objects already carry the manifest's mark."
NONE_THERE = "Nothing to adopt: none of these objects exists on the servers."


def render_adoption(
    found: Adoption, look: Look, *, outcomes: Sequence[Outcome] = (), allowed: Collection[str] = ()
) -> str:
    """All live objects that the manifest names, with what the next apply would change, then the marks."""
    sheet = Sheet(look)
    sheet.add(("Adoption for ", ""), (visible(found.plan.name), "title"))
    marked = {outcome.change.address for outcome in outcomes if outcome.status is Status.DONE}
    sheet.blank()
    for item in found.items:
        _add_item(sheet, item, found.plan.name, marked)
    for outcome in outcomes:
        if outcome.because is not None:
            sheet.blank()
            add_diagnostic(sheet, outcome.because)
    for stop in found.plan.stops:
        sheet.blank()
        add_diagnostic(sheet, stop)
        if stop.rule in allowed:
            sheet.add("  ", ("Lifted by --allow for this run.", "warning"))
    sheet.blank()
    sheet.add((adoption_line(found, outcomes), "strong"), hang=2)
    return sheet.text()


def adoption_line(found: Adoption, outcomes: Sequence[Outcome] = ()) -> str:
    """The last line: the number of objects of each kind, how many differ, and which marks are or were written."""
    if not found.items:
        return NONE_THERE
    differ = sum(item.action is not None for item in found.items)
    counts = _by_kind(item.address for item in found.items)
    parts = [f"{counts} found, {differ} of {counted(len(found.items), 'object')} would be changed by the next apply"]
    if found.missing:
        parts.append(f"{len(found.missing)} do not exist yet")
    head = f"{', '.join(parts)}. "
    if outcomes:
        done = sum(outcome.status is Status.DONE for outcome in outcomes)
        return (
            head
            + f"{counted(done, 'mark')} written"
            + ("." if done == len(outcomes) else f", {len(outcomes) - done} not.")
        )
    if found.plan.changes:
        return head + f"{counted(len(found.plan.changes), 'mark')} to write."
    return head + (ALL_OURS if any(item.marks for item in found.items) else NOTHING_TO_WRITE)


def _by_kind(addresses: Iterable[Address]) -> str:
    """`3 clients, 2 scopes and settings of 1 server`; the same object on two servers counts twice, as in the rest of this
    report.
    """
    numbers = Counter(address.kind for address in addresses)
    words = [
        f"{kind} of {counted(number, 'server')}" if kind.is_singleton else counted(number, kind.value)
        for kind, number in sorted(numbers.items(), key=lambda each: (each[0].is_singleton, each[0]))
    ]
    return " and ".join(([", ".join(words[:-1])] if words[1:] else []) + words[-1:])


def _add_item(sheet: Sheet, item: Adoptable, name: str, marked: Collection[Address]) -> None:
    identity = f"  {visible(item.live.identity)}" if item.live.identity else ""
    sheet.add("  ", (str(item.address), "name"), (identity, "faint"), (f"  {_state(item, name, marked)}", ""), hang=4)
    add_fields(sheet, fields_of(item.fields), ACTIONS[item.action or Action.UPDATE], 6)


def _state(item: Adoptable, name: str, marked: Collection[Address]) -> str:
    parts = [f"the next apply would {item.action} it" if item.action else "as the manifest says"]
    if item.address in marked:
        parts.append(f"marked as '{name}' now")
    elif item.to_mark:
        whose = f"'{visible(item.live.owner)}'" if item.live.ownership is Ownership.FOREIGN else "nobody"
        parts.append(f"marked by {whose} so far")
    return ", ".join(parts)
