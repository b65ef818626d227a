"""Every kind and action on live servers in four modes: apply, read again, and nothing is left to do."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import Forbidden, Unauthorized, UnexpectedAnswer, Unsupported, WriteRefused
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.driver import WebMethodsDriver
from oauthdeploy.model.capabilities import Capability, supports
from oauthdeploy.model.objects import Association, Client, Grant, Object, Revocation, Scope, Settings, Trust
from oauthdeploy.planning.changes import Action
from tests.drivers.webmethods.site import (
    KINDS,
    NOBODY,
    READER,
    Site,
    at,
    converge,
    desired_state,
    findings_of,
    link,
    plan_of,
)

pytestmark = pytest.mark.live

SECRET = Secret("a-good-long-secret", "env:S")


Objects = dict[Address, Object]


def client(**fields: Any) -> Client:
    return Client.model_validate(fields)


def secret_for(site: Site) -> dict[str, Any]:
    """A secret by value where the server takes it."""
    return {"value": SECRET} if site.takes_ids else {"generate": True, "deliver_to": {"file": "x.env"}}


def test_check_tells_who_the_server_is_and_what_it_takes(site: Site) -> None:
    """The live document decides about ids and secrets, not the table."""
    with site.driver(read_only=True) as driver:
        report = driver.check()
        assert report.account == "Administrator"
        assert report.product
        for capability in (Capability.CLIENT_ID_CHOICE, Capability.CLIENT_SECRET_CHOICE):
            assert bool(supports(report.capabilities, capability)) is site.takes_ids
        assert driver.connection.http.requests == 2


def test_reading_works_without_a_check(one_site: Site) -> None:
    """The document is asked for when it is needed first, and once."""
    with one_site.driver(read_only=True) as driver:
        state = driver.read(Wanted({}, KINDS))
        assert not state.unreadable
        assert state.requests == 4
        assert driver.read(Wanted({}, KINDS)).requests == 3


def test_only_the_wanted_kinds_are_asked_for(one_site: Site) -> None:
    """A manifest of scopes costs no list of clients."""
    with one_site.driver(read_only=True) as driver:
        driver.check()
        assert driver.read(Wanted({}, frozenset({Kind.SCOPE}))).requests == 1
        assert driver.read(Wanted({}, frozenset())).requests == 0


def test_settings_go_there_and_back(site: Site) -> None:
    """All of them, with lifetimes that never end; then some back to their defaults."""
    address = at(Kind.SETTINGS)
    road = converge(
        site,
        {
            address: Settings.model_validate(
                {
                    "require_https": False,
                    "require_pkce": True,
                    "authorization_code_lifetime": "5m",
                    "access_token_lifetime": "never",
                    "token_endpoint_auth": "credentials",
                }
            )
        },
    )
    assert [change.action for change in road.plan.changes] == [Action.UPDATE]
    assert site.raw("GET", "/oauth/globalsetting")["accessTokenLifetimeSeconds"] == -1
    converge(site, {address: Settings(access_token_lifetime=None, token_endpoint_auth=None)})
    raw = site.raw("GET", "/oauth/globalsetting")
    assert (raw["accessTokenLifetimeSeconds"], raw["tokenEndpointAuth"]) == (3600, "session")
    assert (raw["requirePKCE"], raw["authCodeLifetimeSeconds"]) == (True, 300), "what is not managed stays"


def test_scopes_are_made_changed_and_deleted(site: Site) -> None:
    """Through the wrapper of a strict server and without it."""
    address = at(Kind.SCOPE, "orders:read/~all")
    road = converge(
        site,
        {
            address: Scope(
                description="Read", resources=("orders.v1", "orders.v1:get"), url_templates=("GET_orders.v1/orders",)
            )
        },
    )
    assert road.of(address).identity == "orders:read/~all"
    road = converge(site, {address: Scope(resources=("orders.v2",), description=None)})
    assert [field.path for field in road.plan.changes[0].fields] == ["description", "resources"]
    live = road.after.objects[address].value
    assert live == Scope(description="", resources=("orders.v2",), url_templates=("GET_orders.v1/orders",))
    road = converge(site, {}, absent=[address])
    assert road.of(address).value is None
    assert converge(site, {}, absent=[address]).plan.changes == ()


def test_a_client_is_made_changed_and_deleted(site: Site) -> None:
    """With all that the model has; the id is the key where the server takes one."""
    address = at(Kind.CLIENT, "web-shop")
    road = converge(
        site,
        {
            address: client(
                name="Web Shop",
                version="2",
                description="The front end",
                type="confidential",
                redirect_uris=["https://shop.example.com/cb", "https://shop.example.com/b"],
                grants=["authorization_code", "refresh_token", "client_credentials", "password", "implicit"],
                tokens={"access_lifetime": "30m", "refresh_count": 10},
                secret=secret_for(site),
                enabled=True,
            )
        },
    )
    made = road.of(address)
    assert (made.identity == "web-shop") is site.takes_ids
    raw = site.raw_client(made.identity)
    assert str(raw["version"]) == "2"
    assert (raw["name"], raw["tokenLifetime"], raw["tokenRefreshCount"]) == ("Web Shop", 1800, 10)
    if site.takes_ids:
        assert made.secret is None
        secret = SECRET.reveal()
    else:
        assert made.secret is not None
        secret = made.secret.reveal()
    assert site.signs_in(made.identity, secret)

    changed = client(
        name="Web Shop",
        version="2",
        type="public",
        grants=["authorization_code"],
        tokens={"access_lifetime": "never", "refresh_count": 0},
        enabled=False,
        description=None,
    )
    road = converge(site, {address: changed})
    assert [change.action for change in road.plan.changes] == [Action.UPDATE]
    raw = site.raw_client(made.identity)
    assert (raw["type"], raw["enabled"], raw["tokenLifetime"], raw["tokenRefreshCount"]) == ("Public", False, -1, 0)
    assert len(raw["redirect_uris"]) == 2, "what is not managed stays"

    road = converge(site, {address: client(name="Web Shop", version="2", tokens={"access_lifetime": "inherit"})})
    assert site.raw_client(made.identity)["tokenLifetime"] == -2
    converge(site, {}, absent=[at(Kind.CLIENT, made.identity)])
    assert site.raw("GET", "/oauth/client")["clients"] == []


def test_a_public_client_becomes_confidential_and_gets_a_secret(site: Site) -> None:
    """The secret that a change of type makes is handed out like that of a new client."""
    address = at(Kind.CLIENT, "app")
    converge(site, {address: client(type="public")})
    road = converge(site, {address: client(type="confidential")})
    secret = road.of(address).secret
    assert secret is not None
    assert secret.reveal()


def test_a_client_of_few_words_is_made(site: Site) -> None:
    """Nothing but a key: name and version come from it, the rest is the server's."""
    address = at(Kind.CLIENT, "little")
    road = converge(site, {address: Client()})
    live = road.after.objects[address].value
    assert isinstance(live, Client)
    assert (live.name, live.version, live.grants, live.enabled) == ("little", "1", (), True)


