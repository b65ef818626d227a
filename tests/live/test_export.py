"""Export, live: whatever stands on the servers, its export plans empty, and brings one server level with another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from oauthdeploy.server import RunningServer
from tests.live.conftest import Pair, PairFactory, Result

pytestmark = pytest.mark.live

BARE = """\
# our servers
version: 1
name: bare
servers:
  login:
    role: authorization
    driver: webmethods
    url: ${env:LOGIN_URL}
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
    tls: {ca_file: "${env:LOGIN_CA}"}
  orders:  # the RS
    role: resource
    driver: webmethods
    url: ${env:ORDERS_URL}
    credentials: {username: deployer, password: "${env:ORDERS_PASSWORD}"}
    tls: {ca_file: "${env:ORDERS_CA}"}
"""


@pytest.fixture
def bare(pair: Pair) -> Pair:
    """An applied quick start, and a manifest that knows nothing but its servers."""
    assert pair.run("apply", "--yes").code == 0
    (pair.folder / "bare.yaml").write_text(BARE)
    return pair


def references(text: str) -> dict[str, str]:
    return dict.fromkeys(re.findall(r"\$\{env:(\w+_SECRET\w*)\}", text), "some-secret")


def plan_of(pair: Pair, text: str, name: str = "out.yaml") -> Result:
    (pair.folder / name).write_text(text, encoding="utf-8")
    return pair.run("plan", "-f", name, "-o", "json", env=references(text))


def changes_of(pair: Pair, text: str) -> list[tuple[str, str]]:
    plan = plan_of(pair, text)
    assert plan.code == 0, plan.err
    return [(change["action"], change["address"]) for change in plan.json["changes"]]


# -- by example -------------------------------------------------------------------------------------------------------


def test_an_export_is_minimal_and_plans_empty(bare: Pair) -> None:
    """Defaults are left out, the same on both sides is written once, a secret is a reference; nothing is written anywhere."""
    bare.writes()
    result = bare.run("export", "-f", "bare.yaml")
    assert result.code == 0, result.err
    assert result.out == BARE.replace("name: bare\n", "name: bare\n\n") + EXPORTED
    assert changes_of(bare, result.out) == []
    assert "NIGHTLY_BATCH_SECRET" in result.err
    assert bare.writes() == []
    assert (bare.folder / "bare.yaml").read_text() == BARE


EXPORTED = """\
    authorization_server: login

settings:
  require_pkce: true
  authorization_code_lifetime: 5m
  access_token_lifetime: 30m

scopes:
  orders.read:
    description: Read orders
    resources: [orders.v1:getOrder, orders.v1:listOrders]
  orders.write:
    description: Change orders
    resources: [orders.v1]
  reports.read:
    description: Read reports
    resources: [reports]

