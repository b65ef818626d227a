"""What is exported is the same realm again: realms are made by Keycloak's own API, exported, and built anew from the manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.planning.drift.classification import DriftClass
from oauthdeploy.planning.export.values import ExportOptions
from oauthdeploy.workflow import (
    ExportReport,
    ManifestRequest,
    RunOptions,
    detect_drift,
    export_manifest,
    make_plan,
    run_plan,
)
from tests.drivers.keycloak.hand_changes import hand_changes
from tests.drivers.keycloak.realm_shapes import SHAPES, Shape
from tests.servers.keycloak import Realm

BUILT_IN: set[str] = {
    "account",
    "account-console",
    "admin-cli",
    "broker",
    "realm-management",
    "security-admin-console",
}
STOCK_SCOPES: set[str] = {
    "acr",
    "address",
    "basic",
    "email",
    "microprofile-jwt",
    "offline_access",
    "organization",
    "phone",
    "profile",
    "roles",
    "service_account",
    "web-origins",
}
AS_ABSENT = {
    "attributes.backchannel.logout.session.required": "true",
    "attributes.backchannel.logout.revoke.offline.tokens": "false",
    "attributes.realm_client": "false",
    "attributes.use.refresh.tokens": "true",
    "attributes.display.on.consent.screen": "true",
    "attributes.include.in.token.scope": "true",
    "attributes.oauth2.device.authorization.grant.enabled": "false",
    "attributes.oidc.ciba.grant.enabled": "false",
}
"""Attributes that Keycloak writes by itself and that mean the same as none."""
PASSING = ("attributes.client.secret.", "attributes.oauthdeploy.")


def flat(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of an object, field by field, without ids, times, marks and what says nothing."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if key in ("attributes", "authenticationFlowBindingOverrides"):
            found |= {f"{key}.{inner}": each for inner, each in value.items()}
        elif key == "protocolMappers":
            found |= {f"{key}.{one['name']}": {**one, "id": ""} for one in value}
        elif key not in ("id", "access", "access_token"):
            found[key] = sorted(value) if isinstance(value, list) and all(isinstance(x, str) for x in value) else value
    return {
        key: value
        for key, value in found.items()
        if not key.startswith(PASSING) and value not in ("", None) and AS_ABSENT.get(key) != value
    }


def contents(realm: Realm) -> dict[str, dict[str, Any]]:
    """Every object of a realm that isn't Keycloak's own, by address and field."""
    lists = {key: realm.get(f"/default-{key}-client-scopes") for key in ("default", "optional")}
    settings = {k: v for k, v in realm.get().items() if k not in ("id", "realm", "attributes", "defaultRole")}
    found: dict[str, dict[str, Any]] = {"settings": flat({k: json.dumps(v) for k, v in settings.items()})}
    for raw in realm.get("/client-scopes"):
        if raw["protocol"] == "openid-connect":
            raw["new_clients"] = [key for key, some in lists.items() if raw["name"] in {one["name"] for one in some}]
        if raw["name"] not in STOCK_SCOPES and raw["protocol"] == "openid-connect":
            found[f"scope/{raw['name']}"] = flat(raw)
        elif raw["protocol"] == "openid-connect":
            found[f"scope/{raw['name']}"] = {"new_clients": raw["new_clients"]}
        elif raw["name"] not in ("role_list", "saml_organization", "AuthnContextClassRef"):
            found[f"scope/{raw['name']}"] = flat(raw)
    flows = {one["id"]: one["alias"] for one in realm.get("/authentication/flows")}
    for raw in realm.get("/clients"):
        bound = raw["authenticationFlowBindingOverrides"]
        raw["authenticationFlowBindingOverrides"] = {key: flows[uuid] for key, uuid in bound.items()}
        if raw["clientId"] not in BUILT_IN:
            found[f"client/{raw['clientId']}"] = flat(raw)
    return found


def lost(before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """Object, field and both values of all that isn't equal; a field "" is an object that only one side has."""
    for address in sorted(before.keys() | after.keys()):
        one, other = before.get(address), after.get(address)
        if one is None or other is None:
            yield address, "", (one is not None, other is not None)
            continue
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                yield address, key, (one.get(key), other.get(key))


def build(realm: Realm, shape: Shape) -> None:
    """Make what a shape says, by Keycloak's own API."""
    ids = {raw["name"]: raw["id"] for raw in realm.get("/client-scopes")}
    for raw in shape.scopes:
        ids[raw["name"]] = realm.add("/client-scopes", raw)
    for name in shape.dropped:
        for key in ("default", "optional"):
            realm.call("DELETE", f"/default-{key}-client-scopes/{ids[name]}")
    for key, names in (("default", shape.default), ("optional", shape.optional)):
        for name in names:
            assert realm.call("PUT", f"/default-{key}-client-scopes/{ids[name]}").ok
    flows = {one["alias"]: one["id"] for one in realm.get("/authentication/flows")}
    for raw in shape.clients:
        bound = raw.get("authenticationFlowBindingOverrides", {})
        made = {**raw, "authenticationFlowBindingOverrides": {key: flows[alias] for key, alias in bound.items()}}
        realm.add("/clients", made)
    for client, scope in shape.absent:
        uuid = realm.client(client)["id"]
        assert realm.call("DELETE", f"/clients/{uuid}/default-client-scopes/{ids[scope]}").ok


