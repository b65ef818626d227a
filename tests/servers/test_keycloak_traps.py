"""What Keycloak's admin API really does, where its documentation is silent or a reader would guess wrong.

The driver stands on these rules; `docs/servers.md` tells them in words. Each test talks plain HTTP to a real server.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.servers.keycloak import Keycloak, Realm

SECRET = "a-secret-of-the-tests"


def put(realm: Realm, path: str, body: Any, status: int = 204) -> requests.Response:
    answer = realm.call("PUT", path, body)
    assert answer.status_code == status, f"PUT {path}: {answer.status_code} {answer.text}"
    return answer


def confidential(realm: Realm, client_id: str = "shop", **more: Any) -> str:
    """A client with a secret and a service account; gives its UUID."""
    body = {"clientId": client_id, "secret": SECRET, "serviceAccountsEnabled": True, **more}
    return realm.add("/clients", body)


def audience(*clients: str) -> list[dict[str, Any]]:
    """Mappers that put these clients into the audience of a token."""
    return [
        {
            "name": f"audience-{client}",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {
                "included.client.audience": client,
                "access.token.claim": "true",
                "introspection.token.claim": "true",
            },
        }
        for client in clients
    ]


def introspectable(realm: Realm) -> str:
    """A client `shop` whose tokens both it and the resource server `orders` may ask about; gives its UUID."""
    confidential(realm, "orders")
    return confidential(realm, protocolMappers=audience("shop", "orders"))


def scope(realm: Realm, name: str, **more: Any) -> str:
    return realm.add("/client-scopes", {"name": name, "protocol": "openid-connect", **more})


def assigned(realm: Realm, uuid: str, way: str) -> set[str]:
    return {found["name"] for found in realm.get(f"/clients/{uuid}/{way}-client-scopes")}


class TestClientPut:
    """Traps 1, 2, 3 and 6: a PUT of a client is not a replacement of the client."""

    def test_a_field_that_is_not_sent_is_kept(self, realm: Realm) -> None:
        """Top-level fields merge; what is sent as null is kept too, and only an empty value empties."""
        uuid = confidential(realm, name="Shop", description="sells", rootUrl="https://shop.example")
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "name": None, "description": ""})
        found = realm.get(f"/clients/{uuid}")
        assert found["name"] == "Shop"
        assert found["rootUrl"] == "https://shop.example"
        assert found.get("description", "") == ""
        assert found["serviceAccountsEnabled"] is True

    def test_a_list_that_is_sent_replaces_the_list(self, realm: Realm) -> None:
        """Redirect URIs and web origins are replaced when sent, and kept when not."""
        uris = ["https://shop.example/a", "https://shop.example/b"]
        uuid = confidential(realm, redirectUris=uris, webOrigins=["https://shop.example"])
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "redirectUris": uris[:1]})
        found = realm.get(f"/clients/{uuid}")
        assert found["redirectUris"] == uris[:1]
        assert found["webOrigins"] == ["https://shop.example"]
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "redirectUris": []})
        assert realm.get(f"/clients/{uuid}")["redirectUris"] == []

    def test_attributes_merge_by_key_and_an_empty_string_removes_one(self, realm: Realm) -> None:
        """A key that is not sent stays; null and the empty string take it away."""
        uuid = confidential(realm, attributes={"one": "1", "two": "2", "three": "3"})
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "attributes": {"one": "", "two": None}})
        found = realm.get(f"/clients/{uuid}")["attributes"]
        assert found["three"] == "3"
        assert "one" not in found
        assert "two" not in found

    def test_protocol_mappers_that_are_sent_replace_all_of_them(self, realm: Realm) -> None:
        """Not sent: kept. Sent: those that are missing from the list are deleted."""
        mapper = {
            "name": "orders-audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": "orders", "access.token.claim": "true"},
        }
        uuid = confidential(realm, protocolMappers=[mapper])
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "description": "new"})
        assert [found["name"] for found in realm.get(f"/clients/{uuid}")["protocolMappers"]] == ["orders-audience"]
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "protocolMappers": [{**mapper, "name": "other"}]})
        assert [found["name"] for found in realm.get(f"/clients/{uuid}")["protocolMappers"]] == ["other"]
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "protocolMappers": []})
        assert realm.get(f"/clients/{uuid}").get("protocolMappers", []) == []

    def test_authorization_settings_go_when_their_switch_is_not_sent(self, realm: Realm) -> None:
        """Read, change, write back keeps them; a PUT without `authorizationServicesEnabled` deletes them."""
        uuid = confidential(realm, authorizationServicesEnabled=True)
        resource = f"/clients/{uuid}/authz/resource-server/resource"
        assert realm.call("POST", resource, {"name": "by-hand"}).status_code == 201
        whole = realm.get(f"/clients/{uuid}")
        put(realm, f"/clients/{uuid}", {**whole, "description": "read, changed, written back"})
        assert "by-hand" in {found["name"] for found in realm.get(resource)}
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "description": "partial"})
        assert "authorizationServicesEnabled" not in realm.get(f"/clients/{uuid}")
        put(realm, f"/clients/{uuid}", {**whole})
        assert "by-hand" not in {found["name"] for found in realm.get(resource)}

    def test_scopes_in_a_put_are_ignored(self, realm: Realm) -> None:
        """Associations have endpoints of their own."""
        scope(realm, "orders")
        uuid = confidential(realm)
        before = realm.get(f"/clients/{uuid}")
        put(realm, f"/clients/{uuid}", {**before, "defaultClientScopes": ["orders"], "optionalClientScopes": []})
        after = realm.get(f"/clients/{uuid}")
        assert set(after["defaultClientScopes"]) == set(before["defaultClientScopes"])
        assert set(after["optionalClientScopes"]) == set(before["optionalClientScopes"])

    def test_a_secret_is_kept_unless_sent_or_the_client_becomes_public(self, realm: Realm) -> None:
        """Absent keeps, a value sets, `publicClient` clears."""
        uuid = confidential(realm)
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "description": "x"})
        assert realm.get(f"/clients/{uuid}/client-secret")["value"] == SECRET
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "secret": "another-secret"})
        assert realm.get(f"/clients/{uuid}/client-secret")["value"] == "another-secret"
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "publicClient": True, "serviceAccountsEnabled": False})
        assert "secret" not in realm.get(f"/clients/{uuid}")

    def test_a_name_that_is_taken_is_a_conflict(self, realm: Realm) -> None:
        """Both on POST and when a PUT changes the client id."""
        uuid = confidential(realm)
        confidential(realm, "other")
        assert realm.call("POST", "/clients", {"clientId": "shop"}).status_code == 409
        put(realm, f"/clients/{uuid}", {"clientId": "other"}, status=409)


class TestClientPost:
    """Traps 3 and 5: what a new client has that nobody sent."""

    def test_defaults_are_added(self, realm: Realm) -> None:
        """Compare declared fields only: the server fills in these."""
        uuid = realm.add("/clients", {"clientId": "shop", "redirectUris": ["https://shop.example/cb"]})
        found = realm.get(f"/clients/{uuid}")
        assert found["protocol"] == "openid-connect"
        assert found["clientAuthenticatorType"] == "client-secret"
        assert found["enabled"] is True
        assert found["standardFlowEnabled"] is True
        assert found["publicClient"] is False
        assert found["serviceAccountsEnabled"] is False
        assert found["directAccessGrantsEnabled"] is False
        assert found["fullScopeAllowed"] is True
        assert found["webOrigins"] == ["https://shop.example"]
        assert len(found["secret"]) >= 32
        assert "client.secret.creation.time" in found["attributes"]
        defaults = {each["name"] for each in realm.get("/default-default-client-scopes")}
        oidc = {each["name"] for each in realm.get("/client-scopes") if each["protocol"] == "openid-connect"}
        assert set(found["defaultClientScopes"]) == defaults & oidc
        assert set(found["optionalClientScopes"])

    def test_consent_required_makes_the_full_scope_not_allowed(self, realm: Realm) -> None:
        """`fullScopeAllowed` is the opposite of `consentRequired` unless it is sent."""
        uuid = realm.add("/clients", {"clientId": "shop", "consentRequired": True})
        assert realm.get(f"/clients/{uuid}")["fullScopeAllowed"] is False

    def test_scopes_that_are_given_stand_instead_of_the_realms_and_unknown_ones_are_dropped(self, realm: Realm) -> None:
        """Either list suppresses both of the realm's; a scope that doesn't exist is no error."""
        scope(realm, "orders")
        uuid = realm.add("/clients", {"clientId": "shop", "defaultClientScopes": ["orders", "nowhere"]})
        assert assigned(realm, uuid, "default") == {"orders"}
        assert assigned(realm, uuid, "optional") == set()


class TestAssociations:
    """Trap 4: assigning and taking away client scopes."""

    def test_the_other_path_takes_away_too(self, realm: Realm) -> None:
        """DELETE under `default-client-scopes` removes an optional scope, and the reverse."""
        uuid, orders = confidential(realm), scope(realm, "orders")
        for put_under, delete_under in (("optional", "default"), ("default", "optional")):
            put(realm, f"/clients/{uuid}/{put_under}-client-scopes/{orders}", None)
            assert "orders" in assigned(realm, uuid, put_under)
            answer = realm.call("DELETE", f"/clients/{uuid}/{delete_under}-client-scopes/{orders}")
            assert answer.status_code == 204
            assert "orders" not in assigned(realm, uuid, put_under)

    def test_the_other_way_of_an_assigned_scope_is_silently_ignored(self, realm: Realm) -> None:
        """Default to optional: 204, and nothing happens; delete first."""
        uuid, orders = confidential(realm), scope(realm, "orders")
        put(realm, f"/clients/{uuid}/default-client-scopes/{orders}", None)
        put(realm, f"/clients/{uuid}/optional-client-scopes/{orders}", None)
        assert "orders" in assigned(realm, uuid, "default")
        assert "orders" not in assigned(realm, uuid, "optional")

    def test_a_scope_of_another_protocol_is_silently_ignored(self, realm: Realm) -> None:
        """204 for a SAML scope on an OpenID Connect client, and nothing happens."""
        uuid, saml = confidential(realm), scope(realm, "saml-orders", protocol="saml")
        put(realm, f"/clients/{uuid}/default-client-scopes/{saml}", None)
        assert "saml-orders" not in assigned(realm, uuid, "default")

    def test_both_ends_must_exist(self, realm: Realm) -> None:
        """404 for an unknown client or scope."""
        uuid, orders = confidential(realm), scope(realm, "orders")
        put(realm, f"/clients/{uuid}/default-client-scopes/no-such", None, status=404)
        put(realm, f"/clients/no-such/default-client-scopes/{orders}", None, status=404)

    def test_a_scope_in_use_can_be_deleted_and_its_assignments_go(self, realm: Realm) -> None:
        """No 409: who deletes a scope takes it from every client."""
        uuid, orders = confidential(realm), scope(realm, "orders")
        put(realm, f"/clients/{uuid}/default-client-scopes/{orders}", None)
        assert realm.call("DELETE", f"/client-scopes/{orders}").status_code == 204
        assert "orders" not in assigned(realm, uuid, "default")


class TestSecrets:
    """Trap 6: who sees a secret, and what becomes of the rotated one."""

    def test_who_may_view_clients_sees_secrets(self, realm: Realm) -> None:
        """`view-clients` is enough to read every secret in clear: such an account is as secret as they are."""
        uuid = confidential(realm)
        viewer = signed_in(realm, "view-clients")
        (found,) = ask(realm, viewer, "/clients", clientId="shop").json()
        assert found["secret"] == SECRET
        assert ask(realm, viewer, f"/clients/{uuid}/client-secret").json()["value"] == SECRET
        refused = requests.put(
            f"{realm.server.url}/admin/realms/{realm.name}/clients/{uuid}",
            json={"clientId": "shop", "description": "x"},
            headers=viewer,
            timeout=60,
        )
        assert refused.status_code == 403

    def test_who_may_only_query_clients_gets_an_empty_list(self, realm: Realm) -> None:
        """200 and nothing in it, where one would expect 403: absent and forbidden look the same in lists."""
        uuid = confidential(realm)
        asker = signed_in(realm, "query-clients")
        assert ask(realm, asker, "/clients", clientId="shop").json() == []
        assert ask(realm, asker, "/client-scopes").json() == []
        assert ask(realm, asker, f"/clients/{uuid}").status_code == 403

    def test_who_may_not_view_the_realm_gets_a_part_of_it(self, realm: Realm) -> None:
        """200 with hardly any field; a setting that is missing there may only be hidden."""
        viewer = signed_in(realm, "view-clients")
        part = ask(realm, viewer, "").json()
        assert part["realm"] == realm.name
        assert "accessTokenLifespan" not in part
        assert "enabled" not in part
        assert ask(realm, viewer, "/client-policies/policies").status_code == 403
        whole = ask(realm, signed_in(realm, "view-realm", user="whole"), "").json()
        assert whole["accessTokenLifespan"] == 300

    def test_a_rotated_secret_lives_on_and_is_shown_in_an_attribute(self, realm: Realm) -> None:
        """With the policy, POST of `client-secret` leaves the old one usable, and the old one is an attribute in clear."""
        rotation(realm)
        uuid = confidential(realm)
        fresh = realm.call("POST", f"/clients/{uuid}/client-secret").json()["value"]
        assert realm.get(f"/clients/{uuid}/client-secret/rotated")["value"] == SECRET
        assert realm.token("shop", SECRET).ok
        assert realm.token("shop", fresh).ok
        attributes = realm.get(f"/clients/{uuid}")["attributes"]
        assert attributes["client.secret.rotated"] == SECRET
        assert int(attributes["client.secret.rotated.expiration.time"]) > time.time()

    def test_a_put_keeps_the_rotated_secret_and_does_not_rotate(self, realm: Realm) -> None:
        """A secret that is sent in PUT replaces the current one alone, which ends at once."""
        rotation(realm)
        uuid = confidential(realm)
        fresh = realm.call("POST", f"/clients/{uuid}/client-secret").json()["value"]
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "description": "partial"})
        put(realm, f"/clients/{uuid}", {**realm.get(f"/clients/{uuid}"), "description": "whole"})
        assert realm.get(f"/clients/{uuid}/client-secret/rotated")["value"] == SECRET
        put(realm, f"/clients/{uuid}", {"clientId": "shop", "secret": "sent-by-put"})
        assert realm.get(f"/clients/{uuid}/client-secret/rotated")["value"] == SECRET
        assert realm.token("shop", "sent-by-put").ok
        assert realm.token("shop", SECRET).ok
        assert realm.token("shop", fresh).status_code == 401

    def test_without_the_policy_a_new_secret_ends_the_old_one(self, realm: Realm) -> None:
        """And there is no rotated secret to be had: 404."""
        uuid = confidential(realm)
        realm.call("POST", f"/clients/{uuid}/client-secret")
        assert realm.token("shop", SECRET).status_code == 401
        assert realm.call("GET", f"/clients/{uuid}/client-secret/rotated").status_code == 404

    def test_the_rotated_secret_can_be_ended(self, realm: Realm) -> None:
        """DELETE of `client-secret/rotated`."""
        rotation(realm)
        uuid = confidential(realm)
        realm.call("POST", f"/clients/{uuid}/client-secret")
        assert realm.call("DELETE", f"/clients/{uuid}/client-secret/rotated").status_code == 204
        assert realm.token("shop", SECRET).status_code == 401


def ask(realm: Realm, headers: dict[str, str], path: str, **parameters: str) -> requests.Response:
    """A GET of the admin API as another user."""
    url = f"{realm.server.url}/admin/realms/{realm.name}{path}"
    return requests.get(url, params=parameters, headers=headers, timeout=60)


def signed_in(realm: Realm, *roles: str, user: str = "viewer") -> dict[str, str]:
    """The headers of a user of the realm with these roles of `realm-management`."""
    person = realm.add(
        "/users",
        {
            "username": user,
            "enabled": True,
            "email": f"{user}@example.org",
            "firstName": user,
            "lastName": user,
            "credentials": [{"type": "password", "value": "pass-word", "temporary": False}],
        },
    )
    management = realm.client("realm-management")["id"]
    chosen = [realm.get(f"/clients/{management}/roles/{role}") for role in roles]
    given = realm.call("POST", f"/users/{person}/role-mappings/clients/{management}", chosen)
    assert given.status_code == 204, given.text
    form = {"grant_type": "password", "client_id": "admin-cli", "username": user, "password": "pass-word"}
    answer = requests.post(realm.token_url, data=form, timeout=60)
    assert answer.ok, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def rotation(realm: Realm) -> None:
    """Switch on the rotation of secrets for every client of the realm, by a client policy."""
    executor = {
        "executor": "secret-rotation",
        "configuration": {
            "expiration-period": 2592000,
            "rotated-expiration-period": 172800,
            "remaining-rotation-period": 864000,
        },
    }
    profile = {"name": "rotation", "executors": [executor]}
    put(realm, "/client-policies/profiles", {"profiles": [profile]})
    policy = {
        "name": "rotation",
        "enabled": True,
        "conditions": [{"condition": "client-access-type", "configuration": {"type": ["confidential"]}}],
        "profiles": ["rotation"],
    }
    put(realm, "/client-policies/policies", {"policies": [policy]})


class TestClientScopes:
    """Trap 7: client scopes."""

    def test_put_needs_the_name(self, realm: Realm) -> None:
        """Without it the server fails (500); every other field that is not sent is kept."""
        orders = scope(realm, "orders", description="Orders")
        put(realm, f"/client-scopes/{orders}", {"description": "new"}, status=500)
        put(realm, f"/client-scopes/{orders}", {"name": "orders"})
        found = realm.get(f"/client-scopes/{orders}")
        assert (found["description"], found["protocol"]) == ("Orders", "openid-connect")

    def test_post_needs_the_protocol(self, realm: Realm) -> None:
        """400 without."""
        assert realm.call("POST", "/client-scopes", {"name": "orders"}).status_code == 400

    def test_attributes_merge_and_mappers_are_ignored_in_put(self, realm: Realm) -> None:
        """Mappers have an endpoint of their own; the server adds attributes that nobody sent."""
        orders = scope(realm, "orders", attributes={"include.in.token.scope": "false", "by.hand": "1"})
        body = {"name": "orders", "attributes": {"include.in.token.scope": "true"}, "protocolMappers": []}
        mapper = {
            "name": "audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": "orders"},
        }
        realm.add(f"/client-scopes/{orders}/protocol-mappers/models", mapper)
        put(realm, f"/client-scopes/{orders}", body)
        found = realm.get(f"/client-scopes/{orders}")
        assert found["attributes"]["by.hand"] == "1"
        assert found["attributes"]["include.in.token.scope"] == "true"
        assert [each["name"] for each in found["protocolMappers"]] == ["audience"]

    @pytest.mark.parametrize("name", ["two words", 'a"quote', "back\\slash", "ünicode", ""])
    def test_a_name_must_be_a_scope_token(self, name: str, realm: Realm) -> None:
        """RFC 6749, section 3.3: printable ASCII without space, quote and backslash."""
        answer = realm.call("POST", "/client-scopes", {"name": name, "protocol": "openid-connect"})
        assert answer.status_code == 400

    def test_a_name_that_is_taken_is_a_conflict(self, realm: Realm) -> None:
        """409 on POST and on renaming."""
        orders = scope(realm, "orders")
        scope(realm, "other")
        body = {"name": "orders", "protocol": "openid-connect"}
        assert realm.call("POST", "/client-scopes", body).status_code == 409
        put(realm, f"/client-scopes/{orders}", {"name": "other"}, status=409)

    def test_the_list_has_no_pages(self, realm: Realm) -> None:
        """`first` and `max` are ignored."""
        assert len(realm.get("/client-scopes", params={"first": 0, "max": 1})) > 1

    def test_the_last_client_scope_stays(self, realm: Realm) -> None:
        """All others can go, the realm's own among them."""
        found = realm.get("/client-scopes")
        statuses = [realm.call("DELETE", f"/client-scopes/{each['id']}").status_code for each in found]
        assert statuses[:-1] == [204] * (len(found) - 1)
        assert statuses[-1] == 403


