"""What the language and a manifest mean, in words: complete, made of the models, and without any secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from oauthdeploy.core.addresses import AddressError, Kind
from oauthdeploy.core.diagnostics import Diagnostics
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.explaining.fields import NOT_MANAGED, all_fields, find_field, near_fields
from oauthdeploy.manifest.explaining.objects import ObjectBook
from oauthdeploy.manifest.explaining.rules import all_rules
from oauthdeploy.manifest.explaining.support import BEYOND_NAMES, questions_about
from oauthdeploy.manifest.rules import CATALOGUE
from oauthdeploy.model.capabilities import QUESTIONS
from oauthdeploy.model.explanation import FieldStanding, Managed, ObjectFacts
from oauthdeploy.model.fields import Model
from tests.manifest.support import DRIVERS, HEAD, good

BOOK = all_fields(driver_facts())
CANARY = "canary-5d1c-never-shown"


def model_fields(annotation: Any, path: str = "") -> Iterator[str]:
    """Every field of the models below an annotation, read from the models themselves."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        for name, info in annotation.model_fields.items():
            yield f"{path}.{name}".lstrip(".")
            yield from model_fields(info.annotation, f"{path}.{name}".lstrip("."))
    for argument in get_args(annotation):
        yield from model_fields(argument, path)


WITH_OPTIONS = ("settings", "settings.overrides", "scopes", "clients")
"""Where drivers have options of their own."""


# -- fields --------------------------------------------------------------------------------------------------------------


def test_every_field_of_the_models_is_explained_and_no_other() -> None:
    """There is no second list: what the models have can be asked for."""
    own = {path for path, facts in BOOK.items() if all(field.driver for field in facts)}
    assert set(BOOK) - own == set(model_fields(Document))
    assert own >= {"servers.credentials.password", "servers.options.timezone"}


@pytest.mark.parametrize("path", sorted(BOOK))
def test_a_field_says_what_it_is_and_what_absence_means(path: str) -> None:
    """Description, type, and the three ways of not giving a value; examples and words are of the type."""
    for field in BOOK[path]:
        assert field.description
        assert field.types
        assert field.unset
        assert field.null
        assert find_field(BOOK, path) == path
        assert set(dict(field.keys)) == {
            other.rpartition(".")[2]
            for other in BOOK
            if other.rpartition(".")[0] == path and field.driver in ("", BOOK[other][0].driver)
        } or field.path in ("servers.credentials", "servers.options", *(f"{part}.options" for part in WITH_OPTIONS))


