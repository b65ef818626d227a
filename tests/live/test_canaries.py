"""Secrets planted in every place that a manifest can take one from; then everything that is written is searched."""

from __future__ import annotations

import sys

import pytest

from oauthdeploy.cli.reporting import FORMS
from tests.live.canaries import MemoryKeyring, found_in
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
    "keyring": "canary-keyring-7f3aa1",
    "an option by environment": "canary-option-env-7f3aa2",
    "an option by file": "canary-option-file-7f3aa3",
    "an option by keyring": "canary-option-keyring-7f3aa4",
    "an option named so": "canary-option-named-7f3aa5",
    "a mapper named so": "canary-mapper-named-7f3aa6",
    "a mapper by environment": "canary-mapper-env-7f3aa7",
    "account": PASSWORD,
}

OPTIONS = """\
    options:
      keycloak:
        attributes:
          login_theme: shown-theme
          access.token.header.type.rfc9068: "true"
          note.env: "${env:OPTION}"
          note.mixed: "https://crm.example.com/${env:OPTION}/x"
          note.file: "${file:option.txt}"
          note.keyring: "${keyring:team/crm/b}"
          note.variable: "${var:token}"
          note.command: "${command:cat made.txt}"
          crm.password: canary-option-named-7f3aa5
        protocol_mappers:
          crm: {type: crm-mapper, config: {api.key: canary-mapper-named-7f3aa6, address: "${env:MAPPER}"}}
"""
"""Free-form options of a client with a secret from every kind of source, and two that are none."""

MANIFEST = (
    """\
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
  from-keyring: {type: confidential, redirect_uris: [], grants: [client_credentials], secret: {value: "${keyring:team/crm/a}"}}
  made-by-server:
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    secret: {generate: true, deliver_to: {keyring: team/made/server}}
  with-options:
    type: public
    redirect_uris: ["https://shop.example.com/cb"]
    grants: [authorization_code]
"""
    + OPTIONS
    + """\
associations:
  - {scope: a, clients: [from-env, from-file]}
revocations:
  - id: INC-1
    client: from-part
    tokens: all
    block: [resource]
    proof: {token: "${env:LEAKED}", urls: ["${env:ORDERS_URL}/invoke/a/b"]}
"""
)

BROKEN = (
    ("secret: {value: canary-literal-7f3a95}", "secret: {value: canary-literal-7f3a95, valeu: canary-literal-7f3a95}"),
    ("secret: {value: canary-literal-7f3a95}", "secret: [canary-literal-7f3a95]"),
    ("secret: {value: canary-literal-7f3a95}", "secret: canary-literal-7f3a95"),
    ("description: A", 'description: "${var:token}"'),
    ("name: canaries", 'name: "${var:token}"'),
    ("role: resource", 'role: "${var:token}"'),
    ("type: confidential", 'type: "${command:cat made.txt}"'),
    ("resources: [a]", 'resources: ["${var:filed}"]'),
    ("description: A", 'description: "${keyring:team/crm/b}"'),
    ("driver: webmethods", 'driver: webmethods\n    options: {timezone: "${keyring:team/crm/b}"}'),
    ("note.env:", "oauthdeploy.note:"),
    ("note.keyring:", "use.refresh.tokens:"),
    ("crm.password: canary-option-named-7f3aa5", "crm.password: [canary-option-named-7f3aa5]"),
    ("api.key: canary-mapper-named-7f3aa6", "api.key: {a: canary-mapper-named-7f3aa6}"),
    ("crm.password: canary-option-named-7f3aa5", "crm.password canary-option-named-7f3aa5"),
    ("attributes:", "atributes:"),
)


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    """A keyring in the place of the account's."""
    made = MemoryKeyring({("team/crm", "a"): CANARIES["keyring"], ("team/crm", "b"): CANARIES["an option by keyring"]})
    monkeypatch.setitem(sys.modules, "keyring", made)
    return made


