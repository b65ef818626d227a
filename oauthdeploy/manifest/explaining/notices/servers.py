"""Errors of the way to a server, whatever it is; what one driver alone finds stands with that driver."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "server-unreachable",
        "error",
        "A server can't be reached",
        "No answer came: the name is unknown, the connection was refused or broken, TLS failed, or the time ran out.",
        "Look at url, tls and the proxy of the server's entry; `oauthdeploy ping` tries them without any change.",
    ),
    (
        "credentials-refused",
        "error",
        "The server refuses the credentials",
        "It answered 401: it doesn't know the account or client, or the secret is another one.",
        "Check the credentials of the server's entry and where they come from.",
    ),
    (
        "permission-denied",
        "error",
        "The server doesn't allow the request",
        "It answered 403: it accepts the credentials, and not for this request.",
        "Give the account the right that the message names.",
    ),
    (
        "list-filtered",
        "warning",
        "The account doesn't see everything",
        "The server leaves out of its lists what the account may not view, and says 200: what isn't in a list may be there. "
        "Where that touches an object that the manifest names, nothing of its kind is created, changed or deleted.",
        "Give the account the right to view all of the kind; for Keycloak the role view-clients or manage-clients.",
    ),
    (
        "not-found",
        "error",
        "The server doesn't have it",
        "It answered 404: the object is gone, or the address leads to another place than meant.",
        "Make a new plan; check url and options of the server's entry.",
    ),
    (
        "conflict",
        "error",
        "The server has it already, or still uses it",
        "It answered 409, mostly because somebody else changed it at the same time.",
        "Make a new plan and look at the object.",
    ),
    (
        "request-rejected",
        "error",
        "The server won't have it",
        "It understood the request and declined; its own words stand in the message.",
        "Correct what the words are about.",
    ),
    (
        "unexpected-answer",
        "error",
        "The answer is not what the protocol promises",
        "Something else than the expected server answered, such as a proxy or a login page, or its data has another shape.",
        "Check the url; ask with --trace what was really said.",
    ),
    (
        "server-error",
        "error",
        "A server did not do as asked",
        "Its answer fits no other case; its status and words stand in the message.",
        "See to the server, then run the command again.",
    ),
    (
        "servers-failed",
        "error",
        "Several servers failed",
        "Each with its own reason, which the message lists. The exit code is 8 where one couldn't be reached or signed in to.",
        "See to each of them.",
    ),
    (
        "server-lacks-api",
        "error",
        "The server lacks what the plan needs",
        "It answers, but its version or edition doesn't offer that part of its API.",
        "Update the server, or leave that part out of the manifest.",
    ),
    (
        "server-lacks-setting",
        "error",
        "The server doesn't have a setting",
        "Its version doesn't know the setting, so it can't be given the value.",
        "Leave the setting out for this server, or update the server.",
    ),
    (
        "server-url",
        "error",
        "The address can't be used",
        "The url of the server's entry is no http or https address that can be asked.",
        "Correct url in the server's entry.",
    ),
    (
        "proxy-url",
        "error",
        "The address of the proxy can't be used",
        "The proxy that the entry or the environment names is no address that can be asked.",
        "Correct the proxy's address.",
    ),
    (
        "server-credentials",
        "error",
        "The credentials of a server are not what its driver takes",
        "Each driver has its own keys for them; `oauthdeploy explain servers.credentials` lists them.",
        "Correct the server's entry.",
    ),
    (
        "server-options",
        "error",
        "The options of a server are not what its driver takes",
        "Each driver has its own keys for them; `oauthdeploy explain servers.options` lists them.",
        "Correct the server's entry.",
    ),
    (
        "tls-file-unusable",
        "error",
        "A file for TLS can't be used",
        "It is missing, can't be read, or isn't a certificate or key in PEM form.",
        "Give the path of a readable PEM file, from the folder of the manifest.",
    ),
    (
        "driver-not-usable",
        "error",
        "A driver can't be used",
        "There is no driver of that name, or the package that offers it fails to load.",
        "Install, update or remove the package that offers it; `oauthdeploy drivers` lists what is there.",
    ),
    (
        "write-refused",
        "error",
        "A write reached a connection that only reads",
        "plan, drift, ping, export and validate can't write: the request was stopped before anything was sent.",
        "This is a bug in oauthdeploy or in a driver; please report it.",
    ),
)
