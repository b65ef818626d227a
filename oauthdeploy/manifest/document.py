"""The manifest as it is written (version 1): the OAuth objects, where they belong, and how they are composed."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, create_model, model_validator

from oauthdeploy.core.secrets import Secret
from oauthdeploy.model.fields import Flag, Model, Text, parse_integer
from oauthdeploy.model.objects import AS, AS_FIELD, Association, Client, Revocation, Scope, ScopeContents, Settings
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import Policy

ServerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
"""The pattern of a server's name, which follows the @ of every address."""

Version = Annotated[Literal[1], BeforeValidator(parse_integer, json_schema_input_type=int)]
"""The version of the manifest language."""

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]


class Presence(StrEnum):
    """Whether an object must exist."""

    PRESENT = "present"
    ABSENT = "absent"


class VariableType(StrEnum):
    """The type that the value of a variable must have."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DURATION = "duration"


def _default(value: Any) -> Any:
    if value is None or isinstance(value, str | Secret):
        return value
    raise ValueError("write a string, a number, true or false")


class Variable(Model):
    """A value that differs between runs or environments."""

    type: VariableType = Field(VariableType.STRING, description="What the value must be.")
    default: Annotated[Any, BeforeValidator(_default, json_schema_input_type=str | None)] = Field(
        None, description="The value when none is given; without it the variable is required."
    )
    description: Text | None = Field(None, description="What the variable is for.")
    allowed: tuple[Text, ...] | None = Field(None, description="The only values that are accepted.")
    sensitive: Flag = Field(False, description="Treat the value as a secret everywhere.")


class SettingsEntry(Settings):
    """Settings of every authorization server, and what differs on one server."""

    overrides: Mapping[ServerName, Settings] | None = Field(
        None, description="Settings by server name; settings of resource servers go here too."
    )


class ScopeEntry(Scope):
    """A scope and where it belongs."""

    state: Presence = Field(Presence.PRESENT, description="absent removes the scope.")
    on: tuple[ServerName, ...] | None = Field(None, description="Servers that have it; default: every server.")
    overrides: Mapping[ServerName, ScopeContents] | None = Field(
        None, description="What it gives access to on single servers, by server name, where that differs."
    )
    external: Flag = Field(
        False,
        description="Another manifest owns the scope: it must exist, and is never created, changed or deleted.",
    )


class ClientEntry(Client):
    """A client and where it belongs."""

    state: Presence = Field(Presence.PRESENT, description="absent removes the client.")
    on: tuple[ServerName, ...] | None = Field(
        None, description="Servers that have it; default: every server that supports it."
    )
    moved_from: Text | None = Field(
        None, description="The client's former key, to rename it without deleting and creating it."
    )
    external: Flag = Field(
        False,
        description="Another manifest owns the client: it must exist, and is never created, changed or deleted; "
        "name and version identify it.",
    )


def _end(*keys: str) -> dict[str, Any]:
    # Strict validators require that required keys are among the properties of the same schema.
    properties: dict[str, Any] = {key: {} for key in (*keys, AS)}
    return {"type": "object", "properties": properties, "required": list(keys), "additionalProperties": False}


_ENDS: dict[str, Any] = {"oneOf": [_end("client", "scopes"), _end("scope", "clients")]}


class _Ends(Model):
    client: Text | None = Field(None, description="The client; then its entries list all of its scopes.")
    scopes: tuple[Text, ...] | None = Field(None, description="The scopes of the client.")
    scope: Text | None = Field(None, description="The scope; then its entries list all of its clients.")
    clients: tuple[Text, ...] | None = Field(None, description="The clients of the scope.")


if TYPE_CHECKING:
    _Entry = _Ends
else:
    _Entry = create_model("_Entry", __base__=_Ends, **{AS: AS_FIELD})


class AssociationEntry(_Entry):
    """Which scopes a client may request, written from either end; `as` applies to the whole entry."""

    model_config = ConfigDict(json_schema_extra=_ENDS)

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        from_client = self.client is not None and self.scopes is not None
        from_scope = self.scope is not None and self.clients is not None
        written = len(self.model_fields_set - {AS})
        if from_client == from_scope or written != 2:
            raise ValueError("write either {client: ..., scopes: [...]} or {scope: ..., clients: [...]}")
        return self

    @property
    def association(self) -> Association:
        """What the entry says about each of its associations."""
        return Association.made(getattr(self, AS)) if AS in self.model_fields_set else UNWRITTEN


UNWRITTEN: Final[Association] = Association.model_construct()  # type: ignore[assignment]  # mypy takes it for its base
"""An association of which nothing is written: one for very many."""


class RevocationEntry(Revocation):
    """A cut-off with its id, such as the number of the incident."""

    id: Text = Field(description="The name of the entry.", examples=["INC-2041"], min_length=1)

    def is_expired(self, today: date | None) -> bool:
        """Whether its last day has passed, so that it no longer cuts anyone off."""
        return today is not None and self.expires is not None and self.expires < today


class KubernetesLock(Model):
    """The lock as Leases of Kubernetes, which excludes runs on any number of machines."""

    namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=63)] = Field(
        description="The namespace of the Leases; the cluster is that of the pod, or of KUBECONFIG.",
        examples=["oauth"],
    )


class Lock(Model):
    """Where runs of this manifest lock each other out."""

    kubernetes: KubernetesLock = Field(
        description="One Lease (coordination.k8s.io) for each server; needs the extra kubernetes."
    )


class Document(Model):
    """An oauthdeploy manifest."""

    version: Version = Field(description="The version of the manifest language.")
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)] = Field(
        description="Identifies this manifest in ownership marks, locks and reports.", examples=["payments"]
    )
    variables: Mapping[VariableName, Variable] = Field(default_factory=dict, description="Variables for ${var:NAME}.")
    servers: Mapping[ServerName, Server] = Field(description="The servers, by name.", min_length=1)
    settings: SettingsEntry | None = Field(None, description="OAuth settings of the authorization servers.")
    scopes: Mapping[Text, ScopeEntry] | None = Field(None, description="Scopes, by name.")
    clients: Mapping[Text, ClientEntry] | None = Field(None, description="Clients, by key.")
    associations: tuple[AssociationEntry, ...] | None = Field(None, description="Which client may request which scope.")
    revocations: tuple[RevocationEntry, ...] | None = Field(None, description="Cut-offs.")
    resource_owners: tuple[Text, ...] | None = Field(
        None, description="Accounts that must exist on both sides; checked, never created.", examples=[["alice", "bob"]]
    )
    policy: Policy = Field(default_factory=Policy.model_construct, description="Safety rules for plans.")
    lock: Lock | None = Field(
        None, description="The lock of a run; default: a file in the state folder, which covers one machine."
    )
    environments: Mapping[Text, Mapping[str, Any]] = Field(
        default_factory=dict, description="JSON Merge Patches (RFC 7396) on this document, chosen by --env."
    )
