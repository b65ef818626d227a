"""Findings: all of them in one run, each at its place, with what was meant, and never with a secret."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from tests.manifest.support import DRIVERS, HEAD, bad, good, load, places

MISTAKES = """\
version: 1
name: pay ments #! wrong-value 7
servers:
  login:
    role: autorization #! not-allowed-value 11
    driver: acme
    url: https://login.example.com
    credentials: {username: u, pasword: "${env:P}"} #! unknown-key 32, missing-key 5
  orders:
    role: resource
    driver: acm #! unknown-driver 13
    authorization_server: logn #! unknown-reference 27
  bare: #! missing-key 3
    driver: external
setings: {} #! unknown-key 1
settings:
  require_https: yes #! wrong-value 18
  authorization_code_lifetime: 10 minutes #! wrong-value 32
  token_endpoint_auth: credential #! not-allowed-value 24
  overrides: {lgin: {require_pkce: true}} #! unknown-reference 15
scopes:
  orders.read:
    description: [a] #! wrong-value 5
    resources: orders.v1 #! wrong-value 16
    url_template: [] #! unknown-key 5
clients:
  web-shop:
    type: confidental #! not-allowed-value 11
    grants: [authorization_code, refresh] #! not-allowed-value 34
    tokens: {access_lifetime: soon, refresh_count: many} #! wrong-value 31, wrong-value 52
    secret: {value: "${env:NOPE}", revision: x} #! undefined-variable 21, wrong-value 46
    enabled: on #! wrong-value 14
    on: [logn] #! unknown-reference 10
    options: {acme: {thene: x}, acne: {}} #! unknown-key 22, unknown-driver 33
  other: null #! wrong-value 3
associations:
  - {client: web-shp, scopes: [orders.read]} #! unknown-reference 14
  - {client: web-shop} #! wrong-value 5
  - {scope: orders.rea, clients: []} #! unknown-reference 13
revocations:
  - id: A
    client: web-shop
    tokens: {issued_before: yesterday} #! wrong-value 29
    block: [resources] #! not-allowed-value 13
    expires: 2027-13-01 #! wrong-value 14
  - client: web-shop #! missing-key 5
policy:
  prune: {clients: some} #! not-allowed-value 20
  limits: {max_deletes: lots} #! wrong-value 25
