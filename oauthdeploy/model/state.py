"""Desired and live state: addresses and their objects."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct, field
from pydantic import Field

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.model.fields import Model, Natural, Text, Unparsed
from oauthdeploy.model.held_fields import Support
from oauthdeploy.model.identities import Identity
from oauthdeploy.model.objects import Object, Side
from oauthdeploy.model.servers import Server

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class Prune(StrEnum):
    """What may be deleted if the manifest does not name it: nothing, what this manifest owns, or everything."""

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
    """How many objects one apply may change: a share such as 30%, or a count."""

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

    prune: PrunePolicy = Field(default_factory=PrunePolicy.model_construct, description="What may be pruned.")
    protect: tuple[Text, ...] = Field(
        (), description="Address patterns of objects that are never deleted.", examples=[["client/admin-*"]]
    )
    limits: PolicyLimits = Field(
        default_factory=PolicyLimits.model_construct, description="How much one apply may change."
    )


class DesiredState(Struct, frozen=True):
    """What the manifest wants, per server.

    `absent` are explicit removals, `moved` the former names of renamed objects, `places` the path to each object in the
    manifest. An association is pruned (policy `managed`) if its client is in `listed_clients` or its scope in `listed_scopes`,
    that is, if the manifest writes their list. `associating` are the resource servers that keep associations too. `identities`
    are what is known of the identity of clients, both of those that are not among the `objects` of a server and of those that
    are. `external` are objects of other manifests that associations refer to: they must exist, and are not changed. `words` are
    the scopes that associations may name on each server that keeps only their names (`DriverFacts.scopes_are_words`). `whole` is
    false for a state that is only part of what a manifest wants, such as that of a rollback. `cut_at` are the times of cut-offs
    that journals record (`LiveObject.cut_at`), for servers that keep none. `by_key`: nothing but the `objects` is looked at, so
    drivers may read these by their keys. `urgent`: they are cut-offs that nobody reviews first (`Wanted.urgent`).
    """

    name: str
    servers: Mapping[str, Server]
    objects: Mapping[Address, Object]
    absent: frozenset[Address] = frozenset()
    moved: Mapping[Address, str] = _NOTHING
    places: Mapping[Address, Path] = _NOTHING
    listed_clients: frozenset[str] = frozenset()
    listed_scopes: frozenset[str] = frozenset()
    associating: frozenset[str] = frozenset()
    resource_owners: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    identities: Mapping[Address, Identity] = _NOTHING
    external: frozenset[Address] = frozenset()
    words: Mapping[str, frozenset[str]] = _NOTHING
    whole: bool = True
    cut_at: Mapping[Address, float] = _NOTHING
    by_key: bool = False
    urgent: bool = False

    def on(self, server: str) -> Mapping[Address, Object]:
        """The objects that belong on `server`."""
        return {address: value for address, value in self.objects.items() if address.server == server}

    def has_scope(self, server: str, scope: str) -> bool:
        """Whether `server` is to have a scope of this manifest, or at least its name."""
        return Address(Kind.SCOPE, scope, server) in self.objects or scope in self.words.get(server, ())

    def keeps_associations(self, server: str) -> bool:
        """Whether `server` keeps associations: every authorization server, and some resource servers."""
        return Side.AUTHORIZATION in self.servers[server].role.sides or server in self.associating


class Ownership(StrEnum):
    """Whose mark a live object has."""

    OURS = "ours"
    FOREIGN = "foreign"
    UNMARKED = "unmarked"


class TokenCount(Struct, frozen=True):
    """Live tokens that match a selection; `until` is when the last of them expires, None if one never does or if there are
    none. `counted` is false if only whether there is anything to end was found out, because a cut-off did not wait for more.
    """

    active: int
    total: int
    until: datetime | None = None
    endless: bool = False
    counted: bool = True


class _Untold:
    """Stands for a value that is not told."""

    def __repr__(self) -> str:
        return "UNTOLD"


UNTOLD: Final = _Untold()


class Unheld(Struct, frozen=True):
    """What a server holds and no manifest can: why, its `value` as it may be shown, and the `usual` one, where it is absent.

    UNTOLD where the value is secret or cannot be compared. Two values of the same field on servers of one driver mean the same
    where they are equal.
    """

    why: str
    value: Any = UNTOLD
    usual: Any = None


class LiveObject(Struct, frozen=True, gc=False):
    """What a server has at an address, in the manifest's terms.

    `identity` is the server's own id (a client_id, a UUID); `fingerprint` is a digest of everything that the server returned
    about the object except secrets and volatile fields, so that a later change is noticed; `incomparable` names the dotted
    fields that the server does not return (write-only), which are therefore never compared. `client_id` is that of a client, if
    the server returns it (RFC 6749 section 2.2). For a revocation, `value` is the revocation itself, `tokens` what is still to
    be deleted, `blocked` whether the client is disabled (None: the client does not exist), and `refused` whether a resource
    server refuses the tokens (None: it does not have to). `cut_at` is the time of a carried-out `tokens: all`, in seconds since
    1970: the server accepts no token of the client that was issued before it. None if the server keeps no such time. `revision`
    is the secret.revision in our mark on a client; None without such a mark. `renewed_by` says who renewed the secret last and
    when, from such a mark. `fixed` says why the server cannot change the object, so that any change replaces it; "" if it can.
    `unread` says why nothing of an object could be read that is known to exist: no run that needs it succeeds.

    `unparsed` has by dotted path the server's values that the model cannot represent: the field is unset in `value`. A driver's
    own option is in it as a whole, by its name.

    The rest is only read if all of an object is wanted (`Wanted.whole`). `options` are the driver's own options that differ
    from those of a newly created object, whatever the manifest writes. `unheld` names what no manifest can represent of the
    object, by the server's own names. `built_in` marks what the server creates by itself: its own scope, or an
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
    fixed: str = ""
    unread: str = ""
    unparsed: Mapping[str, Unparsed] = _NOTHING
    options: Mapping[str, Any] = _NOTHING
    unheld: Mapping[str, Unheld] = _NOTHING
    built_in: bool = False
    lacks: frozenset[str] = frozenset()


