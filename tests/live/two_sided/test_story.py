"""The whole road on servers that others wrote: one manifest, Keycloak and two OPAs, and what the tokens open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.two_sided.estate import SECRETS, Estate
from tests.live.two_sided.streams import flowing, rounds

GET, PUT, INVOICE = "orders.v1:getOrder", "orders.v1:putOrder", "invoices.v1:getInvoice"


def test_five_stages_from_one_manifest(estate: Estate) -> None:
    """Settings, clients, scopes, associations and a revocation reach both sides; each step leaves an empty second plan."""
    estate.settle()
    # Settings
    realm = estate.realm.get()
    assert realm["accessTokenLifespan"] == 600
    # Clients, scopes and associations, on both sides
    assert estate.realm.client("web-shop")["publicClient"] is True
    assert {"orders.read", "orders.write"} <= set(estate.realm.client("partner")["optionalClientScopes"])
    orders, billing = estate.orders.data("oauth/orders"), estate.billing.data("oauth/billing")
    assert set(orders["scopes"]) == {"orders.read", "orders.write"}
    assert set(billing["scopes"]) == {"invoices.read"}
    assert orders["associations"]["nightly"] == {"orders.read": True}
    assert SECRETS["nightly"] not in str(orders) + str(billing)
    # What tokens open
    nightly, partner = estate.token("nightly", "orders.read"), estate.token("partner", "orders.read orders.write")
    alice = estate.sign_in("orders.read").token["access_token"]
    assert estate.call(GET, nightly) == estate.call(GET, partner) == estate.call(GET, alice) == 200
    assert estate.call(PUT, partner) == 200
    assert estate.call(PUT, nightly) == estate.call(PUT, alice) == 403
    assert estate.call(INVOICE, nightly, "billing") == 403
    assert estate.call(GET, nightly[:-8] + "AAAAAAAA") == 401
    assert estate.refused("nightly", "orders.write") == "invalid_scope"
    # Revocation, on both sides
    assert estate.active(partner) is True
    estate.manifest["revocations"] = [
        {
            "id": "INC-7",
            "client": "partner",
            "reason": "its secret was found in a public repository",
            "tokens": "all",
            "block": ["authorization", "resource"],
        }
    ]
    estate.settle()
    assert estate.refused("partner", "orders.read") in ("invalid_client", "unauthorized_client")
    assert estate.active(partner) is False
    assert estate.call(GET, partner) == estate.call(PUT, partner) == 401
    assert estate.call(GET, nightly) == estate.call(GET, alice) == 200
    assert estate.active(nightly) is True


def test_tokens_that_are_revoked_die_and_new_ones_live(estate: Estate) -> None:
    """Without a block a client goes on with new tokens: what it had is refused by either side, sessions of users too."""
    estate.settle()
    alice = estate.sign_in("orders.read")
    before = {"nightly": estate.token("nightly", "orders.read"), "web-shop": alice.token["access_token"]}
    for token in before.values():
        assert (estate.active(token), estate.call(GET, token)) == (True, 200)
    estate.manifest["revocations"] = [
        {"id": f"INC-{number}", "client": client, "reason": "a laptop was stolen", "tokens": "all"}
        for number, client in enumerate(before)
    ]
    estate.settle()
    for token in before.values():
        assert (estate.active(token), estate.call(GET, token)) == (False, 401)
    with pytest.raises(Exception, match="invalid_grant"):
        estate.refresh(alice)
    for token in (estate.token("nightly", "orders.read"), estate.sign_in("orders.read").token["access_token"]):
        assert (estate.active(token), estate.call(GET, token)) == (True, 200)


@pytest.mark.parametrize("limit", [None, 2], ids=["no limit", "2 requests a second"])
def test_a_cut_off_has_one_moment_on_both_sides(estate: Estate, limit: int | None) -> None:
    """Whatever token a client gets while it is cut off, either both sides take it in the end or neither does; what it gets after
    the apply works, and a later apply cuts off nothing more.
    """
    estate.settle()
    for server in estate.manifest["servers"].values():
        server["limits"] = {"requests_per_second": limit} if limit else {}
    estate.manifest["revocations"] = [{"id": "INC-8", "client": "nightly", "reason": "a leak", "tokens": "all"}]
    gathered: list[str] = []

    def issued() -> str:
        gathered.append(estate.token("nightly", "orders.read"))
        return gathered[-1]

    with flowing({"nightly": (issued, lambda _token: 200)}) as log:
        rounds(log, ["nightly"], 5)
        estate.apply()
        after = len(gathered)
        rounds(log, ["nightly"], 5)
    verdicts = [(estate.active(token), estate.call(GET, token)) for token in gathered]
    assert set(verdicts) == {(False, 401), (True, 200)}, "a token that one side takes and the other doesn't"
    assert verdicts == sorted(verdicts), "older tokens die, younger ones live"
    assert set(verdicts[after + 1 :]) == {(True, 200)}, "one that was asked for after the apply"
    mark = estate.realm.client("nightly")["attributes"]["oauthdeploy.revoked.INC-8"]
    refused = [opa.data(f"oauth/{name}/issued_before/nightly/INC-8/before") for name, opa in estate.opas.items()]
    assert [int(moment) for moment in refused] == [int(mark)] * 2
    estate.nothing_left()


def test_a_cut_off_that_was_killed_half_way_is_finished_by_the_next_apply(estate: Estate) -> None:
    """The resource servers have a moment of their own until the authorization server has told its own: the next plan sees it."""
    estate.settle()
    estate.manifest["revocations"] = [{"id": "INC-9", "client": "nightly", "reason": "a leak", "tokens": "all"}]
    estate.apply()
    orders = estate.orders.call("PUT", "/v1/data/oauth/orders/issued_before/nightly/INC-9/before", 1_700_000_000)
    assert orders.status_code == 204
    plan = estate.run("plan", "--detailed-exitcode", "-o", "json")
    assert plan.code == 2, plan.out + plan.err
    assert [change["address"] for change in plan.json["changes"]] == ["revocation/INC-9@orders"]
    estate.settle()
    mark = estate.realm.client("nightly")["attributes"]["oauthdeploy.revoked.INC-9"]
    assert estate.orders.data("oauth/orders/issued_before/nightly/INC-9/before") == int(mark)


def test_a_change_under_load_interrupts_nobody_who_is_allowed_before_and_after(estate: Estate, tmp_path: Path) -> None:
    """Widening and narrowing while tokens are asked for and used all the time; the log of the streams is the proof."""
    estate.settle()
    kept = estate.token("nightly", "orders.read")
    alice = estate.sign_in("orders.read")
    streams = {
        "new tokens": (lambda: estate.token("nightly", "orders.read"), lambda token: estate.call(GET, token)),
        "one token": (lambda: kept, lambda token: estate.call(GET, token)),
        "a user": (lambda: estate.refresh(alice), lambda token: estate.call(GET, token)),
        "widened": (
            lambda: estate.token("nightly", "invoices.read"),
            lambda token: estate.call(INVOICE, token, "billing"),
        ),
        "narrowed": (lambda: estate.token("partner", "orders.write"), lambda token: estate.call(PUT, token)),
    }
    steady = ("new tokens", "one token", "a user")
    with flowing(streams) as log:
        rounds(log, list(streams), 2)
        estate.associate("nightly", "invoices.read", allowed=True)
        estate.manifest["scopes"]["orders.read"]["resources"].append("orders.v1:listOrders")
        estate.manifest["clients"]["nightly"]["description"] = "Reads invoices too"
        widening = estate.timed_apply()
        rounds(log, list(streams), 2)
        former = estate.token("partner", "orders.write")
        estate.associate("partner", "orders.write", allowed=False)
        estate.manifest["scopes"]["orders.read"]["resources"].remove("orders.v1:listOrders")
        estate.manifest["settings"]["access_token_lifetime"] = "5m"
        narrowing = estate.timed_apply()
        rounds(log, list(streams), 2)
    estate.nothing_left()
    log.write(tmp_path / "streams.ndjson")
    for name in steady:
        assert [each for each in log.of(name) if not each.allowed] == [], name
        for change in (widening, narrowing):
            assert log.during(name, change), f"{name} said nothing while the change was made"
    # Widened: refused until the authorization server grants, and then everything works at once: the resource server was first.
    widened = log.of("widened")
    granted = [each.error == "" for each in widened]
    assert granted == sorted(granted), "once granted, always granted"
    assert {each.error for each in widened} == {"invalid_scope", ""}
    assert {each.status for each in widened if each.error == ""} == {200}
    assert all(each.allowed for each in log.of("widened", since=widening.end))
    # Narrowed: allowed until the change begins, refused from its end on, with tokens from before it too.
    narrowed = log.of("narrowed")
    assert estate.call(PUT, former) == 403
    assert all(each.allowed for each in log.of("narrowed", until=narrowing.begin))
    assert {each.error for each in log.of("narrowed", since=narrowing.end)} == {"invalid_scope"}
    assert [each.error == "" for each in narrowed] == sorted((each.error == "" for each in narrowed), reverse=True)


def test_a_resource_server_turns_to_a_realm_that_the_same_apply_makes(estate: Estate) -> None:
    """In between it takes tokens of both realms, so that one of them works at every moment; the new one's alone when the apply
    returns.
    """
    estate.settle()
    manifest, new = estate.manifest, f"{estate.realm.name}-new"
    login = manifest["servers"]["login"]
    manifest["servers"]["next"] = {**login, "options": {"realm": new, "create_realm": True}}
    for name in ("orders", "billing"):
        manifest["servers"][name]["authorization_server"] = "next"
    manifest["clients"]["shop-services"]["on"].append("next")
    for scope in manifest["scopes"].values():
        scope["on"].append("next")
    del manifest["resource_owners"]
    old = estate.token("nightly", "orders.read")

    plan = estate.run("plan", "-o", "json")
    notes = {each["address"]: each["note"] for each in plan.json["changes"] if each["address"].startswith("trust@")}
    assert notes == dict.fromkeys(
        ("trust@orders", "trust@billing"), "In two writes: tokens of login are accepted too until the last stage."
    )

    def either(token: str) -> int:
        status = estate.call(GET, token)
        return status if status == 200 else estate.call(GET, estate.token("nightly", "orders.read", new))

    with flowing({"either": (lambda: old, either)}) as log:
        rounds(log, ["either"], 3)
        turning = estate.timed_apply()
        rounds(log, ["either"], 3)
    assert log.during("either", turning)
    assert [each for each in log.entries if not each.allowed] == []
    assert estate.call(GET, old) == 401
    assert estate.call(GET, estate.token("nightly", "orders.read", new)) == 200
    estate.nothing_left()


def test_drift_on_either_side_is_found_and_repaired(estate: Estate) -> None:
    """What is changed by hand through Keycloak's admin API and through OPA's API is named, and an apply puts it right."""
    estate.settle()
    realm = estate.realm
    nightly = realm.client("nightly")
    scopes = {each["name"]: each["id"] for each in realm.get("/client-scopes")}
    by_hand = [
        realm.call("PUT", "", {"accessTokenLifespan": 86400}),
        realm.call("PUT", f"/clients/{nightly['id']}", {**nightly, "description": "changed by hand"}),
        realm.call("PUT", f"/clients/{nightly['id']}/optional-client-scopes/{scopes['orders.write']}"),
        realm.call("DELETE", f"/clients/{realm.client('partner')['id']}"),
        estate.orders.call("PUT", "/v1/data/oauth/orders/associations/nightly/orders.write", True),
        estate.orders.call("PUT", "/v1/data/oauth/orders/scopes/orders.read/resources", ["orders.v1"]),
        estate.billing.call("DELETE", "/v1/data/oauth/billing/clients/web-shop"),
    ]
    assert [answer.status_code for answer in by_hand] == [204] * len(by_hand)
    assert estate.call(PUT, estate.token("nightly", "orders.write")) == 200
    drift = estate.run("drift", "-o", "json")
    assert drift.code == 2, drift.out + drift.err
    found = {(item["class"], item["address"]) for item in drift.json["items"] if item["class"] != "sides-disagree"}
    assert found == {
        ("changed", "settings@login"),
        ("changed", "client/nightly@login"),
        ("missing", "client/partner@login"),
        ("missing", "association/partner:orders.read@login"),
        ("missing", "association/partner:orders.write@login"),
        ("unexpected", "association/nightly:orders.write@login"),
        ("unexpected", "association/nightly:orders.write@orders"),
        ("changed", "scope/orders.read@orders"),
        ("missing", "client/web-shop@billing"),
    }
    estate.settle()
    assert realm.get()["accessTokenLifespan"] == 600
    assert realm.client("nightly")["description"] == "Writes invoices at night"
    assert estate.refused("nightly", "orders.write") == "invalid_scope"
    assert estate.call(GET, estate.token("partner", "orders.read")) == 200
    assert estate.orders.data("oauth/orders/scopes/orders.read/resources") == [GET]
    assert "web-shop" in estate.billing.data("oauth/billing/clients")


def test_a_client_that_was_cut_off_and_then_pruned_leaves_nothing_to_do(estate: Estate) -> None:
    """`revoke` without an entry in the manifest, and then the client goes: the apply is final on both sides."""
    estate.settle()
    estate.manifest["clients"]["short-lived"] = {
        "name": "Short-lived",
        "type": "public",
        "redirect_uris": ["https://short.example.com/callback"],
        "grants": ["authorization_code"],
    }
    estate.settle()
    cut = estate.run("revoke", "short-lived", "--yes", "--no-write", "--reason", "a leak")
    assert cut.code in (0, 4), cut.out + cut.err
    del estate.manifest["clients"]["short-lived"]
    estate.settle()
    assert "short-lived" not in estate.orders.data("oauth/orders/clients")
    assert "short-lived" in estate.orders.data("oauth/orders/issued_before"), "old tokens stay refused"
