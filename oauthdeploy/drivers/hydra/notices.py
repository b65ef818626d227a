"""This driver's findings, in general terms."""

from __future__ import annotations

from typing import Final

from oauthdeploy.model.explanation import Notice

NOTICES: Final[tuple[Notice, ...]] = (
    (
        "hydra-grants-empty",
        "error",
        "Hydra gives a client without grants the authorization code grant",
        "An empty list of grant types means authorization_code to Hydra, so a client that only receives tokens cannot be stored.",
        "List the grants of the client, or keep it from this server with on.",
    ),
    (
        "hydra-lifetime-endless",
        "error",
        "Hydra's access tokens expire",
        "Hydra has no unlimited lifetime.",
        "Write a duration.",
    ),
    (
        "hydra-redirect-literal",
        "warning",
        "Hydra takes a redirect URI literally",
        "Other servers read * in a redirect URI as a pattern. Hydra compares character by character, so that no URI matches.",
        "Write each redirect URI of the applications.",
    ),
    (
        "hydra-refresh-tokens-stay",
        "warning",
        "Refresh tokens would stay valid",
        "The admin API deletes the access tokens of a client, and refresh tokens only for one owner.",
        "Take refresh_token from the client's grants and apply again, name the owner, or delete the client.",
    ),
    (
        "hydra-refresh-tokens-return",
        "error",
        "Refresh tokens from before a cut-off would work again",
        "Hydra refuses the refresh tokens of a client without the grant, and keeps them: with the grant they work again.",
        "Register a new client, or remove the mark of the cut-off from the metadata once they have expired.",
    ),
)
