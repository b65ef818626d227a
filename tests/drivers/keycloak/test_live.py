"""Every kind and action on a real Keycloak: apply, read again, and nothing is left to do."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import Conflict, Forbidden, ServerError, Unauthorized, Unsupported, WriteRefused
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.model.objects import Association, Object
from oauthdeploy.planning.changes import Action
from tests.drivers.keycloak.site import KINDS, Site, client, converge, findings_of, scope, settings
from tests.drivers.webmethods.site import at, link, plan_of
from tests.servers.keycloak import Keycloak, Realm

SECRET = Secret("a-good-long-secret", "env:S")
Objects = dict[Address, Object]


def test_the_main_job(site: Site) -> None:
    """Settings, scopes, clients and associations in one plan; tokens then carry the scopes that were asked for."""
    shop = client(
        name="Web Shop",
        type="confidential",
        grants=["client_credentials", "authorization_code", "refresh_token"],
        redirect_uris=["https://shop.example.com/cb"],
        tokens={"access_lifetime": "2m"},
        secret={"value": SECRET},
    )
    road = converge(
        site,
        {
            at(Kind.SETTINGS): settings(
                access_token_lifetime="15m", authorization_code_lifetime="2m", require_pkce=True
            ),
            at(Kind.SCOPE, "orders.read"): scope(description="Read orders"),
            at(Kind.SCOPE, "orders.write"): scope(),
            at(Kind.CLIENT, "web-shop"): shop,
            link("web-shop", "orders.read"): Association(),
        },
    )
    assert {change.action for change in road.plan.changes} == {Action.CREATE, Action.UPDATE}
    answer = site.realm.token("web-shop", SECRET.reveal(), scope="orders.read").json()
    assert "orders.read" in answer["scope"].split()
    assert 110 < answer["expires_in"] <= 120
    refused = site.realm.token("web-shop", SECRET.reveal(), scope="orders.write")
    assert refused.json()["error"] == "invalid_scope"


# -- who and where -------------------------------------------------------------------------------------------------------


def test_check_tells_who_signs_in(site: Site) -> None:
    """One request; an administrator of another realm is told apart from this realm's clients."""
    with site.driver(read_only=True) as driver:
        report = driver.check()
        assert (report.product, report.account) == ("Keycloak", "admin (realm master)")
        assert driver.connection.http.requests == 1
    own = site.account("deployer", "view-realm")
    with own.driver(read_only=True) as driver:
        assert driver.check().account == "deployer"


def test_a_read_only_driver_signs_in_and_cannot_write(site: Site) -> None:
    """Planning may not write, and a token is no write."""
    desired = site.desired({at(Kind.SCOPE, "orders.read"): scope()})
    with site.driver(read_only=True) as driver:
        plan, _state = plan_of(driver, desired)
        with pytest.raises(WriteRefused):
            driver.apply(plan.changes)
    assert "orders.read" not in [one["name"] for one in site.realm.get("/client-scopes")]


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "admin", "password": "wrong"},
        {"client_id": "nobody", "client_secret": "wrong"},
        {"realm": "no-such-realm", "username": "admin", "password": "wrong"},
    ],
)
def test_wrong_credentials_are_refused_before_anything_is_read(realm: Realm, credentials: dict[str, str]) -> None:
    """A password, a client and a realm that there isn't."""
    with Site(realm, credentials).driver() as driver, pytest.raises(Unauthorized) as caught:
        driver.check()
    assert "wrong" not in caught.value.detail


def test_a_realm_that_is_not_there_is_an_error(keycloak: Keycloak) -> None:
    """Unless it may be made."""
    with Site(Realm(keycloak, "no-such-realm")).driver() as driver:
        for ask in (driver.check, lambda: driver.read(Wanted({}, KINDS))):
            with pytest.raises(Unsupported) as caught:
                ask()
            assert "create_realm" in caught.value.fix


def test_a_realm_is_created_on_demand(keycloak: Keycloak) -> None:
    """Before the first change, whichever it is; the plan says so, and planning makes nothing."""
    name = f"made-{id(keycloak)}"
    site = Site(Realm(keycloak, name), options={"create_realm": True})
    objects: Objects = {
        at(Kind.SETTINGS): settings(access_token_lifetime="7m"),
        at(Kind.CLIENT, "shop"): client(type="public"),
        at(Kind.SCOPE, "orders.read"): scope(),
        link("shop", "orders.read"): Association(),
    }
    found = [item.rule for item in findings_of(site, objects)]
    assert found == ["realm-to-be-created"]
    assert keycloak.call("GET", f"/{name}").status_code == 404
    road = converge(site, objects)
    assert {change.action for change in road.plan.changes} == {Action.CREATE}
    assert site.realm.get()["accessTokenLifespan"] == 420
    assert findings_of(site, objects) == []


