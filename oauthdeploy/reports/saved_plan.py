"""A saved plan for people: the plan and what it is bound to, from the file alone, and what has changed since."""

from __future__ import annotations

from oauthdeploy.planning.json_documents import Document
from oauthdeploy.planning.planfile.binding import Binding
from oauthdeploy.planning.planfile.decoding import NotAPlan, saved_plan
from oauthdeploy.planning.planfile.plan_file import SavedPlan
from oauthdeploy.planning.planfile.staleness import Comparison
from oauthdeploy.planning.unread import not_known, unread_documents
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.console import Look, Sheet
from oauthdeploy.reports.document import Report
from oauthdeploy.reports.formatting import counted, listed, visible
from oauthdeploy.reports.text import render_text

__all__ = ["NotAPlan", "check_document", "render_binding", "render_check", "render_saved", "saved_plan", "saved_report"]


def render_saved(saved: SavedPlan, look: Look) -> str:
    """The plan as it was shown when it was made, and its origin."""
    shown = render_text(saved_report(saved), look)
    return f"{shown}\n{render_binding(saved.binding, look)}" if saved.binding else shown


def saved_report(saved: SavedPlan) -> Report:
    """The plan as a report, from the file alone: without places in the manifest, which may have changed since."""
    selection = saved.binding.selection if saved.binding else None
    partial = selection is not None and bool(selection.servers or selection.targets or selection.excludes)
    return plan_report(saved.plan, partial=partial)


def render_binding(binding: Binding, look: Look) -> str:
    """The options and the release that made the plan, and the origins of its secrets."""
    sheet = Sheet(look)
    request = binding.request
    files = [visible(file) for file in request.files]
    environment = f", environment {visible(request.environment)}" if request.environment else ""
    sheet.add(f"Saved by oauthdeploy {visible(binding.tool)} from {listed(files, 8)}{environment}.", hang=2)
    for name, values in (
        ("--server", binding.selection.servers),
        ("--target", binding.selection.targets),
        ("--exclude", binding.selection.excludes),
    ):
        if values:
            sheet.add(f"Selected by {name} {visible(' '.join(values))}.", hang=2)
    given = [f"{item.name} ({item.source})" for item in request.variables if item.source != "default"]
    if given:
        sheet.add(visible(f"Variables: {listed(given, 8)}."), hang=2)
    origins = sorted({secret.origin for secret in binding.secrets})
    if origins:
        most = len(origins) if look.verbose else 8
        sheet.add(
            (visible(f"Secrets are read again when the plan is applied: {listed(origins, most)}."), "faint"), hang=2
        )
    if look.verbose:
        for driver in binding.drivers:
            words = f"Driver {driver.name}: {driver.package} {driver.version}, interface {driver.api_version}."
            sheet.add((visible(words), "faint"), hang=2)
    return sheet.text()


def render_check(saved: SavedPlan, found: Comparison, look: Look) -> str:
    """What has changed since the plan was made, or that it can be applied, or that it was applied."""
    sheet = Sheet(look)
    for item in found.moved:
        sheet.add((visible(item.subject), "name"), f": {visible(item.detail)}", hang=2)
    if found.moved:
        sheet.blank()
    if found.in_place:
        sheet.add(in_place_line(len(found.in_place), len(saved.plan.changes)), hang=2)
    if found.stale:
        sheet.add((f"The plan is stale: {counted(len(found.moved), 'difference')} since it was made.", "error"), hang=2)
    elif len(found.in_place) < len(saved.plan.changes):
        sheet.add(("Nothing has changed: the plan can be applied.", "good"), hang=2)
    elif not found.in_place:
        sheet.add(("Nothing has changed: there is still nothing to do.", "good"), hang=2)
    if found.unread:
        sheet.add((visible(not_known(found.unread)), "error"), hang=2)
    return sheet.text()


def in_place_line(in_place: int, total: int) -> str:
    """The number of changes of a saved plan that were already made."""
    if in_place == total:
        return "Every change of the saved plan is already in place."
    return f"{in_place:,} of {counted(total, 'change')} of the saved plan {'is' if in_place == 1 else 'are'} already in place."


def check_document(saved: SavedPlan, found: Comparison) -> Document:
    """The document of `show --check -o json`."""
    return {
        "format": "oauthdeploy/check",
        "format_version": "1.0",
        "name": saved.plan.name,
        "stale": found.stale,
        "moved": [{"subject": item.subject, "detail": item.detail} for item in found.moved],
        "in_place": [str(address) for address in found.in_place],
        "unread": list(unread_documents(found.unread)),
        "changes": len(saved.plan.changes),
    }
