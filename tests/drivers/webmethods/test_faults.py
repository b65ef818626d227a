"""Servers that misbehave: lost answers, garbage, missing parts. Scripted, since a sound server won't do these things."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import DeliveryFailed, Rejected, ServerError, UnexpectedAnswer, Unreachable, Unsupported
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Driver, Wanted
from oauthdeploy.drivers.registry import open_driver
from oauthdeploy.model.objects import Client, Object, Revocation, Scope, Settings, Trust
from oauthdeploy.model.servers import Server
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
from tests.drivers.kit import Running, Says, Seen, says, serving
from tests.drivers.webmethods.site import KINDS, at
from tests.drivers.webmethods.test_openapi_document import published

pytestmark = pytest.mark.live

Handler = Callable[[Seen], Says | None]


@contextmanager
def server_with(*handlers: Handler, document: Any = None, role: str = "both") -> Iterator[tuple[Driver, Running]]:
    """A driver on a server that gives the published document and then asks the handlers; the rest is 404."""

    def answer(seen: Seen) -> Says:
        for handler in handlers:
            made = handler(seen)
            if made is not None:
                return made
        if seen.path == "/admin/swagger/integrationServer":
            return says(published() if document is None else document)
        return says({"message": "not here"}, 404)

    with serving(answer) as server:
        entry = Server.model_validate(
            {"role": role, "driver": "webmethods", "url": server.url, "limits": {"retries": 0, "timeout": 5}}
        )
        driver = open_driver(
            "login", entry, {"username": "u", "password": "pass-w0rd"}, {}, read_only=False, base=Path()
        )
        try:
            yield driver, server
        finally:
            driver.close()


def on(method: str, path: str, *answers: Says) -> Handler:
    """Answers to one method and path, one after the other; the last one repeats."""
    left = list(answers)

    def handle(seen: Seen) -> Says | None:
        if seen.method != method or seen.path.partition("?")[0] != path:
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    return handle


def create(kind: Kind, name: str, desired: Object) -> Change:
    return Change(at(kind, name), Action.CREATE, Reason.MISSING, Stage.WIDEN_AUTHORIZATION, desired=desired)


RAW_CLIENT = {
    "client_id": "id-1",
    "name": "c",
    "version": 1,
    "type": "Confidential",
    "redirect_uris": [],
    "scopes": [],
    "enabled": True,
}
RAW_SCOPE = {"name": "s", "FoldersAndServices": [], "urlTemplates": []}
DROP = Says(drop=True)
BY_NAME = "/admin/oauth/client/c/version/1"


def test_a_create_whose_answer_is_lost_is_looked_up() -> None:
    """It is there now: adopted, and not made twice."""
    found = says(RAW_CLIENT)
    with server_with(on("POST", "/admin/oauth/client", DROP), on("GET", BY_NAME, found)) as (driver, server):
        (made,) = driver.apply([create(Kind.CLIENT, "c", Client())])
        assert made.identity == "id-1"
        assert "answer was lost" in made.note
        assert [seen.method for seen in server.seen if "client" in seen.path] == ["POST", "GET"]


def test_a_look_that_fails_after_a_write_leaves_the_end_open() -> None:
    """The answer to the create is lost and so is that to the look: the end is unknown, not failed."""
    with (
        server_with(on("POST", "/admin/oauth/client", DROP), on("GET", BY_NAME, DROP)) as (driver, _server),
        pytest.raises(ServerError) as caught,
    ):
        driver.apply([create(Kind.CLIENT, "c", Client(version="1"))])
    assert caught.value.method == "GET"
    assert caught.value.uncertain


def test_a_create_that_never_arrived_is_tried_once_more() -> None:
    """It is not there: so it is safe to send again."""
    posts = on("POST", "/admin/oauth/client", DROP, says(RAW_CLIENT, 201))
    with server_with(posts) as (driver, server):
        (made,) = driver.apply([create(Kind.CLIENT, "c", Client())])
        assert made.identity == "id-1"
        assert not made.note
        assert [seen.method for seen in server.seen if "client" in seen.path] == ["POST", "GET", "POST"]


def test_a_create_that_arrives_late_is_adopted_after_the_conflict() -> None:
    """The first request was still on its way; the second one meets it."""
    posts = on("POST", "/admin/oauth/client", DROP, says({"message": "exists"}, 409))
    looks = on("GET", BY_NAME, says({}, 404), says(RAW_CLIENT))
    with server_with(posts, looks) as (driver, _server):
        (made,) = driver.apply([create(Kind.CLIENT, "c", Client())])
        assert made.identity == "id-1"


def test_a_create_of_unknown_end_stays_uncertain() -> None:
    """Twice no answer and nothing to be seen: nobody knows, and the error says so."""
    with (
        server_with(on("POST", "/admin/oauth/client", DROP)) as (driver, _server),
        pytest.raises(Unreachable) as caught,
    ):
        driver.apply([create(Kind.CLIENT, "c", Client())])
    assert caught.value.uncertain


def test_a_refused_create_is_not_looked_up() -> None:
    """A clear no needs no second look."""
    with server_with(on("POST", "/admin/oauth/client", says({"message": "bad name"}, 400))) as (driver, server):
        with pytest.raises(Rejected, match="rejects") as caught:
            driver.apply([create(Kind.CLIENT, "c", Client())])
        assert not caught.value.uncertain
        assert caught.value.words == "bad name"
        assert len(server.seen) == 2


def test_a_secret_that_was_lost_with_the_answer_is_said_to_be_lost() -> None:
    """With the way back; where the server tells the secret again, nothing is lost."""
    wish = Client.model_validate({"secret": {"generate": True, "deliver_to": {"file": "x"}}})
    post = on("POST", "/admin/oauth/client", DROP)
    with server_with(post, on("GET", BY_NAME, says(RAW_CLIENT))) as (driver, _server):
        with pytest.raises(DeliveryFailed, match="with its secret was lost") as caught:
            driver.apply([create(Kind.CLIENT, "c", wish)])
        assert "Delete the client 'c (1)'" in caught.value.fix
    with server_with(post, on("GET", BY_NAME, says({**RAW_CLIENT, "client_secret": "s3cr3t!"}))) as (driver, _server):
        (made,) = driver.apply([create(Kind.CLIENT, "c", wish)])
        assert made.secret is not None
        assert made.secret.reveal() == "s3cr3t!"


def test_a_scope_whose_answer_is_lost_is_looked_up() -> None:
    """The same for scopes."""
    raw = {"name": "s", "description": "d"}
    with server_with(on("POST", "/admin/oauth/scope", DROP), on("GET", "/admin/oauth/scope/s", says(raw))) as (
        driver,
        _s,
    ):
        (made,) = driver.apply([create(Kind.SCOPE, "s", Scope(description="d"))])
        assert made.value == Scope(description="d", resources=(), url_templates=())


def test_a_scope_is_offered_in_the_other_form_where_the_first_is_refused() -> None:
    """The document's wrapper may be a slip; what the server takes is remembered."""

    def bare_only(seen: Seen) -> Says | None:
        if (seen.method, seen.path) != ("POST", "/admin/oauth/scope"):
            return None
        return says({"message": "no name"}, 400) if "scopeInputData" in seen.json else says(seen.json, 201)

    with server_with(bare_only) as (driver, server):
        driver.apply([create(Kind.SCOPE, "a", Scope())])
        driver.apply([create(Kind.SCOPE, "b", Scope())])
        bodies = [seen.json for seen in server.seen if seen.method == "POST"]
        assert bodies == [{"scopeInputData": {"name": "a"}}, {"name": "a"}, {"name": "b"}]