def test_a_realm_that_is_created_may_bring_scopes_of_the_manifest_along(keycloak: Keycloak) -> None:
    """The plan creates them, since nothing is there; the server has them by then, and they become as the manifest says."""
    site = Site(Realm(keycloak, f"brings-{id(keycloak)}"), options={"create_realm": True})
    objects: Objects = {
        at(Kind.CLIENT, "shop"): client(type="public"),
        at(Kind.SCOPE, "offline_access"): scope(description="Stay signed in"),
        link("shop", "offline_access"): Association(),
    }
    road = converge(site, objects)
    assert {change.action for change in road.plan.changes} == {Action.CREATE}
    (made,) = [one for one in site.realm.get("/client-scopes") if one["name"] == "offline_access"]
    assert made["description"] == "Stay signed in"


# -- rights --------------------------------------------------------------------------------------------------------------

ESTATE: Objects = {
    at(Kind.SETTINGS): settings(access_token_lifetime="15m", require_pkce=True),
    at(Kind.SCOPE, "orders.read"): scope(description="Read"),
    at(Kind.CLIENT, "shop"): client(type="confidential", secret={"value": SECRET}, grants=["client_credentials"]),
    link("shop", "orders.read"): Association(),
}


def test_view_roles_are_enough_to_plan_and_manage_roles_to_apply(site: Site) -> None:
    """The least roles that docs/drivers/keycloak.md names."""
    viewer = site.account("viewer", "view-realm", "view-clients", "view-users")
    deployer = site.account("deployer", "manage-realm", "manage-clients", "view-realm", "view-clients")
    desired = viewer.desired(ESTATE)
    with viewer.driver() as driver:
        plan, state = plan_of(driver, desired)
        assert not state.unreadable
        assert len(plan.changes) == 4
        for change in plan.changes:
            if change.address.kind is not Kind.ASSOCIATION:
                with pytest.raises(Forbidden):
                    driver.apply([change])
    converge(deployer, ESTATE)
    with viewer.driver() as driver:
        plan, _state = plan_of(driver, desired)
        assert plan.is_empty
        assert plan.incomparable == (), "Keycloak shows secrets even to those who may only look"


def test_what_an_account_may_not_see_is_unreadable_and_not_absent(site: Site) -> None:
    """Each kind by itself: nothing is created or deleted of it."""
    converge(site, ESTATE)
    cases = {
        ("view-realm",): {Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION},
        ("view-clients",): {Kind.SETTINGS},
        ("view-users",): {Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION},
    }
    for number, (roles, hidden) in enumerate(cases.items()):
        with site.account(f"account-{number}", *roles).driver(read_only=True) as driver:
            wanted = Wanted(ESTATE, frozenset({Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION}), owner="test")
            state = driver.read(wanted)
        assert state.unreadable.keys() == hidden, roles
        assert not {address.kind for address in state.objects} & hidden


def test_accounts_are_users_and_service_accounts(site: Site) -> None:
    """Existence and whether they are enabled; without the right to see users nothing is said."""
    site.realm.add("/users", {"username": "alice", "enabled": True})
    site.realm.add("/users", {"username": "bob", "enabled": False})
    converge(site, {at(Kind.CLIENT, "batch"): client(grants=["client_credentials"])})
    wanted = Wanted({}, frozenset({Kind.SCOPE}), accounts=frozenset({"alice", "bob", "carol", "batch"}))
    with site.driver(read_only=True) as driver:
        assert driver.read(wanted).accounts == {"alice": True, "bob": False, "batch": True}
    with site.account("blind", "view-clients").driver(read_only=True) as driver:
        state = driver.read(wanted)
        assert state.accounts is None
        assert state.accounts_unread is not None
        assert state.accounts_unread.rule == "permission-denied"


# -- settings ------------------------------------------------------------------------------------------------------------


