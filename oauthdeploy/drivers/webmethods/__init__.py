"""The `webmethods` driver: webMethods Integration Server 10.11 and later, through its Administrator API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oauthdeploy.drivers.base import Connection, Driver, DriverInfo, SignIn
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


DRIVER = DriverInfo(facts=FACTS, open=_open, sign_in=_sign_in)
