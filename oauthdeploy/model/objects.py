"""The OAuth objects: settings, scopes, clients, associations, revocations and the trust between servers.

Terms are those of RFC 6749 (client, grant, redirect URI, scope), RFC 7636 (PKCE), RFC 7662 (introspection) and RFC 7009
(revocation). The description of each field is used in the JSON Schema, the reference pages and `explain`.
"""

from collections.abc import Mapping
from enum import StrEnum
from posixpath import normpath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, create_model, model_validator

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import (
    ClientLifetime,
    Date,
    Flag,
    ForPeople,
    Instruction,
    Lifetime,
    Model,
    Natural,
    NaturalKey,
    Needed,
    Opens,
    RefreshCount,
    SafeAt,
    Text,
    TextSet,
    Time,
    Transient,
    WriteOnly,
    field_at,
    metadata_of,
)


class Grant(StrEnum):
    """The grants, named as in RFC 6749, or by the last words of their names in RFC 8628, CIBA Core 1.0 and RFC 8693."""

    AUTHORIZATION_CODE = "authorization_code"
    IMPLICIT = "implicit"
    CLIENT_CREDENTIALS = "client_credentials"
    PASSWORD = "password"
    REFRESH_TOKEN = "refresh_token"
    DEVICE_CODE = "device_code"
    CIBA = "ciba"
    TOKEN_EXCHANGE = "token_exchange"


class ClientType(StrEnum):
    """RFC 6749 section 2.1: whether the client can keep a secret."""

    CONFIDENTIAL = "confidential"
    PUBLIC = "public"


class TokenEndpointAuth(StrEnum):
    """How a client authenticates at the token endpoint (RFC 6749 section 3.2.1): by credentials, or by an existing session."""

    SESSION = "session"
    CREDENTIALS = "credentials"


_Options = Mapping[str, Mapping[str, Any]]
_OPTIONS_SAY = "Settings specific to a server product, by driver name; each driver validates its own."


class Settings(Model):
    """OAuth settings of one server."""

    require_https: Annotated[Flag, SafeAt(True)] | None = Field(
        None, description="Refuse OAuth requests over plain HTTP."
    )
    require_pkce: Annotated[Flag, SafeAt(True)] | None = Field(
        None, description="Public clients must use PKCE with the authorization code grant (RFC 7636)."
    )
    authorization_code_lifetime: Lifetime | None = Field(
        None, description="How long an authorization code is valid, or never if it must not expire.", examples=["10m"]
    )
    access_token_lifetime: Lifetime | None = Field(
        None, description="How long an access token is valid, or never if it must not expire.", examples=["1h"]
    )
    token_endpoint_auth: Annotated[TokenEndpointAuth, SafeAt(TokenEndpointAuth.CREDENTIALS, severe=False)] | None = (
        Field(
            None,
            description="Whether the token endpoint requires the client's credentials (RFC 6749 section 3.2.1), or accepts a "
            "session in their place.",
        )
    )
    options: _Options | None = Field(None, description=_OPTIONS_SAY)


class ScopeDescription(Model):
    """What a scope is for people."""

    description: Annotated[Text, ForPeople()] | None = Field(None, description="What the scope allows, for people.")


class ScopeContents(Model):
    """What a scope gives access to."""

    resources: Annotated[TextSet, Opens(), Needed(authorization=False)] | None = Field(
        None,
        description="What the scope gives access to on a resource server, by the names that the server uses. An authorization "
        "server that stores it too gets the same.",
        examples=[["orders.v1", "orders.v1:getOrder"]],
    )
    url_templates: Annotated[TextSet, Opens(), Needed(authorization=False)] | None = Field(
        None,
        description="REST resources that the scope gives access to on a resource server, as the server writes them. An "
        "authorization server that stores them too gets the same.",
        examples=[["GET_orders.v1/orders"]],
    )


class Scope(ScopeContents, ScopeDescription):
    """A scope: the name that clients request, and what it gives access to on servers that store that."""

    options: _Options | None = Field(None, description=_OPTIONS_SAY)


