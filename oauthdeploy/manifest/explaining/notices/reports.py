"""Rows of a report as findings, in JUnit and SARIF: each difference or change is one finding."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

_PLANNED: Final = {
    "create": ("The plan creates an object", "The manifest wants it, and the server does not have it."),
    "update": ("The plan changes an object", "The server has it with other values than the manifest."),
    "replace": ("The plan replaces an object", "A field differs that the server cannot change in place."),
    "delete": ("The plan deletes an object", "The manifest says absent, or policy.prune asks for it to go."),
    "disable": ("The plan disables a client", "A revocation blocks it, or the manifest says enabled: false."),
    "revoke": ("The plan revokes tokens", "A revocation in the manifest requires it."),
}
_FOUND: Final = {
    "missing": (
        "error",
        "An object of the manifest is missing on the server",
        "Somebody deleted it, or it was never applied.",
        "Apply the manifest, or remove the object from it.",
    ),
    "unexpected": (
        "error",
        "The server has an object that the manifest does not name",
        "Somebody made it by hand, or its removal was never applied.",
        "Apply the manifest, or write the object into it.",
    ),
    "changed": (
        "error",
        "The server differs from the manifest",
        "A managed field was changed manually, or a change in the manifest was never applied.",
        "Apply the manifest, or write the new value into it.",
    ),
    "sides-disagree": (
        "error",
        "Two sides disagree",
        "An object differs between the authorization server and the resource server.",
        "Apply the manifest to make both sides the same.",
    ),
    "cannot-compare": (
        "info",
        "A value cannot be compared",
        "The server does not return secrets, so the value cannot be compared with the manifest. This is never drift.",
        "Nothing; raise secret.revision to send it again.",
    ),
    "unreadable": (
        "warning",
        "A part of the server could not be read",
        "What is not known is neither drift nor in order.",
        "Let oauthdeploy read it.",
    ),
    "accepted": (
        "info",
        "A known difference is accepted",
        "The baseline has an entry for it, with owner, reason and last day.",
        "Nothing until that day.",
    ),
}
_COMPARED: Final = {
    "missing": ("Only the first side has the object", "The second server or environment lacks it."),
    "unexpected": ("Only the second side has the object", "The first server or environment lacks it."),
    "changed": ("The sides differ", "Both have the object, with other values."),
}

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "more-findings",
        "error",
        "Not all findings are shown",
        "The first thousand findings are kept, errors before warnings; the rest are counted by rule, so numbers and exit code "
        "stay true. Its severity is the highest of those that it counts.",
        "Fix the findings above and run the command again.",
    ),
    *(
        (f"planned-{word}", "info", title, f"{reason} A change of medium or high risk is a warning.", "Review it.")
        for word, (title, reason) in _PLANNED.items()
    ),
    *((f"drift-{word}", *texts) for word, texts in _FOUND.items()),
    *(
        (f"difference-{word}", severity, *_COMPARED.get(word, (title, reason)), "Decide which of the two is right.")
        for word, (severity, title, reason, _) in _FOUND.items()
    ),
    (
        "change-failed",
        "error",
        "A change failed",
        "The server did not make the change; the finding quotes the reason.",
        "Fix the cause and apply again.",
    ),
    (
        "change-unknown",
        "error",
        "It is unknown whether a change was made",
        "The request was sent, its response was lost, and reading the server did not show the outcome.",
        "Make a plan: it shows what is left to do.",
    ),
    (
        "change-skipped",
        "warning",
        "A change was not tried",
        "A change that it depends on was not made, or the run ended first.",
        "Apply again.",
    ),
)