def test_a_version_that_is_no_number_is_found_before_it_is_sent(site: Site) -> None:
    """The document of 10.11 accepts only whole numbers; a server that takes texts gets them."""
    for version, number in (("1.0", False), ("007", False), ("-3", True), ("2147483648", False)):
        desired = desired_state(site, {at(Kind.CLIENT, "c"): client(version=version, name="C " + version)})
        with site.driver(read_only=True) as driver:
            rules = [found.rule for found in findings_of(driver, desired)]
        assert ("client-version-not-a-number" in rules) is (site.strict and not number)
        if "client-version-not-a-number" not in rules:
            converge(site, desired.objects)
            site.clear()


LIVE_COUNTS = [-1, 0, 5]
GRANTS: list[Any] = [None, "null", (), (Grant.REFRESH_TOKEN,), (Grant.PASSWORD,), (Grant.PASSWORD, Grant.REFRESH_TOKEN)]
COUNTS: list[Any] = [None, "null", "tokens-null", 0, 7, "unlimited"]


def refresh_cases() -> list[tuple[Any, Any]]:
    return list(itertools.product(GRANTS, COUNTS))


@pytest.mark.parametrize("live_count", LIVE_COUNTS)
def test_refreshing_is_stable_whatever_the_manifest_manages(one_site: Site, live_count: int) -> None:
    """The server has a refresh count and no refresh grant; grants alone, count alone, both or none converge in one go."""
    objects: dict[Any, Any] = {}
    expected: dict[str, int] = {}
    for number, (grants, count) in enumerate(refresh_cases()):
        key = f"c{number}"
        one_site.raw(
            "POST",
            "/oauth/client",
            {"name": key, "version": 1, "type": "Confidential", "tokenRefreshCount": live_count, "client_id": key},
            status=201,
        )
        fields: dict[str, Any] = {}
        if grants is not None:
            fields["grants"] = None if grants == "null" else grants
        if count == "tokens-null":
            fields["tokens"] = None
        elif count is not None:
            fields["tokens"] = {"refresh_count": None if count == "null" else count}
        objects[at(Kind.CLIENT, key)] = Client.model_validate(fields)
        objects[at(Kind.CLIENT, "new-" + key)] = Client.model_validate(fields)
        granted = isinstance(grants, tuple) and Grant.REFRESH_TOKEN in grants
        for name, standing in ((key, live_count), ("new-" + key, 0)):
            if count is not None:
                expected[name] = {"null": 0, "tokens-null": 0, "unlimited": -1}.get(count, count)
            elif grants is None or granted == bool(standing):
                expected[name] = standing
            else:
                expected[name] = -1 if granted else 0
    converge(one_site, objects)
    raw = one_site.raw("GET", "/oauth/client?expand=true")["clients"]
    assert {one["client_id"]: one["tokenRefreshCount"] for one in raw} == expected


