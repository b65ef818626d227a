"""The report of a validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.diagnostics import Diagnostics, Severity
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.unread import Unread, not_known
from oauthdeploy.reports.diagnostics import summary_of
from oauthdeploy.reports.document import Count, Report, Run, State, Verdict
from oauthdeploy.reports.formatting import counted, listed, visible

_COUNTED: Final = (Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION)


def validation_report(
    files: Sequence[str], diagnostics: Diagnostics, desired: DesiredState | None, unread: Sequence[Unread] = ()
) -> Report:
    """Findings as a report; `desired` is None if the manifest is not valid."""
    return Report(
        run=Run.VALIDATE,
        name=visible(listed(list(files))),
        verdict=Verdict.CLEAN if desired is not None and not unread else Verdict.FAILED,
        headline=f"{validation_line(files, diagnostics, desired)} {not_known(unread)}".rstrip(),
        counts=(
            Count(diagnostics.count(Severity.ERROR), State("error", "x", "errors", style="error")),
            Count(diagnostics.count(Severity.WARNING), State("warning", "!", "warnings", style="warning")),
        ),
        findings=diagnostics,
        files=tuple(files),
        estate=desired,
        unread=tuple(unread),
        closing=(not_known(unread),) if unread else (),
    )


def validation_line(files: Sequence[str], diagnostics: Diagnostics, desired: DesiredState | None) -> str:
    """Whether the manifest is valid, and what it contains."""
    named = visible(listed(list(files)))
    if desired is None:
        return f"{named} is not valid: {summary_of(diagnostics)}."
    warned = f" ({summary_of(diagnostics)})" if diagnostics.warnings else ""
    return f"{named} is valid{warned}: {_holdings(desired)}."


def _holdings(desired: DesiredState) -> str:
    """`2 servers, 3 scopes, 2 clients`: each object counts once, on any number of servers."""
    names = {(address.kind, address.name) for address in desired.objects}
    counts = Counter(kind for kind, _ in names)
    parts = [counted(len(desired.servers), "server")]
    parts += [counted(counts[kind], kind.value) for kind in _COUNTED if counts[kind]]
    return ", ".join(parts)
