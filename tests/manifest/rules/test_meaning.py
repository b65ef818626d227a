"""Each rule fires on what breaks it and is silent on what nearly does."""

from __future__ import annotations

import pytest

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules import CATALOGUE
from tests.manifest.rules.cases import AS, FIRES, OPA, RFC7591, SCOPES, app, servers
from tests.manifest.rules.helpers import findings, ids, of
from tests.manifest.rules.near_misses import SILENT


def pairs(table: dict[str, list[str]]) -> list[object]:
    return [pytest.param(rule, part, id=f"{rule}-{n}") for rule, parts in table.items() for n, part in enumerate(parts)]


@pytest.mark.parametrize(("rule", "part"), pairs(FIRES))
def test_fires(rule: str, part: str) -> None:
    """The rule is among the findings, with a place in the file."""
    found = of(part, rule)
    assert found
    assert all(item.path and item.span is not None for item in found)


@pytest.mark.parametrize(("rule", "part"), pairs(SILENT))
def test_is_silent(rule: str, part: str) -> None:
    """The rule is not among the findings, and the case is a manifest that the rules have looked at."""
    found = ids(part)
    assert rule not in found
    assert found.isdisjoint({"yaml-syntax", "unknown-key", "wrong-value"})


def test_every_rule_has_cases() -> None:
    """A new rule needs a case that fires and one that doesn't; redirect URIs have a table of their own."""
    rules = {name for name, rule in CATALOGUE.items() if not rule.structural and not name.startswith("redirect-uri")}
    assert rules == set(FIRES)
    assert rules == set(SILENT)


def test_null_settings_are_the_servers_default() -> None:
    """PKCE: null is a no on webMethods and leaves the place of the setting in the finding."""
    part = "settings: {require_pkce: null}\n" + app(
        "type: public, grants: [authorization_code], redirect_uris: ['https://a.example.com/cb']"
    )
    (found,) = of(part, "pkce-not-required")
    assert found.path == ("settings", "require_pkce")
    assert found.address == "settings@login"


def test_untested_is_said_once_for_each_server() -> None:
    """A thousand clients with an untested field are one line, with their number."""
    clients = "".join(f"  c{n}: {{type: public, enabled: true}}\n" for n in range(20))
    (found,) = of(servers(AS, OPA) + "clients:\n" + clients, "support-untested")
    assert found.severity is Severity.INFO
    assert "19 more places" in found.detail


def test_not_supported_names_server_capability_and_note() -> None:
    """The finding says who can't do what, and why."""
    (found,) = of(servers(AS, RFC7591) + app("type: public, enabled: false"), "not-supported")
    assert found.detail == "reg does not offer clients.enabled: RFC 7592 can't switch a client off."
    assert found.path == ("clients", "app", "enabled")


def test_secrets_are_not_repeated() -> None:
    """No finding about a secret in the manifest holds the secret."""
    part = app("type: confidential, secret: {value: hunter2-hunter2}")
    assert "secret-in-manifest" in ids(part)
    assert "hunter2" not in repr(findings(part))


def test_secrets_of_the_way_to_a_server_are_looked_at_too() -> None:
    """The proxy's password and the pass phrase of a key are secrets like any other."""
    way = "proxy: {url: 'http://p:3128', username: u, password: hunter2}, tls: {client_key_password: hunter3}"
    found = of(servers(AS.rstrip("}") + f", {way}}}"), "secret-in-manifest")
    places = {item.path[2:] for item in found}
    assert {("proxy", "password"), ("tls", "client_key_password")} <= places
    assert "hunter" not in repr(found)


def test_password_in_a_server_address_is_not_repeated() -> None:
    """The finding about such an address doesn't print it."""
    found = of(servers(AS.replace("https://", "https://u:hunter2@")), "server-url-invalid")
    assert found
    assert "hunter2" not in "".join(item.detail + item.fix for item in found)


def test_a_name_is_refused_by_each_server_that_holds_it() -> None:
    """Two servers with the same rule for names are two findings, each with its address."""
    found = of("clients: {'a;b': {type: public}}\n", "name-not-accepted")
    assert [item.address for item in found] == ["client/a;b@login", "client/a;b@orders"]


@pytest.mark.parametrize(("name", "count"), [("login", 0), ("as-1", 1), ("authority", 1)])
def test_the_name_of_a_trusted_server_is_checked_too(name: str, count: int) -> None:
    """A resource server holds the name of the server that it trusts, by its own rule for names."""
    found = of(servers(AS.replace("login", name), OPA.replace("login", name)), "name-not-accepted")
    assert [item.path for item in found] == [("servers", "opa", "authorization_server")] * count
    assert {item.address for item in found} <= {"trust@opa"}


def test_rules_look_at_what_is_left_of_a_damaged_manifest() -> None:
    """A wrong field doesn't hide what the rules find elsewhere."""
    part = "settings: {require_https: maybe}\n" + app("type: public, grants: [password], enabled: perhaps")
    assert ids(part) >= {"wrong-value", "password-grant-on-public"}


def test_a_broken_reference_gives_no_second_finding() -> None:
    """What leads nowhere is the loader's to say; the rules don't say it again."""
    part = SCOPES + "\n" + app("type: public, on: [nowhere]") + "associations: [{client: nobody, scopes: [nothing]}]\n"
    assert ids(part) <= {"unknown-reference", "scope-not-obtainable", "client-not-on-resource-server"}
