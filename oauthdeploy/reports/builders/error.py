"""The report of a command that failed before it had one: the error, in every requested format."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.errors import ManifestInvalid, OAuthDeployError, ServersFailed
from oauthdeploy.reports.diagnostics import finding_of
from oauthdeploy.reports.document import Report, Run, Verdict
from oauthdeploy.reports.formatting import listed, visible


def error_report(error: OAuthDeployError, run: Run, files: tuple[str, ...] = (), base: Report | None = None) -> Report:
    """The error as a report of `run`; `base` is an earlier report of the command, such as the plan of an apply."""
    known = base or Report(run, visible(listed(list(files))) or "?", Verdict.FAILED, "", files=files)
    found = Diagnostics.of(findings_of(error))
    reported = {(item.rule, item.address) for item in known.findings}
    return replace(
        known,
        run=run,
        verdict=Verdict.FAILED,
        headline=f"{visible(error.summary)}. Nothing else was done.",
        subject=None,
        findings=known.findings + Diagnostics.of(item for item in found if (item.rule, item.address) not in reported),
    )


def findings_of(error: OAuthDeployError) -> Iterator[Diagnostic]:
    """An error as findings: those of an invalid manifest, those of each failed server, or else one for the error itself."""
    if isinstance(error, ManifestInvalid):
        yield from error.diagnostics
    elif isinstance(error, ServersFailed):
        for member in error.members:
            yield from findings_of(member)
    else:
        yield finding_of(error)
