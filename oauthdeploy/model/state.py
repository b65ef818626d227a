"""Desired and live state: addresses and the objects that stand there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic import Field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.model.fields import Model, Natural, Text, Unparsed
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import Object, Side
from oauthdeploy.model.servers import Server


def _frozen_map() -> Mapping[Any, Any]:
    return MappingProxyType({})


class Prune(StrEnum):
    """What may be deleted that the manifest doesn't name: nothing, what is ours, or everything."""

    NONE = "none"
    MANAGED = "managed"
    FULL = "full"


class PrunePolicy(Model):
    """Prune mode for each kind."""

    clients: Prune = Field(Prune.NONE, description="What to do with clients that are not in the manifest.")
    scopes: Prune = Field(Prune.NONE, description="What to do with scopes that are not in the manifest.")
    associations: Prune = Field(
        Prune.MANAGED,
        description="What to do with associations that are not in the manifest; managed: those of clients and "
        "scopes whose lists are in it.",
    )


class PolicyLimits(Model):
    """How much of a population one apply may touch: a share such as 30%, or a count."""

    max_deletes: Text = Field(
        "30%", pattern=r"^[0-9]+%?$", description="The maximum of deletes, as a share or a count."
    )
    max_updates: Text = Field(
        "60%", pattern=r"^[0-9]+%?$", description="The maximum of updates, as a share or a count."
    )
    minimum_population: Natural = Field(
        10,
        description="Shares apply from this number of live objects on; deleting all clients or scopes of a "
        "server always counts.",
    )


class Policy(Model):
    """Safety rules for plans."""

    prune: PrunePolicy = Field(default_factory=PrunePolicy, description="What may be pruned.")
    protect: tuple[Text, ...] = Field(
        (), description="Address patterns of objects that are never deleted.", examples=[["client/admin-*"]]
    )
    limits: PolicyLimits = Field(default_factory=PolicyLimits, description="How much one apply may change.")


@dataclass(frozen=True)
class DesiredState:
    """What the manifest asks for, spread over the servers.

    `absent` holds explicit removals, `moved` the former names of renamed objects, `places` the way to each object in the
    manifest. An association is pruned (policy `managed`) when its client is in `listed_clients` or its scope in
    `listed_scopes`: those whose list the manifest writes. `associating` are the resource servers that keep associations too.
    `identities` say by what a server may know a client that isn't among the `objects` there, or what more is known of one
    that is. `external` are objects of other manifests that associations refer to: they must be there, and nothing of them is
    changed. `whole` is false for a state that is only part of what a manifest wants, such as that of a rollback. `cut_at` are the
    moments of cut-offs that journals record (`LiveObject.cut_at`), for servers that keep none.
    """

    name: str
    servers: Mapping[str, Server]
    objects: Mapping[Address, Object]
    absent: frozenset[Address] = frozenset()
    moved: Mapping[Address, str] = field(default_factory=_frozen_map)
    places: Mapping[Address, Path] = field(default_factory=_frozen_map)
    listed_clients: frozenset[str] = frozenset()
    listed_scopes: frozenset[str] = frozenset()
    associating: frozenset[str] = frozenset()
    resource_owners: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    identities: Mapping[Address, Identity] = field(default_factory=_frozen_map)
    external: frozenset[Address] = frozenset()
    whole: bool = True
    cut_at: Mapping[Address, float] = field(default_factory=_frozen_map)

    def on(self, server: str) -> Mapping[Address, Object]:
        """The objects that belong on `server`."""
        return {address: value for address, value in self.objects.items() if address.server == server}

    def keeps_associations(self, server: str) -> bool:
        """Whether associations stand on `server`: on every authorization server, and on resource servers that keep them."""
        return Side.AUTHORIZATION in self.servers[server].role.sides or server in self.associating


class Ownership(StrEnum):
    """Whose mark a live object carries."""

    OURS = "ours"
    FOREIGN = "foreign"
    UNMARKED = "unmarked"


@dataclass(frozen=True)
class TokenCount:
    """Live tokens that a selection matches; `until` is when the last of them ends, None where one never does or none is there."""

    active: int
    total: int
    until: datetime | None = None
    endless: bool = False


