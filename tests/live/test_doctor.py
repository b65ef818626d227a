"""`doctor`: what a server answers, against what the driver expects; its record shows no value, replays, and tells a change."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.errors import Conflict, Rejected
from oauthdeploy.core.schemas import shape_problem
from oauthdeploy.drivers.webmethods.client import AdminApi
from oauthdeploy.server import Profile, SeedUser, ServerConfig, profile_of_record, start
from tests.live.conftest import PASSWORD, Pair, PairFactory, run_command
from tests.live.doctoring import Tried, manifest
from tests.servers.keycloak import Realm
from tests.servers.opa import Opa

pytestmark = pytest.mark.live

ODD = {
    "expand": "ignored", "links": "absolute", "missing": 400, "duplicate": 400, "secrets": "masked", "patch": "clears",
    "versions": "text", "values": "text", "token_lists": "two", "empty": "null",
}  # fmt: skip


def record_of(pair: Pair, *arguments: str, server: str = "login") -> Any:
    ran = pair.run("doctor", server, "-o", "json", *arguments)
    assert ran.code == 0, ran.err
    assert shape_problem("record", ran.json) == ""
    return ran.json


def deployed_pair(make_pair: PairFactory, **flags: Any) -> Pair:
    pair = make_pair(tls=False, strict=True, accept_client_id=False, **flags)
    for server in (pair.login, pair.orders):
        pair.admin(server, "PATCH", "/admin/oauth/globalsetting/", {"requireHTTPS": False})
    scope = {"name": "orders.read.canary", "FoldersAndServices": [], "urlTemplates": []}
    pair.admin(pair.login, "POST", "/admin/oauth/scope", {"scopeInputData": scope})
    client = {"name": "canary-shop", "version": 1, "type": "Confidential", "scopes": ["orders.read.canary"]}
    pair.admin(pair.login, "POST", "/admin/oauth/client", client)
    pair.seen.clear()
    return pair


def test_a_record_reads_only_and_shows_no_value(make_pair: PairFactory) -> None:
    """Keys and types, the product's version, a digest; no name, id, address or secret of the server."""
    pair = deployed_pair(make_pair)
    record = record_of(pair)
    assert pair.writes() == []
    text = json.dumps(record)
    for canary in ("canary", pair.login.url, PASSWORD, "deployer", "alice"):
        assert canary not in text
    seen = {one["name"]: one for one in record["observations"]}
    assert seen["client"]["shape"]["scopes[]"] == "text"
    assert (seen["missing client"]["status"], seen["missing client"]["path"]) == (404, "/admin/oauth/client/{}")
    by_name = ("client by name and version", "missing client by name and version")
    assert [(seen[name]["status"], seen[name]["path"]) for name in by_name] == [
        (200, "/admin/oauth/client/{}/version/{}"),
        (404, "/admin/oauth/client/{}/version/{}"),
    ]
    assert seen["users, expanded"]["shape"] == {
        "users[].enabled": "boolean",
        "users[].groups[]": "text",
        "users[].name": "text",
    }
    assert record["facts"]["missing"] == 404
    assert len(record["document_digest"]) == 64
    assert {one["verdict"] for one in record["judgements"]} == {"as expected", "unknown"}
    told = pair.run("doctor", "login")
    assert told.code == 0
    assert "Writing was not tried." in told.out


def test_a_record_replays_and_a_change_is_told(make_pair: PairFactory, tmp_path: Path) -> None:
    """A server that was started from a record answers as it, and a changed record is a difference with exit code 2."""
    pair = deployed_pair(make_pair, profile=Profile.model_validate(ODD))
    record = record_of(pair, "--write-probe", "--yes")
    assert {key: record["facts"][key] for key in ODD} == ODD
    assert "differs" in {one["verdict"] for one in record["judgements"]}
    file = tmp_path / "login.json"
    file.write_text(json.dumps(record))
    replayed = profile_of_record(file)
    assert {key: getattr(replayed, key) for key in ODD} == ODD
    again = deployed_pair(make_pair, profile=replayed)
    same = again.run("doctor", "login", "--write-probe", "--yes", "--compare", str(file))
    assert same.code == 0, same.out
    assert "answers as in the record" in same.out
    file.write_text(json.dumps({**record, "facts": {**record["facts"], "missing": 404}}))
    other = again.run("doctor", "login", "--write-probe", "--yes", "--compare", str(file))
    assert other.code == 2
    assert "facts.missing: 404 -> 400" in other.out


