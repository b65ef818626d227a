"""Which object falls on which server, and in which form."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.core.secrets import Secret
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.model.fields import managed
from oauthdeploy.model.objects import Client, Revocation, Scope, Settings, Side, Trust
from tests.manifest.support import HEAD, bad, good, load

THREE = (
    HEAD
    + """\
  both: {role: both, driver: acme, url: "https://both.example.com", credentials: {username: u, password: p},
    authorization_server: both}
  plain: {role: resource, driver: scopeless, authorization_server: login}
  idp: {role: authorization, driver: external,
    introspection: {endpoint: "https://idp/i", client_id: rs, client_secret: "${env:P}"}}
"""
)


def at(manifest: Manifest, text: str) -> object:
    return manifest.desired.objects[Address.parse(text)]


def addresses(manifest: Manifest, kind: Kind) -> list[str]:
    return sorted(str(address) for address in manifest.desired.objects if address.kind is kind)


def test_settings_fall_on_authorization_sides(tmp_path: Path) -> None:
    """Settings go to every written server with an authorization side; overrides add field by field, also on a resource server."""
    text = THREE + (
        "settings:\n  require_pkce: true\n  access_token_lifetime: null\n"
        "  overrides: {login: {access_token_lifetime: 5m}, orders: {require_https: true}}\n"
    )
    manifest = good(text, tmp_path)
    assert addresses(manifest, Kind.SETTINGS) == ["settings@both", "settings@login", "settings@orders"]
    assert dict(managed(at(manifest, "settings@both"))) == {"require_pkce": True, "access_token_lifetime": None}  # type: ignore[arg-type]
    assert dict(managed(at(manifest, "settings@login"))) == {"require_pkce": True, "access_token_lifetime": 300}  # type: ignore[arg-type]
    assert dict(managed(at(manifest, "settings@orders"))) == {"require_https": True}  # type: ignore[arg-type]
    assert type(at(manifest, "settings@login")) is Settings
    assert manifest.desired.places[Address.parse("settings@orders")] == ("settings", "overrides", "orders")


def test_no_settings_written_means_no_settings_object(tmp_path: Path) -> None:
    """Without a written field there is nothing to manage."""
    assert addresses(good(HEAD + "settings: {}\n", tmp_path), Kind.SETTINGS) == []


def test_scopes_fall_on_every_server_that_has_scopes(tmp_path: Path) -> None:
    """What a scope opens falls on every server that stores it, on the authorization side too."""
    manifest = good(THREE + "scopes:\n  r: {description: d, resources: [a], url_templates: []}\n", tmp_path)
    assert addresses(manifest, Kind.SCOPE) == ["scope/r@both", "scope/r@login", "scope/r@orders"]
    for server in ("both", "login", "orders"):
        scope = at(manifest, f"scope/r@{server}")
        assert type(scope) is Scope
        assert dict(managed(scope)) == {"description": "d", "resources": ("a",), "url_templates": ()}


def test_an_override_replaces_what_a_scope_opens_on_one_server(tmp_path: Path) -> None:
    """Field by field, with null for the server's default; other servers keep the entry's own values."""
    overrides = "overrides: {login: {resources: []}, both: {url_templates: null}}"
    manifest = good(THREE + f"scopes:\n  r: {{description: d, resources: [a], {overrides}}}\n", tmp_path)
    found = {name: dict(managed(at(manifest, f"scope/r@{name}"))) for name in ("orders", "login", "both")}  # type: ignore[arg-type]
    assert found == {
        "orders": {"description": "d", "resources": ("a",)},
        "login": {"description": "d", "resources": ()},
        "both": {"description": "d", "resources": ("a",), "url_templates": None},
    }


@pytest.mark.parametrize(
    ("scope", "rule", "place"),
    [
        ("{overrides: {logni: {resources: []}}}", "unknown-reference", ("scopes", "r", "overrides", "logni")),
        (
            "{on: [orders], overrides: {login: {resources: []}}}",
            "not-allowed-value",
            ("scopes", "r", "overrides", "login"),
        ),
    ],
)
def test_an_override_names_a_server_that_has_the_scope(
    tmp_path: Path, scope: str, rule: str, place: tuple[str, ...]
) -> None:
    """A misspelled server, or one that the scope is not on, is an error at its place."""
    found = bad(THREE + f"scopes:\n  r: {scope}\n", tmp_path)
    assert (rule, place) in [(item.rule, item.path) for item in found if item.severity is Severity.ERROR]


def test_clients_fall_on_every_server_that_holds_clients(tmp_path: Path) -> None:
    """A secret belongs to the authorization side; every other written field goes everywhere, unwritten ones nowhere."""
    manifest = good(THREE + "clients:\n  c: {type: null, secret: {value: '${env:P}'}}\n", tmp_path)
    assert addresses(manifest, Kind.CLIENT) == ["client/c@both", "client/c@login", "client/c@orders"]
    for server, fields in (("login", {"type", "secret"}), ("both", {"type", "secret"}), ("orders", {"type"})):
        client = at(manifest, f"client/c@{server}")
        assert type(client) is Client
        assert client.model_fields_set == fields
    assert at(manifest, "client/c@login") == Client(type=None, secret={"value": Secret("pw", "x")})


def test_on_chooses_servers(tmp_path: Path) -> None:
    """`on` lists the servers, also those that the default would leave out."""
    text = THREE + "scopes:\n  r: {on: [plain, login]}\nclients:\n  c: {on: [orders]}\n"
    manifest = good(text, tmp_path)
    assert addresses(manifest, Kind.SCOPE) == ["scope/r@login", "scope/r@plain"]
    assert addresses(manifest, Kind.CLIENT) == ["client/c@orders"]


@pytest.mark.parametrize(("name", "rule"), [("logn", "unknown-reference"), ("idp", "not-allowed-value")])
def test_on_names_servers_that_are_written(name: str, rule: str, tmp_path: Path) -> None:
    """A server that isn't there, or that is only described, can't hold anything."""
    found = bad(THREE + f"clients:\n  c: {{on: [{name}]}}\n", tmp_path)
    assert [(item.rule, item.address, item.path) for item in found] == [(rule, "client/c", ("clients", "c", "on", 0))]


def test_absent_objects_are_removals(tmp_path: Path) -> None:
    """`state: absent` gives removals with places, and no objects."""
    desired = good(
        THREE + "scopes: {r: {state: absent}}\nclients: {c: {state: absent, on: [login]}}\n", tmp_path
    ).desired
    assert {str(address) for address in desired.absent} == {
        "scope/r@both",
        "scope/r@login",
        "scope/r@orders",
        "client/c@login",
    }
    assert not [address for address in desired.objects if address.kind in (Kind.SCOPE, Kind.CLIENT)]
    assert desired.places[Address.parse("client/c@login")] == ("clients", "c")


def test_renamed_clients(tmp_path: Path) -> None:
    """`moved_from` is kept by address."""
    desired = good(HEAD + "clients: {c: {moved_from: old}}\n", tmp_path).desired
    assert {str(address): name for address, name in desired.moved.items()} == {
        "client/c@login": "old",
        "client/c@orders": "old",
    }


def test_associations_from_either_end(tmp_path: Path) -> None:
    """Pairs fall on authorization sides that hold both; each list that is written is remembered for pruning."""
    text = THREE + (
        "scopes: {r: {}, w: {}, far: {on: [both]}}\nclients: {c: {}, d: {}}\n"
        "associations:\n  - {client: c, scopes: [r, far]}\n  - {scope: w, clients: [c, d]}\n  - {client: d, scopes: []}\n"
    )
    desired = good(text, tmp_path).desired
    assert sorted(str(a) for a in desired.objects if a.kind is Kind.ASSOCIATION) == [
        "association/c:far@both",
        "association/c:r@both",
        "association/c:r@login",
        "association/c:w@both",
        "association/c:w@login",
        "association/d:w@both",
        "association/d:w@login",
    ]
    assert desired.listed_clients == {"c", "d"}
    assert desired.listed_scopes == {"w"}
    assert desired.places[Address.parse("association/c:r@login")] == ("associations", 0, "scopes", 0)
    assert desired.places[Address.parse("association/d:w@login")] == ("associations", 1, "clients", 1)


@pytest.mark.parametrize(
    ("entry", "column"),
    [
        ("{client: cc, scopes: [r]}", 14),
        ("{client: c, scopes: [rr]}", 26),
        ("{scope: rr, clients: [c]}", 13),
        ("{scope: r, clients: [cc]}", 26),
        ("{client: cc, scopes: []}", 14),
    ],
)
def test_dangling_associations_are_errors_at_the_name(entry: str, column: int, tmp_path: Path) -> None:
    """Each end must be in the manifest."""
    (found,) = bad(HEAD + f"scopes: {{r: {{}}}}\nclients: {{c: {{}}}}\nassociations:\n  - {entry}\n", tmp_path)
    assert found.rule == "unknown-reference"
    assert found.span is not None
    assert (found.span.line, found.span.column) == (10, column)
    assert "Did you mean" in found.fix


def test_revocations_carry_what_applies_there(tmp_path: Path) -> None:
    """Tokens are deleted on authorization sides, blocks fall on their sides, and a blocked client is disabled there."""
    text = THREE + (
        "clients: {c: {enabled: true}, d: {on: [orders]}}\nrevocations:\n"
        "  - {id: A, client: c, tokens: all, owner: bob, block: [resource], reason: x, expires: 2027-01-31}\n"
        "  - {id: B, client: d, tokens: {issued_before: 2026-11-20T08:00:00Z}, block: [authorization, resource]}\n"
    )
    manifest = good(text, tmp_path)
    assert addresses(manifest, Kind.REVOCATION) == [
        "revocation/A@both",
        "revocation/A@login",
        "revocation/A@orders",
        "revocation/B@orders",
    ]
    login, both, orders = (at(manifest, f"revocation/A@{server}") for server in ("login", "both", "orders"))
    assert type(login) is Revocation
    assert isinstance(both, Revocation)
    assert isinstance(orders, Revocation)
    assert (login.tokens, login.block, login.owner) == ("all", None, "bob")
    assert (both.tokens, both.block) == ("all", (Side.RESOURCE,))
    assert (orders.tokens, orders.block, orders.owner, orders.reason) == (None, (Side.RESOURCE,), None, "x")
    assert "tokens" not in orders.model_fields_set
    enabled = {server: at(manifest, f"client/c@{server}").enabled for server in ("login", "both", "orders")}  # type: ignore[attr-defined]
    assert enabled == {"login": True, "both": False, "orders": False}
    assert at(manifest, "client/d@orders").enabled is False  # type: ignore[attr-defined]


def test_a_revocation_of_an_unknown_client_is_a_warning(tmp_path: Path) -> None:
    """A cut-off may name a client that only the servers know; a likely slip is pointed out."""
    manifest, diagnostics = load(
        HEAD + "clients: {web-shop: {}}\nrevocations:\n  - {id: A, client: web-shp, tokens: all}\n", tmp_path
    )
    assert manifest is not None
    found = [item for item in diagnostics if item.rule == "unknown-reference"]
    assert [(item.severity, item.fix) for item in found] == [(Severity.WARNING, "Did you mean 'web-shop'?")]
    assert addresses(manifest, Kind.REVOCATION) == ["revocation/A@login"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("login", Trust(authorization_server="login", via="remote", endpoint="https://login.example.com")),
        (
            "idp",
            Trust(
                authorization_server="idp",
                via="external",
                endpoint="https://idp/i",
                client_id="rs",
                client_secret=Secret("pw", "${env:P}"),
            ),
        ),
        ("both", Trust(authorization_server="both", via="remote", endpoint="https://both.example.com")),
    ],
)
def test_trust(target: str, expected: Trust, tmp_path: Path) -> None:
    """A resource server asks itself, a server of its kind by its address, or a described server by introspection."""
    manifest = good(THREE.replace("authorization_server: login}", f"authorization_server: {target}}}", 1), tmp_path)
    assert at(manifest, "trust@orders") == expected
    assert at(manifest, "trust@both") == Trust(authorization_server="both", via="local")
    assert manifest.desired.places[Address.parse("trust@orders")] == ("servers", "orders", "authorization_server")


def test_a_server_with_an_introspection_client_is_asked_by_introspection(tmp_path: Path) -> None:
    """The endpoint is the driver's own for the url, unless it is written; an account and a default scope go along."""
    text = HEAD.replace(
        'url: "https://login.example.com",',
        "url: 'https://login/', introspection: {client_id: rs, user: u, default_scope: null},",
    )
    trust = at(good(text, tmp_path), "trust@orders")
    assert isinstance(trust, Trust)
    assert (trust.via, trust.endpoint, trust.client_id, trust.user) == (
        "external",
        "https://login/introspect",
        "rs",
        "u",
    )
    assert "default_scope" in trust.model_fields_set
    assert "username" not in trust.model_fields_set


