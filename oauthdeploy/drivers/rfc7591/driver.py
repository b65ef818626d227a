"""The driver: one request for each client that the registry has, and one write for all changes of a client."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import NotFound, OAuthDeployError, ServerError, Unauthorized, Unsupported
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied, Connection, Driver, ServerReport, Wanted
from oauthdeploy.drivers.client_metadata import scopes_in
from oauthdeploy.drivers.common_steps import (
    ADOPTED,
    GONE,
    at_once,
    changed_options,
    changed_values,
    parsed,
    reading_kinds,
    writing,
)
from oauthdeploy.drivers.examination import Examination, WriteProbe
from oauthdeploy.drivers.field_table import write_fields
from oauthdeploy.drivers.request_count import counting
from oauthdeploy.drivers.rfc7591 import examination, findings
from oauthdeploy.drivers.rfc7591.client import Json, Metadata, RegistrationApi, is_postponed
from oauthdeploy.drivers.rfc7591.client_registry import DELETE, UPDATE, Book, ClientRegistry, Entry, Lost
from oauthdeploy.drivers.rfc7591.facts import RegistrationCredentials, RegistrationOptions
from oauthdeploy.drivers.rfc7591.fields import CLIENT, GRANTS, OPTIONS
from oauthdeploy.drivers.rfc7591.mapping import (
    DEFAULT_SCOPES,
    NOT_MANAGED,
    NOT_SENT,
    REFUSED,
    VOLATILE,
    LiveClient,
    client_id_of,
    options_of,
    registration_of,
    unreachable_association,
    unreachable_client,
)
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.model.capabilities import Capability, left_out, no
from oauthdeploy.model.objects import Client, Grant
from oauthdeploy.model.state import LiveObject, ServerState
from oauthdeploy.planning.changes import Action, Change

_KINDS: Final = (Kind.CLIENT, Kind.ASSOCIATION)
_NO_METHOD: Final = frozenset({404, 405, 501})
"""Statuses of a server that does not offer a method (RFC 9110 sections 15.5.6 and 15.6.2); 404 is from routers."""
_DELETES: Final = 2
_FORGOTTEN: Final = "Nobody has a token that manages it: it is only forgotten here, and may still exist there."


class Found(Enum):
    """What became of a client: it answers, it does not exist, its token is refused, its new token was lost, or the server never
    gave an address to manage it.
    """

    THERE = "there"
    GONE = "gone"
    REFUSED = "refused"
    LOST = "lost"
    NOT_MANAGED = "not managed"


_UNREACHABLE: Final = frozenset({Found.REFUSED, Found.LOST, Found.NOT_MANAGED})


class Seen(Struct, frozen=True):
    """A client by its key: its entry, and what the server told of it if it is THERE. `adopted`: it was reached by the manifest's
    `registration`, so that the registry has no entry for it, or one whose token is refused.
    """

    key: str
    entry: Entry
    found: Found
    raw: Json
    adopted: bool = False


class RegistrationDriver(Driver):
    """A server of RFC 7591 and RFC 7592, and the registry of its clients."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        credentials, options = connection.credentials, connection.options
        assert isinstance(credentials, RegistrationCredentials)
        assert isinstance(options, RegistrationOptions)
        self._options = options
        self._initial = credentials.initial_access_token
        keys = [
            credentials.registry_key,
            *([credentials.former_registry_key] if credentials.former_registry_key else []),
        ]
        self._registry = ClientRegistry(self.name, connection.base / options.registry, keys, options.ended or ())
        self._api = RegistrationApi(connection.http, connection.server.issuer)
        self._lock = threading.Lock()
        self._metadata: Metadata | None = None
        self._owner = ""
        self._book = Book()
        self._listed: frozenset[str] = frozenset()
        self._seen: dict[str, Seen] = {}

    def check(self) -> ServerReport:
        """Read the metadata, and open the registry."""
        metadata = self._told()
        book = self._registry.read(metadata.issuer)
        with self._lock:
            self._book = book
        answers = {}
        if metadata.grants is not None:
            answers = {
                able: left_out("grant_types_supported of the metadata lacks it")
                for able, grant in _GRANT_ABLE.items()
                if GRANTS[grant] not in metadata.grants
            }
        if metadata.responses is not None and "token" not in metadata.responses:
            answers[Capability.GRANT_IMPLICIT] = left_out("response_types_supported of the metadata lacks token")
        if not self._updates(book):
            answers[Capability.CLIENT_UPDATE] = no("the server does not offer PUT: a changed client is replaced")
        return ServerReport(
            product="Dynamic client registration",
            version="",
            account="",
            capabilities={str(able): answer for able, answer in answers.items()},
        )

    def examine(self) -> Examination:
        """Look at the metadata."""
        return examination.examine(self._api, self._options.registration_endpoint)

    def try_writing(self, tag: str) -> WriteProbe:
        """Register a client, read, change and delete it."""
        return examination.try_writing(self._api, self._told().registration, self._initial, tag)

    def _told(self) -> Metadata:
        """The metadata, read once. Raises Unsupported if the server offers no registration."""
        with self._lock:
            known = self._metadata
        if known is None:
            known = self._api.metadata()
            known = replace(known, registration=self._options.registration_endpoint or known.registration)
            if not known.registration:
                raise Unsupported(
                    f"'{self.name}' offers no dynamic registration",
                    server=self.name,
                    fix="Enable it on the server, or write its address as options.registration_endpoint.",
                )
            with self._lock:
                self._metadata = known
        return known

    @property
    def _issuer(self) -> str:
        return self._told().issuer

    def _updates(self, book: Book) -> bool:
        return book.updates if self._options.update is None else self._options.update

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, wanted: Wanted) -> ServerState:
        """Read every client of the registry, or those that are wanted, each with its own token."""
        with self._lock:
            self._owner, self._listed = wanted.owner, wanted.listed
        return self._state(wanted)

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:  # noqa: ARG002
        """Read the clients of the changes."""
        return self._state(wanted)

    def _state(self, wanted: Wanted) -> ServerState:
        about = wanted.kinds & frozenset(_KINDS)
        objects: dict[Address, LiveObject] = {}
        unreadable: dict[Kind, Diagnostic] = {}
        with counting() as tally:
            if about:
                with reading_kinds(unreadable, objects, *about):
                    objects.update(self._objects(wanted, self._clients(wanted)))
        # Nothing of the plan is missing where a server drops the scope that grants nothing: the client may request more.
        opened = {one.client for one in objects if one.kind is Kind.ASSOCIATION and one.scope == DEFAULT_SCOPES}
        lost = {Address(Kind.CLIENT, client, self.name): ("scope",) for client in opened}
        return ServerState(self.name, objects, unreadable, tally.requests, makes_client_ids=True, lost=lost)

    def _clients(self, wanted: Wanted) -> Sequence[Seen]:
        book = self._registry.read(self._issuer)
        named = {book.key_of(name) for name in _named_clients(wanted)}
        asked = {key: entry for key, entry in book.entries.items() if wanted.everything or key in named}
        given = _registrations(wanted)
        keys = [*asked, *(key for key in given if key not in asked)]
        found = at_once(
            self.connection.server.limits.parallel, lambda key: self._find(key, asked.get(key), given.get(key)), keys
        )
        with self._lock:
            self._book = book
            for key in named - {seen.key for seen in found}:
                self._seen.pop(key, None)
            self._seen.update({seen.key: seen for seen in found})
        for seen in found:
            if seen.found is Found.GONE and seen.entry.pending == DELETE:
                # A run that ended before it could remove the entry has deleted the client.
                self._registry.remove(self._issuer, seen.key)
                self._forget(seen.key)
        return found

    def _find(self, key: str, entry: Entry | None, given: Entry | None) -> Seen:
        """Read one client by its entry, or by what the manifest says of its registration if there is none or it is refused."""
        seen = self._look(key, entry) if entry is not None else None
        if given is None or (seen is not None and seen.found not in _UNREACHABLE):
            assert seen is not None
            return seen
        owner, revision = (entry.owner, entry.revision) if entry is not None else ("", None)
        other = replace(self._look(key, replace(given, owner=owner, revision=revision)), adopted=True)
        return other if seen is None or other.found is Found.THERE else seen

    def _look(self, key: str, entry: Entry) -> Seen:
        """Read one client with any token that may be valid, and store the new token if the answer has one."""
        if not entry.uri:
            return Seen(key, entry, Found.NOT_MANAGED, {})
        tried: list[Secret | None] = []
        left = [entry]
        while left:
            one = left.pop(0)
            if one.token in tried:
                continue
            tried.append(one.token)
            try:
                raw, after = self._api.read(one)
            except NotFound:
                return Seen(key, one, Found.GONE, {})
            except Unauthorized:
                left += self._other_tokens(key, one)
                continue
            if entry.client_id and after != entry:
                self._keep_token(key, after)
            return Seen(key, after, Found.THERE, raw)
        found = {DELETE: Found.GONE, UPDATE: Found.LOST}.get(entry.pending, Found.REFUSED)
        return Seen(key, entry, found, {})

    def _other_tokens(self, key: str, entry: Entry) -> Sequence[Entry]:
        """The entry with other tokens than one that was refused: another machine may have got a newer one meanwhile, and a
        response from a cache may have brought an old one.
        """
        newer = self._registry.read(self._issuer).entries.get(key) if entry.client_id else None
        former = [replace(entry, token=entry.former, former=None)] if entry.former is not None else []
        return [*([newer] if newer is not None else []), *former]

    def _keep_token(self, key: str, entry: Entry, **values: Any) -> Entry | None:
        """Store what a response said of how a client is managed; nothing is pending any more."""
        kept = {"token": entry.token, "former": entry.former, "uri": entry.uri}
        return self._registry.amend(self._issuer, key, pending="", **kept, **values)

    def _objects(self, wanted: Wanted, clients: Sequence[Seen]) -> Mapping[Address, LiveObject]:
        def read() -> Mapping[Address, LiveObject]:
            found: dict[Address, LiveObject] = {}
            ids = {address.client for address in (*wanted.absent, *wanted.objects) if address.kind is Kind.CLIENT}
            for seen in clients:
                by_id = seen.entry.client_id in ids and seen.key not in ids
                found.update(self._objects_of(seen, seen.entry.client_id if by_id else seen.key, wanted))
            return {address: live for address, live in found.items() if address.kind in wanted.kinds}

        return parsed(self.name, "GET", "", read)

    def _objects_of(self, seen: Seen, name: str, wanted: Wanted) -> Mapping[Address, LiveObject]:
        address = Address(Kind.CLIENT, name, self.name)
        desired = wanted.objects.get(address)
        client = desired if isinstance(desired, Client) else None
        if seen.found is Found.GONE or (seen.found is Found.LOST and client is not None):
            return {}
        if seen.found in _UNREACHABLE:
            scopes = [one for one in wanted.objects if one.kind is Kind.ASSOCIATION and one.client == name]
            return {
                address: unreachable_client(seen.entry, self._owner, client, _why(seen)),
                **{one: unreachable_association(seen.entry, one.scope) for one in scopes},
            }
        live = self._live(seen)
        return {
            address: live.told(client, whole=wanted.whole),
            **{Address.association(name, scope, self.name): live.association(scope) for scope in live.scopes},
        }

    def _live(self, seen: Seen) -> LiveClient:
        with self._lock:
            book, listed = self._book, seen.key in self._listed
        return LiveClient(
            seen.raw,
            seen.entry,
            self._owner,
            self._options.empty_scope or "",
            fixed=not self._updates(book),
            listed=listed,
        )

    # -- writing ------------------------------------------------------------------------------------------------------

    def batch_key(self, change: Change) -> str:
        """A client and its associations are one object on the server, so that their changes are one request."""
        if change.address.kind is Kind.CLIENT and change.action is Action.DELETE:
            return str(change.address)
        return f"client {change.address.client}"

    def writes(self, changes: Sequence[Change]) -> int:
        """The requests that `apply` sends for a batch."""
        about = _about_client(changes)
        if about is None:
            return int(bool(changes))
        if about.action is Action.UPDATE:
            sent = [field for field in about.fields if not field.path.startswith("secret")]
            return int(bool(sent) or len(changes) > 1)
        return 2 if about.action is Action.REPLACE else 1

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Carry out all changes of one client."""
        if not changes:
            return ()
        with writing() as tally:
            made = self._apply(changes)
        return [replace(one, requests=0 if place else tally.requests) for place, one in enumerate(made)]

    def _apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        about = _about_client(changes)
        if about is None or about.action is Action.UPDATE:
            return self._update(changes, about)
        if about.action is Action.CREATE:
            return self._create(changes, about)
        with self._lock:
            seen = self._seen.get(self._book.key_of(about.live_address.client))
        note = self._delete(about)
        if about.action is Action.DELETE:
            return [Applied(about.address, None, about.live.identity if about.live else "", note=note)]
        return self._create(changes, about, seen.raw if seen is not None else None)

    def _create(self, changes: Sequence[Change], about: Change, former: Json | None = None) -> Sequence[Applied]:
        """Register a client; `former` is the one that it replaces, whose other metadata it keeps."""
        desired, key = about.desired, about.address.client
        assert isinstance(desired, Client)
        body = self._new(changes, about, desired, former or {})
        with self._lock:
            known = self._book.entries.get(key)
        deliver = self.hand_over(about)
        record = self._registry.begin(self._issuer, key, str(body["client_name"]), _now(), known)
        try:
            raw, made = self._api.register(self._told().registration, body, self._initial)
        except OAuthDeployError as error:
            # What may have been carried out stays recorded, and later plans name it.
            if not _may_be_done(error):
                self._registry.cancel(self._issuer, record)
            raise
        revision = desired.secret.revision or 0 if desired.secret is not None else None
        entry = replace(made, owner=self._owner, revision=revision)
        self._registry.finish(self._issuer, record, key, entry)
        self._learn(Seen(key, entry, Found.THERE, raw))
        secret = raw.get("client_secret")
        generate = desired.secret is not None and desired.secret.generate
        given = secret if generate and isinstance(secret, Secret) else None
        deliver(given, entry.client_id)
        unread = isinstance(secret, Secret) and given is None
        note = "" if entry.uri else f"It can neither be read nor changed from now on: {NOT_MANAGED}."
        return [
            replace(one, secret_made=unread and one.address == about.address)
            for one in self._applied(changes, key, secret=given, note=note)
        ]

    def _new(self, changes: Sequence[Change], about: Change, desired: Client, former: Json) -> dict[str, Any]:
        """The metadata of a client to register."""
        own = {*NOT_SENT, "client_id", "client_secret", "scope"}
        body = {"client_name": about.address.client, "redirect_uris": []}
        body.update({name: value for name, value in former.items() if name not in own})
        scopes = [one.address.scope for one in changes if one.address.kind is Kind.ASSOCIATION and one.desired]
        with self._lock:
            listed = about.address.client in self._listed
        if not scopes and not listed:
            scopes = list(parsed(self.name, "GET", "", lambda: scopes_in(former)))
        body.update(self._scope(scopes))
        self._put(body, about, desired)
        return body

    def _update(self, changes: Sequence[Change], about: Change | None) -> Sequence[Applied]:
        key = self._key(changes[0].live_address.client)
        seen = self._to_change(key, changes)
        if seen is None:
            return [Applied(change.address, None, note=GONE) for change in changes]
        body = self._draft(seen, changes, about)
        now = about.address.client if about is not None else key
        if now != key:
            self._registry.rename(self._issuer, key, now)
            self._forget(key)
            self._learn(replace(seen, key=now))
        desired = about.desired if about is not None else None
        secret = desired.secret if isinstance(desired, Client) else None
        values: dict[str, Any] = {"owner": self._owner} if about is not None else {}
        if secret is not None:
            values["revision"] = secret.revision or 0
        sent = {name: value for name, value in body.items() if name not in NOT_SENT}
        if sent == {name: value for name, value in seen.raw.items() if name not in NOT_SENT}:
            entry = self._registry.amend(self._issuer, now, **values) if values else seen.entry
            self._learn(replace(seen, key=now, entry=entry or seen.entry))
            return self._applied(changes, now)
        deliver = self.hand_over(about or changes[0])
        after, note = self._send(now, seen, sent, values)
        made = after.get("client_secret")
        renewed = made if isinstance(made, Secret) and made != seen.raw.get("client_secret") else None
        deliver(renewed, client_id_of(after))
        # What an update leaves out is to be deleted (RFC 7592 section 2.2).
        wanted = {**dict.fromkeys(seen.raw), **sent}
        lost = lost_fields(seen.raw, wanted, after, VOLATILE)
        if lost:
            # A response need not show everything; reading the client again may.
            again = self._look(now, self._entry_now(now))
            lost = lost_fields(seen.raw, wanted, again.raw, VOLATILE) if again.found is Found.THERE else lost
        return [replace(one, lost=lost) for one in self._applied(changes, now, secret=renewed, note=note)]

    def _to_change(self, key: str, changes: Sequence[Change]) -> Seen | None:
        """The client to change, as it was last read; None if it is gone, and should be.

        Raises NotFound, Unauthorized, and Unsupported if the server does not change clients.
        """
        with self._lock:
            seen, updates = self._seen.get(key), self._updates(self._book)
        entry = self._entry_of(key, seen)
        if entry is None or seen is None or seen.found is Found.GONE:
            if all(change.action is Action.DELETE for change in changes):
                return None
            raise NotFound(f"'{self.name}' has no client '{key}'", server=self.name, fix="Make a new plan.")
        if seen.found is not Found.THERE:
            summary = f"'{key}' cannot be managed on '{self.name}': {_why(seen)}"
            raise Unauthorized(summary, server=self.name, fix="Make a new plan.")
        if not updates and any(field.path != "secret.revision" for change in changes for field in change.fields):
            raise Unsupported(
                f"'{self.name}' does not change clients",
                server=self.name,
                fix=f"Write the whole client '{key}' in this manifest: it is then replaced (RFC 7592 section 2.2).",
            )
        return replace(seen, entry=entry)

    def _entry_of(self, key: str, seen: Seen | None) -> Entry | None:
        """The entry that the registry has now; that of a client reached by the manifest is stored first."""
        if seen is not None and seen.adopted and seen.found is Found.THERE:
            entry = replace(seen.entry, owner=self._owner)
            self._registry.put(self._issuer, key, entry)
            self._learn(replace(seen, entry=entry, adopted=False))
            return entry
        return self._registry.read(self._issuer).entries.get(key)

    def _draft(self, seen: Seen, changes: Sequence[Change], about: Change | None) -> dict[str, Any]:
        """The client as it should be."""
        body = dict(seen.raw)
        scopes = before = list(parsed(self.name, "GET", "", lambda: self._live(seen).scopes))
        for change in changes:
            if change.address.kind is Kind.ASSOCIATION:
                scope = change.address.scope
                scopes = [one for one in scopes if one != scope] + ([scope] if change.desired is not None else [])
        if scopes != before:
            body.pop("scope", None)
            body.update(self._scope(scopes))
        if about is not None:
            assert isinstance(about.desired, Client)
            self._put(body, about, about.desired)
        return body

    def _scope(self, scopes: Sequence[str]) -> dict[str, str]:
        """The member for the scopes of a client; none at all if there is no word for an empty list."""
        named = [scope for scope in scopes if scope != DEFAULT_SCOPES]
        words = named or ([self._options.empty_scope] if self._options.empty_scope else [])
        return {"scope": " ".join(words)} if words else {}

    def _put(self, body: dict[str, Any], change: Change, desired: Client) -> None:
        """Put the changed fields and options into the metadata of a client."""
        write_fields(CLIENT, changed_values(change, CLIENT), body)
        options = options_of(desired)[1]
        names = frozenset(options)
        if change.action is Action.UPDATE:
            names &= changed_options(change, "rfc7591")
        write_fields(OPTIONS, {name: options[name] for name in names}, body)

    def _send(self, key: str, seen: Seen, body: Json, values: Mapping[str, Any]) -> tuple[Json, str]:
        """PUT a client. What is pending is recorded before, and the new token before anything else."""
        self._registry.amend(self._issuer, key, pending=UPDATE)
        note = ""
        try:
            raw, after = self._api.update(seen.entry, body)
        except ServerError as error:
            found = self._after_failed_update(key, seen, error)
            if found is None or not _has(found.raw, body):
                raise
            raw, after, note = found.raw, found.entry, ADOPTED
        entry = self._keep_token(key, after, **values)
        self._learn(Seen(key, entry or after, Found.THERE, raw))
        return raw, note

    def _after_failed_update(self, key: str, seen: Seen, error: ServerError) -> Seen | None:
        """The client after an update that failed; None if it is unknown or unchanged.

        Raises Unsupported if the server does not change clients: it has the client, and not the method.
        """
        no_method = error.status in _NO_METHOD
        if not error.uncertain and not no_method:
            self._registry.amend(self._issuer, key, pending="")
            return None
        found = self._look(key, self._registry.read(self._issuer).entries.get(key) or seen.entry)
        self._learn(found)
        if found.found is not Found.THERE:
            return None
        self._registry.amend(self._issuer, key, pending="")
        if no_method:
            self._registry.never_updates(self._issuer)
            raise Unsupported(
                f"'{self.name}' does not change clients (RFC 7592 section 2.2)",
                server=self.name,
                method="PUT",
                status=error.status,
                fix="Make a new plan: from now on, a changed client is replaced.",
            ) from None
        return found

    def _delete(self, change: Change) -> str:
        """DELETE a client, and give the note for the report. That it is pending is recorded before."""
        key = self._key(change.live_address.client)
        with self._lock:
            seen = self._seen.get(key)
        entry = self._entry_of(key, seen)
        if entry is None:
            return GONE
        if seen is not None and seen.found in _UNREACHABLE:
            self._registry.remove(self._issuer, key, Lost(key, key, _now(), entry.client_id))
            self._forget(key)
            return _FORGOTTEN
        self._registry.amend(self._issuer, key, pending=DELETE)
        note = self._end(key, entry)
        self._registry.remove(self._issuer, key)
        self._forget(key)
        return note

    def _end(self, key: str, entry: Entry) -> str:
        """Send the DELETE. If its answer is lost, reading the client says whether to send it again."""
        for attempt in range(_DELETES):
            try:
                self._api.delete(entry)
            except NotFound:
                return GONE
            except ServerError as error:
                if error.status in _NO_METHOD:
                    raise self._deletes_nothing(key, error) from None
                if not error.uncertain:
                    self._registry.amend(self._issuer, key, pending="")
                    raise
                if self._look(key, replace(entry, pending=DELETE)).found is Found.GONE:
                    return ADOPTED
                if attempt:
                    raise
            else:
                return ""
        return ""

    def _deletes_nothing(self, key: str, error: ServerError) -> Unsupported:
        self._registry.amend(self._issuer, key, pending="")
        return Unsupported(
            f"'{self.name}' does not delete clients (RFC 7592 section 2.3)",
            server=self.name,
            method="DELETE",
            status=error.status,
            fix=f"Have its administrator delete '{key}'.",
        )

    def _key(self, name: str) -> str:
        """The key of the registry that the name in an address means."""
        with self._lock:
            return self._book.key_of(name)

    def _learn(self, seen: Seen) -> None:
        with self._lock:
            self._seen[seen.key] = seen
            self._book = replace(self._book, entries={**self._book.entries, seen.key: seen.entry})

    def _entry_now(self, key: str) -> Entry:
        with self._lock:
            return self._seen[key].entry

    def _forget(self, key: str) -> None:
        with self._lock:
            self._seen.pop(key, None)
            entries = {name: entry for name, entry in self._book.entries.items() if name != key}
            self._book = replace(self._book, entries=entries)

    def _applied(
        self, changes: Sequence[Change], key: str, *, secret: Secret | None = None, note: str = ""
    ) -> Sequence[Applied]:
        with self._lock:
            seen = self._seen[key]

        def made() -> Sequence[Applied]:
            live = self._live(seen)
            return [self._applied_one(change, live, secret, note) for change in changes]

        return parsed(self.name, "GET", "", made)

    def _applied_one(self, change: Change, live: LiveClient, secret: Secret | None, note: str) -> Applied:
        address, client = change.address, client_id_of(live.raw)
        if address.kind is Kind.ASSOCIATION:
            if address.scope not in live.scopes:
                return Applied(address, None, client)
            one = live.association(address.scope)
            return Applied(address, one.value, client, one.fingerprint)
        told = live.told(change.desired if isinstance(change.desired, Client) else None)
        return Applied(
            address,
            told.value,
            client,
            told.fingerprint,
            secret=secret,
            note=note,
            client_id=client,
            unparsed=told.unparsed,
        )

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        """Record the owner of a client in the registry, which gets the client if it is reached by the manifest alone."""
        if address.kind is not Kind.CLIENT:
            return super().mark(address, live, owner)
        with self._lock:
            seen = self._seen.get(self._book.key_of(live.identity)) or self._seen.get(address.client)
        if seen is None:
            raise NotFound(f"'{self.name}' has no client '{address.client}'", server=self.name, fix="Run adopt again.")
        entry = replace(seen.entry, owner=owner)
        self._registry.put(self._issuer, seen.key, entry)
        return Applied(address, live.value, live.identity, live.fingerprint, requests=0)

    # -- findings -----------------------------------------------------------------------------------------------------

    def unsupported(self, wanted: Wanted, report: ServerReport) -> Sequence[Diagnostic]:  # noqa: ARG002
        """Clients that are unreachable or lost, and what the metadata of the server does not have."""
        with self._lock:
            book, seen = self._book, tuple(self._seen.values())
        metadata, ended = self._told(), frozenset(self._options.ended or ())
        named = {book.key_of(name) for name in _named_clients(wanted)}
        made = {address.client for address in wanted.objects}
        refused = {
            one.key: one.entry.client_id or one.key
            for one in seen
            if one.key in named and (one.found is Found.REFUSED or (one.found is Found.LOST and one.key not in made))
        }
        fixed = {one.key: one.entry.client_id for one in seen if one.key in named and one.found is Found.NOT_MANAGED}
        lost = {record: one for record, one in book.lost.items() if record not in ended}
        return [
            *findings.lost(self.name, lost),
            *findings.refused(self.name, refused),
            *findings.not_managed(self.name, fixed),
            *findings.not_in_metadata(self.name, wanted, metadata.scopes, metadata.grants),
            *findings.default_scopes(self.name, wanted, self._options.empty_scope is not None),
        ]

    def stops(self, changes: Sequence[Change]) -> Sequence[Diagnostic]:
        """A client that is registered anew although it may exist, and the first registration without any registry."""
        with self._lock:
            book, seen = self._book, dict(self._seen)
        made = [change for change in changes if change.address.kind is Kind.CLIENT and change.action is Action.CREATE]
        fixed = any(not entry.uri for entry in book.entries.values())
        anew = {
            one.entry.client_id: change
            for change in made
            if (one := seen.get(change.address.client)) is not None and one.found is Found.LOST
        }
        return [
            *findings.registered_anew(self.name, anew),
            *findings.made_once(self.name, made if fixed else ()),
            *findings.no_registry(self.name, self._options.registry, made if not book.exists else ()),
        ]


_GRANT_ABLE: Final = {
    Capability.GRANT_IMPLICIT: Grant.IMPLICIT,
    Capability.GRANT_PASSWORD: Grant.PASSWORD,
    Capability.GRANT_DEVICE_CODE: Grant.DEVICE_CODE,
    Capability.GRANT_CIBA: Grant.CIBA,
    Capability.GRANT_TOKEN_EXCHANGE: Grant.TOKEN_EXCHANGE,
}


def _about_client(changes: Sequence[Change]) -> Change | None:
    return next((one for one in changes if one.address.kind is Kind.CLIENT), None)


def _named_clients(wanted: Wanted) -> frozenset[str]:
    """The clients that the manifest mentions, including former names."""
    named = (*wanted.objects, *wanted.absent, *wanted.external)
    about = {address.client for address in named if address.kind in _KINDS}
    return frozenset(about | set(wanted.moved.values()))


def _registrations(wanted: Wanted) -> Mapping[str, Entry]:
    """How to reach clients by what the manifest says of their registration."""
    found = {
        address.client: registration_of(value) for address, value in wanted.objects.items() if isinstance(value, Client)
    }
    return {key: entry for key, entry in found.items() if entry is not None}


def _has(raw: Json, body: Json) -> bool:
    """Whether a client is as an update wanted it."""
    return all(raw.get(name) == value or not value for name, value in body.items()) and set(scopes_in(raw)) == set(
        scopes_in(body)
    )


def _why(seen: Seen) -> str:
    """Why nothing of a client can be read."""
    return NOT_MANAGED if seen.found is Found.NOT_MANAGED else REFUSED


def _may_be_done(error: OAuthDeployError) -> bool:
    """Whether a registration that ended with this error may have been carried out."""
    return isinstance(error, ServerError) and error.uncertain and not is_postponed(error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