def test_a_server_with_administration_services_only_is_examined_by_them(make_pair: PairFactory, tmp_path: Path) -> None:
    """Its record is like any other: no value in it, writing leaves nothing, and a server that replays it answers as it did."""
    odd = {"administration": "services", "service_lists": "names", "service_errors": "status", "secrets": "masked"}
    pair = make_pair(tls=False, accept_client_id=False, profile=Profile.model_validate(odd))
    credentials = {"username": "deployer", "password": "${env:LOGIN_PASSWORD}"}
    entry = {"role": "authorization", "driver": "webmethods", "url": pair.login.url, "credentials": credentials}
    manifest(pair.folder, {**entry, "options": {"api": "services"}})
    for service, inputs in (
        ("putScope", {"name": "orders.read.canary", "values": []}),
        (
            "registerClient",
            {"name": "canary-shop", "version": "1", "type": "confidential", "redirect_uris": [], "scopes": [],
             "client_credentials_allowed": "true"},
        ),
    ):  # fmt: skip
        pair.admin(pair.login, "POST", f"/invoke/wm.server.oauth/{service}", inputs)
    pair.seen.clear()
    record = record_of(pair, server="it")
    assert pair.writes() == []
    assert "canary" not in json.dumps(record)
    assert record["facts"] == odd
    assert {one["verdict"] for one in record["judgements"]} == {"as expected", "unknown"}
    tried = record_of(pair, "--write-probe", "--yes", server="it")
    assert {one["verdict"] for one in tried["judgements"]} == {"as expected", "unknown"}
    left = pair.admin(pair.login, "GET", "/invoke/wm.server.oauth/listClientRegistrations")
    assert [one["name"] for one in left["clients"]] == ["canary-shop"]
    assert pair.admin(pair.login, "GET", "/invoke/wm.server.oauth/listScopes") == {"scopes": ["orders.read.canary"]}
    file = tmp_path / "login.json"
    file.write_text(json.dumps(record))
    assert {key: getattr(profile_of_record(file), key) for key in odd} == odd


def test_serve_replays_a_record(make_pair: PairFactory, tmp_path: Path) -> None:
    """Only a record of an Integration Server, and not together with a profile."""
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"format": "oauthdeploy/record", "driver": "opa", "facts": {}}))
    refused = run_command(tmp_path, "serve", "--replay", str(wrong), "--port", "0", env={})
    assert refused.code == 1
    assert "Integration Server" in refused.err
    both = run_command(tmp_path, "serve", "--replay", str(wrong), "--profile", str(wrong), env={})
    assert both.code == 64 or "exclude each other" in both.err


def test_a_trial_of_writing_leaves_nothing(make_pair: PairFactory) -> None:
    """It asks first, and removes what it made."""
    pair = deployed_pair(make_pair)
    before = pair.holdings(pair.login)
    unasked = pair.run("doctor", "login", "--write-probe")
    assert unasked.code != 0
    assert "--yes" in unasked.err
    assert pair.writes() == []
    record = record_of(pair, "--write-probe", "--yes")
    assert pair.holdings(pair.login) == before
    assert record["written"]
    assert (record["facts"]["patch"], record["facts"]["duplicate"]) == ("merges", 409)
    assert "differs" not in {one["verdict"] for one in record["judgements"]}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, Conflict])
