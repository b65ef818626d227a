"""Keycloak's JSON to the model and back, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oauthdeploy.drivers.json_values import fingerprint
from oauthdeploy.drivers.keycloak.everything import scope_told
from oauthdeploy.drivers.keycloak.facts import FACTS, KeycloakCredentials, KeycloakOptions, endpoints
from oauthdeploy.drivers.keycloak.field_map import (
    CLIENT,
    SCOPE,
    SETTINGS,
    audience_mappers,
    read_audiences,
    write_mappers,
)
from oauthdeploy.drivers.keycloak.fields import PKCE
from oauthdeploy.drivers.keycloak.live_objects import association_fingerprint
from oauthdeploy.drivers.keycloak.mapping import grants_to_put, put_client, read_client, whole, with_options
from oauthdeploy.drivers.keycloak.options import (
    AS_GRANTS,
    KeycloakClientOptions,
    KeycloakScopeOptions,
    KeycloakSettingsOptions,
    Mapper,
)
from oauthdeploy.drivers.keycloak.policies import Rule, enforced, switched
from oauthdeploy.drivers.keycloak.revocation_state import live_revocation, mark_name
from oauthdeploy.drivers.keycloak.scopes import read_scope
from oauthdeploy.drivers.keycloak.settings import RULES
from oauthdeploy.model.objects import Client, Grant, Revocation

CASES = json.loads((Path(__file__).parent / "cases" / "clients.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_a_client_is_read(case: dict[str, Any]) -> None:
    """Grants, type, lifetime and secret, from what Keycloak says and leaves out."""
    live = read_client(case["raw"])
    assert [grant.value for grant in live.value.grants or ()] == case["grants"]
    assert live.value.type == case["type"]
    assert live.value.tokens is not None
    assert live.value.tokens.access_lifetime == case["access_lifetime"]
    assert (live.secret is not None) is case["secret"]


FLAGS = st.booleans()
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "use.refresh.tokens": st.sampled_from(["true", "false", ""]),
        "client_credentials.use_refresh_token": st.sampled_from(["true", "false"]),
        "oauth2.device.authorization.grant.enabled": st.sampled_from(["true", "false"]),
        "own": st.text(max_size=5),
    },
)


@given(
    before=st.fixed_dictionaries(
        {
            "standardFlowEnabled": FLAGS,
            "implicitFlowEnabled": FLAGS,
            "directAccessGrantsEnabled": FLAGS,
            "serviceAccountsEnabled": FLAGS,
            "attributes": ATTRIBUTES,
        }
    ),
    wanted=st.sets(st.sampled_from(list(Grant))),
)
def test_grants_are_as_written_whatever_stood_there(before: dict[str, Any], wanted: set[Grant]) -> None:
    """Where refreshing is possible at all: it needs a grant that comes with it. Other attributes stay."""
    raw = whole({"id": "1", "clientId": "a", **before})
    put_client(raw, {"grants": tuple(sorted(wanted))})
    told = set(read_client(raw).value.grants or ())
    possible = wanted & {
        Grant.AUTHORIZATION_CODE,
        Grant.PASSWORD,
        Grant.CLIENT_CREDENTIALS,
        Grant.DEVICE_CODE,
        Grant.CIBA,
    }
    assert told == (wanted if possible else wanted - {Grant.REFRESH_TOKEN})
    assert raw["attributes"].get("own") == before["attributes"].get("own")


def test_the_fingerprint_leaves_out_what_is_secret_or_changes_by_itself() -> None:
    """The secret, its times, the rotated one, associations, not-before; and the order of mappers means nothing."""
    raw = {"id": "1", "clientId": "a", "protocolMappers": [{"name": "x"}, {"name": "y"}]}
    same = {
        **raw,
        "secret": "s",
        "notBefore": 7,
        "access": {"view": True},
        "defaultClientScopes": ["a"],
        "attributes": {"client.secret.creation.time": "1", "client.secret.rotated": "old"},
        "protocolMappers": [{"name": "y"}, {"name": "x"}],
    }
    assert read_client({**raw, "attributes": {}}).fingerprint == read_client(same).fingerprint
    assert read_client({**raw, "description": "d"}).fingerprint != read_client(raw).fingerprint


@given(
    st.sets(st.sampled_from([Grant.AUTHORIZATION_CODE, Grant.DEVICE_CODE, Grant.CIBA]), min_size=1),
    st.dictionaries(st.sampled_from(sorted(AS_GRANTS)), st.booleans()),
)
def test_a_grant_that_an_option_speaks_of_is_written_and_read_as_the_manifest_says(
    grants: set[Grant], options: dict[str, bool]
) -> None:
    """`device_authorization` and `ciba` say the same as the grants of these names: either way it comes to rest."""
    written = {name: on for name, on in options.items() if on or AS_GRANTS[name] not in grants}
    desired = Client(grants=tuple(sorted(grants)), options={"keycloak": written})
    raw = whole({"id": "1", "clientId": "a"})
    put_client(raw, {"grants": grants_to_put(raw, desired, {"grants": desired.grants}, written.keys())})
    live = read_client(raw)
    wanted = grants | {AS_GRANTS[name] for name, on in written.items() if on}
    assert {*(live.value.grants or ())} - {Grant.REFRESH_TOKEN} == wanted
    told, odd = with_options(live, desired, {})
    assert not odd
    assert {*(told.grants or ())} - {Grant.REFRESH_TOKEN} == grants
    assert (told.options or {}).get("keycloak", {}) == written


def test_every_option_has_a_place_or_is_known_to_have_none() -> None:
    """A field of the models that nobody reads or writes would look as if it were managed."""
    apart = {"attributes", "protocol_mappers"}
    client_only = {"default_scopes", "authentication_flows", *AS_GRANTS}
    assert KeycloakClientOptions.model_fields.keys() == CLIENT.keys() | apart | client_only
    assert KeycloakScopeOptions.model_fields.keys() == SCOPE.keys() | apart | {"audiences", "new_clients"}
    policies = RULES.keys() | {"secret_rotation", "offline_session_max"}
    assert KeycloakSettingsOptions.model_fields.keys() == SETTINGS.keys() | policies


@pytest.mark.parametrize("name", ["oauthdeploy.owner", "access.token.lifespan", "pkce.code.challenge.method"])
def test_an_attribute_that_something_else_sets_is_refused(name: str) -> None:
    """Two masters of one attribute would fight at every apply."""
    with pytest.raises(ValidationError):
        KeycloakClientOptions.model_validate({"attributes": {name: "x"}})


def test_mappers_keep_their_ids_and_keys_that_are_not_written() -> None:
    """A change of one key; another type is another mapper."""
    standing = [{"id": "7", "name": "m", "protocolMapper": "t", "config": {"a": "1", "b": "2"}}]
    assert write_mappers(standing, {"m": Mapper(type="t", config={"b": "3"})}) == [
        {"id": "7", "name": "m", "protocolMapper": "t", "config": {"a": "1", "b": "3"}}
    ]
    (anew,) = write_mappers(standing, {"m": Mapper(type="u", config={})})
    assert "id" not in anew
    assert write_mappers(standing, {"m": None}) == []


def test_audiences_count_whoever_made_them() -> None:
    """By the name of a client or as a text; one that goes into no access token is none."""
    config = {"access.token.claim": "true"}
    raw = {
        "protocolMappers": [
            {
                "name": "x",
                "protocolMapper": "oidc-audience-mapper",
                "config": {**config, "included.client.audience": "api"},
            },
            {"name": "y", "protocolMapper": "oidc-audience-mapper", "config": {"included.custom.audience": "none"}},
        ]
    }
    assert read_audiences(raw) == ("api",)
    assert audience_mappers(raw, ["api"]) == {}
    changes = audience_mappers(raw, ["other"])
    assert changes["x"] is None
    assert changes.keys() == {"x", "audience other"}


def test_audiences_are_told_beside_the_other_mappers() -> None:
    """Those of mappers as the option makes them; if somebody's own mapper adds one too, all are told as mappers."""
    own = write_mappers((), audience_mappers({}, ["api"]))
    (team,) = write_mappers((), {"team": Mapper(type="oidc-hardcoded-claim-mapper", config={"claim.name": "team"})})
    config = {"included.client.audience": "web", "access.token.claim": "true"}
    (theirs,) = write_mappers((), {"theirs": Mapper(type="oidc-audience-mapper", config=config)})

    def told(*mappers: Any) -> Any:
        raw = {"id": "1", "name": "orders", "protocol": "openid-connect", "protocolMappers": [*own, *mappers]}
        options, unheld = scope_told(read_scope(raw), "none")
        assert not unheld
        return options

    assert told() == {"audiences": ["api"]}
    beside = told(team)
    assert (beside["audiences"], beside["protocol_mappers"].keys()) == (["api"], {"team"})
    among = told(team, theirs)
    assert "audiences" not in among
    assert among["protocol_mappers"].keys() == {"audience api", "team", "theirs"}


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ([{"condition": "any-client", "configuration": {}}], True),
        ([{"condition": "client-access-type", "configuration": {"type": ["public", "confidential"]}}], True),
        ([{"condition": "client-access-type", "configuration": {"type": ["confidential"]}}], False),
        ([{"condition": "any-client"}, {"condition": "client-roles", "configuration": {"roles": ["a"]}}], False),
        ([{"condition": "any-client", "configuration": {"is-negative-logic": True}}], False),
        ([], False),
    ],
)
def test_a_policy_counts_only_where_it_covers_all_public_clients(conditions: list[Any], holds: bool) -> None:
    """Every condition must let them through; a disabled policy covers nobody."""
    profiles = [{"name": "p", "executors": [{"executor": "pkce-enforcer", "configuration": {}}]}]
    policy = {"name": "x", "enabled": True, "conditions": conditions, "profiles": ["p"]}
    assert (enforced(PKCE, profiles, [policy]) is not None) is holds
    assert enforced(PKCE, profiles, [{**policy, "enabled": False}]) is None