def test_settings_change_what_is_written_and_nothing_else(site: Site) -> None:
    """There and back to the defaults; every other field of the realm stays as it was, also those that a PUT would reset."""
    realm = site.realm
    reset = {"cibaExpiresIn": "77", "cibaInterval": "7", "parRequestUriLifespan": "44"}
    fields = {"displayName": "Shop", "oauth2DeviceCodeLifespan": 90, "oauth2DevicePollingInterval": 9}
    assert realm.call("PUT", "", {**fields, "attributes": {"acr.loa.map": "{}", "own": "x", **reset}}).ok
    before = realm.get()
    address = at(Kind.SETTINGS)
    converge(site, {address: settings(access_token_lifetime="10m")})
    after = realm.get()
    assert {key for key in before if before[key] != after[key]} == {"accessTokenLifespan"}
    converge(site, {address: settings(authorization_code_lifetime="2m", require_pkce=True, access_token_lifetime=None)})
    after = realm.get()
    assert (after["accessTokenLifespan"], after["accessCodeLifespan"]) == (300, 120)
    converge(site, {address: settings(require_pkce=None, authorization_code_lifetime=None)})
    assert realm.get() == before


def test_https_can_be_required_of_everybody(site: Site) -> None:
    """sslRequired: all; taking it back gives Keycloak's default and never less."""
    address = at(Kind.SETTINGS)
    realm = site.realm
    assert [item.rule for item in findings_of(site, {address: settings(require_https=True)})] == [
        "https-required-over-http"
    ]
    converge(site, {address: settings(require_https=True)})
    assert realm.get()["sslRequired"] == "all"
    converge(site, {address: settings(require_https=False)})
    assert realm.get()["sslRequired"] == "external"
    assert realm.call("PUT", "", {"sslRequired": "none"}).ok
    assert converge(site, {address: settings(require_https=False)}).plan.is_empty


def test_pkce_is_required_of_public_clients(site: Site) -> None:
    """By a client policy: a public client can't start without a challenge, and policies of others are left alone."""
    realm = site.realm
    theirs = {"name": "theirs", "executors": [{"executor": "secure-session", "configuration": {}}]}
    policy = {"name": "theirs", "enabled": True, "conditions": [], "profiles": ["theirs"]}
    assert realm.call("PUT", "/client-policies/profiles", {"profiles": [theirs]}).ok
    assert realm.call("PUT", "/client-policies/policies", {"policies": [policy]}).ok
    objects: Objects = {
        at(Kind.SETTINGS): settings(require_pkce=True),
        at(Kind.CLIENT, "app"): client(type="public", redirect_uris=["https://app.example.com/cb"]),
    }
    converge(site, objects)
    ask = {"client_id": "app", "response_type": "code", "redirect_uri": "https://app.example.com/cb"}
    assert "code_challenge" in authorize(realm, **ask).headers["Location"]
    proof = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    assert authorize(realm, **ask, **proof).status_code == 200
    converge(site, {at(Kind.SETTINGS): settings(require_pkce=False)})
    assert [one["name"] for one in realm.get("/client-policies/policies")["policies"]] == ["theirs"]
    assert [one["name"] for one in realm.get("/client-policies/profiles")["profiles"]] == ["theirs"]


def test_a_policy_of_others_counts_for_pkce(site: Site) -> None:
    """One of Keycloak's own profiles, for all clients: nothing is added to it."""
    policy = {
        "name": "all",
        "enabled": True,
        "conditions": [{"condition": "any-client", "configuration": {}}],
        "profiles": ["fapi-1-baseline"],
    }
    assert site.realm.call("PUT", "/client-policies/policies", {"policies": [policy]}).ok
    assert converge(site, {at(Kind.SETTINGS): settings(require_pkce=True)}).plan.is_empty


