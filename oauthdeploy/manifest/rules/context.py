"""What every rule is given: the manifest, the state that it asks for, the drivers, and look-ups made once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.document import ClientEntry, Document, Presence, ScopeEntry
from oauthdeploy.manifest.rules.uris import PLAIN_HTTPS, RedirectUri, is_loopback_url, read_redirect_uri
from oauthdeploy.model.objects import Client, Grant, Object, Settings, Side
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.capabilities import Answer, Capability, DriverFacts, Support, supports, table_for


@dataclass(frozen=True)
class Pair:
    """A client and a scope that an association joins; `path` leads to the written name that completes the pair."""

    client: str
    scope: str
    path: Path


@dataclass(frozen=True)
class RedirectUse:
    """A redirect URI that is more than a plain https address, and where it stands."""

    client: str
    entry: ClientEntry
    index: int
    uri: RedirectUri

    @property
    def path(self) -> Path:
        """The way to the URI."""
        return ("clients", self.client, "redirect_uris", self.index)


@dataclass(frozen=True)
class SettingUse:
    """A setting as it falls on some servers: its value and the place where it is written."""

    path: Path
    value: Any
    servers: tuple[str, ...]


@dataclass(frozen=True)
class RuleContext:
    """A manifest that could be read: `document` as it is written, `desired` as it falls on the servers, `drivers` by name.

    The look-ups are made on first use and kept, so that all rules together stay linear in the manifest.
    """

    document: Document
    desired: DesiredState
    drivers: Mapping[str, DriverFacts]

    @property
    def servers(self) -> Mapping[str, Server]:
        """The server entries by name."""
        return self.document.servers

    def facts(self, server: str) -> DriverFacts | None:
        """What is known of the driver of `server`; None where server or driver is unknown (the loader reports that)."""
        entry = self.servers.get(server)
        return None if entry is None else self.drivers.get(entry.driver)

    def support(self, server: str, capability: Capability, side: Side | None = None) -> Support:
        """What the driver of `server` answers for its role, or for one side of a server that may stand on both."""
        facts = self.facts(server)
        if facts is None:
            return Support(Answer.UNTESTED, "the driver is not known")
        role = self.servers[server].role
        if side is None or role is Role.BOTH:
            return supports(table_for(facts, role), capability)
        return supports(facts.capabilities.get(Role(side.value), {}), capability)

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
        """The server whose tokens `server` accepts; a server with both roles trusts itself until it says otherwise."""
        entry = self.servers[server]
        if entry.authorization_server is None and entry.role is Role.BOTH:
            return server
        return entry.authorization_server

    def is_loopback(self, server: str) -> bool:
        """True where the server is reached on this very machine, so that no network sees what is sent."""
        url = self.servers[server].url
        return url is not None and is_loopback_url(url)

    # -- objects as they are written ----------------------------------------------------------------------------------

    @cached_property
    def clients(self) -> tuple[tuple[str, ClientEntry], ...]:
        """The clients that shall be there."""
        entries = self.document.clients or {}
        return tuple((key, entry) for key, entry in entries.items() if entry.state is Presence.PRESENT)

    @cached_property
    def absent_clients(self) -> frozenset[str]:
        """The clients that shall go."""
        entries = self.document.clients or {}
        return frozenset(key for key, entry in entries.items() if entry.state is Presence.ABSENT)

    @cached_property
    def scopes(self) -> tuple[tuple[str, ScopeEntry], ...]:
        """The scopes that shall be there."""
        entries = self.document.scopes or {}
        return tuple((name, entry) for name, entry in entries.items() if entry.state is Presence.PRESENT)

    @cached_property
    def absent_scopes(self) -> frozenset[str]:
        """The scopes that shall go."""
        entries = self.document.scopes or {}
        return frozenset(name for name, entry in entries.items() if entry.state is Presence.ABSENT)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair that the associations write, in their order, repetitions included."""
        found: list[Pair] = []
        for index, entry in enumerate(self.document.associations or ()):
            if entry.client is not None:
                for position, scope in enumerate(entry.scopes or ()):
                    found.append(Pair(entry.client, scope, ("associations", index, "scopes", position)))
            elif entry.scope is not None:
                for position, client in enumerate(entry.clients or ()):
                    found.append(Pair(client, entry.scope, ("associations", index, "clients", position)))
        return tuple(found)

    @cached_property
    def redirects(self) -> tuple[RedirectUse, ...]:
        """The redirect URIs that are worth a look: all but plain https addresses."""
        found: list[RedirectUse] = []
        plain = PLAIN_HTTPS.match
        for key, entry in self.clients:
            for index, text in enumerate(entry.redirect_uris or ()):
                if not plain(text):
                    found.append(RedirectUse(key, entry, index, read_redirect_uri(text)))
        return tuple(found)

    @cached_property
    def clients_with(self) -> Mapping[Grant, tuple[tuple[str, ClientEntry], ...]]:
        """The clients by the grants that are written for them."""
        found: dict[Grant, list[tuple[str, ClientEntry]]] = {grant: [] for grant in Grant}
        for key, entry in self.clients:
            for grant in dict.fromkeys(entry.grants or ()):
                found[grant].append((key, entry))
        return {grant: tuple(entries) for grant, entries in found.items()}

    @cached_property
    def written_settings(self) -> tuple[tuple[Path, Settings], ...]:
        """The settings of all and those of single servers, each with its place."""
        settings = self.document.settings
        if settings is None:
            return ()
        base: tuple[tuple[Path, Settings], ...] = ((("settings",), settings),)
        overrides = settings.overrides or {}
        return base + tuple((("settings", "overrides", name), entry) for name, entry in overrides.items())

    def setting(self, field: str) -> Iterator[SettingUse]:
        """Give each written value of a setting with the servers on which it falls; resource servers only by override."""
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
            if field in entry.model_fields_set:
                yield SettingUse(("settings", "overrides", name, field), getattr(entry, field), (name,))

    # -- objects as they fall on the servers --------------------------------------------------------------------------

    @cached_property
    def placed(self) -> Mapping[tuple[str, Kind], tuple[tuple[Address, Object], ...]]:
        """The desired objects by server and kind."""
        found: defaultdict[tuple[str, Kind], list[tuple[Address, Object]]] = defaultdict(list)
        for address, value in self.desired.objects.items():
            found[address.server, address.kind].append((address, value))
        return {key: tuple(values) for key, values in found.items()}

    @cached_property
    def names_on(self) -> Mapping[tuple[str, Kind], frozenset[str]]:
        """The names of the desired objects by server and kind."""
        return {key: frozenset(address.name for address, _ in values) for key, values in self.placed.items()}

    def holds(self, server: str, kind: Kind, name: str) -> bool:
        """True where the object shall stand on `server`."""
        return name in self.names_on.get((server, kind), frozenset())

    def place(self, address: Address) -> Path:
        """The way to an object in the document."""
        return self.desired.places.get(address, ())


def client_name(key: str, client: Client) -> str:
    """The name that a client has on its servers: what is written, or its key."""
    return client.name if client.name is not None else key
