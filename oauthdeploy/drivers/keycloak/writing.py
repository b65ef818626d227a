"""Writes to a realm: one function for each kind of object.

A client is read just before it is written, changed in the managed fields, and sent back completely: only then does Keycloak
keep everything else (a PUT without `authorizationServicesEnabled` deletes the client's authorization settings). Of a realm and
a client scope only the changed fields are sent; what is left out stays.

Each function returns what the server has afterwards, from another read: Keycloak answers a write without content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import Conflict, NotFound, Rejected
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied
from oauthdeploy.drivers.common_steps import (
    ADOPTED,
    GONE,
    changed_values,
    create_or_find,
    parsed,
)
from oauthdeploy.drivers.field_table import write_fields
from oauthdeploy.drivers.json_wire import secrets_in
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak.changed_fields import becomes_confidential, option_names, sends_secret
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_CLIENTS, BUILT_IN_SCOPES
from oauthdeploy.drivers.keycloak.fields import ASSOCIATION, CLIENT, LISTS, SCOPE, SETTINGS
from oauthdeploy.drivers.keycloak.mapping import (
    OWNER,
    REVISION,
    VOLATILE,
    LiveClient,
    grants_to_put,
    new_client,
    put_client,
    put_options,
    read_client,
    secret_in,
    whole,
)
from oauthdeploy.drivers.keycloak.policies import Rule, entries, switched
from oauthdeploy.drivers.keycloak.reading import (
    association_object,
    scope_object,
    settings_of,
)
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
    way_to_new_clients,
)
from oauthdeploy.drivers.keycloak.secret_claim import Claim
from oauthdeploy.drivers.keycloak.secret_fields import sealed
from oauthdeploy.drivers.keycloak.settings import draft_settings
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.model.objects import AssignedAs, Client, ClientSecret, ClientType, Scope, Settings
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Change

SCOPE_LISTS: Final = tuple(LISTS.values())
SERVICE_ACCOUNT: Final = "service_account"
_BESIDE_SETTINGS: Final = frozenset({"clientPolicies", "clientProfiles", "notBefore"})
"""Parts of a realm that have their own requests, or change by themselves."""


@dataclass(frozen=True)
class Writer:
    """Carries out changes in one realm.

    `owner` is the manifest's name, for marks. `tell` returns a live client in the manifest's form; `scope_id` returns the id of
    a client scope by its name.

    `realm` and `scopes` (by name) are the JSON of the realm and of client scopes as last read. `unlisted` are scopes that a
    client with that client_id does not keep when it is created.
    """

    admin: AdminApi
    owner: str
    tell: Callable[[LiveClient, Client], LiveObject]
    scope_id: Callable[[str], str | None]
    realm: Mapping[str, Any]
    scopes: Mapping[str, Mapping[str, Any]]
    unlisted: Mapping[str, frozenset[str]]

    # -- settings ----------------------------------------------------------------------------------------------------

    def settings(self, change: Change) -> Applied:
        """PUT the fields of the realm that change, and enable or disable the client policy for PKCE."""
        assert isinstance(change.desired, Settings)
        draft = draft_settings(changed_values(change, SETTINGS), change.desired, option_names(change))
        if draft.body:
            self.admin.put_realm(draft.body)
        for rule, on in draft.rules:
            self._lay_down(rule, on=on)
        realm = self.admin.realm()
        if realm is None:
            raise self._missing("realm", self.admin.realm_name)
        live = settings_of(self.admin, realm, change.desired)
        lost = lost_fields(self.realm, draft.body, realm, _BESIDE_SETTINGS)
        return Applied(change.address, live.value, fingerprint=live.fingerprint, unparsed=live.unparsed, lost=lost)

    def _lay_down(self, rule: Rule, *, on: bool) -> None:
        """Create or remove our profile and our policy of a rule; a policy must be removed before the profile that it names."""

        def profiles() -> None:
            found = parsed(self._server, "GET", api.PROFILES, lambda: entries(self.admin.profiles(), "profiles"))
            self.admin.put_profiles(switched(rule, found, on=on, what="profile"))

        def policies() -> None:
            found = parsed(self._server, "GET", api.POLICIES, lambda: entries(self.admin.policies(), "policies"))
            self.admin.put_policies(switched(rule, found, on=on, what="policy"))

        for step in (profiles, policies) if on else (policies, profiles):
            step()

    # -- client scopes -----------------------------------------------------------------------------------------------

    def scope(self, change: Change) -> Applied:
        """POST, PUT or DELETE a client scope."""
        name = change.address.name
        if change.action is Action.DELETE:
            return self._delete_scope(change, name)
        assert isinstance(change.desired, Scope)
        desired, names = change.desired, option_names(change)
        values = changed_values(change, SCOPE)
        # A realm comes with Keycloak's own scopes: if this run created it, the plan could not know of them.
        comes_along = change.action is Action.CREATE and name in BUILT_IN_SCOPES and self.scope_id(name) is not None
        if change.action is Action.UPDATE or comes_along:
            live, note = self._update_scope(name, values, desired, names), ""
            changed: dict[str, Any] = {"protocolMappers": None} if names & {"audiences", "protocol_mappers"} else {}
            put_scope(changed, values, desired, names)
            lost = lost_fields(self.scopes.get(name), changed, live.raw, VOLATILE)
        else:
            live, note = self._create_scope(name, values, desired, names)
            lost = ()
        way = NONE
        if asks_for_new_clients(desired):
            if "new_clients" in names:
                self._give_to_new_clients(live.uuid, options_of(desired)[1].new_clients or NONE)
            way = way_to_new_clients(name, self.admin.realm_scopes())
        told = scope_object(live, desired, way, self.owner)
        return Applied(
            change.address, told.value, live.uuid, told.fingerprint, note=note, unparsed=told.unparsed, lost=lost
        )

    def _create_scope(
        self, name: str, values: Mapping[str, Any], desired: Scope, names: frozenset[str]
    ) -> tuple[LiveScope, str]:
        body = new_scope(name, self.owner)
        put_scope(body, values, desired, names)
        body["protocolMappers"] = merged({}, mappers_to_change({}, desired, names))

        def post() -> LiveScope:
            # By its id: the list of all scopes has no filter, and grows with each new one.
            return self._look_at_scope(name, self.admin.create_scope(body) or None)

        live, found = create_or_find(post, lambda: self._find_scope(name))
        return live, ADOPTED if found else ""

    def _update_scope(self, name: str, values: Mapping[str, Any], desired: Scope, names: frozenset[str]) -> LiveScope:
        uuid = self._scope_id(name)
        body: dict[str, Any] = {"name": name}
        put_scope(body, values, desired, names)
        # The name goes along always: a PUT of a client scope without it is answered 500 (docs/servers.md, "Scopes of
        # a client").
        if len(body) > 1:
            self.admin.put_scope(uuid, body)
        if names & {"audiences", "protocol_mappers"}:
            self._put_mappers(uuid, self._look_at_scope(name, uuid).raw, desired, names)
        return self._look_at_scope(name, uuid)

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
        self.admin.keep_from_new_clients(uuid)
        if way != NONE:
            self.admin.give_to_new_clients(uuid, default=way == DEFAULT)

    def _delete_scope(self, change: Change, name: str) -> Applied:
        if name in BUILT_IN_SCOPES:
            raise self._protected("client scope", name)
        uuid = change.live.identity if change.live is not None and change.live.identity else self.scope_id(name)
        there = uuid is not None and self.admin.delete_scope(uuid)
        return Applied(change.address, None, uuid or "", note="" if there else GONE)

    def _find_scope(self, name: str) -> LiveScope | None:
        raw = next((one for one in self.admin.scopes() if one.get("name") == name), None)
        return None if raw is None else parsed(self._server, "GET", api.SCOPES, lambda: read_scope(raw))

    def _look_at_scope(self, name: str, uuid: str | None = None) -> LiveScope:
        raw = None if uuid is None else self.admin.scope(uuid)
        live = (
            self._find_scope(name) if raw is None else parsed(self._server, "GET", api.SCOPE, lambda: read_scope(raw))
        )
        if live is None:
            raise self._missing("client scope", name)
        return live

    def _scope_id(self, name: str) -> str:
        found = self.scope_id(name)
        if found is None:
            raise self._missing("client scope", name)
        return found

    # -- clients -----------------------------------------------------------------------------------------------------

    def client(self, change: Change) -> Applied:
        """POST, PUT or DELETE a client."""
        if change.action is Action.DELETE:
            return self._delete_client(change)
        desired = change.desired
        assert isinstance(desired, Client)
        if change.action is Action.UPDATE:
            return self._update_client(change, desired)
        if change.action is Action.REPLACE:
            self._delete_client(change)
        return self._create_client(change, desired)

    def _create_client(self, change: Change, desired: Client) -> Applied:
        client_id = change.address.name
        body = new_client(client_id, self.owner)
        self._put(body, change, desired)
        given = desired.secret
        if given is not None and desired.type is not ClientType.PUBLIC:
            if given.value is not None:
                body["secret"] = given.value
            body["attributes"][REVISION] = str(given.revision or 0)

        def post() -> LiveClient:
            return self._look_at_client(client_id, self.admin.create_client(body) or None)

        live, found = create_or_find(post, lambda: self._find_client(client_id))
        for scope in sorted(self.unlisted.get(client_id, frozenset()) & set(live.scopes)):
            if not found and (uuid := self.scope_id(scope)) is not None:
                self.admin.unassign(live.uuid, uuid)
        made = live.secret if given is None or given.value is None else None
        return self._applied(change, desired, live, secret=made, note=ADOPTED if found else "")

    def _update_client(self, change: Change, desired: Client) -> Applied:
        uuid, given = self._uuid(change), desired.secret
        # A public client has no secret that a plan could compare; one that becomes confidential gets the manifest's.
        if given is not None and (becomes_confidential(change) or sends_secret(change)):
            recorded = change.live.revision if change.live is not None else None
            claim = Claim(self.admin, uuid, change.address.name, recorded)
            claim.take()
            try:
                return self._renew(change, desired, given, claim)
            finally:
                claim.leave()
        raw = self._raw(change, uuid)
        return self._put_update(change, desired, raw, self._updated(change, desired, raw))

    def _renew(self, change: Change, desired: Client, given: ClientSecret, claim: Claim) -> Applied:
        """Update a client and its secret, under a lock that is checked after each write."""
        made: Secret | None = None
        if given.generate and not becomes_confidential(change):
            # Before the revision is recorded: if that fails, the next apply generates another secret, and none is lost
            # unnoticed.
            made = self.admin.new_secret(claim.uuid)
        # Read after the new secret was generated, as the body of the PUT that follows.
        raw = claim.check(made)
        body = self._updated(change, desired, raw)
        revision = given.revision or 0
        body["attributes"] = {**body["attributes"], REVISION: str(revision), **claim.marks}
        if given.value is not None:
            body["secret"] = given.value
        applied = self._put_update(change, desired, raw, body)
        live = claim.check_done(given.value if made is None else made, revision)
        # If the response had no secret, and for a client that becomes confidential, only the client itself has it.
        return replace(applied, secret=made or secret_in(live)) if given.generate else applied

    def _raw(self, change: Change, uuid: str) -> Mapping[str, Any]:
        raw = self.admin.client(uuid)
        if raw is None:
            raise self._missing("client", change.live_address.name)
        return raw

    def _updated(self, change: Change, desired: Client, raw: Mapping[str, Any]) -> dict[str, Any]:
        body = whole(raw)
        body["clientId"] = change.address.name
        self._put(body, change, desired)
        return body

    def _put_update(self, change: Change, desired: Client, raw: Mapping[str, Any], body: Mapping[str, Any]) -> Applied:
        uuid = self._uuid(change)
        self.admin.put_client(uuid, body, raw)
        live = self._look_at_client(change.address.name, uuid)
        lost = lost_fields(sealed(raw), sealed(_without_own(body)), live.raw, VOLATILE)
        return replace(self._applied(change, desired, live), lost=lost)

    def _put(self, body: dict[str, Any], change: Change, desired: Client) -> None:
        """Put the changed fields into the JSON of a client: options first, since grants depend on them."""
        put_options(body, desired, option_names(change), self._flow_id)
        values = dict(changed_values(change, CLIENT))
        grants = grants_to_put(body, desired, values, option_names(change))
        put_client(body, values if grants is None else {**values, "grants": grants})

    def _flow_id(self, alias: str) -> str:
        found = next((one for one in self.admin.flows() if one.get("alias") == alias), None)
        if found is None:
            raise Rejected(
                f"'{self._server}' has no authentication flow '{alias}'",
                server=self._server,
                path=api.FLOWS,
                fix="Correct options.keycloak.authentication_flows, or create the flow first.",
            )
        return str(found.get("id"))

    def _delete_client(self, change: Change) -> Applied:
        client_id = change.live_address.name
        if client_id in BUILT_IN_CLIENTS:
            raise self._protected("client", client_id)
        uuid = self._known_uuid(change)
        there = uuid is not None and self.admin.delete_client(uuid)
        return Applied(change.address, None, uuid or "", note="" if there else GONE)

    def _find_client(self, client_id: str) -> LiveClient | None:
        raw = self.admin.client_called(client_id)
        return (
            None if raw is None else parsed(self._server, "GET", api.CLIENTS, lambda: self._guarded(read_client(raw)))
        )

    def _look_at_client(self, client_id: str, uuid: str | None = None) -> LiveClient:
        raw = self.admin.client_called(client_id) if uuid is None else self.admin.client(uuid)
        if raw is None:
            raise self._missing("client", client_id)
        return parsed(self._server, "GET", api.CLIENT, lambda: self._guarded(read_client(raw)))

    def _guarded(self, live: LiveClient) -> LiveClient:
        for secret in secrets_in(live.raw):
            self.admin.http.guard(secret)
        return live

    def _applied(
        self, change: Change, desired: Client, live: LiveClient, *, secret: Secret | None = None, note: str = ""
    ) -> Applied:
        told = self.tell(live, desired)
        return Applied(
            change.address,
            told.value,
            live.uuid,
            told.fingerprint,
            secret=secret,
            note=note,
            client_id=live.client_id,
            unparsed=told.unparsed,
        )

    def _known_uuid(self, change: Change) -> str | None:
        if change.live is not None and change.live.identity:
            return change.live.identity
        name = change.live_address.client
        raw = self.admin.client_called(name)
        return None if raw is None else str(raw.get("id"))

    def _uuid(self, change: Change) -> str:
        found = self._known_uuid(change)
        if found is None:
            raise self._missing("client", change.live_address.client)
        return found

    # -- associations ------------------------------------------------------------------------------------------------

    def associations(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Assign and unassign the client scopes of one client, each by its own request."""
        client_id = changes[0].address.client
        raw = self.admin.client_called(client_id)
        if raw is None:
            if all(change.action is Action.DELETE for change in changes):
                return [Applied(change.address, None, note=GONE) for change in changes]
            raise self._missing("client", client_id)
        before = parsed(self._server, "GET", api.CLIENTS, lambda: read_client(raw))
        for change in changes:
            self._associate(change, before)
        live = self._look_at_client(client_id, before.uuid)
        touched = {change.address.scope for change in changes}
        lists = dict(zip(SCOPE_LISTS, (before.default, before.optional), strict=True))
        sent = {key: [scope for scope in some if scope not in touched] for key, some in lists.items()}
        lost = lost_fields(before.raw, sent, live.raw, VOLATILE - set(SCOPE_LISTS))
        return [replace(self._association(change, live), lost=lost) for change in changes]

    def _associate(self, change: Change, live: LiveClient) -> None:
        scope = change.address.scope
        if change.action is Action.DELETE:
            uuid = self.scope_id(scope)
            if uuid is not None and scope in live.scopes:
                self.admin.unassign(live.uuid, uuid)
            return
        default = self._is_default(change, live)
        if scope not in (live.default if default else live.optional):
            uuid = self._scope_id(scope)
            # A PUT of a scope in the other list answers 204 and does nothing (docs/servers.md, "Scopes of a client").
            if scope in live.scopes:
                self.admin.unassign(live.uuid, uuid)
            self.admin.assign(live.uuid, uuid, default=default)

    def _is_default(self, change: Change, live: LiveClient) -> bool:
        """Whether a scope is to be a default one: as in the manifest, else as it is. A new one is optional."""
        draft: dict[str, Any] = {}
        write_fields(ASSOCIATION, changed_values(change, ASSOCIATION), draft)
        return draft.get("list") == LISTS[AssignedAs.DEFAULT] if draft else change.address.scope in live.default

    def _association(self, change: Change, live: LiveClient) -> Applied:
        scope = change.address.scope
        if scope not in live.scopes:
            return Applied(change.address, None, live.uuid)
        made = association_object(live, scope)
        return Applied(change.address, made.value, live.uuid, made.fingerprint)

    # -- marks -------------------------------------------------------------------------------------------------------

    def mark(self, kind: Kind, name: str, uuid: str, owner: str) -> LiveClient | LiveScope:
        """Write the mark of a manifest; returns the object afterwards."""
        if kind is Kind.SCOPE:
            # The attributes of a client scope merge by key, so the others stay (docs/servers.md, "Scopes of a
            # client").
            self.admin.put_scope(uuid, {"name": name, "attributes": {OWNER: owner}})
            return self._look_at_scope(name, uuid)
        raw = self.admin.client(uuid)
        if raw is None:
            raise self._missing("client", name)
        body = whole(raw)
        body["attributes"][OWNER] = owner
        self.admin.put_client(uuid, body, raw)
        return self._look_at_client(name, uuid)

    # -- errors ------------------------------------------------------------------------------------------------------

    @property
    def _server(self) -> str:
        return self.admin.http.server

    def _missing(self, what: str, name: str) -> NotFound:
        return NotFound(f"'{self._server}' has no {what} '{name}'", server=self._server, fix="Make a new plan.")

    def _protected(self, what: str, name: str) -> Conflict:
        return Conflict(
            f"The {what} '{name}' is Keycloak's own",
            server=self._server,
            fix="Remove state: absent; Keycloak's own objects are never deleted.",
        )


def _without_own(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body of an update without the client scope of a service account, which is added and removed with its grant."""
    lists = {key: body.get(key) for key in SCOPE_LISTS}
    kept = {key: [s for s in some if s != SERVICE_ACCOUNT] for key, some in lists.items() if isinstance(some, list)}
    return {**body, **kept}
