"""Export on servers that others wrote: Keycloak and two OPAs to a manifest that plans empty."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML

from tests.live.conftest import run_command
from tests.live.two_sided.estate import SECRETS, Estate

SECTIONS = ("version", "name", "servers")


def test_an_export_of_keycloak_and_opa_plans_empty(estate: Estate) -> None:
    """What the realm brings by itself stays out; no secret comes along; what was written is found again on all three."""
    estate.settle()
    whole = dict(estate.manifest)
    estate.manifest = {name: whole[name] for name in SECTIONS}
    exported = estate.run("export")
    assert exported.code == 0, exported.err
    text = exported.out
    for name in ("web-shop", "nightly", "partner", "shop-services", "orders.read", "invoices.read"):
        assert f"  {name}:\n" in text
    assert not re.search(r"^  (admin-cli|account|broker|profile|email):", text, re.MULTILINE), text
    assert "on: [billing, login]" in text, text
    (estate.folder / "out.yaml").write_text(text, encoding="utf-8")
    references = re.findall(r"\$\{env:(\w+_SECRET\w*)\}", text)
    given = {name: SECRETS[name.removesuffix("_SECRET").lower().replace("_", "-")] for name in references}
    plan = run_command(
        estate.folder, "plan", "-f", "out.yaml", "--detailed-exitcode", env={**estate.environment, **given}
    )
    assert plan.code == 0, plan.out + plan.err
    drift = run_command(estate.folder, "drift", "-f", "out.yaml", env={**estate.environment, **given})
    assert drift.code == 0, drift.out + drift.err
    estate.manifest = whole
    again = estate.run("export")
    assert again.code == 0, again.err
    compared = estate.run("compare", "orders", "billing", "-o", "json")
    assert compared.code == 2
    assert {item["address"] for item in compared.json["items"] if item["class"] == "missing"} >= {
        "scope/orders.read@orders"
    }


def test_managed_options_become_what_the_realm_holds(estate: Estate) -> None:
    """Of settings, scopes and clients, written or not; and the plan is empty."""
    keycloak = {
        "settings": {"sso_session_idle": "30m", "display_name": "Shop"},
        "scope": {"consent_text": "See orders", "audiences": ["a", "b"]},
        "client": {
            "base_url": "https://shop.example.com/",
            "session_idle": "30m",
            "consent_required": False,
            "attributes": {"login_theme": "shop", "shop.contact": "alice"},
        },
    }
    estate.manifest["settings"]["options"] = {"keycloak": keycloak["settings"]}
    estate.manifest["scopes"]["orders.read"]["options"] = {"keycloak": keycloak["scope"]}
    estate.manifest["clients"]["web-shop"]["options"] = {"keycloak": keycloak["client"]}
    estate.settle()
    estate.realm.call("PUT", "", {"ssoSessionIdleTimeout": 7200, "displayName": "Theirs"})
    client = estate.realm.client("web-shop")
    # An empty value removes an attribute.
    attributes = {"client.session.idle.timeout": "5400", "shop.contact": "bob", "login_theme": "", "unmanaged": "x"}
    body = {"baseUrl": "https://new.example.com/", "consentRequired": True, "attributes": attributes}
    estate.realm.call("PUT", f"/clients/{client['id']}", {**client, **body})
    (scope,) = [each for each in estate.realm.get("/client-scopes") if each["name"] == "orders.read"]
    scope["attributes"]["consent.screen.text"] = "Read orders"
    estate.realm.call("PUT", f"/client-scopes/{scope['id']}", scope)
    assert estate.run("plan", "--detailed-exitcode").code == 2

    exported = run_command(estate.folder, "export", "--write", env=estate.environment)
    assert exported.code == 0, exported.err
    estate.manifest = YAML(typ="safe").load(estate.folder / "oauthdeploy.yaml")
    written = {
        "settings": estate.manifest["settings"],
        "scope": estate.manifest["scopes"]["orders.read"],
        "client": estate.manifest["clients"]["web-shop"],
    }
    held: dict[str, dict[str, Any]] = {
        "settings": {"sso_session_idle": "2h", "display_name": "Theirs"},
        "scope": {"consent_text": "Read orders", "audiences": ["a", "b"]},
        "client": {"base_url": "https://new.example.com/", "session_idle": "90m", "consent_required": True},
    }
    for name, options in held.items():
        exported_options = written[name]["options"]["keycloak"]
        assert {key: exported_options[key] for key in options} == options
    # What the manifest did not write and the realm holds is written too.
    assert written["client"]["options"]["keycloak"]["attributes"] == {
        "login_theme": None,
        "shop.contact": "bob",
        "unmanaged": "x",
    }
    estate.nothing_left()
