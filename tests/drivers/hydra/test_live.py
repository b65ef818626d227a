"""The driver against a real Hydra, alone and beside Open Policy Agent and Keycloak, by the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from oauthdeploy.drivers.hydra.mapping import OWNER, REVISION
from oauthdeploy.server import SeedUser, ServerConfig, start
from oauthdeploy.testing.proxy import Proxy, Seen
from tests.contract.hydra import UNMANAGED
from tests.live.conftest import Result, run_command
from tests.servers import hydra as hydra_server
from tests.servers.hydra import Hydra
from tests.servers.opa import Opa
from tests.servers.plugin import RUN, usable

pytestmark = pytest.mark.live

SECRET = "a-secret-of-batch-9e"
MACHINE = {"type": "confidential", "grants": ["client_credentials"], "secret": {"value": "${env:BATCH_SECRET}"}}
USER = {
    "type": "public",
    "grants": ["authorization_code", "refresh_token"],
    "redirect_uris": ["https://a.example.com/cb"],
}
ALICE = SeedUser("alice", "alice-pass-word")
LIFESPAN = "client_credentials_grant_access_token_lifespan"


class Folder:
    """A manifest for a Hydra named `login`, and the command line in its folder."""

    def __init__(self, folder: Path, hydra: Hydra) -> None:
        self.folder = folder
        self.login = {
            "role": "authorization",
            "driver": "hydra",
            "url": hydra.url,
            "options": {"public_url": hydra.public_url},
        }

    def write(self, servers: Mapping[str, Any] | None = None, **sections: Any) -> None:
        text = {"version": 1, "name": "shop", "servers": {"login": self.login, **(servers or {})}, **sections}
        (self.folder / "oauthdeploy.yaml").write_text(json.dumps(text))

    def run(self, *arguments: str) -> Result:
        return run_command(self.folder, *arguments, env={"BATCH_SECRET": SECRET})

    def apply(self, **allow: bool) -> Result:
        words = [word for rule in allow for word in ("--allow", rule.replace("_", "-"))]
        ran = self.run("apply", "--yes", *words)
        assert ran.code == 0, ran.out + ran.err
        again = self.run("plan")
        assert again.code == 0, again.out + again.err
        return ran


@pytest.fixture
def shop(tmp_path: Path, hydra: Hydra) -> Folder:
    return Folder(tmp_path, hydra)


def test_a_client_with_its_scopes_is_one_request_and_so_is_a_change_of_both(shop: Folder, hydra: Hydra) -> None:
    """The scope of a client is a part of it, and what the manifest does not manage stays as it was."""
    scopes: dict[str, Any] = {name: {} for name in ("orders.read", "orders.write")}
    lists = [{"client": "batch", "scopes": ["orders.read"]}]
    shop.write(scopes=scopes, clients={"batch": MACHINE}, associations=lists)
    planned = json.loads(shop.run("plan", "-o", "json").out)
    assert [server["writes"] for server in planned["servers"]] == [1]
    shop.apply()
    assert hydra.client("batch")["scope"] == "orders.read"
    assert hydra.token("batch", SECRET, scope="orders.read").status_code == 200
    assert hydra.call("PATCH", "/admin/clients/batch", UNMANAGED).status_code == 200
    before = hydra.client("batch")
    changed = {**MACHINE, "name": "Batch", "tokens": {"access_lifetime": "20m"}}
    lists = [{"client": "batch", "scopes": ["orders.write"]}]
    shop.write(scopes=scopes, clients={"batch": changed}, associations=lists)
    shop.apply()
    after = hydra.client("batch")
    assert (after["client_name"], after["scope"], after[LIFESPAN]) == ("Batch", "orders.write", "20m0s")
    touched = {"client_name", "scope", "updated_at", *(key for key in after if key.endswith("access_token_lifespan"))}
    assert {key: value for key, value in after.items() if key not in touched} == {
        key: value for key, value in before.items() if key not in touched
    }


def test_a_client_that_may_request_no_scope_gets_none(shop: Folder, hydra: Hydra) -> None:
    """An empty scope would give it the server's default scopes."""
    shop.write(scopes={"orders.read": {}}, clients={"batch": MACHINE}, associations=[{"client": "batch", "scopes": []}])
    shop.apply()
    assert hydra.client("batch")["scope"].split() == []
    assert hydra.token("batch", SECRET, scope="openid").status_code == 400