def test_grants_and_count_that_contradict_each_other_are_found(one_site: Site) -> None:
    """A warning says which of the two counts."""
    cases = {("refresh_token",): {0: True, 5: False}, (): {0: False, 5: True}}
    for grants, counts in cases.items():
        for count, wrong in counts.items():
            one = client(grants=grants, tokens={"refresh_count": count})
            with one_site.driver(read_only=True) as driver:
                rules = [
                    found.rule for found in findings_of(driver, desired_state(one_site, {at(Kind.CLIENT, "c"): one}))
                ]
            assert ("refresh-count-contradicts-grants" in rules) is wrong


def test_associations_come_and_go_and_leave_the_others_alone(site: Site) -> None:
    """All of one client's in one request, by its full list; a scope that was added by hand stays."""
    scopes = {at(Kind.SCOPE, name): Scope() for name in ("a", "b", "c")}
    both = {at(Kind.CLIENT, "one"): Client(), at(Kind.CLIENT, "two"): client(name="Two: 2".replace(":", ""))}
    links = {link("one", "a"): Association(), link("one", "b"): Association(), link("two", "a"): Association()}
    road = converge(site, {**scopes, **both, **links})
    made = [one for one in road.applied if one.address.kind is Kind.ASSOCIATION]
    assert sorted(one.requests for one in made) == [0, 2, 2]
    one_id = road.of(at(Kind.CLIENT, "one")).identity
    site.raw("PATCH", f"/oauth/client/{one_id}", {"scopes": ["b", "a", "c"]}, status=200)
    converge(site, both, absent=[link("one", "a"), link("two", "a")])
    assert site.raw_client(one_id)["scopes"] == ["b", "c"]
    road = converge(site, {**both, link("one", "a"): Association()})
    assert site.raw_client(one_id)["scopes"] == ["b", "c", "a"]
    with site.driver(read_only=True) as driver:
        state = driver.read(Wanted({}, frozenset({Kind.ASSOCIATION, Kind.CLIENT})))
    label = next(a.name for a in state.objects if a.kind is Kind.CLIENT and a.name.startswith(("one", "two")))
    assert label.endswith(" (1)"), (
        "a client that the manifest doesn't know has the name that the server's pages give it"
    )
    assert Kind.ASSOCIATION in {a.kind for a in state.objects}


