"""Write to a realm: one function for each kind of object.

A client is read just before it is written, changed in the managed fields, and sent back whole: that is the one way in which
Keycloak keeps everything else (a PUT without `authorizationServicesEnabled` deletes the client's authorization settings). Of a
realm and a client scope only the changed fields are sent; what is left out stays.

Each function gives what the server has afterwards, by another look: Keycloak answers a write with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.core.errors import Conflict, NotFound, Rejected, ServerError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.facts import BUILT_IN_CLIENTS, BUILT_IN_SCOPES, DEFAULTS
from oauthdeploy.drivers.keycloak.mapping import (
    OPENID,
    OWNER,
    REVISION,
    LiveClient,
    LiveScope,
    put_client,
    put_options,
    read_client,
    read_scope,
    whole,
    write_scope,
)
from oauthdeploy.drivers.keycloak.policies import PKCE, Rule, entries, switched
from oauthdeploy.drivers.keycloak.reading import association_object, settings_of
from oauthdeploy.drivers.keycloak.revoking import mark_name, moment_of
from oauthdeploy.drivers.keycloak.settings import write_settings
from oauthdeploy.drivers.steps import (
    ADOPTED,
    GONE,
    at_once,
    blocks,
    changed_values,
    create_or_find,
    deletes_tokens,
    parsed,
)
from oauthdeploy.drivers.values import a_name
from oauthdeploy.model.objects import Association, Client, ClientType, IssuedBefore, Revocation, Scope, Settings, Side
from oauthdeploy.model.state import LiveObject
from oauthdeploy.planning.changes import Action, Change
from oauthdeploy.planning.normalize import OPTIONS

SIDES = frozenset({Side.AUTHORIZATION})


@dataclass(frozen=True)
class Writer:
    """Carries out changes in one realm.

    `owner` is the manifest's name, for marks. `tell` gives a live client as the manifest has to see it; `is_default` says
    whether the manifest wants a scope of a client to be a default one; `scope_id` gives the id of a client scope by its name.
    """

    admin: AdminApi
    owner: str
    tell: Callable[[LiveClient, Client], LiveObject]
    is_default: Callable[[str, str], bool]
    scope_id: Callable[[str], str | None]

    # -- settings ----------------------------------------------------------------------------------------------------

    def settings(self, change: Change) -> Applied:
        """PUT the fields of the realm that change, and switch the client policy for PKCE."""
        assert isinstance(change.desired, Settings)
        values = changed_values(change, DEFAULTS[Kind.SETTINGS])
        body = write_settings(values)
        if body:
            self.admin.put_realm(body)
        if "require_pkce" in values:
            self._lay_down(PKCE, on=values["require_pkce"])
        realm = self.admin.realm()
        if realm is None:
            raise self._missing("realm", self.admin.realm_name)
        live = settings_of(self.admin, realm, change.desired)
        return Applied(change.address, live.value, fingerprint=live.fingerprint)

    def _lay_down(self, rule: Rule, *, on: bool) -> None:
        """Make or remove our profile and our policy of a rule; a policy must go before the profile that it names."""

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
        body = write_scope(changed_values(change, DEFAULTS[Kind.SCOPE]))
        note = ""
        if change.action is Action.UPDATE:
            uuid = self._scope_id(name)
            self.admin.put_scope(uuid, {"name": name, **body})
            live = self._look_at_scope(name, uuid)
        else:
            live, note = self._create_scope(name, body)
        return Applied(change.address, live.value, live.uuid, live.fingerprint, note=note)

    def _create_scope(self, name: str, body: Mapping[str, Any]) -> tuple[LiveScope, str]:
        attributes = {"include.in.token.scope": "true", "display.on.consent.screen": "true", OWNER: self.owner}
        new = {"name": name, "protocol": OPENID, "attributes": attributes, **body}

        def post() -> LiveScope:
            self.admin.create_scope(new)
            return self._look_at_scope(name)

        live, found = create_or_find(post, lambda: self._find_scope(name))
        return live, ADOPTED if found else ""

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
        body: dict[str, Any] = {"clientId": client_id, "protocol": OPENID, "attributes": {OWNER: self.owner}}
        self._put(body, change, desired)
        given = desired.secret
        if given is not None and desired.type is not ClientType.PUBLIC:
            if given.value is not None:
                body["secret"] = given.value
            body["attributes"][REVISION] = str(given.revision or 0)

        def post() -> LiveClient:
            self.admin.create_client(body)
            return self._look_at_client(client_id)

        live, found = create_or_find(post, lambda: self._find_client(client_id))
        made = live.secret if given is None or given.value is None else None
        return self._applied(change, desired, live, secret=made, note=ADOPTED if found else "")

    def _update_client(self, change: Change, desired: Client) -> Applied:
        uuid = self._uuid(change)
        raw = self.admin.client(uuid)
        if raw is None:
            raise self._missing("client", change.live_address.name)
        body = whole(raw)
        body["clientId"] = change.address.name
        self._put(body, change, desired)
        sends_secret = any(field.path.startswith("secret") for field in change.fields)
        given = desired.secret
        if sends_secret and given is not None:
            body["attributes"][REVISION] = str(given.revision or 0)
            if given.value is not None:
                body["secret"] = given.value
        self.admin.put_client(uuid, body)
        self._default_scopes(change, desired, raw)
        made: Secret | None = None
        if sends_secret and given is not None and given.generate:
            made = Secret(parsed(self._server, "POST", api.CLIENT_SECRET, lambda: self._made(uuid)), "server")
        live = self._look_at_client(change.address.name, uuid)
        if made is None and given is not None and given.generate and "secret" not in raw:
            made = live.secret
        return self._applied(change, desired, live, secret=made)

    def _made(self, uuid: str) -> str:
        return a_name(self.admin.new_secret(uuid), "value")

    def _put(self, body: dict[str, Any], change: Change, desired: Client) -> None:
        """Put what the change is about into the JSON of a client: options first, since grants look at them."""
        prefix = f"{OPTIONS}.keycloak."
        names = {
            field.path.removeprefix(prefix).partition(".")[0]
            for field in change.fields
            if field.path.startswith(prefix)
        }
        put_options(body, desired, {name.partition("[")[0] for name in names}, self._flow_id)
        values = changed_values(change, DEFAULTS[Kind.CLIENT])
        put_client(body, {path: value for path, value in values.items() if not path.startswith(OPTIONS)})

    def _flow_id(self, alias: str) -> str:
        found = next((one for one in self.admin.flows() if one.get("alias") == alias), None)
        if found is None:
            raise Rejected(
                f"'{self._server}' has no authentication flow '{alias}'",
                server=self._server,
                path=api.FLOWS,
                fix="Correct options.keycloak.authentication_flows, or make the flow first.",
            )
        return str(found.get("id"))

    def _default_scopes(self, change: Change, desired: Client, raw: Mapping[str, Any]) -> None:
        """Move scopes that the client has from optional to default, and back. A scope given both ways would stay as it is."""
        if not any(field.path.startswith(f"{OPTIONS}.keycloak.default_scopes") for field in change.fields):
            return
        live = parsed(self._server, "GET", api.CLIENT, lambda: read_client(raw))
        client_id = change.address.name
        told = self.tell(live, desired).value
        assert isinstance(told, Client)
        listed = frozenset((told.options or {}).get("keycloak", {}).get("default_scopes") or ())
        for scope in live.scopes:
            default = self.is_default(client_id, scope)
            if (default and scope in live.optional) or (not default and scope in live.default and scope in listed):
                self._assign(live.uuid, self._scope_id(scope), default=default)

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
        if live.secret is not None:
            self.admin.http.guard(live.secret)
        return live

    def _applied(
        self, change: Change, desired: Client, live: LiveClient, *, secret: Secret | None = None, note: str = ""
    ) -> Applied:
        told = self.tell(live, desired)
        return Applied(
            change.address,
            told.value,
            live.uuid,
            live.fingerprint,
            secret=secret,
            note=note,
            client_id=live.client_id,
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
        """Give one client its client scopes and take them away, each by its own request."""
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
        return [self._association(change, live) for change in changes]

    def _associate(self, change: Change, live: LiveClient) -> None:
        scope = change.address.scope
        if change.action is Action.DELETE:
            uuid = self.scope_id(scope)
            if uuid is not None and scope in live.scopes:
                self.admin.unassign(live.uuid, uuid)
            return
        default = self.is_default(live.client_id, scope)
        if scope not in (live.default if default else live.optional):
            uuid = self._scope_id(scope)
            if scope in live.scopes:
                self.admin.unassign(live.uuid, uuid)
            self.admin.assign(live.uuid, uuid, default=default)

    def _assign(self, client: str, scope: str, *, default: bool) -> None:
        self.admin.unassign(client, scope)
        self.admin.assign(client, scope, default=default)

    def _association(self, change: Change, live: LiveClient) -> Applied:
        scope = change.address.scope
        if scope not in live.scopes:
            return Applied(change.address, None, live.uuid)
        made = association_object(live, scope)
        return Applied(change.address, Association(), live.uuid, made.fingerprint)

    # -- revocations -------------------------------------------------------------------------------------------------

    def revocation(self, change: Change) -> Applied:
        """Cut a client off: in one write it is disabled and gets its not-before; then its sessions end, and it is told."""
        desired = change.desired
        assert isinstance(desired, Revocation)
        uuid = change.live.identity if change.live is not None else ""
        if not uuid:
            return Applied(change.address, desired, note="The client isn't there.")
        raw = self.admin.client(uuid)
        if raw is None:
            return Applied(change.address, desired, note="The client is gone.")
        body = whole(raw)
        if blocks(change, SIDES):
            body["enabled"] = False
        notes: list[str] = []
        cuts = deletes_tokens(change, SIDES)
        if cuts:
            notes.append(self._put_not_before(body, change.address.name, desired))
        self.admin.put_client(uuid, body)
        if cuts:
            notes += self._end_sessions(uuid, desired)
            notes += self._push(uuid)
        return Applied(change.address, desired, uuid, note=" ".join(notes))

    def _put_not_before(self, body: dict[str, Any], name: str, desired: Revocation) -> str:
        """Tokens issued before that moment are dead. Times are whole seconds, so `all` reaches to the end of this one."""
        now = self.admin.clock()
        end = now + 1
        if isinstance(desired.tokens, IssuedBefore):
            end = min(moment_of(desired.tokens), end)
        else:
            body["attributes"][mark_name(name)] = str(end)
        body["notBefore"] = max(end, int(body.get("notBefore") or 0))
        return "Tokens issued before now are refused." if end > now else "Tokens issued before that time are refused."

    def _end_sessions(self, uuid: str, desired: Revocation) -> list[str]:
        """End the sessions that only this client takes part in. In the others its tokens are dead, and other clients' live."""
        if isinstance(desired.tokens, IssuedBefore):
            return []
        ended = shared = 0
        for offline in (False, True):
            sessions = self.admin.sessions(uuid, offline=offline)
            own = [str(one.get("id")) for one in sessions if set(one.get("clients") or {uuid: ""}) <= {uuid}]
            at_once(self.admin.parallel, partial(self.admin.end_session, offline=offline), own)
            ended, shared = ended + len(own), shared + len(sessions) - len(own)
        notes = [f"{ended} session{'' if ended == 1 else 's'} ended."] if ended else []
        if shared:
            notes.append(
                f"{shared} session{'' if shared == 1 else 's'} shared with other clients stay, without its tokens."
            )
        return notes

    def _push(self, uuid: str) -> list[str]:
        """Tell the client's own server, where it has an admin URL; that it can't be told undoes nothing."""
        try:
            told = self.admin.push_revocation(uuid)
        except ServerError as error:
            return [f"The client could not be told ({error.summary})."]
        failed = told.get("failedRequests") or ()
        return [f"{len(failed)} of the client's addresses could not be told."] if failed else []

    # -- marks -------------------------------------------------------------------------------------------------------

    def mark(self, kind: Kind, name: str, uuid: str, owner: str) -> LiveClient | LiveScope:
        """Write the mark of a manifest; gives the object afterwards."""
        if kind is Kind.SCOPE:
            self.admin.put_scope(uuid, {"name": name, "attributes": {OWNER: owner}})
            return self._look_at_scope(name, uuid)
        raw = self.admin.client(uuid)
        if raw is None:
            raise self._missing("client", name)
        body = whole(raw)
        body["attributes"][OWNER] = owner
        self.admin.put_client(uuid, body)
        return self._look_at_client(name, uuid)

    # -- troubles ----------------------------------------------------------------------------------------------------

    @property
    def _server(self) -> str:
        return self.admin.http.server

    def _missing(self, what: str, name: str) -> NotFound:
        return NotFound(f"'{self._server}' has no {what} '{name}'", server=self._server, fix="Make a new plan.")

    def _protected(self, what: str, name: str) -> Conflict:
        return Conflict(
            f"The {what} '{name}' is Keycloak's own",
            server=self._server,
            fix="Take state: absent away; what Keycloak needs itself is never deleted.",
        )


def count_writes(change: Change) -> int:
    """How many requests one change takes that is not an association; a look that may prove needless is counted."""
    desired = change.desired
    match desired:
        case Settings():
            return 2 + 4 * any(field.path == "require_pkce" for field in change.fields)
        case Revocation():
            if change.live is None or not change.live.identity:
                return 0
            tokens = change.live.tokens.total if change.live.tokens is not None else 0
            return 2 + (5 + tokens if deletes_tokens(change, SIDES) else 0)
        case Client():
            return {Action.CREATE: 2, Action.UPDATE: 3, Action.REPLACE: 3}.get(change.action, 1)
        case Scope():
            return 2
        case _:
            return 1
