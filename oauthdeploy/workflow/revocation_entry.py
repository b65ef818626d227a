"""Writes a completed cut-off into the manifest's files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.editing.files import replace_file
from oauthdeploy.manifest.editing.insert import NotInserted
from oauthdeploy.manifest.editing.revocations import Addition, add_revocation, entry_text
from oauthdeploy.model.objects import IssuedBefore, Revocation
from oauthdeploy.workflow.connections import validate
from oauthdeploy.workflow.revocation import Revoked
from oauthdeploy.workflow.revocation_request import RevocationRequest


def record_revocation(request: ManifestRequest, order: RevocationRequest, done: Revoked) -> tuple[Addition, ...]:
    """Add what was cut off to the manifest's files, keep their comments and layout, and check that this causes no new error.

    Returns for each revocation its position, or that of an existing entry. Raises NotInserted and FileNotWritten; the file
    is then unchanged.
    """
    return tuple(
        _record(request, key, _lasting(revocation, done.record.at)) for key, revocation in order.revocations.items()
    )


def _lasting(revocation: Revocation, moment: datetime) -> Revocation:
    """The revocation for the manifest. If the client is not blocked, tokens that it gets from now on stay valid."""
    if revocation.block or revocation.tokens != "all":
        return revocation
    bound = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    return revocation.model_copy(update={"tokens": IssuedBefore(issued_before=bound)})


def _record(request: ManifestRequest, key: str, revocation: Revocation) -> Addition:
    addition = add_revocation(request, key, revocation)
    if addition.already:
        return addition
    before = _errors(request)
    replace_file(addition.file, addition.before, addition.after)
    new = [item for identity, item in _errors(request).items() if identity not in before]
    if new:
        replace_file(addition.file, addition.after, addition.before)
        raise NotInserted(
            "The cut-off is not a valid entry of the manifest",
            detail="\n".join(f"[{item.rule}] {item.detail or item.summary}" for item in new),
            fix=f"The file was not changed. Fix the findings, and write the entry by hand:\n"
            f"{entry_text(addition.key, revocation)}",
        )
    return addition


def _errors(request: ManifestRequest) -> dict[tuple[str, str], Diagnostic]:
    _manifest, found = validate(request)
    return {(item.rule, item.detail): item for item in found.errors}
