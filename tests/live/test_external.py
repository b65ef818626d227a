"""Objects of other manifests, which are spoken of and never touched, on two live servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.conftest import Pair

pytestmark = pytest.mark.live

CLIENT = '  web-shop: {external: true, name: Web Shop, version: "1"}\n'
SCOPE = "  orders.read: {external: true}\n"


def without(text: str, section: str, entry: str) -> str:
    """A manifest in which an entry of a section is somebody else's."""
    start = text.index(entry, text.index(f"\n{section}:"))
    lines = text[start:].splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines[1:], start=1) if not line.startswith("    "))
    return text[:start] + (CLIENT if section == "clients" else SCOPE) + "".join(lines[end:])


@pytest.fixture
def journal(deployed: Pair) -> Path:
    """The journal of the first apply; since then the client and a scope belong to another manifest, and all is pruned."""
    manifest = deployed.folder / "oauthdeploy.yaml"
    text = without(without(manifest.read_text(), "clients", "  web-shop:"), "scopes", "  orders.read:")
    manifest.write_text(f"{text}\npolicy: {{prune: {{clients: full, scopes: full}}}}\n")
    (found,) = (deployed.folder / ".oauthdeploy" / "journal").iterdir()
    return found


def test_they_are_never_created_changed_adopted_or_pruned(deployed: Pair, journal: Path) -> None:
    """Also where they differ from what this manifest once said, and everything that it doesn't name goes."""
    deployed.admin(deployed.login, "PATCH", "/admin/oauth/client/web-shop", {"description": "theirs"})
    deployed.writes()
    assert deployed.run("plan", "--detailed-exitcode").code == 0
    assert deployed.run("drift").code == 0
    adopted = deployed.run("adopt", "--yes")
    assert adopted.code == 0
    assert "client/web-shop@" not in adopted.out
    assert deployed.run("adopt", "client/web-shop", "--yes").code == 64
    assert deployed.run("apply", "--yes").code == 0
    assert deployed.writes() == []
    back = deployed.run("rollback", str(journal), "--yes")
    assert back.code == 4, "what stays is not undone: " + back.out + back.err
    assert "another manifest owns it" in " ".join(back.out.split())
    # The associations go that this manifest made, and they stand in the client; the objects at their ends stay.
    deleted = {path for _server, method, path in deployed.writes() if method == "DELETE"}
    assert not any(path.endswith(("/web-shop", "/orders.read")) for path in deleted)
    assert deployed.admin(deployed.login, "GET", "/admin/oauth/client/web-shop")["description"] == "theirs"


def test_one_that_is_missing_is_no_success(deployed: Pair, journal: Path) -> None:
    """Named by every command, with the manifest's line; there is nothing to change, and all is not well."""
    deployed.admin(deployed.orders, "DELETE", "/admin/oauth/client/web-shop")
    deployed.writes()
    plan = deployed.run("plan", "--detailed-exitcode")
    assert plan.code == 5
    assert "[external-missing]" in plan.out
    assert "apply refuses this plan: external-missing." in " ".join(plan.out.split())
    assert "match the manifest" not in plan.out
    refused = deployed.run("apply", "--yes")
    assert refused.code == 5
    assert "external-missing" in refused.err
    drift = deployed.run("drift", "-o", "json")
    assert drift.code == 2
    assert ("missing", "client/web-shop@orders") in [(one["class"], one["address"]) for one in drift.json["items"]]
    assert deployed.writes() == []


def test_one_can_be_cut_off(deployed: Pair, journal: Path) -> None:
    """An incident asks not whose the client is; its own manifest would be stopped before it lets the client in again."""
    found = deployed.run("revoke", "web-shop", "--yes", "--no-write")
    assert found.code == 0, found.out + found.err
    assert deployed.admin(deployed.login, "GET", "/admin/oauth/client/web-shop")["enabled"] is False