def test_an_interrupted_trial_cleans_up(
    make_pair: PairFactory, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    """In the middle, after the client was made, whatever interrupts it."""
    pair = deployed_pair(make_pair)
    before = pair.holdings(pair.login)
    request = AdminApi.__init__.__globals__["AdminClient"].request

    def interrupted(self: Any, method: str, *given: Any, **more: Any) -> Any:
        if method == "PATCH":
            raise Conflict("stop", server="login") if interruption is Conflict else interruption
        return request(self, method, *given, **more)

    monkeypatch.setattr(AdminApi.__init__.__globals__["AdminClient"], "request", interrupted)
    pair.run("doctor", "login", "--write-probe", "--yes")
    monkeypatch.undo()
    assert [method for _, method, _ in pair.writes()].count("DELETE") == 2
    assert pair.holdings(pair.login) == before


def test_what_an_interruption_left_is_told(make_pair: PairFactory) -> None:
    """A trial that was killed can't clean up: the next look names what it left."""
    pair = deployed_pair(make_pair)
    scope = {"name": "oauthdeploy_doctor_1a2b", "FoldersAndServices": [], "urlTemplates": []}
    pair.admin(pair.login, "POST", "/admin/oauth/scope", {"scopeInputData": scope})
    told = pair.run("doctor", "login")
    assert "oauthdeploy_doctor_1a2b" in told.out


DOCTOR = "oauthdeploy-doctor-"


def names(realm: Realm, path: str, key: str) -> list[str]:
    return [str(one[key]) for one in realm.get(path)]


@pytest.mark.parametrize("refuses", [False, True], ids=["removed", "named"])
def test_a_signal_ends_a_trial_in_order(make_pair: PairFactory, monkeypatch: pytest.MonkeyPatch, refuses: bool) -> None:
    """SIGTERM after the client was made: what was made is deleted, and named where it could not be."""
    pair = deployed_pair(make_pair)
    before = pair.holdings(pair.login)
    client = AdminApi.__init__.__globals__["AdminClient"]
    request = client.request

    def signalled(self: Any, method: str, *given: Any, **more: Any) -> Any:
        if method == "PATCH":
            signal.raise_signal(signal.SIGTERM)
        if refuses and method == "DELETE":
            raise Rejected("no", server="login", status=403)
        return request(self, method, *given, **more)

    monkeypatch.setattr(client, "request", signalled)
    ran = pair.run("doctor", "login", "--write-probe", "--yes")
    monkeypatch.undo()
    assert [method for _, method, _ in pair.writes()].count("PATCH") == 1, "the trial ended after the request in flight"
    if refuses:
        assert ran.code == 4
        assert "Delete by hand: client oauthdeploy_doctor_" in ran.err
        assert ", scope oauthdeploy_doctor_" in ran.err
    else:
        assert ran.code == 130
        assert "has been deleted" in ran.err
        assert pair.holdings(pair.login) == before


def keycloak_entry(realm: Realm) -> dict[str, Any]:
    return {
        "role": "authorization",
        "driver": "keycloak",
        "url": realm.server.url,
        "credentials": {"username": realm.server.username, "password": "${env:KEYCLOAK_PASSWORD}"},
        "options": {"realm": realm.name},
    }


def left_in(realm: Realm) -> list[str]:
    """What a trial left behind."""
    there = [*names(realm, "/clients", "clientId"), *names(realm, "/client-scopes", "name")]
    return [name for name in there if DOCTOR in name]


def test_keycloak_is_examined(realm: Realm, tmp_path: Path) -> None:
    """The same command; attributes and mappers are told without the names that somebody chose."""
    realm.add("/clients", {"clientId": "canary-shop", "attributes": {"canary.key": "canary-value"}})
    env = {"KEYCLOAK_PASSWORD": realm.server.password}
    ran = run_command(manifest(tmp_path, keycloak_entry(realm)), "doctor", "-o", "json", env=env)
    assert ran.code == 0, ran.err
    assert shape_problem("record", ran.json) == ""
    assert "canary" not in ran.out
    assert realm.name not in ran.out
    assert {one["verdict"] for one in ran.json["judgements"]} == {"as expected"}
    assert "Keycloak" in ran.json["product"]["product"]
    tried = run_command(tmp_path, "doctor", "--write-probe", "--yes", "-o", "json", env=env)
    assert tried.code == 0, tried.err
    assert {one["verdict"] for one in tried.json["judgements"]} == {"as expected"}
    assert left_in(realm) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_signal_ends_a_trial_on_keycloak_in_order(
    realm: Realm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Whichever write it meets, that of the clean-up among them: the client and the scope are gone."""
    env = {"KEYCLOAK_PASSWORD": realm.server.password}
    tried = Tried(manifest(tmp_path, keycloak_entry(realm)), lambda: left_in(realm), env)
    tried.prove_interruptions(monkeypatch, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_signal_ends_a_trial_on_opa_in_order(
    opa: Opa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Whichever write it meets: the document is gone."""
    opa.call("PUT", "/v1/data/oauth", {"clients": {}, "format": 1})
    entry = {"role": "resource", "driver": "opa", "url": opa.url, "options": {"path": "oauth"}}
    tried = Tried(manifest(tmp_path, entry), lambda: sorted(opa.data().keys() - {"oauth"}))
    tried.prove_interruptions(monkeypatch, number)


def test_opa_is_examined(opa: Opa, tmp_path: Path) -> None:
    """The same command; the names of clients and scopes in the document are not told."""
    document = {"clients": {"canary-shop": {"enabled": True}}, "scopes": {"canary.read": {}}, "format": 1}
    opa.call("PUT", "/v1/data/oauth", document)
    entry = {"role": "resource", "driver": "opa", "url": opa.url, "options": {"path": "oauth"}}
    ran = run_command(manifest(tmp_path, entry), "doctor", "it", "-o", "json", env={})
    assert ran.code == 0, ran.err
    assert shape_problem("record", ran.json) == ""
    assert "canary" not in ran.out
    assert {one["verdict"] for one in ran.json["judgements"]} == {"as expected"}
    tried = run_command(tmp_path, "doctor", "it", "--write-probe", "--yes", "-o", "json", env={})
    assert tried.code == 0, tried.err
    assert {one["verdict"] for one in tried.json["judgements"]} == {"as expected"}
    assert opa.data().keys() == {"oauth"}, "a document beside the driver's own came and went"


def test_a_server_that_is_down_is_exit_code_8(tmp_path: Path) -> None:
    """Nothing is judged without an answer."""
    entry = {
        "role": "both",
        "driver": "webmethods",
        "url": "http://127.0.0.1:1",
        "credentials": {"username": "u", "password": "${env:P}"},
        "limits": {"retries": 0},
    }
    ran = run_command(manifest(tmp_path, entry), "doctor", "it", env={"P": "p4ssw0rd-x"})
    assert ran.code == 8


def test_an_administrator_is_not_needed_to_look(tmp_path: Path) -> None:
    """A read-only account is enough."""
    users = (SeedUser("a", PASSWORD, ("Administrators",)), SeedUser("r", PASSWORD, ("ReadOnlyAdministrators",)))
    with start(ServerConfig(role="both", data_dir=tmp_path / "data", users=users)) as running:
        entry = {
            "role": "both",
            "driver": "webmethods",
            "url": running.url,
            "credentials": {"username": "r", "password": "${env:P}"},
        }
        ran = run_command(manifest(tmp_path, entry), "doctor", env={"P": PASSWORD})
        assert ran.code == 0, ran.err
