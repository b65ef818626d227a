"""The `webmethods` driver: webMethods Integration Server 10.11 and later, through its Administrator API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oauthdeploy.drivers.base import BundleRequest, Connection, Driver, DriverInfo, SignIn
from oauthdeploy.drivers.webmethods.facts import FACTS, WebMethodsCredentials

if TYPE_CHECKING:
    from requests.auth import AuthBase


def _open(connection: Connection) -> Driver:
    # Imported late: it loads the HTTP library, which `validate` and `version` do not need.
    from oauthdeploy.drivers.webmethods.driver import WebMethodsDriver

    return WebMethodsDriver(connection)


def _sign_in(given: SignIn) -> AuthBase:
    from oauthdeploy.drivers.http import BasicAuth

    assert isinstance(given.credentials, WebMethodsCredentials)
    return BasicAuth(given.credentials.username, given.credentials.password)


def _template(request: BundleRequest) -> bytes:
    from oauthdeploy.drivers.webmethods.msr_template import make_template

    return make_template(request)


DRIVER = DriverInfo(facts=FACTS, open=_open, sign_in=_sign_in, bundle=_template, bundle_format="msr")
