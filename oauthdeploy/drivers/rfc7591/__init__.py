"""The `rfc7591` driver: any authorization server with dynamic client registration (RFC 7591) and its management (RFC 7592)."""

from __future__ import annotations

from oauthdeploy.drivers.base import Connection, Driver, DriverInfo
from oauthdeploy.drivers.rfc7591.facts import FACTS


def _open(connection: Connection) -> Driver:
    # Imported late: it loads the HTTP library, which `validate` and `version` do not need.
    from oauthdeploy.drivers.rfc7591.driver import RegistrationDriver

    return RegistrationDriver(connection)


# Every request has its own token: an initial access token, or the registration access token of one client.
DRIVER = DriverInfo(facts=FACTS, open=_open)