class ClientTokens(Model):
    """The lifetime of the tokens of a client."""

    access_lifetime: ClientLifetime | None = Field(
        None,
        description="Lifetime of access tokens; inherit follows the server's settings.",
        examples=["30m"],
    )
    refresh_count: RefreshCount | None = Field(
        None,
        description="How many times an access token can be refreshed; with 0, no refresh token is issued.",
        examples=[10],
    )


class DeliverTo(Model):
    """Where a server-made secret is delivered, once: a file, a command or a keyring."""

    file: Text | None = Field(
        None, description="A file, replaced atomically, with mode 0600.", examples=["out/web-shop.env"]
    )
    format: Literal["dotenv", "json"] = Field("dotenv", description="The format of the file.")
    command: tuple[Text, ...] | None = Field(
        None,
        min_length=1,
        description="A program and its arguments, run without a shell; receives client_id and client_secret as "
        "JSON on standard input. Delivery fails if the exit code is not 0.",
        examples=[["bin/store-secret", "--path", "oauth/web-shop"]],
    )
    keyring: Text | None = Field(
        None,
        pattern=r"^[^/].*/[^/]+$",
        description="An entry in your keyring, as service/name.",
        examples=["oauthdeploy/web-shop"],
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.file, self.command, self.keyring)) != 1:
            raise ValueError("give exactly one of file, command and keyring")
        if "format" in self.model_fields_set and self.file is None:
            raise ValueError("format is for a file")
        return self

    @property
    def own_place(self) -> str:
        """The place that only one secret can have; "" for a command, which receives the client's id with the secret."""
        file = normpath(self.file) if self.file else ""
        return file or (f"keyring {self.keyring}" if self.keyring else "")


