"""The `keycloak` driver: a realm of Keycloak 26, through its admin REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oauthdeploy.drivers.base import Connection, Driver, DriverInfo, SignIn
from oauthdeploy.drivers.keycloak.facts import FACTS, KeycloakCredentials, token_path

if TYPE_CHECKING:
    from requests.auth import AuthBase


def _open(connection: Connection) -> Driver:
    # Imported late: it loads the HTTP library, which `validate` and `version` do not need.
    from oauthdeploy.drivers.keycloak.driver import KeycloakDriver

    return KeycloakDriver(connection)


def _sign_in(given: SignIn) -> AuthBase:
    from oauthdeploy.drivers.sign_in import TokenAuth

    assert isinstance(given.credentials, KeycloakCredentials)
    path = token_path(given.credentials.realm)
    return TokenAuth(given.token_client(path), path, given.credentials.form)


DRIVER = DriverInfo(facts=FACTS, open=_open, sign_in=_sign_in)
