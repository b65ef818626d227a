"""The first manifest: valid, in canonical form, and never more than names, whatever people type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.api import Manifest, ManifestRequest
from oauthdeploy.manifest.editing import format_source
from oauthdeploy.manifest.editing.starter import EXTERNAL, Answers, write_starter
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports, table_for
from oauthdeploy.model.fields import Model, Text
from oauthdeploy.model.objects import Trust
from oauthdeploy.model.servers import Role
from tests.manifest.support import DRIVERS, QUIET, shown
from tests.manifest.test_yaml_reader import TEXTS

PLAIN = Answers(
    name="payments",
    authorization="https://login.example.com:5543",
    resources=("https://orders.example.com:5543", "stock=https://x.example.com"),
    clients=("web-shop", "mobile"),
    scopes=("orders.read", "orders.write"),
)
HOSTILE = (
    "no", "a: b", '"x"', "é日本", "007", "- x", "#x", "x #y", "${env:HOME}", "$${x}", "{a}", "[b]",
    "a, b", "null", "~", "'", "\\", "&a", "*a", "%x", "@", "|", "line\nbreak",
)  # fmt: skip


def loaded(answers: Answers, drivers: Any, **severities: str) -> Manifest:
    """Write a starter and load it with placeholders in its variables."""
    starter = write_starter(answers, drivers)
    assert format_source(Source("x", starter.text)).text == starter.text
    request = ManifestRequest(
        files=("-",), stdin=starter.text, environ=dict.fromkeys(starter.variables, "x"), severities=severities
    )
    manifest, diagnostics = load_manifest(request, drivers)
    assert manifest is not None, f"{starter.text}\n{shown(diagnostics)}"
    return manifest


@pytest.mark.parametrize(
    "driver", [name for name, facts in driver_facts().items() if Role.AUTHORIZATION in facts.roles]
)
@pytest.mark.parametrize("resource", [name for name, facts in driver_facts().items() if Role.RESOURCE in facts.roles])
@pytest.mark.parametrize("filled", [True, False], ids=["names", "examples"])
def test_it_is_valid_for_every_driver(driver: str, resource: str, filled: bool) -> None:
    """Whatever drivers there are, what is written for them has no error."""
    answers = replace(PLAIN, authorization_driver=driver, resource_driver=resource)
    if not filled:
        answers = replace(answers, clients=(), scopes=())
    manifest = loaded(answers, driver_facts())
    assert list(manifest.document.servers) == ["login", "orders", "stock"]
    assert list(manifest.document.clients or ()) == list(answers.clients)
    assert list(manifest.document.scopes or ()) == list(answers.scopes)
    keeps = supports(table_for(driver_facts()[resource], Role.RESOURCE), Capability.ASSOCIATIONS)
    assert bool(manifest.document.associations) is (filled and (driver != EXTERNAL or bool(keeps)))


@pytest.mark.parametrize(
    ("resource", "asked"),
    [
        ("verifier", set()),
        ("asker", {"LOGIN_INTROSPECTION_CLIENT_ID", "LOGIN_INTROSPECTION_CLIENT_SECRET"}),
        ("scopeless", set()),
    ],
)
def test_introspection_is_written_where_somebody_asks(resource: str, asked: set[str]) -> None:
    """A server that verifies tokens itself needs no client to ask with; one that asks another kind of server does."""
    answers = replace(PLAIN, authorization_driver="signer", resource_driver=resource)
    assert write_starter(answers, DRIVERS).variables.keys() == asked
    trust = loaded(answers, DRIVERS, **QUIET).desired.objects[Address.parse("trust@orders")]
    assert isinstance(trust, Trust)
    assert trust.via == ("external" if asked else "jwt")


def test_without_resource_servers_it_is_valid() -> None:
    """An authorization server alone is a beginning."""
    assert list(loaded(replace(PLAIN, resources=()), driver_facts()).document.servers) == ["login"]


def test_one_server_for_both_sides_is_one_entry() -> None:
    """The same address twice is a server that asks itself."""
    server = loaded(replace(PLAIN, resources=(PLAIN.authorization,)), driver_facts()).document.servers["login"]
    assert (server.role, server.authorization_server) == (Role.BOTH, "login")


@given(
    st.lists(TEXTS.filter(bool), min_size=1, max_size=3, unique=True),
    st.lists(TEXTS.filter(bool), max_size=3, unique=True),
)
@settings(max_examples=80, deadline=None)
def test_names_stay_names(clients: list[str], scopes: list[str]) -> None:
    """No name becomes a key, a comment, a reference, a number or a null."""
    starter = write_starter(replace(PLAIN, clients=tuple(clients), scopes=tuple(scopes)), driver_facts())
    data, problems = read_tree(Source("x", starter.text))
    assert problems == ()
    assert list(data["clients"]) == clients
    assert list(data.get("scopes", {})) == scopes
    assert set(data) <= {"version", "name", "servers", "settings", "scopes", "clients", "associations", "policy"}


def test_hostile_names_are_loaded_as_they_were_typed() -> None:
    """With drivers that accept any name, they arrive in the manifest unchanged, references not resolved."""
    answers = replace(PLAIN, authorization_driver="acme", resource_driver="acme", clients=HOSTILE, scopes=HOSTILE)
    document = loaded(answers, DRIVERS, **QUIET).document
    assert tuple(document.clients or ()) == HOSTILE
    assert [(entry.client, entry.scopes) for entry in document.associations or ()] == [
        (name, HOSTILE) for name in HOSTILE
    ]


def test_an_address_with_a_reference_sign_is_an_address() -> None:
    """`${` in an address is not looked up."""
    answers = replace(PLAIN, resources=("https://x.example.com/${env:HOME}",))
    data, _ = read_tree(Source("x", write_starter(answers, driver_facts()).text))
    assert data["servers"]["x"]["url"] == "https://x.example.com/$${env:HOME}"


def test_servers_get_names_of_their_own() -> None:
    """Two hosts of one name, IP addresses and the name login don't collide, nor do their variables."""
    urls = (
        "https://a.x",
        "https://a.y",
        "https://login.z",
        "https://10.0.0.1",
        "https://[::1]:5",
        "a.b=https://q",
        "a-b=https://r",
    )
    starter = write_starter(replace(PLAIN, resources=urls), driver_facts())
    data, _ = read_tree(Source("x", starter.text))
    assert list(data["servers"]) == ["login", "a", "a-2", "login-2", "resource", "resource-2", "a.b", "a-b"]
    passwords = [entry["credentials"]["password"] for entry in data["servers"].values()]
    assert len(set(passwords)) == len(passwords)
    assert {f"${{env:{name}}}" for name in starter.variables} >= set(passwords)


