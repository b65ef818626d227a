"""Write a cut-off that was made into the manifest's files."""

from __future__ import annotations

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.editing.files import replace_file
from oauthdeploy.manifest.editing.insert import NotInserted
from oauthdeploy.manifest.editing.revocations import Addition, add_revocation, entry_text
from oauthdeploy.model.objects import Revocation
from oauthdeploy.workflow.opening import validate


def record_revocation(request: ManifestRequest, key: str, revocation: Revocation) -> Addition:
    """Add the revocation to the manifest's files, whose comments and form stay, and see that no new error comes of it.

    Raises NotInserted and FileNotWritten; then the files are as they were.
    """
    addition = add_revocation(request, key, revocation)
    if addition.already:
        return addition
    before = _errors(request)
    replace_file(addition.file, addition.before, addition.after)
    new = [item for identity, item in _errors(request).items() if identity not in before]
    if new:
        replace_file(addition.file, addition.after, addition.before)
        raise NotInserted(
            "The cut-off is no valid entry of the manifest",
            detail="\n".join(f"[{item.rule}] {item.detail or item.summary}" for item in new),
            fix=f"The file is as it was. Put right what is named, and write the entry by hand:\n"
            f"{entry_text(addition.key, revocation)}",
        )
    return addition


def _errors(request: ManifestRequest) -> dict[tuple[str, str], Diagnostic]:
    _manifest, found = validate(request)
    return {(item.rule, item.detail): item for item in found.errors}