@dataclass(frozen=True)
class LiveObject:
    """What a server holds at an address, in the manifest's words.

    `identity` is the server's own id (a client_id, a UUID); `fingerprint` is a digest of everything the server said about
    the object except secrets and volatile fields, so that a later change is seen; `incomparable` names the dotted fields that the
    server won't tell (write-only), which are therefore never compared. `client_id` is that of a client, where the server
    tells it (RFC 6749 section 2.2). For a revocation, `value` is the revocation itself, `tokens` what is still to delete,
    `blocked` whether the client is disabled (None: the client isn't there), and `refused` whether a resource server refuses the
    tokens (None: it isn't asked to). `cut_at` is the moment of a carried-out `tokens: all`, in seconds since 1970: the server
    accepts no token of the client that was issued before it. None where the server keeps no such moment.

    `revision` is the secret.revision that our mark on a client records; None where there is no mark that could tell.
    `renewed_by` says who renewed the secret last and when, by such a mark.

    `unparsed` holds by dotted path what the server has in a field that the model can't: the field is unset in `value`, and a
    driver's own option stands there as a whole, by its name.

    The rest is told where all of an object is asked for (`Wanted.whole`). `options` are the driver's own options that differ from
    those of an object that is made now, whatever the manifest writes. `unheld` names what no manifest can hold of the object, by
    the server's own names, with the reason. `built_in` marks what the server makes by itself: a scope of its own, or an
    association that every new client gets; `lacks` are the scopes of which a client has lost that association.
    """

    value: Object
    identity: str = ""
    fingerprint: str = ""
    ownership: Ownership = Ownership.UNMARKED
    owner: str = ""
    incomparable: frozenset[str] = frozenset()
    tokens: TokenCount | None = None
    blocked: bool | None = None
    refused: bool | None = None
    cut_at: float | None = None
    client_id: str = ""
    revision: int | None = None
    renewed_by: str = ""
    unparsed: Mapping[str, Unparsed] = field(default_factory=_frozen_map)
    options: Mapping[str, Any] = field(default_factory=_frozen_map)
    unheld: Mapping[str, str] = field(default_factory=_frozen_map)
    built_in: bool = False
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LiveToken:
    """A token that works: the id of its client (`LiveObject.identity`), its scopes, when it was issued, when it ends.

    `issued` is None where the server does not say; `until` is None where the token never ends or can be refreshed, or where the
    server does not say. `owner` is its resource owner. `handle` tells it apart from others in a list and opens nothing; ""
    where there is none. `refreshes` is how often it can still be refreshed, -1 for without limit; None: not at all, or not told.
    """

    client: str
    scopes: frozenset[str] = frozenset()
    issued: datetime | None = None
    until: datetime | None = None
    owner: str = ""
    handle: str = ""
    refreshes: int | None = None


@dataclass(frozen=True)
class ServerState:
    """What one driver read: objects, and for each kind that it couldn't read the reason. `requests` were sent for it.

    `hidden` says of a kind that objects which the manifest doesn't name may be hidden from the account; all that it names were
    found. `complete` are the kinds of which every object was asked for; None: nobody says. `accounts` maps names of users and
    groups to whether they are enabled; None: not read, and `accounts_unread` says why where it was tried. `tokens` are the
    working tokens in the same way. `cut_offs` are the clients that the server marks as disabled by a revocation, by its own id of
    them (`LiveObject.identity`), with the revocation's name; of clients that were read, and of those that are not there.
    `foreign` are objects of other protocols, which no manifest can hold, with the reason. `makes_client_ids` says that the server
    gives clients ids of its own: another server of its kind then knows the client of a token by name and version.
    """

    server: str
    objects: Mapping[Address, LiveObject]
    unreadable: Mapping[Kind, Diagnostic] = field(default_factory=_frozen_map)
    requests: int = 0
    complete: frozenset[Kind] | None = None
    accounts: Mapping[str, bool] | None = None
    accounts_unread: Diagnostic | None = None
    tokens: tuple[LiveToken, ...] | None = None
    tokens_unread: Diagnostic | None = None
    hidden: Mapping[Kind, Diagnostic] = field(default_factory=_frozen_map)
    cut_offs: Mapping[str, str] = field(default_factory=_frozen_map)
    foreign: Mapping[Address, str] = field(default_factory=_frozen_map)
    makes_client_ids: bool = False


@dataclass(frozen=True)
class LiveState:
    """What all servers hold."""

    servers: Mapping[str, ServerState]

    @property
    def objects(self) -> Mapping[Address, LiveObject]:
        """Every live object by address."""
        return {address: value for state in self.servers.values() for address, value in state.objects.items()}

    def readable(self, server: str, kind: Kind) -> bool:
        """False where the kind couldn't be read there: then nothing is created, changed or deleted of it."""
        state = self.servers.get(server)
        return state is not None and kind not in state.unreadable