def test_a_managed_field_of_a_client_is_told_in_full() -> None:
    """Type, default of the server, drivers and rules, as they are in the models, the facts and the catalogue."""
    (field,) = BOOK["settings.access_token_lifetime"]
    assert field.types == ("never", "a duration: 90s, 10m, 12h, 30d, PT1H, or whole seconds")
    assert (field.unset, field.null) == (NOT_MANAGED, "requests the server's default")
    assert dict(field.server_defaults) == {"keycloak": "5m", "webmethods": "1h"}
    support = {answer.driver: (answer.capability, answer.answer) for answer in field.support}
    assert support["keycloak"] == support["webmethods"] == ("settings.access_token_lifetime", "yes")
    assert "access-token-never-expires" in dict(field.rules)
    (uris,) = BOOK["clients.redirect_uris"]
    assert uris.notes == ("the order has no meaning",)
    assert uris.empty
    (timeout,) = BOOK["servers.limits.timeout"]
    assert (timeout.default, timeout.unset, timeout.null) == ("30s", "30s", "refused")
    (grants,) = BOOK["clients.grants"]
    assert "client_credentials" in grants.values
    (secret,) = BOOK["clients.secret.value"]
    assert "write-only" in secret.notes[0]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("clients.web-shop.redirect_uris", "clients.redirect_uris"),
        ("clients.my.dotted.name.tokens.refresh_count", "clients.tokens.refresh_count"),
        ("clients.web.redirect_uris[3]", "clients.redirect_uris"),
        ("servers.login.limits.timeout", "servers.limits.timeout"),
        ("settings.overrides.login.require_pkce", "settings.overrides.require_pkce"),
        ("environments.prod.settings.require_pkce", "settings.require_pkce"),
        ("redirect_uris", "clients.redirect_uris"),
        ("clients.redirect_uri", None),
        ("clients.web-shop", None),
        ("description", None),
        ("nothing.at.all", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_field_is_found_by_what_people_write(written: str, path: str | None) -> None:
    """With the names and positions of their own manifest in it, or by its end where that is enough."""
    assert find_field(BOOK, written) == path


def test_a_misspelt_field_has_suggestions() -> None:
    """By spelling, and by its last part where that stands in several places."""
    assert near_fields(BOOK, "clients.redirect_uri")[0] == "clients.redirect_uris"
    assert {"clients.description", "scopes.description"} <= set(near_fields(BOOK, "description"))
    assert near_fields(BOOK, "qqqqqq") == ()


def test_every_capability_is_asked_for_by_some_field() -> None:
    """No answer of a driver is out of reach, and no capability is named twice over."""
    reached = {capability for path in BOOK for capability in questions_about(path)}
    assert reached == set(QUESTIONS)
    assert set(BEYOND_NAMES) <= set(BOOK)


# -- rules ---------------------------------------------------------------------------------------------------------------


def test_every_rule_is_explained() -> None:
    """With its examples; those about the meaning name fields that there are."""
    rules = all_rules()
    assert list(rules) == list(CATALOGUE)
    known = set(BOOK)
    for rule in rules.values():
        assert rule.reason
        assert rule.structural or set(rule.looks_at) <= known, rule.looks_at
        assert all(link.startswith("https://www.rfc-editor.org/rfc/rfc") for link in rule.links)
        assert ("RFC" in rule.source) == bool(rule.links)
    assert rules["redirect-uri-not-https"].looks_at == ("clients.redirect_uris",)
    assert rules["redirect-uris-unused"].links[1:] == (
        "https://www.rfc-editor.org/rfc/rfc6749#section-4.3",
        "https://www.rfc-editor.org/rfc/rfc6749#section-4.4",
    )


# -- objects -------------------------------------------------------------------------------------------------------------

ESTATE = (
    HEAD
    + """\
  stock: {role: resource, driver: scopeless}
  idp:
    role: authorization
    driver: external
    introspection: {endpoint: "https://idp.example/i", client_id: x, client_secret: "${env:P}"}
variables:
  life: {type: duration, default: 10m}
  shown: {type: string}
  host: {sensitive: false, default: "${env:HOST:-https://x.example}"}
  unused: {default: x}
settings:
  access_token_lifetime: ${var:life}
  require_pkce: true
  overrides: {orders: {require_https: true}}
scopes:
  read: {description: "${var:shown}", resources: [a.b]}
  gone: {state: absent}
clients:
  web:
    type: confidential
    redirect_uris: []
    tokens: {access_lifetime: null, refresh_count: 3}
    secret: {value: "${env:CANARY}"}
  off: {type: public, redirect_uris: ["${var:host}/cb"], on: [login]}
associations:
  - {client: web, scopes: [read]}
revocations:
  - {id: INC-1, client: web, tokens: all, block: [resource]}
environments:
  prod: {clients: {web: {description: In production}}, settings: {require_pkce: false}}
"""
)


def book(folder: Path, **changes: Any) -> ObjectBook:
    environ = {"P": CANARY, "CANARY": CANARY}
    options = {"environ": environ, "environment": "prod", "variables": {"shown": "Read"}, **changes}
    return ObjectBook(good(ESTATE, folder, **options), DRIVERS)


def explained(folder: Path, address: str, **changes: Any) -> ObjectFacts:
    facts = book(folder, **changes).explain(address, Diagnostics())
    assert facts is not None
    return facts


def field(facts: ObjectFacts, path: str) -> FieldStanding:
    (found,) = [field for field in facts.fields if field.path == path]
    return found


def origin(standing: FieldStanding) -> tuple[int, str, tuple[str, ...]]:
    assert standing.origin is not None
    assert standing.origin.span is not None
    return standing.origin.span.line, standing.origin.overlay, standing.origin.references


def test_a_value_is_traced_to_line_overlay_variable_and_environment(tmp_path: Path) -> None:
    """Each by what gave it, never by what it holds where that is secret."""
    web = explained(tmp_path, "client/web")
    assert origin(field(web, "description"))[1:] == ("environments.prod", ())
    assert origin(field(web, "type"))[1:] == ("", ())
    assert origin(field(web, "secret.value"))[2] == ("environment variable CANARY",)
    settings = explained(tmp_path, "settings@login")
    assert field(settings, "access_token_lifetime").value == 600
    assert origin(field(settings, "access_token_lifetime"))[2] == ("variable life (default)",)
    assert origin(field(settings, "require_pkce"))[1] == "environments.prod"
    scope = explained(tmp_path, "scope/read@login")
    assert origin(field(scope, "description"))[2] == ("variable shown (--var)",)
    off = explained(tmp_path, "client/off")
    assert origin(field(off, "redirect_uris"))[2] == ("variable host (default)",)
    assert CANARY not in repr((web, settings, scope, off))


def test_a_variable_names_its_file_or_environment_variable(tmp_path: Path) -> None:
    """In the order in which values are looked for."""
    file = tmp_path / "vars.env"
    file.write_text("shown=x\n")
    by_file = explained(tmp_path, "scope/read", variables={}, var_files=(str(file),))
    assert origin(field(by_file, "description"))[2] == (f"variable shown (--var-file {file})",)
    environ = {"P": "p", "CANARY": CANARY, "OAUTHDEPLOY_VAR_shown": "y", "OAUTHDEPLOY_VAR_life": "1h"}
    by_environ = explained(tmp_path, "scope/read", variables={}, environ=environ)
    assert origin(field(by_environ, "description"))[2] == ("variable shown (OAUTHDEPLOY_VAR_shown)",)


def test_what_stays_away_from_a_side_says_why(tmp_path: Path) -> None:
    """Secrets stay on the authorization side; what scopes open falls on both, or where an override says it."""
    secret = field(explained(tmp_path, "client/web"), "secret.value")
    assert (secret.servers, [(away.server, away.why) for away in secret.away]) == (
        ("login",),
        [("orders", "it belongs to the authorization side")],
    )
    resources = field(explained(tmp_path, "scope/read"), "resources")
    assert (resources.servers, resources.value, resources.away) == (("login", "orders"), ("a.b",), ())
    enabled = field(explained(tmp_path, "client/web"), "enabled")
    assert (enabled.value, enabled.servers, enabled.because) == (
        False,
        ("orders",),
        "revocation/INC-1 blocks the client",
    )
    assert (
        origin(enabled)[0]
        == ESTATE.splitlines().index("  - {id: INC-1, client: web, tokens: all, block: [resource]}") + 1
    )


def test_unset_null_and_empty_are_three_things(tmp_path: Path) -> None:
    """Not managed, the server's default, and nothing."""
    web = explained(tmp_path, "client/web")
    assert field(web, "version").managed is Managed.NOT_MANAGED
    assert field(web, "tokens.access_lifetime").managed is Managed.SERVER_DEFAULT
    assert (field(web, "redirect_uris").managed, field(web, "redirect_uris").value) == (Managed.VALUE, ())


def test_every_object_is_explained_and_every_absence_has_a_reason(tmp_path: Path) -> None:
    """On each server of the manifest an object stands, or it is said why not."""
    manifest = book(tmp_path)
    servers = set(manifest.manifest.document.servers)
    reasons = set()
    for address in manifest.addresses:
        facts = manifest.explain(address, Diagnostics())
        assert facts is not None, address
        assert facts.address == address
        for standing in facts.servers:
            assert standing.stands != bool(standing.why), (address, standing)
            reasons.add(standing.why)
        if "@" not in address:
            assert {standing.server for standing in facts.servers} == servers
    assert "" in reasons
    assert any("only describes" in why for why in reasons)
    assert any("`on` names login only" in why for why in reasons)
    assert any("holds no scopes" in why for why in reasons)
    assert any("keeps no associations on a resource server" in why for why in reasons)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("trust@login", "an authorization server does not introspect tokens elsewhere"),
        ("trust@stock", "no authorization_server is written for it"),
        ("settings@stock", "settings apply to authorization servers"),
        ("client/off@orders", "its `on` names login only"),
        ("association/web:read@orders", "keeps no associations on a resource server"),
    ],
)
def test_an_object_that_a_server_does_not_hold_is_explained(tmp_path: Path, address: str, why: str) -> None:
    """Why not is the question that people ask most."""
    facts = explained(tmp_path, address)
    (standing,) = facts.servers
    assert not standing.stands
    assert why in standing.why