def test_an_answer_without_the_list_of_scopes_takes_none_of_them(one_site: Site) -> None:
    """The whole list is written, and one that an answer leaves out is not empty: nothing is sent, and the scopes stay."""
    scopes = {at(Kind.SCOPE, name): Scope() for name in ("a", "b")}
    objects: Objects = {**scopes, at(Kind.CLIENT, "c"): Client(), link("c", "a"): Association()}
    converge(one_site, objects)
    with one_site.driver() as driver:
        plan, _ = plan_of(driver, desired_state(one_site, {**objects, link("c", "b"): Association()}))
        assert isinstance(driver, WebMethodsDriver)
        send = driver._admin._send

        def without_scopes(method: str, path: str, *segments: str, **more: Any) -> Any:
            answer = send(method, path, *segments, **more)
            if (method, path) == ("GET", doc.CLIENT):
                answer.body.pop("scopes")
            return answer

        with mock.patch.object(driver._admin, "_send", without_scopes), pytest.raises(UnexpectedAnswer):
            driver.apply(plan.changes)
    assert one_site.raw_client("c")["scopes"] == ["a"]


def test_unlinking_a_client_that_is_gone_is_done(one_site: Site) -> None:
    """Somebody was faster: the association went with the client."""
    objects: Objects = {at(Kind.SCOPE, "a"): Scope(), at(Kind.CLIENT, "c"): Client(), link("c", "a"): Association()}
    converge(one_site, objects)
    desired = desired_state(one_site, {}, absent=[link("c", "a")])
    with one_site.driver() as driver:
        plan, _ = plan_of(driver, desired)
        assert plan.changes
        one_site.raw("DELETE", "/oauth/client/c", status=204)
        (made,) = driver.apply(plan.changes)
        assert made.value is None
        assert "gone" in made.note


def test_a_rename_keeps_id_secret_and_tokens(site: Site) -> None:
    """The new key finds the client at its former name, and only name or version are patched."""
    old, new = at(Kind.CLIENT, "webshop"), at(Kind.CLIENT, "web-shop")
    road = converge(
        site, {old: client(grants=["client_credentials"], secret=secret_for(site)), at(Kind.SCOPE, "s"): Scope()}
    )
    made = road.of(old)
    secret = (made.secret or SECRET).reveal()
    one = client(grants=["client_credentials"])
    road = converge(site, {new: one, link("web-shop", "s"): Association()}, moved={new: "webshop"})
    assert road.of(new).identity == made.identity
    raw = site.raw_client(made.identity)
    assert (raw["name"], raw["scopes"]) == ("web-shop", ["s"])
    assert site.signs_in(made.identity, secret)
    assert not converge(site, {new: one}).plan.changes, "afterwards moved_from is no longer needed"


