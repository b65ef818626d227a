"""Writes to a realm: one function for each kind of object.

Only the changed fields are sent; what is left out stays (docs/servers.md, "Keycloak 26.7", names the exceptions).

Keycloak answers a write without content. The state afterwards is read by the verification that ends every apply; here, only what
must be known at once is read: a secret that the server generated, and the settings of the realm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import Rejected
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied, Deliver, SecretHandover
from oauthdeploy.drivers.common_steps import (
    ADOPTED,
    GONE,
    changed_options,
    changed_values,
    create_or_find,
    parsed,
)
from oauthdeploy.drivers.field_table import write_fields
from oauthdeploy.drivers.json_wire import secrets_in
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak.changed_fields import (
    becomes_confidential,
    makes_secret,
    needs_look,
    sends_secret,
)
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_CLIENTS
from oauthdeploy.drivers.keycloak.fields import ASSOCIATION, CLIENT, LISTS, SETTINGS
from oauthdeploy.drivers.keycloak.knowledge import Knowledge
from oauthdeploy.drivers.keycloak.live_objects import association_object, settings_of
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
from oauthdeploy.drivers.keycloak.options import DRIVER_NAME
from oauthdeploy.drivers.keycloak.policies import Rule, entries, switched
from oauthdeploy.drivers.keycloak.refusals import missing, protected
from oauthdeploy.drivers.keycloak.scope_writing import ScopeWriter
from oauthdeploy.drivers.keycloak.scopes import (
    LiveScope,
)
from oauthdeploy.drivers.keycloak.secret_claim import Claim
from oauthdeploy.drivers.keycloak.secret_fields import sealed
from oauthdeploy.drivers.keycloak.settings import draft_settings, with_kept_fields
from oauthdeploy.drivers.keycloak.stock import SERVICE_ACCOUNT
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.model.objects import AssignedAs, Client, ClientSecret, ClientType, Settings
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Change

SCOPE_LISTS: Final = tuple(LISTS.values())
_BESIDE_SETTINGS: Final = frozenset({"clientPolicies", "clientProfiles", "notBefore"})
"""Parts of a realm that have their own requests, or change by themselves."""


class Writer(Struct, frozen=True):
    """Carries out changes in one realm.

    `owner` is the manifest's name, for marks. `tell` returns a live client in the manifest's form. `realm` is the JSON of the
    realm as last read. `unlisted` are scopes that a client with that client_id does not get when it is created. `known` is what
    the driver knows of the realm. `hand_over` is that of the driver.
    """

    admin: AdminApi
    owner: str
    tell: Callable[[LiveClient, Client], LiveObject]
    realm: Mapping[str, Any]
    unlisted: Mapping[str, frozenset[str]]
    known: Knowledge
    hand_over: SecretHandover

    @property
    def scopes(self) -> ScopeWriter:
        """Carries out changes of client scopes."""
        return ScopeWriter(self.admin, self.owner, self.known)

    # -- settings ----------------------------------------------------------------------------------------------------

    def settings(self, change: Change) -> Applied:
        """PUT the fields of the realm that change, and enable or disable the client policy for PKCE."""
        assert isinstance(change.desired, Settings)
        draft = draft_settings(changed_values(change, SETTINGS), change.desired, changed_options(change, DRIVER_NAME))
        if draft.body:
            self.admin.put_realm(with_kept_fields(draft.body, self.realm))
        for rule, on in draft.rules:
            self._lay_down(rule, on=on)
        realm = self.admin.realm()
        if realm is None:
            raise missing(self._server, "realm", self.admin.realm_name)
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

    # -- clients -----------------------------------------------------------------------------------------------------

    def client(self, change: Change) -> Applied:
        """POST, PUT or DELETE a client."""
        if change.action is Action.DELETE:
            return self._delete_client(change)
        desired = change.desired
        assert isinstance(desired, Client)
        if change.action is Action.UPDATE:
            return self._update_client(change, desired)
        deliver = self.hand_over(change)
        if change.action is Action.REPLACE:
            self._delete_client(change)
        return self._create_client(change, desired, deliver)[0]

    def client_with_scopes(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """POST a client with its client scopes; the associations follow the client in `changes`."""
        change, *given = changes
        assert isinstance(change.desired, Client)
        return self._create_client(change, change.desired, self.hand_over(change), given)

    def _create_client(
        self, change: Change, desired: Client, deliver: Deliver, associations: Sequence[Change] = ()
    ) -> Sequence[Applied]:
        client_id = change.address.name
        body = new_client(client_id, self.owner)
        self._put(body, change, desired)
        body.update(self._scope_lists(client_id, associations))
        given = desired.secret
        if given is not None and desired.type is not ClientType.PUBLIC:
            if given.value is not None:
                body["secret"] = given.value
            body["attributes"][REVISION] = str(given.revision or 0)

        def post() -> LiveClient | str:
            uuid = self.admin.create_client(body)
            return uuid if uuid and not makes_secret(change) else self._look_at_client(client_id, uuid or None)

        live, found = create_or_find(post, lambda: self._find_client(client_id))
        self.known.made_client()
        if not found:
            self._note_lists(change, live if isinstance(live, str) else live.uuid, body, associations)
        if isinstance(live, str):
            made = desired.type is not ClientType.PUBLIC and "secret" not in body
            applied = Applied(change.address, None, live, client_id=client_id, looked=False, secret_made=made)
            return [applied, *(Applied(one.address, None, live, looked=False) for one in associations)]
        secret = live.secret if given is None or given.value is None else None
        deliver(secret, live.client_id)
        applied = self._applied(change, desired, live, secret=secret, note=ADOPTED if found else "")
        return [applied, *self._give(associations, live)]

    def _scope_lists(self, client_id: str, associations: Sequence[Change]) -> Mapping[str, Sequence[str]]:
        """The lists of client scopes of a new client; none if it gets those of the realm, which the server assigns.

        Either list in a POST replaces both lists of the realm (docs/servers.md, "Keycloak 26.7").
        """
        unlisted = self.unlisted.get(client_id, frozenset())
        if not associations and not unlisted:
            return {}
        lists = self.known.lists
        if lists is None:
            lists = self.admin.realm_scopes()
            self.known.learn_lists(lists)
        default, optional = (set(names - unlisted) for names in lists)
        if not associations and len(default) + len(optional) == sum(map(len, lists)):
            return {}
        for change in associations:
            scope = change.address.scope
            is_default = self._is_default(change, default)
            default.discard(scope)
            optional.discard(scope)
            (default if is_default else optional).add(scope)
        return dict(zip(SCOPE_LISTS, (sorted(default), sorted(optional)), strict=True))

    def _note_lists(self, change: Change, uuid: str, body: Mapping[str, Any], associations: Sequence[Change]) -> None:
        """Note the scopes of the realm that a new client was sent with, for the verification: no manifest names them, so that
        nothing else would miss one that the server dropped.
        """
        apart = {one.address.scope for one in associations} | {SERVICE_ACCOUNT}
        lists = {
            key: [scope for scope in body[key] if scope not in apart and self.known.is_openid(scope)]
            for key in SCOPE_LISTS
            if key in body
        }
        if lists:
            self.known.wrote(change.address, uuid, lists, lists)

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
        raw = (None if needs_look(change) else self.known.body(uuid)) or self._raw(change, uuid)
        self._put_update(change, raw, self._updated(change, desired, raw))
        return Applied(change.address, None, uuid, client_id=change.address.name, looked=False)

    def _renew(self, change: Change, desired: Client, given: ClientSecret, claim: Claim) -> Applied:
        """Update a client and its secret, under a lock that is checked after each write."""
        made: Secret | None = None
        deliver, client_id = self.hand_over(change), change.address.name
        late = False
        if given.generate and not becomes_confidential(change):
            # Before the revision is recorded: if that fails, the next apply generates another secret, and none is lost
            # unnoticed.
            made = self.admin.new_secret(claim.uuid)
            # Nobody can sign in until the secret is delivered, so nothing is read first. A run that was stopped for long may have
            # lost the lock, so it checks before it replaces what another one delivered.
            late = made is None or claim.has_expired
            deliver(None if late else made, client_id)
        # Read after the new secret was generated, as the body of the PUT that follows.
        raw = claim.check(made)
        if late:
            made = made or secret_in(raw)
            deliver(made, client_id)
        body = self._updated(change, desired, raw)
        revision = given.revision or 0
        body["attributes"] = {**body["attributes"], REVISION: str(revision), **claim.marks}
        if given.value is not None:
            body["secret"] = given.value
        self._put_update(change, raw, body)
        after = claim.check_done(given.value if made is None else made, revision)
        live = parsed(self._server, "GET", api.CLIENT, lambda: self._guarded(read_client(after)))
        if given.generate and made is None:
            # Keycloak generates the secret of a client that becomes confidential, and only the client itself has it.
            made = secret_in(after)
            deliver(made, client_id)
        return self._applied(change, desired, live, secret=made)

    def _raw(self, change: Change, uuid: str) -> Mapping[str, Any]:
        raw = self.admin.client(uuid)
        if raw is None:
            raise missing(self._server, "client", change.live_address.name)
        return raw

    def _updated(self, change: Change, desired: Client, raw: Mapping[str, Any]) -> dict[str, Any]:
        body = whole(raw)
        body["clientId"] = change.address.name
        self._put(body, change, desired)
        return body

    def _put_update(self, change: Change, raw: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        uuid = self._uuid(change)
        lists = frozenset(SCOPE_LISTS)
        had = sealed(raw)
        sent = {key: value for key, value in sealed(body).items() if key not in lists and value != had.get(key)}
        try:
            self.admin.put_client(uuid, body, raw)
        finally:
            self.known.wrote(change.address, uuid, had, sent)

    def _put(self, body: dict[str, Any], change: Change, desired: Client) -> None:
        """Put the changed fields into the JSON of a client: options first, since grants depend on them."""
        put_options(body, desired, changed_options(change, DRIVER_NAME), self._flow_id)
        values = dict(changed_values(change, CLIENT))
        grants = grants_to_put(body, desired, values, changed_options(change, DRIVER_NAME))
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
            raise protected(self._server, "client", client_id)
        uuid = self._known_uuid(change)
        there = uuid is not None and self.admin.delete_client(uuid)
        self.known.forget_client(client_id, uuid or "")
        return Applied(change.address, None, uuid or "", note="" if there else GONE)

    def _find_client(self, client_id: str) -> LiveClient | None:
        raw = self.admin.client_called(client_id)
        return (
            None if raw is None else parsed(self._server, "GET", api.CLIENTS, lambda: self._guarded(read_client(raw)))
        )

    def _look_at_client(self, client_id: str, uuid: str | None = None) -> LiveClient:
        raw = self.admin.client_called(client_id) if uuid is None else self.admin.client(uuid)
        if raw is None:
            raise missing(self._server, "client", client_id)
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
            raise missing(self._server, "client", change.live_address.client)
        return found

    # -- associations ------------------------------------------------------------------------------------------------

    def associations(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Assign and unassign the client scopes of one client, each by its own request."""
        client_id = changes[0].address.client
        if (uuid := self.known.client(client_id)) is not None:
            return self._associate_known(changes, uuid)
        raw = self.admin.client_called(client_id)
        if raw is None:
            if all(change.action is Action.DELETE for change in changes):
                return [Applied(change.address, None, note=GONE) for change in changes]
            raise missing(self._server, "client", client_id)
        return self._give(changes, parsed(self._server, "GET", api.CLIENTS, lambda: read_client(raw)))

    def _associate_known(self, changes: Sequence[Change], uuid: str) -> Sequence[Applied]:
        """The same for a client that was read before, so that its scopes are known."""
        before = self.known.body(uuid)
        for change in changes:
            there = change.live is not None
            if change.action is Action.DELETE:
                if (scope := self.scopes.find_id(change.address.scope)) is not None:
                    self.admin.unassign(uuid, scope)
                continue
            scope = self.scopes.scope_id(change.address.scope)
            if there:
                self.admin.unassign(uuid, scope)
            self.admin.assign(uuid, scope, default=self._is_default(change, ()))
        if before is not None:
            # Keycloak adds and removes the scope of service accounts with their grant.
            touched = {change.address.scope for change in changes} | {SERVICE_ACCOUNT}
            lists = {key: some for key in SCOPE_LISTS if isinstance(some := before.get(key), list)}
            kept = {key: [scope for scope in some if scope not in touched] for key, some in lists.items()}
            for change in changes:
                self.known.wrote(change.address, uuid, before, kept)
        return [Applied(change.address, None, uuid, looked=False) for change in changes]

    def _give(self, changes: Sequence[Change], before: LiveClient) -> Sequence[Applied]:
        """Assign and unassign client scopes of a client that was just read, and read it again."""
        if not changes:
            return ()
        for change in changes:
            self._associate(change, before)
        live = self._look_at_client(before.client_id, before.uuid)
        touched = {change.address.scope for change in changes}
        lists = dict(zip(SCOPE_LISTS, (before.default, before.optional), strict=True))
        sent = {key: [scope for scope in some if scope not in touched] for key, some in lists.items()}
        lost = lost_fields(before.raw, sent, live.raw, VOLATILE - set(SCOPE_LISTS))
        return [replace(self._association(change, live), lost=lost) for change in changes]

    def _associate(self, change: Change, live: LiveClient) -> None:
        scope = change.address.scope
        if change.action is Action.DELETE:
            uuid = self.scopes.find_id(scope)
            if uuid is not None and scope in live.scopes:
                self.admin.unassign(live.uuid, uuid)
            return
        default = self._is_default(change, live.default)
        if scope not in (live.default if default else live.optional):
            uuid = self.scopes.scope_id(scope)
            # A PUT of a scope in the other list answers 204 and does nothing (docs/servers.md, "Scopes of a client").
            if scope in live.scopes:
                self.admin.unassign(live.uuid, uuid)
            self.admin.assign(live.uuid, uuid, default=default)

    def _is_default(self, change: Change, defaults: Collection[str]) -> bool:
        """Whether a scope is to be a default one: as in the manifest, else as it is. A new one is optional."""
        draft: dict[str, Any] = {}
        write_fields(ASSOCIATION, changed_values(change, ASSOCIATION), draft)
        return draft.get("list") == LISTS[AssignedAs.DEFAULT] if draft else change.address.scope in defaults

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
            return self.scopes.mark(name, uuid, owner)
        raw = self.admin.client(uuid)
        if raw is None:
            raise missing(self._server, "client", name)
        body = whole(raw)
        body["attributes"][OWNER] = owner
        self.admin.put_client(uuid, body, raw)
        return self._look_at_client(name, uuid)

    # -- errors ------------------------------------------------------------------------------------------------------

    @property
    def _server(self) -> str:
        return self.admin.http.server
