"""The groups of the accounts of confidential clients, on a server that makes such accounts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.base import Wanted
from oauthdeploy.model.objects import Client, Object
from tests.drivers.webmethods.site import KINDS, Site, at, converge, start_site

pytestmark = pytest.mark.live

Objects = dict[Address, Object]


@pytest.fixture(scope="module")
def accounts_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A strict server, which makes a user account for each confidential client."""
    running = start_site(tmp_path_factory.mktemp("accounts"), strict=True, takes_ids=True, role="both")
    running.raw("POST", "/group/", {"name": "Callers", "members": ["nobody"]}, status=201)
    yield running
    running.stop()


def members(site: Site) -> list[str]:
    return sorted(site.raw("GET", "/group/Callers", status=200)["members"])


def with_groups(*groups: str, kind: str = "confidential") -> Client:
    grants = ["client_credentials"] if kind == "confidential" else []
    return Client.model_validate({"type": kind, "grants": grants, "groups": list(groups)})


def test_an_account_joins_and_leaves_groups_and_others_stay(accounts_site: Site) -> None:
    """The list of a group is read just before it is written: two clients at once, and a user who was put there by hand."""
    site = accounts_site
    site.clear()
    both: Objects = {at(Kind.CLIENT, name): with_groups("Callers") for name in ("batch", "night")}
    converge(site, both)
    assert members(site) == ["batch", "night", "nobody"]
    converge(site, {at(Kind.CLIENT, "batch"): with_groups(), at(Kind.CLIENT, "night"): Client()})
    assert members(site) == ["night", "nobody"]


@pytest.mark.parametrize(
    ("client", "rule"),
    [
        (with_groups("Callers", "Nowhere"), "group-missing"),
        (with_groups("Callers", kind="public"), "public-client-has-no-account"),
    ],
)
def test_groups_that_cannot_be_joined_stop_the_plan(accounts_site: Site, client: Client, rule: str) -> None:
    """A group is never created, and a public client has no account."""
    objects: Objects = {at(Kind.CLIENT, "batch"): client}
    with accounts_site.driver(read_only=True) as driver:
        report = driver.check()
        wanted = Wanted(objects, KINDS)
        driver.read(wanted)
        found = [item for item in driver.unsupported(wanted, report) if item.rule == rule]
    assert [str(item.severity) for item in found] == ["error"]
