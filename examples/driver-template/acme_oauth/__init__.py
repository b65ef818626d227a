"""A driver of oauthdeploy for the Acme Gateway: what is known of it without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from acme_oauth.fields import FIELDS
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Connection, Driver, DriverInfo, SignIn
from oauthdeploy.model.capabilities import Capability, DriverFacts, left_out, no, yes
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Role

if TYPE_CHECKING:
    from requests.auth import AuthBase


class AcmeCredentials(Model):
    """How oauthdeploy signs in."""

    token: Secret = Field(description="The token of the administration API.", examples=["${env:GATEWAY_TOKEN}"])


class AcmeOptions(Model):
    """No options."""


CAPABILITIES = {
    Capability.SCOPES: yes(),
    Capability.CLIENTS: yes(),
    Capability.CLIENTS_LIST: yes(),
    Capability.CLIENT_UPDATE: yes(),
    Capability.CLIENT_TYPE_CHANGE: yes(),
    Capability.CLIENT_ID_CHOICE: yes("the key is the client_id"),
    Capability.ASSOCIATIONS: yes("as a list in the client"),
    Capability.GRANT_IMPLICIT: yes(),
    Capability.GRANT_PASSWORD: yes(),
    Capability.GRANT_DEVICE_CODE: left_out("the gateway stores any text as a grant"),
    Capability.GRANT_CIBA: left_out("the gateway stores any text as a grant"),
    Capability.GRANT_TOKEN_EXCHANGE: left_out("the gateway stores any text as a grant"),
    Capability.CLIENT_RENAME: no("the id of a client cannot change"),
    Capability.MARKS: no("an object has no field for it"),
    Capability.LEASE: no("the gateway has nothing to store a lease in"),
}
"""What is not mentioned, such as settings, secrets, tokens and trust, counts as no."""

FACTS = DriverFacts(
    name="acme",
    title="Acme Gateway",
    roles=frozenset({Role.AUTHORIZATION}),
    credentials=AcmeCredentials,
    options=AcmeOptions,
    capabilities={Role.AUTHORIZATION: CAPABILITIES},
    fields={Role.AUTHORIZATION: FIELDS},
    proved_against="Acme Gateway 1.0",
    absence=yes("the lists show everything to every account"),
    lockouts=no("the token of the administration API belongs to no client"),
)


def _open(connection: Connection) -> Driver:
    # Imported late: it loads the HTTP library, which `validate` does not need.
    from acme_oauth.driver import AcmeDriver

    return AcmeDriver(connection)


def _sign_in(given: SignIn) -> AuthBase:
    from oauthdeploy.drivers.http import BearerAuth

    assert isinstance(given.credentials, AcmeCredentials)
    return BearerAuth(given.credentials.token)


DRIVER = DriverInfo(facts=FACTS, open=_open, sign_in=_sign_in)
