"""The findings of an apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oauthdeploy.core.diagnostics import Diagnostic, Severity
from oauthdeploy.core.errors import DeliveryFailed, LockLost, OAuthDeployError, ServerError, StalePlan
from oauthdeploy.core.secrets import MASK, Secret
from oauthdeploy.core.system_trouble import trouble_of
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Change, FieldChange
from oauthdeploy.planning.normalize import same
from oauthdeploy.planning.unkept import NOT_KEPT, is_for_people

BUG = "This is a bug in oauthdeploy."
NOT_IN_FORCE = "not-in-force"
FIELDS_LOST = "fields-lost"
NOT_VERIFIED = "not-verified"
NOT_LIVE = "secret-not-live"
STALE = StalePlan.rule
NEW_SECRET = (
    "To get a new secret, raise secret.revision and apply again if the server can generate one; otherwise, take the secret "
    "from the server's admin page, or delete the client and apply again."
)


def of_error(error: OAuthDeployError, change: Change) -> Diagnostic:
    """Why a change failed, from its error."""
    detail = error.detail
    if isinstance(error, ServerError):
        detail = f"{error.server}: {detail}" if detail else error.server
    return about(change, error.rule, error.summary, detail, error.fix)


def of_exception(error: BaseException, problem: str, change: Change) -> Diagnostic:
    """Why a change failed with an exception: a problem of the machine by its name, anything else as a bug."""
    if trouble := trouble_of(error):
        return about(change, trouble.rule, trouble.summary, trouble.detail, f"{trouble.fix} Then run plan again.")
    return of_bug(f"{type(error).__name__} {problem}", change)


def of_bug(problem: str, change: Change) -> Diagnostic:
    """Why a change failed because of a bug in oauthdeploy or in a driver. `problem` contains no value of the manifest."""
    return about(
        change,
        "internal-error",
        "The driver failed in an unexpected way",
        f"{change.address.server}: {problem}. {BUG}",
        "Check the object on the server, then run plan again; please report what you did.",
    )


def skipped(change: Change, cause: Change, how: str) -> Diagnostic:
    """Why a change was not tried: a change that it depends on was not made."""
    return about(
        change,
        "dependency-failed",
        "Not tried, because a change that it depends on was not made",
        f"It depends on {cause.address}, which {how}.",
        f"Fix {cause.address} and apply again.",
        Severity.WARNING,
    )


def lock_lost(change: Change) -> Diagnostic:
    """Why a change was not tried: another run may be applying now."""
    return about(
        change,
        LockLost.rule,
        "Not tried, because the run has lost its lock",
        "The lock was removed, or it expired while the process was suspended.",
        "Check whether another run is active, then make a new plan.",
    )


def interrupted(change: Change) -> Diagnostic:
    """Why a change was not tried: the run was interrupted."""
    return about(
        change, "interrupted", "Not tried, because the run was interrupted", "", "Apply again.", Severity.WARNING
    )


def stale(change: Change, detail: str) -> Diagnostic:
    """Why a change was not made: its object has changed since the plan was made."""
    return about(
        change,
        STALE,
        "The object has changed since the plan was made",
        f"{detail[:1].upper()}{detail[1:]}.",
        "Make a new plan and review it.",
    )


def gave_up(change: Change) -> Diagnostic:
    """Why a change was not tried: its server failed too often in a row."""
    return about(
        change,
        "server-gave-up",
        "Not tried, because the server kept failing",
        f"{change.address.server} failed too often in a row.",
        "Repair the server, then apply again.",
        Severity.WARNING,
    )


def not_delivered(error: DeliveryFailed, change: Change) -> Diagnostic:
    """The object exists but its secret is lost: what failed, and how to recover."""
    return about(
        change,
        error.rule,
        error.summary,
        f"{error.detail} The change was made on {change.address.server}, but the secret that the server generated is lost.",
        f"{error.fix} {NEW_SECRET}",
    )


def not_live(change: Change, detail: str) -> Diagnostic:
    """The delivered secret is not the one that the server accepts, or not the one at the place of delivery."""
    return about(change, NOT_LIVE, "The delivered secret of a client is not the live one", detail, NEW_SECRET)


def fields_lost(change: Change, lost: Sequence[str]) -> Diagnostic:
    """The change was made, and removed something else as well."""
    return about(
        change,
        FIELDS_LOST,
        "A change removed something that it was not meant to touch",
        f"{change.address.server} no longer holds {', '.join(lost)}, and the change was not meant to touch it.",
        "Restore it: the journal has the object as it was, and rollback writes the fields that a manifest can write.",
    )


def no_answer(
    error: OAuthDeployError, change: Change, seen: str, *, secret_lost: bool, perhaps: bool = False
) -> Diagnostic:
    """The response to a write was lost; `seen` says what reading the server showed.

    `secret_lost`: the response contained a secret; `perhaps`: it is unknown whether the change was made.
    """
    found = of_error(error, change)
    detail = f"{found.detail}; {seen}" if found.detail else seen
    if secret_lost:
        if_made = "If the change was made, the" if perhaps else "The"
        detail += f" {if_made} secret that the server generated was in the lost response."
    return about(change, found.rule, found.summary, detail, NEW_SECRET if secret_lost else "Apply again.")


def not_kept(change: Change, field: FieldChange) -> Diagnostic:
    """A field that the server dropped or stored in its own way: `before` is what it has, `after` what was sent.

    A text or name for people that was stored in another form is a warning. Any other field decides who may do what. If it still
    has the value from before the change, the change had no effect and has failed.
    """
    detail = f"{field.path}: sent {shown(field.after)}, the server has {shown(field.before)}."
    unchanged = any(one.path == field.path and same(one.before, field.before) for one in change.fields)
    if change.action is Action.UPDATE and unchanged:
        return Diagnostic(
            NOT_IN_FORCE,
            "A change had no effect, because the server kept the old value",
            detail=detail,
            fix="Check whether the server supports the value; then write one that it stores, or leave the field out.",
            address=str(change.address),
        )
    if is_for_people(change.address.kind, field):
        return Diagnostic(
            NOT_KEPT,
            "The server did not store a field as it was sent",
            detail=detail,
            fix="Write the value as the server stores it, or leave the field out so that it is not managed.",
            severity=Severity.WARNING,
            address=str(change.address),
        )
    return Diagnostic(
        NOT_IN_FORCE,
        "A field is not in force, because the server did not store it as it was sent",
        detail=detail,
        fix="Check whether the server supports the value; then write one that it stores, or leave the field out.",
        address=str(change.address),
    )


def mark_not_kept(change: Change, live: LiveObject | None) -> Diagnostic:
    """A mark that the server accepted, and that the object does not have; `live` is the object now."""
    detail = f"{change.live_address} does not exist any more."
    if live is not None:
        owner = f"the mark of '{live.owner}'" if live.owner else "no mark"
        detail = f"{change.live_address} has {owner}."
    return about(
        change,
        NOT_IN_FORCE,
        "A field is not in force, because the server did not store it as it was sent",
        detail,
        "Check whether somebody else is changing the object, and run adopt again.",
    )


def shown(value: Any) -> str:
    """A value for a sentence; secrets are masked."""
    if value is None:
        return "nothing"
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, tuple | list):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return str(value)


def cut_off_incomplete(change: Change, detail: str) -> Diagnostic:
    """A cut-off that was reported as made, but is not effective."""
    fix = "Apply again. If the client still gets or uses tokens, block it on both sides."
    return about(change, "cut-off-incomplete", "A client is not cut off completely", detail, fix)


def about(
    change: Change, rule: str, summary: str, detail: str, fix: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    """A finding about a change, with its address and its place in the manifest."""
    return Diagnostic(
        rule, summary, detail=detail, fix=fix, severity=severity, address=str(change.address), path=change.place
    )