class TestRealmAndRoles:
    """Trap 8: the PUT of a realm and of a role."""

    def test_a_role_put_clears_the_description_that_is_not_sent(self, realm: Realm) -> None:
        """Name and description are set as sent; attributes are replaced when sent and kept when not."""
        realm.add("/roles", {"name": "clerk", "description": "sells"})
        put(realm, "/roles/clerk", {"name": "clerk", "description": "sells", "attributes": {"a": ["1"], "b": ["2"]}})
        put(realm, "/roles/clerk", {"name": "clerk"})
        found = realm.get("/roles/clerk")
        assert found.get("description") is None
        assert found["attributes"] == {"a": ["1"], "b": ["2"]}
        put(realm, "/roles/clerk", {"name": "clerk", "attributes": {"a": ["3"]}})
        assert realm.get("/roles/clerk")["attributes"] == {"a": ["3"]}

    def test_a_realm_put_keeps_fields_and_its_attributes(self, realm: Realm) -> None:
        """Fields that are not sent stay."""
        put(realm, "", {"accessTokenLifespan": 77, "attributes": {"one": "1", "two": "2"}})
        put(realm, "", {"ssoSessionIdleTimeout": 700})
        found = realm.get()
        assert (found["accessTokenLifespan"], found["ssoSessionIdleTimeout"]) == (77, 700)
        assert found["attributes"]["one"] == "1"
        put(realm, "", {"attributes": {"one": "11"}})
        found = realm.get()["attributes"]
        assert found["one"] == "11"
        assert "two" not in found

    def test_default_scopes_of_a_realm_are_ignored_in_put(self, realm: Realm) -> None:
        """They have endpoints of their own."""
        scope(realm, "orders")
        put(realm, "", {"defaultDefaultClientScopes": ["orders"]})
        assert "orders" not in {each["name"] for each in realm.get("/default-default-client-scopes")}

    def test_an_absent_realm_is_404(self, keycloak: Keycloak) -> None:
        """And not an empty answer."""
        assert keycloak.call("GET", "/no-such-realm").status_code == 404
        assert keycloak.call("GET", "/no-such-realm/clients").status_code == 404


