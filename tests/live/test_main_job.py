"""The main job from one manifest on two live servers, through the command line."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import requests

from oauthdeploy.server import ServerConfig, start
from tests.live.conftest import PASSWORD, SECRET, Pair, PairFactory, users

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    ("strict", "accept_client_id"), list(itertools.product((False, True), repeat=2)), ids=lambda flag: str(flag)
)
def test_a_second_plan_is_empty_in_every_mode_of_the_server(
    make_pair: PairFactory, strict: bool, accept_client_id: bool
) -> None:
    """The same manifest applied to a strict and to a tolerant server gives the same second, empty plan.

    Where a server makes its clients' ids and secrets itself, as documented, the manifest must ask it to.
    """
    pair = make_pair(strict=strict, accept_client_id=accept_client_id)
    if not accept_client_id:
        _generate_secret(pair)
    first = pair.run("plan", "--detailed-exitcode")
    assert first.code == 2, first.err
    applied = pair.run("apply", "--yes")
    assert applied.code == 0, applied.out + applied.err
    second = pair.run("plan", "--detailed-exitcode", "-o", "json")
    assert second.code == 0, second.out + second.err
    assert second.json["changes"] == []
    again = pair.run("apply", "--yes")
    assert again.code == 0
    pair.writes()
    pair.run("apply", "--yes")
    assert pair.writes() == []


def _generate_secret(pair: Pair) -> None:
    """Let the server make the secret of nightly-batch, delivered to out/batch.json."""
    manifest = pair.folder / "oauthdeploy.yaml"
    given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
    text = manifest.read_text()
    assert given in text
    manifest.write_text(
        text.replace(given, "secret: {generate: true, deliver_to: {file: out/batch.json, format: json}}")
    )


def test_a_secret_that_the_server_can_not_take_stops_before_anything_is_written(make_pair: PairFactory) -> None:
    """A documented server makes secrets itself: the plan says so, apply is exit 5 with the way out, nothing is written."""
    pair = make_pair(accept_client_id=False)
    assert pair.run("plan").code == 0
    result = pair.run("apply", "--yes")
    assert result.code == 5
    assert "client-secret-not-settable" in result.err
    assert "client/nightly-batch@login" in result.err
    assert pair.writes() == []


def test_both_sides_hold_what_the_manifest_says(pair: Pair) -> None:
    """Settings, clients, scopes and associations are on the AS; scopes with resources, clients and trust on the RS."""
    assert pair.run("apply", "--yes").code == 0
    settings = pair.admin(pair.login, "GET", "/admin/oauth/globalsetting")
    assert settings["requirePKCE"] is True
    assert settings["accessTokenLifetimeSeconds"] == 1800
    assert settings["authCodeLifetimeSeconds"] == 300
    login = {c["client_id"]: c for c in pair.admin(pair.login, "GET", "/admin/oauth/client?expand=true")["clients"]}
    assert set(login) == {"web-shop", "nightly-batch"}
    assert sorted(login["web-shop"]["scopes"]) == ["orders.read", "orders.write"]
    assert login["web-shop"]["tokenRefreshCount"] == 10
    assert login["nightly-batch"]["clientCredentialsGrant"] is True
    orders = pair.admin(pair.orders, "GET", "/admin/oauth/scope?expand=true")["scopes"]
    opened = {scope["name"]: sorted(scope["FoldersAndServices"]) for scope in orders}
    assert opened == {
        "orders.read": ["orders.v1:getOrder", "orders.v1:listOrders"],
        "orders.write": ["orders.v1"],
        "reports.read": ["reports"],
    }
    assert pair.admin(pair.orders, "GET", "/admin/oauth/globalsetting")["authServerAlias"] == "login"
    assert len(pair.admin(pair.orders, "GET", "/admin/oauth/client?expand=true")["clients"]) == 2


def test_planning_writes_nothing(pair: Pair) -> None:
    """plan, drift, ping and validate send no mutating request, before and after an apply."""
    for _ in range(2):
        pair.writes()
        for command in ("validate", "plan", "drift", "ping"):
            assert pair.run(command).code in (0, 2)
        assert pair.writes() == []
        assert pair.run("apply", "--yes").code == 0


def test_a_dead_resource_server_stops_the_apply_before_the_authorization_server_is_touched(pair: Pair) -> None:
    """Killing the RS before apply gives exit 8 with its name and no half-written AS."""
    before = pair.holdings(pair.login)
    pair.orders.stop()
    result = pair.run("apply", "--yes")
    assert result.code == 8
    assert "orders" in result.err
    assert "server-unreachable" in result.err
    assert pair.holdings(pair.login) == before
    assert [item for item in pair.writes() if item[0] == "login"] == []


@pytest.mark.parametrize("wrong", ["LOGIN_PASSWORD", "ORDERS_PASSWORD"])
def test_wrong_credentials_on_one_server_write_nothing_anywhere(pair: Pair, wrong: str) -> None:
    """A refused sign-in is exit 8 with the server's name; the other server isn't written either."""
    result = pair.run("apply", "--yes", env={wrong: "not-the-password"})
    assert result.code == 8
    assert "credentials-refused" in result.err
    assert {"LOGIN_PASSWORD": "login", "ORDERS_PASSWORD": "orders"}[wrong] in result.err
    assert "not-the-password" not in result.out + result.err
    assert pair.writes() == []


def test_a_reader_may_plan_and_not_apply(pair: Pair) -> None:
    """A read-only administrator sees the whole plan; its first write is refused and named."""
    text = (pair.folder / "oauthdeploy.yaml").read_text().replace("username: deployer", "username: reader")
    (pair.folder / "oauthdeploy.yaml").write_text(text)
    assert pair.run("plan", "--detailed-exitcode").code == 2
    before = pair.holdings(pair.login)
    result = pair.run("apply", "--yes")
    assert result.code in (4, 8)
    assert "permission-denied" in result.err + result.out
    assert pair.holdings(pair.login) == before


def test_unmanaged_fields_survive_an_update(pair: Pair) -> None:
    """A field that the manifest doesn't write is never changed, also when its neighbour is."""
    assert pair.run("apply", "--yes").code == 0
    pair.admin(pair.login, "PATCH", "/admin/oauth/globalsetting/", {"tokenEndpointAuth": "credentials"})
    pair.admin(pair.orders, "PATCH", "/admin/oauth/scope/orders.read", {"urlTemplates": ["GET_orders.v1/x"]})
    pair.admin(pair.orders, "PATCH", "/admin/oauth/scope/orders.read", {"description": "changed by hand"})
    pair.admin(pair.login, "PATCH", "/admin/oauth/globalsetting/", {"requirePKCE": False})
    assert pair.run("apply", "--yes").code == 0
    settings = pair.admin(pair.login, "GET", "/admin/oauth/globalsetting")
    assert settings["requirePKCE"] is True
    assert settings["tokenEndpointAuth"] == "credentials"
    scope = pair.admin(pair.orders, "GET", "/admin/oauth/scope/orders.read")
    assert scope["description"] == "Read orders"
    assert scope["urlTemplates"] == ["GET_orders.v1/x"]


