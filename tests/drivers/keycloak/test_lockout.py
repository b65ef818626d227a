"""What the driver's own sign-in depends on, in the managed realm and out of it."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.keycloak.facts import KeycloakCredentials, KeycloakOptions
from oauthdeploy.drivers.keycloak.lockout import find_lockouts
from oauthdeploy.model.objects import Client, Grant, Revocation
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
from tests.drivers.webmethods.site import plan_of

from .site import Site, client, settings

OPTIONS = KeycloakOptions(realm="payments")
SECRET = Secret("s", "env:S")
BY_CLIENT = KeycloakCredentials(realm="payments", client_id="deployer", client_secret=SECRET)
BY_USER = KeycloakCredentials(realm="payments", username="ops", password=SECRET)
FROM_MASTER = KeycloakCredentials(username="admin", password=SECRET)
HTTP, HTTPS = "http://127.0.0.1:8080", "https://127.0.0.1:8443"


def change(kind: Kind, name: str = "", *fields: FieldChange, action: Action = Action.UPDATE, **more: Any) -> Change:
    live = None if action is Action.CREATE else LiveObject(Client())
    address = Address(kind, name, "login")
    return Change(address, action, Reason.DIFFERS, Stage.WIDEN_AUTHORIZATION, live=live, fields=fields, **more)


def option(name: str, after: Any) -> FieldChange:
    return FieldChange(f"options.keycloak.{name}", None, after)


def rules(made: Change, credentials: KeycloakCredentials, url: str = HTTPS) -> list[str]:
    return [found.rule or "self-lockout" for found in find_lockouts([made], credentials, OPTIONS, url)]


NO_GRANT = FieldChange("grants", (Grant.CLIENT_CREDENTIALS, Grant.PASSWORD), ())


@pytest.mark.parametrize(("credentials", "own"), [(BY_CLIENT, "deployer"), (BY_USER, "admin-cli")])
@pytest.mark.parametrize(
    "made",
    [
        ("client", (NO_GRANT,)),
        ("client", (FieldChange("enabled", True, False),)),
        ("client", (FieldChange("type", "confidential", "public"),)),
        ("client", (FieldChange("secret.value", None, SECRET),)),
        ("client", (option("full_scope_allowed", False),)),
        ("client", (option("client_authenticator", "client-jwt"),)),
        ("client", (option("authentication_flows.direct_grant", "other"),)),
        ("client", (option("mtls_bound", True),)),
        ("client", (option("protocol_mappers.roles", None),)),
        ("client", (option("something_new", 1),)),
        ("scope", (option("protocol_mappers", {}),)),
    ],
)
def test_whatever_the_sign_in_depends_on_is_a_lockout(
    credentials: KeycloakCredentials, own: str, made: tuple[str, tuple[FieldChange, ...]]
) -> None:
    """Of the client that signs in, and of the scopes that carry its roles; a field that nobody classed counts too."""
    kind, fields = Kind(made[0]), made[1]
    seen = change(kind, own if kind is Kind.CLIENT else "roles", *fields)
    assert rules(seen, credentials) == ["self-lockout"]
    assert rules(change(kind, "another", *fields), credentials) == []
    assert rules(seen, FROM_MASTER) == []


@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
def test_the_own_client_must_stay(action: Action) -> None:
    """Its end, its rename, its cut-off and the loss of one of its scopes."""
    assert rules(change(Kind.CLIENT, "deployer", action=action), BY_CLIENT) == ["self-lockout"]
    former = Address(Kind.CLIENT, "deployer", "login")
    assert rules(change(Kind.CLIENT, "other", former=former), BY_CLIENT) == ["self-lockout"]
    cut = change(Kind.REVOCATION, "R", desired=Revocation(client="admin-cli", tokens="all"), action=Action.REVOKE)
    assert rules(cut, BY_USER) == ["self-lockout"]
    assert rules(change(Kind.ASSOCIATION, "deployer:roles", action=Action.DELETE), BY_CLIENT) == ["self-lockout"]
    assert rules(change(Kind.CLIENT, "deployer", action=Action.CREATE), BY_CLIENT) == []


def test_harmless_changes_of_the_own_client_are_none() -> None:
    """Its description, its redirect URIs, another grant that goes, and more roles than before."""
    for field in (
        FieldChange("description", "a", "b"),
        FieldChange("redirect_uris", ("https://a.example/cb",), ()),
        FieldChange("grants", (Grant.CLIENT_CREDENTIALS, Grant.PASSWORD), (Grant.CLIENT_CREDENTIALS,)),
        option("full_scope_allowed", True),
        option("web_origins", ("+",)),
    ):
        assert rules(change(Kind.CLIENT, "deployer", field), BY_CLIENT) == []


def test_realm_rules_that_end_the_sign_in_are_lockouts() -> None:
    """The password grant rejected, secrets that end, and the client of the rights switched off."""
    assert rules(change(Kind.SETTINGS, "", option("reject_password", True)), BY_USER) == ["self-lockout"]
    assert rules(change(Kind.SETTINGS, "", option("reject_password", True)), BY_CLIENT) == []
    rotation = change(Kind.SETTINGS, "", option("secret_rotation", {"every": 60}))
    assert rules(rotation, BY_CLIENT) == ["self-lockout"]
    assert rules(rotation, BY_USER) == []
    off = change(Kind.CLIENT, "realm-management", FieldChange("enabled", True, False))
    assert rules(off, BY_CLIENT) == rules(off, BY_USER) == ["self-lockout"]


@pytest.mark.parametrize("credentials", [BY_CLIENT, BY_USER, FROM_MASTER])
@pytest.mark.parametrize("field", [FieldChange("require_https", False, True), option("ssl_required", "all")])
def test_https_is_not_demanded_of_an_address_without_it(credentials: KeycloakCredentials, field: FieldChange) -> None:
    """Where `url` is http, by the setting or by the driver's option; a private address is let in by `external`."""
    assert rules(change(Kind.SETTINGS, "", field), credentials, HTTP) == ["https-required-over-http"]
    assert rules(change(Kind.SETTINGS, "", field), credentials, HTTPS) == []
    outside = change(Kind.SETTINGS, "", option("ssl_required", "external"))
    assert rules(outside, credentials, HTTP) == []
    assert rules(outside, credentials, "http://8.8.8.8") == ["https-required-over-http"]


def test_on_a_real_realm_the_own_client_is_guarded(site: Site) -> None:
    """A service account finds itself among the changes of a plan, by the client that it signed in with."""
    own = site.account("deployer", "manage-clients", "view-clients", "view-realm", "manage-realm")
    at = Address(Kind.CLIENT, "deployer", "login")
    wanted = own.desired({at: client(options={"keycloak": {"full_scope_allowed": False}})})
    with own.driver(read_only=True) as driver:
        plan, _state = plan_of(driver, wanted)
        assert [found.change.address for found in driver.lockouts(plan.changes)] == [at]
    with site.driver(read_only=True) as driver:
        assert driver.lockouts(plan.changes) == []
        demand = plan_of(
            driver, site.desired({Address.singleton(Kind.SETTINGS, "login"): settings(require_https=True)})
        )[0]
        assert [found.rule for found in driver.lockouts(demand.changes)] == ["https-required-over-http"]
