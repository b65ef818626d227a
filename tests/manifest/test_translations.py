"""Keys as other tools write them are answered with the YAML that means the same here, filled with what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.compose import merge_patch
from oauthdeploy.manifest.document import ClientEntry, Document, ScopeEntry
from oauthdeploy.manifest.problems import models_at
from oauthdeploy.manifest.translations import _KEYS, _SETTINGS, plain
from tests.manifest.support import HEAD, bad, good

FIRST = """\
scopes: {a: {description: A, resources: [orders.v1]}, b: {description: B, resources: [orders.v2]}}
"""
CASES = {
    # -- RFC 7591 and the wire
    "{type: public, scope: a b}": ["associations:", "  - {client: web, scopes: [a, b]}"],
    "{type: public, scopes: [a, b]}": ["associations:", "  - {client: web, scopes: [a, b]}"],
    "{redirect_uri: https://a.example/cb}": ["clients:", "  web:", "    redirect_uris: [https://a.example/cb]"],
    "{redirect_uris: https://a.example/cb}": ["clients:", "  web:", "    redirect_uris: [https://a.example/cb]"],
    "{grant_types: [client_credentials, urn:ietf:params:oauth:grant-type:device_code]}": [
        "clients:",
        "  web:",
        "    grants: [client_credentials, device_code]",
    ],
    "{grants: client_credentials}": ["clients:", "  web:", "    grants: [client_credentials]"],
    "{response_types: [code]}": ["clients:", "  web:", "    grants: [authorization_code]"],
    "{token_endpoint_auth_method: none}": ["clients:", "  web:", "    type: public"],
    "{token_endpoint_auth_method: client_secret_basic}": ["clients:", "  web:", "    type: confidential"],
    "{client_name: The shop}": ["clients:", "  web:", "    name: The shop"],
    "{client_id: web-shop, type: public}": ["clients:", "  web-shop:", "    type: public"],
    "{contacts: ops@example.com}": ["clients:", "  web:", "    contacts: [ops@example.com]"],
    # -- secrets
    "{secret: '${env:X}'}": ["clients:", "  web:", '    secret: {value: "${env:X}"}'],
    "{client_secret: '${env:X}'}": ["clients:", "  web:", '    secret: {value: "${env:X}"}'],
    "{client_secret: correct-horse}": ["clients:", "  web:", '    secret: {value: "${env:WEB_SECRET}"}'],
    "{secret: {env: X}}": ["clients:", "  web:", '    secret: {value: "${env:X}"}'],
    # -- Keycloak and Terraform
    "{publicClient: true}": ["clients:", "  web:", "    type: public"],
    "{access_type: CONFIDENTIAL}": ["clients:", "  web:", "    type: confidential"],
    "{validRedirectUris: [https://a.example/*]}": ["clients:", "  web:", "    redirect_uris: [https://a.example/*]"],
    "{standardFlowEnabled: true, serviceAccountsEnabled: true, implicit_flow_enabled: false}": [
        "clients:",
        "  web:",
        "    grants: [authorization_code, refresh_token, client_credentials]",
    ],
    "{optionalClientScopes: [b]}": ["associations:", "  - {client: web, scopes: [b], as: optional}"],
    "{access_token_lifespan: 300}": ["clients:", "  web:", "    tokens: {access_lifetime: 300}"],
    "{webOrigins: ['+']}": ["clients:", "  web:", "    options: {keycloak: {web_origins: [+]}}"],
    "{disabled: true}": ["clients:", "  web:", "    enabled: false"],
    # -- guesses from elsewhere in the manifest
    "{server: login}": ["clients:", "  web:", "    on: [login]"],
    "{type: public, overrides: {login: {description: x}}}": [
        "environments:",
        "  login:",
        "    clients: {web: {description: x}}",
    ],
}


def fixes(items: list[Diagnostic]) -> list[list[str]]:
    """The YAML of each fix that has some."""
    found = [[line[2:] for line in item.fix.splitlines() if line.startswith("  ")] for item in items]
    return [lines for lines in found if lines]


@pytest.mark.parametrize("written", CASES)
def test_what_is_written_elsewhere_is_answered_with_what_it_is_here(written: str, tmp_path: Path) -> None:
    """The answer has the values that were written, and none that was secret."""
    found = bad(f"{HEAD}{FIRST}clients:\n  web: {written}\n", tmp_path)
    answers = fixes([item for item in found if item.rule in ("unknown-key", "wrong-value")])
    assert answers
    assert all(lines == CASES[written] for lines in answers), answers
    assert not any("correct-horse" in f"{item.detail}{item.fix}{item.span and item.span.text}" for item in found)


@pytest.mark.parametrize("written", CASES)
def test_the_answer_is_a_part_of_a_valid_manifest(written: str) -> None:
    """Whoever replaces what was written by the answer gets a manifest that follows the schema."""
    base: Any = yaml.load(HEAD + FIRST, yaml.BaseLoader)
    patch = yaml.load("\n".join(CASES[written]), yaml.BaseLoader)
    Document.model_validate(merge_patch({**base, "clients": {"web": {}}}, patch))


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("clients:\n  - {name: web, type: public}", ["clients:", "  web:", "    type: public"]),
        ("scopes: [a, b]", ["scopes:", "  a: {}", "  b: {}"]),
        (FIRST + "associations: {web: [a]}", ["associations:", "  - {client: web, scopes: [a]}"]),
        (FIRST + "associations: [{client: web, scope: a b}]", ["associations:", "  - {client: web, scopes: [a, b]}"]),
        (FIRST + "settings: {pkce: true}", ["settings:", "  require_pkce: true"]),
        ("scopes: {a: {clients: [web]}}", ["associations:", "  - {scope: a, clients: [web]}"]),
        ("scopes: {a: {resources: orders.v1}}", ["scopes:", "  a:", "    resources: [orders.v1]"]),
    ],
)
def test_other_shapes_are_answered_too(written: str, answer: list[str], tmp_path: Path) -> None:
    """Lists for mappings and mappings for lists; keys of scopes and settings."""
    text = written if "clients:\n" in written else f"{written}\nclients: {{web: {{type: public}}}}"
    assert answer in fixes(bad(f"{HEAD}{text}\n", tmp_path))


def test_a_server_gets_its_credentials_as_one_mapping(tmp_path: Path) -> None:
    """Account and password are written together, and the password is never repeated."""
    text = """\
