"""The lists of scopes of clients in an export."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.model.held_fields import field_name
from oauthdeploy.model.objects import AS, AssignedAs, Association, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.client_matching import LiveClient, keys_of
from oauthdeploy.planning.export.draft import Draft
from oauthdeploy.planning.export.values import Pairs


class Associations:
    """Made once the scopes have their entries; asked once the clients have theirs too."""

    def __init__(self, draft: Draft, groups: Sequence[LiveClient]) -> None:
        self.draft = draft
        self.inventory = draft.inventory
        self.options = draft.options
        self.left = draft.left
        self._groups_of = {group.key: group for group in groups}
        self._lists = self._live_scopes(keys_of(groups))

    def lists(self) -> Iterator[tuple[str, Pairs | None]]:
        """The whole list of scopes of each client whose list is not written or does not match the servers."""
        inventory, source, target = self.inventory, self.options.source, self.options.target
        servers = [name for name in inventory.read(Kind.ASSOCIATION) if source in (None, name)]
        if not servers:
            return
        lists = self._lists
        self._name_stock()
        written: dict[str, dict[str, dict[str, AssignedAs | None]]] = defaultdict(lambda: defaultdict(dict))
        for address, value in inventory.desired.objects.items():
            if isinstance(value, Association) and address.server in (*servers, target):
                written[address.client][address.server][address.scope] = value.assigned_as
        lists = {client: self._nameable(client, sides) for client, sides in lists.items()}
        for client in sorted(self._groups_of.keys() | lists.keys() | written.keys()):
            if client not in self.draft.named[Kind.CLIENT] or (Kind.CLIENT, client) in self.draft.external:
                continue
            if not self.options.takes(client):
                continue
            have = lists.get(client) or {server: {} for server in servers}
            if self._is_written(client, have, written[client]):
                continue
            problem = self._unsayable(client, have)
            if problem:
                self.draft.omit(object_address(Kind.CLIENT, client), "scopes", problem)
            if not problem or client in inventory.desired.listed_clients:
                yield client, None if problem else self._pairs_of(client, have)

    def _nameable(self, client: str, sides: Mapping[str, Pairs]) -> Mapping[str, Pairs]:
        """The scopes of a client, by server, without those that are left out because of their names."""
        odd = {scope for pairs in sides.values() for scope in pairs if scope in self.draft.odd_scopes}
        for scope in sorted(odd) if client in self.draft.named[Kind.CLIENT] else ():
            self.draft.omit(
                f"{Kind.ASSOCIATION}/{Address.association(client, scope, '').name}", "", "its scope is left out"
            )
        return {
            server: {scope: way for scope, way in pairs.items() if scope not in odd} for server, pairs in sides.items()
        }

    def _pairs_of(self, client: str, have: Mapping[str, Pairs]) -> dict[str, AssignedAs | None]:
        """The list of scopes of a client, with what one entry can say of how it has them."""
        return {scope: self._way(client, scope, have) for scope in sorted(set().union(*have.values()))}

    def _way(self, client: str, scope: str, have: Mapping[str, Pairs]) -> AssignedAs | None:
        """How a client has a scope; None, with the reason among the omissions, where that cannot be said for all servers."""
        ways = {server: pairs[scope] for server, pairs in have.items() if scope in pairs and server in self._issuing}
        if self.options.target is not None and ways:
            ways[self.options.target] = next(iter(ways.values()))
        default = [server for server, way in ways.items() if way is AssignedAs.DEFAULT]
        unable = [server for server in ways if server not in self._says_way]
        address = f"{Kind.ASSOCIATION}/{Address.association(client, scope, '').name}"
        if unable and default:
            why = f"{', '.join(unable)} cannot hold it, and {default[0]} has {AssignedAs.DEFAULT}"
            self.draft.omit(address, AS, why)
        elif len(set(ways.values())) > 1:
            self.draft.omit(address, AS, f"it is not the same on {', '.join(ways)}")
        return None if unable or len(set(ways.values())) != 1 else next(iter(ways.values()))

    @cached_property
    def _issuing(self) -> frozenset[str]:
        """The servers that issue tokens."""
        servers = self.inventory.desired.servers.items()
        return frozenset(name for name, entry in servers if Side.AUTHORIZATION in entry.role.sides)

    @cached_property
    def _says_way(self) -> frozenset[str]:
        """The servers that hold how a client has a scope."""
        question = field_name(Kind.ASSOCIATION, AS)
        return frozenset(name for name in self.inventory.tables if self.inventory.can(name, question))

    def _is_written(
        self,
        client: str,
        have: Mapping[str, Pairs],
        written: Mapping[str, Pairs],
    ) -> bool:
        """Whether the manifest already lists the scopes that the servers have for a client; both mappings are by server."""
        scopes, target = set().union(*have.values()), self.options.target
        if not all(self._same_pairs(written[server], pairs, server) for server, pairs in have.items()):
            return False
        missing = self._lacks(client) or bool(self.draft.made_by_target & self.draft.named[Kind.SCOPE])
        if not scopes and client not in self.inventory.desired.listed_clients and missing:
            return False
        return target is None or all(self._same_pairs(written[target], pairs, target) for pairs in have.values())

    def _same_pairs(self, written: Pairs, have: Pairs, server: str) -> bool:
        """Whether a list says what a server holds. Where it says nothing of how a client has a scope, that is the default."""
        usual = self.inventory.default(server, Association, AS)
        if written.keys() != have.keys():
            return False
        return all((way if way is not None else usual) in (have[scope], None) for scope, way in written.items())

    def _lacks(self, client: str) -> bool:
        """Whether a client lacks a named scope that new clients get. Its list must then be written, even if it is empty."""
        return any(there.lacks & self.draft.named[Kind.SCOPE] for there in self._sides_of(client).values())

    def _name_stock(self) -> None:
        """Record what a copy to a server of another kind changes in the scopes that no association is written for."""
        source, target = self.options.source, self.options.target
        clients = self.draft.named[Kind.CLIENT]
        groups = [group for group in self._groups_of.values() if source in group.sides and group.key in clients]
        if not self.draft.crosses or source is None or target is None or not groups:
            return
        named = self.draft.named[Kind.SCOPE]
        for scope in sorted(
            self.inventory.driver(source).implied_scopes - self.inventory.driver(target).implied_scopes
        ):
            why = f"every client of {source} may request it, and on {target} only those that have the association"
            fix = "Write the scope and its associations if applications request it."
            self.draft.omit(object_address(Kind.SCOPE, scope), "", why, fix)
        if any(target not in group.sides for group in groups):
            for scope in sorted(self.draft.made_by_target - named):
                why = f"{target} may give it to new clients, and the manifest does not name it"
                self.draft.omit(object_address(Kind.SCOPE, scope), "new_clients", why)
        if self.draft.keeps_words:
            used = {scope for group in groups for scope in self._lists.get(group.key, {}).get(source, {})}
            for scope in sorted((self._scopes_on[source] & named) - used):
                why = f"{target} keeps only the scopes that clients have, and no client that it gets has this one"
                self.draft.omit(object_address(Kind.SCOPE, scope), "", why)
        for group in groups:
            if own := sorted(self._stock(source, group.key) - named):
                why = f"{target} does not have the scopes that {source} makes itself: {', '.join(own)}"
                self.draft.omit(object_address(Kind.CLIENT, group.key), "scopes", why)

    def _stock(self, server: str, client: str) -> frozenset[str]:
        """The scopes that a client has on a server because every new client gets them."""
        name = self._groups_of[client].former[server]
        objects = self.inventory.live.servers[server].objects
        return frozenset(
            address.scope
            for address, there in objects.items()
            if address.kind is Kind.ASSOCIATION and there.built_in and address.client == name
        )

    def _sides_of(self, client: str) -> Mapping[str, LiveObject]:
        """The live objects of a client, by server."""
        group = self._groups_of.get(client)
        return group.sides if group is not None else {}

    def _live_scopes(self, keys: Mapping[tuple[str, str], str]) -> Mapping[str, Mapping[str, Pairs]]:
        """The scopes of each client, by server, without those that every client gets and that the manifest does not name."""
        source = self.options.source
        servers = [name for name in self.inventory.read(Kind.ASSOCIATION) if source in (None, name)]
        have: dict[str, dict[str, dict[str, AssignedAs | None]]] = defaultdict(
            lambda: {server: {} for server in servers}
        )
        for server in servers:
            for address, there in self.inventory.live.servers[server].objects.items():
                if not isinstance(there.value, Association):
                    continue
                if not there.built_in or address.scope in self.draft.named[Kind.SCOPE]:
                    pairs = have[keys.get((server, address.client), address.client)][server]
                    pairs[address.scope] = there.value.assigned_as
        return have

    def _unsayable(self, client: str, have: Mapping[str, Pairs]) -> str:
        """Why the scopes of a client cannot be one list; "" if they can."""
        scopes = set().union(*have.values())
        if (Kind.ASSOCIATION.value, client, "") in self.left:
            return "a manifest cannot express its list of scopes"
        if unnamed := sorted(scopes - self.draft.named[Kind.SCOPE]):
            return f"the manifest does not name {', '.join(unnamed)}"
        for server in have.keys() & self._sides_of(client).keys():
            there = scopes if server in self.inventory.desired.words else self._scopes_on[server]
            if (scopes & there) != have[server].keys():
                return "it differs between servers that hold the same scopes"
        return ""

    @cached_property
    def _scopes_on(self) -> Mapping[str, frozenset[str]]:
        """The names of the scopes of each server."""
        live = self.inventory.live.servers.items()
        return {server: frozenset(a.name for a in state.objects if a.kind is Kind.SCOPE) for server, state in live}
