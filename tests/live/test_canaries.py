"""Secrets planted in every place that a manifest can take one from; then everything that is written is searched."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest

from oauthdeploy.cli.reporting import FORMS
from tests.live.conftest import PASSWORD, Pair, PairFactory

pytestmark = pytest.mark.live

CANARIES = {
    "env": "canary-env-7f3a91",
    "file": "canary-file-7f3a92",
    "variable": "canary-variable-7f3a93",
    "command": "canary-command-7f3a94",
    "literal": "canary-literal-7f3a95",
    "default": "canary-default-7f3a96",
    "var-file": "canary-varfile-7f3a97",
    "environment-variable": "canary-envvar-7f3a98",
    "short": "q~7`x|0;",
    "part of another": "canary-env-7f",
    "markup": "ca<b>&\"'%0a[.*]{}|nary",
    "proof": "canary-proof-7f3a99",
    "account": PASSWORD,
}

MANIFEST = """\
version: 1
name: canaries
variables:
  token: {sensitive: true}
  filed: {sensitive: true}
  exported: {sensitive: true}
servers:
  login:
    role: authorization
    driver: webmethods
    url: ${env:LOGIN_URL}
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
    tls: {ca_file: "${env:LOGIN_CA}"}
    introspection: {username: orders-rs, password: "${env:INTROSPECTION_PASSWORD}"}
  orders:
    role: resource
    driver: webmethods
    url: ${env:ORDERS_URL}
    credentials: {username: deployer, password: "${env:ORDERS_PASSWORD}"}
    tls: {ca_file: "${env:ORDERS_CA}"}
    authorization_server: login
scopes:
  a: {description: A, resources: [a]}
clients:
  from-env: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${env:CANARY}"}}
  from-file: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${file:secret.txt}"}}
  from-var: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${var:token}"}}
  from-command: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${command:cat made.txt}"}}
  from-literal: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: canary-literal-7f3a95}}
  from-default:
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    secret: {value: "${env:NOT_SET:-canary-default-7f3a96}"}
  from-var-file: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${var:filed}"}}
  from-short: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${env:SHORT}"}}
  from-part: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${env:PART}"}}
  from-markup: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${env:MARKUP}"}}
  from-exported: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${var:exported}"}}
associations:
  - {scope: a, clients: [from-env, from-file]}
revocations:
  - id: INC-1
    client: from-part
    tokens: all
    block: [resource]
    proof: {token: "${env:LEAKED}", urls: ["${env:ORDERS_URL}/invoke/a/b"]}
