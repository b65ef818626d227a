"""The context that every rule receives: the manifest, its desired state, the drivers, and look-ups that are made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.document import ClientEntry, Document, Presence, ScopeEntry
from oauthdeploy.manifest.rules.uris import PLAIN_HTTPS, RedirectUri, is_loopback_url, read_redirect_uri
from oauthdeploy.model.capabilities import Answer, DriverFacts, Support, supports, table_for
from oauthdeploy.model.objects import Client, Grant, Object, Settings, Side
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState


class Pair(Struct, frozen=True, gc=False):
    """A client and a scope that an association connects: the one at `position` in the list `end` of an `entry`."""

    client: str
    scope: str
    entry: int
    end: str
    position: int

    @property
    def path(self) -> Path:
        """The path of the written name that completes the pair."""
        return ("associations", self.entry, self.end, self.position)


LONGEST_ACCESS: Final = 86_400
"""A day, in seconds: the longest advised lifetime of an access token."""

LONGEST_CODE: Final = 600
"""Ten minutes, in seconds: the longest advised lifetime of an authorization code (RFC 6749 section 4.1.2)."""


class RedirectUse(Struct, frozen=True):
    """A redirect URI that is more than a plain https address, and its path."""

    client: str
    entry: ClientEntry
    index: int
    uri: RedirectUri

    @property
    def path(self) -> Path:
        """The path of the URI."""
        return ("clients", self.client, "redirect_uris", self.index)


class LifetimeUse(Struct, frozen=True):
    """A lifetime that is not simply a number of seconds within the advised limits, and its path."""

    path: Path
    address: str
    value: int | str
    longest: int


class SettingUse(Struct, frozen=True):
    """A setting on some servers: its value and its path."""

    path: Path
    value: Any
    servers: tuple[str, ...]


ClientPair = tuple[str, ClientEntry]
"""A client's key and its entry."""

_SORTED_BY: Final = ("on", "secret", "tokens", "moved_from")


class _Clients(Struct, frozen=True):
    """The clients by what is written for them."""

    present: list[ClientPair] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    grants: dict[Grant, list[ClientPair]] = field(default_factory=lambda: {grant: [] for grant in Grant})
    written: dict[str, list[ClientPair]] = field(default_factory=lambda: {name: [] for name in _SORTED_BY})