@pytest.mark.parametrize(("driver", "on_both"), [("verifier", True), ("acme", False)])
def test_associations_stand_on_resource_servers_that_can_hold_them(driver: str, on_both: bool, tmp_path: Path) -> None:
    """On the authorization server always; on a resource server where its driver says so, and then the state says it too."""
    text = TWO.format(idp="signer, url: 'https://idp'", orders="acme, credentials: {username: u, password: '${env:P}'}")
    if on_both:
        text = TWO.format(idp="signer, url: 'https://idp'", orders=driver)
    desired = good(
        text + "scopes: {r: {}}\nclients: {c: {}}\nassociations: [{client: c, scopes: [r]}]\n", tmp_path
    ).desired
    servers = {a.server for a in desired.objects if a.kind is Kind.ASSOCIATION}
    assert servers == ({"idp", "orders"} if on_both else {"idp"})
    assert desired.associating == (frozenset({"orders"}) if on_both else frozenset())
    assert desired.keeps_associations("idp")
    assert desired.keeps_associations("orders") is on_both


@pytest.mark.parametrize(("driver", "on_both"), [("verifier", True), ("asker", False)])
def test_tokens_end_on_resource_servers_that_can_refuse_them(driver: str, on_both: bool, tmp_path: Path) -> None:
    """With the selection, and without a block that is not written; elsewhere nothing is placed."""
    text = TWO.format(idp="signer, url: 'https://idp'", orders=driver)
    entry = "clients: {c: {}}\nrevocations: [{id: I, client: c, tokens: all, owner: bob}]\n"
    manifest = good(text + entry, tmp_path)
    assert addresses(manifest, Kind.REVOCATION) == ["revocation/I@idp", *(["revocation/I@orders"] if on_both else [])]
    if on_both:
        made = at(manifest, "revocation/I@orders")
        assert isinstance(made, Revocation)
        assert (made.tokens, made.owner, made.block) == ("all", "bob", None)