class TestRevocation:
    """Trap 9: what ends a token."""

    def test_client_credentials_make_no_session_and_not_before_ends_their_tokens(self, realm: Realm) -> None:
        """In no listing, but introspection tells the truth after `notBefore` of the client."""
        uuid = introspectable(realm)
        token = realm.token("shop", SECRET).json()["access_token"]
        assert realm.get(f"/clients/{uuid}/user-sessions") == []
        assert realm.get(f"/clients/{uuid}/session-count") == {"count": 0}
        assert realm.introspect(token, "shop", SECRET)["active"] is True
        put(realm, f"/clients/{uuid}", {**realm.get(f"/clients/{uuid}"), "notBefore": int(time.time()) + 1})
        assert realm.introspect(token, "shop", SECRET)["active"] is False

    def test_not_before_of_the_realm_ends_tokens_too(self, realm: Realm) -> None:
        """The server of the pinned version looks at both."""
        introspectable(realm)
        token = realm.token("shop", SECRET).json()["access_token"]
        assert realm.introspect(token, "shop", SECRET)["active"] is True
        put(realm, "", {"notBefore": int(time.time()) + 1})
        assert realm.introspect(token, "shop", SECRET)["active"] is False

    def test_introspection_tells_only_clients_in_the_audience(self, realm: Realm) -> None:
        """`active: false` for any other, the client itself among them: no answer about a token's life (since 26.6.2)."""
        confidential(realm)
        confidential(realm, "orders", protocolMappers=audience("shop"))
        of_shop = realm.token("shop", SECRET).json()["access_token"]
        assert realm.introspect(of_shop, "shop", SECRET) == {"active": False}
        assert realm.introspect(of_shop, "orders", SECRET) == {"active": False}
        of_orders = realm.token("orders", SECRET).json()["access_token"]
        assert realm.introspect(of_orders, "shop", SECRET)["active"] is True
        assert realm.introspect(of_orders, "orders", SECRET) == {"active": False}

    def test_not_before_counts_whole_seconds_and_spares_the_second_itself(self, realm: Realm) -> None:
        """A token of the same second lives on: revoke with the next second, and new tokens wait for it."""
        uuid = introspectable(realm)
        answer = realm.token("shop", SECRET).json()
        issued = realm.introspect(answer["access_token"], "shop", SECRET)["iat"]
        whole = realm.get(f"/clients/{uuid}")
        put(realm, f"/clients/{uuid}", {**whole, "notBefore": issued})
        assert realm.introspect(answer["access_token"], "shop", SECRET)["active"] is True
        put(realm, f"/clients/{uuid}", {**whole, "notBefore": issued + 1})
        assert realm.introspect(answer["access_token"], "shop", SECRET)["active"] is False

    def test_a_disabled_client_gets_no_token_and_its_tokens_are_not_active(self, realm: Realm) -> None:
        """A block; enabling it again makes an old token active again."""
        uuid = introspectable(realm)
        token = realm.token("shop", SECRET).json()["access_token"]
        assert realm.introspect(token, "orders", SECRET)["active"] is True
        put(realm, f"/clients/{uuid}", {**realm.get(f"/clients/{uuid}"), "enabled": False})
        assert realm.token("shop", SECRET).status_code == 401
        assert realm.introspect(token, "orders", SECRET)["active"] is False
        put(realm, f"/clients/{uuid}", {**realm.get(f"/clients/{uuid}"), "enabled": True})
        assert realm.introspect(token, "orders", SECRET)["active"] is True

    def test_one_token_is_revoked_by_its_client(self, realm: Realm) -> None:
        """RFC 7009; 200 for a token that nobody knows."""
        introspectable(realm)
        token = realm.token("shop", SECRET).json()["access_token"]
        assert realm.introspect(token, "orders", SECRET)["active"] is True
        for each in (token, "nonsense"):
            answer = requests.post(
                f"{realm.issuer}/protocol/openid-connect/revoke", {"token": each}, auth=("shop", SECRET), timeout=60
            )
            assert answer.status_code == 200
        assert realm.introspect(token, "orders", SECRET)["active"] is False

    def test_pushing_tells_clients_with_an_admin_url_only(self, realm: Realm) -> None:
        """An empty answer without one: a push by itself revokes nothing."""
        uuid = introspectable(realm)
        token = realm.token("shop", SECRET).json()["access_token"]
        assert realm.call("POST", f"/clients/{uuid}/push-revocation").json() == {}
        assert realm.call("POST", "/push-revocation").json() == {}
        assert realm.introspect(token, "shop", SECRET)["active"] is True


