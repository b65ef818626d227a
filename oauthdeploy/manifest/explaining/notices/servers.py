"""Errors of requests to any server; findings of one driver are described by that driver."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "server-unreachable",
        "error",
        "A server cannot be reached",
        "There was no response: the name is unknown, the connection was refused or broken, TLS failed, or the "
        "request timed out.",
        "Check url, tls and proxy in the server's entry; `oauthdeploy ping` tests them without changing anything.",
    ),
    (
        "credentials-refused",
        "error",
        "The server rejected the credentials",
        "It answered 401: it does not know the account or client, or the secret is wrong.",
        "Check the credentials of the server's entry and where they come from.",
    ),
    (
        "permission-denied",
        "error",
        "The server does not allow the request",
        "It answered 403: the credentials are valid, but not allowed to make this request.",
        "Give the account the permission that the message names.",
    ),
    (
        "list-filtered",
        "warning",
        "The account does not see everything",
        "The server answers 200 but omits objects that the account may not view, so an object that is not listed "
        "may still exist. If this affects an object in the manifest, nothing of its kind is created, changed or "
        "deleted.",
        "Give the account the permission to view all objects of the kind that the message names.",
    ),
    (
        "not-found",
        "error",
        "The server does not have it",
        "It answered 404: the object no longer exists, or the address is wrong.",
        "Make a new plan; check url and options of the server's entry.",
    ),
    (
        "conflict",
        "error",
        "The server has it already, or still uses it",
        "It answered 409, usually because somebody else changed it at the same time.",
        "Make a new plan and check the object.",
    ),
    (
        "secret-renewed-elsewhere",
        "error",
        "Another run renews the secret of a client",
        "Two runs, on machines or in folders of their own, renew the same secret. One of them has done so since the plan was "
        "made, or is doing so now. In a plan, it means that the secret delivered here is no longer the live one.",
        "Let one machine apply at a time. Plan again, and raise secret.revision if this machine needs its own delivery.",
    ),
    (
        "request-rejected",
        "error",
        "The server rejects the request",
        "It understood the request but rejected it; the message quotes its answer.",
        "Correct what the message describes.",
    ),
    (
        "unexpected-answer",
        "error",
        "The response does not follow the protocol",
        "Something other than the expected server answered, such as a proxy or a login page, or the data has an "
        "unexpected format.",
        "Check the url; run with --trace to see the response.",
    ),
    (
        "server-error",
        "error",
        "A request to a server failed",
        "No more specific rule applies; the message shows the server's status and answer.",
        "Fix the server, then run the command again.",
    ),
    (
        "servers-failed",
        "error",
        "Several servers failed",
        "The message lists the reason for each server. The exit code is 8 if oauthdeploy could not reach or sign "
        "in to one of them.",
        "Fix each of them.",
    ),
    (
        "server-lacks-api",
        "error",
        "The server lacks what the plan needs",
        "It responds, but its version or edition does not have that part of the API.",
        "Update the server, or leave that part out of the manifest.",
    ),
    (
        "server-lacks-setting",
        "error",
        "The server does not have a setting",
        "Its version does not know the setting, so it cannot be given the value.",
        "Leave the setting out for this server, or update the server.",
    ),
    (
        "server-url",
        "error",
        "The address cannot be used",
        "The url of the server's entry is not a valid http or https address.",
        "Correct url in the server's entry.",
    ),
    (
        "proxy-url",
        "error",
        "The address of the proxy cannot be used",
        "The proxy set in the entry or the environment is not a valid address.",
        "Correct the proxy's address.",
    ),
    (
        "server-credentials",
        "error",
        "The credentials of a server are not valid for its driver",
        "Each driver has its own keys for them; `oauthdeploy explain servers.credentials` lists them.",
        "Correct the server's entry.",
    ),
    (
        "server-options",
        "error",
        "The options of a server are not valid for its driver",
        "Each driver has its own keys for them; `oauthdeploy explain servers.options` lists them.",
        "Correct the server's entry.",
    ),
    (
        "tls-file-unusable",
        "error",
        "A file for TLS cannot be used",
        "It is missing, cannot be read, or is not a certificate or key in PEM form.",
        "Give the path of a readable PEM file, relative to the manifest's folder.",
    ),
    (
        "driver-not-usable",
        "error",
        "A driver cannot be used",
        "There is no driver of that name, or the package that offers it fails to load.",
        "Install, update or remove the package that offers it; `oauthdeploy drivers` lists the installed drivers.",
    ),
    (
        "write-refused",
        "error",
        "A write was attempted on a read-only connection",
        "plan, drift, ping, export and validate cannot write: the request was stopped before anything was sent.",
        "This is a bug in oauthdeploy or in a driver; please report it.",
    ),
)
