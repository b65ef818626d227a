"""The driver: the identity of the server, its objects, and the requests for each change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.drivers.base import Applied, Connection, Driver, ServerReport, Wanted
from oauthdeploy.drivers.common_steps import at_once, writing
from oauthdeploy.drivers.examination import Examination, WriteProbe
from oauthdeploy.drivers.http import counting
from oauthdeploy.drivers.webmethods import examination, services_examination
from oauthdeploy.drivers.webmethods import openapi_document as doc
from oauthdeploy.drivers.webmethods.api_loading import load_api
from oauthdeploy.drivers.webmethods.client import AdminApi
from oauthdeploy.drivers.webmethods.client_matching import find_loosely
from oauthdeploy.drivers.webmethods.facts import (
    WebMethodsCredentials,
    WebMethodsOptions,
)
from oauthdeploy.drivers.webmethods.findings import Server, find_all
from oauthdeploy.drivers.webmethods.lockout import find_lockouts
from oauthdeploy.drivers.webmethods.mapping import read_settings
from oauthdeploy.drivers.webmethods.reading import Reader, state_of
from oauthdeploy.drivers.webmethods.services_api import ASSOCIATIONS, ServicesApi, load_services
from oauthdeploy.drivers.webmethods.services_api import count_writes as count_by_services
from oauthdeploy.drivers.webmethods.tokens import working
from oauthdeploy.drivers.webmethods.writing import Writer, count_writes
from oauthdeploy.model.capabilities import Capabilities, Capability, no, yes
from oauthdeploy.model.objects import Side
from oauthdeploy.model.state import LiveToken, ServerState
from oauthdeploy.planning.changes import Change, Lockout


class WebMethodsDriver(Driver):
    """webMethods Integration Server, through its Administrator API."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        assert isinstance(connection.credentials, WebMethodsCredentials)
        assert isinstance(connection.options, WebMethodsOptions)
        self._account = connection.credentials.username
        self._zone = connection.options.timezone
        self._by_services = connection.options.api == "services"
        self._sides = connection.server.role.sides
        self._lock = threading.Lock()
        self._loaded: AdminApi | None = None
        self._ids: dict[str, str] = {}
        self._versions: dict[str, str] = {}
        self._parameters: dict[str, str | None] = {}
        self._cut_at: dict[Address, float] = {}
        self._seen = False

    @property
    def _admin(self) -> AdminApi:
        """The requests of this server, according to its own document, which is read once."""
        with self._lock:
            if self._loaded is None:
                http = self.connection.http
                self._loaded = load_services(http) if self._by_services else AdminApi(http, load_api(http))
            return self._loaded

    def check(self) -> ServerReport:
        """Read the OpenAPI document and the settings: any account may be able to read the former, but not the latter."""
        admin = self._admin
        body = admin.settings()
        admin.parsed("GET", "/admin/oauth/globalsetting", lambda: read_settings(body))
        return ServerReport(
            product=admin.api.title or "webMethods Integration Server",
            version=admin.api.version,
            account=self._account,
            capabilities=self._capabilities(admin),
            diagnostics=Diagnostics((self._services_warning(),)) if self._by_services else Diagnostics(),
        )

    def _services_warning(self) -> Diagnostic:
        return Diagnostic(
            "services-not-supported",
            "The vendor does not support the use of administration services",
            f"'{self.name}' is managed by the services behind its classic pages, which may change with any fix.",
            "Update to 10.11 or later and leave options.api out.",
            Severity.WARNING,
        )

    def _capabilities(self, admin: AdminApi) -> Capabilities:
        """What this server's document says about the capabilities that differ between servers."""
        by_services: Capabilities = {
            Capability.CLIENT_TYPE_CHANGE: no("no administration service returns the secret that an update generates"),
            Capability.TRUST_REMOTE: no("no administration service for remote server aliases is known"),
            Capability.USERS_LIST: no("no administration service for users is known"),
            Capability.TOKENS_LIST: no("the list of the administration services shows no scopes and times of issue"),
            Capability.TOKENS_BY_TIME: no("the list of the administration services shows no times of issue"),
            Capability.TOKENS_BY_SCOPE: no("the list of the administration services shows no scopes"),
        }
        lacking: Capabilities = {
            capability: no(f"the Administrator API of '{self.name}' lacks POST {path}")
            for capability, path in ((Capability.TRUST_REMOTE, doc.REMOTES), (Capability.TRUST_EXTERNAL, doc.EXTERNALS))
            if Side.RESOURCE in self._sides and not admin.api.offers("POST", path)
        }
        return {
            **lacking,
            **(by_services if self._by_services else {}),
            Capability.CLIENT_ID_CHOICE: yes() if admin.api.takes_client_id else no("this server generates client ids"),
            Capability.CLIENT_SECRET_CHOICE: yes()
            if admin.api.takes_client_secret
            else no("this server generates client secrets"),
        }

    def examine(self) -> Examination:
        """Look at every list, at one object of each kind, and at names that do not exist."""
        admin = self._admin
        return services_examination.examine(admin) if isinstance(admin, ServicesApi) else examination.examine(admin)

    def try_writing(self, tag: str) -> WriteProbe:
        """Create a scope and a client, change and remove them."""
        admin = self._admin
        if isinstance(admin, ServicesApi):
            return services_examination.try_writing(admin, tag)
        return examination.try_writing(admin, tag)

    def read(self, wanted: Wanted) -> ServerState:
        """Read by lists, or by name if few objects are wanted and not everything."""
        with self._lock:
            wanted = replace(wanted, cut_at={**wanted.cut_at, **self._cut_at})
        with counting() as tally:
            reader = Reader(self.name, self._sides, self._admin, self._zone, wanted, self._known())
            reader.read()
        with self._lock:
            self._ids.update(reader.ids)
            self._versions.update(reader.versions)
            self._parameters.update(reader.parameters)
            self._seen = self._seen or (Kind.CLIENT in wanted.kinds and Kind.CLIENT not in reader.unreadable)
        return state_of(reader, tally.requests)

    def check_and_read(self, wanted: Wanted) -> tuple[ServerReport, ServerState]:
        """Both need only the server's document, so their requests go out together once it is there."""
        asks: tuple[Callable[[], Any], ...] = (self.check, partial(self.read, wanted))
        report, state = at_once(len(asks), lambda ask: ask(), asks)
        return report, state

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:
        """Read by id and name: a live client by its last known id, whatever the manifest calls it."""
        had = {
            change.live_address.client: change.live.identity
            for change in changes
            if change.live is not None
            and change.live.identity
            and change.address.kind in (Kind.CLIENT, Kind.ASSOCIATION)
        }
        with counting() as tally:
            reader = Reader(self.name, self._sides, self._admin, self._zone, wanted, {**self._known(), **had})
            reader.read()
        return state_of(reader, tally.requests)

    def read_tokens(self) -> tuple[Sequence[LiveToken], int] | None:
        """Every token that is valid by the server's clock; one list."""
        if self._by_services or Side.AUTHORIZATION not in self._sides or not self._admin.api.offers("GET", doc.TOKENS):
            return None
        with counting() as tally:
            listed = self._admin.tokens()
        return working(listed.tokens, listed.now, self._zone), tally.requests

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Carry out one batch: the associations of one client, or one change of any other kind."""
        if not changes:
            return ()
        parallel = self.connection.server.limits.parallel
        writer = Writer(self.name, self._sides, self._admin, self._zone, self._client_id, parallel, self.hand_over)
        if changes[0].address.kind is Kind.ASSOCIATION:
            with writing() as tally:
                made = writer.associations(changes)
            return [replace(one, requests=0 if place else tally.requests) for place, one in enumerate(made)]
        return [self._apply_one(writer, change) for change in changes]

    def _apply_one(self, writer: Writer, change: Change) -> Applied:
        with writing() as tally:
            match change.address.kind:
                case Kind.SETTINGS:
                    made = writer.settings(change)
                case Kind.TRUST:
                    made = writer.trust(change)
                case Kind.SCOPE:
                    made = writer.scope(change)
                case Kind.CLIENT:
                    made = writer.client(change)
                case Kind.REVOCATION:
                    made = writer.revocation(change)
                    self._remember(made)
                case Kind.ASSOCIATION:
                    made = writer.associations([change])[0]
        if change.address.kind is Kind.CLIENT:
            self._learn(change.address.name, made.identity if made.value is not None else None)
        return replace(made, requests=tally.requests)

    def _remember(self, made: Applied) -> None:
        """The server keeps no record of a cut-off, so a second read needs to know when it was made."""
        if made.cut_at is not None:
            with self._lock:
                self._cut_at[made.address] = made.cut_at

    def _learn(self, key: str, client_id: str | None) -> None:
        with self._lock:
            if client_id is None:
                self._ids.pop(key, None)
            else:
                self._ids[key] = client_id

    def _known(self) -> Mapping[str, str]:
        with self._lock:
            return dict(self._ids)

    def _client_id(self, address: Address, change: Change) -> str | None:
        """The id of the client that an address is about: from the live object, from reading, or looked up by its key."""
        if change.live is not None and change.live.identity:
            return change.live.identity
        known = self._known().get(address.client)
        if known is not None:
            return known
        found = find_loosely(self._admin.clients(), address.client)
        return None if found is None else found.client_id

    def batch_key(self, change: Change) -> str:
        """The associations of one client go in one request: the client's whole list of scopes."""
        if change.address.kind is Kind.ASSOCIATION:
            return f"scopes of {change.address.client}"
        return str(change.address)

    def writes(self, changes: Sequence[Change]) -> int:
        """The requests that `apply` sends for a batch, including reads before the write."""
        if not changes:
            return 0
        if self._by_services:
            one_client = changes[0].address.kind is Kind.ASSOCIATION
            return ASSOCIATIONS if one_client else sum(count_by_services(change, self._sides) for change in changes)
        if changes[0].address.kind is Kind.ASSOCIATION:
            return 2
        return sum(count_writes(change, self._sides) for change in changes)

    def lockouts(self, changes: Sequence[Change]) -> Sequence[Lockout]:
        """What removes the driver's own account, or disables introspection at the address."""
        url = self.connection.server.url or ""
        return list(find_lockouts(changes, self._account, url, self._sides))

    def unsupported(self, wanted: Wanted, report: ServerReport) -> Sequence[Diagnostic]:  # noqa: ARG002
        """What this server cannot hold, according to its own document and its aliases."""
        known = self._known() if self._seen else None
        with self._lock:
            versions, parameters = dict(self._versions), dict(self._parameters)
        return find_all(Server(self.name, self._sides, self._admin, known, versions, parameters), wanted)