def test_options_of_settings_go_there_and_back(site: Site) -> None:
    """Realm lifetimes and the grant policy; null gives each back."""
    address = at(Kind.SETTINGS)
    before = site.realm.get()
    written = {
        "display_name": "Payments",
        "sso_session_idle": "20m",
        "sso_session_max": "8h",
        "client_session_idle": "10m",
        "client_session_max": "1h",
        "offline_session_idle": "20d",
        "offline_session_max": "40d",
        "implicit_token_lifetime": "5m",
        "device_code_lifetime": "5m",
        "login_lifetime": "10m",
        "revoke_refresh_token": "true",
        "refresh_token_max_reuse": "1",
        "reject_implicit": "true",
        "reject_password": "true",
        "secret_rotation": {"every": "90d", "keep_old": "2d", "early": "10d"},
    }
    road = converge(site, {address: settings(options={"keycloak": written})})
    assert len(road.plan.changes[0].fields) == len(written)
    after = site.realm.get()
    assert (after["ssoSessionIdleTimeout"], after["offlineSessionMaxLifespan"]) == (1200, 3456000)
    assert after["offlineSessionMaxLifespanEnabled"] is True
    road = converge(
        site, {address: settings(options={"keycloak": {"sso_session_idle": 1200, "sso_session_max": "7h"}})}
    )
    assert [field.path for field in road.plan.changes[0].fields] == ["options.keycloak.sso_session_max"]
    converge(site, {address: settings(options={"keycloak": dict.fromkeys(written)})})
    back = site.realm.get()
    assert {key for key in before if before[key] != back[key]} <= {"offlineSessionMaxLifespan", "attributes"}
    assert before["attributes"].items() <= back["attributes"].items(), "the server keeps some of its fields there too"


def authorize(realm: Realm, **parameters: str) -> requests.Response:
    """The authorization endpoint, without following where it leads."""
    url = f"{realm.issuer}/protocol/openid-connect/auth"
    return requests.get(url, params={"scope": "openid", **parameters}, allow_redirects=False, timeout=60)


def test_the_grant_policy_holds(site: Site) -> None:
    """A client that may use the password grant and the implicit grant can use neither where the realm rejects them."""
    realm = site.realm
    realm.add("/users", user("alice"))
    address = at(Kind.CLIENT, "legacy")
    grants = ["authorization_code", "implicit", "password"]
    legacy = client(secret={"value": SECRET}, grants=grants, redirect_uris=["https://a.example.com/cb"])
    converge(site, {address: legacy})
    form = {"grant_type": "password", "username": "alice", "password": "pw"}
    assert realm.token("legacy", SECRET.reveal(), **form).status_code == 200
    rules = settings(options={"keycloak": {"reject_implicit": True, "reject_password": True}})
    converge(site, {address: legacy, at(Kind.SETTINGS): rules})
    assert realm.token("legacy", SECRET.reveal(), **form).status_code == 400
    answer = authorize(
        realm, client_id="legacy", response_type="token", redirect_uri="https://a.example.com/cb", nonce="n"
    )
    assert "error=invalid_request" in answer.headers["Location"]


def user(name: str) -> dict[str, Any]:
    """A user who can sign in with the password pw."""
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.com",
        "firstName": name,
        "lastName": name,
        "credentials": [{"type": "password", "value": "pw", "temporary": False}],
    }


# -- client scopes -------------------------------------------------------------------------------------------------------


def test_scopes_are_made_changed_and_deleted(site: Site) -> None:
    """In the token's scope and on consent pages from the start; a name with signs that mean something in addresses."""
    address = at(Kind.SCOPE, "orders:read/~all?x=1#2%3")
    road = converge(site, {address: scope(description="Read")})
    made = site.scope(address.name)
    assert road.of(address).identity == made["id"]
    assert made["attributes"] == {
        "include.in.token.scope": "true",
        "display.on.consent.screen": "true",
        "oauthdeploy.owner": "test",
    }
    converge(site, {address: scope(description="Read all")})
    converge(site, {address: scope(description=None)})
    assert site.scope(address.name)["description"] == ""
    road = converge(site, {}, absent=[address])
    assert road.of(address).value is None
    assert converge(site, {}, absent=[address]).plan.is_empty


