"""What a server that is no Keycloak, or a hostile one, may answer: an error of ours each time, and never a guess."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import (
    Forbidden,
    NotFound,
    ServerError,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
    Unsupported,
)
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Driver, Wanted
from oauthdeploy.drivers.keycloak.facts import FACTS
from oauthdeploy.drivers.registry import open_driver
from oauthdeploy.model.objects import Client
from oauthdeploy.model.servers import Server
from oauthdeploy.planning.changes import Action, Change, Reason, Stage
from oauthdeploy.planning.diff import compare_object
from tests.drivers.keycloak.site import KINDS
from tests.drivers.kit import HERE, Says, Script, Seen, says, serving
from tests.drivers.webmethods.site import at

pytestmark = pytest.mark.live

TOKEN = says({"access_token": "t", "token_type": "Bearer", "expires_in": 60})
REALM = {
    "realm": "payments",
    "sslRequired": "external",
    "accessTokenLifespan": 300,
    "accessCodeLifespan": 60,
    "clientPolicies": {"policies": []},
    "clientProfiles": {"profiles": []},
}
HTML = Says(200, b"<html>Sign in</html>", content_type="text/html")
NEW = Change(at(Kind.CLIENT, "shop"), Action.CREATE, Reason.MISSING, Stage.WIDEN_AUTHORIZATION, desired=Client())


def answering(**by_path: Any) -> Script:
    """A server that answers by the last part of the path; a realm and empty lists otherwise."""

    def script(seen: Seen) -> Says:
        path = seen.path.partition("?")[0]
        name = path.rsplit("/", 1)[-1].replace("-", "_")
        answer = by_path.get(name)
        if callable(answer):
            answer = answer(seen)
        if answer is not None:
            return answer if isinstance(answer, Says) else says(answer)
        if name == "token":
            return TOKEN
        return says(REALM if name == "payments" else [])

    return script


class Opened:
    def __init__(self, url: str, **limits: Any) -> None:
        entry = Server.model_validate(
            {
                "role": "authorization",
                "driver": "keycloak",
                "url": url,
                "credentials": {"client_id": "deployer", "client_secret": "s3cret-canary"},
                "options": {"realm": "payments"},
                "limits": {"retries": 0, "timeout": 5, **limits},
            }
        )
        self.driver: Driver = open_driver("login", entry, entry.credentials, entry.options, read_only=False, base=HERE)

    def __enter__(self) -> Driver:
        return self.driver

    def __exit__(self, *_args: object) -> None:
        self.driver.close()


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"token": HTML}, UnexpectedAnswer),
        ({"token": says({"error": "Realm does not exist"}, 404)}, Unauthorized),
        ({"token": says({"error": "invalid_client"}, 401)}, Unauthorized),
        ({"token": says({}, 503)}, Unreachable),
        ({"payments": HTML}, UnexpectedAnswer),
        ({"payments": says([])}, UnexpectedAnswer),
        ({"payments": says({"error": "x"}, 401)}, Unauthorized),
        ({"payments": says({"error": "x"}, 403)}, Forbidden),
        ({"payments": says({"error": "Realm not found."}, 404)}, Unsupported),
        ({"payments": says({"error": "x"}, 500)}, ServerError),
        ({"payments": Says(302, b"", {"Location": "https://elsewhere.example.com/"})}, UnexpectedAnswer),
    ],
)
def test_an_address_that_is_not_the_api_is_told_at_once(answers: dict[str, Any], kind: type[ServerError]) -> None:
    """By check and by read alike, without the secret."""
    with serving(answering(**answers)) as running, Opened(running.url) as driver:
        for ask in (driver.check, lambda: driver.read(Wanted({}, KINDS))):
            with pytest.raises(kind) as caught:
                ask()
            assert "canary" not in f"{caught.value} {caught.value.detail}"


@pytest.mark.parametrize(
    "garbage",
    [
        {"clients": {"no": "list"}},
        {"clients": [17]},
        {"clients": [{"id": "1"}]},
        {"clients": [{"id": "1", "clientId": "a", "name": "a"}]},
        {"clients": {"ids": ["1"], "clients": [{"id": "1", "clientId": "a", "enabled": True}]}},
        {"client_scopes": [{"id": "1"}]},
        {"payments": {**REALM, "clientPolicies": {"policies": 7}}},
        {"clients": HTML},
        {"client_scopes": says({"error": "HTTP 403 Forbidden"}, 403)},
    ],
)
def test_what_is_garbled_is_unreadable(garbage: dict[str, Any]) -> None:
    """A kind that breaks the API's word makes no changes; the others are read."""
    with serving(answering(**garbage)) as running, Opened(running.url) as driver:
        state = driver.read(Wanted({}, KINDS))
        assert state.unreadable
        assert not {address.kind for address in state.objects} & state.unreadable.keys()
        whole = {Kind.SETTINGS} if "payments" not in garbage else {Kind.SCOPE, Kind.CLIENT}
        assert not whole & state.unreadable.keys()


