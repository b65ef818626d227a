"""The driver against real servers of oidc-provider, by the command line: lost answers, refused tokens, adoption, replacement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.drivers.rfc7591.client_registry import ClientRegistry
from oauthdeploy.testing.proxy import Fault, Seen, once
from tests.drivers.rfc7591.folder import BATCH, MOVED, SHOP, Folder, actions, rules
from tests.servers.oidc_provider import NOTHING, OidcProvider

pytestmark = pytest.mark.live

DROPPED = Fault("the answer is lost", drop=True, after=True)
NOT_FOUND = Fault("no such method", 405)


@pytest.fixture
def shop(tmp_path: Path, rotating: OidcProvider) -> Iterator[Folder]:
    made = Folder(tmp_path, rotating)
    yield made
    made.proxy.close()


@pytest.fixture
def steady(tmp_path: Path, keeping: OidcProvider) -> Iterator[Folder]:
    made = Folder(tmp_path, keeping)
    yield made
    made.proxy.close()


def test_a_registry_that_is_not_there_stops_the_first_apply(shop: Folder) -> None:
    """A path that is not mounted looks the same, and would register every client again."""
    shop.write({"web-shop": SHOP})
    ran = shop.apply()
    assert ran.code == 5, ran.out + ran.err
    assert "rfc7591-registry-new" in ran.err + ran.out
    assert not (shop.folder / "clients.registry").exists()
    shop.first()
    assert shop.client("web-shop")["client_name"] == "Web Shop"


def test_every_update_takes_the_token_of_the_one_before(shop: Folder) -> None:
    """The server gives a new one with each, and refuses the old one."""
    shop.write({"web-shop": SHOP})
    shop.first()
    tokens = [shop.book().entries["web-shop"].token]
    for wanted in (MOVED, SHOP, MOVED):
        shop.write({"web-shop": wanted})
        ran = shop.apply()
        assert ran.code == 0, ran.out + ran.err
        tokens.append(shop.book().entries["web-shop"].token)
    assert len(set(tokens)) == 4
    assert shop.client("web-shop")["redirect_uris"] == MOVED["redirect_uris"]
    assert actions(shop.plan()) == {}


def test_every_read_takes_the_token_of_the_one_before(tmp_path: Path, restless: OidcProvider) -> None:
    """A plan stores what it gets, also beside another machine that reads with the same registry."""
    shop = Folder(tmp_path, restless)
    shop.write({"web-shop": SHOP, "other": SHOP})
    shop.first()
    tokens = [shop.book().entries["web-shop"].token]
    for _ in range(3):
        assert actions(shop.plan()) == {}
        tokens.append(shop.book().entries["web-shop"].token)
    assert len(set(tokens)) == len(tokens)
    shop.write({"web-shop": MOVED, "other": {"state": "absent"}})
    assert shop.apply().code == 0
    assert rules(shop.plan()) == []
    shop.proxy.close()


def test_a_secret_is_delivered_with_the_id_that_the_server_chose(shop: Folder, rotating: OidcProvider) -> None:
    """Both work at the token endpoint."""
    shop.write(
        {"batch": BATCH}, scopes={"orders.read": {}}, associations=[{"client": "batch", "scopes": ["orders.read"]}]
    )
    shop.first()
    delivered = json.loads((shop.folder / "batch.json").read_text())
    answer = rotating.token(delivered["client_id"], delivered["client_secret"], scope="orders.read")
    assert answer.status_code == 200, answer.text
    assert shop.client("batch")["scope"] == "orders.read"


def test_an_option_that_is_null_is_deleted_at_the_server(shop: Folder) -> None:
    """An update that leaves a field out deletes it (RFC 7592 section 2.2), and that is no loss."""
    for logo, contacts in (("https://shop.example.com/l.png", ["shop@example.com"]), (None, [])):
        shop.write({"web-shop": {**SHOP, "contacts": contacts, "options": {"rfc7591": {"logo_uri": logo}}}})
        ran = shop.apply("rfc7591-registry-new")
        assert ran.code == 0, ran.out + ran.err
    live = shop.client("web-shop")
    assert not {"logo_uri", "contacts"} & live.keys()
    assert actions(shop.plan()) == {}


def test_a_lost_answer_to_a_registration_is_named_until_somebody_ended_the_client(shop: Folder) -> None:
    """Nothing is registered twice without a word; the record says how to find what nobody manages."""
    shop.write({"web-shop": SHOP})
    shop.proxy.spoil(once(DROPPED, 1, writes=True))
    ran = shop.apply("rfc7591-registry-new")
    assert ran.code == 4, ran.out + ran.err
    shop.proxy.spoil(None)
    (record,) = shop.book().lost
    plan = shop.plan()
    assert actions(plan) == {"client/web-shop": "create"}
    (found,) = [item for item in plan["diagnostics"] if item["rule"] == "rfc7591-registration-lost"]
    assert record in found["detail"]
    assert "named 'Web Shop'" in found["fix"]
    assert shop.apply().code == 0
    assert rules(shop.plan()) == ["rfc7591-registration-lost"]
    shop.options["ended"] = [record]
    shop.write({"web-shop": MOVED})
    assert "rfc7591-registration-lost" not in rules(shop.plan())
    assert shop.apply().code == 0
    assert shop.book().lost == {}


def test_a_run_that_is_killed_after_a_registration_leaves_the_intent(
    shop: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record stands before the request."""
    seen: list[int] = []

    def killed(self: ClientRegistry, *_args: object) -> None:
        seen.append(len(shop.book().lost))
        raise KeyboardInterrupt

    shop.write({"web-shop": SHOP})
    with monkeypatch.context() as patched:
        patched.setattr(ClientRegistry, "finish", killed)
        ran = shop.apply("rfc7591-registry-new")
    assert ran.code != 0
    assert seen == [1]
    assert "rfc7591-registration-lost" in rules(shop.plan())