def test_options_of_scopes_go_there_and_back(site: Site) -> None:
    """Token inclusion, consent, who gets it, mappers and attributes; what isn't written stays."""
    address = at(Kind.SCOPE, "orders.read")
    mapper = {"type": "oidc-hardcoded-claim-mapper", "config": {"claim.name": "tier", "claim.value": "1"}}
    written: dict[str, Any] = {
        "include_in_token_scope": "false",
        "display_on_consent_screen": "false",
        "consent_text": "See your orders",
        "order": "7",
        "new_clients": "default",
        "audiences": ["orders-api", "stock-api"],
        "protocol_mappers": {"tier": mapper},
        "attributes": {"team": "core"},
    }
    converge(site, {address: scope(options={"keycloak": written})})
    made = site.scope("orders.read")
    assert made["attributes"]["include.in.token.scope"] == "false"
    assert len(made["protocolMappers"]) == 3
    assert "orders.read" in [one["name"] for one in site.realm.get("/default-default-client-scopes")]
    by_hand = {**mapper_json("hand"), "config": {"claim.name": "hand", "claim.value": "1"}}
    assert site.realm.call("POST", f"/client-scopes/{made['id']}/protocol-mappers/models", by_hand).ok
    changed = {
        "new_clients": "optional",
        "audiences": ["orders-api"],
        "protocol_mappers": {"tier": {**mapper, "config": {"claim.value": "2"}}},
        "attributes": {"team": "shop"},
        "include_in_token_scope": True,
    }
    road = converge(site, {address: scope(options={"keycloak": changed})})
    assert len(road.plan.changes[0].fields) >= 5
    made = site.scope("orders.read")
    mappers = {one["name"]: one["config"] for one in made["protocolMappers"]}
    assert mappers.keys() == {"tier", "hand", "audience orders-api"}
    assert mappers["tier"] == {"claim.name": "tier", "claim.value": "2"}
    assert (made["attributes"]["team"], made["attributes"]["gui.order"]) == ("shop", "7")
    other = {"type": "oidc-usermodel-property-mapper", "config": {"user.attribute": "email", "claim.name": "tier"}}
    gone: dict[str, Any] = {
        "new_clients": None,
        "audiences": [],
        "protocol_mappers": {"tier": other, "hand": None},
        "order": None,
    }
    converge(site, {address: scope(options={"keycloak": gone})})
    assert [one["protocolMapper"] for one in site.scope("orders.read")["protocolMappers"]] == [other["type"]]
    assert "orders.read" not in [one["name"] for one in site.realm.get("/default-optional-client-scopes")]


def test_a_mapper_that_takes_the_place_of_another_is_there_before_that_one_goes(site: Site) -> None:
    """No token lacks the claim of both; Keycloak's own log of admin events tells the order."""
    address = at(Kind.SCOPE, "orders.read")
    mapper = {"type": "oidc-hardcoded-claim-mapper", "config": {"claim.name": "tier", "claim.value": "1"}}
    converge(site, {address: scope(options={"keycloak": {"protocol_mappers": {"old": mapper}}})})
    assert site.realm.call("PUT", "", {"adminEventsEnabled": True, "adminEventsDetailsEnabled": True}).ok
    converge(site, {address: scope(options={"keycloak": {"protocol_mappers": {"new": mapper, "old": None}}})})
    events = site.realm.get("/admin-events?resourceTypes=PROTOCOL_MAPPER&direction=asc")
    assert [event["operationType"] for event in events] == ["CREATE", "DELETE"]
    assert [one["name"] for one in site.scope("orders.read")["protocolMappers"]] == ["new"]


def mapper_json(name: str) -> dict[str, Any]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper"}


def test_what_keycloak_made_is_shown_only_where_it_is_named_and_never_deleted(site: Site) -> None:
    """Pruning everything takes no client and no scope of Keycloak's; marking one absent is an error of the plan."""
    before = ids(site)
    road = converge(site, {}, prune={"clients": "full", "scopes": "full"})
    assert road.plan.is_empty
    assert ids(site) == before
    converge(site, {at(Kind.SCOPE, "profile"): scope(), at(Kind.CLIENT, "account"): client()})
    gone = [at(Kind.CLIENT, "admin-cli"), at(Kind.SCOPE, "roles")]
    assert [item.rule for item in findings_of(site, {}, *gone)] == ["built-in-object"] * 2
    desired = site.desired({}, absent=gone)
    with site.driver() as driver:
        plan, _state = plan_of(driver, desired)
        assert len(plan.changes) == 2
        for change in plan.changes:
            with pytest.raises(Conflict, match="Keycloak's own"):
                driver.apply([change])
    assert ids(site) == before


def ids(site: Site) -> set[str]:
    return {one["id"] for path in ("/clients", "/client-scopes") for one in site.realm.get(path)}


def test_what_is_of_saml_is_none_of_ours(site: Site) -> None:
    """It is neither shown nor pruned, and a name that it has cannot be used."""
    site.realm.add("/clients", {"clientId": "saml-app", "protocol": "saml"})
    site.realm.add("/client-scopes", {"name": "saml-scope", "protocol": "saml"})
    before = ids(site)
    assert converge(site, {}, prune={"clients": "full", "scopes": "full"}).plan.is_empty
    assert ids(site) == before
    objects: Objects = {at(Kind.CLIENT, "saml-app"): client(), at(Kind.SCOPE, "saml-scope"): scope()}
    assert [item.rule for item in findings_of(site, objects)] == ["not-an-oauth-object"] * 2


