"""The settings of an export: values that all authorization servers share are written once, others as overrides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.held_fields import field_name
from oauthdeploy.model.objects import MODEL_OF, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.driver_options import option_edits
from oauthdeploy.planning.export.values import ExportOptions, Left, SettingsEdit
from oauthdeploy.planning.inventory import Inventory
from oauthdeploy.planning.normalize import flatten, same


def export_settings(inventory: Inventory, options: ExportOptions, left: frozenset[Left]) -> SettingsEdit:
    """Fields of the settings that all authorization servers share, and what differs, by server."""
    return _Settings(inventory, options, left).run()


class _Settings:
    def __init__(self, inventory: Inventory, options: ExportOptions, left: frozenset[Left]) -> None:
        self._inventory = inventory
        self._options = options
        self._left = left
        self._lives = self._live_objects()
        self._fields = {server: self._held(server, there) for server, there in self._lives.items()}
        self._wrong = {server: self._unfulfilled(server, there) for server, there in self._lives.items()}
        self._target = options.target if options.source is not None else None
        self._target_fields = self._live_fields(self._target) if self._target is not None else {}
        self._issuing = [
            name for name in inventory.holders(Kind.SETTINGS) if Side.AUTHORIZATION in inventory.entry(name).role.sides
        ]
        self._common: dict[str, Any] = {}
        self._overrides: dict[str, dict[str, Any]] = defaultdict(dict)

    def run(self) -> SettingsEdit:
        """Fields of the settings that all authorization servers share, and what differs, by server."""
        for path in MODEL_OF[Kind.SETTINGS].model_fields:
            live = {server: have[path] for server, have in self._fields.items() if have.get(path) is not None}
            written = {server for server in live if path in self._managed_at(server)}
            needed = {server for server, value in live.items() if self._needs(server, path, value, server in written)}
            if needed:
                self._write(path, live, written, needed)
        sources = {server: there for server, there in self._lives.items() if self._options.source in (None, server)}
        return SettingsEdit(
            self._common,
            {server: fields for server, fields in sorted(self._overrides.items()) if fields},
            option_edits(self._inventory, Kind.SETTINGS, "", sources, self._left),
        )

    def _live_objects(self) -> dict[str, LiveObject]:
        """The settings that were read, by server; for a target, those that it is to get."""
        lives = {
            server: self._inventory.live.servers[server].objects[Address.singleton(Kind.SETTINGS, server)]
            for server in self._inventory.read(Kind.SETTINGS)
            if Address.singleton(Kind.SETTINGS, server) in self._inventory.live.servers[server].objects
        }
        return self._levelled(lives) if self._options.levels else lives

    def _needs(self, server: str, path: str, value: Any, written: bool) -> bool:
        """Whether the manifest must write the server's value: it writes another one, or none and the default differs."""
        if (Kind.SETTINGS.value, server, path) in self._left:
            return False
        if written:
            return path in self._wrong[server]
        if server == self._target:
            return bool(self._target_fields.get(path) != value)
        return self._differs_from_default(server, path, value)

    def _write(self, path: str, live: Mapping[str, Any], written: set[str], needed: set[str]) -> None:
        """One value for all authorization servers if they agree, otherwise overrides for the servers that need them."""
        issuing = set(self._issuing)
        shared = [live[server] for server in self._issuing if server in live]
        agree = len(shared) == len(issuing) and all(value == shared[0] for value in shared)
        overriding = set(needed)
        if needed & issuing and agree:
            self._common[path] = shared[0]
            for server in issuing:
                self._overrides[server][path] = None
            overriding -= issuing
        elif needed & issuing:
            self._common[path] = None
            # Without the common value, a server that had the same value needs an override.
            overriding |= written & issuing
        for server in overriding:
            self._overrides[server][path] = live[server]

    def _differs_from_default(self, server: str, path: str, value: Any) -> bool:
        return self._options.full or not same(self._inventory.default(server, MODEL_OF[Kind.SETTINGS], path), value)

    def _live_fields(self, server: str) -> Mapping[str, Any]:
        there = self._inventory.live.servers[server].objects.get(Address.singleton(Kind.SETTINGS, server))
        return self._held(server, there) if there is not None else {}

    def _held(self, server: str, there: LiveObject) -> dict[str, Any]:
        """The live fields that the driver declares. A manifest that writes others is rejected."""
        return {
            path: value
            for path, value in flatten(there.value).items()
            if self._inventory.can(server, field_name(Kind.SETTINGS, path))
        }

    def _managed_at(self, server: str) -> Mapping[str, Any]:
        wanted = self._inventory.desired.objects.get(Address.singleton(Kind.SETTINGS, server))
        return flatten(wanted) if wanted is not None else {}

    def _levelled(self, lives: Mapping[str, LiveObject]) -> dict[str, LiveObject]:
        """The source's settings for the target too, where the target issues tokens; those of a resource server are its own."""
        source, target = self._options.source or "", self._options.target or ""
        if source not in lives:
            return {}
        both = {source: lives[source]}
        if Side.AUTHORIZATION in self._inventory.entry(target).role.sides:
            both[target] = lives[source]
        return both

    def _unfulfilled(self, server: str, there: LiveObject) -> set[str]:
        found = self._inventory.unfulfilled(Kind.SETTINGS, "", {server: there})
        # On the target too, it is the source's value that counts.
        return found & self._inventory.managed(Kind.SETTINGS, "").keys() if self._options.levels else found
