"""What this driver finds about an Integration Server, in words that are true of every case."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "client-version-not-a-number",
        "error",
        "The server takes whole numbers as versions",
        "Integration Server holds a client's version as a number, so that another text can't be kept.",
        "Write a whole number without leading zeros, such as 1.",
    ),
    (
        "client-key-not-an-id",
        "info",
        "A client's key can't be its client_id",
        "Integration Server takes letters, digits and . _ ~ @ - in ids. For another key it makes an id of its own.",
        "Choose such a key, or live with an id that the server makes.",
    ),
    (
        "client-secret-not-settable",
        "warning",
        "The server makes client secrets itself",
        "It can't be given a secret. A client that is there keeps the one that it has; one that isn't can't be made so.",
        "Write secret: {generate: true, deliver_to: {file: ...}} for clients that this server shall make.",
    ),
    (
        "refresh-count-contradicts-grants",
        "warning",
        "Grants and refresh count say different things",
        "Integration Server lets a client refresh where its refresh count is not 0, and nothing else decides.",
        "Grant refresh_token together with a refresh count that is not 0, or neither.",
    ),
    (
        "trusted-server-incomplete",
        "error",
        "The trusted server isn't known there, and too little is written to make it known",
        "To make an alias the resource server must be told how to ask the authorization server.",
        "Write the missing keys under introspection of the trusted server, or make the alias by hand.",
    ),
)