# -- clients -------------------------------------------------------------------------------------------------------------


def test_every_field_of_a_client_goes_there_and_back(site: Site) -> None:
    """Made, changed field by field, given back to the defaults, deleted."""
    address = at(Kind.CLIENT, "web shop/ü")
    full = {
        "name": "Web Shop",
        "description": "The front end",
        "type": "confidential",
        "redirect_uris": ["https://shop.example.com/cb", "https://shop.example.com/cb2"],
        "grants": ["authorization_code", "implicit", "client_credentials", "password", "refresh_token"],
        "tokens": {"access_lifetime": "20m"},
        "enabled": True,
        "secret": {"value": SECRET},
    }
    road = converge(site, {address: client(**full)})
    made = site.realm.client(address.name)
    assert road.of(address).identity == made["id"]
    assert made["secret"] == SECRET.reveal()
    steps: list[dict[str, Any]] = [
        {"name": "Shop", "description": None},
        {"redirect_uris": []},
        {"grants": ["authorization_code"]},
        {"grants": ["client_credentials"]},
        {"grants": ["client_credentials", "refresh_token"]},
        {"grants": []},
        {"grants": ["authorization_code", "refresh_token"]},
        {"tokens": None},
        {"enabled": False},
        {"type": "public"},
        {"type": "confidential", "secret": {"value": Secret("another-secret", "env:T")}},
        {"name": None, "type": None, "redirect_uris": None, "grants": None, "enabled": None},
    ]
    for step in steps:
        road = converge(site, {address: client(**step)})
        assert [change.action for change in road.plan.changes] == [Action.UPDATE], step
    made = site.realm.client(address.name)
    assert made["secret"] == "another-secret"
    assert (made["enabled"], made["standardFlowEnabled"], made.get("name")) == (True, True, "")
    converge(site, {}, absent=[address])
    assert converge(site, {}, absent=[address]).plan.is_empty


def test_refresh_tokens_come_with_the_grants_of_users(site: Site) -> None:
    """A client of client credentials alone, made by hand, is not said to refresh; one with the code grant is."""
    realm = site.realm
    realm.add("/clients", {"clientId": "batch", "standardFlowEnabled": False, "serviceAccountsEnabled": True})
    realm.add("/clients", {"clientId": "shop"})
    objects: Objects = {
        at(Kind.CLIENT, "batch"): client(grants=["client_credentials"]),
        at(Kind.CLIENT, "shop"): client(grants=["authorization_code", "refresh_token"]),
    }
    assert converge(site, objects).plan.is_empty


def test_a_renamed_client_keeps_its_secret_and_its_service_account(site: Site) -> None:
    """Its client_id is another one, so it has to be told; the plan says so."""
    old = client(grants=["client_credentials"], secret={"value": SECRET})
    converge(site, {at(Kind.CLIENT, "webshop"): old})
    uuid = site.realm.client("webshop")["id"]
    address = at(Kind.CLIENT, "web-shop")
    road = converge(site, {address: old}, moved={address: "webshop"})
    assert "its tokens stop working" in road.plan.changes[0].note
    assert site.realm.client("web-shop")["id"] == uuid
    assert site.can_sign_in("web-shop", SECRET.reveal())


