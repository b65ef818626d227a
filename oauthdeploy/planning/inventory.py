"""The servers of a manifest: the desired objects, the live objects, and the capabilities of each server.

An export and a comparison of servers start from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.capabilities import Capabilities, Capability, DriverFacts, supports
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import KIND_OF, Side
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, LiveObject, LiveState
from oauthdeploy.planning.diff import compare_object
from oauthdeploy.planning.normalize import flatten, live_value

KINDS: Final = (Kind.TRUST, Kind.SETTINGS, Kind.SCOPE, Kind.CLIENT, Kind.ASSOCIATION)
"""The kinds that can be exported. A revocation is an action, not state of a server."""

_HOLDS: Final = {
    Kind.TRUST: Capability.TRUST,
    Kind.SETTINGS: Capability.SETTINGS,
    Kind.SCOPE: Capability.SCOPES,
    Kind.CLIENT: Capability.CLIENTS,
    Kind.ASSOCIATION: Capability.ASSOCIATIONS,
}


class Inventory(Struct, frozen=True):
    """The manifest, what was read, and the facts of each server's driver (`tables`, by server)."""

    desired: DesiredState
    live: LiveState
    facts: Mapping[str, DriverFacts]
    tables: Mapping[str, Capabilities]

    def entry(self, server: str) -> Server:
        """The server's entry."""
        return self.desired.servers[server]

    def driver(self, server: str) -> DriverFacts:
        """The facts of the server's driver."""
        return self.facts[self.entry(server).driver]

    def can(self, server: str, question: str) -> bool:
        """Whether the server is known to support the capability."""
        return bool(supports(self.tables[server], question))

    def holders(self, kind: Kind) -> tuple[str, ...]:
        """The servers that get objects of a kind without `on`, in the order of the manifest."""
        return tuple(name for name in self.desired.servers if name in self.tables and self.can(name, _HOLDS[kind]))

    def read(self, kind: Kind) -> tuple[str, ...]:
        """Those of them from which the kind was read."""
        return tuple(name for name in self.holders(kind) if self.live.readable(name, kind))

    def default(self, server: str, model: type[Model], path: str) -> Any:
        """The server's default of a field; None if it is unknown."""
        return live_value(model, path, None, self.driver(server).defaults.get(KIND_OF[model], {}))

    def placed(self, kind: Kind, name: str) -> set[str]:
        """The servers on which the manifest has it now."""
        return {server for server in self.desired.servers if Address(kind, name, server) in self.desired.objects}

    def managed(self, kind: Kind, name: str) -> Mapping[str, Any]:
        """What the manifest's entry writes, on any server."""
        found: dict[str, Any] = {}
        for server in self.placed(kind, name):
            found.update(flatten(self.desired.objects[Address(kind, name, server)]))
        return found

    def unfulfilled(self, kind: Kind, name: str, sides: Mapping[str, LiveObject]) -> set[str]:
        """The paths in which the manifest's entry differs from `sides`, the live objects by server."""
        found: set[str] = set()
        for server, item in sides.items():
            wanted = self.desired.objects.get(Address(kind, name, server))
            if wanted is not None:
                found |= {change.path for change in compare_object(wanted, item, self.driver(server)).fields}
        return found


def kinds_to_read(estate_entry: Server, table: Capabilities, kinds: Iterable[Kind]) -> frozenset[Kind]:
    """The kinds to read of a server for an export of `kinds`."""
    found = {kind for kind in kinds if supports(table, _HOLDS[kind])}
    if Side.RESOURCE not in estate_entry.role.sides:
        found.discard(Kind.TRUST)
    if Kind.ASSOCIATION in found:
        # Servers store associations with the client, and a list can name only existing scopes.
        found |= {Kind.CLIENT, Kind.SCOPE} & {kind for kind in _HOLDS if supports(table, _HOLDS[kind])}
    return frozenset(found)