@pytest.mark.parametrize(
    ("answers", "address", "unparsed"),
    [
        # Keycloak keeps whether a client gets refresh tokens among its attributes, beside its lifetimes.
        ({"clients": [{"attributes": [1]}]}, "client/a", {"grants": "[1]", "tokens.access_lifetime": "[1]"}),
        (
            {"clients": [{"attributes": {"access.token.lifespan": "300 "}}]},
            "client/a",
            {"tokens.access_lifetime": '"300 "'},
        ),
        ({"clients": [{"redirectUris": [7]}]}, "client/a", {"redirect_uris": "[7]"}),
        ({"clients": [{"standardFlowEnabled": "perhaps"}]}, "client/a", {"grants": '"perhaps"'}),
        ({"clients": [{"defaultClientScopes": "x", "enabled": True}]}, "client/a", {}),
        ({"client_scopes": [{"description": {"secret": "x"}}]}, "scope/a", {"description": '{"secret": "***"}'}),
        ({"payments": {**REALM, "sslRequired": "maybe"}}, "settings", {"require_https": '"maybe"'}),
        ({"payments": {**REALM, "accessTokenLifespan": "soon"}}, "settings", {"access_token_lifetime": '"soon"'}),
        ({"payments": {**REALM, "accessCodeLifespan": -1}}, "settings", {"authorization_code_lifetime": "-1"}),
    ],
)
def test_an_odd_value_spoils_its_own_field_alone(
    answers: dict[str, Any], address: str, unparsed: dict[str, str]
) -> None:
    """It is shown as it is, and every kind and every other object is read."""
    for found in answers.values():
        if isinstance(found, list):
            found[0] |= {"id": "1", "clientId": "a", "name": "a"}
    with serving(answering(**answers)) as running, Opened(running.url) as driver:
        state = driver.read(Wanted({}, KINDS))
    assert not state.unreadable
    live = state.objects[Address.parse(f"{address}@login")]
    assert {path: shown.text for path, shown in live.unparsed.items()} == unparsed


def test_client_scopes_that_can_not_be_read_are_not_none() -> None:
    """Of a client that the manifest names: nothing is given to it or taken from it, and the client itself is read."""
    body = [{"id": "1", "clientId": "a", "enabled": True, "defaultClientScopes": "x"}]
    wanted = Wanted({at(Kind.CLIENT, "a"): Client(enabled=True)}, KINDS)
    with serving(answering(clients=body)) as running, Opened(running.url) as driver:
        state = driver.read(wanted)
    assert state.unreadable.keys() == {Kind.ASSOCIATION}
    assert at(Kind.CLIENT, "a") in state.objects


