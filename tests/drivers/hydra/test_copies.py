"""What is exported from a Hydra is the same set of clients elsewhere, and changes by hand are found and repaired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.objects import Object
from tests.drivers.copies import Contents, Copy, End, Hand
from tests.servers.hydra import Hydra

pytestmark = pytest.mark.live

CODE = {"grant_types": ["authorization_code"], "redirect_uris": ["https://shop.example.com/cb"], "scope": "orders.read"}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "public": {**CODE, "token_endpoint_auth_method": "none"},
    "with refresh": {**CODE, "grant_types": ["authorization_code", "refresh_token"], "scope": "orders.read offline"},
    "machine": {"grant_types": ["client_credentials"], "scope": "orders.read orders.write"},
    "no scope": {"grant_types": ["client_credentials"], "scope": " "},
    "implicit": {"grant_types": ["implicit"], "response_types": ["token"], "redirect_uris": ["https://a.example.com/"]},
    "lifetimes": {
        "grant_types": ["client_credentials"],
        **dict.fromkeys(
            [
                f"{grant}_grant_access_token_lifespan"
                for grant in ("authorization_code", "client_credentials", "implicit", "jwt_bearer", "refresh_token")
            ],
            "90m",
        ),
    },
    "every option": {
        **CODE,
        "client_name": "Der Laden - 店",
        "contacts": ["ops@example.com", "shop@example.com"],
        "audience": ["https://orders.example.com"],
        "post_logout_redirect_uris": ["https://shop.example.com/bye"],
        "allowed_cors_origins": ["https://shop.example.com"],
        "client_uri": "https://shop.example.com",
        "logo_uri": "https://shop.example.com/logo.png",
        "policy_uri": "https://shop.example.com/policy",
        "tos_uri": "https://shop.example.com/terms",
        "token_endpoint_auth_method": "client_secret_post",
        "access_token_strategy": "opaque",
        "skip_consent": True,
    },
    "by key": {
        **CODE,
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://shop.example.com/keys",
    },
}
_MADE = frozenset({"client_secret", "client_secret_expires_at", "created_at", "updated_at", "metadata"})


def fill(hydra: Hydra, shapes: Mapping[str, Mapping[str, Any]]) -> None:
    for name, fields in shapes.items():
        answer = hydra.call("POST", "/admin/clients", {"client_id": name, **fields})
        assert answer.status_code == 201, answer.text


def contents(hydra: Hydra) -> Contents:
    """The clients, without what a server makes itself; the order of a list says nothing."""
    found: dict[str, Any] = {}
    for client in hydra.get("/admin/clients?page_size=1000"):
        plain = {key: value for key, value in client.items() if key not in _MADE}
        plain["scope"] = sorted(plain["scope"].split())
        # RFC 7591 section 2: what an empty list means.
        plain["grant_types"] = plain["grant_types"] or ["authorization_code"]
        codes = "authorization_code" in plain["grant_types"]
        plain["response_types"] = plain["response_types"] or (["code"] if codes else [])
        found[client["client_id"]] = {
            key: _sorted(value) for key, value in plain.items() if value not in (None, [], "")
        }
    return found


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def end(hydra: Hydra) -> End:
    return End({"role": "authorization", "driver": "hydra", "url": hydra.url}, partial(contents, hydra))


def hands(hydra: Hydra, objects: Mapping[Address, Object]) -> Sequence[Hand]:
    def patch(client: str, path: str, value: Any) -> None:
        answer = hydra.call("PATCH", f"/admin/clients/{client}", [{"op": "replace", "path": path, "value": value}])
        assert answer.status_code == 200, answer.text

    return [
        Hand(partial(patch, "public", "/client_name", "Renamed"), frozenset({("client/public", "name")})),
        Hand(partial(patch, "machine", "/scope", "orders.read"), frozenset({("association/machine:orders.write", "")})),
        Hand(
            partial(patch, "with refresh", "/grant_types", ["authorization_code"]),
            frozenset({("client/with refresh", "grants")}),
        ),
        Hand(
            partial(patch, "every option", "/skip_consent", False),
            frozenset({("client/every option", "options.hydra.skip_consent")}),
        ),
        Hand(
            lambda: hydra.call("PUT", "/admin/clients/lifetimes/lifespans", {}),  # type: ignore[arg-type]
            frozenset({("client/lifetimes", "tokens.access_lifetime")}),
        ),
    ]


def test_what_is_exported_is_the_same_set_of_clients_again(hydra: Hydra, other: Hydra, tmp_path: Path) -> None:
    """Every shape of client, by Hydra's own API; then changes by hand of different kinds, on the copy."""
    fill(hydra, SHAPES)
    copy = Copy(tmp_path)
    text = copy.round_trip(end(hydra), end(other))
    assert copy.omitted == set()
    copy.hand_changes(text, end(other), partial(hands, other))


@pytest.mark.parametrize(
    ("fields", "omitted"),
    [
        ({"metadata": {"team": 7}}, "metadata.team"),
        ({"owner": "team-7"}, "owner"),
        ({"grant_types": ["client_credentials", "urn:example:own"]}, "grant_types.urn:example:own"),
        ({"refresh_token_grant_refresh_token_lifespan": "48h"}, "refresh_token_grant_refresh_token_lifespan"),
        ({"client_credentials_grant_access_token_lifespan": "30m"}, "tokens.access_lifetime"),
        ({"request_uris": ["https://a.example.com/r"]}, "request_uris"),
        ({"response_types": ["token", "id_token"], "grant_types": ["implicit"]}, "response_types"),
        ({"backchannel_logout_uri": "https://a.example.com/out"}, "backchannel_logout_uri"),
    ],
)
def test_what_a_manifest_cannot_say_is_named(
    hydra: Hydra, tmp_path: Path, fields: Mapping[str, Any], omitted: str
) -> None:
    """By client and field; the client itself is exported."""
    fill(hydra, {"odd": {"grant_types": ["client_credentials"], **fields}})
    copy = Copy(tmp_path)
    assert "odd:" in copy.exported(copy.entry(end(hydra)))
    assert copy.omitted == {("client/odd", omitted)}
