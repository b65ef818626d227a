"""This driver's findings and errors, in general terms."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

_FIELDS: Final = "The server's own words name the field. Correct it in the manifest."

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "rfc7591-registration-lost",
        "warning",
        "A registration may exist that nobody manages",
        "A client was registered, or its token replaced, and the answer was lost. The server has no list of clients, so the "
        "registration cannot be found again.",
        "Have the administrator of the server delete that client, and write the id of the record into options.ended.",
    ),
    (
        "rfc7591-token-refused",
        "warning",
        "A client is unreachable with the stored token",
        "The server refuses the registration access token. RFC 7592 section 2 has the same answer for a token that was replaced "
        "and for a client that was deleted, so the client is neither compared nor registered again.",
        "Write its registration with a new token and run adopt, or apply it once with state: absent, which forgets it here.",
    ),
    (
        "rfc7591-not-managed",
        "warning",
        "A client cannot be read, changed or deleted",
        "The server registers clients (RFC 7591) and gave no address to manage this one: RFC 7592 is optional. Its live state is "
        "unknown, so that it is neither compared nor changed, and plan, drift and apply say so.",
        "Change it with the administration of the server, or leave it alone with external: true.",
    ),
    (
        "rfc7591-made-once",
        "error",
        "A client would be registered that nobody can manage",
        "The server gave no address to manage the clients that it registered before (RFC 7592 is optional).",
        "Check what the manifest says of the client, which cannot be corrected later, and allow the rule.",
    ),
    (
        "rfc7591-registered-anew",
        "error",
        "A client would be registered anew",
        "The answer to an update was lost, and with it the new registration access token. The client cannot be managed any more.",
        "Adopt it with a token from the administrator, or allow the rule: the client gets a new client id and secret.",
    ),
    (
        "rfc7591-registry-new",
        "error",
        "The registry does not exist yet",
        "Without a registry, every client of the manifest is registered as a new one. A path that is not mounted looks the same.",
        "Check the path. For the first apply, allow the rule.",
    ),
    (
        "rfc7591-no-scope",
        "error",
        "A client without scopes could request the default ones",
        "RFC 7591 section 2: a server may register a client without scope with a default set. No word means none.",
        "Write a scope of the server that grants nothing as options.empty_scope, or associate at least one scope.",
    ),
    (
        "rfc7591-scope-unknown",
        "warning",
        "The server does not know a scope",
        "Its metadata (scopes_supported of RFC 8414 section 2) does not list the scope, so it may refuse the client.",
        "Add the scope to the server, or correct its name.",
    ),
    (
        "rfc7591-grant-unknown",
        "warning",
        "The server does not offer a grant",
        "Its metadata (grant_types_supported of RFC 8414 section 2) does not list the grant, so it may refuse the client.",
        "Take the grant from the client, or enable it on the server.",
    ),
    (
        "rfc7591-registry",
        "error",
        "The registry cannot be used",
        "It holds the registration access tokens, without which no client can be managed.",
        "Check the file of options.registry, its permissions, and credentials.registry_key.",
    ),
    (
        "rfc7591-invalid-redirect-uri",
        "error",
        "The server refuses a redirect URI",
        "invalid_redirect_uri (RFC 7591 section 3.2.2).",
        _FIELDS,
    ),
    (
        "rfc7591-invalid-client-metadata",
        "error",
        "The server refuses a field of the client",
        "invalid_client_metadata (RFC 7591 section 3.2.2).",
        _FIELDS,
    ),
    (
        "rfc7591-invalid-software-statement",
        "error",
        "The server refuses the software statement",
        "invalid_software_statement (RFC 7591 section 3.2.2).",
        "Correct options.rfc7591.software_statement of the client.",
    ),
    (
        "rfc7591-unapproved-software-statement",
        "error",
        "The server does not accept the issuer of the software statement",
        "unapproved_software_statement (RFC 7591 section 3.2.2).",
        "Use a statement of an issuer that the server trusts.",
    ),
)
