"""Safety rules: what stops `apply` from writing until it is named in `--allow`."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "too-many-deletes",
        "error",
        "Too many objects would be deleted",
        "A plan that deletes many objects often means a wrong file, environment or server. The share in "
        "policy.limits.max_deletes applies to each kind and server with at least policy.limits.minimum_population "
        "objects, and always if all clients or scopes of a server would be deleted.",
        "Check the plan; raise policy.limits.max_deletes if the deletes are intended.",
    ),
    (
        "too-many-updates",
        "error",
        "Too many objects would be changed",
        "A plan that changes many objects often means a mistake in a variable or an overlay; "
        "policy.limits.max_updates is the limit.",
        "Check the plan; raise policy.limits.max_updates if the updates are intended.",
    ),
    (
        "protected-object",
        "error",
        "A protected object would be deleted",
        "policy.protect lists objects that must not be deleted, replaced or cut off by mistake.",
        "Remove the object from policy.protect if it may be deleted.",
    ),
    (
        "protects-nothing",
        "error",
        "A protect pattern matches nothing, and the plan would prune",
        "A pattern of policy.protect that matches no object may be meant for an object that would be deleted: a "
        "client that is not in the manifest is addressed by its label, such as client/Web Shop (1).",
        "Write the pattern with the label or id that the plan shows, or remove it if you do not need it.",
    ),
    (
        "foreign-ownership",
        "error",
        "An object belongs to another manifest",
        "The object has the ownership mark of another manifest. Two manifests that change the same object undo "
        "each other's changes.",
        "Change it in the manifest that owns it.",
    ),
    (
        "empty-manifest",
        "error",
        "The manifest is empty, and the plan would delete objects",
        "With policy.prune, a manifest without any scope, client or association deletes everything; usually, the "
        "wrong file was read.",
        "Check that the right files were read.",
    ),
    (
        "empty-section",
        "error",
        "A section is empty, and the plan would delete objects",
        "With policy.prune, a server loses all objects of a kind if the manifest has none of them for it; "
        "usually, a file is missing, or `on:` names too few servers.",
        "Check that section of the manifest.",
    ),
    (
        "self-lockout",
        "error",
        "The plan would lock out oauthdeploy or a resource server",
        "A change would end the access of oauthdeploy itself, or of a resource server that introspects tokens: "
        "it affects the client or account, its grant, its authentication, the scopes and mappers of its tokens, "
        "or a rule of the realm. The next run could not undo it.",
        "Use another account or client first.",
    ),
    (
        "still-granted",
        "error",
        "A resource server would lose what is still granted",
        "The authorization server still grants the scope or client, so the resource server would refuse its "
        "tokens. An object that would be pruned is kept, with a warning.",
        "Also remove its associations on the authorization server.",
    ),
    (
        "unreadable-guard",
        "error",
        "A safety check could not be made",
        "A safety rule needs objects that the server did not let oauthdeploy read, so the rule cannot be checked.",
        "Let oauthdeploy read them.",
    ),
    (
        "undoes-cut-off",
        "error",
        "The plan gives back what a cut-off took away",
        "A revocation disabled the client, as the audit file or the server's own mark says, and the manifest wants it enabled "
        "or created again: the next run would undo the cut-off.",
        "Write the cut-off into the manifest, as `revoke` does by itself; lift the rule once where the incident is over.",
    ),
    (
        "risk-too-high",
        "error",
        "The risk of a change is too high",
        "--fail-on sets the risk from which a person must review the plan.",
        "Check the plan; then leave --fail-on out.",
    ),
)