def test_a_lost_answer_to_an_update_takes_a_word_before_the_client_is_registered_anew(shop: Folder) -> None:
    """Its new token is lost, and so is the client: the new one has another id, and the old one is named."""
    shop.write({"web-shop": SHOP})
    shop.first()
    before = shop.book().entries["web-shop"].client_id
    shop.write({"web-shop": MOVED})
    shop.proxy.spoil(once(DROPPED, 1, writes=True))
    assert shop.apply().code == 4
    shop.proxy.spoil(None)
    plan = shop.plan()
    assert actions(plan) == {"client/web-shop": "create"}
    assert rules(plan, "stops") == ["rfc7591-registered-anew"]
    assert shop.apply().code == 5
    ran = shop.apply("rfc7591-registered-anew")
    assert ran.code == 0, ran.out + ran.err
    assert shop.book().entries["web-shop"].client_id != before
    (found,) = shop.plan()["diagnostics"]
    assert found["rule"] == "rfc7591-registration-lost"
    assert before in found["detail"]


def test_a_lost_answer_to_an_update_is_no_loss_where_tokens_stay(steady: Folder) -> None:
    """The client shows that the update was made."""
    steady.write({"web-shop": SHOP})
    steady.first()
    steady.write({"web-shop": MOVED})
    steady.proxy.spoil(once(DROPPED, 1, writes=True))
    ran = steady.apply()
    steady.proxy.spoil(None)
    assert ran.code == 0, ran.out + ran.err
    assert steady.client("web-shop")["redirect_uris"] == MOVED["redirect_uris"]
    assert steady.book().entries["web-shop"].pending == ""


def test_a_lost_answer_to_a_deletion_is_a_deletion(shop: Folder) -> None:
    """The token of a deleted client is refused, and it worked just before."""
    shop.write({"web-shop": SHOP})
    shop.first()
    shop.write({"web-shop": {"state": "absent"}})
    shop.proxy.spoil(once(DROPPED, 1, writes=True))
    ran = shop.apply()
    shop.proxy.spoil(None)
    assert ran.code == 0, ran.out + ran.err
    assert shop.book().entries == {}
    assert shop.book().lost == {}


def test_a_client_whose_token_is_refused_is_named_and_left_alone(shop: Folder, rotating: OidcProvider) -> None:
    """RFC 7592 section 2 has the same answer for a deleted client and for a wrong token: neither is guessed."""
    shop.write({"web-shop": SHOP, "other": SHOP})
    shop.first()
    entry = shop.book().entries["web-shop"]
    assert entry.token is not None
    assert rotating.call("DELETE", entry.uri, token=entry.token.reveal()).status_code == 204
    shop.write({"web-shop": MOVED, "other": MOVED})
    plan = shop.plan(8)
    assert actions(plan) == {"client/other": "update"}
    assert rules(plan) == ["rfc7591-token-refused"]
    ran = shop.apply()
    assert ran.code == 4, ran.out + ran.err
    assert "Not known: clients on login (client/web-shop: its registration access token is refused)" in ran.err
    assert actions(shop.plan(8)) == {}
    for command in ("plan", "drift", "apply"):
        assert shop.run(command, *(["--yes"] if command == "apply" else [])).code != 0, command
        assert shop.run(command, "--target", "client/other", *(["--yes"] if command == "apply" else [])).code == 0, (
            command
        )
    assert shop.run("plan", "--target", "client/web-shop").code == 8
    exported = shop.run("export")
    assert "its registration access token is refused" in " ".join(exported.err.split()), exported.err
    shop.write({"web-shop": {"state": "absent"}, "other": MOVED})
    ran = shop.apply()
    assert ran.code == 0, ran.out + ran.err
    assert "only forgotten here" in ran.out + ran.err
    shop.write({"web-shop": MOVED, "other": MOVED})
    assert actions(shop.plan()) == {"client/web-shop": "create"}