def test_unmanaged_fields_survive_an_update(site: Site) -> None:
    """Everything that the API can hold is set by hand, one field is managed, and all the rest is untouched."""
    site.raw("POST", "/oauth/scope", {"scopeInputData": {"name": "s"}}, status=201)
    by_hand = {
        "name": "Full",
        "version": 7,
        "type": "Confidential",
        "description": "by hand",
        "redirect_uris": ["https://b.example/x", "https://a.example/y"],
        "scopes": ["s"],
        "authorizationCodeGrant": True,
        "implicitGrant": True,
        "clientCredentialsGrant": True,
        "resourceOwnerCredentialsGrant": True,
        "tokenLifetime": 99,
        "tokenRefreshCount": 3,
        "enabled": False,
        "registrationClientUri": "https://reg.example/1",
        "registrationAccessToken": "reg-token",
    }
    created = site.raw("POST", "/oauth/client", by_hand, status=201)
    before = site.raw_client(created["client_id"])
    one: dict[Any, Any] = {at(Kind.CLIENT, "full"): client(name="Full", version="7", description="managed")}
    converge(site, one)
    assert site.raw_client(created["client_id"]) == {**before, "description": "managed"}
    site.raw("PATCH", f"/oauth/client/{created['client_id']}", {"enabled": True}, status=200)
    assert site.signs_in(created["client_id"], created["client_secret"])

    settings = {
        "requireHTTPS": False,
        "requirePKCE": True,
        "authCodeLifetimeSeconds": 61,
        "accessTokenLifetimeSeconds": 62,
        "tokenEndpointAuth": "credentials",
        "authServerAlias": "local",
    }
    site.raw("PUT", "/oauth/globalsetting/", settings, status=200)
    converge(site, {at(Kind.SETTINGS): Settings.model_validate({"access_token_lifetime": 99})})
    assert site.raw("GET", "/oauth/globalsetting") == {**settings, "accessTokenLifetimeSeconds": 99}

    scope = {"name": "t", "description": "d", "FoldersAndServices": ["a.b"], "urlTemplates": ["GET_a/b"]}
    site.raw("POST", "/oauth/scope", {"scopeInputData": scope}, status=201)
    converge(site, {at(Kind.SCOPE, "t"): Scope(url_templates=("GET_a/c",))})
    assert site.raw("GET", "/oauth/scope/t") == {**scope, "urlTemplates": ["GET_a/c"]}


EXTERNAL = {
    "authorization_server": "partner",
    "via": "external",
    "endpoint": "https://idp.partner.example/introspect",
    "client_id": "rs",
    "client_secret": SECRET,
    "user": "Administrator",
}


def test_trust_goes_from_local_to_external_to_remote_and_back(site: Site) -> None:
    """The alias is made or updated, then chosen; what the server doesn't tell is blind and never a difference."""
    address = at(Kind.TRUST)
    local = Trust(authorization_server="login", via="local")
    assert not converge(site, {address: local}).plan.changes

    external = Trust.model_validate({**EXTERNAL, "default_scope": "orders.read"})
    road = converge(site, {address: external})
    assert road.after.objects[address].incomparable >= {"client_secret"}
    raw = site.raw("GET", "/oauth/externalserver/partner", status=200)
    assert (raw["clientId"], raw["defaultScope"]) == ("rs", "orders.read")

    site.raw("PATCH", "/oauth/externalserver/partner", {"truststoreAlias": "by-hand"}, status=200)
    road = converge(site, {address: external.model_copy(update={"endpoint": "https://idp.partner.example/i2"})})
    assert [field.path for field in road.plan.changes[0].fields] == ["endpoint"]
    assert road.applied[0].requests == 1
    assert site.raw("GET", "/oauth/externalserver/partner")["truststoreAlias"] == "by-hand"

    remote = Trust.model_validate(
        {
            "authorization_server": "other",
            "via": "remote",
            "endpoint": "https://IS-auth.example.com:5543/",
            "username": "svc",
            "password": SECRET,
        }
    )
    converge(site, {address: remote})
    raw = site.raw("GET", "/remoteserver/other", status=200)
    assert (raw["host"], raw["port"], raw["ssl"], raw["user"]) == ("is-auth.example.com", 5543, "yes", "svc")
    assert site.raw("GET", "/oauth/globalsetting")["authServerAlias"] == "other"
    converge(site, {address: remote.model_copy(update={"endpoint": "http://is-auth.example.com"})})
    assert site.raw("GET", "/remoteserver/other")["port"] == 80
    more = {"execute_acl": "Callers", "keep_alive_connections": 3, "keep_alive_minutes": 0, "retry_server": "is-2"}
    converge(site, {address: remote.model_copy(update=more)})
    raw = site.raw("GET", "/remoteserver/other")
    assert [raw[key] for key in ("acl", "keepAlive", "timeout", "retryServer")] == ["Callers", "3", "0", "is-2"]
    converge(site, {address: remote})
    assert site.raw("GET", "/remoteserver/other")["acl"] == "Callers", "what is not written stays"
    converge(site, {address: local})
    assert site.raw("GET", "/oauth/globalsetting")["authServerAlias"] == "local"


