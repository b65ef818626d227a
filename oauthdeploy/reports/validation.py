"""What `validate` found, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.model.state import DesiredState
from oauthdeploy.reports.diagnostics import render_diagnostics, summary_of
from oauthdeploy.reports.sheet import Look, Sheet
from oauthdeploy.reports.words import counted, listed, visible

_COUNTED = (Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION)


def render_validation(files: Sequence[str], diagnostics: Diagnostics, desired: DesiredState | None, look: Look) -> str:
    """All findings, then the last line."""
    sheet = Sheet(look)
    sheet.block(render_diagnostics(diagnostics, look))
    sheet.blank()
    sheet.block(validation_line(files, diagnostics, desired, look))
    return sheet.text()


def validation_line(files: Sequence[str], diagnostics: Diagnostics, desired: DesiredState | None, look: Look) -> str:
    """Whether the manifest is valid, and what it holds; `desired` is None where it isn't."""
    sheet = Sheet(look)
    named = visible(listed(list(files)))
    if desired is None:
        sheet.add(("error: ", "error"), (f"{named} is not valid: {summary_of(diagnostics)}.", "strong"))
    else:
        warned = f" ({summary_of(diagnostics)})" if diagnostics.warnings else ""
        sheet.add((f"{named} is valid", "good"), f"{warned}: {_holdings(desired)}.")
    return sheet.text()


def _holdings(desired: DesiredState) -> str:
    """`2 servers, 3 scopes, 2 clients`: objects are counted once, on however many servers they are."""
    names = {(address.kind, address.name) for address in desired.objects}
    counts = Counter(kind for kind, _ in names)
    parts = [counted(len(desired.servers), "server")]
    parts += [counted(counts[kind], kind.value) for kind in _COUNTED if counts[kind]]
    return ", ".join(parts)
