"""Explains one object of a manifest: the value and origin of each field, and the servers that have it and those that do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostics, Path
from oauthdeploy.core.secrets import Secret
from oauthdeploy.manifest.api import Manifest
from oauthdeploy.manifest.document import ClientEntry, Presence, RevocationEntry, ScopeEntry
from oauthdeploy.manifest.explaining.placement_reasons import why_away
from oauthdeploy.manifest.trust_resolution import FROM_INTROSPECTION
from oauthdeploy.model.capabilities import DriverFacts
from oauthdeploy.model.explanation import (
    Away,
    FieldStanding,
    Managed,
    ObjectFacts,
    Origin,
    Related,
    ServerStanding,
)
from oauthdeploy.model.fields import Model, Transient, managed, marked
from oauthdeploy.model.objects import MODEL_OF, Object
from oauthdeploy.model.servers import Role


class ObjectBook(Struct, frozen=True, dict=True):
    """The objects of a manifest, prepared for explanation. `drivers` are the known drivers by name."""

    manifest: Manifest
    drivers: Mapping[str, DriverFacts]

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """Every object's address, with its server and without, sorted."""
        desired = self.manifest.desired
        known = {*desired.objects, *desired.absent}
        everywhere = {address.without_server for address in known if not address.kind.is_singleton}
        return tuple(sorted({str(address) for address in known} | everywhere | self._nowhere))

    @cached_property
    def _nowhere(self) -> set[str]:
        """Objects that are written but belong on no server."""
        document = self.manifest.document
        scopes = {object_address(Kind.SCOPE, name) for name in document.scopes or ()}
        clients = {object_address(Kind.CLIENT, name) for name in document.clients or ()}
        return scopes | clients | {object_address(Kind.REVOCATION, entry.id) for entry in document.revocations or ()}

    def explain(self, written: str, findings: Diagnostics) -> ObjectFacts | None:
        """The object at an address (`kind/name@server`, or without the server for all of them); None if there is none.

        `findings` are those of the manifest. Raises AddressError for anything else.
        """
        # A name may contain an @: only the name of a server of the manifest counts as a server.
        server = written.rpartition("@")[2] if "@" in written else ""
        server = server if server in self.manifest.document.servers else ""
        given = Address.parse(written if server else f"{written}@-")
        on = {
            address.server: value
            for address, value in self.manifest.desired.objects.items()
            if address.kind is given.kind and address.name == given.name and server in ("", address.server)
        }
        known = str(replace(given, server=server)) if server else given.without_server
        if known not in self.addresses and not self._is_elsewhere(given, server):
            return None
        return self._facts(given, server, on, findings)

    def _is_elsewhere(self, given: Address, server: str) -> bool:
        """True for an object of the manifest that one of its servers does not have: that is an answer too."""
        return bool(server) and (given.kind.is_singleton or given.without_server in self.addresses)

    def _facts(self, given: Address, server: str, on: Mapping[str, Object], findings: Diagnostics) -> ObjectFacts:
        path = self._path(given)
        origin = self.manifest.trace(path) if path else None
        entry = self._entry(given)
        absent = isinstance(entry, ScopeEntry | ClientEntry) and entry.state is Presence.ABSENT
        servers = tuple(
            standing
            for name in self.manifest.document.servers
            if server in ("", name) and (standing := self._standing(given, name, on, absent)) is not None
        )
        about = [
            item
            for item in findings
            if item.address and item.address in (given.without_server, f"{given.without_server}@{server}")
        ]
        return ObjectFacts(
            kind=given.kind,
            name=given.name,
            address=str(replace(given, server=server)) if server else given.without_server,
            server=server,
            absent=absent,
            origin=None if origin is None else replace(origin, references=()),
            moved_from=(entry.moved_from or "") if isinstance(entry, ClientEntry) else "",
            servers=servers,
            fields=() if absent else tuple(self._fields(given, on, entry)),
            related=tuple(self._related(given)),
            findings=Diagnostics.of(about),
        )

    def _standing(self, given: Address, name: str, on: Mapping[str, Object], absent: bool) -> ServerStanding | None:
        entry = self.manifest.document.servers[name]
        stands = name in on or (absent and replace(given, server=name) in self.manifest.desired.absent)
        why = "" if stands else why_away(self.manifest.document, self.drivers, given, name)
        return ServerStanding(name, entry.role.value, entry.driver, stands, why)

    # -- place in the manifest ----------------------------------------------------------------------------------------

    def _path(self, given: Address) -> Path:
        places = self.manifest.desired.places
        for address, path in places.items():
            if address.kind is given.kind and address.name == given.name and given.server in ("-", address.server):
                return path
        if given.kind in (Kind.SCOPE, Kind.CLIENT):
            return (f"{given.kind}s", given.name)
        for position, entry in enumerate(self.manifest.document.revocations or ()):
            if given.kind is Kind.REVOCATION and entry.id == given.name:
                return ("revocations", position)
        return ()

    def _entry(self, given: Address) -> Model | None:
        document = self.manifest.document
        if given.kind is Kind.SCOPE:
            return (document.scopes or {}).get(given.name)
        if given.kind is Kind.CLIENT:
            return (document.clients or {}).get(given.name)
        if given.kind is Kind.REVOCATION:
            return next((entry for entry in document.revocations or () if entry.id == given.name), None)
        return None

    def _field_path(self, given: Address, server: str, field: str) -> tuple[Path, str]:
        """Where the value of a field on a server is written, and the reason if that is not the object itself."""
        parts = tuple(field.split("."))
        document = self.manifest.document
        if given.kind is Kind.SETTINGS:
            over = ((document.settings.overrides if document.settings else None) or {}).get(server)
            own = over is not None and parts[0] in over.model_fields_set
            return (("settings", "overrides", server, *parts) if own else ("settings", *parts)), ""
        if given.kind is Kind.TRUST:
            return self._trust_path(server, field)
        if given.kind is Kind.SCOPE:
            overrides = document.scopes[given.name].overrides if document.scopes else None
            if parts[0] in getattr((overrides or {}).get(server), "model_fields_set", ()):
                return ("scopes", given.name, "overrides", server, *parts), ""
        if given.kind is Kind.CLIENT and field == "enabled":
            blocking = self._blocking(given.name, document.servers[server].role)
            if blocking is not None:
                position, entry = blocking
                return ("revocations", position, "block"), f"revocation/{entry.id} blocks the client"
        return (*self._path(replace(given, server=server)), *parts), ""

    def _trust_path(self, server: str, field: str) -> tuple[Path, str]:
        target = self.manifest.document.servers[server].authorization_server or server
        if field in FROM_INTROSPECTION:
            return ("servers", target, "introspection", field), ""
        if field == "endpoint":
            for path in (("servers", target, "introspection", "endpoint"), ("servers", target, "url")):
                if self.manifest.trace(path) is not None:
                    why = "" if path[-1] == "endpoint" else f"made of the url of {target}"
                    return path, why
        path = ("servers", server, "authorization_server")
        return path, "" if field == "authorization_server" else "follows from the two server entries"

    def _blocking(self, client: str, role: Role) -> tuple[int, RevocationEntry] | None:
        for position, entry in enumerate(self.manifest.document.revocations or ()):
            if entry.client == client and entry.block and role.sides & frozenset(entry.block):
                return position, entry
        return None

    # -- fields -------------------------------------------------------------------------------------------------------

    def _fields(self, given: Address, on: Mapping[str, Object], entry: Model | None) -> Iterator[FieldStanding]:
        """Every field that a server could hold, with its value or as not managed."""
        values = {server: dict(managed(value)) for server, value in on.items()}
        written = dict(_own_fields(given.kind, entry))
        for name in MODEL_OF[given.kind].model_fields:
            if name in marked(MODEL_OF[given.kind], Transient):
                continue
            paths = [
                path for fields in (written, *values.values()) for path in fields if path.partition(".")[0] == name
            ]
            if not paths:
                yield FieldStanding(name, Managed.NOT_MANAGED, defaults=self._defaults(given.kind, name, on))
            for path in dict.fromkeys(paths):
                yield from self._field(given, path, values, written)

    def _field(
        self, given: Address, path: str, values: Mapping[str, Mapping[str, Any]], written: Mapping[str, Any]
    ) -> Iterator[FieldStanding]:
        groups: list[tuple[Any, str, Origin | None, list[str]]] = []
        for server in (name for name, fields in values.items() if path in fields):
            way, because = self._field_path(given, server, path)
            origin = self.manifest.trace(way)
            value = values[server][path]
            for known, reason, place, servers in groups:
                if _same(known, value) and reason == because and place == origin:
                    servers.append(server)
                    break
            else:
                groups.append((value, because, origin, [server]))
        away = tuple(
            Away(name, self._why_not(given, name, path in written))
            for name, fields in values.items()
            if path not in fields
        )
        if not groups:
            way, because = (*self._path(given), *path.split(".")), ""
            groups.append((written.get(path), because, self.manifest.trace(way), []))
        for value, because, origin, servers in groups:
            yield FieldStanding(
                path,
                Managed.SERVER_DEFAULT if value is None else Managed.VALUE,
                value,
                tuple(servers),
                origin,
                self._defaults(given.kind, path, servers) if value is None else (),
                away,
                because,
            )

    def _why_not(self, given: Address, server: str, written: bool) -> str:
        """Why a server that has the object does not get a field of it."""
        role = self.manifest.document.servers[server].role
        if given.kind is Kind.SETTINGS:
            return "settings apply to authorization servers, and it is not written for this server under overrides"
        if given.kind is Kind.CLIENT and not written:
            return "it is not written, and the client is not blocked on this side"
        return f"it belongs to the {'authorization' if role is Role.RESOURCE else 'resource'} side"

    def _defaults(self, kind: Kind, path: str, servers: Any) -> tuple[tuple[str, Any], ...]:
        names = {self.manifest.document.servers[name].driver for name in servers}
        known = ((name, self.drivers[name].defaults.get(kind, {})) for name in sorted(names & self.drivers.keys()))
        return tuple((name, table[path]) for name, table in known if path in table)

    # -- related parts ------------------------------------------------------------------------------------------------

    def _related(self, given: Address) -> Iterator[Related]:
        document, trace = self.manifest.document, self.manifest.trace
        if given.kind in (Kind.CLIENT, Kind.SCOPE):
            pairs: dict[tuple[str, str], Path] = {}
            for address, path in self.manifest.desired.places.items():
                if address.kind is Kind.ASSOCIATION:
                    pairs.setdefault((address.client, address.scope), path)
            for (client, scope), path in pairs.items():
                if given.name == (client if given.kind is Kind.CLIENT else scope):
                    other = (
                        Address(Kind.SCOPE, scope, "")
                        if given.kind is Kind.CLIENT
                        else Address(Kind.CLIENT, client, "")
                    )
                    how = "it may request" if given.kind is Kind.CLIENT else "may be requested by"
                    yield Related(other.without_server, how, trace(path))
        for position, entry in enumerate(document.revocations or ()):
            if given.kind is Kind.CLIENT and entry.client == given.name:
                yield Related(
                    object_address(Kind.REVOCATION, entry.id), "is cut off by", trace(("revocations", position))
                )
            if given.kind is Kind.REVOCATION and entry.id == given.name:
                yield Related(object_address(Kind.CLIENT, entry.client), "cuts off", None)


def _own_fields(kind: Kind, entry: Model | None) -> Iterator[tuple[str, Any]]:
    """What is written for an object itself, only the fields that servers hold."""
    known = MODEL_OF[kind].model_fields
    if entry is not None:
        yield from ((path, value) for path, value in managed(entry) if path.partition(".")[0] in known)


def _same(one: Any, other: Any) -> bool:
    """Equality that distinguishes true from 1 and compares secrets by their origin only."""
    if isinstance(one, Secret) and isinstance(other, Secret):
        return one.origin == other.origin
    return type(one) is type(other) and bool(one == other)