def test_options_of_clients_go_there_and_back(site: Site) -> None:
    """Each of them; then null gives each back to Keycloak's default, and what isn't written stays."""
    address = at(Kind.CLIENT, "shop")
    written: dict[str, Any] = {
        "consent_required": "true",
        "full_scope_allowed": "false",
        "web_origins": ["https://a.example.com", "+"],
        "root_url": "https://shop.example.com",
        "base_url": "/home",
        "admin_url": "https://shop.example.com/k",
        "always_display_in_console": "true",
        "frontchannel_logout": "true",
        "post_logout_redirect_uris": ["https://a.example.com/bye", "https://b.example.com/bye"],
        "client_authenticator": "client-secret",
        "refresh_for_client_credentials": "true",
        "pkce_method": "S256",
        "require_par": "true",
        "dpop_bound": "true",
        "mtls_bound": "false",
        "access_token_signature": "ES256",
        "session_idle": "10m",
        "session_max": "1h",
        "offline_session_idle": "10d",
        "offline_session_max": "20d",
        "authentication_flows": {"browser": "browser"},
        "protocol_mappers": {"tier": {"type": "oidc-hardcoded-claim-mapper", "config": {"claim.name": "t"}}},
        "attributes": {"login_theme": "shop"},
    }
    converge(site, {address: client(options={"keycloak": written})})
    made = site.realm.client("shop")
    assert made["attributes"]["post.logout.redirect.uris"].count("##") == 1
    assert made["attributes"]["client.session.max.lifespan"] == "3600"
    assert made["authenticationFlowBindingOverrides"].keys() == {"browser"}
    changed = {"web_origins": ["+", "https://a.example.com"], "session_idle": 600, "pkce_method": "plain"}
    road = converge(site, {address: client(options={"keycloak": changed})})
    assert [field.path for field in road.plan.changes[0].fields] == ["options.keycloak.pkce_method"]
    back: dict[str, Any] = dict.fromkeys(written)
    back.update(
        attributes={"login_theme": None}, protocol_mappers={"tier": None}, authentication_flows={"browser": None}
    )
    converge(site, {address: client(options={"keycloak": back})})
    made = site.realm.client("shop")
    left = made["attributes"].keys() - {"oauthdeploy.owner", "realm_client", "client.secret.creation.time"}
    assert left == {"tls.client.certificate.bound.access.tokens"}, "false is the default, so nothing had to be changed"
    assert not made.get("protocolMappers")
    assert not made["authenticationFlowBindingOverrides"]


def test_a_flow_that_is_not_there_is_named(site: Site) -> None:
    """By its alias, before anything is sent."""
    options = {"keycloak": {"authentication_flows": {"browser": "no such flow"}}}
    with site.driver() as driver:
        plan, _state = plan_of(driver, site.desired({at(Kind.CLIENT, "shop"): client(options=options)}))
        with pytest.raises(ServerError, match="no such flow"):
            driver.apply(plan.changes)
    assert site.realm.get("/clients", params={"clientId": "shop"}) == []


@pytest.mark.parametrize(
    "body",
    [
        {"clientId": "shop", "redirectUris": ["not a uri"]},
        {"clientId": "shop", "name": "x" * 300},
    ],
)
def test_what_keycloak_refuses_is_its_error(site: Site, body: dict[str, Any]) -> None:
    """400 and 500 alike: an error of that change, with the server's words."""
    value = client(name=body.get("name"), redirect_uris=body.get("redirectUris", []))
    with site.driver() as driver:
        plan, _state = plan_of(driver, site.desired({at(Kind.CLIENT, "shop"): value}))
        with pytest.raises(ServerError) as caught:
            driver.apply(plan.changes)
    assert caught.value.status in (400, 500)
    assert caught.value.words


# -- what is not managed -------------------------------------------------------------------------------------------------


def everything_by_hand(site: Site) -> str:
    """A client with all that the admin API can set on one, each at another value than its default; gives its id."""
    realm = site.realm
    flow = next(one["id"] for one in realm.get("/authentication/flows") if one["alias"] == "direct grant")
    uuid = realm.add("/clients", {"clientId": "shop", "secret": "by-hand"})
    body = {
        **realm.get(f"/clients/{uuid}"),
        "name": "By hand",
        "description": "all set",
        "rootUrl": "https://root.example.com",
        "adminUrl": "https://admin.example.com",
        "baseUrl": "/base",
        "surrogateAuthRequired": True,
        "alwaysDisplayInConsole": True,
        "redirectUris": ["https://shop.example.com/*"],
        "webOrigins": ["https://shop.example.com", "+"],
        "notBefore": 1700000000,
        "consentRequired": True,
        "standardFlowEnabled": True,
        "implicitFlowEnabled": True,
        "directAccessGrantsEnabled": True,
        "serviceAccountsEnabled": True,
        "authorizationServicesEnabled": True,
        "frontchannelLogout": True,
        "fullScopeAllowed": False,
        "nodeReRegistrationTimeout": 77,
        "authenticationFlowBindingOverrides": {"direct_grant": flow},
        "attributes": {
            "access.token.lifespan": "77",
            "use.refresh.tokens": "false",
            "client_credentials.use_refresh_token": "true",
            "pkce.code.challenge.method": "S256",
            "oauth2.device.authorization.grant.enabled": "true",
            "oidc.ciba.grant.enabled": "true",
            "post.logout.redirect.uris": "https://a.example.com##+",
            "backchannel.logout.url": "https://b.example.com",
            "tls.client.certificate.bound.access.tokens": "true",
            "id.token.signed.response.alg": "ES256",
            "acr.loa.map": '{"gold":"2"}',
            "login_theme": "shop",
            "anything.else": "kept",
        },
        "protocolMappers": [{**mapper_json("claim"), "config": {"claim.name": "c", "claim.value": "1"}}],
    }
    assert realm.call("PUT", f"/clients/{uuid}", body).status_code == 204
    server = f"/clients/{uuid}/authz/resource-server"
    resource = {"name": "orders", "uris": ["/orders/*"], "scopes": [{"name": "view"}]}
    assert realm.call("POST", f"{server}/resource", resource).status_code == 201
    assert realm.call("POST", f"/clients/{uuid}/roles", {"name": "clerk"}).status_code == 201
    role = realm.get("/roles/offline_access")
    assert realm.call("POST", f"/clients/{uuid}/scope-mappings/realm", [role]).status_code == 204
    account = realm.get(f"/clients/{uuid}/service-account-user")["id"]
    assert realm.call("POST", f"/users/{account}/role-mappings/realm", [role]).ok
    extra = realm.add("/client-scopes", {"name": "by-hand", "protocol": "openid-connect"})
    assert realm.call("PUT", f"/clients/{uuid}/default-client-scopes/{extra}").ok
    return uuid


