"""What is exported is the same realm again: realms are made by Keycloak's own API, exported, and built anew from the manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.drivers.keycloak.stock import LISTS as STOCK_LISTS
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
from tests.drivers.keycloak.imported_realms import REALMS
from tests.drivers.keycloak.realm_shapes import SHAPES, Shape
from tests.servers.keycloak import Keycloak, Realm
from tests.servers.keycloak import make_realm as lasting_realm

BUILT_IN: set[str] = {
    "account",
    "account-console",
    "admin-cli",
    "broker",
    "realm-management",
    "security-admin-console",
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
    "attributes.standard.token.exchange.enabled": "false",
    "attributes.client_credentials.use_refresh_token": "false",
    "attributes.require.pushed.authorization.requests": "false",
    "attributes.tls.client.certificate.bound.access.tokens": "false",
    "attributes.dpop.bound.access.tokens": "false",
}
"""Attributes that Keycloak writes by itself and that mean the same as none."""
FLAGS = {"attributes.use.refresh.tokens", *(key for key in AS_ABSENT if key.endswith(".enabled"))}
"""Attributes of which Keycloak takes any text but "true", in upper or lower case, for false."""
PASSING = ("attributes.client.secret.", "attributes.oauthdeploy.")
PARTS = ("attributes", "authenticationFlowBindingOverrides", "browserSecurityHeaders", "smtpServer")
NAMED_PARTS = ("protocolMappers", "policies", "profiles")


def flat(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of an object, field by field, without ids, marks and what says nothing."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if key in PARTS:
            found |= {f"{key}.{inner}": each for inner, each in (value or {}).items()}
        elif key in ("clientPolicies", "clientProfiles"):
            found |= {f"{key}.{one['name']}": one for some in (value or {}).values() for one in some}
        elif key == "protocolMappers":
            for one in value:
                found |= {f"{key}.{one['name']}.{inner}": each for inner, each in one.items() if inner != "id"}
        elif key not in ("id", "access", "access_token"):
            found[key] = sorted(value) if isinstance(value, list) and all(isinstance(x, str) for x in value) else value
    found |= {
        key: str(found[key]).lower() if str(found[key]).lower() == "true" else "false" for key in FLAGS & found.keys()
    }
    return {
        key: value
        for key, value in found.items()
        if not key.startswith(PASSING)
        and ".oauthdeploy-" not in key
        and value not in ("", None, [], {})
        and AS_ABSENT.get(key) != value
    }


def contents(realm: Realm) -> dict[str, dict[str, Any]]:
    """Every object of a realm, Keycloak's own too, by address and field."""
    lists = {key: realm.get(f"/default-{key}-client-scopes") for key in ("default", "optional")}
    settings = {key: value for key, value in realm.get().items() if key not in ("id", "realm", "defaultRole")}
    found: dict[str, dict[str, Any]] = {"settings": flat(settings)}
    for raw in realm.get("/client-scopes"):
        if raw.get("protocol") != "saml":
            raw["new_clients"] = [key for key, some in lists.items() if raw["name"] in {one["name"] for one in some}]
        found[f"scope/{raw['name'] or raw['id']}"] = flat(raw)
    flows = {one["id"]: one["alias"] for one in realm.get("/authentication/flows")}
    for raw in realm.get("/clients"):
        bound = raw["authenticationFlowBindingOverrides"]
        raw["authenticationFlowBindingOverrides"] = {key: flows.get(uuid, uuid) for key, uuid in bound.items()}
        if raw["clientId"] in BUILT_IN:
            raw = json.loads(json.dumps(raw).replace(f"/{realm.name}/", "/realm/"))
            for key, some, usual in zip(lists, lists.values(), STOCK_LISTS, strict=True):
                # Keycloak's own clients have what the realm gives to its clients, or gave before somebody changed that.
                have = set(raw[f"{key}ClientScopes"])
                if have <= {one["name"] for one in some} or have == usual:
                    del raw[f"{key}ClientScopes"]
            raw["secret"] = raw.get("secret") and "set"
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


FIELD_OF = {
    "accessCodeLifespan": "authorization_code_lifetime",
    "accessTokenLifespan": "access_token_lifetime",
    "attributes.access.token.lifespan": "tokens.access_lifetime",
    "secret": "secret.value",
}
"""Fields that an export names in the words of the manifest."""


