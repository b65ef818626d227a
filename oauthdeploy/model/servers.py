"""A server entry: its role, its driver, and its limits."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import Duration, Flag, Model, Natural, Positive, Text, WriteOnly
from oauthdeploy.model.objects import Side


class Role(StrEnum):
    """The role of a server in OAuth."""

    AUTHORIZATION = "authorization"
    RESOURCE = "resource"
    BOTH = "both"

    @property
    def sides(self) -> frozenset[Side]:
        """The sides of the server."""
        return frozenset(Side) if self is Role.BOTH else frozenset({Side(self.value)})


class Tls(Model):
    """How the connection to a server is secured. Verification is on."""

    verify: Flag = Field(True, description="Verify the server's certificate; false is a warning in every report.")
    ca_file: Text | None = Field(
        None, description="PEM file of the authorities to trust, relative to the manifest's folder."
    )
    client_cert: Text | None = Field(None, description="PEM file of the client certificate, for mutual TLS.")
    client_key: Text | None = Field(None, description="PEM file of its key.")
    client_key_password: Annotated[Secret, WriteOnly()] | None = Field(
        None, description="The pass phrase of an encrypted key.", examples=["${env:KEY_PASSWORD}"]
    )
    minimum_version: Literal["TLSv1.2", "TLSv1.3"] = Field("TLSv1.2", description="The oldest TLS version to accept.")
    server_name: Text | None = Field(
        None,
        min_length=1,
        description="The host name for SNI (RFC 6066) and certificate checks, if it differs from the one in url.",
        examples=["is.example.com"],
    )


class Proxy(Model):
    """The proxy for requests to a server."""

    url: Text = Field(description="Address of the proxy.", examples=["http://proxy.example.com:3128"])
    username: Text | None = Field(None, description="Account at the proxy.", pattern="^[^:]+$")
    password: Annotated[Secret, WriteOnly()] | None = Field(
        None, description="Its password.", examples=["${env:PROXY_PASSWORD}"]
    )


class Limits(Model):
    """Limits on the load of a server, and on the time to wait for it."""

    parallel: Positive = Field(
        8, le=256, json_schema_extra={"maximum": 256}, description="The number of simultaneous requests."
    )
    requests_per_second: Positive | None = Field(
        None, description="The number of requests started per second; default: no limit."
    )
    timeout: Duration = Field(
        30,
        ge=1,
        description="How long one request may take, from connecting to the end of the response.",
        examples=["30s"],
    )
    connect_timeout: Duration = Field(
        10, ge=1, description="How long connecting may take, including TLS; at most timeout.", examples=["10s"]
    )
    read_timeout: Duration | None = Field(
        None, ge=1, description="How long a server may pause within one response; default: timeout.", examples=["20s"]
    )
    answer_size: Positive = Field(
        64,
        le=1024,
        json_schema_extra={"maximum": 1024},
        description="The largest response to read, in MiB.",
    )
    retries: Natural = Field(
        5,
        le=20,
        json_schema_extra={"maximum": 20},
        description="How many times to retry a request that is safe to repeat.",
    )


class Introspection(Model):
    """How resource servers introspect tokens at this authorization server (RFC 7662)."""

    endpoint: Text | None = Field(None, description="Introspection endpoint; default: the driver's own for the url.")
    client_id: Text | None = Field(None, description="Client that introspects.")
    client_secret: Annotated[Secret, WriteOnly()] | None = Field(None, description="Its secret.")
    username: Text | None = Field(None, description="Account that introspects, for a server of the same kind.")
    password: Annotated[Secret, WriteOnly()] | None = Field(None, description="Its password.")
    user: Text | None = Field(
        None, description="Local account on the resource server under which requests with these tokens run."
    )
    default_scope: Text | None = Field(None, description="Scope to use when the response has none.")
    truststore_alias: Text | None = Field(None, description="Truststore on the resource server.")
    keystore_alias: Text | None = Field(None, description="Keystore on the resource server, for mutual TLS.")
    key_alias: Text | None = Field(None, description="Key in that keystore.")
    execute_acl: Text | None = Field(
        None,
        description="ACL on the resource server whose groups may use the connection, for a server of the same kind.",
    )
    keep_alive_connections: Natural | None = Field(
        None, description="How many idle connections the resource server keeps, for a server of the same kind."
    )
    keep_alive_minutes: Natural | None = Field(
        None, description="How many minutes it keeps an idle connection, for a server of the same kind."
    )
    retry_server: Text | None = Field(
        None, description="Host to try on the same port when this server is down, for a server of the same kind."
    )

    @property
    def sign_in(self) -> tuple[str, str] | None:
        """The names of the two fields with which oauthdeploy itself introspects; None if no pair is complete.

        The account comes first: if both are written, the client belongs to the resource servers.
        """
        pairs = (("username", "password"), ("client_id", "client_secret"))
        return next((pair for pair in pairs if all(getattr(self, name) is not None for name in pair)), None)


class Server(Model):
    """One entry of `servers`. `credentials` and `options` are the driver's own and are validated by it."""

    role: Role = Field(description="authorization, resource or both.")
    driver: Text = Field(description="The driver for the server.", examples=["webmethods"])
    url: Text | None = Field(None, description="Base address of the server.", examples=["https://is.example.com:5543"])
    credentials: Mapping[str, Any] = Field(default_factory=dict, description="The driver's sign-in.")
    tls: Tls = Field(default_factory=Tls.model_construct, description="How the connection is secured.")
    limits: Limits = Field(default_factory=Limits.model_construct, description="Limits on requests to the server.")
    proxy: Literal["direct"] | Proxy | None = Field(
        None,
        description="The proxy for the server, or direct to use none. Default: HTTPS_PROXY, HTTP_PROXY and "
        "NO_PROXY, and no proxy for this machine.",
    )
    options: Mapping[str, Any] = Field(default_factory=dict, description="The driver's own options.")
    authorization_server: Text | None = Field(
        None, description="The server entry that a resource server trusts; to trust itself, its own name."
    )
    introspection: Introspection | None = Field(
        None, description="How resource servers introspect tokens at this server."
    )
    issuer: Text | None = Field(
        None,
        description="The issuer that this authorization server writes into its tokens (RFC 8414); default: the "
        "driver's own for the "
        "url.",
        examples=["https://login.example.com/realms/shop"],
    )
    jwks_uri: Text | None = Field(
        None,
        description="Where this authorization server publishes its keys (RFC 8414); with the keys and the issuer, "
        "a resource server that supports it verifies tokens itself. Default: the driver's own for the url.",
        examples=["https://login.example.com/realms/shop/protocol/openid-connect/certs"],
    )
    audience: Text | None = Field(
        None,
        description="The value that aud must contain in a token for this resource server (RFC 9068 section 4), if "
        "it verifies tokens itself. Default: aud is not checked.",
        examples=["https://orders.example.com"],
    )
