"""The settings of an export: what all authorization servers share is written once, and what differs as overrides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import MODEL_OF, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.export.driver_options import option_edits
from oauthdeploy.planning.export.values import ExportOptions, Left, SettingsEdit
from oauthdeploy.planning.inventory import Estate
from oauthdeploy.planning.normalize import flatten, same


def export_settings(estate: Estate, options: ExportOptions, left: frozenset[Left]) -> SettingsEdit:
    """Fields of the settings that all authorization servers share, and what differs, by server."""
    return _Settings(estate, options, left).run()


class _Settings:
    def __init__(self, estate: Estate, options: ExportOptions, left: frozenset[Left]) -> None:
        self._estate = estate
        self._options = options
        self._left = left

    def run(self) -> SettingsEdit:
        """Fields of the settings that all authorization servers share, and what differs, by server."""
        estate, kind = self._estate, Kind.SETTINGS
        model = MODEL_OF[kind]
        lives = {
            server: estate.live.servers[server].objects[Address.singleton(kind, server)]
            for server in estate.read(kind)
            if Address.singleton(kind, server) in estate.live.servers[server].objects
        }
        if self._options.levels:
            lives = self._levelled(lives)
        told_options = {server: there for server, there in lives.items() if self._options.source in (None, server)}
        issuing = [name for name in estate.holders(kind) if Side.AUTHORIZATION in estate.entry(name).role.sides]
        common: dict[str, Any] = {}
        overrides: dict[str, dict[str, Any]] = defaultdict(dict)
        target = self._options.target if self._options.source is not None else None
        reached = self._live_settings(target) if target is not None else {}
        flat = {server: flatten(there.value) for server, there in lives.items()}
        wrong = {server: self._unfulfilled(server, there) for server, there in lives.items()}
        for path in model.model_fields:
            told = {server: have[path] for server, have in flat.items() if have.get(path) is not None}
            managed = {server for server in told if path in self._managed_at(server)}
            needed = {
                server
                for server, value in told.items()
                if (kind.value, server, path) not in self._left
                and (
                    path in wrong[server]
                    if server in managed
                    else reached.get(path) != value
                    if server == target
                    else self._differs_from_default(server, path, value)
                )
            }
            if not needed:
                continue
            shared = [told[server] for server in issuing if server in told]
            alike = len(shared) == len(issuing) and all(value == shared[0] for value in shared)
            if alike and needed & set(issuing):
                common[path] = shared[0]
                overrides.update({server: {**overrides[server], path: None} for server in issuing})
                needed -= set(issuing)
            elif needed & set(issuing):
                common[path] = None
                needed |= {server for server in managed if server in issuing}
            for server in needed:
                overrides[server][path] = told[server]
        return SettingsEdit(
            common,
            {server: fields for server, fields in sorted(overrides.items()) if fields},
            option_edits(estate, kind, "", told_options, self._left),
        )

    def _differs_from_default(self, server: str, path: str, value: Any) -> bool:
        return self._options.full or not same(self._estate.default(server, MODEL_OF[Kind.SETTINGS], path), value)

    def _live_settings(self, server: str) -> Mapping[str, Any]:
        there = self._estate.live.servers[server].objects.get(Address.singleton(Kind.SETTINGS, server))
        return flatten(there.value) if there is not None else {}

    def _managed_at(self, server: str) -> Mapping[str, Any]:
        wanted = self._estate.desired.objects.get(Address.singleton(Kind.SETTINGS, server))
        return flatten(wanted) if wanted is not None else {}

    def _levelled(self, lives: Mapping[str, LiveObject]) -> dict[str, LiveObject]:
        """The source's settings for the target too, where the target issues tokens; those of a resource server are its own."""
        source, target = self._options.source or "", self._options.target or ""
        if source not in lives:
            return {}
        both = {source: lives[source]}
        if Side.AUTHORIZATION in self._estate.entry(target).role.sides:
            both[target] = lives[source]
        return both

    def _unfulfilled(self, server: str, there: LiveObject) -> set[str]:
        found = self._estate.unfulfilled(Kind.SETTINGS, "", {server: there})
        # On the target too, it is the source's value that counts.
        return found & self._estate.managed(Kind.SETTINGS, "").keys() if self._options.levels else found
