"""What a run says while it changes servers, and afterwards."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "partial-apply",
        "error",
        "A part was applied",
        "Some changes were made and some were not; the report says which.",
        "Put the cause right and run the same command again, or `oauthdeploy apply --resume`.",
    ),
    (
        "safety-stop",
        "error",
        "A safety rule stands between the plan and the servers",
        "Nothing was written. The rule that stopped the plan is named with its numbers.",
        "Check the plan; `oauthdeploy explain` tells about the rule that is named.",
    ),
    (
        "stale-plan",
        "error",
        "What the plan was made from has moved",
        "A server, the manifest or a secret's source is not as it was when the plan was made. Nothing is written past it.",
        "Make a new plan and review it; `oauthdeploy show --check PLANFILE` says what has moved.",
    ),
    (
        "lock-busy",
        "error",
        "Somebody else is applying",
        "Two runs at once would work against each other. The message says whose lock it is and since when.",
        "Wait (--lock-timeout), or look with `oauthdeploy force-unlock` whether that run is still alive.",
    ),
    (
        "journal-failed",
        "error",
        "The journal can't be written or read",
        "Nothing is sent that isn't written down first, since nobody could tell afterwards what was done.",
        "See to the folder and its room, or name another one with --state-dir.",
    ),
    (
        "server-moved",
        "error",
        "A journal or a baseline is of other servers",
        "It records the address, the driver with its options, the product and the environment of each server. What was done on "
        "one server says nothing about another, even under the same name: a rollback would delete what it never made.",
        "Use the manifest and the environment that it was made with; where the server has moved, --allow server-moved.",
    ),
    (
        "state-not-writable",
        "error",
        "The folder of locks and journals can't be written",
        "A run that writes takes a lock and keeps a journal first. A manifest's folder may be read-only, as a ConfigMap is.",
        "Name another folder with --state-dir.",
    ),
    (
        "audit-not-written",
        "error",
        "The audit record can't be written",
        "A run that must be recorded isn't made without its record.",
        "See to the file or service that the record goes to.",
    ),
    (
        "secret-not-delivered",
        "error",
        "A secret that a server made could not be handed over",
        "The client is there, and its secret reached nobody: the place refused it, or the server's answer held none or a mask.",
        "See to the place that secret.deliver_to names, then have a new secret made by a higher secret.revision.",
    ),
    (
        "fields-lost",
        "error",
        "A change removed something that it was not meant to touch",
        "The server replaced the object where it was asked to change some fields of it, or somebody else changed it just then.",
        "Put back what the finding names; the journal has the object as it was.",
    ),
    (
        "secret-lost",
        "warning",
        "The secret of a client was probably lost",
        "A run ended between the server's making a secret and its delivery.",
        "Have a new secret made by a higher secret.revision.",
    ),
    (
        "dependency-failed",
        "warning",
        "Not tried, because a change that it depends on was not made",
        "A failure stops what depends on it and nothing else.",
        "Put the named change right and apply again.",
    ),
    (
        "interrupted",
        "warning",
        "Not tried, because the run was interrupted",
        "Requests in flight are finished, and nothing new is begun.",
        "Apply again.",
    ),
    (
        "server-gave-up",
        "warning",
        "Not tried, because the server kept failing",
        "After several failures in a row the server is left alone for the rest of the run.",
        "Repair the server, then apply again.",
    ),
    (
        "field-not-kept",
        "warning",
        "The server did not store a field as it was sent",
        "It dropped or rewrote the value, so the next plan would show the same change again.",
        "Write the value as the server stores it, or leave the field out so that it is not managed.",
    ),
    (
        "change-not-kept",
        "error",
        "A change did not last",
        "The server reported it as made, and reading it again shows the state from before.",
        "See whether something else writes to the server, then make a plan.",
    ),
    (
        "not-verified",
        "warning",
        "A change could not be verified",
        "It was made, and reading it again, or asking with a token, didn't work.",
        "Make a plan: it is empty where the change holds.",
    ),
    (
        "cut-off-proved",
        "info",
        "Proved by a token",
        "A token from before the cut-off was tried and is refused now.",
        "Nothing.",
    ),
    (
        "cut-off-incomplete",
        "error",
        "A client is not cut off completely",
        "The cut-off was reported as made, and a token or the client is still let in.",
        "Apply again; where the client goes on getting or using tokens, block it on both sides.",
    ),
    (
        "cut-off-not-offered",
        "warning",
        "A server can't be cut off from in this way",
        "Its driver can't do what was asked, such as deleting tokens on a server that holds none.",
        "Do it by hand there, or choose another selection.",
    ),
    (
        "server-left-out",
        "warning",
        "A server is left out, and the client is not cut off there",
        "It couldn't be reached, and a cut-off must not wait for it.",
        "Run the same command again when the server answers, or cut the client off by hand there.",
    ),
    (
        "internal-error",
        "error",
        "This is a bug in oauthdeploy",
        "Something failed in a way that nobody expected. The message is withheld where it could contain one of your values.",
        "Please report it, with the output of `oauthdeploy version -o json` and the command that you ran.",
    ),
)