def test_it_names_the_schema_and_explains_each_section() -> None:
    """An editor finds the schema, and a reader finds every section with a comment, also those that are not used yet."""
    text = write_starter(PLAIN, driver_facts()).text
    assert text.startswith("# yaml-language-server: $schema=manifest.v1.schema.json\n")
    lines = text.split("\n")
    for section in ("servers", "scopes", "clients", "associations", "policy"):
        assert lines[lines.index(f"{section}:") - 1].startswith("# "), section
    for section in ("settings", "revocations", "environments"):
        assert f"# {section}:" in lines
    assert max(len(line) for line in lines) <= 120


class TokenOrPassword(Model):
    token: Secret | None = None
    username: Text | None = None
    password: Secret | None = None
    realm: Text

    def model_post_init(self, _context: Any) -> None:
        if self.token is None and self.password is None:
            raise ValueError("give a token or a password")


class NoOptions(Model):
    pass


def test_credentials_that_may_be_given_in_several_ways_are_given_in_one() -> None:
    """Where the required fields alone are not enough, a sign-in is added that the driver takes."""
    facts = DriverFacts("odd", "Odd", frozenset(Role), TokenOrPassword, NoOptions, {})
    answers = Answers(name="x", authorization="https://login.example.com", authorization_driver="odd")
    data, _ = read_tree(Source("x", write_starter(answers, {"odd": facts, **driver_facts()}).text))
    assert data["servers"]["login"]["credentials"] == {
        "username": "${env:LOGIN_USERNAME}",
        "password": "${env:LOGIN_PASSWORD}",
        "realm": "${env:LOGIN_REALM}",
    }


def test_the_starter_is_what_it_was(tmp_path: Path) -> None:
    """The whole text, for people who review its words."""
    golden = Path(__file__).parent / "starter.golden.txt"
    assert write_starter(PLAIN, driver_facts()).text == golden.read_text(encoding="utf-8")