"""


def test_every_mistake_is_reported_in_one_run_at_its_place(tmp_path: Path) -> None:
    """Over thirty different mistakes give as many errors, each with rule, line and column; none hides another."""
    expected = [
        (rule, number, int(column))
        for number, line in enumerate(MISTAKES.splitlines(), start=1)
        for rule, column in re.findall(r"([a-z-]+) (\d+)", line.partition("#!")[2])
    ]
    found = bad(MISTAKES, tmp_path)
    assert len(expected) > 30
    assert sorted(places(found)) == sorted(expected)
    assert [item.span for item in found] == sorted(item.span for item in found if item.span)
    for item in found:
        assert item.summary
        assert item.detail
        assert item.fix
        assert item.span is not None
        assert item.span.text.strip() == MISTAKES.splitlines()[item.span.line - 1].strip()


@pytest.mark.parametrize(
    ("before", "after", "meant"),
    [
        ("role: autorization", None, "authorization"),
        ("driver: acm ", None, "acme"),
        ("authorization_server: logn", None, "login"),
        ("setings:", None, "settings"),
        ("token_endpoint_auth: credential", None, "credentials"),
        ("url_template:", None, "url_templates"),
        ("type: confidental", None, "confidential"),
        ("{thene: x}", None, "theme"),
        ("client: web-shp", None, "web-shop"),
        ("scope: orders.rea,", None, "orders.read"),
    ],
)
def test_slips_are_answered_with_what_was_meant(before: str, after: str | None, meant: str, tmp_path: Path) -> None:
    """Keys, names, references and enumerated values each come with a suggestion."""
    line = next(n for n, text in enumerate(MISTAKES.splitlines(), start=1) if before in text)
    found = [item for item in bad(MISTAKES, tmp_path) if item.span and item.span.line == line]
    assert any(f"Did you mean '{meant}'?" in item.fix for item in found)


def test_allowed_values_are_listed(tmp_path: Path) -> None:
    """A value that is nowhere near an allowed one lists those that are."""
    (found,) = bad(HEAD + "clients:\n  c: {type: zzz}\n", tmp_path)
    assert found.fix == "Allowed are: confidential, public."
    assert found.address == "client/c"


def test_a_manifest_without_servers_or_content(tmp_path: Path) -> None:
    """Empty and nearly empty manifests say what they lack."""
    assert [item.rule for item in bad("", tmp_path)] == ["missing-key"]
    assert [item.rule for item in bad("# nothing\n", tmp_path)] == ["missing-key"]
    assert [item.rule for item in bad("just text\n", tmp_path)] == ["wrong-value"]
    found = bad("clients: {c: {type: x}}\n", tmp_path)
    assert sorted(item.rule for item in found) == ["missing-key"] * 3 + ["not-allowed-value"]


def test_a_syntax_error_is_reported_beside_other_files_findings(tmp_path: Path) -> None:
    """A broken file keeps its own finding only; duplicates of the other file are reported in the same run."""
    (tmp_path / "a.yaml").write_text("version: 1\nname: [\n")
    (tmp_path / "b.yaml").write_text("version: 1\nversion: 1\n")
    _, diagnostics = load_manifest(ManifestRequest(files=(str(tmp_path),)), DRIVERS)
    assert sorted(item.rule for item in diagnostics) == ["duplicate-key", "yaml-syntax"]


def test_external_introspection_needs_an_endpoint(tmp_path: Path) -> None:
    """A resource server that asks a described server must know where."""
    text = (
        HEAD.replace("authorization_server: login}", "authorization_server: idp}")
        + "  idp: {role: authorization, driver: external}\n"
    )
    (found,) = bad(text, tmp_path)
    assert (found.rule, found.address) == ("missing-key", "trust@orders")
    assert found.span is not None
    assert found.span.line == 7


# -- secrets ------------------------------------------------------------------------------------------------------------

CANARY = "c4n4ry"
PLANTS = [
    HEAD.replace('"${env:P}"', CANARY),
    HEAD.replace("password:", "pasword:").replace('"${env:P}"', CANARY),
    HEAD.replace('"${env:P}"', f"[{CANARY}]"),
    HEAD.replace('"${env:P}"', f"{{a: {CANARY}}}"),
    HEAD.replace('"${env:P}"', f'"${{env:NONE:-{CANARY}}}"'),
    HEAD + f"clients:\n  c: {{secret: {CANARY}}}\n",
    HEAD + f"clients:\n  c: {{secret: {{value: {CANARY}}}}}\n",
    HEAD + f"clients:\n  c: {{secrt: {CANARY}}}\n",
    HEAD + f"clients:\n  c: {{secret: [{CANARY}]}}\n",
    HEAD + f"clients:\n  c:\n    secret:\n      value: |\n        x\n        {CANARY}\n      revision: z\n",
    HEAD + f"clients:\n  c:\n    secret:\n      value: |\n        x\n        {CANARY}\n    : [\n",
    HEAD + f'clients:\n  c: {{secret: {{value: "{CANARY}}}}}\n',
    HEAD + f"clients:\n  c: {{options: {{acme: {{key: {CANARY}}}}}}}\n",
    HEAD + f"clients:\n  c: {{options: {{acme: {{kez: {{password: {CANARY}}}}}}}}}\n",
    HEAD + f"variables:\n  v: {{sensitive: true, default: {CANARY}}}\nclients:\n  c: {{description: '${{var:v}}'}}\n",
    HEAD + f"variables:\n  v: {{sensitive: true, default: {CANARY}}}\nclients:\n  c: {{secret: {{value: '${{var:v}}'}}}}\n",
    HEAD + f"variables: {{v: {{sensitive: true, default: {CANARY}, type: integer}}}}\nclients: {{c: {{name: '${{var:v}}'}}}}\n",
    HEAD
    + f"variables: {{v: {{sensitive: true, default: {CANARY}, allowed: [{CANARY}x]}}}}\nclients: {{c: {{name: '${{var:v}}'}}}}",
    HEAD + "clients:\n  c: {secret: {value: '${env:CANARY}'}}\n",
    HEAD + "clients:\n  c: {type: '${env:CANARY}', enabled: '${env:CANARY}', tokens: {access_lifetime: '${env:CANARY}'}}\n",
    HEAD + "clients:\n  c: {secret: '${env:CANARY}'}\n",
    HEAD + "clients:\n  c: {enabled: '${command:echo c4n4ry}', redirect_uris: ['${command:echo c4n4ry}']}\n",
    HEAD + f"environments:\n  prod: {{clients: {{c: {{secret: {{value: {CANARY}}}}}}}}}\n",
    HEAD + f"environments:\n  prod: {{servers: {{login: {{credentials: {{password: {CANARY}, x: y}}}}}}}}\n",
    HEAD.replace("url:", f"introspection: {{client_secret: {CANARY}, client_id: [x]}}, url:"),
]  # fmt: skip


@pytest.mark.parametrize("text", PLANTS, ids=range(len(PLANTS)))
@pytest.mark.parametrize("environment", [None, "prod"])
def test_a_canary_in_a_secrets_place_is_in_no_output(text: str, environment: str | None, tmp_path: Path) -> None:
    """A secret, written where secrets belong or nearly so, is in no finding, source line, representation or digest."""
    environ = {"P": CANARY, "CANARY": CANARY, "PATH": "/usr/bin:/bin"}
    manifest, diagnostics = load(text, tmp_path, environ=environ, allow_commands=True, environment=environment)
    said = repr(diagnostics)
    if "command:echo" in text:  # its text stands in the manifest, in plain sight; its output must not
        said = said.replace(f"echo {CANARY}", "")
    assert CANARY not in said
    if manifest is not None:
        everything = repr(manifest) + manifest.digest + repr(manifest.desired) + repr(asdict(manifest))
        assert CANARY not in everything
        with pytest.raises(TypeError):
            pickle.dumps(manifest)


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        copy.copy,
        copy.deepcopy,
        lambda value: pickle.dumps(value, 0).decode("latin-1"),
        lambda value: value.model_dump(),
        lambda value: value.model_dump_json(),
        vars,
    ],
)
def test_a_canary_is_in_no_copy_or_dump(shown: Callable[[Any], Any], tmp_path: Path) -> None:
    """Copies, pickles and dumps of a document and its parts hold no secret, or are refused without naming it."""
    text = HEAD + (
        "variables: {v: {sensitive: true, default: c4n4ry, allowed: [c4n4ry]}}\n"
        "clients: {c: {type: confidential, secret: {value: '${var:v}'}, options: {acme: {key: '${env:P}'}}}}\n"
        "environments: {prod: {clients: {c: {secret: {value: c4n4ry}}}}}\n"
    )
    manifest = good(text, tmp_path, environ={"P": CANARY})
    clients = manifest.document.clients or {}
    parts = (manifest.document, clients["c"], manifest.credentials["login"], manifest.document.variables["v"])
    for part in (*parts, manifest, manifest.desired):
        try:
            said = repr(shown(part))
        except Exception as error:  # noqa: BLE001 - whatever refuses, its words are looked at
            said = repr(error)
        assert CANARY not in said


def test_a_secret_that_is_no_utf8_is_refused_in_words(tmp_path: Path) -> None:
    """An environment variable may hold any bytes; what no request could carry is a finding, and not quoted."""
    (found,) = bad(HEAD, tmp_path, environ={"P": "c4n4ry\udcff"})[:1]
    assert found.rule == "wrong-value"
    assert "UTF-8" in found.fix
    assert CANARY not in repr(found)


@pytest.mark.parametrize(("before", "after"), [("", ""), ("x" * 2000, "y" * 2000)])
def test_the_caret_stands_under_the_place_also_behind_a_masked_secret(before: str, after: str, tmp_path: Path) -> None:
    """What is quoted of a line is the part around the place, with the caret's place in it."""
    line = f"servers: {{a: {{url: '{before}', credentials: {{password: a-long-c4n4ry}}, foo: 1, options: {{k: '{after}'}}}}}}"
    found = next(item for item in bad(f"version: 1\nname: x\n{line}\n", tmp_path) if "'foo'" in item.detail)
    assert found.span is not None
    assert found.span.column == line.index("foo") + 1
    assert found.span.text[found.span.caret - 1 :].startswith("foo: 1")
    assert CANARY not in found.span.text
    assert len(found.span.text) < 1200