clients:
  nightly-batch:
    name: Nightly Batch
    description: Books the day's orders
    type: confidential
    grants: [client_credentials]
    tokens: {access_lifetime: 10m}
    secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}
  web-shop:
    name: Web Shop
    description: The shop's front end
    type: public
    redirect_uris: [http://127.0.0.1:8400/callback]
    grants: [authorization_code, refresh_token]
    tokens: {access_lifetime: 15m, refresh_count: 10}

associations:
  - {client: nightly-batch, scopes: [reports.read]}
  - {client: web-shop, scopes: [orders.read, orders.write]}
"""


def test_an_export_again_changes_nothing(bare: Pair) -> None:
    """Equal servers give equal bytes; a manifest that says it all, comments and variables included, is left as it is."""
    once = bare.run("dump", "-f", "bare.yaml").out
    assert bare.run("export", "-f", "bare.yaml").out == once
    before = (bare.folder / "oauthdeploy.yaml").read_bytes()
    assert "says it all already" in bare.run("export", "--write").err
    assert (bare.folder / "oauthdeploy.yaml").read_bytes() == before


def test_what_changed_on_the_servers_goes_into_the_manifest(bare: Pair) -> None:
    """Only that: comments, variables and what the servers fulfil stay; what is gone goes; what is new comes."""
    manifest = bare.folder / "oauthdeploy.yaml"
    text = manifest.read_text().replace("access_token_lifetime: 30m", "access_token_lifetime: ${var:life}  # short")
    manifest.write_text(text.replace("\nservers:", "\nvariables: {life: {type: duration, default: 30m}}\n\nservers:"))
    for server in (bare.login, bare.orders):
        bare.admin(server, "PATCH", "/admin/oauth/client/web-shop", {"description": "now ${env:HOME} and $${x}"})
        bare.admin(server, "POST", "/admin/oauth/scope", {"name": "no", "FoldersAndServices": ["a"]})
    bare.admin(bare.login, "PATCH", "/admin/oauth/client/nightly-batch", {"scopes": []})
    for server in (bare.login, bare.orders):
        bare.admin(server, "DELETE", "/admin/oauth/scope/reports.read")
    result = bare.run("export", "--write")
    assert result.code == 0, result.err
    after = manifest.read_text()
    assert "description: now $${env:HOME} and $$${x}" in after
    assert '  "no":\n    resources: [a]\n' in after
    assert "reports.read" not in after
    assert "access_token_lifetime: ${var:life}  # short" in after
    assert "# Which client may request which scope." in after
    assert "scopes: []" in after
    assert "No server has it any more" in result.err
    assert bare.run("plan", "--detailed-exitcode").code == 0
    assert bare.run("fmt", "--check").code == 0


def test_a_part_can_be_selected(bare: Pair) -> None:
    """By kind, by name and by server; a list of scopes is written only where the manifest names them all."""
    clients = bare.run("export", "-f", "bare.yaml", "--kind", "client", "--name", "web-*").out
    assert clients.endswith(EXPORTED[EXPORTED.index("  web-shop:") : EXPORTED.index("\nassociations")])
    assert "nightly" not in clients
    assert changes_of(bare, clients) == []
    one = bare.run("export", "-f", "bare.yaml", "--server", "login", "--kind", "scope", "--name", "orders.read").out
    assert "on: [login]" in one
    assert "authorization_server" not in one
    assert changes_of(bare, one) == []
    both = bare.run("export", "-f", "bare.yaml", "--name", "web-*", "--kind=client", "--kind=association")
    assert "associations:" not in both.out
    assert "the manifest does not name orders.read, orders.write" in " ".join(both.err.split())


def test_what_differs_between_servers_is_left_unmanaged_and_said(bare: Pair) -> None:
    """Fields of one client have one value; settings have overrides; an object of one server says where."""
    bare.admin(bare.login, "PATCH", "/admin/oauth/client/web-shop", {"enabled": False})
    bare.admin(bare.orders, "PATCH", "/admin/oauth/globalsetting/", {"accessTokenLifetimeSeconds": -1})
    bare.admin(bare.orders, "POST", "/admin/oauth/scope", {"name": "local", "FoldersAndServices": ["a"]})
    bare.admin(bare.login, "PATCH", "/admin/oauth/scope/orders.read", {"FoldersAndServices": ["b"]})
    result = bare.run("export", "-f", "bare.yaml")
    assert "enabled is not the same on login, orders" in result.err
    assert "  overrides:\n    orders:\n      access_token_lifetime: never\n" in result.out
    assert "  local:\n    resources: [a]\n    on: [orders]\n" in result.out
    assert "    overrides: {login: {resources: [b]}}\n" in result.out
    assert "enabled" not in result.out
    assert changes_of(bare, result.out) == []


def test_a_rule_that_a_live_object_breaks_is_ignored_where_it_stands(bare: Pair) -> None:
    """The export is valid, and says in a comment and a warning what is wrong with what it found."""
    for server in (bare.login, bare.orders):
        body = {"redirect_uris": ["http://shop.example/cb"]}
        bare.admin(server, "PATCH", "/admin/oauth/client/web-shop", body)
    result = bare.run("export", "-f", "bare.yaml")
    assert "# oauthdeploy: ignore[redirect-uri-not-https] as it was on the server" in result.out
    assert "redirect-uri-not-https" in result.err
    assert changes_of(bare, result.out) == []


def test_several_files_and_unknown_servers_are_refused(bare: Pair) -> None:
    """With what to do; a typo reads no server."""
    bare.seen.clear()
    several = bare.run("export", "-f", "bare.yaml", "-f", "oauthdeploy.yaml")
    assert several.code == 64
    assert "--write" in several.err
    assert bare.run("export", "-f", "bare.yaml", "--from", "login").code == 64
    assert bare.run("export", "-f", "bare.yaml", "--from", "login", "--to", "oders").code == 64
    assert bare.run("export", "-f", "bare.yaml", "--server", "oders").code == 64
    assert bare.run("export", "-f", "-", "--write", stdin=BARE).code == 64
    assert bare.run("export", "-f", "bare.yaml", "--kind", "clients").code == 64
    assert bare.seen == []
    assert bare.run("export", "-f", "-", stdin=BARE).code == 0


FILES = {
    "1-servers.yaml": BARE,
    "2-scopes.yaml": """\
# scopes: those of the orders team
scopes:
    orders.read: { description: Read orders }   # four blanks, and blanks in the braces: not the canonical form
""",
    "3-shop.yaml": """\
clients:
  web-shop:
    name: Web Shop
    description: "${var:shop}"  # said once, in vars
    type: public
associations:
  # the shop
  - {client: web-shop, scopes: [orders.read]}
""",
    "4-batch.yaml": """\
variables:
  shop: {type: string, default: The shop's front end}
clients:
  nightly-batch:  # runs at two
    name: Nightly Batch
    description: nobody remembers
""",
    "5-people.yaml": "resource_owners: [alice]   # not concerned\n",
}


@pytest.fixture
def split(bare: Pair) -> Pair:
    """A manifest in five files, of which some say a part of what the servers hold."""
    (bare.folder / "estate").mkdir()
    for name, text in FILES.items():
        (bare.folder / "estate" / name).write_text(text)
    return bare


def files_of(pair: Pair) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted((pair.folder / "estate").iterdir())}


def test_several_files_keep_what_is_theirs(split: Pair) -> None:
    """What is there changes where it stands, what is new goes to the last file with its section, comments and variables stay, and
    files that are not concerned stay to the byte. Then the plan is empty, and a second export writes nothing.
    """
    result = split.run("export", "-f", "estate", "--write")
    assert result.code == 0, result.err
    after = files_of(split)
    assert {name for name in FILES if after[name] == FILES[name]} == {"5-people.yaml"}
    assert "# our servers" in after["1-servers.yaml"]
    assert "settings:" in after["1-servers.yaml"]
    assert re.findall(r"^  (\S+):", after["2-scopes.yaml"], re.MULTILINE) == [
        "orders.read",
        "orders.write",
        "reports.read",
    ]
    assert "description: ${var:shop}  # said once, in vars" in after["3-shop.yaml"]
    assert "    redirect_uris: [http://127.0.0.1:8400/callback]" in after["3-shop.yaml"]
    assert "  # the shop\n  - {client: web-shop, scopes: [orders.read, orders.write]}" in after["3-shop.yaml"]
    assert "  - {client: nightly-batch, scopes: [reports.read]}" in after["3-shop.yaml"]
    assert "nightly-batch:" not in after["3-shop.yaml"].partition("associations:")[0]
    assert "nightly-batch:  # runs at two" in after["4-batch.yaml"]
    assert "description: Books the day's orders" in after["4-batch.yaml"]
    plan = split.run("plan", "-f", "estate", "--detailed-exitcode")
    assert plan.code == 0, plan.out + plan.err
    again = split.run("export", "-f", "estate", "--write")
    assert "say it all already" in again.err
    assert files_of(split) == after


def test_only_the_files_that_are_concerned_are_written(split: Pair) -> None:
    """One scope of one file; and where a file can't be written, none is."""
    before = files_of(split)
    result = split.run("export", "-f", "estate/*.yaml", "--kind", "scope", "--name", "orders.read", "--write")
    assert result.code == 0, result.err
    after = files_of(split)
    assert [name for name in before if before[name] != after[name]] == ["2-scopes.yaml"]
    assert "Wrote estate/2-scopes.yaml." in result.err


def test_a_file_that_can_not_be_written_leaves_all_as_they_were(split: Pair) -> None:
    """The files before it get back what they held."""
    before = files_of(split)
    with patch("oauthdeploy.manifest.editing.files.os.access", lambda path, _mode: "4-batch" not in str(path)):
        result = split.run("export", "-f", "estate", "--write")
    assert result.code == 1
    assert "4-batch.yaml: It is write-protected." in result.err
    assert files_of(split) == before


def test_what_two_files_say_alike_is_changed_in_both(split: Pair) -> None:
    """Files may say the same about one object; they must still say the same afterwards. What is gone goes from both."""
    twice = (
        'clients:\n  web-shop: {name: Web Shop, version: "1", type: confidential}\n  gone: {name: Gone, version: "1"}\n'
    )
    for name in ("3-shop.yaml", "4-batch.yaml"):
        (split.folder / "estate" / name).write_text(twice)
    result = split.run("export", "-f", "estate", "--write", "--kind", "client")
    assert result.code == 0, result.err
    after = files_of(split)
    for name in ("3-shop.yaml", "4-batch.yaml"):
        assert "type: public" in after[name]
        assert "gone" not in after[name]
    assert "nightly-batch:" in after["4-batch.yaml"]
    assert "nightly-batch:" not in after["3-shop.yaml"]
    plan = split.run("plan", "-f", "estate", "--detailed-exitcode", env={"NIGHTLY_BATCH_SECRET": "x" * 30})
    assert plan.code == 0, plan.out + plan.err


def test_a_server_that_is_down_is_no_empty_server(bare: Pair) -> None:
    """Exit code 8, and nothing on standard output."""
    bare.orders.stop()
    result = bare.run("export", "-f", "bare.yaml", "--write")
    assert (result.code, result.out) == (8, "")
    assert (bare.folder / "bare.yaml").read_text() == BARE


# -- from one server to another ---------------------------------------------------------------------------------------


def test_what_is_defined_on_one_server_is_deployed_to_the_other(make_pair: PairFactory) -> None:
    """The manifest adds and corrects on the target what the source holds; afterwards both sides agree."""
    pair = make_pair()
    (pair.folder / "bare.yaml").write_text(BARE)
    for name in ("a", "b"):
        pair.admin(pair.login, "POST", "/admin/oauth/scope", {"name": name, "FoldersAndServices": ["x"]})
    client = {"client_id": "shop", "name": "Shop", "version": "1", "type": "Confidential", "scopes": ["a"]}
    pair.admin(pair.login, "POST", "/admin/oauth/client", client)
    pair.admin(pair.orders, "POST", "/admin/oauth/scope", {"name": "a", "description": "other"})
    pair.admin(pair.orders, "POST", "/admin/oauth/client", {**client, "scopes": [], "enabled": False, "type": "Public"})
    pair.admin(pair.orders, "POST", "/admin/oauth/scope", {"name": "mine", "FoldersAndServices": ["m"]})
    flags = ("-f", "bare.yaml", "--from", "login", "--to", "orders")
    result = pair.run("export", *flags)
    assert result.code == 0, result.err
    assert "orders has it, and login does not; it stays" in " ".join(result.err.split())
    assert changes_of(pair, result.out) == [
        ("update", "scope/a@orders"),
        ("create", "scope/b@orders"),
        ("update", "client/shop@orders"),
    ]
    env = references(result.out)
    assert pair.run("apply", "-f", "out.yaml", "--yes", "--allow=too-many-updates", env=env).code == 0
    kept = pair.admin(pair.orders, "GET", "/admin/oauth/scope/mine")
    assert kept["name"] == "mine"
    mirrored = pair.run("export", *flags, "--mirror")
    assert changes_of(pair, mirrored.out) == [("delete", "scope/mine@orders")]
    assert pair.run("apply", "-f", "out.yaml", "--yes", env=references(mirrored.out)).code == 0
    names = [{item["name"] for item in pair.holdings(side)["scope"]["scopes"]} for side in (pair.login, pair.orders)]
    assert names == [{"a", "b"}, {"a", "b"}]
    there = pair.admin(pair.orders, "GET", "/admin/oauth/client/shop")
    assert (there["enabled"], there["type"]) == (True, "Confidential")


# -- whatever stands there --------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["no", "007", "~", "a b", "Ünïcode", "null", "web-shop", "Web Shop", "0x1F", "1.0", "-", "x" * 40]
)
SAID = st.sampled_from(
    ["", "plain", "${env:HOME}", "$${x}", "a: b # c", "'\"\\", "two\nlines", " lead", "{[", "\u00e9\t!"]
)
URIS = st.sampled_from(["https://a.example/cb", "http://127.0.0.1/cb", "http://a.example/cb", "https://b.example/?q=1"])
GRANTS = ("authorizationCodeGrant", "implicitGrant", "clientCredentialsGrant", "resourceOwnerCredentialsGrant")


@st.composite
def clients(draw: st.DrawFn) -> dict[str, Any]:
    public = draw(st.booleans())
    body: dict[str, Any] = {
        "name": draw(WORDS),
        "version": draw(st.sampled_from([1, 2])),
        "type": "Public" if public else "Confidential",
        "description": draw(SAID),
        "redirect_uris": draw(st.lists(URIS, min_size=1, max_size=2, unique=True)),
        "tokenLifetime": draw(st.sampled_from([-2, -1, 60, 3601])),
        "tokenRefreshCount": draw(st.sampled_from([-1, 0, 3])),
        "enabled": draw(st.booleans()),
        "scopes": [],
    }
    for grant in GRANTS if not public else GRANTS[:2]:
        body[grant] = draw(st.booleans())
    return body


NAMES = st.sampled_from(
    ["no", "007", "1e3", "a:b", "a#b", "${env:X}", "x{y}", "&a", "*b", "orders.read", "null", "-", "~"]
)
SCOPES = st.dictionaries(
    NAMES, st.tuples(SAID, st.lists(st.sampled_from(["a.b", "c", "d:e"]), unique=True)), max_size=4
)
SETTINGS = st.fixed_dictionaries(
    {
        "requireHTTPS": st.booleans(),
        "authCodeLifetimeSeconds": st.sampled_from([60, 600]),
        "accessTokenLifetimeSeconds": st.sampled_from([-1, 3600, 90]),
        "tokenEndpointAuth": st.sampled_from(["session", "credentials"]),
    }
)
ESTATES = st.fixed_dictionaries(
    {
        "scopes": SCOPES,
        "clients": st.lists(clients(), max_size=4, unique_by=lambda body: (body["name"], body["version"])),
        "settings": st.tuples(SETTINGS, SETTINGS),
        "sides": st.lists(st.sampled_from([(0,), (1,), (0, 1)]), min_size=8, max_size=8),
        "asked": st.lists(st.booleans(), min_size=16, max_size=16),
        "twist": st.booleans(),
    }
)


class Pairs(dict[bool, Pair]):
    """Servers by mode; short where a failing example is shown."""

    def __repr__(self) -> str:
        return "Pairs"


@pytest.fixture(scope="module")
def module_pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[bool, Pair]]:
    """One tolerant and one strict pair for all random estates: each is emptied before it is filled."""
    from tests.live.conftest import pairs_in

    with pairs_in(tmp_path_factory.mktemp("export")) as make:
        yield Pairs({False: make(tls=False), True: make(tls=False, strict=True, accept_client_id=False)})