version: 1
name: x
servers:
  login: {role: authorization, driver: acme, base_url: "https://l.example", username: me, password: correct-horse}
"""
    found = bad(text, tmp_path)
    login = ["servers:", "  login:"]
    credentials = [*login, '    credentials: {username: me, password: "${env:LOGIN_PASSWORD}"}']
    assert [*login, "    url: https://l.example"] in fixes(found)
    assert fixes(found).count(credentials) == 2
    assert not any("correct-horse" in str(item) for item in found)


def test_what_is_not_managed_is_said_to_be_left_out(tmp_path: Path) -> None:
    """Metadata of RFC 7591 that no field holds."""
    (found,) = bad(HEAD + "clients: {web: {type: public, logo_uri: 'https://a.example/l.png'}}\n", tmp_path)
    assert "does not manage 'logo_uri'" in found.fix


def test_an_unknown_key_lists_every_known_one(tmp_path: Path) -> None:
    """A list that is cut hides the key that is looked for."""
    (found,) = bad(HEAD + "clients: {web: {type: public, zzzzzz: 1}}\n", tmp_path)
    assert all(name in found.fix for name in ClientEntry.model_fields)


def test_a_translation_is_for_a_key_that_there_is_not() -> None:
    """No word of the table is a key of its section, but for the keys whose value may have another shape."""
    reshaped = {"secret", "on", "contacts", "grants", "resources", "redirecturis"}
    known = {
        "clients": {plain(name) for name in ClientEntry.model_fields},
        "scopes": {plain(name) for name in ScopeEntry.model_fields},
        "servers": {plain(name) for model in models_at(Document, ("servers", "x")) for name in model.model_fields},
    }
    for section, words in _KEYS.items():
        assert words.keys() & known[section] <= reshaped, section
    (settings,) = models_at(Document, ("settings",))
    assert _SETTINGS.keys() & {plain(name) for name in settings.model_fields} == set()


def test_a_manifest_without_such_keys_is_untouched(tmp_path: Path) -> None:
    """The table speaks only where there is an error."""
    good(f"{HEAD}{FIRST}clients: {{web: {{type: public, redirect_uris: ['https://a.example/cb']}}}}\n", tmp_path)
