"""Errors of the commands themselves: wrong usage, and files that cannot be read or written."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "error",
        "error",
        "Something went wrong",
        "The message describes the problem; there is no specific rule for it.",
        "The message says what to do.",
    ),
    (
        "usage",
        "error",
        "Wrong usage of the command line",
        "A flag, a value or a combination of flags is not valid.",
        "Run `oauthdeploy COMMAND --help` to see the flags and arguments.",
    ),
    (
        "manifest-invalid",
        "error",
        "The manifest is not valid",
        "It has errors, each with its own rule and place. The same applies to variable files and baselines.",
        "Correct the findings; `oauthdeploy explain RULE` describes each rule.",
    ),
    (
        "output-not-written",
        "error",
        "A report cannot be written",
        "The file given with -o or --out cannot be created, or the disk is full.",
        "Choose a file in an existing, writable folder.",
    ),
    (
        "not-a-plan",
        "error",
        "The file is not a plan that can be used",
        "It is truncated, not a plan file, or from another release.",
        "Save a new one with `oauthdeploy plan --out PLANFILE`.",
    ),
    (
        "plan-edited",
        "error",
        "The plan file was edited",
        "Its content is not what its digest says, so it is not what was reviewed.",
        "Use the file exactly as saved, or make and review a new plan.",
    ),
    (
        "not-known",
        "error",
        "A saved plan cannot be checked",
        "Something that the plan is about cannot be read, so nobody knows whether the plan still holds. SARIF reports have "
        "it as a notification for each kind that could not be read.",
        "Give the account permission to read it, or repair the server; then apply the plan again.",
    ),
    (
        "record-unusable",
        "error",
        "The file is not a record",
        "doctor --compare reads what doctor -o json wrote; the file cannot be read or has another form.",
        "Write it with doctor -o json=FILE.",
    ),
    (
        "plan-unreadable",
        "error",
        "The plan file cannot be read",
        "There is no such file, or its rights forbid it.",
        "Check its name and permissions.",
    ),
    (
        "not-exported",
        "error",
        "The servers cannot be exported",
        "The state that was read cannot be expressed as a manifest whose plan is empty.",
        "The message names the obstacle.",
    ),
    (
        "client-not-there",
        "error",
        "There is no such client",
        "No server in this run has a client with that name, so nothing would be cut off.",
        "Check the name; `oauthdeploy tokens` lists the clients that have tokens.",
    ),
    (
        "token-not-there",
        "error",
        "There is no such token",
        "No server lists a token that matches that handle and the other selections, so nothing would be deleted.",
        "It may have expired, or the handle is mistyped; `oauthdeploy tokens list` shows the handles.",
    ),
    (
        "file-exists",
        "error",
        "The file already exists",
        "init never overwrites a manifest.",
        "Choose another file, or remove the existing one.",
    ),
    (
        "file-not-written",
        "error",
        "A manifest cannot be written",
        "It is write-protected, is not a regular file, was changed since it was read, or the disk is full. The "
        "file was not changed.",
        "Fix the problem with the file, then run the command again.",
    ),
    (
        "file-not-changed",
        "error",
        "A manifest cannot be changed in place",
        "The change cannot be made without altering handwritten content around it.",
        "Make the change by hand.",
    ),
    (
        "file-not-edited",
        "error",
        "An entry cannot be added to the manifest",
        "Adding it would change other parts of the manifest, or the manifest came from standard input.",
        "Write the entry by hand; the message shows it.",
    ),
    (
        "not-formatted",
        "error",
        "The file cannot be formatted without changing it",
        "Each result is parsed and compared with the original. This one would differ, so the file was not changed.",
        "This is a bug in oauthdeploy; please report it with an example of the file, without its secrets.",
    ),
    (
        "ignore-ambiguous",
        "error",
        "A comment that ignores a finding cannot stay on its line",
        "In the formatted file, the line would contain other values, so the comment would ignore other findings. "
        "The file was not changed.",
        "Put the value on its own line, with the comment at the end of that line.",
    ),
    (
        "schema-missing",
        "error",
        "A schema is missing from the installation",
        "The schemas are part of the package, but this one was not found.",
        "Install oauthdeploy again.",
    ),
    (
        "extra-missing",
        "error",
        "A part of the package is not installed",
        "The command or module needs Python packages that only an extra of the package brings.",
        "Run the command in the message. It adds the extra to this installation.",
    ),
    (
        "server-not-started",
        "error",
        "The embedded server cannot be started",
        "Its port is in use, or its folder cannot be used.",
        "Choose another port or folder; the message says which.",
    ),
    (
        "demo-failed",
        "error",
        "The demo cannot continue",
        "A step did not give the expected result, usually because a port is in use.",
        "Run it again; the message says what happened.",
    ),
    (
        "metrics-failed",
        "error",
        "Metrics cannot be served",
        "The address is in use.",
        "Choose another address.",
    ),
)
