"""The estates with Keycloak as authorization server: with Open Policy Agent, and with a webMethods resource server.

Two realms of one Keycloak are the two authorization servers. Clients have their keys as ids, and tokens are signed: Open Policy
Agent verifies them by itself, and a webMethods server asks the realm about them (RFC 7662).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import keycloak as keycloak_server
from tests.servers import opa as opa_server
from tests.servers.keycloak import Keycloak, make_realm
from tests.servers.opa import Opa
from tests.traffic.estates import PASSWORD, SECRETS, Estate, manifest_of, serve, webmethods_entry
from tests.traffic.generator import USER, USER_PASSWORD

POLICY = Path(__file__).parents[2] / "examples/opa/policy/authz.rego"
GATEWAY = "gateway"
SECRETS_HERE = {**SECRETS, GATEWAY: "gateway-secret-canary-61"}


@dataclass
class KeycloakEstate(Estate):
    """Realms of a Keycloak, by the name of their server entry, and resource servers."""

    realms: Mapping[str, str] = field(default_factory=dict)

    def token_url(self, server: str) -> str:
        return f"{self.realms[server]}/protocol/openid-connect/token"

    def revoke_url(self, server: str) -> str | None:
        """Nowhere: a token of client credentials has no session, so the server keeps nothing of it."""
        return None


class AsksOpa:
    """Services that ask Open Policy Agent, by the policy of the examples."""

    urls: Mapping[str, str]

    def call(self, server: str, service: str, token: str) -> tuple[str, Mapping[str, Any]]:
        """What a service asks of the policy; the service itself would add nothing."""
        return f"{self.urls[server]}/v1/data/{server}/authz/decision", {
            "json": {"input": {"token": token, "resource": service}}
        }

    def opens(self, status: int, said: Any) -> bool:
        result = said.get("result") if isinstance(said, dict) else None
        return status == 200 and isinstance(result, dict) and result.get("allow") is True


class OpaEstate(AsksOpa, KeycloakEstate):
    """The same with Open Policy Agent."""


@contextmanager
def keycloak_opa(folder: Path, *, limit: int | None = None, keycloak: Keycloak | None = None) -> Iterator[Estate]:
    """Two realms, of which one is in use at first, and two policy agents, of which one is."""
    with ExitStack() as stack:
        server, realms = _realms(stack, folder, keycloak)
        opas = {name: opa_agent(stack, folder / name, name) for name in ("orders", "billing")}
        resource = {name: opa_entry(opa, name) for name, opa in opas.items()}
        manifest = _manifest(server, realms, resource, limit)
        yield OpaEstate(
            "keycloak-opa",
            new_folder(folder),
            manifest,
            _environment(server),
            {name: opa.url for name, opa in opas.items()},
            # Tokens name the client by its id, so policies can't know it by another name: `moved_from` is refused.
            left_out=frozenset({"rename client"}),
            realms=_issuers(server, realms),
        )


@contextmanager
def keycloak_webmethods(
    folder: Path, *, limit: int | None = None, keycloak: Keycloak | None = None
) -> Iterator[Estate]:
    """The same with webMethods resource servers, which introspect tokens at the realm as the client `gateway`."""
    with ExitStack() as stack:
        server, realms = _realms(stack, folder, keycloak)
        urls = {}
        for name in ("orders", "billing"):
            urls[name], process = serve(folder / name, name, "resource", own_ids=False)
            stack.callback(process.stop)
        resource = {name: webmethods_entry(url, "resource") for name, url in urls.items()}
        manifest = _manifest(server, realms, resource, limit)
        manifest["clients"][GATEWAY] = {
            "type": "confidential",
            "redirect_uris": [],
            "grants": ["client_credentials"],
            "secret": {"value": "${env:GATEWAY_SECRET}"},
            "on": ["login"],
        }
        # Keycloak calls a token inactive to whom it is not meant for.
        for scope in manifest["scopes"].values():
            scope["options"] = {"keycloak": {"audiences": [GATEWAY]}}
        for entry in (manifest["servers"]["login"], manifest["spare"]["next"]):
            entry["introspection"] = {"client_id": GATEWAY, "client_secret": "${env:GATEWAY_SECRET}", "user": USER}
        yield KeycloakEstate(
            "keycloak-webmethods",
            new_folder(folder),
            manifest,
            _environment(server),
            urls,
            realms=_issuers(server, realms),
        )


def _realms(stack: ExitStack, folder: Path, keycloak: Keycloak | None) -> tuple[Keycloak, Mapping[str, str]]:
    """A Keycloak, started unless one is given, and the names of two new realms with a user."""
    server = keycloak
    if server is None:
        server = keycloak_server.launch(folder / "keycloak", os.getpid())
        stack.callback(server.process.stop)
    realms = {}
    for name in ("login", "next"):
        realm = make_realm(server)
        realm.add("/users", _user())
        realms[name] = realm.name
    return server, realms


def _user() -> dict[str, Any]:
    return {
        "username": USER,
        "enabled": True,
        "email": f"{USER}@example.com",
        "emailVerified": True,
        "firstName": "Alice",
        "lastName": "Example",
        "credentials": [{"type": "password", "value": USER_PASSWORD, "temporary": False}],
    }


def opa_agent(stack: ExitStack, folder: Path, name: str) -> Opa:
    """An Open Policy Agent with the policy of the examples, for the data of one resource server."""
    source = POLICY.read_text(encoding="utf-8")
    for old, new in (("data.oauth.orders", f"data.oauth.{name}"), ("package orders.authz", f"package {name}.authz")):
        assert old in source
        source = source.replace(old, new)
    made = opa_server.launch(folder, files={"decide.rego": source})
    stack.callback(made.process.stop)
    return made


def opa_entry(opa: Opa, name: str) -> dict[str, Any]:
    """The server entry of a policy agent that trusts `login`."""
    return {
        "role": "resource",
        "driver": "opa",
        "url": opa.url,
        "credentials": {},
        "options": {"path": f"oauth/{name}"},
        "authorization_server": "login",
    }


def _manifest(
    server: Keycloak, realms: Mapping[str, str], resource: Mapping[str, Any], limit: int | None
) -> dict[str, Any]:
    issuers = {
        name: {
            "role": "authorization",
            "driver": "keycloak",
            "url": server.url,
            "credentials": {"username": "${env:LOGIN_USER}", "password": "${env:LOGIN_PASSWORD}"},
            "options": {"realm": realm},
        }
        for name, realm in realms.items()
    }
    servers = {"login": issuers["login"], "orders": resource["orders"]}
    spare = {"next": issuers["next"], "billing": resource["billing"]}
    manifest = manifest_of(servers, spare, prune="full", own_ids=False, limit=limit)
    manifest["settings"] = {"access_token_lifetime": "10m"}
    for client in manifest["clients"].values():
        del client["tokens"], client["version"]
    return manifest


def _issuers(server: Keycloak, realms: Mapping[str, str]) -> Mapping[str, str]:
    return {name: f"{server.url}/realms/{realm}" for name, realm in realms.items()}


def _environment(server: Keycloak) -> Mapping[str, str]:
    return {
        "LOGIN_USER": server.username,
        "LOGIN_PASSWORD": server.password,
        "DEPLOYER_PASSWORD": PASSWORD,
        **{f"{key.upper()}_SECRET": value for key, value in SECRETS_HERE.items()},
    }


def new_folder(folder: Path) -> Path:
    """The folder of an estate's manifest."""
    made = folder / "manifest"
    made.mkdir()
    return made


ESTATES: Mapping[str, Callable[..., Any]] = {
    "keycloak-opa": keycloak_opa,
    "keycloak-webmethods": keycloak_webmethods,
}