def test_a_trusted_server_of_which_too_little_is_written_must_be_there(site: Site) -> None:
    """Found at plan time; an alias that somebody made by hand is enough."""
    bare = Trust.model_validate({"authorization_server": "other", "via": "remote", "endpoint": "http://h.example:1"})
    half = Trust.model_validate({**EXTERNAL, "user": None, "client_secret": None})
    for trust in (bare, half):
        with site.driver(read_only=True) as driver:
            (found,) = findings_of(driver, desired_state(site, {at(Kind.TRUST): trust}))
        assert found.rule == "trusted-server-incomplete"
        assert found.address == "trust@login"
    site.raw(
        "POST",
        "/remoteserver/",
        {"alias": "other", "host": "h.example", "port": 1, "user": "u", "password": "secret-pw"},
        status=201,
    )
    with site.driver(read_only=True) as driver:
        assert not findings_of(driver, desired_state(site, {at(Kind.TRUST): bare}))
    converge(site, {at(Kind.TRUST): bare})


def machine(site: Site, key: str) -> tuple[str, str]:
    """A client that can get tokens, and its secret."""
    site.raw("POST", "/oauth/scope", {"scopeInputData": {"name": f"s-{key}"}}, status=201)
    body = {"name": key, "version": 1, "type": "Confidential", "clientCredentialsGrant": True, "scopes": [f"s-{key}"]}
    made = site.raw("POST", "/oauth/client", body, status=201)
    return made["client_id"], made["client_secret"]


def test_a_revocation_deletes_tokens_and_disables_the_client(site: Site) -> None:
    """Both on a server of both roles; afterwards there is nothing to do, and others' tokens live on."""
    client_id, secret = machine(site, "batch")
    other_id, other_secret = machine(site, "other")
    for _ in range(3):
        site.token(client_id, secret)
    site.token(other_id, other_secret)
    address = at(Kind.REVOCATION, "INC-1")
    revocation = Revocation.model_validate({"client": "batch", "tokens": "all", "block": ["resource", "authorization"]})
    objects: Objects = {address: revocation, at(Kind.CLIENT, "batch"): Client()}
    with site.driver(read_only=True) as driver:
        _plan, state = plan_of(driver, desired_state(site, objects))
        live = state.objects[address]
        assert live.tokens is not None
        assert (live.tokens.active, live.tokens.total, live.blocked, live.identity) == (3, 3, False, client_id)
        assert live.tokens.until is not None
        assert timedelta(0) < live.tokens.until - datetime.now(UTC) <= timedelta(hours=1)
    road = converge(site, objects)
    assert "3 tokens deleted" in road.of(address).note
    assert road.after.objects[address].blocked is True
    rest = site.raw("GET", "/oauth/token?expand=true")["tokens"]
    assert [row["client_id"] for row in rest] == [other_id]
    assert site.raw_client(client_id)["enabled"] is False


def test_a_revocation_chooses_by_time_scope_and_owner(one_site: Site) -> None:
    """What was issued later, for another scope or by another owner stays."""
    client_id, secret = machine(one_site, "batch")
    one_site.token(client_id, secret)

    def left(**fields: Any) -> int:
        revocation = Revocation.model_validate({"client": "batch", "tokens": "all", **fields})
        converge(one_site, {at(Kind.REVOCATION, "r"): revocation})
        return len(one_site.raw("GET", "/oauth/token")["tokens"])

    assert left(tokens={"issued_before": "2001-01-01T00:00:00Z"}) == 1
    assert left(scope="other") == 1
    assert left(owner="alice") == 1
    assert left(tokens={"issued_before": "2099-01-01T00:00:00Z"}, scope="s-batch", owner=client_id) == 0