def is_said(report: ExportReport, address: str, key: str) -> bool:
    """Whether an export names a field of an object, or all of it, among what it leaves out."""
    kind, _, called = address.partition("/")
    name = object_address(Kind(kind), called) if called else f"{address}@login"
    said = {one.field for one in report.omissions if one.address == name}
    return bool(said & {"", key, FIELD_OF.get(key, key)}) or any(
        # A mapper is named as a whole, and a secret in its config by its key.
        key.startswith(f"{one}.") or (key.startswith("protocolMappers.") and one.startswith(key.removesuffix("config")))
        for one in said
        if one
    )


@dataclass
class Spare:
    """A realm that is emptied again and again, since Keycloak takes long to make one."""

    make_realm: Callable[..., Realm]
    realm: Realm | None = None
    fresh: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def take(self) -> Realm:
        """The realm, as it was when it was fresh."""
        if self.realm is not None and self._emptied(self.realm):
            return self.realm
        self.realm = self.make_realm()
        self.fresh, self.settings = contents(self.realm), self.realm.get()
        self.lists = {key: self._list(self.realm, key) for key in ("default", "optional")}
        return self.realm

    def _list(self, realm: Realm, key: str) -> frozenset[str]:
        return frozenset(one["id"] for one in realm.get(f"/default-{key}-client-scopes"))

    def _emptied(self, realm: Realm) -> bool:
        for raw in realm.get("/clients"):
            if raw["clientId"] not in BUILT_IN:
                realm.call("DELETE", f"/clients/{raw['id']}")
        for raw in realm.get("/client-scopes"):
            if f"scope/{raw['name']}" not in self.fresh:
                realm.call("DELETE", f"/client-scopes/{raw['id']}")
        realm.call("PUT", "", self.settings)
        for key, before in self.lists.items():
            now = self._list(realm, key)
            for method, some in (("PUT", before - now), ("DELETE", now - before)):
                for uuid in some:
                    realm.call(method, f"/default-{key}-client-scopes/{uuid}")
        return contents(realm) == self.fresh


@pytest.fixture(scope="module")
def held() -> list[Spare]:
    """What the tests of this module share."""
    return []


@pytest.fixture
def spares(held: list[Spare], keycloak: Keycloak) -> tuple[Spare, Spare]:
    """A realm to export and one to build."""
    while len(held) < 2:
        held.append(Spare(partial(lasting_realm, keycloak)))
    return held[0], held[1]


def made_as(name: str, spare: Spare, make_realm: Callable[..., Realm]) -> Realm:
    """A realm of that name: imported as a whole, or built by single requests."""
    if name in REALMS:
        return make_realm(**REALMS[name])
    shape = SHAPES[name]
    realm = make_realm(**shape.settings) if shape.settings else spare.take()
    build(realm, shape)
    return realm


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every realm with --all-realms, else every fourth of each kind."""
    if "name" in metafunc.fixturenames:
        step = 1 if metafunc.config.getoption("--all-realms") else 4
        metafunc.parametrize("name", [*list(SHAPES)[::step], *list(REALMS)[::step]])


def test_what_is_exported_is_the_same_realm_again(
    name: str, spares: tuple[Spare, Spare], make_realm: Callable[..., Realm], tmp_path: Path
) -> None:
    """The manifest plans empty where it comes from, builds an equal realm elsewhere, and plans empty there; whatever isn't the
    same is named by the export. An export over it gives the same bytes.
    """
    source = made_as(name, spares[0], make_realm)
    road = Road(tmp_path, source)
    report = export_manifest(road.request(yaml.safe_dump(road.document, sort_keys=False)))
    text = report.files[0].text
    for variable, purpose in report.variables.items():
        road.environ[variable] = source.client(purpose.removeprefix("secret of the client ")).get("secret", "unset")
    plan, _manifest = make_plan(road.request(text))
    assert not plan.changes, plan.changes
    again = export_manifest(road.request(text))
    assert again.files[0].text == text
    target = spares[1].take()
    made = run_plan(road.request(text, target), road.options())
    assert made is None or (made.complete and not made.verification), made
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
    # With a first change of a realm, Keycloak writes its own defaults of some attributes too.
    assert realm.call("PUT", "", realm.get()).ok
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
