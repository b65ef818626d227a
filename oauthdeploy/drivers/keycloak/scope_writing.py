"""Writes to the client scopes of a realm.

Only the changed fields are sent; what is left out stays. The state afterwards is read by the verification that ends every apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from oauthdeploy.drivers.base import Applied
from oauthdeploy.drivers.common_steps import ADOPTED, GONE, changed_options, changed_values, create_or_find, parsed
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak.changed_fields import MAPPERS
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_SCOPES
from oauthdeploy.drivers.keycloak.fields import SCOPE
from oauthdeploy.drivers.keycloak.knowledge import Knowledge
from oauthdeploy.drivers.keycloak.mapping import OWNER
from oauthdeploy.drivers.keycloak.options import DRIVER_NAME
from oauthdeploy.drivers.keycloak.refusals import missing, protected
from oauthdeploy.drivers.keycloak.scopes import (
    DEFAULT,
    NONE,
    LiveScope,
    asks_for_new_clients,
    mappers_to_change,
    merged,
    new_scope,
    options_of,
    put_scope,
    read_scope,
)
from oauthdeploy.model.objects import Scope
from oauthdeploy.planning.changes import Action, Change


class ScopeWriter(Struct, frozen=True):
    """Carries out changes of client scopes. `owner` is the manifest's name, for marks; `known` is what the driver knows of the
    realm.
    """

    admin: AdminApi
    owner: str
    known: Knowledge

    def write(self, change: Change) -> Applied:
        """POST, PUT or DELETE a client scope."""
        name = change.address.name
        if change.action is Action.DELETE:
            return self._delete_scope(change, name)
        assert isinstance(change.desired, Scope)
        desired, names = change.desired, changed_options(change, DRIVER_NAME)
        values = changed_values(change, SCOPE)
        # A realm comes with Keycloak's own scopes: if this run created it, the plan could not know of them.
        comes_along = change.action is Action.CREATE and name in BUILT_IN_SCOPES and self.find_id(name) is not None
        if change.action is Action.UPDATE or comes_along:
            uuid, note = self._update_scope(change, values, desired, names), ""
        else:
            uuid, note = self._create_scope(name, values, desired, names)
        if asks_for_new_clients(desired) and "new_clients" in names:
            self._give_to_new_clients(uuid, options_of(desired)[1].new_clients or NONE)
        return Applied(change.address, None, uuid, note=note, looked=False)

    def _create_scope(
        self, name: str, values: Mapping[str, Any], desired: Scope, names: frozenset[str]
    ) -> tuple[str, str]:
        body = new_scope(name, self.owner)
        put_scope(body, values, desired, names)
        body["protocolMappers"] = merged({}, mappers_to_change({}, desired, names))

        def post() -> str:
            return self.admin.create_scope(body) or self._look_at_scope(name).uuid

        def find() -> str | None:
            live = self._find_scope(name)
            return None if live is None else live.uuid

        uuid, found = create_or_find(post, find)
        self.known.learn_scopes({name: uuid})
        return uuid, ADOPTED if found else ""

    def _update_scope(self, change: Change, values: Mapping[str, Any], desired: Scope, names: frozenset[str]) -> str:
        name = change.address.name
        uuid, before = self.scope_id(name), self.known.scope(name)
        body: dict[str, Any] = {"name": name}
        put_scope(body, values, desired, names)
        # The name goes along always: a PUT of a client scope without it is answered 500 (docs/servers.md, "Scopes of
        # a client").
        if len(body) > 1:
            self.admin.put_scope(uuid, body)
        if names & MAPPERS:
            self._put_mappers(uuid, self._look_at_scope(name, uuid).raw, desired, names)
            body["protocolMappers"] = None
        self.known.wrote(change.address, uuid, before, body)
        return uuid

    def _put_mappers(self, uuid: str, raw: Mapping[str, Any], desired: Scope, names: frozenset[str]) -> None:
        """Each mapper by its own request: a PUT of a client scope does not change them.

        Mappers are added before others are removed, so that no token lacks a claim that both the old and the new mappers add. A
        mapper whose type changes cannot be updated and keeps its name, so it is replaced last.
        """
        listed = raw.get("protocolMappers")
        mappers = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
        standing = {str(one.get("name")): str(one.get("id")) for one in mappers}
        changes = mappers_to_change(raw, desired, names)
        to_put = merged(raw, changes)
        replaced = [one for one in to_put if "id" not in one and one["name"] in standing]
        for mapper in to_put:
            if mapper not in replaced:
                self.admin.put_mapper(uuid, mapper)
        for name in sorted(changes.keys() & standing.keys()):
            if changes[name] is None:
                self.admin.delete_mapper(uuid, standing[name])
        for mapper in replaced:
            self.admin.delete_mapper(uuid, standing[mapper["name"]])
            self.admin.put_mapper(uuid, mapper)

    def _give_to_new_clients(self, uuid: str, way: str) -> None:
        """A scope in one of the realm's two lists cannot be added to the other."""
        try:
            self.admin.keep_from_new_clients(uuid)
            if way != NONE:
                self.admin.give_to_new_clients(uuid, default=way == DEFAULT)
        finally:
            self.known.learn_lists(None)

    def _delete_scope(self, change: Change, name: str) -> Applied:
        if name in BUILT_IN_SCOPES:
            raise protected(self.admin.http.server, "client scope", name)
        uuid = change.live.identity if change.live is not None and change.live.identity else self.find_id(name)
        there = uuid is not None and self.admin.delete_scope(uuid)
        self.known.forget_scope(name)
        return Applied(change.address, None, uuid or "", note="" if there else GONE)

    def _find_scope(self, name: str) -> LiveScope | None:
        raw = next((one for one in self.admin.scopes() if one.get("name") == name), None)
        return None if raw is None else parsed(self.admin.http.server, "GET", api.SCOPES, lambda: read_scope(raw))

    def _look_at_scope(self, name: str, uuid: str | None = None) -> LiveScope:
        raw = None if uuid is None else self.admin.scope(uuid)
        live = (
            self._find_scope(name)
            if raw is None
            else parsed(self.admin.http.server, "GET", api.SCOPE, lambda: read_scope(raw))
        )
        if live is None:
            raise missing(self.admin.http.server, "client scope", name)
        return live

    def find_id(self, name: str) -> str | None:
        """The id of a client scope, from the list of all if it is not known; None if there is no such scope."""
        if (found := self.known.scope_id(name)) is None:
            self.known.learn_scopes({str(one.get("name")): str(one.get("id")) for one in self.admin.scopes()})
            found = self.known.scope_id(name)
        return found

    def scope_id(self, name: str) -> str:
        """The same. Raises NotFound if there is no such scope."""
        found = self.find_id(name)
        if found is None:
            raise missing(self.admin.http.server, "client scope", name)
        return found

    def mark(self, name: str, uuid: str, owner: str) -> LiveScope:
        """Write the mark of a manifest; returns the client scope afterwards."""
        # The attributes of a client scope merge by key, so the others stay (docs/servers.md, "Scopes of a client").
        self.admin.put_scope(uuid, {"name": name, "attributes": {OWNER: owner}})
        return self._look_at_scope(name, uuid)