def test_a_scope_that_is_refused_in_both_forms_keeps_the_first_words() -> None:
    """The second refusal would lead astray."""
    answers = (says({"message": "bad resource"}, 400), says({"message": "wrapper needed"}, 400))
    with (
        server_with(on("POST", "/admin/oauth/scope", *answers)) as (driver, _server),
        pytest.raises(Rejected) as caught,
    ):
        driver.apply([create(Kind.SCOPE, "a", Scope())])
    assert caught.value.words == "bad resource"


def test_an_answer_that_does_not_show_the_scope_is_followed_by_a_look() -> None:
    """What stands there is told by the server, never copied from the plan."""
    post = on("POST", "/admin/oauth/scope", says({"scopes": []}, 201))
    look = on("GET", "/admin/oauth/scope/s", says({"name": "s", "description": "other"}))
    with server_with(post, look) as (driver, _server):
        (made,) = driver.apply([create(Kind.SCOPE, "s", Scope(description="mine"))])
        assert isinstance(made.value, Scope)
        assert made.value.description == "other"


def test_a_garbled_answer_to_a_write_is_uncertain() -> None:
    """The write has most likely happened."""
    patch = on("PATCH", "/admin/oauth/globalsetting/", says("perhaps"))
    change = Change(
        at(Kind.SETTINGS),
        Action.UPDATE,
        Reason.DIFFERS,
        Stage.WIDEN_AUTHORIZATION,
        desired=Settings(require_https=True),
        fields=(FieldChange("require_https", False, True),),
    )
    look = on("GET", "/admin/oauth/globalsetting", says({"requireHTTPS": False}))
    with server_with(patch, look) as (driver, _server), pytest.raises(UnexpectedAnswer) as caught:
        driver.apply([change])
    assert caught.value.uncertain
    assert "perhaps" not in caught.value.summary


