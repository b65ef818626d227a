"""Marks of ownership on a real Keycloak, by the commands' own road: created, adopted, foreign, pruned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from oauthdeploy import workflow
from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import SafetyStop
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.model.state import Ownership
from oauthdeploy.workflow.options import RunOptions
from tests.drivers.keycloak.site import Site

OWNER = "oauthdeploy.owner"
HEAD = """
version: 1
name: {name}
servers:
  login:
    role: authorization
    driver: keycloak
    url: {url}
    credentials: {{username: {user}, password: "${{env:KC_PASSWORD}}"}}
    options: {{realm: {realm}}}
"""


class Estate:
    """A manifest on disk for one realm, and what the commands do with it."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.file = folder / "oauthdeploy.yaml"
        self.options = RunOptions(state_dir=folder / "state")

    def says(self, body: str, name: str = "payments") -> Estate:
        server = self.site.realm.server
        head = HEAD.format(name=name, url=server.url, user=server.username, realm=self.site.realm.name)
        self.file.write_text(head + body)
        return self

    @property
    def request(self) -> ManifestRequest:
        return ManifestRequest(files=(str(self.file),), environ={"KC_PASSWORD": self.site.realm.server.password})

    def plan(self) -> Any:
        return workflow.make_plan(self.request, self.options)[0]

    def apply(self, *allow: str) -> None:
        options = RunOptions(state_dir=self.options.state_dir, allow=allow)
        report = workflow.run_plan(self.request, options)
        assert report is not None
        assert report.complete, report.outcomes
        assert not report.verification.errors, report.verification

    def adopt(self, *allow: str) -> Any:
        return workflow.adopt(self.request, RunOptions(state_dir=self.options.state_dir, allow=allow))


@pytest.fixture
def estate(site: Site, tmp_path: Path) -> Estate:
    return Estate(site, tmp_path)


OURS = """
scopes:
  orders.read: {description: Read}
clients:
  shop: {type: public, redirect_uris: ["https://shop.example.com/cb"], grants: [authorization_code]}
associations:
  - {client: shop, scopes: [orders.read]}
"""
PRUNE = """
policy:
  prune: {clients: managed, scopes: managed}
"""


def owners(estate: Estate) -> dict[str, str]:
    realm = estate.site.realm
    made = [*realm.get("/clients"), *realm.get("/client-scopes")]
    return {one.get("clientId") or one["name"]: one["attributes"][OWNER] for one in made if OWNER in one["attributes"]}


def test_what_is_created_is_marked_and_pruned_when_the_manifest_drops_it(estate: Estate) -> None:
    """And nothing else goes with it."""
    realm = estate.site.realm
    realm.add("/clients", {"clientId": "by-hand"})
    realm.add("/client-scopes", {"name": "by-hand", "protocol": "openid-connect"})
    estate.says(OURS).apply()
    assert owners(estate) == {"orders.read": "payments", "shop": "payments"}
    assert estate.plan().is_empty
    estate.says("clients: {kept: {type: public}}\nscopes: {kept: {}}" + PRUNE)
    plan = estate.plan()
    assert {str(change.address) for change in plan.changes if change.action.value == "delete"} == {
        "client/shop@login",
        "scope/orders.read@login",
    }, "the client takes its association with it"
    estate.apply()
    assert owners(estate) == {"kept": "payments"}
    assert realm.client("by-hand")["enabled"]
    assert estate.plan().is_empty


def test_adopting_marks_and_changes_nothing_else(estate: Estate) -> None:
    """A client and a scope that were there; afterwards they are pruned like our own."""
    realm = estate.site.realm
    body = {"clientId": "shop", "publicClient": True, "redirectUris": ["https://shop.example.com/cb"]}
    uuid = realm.add("/clients", {**body, "attributes": {"mine": "1"}})
    realm.add("/client-scopes", {"name": "orders.read", "protocol": "openid-connect", "description": "Read"})
    before = realm.get(f"/clients/{uuid}")
    estate.says(OURS)
    report = estate.adopt()
    assert [outcome.status.value for outcome in report.outcomes] == ["done", "done"]
    assert owners(estate) == {"orders.read": "payments", "shop": "payments"}
    after = realm.get(f"/clients/{uuid}")
    assert after["attributes"].pop(OWNER) == "payments"
    assert after == before
    again = estate.adopt()
    assert again.adoption.plan.is_empty
    marked = [item for item in again.adoption.items if item.address.kind in (Kind.SCOPE, Kind.CLIENT)]
    assert {item.live.ownership for item in marked} == {Ownership.OURS}


def test_what_belongs_to_another_manifest_is_refused(estate: Estate) -> None:
    """Changing, deleting, associating and adopting: each stops until the rule is lifted by name; pruning passes it by."""
    estate.says(OURS).apply()
    theirs = OURS.replace("description: Read", "description: Theirs").replace("shop.example.com", "theirs.example.com")
    estate.says(theirs, name="billing")
    assert {stop.rule for stop in estate.plan().stops} == {"foreign-ownership"}
    for refused in (estate.apply, estate.adopt):
        with pytest.raises(SafetyStop):
            refused()
    assert estate.site.realm.client("shop")["redirectUris"] == ["https://shop.example.com/cb"]
    estate.says("clients: {shop: {state: absent}}", name="billing")
    assert {stop.rule for stop in estate.plan().stops} == {"foreign-ownership"}
    estate.says(
        "clients: {kept: {type: public}}\nscopes: {kept: {}}" + PRUNE.replace("managed", "full"), name="billing"
    )
    assert not [change for change in estate.plan().changes if change.action.value == "delete"]
    estate.says(theirs, name="billing")
    estate.apply("foreign-ownership")
    assert owners(estate)["shop"] == "payments", "a change is no adoption"
    estate.adopt("foreign-ownership")
    assert owners(estate) == {"orders.read": "billing", "shop": "billing"}
    assert estate.plan().is_empty


def test_what_the_manifest_drops_without_pruning_is_orphaned(estate: Estate) -> None:
    """By its mark, in plan and drift alike, until the rule is ignored; what somebody made by hand is unexpected, and no more."""
    realm = estate.site.realm
    realm.add("/clients", {"clientId": "by-hand"})
    estate.says(OURS).apply()
    assert not estate.plan().differs
    estate.says("clients: {kept: {type: public}}\nscopes: {orders.read: {description: Read}}").apply()
    plan = estate.plan()
    assert plan.is_empty
    assert plan.differs
    assert {str(item.address): item.rule for item in plan.kept if item.rule} == {
        "client/by-hand@login": "unexpected",
        "client/shop@login": "orphaned",
    }
    drift, _ = workflow.detect_drift(estate.request, estate.options, unnamed=False)
    assert [(str(item.address), item.orphaned) for item in drift.items if item.counts] == [("client/shop@login", True)]
    quiet = replace(estate.request, severities={"orphaned": "ignore"})
    assert not workflow.make_plan(quiet, estate.options)[0].differs
    assert not workflow.detect_drift(quiet, estate.options, unnamed=False)[0].drifted
