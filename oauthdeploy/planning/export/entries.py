"""The entries of scopes and clients in an export: their fields, options and servers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind, object_address
from oauthdeploy.model.capabilities import Capability
from oauthdeploy.model.fields import Model
from oauthdeploy.model.held_fields import SECTIONS, declared, field_name
from oauthdeploy.model.objects import MODEL_OF, OPENS, Client, ClientType, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.draft import UNWRITABLE, Draft
from oauthdeploy.planning.export.driver_options import option_edits
from oauthdeploy.planning.export.scope_contents import Contents, contents_of
from oauthdeploy.planning.export.target_limits import TargetLimits
from oauthdeploy.planning.export.values import EntryEdit, OptionEdit, can_be_written
from oauthdeploy.planning.normalize import OPTIONS, flatten, same, write_only

TYPE: Final = "type"
_REGISTERING: Final = frozenset({"grants", "redirect_uris"})
"""The fields with which an entry registers a client, rather than only enables, disables or describes it."""


class Entries:
    """Makes the edit of one entry at a time."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.inventory = draft.inventory
        self.options = draft.options
        self.left = draft.left
        target = self.options.target
        self.limits = TargetLimits(self.inventory, target) if self.options.levels and target is not None else None
        self._holders = {kind: self.inventory.holders(kind) for kind in (Kind.SCOPE, Kind.CLIENT)}
        self._read = {kind: frozenset(self.inventory.read(kind)) for kind in (Kind.SCOPE, Kind.CLIENT)}
        self._held: dict[tuple[Kind, str, str], bool] = {}
        self._defaults: dict[tuple[Kind, str, str], Any] = {}
        self._takes_secrets = frozenset(
            server
            for server in self.inventory.tables
            if Side.AUTHORIZATION in self.inventory.entry(server).role.sides
            and self.inventory.can(server, Capability.CLIENT_SECRET_CHOICE)
        )

    def entry(
        self, kind: Kind, name: str, sides: Mapping[str, LiveObject], known_as: Mapping[str, str] | None = None
    ) -> Iterator[EntryEdit]:
        """The edit of one entry, where one is needed. `sides` are the live objects by server, `known_as` their names there."""
        if (kind, name) in self.draft.external:
            return
        if (kind.value, name, "") in self.left:
            return
        if not can_be_written(name):
            if name not in self.draft.named[kind]:
                self.draft.omit(object_address(kind, name), "", "a manifest cannot express its name")
            return
        if name not in self.draft.named[kind] and (breach := self._name_breach(kind, name, sides)):
            self.draft.omit(object_address(kind, name), "", f"no new one can have its name: {breach}")
            if kind is Kind.SCOPE:
                self.draft.odd_scopes.add(name)
            return
        source, target = self.options.source, self.options.target
        there = dict(sides)
        if source is not None and target is not None:
            if source not in sides and source not in self.draft.words.get(name if kind is Kind.SCOPE else "", ()):
                # An absent object has only its name, so it must be the one that its server uses.
                yield from self._only_on_target(kind, (known_as or {}).get(target, name), target in sides)
                return
            there = {source: sides[source]} if source in sides else {}
        placed = self.inventory.placed(kind, name)
        if not placed and self._is_refused(kind, name, there):
            return
        where = self._servers_of(kind, there, placed)
        if where or self.draft.naming(kind, name):
            yield from self._written_entry(kind, name, there, sides.get(target or ""), placed, where)
        elif placed:
            self.draft.report(
                "export-gone", object_address(kind, name), "No server has it any more, so its entry is removed.", ""
            )
            yield EntryEdit(name, gone=True)

    def _name_breach(self, kind: Kind, name: str, servers: Iterable[str]) -> str:
        """Why a server that has an object of this name makes no other of it; "" where it does."""
        limits = (self.inventory.driver(server).names.get(kind) for server in servers)
        return next((breach for limit in limits if limit is not None and (breach := limit.breach(name))), "")

    def _is_refused(self, kind: Kind, name: str, there: Mapping[str, LiveObject]) -> bool:
        """Whether the target of a copy cannot have an object of the source; records why."""
        if self.limits is None or not there:
            return False
        if why := self.limits.refusal(kind, name, next(iter(there.values()))):
            self.draft.omit(object_address(kind, name), "", why)
            if kind is Kind.SCOPE:
                self.draft.odd_scopes.add(name)
        return bool(why)

    def _accepted(self, kind: Kind, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that the target of a copy accepts; records the entries of lists that it does not."""
        if self.limits is None:
            return dict(values)
        for path, value in values.items():
            for why in self.limits.refused_entries(kind, path, value):
                self.draft.omit(object_address(kind, name), path, f"{self.options.target} does not accept it: {why}")
        return {path: self.limits.accepted(kind, path, value) for path, value in values.items()}

    def _servers_of(self, kind: Kind, there: Collection[str], placed: Collection[str]) -> tuple[str, ...]:
        """The servers of an entry: those that have it, the target, and those of the manifest that were not read."""
        target, holders = self.options.target, self._holders[kind]
        wanted = {*there, *({target} if target is not None and target in holders else ())}
        unread = {server for server in placed if server not in self._read[kind]}
        return tuple(server for server in holders if server in wanted or server in unread)

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
        self.draft.named[kind].add(name)
        flat = {server: flatten(item.value) for server, item in there.items()}
        managed = self.inventory.managed(kind, name) if placed else {}
        told, dropped = self._fields(kind, name, there, flat, managed, target)
        values = told if placed else self._accepted(kind, name, told)
        # An entry has one value for all servers, and the source keeps its own.
        narrowed = values != told
        if narrowed:
            where = tuple(server for server in where if server == self.options.target)
        contents = (
            contents_of(self.inventory, self.options, name, there, self.left) if kind is Kind.SCOPE else Contents()
        )
        for path in contents.unwritable:
            self.draft.omit(object_address(kind, name), path, UNWRITABLE)
        self.draft.unheld(object_address(kind, name), there)
        words = self.inventory.desired.words
        placed = {*placed, *(server for server, names in words.items() if kind is Kind.SCOPE and name in names)}
        everywhere = where == self._holders[kind]
        where = (*where, *sorted(self.draft.naming(kind, name)))
        new, moved = not placed, set(where) != placed
        secret = new and self._takes_secret(kind, where, there)
        if kind is Kind.CLIENT and (secret or not _REGISTERING.isdisjoint(values)):
            values |= self._type(name, there, flat, managed)
        edit = EntryEdit(
            name,
            values={**values, **contents.values},
            overrides=dict(contents.overrides),
            dropped=tuple(dropped),
            on=None if everywhere or not moved else where,
            everywhere=everywhere and moved and not new,
            secret=secret,
            options=() if narrowed else self._options(kind, name, there),
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
        self.draft.report(
            "export-only-on-target", str(Address(kind, name, target)), why, "Pass --mirror to mark it as absent."
        )

    def _fields(
        self,
        kind: Kind,
        name: str,
        sides: Mapping[str, LiveObject],
        flat: Mapping[str, Mapping[str, Any]],
        managed: Mapping[str, Any],
        target: LiveObject | None,
    ) -> tuple[dict[str, Any], list[str]]:
        """Values to write and paths to remove, so that the entry matches all sides; `flat` are their fields, and `managed` those
        that the manifest writes.
        """
        model = MODEL_OF[kind]
        wrong = self.inventory.unfulfilled(kind, name, sides) if managed else set()
        if self.options.levels:
            # The source's value counts on the target too.
            wrong &= managed.keys()
        there = flatten(target.value) if target is not None and self.options.target is not None else None
        values: dict[str, Any] = {}
        dropped = [path for path in self.draft.unparsed(object_address(kind, name), sides) if path in managed]
        for path in _open_paths(model, managed, wrong, sides.values(), flat.values()):
            if kind is Kind.SCOPE and path in OPENS:
                continue
            live = {
                server: self._default(kind, path, server) if have[path] is None else have[path]
                for server, have in flat.items()
                if self._is_comparable(kind, path, server, sides[server], have)
            }
            if not live:
                continue
            if self._unwritable(kind, name, path, live):
                dropped += [path] if path in managed else []
                continue
            value = next(iter(live.values()))
            if path in managed or self._worth_writing(kind, path, name, value, live, there):
                values[path] = value
        return values, dropped

    def _type(
        self,
        name: str,
        sides: Mapping[str, LiveObject],
        flat: Mapping[str, Mapping[str, Any]],
        managed: Collection[str],
    ) -> Mapping[str, Any]:
        """The type of a client that the entry registers, also if it is the default (rule `client-type-missing`)."""
        if TYPE in managed or (Kind.CLIENT.value, name, TYPE) in self.left:
            return {}
        told = {fields.get(TYPE) for fields in flat.values()}
        shown = all(
            self._is_comparable(Kind.CLIENT, TYPE, server, there, flat[server]) for server, there in sides.items()
        )
        return {TYPE: told.pop()} if shown and len(told) == 1 else {}

    def _unwritable(self, kind: Kind, name: str, path: str, live: Mapping[str, Any]) -> bool:
        """Whether one entry cannot express the servers' values of a field; adds a finding once."""
        value = next(iter(live.values()))
        if len(live) > 1 and not all(same(other, value) and same(value, other) for other in live.values()):
            why = f"{path} is not the same on {', '.join(live)}, but an entry has only one value."
            self.draft.report(
                "export-differs",
                object_address(kind, name),
                f"{why} It is left unmanaged.",
                "Give it one value on all servers.",
            )
            return True
        if not can_be_written(value):
            self.draft.omit(object_address(kind, name), path, UNWRITABLE)
            return True
        return bool(self.left) and (kind.value, name, path) in self.left

    def _options(self, kind: Kind, name: str, sides: Mapping[str, LiveObject]) -> tuple[OptionEdit, ...]:
        """The edits of the written options: those that a manifest cannot express, or that differ between servers, are
        removed.
        """
        edits = []
        for edit in option_edits(self.inventory, kind, name, sides, self.left):
            if edit.gone:
                self.draft.report_dropped_option(object_address(kind, name), edit)
            elif not edit.alike:
                path = ".".join((OPTIONS, *edit.keys))
                why = f"{path} is not the same on all servers, but an entry has only one value."
                self.draft.report(
                    "export-differs",
                    object_address(kind, name),
                    f"{why} It is left unmanaged.",
                    "Give it one value on all servers.",
                )
            edits.append(edit if edit.alike else replace(edit, gone=True))
        return tuple(edits)

    def _is_comparable(self, kind: Kind, path: str, server: str, there: LiveObject, fields: Mapping[str, Any]) -> bool:
        """Whether the field of an object on a server, which has these fields, can be compared there."""
        return path in fields and path not in there.incomparable and self._is_held(kind, path, server)

    def _is_held(self, kind: Kind, path: str, server: str) -> bool:
        """Whether the server, and the target of a copy, hold a field. Asked for each object, and answered once."""
        found = self._held.get((kind, path, server))
        if found is None:
            ends = (server, *([self.options.target] if self.options.target is not None else ()))
            found = kind not in SECTIONS or all(self.inventory.can(end, field_name(kind, path)) for end in ends)
            self._held[kind, path, server] = found
        return found

    def _default(self, kind: Kind, path: str, server: str) -> Any:
        """The server's default of a field, looked up once."""
        place = (kind, path, server)
        if place not in self._defaults:
            self._defaults[place] = self.inventory.default(server, MODEL_OF[kind], path)
        return self._defaults[place]

    def _worth_writing(
        self,
        kind: Kind,
        path: str,
        name: str,
        value: Any,
        told: Mapping[str, Any],
        target: Mapping[str, Any] | None,
    ) -> bool:
        """Whether a value that the servers `told` is written; `target` are the fields that the target of a copy has."""
        if value is None or (path == "name" and value == name and self._key_stands_in(kind, path, told)):
            return False
        if self.options.target is not None:
            have = target.get(path) if target is not None else None
            default = self._default(kind, path, self.options.target)
            known = target is not None or default is not None
            if known and not same(have if have is not None else default, value):
                return True
        if self.options.full:
            return True
        return not all(same(self._default(kind, path, server), value) for server in told)

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
        return not self._takes_secrets.isdisjoint(where)


def _open_paths(
    model: type[Model],
    managed: Collection[str],
    wrong: Collection[str],
    sides: Iterable[LiveObject],
    fields: Iterable[Iterable[str]],
) -> Iterator[str]:
    """The fields that may have to be written: not write-only, not fulfilled, and parsable. `fields` are those of the sides."""
    left_alone = write_only(model) | {path for there in sides for path in there.unparsed}
    for path in dict.fromkeys([*managed, *(path for one in fields for path in one)]):
        fulfilled = path in managed and path not in wrong
        if not fulfilled and path not in left_alone and not path.startswith("secret."):
            yield path