def test_a_revocation_on_a_resource_server_only_disables(one_site: Site) -> None:
    """Tokens are the authorization server's; a client that isn't there gives nothing to do."""
    client_id, secret = machine(one_site, "batch")
    one_site.token(client_id, secret)
    revocation = Revocation.model_validate({"client": "batch", "tokens": "all", "block": ["resource"]})
    gone = Revocation.model_validate({"client": "nobody", "tokens": "all", "block": ["resource"]})
    with one_site.driver(role="resource") as driver:
        objects = {at(Kind.REVOCATION, "r"): revocation, at(Kind.REVOCATION, "g"): gone}
        state = driver.read(Wanted(objects, frozenset({Kind.REVOCATION})))
        live, absent = state.objects[at(Kind.REVOCATION, "r")], state.objects[at(Kind.REVOCATION, "g")]
        assert (live.tokens, live.blocked) == (None, False)
        assert (absent.tokens, absent.blocked, absent.identity) == (None, None, "")
    assert len(one_site.raw("GET", "/oauth/token")["tokens"]) == 1


def test_a_secret_that_the_server_cannot_take_is_found_at_plan_time(site: Site) -> None:
    """An error for a client that is to be made, a warning for one that is there; no finding where the server takes it."""
    desired = desired_state(site, {at(Kind.CLIENT, "c"): client(secret={"value": SECRET})})
    with site.driver() as driver:
        plan, _ = plan_of(driver, desired)
        found = [one for one in findings_of(driver, desired) if one.rule == "client-secret-not-settable"]
        assert [one.severity for one in found] == ([] if site.takes_ids else ["error"])
        if not site.takes_ids:
            with pytest.raises(Unsupported):
                driver.apply(plan.changes)
            assert site.raw("GET", "/oauth/client")["clients"] == []
    site.raw("POST", "/oauth/client", {"name": "c", "version": 1, "type": "Confidential"}, status=201)
    with site.driver(read_only=True) as driver:
        plan, _ = plan_of(driver, desired)
        assert not plan.changes
        found = [one for one in findings_of(driver, desired) if one.rule == "client-secret-not-settable"]
        assert [one.severity for one in found] == ([] if site.takes_ids else ["warning"])
    with site.driver(read_only=True, role="resource") as driver:
        assert not findings_of(driver, desired)


def test_a_key_that_cannot_be_an_id_gets_one_from_the_server(one_site: Site) -> None:
    """The client is found again by its name."""
    address = at(Kind.CLIENT, "Web Shop")
    with one_site.driver(read_only=True) as driver:
        rules = [one.rule for one in findings_of(driver, desired_state(one_site, {address: Client()}))]
    assert rules == ["client-key-not-an-id"]
    road = converge(one_site, {address: Client()})
    assert road.of(address).identity != "Web Shop"


def test_a_reader_plans_and_may_not_write(site: Site) -> None:
    """The read-only group is enough for a plan; a write is forbidden, and says so."""
    desired = desired_state(site, {at(Kind.SCOPE, "s"): Scope(), at(Kind.CLIENT, "c"): Client()})
    with site.driver(READER) as driver:
        driver.check()
        plan, _ = plan_of(driver, desired)
        assert len(plan.changes) == 2
        for change in plan.changes:
            with pytest.raises(Forbidden) as caught:
                driver.apply([change])
            assert caught.value.exit_code == 8


def test_an_account_without_rights_is_stopped_by_the_check(one_site: Site) -> None:
    """Wrong password: 401; no group: 403, though the document itself is open to all."""
    with one_site.driver(("Administrator", "wrong")) as driver, pytest.raises(Unauthorized):
        driver.check()
    with one_site.driver(NOBODY) as driver:
        with pytest.raises(Forbidden):
            driver.check()
        state = driver.read(Wanted({}, KINDS))
        assert set(state.unreadable) == set(KINDS)
        assert not state.objects
        assert {found.rule for found in state.unreadable.values()} == {"permission-denied"}
    with one_site.driver(("Administrator", "wrong")) as driver, pytest.raises(Unauthorized):
        driver.read(Wanted({}, KINDS))


