"""The exit code of a plan, and the error of an apply that did not do everything."""

from __future__ import annotations

from collections.abc import Collection

from oauthdeploy.core.errors import LockLost, OAuthDeployError, PartialApply, RenewedElsewhere, StalePlan
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.planning.outcome import ApplyReport, Status
from oauthdeploy.planning.plan import Plan
from oauthdeploy.planning.revocation.request import LEFT_OUT
from oauthdeploy.planning.safety import RISK_RULE
from oauthdeploy.planning.unread import not_known
from oauthdeploy.running.apply_findings import NOT_VERIFIED


def exit_of_plan(plan: Plan, allow: Collection[str], *, detailed: bool) -> ExitCode:
    """What the next apply would meet first: what cannot be read, then a stop, then changes. Without `detailed`, changes and
    stops do not count, except for a stop of --fail-on, which was requested. `allow` are the safety rules that are lifted.
    """
    stops = {stop.rule for stop in plan.stops} - set(allow)
    if plan.unread:
        return ExitCode.UNREACHABLE
    if RISK_RULE in stops or (detailed and (plan.diagnostics.errors or (plan.changes and stops))):
        return ExitCode.SAFETY_STOP
    return ExitCode.CHANGES if detailed and plan.differs else ExitCode.DONE


def unfinished(report: ApplyReport, line: str) -> OAuthDeployError | None:
    """The error of an apply that did not do everything; None if it did. `line` says what it did, in a sentence."""
    if report.complete:
        return _unsure(report)
    if lost := [
        item.because for item in report.outcomes if item.because is not None and item.because.rule == LockLost.rule
    ]:
        return LockLost(
            "The run has lost its lock, and stopped",
            detail=f"{lost[0].detail} {line}",
            fix=lost[0].fix,
        )
    moved = [item for item in report.outcomes if item.because is not None and item.because.rule == StalePlan.rule]
    written = any(item.status in (Status.DONE, Status.UNKNOWN) for item in report.outcomes)
    if moved and not written:
        return StalePlan(
            "The servers have changed since the plan was made",
            detail="\n".join(f"{item.change.address}: {item.because.detail}" for item in moved if item.because),
            fix="Nothing was written. Make a new plan and review it.",
        )
    again = "Run the same command again to apply the remaining changes."
    return PartialApply(
        "Not all changes were made", detail=line, fix="Make a new plan and review it." if moved else again
    )


def _unsure(report: ApplyReport) -> PartialApply | None:
    """Why a run that made all changes of its plan is still not done; None if it is."""
    if left_out := [item.detail for item in report.plan.diagnostics if item.rule == LEFT_OUT]:
        return PartialApply(
            "Only the cut-offs were made, because a server did not respond",
            detail="\n".join(left_out),
            fix="Run the same command again when every server responds.",
        )
    if report.verification.errors:
        return PartialApply(
            "The servers do not hold everything that was applied",
            detail=f"Findings of the verification: {len(report.verification.errors)}.",
            fix="See the findings in the report.",
        )
    if unsure := [item for item in report.verification if item.rule == NOT_VERIFIED]:
        return PartialApply(
            "All changes were made, but not all could be verified",
            detail="\n".join(f"{item.address}: {item.detail or item.summary}" for item in unsure[:5]),
            fix="Run plan: if it is empty, everything was applied. Use --no-verify to skip verification.",
        )
    # Two machines that both raise a revision must not both end with 0. A secret that was changed at the server is a warning.
    if dead := [item.detail for item in report.plan.diagnostics if item.rule == RenewedElsewhere.rule]:
        return PartialApply(
            "A delivered secret is not the live one, so its client cannot sign in",
            detail="\n".join(dead),
            fix=f"Raise secret.revision, or add --ignore {RenewedElsewhere.rule} where another machine keeps the secret.",
        )
    if unread := report.plan.unread:
        return PartialApply(
            "Some objects that the manifest manages could not be read",
            detail=f"Nothing was planned for it; the findings of the plan say why.\n{not_known(unread)}",
        )
    return None
