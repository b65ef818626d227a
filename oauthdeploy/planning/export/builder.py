"""Builds the edits with which a manifest has an empty plan against its live servers. Pure.

Only values that are not a server's default are written, and a value that several servers share is written once. Differences
between servers become `overrides` of settings and of what scopes open, and `on`. An entry of scopes or clients has one value
for every other field, so a field that differs is left unmanaged and reported in a finding, as is everything else that a
manifest cannot express. Entries that the servers fulfil already are not rewritten.

With a source and a target, the edits declare the source's values on both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.fields import Model
from oauthdeploy.model.held_fields import SECTIONS, declared, field_name
from oauthdeploy.model.objects import (
    AS,
    KIND_OF,
    MODEL_OF,
    OPENS,
    AssignedAs,
    Association,
    Client,
    ClientType,
    Side,
    Trust,
)
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.client_ids import changed_ids
from oauthdeploy.planning.export.client_matching import LiveClient, group_clients, keys_of
from oauthdeploy.planning.export.driver_options import option_edits
from oauthdeploy.planning.export.scope_contents import Contents, contents_of
from oauthdeploy.planning.export.settings import export_settings
from oauthdeploy.planning.export.values import (
    EntryEdit,
    Export,
    ExportOptions,
    Keys,
    Left,
    OptionEdit,
    Pairs,
    SettingsEdit,
    can_be_written,
)
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.normalize import OPTIONS, flatten, live_value, same, write_only
from oauthdeploy.planning.omissions import Omission, changed_stock, lost_between, unheld


def export(inventory: Inventory, options: ExportOptions, left: Collection[Left] = ()) -> Export:
    """The edits; `left` are fields that a manifest cannot express."""
    return _Exporter(inventory, options, frozenset(left)).run()


class _Exporter:
    """Builds the edits kind by kind; associations come last, because they depend on the names of the others."""

    def __init__(self, inventory: Inventory, options: ExportOptions, left: frozenset[Left]) -> None:
        self.inventory = inventory
        self.options = options
        self.left = left
        self.findings: list[Diagnostic] = []
        self.omissions: list[Omission] = []
        self._odd_scopes: set[str] = set()
        self._groups_of: Mapping[str, LiveClient] = {}
        self._client_lists: Mapping[str, Mapping[str, Pairs]] = {}
        self._named: dict[Kind, set[str]] = {kind: set() for kind in (Kind.SCOPE, Kind.CLIENT)}
        for address in inventory.desired.objects:
            if address.kind in self._named:
                self._named[address.kind].add(address.name)
        self._external = {(address.kind, address.name) for address in inventory.desired.external}
        for kind, name in self._external:
            self._named[kind].add(name)

    def run(self) -> Export:
        """Everything that is selected."""
        kinds = self.options.kinds
        for server, state in sorted(self.inventory.live.servers.items()):
            for kind, why in (*state.unreadable.items(), *state.hidden.items()):
                self._report("export-unreadable", f"{kind}@{server}", f"{why.summary}. {why.detail}".strip(), why.fix)
            for address, found in sorted(state.foreign.items()):
                if address.kind in kinds and self.options.takes(address.name):
                    self._omit(object_address(address.kind, address.name), "", found.why)
            for address in state.changed_stock:
                external = (address.kind, address.name) in self._external
                named = address.name in self._named.get(address.kind, ()) and not external
                if address.kind in kinds and self.options.takes(address.name) and not named:
                    self.omissions += changed_stock(state, address)
        groups = self._groups()
        scopes = list(self._scopes(groups)) if Kind.SCOPE in kinds else []
        self._groups_of = {group.key: group for group in groups}
        self._client_lists = self._live_scopes(keys_of(groups))
        clients = list(self._clients(groups)) if Kind.CLIENT in kinds else []
        source, target = self.options.source, self.options.target
        if Kind.CLIENT in kinds and source is not None and target is not None:
            taken = [group for group in groups if self.options.takes(group.key)]
            self.findings += changed_ids(self.inventory, source, target, taken)
        settings = (
            export_settings(self.inventory, self.options, self.left) if Kind.SETTINGS in kinds else SettingsEdit()
        )
        if Kind.SETTINGS in kinds:
            for server, state in sorted(self.inventory.live.servers.items()):
                address = Address.singleton(Kind.SETTINGS, server)
                if there := state.objects.get(address):
                    list(self._unparsed(str(address), {server: there}))
                    self._unheld(str(address), {server: there})
        for edit in settings.options:
            if edit.gone:
                self._report_dropped_option("settings", edit)
        return Export(
            scopes=tuple(scopes),
            clients=tuple(clients),
            settings=settings,
            associations=dict(self._associations()) if Kind.ASSOCIATION in kinds else {},
            listing=self._listing(),
            trusts=dict(self._trusts()) if Kind.TRUST in kinds else {},
            findings=Diagnostics.of(self.findings),
            omissions=tuple(sorted(set(self.omissions))),
        )

    # -- scopes and clients -----------------------------------------------------------------------------------------

    def _scopes(self, groups: Iterable[LiveClient]) -> Iterator[EntryEdit]:
        found: dict[str, dict[str, LiveObject]] = defaultdict(dict)
        for server in self.inventory.read(Kind.SCOPE):
            for address, there in self.inventory.live.servers[server].objects.items():
                if address.kind is Kind.SCOPE:
                    found[address.name][server] = there
        needed = self._unusual_scopes(groups)
        for name in sorted(found.keys() | self._named[Kind.SCOPE] | self._words.keys()):
            if not self.options.takes(name):
                continue
            sides = found.get(name, {})
            own = name in self._words or not all(there.built_in for there in sides.values())
            if name in self._named[Kind.SCOPE] or own:
                yield from self._entry(Kind.SCOPE, name, sides)
                continue
            if name in needed:
                self._named[Kind.SCOPE].add(name)
                everywhere = set(sides) == set(self.inventory.holders(Kind.SCOPE))
                yield EntryEdit(name, values={"external": True}, on=None if everywhere else tuple(sides))

    @cached_property
    def _words(self) -> Mapping[str, frozenset[str]]:
        """The scopes that clients have on servers that keep only their names: those servers, by name."""
        found: dict[str, set[str]] = defaultdict(set)
        for server in self.inventory.desired.words.keys() & set(self.inventory.read(Kind.ASSOCIATION)):
            for address in self.inventory.live.servers[server].objects:
                if address.kind is Kind.ASSOCIATION:
                    found[address.scope].add(server)
        return {name: frozenset(servers) for name, servers in found.items()}

    def _naming(self, kind: Kind, name: str) -> frozenset[str]:
        """The servers that keep only the name of a scope and that have it, by a client, the manifest or this copy."""
        if kind is not Kind.SCOPE:
            return frozenset()
        words = self.inventory.desired.words
        written = {server for server, names in words.items() if name in names or server == self.options.target}
        return self._words.get(name, frozenset()) | written

    def _unusual_scopes(self, groups: Iterable[LiveClient]) -> frozenset[str]:
        """The scopes that some client has although a new client does not get them, or the reverse: lists must name them."""
        found = {scope for group in groups for there in group.sides.values() for scope in there.lacks}
        for server in self.inventory.read(Kind.ASSOCIATION):
            for address, there in self.inventory.live.servers[server].objects.items():
                if address.kind is Kind.ASSOCIATION and not there.built_in:
                    found.add(address.scope)
        return frozenset(found)

    def _groups(self) -> tuple[LiveClient, ...]:
        live = self.inventory.live.servers
        chooses = {
            name
            for name in self.inventory.tables
            if self.inventory.can(name, Capability.CLIENT_ID_CHOICE)
            and not (name in live and live[name].makes_client_ids)
        }
        source, target = self.options.source, self.options.target
        kept_from = source if source is not None and target in chooses else None
        sides = self.inventory.read(Kind.CLIENT)
        ordered = sorted(sides, key=lambda name: Side.AUTHORIZATION not in self.inventory.entry(name).role.sides)
        return group_clients(self.inventory.desired, self.inventory.live, ordered, chooses, kept_from)

    def _clients(self, groups: Iterable[LiveClient]) -> Iterator[EntryEdit]:
        known = {group.key: group for group in groups}
        for key in sorted(known.keys() | self._named[Kind.CLIENT]):
            group = known.get(key, LiveClient(key))
            names = [there.value.name for there in group.sides.values() if isinstance(there.value, Client)]
            if self.options.takes(key, *(name for name in names if name)):
                yield from self._entry(Kind.CLIENT, key, group.sides, group.former)

    def _entry(
        self, kind: Kind, name: str, sides: Mapping[str, LiveObject], known_as: Mapping[str, str] | None = None
    ) -> Iterator[EntryEdit]:
        """The edit of one entry, where one is needed. `sides` are the live objects by server, `known_as` their names there."""
        if (kind, name) in self._external:
            return
        if (kind.value, name, "") in self.left or not can_be_written(name):
            if name not in self._named[kind]:
                self._omit(object_address(kind, name), "", "a manifest cannot express its name")
            return
        if name not in self._named[kind] and (breach := self._name_breach(kind, name, sides)):
            self._omit(object_address(kind, name), "", f"no new one can have its name: {breach}")
            if kind is Kind.SCOPE:
                self._odd_scopes.add(name)
            return
        source, target = self.options.source, self.options.target
        there = dict(sides)
        if source is not None and target is not None:
            if source not in sides and source not in self._words.get(name if kind is Kind.SCOPE else "", ()):
                # An absent object has only its name, so it must be the one that its server uses.
                yield from self._only_on_target(kind, (known_as or {}).get(target, name), target in sides)
                return
            there = {source: sides[source]} if source in sides else {}
        placed = self.inventory.placed(kind, name)
        where = self._servers_of(kind, there, placed)
        if where or self._naming(kind, name):
            yield from self._written_entry(kind, name, there, sides.get(target or ""), placed, where)
        elif placed:
            self._report(
                "export-gone", object_address(kind, name), "No server has it any more, so its entry is removed.", ""
            )
            yield EntryEdit(name, gone=True)

    def _name_breach(self, kind: Kind, name: str, servers: Iterable[str]) -> str:
        """Why a server that has an object of this name makes no other of it; "" where it does."""
        limits = (self.inventory.driver(server).names.get(kind) for server in servers)
        return next((breach for limit in limits if limit is not None and (breach := limit.breach(name))), "")

    def _servers_of(self, kind: Kind, there: Collection[str], placed: Collection[str]) -> tuple[str, ...]:
        """The servers of an entry: those that have it, the target, and those of the manifest that were not read."""
        target = self.options.target
        wanted = {*there, *({target} if target is not None and target in self.inventory.holders(kind) else ())}
        read = set(self.inventory.read(kind))
        unread = {server for server in placed if server not in read}
        return tuple(server for server in self.inventory.holders(kind) if server in wanted or server in unread)

    def _written_entry(
        self,
        kind: Kind,
        name: str,
        there: Mapping[str, LiveObject],
        target: LiveObject | None,
        placed: Collection[str],
        where: tuple[str, ...],
    ) -> Iterator[EntryEdit]:
        """The entry with its fields, its servers (`where`) and its options; nothing if the manifest has it like that."""
        self._named[kind].add(name)
        values, dropped = self._fields(kind, name, there, target)
        contents = (
            contents_of(self.inventory, self.options, name, there, self.left) if kind is Kind.SCOPE else Contents()
        )
        for path in contents.unwritable:
            self._omit(object_address(kind, name), path, UNWRITABLE)
        self._unheld(object_address(kind, name), there)
        words = self.inventory.desired.words
        placed = {*placed, *(server for server, names in words.items() if kind is Kind.SCOPE and name in names)}
        everywhere = where == self.inventory.holders(kind)
        where = (*where, *sorted(self._naming(kind, name)))
        new, moved = not placed, set(where) != placed
        edit = EntryEdit(
            name,
            values={**values, **contents.values},
            overrides=dict(contents.overrides),
            dropped=tuple(dropped),
            on=None if everywhere or not moved else where,
            everywhere=everywhere and moved and not new,
            secret=new and self._takes_secret(kind, where, there),
            options=self._options(kind, name, there),
        )
        if new or edit != EntryEdit(name):
            yield edit

    def _only_on_target(self, kind: Kind, name: str, there: bool) -> Iterator[EntryEdit]:
        target = self.options.target or ""
        if not there:
            return
        if self.options.mirror:
            yield EntryEdit(name, absent=True, on=(target,))
            return
        why = f"{target} has it, and {self.options.source} does not; it stays."
        self._report(
            "export-only-on-target", str(Address(kind, name, target)), why, "Pass --mirror to mark it as absent."
        )

    def _fields(
        self, kind: Kind, name: str, sides: Mapping[str, LiveObject], target: LiveObject | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Values to write and paths to remove, so that the entry matches all sides."""
        model = MODEL_OF[kind]
        managed = self.inventory.managed(kind, name)
        wrong = self.inventory.unfulfilled(kind, name, sides)
        if self.options.levels:
            # The source's value counts on the target too.
            wrong &= managed.keys()
        flat = {server: flatten(there.value) for server, there in sides.items()}
        values: dict[str, Any] = {}
        dropped = [path for path in self._unparsed(object_address(kind, name), sides) if path in managed]
        for path in _open_paths(model, managed, wrong, sides.values()):
            if kind is Kind.SCOPE and path in OPENS:
                continue
            live = {
                server: live_value(model, path, have.get(path), self.inventory.driver(server).defaults.get(kind, {}))
                for server, have in flat.items()
                if self._is_comparable(path, server, sides[server])
            }
            if not live:
                continue
            if self._unwritable(kind, name, path, live):
                dropped += [path] if path in managed else []
                continue
            value = next(iter(live.values()))
            if path in managed or self._worth_writing(kind, path, name, value, live, target):
                values[path] = value
        return values, dropped

    def _unwritable(self, kind: Kind, name: str, path: str, live: Mapping[str, Any]) -> bool:
        """Whether one entry cannot express the servers' values of a field; adds a finding once."""
        value = next(iter(live.values()))
        if not all(same(other, value) and same(value, other) for other in live.values()):
            why = f"{path} is not the same on {', '.join(live)}, but an entry has only one value."
            self._report(
                "export-differs",
                object_address(kind, name),
                f"{why} It is left unmanaged.",
                "Give it one value on all servers.",
            )
            return True
        if not can_be_written(value):
            self._omit(object_address(kind, name), path, UNWRITABLE)
            return True
        return (kind.value, name, path) in self.left

    def _options(self, kind: Kind, name: str, sides: Mapping[str, LiveObject]) -> tuple[OptionEdit, ...]:
        """The edits of the written options: those that a manifest cannot express, or that differ between servers, are
        removed.
        """
        edits = []
        for edit in option_edits(self.inventory, kind, name, sides, self.left):
            if edit.gone:
                self._report_dropped_option(object_address(kind, name), edit)
            elif not edit.alike:
                path = ".".join((OPTIONS, *edit.keys))
                why = f"{path} is not the same on all servers, but an entry has only one value."
                self._report(
                    "export-differs",
                    object_address(kind, name),
                    f"{why} It is left unmanaged.",
                    "Give it one value on all servers.",
                )
            edits.append(edit if edit.alike else replace(edit, gone=True))
        return tuple(edits)

    def _unheld(self, address: str, sides: Mapping[str, LiveObject]) -> None:
        """Record what a manifest cannot hold of an object, and what the target of a copy does not support."""
        source, target = self.options.source, self.options.target
        for server, there in sorted(sides.items()):
            # What a scope opens goes to the target of a copy, which may act on it.
            kept = OPENS if target is not None else frozenset()
            self.omissions += (one for one in unheld(server, address, there) if one.field not in kept)
            if server == source and target is not None:
                self.omissions += lost_between(self.inventory, server, target, address, there)

    def _unparsed(self, address: str, sides: Mapping[str, LiveObject]) -> Iterator[str]:
        """Report fields whose live value a manifest cannot express. A driver's options report their own."""
        found = {
            path: f"{server} holds {there.unparsed[path]}"
            for server, there in sorted(sides.items())
            for path in there.unparsed
            if not path.startswith(f"{OPTIONS}.")
        }
        for path in sorted(found):
            why = f"{found[path]}, which a manifest cannot write"
            self._omit(address, path, why, "Write the value that you want; apply sets it.")
            yield path

    def _report_dropped_option(self, address: str, edit: OptionEdit) -> None:
        self._omit(address, ".".join((OPTIONS, *edit.keys)), "a manifest cannot express its value, so it is removed")

    def _is_comparable(self, path: str, server: str, there: LiveObject) -> bool:
        """Whether the field of an object on a server can be compared there."""
        kind = KIND_OF[type(there.value)]
        ends = (server, *([self.options.target] if self.options.target is not None else ()))
        held = kind not in SECTIONS or all(self.inventory.can(end, field_name(kind, path)) for end in ends)
        return held and path not in there.incomparable and path in flatten(there.value)

    def _worth_writing(
        self,
        kind: Kind,
        path: str,
        name: str,
        value: Any,
        told: Mapping[str, Any],
        target: LiveObject | None,
    ) -> bool:
        model = MODEL_OF[kind]
        if value is None or (path == "name" and value == name and self._key_stands_in(kind, path, told)):
            return False
        if self.options.target is not None and target is not None:
            have = flatten(target.value).get(path)
            default = self.inventory.default(self.options.target, model, path)
            if not same(have if have is not None else default, value):
                return True
        if self.options.full:
            return True
        return not all(same(self.inventory.default(server, model, path), value) for server in told)

    def _key_stands_in(self, kind: Kind, path: str, servers: Iterable[str]) -> bool:
        """Whether each server gets the object's key if the field is not written."""
        entries = ((self.inventory.driver(server), self.inventory.entry(server).role) for server in servers)
        return all(declared(driver.fields.get(role, {}), kind, path).key_stands_in for driver, role in entries)

    def _takes_secret(self, kind: Kind, where: Iterable[str], sides: Mapping[str, LiveObject]) -> bool:
        """Whether a new entry gets a secret reference: for a confidential client on a server that accepts chosen secrets."""
        if kind is not Kind.CLIENT or not self.options.secrets:
            return False
        values = [there.value for there in sides.values() if isinstance(there.value, Client)]
        if any(value.type is ClientType.PUBLIC for value in values):
            return False
        issuing = [server for server in where if Side.AUTHORIZATION in self.inventory.entry(server).role.sides]
        return any(self.inventory.can(server, Capability.CLIENT_SECRET_CHOICE) for server in issuing)

    # -- associations and trust -------------------------------------------------------------------------------------

    def _associations(self) -> Iterator[tuple[str, Pairs | None]]:
        """The whole list of scopes of each client whose list is not written or does not match the servers."""
        inventory, source, target = self.inventory, self.options.source, self.options.target
        servers = [name for name in inventory.read(Kind.ASSOCIATION) if source in (None, name)]
        if not servers:
            return
        lists = self._client_lists
        written: dict[str, dict[str, dict[str, AssignedAs | None]]] = defaultdict(lambda: defaultdict(dict))
        for address, value in inventory.desired.objects.items():
            if isinstance(value, Association) and address.server in (*servers, target):
                written[address.client][address.server][address.scope] = value.assigned_as
        lists = {client: self._nameable(client, sides) for client, sides in lists.items()}
        for client in sorted(self._groups_of.keys() | lists.keys() | written.keys()):
            if client not in self._named[Kind.CLIENT] or (Kind.CLIENT, client) in self._external:
                continue
            if not self.options.takes(client):
                continue
            have = lists.get(client) or {server: {} for server in servers}
            if self._is_written(client, have, written[client]):
                continue
            problem = self._unsayable(client, have)
            if problem:
                self._omit(object_address(Kind.CLIENT, client), "scopes", problem)
            if not problem or client in inventory.desired.listed_clients:
                yield client, None if problem else self._pairs_of(client, have)

    def _nameable(self, client: str, sides: Mapping[str, Pairs]) -> Mapping[str, Pairs]:
        """The scopes of a client, by server, without those that are left out because of their names."""
        odd = {scope for pairs in sides.values() for scope in pairs if scope in self._odd_scopes}
        for scope in sorted(odd) if client in self._named[Kind.CLIENT] else ():
            self._omit(f"{Kind.ASSOCIATION}/{Address.association(client, scope, '').name}", "", "its scope is left out")
        return {
            server: {scope: way for scope, way in pairs.items() if scope not in odd} for server, pairs in sides.items()
        }

    def _pairs_of(self, client: str, have: Mapping[str, Pairs]) -> dict[str, AssignedAs | None]:
        """The list of scopes of a client, with what one entry can say of how it has them."""
        return {scope: self._way(client, scope, have) for scope in sorted(set().union(*have.values()))}

    def _way(self, client: str, scope: str, have: Mapping[str, Pairs]) -> AssignedAs | None:
        """How a client has a scope; None, with the reason among the omissions, where that cannot be said for all servers."""
        ways = {server: pairs[scope] for server, pairs in have.items() if scope in pairs and self._issues(server)}
        if self.options.target is not None and ways:
            ways[self.options.target] = next(iter(ways.values()))
        default = [server for server, way in ways.items() if way is AssignedAs.DEFAULT]
        unable = [server for server in ways if not self.inventory.can(server, field_name(Kind.ASSOCIATION, AS))]
        address = f"{Kind.ASSOCIATION}/{Address.association(client, scope, '').name}"
        if unable and default:
            why = f"{', '.join(unable)} cannot hold it, and {default[0]} has {AssignedAs.DEFAULT}"
            self._omit(address, AS, why)
        elif len(set(ways.values())) > 1:
            self._omit(address, AS, f"it is not the same on {', '.join(ways)}")
        return None if unable or len(set(ways.values())) != 1 else next(iter(ways.values()))

    def _issues(self, server: str) -> bool:
        return Side.AUTHORIZATION in self.inventory.entry(server).role.sides

    def _listing(self) -> tuple[Keys, ...]:
        """The options that list some of the associations of a client."""
        drivers = [self.inventory.driver(server) for server in self.inventory.live.servers]
        return tuple(sorted({(one.name, one.default_scopes_option) for one in drivers if one.default_scopes_option}))

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
        if not scopes and client not in self.inventory.desired.listed_clients and self._lacks(client):
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
        return any(there.lacks & self._named[Kind.SCOPE] for there in self._sides_of(client).values())

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
                if not there.built_in or address.scope in self._named[Kind.SCOPE]:
                    pairs = have[keys.get((server, address.client), address.client)][server]
                    pairs[address.scope] = there.value.assigned_as
        return have

    def _unsayable(self, client: str, have: Mapping[str, Pairs]) -> str:
        """Why the scopes of a client cannot be one list; "" if they can."""
        scopes = set().union(*have.values())
        if (Kind.ASSOCIATION.value, client, "") in self.left:
            return "a manifest cannot express its list of scopes"
        if unnamed := sorted(scopes - self._named[Kind.SCOPE]):
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

    def _trusts(self) -> Iterator[tuple[str, str | None]]:
        """The trust of each resource server, if the manifest has an entry for the trusted server but does not declare the
        trust.
        """
        for server in self.inventory.read(Kind.TRUST) if self.options.source is None else ():
            there = self.inventory.live.servers[server].objects.get(Address.singleton(Kind.TRUST, server))
            if there is None or not isinstance(there.value, Trust):
                continue
            now, trusted = self.inventory.entry(server).authorization_server, there.value.authorization_server
            known = trusted in self.inventory.desired.servers and (Kind.TRUST.value, server, "") not in self.left
            if known and Side.AUTHORIZATION in self.inventory.entry(trusted).role.sides:
                if now != trusted:
                    yield server, trusted
            elif now is not None:
                why = f"{server} trusts '{trusted}', which a manifest cannot express"
                self._omit(f"trust@{server}", "", why, "Add that server, with the driver external.")
                yield server, None

    def _omit(self, address: str, field: str, why: str, fix: str = "") -> None:
        self.omissions.append(Omission(address, field, why, fix=fix))

    def _report(self, rule: str, address: str, detail: str, fix: str) -> None:
        self.findings.append(
            Diagnostic(rule, _SUMMARIES[rule], detail, fix, severity=Severity.WARNING, address=address)
        )


def _open_paths(
    model: type[Model], managed: Collection[str], wrong: Collection[str], sides: Collection[LiveObject]
) -> Iterator[str]:
    """The fields that may have to be written: not write-only, not fulfilled, and parsable."""
    left_alone = write_only(model) | {path for there in sides for path in there.unparsed}
    for path in dict.fromkeys([*managed, *(path for there in sides for path in flatten(there.value))]):
        fulfilled = path in managed and path not in wrong
        if not fulfilled and path not in left_alone and not path.startswith("secret."):
            yield path


UNWRITABLE: Final = "it holds characters that YAML cannot represent"

_SUMMARIES: Final = {
    "export-unreadable": "A kind could not be read",
    "export-differs": "A field differs between servers",
    "export-gone": "An entry is removed",
    "export-only-on-target": "Only the target has an object",
}
