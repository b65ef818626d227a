"""This driver's findings about Open Policy Agent, in general terms."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "opa-data-in-memory",
        "info",
        "Policy data is only in memory",
        "When Open Policy Agent restarts, its policy data is lost, and policies refuse everybody until the next apply.",
        "Apply after each start, or deliver the data as a bundle (`oauthdeploy bundle`).",
    ),
    (
        "opa-introspects-unnamed",
        "warning",
        "Policies do not know as whom to introspect",
        "An introspection endpoint answers only authorized callers (RFC 7662 section 2.1), so a policy that signs in with "
        "the name in its data refuses every token.",
        "Write client_id and client_secret under introspection of the trusted server.",
    ),
    (
        "opa-path-in-bundle",
        "error",
        "Policy data comes from a bundle",
        "A bundle owns the path, so Open Policy Agent rejects other writes to it.",
        "Write the document into that bundle (`oauthdeploy bundle`), or choose another options.path.",
    ),
    (
        "opa-rules-at-path",
        "error",
        "Rules of a policy stand where the policy data belongs",
        "Open Policy Agent returns the values of rules as if they were data, and rejects writes there. So nothing there is "
        "compared or deleted.",
        "Give the policy a package elsewhere, or choose another options.path.",
    ),
    (
        "opa-value-above-path",
        "error",
        "The policy data has no place, because a value stands above it",
        "A document can only stand below an object: with a text at oauth, nothing can stand at oauth/orders.",
        "Delete that value through the API of Open Policy Agent, or choose another options.path.",
    ),
    (
        "opa-secret-not-stored",
        "info",
        "The introspection secret is not written to OPA",
        "Policy data is not secret: anyone who can read it would read the secret.",
        "Pass it to OPA in an environment variable, which the policy reads with opa.runtime().env.",
    ),
    (
        "bundle-needs-a-moment",
        "error",
        "A bundle needs the time of the revocation",
        "Nobody knows when a bundle will be loaded, so it must state the time before which tokens are refused.",
        "Write tokens: {issued_before: ...} with the time of the incident.",
    ),
)