class Road:
    """A folder with a manifest, and the environment of its references."""

    def __init__(self, folder: Path, realm: Realm) -> None:
        self.folder = folder
        server = realm.server
        self.environ = {"KEYCLOAK_PASSWORD": server.password}
        entry = {
            "role": "authorization",
            "driver": "keycloak",
            "url": server.url,
            "credentials": {"username": server.username, "password": "${env:KEYCLOAK_PASSWORD}"},
            "options": {"realm": realm.name},
            "limits": {"parallel": 4},
        }
        self.document = {"version": 1, "name": "copy", "servers": {"login": entry}}

    def request(self, text: str, realm: Realm | None = None) -> ManifestRequest:
        if realm is not None:
            text = text.replace(self.document["servers"]["login"]["options"]["realm"], realm.name)  # type: ignore[index]
        (self.folder / "oauthdeploy.yaml").write_text(text)
        return ManifestRequest(files=(str(self.folder / "oauthdeploy.yaml"),), environ=self.environ)

    def options(self) -> RunOptions:
        return RunOptions(
            state_dir=self.folder / "state",
            allow=("adopt", "too-many-updates", "self-lockout", "https-required-over-http"),
        )


def is_said(report: ExportReport, address: str, key: str) -> bool:
    """Whether an export names a field of an object, or all of it, among what it leaves out."""
    key = {"attributes.access.token.lifespan": "tokens.access_lifetime"}.get(key, key)
    kind, _, called = address.partition("/")
    name = object_address(Kind(kind), called) if called else f"{address}@login"
    return any(one.address == name and one.field in ("", key) for one in report.omissions)


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_exported_is_the_same_realm_again(name: str, make_realm: Callable[..., Realm], tmp_path: Path) -> None:
    """The manifest plans empty where it comes from, builds an equal realm elsewhere, and plans empty there; whatever isn't the
    same is named by the export. An export over it gives the same bytes.
    """
    shape = SHAPES[name]
    source = make_realm(**shape.settings)
    build(source, shape)
    road = Road(tmp_path, source)
    report = export_manifest(road.request(yaml.safe_dump(road.document, sort_keys=False)))
    text = report.files[0].text
    for variable, purpose in report.variables.items():
        road.environ[variable] = source.client(purpose.removeprefix("secret of the client ")).get("secret", "unset")
    plan, _manifest = make_plan(road.request(text))
    assert not plan.changes, plan.changes
    again = export_manifest(road.request(text))
    assert again.files[0].text == text
    target = make_realm()
    made = run_plan(road.request(text, target), road.options())
    assert made is not None
    copied, _manifest = make_plan(road.request(text, target))
    assert not copied.changes, copied.changes
    unsaid = [one for one in lost(contents(source), contents(target)) if not is_said(report, one[0], one[1])]
    assert not unsaid, (unsaid, text)
    with_the_hand(name, road, target, text)


def with_the_hand(name: str, road: Road, realm: Realm, text: str) -> None:
    """Five changes by hand of different kinds, of what an export with all defaults manages: drift names exactly these, and the
    apply gives back the realm as it was, field by field.
    """
    witness = {"clientId": "witness", "publicClient": True, "redirectUris": ["https://witness.example.com/cb"]}
    scope = realm.add("/client-scopes", {"name": "witness.read", "protocol": "openid-connect", "description": "Seen"})
    uuid = realm.add("/clients", witness)
    assert realm.call("PUT", f"/clients/{uuid}/default-client-scopes/{scope}").ok
    report = export_manifest(road.request(text, realm), wanted=ExportOptions(full=True))
    road.environ |= {key: "unset" for key in report.variables if key not in road.environ}
    request = road.request(report.files[0].text)
    plan, manifest = make_plan(request)
    assert not plan.changes, plan.changes
    before = contents(realm)
    # A client that somebody deletes takes the roles of its service account along, and Keycloak's own objects stay.
    known = {
        a: value for a, value in manifest.desired.objects.items() if a.kind is not Kind.CLIENT or a.name not in BUILT_IN
    }
    changes = hand_changes(known, name, 5)
    assert len(changes) == 5, changes
    for change in changes:
        change.make(realm)
    drift, _manifest = detect_drift(request)
    found = {
        (item.address.without_server, path)
        for item in drift.items
        for path in ([field.path for field in item.fields] or [""] if item.kind is DriftClass.CHANGED else [""])
        if item.counts
    }
    assert found == {one for change in changes for one in change.told}, [change.kind for change in changes]
    repaired = run_plan(request, road.options())
    assert repaired is not None
    assert repaired.complete, repaired.outcomes
    assert not repaired.verification, repaired.verification
    assert list(lost(before, contents(realm))) == [], [change.kind for change in changes]
