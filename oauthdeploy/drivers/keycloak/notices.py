"""This driver's findings about a realm, in general terms."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "realm-to-be-created",
        "info",
        "The realm does not exist and will be created",
        "options.create_realm is true. The realm is created before the first change, with Keycloak's own clients and defaults.",
        "Ignore this if you want a new realm; otherwise correct options.realm.",
    ),
    (
        "built-in-object",
        "error",
        "Keycloak's own objects are never deleted",
        "Keycloak creates the object in every realm, and parts of Keycloak stop working without it.",
        "Remove state: absent.",
    ),
    (
        "not-an-oauth-object",
        "error",
        "The name belongs to a SAML object",
        "A client or client scope of that name exists with a protocol other than openid-connect.",
        "Choose another name.",
    ),
    (
        "https-required-over-http",
        "warning",
        "The realm would refuse oauthdeploy's own connection",
        "The address of the server is http, and with require_https the realm refuses http, so the plan stops.",
        "Set url to the https address.",
    ),
    (
        "token-lifetime-endless",
        "error",
        "Keycloak's tokens expire with their session",
        "Keycloak has no unlimited lifetime.",
        "Write a duration.",
    ),
)