def test_findings_in_one_long_line_take_memory_by_their_number(tmp_path: Path) -> None:
    """A manifest may be one line of JSON: each finding quotes the part around its place, never the whole line."""
    clients = ", ".join(f'"c{number}": {{"foo": 1}}' for number in range(300))
    found = bad(f'{{"version": 1, "name": "x", "clients": {{{clients}}}}}', tmp_path)
    assert len(found) > 300
    assert sum(len(item.span.text) for item in found if item.span) < 1100 * len(found)


def test_secrets_from_secret_sources_are_refused_in_plain_fields(tmp_path: Path) -> None:
    """A sensitive value is an error in every field that is shown, whatever type it would have parsed as."""
    text = HEAD + (
        "variables:\n  v: {sensitive: true}\nclients:\n  c:\n    description: ${var:v}\n    enabled: ${var:v}\n"
        "    redirect_uris: ['${var:v}']\n    secret: {value: '${var:v}'}\n"
    )
    found = bad(text, tmp_path, variables={"v": "true"})
    assert places(found) == [("secret-in-plain-field", line, column) for line, column in ((11, 18), (12, 14), (13, 21))]


def test_the_digest_follows_meaning(tmp_path: Path) -> None:
    """Order, style, comments and a secret's text don't change the digest; any other value does."""
    base = HEAD + "clients:\n  a: {type: public}\n  b: {tokens: {access_lifetime: 1h}}\n"
    same = HEAD + "clients:\n  b:\n    tokens: {access_lifetime: 3600}  # an hour\n  a: {'type': \"public\"}\n"
    digest = good(base, tmp_path).digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert good(same, tmp_path).digest == digest
    assert good(base, tmp_path, environ={"P": "other"}).digest == digest
    assert good(base.replace("1h", "2h"), tmp_path).digest != digest
    assert good(base.replace("type: public", "type: null"), tmp_path).digest != digest
    assert good(base.replace("{type: public}", "{}"), tmp_path).digest != digest
    assert good(base.replace("${env:P}", "${env:Q}"), tmp_path, environ={"P": "p", "Q": "p"}).digest != digest


