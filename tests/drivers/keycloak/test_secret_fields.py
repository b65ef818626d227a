"""What is secret in a client's representation goes back to the server and to nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.json_wire import masked, revealed, secrets_in
from oauthdeploy.drivers.keycloak.live_objects import client_object, scope_object
from oauthdeploy.drivers.keycloak.mapping import read_client
from oauthdeploy.drivers.keycloak.scopes import read_scope
from oauthdeploy.drivers.keycloak.secret_fields import sealed, sent_back
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.model.objects import Client, Scope
from oauthdeploy.planning.diff import compare_object
from oauthdeploy.planning.json_documents import field_document

FACTS = driver_facts()["keycloak"]

BODY: dict[str, Any] = {
    "id": "1",
    "clientId": "shop",
    "secret": "now-81",
    "registrationAccessToken": "registration-81",
    "attributes": {
        "client.secret.rotated": "before-81",
        "crm.password": "crm-81",
        "theme": "by-hand-81",
        "client_credentials.use_refresh_token": "true",
        "client.secret.creation.time": "1700000000",
        "oauthdeploy.revoked.leaked-token": "3",
    },
    "protocolMappers": [
        {"id": "2", "name": "crm", "protocolMapper": "crm", "config": {"api.key": "key-81", "url": "u-81"}}
    ],
    "enabled": True,
}


def test_what_is_secret_by_its_name_is_a_secret_where_it_is_read() -> None:
    """The secret, the rotated one, the registration token, a password among the attributes, a key of a mapper; and no more."""
    assert {secret.reveal() for secret in secrets_in(sealed(BODY))} == {
        "now-81",
        "registration-81",
        "before-81",
        "crm-81",
        "key-81",
    }
    assert revealed(sealed(BODY)) == BODY
    assert "-81" not in repr(read_client(BODY)).replace("by-hand-81", "").replace("u-81", "")


def test_the_trace_of_a_change_tells_what_changes_and_not_what_goes_back_as_it_came() -> None:
    """Who else keeps a secret in an attribute of any name finds it in no trace; the wire gets all as it was."""
    body = {**BODY, "attributes": {**BODY["attributes"], "login_theme": "dark"}, "description": "new"}
    traced = masked(sent_back(body, BODY))
    assert "-81" not in repr(traced)
    assert "-81" not in repr(sent_back(body, BODY))
    assert (traced["attributes"]["login_theme"], traced["description"]) == ("dark", "new")
    assert revealed(sent_back(body, BODY)) == body


@pytest.mark.parametrize("body", [{"clientId": "shop"}, {"clientId": "shop", "attributes": None}, {"attributes": {}}])
def test_a_client_without_secrets_is_as_it_was(body: dict[str, Any]) -> None:
    """Nothing is made up: no attributes, or null in their place."""
    assert sealed(body) == body
    assert sent_back(body, body) == body


WRITTEN = {
    "attributes": {"theme": Secret("canary-new", "${env:THEME}")},
    "protocol_mappers": {"crm": {"type": "crm", "config": {"url": Secret("canary-url", "${env:URL}")}}},
}


def test_what_the_manifest_keeps_secret_is_compared_and_shown_on_neither_side() -> None:
    """Whatever its name: the change names the field, both sides are Secrets, and equal ones are no change."""
    desired = Client(options={"keycloak": WRITTEN})
    live = client_object(read_client(BODY), desired, {}, "shop")
    fields = compare_object(desired, live, FACTS).fields
    assert [field.path for field in fields] == [
        "options.keycloak.attributes.theme",
        "options.keycloak.protocol_mappers.crm.config.url",
    ]
    assert [field_document(field)["before"] for field in fields] == [{"secret": "server"}] * 2
    assert "-81" not in repr(live) + repr(fields)
    equal = {
        **BODY,
        "attributes": {"theme": "canary-new"},
        "protocolMappers": [{**BODY["protocolMappers"][0], "config": {"url": "canary-url"}}],
    }
    assert compare_object(desired, client_object(read_client(equal), desired, {}, "shop"), FACTS).fields == ()


def test_a_fingerprint_says_of_a_secret_only_that_it_is_there() -> None:
    """A saved plan holds fingerprints; one that a secret had a part in would help to guess it."""
    desired = Client(options={"keycloak": WRITTEN})

    def mark(theme: str, key: str, wanted: Client | None = desired) -> str:
        mapper = {**BODY["protocolMappers"][0], "config": {"api.key": key}}
        raw = {**BODY, "attributes": {"theme": theme, "crm.password": key}, "protocolMappers": [mapper]}
        return client_object(read_client(raw), wanted, {}, "shop").fingerprint

    assert mark("one", "two") == mark("three", "four")
    assert mark("one", "two", None) == mark("one", "four", None)
    assert mark("one", "two", None) != mark("three", "two", None)


def test_a_client_scope_keeps_secrets_as_a_client_does() -> None:
    """Attributes and mappers of scopes are the same to Keycloak."""
    raw = {**BODY, "name": "orders.read"}
    desired = Scope(options={"keycloak": WRITTEN})
    live = scope_object(read_scope(raw), desired, "none", "shop")
    assert "-81" not in repr(live)
    assert {field.path.rpartition(".")[2] for field in compare_object(desired, live, FACTS).fields} == {"theme", "url"}
    other = {**raw, "attributes": {**raw["attributes"], "theme": "other"}}
    assert scope_object(read_scope(other), desired, "none", "shop").fingerprint == live.fingerprint


def test_an_empty_secret_asks_for_nothing_and_is_fulfilled_by_nothing() -> None:
    """Keycloak drops an attribute that is empty, so it would differ for ever."""
    desired = Client(options={"keycloak": {"attributes": {"theme": Secret("", "${env:THEME}")}}})
    live = client_object(read_client({**BODY, "attributes": {}}), desired, {}, "shop")
    assert compare_object(desired, live, FACTS).fields == ()