TWO = """\
version: 1
name: payments
servers:
  idp: {{role: authorization, driver: {idp}}}
  orders: {{role: resource, driver: {orders}, url: "https://orders", authorization_server: idp}}
"""
KEYS = {"issuer": "https://idp", "jwks_uri": "https://idp/keys"}


@pytest.mark.parametrize(
    ("idp", "orders", "expected"),
    [
        ("signer, url: 'https://idp'", "verifier", {"via": "jwt", **KEYS}),
        ("signer, url: 'https://idp'", "verifier, audience: shop", {"via": "jwt", "audience": "shop", **KEYS}),
        (
            "signer, url: 'https://idp', issuer: 'https://idp/a'",
            "verifier",
            {"via": "jwt", "issuer": "https://idp/a", "jwks_uri": "https://idp/keys"},
        ),
        ("external, issuer: 'https://idp', jwks_uri: 'https://idp/keys'", "verifier", {"via": "jwt", **KEYS}),
        (
            "signer, url: 'https://idp', introspection: {client_id: rs}",
            "verifier",
            {"via": "external", "endpoint": "https://idp/introspect", "client_id": "rs"},
        ),
        ("signer, url: 'https://idp'", "asker", {"via": "external", "endpoint": "https://idp/introspect"}),
        (
            "external, issuer: 'https://idp', introspection: {endpoint: 'https://idp/i'}",
            "verifier",
            {"via": "external", "endpoint": "https://idp/i"},
        ),
    ],
)
def test_who_can_verifies_tokens_itself(idp: str, orders: str, expected: dict[str, str], tmp_path: Path) -> None:
    """With issuer and keys, written or known for the url, a server that can verifies; an introspection client asks for
    introspection; what is of another kind is never taken for one that is asked by its base address."""
    made = at(good(TWO.format(idp=idp, orders=orders), tmp_path), "trust@orders")
    assert made == Trust.model_validate({"authorization_server": "idp", **expected})


