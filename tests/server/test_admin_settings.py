"""The global settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .kit import CALLBACK, Kit, code_for

DEFAULTS = {
    "requireHTTPS": True,
    "requirePKCE": False,
    "authCodeLifetimeSeconds": 600,
    "accessTokenLifetimeSeconds": 3600,
    "tokenEndpointAuth": "session",
    "authServerAlias": "local",
}
PATH = "/oauth/globalsetting/"


def test_a_fresh_server_has_the_documented_defaults(launch: Callable[..., Kit]) -> None:
    """The defaults are those of the document."""
    kit = launch(https_required=True)
    assert kit.admin("GET", "/oauth/globalsetting").json() == DEFAULTS


def test_put_replaces_and_patch_merges(launch: Callable[..., Kit]) -> None:
    """PUT sets unnamed fields to their default, PATCH leaves them; null is the default."""
    kit = launch(https_required=True, strict=True)
    changed = kit.admin("PATCH", PATH, {"requirePKCE": True, "authCodeLifetimeSeconds": 60})
    assert changed.json() == {**DEFAULTS, "requirePKCE": True, "authCodeLifetimeSeconds": 60}
    assert kit.admin("PATCH", PATH, {"authCodeLifetimeSeconds": None}).json() == {**DEFAULTS, "requirePKCE": True}
    assert kit.admin("PUT", PATH, {"accessTokenLifetimeSeconds": -1}).json() == {
        **DEFAULTS,
        "accessTokenLifetimeSeconds": -1,
    }
    assert kit.admin("GET", "/oauth/globalsetting").json()["requirePKCE"] is False


def test_patch_takes_both_content_types(either: Kit) -> None:
    """JSON Merge Patch may come as itself or as JSON; PUT takes JSON only."""
    for media in ("application/merge-patch+json", "application/json", "application/json; charset=utf-8"):
        assert either.admin("PATCH", PATH, data="{}", headers={"Content-Type": media}).status_code == 200
    for method, media in (("PATCH", "text/plain"), ("PUT", "application/merge-patch+json"), ("PATCH", "")):
        response = either.admin(method, PATH, data="{}", headers={"Content-Type": media})
        assert response.status_code == 400
        assert "content type" in response.json()["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("requireHTTPS", "true"),
        ("requirePKCE", 1),
        ("authCodeLifetimeSeconds", 0),
        ("authCodeLifetimeSeconds", -2),
        ("authCodeLifetimeSeconds", 2**31),
        ("authCodeLifetimeSeconds", 1.5),
        ("authCodeLifetimeSeconds", True),
        ("accessTokenLifetimeSeconds", 0),
        ("accessTokenLifetimeSeconds", -2),
        ("tokenEndpointAuth", "none"),
        ("tokenEndpointAuth", 5),
        ("authServerAlias", "unknown"),
        ("authServerAlias", ["local"]),
    ],
)
def test_values_out_of_range_are_refused(either: Kit, field: str, value: object) -> None:
    """A value of a wrong type or range is 400 naming the field, and nothing changes."""
    before = either.admin("GET", "/oauth/globalsetting").json()
    response = either.admin("PATCH", PATH, {field: value})
    assert response.status_code == 400
    assert field in response.json()["message"]
    assert either.admin("GET", "/oauth/globalsetting").json() == before


def test_unknown_fields_are_refused_in_strict_mode_only(strict: Kit, tolerant: Kit) -> None:
    """Strict: 400 naming the field. Tolerant: ignored."""
    response = strict.admin("PATCH", PATH, {"requirePkce": True})
    assert response.status_code == 400
    assert "requirePkce" in response.json()["message"]
    assert tolerant.admin("PATCH", PATH, {"requirePkce": True}).json()["requirePKCE"] is False


def test_a_code_may_never_expire(tolerant: Kit) -> None:
    """-1, as watt.server.oauth.authCode.expirySeconds documents it."""
    try:
        assert tolerant.settings(authCodeLifetimeSeconds=-1)["authCodeLifetimeSeconds"] == -1
        client = tolerant.client(tolerant.scope("a:b"), authorizationCodeGrant=True, redirect_uris=[CALLBACK])
        code = code_for(tolerant, client)
        assert tolerant.token(client, grant_type="authorization_code", code=code)["token_type"] == "Bearer"
    finally:
        tolerant.settings(authCodeLifetimeSeconds=600)