def test_a_secret_of_the_server_is_delivered_and_replaced_by_its_revision(shop: Folder, hydra: Hydra) -> None:
    """What is delivered works, before and after; the old one no longer does."""
    found = []
    for revision in (0, 1):
        secret = {"generate": True, "revision": revision, "deliver_to": {"file": "out/batch.json", "format": "json"}}
        shop.write(clients={"batch": {**MACHINE, "secret": secret}})
        shop.apply()
        found.append(json.loads((shop.folder / "out" / "batch.json").read_text())["client_secret"])
        assert hydra.token("batch", found[-1]).status_code == 200
        assert hydra.client("batch")["metadata"] == {OWNER: "shop", REVISION: revision}
    assert found[0] != found[1]
    assert hydra.token("batch", found[0]).status_code == 401


def test_a_cut_off_that_leaves_refresh_tokens_is_never_called_done(shop: Folder, hydra: Hydra) -> None:
    """Access tokens end, the run ends with 4, and so does the next; it is over once the grant is gone, which does not return."""
    client = {**USER, "type": "confidential", "secret": {"value": "${env:BATCH_SECRET}"}}
    parts: dict[str, Any] = {"scopes": {"offline": {}}, "associations": [{"client": "app", "scopes": ["offline"]}]}
    shop.write(clients={"app": client}, **parts)
    shop.apply()
    tokens = hydra.sign_in("app", SECRET, "alice", "offline")
    cuts = [{"id": "INC-1", "client": "app", "reason": "a key was found", "tokens": "all"}]
    shop.write(clients={"app": client}, revocations=cuts, **parts)
    for _ in range(2):
        ran = shop.run("apply", "--yes")
        assert ran.code == 4, ran.out + ran.err
        assert "hydra-refresh-tokens-stay" in ran.out + ran.err
    assert not hydra.is_active(tokens["access_token"])
    form = {"grant_type": "refresh_token"}
    fresh = hydra.token("app", SECRET, **form, refresh_token=tokens["refresh_token"]).json()
    shop.write(clients={"app": {**client, "grants": ["authorization_code"]}}, revocations=cuts, **parts)
    first = shop.run("apply", "--yes")
    assert first.code == 4, first.out + first.err
    shop.apply()
    assert not hydra.is_active(fresh["access_token"])
    assert hydra.token("app", SECRET, **form, refresh_token=fresh["refresh_token"]).status_code == 400
    assert hydra.client("app")["metadata"]["oauthdeploy.revoked.INC-1"] > 1_700_000_000
    shop.write(clients={"app": client}, revocations=cuts, **parts)
    again = shop.run("apply", "--yes")
    assert again.code not in (0, 4), again.out + again.err
    assert "hydra-refresh-tokens-return" in again.out + again.err
    answer = hydra.call(
        "PATCH", "/admin/clients/app", [{"op": "replace", "path": "/grant_types", "value": USER["grants"]}]
    )
    assert answer.status_code == 200, answer.text
    returned = hydra.token("app", SECRET, **form, refresh_token=fresh["refresh_token"])
    assert returned.status_code == 200, "refresh tokens do not return, so the refusal above is needless"


def test_writes_at_the_same_time_are_repeated(shop: Folder, hydra: Hydra) -> None:
    """Hydra answers 400 to one of two, also about different clients; nothing was done then."""
    names = [f"client-{number}" for number in range(60)]
    for name in ("One", "Two"):
        shop.write(clients={key: {**USER, "name": name} for key in names})
        shop.apply(too_many_updates=True)
    assert {hydra.client(name)["client_name"] for name in names} == {"Two"}