@pytest.mark.parametrize(
    ("idp", "orders", "path", "fix"),
    [
        ("external", "verifier", ("introspection", "endpoint"), "issuer and jwks_uri"),
        ("external, issuer: 'https://idp'", "verifier", ("introspection", "endpoint"), "issuer and jwks_uri"),
        ("external", "asker", ("introspection", "endpoint"), "introspection endpoint of 'idp'."),
        ("signer", "verifier", ("url",), "base address of 'idp'."),
        ("signer, introspection: {client_id: rs}", "verifier", ("url",), "base address of 'idp'."),
    ],
)
def test_what_trust_needs_is_asked_for_by_its_key(
    idp: str, orders: str, path: tuple[str, ...], fix: str, tmp_path: Path
) -> None:
    """Where an address is missing, the finding names the key to write; what follows from the url isn't asked for."""
    (found,) = bad(TWO.format(idp=idp, orders=orders), tmp_path)
    assert (found.rule, found.path) == ("missing-key", ("servers", "idp", *path))
    assert fix in found.fix


def test_wrong_options_of_the_trusted_server_are_one_finding(tmp_path: Path) -> None:
    """The addresses are made from the options, so nothing is said about addresses when those are wrong."""
    text = TWO.format(idp="signer, url: 'https://idp', options: {realm: shop}", orders="verifier")
    assert [item.rule for item in bad(text, tmp_path)] == ["unknown-key"]


