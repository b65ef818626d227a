"""What this driver finds about a realm, in words that are true of every case."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "realm-to-be-created",
        "info",
        "The realm isn't there and will be created",
        "options.create_realm is true. The realm comes before the first change, with Keycloak's own clients and defaults.",
        "Nothing, if that is meant; else correct options.realm.",
    ),
    (
        "built-in-object",
        "error",
        "What Keycloak needs itself is never deleted",
        "Keycloak makes the object with every realm, and parts of it stop working without.",
        "Take state: absent away.",
    ),
    (
        "not-an-oauth-object",
        "error",
        "The name belongs to something of SAML",
        "A client or client scope of that name is there with another protocol than openid-connect.",
        "Choose another name.",
    ),
    (
        "https-required-over-http",
        "warning",
        "The realm would refuse oauthdeploy's own connection",
        "The address of the server is http, and with require_https the realm refuses that. A plan that would make it so is "
        "stopped.",
        "Write the https address into url.",
    ),
    (
        "token-lifetime-endless",
        "error",
        "Keycloak's tokens end with their session",
        "Keycloak has no unlimited lifetime.",
        "Write a duration.",
    ),
    (
        "default-scope-not-associated",
        "error",
        "A default scope is none of the client's associations",
        "options.keycloak.default_scopes names scopes that the client gets without asking, so it must be allowed to have them.",
        "Associate them, or take the scope out of the list.",
    ),
)
