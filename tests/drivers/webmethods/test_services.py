"""The driver by the administration services behind the classic pages, for servers without the Administrator API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.core.errors import Conflict, Unsupported
from oauthdeploy.drivers.base import Driver
from oauthdeploy.drivers.registry import open_driver
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.driver import WebMethodsDriver
from oauthdeploy.drivers.webmethods.services_api import ServicesApi
from oauthdeploy.server import Profile
from oauthdeploy.server.admin.services import FOLDER
from tests.drivers.webmethods.site import ADMIN, READER, Site, start_site

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def services_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that has only the services, and masks secrets."""
    profile = Profile(administration="services", secrets="masked")
    made = start_site(tmp_path_factory.mktemp("services"), strict=False, takes_ids=False, profile=profile)
    yield made
    made.stop()


@contextmanager
def by_services(site: Site, user: tuple[str, str] = ADMIN, *, read_only: bool = False) -> Iterator[Driver]:
    entry = site.entry(user).model_copy(update={"options": {"api": "services"}})
    made = open_driver("login", entry, entry.credentials, entry.options, read_only=read_only, base=Path())
    try:
        yield made
    finally:
        made.close()


def api_of(driver: Driver) -> ServicesApi:
    assert isinstance(driver, WebMethodsDriver)
    found = driver._admin
    assert isinstance(found, ServicesApi)
    return found


def invoke(site: Site, service: str, **inputs: Any) -> dict[str, Any]:
    answer = site.http.post(f"{site.url}{FOLDER}/{service}", json=inputs, auth=ADMIN, timeout=20)
    return dict(answer.json())


def test_every_check_says_that_the_vendor_does_not_support_it(services_site: Site) -> None:
    """Opt-in does not mean silent; and a plan sends nothing but GET."""
    with by_services(services_site, read_only=True) as driver:
        report = driver.check()
    assert [(one.rule, str(one.severity)) for one in report.diagnostics] == [("services-not-supported", "warning")]


def test_each_api_names_the_other_one_where_it_is_missing(services_site: Site, one_site: Site) -> None:
    """The wrong choice is a clear refusal on either side."""
    with by_services(one_site) as driver, pytest.raises(Unsupported, match="no administration services"):
        driver.check()
    with services_site.driver() as driver, pytest.raises(Unsupported, match="no Administrator API"):
        driver.check()


def test_read_only_administrators_are_refused(services_site: Site) -> None:
    """They belong to the Administrator API: the services have one ACL."""
    answer = services_site.http.get(f"{services_site.url}{FOLDER}/listScopes", auth=READER, timeout=20)
    assert answer.status_code == 403


def test_a_scope_that_somebody_made_is_not_overwritten(services_site: Site) -> None:
    """putScope adds and edits."""
    invoke(services_site, "putScope", name="theirs", values=["a.b"])
    with by_services(services_site) as driver, pytest.raises(Conflict):
        api_of(driver).create_scope("theirs", {"description": "mine"})
    assert invoke(services_site, "getScope", name="theirs")["values"] == ["a.b"]


def test_the_approval_page_of_a_client_survives_an_update(services_site: Site) -> None:
    """updateClientRegistration takes everything that registerClient takes, and what it is not sent is lost."""
    grant = {"client_credentials_allowed": "true"}
    made = invoke(
        services_site,
        "registerClient",
        **{
            "name": "shop",
            "version": "1.0",
            "type": "confidential",
            "redirect_uris": [],
            "approvalpg_title": "Shop",
            **grant,
        },
    )
    with by_services(services_site) as driver:
        live = api_of(driver).patch_client(made["client_id"], {"description": "changed"})
        assert (live.version, live.value.description) == ("1.0", "changed")
        assert api_of(driver).patch_client(made["client_id"], {"enabled": False}).enabled is False
    told = invoke(services_site, "getClientRegistration", client_id=made["client_id"])
    assert (told["approvalpg_title"], told["notes"]) == ("Shop", "changed")


def test_an_external_server_is_not_edited_with_a_mask_for_its_secret(services_site: Site) -> None:
    """The service requires the secret with every edit, and this server shows a mask."""
    with by_services(services_site) as driver:
        api = api_of(driver)
        body = {"introspectionEndpoint": "https://idp.example/i", "clientId": "c", "user": "u", "clientSecret": "s-1"}
        api.create_alias(doc.EXTERNAL, {"name": "idp", **body})
        with pytest.raises(Unsupported, match="without its client secret"):
            api.patch_alias(doc.EXTERNAL, "idp", {"user": "other"})