def test_the_planning_driver_can_not_write(one_site: Site) -> None:
    """Opened read-only, even a driver that tries is stopped before anything is sent."""
    desired = desired_state(one_site, {at(Kind.SCOPE, "s"): Scope()})
    with one_site.driver(read_only=True) as driver:
        plan, _ = plan_of(driver, desired)
        with pytest.raises(WriteRefused):
            driver.apply(plan.changes)
    assert one_site.raw("GET", "/oauth/scope")["scopes"] == []


def test_reading_few_by_key_does_not_list_the_server(one_site: Site) -> None:
    """Requests grow with what is wanted, not with what is there."""
    for number in range(12):
        one_site.raw("POST", "/oauth/client", {"name": f"n{number}", "version": 1, "type": "Public"}, status=201)
    wanted = Wanted({at(Kind.CLIENT, "n3"): Client()}, frozenset({Kind.CLIENT}), everything=False)
    with one_site.driver(read_only=True) as driver:
        driver.check()
        state = driver.read(wanted)
        assert [address.name for address in state.objects] == ["n3"]
        assert state.requests == 2
        assert driver.read(wanted).requests == 1, "the id is known now"
        assert len(driver.read(Wanted({}, frozenset({Kind.CLIENT}))).objects) == 12


def test_a_stale_read_is_seen_by_the_fingerprint(one_site: Site) -> None:
    """A change by hand changes the fingerprint of what it touched and of nothing else."""
    objects: Objects = {at(Kind.SCOPE, "s"): Scope(), at(Kind.CLIENT, "c"): Client(), at(Kind.SETTINGS): Settings()}
    before = converge(one_site, objects).after.objects
    one_site.raw("PATCH", "/oauth/client/c", {"scopes": ["s"]}, status=200)
    assert _moved(one_site, before) == set(), "an association is an object of its own"
    one_site.raw("PATCH", "/oauth/client/c", {"registrationClientUri": "https://x.example"}, status=200)
    assert _moved(one_site, before) == {at(Kind.CLIENT, "c")}
    one_site.raw("PATCH", "/oauth/scope/s", {"description": "new"}, status=200)
    assert _moved(one_site, before) == {at(Kind.CLIENT, "c"), at(Kind.SCOPE, "s")}


def _moved(site: Site, before: Any) -> set[Any]:
    kinds = frozenset({Kind.SCOPE, Kind.CLIENT, Kind.SETTINGS})
    with site.driver(read_only=True) as driver:
        now = driver.read(Wanted({at(Kind.CLIENT, "c"): Client()}, kinds)).objects
    return {address for address in before if now[address].fingerprint != before[address].fingerprint}


def test_a_name_and_version_that_another_client_has_is_found_in_the_plan(site: Site) -> None:
    """Also where that client goes in the same apply: the server would answer 409 to the new one, and then lose the old one.

    Where the server makes ids itself, the name is how the client is found, so it is the same client and nothing is taken.
    """
    shop = client(name="Web Shop", version="1", type="public", redirect_uris=["https://a.example.com/cb"])
    old, new = at(Kind.CLIENT, "old-shop"), at(Kind.CLIENT, "new-shop")
    converge(site, {old: shop})
    with site.driver(read_only=True) as driver:
        plan, _state = plan_of(driver, desired_state(site, {new: shop}, absent=[old]))
    created = [str(change.address) for change in plan.changes if change.action is Action.CREATE]
    assert [item.address for item in plan.diagnostics.errors if item.rule == "name-taken"] == created
    assert bool(created) == any(change.action is Action.DELETE for change in plan.changes)
