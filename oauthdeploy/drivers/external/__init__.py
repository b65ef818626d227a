"""The `external` driver: an authorization server that resource servers trust and that is never written to.

Its entry gives resource servers what they need to introspect tokens there (RFC 7662); nothing is ever sent to it.
"""

from __future__ import annotations

from oauthdeploy.drivers.base import DriverInfo
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.fields import Model
from oauthdeploy.model.servers import Role


class ExternalCredentials(Model):
    """No credentials, because nothing signs in there. The credentials for introspection are under `introspection`."""


class ExternalOptions(Model):
    """No options."""


FACTS = DriverFacts(
    name="external",
    title="External authorization server, trusted and not managed",
    roles=frozenset({Role.AUTHORIZATION}),
    credentials=ExternalCredentials,
    options=ExternalOptions,
    capabilities={Role.AUTHORIZATION: {}},
    writable=False,
)

DRIVER = DriverInfo(facts=FACTS, open=None)
