"""Safety stops: what keeps `apply` from writing until it is named in `--allow`."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "too-many-deletes",
        "error",
        "Too many objects would be deleted",
        "A wrong file, environment or server shows itself by a plan that deletes much. The share of policy.limits.max_deletes "
        "counts for each kind and server from policy.limits.minimum_population on, and always where all clients or scopes of a "
        "server would go.",
        "Check the plan; raise policy.limits.max_deletes where it is meant.",
    ),
    (
        "too-many-updates",
        "error",
        "Too many objects would be changed",
        "A slip in a variable or an overlay shows itself by a plan that changes much; policy.limits.max_updates is the limit.",
        "Check the plan; raise policy.limits.max_updates where it is meant.",
    ),
    (
        "protected-object",
        "error",
        "A protected object would be deleted",
        "policy.protect names objects that must not be deleted, made anew or cut off by mistake.",
        "Take the object out of policy.protect if it may go.",
    ),
    (
        "protects-nothing",
        "error",
        "A protect pattern protects nothing, and the plan would prune",
        "A pattern of policy.protect that names no object may have been written for what is about to be deleted: a client that "
        "the manifest doesn't name goes by its label, such as client/Web Shop (1).",
        "Write the pattern as the plan names the object, by its label or by its id; remove it if nothing is meant.",
    ),
    (
        "foreign-ownership",
        "error",
        "An object belongs to another manifest",
        "The object carries the mark of another manifest's name. Two manifests that change one object undo each other's work.",
        "Change it in the manifest that it belongs to.",
    ),
    (
        "empty-manifest",
        "error",
        "The manifest names nothing, and the plan would delete",
        "With policy.prune a manifest without any scope, client or association asks for everything to go; mostly the wrong file "
        "was read.",
        "Check that the right files were read.",
    ),
    (
        "empty-section",
        "error",
        "A section is empty, and the plan would delete",
        "With policy.prune a server for which the manifest wants no object of a kind loses all of that kind; mostly a file is "
        "missing, or `on:` names too few servers.",
        "Check that section of the manifest.",
    ),
    (
        "self-lockout",
        "error",
        "The plan would shut out oauthdeploy or a resource server",
        "A change would end what the tool itself, or a resource server that asks the authorization server, signs in with: the "
        "client or account, its grant, how it proves itself, the scopes and mappers of its tokens, or a rule of the realm. The "
        "next run could not put it right.",
        "Use another account or client first.",
    ),
    (
        "still-granted",
        "error",
        "A resource server would lose what is still granted",
        "The authorization server still grants the scope or client, so its tokens would come to a resource server that refuses "
        "them. Where a pruned object would be concerned, it is kept, and that is a warning.",
        "Remove its associations on the authorization server too.",
    ),
    (
        "unreadable-guard",
        "error",
        "A guard could not be checked",
        "A safety rule needs objects that the server didn't let oauthdeploy read, so nobody knows whether it holds.",
        "Let oauthdeploy read them.",
    ),
    (
        "undoes-cut-off",
        "error",
        "The plan gives back what a cut-off took away",
        "`revoke` disabled the client, as its audit file says, and the manifest still wants it enabled: the next run would "
        "undo the cut-off.",
        "Write the cut-off into the manifest, as `revoke` does by itself; lift the rule once where the incident is over.",
    ),
    (
        "risk-too-high",
        "error",
        "The plan has a change of too high a risk",
        "--fail-on gives the highest risk that may pass without a person looking at it.",
        "Check the plan; then leave --fail-on out.",
    ),
)
