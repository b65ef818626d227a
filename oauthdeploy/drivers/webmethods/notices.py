"""This driver's findings about an Integration Server, in general terms."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "client-version-not-a-number",
        "error",
        "The server accepts only whole numbers as versions",
        "Integration Server stores a client's version as a number, so it cannot store other text.",
        "Write a whole number without leading zeros, such as 1.",
    ),
    (
        "client-key-not-an-id",
        "info",
        "A client's key cannot be its client_id",
        "Integration Server accepts letters, digits and . _ ~ @ - in ids. For any other key it generates an id.",
        "Choose such a key, or accept an id that the server generates.",
    ),
    (
        "client-secret-not-settable",
        "warning",
        "The server generates client secrets itself",
        "It does not accept a secret. An existing client keeps its own; a new client cannot be created with one.",
        "Write secret: {generate: true, deliver_to: {file: ...}} for clients to create on this server.",
    ),
    (
        "refresh-count-contradicts-grants",
        "warning",
        "Grants and refresh count contradict each other",
        "Integration Server lets a client refresh if, and only if, its refresh count is not 0.",
        "Grant refresh_token together with a refresh count that is not 0, or neither.",
    ),
    (
        "disabled-client-keeps-tokens",
        "warning",
        "Disabling a client leaves its tokens valid",
        "If watt.server.oauth.disableClient.disableTokens is false, the tokens of a disabled client stay active. If the server "
        "does not show the parameter, this is an info.",
        "Write a revocation with tokens: all, or set the parameter to true.",
    ),
    (
        "services-not-supported",
        "warning",
        "The vendor does not support the use of administration services",
        "With options: {api: services} a server is managed by the services behind its classic pages. Their names and parameters "
        "are not published, and may change with any fix.",
        "Update to 10.11 or later and leave options.api out.",
    ),
    (
        "server-lacks-parameter",
        "error",
        "The server does not show a server parameter",
        "An option of the settings stands for a parameter watt.server.oauth.*, which this release does not have, or does not "
        "show until it is set.",
        "Leave the option out for this server, or set the parameter once in Settings > Extended, so that it is shown.",
    ),
    (
        "parameters-read-only",
        "warning",
        "The server's parameters can only be read",
        "The server's OpenAPI document lacks the operation that sets a server parameter.",
        "If the plan shows a change of options, make it in Settings > Extended.",
    ),
    (
        "server-lacks-client-pkce",
        "error",
        "The server's API cannot hold a client's own requirement of PKCE",
        "The page has this field since 10.15; the server's OpenAPI document does not list it, or lists a flag that cannot follow "
        "the settings.",
        "Leave require_pkce out, and set it on the page of the client.",
    ),
    (
        "pkce-of-confidential-client",
        "warning",
        "Integration Server requires PKCE of public clients only",
        "The page of a confidential client does not accept the field.",
        "Remove require_pkce, or make the client public.",
    ),
    (
        "server-lacks-groups",
        "error",
        "The server does not show its groups",
        "The account of a confidential client gets its rights from groups, and this server's API does not list them.",
        "Leave out groups, and put the account into its groups on the server's own page.",
    ),
    (
        "groups-read-only",
        "warning",
        "The server's groups can only be read",
        "The server's OpenAPI document lists no field in which the users of a group can be written.",
        "If the plan shows a change of groups, make it on the server's own page.",
    ),
    (
        "group-missing",
        "error",
        "The server does not have a group",
        "oauthdeploy puts accounts into groups and never creates a group: what it opens is decided by ACLs.",
        "Create the group on the server, with the ACLs that it opens, or remove it from groups.",
    ),
    (
        "public-client-has-no-account",
        "error",
        "A public client has no user account",
        "Integration Server makes a user account for confidential clients only, and groups have users.",
        "Remove groups, or make the client confidential.",
    ),
    (
        "alias-name-refused",
        "warning",
        "The name of the trusted server cannot be an alias",
        "Integration Server refuses hyphens, dots and most other signs in the alias of a remote server.",
        "Rename the server entry, with letters, digits and _ only, or create the alias by hand.",
    ),
    (
        "trusted-server-incomplete",
        "error",
        "The resource server has no alias for the trusted server, and the manifest lacks keys to create one",
        "An alias needs the details of how to introspect tokens at the authorization server.",
        "Write the missing keys under introspection of the trusted server, or create the alias by hand.",
    ),
)
