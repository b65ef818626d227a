"""Errors of the commands themselves: wrong usage, and files that can't be read or written."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "error",
        "error",
        "Something went wrong",
        "The message says what; there is no rule of its own for it.",
        "The message says what to do.",
    ),
    (
        "usage",
        "error",
        "Wrong usage of the command line",
        "A flag, a value or a combination of them can't be.",
        "`oauthdeploy COMMAND --help` says what there is.",
    ),
    (
        "manifest-invalid",
        "error",
        "The manifest is not valid",
        "It has errors, each with its own rule and place. The same goes for variable files and baselines.",
        "Correct the findings; `oauthdeploy explain RULE` tells about each rule.",
    ),
    (
        "output-not-written",
        "error",
        "A report can't be written",
        "The file that -o or --out names can't be made, or the disk is full.",
        "Name a file in a folder that exists and can be written.",
    ),
    (
        "not-a-plan",
        "error",
        "The file is not a plan that can be used",
        "It is cut short, something else, or the plan of another release.",
        "Save a new one with `oauthdeploy plan --out PLANFILE`.",
    ),
    (
        "plan-edited",
        "error",
        "The plan file was edited",
        "Its content is not what its digest says, so it isn't what was reviewed.",
        "Use the file as it was saved, or make a new plan and review it.",
    ),
    (
        "plan-unreadable",
        "error",
        "The plan file can't be read",
        "There is no such file, or its rights forbid it.",
        "Check its name and permissions.",
    ),
    (
        "not-exported",
        "error",
        "The servers can't be exported",
        "What was read can't be made a manifest whose plan is empty.",
        "The message says what stands in the way.",
    ),
    (
        "client-not-there",
        "error",
        "There is no such client",
        "No server of the run has a client of that name, so nobody would be cut off.",
        "Check the name; `oauthdeploy tokens` lists whose tokens there are.",
    ),
    (
        "token-not-there",
        "error",
        "There is no such token",
        "No server lists a token with that handle and whatever else was selected, so nothing would be deleted.",
        "It has ended already, or the handle is mistyped; `oauthdeploy tokens list` shows the handles.",
    ),
    (
        "file-exists",
        "error",
        "The file is there already",
        "init never overwrites a manifest.",
        "Name another file, or remove that one.",
    ),
    (
        "file-not-written",
        "error",
        "A manifest can't be written",
        "It is write-protected, no regular file, changed since it was read, or there is no room. What was there is untouched.",
        "See to the file, then run the command again.",
    ),
    (
        "file-not-changed",
        "error",
        "A manifest can't be changed in place",
        "The change can't be made without touching what was written by hand around it.",
        "Make the change by hand.",
    ),
    (
        "file-not-edited",
        "error",
        "An entry can't be put into the manifest",
        "There is no place for it that keeps all else as it is, or the manifest came from standard input.",
        "Write the entry by hand; the message shows it.",
    ),
    (
        "not-formatted",
        "error",
        "The file can't be formatted without changing it",
        "Every result is read again and compared; this one would not say the same, so the file is left as it is.",
        "This is a bug in oauthdeploy; please report it with the file's form, without its secrets.",
    ),
    (
        "ignore-ambiguous",
        "error",
        "A comment that silences a finding can't be kept with what it speaks of",
        "In the canonical form its line would hold other values, so it would silence something else. The file is left as it is.",
        "Put the value that it is about on a line of its own, and the comment beside it.",
    ),
    (
        "schema-missing",
        "error",
        "A schema is missing from the installation",
        "The schemas come with the package, and this one wasn't found there.",
        "Install oauthdeploy again.",
    ),
    (
        "server-not-started",
        "error",
        "The embedded server can't be started",
        "Its port is taken, its folder can't be used, or its extra isn't installed.",
        "The message says which; `pip install 'oauthdeploy[server]'` brings the extra.",
    ),
    (
        "demo-failed",
        "error",
        "The demo can't go on",
        "A step didn't give what it shows, mostly because a port is taken.",
        "Run it again; the message says what happened.",
    ),
    (
        "metrics-failed",
        "error",
        "Metrics can't be served",
        "The address is taken, or the extra isn't installed.",
        "Choose another address; `pip install 'oauthdeploy[metrics]'` brings the extra.",
    ),
)