class LiveToken(Struct, frozen=True):
    """A working token: the id of its client (`LiveObject.identity`), its scopes, and when it was issued and expires.

    `issued` is None if the server does not return it; `until` is None if the token never expires or can be refreshed, or if the
    server does not return it. `owner` is its resource owner. `handle` identifies it in a list and gives no access; "" if there
    is none. `refreshes` is how often it can still be refreshed, -1 for without limit; None: not at all, or unknown.
    """

    client: str
    scopes: frozenset[str] = frozenset()
    issued: datetime | None = None
    until: datetime | None = None
    owner: str = ""
    handle: str = ""
    refreshes: int | None = None


class ServerState(Struct, frozen=True):
    """What one driver read: objects, and for each unreadable kind the reason. `requests` is the number of requests sent.

    `hidden` are kinds of which the account may not see every object that the manifest does not name; all that it names were
    found. `complete` are the kinds that were read completely; None: unknown. `accounts` maps names of users and groups to
    whether they are enabled; None: not read, and `accounts_unread` says why if it was tried. `memberships` are the groups of
    users, and `tokens` the working tokens, in the same way. `cut_offs` are the clients that the server marks as disabled by a
    revocation, by the server's id (`LiveObject.identity`), with the revocation's name; including clients that do not exist.
    `foreign` are objects of other protocols, which no manifest can represent. `changed_stock` are the fields that differ from
    what the server itself created, of its own objects; "" for one that is gone. `makes_client_ids` says that the server generates
    the ids of clients: another server of its kind then knows the client of a token by name and version. `lost` names what
    objects that this run wrote had before, should have kept and no longer have, by the server's own names (`drivers.untouched`).
    `answers` are those of the server itself about what it can do, where they differ from its driver's table, by question.
    """

    server: str
    objects: Mapping[Address, LiveObject]
    unreadable: Mapping[Kind, Diagnostic] = _NOTHING
    requests: int = 0
    complete: frozenset[Kind] | None = None
    accounts: Mapping[str, bool] | None = None
    accounts_unread: Diagnostic | None = None
    memberships: Mapping[str, frozenset[str]] | None = None
    tokens: tuple[LiveToken, ...] | None = None
    tokens_unread: Diagnostic | None = None
    hidden: Mapping[Kind, Diagnostic] = _NOTHING
    cut_offs: Mapping[str, str] = _NOTHING
    foreign: Mapping[Address, Unheld] = _NOTHING
    changed_stock: Mapping[Address, Mapping[str, Unheld]] = _NOTHING
    makes_client_ids: bool = False
    lost: Mapping[Address, tuple[str, ...]] = _NOTHING
    answers: Mapping[str, Support] = _NOTHING


class LiveState(Struct, frozen=True, dict=True):
    """The live state of all servers."""

    servers: Mapping[str, ServerState]

    @cached_property
    def objects(self) -> Mapping[Address, LiveObject]:
        """Every live object by address."""
        return {address: value for state in self.servers.values() for address, value in state.objects.items()}

    def readable(self, server: str, kind: Kind) -> bool:
        """False if the kind could not be read there: then none of its objects is created, changed or deleted."""
        state = self.servers.get(server)
        return state is not None and kind not in state.unreadable
