"""Export on servers that others wrote: Keycloak and two OPAs to a manifest that plans empty."""

from __future__ import annotations

import re

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