def test_a_secret_that_is_masked_or_withheld_is_not_compared() -> None:
    """Blind, and no drift."""
    wanted = Client.model_validate({"secret": {"value": "ours"}})
    for told in ({"secret": "**********"}, {}):
        body = [{"id": "1", "clientId": "shop", "publicClient": False, **told}]
        with serving(answering(clients=body)) as running, Opened(running.url) as driver:
            live = driver.read(Wanted({at(Kind.CLIENT, "shop"): wanted}, frozenset({Kind.CLIENT}))).objects
        difference = compare_object(wanted, live[at(Kind.CLIENT, "shop")], FACTS)
        assert (difference.fields, difference.incomparable) == ((), ("secret.value",))


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_create_whose_answer_got_lost_is_looked_up_before_it_is_tried_again(carried_out: bool) -> None:
    """Found: it is done. Not found: it is made, once."""
    made: list[dict[str, Any]] = []
    posts: list[Seen] = []

    def clients(seen: Seen) -> Says:
        if seen.method != "POST":
            return says(made)
        posts.append(seen)
        lost = len(posts) == 1
        if carried_out or not lost:
            made.append({"id": "1", **seen.json})
        return Says(drop=True) if lost else Says(201, b"")

    with serving(answering(clients=clients)) as running, Opened(running.url) as driver:
        (applied,) = driver.apply([NEW])
    assert applied.identity == "1"
    assert len(made) == 1
    assert bool(applied.note) is carried_out


def test_a_client_that_vanished_is_an_error_and_its_delete_is_not() -> None:
    """404 for a change of it; a delete has nothing left to do."""
    live_client = [{"id": "1", "clientId": "shop", "enabled": True}]
    gone = {"clients": live_client, "1": says({"error": "Could not find client"}, 404)}
    with serving(answering(**gone)) as running, Opened(running.url) as driver:
        state = driver.read(Wanted({}, frozenset({Kind.CLIENT})))
        live = state.objects[at(Kind.CLIENT, "shop")]
        change = Change(
            at(Kind.CLIENT, "shop"),
            Action.UPDATE,
            Reason.DIFFERS,
            Stage.WIDEN_AUTHORIZATION,
            desired=Client(enabled=False),
            live=live,
        )
        with pytest.raises(NotFound, match="no client 'shop'"):
            driver.apply([change])
        delete = Change(
            at(Kind.CLIENT, "shop"), Action.DELETE, Reason.MARKED_ABSENT, Stage.NARROW_AUTHORIZATION, live=live
        )
        (applied,) = driver.apply([delete])
        assert applied.note == "It was already gone."


def test_a_write_whose_look_afterwards_fails_is_uncertain() -> None:
    """It was made; what stands there nobody knows."""

    def clients(seen: Seen) -> Says:
        return Says(201, b"") if seen.method == "POST" else says({"error": "x"}, 500)

    with serving(answering(clients=clients)) as running, Opened(running.url) as driver:
        with pytest.raises(ServerError) as caught:
            driver.apply([NEW])
        assert caught.value.uncertain


@pytest.mark.parametrize("live", ["live-canary", None])
def test_a_server_that_quotes_an_option_that_is_secret_is_not_repeated(
    live: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither what was sent nor what stood there, in an error or in the trace."""
    note = Secret("new-canary", "${env:NOTE}")
    wanted = Client.model_validate({"options": {"keycloak": {"attributes": {"note": note, "theme": "dark"}}}})
    address = at(Kind.CLIENT, "shop")
    standing = {
        "id": "1",
        "clientId": "shop",
        "attributes": {"by.hand": "hand-canary", **({"note": live} if live else {})},
    }

    def one(seen: Seen) -> Says:
        if seen.method != "PUT":
            return says(standing)
        return says({"errorMessage": f"not with {live or 'new-canary'} but {seen.json['attributes']['note']}"}, 400)

    script = answering(**{"clients": [standing], "1": one})
    with caplog.at_level(logging.DEBUG), serving(script) as running, Opened(running.url) as driver:
        found = driver.read(Wanted({address: wanted}, frozenset({Kind.CLIENT}))).objects[address]
        fields = compare_object(wanted, found, FACTS).fields
        change = Change(
            address, Action.UPDATE, Reason.DIFFERS, Stage.WIDEN_AUTHORIZATION, fields=fields, desired=wanted, live=found
        )
        with pytest.raises(ServerError) as caught:
            driver.apply([change])
    assert running.seen[-1].json["attributes"] == {"note": "new-canary", "theme": "dark"}
    assert "'theme': 'dark'" in caplog.text
    assert "canary" not in f"{caught.value!r} {caught.value} {caught.value.detail} {caplog.text} {found!r} {change!r}"