@pytest.mark.parametrize(("name", "rule"), [("logn", "unknown-reference"), ("orders", "not-allowed-value")])
def test_trust_in_nobody_is_an_error(name: str, rule: str, tmp_path: Path) -> None:
    """The trusted server must be in the manifest and have an authorization side."""
    found = bad(HEAD.replace("authorization_server: login}", f"authorization_server: {name}}}"), tmp_path)
    assert [item.rule for item in found if item.address == "trust@orders"] == [rule]


def test_driver_parts_are_validated_models(tmp_path: Path) -> None:
    """Credentials and options are the driver's models, by server; the document holds their secrets as secrets."""
    manifest = good(HEAD + "clients: {c: {options: {acme: {theme: dark, key: '${env:P}'}}}}\n", tmp_path)
    assert manifest.credentials["login"].password.reveal() == "pw"  # type: ignore[attr-defined]
    assert manifest.document.servers["login"].credentials["password"].origin == "${env:P}"
    assert manifest.options["orders"].model_fields_set == set()
    client = at(manifest, "client/c@login")
    assert isinstance(client, Client)
    assert client.options is not None
    assert client.options["acme"] == {"theme": "dark", "key": Secret("pw", "x")}


def test_places_lead_to_every_object(tmp_path: Path) -> None:
    """Each address has a place, and each place is found in the file."""
    text = THREE + (
        "settings: {require_pkce: true}\nscopes: {r: {}}\nclients: {c: {}}\nassociations: [{client: c, scopes: [r]}]\n"
        "revocations: [{id: A, client: c, tokens: all}]\n"
    )
    manifest = good(text, tmp_path)
    assert manifest.desired.places.keys() == manifest.desired.objects.keys()
    for path in manifest.desired.places.values():
        span = manifest.locate(path)
        assert span is not None
        assert span.line > 2


