"""The `opa` driver: Open Policy Agent as a resource server that decides by policy data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oauthdeploy.drivers.base import BundleRequest, Connection, Driver, DriverInfo, SignIn
from oauthdeploy.drivers.opa.facts import FACTS, OpaCredentials

if TYPE_CHECKING:
    from requests.auth import AuthBase


def _open(connection: Connection) -> Driver:
    # Imported late: it loads the HTTP library, which `validate` and `version` do not need.
    from oauthdeploy.drivers.opa.driver import OpaDriver

    return OpaDriver(connection)


def _sign_in(given: SignIn) -> AuthBase | None:
    from oauthdeploy.drivers.http import BearerAuth

    assert isinstance(given.credentials, OpaCredentials)
    return None if given.credentials.token is None else BearerAuth(given.credentials.token)


def _bundle(request: BundleRequest) -> bytes:
    from oauthdeploy.drivers.opa.bundle import make_bundle

    return make_bundle(request)


DRIVER = DriverInfo(facts=FACTS, open=_open, sign_in=_sign_in, bundle=_bundle)
