"""What this driver finds about Open Policy Agent, in words that are true of every case."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "opa-data-in-memory",
        "info",
        "Policy data is in memory only",
        "When Open Policy Agent restarts, its policy data is gone, and until the next apply a policy refuses everybody.",
        "Apply after each start, or deliver the data as a bundle (`oauthdeploy bundle`).",
    ),
    (
        "opa-path-in-bundle",
        "error",
        "Policy data comes from a bundle",
        "A bundle owns the path, and Open Policy Agent lets nobody else write it.",
        "Write the document into that bundle (`oauthdeploy bundle`), or choose another options.path.",
    ),
    (
        "opa-secret-not-stored",
        "info",
        "The introspection secret is not written to OPA",
        "Policy data is no place for secrets: whoever may read it would read them.",
        "Give it to OPA as an environment variable, which the policy reads by opa.runtime().env.",
    ),
    (
        "bundle-needs-a-moment",
        "error",
        "A bundle can't say when",
        "A bundle is written before anybody knows when it will be loaded, so it must say up to when tokens are refused.",
        "Write tokens: {issued_before: ...} with the time of the incident.",
    ),
)