@pytest.mark.slow
def test_a_thousand_dangling_names_among_thousands_take_no_time(tmp_path: Path) -> None:
    """Every dangling name counts, a thousand are shown; only the first are guessed at, since guessing grows with both numbers."""
    clients = "".join(f"  client-{n}: {{}}\n" for n in range(4000))
    pairs = "".join(f"  - {{client: cleint-{n}, scopes: [r]}}\n" for n in range(2000))
    found = bad(HEAD + f"scopes: {{r: {{}}}}\nclients:\n{clients}associations:\n{pairs}", tmp_path)
    assert len(found) == 1001
    assert "1,000 more" in found[-1].detail + found[-1].summary
    guessed = [item for item in found if "Did you mean" in item.fix]
    assert 5 < len(guessed) < 20
    assert all(item.fix for item in found[:-1])


EXPIRED = """
clients: {mobile: {type: public, enabled: true}}
revocations: [{id: INC-1, client: mobile, tokens: all, block: [authorization, resource], expires: "2026-11-20"}]
"""


@pytest.mark.parametrize(("today", "stands"), [(date(2026, 11, 20), True), (date(2026, 11, 21), False)])
def test_an_expired_revocation_cuts_nobody_off(today: date, stands: bool, tmp_path: Path) -> None:
    """Through its last day it counts; afterwards what it blocked isn't enabled by a clock."""
    manifest, _found = load(HEAD + EXPIRED, tmp_path, today=today)
    assert manifest is not None
    assert bool(addresses(manifest, Kind.REVOCATION)) is stands
    clients = [value for value in manifest.desired.objects.values() if isinstance(value, Client)]
    assert all(
        (value.enabled if "enabled" in value.model_fields_set else None) is (False if stands else None)
        for value in clients
    )


@pytest.mark.parametrize(
    ("entry", "lines"),
    [
        ("  - {id: A, client: mobile, expires: 2026-11-20}\n", "9"),
        ("  - {id: A, client: mobile,\n     expires: 2026-11-20\n    }\n", "9-11"),
        (
            "  - id: A\n    client: mobile\n    reason: |\n      one\n      two\n    expires: 2026-11-20\n\n  # more\n",
            "9-14",
        ),
        ("  - id: A\n    expires: 2026-11-20\n    client: mobile\n    block:\n      - resource\n", "9-13"),
        ("  - id: A\n    expires: 2026-11-20\n    client: mobile\n    reason: |\n      two\n      lines\n\n", "9-14"),
    ],
)
def test_an_expired_revocation_is_named_by_its_lines(entry: str, lines: str, tmp_path: Path) -> None:
    """Whoever cleans up copies them into an editor: whole entries, without the comments and entries that follow."""
    text = f"{HEAD}clients: {{mobile: {{type: public}}}}\nrevocations:\n{entry}  - {{id: B, client: mobile, tokens: all}}\n"
    assert text.splitlines()[8].startswith("  - ")
    _manifest, found = load(text, tmp_path, today=date(2026, 11, 21), severities={})
    (item,) = [item for item in found if item.rule == "revocation-expired"]
    assert item.detail.endswith(f"Remove {tmp_path / 'oauthdeploy.yaml'}:{lines}."), item.detail


