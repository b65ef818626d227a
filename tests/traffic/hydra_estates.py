"""The estates with Ory Hydra as authorization server: with Open Policy Agent, and with a webMethods resource server.

Two Hydras are the two authorization servers. Beside Open Policy Agent their access tokens are signed, and cut off there by their
time of issue; beside webMethods they are opaque, introspected at the admin API (RFC 7662), and cut off by their deletion.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import hydra as hydra_server
from tests.servers.hydra import Hydra
from tests.traffic.estates import PASSWORD, SECRETS, Estate, manifest_of, serve, webmethods_entry
from tests.traffic.generator import USER
from tests.traffic.keycloak_estates import AsksOpa, new_folder, opa_agent, opa_entry

LEFT_OUT = frozenset({"lifetime", "cut off a user's tokens", "block", "rename client"})
"""Hydra has no settings, no grant by which this traffic could get a user's tokens, no disabled clients and no other ids."""


@dataclass
class HydraEstate(Estate):
    """Hydras, by the name of their server entry, and resource servers."""

    hydras: Mapping[str, Hydra] = field(default_factory=dict)

    def token_url(self, server: str) -> str:
        return f"{self.hydras[server].public_url}/oauth2/token"

    def revoke_url(self, server: str) -> str | None:
        """Nowhere: Hydra lists no tokens, so there is nothing that many of them could slow down."""
        return None


class HydraOpaEstate(AsksOpa, HydraEstate):
    """The same with Open Policy Agent."""


@contextmanager
def hydra_opa(folder: Path, *, limit: int | None = None) -> Iterator[Estate]:
    """Two Hydras that sign access tokens, of which one is in use at first, and two policy agents, of which one is."""
    with ExitStack() as stack:
        hydras = _hydras(stack, folder, "jwt")
        opas = {name: opa_agent(stack, folder / name, name) for name in ("orders", "billing")}
        manifest = _manifest(hydras, {name: opa_entry(opa, name) for name, opa in opas.items()}, limit)
        urls = {name: opa.url for name, opa in opas.items()}
        yield HydraOpaEstate(
            "hydra-opa", new_folder(folder), manifest, _environment(), urls, left_out=LEFT_OUT, hydras=hydras
        )


@contextmanager
def hydra_webmethods(folder: Path, *, limit: int | None = None) -> Iterator[Estate]:
    """Two Hydras whose access tokens are opaque, and webMethods resource servers that introspect them."""
    with ExitStack() as stack:
        hydras, urls = _hydras(stack, folder, "opaque"), {}
        for name in ("orders", "billing"):
            urls[name], process = serve(folder / name, name, "resource", own_ids=False)
            stack.callback(process.stop)
        resource = {name: webmethods_entry(url, "resource") for name, url in urls.items()}
        manifest = _manifest(hydras, resource, limit)
        for entry in (manifest["servers"]["login"], manifest["spare"]["next"]):
            # The admin API asks nobody who introspects.
            entry["introspection"] = {"client_id": "gateway", "client_secret": "not-asked-for", "user": USER}
        yield HydraEstate(
            "hydra-webmethods", new_folder(folder), manifest, _environment(), urls, left_out=LEFT_OUT, hydras=hydras
        )


def _hydras(stack: ExitStack, folder: Path, strategy: str) -> Mapping[str, Hydra]:
    found = {}
    for name in ("login", "next"):
        found[name] = hydra_server.launch(folder / name, os.getpid(), strategy=strategy, busy=True)
        stack.callback(found[name].process.stop)
    return found


def _manifest(hydras: Mapping[str, Hydra], resource: Mapping[str, Any], limit: int | None) -> dict[str, Any]:
    issuers = {
        name: {
            "role": "authorization",
            "driver": "hydra",
            "url": hydra.url,
            "options": {"public_url": hydra.public_url},
        }
        for name, hydra in hydras.items()
    }
    servers = {"login": issuers["login"], "orders": resource["orders"]}
    spare = {"next": issuers["next"], "billing": resource["billing"]}
    manifest = manifest_of(servers, spare, prune="full", own_ids=False, limit=limit)
    del manifest["settings"]
    for client in manifest["clients"].values():
        for name in ("version", "description", "enabled", "tokens"):
            del client[name]
    manifest["clients"]["web"]["grants"] = ["authorization_code"]
    return manifest


def _environment() -> Mapping[str, str]:
    return {"DEPLOYER_PASSWORD": PASSWORD, **{f"{key.upper()}_SECRET": value for key, value in SECRETS.items()}}


ESTATES: Mapping[str, Callable[..., Any]] = {"hydra-opa": hydra_opa, "hydra-webmethods": hydra_webmethods}
