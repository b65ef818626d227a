"""What a real OPA won't answer on demand: faults, and hostile data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import Conflict, Rejected, ServerError, UnexpectedAnswer
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.drivers.opa.driver import TRIES
from tests.drivers.kit import Running, Says, Seen, says, serving
from tests.drivers.opa.site import KINDS, OWNER, Site, at, client, plan_of
from tests.servers.opa import Opa

pytestmark = pytest.mark.live

NEW = {at(Kind.CLIENT, "a"): client()}
Answers = Callable[[Seen], Says]


def site_of(server: Running) -> Site:
    return Site(Opa(server.url, None))  # type: ignore[arg-type]


def answering(**by_method: Says) -> Answers:
    return lambda seen: by_method.get(seen.method, says({}))


@pytest.mark.parametrize("body", [[], "x", {"result": []}, {"result": 1}, {"result": None}])
def test_what_is_no_document_makes_every_kind_unreadable(body: Any) -> None:
    """Never absent: nothing would then be created over it."""
    with serving(answering(GET=says(body))) as server, site_of(server).driver() as driver:
        state = driver.read(Wanted(NEW, KINDS, owner=OWNER))
        assert state.unreadable.keys() == KINDS
        assert not state.objects
        with pytest.raises(UnexpectedAnswer):
            driver.check()


def test_one_bad_section_hides_its_kind_and_no_other() -> None:
    """The finding names the place."""
    document = {"clients": 7, "scopes": {"s": {}}}
    with serving(answering(GET=says({"result": document}))) as server, site_of(server).driver() as driver:
        state = driver.read(Wanted({}, KINDS, owner=OWNER))
    assert state.unreadable.keys() == {Kind.CLIENT}
    assert "clients is not an object" in state.unreadable[Kind.CLIENT].detail
    assert at(Kind.SCOPE, "s") in state.objects


def test_a_document_that_never_rests_is_given_up() -> None:
    """After some tries a conflict is told; nothing was written."""
    answers = answering(GET=says({"result": {}}), PATCH=says({"code": "resource_not_found"}, 404))
    with serving(answers) as server, site_of(server).driver() as driver:
        with pytest.raises(Conflict) as caught:
            driver.apply(plan_of(driver, site_of(server).desired(NEW)).changes)
        assert not caught.value.uncertain
        assert [seen.method for seen in server.seen].count("PATCH") == TRIES


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_write_whose_answer_is_lost_is_uncertain(method: str) -> None:
    """It is sent once; the engine looks what became of it."""
    there = says({}) if method == "PUT" else says({"result": {}})
    with serving(answering(GET=there, **{method: Says(drop=True)})) as server:
        with site_of(server).driver(retries=3) as driver:
            changes = plan_of(driver, site_of(server).desired(NEW)).changes
            with pytest.raises(ServerError) as caught:
                driver.apply(changes)
        assert caught.value.uncertain
        assert [seen.method for seen in server.seen].count(method) == 1


def test_a_look_that_fails_after_the_write_is_uncertain() -> None:
    """The write may stand; nobody could see."""
    looks = iter([says({}), says({}), says({"code": "x"}, 500)])

    def answer(seen: Seen) -> Says:
        return next(looks) if seen.method == "GET" else Says(204, b"", content_type=None)

    with serving(answer) as server, site_of(server).driver() as driver:
        changes = plan_of(driver, site_of(server).desired(NEW)).changes
        with pytest.raises(ServerError) as caught:
            driver.apply(changes)
        assert caught.value.uncertain


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": "invalid_parameter", "message": "bad patch operation"}, Rejected),
        (500, {"code": "internal_error"}, ServerError),
    ],
)
def test_a_refused_write_is_told_in_the_servers_words(status: int, body: Any, kind: type[ServerError]) -> None:
    """Nothing is made of it that it doesn't say."""
    with (
        serving(answering(GET=says({"result": {}}), PATCH=says(body, status))) as server,
        site_of(server).driver() as driver,
    ):
        changes = plan_of(driver, site_of(server).desired(NEW)).changes
        with pytest.raises(kind) as caught:
            driver.apply(changes)
    assert body.get("message", "") in caught.value.detail


def test_a_path_below_a_value_is_explained(opa: Opa) -> None:
    """OPA answers 404 for a conflict in its storage; the fix names the option."""
    assert opa.call("PUT", "/v1/data/oauth", 7).status_code == 204
    site = Site(opa)
    with site.driver() as driver, pytest.raises(Rejected) as caught:
        driver.apply(plan_of(driver, site.desired(NEW)).changes)
    assert "options.path" in caught.value.fix
    assert json.loads(opa.call("GET", "/v1/data/oauth").text) == {"result": 7}