class Site:
    """Fills two servers by their admin API, in the words of either mode."""

    def __init__(self, pair: Pair, *, strict: bool) -> None:
        self.pair, self.strict = pair, strict

    def fill(self, estate: Mapping[str, Any]) -> None:
        for server, flags in zip((self.pair.login, self.pair.orders), estate["settings"], strict=True):
            self._clear(server)
            self.pair.admin(server, "PATCH", "/admin/oauth/globalsetting/", flags)
        sides = iter(estate["sides"])
        held: list[set[str]] = [set(), set()]
        for name, (description, opened) in estate["scopes"].items():
            for side in next(sides):
                held[side].add(name)
                body = {"name": name, "description": description, "FoldersAndServices": opened, "urlTemplates": []}
                self._post(side, "scope", {"scopeInputData": body} if self.strict else body)
        asked = iter(estate["asked"])
        for body in estate["clients"]:
            for side in next(sides):
                scopes = [name for name in sorted(held[side]) if side == 0 and next(asked)]
                more = {"description": "twisted"} if estate["twist"] and side == 1 else {}
                self._post(side, "client", {**body, **more, "scopes": scopes})

    def _clear(self, server: RunningServer) -> None:
        for item in self.pair.admin(server, "GET", "/admin/oauth/client?expand=true")["clients"]:
            self.pair.admin(server, "DELETE", f"/admin/oauth/client/{item['client_id']}")
        for item in self.pair.admin(server, "GET", "/admin/oauth/scope?expand=true")["scopes"]:
            self.pair.admin(server, "DELETE", f"/admin/oauth/scope/{quoted(item['name'])}")

    def _post(self, side: int, what: str, body: Any) -> None:
        self.pair.admin((self.pair.login, self.pair.orders)[side], "POST", f"/admin/oauth/{what}", body)


def quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


@pytest.mark.parametrize("strict", [False, True], ids=["tolerant", "strict"])
@settings(
    max_examples=6,
    deadline=None,
    # Each example is some forty requests: making a failing one smaller would outlast the test.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(estate=ESTATES)
def test_any_estate_is_exported_to_a_manifest_that_plans_empty(
    module_pairs: Mapping[bool, Pair], strict: bool, estate: Mapping[str, Any]
) -> None:
    """Names that YAML misreads, references in live texts, objects of one side, broken rules: the plan is empty, twice."""
    pair = module_pairs[strict]
    Site(pair, strict=strict).fill(estate)
    bare = re.sub(r"^ +tls:.*\n", "", BARE, flags=re.MULTILINE)
    (pair.folder / "bare.yaml").write_text(bare)
    result = pair.run("export", "-f", "bare.yaml")
    assert result.code == 0, result.err
    assert changes_of(pair, result.out) == [], result.out
    again = pair.run("export", "-f", "out.yaml", env=references(result.out))
    assert again.out == result.out, again.err
    checked = pair.run("validate", "-f", "out.yaml", env=references(result.out))
    assert "client-type-missing" not in checked.out + checked.err
    # What a scope opens on the server that only issues tokens means nothing, and is named.
    idle = r"(?:resources|url_templates)(?:, url_templates)?: what a scope opens is stored on the resource server"
    lost = re.findall(rf"export-left-out\]\n +(\S.*)\n +(?! )(?!{idle})", result.err)
    assert not lost, result.err
    level = pair.run("export", "-f", "bare.yaml", "--from", "login", "--to", "orders", "--mirror")
    assert level.code == 0, level.err
    (pair.folder / "level.yaml").write_text(level.out, encoding="utf-8")
    limits = ("--max-deletes", "100%", "--allow", "too-many-updates")
    applied = pair.run("apply", "-f", "level.yaml", "--yes", *limits, env=references(level.out))
    assert applied.code == 0, applied.out + applied.err
    for what in ("scope", "client"):
        sides = [pair.holdings(server)[what][f"{what}s"] for server in (pair.login, pair.orders)]
        assert sorted(map(shown, sides[0])) == sorted(map(shown, sides[1])), level.out


def shown(item: Mapping[str, Any]) -> str:
    """What the two sides have to agree about."""
    own = {"client_id", "client_secret", "scopes", "registrationClientUri", "registrationAccessToken"}
    plain = {key: sorted(value) if isinstance(value, list) else value or "" for key, value in item.items()}
    return repr(sorted((key, str(value)) for key, value in plain.items() if key not in own))


def test_the_page_of_exports_names_every_flag() -> None:
    """docs/export.md is what `export --help` points to."""
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    for flag in ("--kind", "--name", "--server", "--from", "--to", "--mirror", "--full", "--no-secrets", "--write"):
        assert flag in text