def test_a_client_that_cannot_be_reached_is_never_called_deleted(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Its path answers 404 as if it were gone. On a server of its own, since the client stays."""
    hydra = usable(lambda: hydra_server.launch(tmp_path / "hydra", pytestconfig.stash[RUN].owner))
    try:
        assert hydra.call("POST", "/admin/clients", {"client_id": "a/b"}).status_code == 201
        shop = Folder(tmp_path, hydra)
        shop.write(policy={"prune": {"clients": "full"}})
        ran = shop.run("apply", "--yes", "--allow", "too-many-deletes", "--allow", "empty-manifest")
        assert ran.code != 0, ran.out + ran.err
        assert "slash" in ran.out + ran.err
    finally:
        hydra.process.stop()


def test_metadata_that_is_no_object_is_left_out_by_name(shop: Folder, hydra: Hydra) -> None:
    """Marks have no place there; nothing ends in a traceback."""
    body = {"client_id": "odd", "grant_types": ["client_credentials"], "scope": " ", "metadata": ["a", "list"]}
    assert hydra.call("POST", "/admin/clients", body).status_code == 201
    shop.write(clients={"odd": {"name": "Odd"}})
    shop.apply()
    after = hydra.client("odd")
    assert (after["client_name"], after["metadata"]) == ("Odd", ["a", "list"])
    told = shop.run("export")
    assert "metadata" in told.out + told.err


def test_a_cut_off_of_one_owner_ends_refresh_tokens_too(shop: Folder, hydra: Hydra) -> None:
    """Those of the other owners stay; a cut-off of access tokens alone would leave the refresh token."""
    client = {**USER, "type": "confidential", "secret": {"value": "${env:BATCH_SECRET}"}}
    parts: dict[str, Any] = {"scopes": {"offline": {}}, "associations": [{"client": "app", "scopes": ["offline"]}]}
    shop.write(clients={"app": client}, **parts)
    shop.apply()
    alice, bob = (hydra.sign_in("app", SECRET, owner, "offline") for owner in ("alice", "bob"))
    cut = {"id": "INC-1", "client": "app", "reason": "a phone was lost", "tokens": "all", "owner": "alice"}
    shop.write(clients={"app": client}, revocations=[cut], **parts)
    shop.apply()
    assert [hydra.is_active(one["access_token"]) for one in (alice, bob)] == [False, True]
    form = {"grant_type": "refresh_token"}
    refreshed = [hydra.token("app", SECRET, **form, refresh_token=one["refresh_token"]) for one in (alice, bob)]
    assert [answer.status_code for answer in refreshed] == [400, 200]
    assert hydra.call("DELETE", "/admin/oauth2/tokens?client_id=app").status_code == 204
    again = refreshed[1].json()["refresh_token"]
    assert hydra.token("app", SECRET, **form, refresh_token=again).status_code == 200, (
        "refresh tokens end with access tokens"
    )


def test_a_cut_off_ends_tokens_on_both_sides_at_one_moment(shop: Folder, hydra: Hydra, opa: Opa) -> None:
    """Hydra deletes what it issued, and Open Policy Agent refuses signed tokens from before that moment."""
    orders = {"role": "resource", "driver": "opa", "url": opa.url, "authorization_server": "login"}
    servers = {"orders": {**orders, "options": {"path": "oauth/orders"}}}
    parts: dict[str, Any] = {
        "scopes": {"orders.read": {"description": "Read orders", "resources": ["GET /orders"]}},
        "clients": {"batch": MACHINE},
        "associations": [{"client": "batch", "scopes": ["orders.read"]}],
    }
    shop.write(servers, **parts)
    shop.apply()
    document = opa.data("oauth/orders")
    assert document["trust"]["issuer"] == hydra.public_url
    assert document["associations"] == {"batch": {"orders.read": True}}
    token = hydra.token("batch", SECRET, scope="orders.read").json()["access_token"]
    assert token.count(".") == 2, "it is no JWT"
    cut = {"id": "INC-1", "client": "batch", "reason": "a key was found", "tokens": "all", "block": ["resource"]}
    shop.write(servers, **parts, revocations=[cut])
    shop.apply()
    assert not hydra.is_active(token)
    moment = hydra.client("batch")["metadata"]["oauthdeploy.revoked.INC-1"]
    assert opa.data("oauth/orders")["issued_before"]["batch"]["INC-1"]["before"] == moment
    assert opa.data("oauth/orders")["blocked"].keys() == {"batch"}


def test_a_webmethods_resource_server_asks_hydra_about_opaque_tokens(tmp_path: Path, other: Hydra) -> None:
    """One manifest sets up both sides; a token opens what its scope opens, and after a cut-off it opens nothing."""
    orders = start(
        ServerConfig(
            role="resource",
            data_dir=tmp_path / "orders",
            accept_client_id=True,
            users=(SeedUser("deployer", SECRET, ("Administrators",)), ALICE),
        )
    )
    try:
        shop = Folder(tmp_path, other)
        # The admin API asks nobody who introspects (RFC 7662); the resource server has to name a client all the same.
        shop.login["introspection"] = {"client_id": "orders", "client_secret": "not-asked-for", "user": ALICE.name}
        entry = {"role": "resource", "driver": "webmethods", "url": orders.url, "authorization_server": "login"}
        servers = {"orders": {**entry, "credentials": {"username": "deployer", "password": "${env:BATCH_SECRET}"}}}
        parts: dict[str, Any] = {
            "scopes": {
                "orders.read": {"description": "Read orders", "resources": ["orders.v1:getOrder"]},
                "orders.write": {"description": "Change orders", "resources": ["orders.v1:putOrder"]},
            },
            "clients": {"batch": MACHINE},
            "associations": [{"client": "batch", "scopes": ["orders.read"]}],
        }
        shop.write(servers, **parts)
        shop.apply()
        token = other.token("batch", SECRET, scope="orders.read").json()["access_token"]
        assert token.count(".") < 2, "it is a JWT"

        def call(service: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return requests.post(f"{orders.url}/invoke/orders.v1/{service}", headers=headers, timeout=20).status_code

        assert (call("getOrder"), call("putOrder")) == (200, 403)
        cut = {"id": "INC-1", "client": "batch", "reason": "a key was found", "tokens": "all"}
        shop.write(servers, **parts, revocations=[cut])
        shop.apply()
        assert not other.is_active(token)
        assert call("getOrder") == 401
    finally:
        orders.stop()


def test_a_scope_without_fields_of_its_own_is_told_before_anything_is_sent(shop: Folder) -> None:
    """Its description is held by no server here; beside a server that holds it, nothing is lost."""
    shop.write(scopes={"orders.read": {"description": "Read orders"}})
    ran = shop.run("validate")
    assert ran.code == 3, ran.out + ran.err
    assert "not-supported" in ran.out + ran.err
    assert "a scope is a word" in " ".join((ran.out + ran.err).split())


def test_settings_and_blocks_are_refused_by_name(shop: Folder) -> None:
    """Hydra has neither: the reason is in the finding."""
    block = [{"id": "B", "client": "batch", "reason": "x", "block": ["authorization"]}]
    shop.write(settings={"access_token_lifetime": "20m"}, clients={"batch": MACHINE}, revocations=block)
    ran = shop.run("validate")
    words = " ".join((ran.out + ran.err).split())
    assert ran.code == 3, words
    assert "settings are in Hydra's own configuration" in words
    assert "a client cannot be disabled" in words


def test_the_public_address_is_not_taken_for_the_admin_api(shop: Folder, hydra: Hydra) -> None:
    """The message says which port to write."""
    shop.login["url"] = hydra.public_url
    shop.write(clients={"batch": MACHINE})
    ran = shop.run("plan")
    assert ran.code not in (0, 2), ran.out
    assert "4445" in ran.out + ran.err


@pytest.mark.parametrize("lists_only", [True, False], ids=["in lists", "everywhere"])
def test_an_answer_without_scopes_takes_none_of_them(tmp_path: Path, hydra: Hydra, lists_only: bool) -> None:
    """The whole text is written, so what an answer leaves out is read again; if that does not show it either, nothing is sent."""

    def without_scopes(seen: Seen, body: Any) -> Any:
        if isinstance(body, list):
            return [{name: value for name, value in one.items() if name != "scope"} for one in body]
        whole = lists_only or seen.method != "GET"
        return body if whole else {name: value for name, value in body.items() if name != "scope"}

    with closing(Proxy(hydra.url)) as proxy:
        shop = Folder(tmp_path, hydra)
        shop.login = {**shop.login, "url": proxy.url}
        parts: dict[str, Any] = {"scopes": {"a": {}, "b": {}}, "clients": {"batch": MACHINE}}
        shop.write(**parts, associations=[{"client": "batch", "scopes": ["a"]}])
        shop.apply()
        requests.patch(
            f"{hydra.url}/admin/clients/batch",
            json=[{"op": "replace", "path": "/scope", "value": "a by.hand"}],
            timeout=10,
        ).raise_for_status()
        proxy.alter(without_scopes)
        shop.write(**parts, associations=[{"client": "batch", "scopes": ["a", "b"]}])
        ran = shop.run("apply", "--yes")
        told = requests.get(f"{hydra.url}/admin/clients/batch", timeout=10).json()["scope"].split()
    assert set(told) == ({"a", "b", "by.hand"} if lists_only else {"a", "by.hand"}), ran.out + ran.err
    if not lists_only:
        assert ran.code == 4, ran.out + ran.err