@pytest.fixture
def planted(make_pair: PairFactory, keyring: MemoryKeyring) -> Pair:
    """Both servers, and a manifest that takes secrets from every kind of source."""
    pair = make_pair()
    for old in pair.folder.glob("*.yaml"):
        old.unlink()
    (pair.folder / "oauthdeploy.yaml").write_text(MANIFEST)
    (pair.folder / "secret.txt").write_text(CANARIES["file"] + "\n")
    (pair.folder / "option.txt").write_text(CANARIES["an option by file"])
    (pair.folder / "made.txt").write_text(CANARIES["command"])
    (pair.folder / "vars.json").write_text(f'{{"filed": "{CANARIES["var-file"]}"}}')
    return pair


SOURCES = {"oauthdeploy.yaml", "secret.txt", "option.txt", "made.txt", "vars.json"}
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
    "OPTION": CANARIES["an option by environment"],
    "MAPPER": CANARIES["a mapper by environment"],
}


def _search(pair: Pair, printed: str, **more: str) -> None:
    """Look for every planted secret, and for `more` by the names of their places, in what was printed and in every file."""
    assert list(found_in(pair.folder, printed, {**CANARIES, **more}, SOURCES)) == []


def test_no_command_prints_or_leaves_a_planted_secret(planted: Pair, keyring: MemoryKeyring) -> None:
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
        (("explain", "client/with-options@login"), {0}),
        (("explain", "client/with-options@login", "-o", "json"), {0}),
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
    assert len(planted.admin(planted.login, "GET", "/admin/oauth/client")["clients"]) == 14
    journal = min((planted.folder / ".oauthdeploy" / "journal").glob("*.jsonl"))
    taken_back = planted.run(
        "rollback", str(journal), "--yes", "-v", "--trace", "--allow=too-many-deletes", env=SETTINGS
    )
    printed += taken_back.out + taken_back.err
    assert taken_back.code in (0, 4), taken_back.out + taken_back.err
    _search(planted, printed, delivered=keyring.entries["team/made", "server"])
    assert "(secret from keyring:team/crm/b)" in " ".join(printed.split())
    assert "note.keyring" in journal.read_text()


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


KEYCLOAK = (
    """\
version: 1
name: canaries
variables:
  token: {sensitive: true}
  filed: {sensitive: true}
servers:
  login:
    role: authorization
    driver: keycloak
    url: http://127.0.0.1:1
    credentials: {client_id: deployer, client_secret: "${keyring:team/crm/a}"}
    options: {realm: shop}
    limits: {retries: 0}
scopes:
  a: {description: A, options: {keycloak: {attributes: {note.scope: "${var:filed}", crm.token: canary-option-named-7f3aa5}}}}
clients:
  shop:
    type: public
    redirect_uris: ["https://shop.example.com/cb"]
    grants: [authorization_code]
"""
    + OPTIONS
    + """\
associations:
  - {scope: a, clients: [shop]}
"""
)


def test_what_a_keycloak_is_to_keep_in_its_own_names_is_shown_by_nothing(planted: Pair) -> None:
    """Without the server: sources and names decide what is secret, and what is not is shown."""
    (planted.folder / "oauthdeploy.yaml").write_text(KEYCLOAK)
    printed = ""
    for arguments, code in (
        *((("validate", "-v", "-o", form), 0) for form in ("text", "json", "sarif", "junit")),
        (("explain", "client/shop"), 0),
        (("explain", "client/shop", "-o", "json"), 0),
        (("explain", "scope/a"), 0),
        (("graph",), 0),
        (("graph", "--format", "svg"), 0),
        (("fmt", "--check"), 1),
        (("plan", "-v", "--trace", "--out", "saved.json", "-o", "json"), 8),
        (("apply", "--yes", "-v", "--trace"), 8),
    ):
        result = planted.run(*arguments, env=SETTINGS)
        assert result.code == code, (arguments, result.out, result.err)
        printed += result.out + result.err
    _search(planted, printed)
    assert "shown-theme" in printed
    assert printed.count("The secret is written here instead of a reference to it.") >= 3