def test_adopt_takes_a_client_by_its_address_and_token(shop: Folder, rotating: OidcProvider) -> None:
    """A plan compares it before; adopt records it, and from then on the manifest needs no token."""
    made = rotating.register(
        client_name="Web Shop",
        redirect_uris=SHOP["redirect_uris"],
        token_endpoint_auth_method="none",
        logo_uri="https://shop.example.com/logo.png",
    )
    shop.env["TOKEN"] = made["registration_access_token"]
    registration = {"client_uri": made["registration_client_uri"], "access_token": "${env:TOKEN}"}
    shop.write({"web-shop": {**SHOP, "options": {"rfc7591": {"registration": registration}}}})
    assert actions(shop.plan()) == {}
    ran = shop.run("adopt", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert made["registration_access_token"] not in ran.out + ran.err
    assert shop.book().entries["web-shop"].owner == "shop"
    shop.write({"web-shop": MOVED})
    assert shop.apply().code == 0
    live = shop.client("web-shop")
    assert (live["client_id"], live["logo_uri"]) == (made["client_id"], "https://shop.example.com/logo.png")


def test_a_new_token_of_the_manifest_brings_an_unreachable_client_back(shop: Folder, rotating: OidcProvider) -> None:
    """The administrator gave one; the id stays."""
    shop.write({"web-shop": SHOP})
    shop.first()
    entry = shop.book().entries["web-shop"]
    assert entry.token is not None
    live = {k: v for k, v in shop.client("web-shop").items() if not k.startswith(("registration", "client_id_issued"))}
    told = rotating.call("PUT", entry.uri, live, entry.token.reveal()).json()
    assert rules(shop.plan(8)) == ["rfc7591-token-refused"]
    shop.env["TOKEN"] = told["registration_access_token"]
    registration = {"client_uri": told["registration_client_uri"], "access_token": "${env:TOKEN}"}
    shop.write({"web-shop": {**MOVED, "options": {"rfc7591": {"registration": registration}}}})
    ran = shop.apply()
    assert ran.code == 0, ran.out + ran.err
    assert shop.book().entries["web-shop"].client_id == entry.client_id
    assert rules(shop.plan()) == []


def without_management(seen: Seen, body: Any) -> Any:
    """The answer of a server with RFC 7591 and without RFC 7592."""
    if seen.method == "POST" and isinstance(body, dict):
        return {name: value for name, value in body.items() if not name.startswith("registration_")}
    return body


def test_a_client_that_nobody_can_manage_is_named_and_not_called_in_sync(shop: Folder, rotating: OidcProvider) -> None:
    """RFC 7592 is optional: such a client is created, and then neither read, changed nor deleted. The registry remembers it."""
    shop.proxy.alter(without_management)
    shop.write({"web-shop": SHOP})
    ran = shop.apply("rfc7591-registry-new")
    assert ran.code == 4, ran.out + ran.err
    assert "1 created" in ran.out
    assert "RFC 7592 is optional" in ran.out + ran.err
    (client_id,) = rotating.clients().keys() - {"introspector"}
    assert shop.book().entries["web-shop"].client_id == client_id
    shop.write({"web-shop": MOVED})
    before = len(shop.proxy.seen())
    for command in (("plan",), ("drift",), ("apply", "--yes")):
        found = shop.run(*command)
        assert found.code == {"apply": 4}.get(command[0], 8), found.out + found.err
        assert "rfc7591-not-managed" in found.out + found.err
        assert "in sync" not in found.out + found.err
    assert actions(shop.plan(8)) == {}
    assert not [seen for seen in shop.proxy.seen()[before:] if "/reg" in seen.path]
    shop.write({"web-shop": MOVED, "other": SHOP})
    plan = shop.plan(8)
    assert actions(plan) == {"client/other": "create"}
    assert rules(plan, "stops") == ["rfc7591-made-once"]
    shop.write({"web-shop": {"state": "absent"}})
    ran = shop.apply()
    assert ran.code == 0, ran.out + ran.err
    assert "only forgotten here" in " ".join(ran.out.split())
    assert client_id in " ".join(item["detail"] for item in shop.plan()["diagnostics"])


def test_a_server_that_refuses_put_has_its_clients_replaced_from_then_on(shop: Folder) -> None:
    """The first try fails, and says what comes next; the plan says what a replacement costs; `update` tries again."""
    shop.write({"web-shop": SHOP})
    shop.first()
    before = shop.client("web-shop")["client_id"]
    shop.write({"web-shop": MOVED})
    shop.proxy.spoil(once(NOT_FOUND, 1, writes=True))
    ran = shop.apply()
    shop.proxy.spoil(None)
    assert ran.code == 4, ran.out + ran.err
    assert "does not change clients" in ran.out + ran.err
    plan = shop.plan()
    assert actions(plan) == {"client/web-shop": "replace"}
    assert "another client id and secret" in plan["changes"][0]["note"]
    ran = shop.apply()
    assert ran.code == 0, ran.out + ran.err
    assert shop.client("web-shop")["client_id"] != before
    shop.options["update"] = True
    shop.write({"web-shop": SHOP})
    assert actions(shop.plan()) == {"client/web-shop": "update"}


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ({**SHOP, "redirect_uris": ["http://shop.example.com/#x"]}, "clients"),
        ({**SHOP, "options": {"rfc7591": {"client_uri": "no-url"}}}, "rfc7591-invalid-client-metadata"),
        ({**SHOP, "redirect_uris": ["com.example.app:/cb"]}, "rfc7591-invalid-redirect-uri"),
    ],
)
def test_an_error_of_the_server_has_its_code_and_section(shop: Folder, wanted: Any, rule: str) -> None:
    """RFC 7591 section 3.2.2; what the driver knows is refused before any request."""
    shop.write({"web-shop": wanted})
    ran = shop.apply("rfc7591-registry-new")
    if rule == "clients":
        assert ran.code == 3
        return
    assert ran.code == 4, ran.out + ran.err
    assert rule in ran.out + ran.err
    assert "RFC 7591 section 3.2.2" in ran.out + ran.err
    assert shop.book().lost == {}