def test_a_patch_is_repeated_after_a_lost_answer() -> None:
    """A merge patch of whole values is safe to send twice; it is the whole object, as it was just before."""
    patch = on("PATCH", "/admin/oauth/scope/s", DROP, says({**RAW_SCOPE, "urlTemplates": ["a"], "description": "d"}))
    change = Change(
        at(Kind.SCOPE, "s"),
        Action.UPDATE,
        Reason.DIFFERS,
        Stage.WIDEN_RESOURCE,
        desired=Scope(description="d"),
        fields=(FieldChange("description", "", "d"),),
    )
    with server_with(patch, on("GET", "/admin/oauth/scope/s", says({**RAW_SCOPE, "urlTemplates": ["a"]}))) as (
        driver,
        server,
    ):
        driver.connection.http._limits = driver.connection.server.limits.model_copy(update={"retries": 1})
        (made,) = driver.apply([change])
        assert made.requests == 3
        whole = {**RAW_SCOPE, "urlTemplates": ["a"], "description": "d"}
        assert [seen.json for seen in server.seen if seen.method == "PATCH"] == [whole] * 2


GOOD_LISTS = (
    on("GET", "/admin/oauth/globalsetting", says({"requireHTTPS": True})),
    on("GET", "/admin/oauth/scope", says({"scopes": [RAW_SCOPE]})),
    on("GET", "/admin/oauth/client", says({"clients": [RAW_CLIENT]})),
)


@pytest.mark.parametrize(
    ("broken", "lost"),
    [
        (on("GET", "/admin/oauth/scope", says({"scopes": [RAW_SCOPE, {**RAW_SCOPE, "name": 5}]})), {Kind.SCOPE}),
        (on("GET", "/admin/oauth/scope", says({"message": "no"}, 403)), {Kind.SCOPE}),
        (on("GET", "/admin/oauth/scope", says({"message": "oops"}, 500)), {Kind.SCOPE}),
        (on("GET", "/admin/oauth/scope", Says(body=b"<p>", content_type="text/html")), {Kind.SCOPE}),
        (on("GET", "/admin/oauth/globalsetting", says([])), {Kind.SETTINGS, Kind.TRUST}),
        (on("GET", "/admin/oauth/globalsetting", says({"requireHTTPS": True, "authServerAlias": 7})), {Kind.TRUST}),
        (
            on("GET", "/admin/oauth/client", says({"clients": [RAW_CLIENT, {"name": "x", "url": "/y"}]})),
            {Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION},
        ),
        (
            on("GET", "/admin/oauth/client", says({"clients": [RAW_CLIENT, RAW_CLIENT]})),
            {Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION},
        ),
    ],
    ids=["element", "forbidden", "failed", "html", "no-settings", "alias", "unexpanded", "twice"],
)
def test_what_cannot_be_read_is_unreadable_and_the_rest_is_read(broken: Handler, lost: set[Kind]) -> None:
    """Never absent: an unreadable kind has no objects and a reason."""
    with server_with(broken, *GOOD_LISTS) as (driver, _server):
        state = driver.read(Wanted({}, KINDS))
    assert set(state.unreadable) == lost
    assert not {address.kind for address in state.objects} & lost
    assert {Kind.SCOPE, Kind.CLIENT, Kind.SETTINGS} - lost <= {address.kind for address in state.objects}
    assert all(found.summary and found.rule for found in state.unreadable.values())