"""

BROKEN = (
    ("secret: {value: canary-literal-7f3a95}", "secret: {value: canary-literal-7f3a95, valeu: canary-literal-7f3a95}"),
    ("secret: {value: canary-literal-7f3a95}", "secret: [canary-literal-7f3a95]"),
    ("secret: {value: canary-literal-7f3a95}", "secret: canary-literal-7f3a95"),
    ("description: A", 'description: "${var:token}"'),
    ("name: canaries", 'name: "${var:token}"'),
    ("role: resource", 'role: "${var:token}"'),
    ("type: confidential", 'type: "${command:cat made.txt}"'),
    ("resources: [a]", 'resources: ["${var:filed}"]'),
)


@pytest.fixture
def planted(make_pair: PairFactory) -> Pair:
    """Both servers, and a manifest that takes secrets from every kind of source."""
    pair = make_pair()
    for old in pair.folder.glob("*.yaml"):
        old.unlink()
    (pair.folder / "oauthdeploy.yaml").write_text(MANIFEST)
    (pair.folder / "secret.txt").write_text(CANARIES["file"] + "\n")
    (pair.folder / "made.txt").write_text(CANARIES["command"])
    (pair.folder / "vars.json").write_text(f'{{"filed": "{CANARIES["var-file"]}"}}')
    return pair


SOURCES = {"oauthdeploy.yaml", "secret.txt", "made.txt", "vars.json"}
SETTINGS = {
    "CANARY": CANARIES["env"],
    "OAUTHDEPLOY_VAR_exported": CANARIES["environment-variable"],
    "OAUTHDEPLOY_DEBUG": "1",
    "OAUTHDEPLOY_VAR": f"token={CANARIES['variable']}",
    "OAUTHDEPLOY_VAR_FILE": "vars.json",
    "OAUTHDEPLOY_ALLOW_COMMANDS": "1",
    "SHORT": CANARIES["short"],
    "PART": CANARIES["part of another"],
    "MARKUP": CANARIES["markup"],
    "LEAKED": CANARIES["proof"],
}


def _spellings(secret: str) -> set[str]:
    """How a secret may look in the formats: as it is, in JSON, in HTML and XML, in an address, in Basic authentication."""
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {secret, html.escape(secret), escape(secret), quote(secret), quote_plus(secret), *in_json}


def _search(pair: Pair, printed: str) -> None:
    left = {
        path.name: path.read_bytes().decode("utf-8", "replace")
        for path in pair.folder.rglob("*")
        if path.is_file() and path.name not in SOURCES
    }
    for name, canary in CANARIES.items():
        for spelling in _spellings(canary):
            assert spelling not in printed, f"the secret from {name} was printed"
            for file, text in left.items():
                assert spelling not in text, f"the secret from {name} is in {file}"


def test_no_command_prints_or_leaves_a_planted_secret(planted: Pair) -> None:
    """Every command, verbose and with debugging on, in every format, before and after an apply, shows no planted value."""
    printed = ""
    for arguments, codes in (
        (("validate", "-v"), {0}),
        (("validate", "-o", "json"), {0}),
        (("validate", "-o", "sarif"), {0}),
        (("validate", "-o", "junit"), {0}),
        (("plan", "-v", "--out", "saved.json"), {0}),
        (("plan", "-o", "json"), {0}),
        (("show", "saved.json", "-v"), {0}),
        (("apply", "saved.json", "-v", *(f"--output={form}=apply.{form}" for form in FORMS)), {0}),
        (("apply", "--yes", "-v", "-o", "json"), {0}),
        (("drift", "-v"), {0}),
        (("drift", "-o", "json"), {0}),
        (("ping", "-v"), {0}),
        (("explain", "client/from-env@login"), {0}),
        (("explain", "client/from-literal@login", "-o", "json"), {0}),
        (("graph",), {0}),
        (("journal", "--last"), {0}),
        *((("drift", "-v", "-o", form), {0}) for form in FORMS),
        *((("plan", "-v", "-o", form), {0}) for form in FORMS),
        (("plan", *(f"--output={form}=report.{form}" for form in FORMS)), {0}),
        (("plan", "-v", "--trace"), {0}),
        (("validate", "--online", "-v"), {0}),
        (("export", "--trace"), {64}),
        (("export", "--write"), {0}),
        (("compare", "login", "orders", "-v", *(f"--output={form}=compare.{form}" for form in FORMS)), {0, 2}),
        (("adopt", "--yes", "-v"), {0}),
        (("tokens", "list", "-v", "--trace"), {0}),
        (("revoke", "from-short", "--yes", "--reason", "leaked", "--proof-token", "env:LEAKED", "--trace"), {0}),
        (("journal", "--list"), {0}),
        (("apply", "--yes", "-v", "--trace", *(f"--output={form}=again.{form}" for form in FORMS)), {0}),
    ):
        result = planted.run(*arguments, env=SETTINGS)
        assert result.code in codes, (arguments, result.out, result.err)
        printed += result.out + result.err
    assert len(planted.admin(planted.login, "GET", "/admin/oauth/client")["clients"]) == 11
    journal = min((planted.folder / ".oauthdeploy" / "journal").glob("*.jsonl"))
    taken_back = planted.run(
        "rollback", str(journal), "--yes", "-v", "--trace", "--allow=too-many-deletes", env=SETTINGS
    )
    printed += taken_back.out + taken_back.err
    assert taken_back.code in (0, 4), taken_back.out + taken_back.err
    _search(planted, printed)


@pytest.mark.parametrize(("old", "new"), BROKEN)
def test_no_complaint_quotes_a_planted_secret(planted: Pair, old: str, new: str) -> None:
    """A secret in a wrong place, or a misspelt key beside one, is complained about without its value or its source line."""
    assert old in MANIFEST
    (planted.folder / "oauthdeploy.yaml").write_text(MANIFEST.replace(old, new, 1))
    printed = ""
    for arguments in (("validate", "-v"), ("validate", "-o", "json"), ("validate", "-o", "sarif"), ("plan",)):
        result = planted.run(*arguments, env=SETTINGS)
        assert result.code == 3, (arguments, result.out, result.err)
        printed += result.out + result.err
    _search(planted, printed)


def test_a_server_that_fails_or_quotes_what_it_was_sent_leaks_nothing(planted: Pair) -> None:
    """Errors of a server that goes away, or that repeats a secret in its answer, don't show it."""
    assert planted.run("apply", "--yes", env=SETTINGS).code == 0
    planted.orders.stop()
    result = planted.run("apply", "--yes", "-v", env=SETTINGS)
    assert result.code == 8
    _search(planted, result.out + result.err)
    refused = planted.run("plan", "-v", env={**SETTINGS, "LOGIN_PASSWORD": CANARIES["env"]})
    assert refused.code == 8
    _search(planted, refused.out + refused.err)
