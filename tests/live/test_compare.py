"""Comparisons: two live servers, and one manifest in two environments."""

from __future__ import annotations

import pytest

from tests.live.conftest import Pair

pytestmark = pytest.mark.live


def test_two_servers_are_compared_as_they_stand(pair: Pair) -> None:
    """What only one has and what differs, of the kinds that both hold; nothing is written, and equal sides are exit code 0."""
    assert pair.run("apply", "--yes").code == 0
    pair.writes()
    applied = pair.run("compare", "login", "orders")
    assert (applied.code, applied.err) == (0, "")
    assert pair.writes() == []
    pair.admin(pair.login, "POST", "/admin/oauth/scope", {"name": "stray", "FoldersAndServices": ["a"]})
    pair.admin(pair.orders, "POST", "/admin/oauth/client", {"name": "By Hand", "version": "1", "type": "Public"})
    pair.admin(pair.orders, "PATCH", "/admin/oauth/client/web-shop", {"enabled": False})
    found = pair.run("compare", "login", "orders", "-o", "json").json
    assert [(item["class"], item["address"]) for item in found["items"]] == [
        ("missing", "scope/stray@login"),
        ("unexpected", "client/by-hand@orders"),
        ("changed", "client/web-shop@orders"),
    ]
    changed = {item["address"]: item["fields"] for item in found["items"] if item["class"] == "changed"}
    assert changed["client/web-shop@orders"] == [{"path": "enabled", "before": "true", "after": "false"}]
    text = pair.run("compare", "login", "orders").out
    assert "Only on login (1)" in text
    assert "Only on orders (1)" in text
    assert "Different: 1 only on login, 1 only on orders" in text


def test_equal_sides_have_no_difference(pair: Pair) -> None:
    """Two fresh servers: exit code 0 and a sentence."""
    result = pair.run("compare", "orders", "login")
    assert (result.code, result.err) == (0, "")
    assert "orders and login are equal in what was compared; not compared: secrets." in result.out


def test_two_environments_are_compared_without_any_server(pair: Pair) -> None:
    """The overlays of one manifest, or one of them and the manifest itself."""
    manifest = pair.folder / "oauthdeploy.yaml"
    overlays = (
        "environments:\n  test: {clients: {web-shop: {enabled: false}}}\n  prod: {scopes: {orders.write: null}}\n"
    )
    prod = overlays.replace(
        "{scopes: {orders.write: null}}",
        "{scopes: {extra: {resources: [a]}}, settings: {access_token_lifetime: 15m}}",
    )
    manifest.write_text(manifest.read_text() + prod)
    pair.seen.clear()
    result = pair.run("compare", "--env", "test", "--env", "prod", "-o", "json")
    assert result.code == 2, result.err
    assert [(item["class"], item["address"]) for item in result.json["items"]] == [
        ("unexpected", "scope/extra@login"),
        ("unexpected", "scope/extra@orders"),
        ("changed", "settings@login"),
        ("changed", "client/web-shop@login"),
        ("changed", "client/web-shop@orders"),
    ]
    base = pair.run("compare", "--env", "-", "--env", "test")
    assert base.code == 2
    assert "quickstart" in base.out
    assert pair.seen == []


def test_what_can_not_be_compared_is_wrong_usage(pair: Pair) -> None:
    """One side, a typo, an environment that isn't there."""
    assert pair.run("compare", "login").code == 64
    assert pair.run("compare").code == 64
    assert pair.run("compare", "--env", "a").code == 64
    assert pair.run("compare", "login", "login").code == 64
    typo = pair.run("compare", "login", "oders")
    assert typo.code == 64
    assert "Did you mean 'orders'?" in typo.err
    assert pair.run("compare", "--env", "a", "--env", "b").code == 3