def test_associations_of_a_listed_client_are_exact_and_unlisted_clients_are_left_alone(pair: Pair) -> None:
    """A client whose scopes the manifest lists loses others; a client it doesn't name keeps its own."""
    assert pair.run("apply", "--yes").code == 0
    body = {
        "name": "By Hand",
        "version": 1,
        "type": "Confidential",
        "redirect_uris": [],
        "scopes": ["reports.read"],
        "clientCredentialsGrant": True,
    }
    by_hand = pair.admin(pair.login, "POST", "/admin/oauth/client", body)["client_id"]
    scopes = ["reports.read", "orders.read"]
    pair.admin(pair.login, "PATCH", "/admin/oauth/client/nightly-batch", {"scopes": scopes})
    plan = pair.run("plan", "-o", "json").json
    assert [change["address"] for change in plan["changes"]] == ["association/nightly-batch:orders.read@login"]
    assert pair.run("apply", "--yes").code == 0
    assert pair.admin(pair.login, "GET", "/admin/oauth/client/nightly-batch")["scopes"] == ["reports.read"]
    assert pair.admin(pair.login, "GET", f"/admin/oauth/client/{by_hand}")["scopes"] == ["reports.read"]


def _token(pair: Pair, client: str = "nightly-batch") -> str:
    answer = requests.post(
        f"{pair.login.url}/invoke/pub.oauth/getToken",
        data={"grant_type": "client_credentials"},
        auth=(client, SECRET),
        verify=str(pair.login.ca_file),
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def _call(pair: Pair, token: str) -> int:
    return requests.get(
        f"{pair.orders.url}/invoke/reports/daily",
        headers={"Authorization": f"Bearer {token}"},
        verify=str(pair.orders.ca_file),
        timeout=10,
    ).status_code


def test_a_revocation_cuts_the_client_off_on_both_sides_once(pair: Pair) -> None:
    """Tokens are deleted on the AS, the client is disabled on the RS, both are verified, and a second run has nothing to do."""
    both = ("-f", "oauthdeploy.yaml", "-f", "incident.yaml")
    assert pair.run("apply", "--yes").code == 0
    tokens = [_token(pair) for _ in range(3)]
    assert [_call(pair, token) for token in tokens] == [200, 200, 200]
    plan = pair.run("plan", *both, "-o", "json").json
    assert [(change["address"], change["action"]) for change in plan["changes"]] == [
        ("revocation/INC-2041@orders", "disable"),
        ("revocation/INC-2041@login", "revoke"),
    ]
    applied = pair.run("apply", "--yes", *both)
    assert applied.code == 0, applied.out + applied.err
    assert {_call(pair, token) for token in tokens} == {401}
    assert pair.admin(pair.login, "GET", "/admin/oauth/token?expand=true")["tokens"] == []
    assert pair.admin(pair.orders, "GET", "/admin/oauth/client/nightly-batch")["enabled"] is False
    assert pair.run("plan", "--detailed-exitcode", *both).code == 0


def test_a_revocation_by_time_leaves_later_tokens_alone(pair: Pair) -> None:
    """`issued_before` in the past deletes nothing; in the future it deletes all."""
    assert pair.run("apply", "--yes").code == 0
    token = _token(pair)
    entry = """
version: 1
name: quickstart
revocations:
  - {{id: CUT-1, client: nightly-batch, tokens: {{issued_before: {moment}}}}}
"""
    both = ("-f", "oauthdeploy.yaml", "-f", "cut.yaml")
    (pair.folder / "cut.yaml").write_text(entry.format(moment="2020-01-01T00:00:00Z"))
    assert pair.run("plan", "--detailed-exitcode", *both).code == 0
    (pair.folder / "cut.yaml").write_text(entry.format(moment="2099-01-01T00:00:00+01:00"))
    assert pair.run("apply", "--yes", *both).code == 0
    assert _call(pair, token) == 401


def test_drift_made_by_hand_is_found_and_repaired(pair: Pair) -> None:
    """A change behind the manifest's back is exit 2 with its address; an apply repairs it; then drift is exit 0."""
    assert pair.run("apply", "--yes").code == 0
    assert pair.run("drift").code == 0
    pair.admin(pair.orders, "PATCH", "/admin/oauth/scope/reports.read", {"FoldersAndServices": ["payroll"]})
    pair.admin(pair.login, "DELETE", "/admin/oauth/client/web-shop")
    found = pair.run("drift", "-o", "json")
    assert found.code == 2
    classes = {(item["class"], item["address"]) for item in found.json["items"]}
    assert ("changed", "scope/reports.read@orders") in classes
    assert ("missing", "client/web-shop@login") in classes
    assert pair.run("apply", "--yes").code == 0
    assert pair.run("drift").code == 0


def test_no_secret_is_in_any_output_or_file(pair: Pair) -> None:
    """Neither the client's secret nor a password is in what the commands print or leave behind, verbose or not."""
    printed = ""
    for command in (
        ("validate",),
        ("plan", "-v"),
        ("plan", "-o", "json"),
        ("plan", "--out", "saved.json"),
        ("show", "saved.json"),
        ("apply", "--yes", "-v"),
        ("drift", "-o", "json"),
        ("ping", "-v"),
    ):
        result = pair.run(*command)
        assert result.code == 0, result.out + result.err
        printed += result.out + result.err
    for secret in (SECRET, PASSWORD):
        assert secret not in printed
        for path in pair.folder.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_a_generated_secret_is_delivered_once_to_its_file(make_pair: PairFactory) -> None:
    """Where the server makes the secret, it goes to `deliver_to` with mode 0600, and gets a token."""
    pair = make_pair(accept_client_id=False)
    manifest = pair.folder / "oauthdeploy.yaml"
    given = 'secret: {value: "${env:NIGHTLY_BATCH_SECRET}"}'
    text = manifest.read_text()
    assert given in text
    manifest.write_text(
        text.replace(given, "secret: {generate: true, deliver_to: {file: out/batch.json, format: json}}")
    )
    result = pair.run("apply", "--yes")
    assert result.code == 0, result.out + result.err
    delivered = pair.folder / "out" / "batch.json"
    assert delivered.stat().st_mode & 0o777 == 0o600
    found = json.loads(delivered.read_text())
    answer = requests.post(
        f"{pair.login.url}/invoke/pub.oauth/getToken",
        data={"grant_type": "client_credentials"},
        auth=(found["client_id"], found["client_secret"]),
        verify=str(pair.login.ca_file),
        timeout=10,
    )
    assert answer.status_code == 200
    assert found["client_secret"] not in result.out + result.err
    assert pair.run("plan", "--detailed-exitcode").code == 0


def test_a_missing_certificate_authority_is_unreachable_not_trusted(pair: Pair) -> None:
    """A certificate of an unknown authority is refused: exit 8, nothing written."""
    result = pair.run("apply", "--yes", env={"ORDERS_CA": str(pair.login.ca_file)})
    assert result.code == 8
    assert "orders" in result.err
    assert pair.writes() == []


def test_one_server_can_stand_on_both_sides(tmp_path: Path) -> None:
    """A server with role both trusts itself, holds everything, and plans empty afterwards."""
    with start(ServerConfig(role="both", data_dir=tmp_path / "data", accept_client_id=True, users=users())) as server:
        folder = tmp_path / "manifest"
        folder.mkdir()
        (folder / "oauthdeploy.yaml").write_text(
            f"""
version: 1
name: both
servers:
  is:
    role: both
    driver: webmethods
    url: {server.url}
    credentials: {{username: deployer, password: "${{env:LOGIN_PASSWORD}}"}}
    authorization_server: is
settings: {{require_https: false}}
scopes:
  orders: {{description: Orders, resources: [orders]}}
clients:
  batch:
    type: confidential
    redirect_uris: []
    grants: [client_credentials]
    secret: {{value: "${{env:NIGHTLY_BATCH_SECRET}}"}}
associations:
  - {{scope: orders, clients: [batch]}}
"""
        )
        pair = Pair(folder, server, server)
        applied = pair.run("apply", "--yes")
        assert applied.code == 0, applied.out + applied.err
        assert pair.run("plan", "--detailed-exitcode").code == 0
        answer = requests.post(
            f"{server.url}/invoke/pub.oauth/getToken",
            data={"grant_type": "client_credentials"},
            auth=("batch", SECRET),
            timeout=10,
        )
        called = requests.get(
            f"{server.url}/invoke/orders/list",
            headers={"Authorization": f"Bearer {answer.json()['access_token']}"},
            timeout=10,
        )
        assert called.status_code == 200