class TestReading:
    """Trap 10 and what was read about lists."""

    def test_a_role_of_a_client_is_a_lock(self, realm: Realm) -> None:
        """One name, one role; it goes by its id, and the id of one that is gone hits no successor. Attributes stay."""
        uuid = confidential(realm)
        body = {"name": "lock", "attributes": {"holder": ["me"]}}
        assert realm.call("POST", f"/clients/{uuid}/roles", body).status_code == 201
        assert realm.call("POST", f"/clients/{uuid}/roles", body).status_code == 409
        role = realm.get(f"/clients/{uuid}/roles/lock")
        assert role["attributes"] == {"holder": ["me"]}
        assert realm.call("DELETE", f"/roles-by-id/{role['id']}").status_code == 204
        assert realm.call("POST", f"/clients/{uuid}/roles", body).status_code == 201
        assert realm.call("DELETE", f"/roles-by-id/{role['id']}").status_code == 404
        assert realm.get(f"/clients/{uuid}/roles/lock")["id"] != role["id"]

    def test_a_path_takes_the_uuid_and_not_the_client_id(self, realm: Realm) -> None:
        """Two steps: find by `clientId`, then use the id; `clientId` is an exact match unless `search` is set."""
        uuid = confidential(realm)
        confidential(realm, "shop-two")
        assert realm.call("GET", "/clients/shop").status_code == 404
        assert realm.client("shop")["id"] == uuid
        found = realm.get("/clients", params={"clientId": "SHOP", "search": "true"})
        assert {each["clientId"] for each in found} == {"shop", "shop-two"}

    def test_clients_come_all_at_once_or_by_pages_in_a_stable_order(self, realm: Realm) -> None:
        """Without `max` all; with it pages that neither overlap nor leave out; the scopes come with each."""
        for number in range(105):
            realm.add("/clients", {"clientId": f"c{number:03}", "publicClient": True})
        everything = [each["clientId"] for each in realm.get("/clients")]
        assert len(everything) > 105
        paged: list[str] = []
        while page := realm.get("/clients", params={"first": len(paged), "max": 40}):
            paged += [each["clientId"] for each in page]
            assert all("defaultClientScopes" in each for each in page)
        assert paged == everything == sorted(everything)

    def test_clients_are_not_found_by_an_attribute_that_the_server_does_not_allow(self, realm: Realm) -> None:
        """`q=key:value` works for keys in a start option of the server only; marks of ownership are found by reading."""
        confidential(realm, attributes={"oauthdeploy.owner": "shop-team"})
        answer = realm.call("GET", "/clients", params={"q": "oauthdeploy.owner:shop-team"})
        assert answer.status_code == 400
        assert "not allowed for search" in answer.text

    def test_a_service_account_that_is_off_has_no_user(self, realm: Realm) -> None:
        """400, where one would expect 404."""
        uuid = realm.add("/clients", {"clientId": "shop"})
        assert realm.call("GET", f"/clients/{uuid}/service-account-user").status_code == 400
        with_account = confidential(realm, "with")
        assert realm.get(f"/clients/{with_account}/service-account-user")["username"] == "service-account-with"

    def test_errors_are_json_with_words(self, realm: Realm) -> None:
        """`errorMessage` for what was refused, `error` for what was not found or not allowed."""
        confidential(realm)
        assert "errorMessage" in realm.call("POST", "/clients", {"clientId": "shop"}).json()
        assert "error" in realm.call("GET", "/clients/no-such").json()
        bare = requests.get(f"{realm.server.url}/admin/realms/{realm.name}/clients", timeout=60)
        assert bare.status_code == 401
