"""A server entry: which side it stands on, which driver speaks to it, within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import Duration, Flag, Model, Natural, Positive, Text, WriteOnly
from oauthdeploy.model.objects import Side


class Role(StrEnum):
    """What a server is in OAuth."""

    AUTHORIZATION = "authorization"
    RESOURCE = "resource"
    BOTH = "both"

    @property
    def sides(self) -> frozenset[Side]:
        """The sides that the server stands on."""
        return frozenset(Side) if self is Role.BOTH else frozenset({Side(self.value)})


class Tls(Model):
    """How the connection to a server is secured. Verification is on."""

    verify: Flag = Field(True, description="Verify the server's certificate; false is a warning in every report.")
    ca_file: Text | None = Field(None, description="PEM file of the authorities to trust, from the manifest's folder.")
    client_cert: Text | None = Field(None, description="PEM file of the client certificate, for mutual TLS.")
    client_key: Text | None = Field(None, description="PEM file of its key.")
    client_key_password: Annotated[Secret, WriteOnly()] | None = Field(
        None, description="The pass phrase of an encrypted key.", examples=["${env:KEY_PASSWORD}"]
    )
    minimum_version: Literal["TLSv1.2", "TLSv1.3"] = Field("TLSv1.2", description="The oldest version of TLS to speak.")
    server_name: Text | None = Field(
        None,
        min_length=1,
        description="The host name to ask for (SNI, RFC 6066) and to find in the certificate, where it is not the url's.",
        examples=["is.example.com"],
    )


class Proxy(Model):
    """The proxy between us and a server."""

    url: Text = Field(description="Address of the proxy.", examples=["http://proxy.example.com:3128"])
    username: Text | None = Field(None, description="Account at the proxy.", pattern="^[^:]+$")
    password: Annotated[Secret, WriteOnly()] | None = Field(
        None, description="Its password.", examples=["${env:PROXY_PASSWORD}"]
    )


class Limits(Model):
    """How hard a server may be pressed, and how long it is waited for."""

    parallel: Positive = Field(8, le=256, json_schema_extra={"maximum": 256}, description="Requests at the same time.")
    requests_per_second: Positive | None = Field(None, description="Requests started in a second; none: no limit.")
    timeout: Duration = Field(
        30,
        ge=1,
        description="How long one request may take, from connecting to the end of the answer.",
        examples=["30s"],
    )
    connect_timeout: Duration = Field(
        10, ge=1, description="How long connecting may take, TLS included; never longer than timeout.", examples=["10s"]
    )
    read_timeout: Duration | None = Field(
        None, ge=1, description="How long a server may be silent within one answer; default: timeout.", examples=["20s"]
    )
    answer_size: Positive = Field(
        64,
        le=1024,
        json_schema_extra={"maximum": 1024},
        description="The largest answer that is read, in MiB.",
    )
    retries: Natural = Field(
        5,
        le=20,
        json_schema_extra={"maximum": 20},
        description="How often a request that is safe to repeat is repeated.",
    )


class Introspection(Model):
    """How resource servers ask this authorization server about tokens (RFC 7662)."""

    endpoint: Text | None = Field(None, description="Introspection endpoint; default: the driver's own for the url.")
    client_id: Text | None = Field(None, description="Client that introspects.")
    client_secret: Annotated[Secret, WriteOnly()] | None = Field(None, description="Its secret.")
    username: Text | None = Field(None, description="Account that introspects, for a server of the same kind.")
    password: Annotated[Secret, WriteOnly()] | None = Field(None, description="Its password.")
    user: Text | None = Field(None, description="Local account on the RS that runs requests with these tokens.")
    default_scope: Text | None = Field(None, description="Scope to use when the answer has none.")


class Server(Model):
    """One entry of `servers`. `credentials` and `options` are the driver's own and are validated by it."""

    role: Role = Field(description="authorization, resource or both.")
    driver: Text = Field(description="The driver that speaks to the server.", examples=["webmethods"])
    url: Text | None = Field(None, description="Base address of the server.", examples=["https://is.example.com:5543"])
    credentials: Mapping[str, Any] = Field(default_factory=dict, description="The driver's sign-in.")
    tls: Tls = Field(default_factory=Tls, description="How the connection is secured.")
    limits: Limits = Field(default_factory=Limits, description="How hard the server may be pressed.")
    proxy: Literal["direct"] | Proxy | None = Field(
        None,
        description="The proxy to the server; direct: none. Default: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say, and none "
        "for this machine.",
    )
    options: Mapping[str, Any] = Field(default_factory=dict, description="The driver's own options.")
    authorization_server: Text | None = Field(
        None, description="The server entry that a resource server trusts; its own name for itself."
    )
    introspection: Introspection | None = Field(None, description="How resource servers ask this server about tokens.")
    issuer: Text | None = Field(
        None,
        description="What this authorization server calls itself in its tokens (RFC 8414); default: the driver's own for the "
        "url.",
        examples=["https://login.example.com/realms/shop"],
    )
    jwks_uri: Text | None = Field(
        None,
        description="Where this authorization server publishes its keys (RFC 8414); with them and the issuer a resource server "
        "that can verifies tokens itself. Default: the driver's own for the url.",
        examples=["https://login.example.com/realms/shop/protocol/openid-connect/certs"],
    )
    audience: Text | None = Field(
        None,
        description="What the aud of a token must hold to be meant for this resource server (RFC 9068 section 4), where it "
        "verifies tokens itself; none: aud isn't looked at.",
        examples=["https://orders.example.com"],
    )