def test_a_broken_token_list_makes_revocations_unreadable_and_nothing_else() -> None:
    """Clients are known all the same."""
    document = published()
    document["paths"]["/admin/oauth/token"] = {"get": {}}
    wanted = Wanted({at(Kind.REVOCATION, "r"): Revocation(client="c", tokens="all")}, KINDS)
    tokens = on("GET", "/admin/oauth/token", says({"tokens": [{"client_id": "id-1"}]}))
    with server_with(tokens, *GOOD_LISTS, document=document) as (driver, _server):
        state = driver.read(wanted)
    assert set(state.unreadable) == {Kind.REVOCATION}
    assert at(Kind.CLIENT, "c (1)") in state.objects


def test_an_alias_that_the_server_does_not_have_is_told_as_it_is() -> None:
    """A dangling name is a difference to repair, not a crash."""
    settings = on("GET", "/admin/oauth/globalsetting", says({"authServerAlias": "ghost"}))
    with server_with(settings) as (driver, _server):
        state = driver.read(Wanted({}, frozenset({Kind.TRUST})))
    assert state.objects[at(Kind.TRUST)].value == Trust(authorization_server="ghost", via="remote")


@pytest.mark.parametrize(
    ("document", "kind", "words"),
    [
        ({"paths": {"/admin/package": {"get": {}}}}, Unsupported, "no OAuth part"),
        ({"paths": {"/admin/oauth/token": {"get": {}}}}, Unsupported, "lacks GET /admin/oauth/globalsetting"),
        ([], UnexpectedAnswer, "is not one"),
    ],
)
def test_a_server_without_the_api_is_found_by_the_check(document: Any, kind: type[ServerError], words: str) -> None:
    """Before anything is planned, with what is needed."""
    with server_with(document=document) as (driver, server):
        with pytest.raises(kind, match=words) as caught:
            driver.check()
        assert len(server.seen) == 1
    if kind is Unsupported:
        assert "10.11" in caught.value.fix
        assert caught.value.exit_code == 8


def test_a_server_without_the_administrator_api_is_told_of_the_package() -> None:
    """404 for the document."""
    gone = on("GET", "/admin/swagger/integrationServer", says({}, 404))
    with server_with(gone) as (driver, _server), pytest.raises(Unsupported, match="no Administrator API") as caught:
        driver.check()
    assert "WmAdmin" in caught.value.fix


