"""From the document to the desired state: which object belongs on which server, and in which form.

Settings go to every server with an authorization side; overrides add to them and can set settings of resource servers too.
Scopes go to every server, with what they give access to; overrides replace that on single servers. A server that keeps only
the names of scopes gets them with the associations. Clients go to every server
that can hold them; their secret belongs to the authorization side. Associations go to the authorization side, and to resource
servers that can hold them. Tokens are deleted on the authorization side; resource servers that can are configured to refuse
those tokens. Trust belongs to the resource side. Nothing goes to a server whose driver does not write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.manifest.document import ClientEntry, Document, Presence, RevocationEntry, ScopeEntry
from oauthdeploy.manifest.object_copies import fields_in, joined_options, overlaid, plain_object, recast, without
from oauthdeploy.manifest.suggestions import did_you_mean
from oauthdeploy.manifest.trust_resolution import Party, trust_of
from oauthdeploy.model.capabilities import Capability, DriverFacts, supports, table_for
from oauthdeploy.model.fields import Model
from oauthdeploy.model.identities import Identity, key_of
from oauthdeploy.model.objects import (
    AssignedAs,
    Association,
    Client,
    Object,
    Revocation,
    Scope,
    ScopeContents,
    Settings,
    Side,
)
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState

_AS = {way: Association.made(way) for way in AssignedAs}
_GUESSES: Final = 50_000
"""How many names are compared for suggestions in one run: comparing takes time, and a thousand mistakes have one cause."""


def place_objects(
    document: Document,
    drivers: Mapping[str, DriverFacts],
    options: Mapping[str, Model],
    known: Mapping[str, Iterable[str]] | None = None,
    *,
    today: date | None = None,
) -> tuple[DesiredState, tuple[Diagnostic, ...]]:
    """Spread the objects over the servers. `options` are the drivers' validated options by server, without invalid ones.
    `known` adds names (by section) that are written but could not be built. Revocations that have expired by `today` are left
    out; what they blocked is neither blocked again nor enabled.
    """
    placer = _Placer(document, drivers, options, known or {}, today)
    placer.run()
    placed = placer.placed
    desired = DesiredState(
        name=document.name,
        servers=dict(document.servers),
        objects=placed.objects,
        absent=frozenset(placed.absent),
        moved=placed.moved,
        places=placed.places,
        listed_clients=frozenset(placed.listed_clients),
        listed_scopes=frozenset(placed.listed_scopes),
        associating=frozenset(placer.associating) - frozenset(placer.issuing),
        resource_owners=tuple(document.resource_owners or ()),
        policy=document.policy,
        identities=placed.identities,
        external=frozenset(placed.external),
        words={server: frozenset(names) for server, names in placed.words.items()},
    )
    return desired, tuple(placer.problems)


class _Placed(Struct):
    """The collections of a desired state under construction."""

    objects: dict[Address, Object] = field(default_factory=dict)
    places: dict[Address, Path] = field(default_factory=dict)
    absent: set[Address] = field(default_factory=set)
    moved: dict[Address, str] = field(default_factory=dict)
    listed_clients: set[str] = field(default_factory=set)
    listed_scopes: set[str] = field(default_factory=set)
    identities: dict[Address, Identity] = field(default_factory=dict)
    external: set[Address] = field(default_factory=set)
    words: dict[str, set[str]] = field(default_factory=dict)

    def put(self, address: Address, value: Object, path: Path) -> None:
        """An object and its path in the document."""
        self.objects[address] = value
        self.places[address] = path


class _Placer:
    """Places kind after kind; associations come last, since they need to know which objects are where."""

    def __init__(
        self,
        document: Document,
        drivers: Mapping[str, DriverFacts],
        options: Mapping[str, Model],
        known: Mapping[str, Iterable[str]],
        today: date | None,
    ) -> None:
        self.document = document
        self._today = today
        self.problems: list[Diagnostic] = []
        self.placed = _Placed()
        self._guesses = _GUESSES
        self._drivers = drivers
        self._options = options
        self._names = {
            "servers": dict.fromkeys([*document.servers, *known.get("servers", ())]),
            "scopes": dict.fromkeys([*(document.scopes or ()), *known.get("scopes", ())]),
            "clients": dict.fromkeys([*(document.clients or ()), *known.get("clients", ())]),
        }
        self._holds: dict[str, dict[str, tuple[str, ...]]] = {"scopes": {}, "clients": {}}
        self._default_scopes: dict[tuple[str, str], frozenset[str]] = {}

    def run(self) -> None:
        """Place everything."""
        self.placed.words.update((server, set()) for server in self._naming_scopes)
        self._trust()
        self._settings()
        for name, scope in (self.document.scopes or {}).items():
            self._scope(name, scope)
        for key, client in (self.document.clients or {}).items():
            self._client(key, client)
        self._associations()
        for position, entry in enumerate(self.document.revocations or ()):
            if not entry.is_expired(self._today):
                self._revocation(position, entry)

    # -- servers ----------------------------------------------------------------------------------------------------

    @cached_property
    def _writable(self) -> dict[str, Server]:
        return {
            name: server
            for name, server in self.document.servers.items()
            if server.driver not in self._drivers or self._drivers[server.driver].writable
        }

    @cached_property
    def _sides(self) -> dict[Side, tuple[str, ...]]:
        return {side: tuple(n for n, server in self._writable.items() if side in server.role.sides) for side in Side}

    def _able(self, capability: Capability) -> tuple[str, ...]:
        """The servers whose driver does not answer no for their role."""
        return tuple(name for name, server in self._writable.items() if self._can(server, capability))

    def _can(self, server: Server, capability: Capability) -> bool:
        facts = self._drivers.get(server.driver)
        if facts is None:
            return True
        return bool(supports(table_for(facts, server.role), capability))

    @cached_property
    def _for_scopes(self) -> tuple[str, ...]:
        able = self._able(Capability.SCOPES)
        return tuple(name for name in self._writable if name in able or name in self._naming_scopes)

    @cached_property
    def _naming_scopes(self) -> frozenset[str]:
        """The servers that keep no scopes, only their names."""
        known = ((name, server) for name, server in self._writable.items() if server.driver in self._drivers)
        return frozenset(name for name, server in known if self._drivers[server.driver].scopes_are_words(server.role))

    @cached_property
    def _for_clients(self) -> tuple[str, ...]:
        return self._able(Capability.CLIENTS)

    def _chosen(
        self, on: tuple[str, ...] | None, default: tuple[str, ...], path: Path, address: str
    ) -> tuple[str, ...]:
        """The servers of an `on`, validated, or the default."""
        if on is None:
            return default
        for position, name in enumerate(on):
            way = (*path, "on", position)
            if name not in self._names["servers"]:
                self._dangling("server", name, self._names["servers"], way, address)
            elif name in self.document.servers and name not in self._writable:
                detail = f"The driver of '{name}' only describes a server; oauthdeploy never changes it."
                fix = "Remove it from the list."
                self._problem("not-allowed-value", "A value is not allowed", detail, fix, way, address)
        return tuple(dict.fromkeys(name for name in on if name in self._writable))

    # -- kinds ------------------------------------------------------------------------------------------------------

    def _trust(self) -> None:
        for name, server in self.document.servers.items():
            if server.authorization_server is None:
                continue
            path: Path = ("servers", name, "authorization_server")
            target = server.authorization_server
            entry = self.document.servers.get(target)
            if entry is None:
                if target not in self._names["servers"]:
                    self._dangling("server", target, self._names["servers"], path, f"trust@{name}")
                continue
            if Side.AUTHORIZATION not in entry.role.sides:
                able = [n for n, other in self.document.servers.items() if Side.AUTHORIZATION in other.role.sides]
                detail = f"'{target}' is not an authorization server: its role is {entry.role}."
                fix = did_you_mean(target, able, what="Authorization servers are")
                self._problem("not-allowed-value", "A value is not allowed", detail, fix, path, f"trust@{name}")
                continue
            if name in self._writable and Side.RESOURCE in server.role.sides:
                trust = trust_of(self._party(name, server), self._party(target, entry))
                if isinstance(trust, Diagnostic):
                    self.problems.append(trust)
                elif trust is not None:
                    self.placed.put(Address.singleton(Kind.TRUST, name), trust, path)

    def _party(self, name: str, entry: Server) -> Party:
        return Party(name, entry, self._drivers.get(entry.driver), self._options.get(name))

    def _settings(self) -> None:
        written = self.document.settings
        if written is None:
            return
        overrides = written.overrides or {}
        for name in overrides:
            if name not in self._names["servers"]:
                self._dangling("server", name, self._names["servers"], ("settings", "overrides", name), "")
        fields = written.model_fields_set & fields_in(Settings)
        base = {name: getattr(written, name) for name in fields}
        for name in self._writable:
            values = dict(base) if name in self._sides[Side.AUTHORIZATION] else {}
            path: Path = ("settings",)
            if name in overrides:
                extra = overrides[name]
                own = {inner: getattr(extra, inner) for inner in extra.model_fields_set}
                values.update({**own, **joined_options(values, own)})
                path = path if base and values.keys() & base.keys() else ("settings", "overrides", name)
            if values:
                value = Settings.model_construct(set(values), **values)
                self.placed.put(Address.singleton(Kind.SETTINGS, name), value, path)

    def _scope(self, name: str, entry: ScopeEntry) -> None:
        path: Path = ("scopes", name)
        chosen = self._chosen(entry.on, self._for_scopes, path, object_address(Kind.SCOPE, name))
        servers = tuple(server for server in chosen if server not in self._naming_scopes)
        if entry.state is Presence.ABSENT:
            self.placed.absent.update(Address(Kind.SCOPE, name, server) for server in servers)
            for server in servers:
                self.placed.places[Address(Kind.SCOPE, name, server)] = path
            return
        self._holds["scopes"][name] = chosen
        for server in self._naming_scopes.intersection(chosen):
            self.placed.words[server].add(name)
        if entry.external:
            self._external(Kind.SCOPE, name, servers, path)
            return
        whole = plain_object(Scope, entry)
        overrides = entry.overrides or {}
        self._check_overrides(name, overrides, servers, path)
        for server in servers:
            own = overrides.get(server)
            value = whole if own is None else overlaid(whole, own)
            self.placed.put(Address(Kind.SCOPE, name, server), value, path)

    def _check_overrides(
        self, scope: str, overrides: Mapping[str, ScopeContents], servers: Collection[str], path: Path
    ) -> None:
        address = object_address(Kind.SCOPE, scope)
        for name in overrides:
            way: Path = (*path, "overrides", name)
            if name not in self._names["servers"]:
                self._dangling("server", name, self._names["servers"], way, address)
            elif name in self.document.servers and name not in servers:
                keeps = f"'{name}' keeps no scopes, only their names."
                detail = keeps if name in self._naming_scopes else f"The scope is not on '{name}'."
                self._problem(
                    "not-allowed-value", "A value is not allowed", detail, "Remove the override.", way, address
                )

    def _client(self, key: str, entry: ClientEntry) -> None:
        path: Path = ("clients", key)
        servers = self._chosen(entry.on, self._for_clients, path, object_address(Kind.CLIENT, key))
        addresses = [Address(Kind.CLIENT, key, server) for server in servers]
        if entry.state is Presence.ABSENT:
            self.placed.absent.update(addresses)
            self.placed.places.update(dict.fromkeys(addresses, path))
            self._describe(key, self._for_clients, Identity(entry.name, entry.version))
            return
        if entry.on is not None:
            # A server where the client is not wanted may have it all the same, and identifies it by its name and version.
            self._describe(key, set(self._for_clients).difference(servers), Identity(entry.name or key, entry.version))
        self._holds["clients"][key] = servers
        if entry.external:
            self._external(Kind.CLIENT, key, servers, path)
            self._describe(key, servers, Identity(entry.name or key, entry.version))
            return
        whole = self._without_listed_defaults(key, plain_object(Client, entry))
        bare = without(whole, "secret") if "secret" in whole.model_fields_set else whole
        blocked, expired = self._blocked.get(key), self._once_blocked.get(key)
        objects, places = self.placed.objects, self.placed.places
        for address in addresses:
            role = self._writable[address.server].role
            value = bare if role is Role.RESOURCE else whole
            if blocked and blocked & role.sides:
                value = recast(Client, value.model_fields_set | {"enabled"}, {**value.__dict__, "enabled": False})
            elif expired and expired & role.sides and "enabled" in value.model_fields_set:
                value = without(value, "enabled")
            objects[address] = value
            places[address] = path
            if entry.moved_from is not None:
                self.placed.moved[address] = entry.moved_from

    def _without_listed_defaults(self, key: str, client: Client) -> Client:
        """The client without the options that describe its associations; `_listed_as` reads them."""
        options = client.options or {}
        listing = {
            name: option
            for name in options
            if name in self._drivers and (option := self._drivers[name].default_scopes_option) in options[name]
        }
        if not listing:
            return client
        for name, option in listing.items():
            self._default_scopes[name, key] = frozenset(options[name][option] or ())
        kept = {
            name: {key: value for key, value in some.items() if key != listing.get(name)}
            for name, some in options.items()
        }
        return recast(Client, client.model_fields_set, {**client.__dict__, "options": kept})

    def _external(self, kind: Kind, name: str, servers: Iterable[str], path: Path) -> None:
        addresses = [Address(kind, name, server) for server in servers]
        self.placed.external.update(addresses)
        self.placed.places.update(dict.fromkeys(addresses, path))

    def _describe(self, key: str, servers: Iterable[str], identity: Identity) -> None:
        self.placed.identities.update((Address(Kind.CLIENT, key, server), identity) for server in servers)

    @cached_property
    def _blocked(self) -> dict[str, frozenset[Side]]:
        return self._blocks(expired=False)

    @cached_property
    def _once_blocked(self) -> dict[str, frozenset[Side]]:
        """What expired entries blocked: enabling it again takes a person, who removes the entry."""
        return self._blocks(expired=True)

    def _blocks(self, *, expired: bool) -> dict[str, frozenset[Side]]:
        found: dict[str, frozenset[Side]] = {}
        for entry in self.document.revocations or ():
            if entry.block and entry.is_expired(self._today) is expired:
                client = key_of(entry.client, self._known)
                found[client] = found.get(client, frozenset()) | frozenset(entry.block)
        return found

    @cached_property
    def _known(self) -> dict[str, Identity]:
        """The names and versions of the clients, by key."""
        return {key: Identity(entry.name, entry.version) for key, entry in (self.document.clients or {}).items()}

    def _pairs(self) -> Iterator[tuple[str, str, Path, Path, Association]]:
        """Client, scope, the paths of both, and how the client has the scope."""
        for position, entry in enumerate(self.document.associations or ()):
            path: Path = ("associations", position)
            association = entry.association
            if entry.client is not None and entry.scopes is not None:
                self.placed.listed_clients.add(entry.client)
                if not entry.scopes:
                    self._check_reference("client", entry.client, (*path, "client"))
                for index, scope in enumerate(entry.scopes):
                    yield entry.client, scope, (*path, "client"), (*path, "scopes", index), association
            elif entry.scope is not None and entry.clients is not None:
                self.placed.listed_scopes.add(entry.scope)
                if not entry.clients:
                    self._check_reference("scope", entry.scope, (*path, "scope"))
                for index, client in enumerate(entry.clients):
                    yield client, entry.scope, (*path, "clients", index), (*path, "scope"), association

    @property
    def issuing(self) -> tuple[str, ...]:
        """The authorization servers for the associations."""
        return self._sides[Side.AUTHORIZATION]

    @property
    def associating(self) -> tuple[str, ...]:
        """The servers that hold associations. An authorization server needs them; if it cannot hold them, that is a finding."""
        able = self._able(Capability.ASSOCIATIONS)
        return tuple(name for name in self._writable if name in self.issuing or name in able)

    def _associations(self) -> None:
        clients, scopes = self._holds["clients"], self._holds["scopes"]
        associating = self.associating
        for client, scope, client_path, scope_path, association in self._pairs():
            if client not in clients or scope not in scopes:
                self._check_reference("client", client, client_path)
                self._check_reference("scope", scope, scope_path)
                continue
            for server in associating:
                if server in clients[client] and server in scopes[scope]:
                    address = Address.association(client, scope, server)
                    path = scope_path if len(scope_path) > 3 else client_path
                    if association.model_fields_set or address not in self.placed.objects:
                        self.placed.objects[address] = self._listed_as(server, client, scope, association)
                    self.placed.places.setdefault(address, path)

    def _listed_as(self, server: str, client: str, scope: str, association: Association) -> Association:
        """An association, completed by an option of its client where the association itself says nothing."""
        defaults = self._default_scopes.get((self._writable[server].driver, client))
        if association.model_fields_set or defaults is None:
            return association
        return _AS[AssignedAs.DEFAULT if scope in defaults else AssignedAs.OPTIONAL]

    def _check_reference(self, kind: str, name: str, path: Path) -> None:
        names = self._names[f"{kind}s"]
        if name not in names:
            self._dangling(kind, name, names, path, "")

    def _revocation(self, position: int, entry: RevocationEntry) -> None:
        path: Path = ("revocations", position)
        client = key_of(entry.client, self._known)
        if client not in self._names["clients"] and self._names["clients"]:
            detail = (
                f"'{entry.client}' is not a client of this manifest; it is cut off on servers that have a "
                "client with that name."
            )
            fix = self._guess("client", entry.client, self._names["clients"])
            item = Diagnostic(
                "unknown-reference",
                "A name is not defined",
                detail,
                fix,
                Severity.WARNING,
                object_address(Kind.REVOCATION, entry.id),
                (*path, "client"),
            )
            self.problems.append(item)
        holders = self._holds["clients"].get(client)
        for name in self._for_clients:
            if holders is not None and name not in holders:
                continue
            sides = self._writable[name].role.sides
            block = tuple(side for side in entry.block or () if side in sides)
            ends = Side.AUTHORIZATION in sides or self._can(self._writable[name], Capability.TOKENS_REFUSE)
            tokens = entry.tokens if ends else None
            if not block and tokens is None:
                continue
            placed = plain_object(Revocation, entry)
            if client != entry.client:
                placed = recast(Revocation, placed.model_fields_set, {**placed.__dict__, "client": client})
            if tokens is None:
                placed = without(placed, "tokens", "owner", "scope", "handles")
            placed = (
                recast(Revocation, placed.model_fields_set, {**placed.__dict__, "block": block})
                if block
                else without(placed, "block")
            )
            self.placed.put(Address(Kind.REVOCATION, entry.id, name), placed, path)

    # -- findings ---------------------------------------------------------------------------------------------------

    def _dangling(self, kind: str, name: str, known: Iterable[str], path: Path, address: str) -> None:
        fix = self._guess(kind, name, list(known))
        detail = f"The manifest has no {kind} '{name}'."
        self._problem("unknown-reference", "A name is not defined", detail, fix, path, address)

    def _guess(self, kind: str, name: str, known: Collection[str]) -> str:
        """The fix: a suggestion, as long as finding one stays cheap."""
        self._guesses -= len(known)
        if self._guesses > 0:
            return did_you_mean(name, known, what=f"{kind.capitalize()}s are")
        return f"Correct the name, or add the {kind}."

    def _problem(self, rule: str, summary: str, detail: str, fix: str, path: Path, address: str) -> None:
        self.problems.append(Diagnostic(rule, summary, detail, fix, address=address, path=path))