def test_what_is_known_of_unwanted_clients(tmp_path: Path) -> None:
    """Name and version of an absent one, everywhere; of one with `on`, where it isn't wanted. A revocation's label is its key."""
    manifest = good(
        HEAD
        + """
clients:
  batch: {name: Batch, version: "2", type: public, state: absent}
  shop: {name: Shop, type: public, on: [login]}
revocations: [{id: INC-1, client: Shop (1), block: [authorization]}]
""",
        tmp_path,
    )
    known = {str(address): (one.name, one.version) for address, one in manifest.desired.identities.items()}
    assert known == {
        "client/batch@login": ("Batch", "2"),
        "client/batch@orders": ("Batch", "2"),
        "client/shop@orders": ("Shop", None),
    }
    clients = {value.client for value in manifest.desired.objects.values() if isinstance(value, Revocation)}
    assert clients == {"shop"}


EXTERNAL = """
scopes: {orders.read: {external: true}}
clients:
  shop: {external: true, name: Shop, on: [login]}
  own: {type: public}
associations: [{client: own, scopes: [orders.read]}, {scope: orders.read, clients: [shop]}]
"""


def test_external_objects_are_referred_to_and_not_asked_for(tmp_path: Path) -> None:
    """Associations stand where both ends are; of the external ones nothing else is placed."""
    manifest = good(HEAD + EXTERNAL, tmp_path)
    desired = manifest.desired
    assert {str(a) for a in desired.external} == {
        "scope/orders.read@login",
        "scope/orders.read@orders",
        "client/shop@login",
    }
    assert addresses(manifest, Kind.SCOPE) == []
    assert addresses(manifest, Kind.CLIENT) == ["client/own@login", "client/own@orders"]
    assert addresses(manifest, Kind.ASSOCIATION) == [
        "association/own:orders.read@login",
        "association/shop:orders.read@login",
    ]
    assert desired.identities[Address(Kind.CLIENT, "shop", "login")].name == "Shop"


WORDS = (
    HEAD
    + """\
  names: {role: authorization, driver: namer, url: "https://names.example.com"}
clients:
  app: {type: public}
associations:
  - {client: app, scopes: [read]}
"""
)


def test_a_server_that_keeps_only_names_gets_them_with_the_associations(tmp_path: Path) -> None:
    """The scope itself falls on the others, where its description is held."""
    manifest = good(WORDS + "scopes:\n  read: {description: Read}\n", tmp_path)
    assert addresses(manifest, Kind.SCOPE) == ["scope/read@login", "scope/read@orders"]
    assert addresses(manifest, Kind.ASSOCIATION) == ["association/app:read@login", "association/app:read@names"]
    assert manifest.desired.words == {"names": {"read"}}


@pytest.mark.parametrize(
    ("on", "servers"), [("[names, orders]", ["names"]), ("[login, orders]", ["login"]), ("[orders]", [])]
)
def test_on_says_for_which_servers_a_name_is_meant(tmp_path: Path, on: str, servers: list[str]) -> None:
    """A server that keeps only names can be listed like any other, and left out."""
    manifest = good(WORDS + f"scopes:\n  read: {{on: {on}}}\n", tmp_path)
    assert [Address.parse(text).server for text in addresses(manifest, Kind.ASSOCIATION)] == servers
    assert "scope/read@names" not in addresses(manifest, Kind.SCOPE)


def test_what_a_scope_opens_is_not_overridden_where_only_its_name_is_kept(tmp_path: Path) -> None:
    """The message says why."""
    text = WORDS + "scopes:\n  read: {overrides: {names: {resources: [a]}}}\n"
    (problem,) = bad(text, tmp_path)
    assert problem.rule == "not-allowed-value"
    assert "keeps no scopes, only their names" in problem.detail


def test_an_absent_scope_is_no_word(tmp_path: Path) -> None:
    """Nothing is deleted there: the lists of clients no longer name it."""
    text = WORDS.replace("scopes: [read]", "scopes: []") + "scopes:\n  read: {state: absent}\n"
    manifest = good(text, tmp_path)
    assert manifest.desired.words == {"names": frozenset()}
    assert {address.server for address in manifest.desired.absent} == {"login", "orders"}
