"""The driver: the identity of the server, the contents of the realm, and the requests for each change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import Any

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import Unsupported
from oauthdeploy.drivers.base import Applied, Connection, Driver, ServerReport, Wanted
from oauthdeploy.drivers.common_steps import at_once, parsed, writing
from oauthdeploy.drivers.examination import Examination, WriteProbe
from oauthdeploy.drivers.http import counting
from oauthdeploy.drivers.keycloak import client as api
from oauthdeploy.drivers.keycloak import examination
from oauthdeploy.drivers.keycloak.changed_fields import count_writes
from oauthdeploy.drivers.keycloak.client import AdminApi
from oauthdeploy.drivers.keycloak.facts import KeycloakCredentials, KeycloakOptions
from oauthdeploy.drivers.keycloak.findings import Realm, find_all
from oauthdeploy.drivers.keycloak.knowledge import Knowledge
from oauthdeploy.drivers.keycloak.live_objects import client_object, flow_aliases, has_flows, unlisted_scopes
from oauthdeploy.drivers.keycloak.lockout import find_lockouts
from oauthdeploy.drivers.keycloak.mapping import LiveClient
from oauthdeploy.drivers.keycloak.reading import Reader, state_of
from oauthdeploy.drivers.keycloak.revocation import Cutter, count_cut_off
from oauthdeploy.drivers.keycloak.service_accounts import lost_roles
from oauthdeploy.drivers.keycloak.sessions import busy_clients, live_tokens
from oauthdeploy.drivers.keycloak.visibility import Sight
from oauthdeploy.drivers.keycloak.writing import Writer
from oauthdeploy.model.objects import Client
from oauthdeploy.model.state import LiveObject, LiveToken, ServerState
from oauthdeploy.planning.changes import Action, Change, Lockout


class KeycloakDriver(Driver):
    """A realm of Keycloak, through its admin REST API."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        assert isinstance(connection.credentials, KeycloakCredentials)
        assert isinstance(connection.options, KeycloakOptions)
        self._credentials = connection.credentials
        self._options = connection.options
        self._admin = AdminApi(connection.http, connection.options.realm, connection.server.limits.parallel)
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._realm_there = False
        self._to_be_made = False
        self._owner = ""
        self._urgent = False
        self._unlisted: Mapping[str, frozenset[str]] = {}
        self._saml: frozenset[Address] = frozenset()
        self._realm: Mapping[str, Any] = {}
        self._checked: list[Mapping[str, Any] | None] = []
        self._permissions: bool | None = None
        self._known = Knowledge()

    def examine(self) -> Examination:
        """Look at the realm, its clients and scopes, and at names that do not exist."""
        report = self.check()
        return examination.examine(self._admin, f"{report.product} {report.version}".strip())

    def try_writing(self, tag: str) -> WriteProbe:
        """Create, change and remove a client scope and a disabled client."""
        return examination.try_writing(self._admin, tag)

    def check(self) -> ServerReport:
        """Read the realm: that shows whether the address, the account and the realm are right."""
        realm = self._admin.realm()
        report = self._report(realm)
        with self._lock:
            self._checked = [realm]
        return report

    def _report(self, realm: Mapping[str, Any] | None) -> ServerReport:
        if realm is None and not self._options.create_realm:
            raise self._no_realm()
        return ServerReport(product="Keycloak", version="", account=self._account)

    @property
    def _account(self) -> str:
        """Who signs in. An account of another realm cannot be one of this realm's clients."""
        own = self._credentials.realm == self._options.realm
        return self._credentials.account if own else f"{self._credentials.account} (realm {self._credentials.realm})"

    def _no_realm(self) -> Unsupported:
        return Unsupported(
            f"'{self.name}' has no realm '{self._options.realm}'",
            server=self.name,
            method="GET",
            path=api.REALM,
            status=404,
            fix="Check options.realm; set create_realm: true to create it.",
        )

    def read(self, wanted: Wanted) -> ServerState:
        """Read by pages, or by client_id if few clients are wanted and not everything."""
        with self._lock:
            # If this run has seen or created the realm, a read of some objects does not ask for it.
            look = wanted.everything or Kind.SETTINGS in wanted.kinds or not self._realm_there
        state, reader = self._read(wanted, look=look)
        self._learn(reader, look=look)
        return state

    def check_and_read(self, wanted: Wanted) -> tuple[ServerReport, ServerState]:
        """The lists of a realm are requested together with the realm itself."""
        with counting() as tally:
            reader = self._reader(wanted)
            # Like the realm of `check`, this one is not counted among the requests of the read.
            realm = self._realm_and_lists(reader, lambda: Context().run(self._admin.realm))
            report = self._report(realm)
            reader = self._read_rest(reader, realm)
        self._learn(reader, look=True)
        return report, self._state_of(reader, tally.requests)

    def _learn(self, reader: Reader, *, look: bool) -> None:
        with self._lock:
            self._owner = reader.wanted.owner
            self._urgent = reader.wanted.urgent
            self._unlisted = unlisted_scopes(reader.wanted)
            self._saml = frozenset(reader.foreign)
            self._realm = (reader.realm or {}) if look else self._realm
            self._realm_there = reader.realm is not None
            self._to_be_made = reader.realm is None
        self._known.learn(reader, reader.wanted, whole=True)

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:  # noqa: ARG002
        """Read by client_id, and client scopes by their last known id."""
        with self._lock:
            wanted = replace(wanted, owner=self._owner)
            there = self._realm_there
        state, reader = self._read(wanted, look=Kind.SETTINGS in wanted.kinds or not there)
        self._known.learn(reader, wanted, whole=False)
        return state

    def _read(self, wanted: Wanted, *, look: bool = True) -> tuple[ServerState, Reader]:
        """Read; without `look`, the realm is known to exist and is not read."""
        with counting() as tally:
            reader = self._reader(wanted)
            realm = self._realm_and_lists(reader, self._realm_now) if look else {}
            if realm is None and not self._options.create_realm:
                raise self._no_realm()
            reader = self._read_rest(reader, realm)
        return self._state_of(reader, tally.requests), reader

    @staticmethod
    def _realm_and_lists(reader: Reader, ask_realm: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        """The realm; the lists that the reader will need are requested together with it."""
        realm, _ = at_once(2, lambda ask: ask(), (ask_realm, reader.look_ahead))
        return realm

    def _reader(self, wanted: Wanted) -> Reader:
        """A reading that can look ahead; the realm is not known yet."""
        known = self._known
        sight = self._sight_of({})
        return Reader(self.name, self._admin, wanted, {}, known.scope_ids, sight, known.count, known.exported)

    def _read_rest(self, reader: Reader, realm: Mapping[str, Any] | None) -> Reader:
        reader = replace(reader, realm=realm, sight=self._sight_of(realm))
        reader.read()
        return reader

    def _state_of(self, reader: Reader, requests: int) -> ServerState:
        return replace(state_of(reader, requests), lost=dict(self._known.lost(reader)))

    def _realm_now(self) -> Mapping[str, Any] | None:
        """The realm as `check` has just read it; after that it is read again."""
        with self._lock:
            checked, self._checked = self._checked, []
        return checked[0] if checked else self._admin.realm()

    def _sight_of(self, realm: Mapping[str, Any] | None) -> Sight:
        """What the account may see; whether the realm has fine-grained permissions may be known from an earlier read."""
        with self._lock:
            known = self._permissions
        told = (realm or {}).get("adminPermissionsEnabled", known)
        permissions = told if isinstance(told, bool) else None
        with self._lock:
            self._permissions = permissions
        return Sight(
            self._options.realm,
            self._credentials.realm,
            permissions,
            self.connection.http.claims,
            self._admin.may_view_clients,
        )

    def read_tokens(self) -> tuple[Sequence[LiveToken], int] | None:
        """The sessions of users, online and offline, of every client that has any; tokens without a session are not listed."""
        with counting() as tally:
            realm = self._admin.realm()
            busy = parsed(self.name, "GET", api.SESSION_STATS, lambda: busy_clients(self._admin.session_stats()))
            found = at_once(self._admin.parallel, lambda one: self._tokens_of(*one, realm or {}), sorted(busy.items()))
        return [token for some in found for token in some], tally.requests

    def _tokens_of(self, uuid: str, kinds: tuple[bool, bool], realm: Mapping[str, Any]) -> Sequence[LiveToken]:
        raw = self._admin.client(uuid)
        if raw is None:
            return ()
        tokens: list[LiveToken] = []
        for offline, has in zip((False, True), kinds, strict=True):
            sessions = self._admin.sessions(uuid, offline=offline) if has else ()
            read = partial(live_tokens, raw, sessions, realm, offline=offline)
            tokens += parsed(self.name, "GET", api.USER_SESSIONS, read)
        return tokens

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Carry out one batch: a new client with its associations, the associations of one client, or one other change."""
        if not changes:
            return ()
        writer = self._writer()
        if len(changes) == 1 and changes[0].address.kind is not Kind.ASSOCIATION:
            return [self._apply_one(writer, changes[0])]
        with writing() as tally:
            self._make_realm()
            new = changes[0].address.kind is Kind.CLIENT
            made = writer.client_with_scopes(changes) if new else writer.associations(changes)
        return [replace(one, requests=0 if place else tally.requests) for place, one in enumerate(made)]

    def _apply_one(self, writer: Writer, change: Change) -> Applied:
        with writing() as tally:
            self._make_realm()
            match change.address.kind:
                case Kind.SETTINGS:
                    made = writer.settings(change)
                case Kind.SCOPE:
                    made = writer.scopes.write(change)
                case Kind.CLIENT:
                    made = writer.client(change)
                case Kind.REVOCATION:
                    made = self._cut_off(change)
                case _:
                    raise AssertionError(f"no change of {change.address.kind}; this is a bug in oauthdeploy")
        return replace(made, requests=tally.requests)

    def _cut_off(self, change: Change) -> Applied:
        uuid = change.live.identity if change.live is not None else ""
        # An urgent cut-off was read just now; for any other, a later not-before of somebody else must not be overwritten.
        raw = self._known.body(uuid) if self._urgent else None
        made = Cutter(self._admin, urgent=self._urgent).revocation(change, raw)
        self._known.wrote(change.address, uuid, None, {})
        return made

    def _make_realm(self) -> None:
        """Create the realm before the first write, if it does not exist and may be created."""
        with self._making:
            if not self._realm_there:
                if self._options.create_realm and self._admin.realm() is None:
                    self._admin.create_realm()
                    self._known.learn_lists(None)
                self._realm_there = True

    def _writer(self) -> Writer:
        with self._lock:
            owner, realm, unlisted = self._owner, self._realm, self._unlisted

        def tell(live: LiveClient, desired: Client) -> LiveObject:
            flows = flow_aliases(self._admin) if has_flows(desired) else {}
            return client_object(live, desired, flows, owner)

        return Writer(self._admin, owner, tell, realm, unlisted, self._known, self.hand_over)

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        """Write the mark of a manifest into the attributes of a client or a client scope."""
        if address.kind not in (Kind.SCOPE, Kind.CLIENT):
            return super().mark(address, live, owner)
        with writing() as tally:
            found = self._writer().mark(address.kind, address.name, live.identity, owner)
        return Applied(address, found.value, live.identity, found.fingerprint, requests=tally.requests)

    def batch_key(self, change: Change) -> str:
        """The associations of one client are assigned and unassigned together; those of a new client are in the request that
        creates it.
        """
        address = change.address
        creates = address.kind in (Kind.CLIENT, Kind.ASSOCIATION) and change.action is Action.CREATE
        if creates and self._known.is_new(change.live_address.client):
            return f"new client {address.client}"
        if address.kind is Kind.ASSOCIATION:
            return f"scopes of {address.client}"
        return str(address)

    def writes(self, changes: Sequence[Change]) -> int:
        """The requests that `apply` sends for a batch, including reads before and after the write."""
        if not changes:
            return 0
        first = next((change for change in changes if change.address.kind is Kind.CLIENT), changes[0])
        match first.address.kind:
            case Kind.ASSOCIATION:
                reads = 0 if self._known.client(first.address.client) else 2
                return reads + sum(1 + int(change.action is Action.UPDATE) for change in changes)
            case Kind.REVOCATION:
                return count_cut_off(first, urgent=self._urgent, reached=self.connection.http.time_reached())
            case _:
                known = first.live is not None and self._known.has_body(first.live.identity)
                return count_writes(first, known=known)

    def losses(self, changes: Sequence[Change]) -> Mapping[Address, Sequence[str]]:
        """The roles of the service accounts that are deleted."""
        return lost_roles(self._admin, changes)

    def lockouts(self, changes: Sequence[Change]) -> Sequence[Lockout]:
        """What ends the driver's own sign-in: in the managed realm many changes, in another realm only HTTPS."""
        url = self.connection.server.url or ""
        return list(find_lockouts(changes, self._credentials, self._options, url))

    def unsupported(self, wanted: Wanted, report: ServerReport) -> Sequence[Diagnostic]:  # noqa: ARG002
        """What a realm cannot hold, beyond the table."""
        url = self.connection.server.url or ""
        with self._lock:
            realm = Realm(self.name, url, self._options.realm, self._to_be_made, self._saml)
        return find_all(realm, wanted)
