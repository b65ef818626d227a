"""Clients of every shape move from Keycloak to Hydra and back, and from Hydra to Keycloak and back: nothing is lost unnamed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from oauthdeploy.drivers.field_table import WireField
from oauthdeploy.drivers.hydra.fields import CLIENT as HYDRA_FIELDS
from oauthdeploy.drivers.hydra.fields import OPTIONS as HYDRA_OPTIONS
from oauthdeploy.drivers.keycloak.field_map import CLIENT as KEYCLOAK_OPTIONS
from oauthdeploy.drivers.keycloak.fields import CLIENT as KEYCLOAK_FIELDS
from tests.drivers.copies import Contents
from tests.drivers.hydra.moved_clients import CLIENTS, SCOPES, secret_of
from tests.drivers.hydra.test_copies import SHAPES, contents, fill
from tests.drivers.keycloak.test_realms import contents as realm_contents
from tests.drivers.keycloak.test_realms import lost
from tests.live.conftest import Result, run_command
from tests.servers.hydra import Hydra
from tests.servers.keycloak import Realm

pytestmark = pytest.mark.live

PAGE: Final = Path(__file__).parents[3] / "docs" / "how-to" / "move-between-servers.md"
LISTS: Final = ("defaultClientScopes", "optionalClientScopes")
Named = set[tuple[str, str]]
"""Objects and fields ("": all of the object) that commands named to the user."""


def entry(end: Realm | Hydra) -> dict[str, Any]:
    """The server entry of a realm or of a Hydra."""
    if isinstance(end, Hydra):
        return {"role": "authorization", "driver": "hydra", "url": end.url, "options": {"public_url": end.public_url}}
    return {
        "role": "authorization",
        "driver": "keycloak",
        "url": end.server.url,
        "credentials": {"username": end.server.username, "password": "${env:KEYCLOAK_PASSWORD}"},
        "options": {"realm": end.name},
        "limits": {"parallel": 4},
    }


@dataclass
class Move:
    """A folder, the environment of the references, and a copy from one server to another by the commands."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    text: str = ""

    def run(self, *arguments: str) -> Result:
        return run_command(self.folder, *arguments, env=self.environment)

    def copy(self, source: Realm | Hydra, target: Realm | Hydra, secret: Callable[[str], str]) -> Named:
        """Export from the source to the target, set the variables of the secrets, plan and apply; gives what was named."""
        document = {"version": 1, "name": "move", "servers": {"source": entry(source), "target": entry(target)}}
        manifest = self.folder / "oauthdeploy.yaml"
        manifest.write_text(json.dumps(document))
        made = self.run("export", "--from", "source", "--to", "target", "--write", "-o", "json=left-out.json")
        assert made.code == 0, made.err
        told = json.loads((self.folder / "left-out.json").read_text())
        self.text = manifest.read_text()
        assert "oauthdeploy: ignore[" not in self.text or "redirect-uri" in self.text
        for name, purpose in told["variables"].items():
            self.environment[name] = secret(purpose.removeprefix("secret of the client "))
        planned = json.loads(self.run("plan", "-o", "json").out)
        assert {change["action"] for change in planned["changes"]} == {"create"}
        assert {change["address"].rpartition("@")[2] for change in planned["changes"]} == {"target"}
        applied = self.run("apply", "--yes")
        assert applied.code == 0, applied.out + applied.err
        assert self.run("plan", "--detailed-exitcode").code == 0
        for value in self.environment.values():
            assert value not in made.out + made.err + applied.out + applied.err + self.text
        findings = {(one["address"].partition("@")[0], _field(one)) for one in planned["diagnostics"] if one["address"]}
        return {(one["address"], one["field"]) for one in told["left_out"]} | findings


def _field(finding: Mapping[str, Any]) -> str:
    return str(finding["path"]).rpartition(".")[2] if finding.get("path") else ""


def fields_of(table: Mapping[str, Any]) -> Mapping[str, str]:
    """The manifest's field by the key of a server's JSON."""
    return {key: path for path, one in table.items() if isinstance(one, WireField) for key in one.keys}


_KEYCLOAK: Final = {
    **{
        f"attributes.{place.key}" if place.attribute else place.key: f"options.keycloak.{name}"
        for name, place in KEYCLOAK_OPTIONS.items()
    },
    **fields_of(KEYCLOAK_FIELDS),
}
_HYDRA: Final = {
    **fields_of(HYDRA_FIELDS),
    **{key: f"options.hydra.{path}" for key, path in fields_of(HYDRA_OPTIONS).items()},
    "scope": "scopes",
}