def test_no_error_and_no_trace_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A server that throws back all that it got, in an error, gives nothing away."""
    caplog.set_level("DEBUG")
    caplog.set_level("INFO", logger="urllib3")
    document = published()
    document["components"]["schemas"]["ClientIn"]["properties"]["client_secret"] = {}

    def echo(seen: Seen) -> Says | None:
        if seen.method != "POST":
            return None
        return says({"message": seen.body.decode() + json.dumps(dict(seen.headers))}, 400)

    wish = Client.model_validate({"secret": {"value": Secret("canary-value-1", "env:X")}})
    with server_with(echo, document=document) as (driver, server):
        with pytest.raises(Rejected) as caught:
            driver.apply([create(Kind.CLIENT, "c", wish)])
        assert server.seen[-1].json["client_secret"] == "canary-value-1"
    everything = (
        caplog.text + caught.value.detail + caught.value.summary + caught.value.fix + repr(caught.value.__dict__)
    )
    for canary in ("canary-value-1", "pass-w0rd", "dTpwYXNzLXcwcmQ"):
        assert canary not in everything


def test_names_that_no_path_can_carry_are_refused_before_they_are_sent() -> None:
    """DELETE of the scope '..' must not reach the collection above."""
    change = Change(at(Kind.SCOPE, ".."), Action.DELETE, Reason.MARKED_ABSENT, Stage.NARROW_RESOURCE)
    with server_with() as (driver, server):
        with pytest.raises(Rejected):
            driver.apply([change])
        assert [seen.method for seen in server.seen] == ["GET"]


def test_a_refresh_token_that_outlives_its_access_token_is_deleted_too() -> None:
    """For this API nothing says that the pair goes together, so a second look makes sure."""
    document = published()
    document["paths"]["/admin/oauth/token"] = {"get": {}}
    for family in ("accesstoken/{accessTokenId}", "refreshtoken/{refreshTokenId}"):
        document["paths"][f"/admin/oauth/token/{family}"] = {"delete": {}}
    row = {"client_id": "id-1", "accessTokenId": "at", "refreshTokenId": "rt", "remainingRefreshes": "3"}
    lists = on(
        "GET",
        "/admin/oauth/token",
        says({"tokens": [row]}),
        says({"tokens": [{**row, "accessTokenId": ""}]}),
        says({"tokens": []}),
    )
    access = on("DELETE", "/admin/oauth/token/accesstoken/at", Says(204, b"", content_type=None))
    refresh = on("DELETE", "/admin/oauth/token/refreshtoken/rt", Says(204, b"", content_type=None))
    wanted = Wanted({at(Kind.REVOCATION, "r"): Revocation(client="c", tokens="all")}, frozenset({Kind.REVOCATION}))
    clients = on("GET", "/admin/oauth/client", says({"clients": [RAW_CLIENT]}))
    first = on("GET", "/admin/oauth/token", says({"tokens": [row]}))
    with server_with(first, clients, document=document) as (driver, _server):
        live = driver.read(wanted).objects[at(Kind.REVOCATION, "r")]
    change = Change(
        at(Kind.REVOCATION, "r"),
        Action.REVOKE,
        Reason.CUT_OFF,
        Stage.CUT_OFF_AUTHORIZATION,
        desired=Revocation(client="c", tokens="all"),
        live=live,
    )
    with server_with(lists, access, refresh, document=document) as (driver, server):
        driver.apply([change])
        deleted = [seen.path for seen in server.seen if seen.method == "DELETE"]
    assert deleted == ["/admin/oauth/token/accesstoken/at", "/admin/oauth/token/refreshtoken/rt"]


# -- links ------------------------------------------------------------------------------------------------------------

LINKED = [{"name": "c", "url": "https://is/admin/oauth/client/id-1/"}]


def test_links_in_a_list_are_followed() -> None:
    """A server that doesn't know expand lists names and addresses; each object is then asked for by itself."""
    one = on("GET", "/admin/oauth/client/id-1", says(RAW_CLIENT))
    links = on("GET", "/admin/oauth/client", says({"clients": LINKED}))
    with server_with(links, one, *GOOD_LISTS) as (driver, _server):
        state = driver.read(Wanted({}, frozenset({Kind.CLIENT})))
    assert not state.unreadable
    assert [address.name for address in state.objects] == ["c (1)"]


@pytest.mark.parametrize(
    ("listed", "answer"),
    [
        (LINKED, says({"message": "no"}, 404)),
        (LINKED, says(LINKED[0])),
        ([{"name": f"c{n}", "url": f"/admin/oauth/client/{n}"} for n in range(501)], says(RAW_CLIENT)),
        ([RAW_CLIENT, *LINKED], says(RAW_CLIENT)),
    ],
    ids=["nowhere", "to-a-link", "too-many", "mixed"],
)
def test_links_that_lead_nowhere_are_no_absence(listed: Any, answer: Any) -> None:
    """Then nobody knows what stands there, and the kind is refused."""
    one = on("GET", "/admin/oauth/client/id-1", answer)
    links = on("GET", "/admin/oauth/client", says({"clients": listed}))
    with server_with(links, one, *GOOD_LISTS) as (driver, _server):
        state = driver.read(Wanted({}, frozenset({Kind.CLIENT})))
    assert state.unreadable.keys() == {Kind.CLIENT}
    assert not state.objects
