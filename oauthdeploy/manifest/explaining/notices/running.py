"""Findings of a run while it changes servers, and afterwards."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "partial-apply",
        "error",
        "The plan was applied in part",
        "Some changes were made and some were not; the report says which.",
        "Fix the cause and run the same command again, or `oauthdeploy apply --resume`.",
    ),
    (
        "safety-stop",
        "error",
        "A safety rule stopped the plan",
        "Nothing was written. The message names the rule and its numbers.",
        "Check the plan; `oauthdeploy explain RULE` describes the rule.",
    ),
    (
        "stale-plan",
        "error",
        "The plan is out of date",
        "A server, the manifest or the source of a secret has changed since the plan was made. No further changes "
        "are made.",
        "Make a new plan and review it; `oauthdeploy show --check PLANFILE` shows what has changed.",
    ),
    (
        "lock-busy",
        "error",
        "Somebody else is applying",
        "Two simultaneous runs could undo each other's changes. The message says who holds the lock and since when.",
        "Wait (--lock-timeout), or check with `oauthdeploy force-unlock` whether that run is still alive.",
    ),
    (
        "lock-lost",
        "error",
        "The run has lost its lock",
        "The lock was removed, or it expired while the process was suspended, so another run may be applying. No "
        "further change is made.",
        "Check whether another run is active, then make a new plan.",
    ),
    (
        "journal-failed",
        "error",
        "The journal cannot be written or read",
        "Each change is recorded before it is sent, so that you can always tell what was done.",
        "Check the folder's permissions and free space, or choose another with --state-dir.",
    ),
    (
        "journal-unread",
        "warning",
        "The journal of the last run could not be read",
        "The journal shows whether a run was interrupted after a server generated a client's secret and before "
        "the secret was delivered.",
        "Restore the file as it was. If you cannot, check that the clients of that run can sign in, and delete the file.",
    ),
    (
        "server-moved",
        "error",
        "A journal or a baseline is of other servers",
        "It records the address, the driver with its options, the product and the environment of each server. "
        "What was done on one server says nothing about another, even under the same name: a rollback would "
        "delete objects that the run never created.",
        "Use the manifest and the environment that it was made with; if the server has moved, pass --allow "
        "server-moved.",
    ),
    (
        "servers-not-recorded",
        "error",
        "A journal or a baseline does not say which servers it is about",
        "Servers of the same name in another environment cannot be distinguished from its own, so nothing in it "
        "is used.",
        "Add the servers to a baseline with `oauthdeploy drift --baseline FILE --write-baseline`. If a journal "
        "belongs to the servers of the manifest, pass --allow servers-not-recorded.",
    ),
    (
        "cut-off-unproved",
        "warning",
        "Reading a server again does not prove the cut-off",
        "The server stored what was written, but that does not show that it refuses the client's tokens: a "
        "policy may not use it, or the product does not document it. Such a server is not reported as verified.",
        "Try a token of the client with --proof-token and --proof-url.",
    ),
    (
        "cut-off-forgotten",
        "warning",
        "A server has lost a cut-off, and the plan makes it again",
        "The audit file has the cut-off, and the server, which keeps its objects in memory alone, no longer has it.",
        "Write the cut-off into the manifest: a revocation, or enabled: false for the client.",
    ),
    (
        "state-not-writable",
        "error",
        "The folder for locks and journals cannot be written",
        "A run that writes takes a lock and keeps a journal first. A manifest's folder may be read-only, as a ConfigMap is.",
        "Name another folder with --state-dir.",
    ),
    (
        "audit-not-written",
        "error",
        "The audit record cannot be written",
        "A run that requires an audit record does not start without one.",
        "Check the file or service that receives the record.",
    ),
    (
        "secret-not-delivered",
        "error",
        "A secret that a server generated could not be delivered",
        "The client exists, but its secret was not delivered: the target refused it, or the server's response had "
        "no secret or a masked one.",
        "Fix the target in secret.deliver_to, then raise secret.revision to generate a new secret.",
    ),
    (
        "fields-lost",
        "error",
        "A change removed something that it was not meant to touch",
        "The server replaced the object although only some of its fields were sent, or somebody else changed it "
        "at the same time.",
        "Restore what the finding names; the journal has the earlier state of the object.",
    ),
    (
        "secret-not-there",
        "warning",
        "The delivered secret of a client is not there",
        "The manifest says where the secret that the server generated is delivered, and nothing is there. The "
        "server does not return it again.",
        "Restore the file, raise secret.revision to get a new secret, or remove deliver_to from the manifest.",
    ),
    (
        "secret-not-live",
        "warning",
        "The delivered secret of a client is not the live one",
        "The server returns secrets, and the client's is another one than the one that was delivered: somebody else renewed "
        "it. After a renewal by this run, this is an error.",
        "Raise secret.revision to get a new secret, or put the live one in the place that deliver_to names.",
    ),
    (
        "secret-not-checked",
        "warning",
        "The delivered secret of a client could not be checked",
        "The file that deliver_to names is there, and this account may not read it.",
        "Check the permissions of the file.",
    ),
    (
        "delivery-not-possible",
        "warning",
        "A secret that the plan generates cannot be delivered",
        "The place of delivery has something that oauthdeploy did not write. apply stops before it writes anything.",
        "Move it away, name another place in secret.deliver_to, or run with --overwrite.",
    ),
    (
        "secret-lost",
        "warning",
        "The secret of a client was probably lost",
        "A run ended after the server generated a secret and before it was delivered.",
        "Raise secret.revision to generate a new secret.",
    ),
    (
        "dependency-failed",
        "warning",
        "Not tried, because a change that it depends on was not made",
        "A failure stops only the changes that depend on it.",
        "Fix the named change and apply again.",
    ),
    (
        "interrupted",
        "warning",
        "Not tried, because the run was interrupted",
        "Requests in progress are finished, and no new ones are started.",
        "Apply again.",
    ),
    (
        "server-gave-up",
        "warning",
        "Not tried, because the server kept failing",
        "After several failures in a row, the server gets no more requests in this run.",
        "Repair the server, then apply again.",
    ),
    (
        "field-not-kept",
        "warning",
        "The server did not store a field as it was sent",
        "It dropped or rewrote the value. The next apply sends it again; if two in a row have the same result, plans show this "
        "finding and no change.",
        "Write the value as the server stores it, or leave the field out so that it is not managed.",
    ),
    (
        "not-in-force",
        "error",
        "A field is not in force",
        "The server accepted the request, but dropped or rewrote a field that decides who may do what, such as PKCE, a "
        "redirect URI or a lifetime; or it kept the old value of any field. The change has failed, and the next plan shows "
        "it again.",
        "Check whether the server supports the value; then write one that it stores, or leave the field out.",
    ),
    (
        "change-not-kept",
        "error",
        "A change did not last",
        "The server reported success, but reading the object again shows the earlier state.",
        "Check whether something else changes the server, then make a plan.",
    ),
    (
        "not-verified",
        "warning",
        "A change could not be verified",
        "It was made, but reading the object again, or testing with a token, failed.",
        "Make a plan: it is empty if the change took effect.",
    ),
    (
        "introspection-refused",
        "error",
        "The authorization server refuses introspection",
        "The manifest's client or account for introspection was tried with a token that nobody has issued, and was refused. "
        "The resource server would refuse every token.",
        "Correct introspection of the authorization server's entry, or give the account the right to introspect there.",
    ),
    (
        "cut-off-proved",
        "info",
        "Proved by a token",
        "A token issued before the cut-off was tried and is now refused.",
        "Nothing.",
    ),
    (
        "cut-off-incomplete",
        "error",
        "A client is not cut off completely",
        "The server reported success, but a token or the client is still accepted.",
        "Apply again. If the client still gets or uses tokens, block it on both sides.",
    ),
    (
        "cut-off-not-offered",
        "warning",
        "A server does not support this way of cutting off",
        "Its driver cannot do what was asked, such as deleting tokens on a server that holds none.",
        "Do it by hand on that server, or select the tokens in another way.",
    ),
    (
        "server-left-out",
        "warning",
        "A server was skipped, so the client is not cut off there",
        "It could not be reached, and a cut-off must not wait for it.",
        "Run the same command again when the server responds, or cut the client off there by hand.",
    ),
    (
        "system-trouble",
        "error",
        "The machine lacks something, or refused an operation",
        "No space, no memory, no threads, too many open files, or a file or folder that cannot be used.",
        "The message names the limit or the file.",
    ),
    (
        "internal-error",
        "error",
        "This is a bug in oauthdeploy",
        "An unexpected error occurred. Its message is withheld if it could contain one of your values.",
        "Please report it, with the output of `oauthdeploy version -o json` and the command that you ran.",
    ),
)
