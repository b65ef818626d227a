"""A secret from every source in every field of the model, found by walking the model: none is in any output of any command."""

from __future__ import annotations

import base64
import json
import sys
import types
from copy import deepcopy
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.explaining.fields import all_fields
from oauthdeploy.model.explanation import FieldFacts
from tests.live.conftest import run_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CANARIES: Final = {
    "env:PLANTED": "canary/env-51c0 ffee+1",
    "file:planted.txt": "canary/file-51c0 ffee+2",
    "keyring:team/planted": "canary/keyring-51c0 ffee+3",
    "command:cat planted.txt": "canary/command-51c0 ffee+4",
}
SERVERS: Final = {
    "keycloak": "kc",
    "webmethods": "is",
    "opa": "opa",
    "external": "idp",
    "hydra": "hydra",
    "rfc7591": "registration",
}
"""The server of a manifest for the fields that are a driver's own."""
BASE: Final[dict[str, Any]] = {
    "version": "1",
    "name": "planted",
    "servers": {
        "kc": {
            "role": "authorization",
            "driver": "keycloak",
            "url": "http://127.0.0.1:1",
            "credentials": {"username": "a", "password": "${env:PASSWORD}"},
            "options": {"realm": "r"},
            "limits": {"retries": "0"},
        },
        "is": {
            "role": "resource",
            "driver": "webmethods",
            "url": "http://127.0.0.1:2",
            "credentials": {"username": "a", "password": "${env:PASSWORD}"},
            "authorization_server": "kc",
            "limits": {"retries": "0"},
        },
    },
    "settings": {},
    "scopes": {"s": {"description": "S", "resources": ["x"]}},
    "clients": {
        "c": {
            "type": "confidential",
            "grants": ["client_credentials"],
            "secret": {"value": "${env:PASSWORD}"},
        }
    },
    "associations": [{"scope": "s", "clients": ["c"]}],
    "revocations": [{"id": "INC-1", "client": "c", "tokens": "all"}],
}
OTHERS: Final[dict[str, dict[str, Any]]] = {
    "opa": {"role": "resource", "driver": "opa", "url": "http://127.0.0.1:3", "authorization_server": "kc"},
    "idp": {"role": "authorization", "driver": "external", "issuer": "https://idp.example.com"},
    "hydra": {"role": "authorization", "driver": "hydra", "url": "http://127.0.0.1:4", "limits": {"retries": "0"}},
    "registration": {
        "role": "authorization",
        "driver": "rfc7591",
        "url": "http://127.0.0.1:5",
        "credentials": {"registry_key": "${env:REGISTRY_KEY}"},
        "options": {"registry": "clients.registry"},
        "limits": {"retries": "0"},
    },
}
FIELDS: Final = tuple(facts for _path, entries in sorted(all_fields(driver_facts()).items()) for facts in entries)
OUTPUTS: Final = ("json", "html", "markdown", "junit", "sarif")


def planted(facts: FieldFacts, text: str, shape: int) -> dict[str, Any]:
    """The manifest with `text` in a field: as a value, within a text, in a list, or in a mapping."""
    made = deepcopy(BASE)
    first, *rest = facts.path.split(".")
    value: Any = (text, f"x {text} y", [text], {"k": text})[shape]
    if not rest:
        made[first] = value
        return made
    place: Any = made.setdefault(first, {})
    if first == "servers":
        name = SERVERS.get(facts.driver, "kc")
        place = place.setdefault(name, deepcopy(OTHERS.get(name, {})))
    elif first in ("scopes", "clients"):
        if len(rest) > 1 and rest[0] == "options" and (name := SERVERS.get(rest[1], "")) in OTHERS:
            made["servers"][name] = deepcopy(OTHERS[name])
        place = place[{"scopes": "s", "clients": "c"}[first]]
    elif first in ("associations", "revocations"):
        place = place[0]
    elif isinstance(place, dict) and first in ("variables", "environments"):
        place = place.setdefault("v", {})
    for part in rest[:-1]:
        inner = place.get(part)
        place[part] = inner if isinstance(inner, dict) else {}
        place = place[part]
    place[rest[-1]] = value
    return made


def forms_of(secret: str) -> set[str]:
    """The secret as outputs might hold it."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret), quote(secret, safe=""), encoded, json.dumps(secret)[1:-1], secret.encode().hex()}


@pytest.mark.parametrize("source", CANARIES)
def test_no_output_of_any_command_holds_it(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the value may stand, outputs show the reference; where it may not, the error doesn't show it either."""
    secret = CANARIES[source]
    (tmp_path / "planted.txt").write_text(secret)
    library = types.SimpleNamespace(get_password=lambda _service, _name: secret)
    monkeypatch.setitem(sys.modules, "keyring", library)
    key = base64.urlsafe_b64encode(b"bytes of 16 char" * 2).decode()
    environ = {"PASSWORD": "another-secret-77", "PLANTED": secret, "REGISTRY_KEY": key}
    allowed = "--allow-commands"
    accepted = 0
    assert len(FIELDS) > 150
    for number, facts in enumerate(FIELDS):
        (tmp_path / "oauthdeploy.yaml").write_text(json.dumps(planted(facts, f"${{{source}}}", number % 4)))
        outputs = [argument for form in OUTPUTS for argument in ("-o", f"{form}=out.{form}")]
        commands = [("validate", "-v", allowed, *outputs)]
        found = run_command(tmp_path, *commands[0], env=environ)
        seen = found.out + found.err
        if found.code == 0:
            accepted += 1
            for command in (
                ("plan", "--trace", "-v", "-o", "json=plan.json", "--out", "plan.saved"),
                ("apply", "--yes", "-o", "ndjson=events.ndjson"),
                ("graph", "-o", "g.svg"),
                ("explain", "client/c"),
            ):
                result = run_command(tmp_path, *command, allowed, env=environ)
                seen += result.out + result.err
        seen += "".join(
            file.read_text(errors="replace")
            for file in tmp_path.rglob("*")
            if file.is_file() and file.name not in ("planted.txt", "oauthdeploy.yaml")
        )
        shown = [form for form in forms_of(secret) if form in seen]
        assert shown == [], (facts.path, source, number % 4)
        assert "This is a bug" not in seen, (facts.path, source)
    assert accepted >= 5, "fields for secrets and of connections take it"
