"""What a real realm deletes with a service account is told before: by the plan, with the names of its roles."""

from __future__ import annotations

from oauthdeploy.core.addresses import Address, Kind
from tests.drivers.webmethods.site import plan_of

from .site import Site, client

AT = Address(Kind.CLIENT, "batch", "login")


def test_the_roles_of_a_service_account_are_told_before_they_go(site: Site) -> None:
    """With the grant and with the client; not with another field, and none where none was given."""
    site.account("batch", "view-users")
    site.account("other")
    gone = client(grants=["authorization_code"], redirect_uris=["https://b.example.com/cb"])
    with site.driver(read_only=True) as driver:
        for wanted in (site.desired({AT: gone}), site.desired({}, absent=[AT])):
            plan, _state = plan_of(driver, wanted)
            (change,) = plan.changes
            assert any("service account" in what for what in change.lost)
            assert driver.losses(plan.changes) == {
                AT: ("the roles of its service account: realm-management/view-users",)
            }
        plan, _state = plan_of(driver, site.desired({AT: client(description="x")}))
        assert [change.lost for change in plan.changes] == [()]
        assert driver.losses(plan.changes) == {}
        plan, _state = plan_of(driver, site.desired({}, absent=[Address(Kind.CLIENT, "other", "login")]))
        assert driver.losses(plan.changes) == {}
