"""The secrets of dynamic registration: nothing that is written shows one, and the registry is encrypted and its owner's alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.testing.proxy import Fault, once
from tests.contract.rfc7591 import REGISTRY_KEY
from tests.drivers.canary_runs import PLANTED, CanaryFolder, keyring
from tests.servers.oidc_provider import NOTHING, OidcProvider

pytestmark = pytest.mark.live

CONFIDENTIAL: dict[str, Any] = {"type": "confidential", "redirect_uris": [], "grants": ["client_credentials"]}
REGISTRY = "clients.registry"
FORMER_KEY = "Zm9ybWVyLWJ5dGVzLWZvci10aGUtdGVzdHMtb25lLTE="
CLIENTS: dict[str, Any] = {
    "made": {**CONFIDENTIAL, "secret": {"generate": True, "deliver_to": {"file": "made.json", "format": "json"}}},
    "from-env": CONFIDENTIAL,
    "shop": {"type": "public", "redirect_uris": ["https://shop.example.com/cb"], "grants": ["authorization_code"]},
}


@pytest.fixture
def planted(tmp_path: Path, rotating: OidcProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[CanaryFolder]:
    """A folder with secrets from every kind of source."""
    monkeypatch.setitem(sys.modules, "keyring", keyring())
    env = {"KEY": REGISTRY_KEY, "FORMER": FORMER_KEY, "INITIAL": rotating.initial}
    made = CanaryFolder(tmp_path, rotating.url, env)
    yield made
    made.proxy.close()


def entry(planted: CanaryFolder, server: OidcProvider) -> dict[str, Any]:
    """The server entry: its secrets come from the environment."""
    return {
        "role": "authorization",
        "driver": "rfc7591",
        "url": planted.proxy.url,
        "issuer": server.url,
        "credentials": {
            "registry_key": "${env:KEY}",
            "former_registry_key": "${env:FORMER}",
            "initial_access_token": "${env:INITIAL}",
        },
        "options": {"registry": REGISTRY, "empty_scope": NOTHING},
    }


def everything(server: OidcProvider) -> dict[str, str]:
    """The secrets that nothing may show, beside those of the answers."""
    return {
        **PLANTED,
        "the key of the registry": REGISTRY_KEY,
        "its former key": FORMER_KEY,
        "the initial access token": server.initial,
    }


def check_registry(planted: CanaryFolder, server: OidcProvider) -> None:
    """At rest it is encrypted, and nobody but its owner can read it."""
    path = planted.folder / REGISTRY
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_bytes().decode("latin-1")
    for hidden in (*everything(server).values(), *planted.told.values(), "registration", "made", "client_id"):
        assert hidden not in text


def test_nothing_that_is_written_shows_a_secret(planted: CanaryFolder, rotating: OidcProvider) -> None:
    """Every command, verbose and with its requests, in every format; client secrets and registration access tokens included."""
    server = entry(planted, rotating)
    associations = [{"client": "shop", "scopes": ["a.read"]}, {"client": "made", "scopes": ["b.read"]}]
    sections: dict[str, Any] = {"scopes": {"a.read": {}, "b.read": {}}, "associations": associations}
    planted.write(server, clients=CLIENTS, **sections)
    planted.run_all("rfc7591-registry-new")
    check_registry(planted, rotating)
    clients = {**CLIENTS, "from-env": {"state": "absent"}, "shop": {**CLIENTS["shop"], "name": "Shop"}}
    planted.write(server, clients=clients, **sections)
    planted.run("apply", "--yes", "-v", "--trace")
    planted.search(everything(rotating), but=["made.json"])
    check_registry(planted, rotating)
    assert any("registration_access_token" in name and "PUT" in name for name in planted.told)


def test_a_registration_of_the_manifest_is_shown_without_its_token(
    planted: CanaryFolder, rotating: OidcProvider
) -> None:
    """`options.rfc7591.registration` of a client takes its token from any kind of source, and adopt stores it encrypted."""
    tokens, clients = {}, {}
    references = {"env": "${env:TOKEN}", "file": "${file:secret.txt}", "variable": "${var:token}"}
    for name, reference in references.items():
        made = rotating.register(client_name=name, grant_types=["client_credentials"], response_types=[])
        tokens[name] = made["registration_access_token"]
        registration = {"client_uri": made["registration_client_uri"], "access_token": reference}
        clients[name] = {**CONFIDENTIAL, "options": {"rfc7591": {"registration": registration}}}
    planted.env |= {"TOKEN": tokens["env"], "OAUTHDEPLOY_VAR_token": tokens["variable"]}
    (planted.folder / "secret.txt").write_text(tokens["file"])
    planted.write(entry(planted, rotating), clients=clients)
    for command in (
        ("validate", "-v", "-o", "json"),
        ("plan", "-v", "--trace", "--out", "saved.json"),
        ("plan", "-o", "json"),
        ("explain", "client/env"),
        ("adopt", "--yes", "-v"),
        ("plan", "-v", "--trace"),
        ("export", "--write"),
    ):
        planted.run(*command)
    planted.search({**everything(rotating), **tokens})
    check_registry(planted, rotating)


def test_a_server_that_quotes_what_it_was_sent_leaks_nothing(planted: CanaryFolder, rotating: OidcProvider) -> None:
    """Errors that repeat the initial access token, or the registration access token of a client, are shown without it."""
    server = entry(planted, rotating)
    planted.write(server, clients=CLIENTS)
    quoted = f'{{"error": "invalid_client_metadata", "error_description": "no: {rotating.initial}"}}'.encode()
    planted.proxy.spoil(once(Fault("it quotes", 400, quoted), 1, writes=True))
    planted.run("apply", "--yes", "-v", "--trace", "--allow", "rfc7591-registry-new", codes=(4,))
    planted.run("apply", "--yes", "-v", "--trace", "--allow", "rfc7591-registry-new")
    tokens = " ".join(text for name, text in planted.told.items() if name.startswith("registration_access_token"))
    quoted = f'{{"error": "invalid_client_metadata", "error_description": "no: {tokens}"}}'.encode()
    planted.proxy.spoil(once(Fault("it quotes", 400, quoted), 1, writes=True))
    planted.write(server, clients={**CLIENTS, "shop": {**CLIENTS["shop"], "name": "Shop"}})
    planted.run("apply", "--yes", "-v", "--trace", codes=(4,))
    planted.search(everything(rotating), but=["made.json"])