def in_manifest_words(address: str, key: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """An object and a field of a realm's JSON as an export names them."""
    client = address.removeprefix("client/")
    if key in LISTS:
        for scope in set(before or ()) ^ set(after or ()):
            yield f"association/{client}:{scope}", "as"
    elif key.startswith("protocolMappers."):
        yield address, "options.keycloak.protocol_mappers"
    elif key.startswith("attributes.") and address.startswith("scope/"):
        yield address, "options.keycloak.consent_text"
    else:
        usual = "options.keycloak.attributes" if key.startswith("attributes.") else key
        yield address, _KEYCLOAK.get(key, usual)


def unnamed(differences: Iterator[tuple[str, str, Any]], named: Named) -> list[tuple[str, str, Any]]:
    """The differences of two realms that no command named."""
    return [
        (address, key, values)
        for address, key, values in differences
        if (address, "") not in named
        and not all(one in named for one in in_manifest_words(address, key, *values))
        and not (key == "" and (address, "new_clients") in named)
    ]


def unnamed_of_hydra(before: Contents, after: Contents, named: Named) -> list[tuple[str, str, Any, Any]]:
    """The differences of two Hydras that no command named. What a client got on the way is named at the scope."""
    left = []
    for client in before.keys() | after.keys():
        one, two = before.get(client, {}), after.get(client, {})
        for key in one.keys() | two.keys():
            told = {(f"client/{client}", path) for path in ("", _HYDRA.get(key, key))}
            more = set(two.get(key, ())) - set(one.get(key, ())) if key == "scope" else set()
            grew = bool(more) and set(one.get(key, ())) <= set(two[key])
            if one.get(key) == two.get(key) or told & named:
                continue
            if not (grew and all((f"scope/{scope}", "new_clients") in named for scope in more)):
                left.append((client, key, one.get(key), two.get(key)))
    return left


def on_the_page(heading: str) -> set[str]:
    """The fields in the first column of the table under a heading of the page; what follows a colon are values."""
    part = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = (row.partition("`: ")[0] for row in re.findall(r"^\| (.*?) \|", part, re.MULTILINE))
    return {name for cell in cells for name in re.findall(r"`([^`]+)`?", cell)}


def require_page(heading: str, named: Named) -> None:
    """The page lists the fields that are named, and no others."""
    kinds = {"client", "scope", "association"}
    told = {one or address.partition("/")[0] for address, one in named}
    found = on_the_page(heading)
    assert told - found - {"new_clients"} == set(), "the page does not list them"
    assert found - told - kinds == set(), "the page lists them, and nothing was lost"


def test_clients_move_from_keycloak_to_hydra_and_back(
    tmp_path: Path, hydra: Hydra, make_realm: Callable[..., Realm]
) -> None:
    """Their secrets work on every server; whatever is not the same on the way or at the end was named by object and field."""
    first, second = make_realm(), make_realm()
    for scope in SCOPES:
        first.add("/client-scopes", scope)
    for client in CLIENTS.values():
        first.add("/clients", client)
    move = Move(tmp_path, {"KEYCLOAK_PASSWORD": first.server.password})
    # Keycloak tells secrets: who moves clients reads them there, and gives them to the variables.
    there = move.copy(first, hydra, lambda client: str(first.client(client)["secret"]))
    moved = {client["client_id"]: client for client in hydra.get("/admin/clients?page_size=100")}
    gone = {client for client in CLIENTS if (f"client/{client}", "") in there}
    assert gone == {"a/path", "kürzel mit ümlaut", "switched-off", "old-script", "television", "receives-only"}
    assert moved.keys() == CLIENTS.keys() - gone
    assert moved["no-refresh"]["grant_types"] == ["authorization_code"]
    assert set(moved["web-shop"]["grant_types"]) == {"authorization_code", "refresh_token"}
    assert {"profile", "email", "offline_access"} <= set(moved["web-shop"]["scope"].split())
    assert moved["no-scope"]["scope"].split() == []
    for realm_or_hydra in (first, hydra):
        answer = realm_or_hydra.token("nightly-batch", secret_of("nightly-batch"), scope="orders.read")
        assert answer.status_code == 200, answer.text
    back = move.copy(hydra, second, secret_of)
    assert second.token("nightly-batch", secret_of("nightly-batch"), scope="orders.read").status_code == 200
    assert not (left := unnamed(lost(realm_contents(first), realm_contents(second)), there | back)), left
    require_page("From Keycloak to Hydra", there)


def test_clients_move_from_hydra_to_keycloak_and_back(tmp_path: Path, hydra: Hydra, other: Hydra, realm: Realm) -> None:
    """The other way round: what Keycloak does not hold of Hydra's clients was named."""
    fill(hydra, {name: {**fields, "client_secret": secret_of(name)} for name, fields in SHAPES.items()})
    move = Move(tmp_path, {"KEYCLOAK_PASSWORD": realm.server.password})
    there = move.copy(hydra, realm, secret_of)
    back = move.copy(realm, other, secret_of)
    assert other.token("machine", secret_of("machine"), scope="orders.read").status_code == 200
    assert not (left := unnamed_of_hydra(contents(hydra), contents(other), there | back)), left
    require_page("From Hydra to Keycloak", there)