class ClientSecret(Model):
    """The secret of a confidential client: set by a reference, or generated by the server and delivered once."""

    value: Annotated[Secret, WriteOnly()] | None = Field(
        None, description="The secret, by reference.", examples=["${env:WEB_SHOP_SECRET}"]
    )
    revision: Annotated[Natural, Instruction()] | None = Field(
        None,
        description="Raise it to send the secret again, on servers that can store a mark on a client. On other "
        "servers it has no effect, and an existing secret is never sent again.",
    )
    generate: Annotated[Flag, Instruction()] | None = Field(None, description="Let the server generate the secret.")
    deliver_to: Annotated[DeliverTo, Instruction()] | None = Field(
        None, description="Where to deliver the generated secret."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.generate and self.value is not None:
            raise ValueError("give either value or generate, not both")
        if self.generate and self.deliver_to is None:
            raise ValueError("generate needs deliver_to, so that somebody receives the secret")
        if self.deliver_to is not None and not self.generate:
            raise ValueError("deliver_to needs generate: true")
        return self


def _gives_codes_away(uri: Any) -> bool:
    """RFC 9700 section 2.1: a redirect in clear text or to a pattern leaks codes. Loopback is for native apps."""
    text = str(uri)
    loopback = text.startswith(("http://127.0.0.1", "http://[::1]", "http://localhost"))
    return "*" in text or (text.startswith("http://") and not loopback)


def _administers(group: Any) -> bool:
    """The group of Integration Server that may change everything."""
    return bool(group == "Administrators")


def _is_obsolete(grant: Any) -> bool:
    """RFC 9700 sections 2.1.2 and 2.4: these two should no longer be used."""
    return grant in (Grant.IMPLICIT, Grant.PASSWORD)


class Client(Model):
    """A registered client (RFC 6749 section 2)."""

    name: Annotated[Text, NaturalKey()] | None = Field(None, description="The name that people see; default: the key.")
    version: Annotated[Text, NaturalKey()] | None = Field(
        None,
        description="The version, on servers that identify clients by name and version.",
        examples=["1"],
    )
    description: Annotated[Text, ForPeople()] | None = Field(None, description="What the client is, for people.")
    type: Annotated[ClientType, SafeAt(ClientType.CONFIDENTIAL)] | None = Field(
        None, description="Whether the client can keep a secret."
    )
    redirect_uris: Annotated[TextSet, Opens(severe=_gives_codes_away)] | None = Field(
        None,
        description="Where authorization responses may be sent.",
        examples=[["https://shop.example.com/cb"]],
    )
    contacts: Annotated[TextSet, ForPeople()] | None = Field(
        None,
        description="How to reach the people responsible for the client, usually by email (RFC 7591 section 2).",
        examples=[["shop-team@example.com"], ["ops@example.com", "shop-team@example.com"]],
    )
    grants: Annotated[tuple[Grant, ...], *TextSet.__metadata__, Opens(severe=_is_obsolete)] | None = Field(
        None,
        description="The grants that the client may use; an empty list for a client that only receives tokens. device_code is "
        "the grant of RFC 8628, ciba that of OpenID Connect CIBA, token_exchange that of RFC 8693.",
        examples=[["authorization_code", "refresh_token"]],
    )
    groups: Annotated[TextSet, Opens(severe=_administers)] | None = Field(
        None,
        description="All groups of the client's user account, on servers that run its calls with the client credentials grant as "
        "that account.",
        examples=[["OrderServices"]],
    )
    tokens: ClientTokens | None = Field(None, description="Lifetimes of the client's tokens.")
    secret: ClientSecret | None = Field(None, description="The client's secret.")
    enabled: Annotated[Flag, SafeAt(False, severe=False), Needed()] | None = Field(
        None, description="Whether the client is active."
    )
    options: _Options | None = Field(None, description=_OPTIONS_SAY)


class AssignedAs(StrEnum):
    """How a client has a scope: every token has it, or those for which it is requested (RFC 6749 section 3.3)."""

    DEFAULT = "default"
    OPTIONAL = "optional"


AS: Final = "as"
"""The field of an association that is a reserved word in Python."""

AS_FIELD: Final[Any] = (
    Annotated[AssignedAs, SafeAt(AssignedAs.OPTIONAL, severe=False)] | None,
    Field(
        None,
        description="Whether every token of the client has the scope (default), or only a token for which it is requested "
        "(optional), on servers that distinguish the two.",
    ),
)

if TYPE_CHECKING:
    _Assigned = Model
else:
    _Assigned = create_model("_Assigned", __base__=Model, **{AS: AS_FIELD})


class Association(_Assigned):
    """The permission of a client to request a scope; its address names both. `as` says how the client has the scope."""

    @classmethod
    def made(cls, assigned_as: AssignedAs | None) -> Self:
        """An association that is assigned in this way."""
        return cls(**{AS: assigned_as})

    @property
    def assigned_as(self) -> AssignedAs | None:
        """How the client has the scope; None if unset."""
        found: AssignedAs | None = getattr(self, AS)
        return found


Via = Literal["local", "remote", "external", "jwt"]
"""How a resource server checks a token; `Trust.via` describes each value."""


class Trust(Model):
    """Which authorization server a resource server trusts, and how it checks tokens: by introspection (RFC 7662), or as JWTs
    (RFC 9068).
    """

    authorization_server: Text = Field(description="Name of the server entry; for the server itself, its own name.")
    via: Via = Field(
        description="local: itself; remote: another server of the same kind by its alias; external: by introspection; "
        "jwt: by the signature of the token, with the keys of the authorization server."
    )
    endpoint: Text | None = Field(
        None,
        description="Introspection endpoint, or base address of a remote server.",
        examples=["https://login.example.com/introspect", "https://login.example.com/oauth2/introspect"],
    )
    client_id: Text | None = Field(None, description="Client that introspects.")
    client_secret: Annotated[Secret, WriteOnly()] | None = Field(None, description="Its secret.")
    username: Text | None = Field(None, description="Account that introspects at a remote server.")
    password: Annotated[Secret, WriteOnly()] | None = Field(None, description="Its password.")
    user: Text | None = Field(
        None, description="Local account under which requests with tokens of an external server run."
    )
    default_scope: Text | None = Field(None, description="Scope to use when an introspection response has none.")
    truststore_alias: Text | None = Field(None, description="Truststore on the resource server.")
    keystore_alias: Text | None = Field(None, description="Keystore on the resource server, for mutual TLS.")
    key_alias: Text | None = Field(None, description="Key in that keystore.")
    execute_acl: Text | None = Field(
        None,
        description="ACL on the resource server whose groups may use the alias of a remote server.",
        examples=["Internal", "OrderServices"],
    )
    keep_alive_connections: Natural | None = Field(
        None, description="How many idle connections to a remote server are kept.", examples=[5, 9]
    )
    keep_alive_minutes: Natural | None = Field(
        None, description="How many minutes an idle connection to a remote server is kept.", examples=[2, 4]
    )
    retry_server: Text | None = Field(
        None,
        description="Host to try on the same port when the remote server is down.",
        examples=["login-2.example.com", "login-3.example.com"],
    )
    issuer: Text | None = Field(
        None,
        description="The required issuer (iss) of a JWT.",
        examples=["https://login.example.com", "https://login.example.com/realms/shop"],
    )
    jwks_uri: Text | None = Field(
        None,
        description="Address of the keys that verify a JWT (RFC 7517).",
        examples=["https://login.example.com/keys", "https://login.example.com/realms/shop/keys"],
    )
    audience: Text | None = Field(None, description="A value that the aud of a JWT must contain.")
    also_trusted: Annotated[TextSet, Opens(), Transient()] | None = Field(
        None,
        description="Names of the authorization servers that are trusted as well while the resource server switches.",
    )


ALSO_TRUSTED: Final = "also_trusted"


class IssuedBefore(Model):
    """Selects tokens by the time of their issue."""

    issued_before: Time = Field(description="Tokens issued before this moment.")


class Side(StrEnum):
    """The two sides of OAuth."""

    AUTHORIZATION = "authorization"
    RESOURCE = "resource"


class RevocationProof(Model):
    """A token that worked before a cut-off, and proves the cut-off once it is refused."""

    token: Annotated[Secret, WriteOnly()] = Field(
        description="A token of the client, by reference. If the server entry has introspection, the token must "
        "be inactive.",
        examples=["${env:LEAKED_TOKEN}"],
    )
    urls: (
        Annotated[tuple[Annotated[Text, Field(pattern=r"^https?://[^/?#\s]+")], ...], *TextSet.__metadata__] | None
    ) = Field(
        None,
        description="Addresses on resource servers that accepted the token; each must now refuse it with 401 or 403.",
        examples=[["https://is-orders.example.com:5543/invoke/orders.v1/getOrder"]],
    )


class Revocation(Model):
    """A cut-off: tokens of a client to delete, and sides on which the client is blocked."""

    client: Text = Field(description="The client to cut off.")
    reason: Text | None = Field(None, description="Why, for the record.")
    tokens: Literal["all"] | IssuedBefore | None = Field(
        None,
        description="Which tokens to delete on the authorization server. A resource server that verifies tokens "
        "itself refuses those issued before that moment; with all, before the first apply.",
    )
    owner: Text | None = Field(None, description="Only tokens of this resource owner.")
    scope: Text | None = Field(None, description="Only tokens with this scope.")
    handles: TextSet | None = Field(
        None,
        description="Only these tokens, by the handles that `oauthdeploy tokens list` shows.",
        examples=[["3f9c0a71b2de"]],
    )
    block: tuple[Side, ...] | None = Field(
        None, description="The sides on which to disable the client.", examples=[["resource"]]
    )
    expires: Date | None = Field(
        None, description="The last day (UTC); after it, the entry has no effect and is reported as removable."
    )
    proof: RevocationProof | None = Field(None, description="A token to verify the cut-off with, after it is applied.")


Object = Trust | Settings | Scope | Client | Association | Revocation

KIND_OF: Mapping[type[Model], Kind] = {
    Trust: Kind.TRUST,
    Settings: Kind.SETTINGS,
    Scope: Kind.SCOPE,
    Client: Kind.CLIENT,
    Association: Kind.ASSOCIATION,
    Revocation: Kind.REVOCATION,
}
MODEL_OF: Mapping[Kind, type[Model]] = {kind: model for model, kind in KIND_OF.items()}


def needed_on(model: type[Model], path: str) -> frozenset[Side]:
    """The sides of OAuth on which a field must be held: the authorization side, unless the field is marked otherwise."""
    for name in (path, *(path[:end] for end, sign in reversed(list(enumerate(path))) if sign == ".")):
        for mark in metadata_of(field_at(model, name)):
            if isinstance(mark, Needed):
                return frozenset(side for side in Side if getattr(mark, side))
    return frozenset({Side.AUTHORIZATION})


OPENS: Final = frozenset(ScopeContents.model_fields)
"""What a scope opens: the resource side needs it, and an authorization server may store it too."""
