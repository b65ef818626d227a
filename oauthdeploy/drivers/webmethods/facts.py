"""What is known of webMethods Integration Server without a server.

Source: the OpenAPI document and the guides of Integration Server 10.11 (Administrator API; Configuring OAuth), which every
Integration Server serves at /admin/swagger/integrationServer. The table is proved against the embedded server of this project,
which implements that API; `check` reads the live document of the actual server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.webmethods.fields import ASKS_NOBODY, FIELDS, NO_JWTS
from oauthdeploy.drivers.webmethods.notices import NOTICES
from oauthdeploy.drivers.webmethods.options import WebMethodsClientOptions, WebMethodsSettingsOptions
from oauthdeploy.model.capabilities import (
    Capability,
    DriverFacts,
    Endpoints,
    Interruption,
    Limit,
    SideEffect,
    Support,
    left_out,
    no,
    yes,
)
from oauthdeploy.model.fields import Model, Text
from oauthdeploy.model.servers import Role

SERVICES: Final = "/invoke/pub.oauth"
"""The path of the OAuth services of an Integration Server, below its base address."""


def endpoints(url: str, _options: Model) -> Endpoints:
    """The services of an Integration Server. Its tokens are not JWTs: they have no issuer, and no key verifies them."""
    base = url.rstrip("/") + SERVICES
    return Endpoints(
        introspection=f"{base}/introspectToken", token=f"{base}/getToken", revocation=f"{base}/revokeToken"
    )


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write a time zone such as Europe/Berlin or UTC") from None
    return name


class WebMethodsCredentials(Model):
    """An account of the Administrators group, or of the read-only group if nothing is to be written."""

    username: Text = Field(description="The account.", min_length=1, pattern="^[^:]+$")
    password: Secret = Field(description="Its password.", examples=["${env:LOGIN_PASSWORD}"])


class WebMethodsOptions(Model):
    """How to connect to an Integration Server."""

    api: Literal["administrator", "services"] = Field(
        "administrator",
        description="The API to use: the Administrator API (10.11 or later), or the administration services behind the classic "
        "pages, for 10.3 to 10.10. The vendor does not support the use of those services.",
    )
    timezone: Annotated[Text, AfterValidator(_zone)] | None = Field(
        None,
        description="The server's time zone, for token times whose zone it abbreviates ambiguously.",
        examples=["Europe/Berlin"],
    )


_ID_NOTE: Final = "where the server's document lists client_id in ClientIn; Integration Server 10.11 generates its own"
_SECRET_NOTE: Final = "where the server's document lists client_secret in ClientIn; 10.11 generates its own"

_COMMON: Final[Mapping[Capability, Support]] = {
    Capability.SETTINGS: yes(),
    Capability.SCOPES: yes(),
    Capability.CLIENTS: yes(),
    Capability.CLIENTS_LIST: yes(),
    Capability.CLIENT_UPDATE: yes(),
    Capability.CLIENT_TYPE_CHANGE: yes(),
    Capability.CLIENT_ID_CHOICE: yes(_ID_NOTE),
    Capability.CLIENT_SECRET_READ: no("the secret is returned once, when the client is created"),
    Capability.CLIENT_SECRET_ROTATE: no(
        "no operation of the Administrator API of 10.11 and 10.15 renews a secret; 11.1 renews it on its page"
    ),
    Capability.CLIENT_RENAME: yes(),
    Capability.GRANT_IMPLICIT: yes(),
    Capability.GRANT_PASSWORD: yes(),
    **dict.fromkeys(
        (Capability.GRANT_DEVICE_CODE, Capability.GRANT_CIBA, Capability.GRANT_TOKEN_EXCHANGE),
        no("an Integration Server has no such grant"),
    ),
    Capability.BLOCK_CLIENT: yes(),
    Capability.USERS_LIST: yes(),
    Capability.MARKS: no("the API has no field for an ownership mark"),
    Capability.LEASE: no("the API has nothing to store a lease in"),
}

_AUTHORIZATION: Final[Mapping[Capability, Support]] = {
    Capability.CLIENT_SECRET_CHOICE: yes(_SECRET_NOTE),
    Capability.CLIENT_SECRET_GENERATE: yes(),
    Capability.ASSOCIATIONS: yes(),
    Capability.TOKENS_LIST: yes(),
    Capability.TOKENS_DELETE: yes(),
    Capability.TOKENS_REFUSE: no("tokens are deleted"),
    Capability.TOKENS_BY_TIME: yes(),
    Capability.TOKENS_BY_OWNER: yes(),
    Capability.TOKENS_BY_SCOPE: yes(),
    Capability.TOKENS_BY_HANDLE: yes(),
}

_NO_AUTHORIZATION: Final[Mapping[Capability, Support]] = {
    Capability.CLIENT_SECRET_CHOICE: left_out("a client shows its secret only to the authorization server"),
    Capability.CLIENT_SECRET_GENERATE: left_out("a client shows its secret only to the authorization server"),
    Capability.ASSOCIATIONS: left_out("associations are kept on the authorization server"),
    Capability.TOKENS_LIST: no("tokens are kept on the authorization server"),
    Capability.TOKENS_DELETE: no("tokens are kept on the authorization server"),
    Capability.TOKENS_REFUSE: no("every token is introspected, so deleting it is enough"),
    Capability.TOKENS_BY_TIME: no("tokens are kept on the authorization server"),
    Capability.TOKENS_BY_OWNER: no("tokens are kept on the authorization server"),
    Capability.TOKENS_BY_SCOPE: no("tokens are kept on the authorization server"),
    Capability.TOKENS_BY_HANDLE: no("tokens are kept on the authorization server"),
}

_RESOURCE: Final[Mapping[Capability, Support]] = {
    Capability.TRUST: yes(),
    Capability.TRUST_REMOTE: yes(),
    Capability.TRUST_EXTERNAL: yes(),
    Capability.TRUST_JWT: NO_JWTS,
}

_NO_RESOURCE: Final[Mapping[Capability, Support]] = {
    Capability.TRUST: ASKS_NOBODY,
    Capability.TRUST_REMOTE: ASKS_NOBODY,
    Capability.TRUST_EXTERNAL: ASKS_NOBODY,
    Capability.TRUST_JWT: ASKS_NOBODY,
}

CAPABILITIES: Final[Mapping[Role, Mapping[Capability, Support]]] = {
    Role.AUTHORIZATION: {**_COMMON, **_AUTHORIZATION, **_NO_RESOURCE},
    Role.RESOURCE: {**_COMMON, **_NO_AUTHORIZATION, **_RESOURCE},
    Role.BOTH: {**_COMMON, **_AUTHORIZATION, **_RESOURCE},
}

NAMES: Final[Mapping[Kind, Limit]] = {
    # "Adding a Scope" (10.5 and later): ASCII 33 to 126, at most 100, without \ , "; a dot segment cannot stand in a URL.
    Kind.SCOPE: Limit(
        r"^(?!\.{1,2}$)[!#-+\--\[\]-~]+$",
        100,
        'ASCII characters without space, backslash, comma and quotation mark (\\ , "), and neither "." nor ".."',
    ),
}

FACTS: Final = DriverFacts(
    name="webmethods",
    title="webMethods Integration Server",
    roles=frozenset(Role),
    credentials=WebMethodsCredentials,
    options=WebMethodsOptions,
    capabilities=CAPABILITIES,
    fields=FIELDS,
    settings_options=WebMethodsSettingsOptions,
    client_options=WebMethodsClientOptions,
    names=NAMES,
    unique={Kind.CLIENT: ("name", "version")},
    side_effects=(
        SideEffect(
            Kind.CLIENT, "its tokens, the id and secret that the server generated, and the groups of its account"
        ),
    ),
    interruptions=(
        Interruption(Kind.CLIENT, "secret.revision", "The old secret stops working before the new one is delivered."),
    ),
    endpoints=endpoints,
    absence=yes("Administrators and read-only administrators see everything; others get 403 for everything"),
    block_proof={
        Role.AUTHORIZATION: yes("the tokens are deleted, and every resource server introspects"),
        Role.BOTH: yes("the tokens are deleted, and every token is introspected"),
        Role.RESOURCE: no("whether it refuses tokens of its own disabled clients is not documented"),
    },
    lockouts=yes("the account of a confidential client; introspection at an http address once HTTPS is required"),
    notices=NOTICES,
    proved_against="the embedded server of oauthdeploy, which speaks the Administrator API of Integration Server 10.11",
)
