"""Findings about a plan, about the two sides, and about what is taken over, exported or taken back."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "external-missing",
        "error",
        "An object of another manifest is not there",
        "The manifest refers to a scope or client that another manifest owns (external: true), and never makes it. Without it an "
        "association would stand on nothing.",
        "Apply the manifest that owns it, or correct the name.",
    ),
    (
        "listed-association-kept",
        "warning",
        "A client of another manifest has a scope that its list leaves out",
        "The list of a scope's clients is whole, so others lose the scope. A client with another manifest's mark is left alone.",
        "Remove the association in the manifest that the client belongs to, or write it into the list.",
    ),
    (
        "rollback-not-lasting",
        "warning",
        "The manifest still asks for what is taken back",
        "A rollback changes the servers and not the manifest, so that the next apply makes the same changes again.",
        "Take the change back in the manifest too.",
    ),
    (
        "server-not-read",
        "warning",
        "A server was not read",
        "The run left it out, or it couldn't be read as a whole. What isn't known is neither created nor deleted.",
        "Include the server in the run, or see to it.",
    ),
    (
        "order-cycle",
        "error",
        "The changes wait for each other",
        "Every order of them would do one before what it needs. The message names the changes, address by address.",
        "Split the change: apply one part first, then the other.",
    ),
    (
        "no-default-known",
        "warning",
        "A default is not known",
        "null asks for the server's default, and the driver doesn't know what that is on this server.",
        "Write the value that you want.",
    ),
    (
        "rename-ends-tokens",
        "warning",
        "The server can't rename a client",
        "moved_from is carried out by deleting and creating, so tokens end, and an id or secret made by the server is a new one.",
        "Apply when the client's owner is ready for it.",
    ),
    (
        "tokens-unread",
        "warning",
        "Live tokens could not be counted",
        "The plan takes something away, and tokens that were issued before keep it until they expire. How many there are "
        "couldn't be read.",
        "Let oauthdeploy read the tokens, or write a revocation for the clients in question.",
    ),
    (
        "name-taken",
        "error",
        "The name is taken",
        "Another object of the server has the name, and the server lets only one have it; what comes is made before what goes, "
        "so this holds for an object that the plan deletes, too.",
        "Keep that object under its new key by moved_from, choose another name, or delete it in an apply of its own.",
    ),
    (
        "selection-matches-nothing",
        "info",
        "Selection matches no change",
        "A glob of --target or --exclude matches objects, and none of them is to be changed. One that matches no object at all "
        "is refused as wrong usage.",
        "Nothing, if they are as they should be; else copy an address from the plan.",
    ),
    (
        "target-pulled-in",
        "info",
        "Pulled in by --target",
        "A selected change depends on this one, so it is part of the run too.",
        "Nothing, if it may be done; else select less.",
    ),
    (
        "exclude-shielded",
        "info",
        "Left out by --exclude",
        "The change depends on one that is left out, so it can't be made either.",
        "Nothing, if it may wait; else exclude less.",
    ),
    (
        "revocation-client-absent",
        "info",
        "Nothing to block",
        "A revocation blocks a client that the server doesn't have, so there is nothing to do there.",
        "Nothing; check the name if the client should be there.",
    ),
    (
        "revocation-not-read",
        "error",
        "A revocation could not be checked",
        "The driver gave no answer about the client's tokens and state, which is a bug in it.",
        "Cut the client off by hand, and report the bug to the driver's author.",
    ),
    (
        "resource-owner-missing",
        "warning",
        "A resource owner is missing on a server",
        "Resource owners must have an account on both sides: the authorization server issues tokens for them, and the resource "
        "server runs as them. oauthdeploy never creates accounts.",
        "Create or enable the account, or take the name out of resource_owners.",
    ),
    (
        "client-account-missing",
        "warning",
        "The account behind a client is missing on a server",
        "With client credentials a client acts as its own account, which both sides must have.",
        "Create the account, or take client_credentials from the client's grants.",
    ),
    (
        "scope-on-one-side",
        "warning",
        "A scope is on one side only",
        "A scope opens something only where both sides have it: one grants it, the other lets it in.",
        "Write it into the manifest for both servers, or delete it on the one.",
    ),
    (
        "client-on-one-side",
        "warning",
        "A client is on one side only",
        "A client without its other side gets no token, or can't be blocked where its tokens are used.",
        "Write it into the manifest for both servers, or delete it on the one.",
    ),
    (
        "association-on-one-side",
        "warning",
        "An association is on one side only",
        "Where both sides hold associations, what one allows the other refuses.",
        "Write it into the manifest for both servers, or delete it on the one.",
    ),
    (
        "client-enabled-on-one-side",
        "warning",
        "A client is enabled on one side only",
        "What one side allows, the other refuses; unless a revocation says so, that is rarely meant.",
        "Write enabled for the client, or a revocation with block where it is meant to be cut off.",
    ),
    (
        "client-id-differs",
        "warning",
        "A client has two ids",
        "A token carries the id of the authorization server. A resource server that knows the client by another one doesn't find "
        "it, and blocking it there may have no effect.",
        "Cut the client off on the authorization server. Where a server takes client ids, delete the client on the resource "
        "server and apply.",
    ),
    (
        "trust-elsewhere",
        "warning",
        "A resource server trusts another server",
        "Tokens of a server that the manifest doesn't name as the trusted one open what the resource server serves.",
        "Apply the plan where it changes that; else write authorization_server as it is meant.",
    ),
    (
        "trust-unknown-server",
        "warning",
        "A resource server trusts a server that isn't written",
        "Tokens of a server that is none of the manifest open what the resource server serves.",
        "Write that server into the manifest, or apply the trust that is meant.",
    ),
    (
        "cross-side-unchecked",
        "info",
        "A check of both sides could not be made",
        "One side was left out of the run or couldn't be read, so nobody looked whether the two agree.",
        "Include both servers in the run, or compare them by hand.",
    ),
    (
        "cross-side-more",
        "warning",
        "More findings of the same kind",
        "Of many equal findings about the two sides the first ones are shown and the rest is counted.",
        "Put the first ones right, then look again.",
    ),
    (
        "baseline-expired",
        "warning",
        "An entry of the baseline has expired",
        "A known difference is accepted until a day that its owner gave; from then on it counts as drift again.",
        "Put the difference right, or give the entry a later day.",
    ),
    (
        "baseline-unused",
        "info",
        "An entry of the baseline matches nothing any more",
        "The difference that it accepts isn't there any more, and the entry would hide its return.",
        "Remove the entry.",
    ),
    (
        "export-unreadable",
        "warning",
        "A kind could not be read",
        "The server didn't let oauthdeploy read it, so the manifest says nothing about it.",
        "Let oauthdeploy read it, or leave it unmanaged.",
    ),
    (
        "export-left-out",
        "warning",
        "Something is left out",
        "The server holds something that a manifest can't say, or that isn't managed.",
        "It stays unmanaged; add it by hand if you need it.",
    ),
    (
        "export-differs",
        "warning",
        "A field differs between servers",
        "One object has one description in a manifest, and two servers hold different ones.",
        "Make them the same, or leave the field unmanaged.",
    ),
    (
        "export-gone",
        "warning",
        "An entry goes",
        "No server has the object any more, so the exported manifest doesn't have it either.",
        "Nothing, if it is meant to be gone.",
    ),
    (
        "export-only-on-target",
        "warning",
        "Only the target has an object",
        "export --from --to brings the target level with the source; what only the target has is left alone.",
        "With --mirror it is written as absent.",
    ),
    (
        "not-restorable",
        "warning",
        "Something can't be taken back",
        "Deleted tokens, ids and secrets that a server made, and what couldn't be removed, don't come back by a rollback.",
        "The finding says what to do by hand.",
    ),
    (
        "changed-since",
        "warning",
        "Left alone: changed since the run",
        "Somebody changed the object after the run that is taken back, and a rollback must not undo their work.",
        "Look at it; --allow changed-since takes it back all the same.",
    ),
    (
        "end-unknown",
        "warning",
        "The end of a change is unknown",
        "The run that is taken back ended before it knew whether the change was made.",
        "Look at the object on the server.",
    ),
    (
        "manifest-changed",
        "error",
        "The manifest has changed since the run",
        "An apply is resumed with the manifest that it began with; another one needs a plan of its own.",
        "Make a new plan and apply it.",
    ),
)