class RuleContext(Struct, frozen=True, dict=True):
    """A manifest that could be read: `document` as it is written, `desired` as placed on the servers, `drivers` by name.

    `composed` has what identifies servers, as it is written, for each environment; `today` is the date by which entries expire
    (None: none does).

    The look-ups are made on first use and cached, so that all rules together stay linear in the manifest.
    """

    document: Document
    desired: DesiredState
    drivers: Mapping[str, DriverFacts]
    composed: Mapping[str, Any] = field(default_factory=dict)
    today: date | None = None

    @property
    def servers(self) -> Mapping[str, Server]:
        """The server entries by name."""
        return self.document.servers

    def facts(self, server: str) -> DriverFacts | None:
        """The facts of the driver of `server`; None if server or driver is unknown (the loader reports that)."""
        entry = self.servers.get(server)
        return None if entry is None else self.drivers.get(entry.driver)

    def support(self, server: str, question: str, side: Side | None = None) -> Support:
        """What the driver of `server` answers for its role, or for one side of a server with both."""
        facts = self.facts(server)
        if facts is None:
            return Support(Answer.UNTESTED, "the driver is not known")
        role = self.servers[server].role
        if side is None or role is Role.BOTH:
            return supports(table_for(facts, role), question)
        return supports(table_for(facts, Role(side.value)), question)

    def names_scopes(self, server: str) -> bool:
        """True for a server that keeps no scopes, only their names."""
        facts = self.facts(server)
        return facts is not None and facts.scopes_are_words(self.servers[server].role)

    def writable(self, server: str) -> bool:
        """False for a server that is only trusted, such as one with the driver `external`."""
        facts = self.facts(server)
        return facts is None or facts.writable

    @cached_property
    def authorization_servers(self) -> tuple[str, ...]:
        """The servers with an authorization side."""
        return tuple(name for name, entry in self.servers.items() if Side.AUTHORIZATION in entry.role.sides)

    @cached_property
    def resource_servers(self) -> tuple[str, ...]:
        """The servers with a resource side."""
        return tuple(name for name, entry in self.servers.items() if Side.RESOURCE in entry.role.sides)

    def trusted_by(self, server: str) -> str | None:
        """The server whose tokens `server` accepts; a server with both roles trusts itself by default."""
        entry = self.servers[server]
        if entry.authorization_server is None and entry.role is Role.BOTH:
            return server
        return entry.authorization_server

    def is_loopback(self, server: str) -> bool:
        """True if the server is on this machine, so that requests to it cross no network."""
        url = self.servers[server].url
        return url is not None and is_loopback_url(url)

    # -- the document -------------------------------------------------------------------------------------------------

    @cached_property
    def _clients(self) -> _Clients:
        """The clients, grouped in one pass by what is written for them: many rules are about few clients."""
        clients = _Clients()
        written = [(name, clients.written[name]) for name in _SORTED_BY]
        grants = {id(grant): clients.grants[grant] for grant in Grant}
        for pair in (self.document.clients or {}).items():
            entry = pair[1]
            fields = entry.model_fields_set
            if "state" in fields and entry.state is Presence.ABSENT:
                clients.absent.append(pair[0])
                continue
            if "external" in fields and entry.external:
                # Another manifest is checked with the fields that it sets.
                continue
            clients.present.append(pair)
            for name, pairs in written:
                if name in fields:
                    pairs.append(pair)
            for grant in entry.grants or ():
                holders = grants[id(grant)]
                if not holders or holders[-1] is not pair:
                    holders.append(pair)
        return clients

    @property
    def clients(self) -> Sequence[ClientPair]:
        """The clients that must exist, each with its key."""
        return self._clients.present

    @cached_property
    def absent_clients(self) -> frozenset[str]:
        """The clients that are to be removed."""
        return frozenset(self._clients.absent)

    @property
    def clients_with(self) -> Mapping[Grant, Sequence[ClientPair]]:
        """The clients by their written grants."""
        return self._clients.grants

    def clients_that_write(self, field: str) -> Sequence[ClientPair]:
        """The clients with `on`, `secret`, `tokens` or `moved_from`, including null."""
        return self._clients.written[field]

    @cached_property
    def scopes(self) -> tuple[tuple[str, ScopeEntry], ...]:
        """The scopes of this manifest that must exist."""
        entries = self.document.scopes or {}
        present = ((name, entry) for name, entry in entries.items() if entry.state is Presence.PRESENT)
        return tuple((name, entry) for name, entry in present if not entry.external)

    @cached_property
    def absent_scopes(self) -> frozenset[str]:
        """The scopes that are to be removed."""
        entries = self.document.scopes or {}
        return frozenset(name for name, entry in entries.items() if entry.state is Presence.ABSENT)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair of the associations, in their order, including repetitions."""
        found: list[Pair] = []
        for index, entry in enumerate(self.document.associations or ()):
            if entry.client is not None:
                for position, scope in enumerate(entry.scopes or ()):
                    found.append(Pair(entry.client, scope, index, "scopes", position))
            elif entry.scope is not None:
                for position, client in enumerate(entry.clients or ()):
                    found.append(Pair(client, entry.scope, index, "clients", position))
        return tuple(found)

    @cached_property
    def redirects(self) -> tuple[RedirectUse, ...]:
        """The redirect URIs that rules check: all but plain https addresses."""
        found: list[RedirectUse] = []
        plain = PLAIN_HTTPS.match
        for key, entry in self.clients:
            for index, text in enumerate(entry.redirect_uris or ()):
                if not plain(text):
                    found.append(RedirectUse(key, entry, index, read_redirect_uri(text)))
        return tuple(found)

    @cached_property
    def lifetimes(self) -> tuple[LifetimeUse, ...]:
        """The lifetimes that rules check, of servers and of clients: never, zero, and longer than advised."""
        found: list[LifetimeUse] = []
        for path, settings in self.written_settings:
            address = f"settings@{path[2]}" if len(path) == 3 else "settings"
            for name, longest in (
                ("access_token_lifetime", LONGEST_ACCESS),
                ("authorization_code_lifetime", LONGEST_CODE),
            ):
                value = getattr(settings, name)
                if _is_unusual(value, longest):
                    found.append(LifetimeUse((*path, name), address, value, longest))
        for key, entry in self.clients_that_write("tokens"):
            tokens = entry.tokens
            if tokens is not None and _is_unusual(tokens.access_lifetime, LONGEST_ACCESS):
                place = ("clients", key, "tokens", "access_lifetime")
                address = object_address(Kind.CLIENT, key)
                found.append(LifetimeUse(place, address, tokens.access_lifetime or 0, LONGEST_ACCESS))
        return tuple(found)

    @cached_property
    def written_settings(self) -> tuple[tuple[Path, Settings], ...]:
        """The settings of all servers and of single ones, each with its path."""
        settings = self.document.settings
        if settings is None:
            return ()
        base: tuple[tuple[Path, Settings], ...] = ((("settings",), settings),)
        overrides = settings.overrides or {}
        return base + tuple((("settings", "overrides", name), entry) for name, entry in overrides.items())

    def setting(self, field: str) -> Iterator[SettingUse]:
        """Yield each written value of a setting with its servers; resource servers only by override."""
        settings = self.document.settings
        if settings is None:
            return
        overrides = settings.overrides or {}
        if field in settings.model_fields_set:
            plain = tuple(
                name
                for name in self.authorization_servers
                if self.writable(name) and (name not in overrides or field not in overrides[name].model_fields_set)
            )
            yield SettingUse(("settings", field), getattr(settings, field), plain)
        for name, entry in overrides.items():
            if field in entry.model_fields_set and name in self.servers:
                yield SettingUse(("settings", "overrides", name, field), getattr(entry, field), (name,))

    # -- the desired state --------------------------------------------------------------------------------------------

    @cached_property
    def addresses(self) -> Mapping[tuple[str, Kind], Sequence[Address]]:
        """The addresses of the desired objects by server and kind, without associations, of which there are many."""
        found: dict[Kind, defaultdict[str, list[Address]]] = {kind: defaultdict(list) for kind in Kind}
        association = Kind.ASSOCIATION
        for address in self.desired.objects:
            if address.kind is not association:
                found[address.kind][address.server].append(address)
        return {(server, kind): values for kind in Kind for server, values in found[kind].items()}

    def placed(self, server: str, kind: Kind) -> Iterator[tuple[Address, Object]]:
        """The desired objects of a kind on a server; not for associations."""
        return ((address, self.desired.objects[address]) for address in self.addresses.get((server, kind), ()))

    @cached_property
    def associating(self) -> frozenset[str]:
        """The servers that must have associations."""
        association = Kind.ASSOCIATION
        return frozenset({address.server for address in self.desired.objects if address.kind is association})

    @cached_property
    def names_on(self) -> Mapping[tuple[str, Kind], frozenset[str]]:
        """The names of the desired objects by server and kind, without associations."""
        return {key: frozenset([address.name for address in values]) for key, values in self.addresses.items()}

    def names(self, server: str, kind: Kind) -> frozenset[str]:
        """The names of the desired objects of a kind on `server`; not for associations."""
        return self.names_on.get((server, kind), frozenset())

    def holds(self, server: str, kind: Kind, name: str) -> bool:
        """True if the object, which is not an association, must be on `server`."""
        return name in self.names(server, kind) or (kind is Kind.SCOPE and name in self.desired.words.get(server, ()))

    def place(self, address: Address) -> Path:
        """The path of an object in the document."""
        return self.desired.places.get(address, ())


def _is_unusual(value: int | str | None, longest: int) -> bool:
    if value.__class__ is int:
        return not 0 < value <= longest
    return value == "never"


def client_name(key: str, client: Client) -> str:
    """The name of a client on its servers: the written one, or its key."""
    return client.name if client.name is not None else key
