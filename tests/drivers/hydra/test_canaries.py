"""Secrets from every kind of source, and those that a real Hydra generates: nothing that is written shows them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.testing.proxy import Fault
from tests.drivers.canary_runs import PLANTED, REFERENCES, CanaryFolder, keyring
from tests.servers.hydra import Hydra

pytestmark = pytest.mark.live

CONFIDENTIAL: dict[str, Any] = {"type": "confidential", "redirect_uris": [], "grants": ["client_credentials"]}
PASSWORD = "canary-gateway-password-31"
CLIENTS: dict[str, Any] = {
    **{name: {**CONFIDENTIAL, "secret": {"value": reference}} for name, reference in REFERENCES.items()},
    "made": {**CONFIDENTIAL, "secret": {"generate": True, "deliver_to": {"file": "made.json", "format": "json"}}},
}
SERVER = {
    "role": "authorization",
    "driver": "hydra",
    "credentials": {"username": "deployer", "password": "${env:GATEWAY}"},
}
SCOPES: dict[str, Any] = {"a": {}, "b": {}}


@pytest.fixture
def planted(tmp_path: Path, hydra: Hydra, monkeypatch: pytest.MonkeyPatch) -> Iterator[CanaryFolder]:
    """A manifest that takes secrets from every kind of source."""
    monkeypatch.setitem(sys.modules, "keyring", keyring())
    made = CanaryFolder(tmp_path, hydra.url, {"GATEWAY": PASSWORD})
    yield made
    made.proxy.close()


def test_nothing_that_is_written_shows_a_secret(planted: CanaryFolder) -> None:
    """Every command, verbose and with its requests, in every format: first as it should be, then with a renewal, then refused."""
    server = {**SERVER, "url": planted.proxy.url}
    planted.write(server, scopes=SCOPES, clients=CLIENTS, associations=[{"scope": "a", "clients": ["from-env"]}])
    planted.run_all()
    renewed = {**CLIENTS["made"]["secret"], "revision": 1}
    clients = {**CLIENTS, "made": {**CONFIDENTIAL, "secret": renewed}, "from-env": {"state": "absent"}}
    planted.write(server, scopes=SCOPES, clients=clients, associations=[{"scope": "b", "clients": ["made"]}])
    planted.run("apply", "--yes", "-v", "--trace")
    planted.run("revoke", "made", "--yes", "--reason", "leaked", "--trace", codes=(0, 4))
    journal = min((planted.folder / ".oauthdeploy" / "journal").glob("*.jsonl"))
    planted.run("rollback", str(journal), "--yes", "-v", "--trace", "--allow=too-many-deletes", codes=(0, 4, 5))
    planted.search({**PLANTED, "the password of the gateway": PASSWORD}, but=["made.json"])
    assert len(planted.told) >= len(CLIENTS)


def test_a_server_that_quotes_what_it_was_sent_leaks_nothing(planted: CanaryFolder) -> None:
    """Errors that repeat the secret of a client, or the password, are shown without them."""
    planted.write({**SERVER, "url": planted.proxy.url}, scopes=SCOPES, clients=CLIENTS)
    quoted = json.dumps({"error": "invalid", "error_description": f"no: {[*PLANTED.values(), PASSWORD]}"}).encode()
    planted.proxy.spoil(lambda seen: Fault("it quotes", 400, quoted) if seen.writes else None)
    planted.run("apply", "--yes", "-v", "--trace", codes=(4,))
    planted.proxy.spoil(lambda _seen: Fault("it quotes", 401, quoted))
    planted.run("plan", "-v", "--trace", codes=(8,))
    planted.search({**PLANTED, "the password of the gateway": PASSWORD}, but=["made.json"])
