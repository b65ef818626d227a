"""What is known of Open Policy Agent as a resource server without a server.

OPA has no OAuth of its own: a Rego policy decides, based on a data document that this driver manages (`mapping` shows it).
Source: the REST API reference of OPA; the table is proved against a real OPA 1.x.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.opa.fields import FIELDS
from oauthdeploy.drivers.opa.notices import NOTICES
from oauthdeploy.model.capabilities import (
    Capability,
    DriverFacts,
    Granularity,
    Limit,
    Support,
    no,
    yes,
)
from oauthdeploy.model.fields import Model, Text
from oauthdeploy.model.servers import Role


def _not_system(path: str) -> str:
    if path.partition("/")[0] == "system":
        raise ValueError("system is OPA's own; write another path, such as oauth/orders")
    return path


class OpaCredentials(Model):
    """How oauthdeploy authenticates to OPA: a bearer token, a client certificate (`tls.client_cert`), or not at all on a closed
    network.
    """

    token: Secret | None = Field(
        None,
        description="The bearer token, if OPA runs with --authentication=token.",
        examples=["${env:ORDERS_TOKEN}"],
    )


class OpaOptions(Model):
    """The path of the policy data."""

    path: Annotated[Text, AfterValidator(_not_system)] = Field(
        # The name of each step must be valid in a Rego reference.
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]*(/[A-Za-z_][A-Za-z0-9_-]*)*$",
        max_length=200,
        description="Path of the policy data document under /v1/data: data.oauth.orders in Rego is oauth/orders here. No "
        "policy may have a package below it.",
        examples=["oauth/orders"],
    )


_NO_TOKENS: Final = no("OPA issues no tokens")
_NO_SECRETS: Final = no("a resource server needs no client secrets, and none are kept")

_RESOURCE: Final[Mapping[Capability, Support]] = {
    Capability.SETTINGS: no("OPA has no OAuth settings"),
    Capability.SCOPES: yes(),
    Capability.CLIENTS: yes("by their client_id, which is the key of the manifest"),
    Capability.CLIENTS_LIST: yes(),
    Capability.CLIENT_UPDATE: yes(),
    Capability.CLIENT_TYPE_CHANGE: yes(),
    Capability.CLIENT_ID_CHOICE: yes(),
    Capability.CLIENT_SECRET_CHOICE: _NO_SECRETS,
    Capability.CLIENT_SECRET_GENERATE: _NO_SECRETS,
    Capability.CLIENT_SECRET_READ: _NO_SECRETS,
    Capability.CLIENT_SECRET_ROTATE: _NO_SECRETS,
    Capability.CLIENT_RENAME: no("tokens name a client by its id, so a new id means a new client"),
    Capability.GRANT_IMPLICIT: yes(),
    Capability.GRANT_PASSWORD: yes(),
    Capability.GRANT_DEVICE_CODE: yes(),
    Capability.GRANT_CIBA: yes(),
    Capability.GRANT_TOKEN_EXCHANGE: yes(),
    Capability.ASSOCIATIONS: yes("checked on every request"),
    Capability.TRUST: yes(),
    Capability.TRUST_REMOTE: no("OPA is not an authorization server"),
    Capability.TRUST_EXTERNAL: yes("OPA gets the introspection secret from its environment"),
    Capability.TRUST_JWT: yes(),
    Capability.TOKENS_LIST: _NO_TOKENS,
    Capability.TOKENS_DELETE: _NO_TOKENS,
    Capability.TOKENS_REFUSE: yes("by the token's iat"),
    Capability.TOKENS_BY_TIME: no("OPA keeps no tokens; it refuses them by their iat"),
    Capability.TOKENS_BY_OWNER: yes("refuses by sub, username or preferred_username"),
    Capability.TOKENS_BY_SCOPE: yes("refuses tokens with the scope"),
    Capability.TOKENS_BY_HANDLE: _NO_TOKENS,
    Capability.BLOCK_CLIENT: yes(),
    Capability.USERS_LIST: no("OPA has no users"),
    Capability.MARKS: yes("as the owner field of each scope and client"),
    Capability.LEASE: no("OPA's data has no lease that expires"),
}

CAPABILITIES: Final[Mapping[Role, Mapping[Capability, Support]]] = {Role.RESOURCE: _RESOURCE}

NAMES: Final[Mapping[Kind, Limit]] = {
    # RFC 6749, appendix A.4: scope-token.
    Kind.SCOPE: Limit(r"^[!#-\[\]-~]+$", None, 'ASCII characters without space, backslash and quotation mark (\\ ")'),
    # RFC 6749, appendix A.1: client-id.
    Kind.CLIENT: Limit(r"^[\x20-\x7e]+$", None, "printable ASCII characters"),
}

FACTS: Final = DriverFacts(
    name="opa",
    title="Open Policy Agent",
    roles=frozenset({Role.RESOURCE}),
    credentials=OpaCredentials,
    options=OpaOptions,
    capabilities=CAPABILITIES,
    fields={Role.RESOURCE: FIELDS},
    names=NAMES,
    granularity=Granularity.DOCUMENT,
    block_proof={Role.RESOURCE: no("policies decide what the document means")},
    lockouts=no(
        "OPA checks oauthdeploy's token or certificate with flags and with system.authz, which are outside the document that "
        "the driver writes"
    ),
    notices=NOTICES,
    proved_against="Open Policy Agent 1.22",
    absence=yes("the document is read in one request, which system.authz allows or refuses as a whole"),
    located_by=("path",),
    stores_trust=True,
    # By introspection it cannot: OPA's environment has one secret, which must not reach the other authorization server.
    trusts_two=frozenset({"jwt"}),
)