# -- anything at all ----------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["version", "name", "servers", "settings", "scopes", "clients", "associations", "revocations", "policy", "variables",
     "environments", "resource_owners", "role", "driver", "acme", "external", "authorization", "resource", "both", "url",
     "credentials", "on", "state", "absent", "tokens", "secret", "value", "options", "client", "scope", "id", "block",
     "overrides", "login", "", "true", "null", "${env:P}", "${env:X}", "${var:a}", "$${", "1h", "a", "b", "authorization_server",
     "introspection", "allowed", "default", "moved_from", "limits", "prune", "prod"]
)  # fmt: skip
TREES = st.recursive(
    st.one_of(st.none(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=30,
)


def quoted(value: object) -> str:
    """A tree as flow YAML."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {quoted(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(quoted(inner) for inner in value) + "]"
    return '"' + str(value) + '"'


@given(st.dictionaries(WORDS, TREES, max_size=6), st.booleans(), st.sampled_from([None, "prod", "a"]))
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_no_tree_of_known_words_is_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object], whole: bool, environment: str | None
) -> None:
    """Known keys in wrong places, wrong types and missing parts are findings; each has all that a finding needs."""
    folder = tmp_path_factory.mktemp("trees")
    if whole:
        text = HEAD + "".join(
            f"{quoted(key)}: {quoted(value)}\n"
            for key, value in tree.items()
            if key not in ("version", "name", "servers")
        )
    else:
        text = quoted(tree)
    manifest, diagnostics = load(text, folder, environment=environment)
    assert (manifest is None) == bool(diagnostics.errors)
    for item in diagnostics:
        check(item)


@given(st.one_of(st.text(max_size=120), st.binary(max_size=120).map(lambda data: data.decode("latin-1"))))
@settings(max_examples=100, deadline=None)
def test_no_text_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a file holds, the answer is findings."""
    manifest, diagnostics = load(text, tmp_path_factory.mktemp("texts"))
    assert manifest is None
    assert diagnostics.errors
    for item in diagnostics:
        check(item)


def check(item: Diagnostic) -> None:
    assert item.rule
    assert item.summary
    assert item.detail
    assert item.fix
    assert item.span is None or (item.span.line >= 1 and item.span.column >= 1)


@pytest.mark.parametrize("key", ["100%", "a@", "a\u0085b"])
def test_an_odd_key_has_one_spelling_in_every_finding(key: str, tmp_path: Path) -> None:
    """The finding of the model and that of a rule name the same object."""
    text = json.dumps(key)
    wrong = bad(HEAD + f"clients: {{{text}: {{type: public, enabled: 7}}}}\n", tmp_path)
    _manifest, judged = load(HEAD + f"clients: {{{text}: {{type: public, grants: [password]}}}}\n", tmp_path)
    about = {item.address.partition("@login")[0] for item in (*wrong, *judged) if item.address.startswith("client/")}
    assert about == {object_address(Kind.CLIENT, key)}
    assert {"wrong-value"} <= {item.rule for item in wrong}
