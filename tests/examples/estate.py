"""The servers that an example's manifests name, and the environment that leads to them."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import requests
from ruamel.yaml import YAML

from oauthdeploy.server import RunningServer, SeedUser, ServerConfig, start
from tests.servers.keycloak import Keycloak, Realm
from tests.servers.opa import Opa

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSWORD = "dep-loyer-pass-word"
_URL = re.compile(r"\$\{env:([A-Z0-9_]+)_URL\b")
_VARIABLE = re.compile(r"\$\{env:([A-Z0-9_]+)([:}])")


@dataclass
class Estate:
    """Servers that run, by the prefix of their variables, and what a shell needs to reach them."""

    folder: Path
    environment: dict[str, str]
    servers: dict[str, RunningServer] = field(default_factory=dict)


def manifests(folder: Path) -> list[Path]:
    """The manifests of an example."""
    return sorted(folder.glob("*.yaml"))


Role = Literal["authorization", "resource", "both"]


def entries(folder: Path) -> Iterator[tuple[str, Role, str]]:
    """Each server that has a variable for its address: prefix of the variable, role and driver; overlays included."""
    for path in manifests(folder):
        tree: Any = YAML(typ="safe", pure=True).load(io.StringIO(path.read_text(encoding="utf-8")))
        base = tree.get("servers") or {}
        overlays = [overlay.get("servers") or {} for overlay in (tree.get("environments") or {}).values()]
        for servers in (base, *overlays):
            for name, entry in servers.items():
                found = _URL.match(entry.get("url", ""))
                if found:
                    whole = {**base.get(name, {}), **entry}
                    yield found[1], whole["role"], whole["driver"]


def secrets_of(folder: Path) -> Iterator[str]:
    """The variables without a default that the manifests read."""
    for path in manifests(folder):
        for name, end in _VARIABLE.findall(path.read_text(encoding="utf-8")):
            if end == "}":
                yield name


def owners(folder: Path) -> Iterator[str]:
    """Accounts that the manifests ask for, the services that introspect among them."""
    for path in manifests(folder):
        text = path.read_text(encoding="utf-8")
        tree: Any = YAML(typ="safe", pure=True).load(io.StringIO(text))
        yield from tree.get("resource_owners") or ()
        yield from re.findall(r"introspection: \{username: ([\w-]+)", text)


@contextmanager
def estate(example: str, tmp_path: Path, request: pytest.FixtureRequest | None = None) -> Iterator[Estate]:
    """A copy of the example's folder, with its servers running. A driver that nothing here can start fails the test.

    `request` leads to the servers that others wrote, which skip the test where they cannot be installed.
    """
    folder = tmp_path / example
    shutil.copytree(EXAMPLES / example, folder)
    names = set(owners(folder))
    users = (
        SeedUser("deployer", PASSWORD, ("Administrators",)),
        *(SeedUser(name, PASSWORD, ("ResourceServers",)) for name in sorted(names)),
    )
    made = Estate(folder, {name: f"{name.lower()}-canary-5a1c" for name in secrets_of(folder)})
    with ExitStack() as stack:
        for prefix, role, driver in entries(folder):
            if driver in OTHERS:
                assert request is not None
                made.environment |= OTHERS[driver](request, folder, made.environment)
                continue
            assert driver == "webmethods", f"tests/examples/estate.py can't start a server for the driver '{driver}'"
            config = ServerConfig(
                role=role, data_dir=tmp_path / f"data-{prefix}", tls=True, users=users, accept_client_id=True
            )
            server = stack.enter_context(start(config))
            made.servers[prefix] = server
            made.environment[f"{prefix}_URL"] = server.url
            made.environment[f"{prefix}_CA"] = str(server.ca_file)
        made.environment |= {name: PASSWORD for name in made.environment if name.endswith("_PASSWORD")}
        if example in GROWN:
            GROWN[example](made)
        yield made


def _keycloak(request: pytest.FixtureRequest, _folder: Path, given: Mapping[str, str]) -> Mapping[str, str]:
    """The realm `payments`, and a service account in it that may manage it."""
    server: Keycloak = request.getfixturevalue("keycloak")
    server.call("DELETE", "/payments")
    assert server.call("POST", "", {"realm": "payments", "enabled": True}).status_code == 201
    realm = Realm(server, "payments")
    body = {"clientId": "oauthdeploy", "secret": given["LOGIN_SECRET"], "serviceAccountsEnabled": True}
    uuid = realm.add("/clients", body)
    user = realm.get(f"/clients/{uuid}/service-account-user")["id"]
    management = realm.client("realm-management")["id"]
    role = realm.get(f"/clients/{management}/roles/realm-admin")
    assert realm.call("POST", f"/users/{user}/role-mappings/clients/{management}", [role]).ok
    return {"LOGIN_URL": server.url}


def _opa(request: pytest.FixtureRequest, folder: Path, _given: Mapping[str, str]) -> Mapping[str, str]:
    """An OPA with the example's policy that lets in who has its token."""
    policies = {path.name: path.read_text(encoding="utf-8") for path in (folder / "policy").glob("*.rego")}
    server: Opa = request.getfixturevalue("start_opa")(bearer=True, files=policies)
    return {"ORDERS_URL": server.url, "ORDERS_TOKEN": server.token}


OTHERS: Final[Mapping[str, Callable[[pytest.FixtureRequest, Path, Mapping[str, str]], Mapping[str, str]]]] = {
    "keycloak": _keycloak,
    "opa": _opa,
}
"""How servers of other drivers are started; each gives the variables that lead to it."""


def _by_hand(made: Estate) -> None:
    """What somebody has configured on both servers over the years."""
    scopes = {"orders.read": ["orders.v1:getOrder"], "reports.read": ["reports"]}
    client = {
        "name": "Old Batch",
        "version": 1,
        "type": "Confidential",
        "redirect_uris": [],
        "clientCredentialsGrant": True,
    }
    for prefix, server in made.servers.items():
        for name, services in scopes.items():
            _post(server, "scope", {"name": name, "FoldersAndServices": services if prefix == "ORDERS" else []})
        _post(server, "client", client | ({"scopes": ["reports.read"]} if prefix == "LOGIN" else {}))


def _post(server: RunningServer, kind: str, body: Mapping[str, Any]) -> None:
    answer = requests.post(
        f"{server.url}/admin/oauth/{kind}",
        json=body,
        auth=("deployer", PASSWORD),
        verify=str(server.ca_file),
        timeout=10,
    )
    assert answer.ok, answer.text


GROWN: Final[Mapping[str, Callable[[Estate], None]]] = {"migration": _by_hand}
"""Examples whose servers hold something before they begin."""


def shell_environment(inherited: Mapping[str, str], own: Mapping[str, str], bin_folder: Path) -> dict[str, str]:
    """The environment of a shell in which `oauthdeploy` is the one under test and nothing else of ours is set."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(("OAUTHDEPLOY_", "CI_", "GITHUB_"))}
    return {**kept, **own, "PATH": f"{bin_folder}:{inherited['PATH']}", "NO_COLOR": "1", "OAUTHDEPLOY_NO_INPUT": "true"}