def test_what_is_joined_to_an_object_is_named(tmp_path: Path) -> None:
    """From both ends, with the place of the association."""
    web = explained(tmp_path, "client/web")
    assert [(item.address, item.how) for item in web.related] == [
        ("scope/read", "it may request"),
        ("revocation/INC-1", "is cut off by"),
    ]
    assert [item.address for item in explained(tmp_path, "scope/read").related] == ["client/web"]
    assert explained(tmp_path, "scope/gone").absent
    assert explained(tmp_path, "scope/gone").kind is Kind.SCOPE


def test_what_is_not_there_is_none_and_what_is_no_address_an_error(tmp_path: Path) -> None:
    """A name with an @ in it is a name, unless a server follows."""
    found = book(tmp_path)
    assert found.explain("client/nobody", Diagnostics()) is None
    assert found.explain("client/web@nowhere", Diagnostics()) is None
    with pytest.raises(AddressError):
        found.explain("thing/web", Diagnostics())
    text = ESTATE.replace("  web:\n", '  "a@b":\n').replace("client: web", 'client: "a@b"').replace("{web:", '{"a@b":')
    at = ObjectBook(good(text, tmp_path, environ={"P": "p", "CANARY": "c"}, variables={"shown": "x"}), DRIVERS)
    facts = at.explain("client/a@b", Diagnostics())
    assert facts is not None
    assert facts.name == "a@b"
