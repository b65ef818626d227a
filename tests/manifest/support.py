"""What the tests of the manifest share: two drivers as data, a second opinion on YAML, and short ways to load."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics
from oauthdeploy.core.secrets import Secret
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.rules import CATALOGUE
from oauthdeploy.model.capabilities import Capability, DriverFacts, Endpoints, every_field, no, yes
from oauthdeploy.model.fields import Model, Text
from oauthdeploy.model.servers import Role

QUIET = {name: "ignore" for name, rule in CATALOGUE.items() if not rule.structural}
"""Silences the OAuth rules, which have tests of their own, so that a test of reading sees reading only."""

NULLS = {"", "~", "null", "Null", "NULL"}
HEAD = """\
version: 1
name: payments
servers:
  login: {role: authorization, driver: acme, url: "https://login.example.com", credentials: {username: u, password: "${env:P}"}}
  orders: {role: resource, driver: acme, url: "https://orders.example.com", credentials: {username: u, password: "${env:P}"},
    authorization_server: login}
"""
"""Six lines with one server on each side; what a test adds starts in line 7."""


class SignIn(Model):
    username: Text
    password: Secret


class Nothing(Model):
    pass


class ClientOptions(Model):
    theme: Text | None = None
    key: Secret | None = None


def _acme(url: str, _options: Model) -> Endpoints:
    return Endpoints(introspection=url.rstrip("/") + "/introspect")


def _signer(url: str, _options: Model) -> Endpoints:
    return Endpoints(issuer=url, jwks_uri=f"{url}/keys", introspection=f"{url}/introspect")


_ALL = {capability: yes() for capability in Capability}
_FIELDS = dict.fromkeys(Role, every_field(yes()))
_OTHER_SIDES = dict.fromkeys([Capability.ASSOCIATIONS, Capability.TOKENS_REFUSE], no("the other side's"))
DRIVERS: Mapping[str, DriverFacts] = {
    "acme": DriverFacts(
        "acme",
        "Acme",
        frozenset(Role),
        SignIn,
        Nothing,
        {**dict.fromkeys(Role, _ALL), Role.RESOURCE: {**_ALL, **_OTHER_SIDES}},
        _FIELDS,
        client_options=ClientOptions,
        endpoints=_acme,
    ),
    "scopeless": DriverFacts(
        "scopeless",
        "No scopes, no clients",
        frozenset({Role.RESOURCE}),
        Nothing,
        Nothing,
        {Role.RESOURCE: {**_ALL, Capability.SCOPES: no("none"), Capability.CLIENTS: no("none")}},
        _FIELDS,
    ),
    "namer": DriverFacts(
        "namer",
        "Keeps the names of scopes",
        frozenset({Role.AUTHORIZATION}),
        Nothing,
        Nothing,
        {Role.AUTHORIZATION: {**_ALL, Capability.SCOPES: no("a scope is a word")}},
        _FIELDS,
    ),
    "signer": DriverFacts(
        "signer",
        "Signs JWTs",
        frozenset({Role.AUTHORIZATION}),
        Nothing,
        Nothing,
        {Role.AUTHORIZATION: _ALL},
        _FIELDS,
        endpoints=_signer,
    ),
    "verifier": DriverFacts(
        "verifier", "Verifies JWTs", frozenset({Role.RESOURCE}), Nothing, Nothing, {Role.RESOURCE: _ALL}, _FIELDS
    ),
    "asker": DriverFacts(
        "asker",
        "Verifies nothing itself",
        frozenset({Role.RESOURCE}),
        Nothing,
        Nothing,
        {Role.RESOURCE: {**_ALL, **_OTHER_SIDES, Capability.TRUST_JWT: no("it asks")}},
        _FIELDS,
    ),
    "external": DriverFacts(
        "external", "Trusted", frozenset({Role.AUTHORIZATION}), Nothing, Nothing, {}, writable=False
    ),
}


def load(text: str, folder: Path, **changes: Any) -> tuple[Manifest | None, Diagnostics]:
    """Write the text to a file and load it; P is in the environment, OAuth rules are silent."""
    path = folder / "oauthdeploy.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    options: dict[str, Any] = {"files": (str(path),), "environ": {"P": "pw"}, "severities": QUIET, **changes}
    return load_manifest(ManifestRequest(**options), DRIVERS)


def good(text: str, folder: Path, **changes: Any) -> Manifest:
    """Load a manifest that has no errors."""
    manifest, diagnostics = load(text, folder, **changes)
    assert manifest is not None, shown(diagnostics)
    return manifest


def bad(text: str, folder: Path, **changes: Any) -> list[Diagnostic]:
    """Load a manifest that has errors, and give the errors."""
    manifest, diagnostics = load(text, folder, **changes)
    assert manifest is None
    return list(diagnostics.errors)


def shown(diagnostics: Diagnostics) -> str:
    return "\n".join(f"{item.span} {item.rule} {item.detail} {item.fix}" for item in diagnostics)


def places(items: list[Diagnostic]) -> list[tuple[str, int, int]]:
    """Rule, line and column of each finding."""
    return [(item.rule, item.span.line if item.span else 0, item.span.column if item.span else 0) for item in items]


def second_opinion(text: str) -> Any:
    """What ruamel.yaml, a YAML 1.2 reader that shares no code with ours, reads: texts, None, lists and dicts."""
    yaml = YAML(typ="safe", pure=True)
    with warnings.catch_warnings():
        # An anchor may be used again for another node (YAML 1.2.2 section 3.2.2.2); ruamel.yaml warns, and reads it so.
        warnings.simplefilter("ignore", ReusedAnchorWarning)
        node = yaml.compose(io.StringIO(text))
    return _raw(node)


def _raw(node: Any) -> Any:
    if node is None:
        return None
    if isinstance(node, ScalarNode):
        return None if not node.style and node.value in NULLS else node.value
    if isinstance(node, SequenceNode):
        return [_raw(child) for child in node.value]
    assert isinstance(node, MappingNode)
    return {_raw(key): _raw(value) for key, value in node.value}