def test_our_rule_covers_what_it_is_for_and_is_switched_by_its_name() -> None:
    """For each of our own rules."""
    for rule in (PKCE, *RULES.values(), Rule("r", "secret-rotation", "confidential", {"expiration-period": 1})):
        profiles = switched(rule, [{"name": "theirs"}], on=True, what="profile")
        policies = switched(rule, [{"name": "theirs"}], on=True, what="policy")
        assert enforced(rule, profiles, policies) == dict(rule.configuration)
        assert switched(rule, policies, on=False, what="policy") == [{"name": "theirs"}]


def test_a_cut_off_without_sessions_is_done_when_its_mark_says_so() -> None:
    """And counts as one token before, since client credentials have no session."""
    value = Revocation.model_validate({"client": "a", "tokens": "all"})
    raw: dict[str, Any] = {"id": "1", "clientId": "a", "notBefore": 100}
    before = live_revocation(value, read_client(raw), (), "", name="INC 1/x").tokens
    assert before is not None
    assert before.active == 1
    raw["attributes"] = {mark_name("INC 1/x"): "100"}
    after = live_revocation(value, read_client(raw), (), "", name="INC 1/x").tokens
    assert after is not None
    assert after.active == 0
    other = live_revocation(value, read_client(raw), (), "", name="INC 2").tokens
    assert other is not None
    assert other.active == 1


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"username": "a"},
        {"password": "p"},
        {"client_id": "a"},
        {"client_secret": "s"},
        {"username": "a", "password": "p", "realm": "a/b"},
    ],
)
def test_credentials_are_whole_or_refused(written: dict[str, str]) -> None:
    """One of the two ways, and a realm that can stand in an address."""
    with pytest.raises(ValidationError):
        KeycloakCredentials.model_validate(written)


@pytest.mark.parametrize("realm", ["master", "Master", "a/b", "", "..", "x" * 256])
def test_a_realm_that_must_not_be_managed_is_refused(realm: str) -> None:
    """The one of the administrators, and what is no name."""
    with pytest.raises(ValidationError):
        KeycloakOptions.model_validate({"realm": realm})


def test_endpoints_are_known_without_asking() -> None:
    """As the realm's own metadata has them."""
    found = endpoints("https://sso.example.com/auth/", KeycloakOptions(realm="pay ments"))
    assert found.issuer == "https://sso.example.com/auth/realms/pay%20ments"
    assert found.introspection == f"{found.issuer}/protocol/openid-connect/token/introspect"
    assert FACTS.endpoints is endpoints


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())), st.booleans())
def test_the_fingerprint_of_an_association_is_that_of_its_parts(client: str, scope: str, default: bool) -> None:
    """Saved plans have it, so writing its text faster must not change it."""
    parts = {"client": client, "scope": scope, "default": default}
    assert association_fingerprint(client, scope, default=default) == fingerprint(parts)