def all_of(site: Site, uuid: str) -> dict[str, Any]:
    """All that the admin API tells of a client."""
    realm = site.realm
    account = realm.get(f"/clients/{uuid}/service-account-user")["id"]
    paths = {
        "client": f"/clients/{uuid}",
        "authorization": f"/clients/{uuid}/authz/resource-server/settings",
        "roles": f"/clients/{uuid}/roles",
        "scope mappings": f"/clients/{uuid}/scope-mappings/realm",
        "account roles": f"/users/{account}/role-mappings/realm",
        "default scopes": f"/clients/{uuid}/default-client-scopes",
        "optional scopes": f"/clients/{uuid}/optional-client-scopes",
    }
    return {name: realm.get(path) for name, path in paths.items()}


def test_everything_that_is_not_managed_stays(site: Site) -> None:
    """All that the admin API can set on a client is set by hand; a manifest that manages one field leaves the rest."""
    uuid = everything_by_hand(site)
    before = all_of(site, uuid)
    assert before["client"]["authorizationServicesEnabled"] is True
    assert [one["name"] for one in before["authorization"]["resources"]] == ["orders"]
    converge(site, {at(Kind.CLIENT, "shop"): client(description="Managed")})
    after = all_of(site, uuid)
    assert after["client"].pop("description") == "Managed"
    assert before["client"].pop("description") == "all set"
    assert not different(after, before)
    converge(site, {at(Kind.CLIENT, "shop"): client(enabled=False, tokens={"access_lifetime": "5m"})})
    last = all_of(site, uuid)
    assert (last["client"].pop("enabled"), last["client"]["attributes"].pop("access.token.lifespan")) == (False, "300")
    assert (after["client"].pop("enabled"), after["client"]["attributes"].pop("access.token.lifespan")) == (True, "77")
    assert last["client"].pop("description") == "Managed"
    assert not different(last, after)


def test_an_empty_list_of_web_origins_stays_empty_when_redirect_uris_change(site: Site) -> None:
    """Keycloak derives the list from new redirect URIs where a PUT leaves it out."""
    body = {"clientId": "shop", "secret": "by-hand", "redirectUris": ["https://a.example.com/*"], "webOrigins": []}
    uuid = site.realm.add("/clients", body)
    assert site.realm.get(f"/clients/{uuid}")["webOrigins"] == []
    converge(site, {at(Kind.CLIENT, "shop"): client(redirect_uris=("https://b.example.com/cb",))})
    after = site.realm.get(f"/clients/{uuid}")
    assert (after["redirectUris"], after["webOrigins"]) == (["https://b.example.com/cb"], [])


def different(some: Any, other: Any, path: str = "") -> list[str]:
    """Where two trees differ, in words."""
    if isinstance(some, dict) and isinstance(other, dict):
        keys = some.keys() | other.keys()
        return [found for key in sorted(keys) for found in different(some.get(key), other.get(key), f"{path}.{key}")]
    ordered = [sorted(one, key=str) if isinstance(one, list) else one for one in (some, other)]
    return [] if ordered[0] == ordered[1] else [f"{path}: {some} and {other}"]