def test_a_wrong_initial_token_is_named_as_such(shop: Folder) -> None:
    """The credentials of the entry, and not the token of a client."""
    shop.write({"web-shop": SHOP})
    shop.env["INITIAL"] = "a-wrong-initial-token"
    ran = shop.apply("rfc7591-registry-new")
    assert ran.code == 4
    assert "credentials.initial_access_token" in ran.out + ran.err
    assert shop.book().lost == {}


def test_a_client_without_scopes_needs_a_word_for_that(shop: Folder) -> None:
    """The server would let it request every scope."""
    del shop.options["empty_scope"]
    shop.write({"web-shop": SHOP}, scopes={"orders.read": {}}, associations=[{"client": "web-shop", "scopes": []}])
    ran = shop.run("plan")
    assert "rfc7591-no-scope" in ran.out + ran.err
    assert shop.apply("rfc7591-registry-new").code == 5
    shop.options["empty_scope"] = NOTHING
    shop.write({"web-shop": SHOP}, scopes={"orders.read": {}}, associations=[{"client": "web-shop", "scopes": []}])
    shop.first()
    assert shop.client("web-shop")["scope"] == NOTHING


def test_metadata_of_another_issuer_are_not_used(shop: Folder) -> None:
    """RFC 8414 section 3.3."""
    shop.issuer = "https://another.example.com"
    shop.write({"web-shop": SHOP})
    ran = shop.run("plan")
    assert ran.code == 8
    assert "another issuer" in ran.out + ran.err


def test_a_wrong_key_of_the_registry_ends_the_run_and_changes_nothing(shop: Folder) -> None:
    """The file stays as it was."""
    shop.write({"web-shop": SHOP})
    shop.first()
    before = (shop.folder / "clients.registry").read_bytes()
    shop.env["REGISTRY_KEY"] = "b3RoZXItYnl0ZXMtZm9yLXRoZS10ZXN0cy1hbG9uZS0="
    ran = shop.run("plan")
    assert ran.code == 8, ran.out + ran.err
    assert "cannot be decrypted" in ran.out + ran.err
    assert (shop.folder / "clients.registry").read_bytes() == before


def test_an_export_has_every_client_of_the_registry(shop: Folder) -> None:
    """Under its key, with the options that differ; nothing of the registry is in it."""
    shop.write(
        {"web-shop": {**SHOP, "options": {"rfc7591": {"logo_uri": "https://shop.example.com/l.png"}}}, "batch": BATCH}
    )
    shop.first()
    shop.write({})
    ran = shop.run("export")
    assert ran.code == 0, ran.out + ran.err
    text = ran.out
    assert "web-shop:" in text
    assert "logo_uri" in text
    assert "batch:" in text
    for entry in shop.book().entries.values():
        assert entry.token is not None
        assert entry.token.reveal() not in text
