"""The `hydra` driver: Ory Hydra as an authorization server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oauthdeploy.drivers.base import Connection, Driver, DriverInfo, SignIn
from oauthdeploy.drivers.hydra.facts import FACTS, HydraCredentials

if TYPE_CHECKING:
    from requests.auth import AuthBase


def _open(connection: Connection) -> Driver:
    # Imported late: it loads the HTTP library, which `validate` and `version` do not need.
    from oauthdeploy.drivers.hydra.driver import HydraDriver

    return HydraDriver(connection)


def _sign_in(given: SignIn) -> AuthBase | None:
    from oauthdeploy.drivers.http import BasicAuth, BearerAuth

    assert isinstance(given.credentials, HydraCredentials)
    if given.credentials.token is not None:
        return BearerAuth(given.credentials.token)
    if given.credentials.username is not None and given.credentials.password is not None:
        return BasicAuth(given.credentials.username, given.credentials.password)
    return None


DRIVER = DriverInfo(facts=FACTS, open=_open, sign_in=_sign_in)
