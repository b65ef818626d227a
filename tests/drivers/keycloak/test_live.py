"""Every kind and action on a real Keycloak: apply, read again, and nothing is left to do."""

from __future__ import annotations

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.objects import Association
from oauthdeploy.planning.changes import Action
from tests.drivers.keycloak.site import Site, client, converge, scope, settings
from tests.drivers.webmethods.site import at, link

SECRET = Secret("a-good-long-secret", "env:S")


def test_the_main_job(site: Site) -> None:
    """Settings, scopes, clients and associations in one plan; tokens then carry the scopes that were asked for."""
    shop = client(
        name="Web Shop",
        type="confidential",
        grants=["client_credentials", "authorization_code", "refresh_token"],
        redirect_uris=["https://shop.example.com/cb"],
        tokens={"access_lifetime": "2m"},
        secret={"value": SECRET},
    )
    road = converge(
        site,
        {
            at(Kind.SETTINGS): settings(
                access_token_lifetime="15m", authorization_code_lifetime="2m", require_pkce=True
            ),
            at(Kind.SCOPE, "orders.read"): scope(description="Read orders"),
            at(Kind.SCOPE, "orders.write"): scope(),
            at(Kind.CLIENT, "web-shop"): shop,
            link("web-shop", "orders.read"): Association(),
        },
    )
    assert {change.action for change in road.plan.changes} == {Action.CREATE, Action.UPDATE}
    answer = site.realm.token("web-shop", SECRET.reveal(), scope="orders.read").json()
    assert "orders.read" in answer["scope"].split()
    assert answer["expires_in"] == 120
    refused = site.realm.token("web-shop", SECRET.reveal(), scope="orders.write")
    assert refused.json()["error"] == "invalid_scope"
