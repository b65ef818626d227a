"""The driver: pages of clients, which hold everything, and one write for all changes of a client."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Path, Severity
from oauthdeploy.core.errors import NotFound, ServerError, UnexpectedAnswer, Unsupported
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied, Connection, Driver, ServerReport, Wanted
from oauthdeploy.drivers.client_metadata import scopes_in
from oauthdeploy.drivers.common_steps import (
    ADOPTED,
    GONE,
    at_once,
    changed_options,
    changed_values,
    create_or_find,
    parsed,
    reading_kinds,
    writing,
)
from oauthdeploy.drivers.examination import Examination, WriteProbe
from oauthdeploy.drivers.field_table import write_fields
from oauthdeploy.drivers.hydra import client as api
from oauthdeploy.drivers.hydra import examination
from oauthdeploy.drivers.hydra.client import AdminApi, Json, Operation
from oauthdeploy.drivers.hydra.facts import HydraCredentials, HydraOptions
from oauthdeploy.drivers.hydra.fields import CLIENT, LIFESPANS, OPTIONS, OTHER_LIFESPANS, live_grants
from oauthdeploy.drivers.hydra.mapping import (
    OWNER,
    REVISION,
    LiveClient,
    client_id_of,
    mark_name,
    marks_in,
    options_of,
    revocation_object,
    words,
)
from oauthdeploy.drivers.request_count import counting
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.model.objects import Client, ClientType, Grant, Revocation
from oauthdeploy.model.state import LiveObject, ServerState
from oauthdeploy.planning.changes import Action, Change

FEW: Final = 8
"""The number of clients that are read one by one; for more of them, pages are cheaper."""

_KINDS: Final = (Kind.CLIENT, Kind.ASSOCIATION, Kind.REVOCATION)
_CHANGING: Final = frozenset(
    {"updated_at", "created_at", "client_secret", "registration_access_token", "registration_client_uri"}
)


class HydraDriver(Driver):
    """Ory Hydra, through its admin API."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        assert isinstance(connection.credentials, HydraCredentials)
        assert isinstance(connection.options, HydraOptions)
        self._account = connection.credentials.username or ""
        self._api = AdminApi(connection.http, connection.server.limits.parallel)
        self._lock = threading.Lock()
        self._owner = ""
        self._known: dict[str, Json] = {}

    def check(self) -> ServerReport:
        """Ask for the version, and read a client: that shows whether the address is that of the admin API."""
        version = self._api.version()
        try:
            self._api.probe()
        except NotFound as error:
            raise Unsupported(
                f"'{self.name}' is not the admin API of Hydra",
                server=self.name,
                method="GET",
                path=api.CLIENTS,
                status=error.status,
                fix="Write the address of the admin API as url; by default, it has the port 4445.",
            ) from None
        return ServerReport(product="Ory Hydra", version=version, account=self._account)

    def examine(self) -> Examination:
        """Look at pages of clients, and at a client that does not exist."""
        report = self.check()
        return examination.examine(self._api, f"{report.product} {report.version}".strip())

    def try_writing(self, tag: str) -> WriteProbe:
        """Create a client, change and remove it."""
        return examination.try_writing(self._api, tag)

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, wanted: Wanted) -> ServerState:
        """Read by pages, or by client_id if few clients are wanted and not everything."""
        with self._lock:
            self._owner = wanted.owner
        return self._state(wanted)

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:  # noqa: ARG002
        """Read by client_id."""
        return self._state(wanted)

    def _state(self, wanted: Wanted) -> ServerState:
        about = wanted.kinds & frozenset(_KINDS)
        objects: dict[Address, LiveObject] = {}
        unreadable: dict[Kind, Diagnostic] = {}
        with counting() as tally:
            if about:
                with reading_kinds(unreadable, objects, *about):
                    objects.update(self._objects(wanted, self._clients(wanted)))
        return ServerState(self.name, objects, unreadable, tally.requests)

    def _clients(self, wanted: Wanted) -> Mapping[str, Json]:
        """The clients by id."""
        named = _named_clients(wanted)
        with self._lock:
            expected = len(self._known)
        if wanted.everything or len(named) > FEW:
            found = self._api.clients(expected)
        else:
            asked = at_once(self._api.parallel, self._api.client, sorted(named)) if named else ()
            found = [raw for raw in asked if raw is not None]
        there = parsed(self.name, "GET", api.CLIENTS, lambda: {client_id_of(raw): raw for raw in found})
        with self._lock:
            for name in named - there.keys():
                self._known.pop(name, None)
            self._known.update(there)
        return there

    def _objects(self, wanted: Wanted, clients: Mapping[str, Json]) -> Mapping[Address, LiveObject]:
        def read() -> Mapping[Address, LiveObject]:
            found: dict[Address, LiveObject] = {}
            for name, raw in clients.items():
                live, address = LiveClient(raw, self._owner), Address(Kind.CLIENT, name, self.name)
                if Kind.CLIENT in wanted.kinds:
                    desired = wanted.objects.get(address)
                    found[address] = live.told(desired if isinstance(desired, Client) else None, whole=wanted.whole)
                if Kind.ASSOCIATION in wanted.kinds:
                    for scope in scopes_in(raw):
                        found[Address.association(name, scope, self.name)] = live.association(scope)
            for address, value in wanted.objects.items():
                if isinstance(value, Revocation):
                    raw_or_none = clients.get(value.client)
                    live_or_none = LiveClient(raw_or_none) if raw_or_none is not None else None
                    found[address] = revocation_object(address.name, value, live_or_none)
            return found

        return parsed(self.name, "GET", api.CLIENTS, read)

    # -- writing ------------------------------------------------------------------------------------------------------

    def batch_key(self, change: Change) -> str:
        """A client and its associations are one object on the server, so that their changes are one request."""
        address = change.address
        if address.kind is Kind.REVOCATION or (address.kind is Kind.CLIENT and change.action.is_destructive):
            return str(address)
        return f"client {address.client}"

    def writes(self, changes: Sequence[Change]) -> int:
        """The requests that `apply` sends for a batch."""
        if not changes:
            return 0
        first = changes[0]
        if isinstance(first.desired, Revocation):
            if first.live is None or not first.live.identity:
                return 0
            return 1 if self._leaves_refresh_tokens(first.desired) else 2
        creates = next((one for one in changes if one.address.kind is Kind.CLIENT), None)
        if creates is not None and creates.action is Action.DELETE:
            return 1
        if creates is not None and creates.action is not Action.UPDATE:
            return 1 + int(creates.action is Action.REPLACE)
        with self._lock:
            known = first.live_address.client in self._known
        paths = [field.path for change in changes for field in change.fields if change.address.kind is Kind.CLIENT]
        lifetimes = sum(path.startswith("tokens.") for path in paths)
        patched = len(paths) > lifetimes or any(change.address.kind is Kind.ASSOCIATION for change in changes)
        return int(not known) + int(patched) + int(bool(lifetimes))

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Carry out all changes of one client, or one cut-off."""
        if not changes:
            return ()
        with writing() as tally:
            made = self._apply(changes)
        return [replace(one, requests=0 if place else tally.requests) for place, one in enumerate(made)]

    def _apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        first = changes[0]
        if isinstance(first.desired, Revocation):
            return [self._cut_off(first, first.desired)]
        about = next((one for one in changes if one.address.kind is Kind.CLIENT), None)
        if about is None or about.action is Action.UPDATE:
            return self._update(changes, about)
        if about.action in (Action.DELETE, Action.REPLACE):
            there = self._api.delete(about.live_address.client)
            with self._lock:
                self._known.pop(about.live_address.client, None)
            if about.action is Action.DELETE:
                return [Applied(about.address, None, about.live_address.client, note="" if there else GONE)]
        return self._create(changes, about)

    def _create(self, changes: Sequence[Change], about: Change) -> Sequence[Applied]:
        desired, client_id = about.desired, about.address.client
        assert isinstance(desired, Client)
        given = [
            one.address.scope for one in changes if one.address.kind is Kind.ASSOCIATION and one.desired is not None
        ]
        body: dict[str, Any] = {"client_id": client_id, "scope": words(given), "metadata": {OWNER: self._owner}}
        self._put(body, about, desired)
        made = self._put_secret(body, desired)
        deliver = self.hand_over(about)
        raw, found = create_or_find(lambda: self._api.create(body), lambda: self._own(client_id))
        self._learn(raw)
        deliver(made, client_id)
        return self._applied(changes, raw, secret=made, note=ADOPTED if found else "")

    def _own(self, client_id: str) -> Json | None:
        """A client that a lost response may have created: only with our mark."""
        raw = self._api.client(client_id)
        return raw if raw is not None and marks_in(raw).get(OWNER) == self._owner else None

    def _update(self, changes: Sequence[Change], about: Change | None) -> Sequence[Applied]:
        client_id = changes[0].live_address.client
        with self._lock:
            raw = self._known.get(client_id)
        # Hydra always tells the scopes; the whole text is written, so an answer that leaves it out must not stand for none.
        if raw is None or "scope" not in raw:
            raw = self._api.client(client_id)
        if raw is None:
            if all(change.action is Action.DELETE for change in changes):
                return [Applied(change.address, None, note=GONE) for change in changes]
            raise NotFound(f"'{self.name}' has no client '{client_id}'", server=self.name, fix="Make a new plan.")
        deliver = self.hand_over(about or changes[0])
        body, secret = self._draft(raw, changes, about)
        after = self._send(client_id, raw, body, lambda: deliver(secret, client_id))
        lost = lost_fields(raw, body, after, _CHANGING)
        if lost and (again := self._api.client(client_id)) is not None:
            # A response need not show everything; reading the client again may.
            lost = lost_fields(raw, body, again, _CHANGING)
        return [replace(one, lost=lost) for one in self._applied(changes, after, secret=secret)]

    def _draft(
        self, raw: Json, changes: Sequence[Change], about: Change | None
    ) -> tuple[dict[str, Any], Secret | None]:
        """The client as it should be, and the new secret if one was made for delivery."""
        body = {**raw, "metadata": dict(marks_in(raw))}
        scopes = list(parsed(self.name, "GET", api.CLIENT, lambda: scopes_in(raw)))
        for change in changes:
            if change.address.kind is Kind.ASSOCIATION:
                scope = change.address.scope
                scopes = [one for one in scopes if one != scope] + ([scope] if change.desired is not None else [])
        if scopes != list(scopes_in(raw)):
            if "scope" not in raw:
                raise UnexpectedAnswer(
                    f"The scopes of '{changes[0].live_address.client}' on '{self.name}' cannot be read",
                    server=self.name,
                    method="GET",
                    path=api.CLIENT,
                    fix="Apply again; if it stays so, fix the client on the server.",
                )
            body["scope"] = words(scopes)
        if about is None:
            return body, None
        desired = about.desired
        assert isinstance(desired, Client)
        self._put(body, about, desired)
        if any(field.path.startswith("secret") or field.path == "type" for field in about.fields):
            return body, self._put_secret(body, desired)
        return body, None

    @staticmethod
    def _put_secret(body: dict[str, Any], desired: Client) -> Secret | None:
        """Put the secret of a client and the mark of its revision into its JSON; returns the secret if it is made here.

        Hydra could make that of a new client, which would be lost with the response, and makes none for another client.
        """
        given = desired.secret
        if given is None or desired.type is ClientType.PUBLIC:
            return None
        body["metadata"][REVISION] = given.revision or 0
        made = Secret(secrets.token_urlsafe(32), "generated") if given.generate else None
        if made is not None or given.value is not None:
            body["client_secret"] = made or given.value
        return made

    def _put(self, body: dict[str, Any], change: Change, desired: Client) -> None:
        """Put the changed fields and options into the JSON of a client."""
        write_fields(CLIENT, changed_values(change, CLIENT), body)
        options = options_of(desired)[1]
        names = (
            options.keys() if change.action is not Action.UPDATE else changed_options(change, "hydra") & options.keys()
        )
        write_fields(OPTIONS, {name: options[name] for name in names}, body)

    def _send(self, client_id: str, raw: Json, body: Json, deliver: Callable[[], None]) -> Json:
        """Send what changes: the lifetimes, and then the rest as a patch, after which a new secret is delivered.

        The patch is the last request, so that a client whose new secret is lost is otherwise as wanted. Hydra has no conditional
        write, and its patch knows no `test`: the engine reads the client just before.
        """
        after = raw
        lifespans = {key: body.get(key) for key in (*LIFESPANS, *OTHER_LIFESPANS)}
        if any(lifespans[key] != raw.get(key) for key in LIFESPANS):
            after = self._api.put_lifespans(client_id, lifespans)
            self._learn(after)
        operations = list(_operations(raw, body))
        if operations:
            after = self._patch(client_id, operations)
            self._learn(after)
            deliver()
            if missing := _marks_to_set(after, body):
                # Later runs go by the marks.
                after = self._patch(client_id, missing)
                self._learn(after)
        return after

    def _patch(self, client_id: str, operations: Sequence[Operation]) -> Json:
        """PATCH a client. If the response is lost, reading the client shows whether it was made: a new secret, which Hydra does
        not show, by the mark of its revision in the same request.
        """
        try:
            made = self._api.patch(client_id, operations)
        except ServerError as error:
            if not error.uncertain:
                raise
            found = self._api.client(client_id)
            if found is None or not _shows(found, operations):
                raise
            return found
        secret = next((one["value"] for one in operations if one["path"] == "/client_secret"), None)
        if secret is not None and made.get("client_secret") != secret:
            raise UnexpectedAnswer(
                f"'{self.name}' did not confirm the new secret of '{client_id}'",
                server=self.name,
                method="PATCH",
                path=api.CLIENT,
                fix="Raise secret.revision and apply again.",
                uncertain=True,
            )
        return made

    def _learn(self, raw: Json) -> None:
        for value in (raw.get("client_secret"), raw.get("registration_access_token")):
            if isinstance(value, Secret):
                self.connection.http.guard(value)
        with self._lock:
            self._known[client_id_of(raw)] = {key: value for key, value in raw.items() if key != "client_secret"}

    def _applied(
        self, changes: Sequence[Change], raw: Json, *, secret: Secret | None = None, note: str = ""
    ) -> Sequence[Applied]:
        def made() -> Sequence[Applied]:
            live, there = LiveClient(raw, self._owner), scopes_in(raw)
            found = []
            for change in changes:
                address, desired = change.address, change.desired
                client = client_id_of(raw)
                if address.kind is Kind.ASSOCIATION:
                    one = live.association(address.scope) if address.scope in there else None
                    value, mark = (one.value, one.fingerprint) if one is not None else (None, "")
                    found.append(Applied(address, value, client, mark))
                    continue
                told = live.told(desired if isinstance(desired, Client) else None)
                found.append(
                    Applied(
                        address,
                        told.value,
                        client,
                        told.fingerprint,
                        secret=secret,
                        note=note,
                        client_id=client,
                        unparsed=told.unparsed,
                    )
                )
            return found

        return parsed(self.name, "GET", api.CLIENT, made)

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        """Write the mark of a manifest into the metadata of a client."""
        if address.kind is not Kind.CLIENT:
            return super().mark(address, live, owner)
        with writing() as tally:
            raw = self._api.patch(live.identity, [_add(f"/metadata/{OWNER}", owner)])
        told = LiveClient(raw, owner).told(None)
        return Applied(address, told.value, live.identity, told.fingerprint, requests=tally.requests)

    # -- cut-offs -----------------------------------------------------------------------------------------------------

    def _cut_off(self, change: Change, desired: Revocation) -> Applied:
        """Delete the tokens, then record when: a run that stops in between deletes them again."""
        client_id = change.live.identity if change.live is not None else ""
        if not client_id:
            return Applied(change.address, desired, note="The client does not exist.")
        if desired.owner is not None:
            answer = self._api.delete_consents(client_id, desired.owner)
            note = f"The access and refresh tokens of {desired.owner} are deleted, with the consent."
        else:
            answer = self._api.delete_tokens(client_id)
            note = "Access tokens are deleted."
        # The clock is in whole seconds: tokens of the same second were issued before as well.
        cut_at = int((answer.date or datetime.now(UTC)).timestamp()) + 1
        if self._leaves_refresh_tokens(desired):
            # Without the mark, the second look and every later plan say that it is not over.
            note = "Access tokens are deleted. Refresh tokens are not, and give new ones."
            return Applied(change.address, desired, client_id, note=note, cut_at=cut_at)
        raw = self._api.patch(client_id, [_add(f"/metadata/{mark_name(change.address.name)}", cut_at)])
        self._learn(raw)
        return Applied(change.address, desired, client_id, note=note, cut_at=cut_at)

    # -- findings -----------------------------------------------------------------------------------------------------

    def unsupported(self, wanted: Wanted, report: ServerReport) -> Sequence[Diagnostic]:  # noqa: ARG002
        """A client without grants, a lifetime without an end, and refresh tokens that a cut-off cannot reach."""
        found: list[Diagnostic] = []
        for address, value in sorted(wanted.objects.items()):
            if isinstance(value, Client):
                found += self._client_findings(address, value)
            elif isinstance(value, Revocation):
                found += self._cut_off_findings(address, value)
        return found

    def _client_findings(self, address: Address, value: Client) -> Sequence[Diagnostic]:
        found = []
        place: Path = ("clients", address.name)
        if value.grants == ():
            found.append(
                Diagnostic(
                    "hydra-grants-empty",
                    "Hydra gives a client without grants the authorization code grant",
                    f"{address} has no grants, which Hydra reads as authorization_code.",
                    "List its grants, or keep it from this server with on.",
                    address=str(address),
                    path=(*place, "grants"),
                )
            )
        if patterns := [uri for uri in value.redirect_uris or () if "*" in uri]:
            found.append(
                Diagnostic(
                    "hydra-redirect-literal",
                    "Hydra takes a redirect URI literally",
                    f"{address} has {', '.join(patterns)}. Hydra compares redirect URIs character by character: * is no pattern.",
                    "Write each redirect URI of the applications.",
                    Severity.WARNING,
                    str(address),
                    path=(*place, "redirect_uris"),
                )
            )
        if value.tokens is not None and value.tokens.access_lifetime == "never":
            found.append(
                Diagnostic(
                    "hydra-lifetime-endless",
                    "Hydra's access tokens expire",
                    f"{address} asks for access tokens that never expire.",
                    "Write a duration.",
                    address=str(address),
                    path=(*place, "tokens", "access_lifetime"),
                )
            )
        return found

    def _cut_off_findings(self, address: Address, value: Revocation) -> Sequence[Diagnostic]:
        raw = self._raw_of(value.client)
        done = raw is not None and LiveClient(raw).revoked_at(address.name) is not None
        if done or not self._leaves_refresh_tokens(value):
            return ()
        return [
            Diagnostic(
                "hydra-refresh-tokens-stay",
                "Refresh tokens would stay valid",
                f"'{self.name}' deletes the access tokens of '{value.client}'; its refresh tokens would give new ones.",
                "Take refresh_token from the client's grants, and apply until nothing is left to do. Or name the owner of the "
                "tokens, or delete the client.",
                Severity.WARNING,
                str(address),
            )
        ]

    def _leaves_refresh_tokens(self, value: Revocation) -> bool:
        """Whether the client of a cut-off has refresh tokens that it does not end.

        The live grants decide: what the manifest makes of them comes after the cut-off, and refresh tokens give new tokens
        until then.
        """
        raw = self._raw_of(value.client)
        ends_all = value.tokens is None or value.owner is not None
        return not ends_all and raw is not None and Grant.REFRESH_TOKEN in live_grants(raw)

    def refusals(self, changes: Sequence[Change]) -> Sequence[Diagnostic]:
        """A client that was cut off and gets the grant back by which its old refresh tokens work again."""
        return [
            Diagnostic(
                "hydra-refresh-tokens-return",
                "Refresh tokens from before a cut-off would work again",
                f"{change.address} was cut off without the grant refresh_token, and its refresh tokens still exist.",
                "Register a new client instead, or remove the mark of the cut-off from the metadata once they have expired.",
                address=str(change.address),
                path=change.place,
            )
            for change in changes
            if change.address.kind is Kind.CLIENT
            and any(field.path == "grants" and Grant.REFRESH_TOKEN in field.added for field in change.fields)
            and (raw := self._raw_of(change.live_address.client)) is not None
            and LiveClient(raw).was_cut_off
        ]

    def _raw_of(self, client_id: str) -> Json | None:
        """The client as it was last read."""
        with self._lock:
            return self._known.get(client_id)


def _named_clients(wanted: Wanted) -> frozenset[str]:
    """The clients that the manifest mentions, including former names."""
    named = (*wanted.objects, *wanted.absent, *wanted.external)
    about = {address.client for address in named if address.kind in (Kind.CLIENT, Kind.ASSOCIATION)}
    cut_off = {value.client for value in wanted.objects.values() if isinstance(value, Revocation)}
    return frozenset(about | cut_off | set(wanted.moved.values()))


def _add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}


def _shows(raw: Json, operations: Sequence[Operation]) -> bool:
    """Whether a client is as a patch wanted it. A patch of nothing but a secret shows nothing."""
    marks = {f"/metadata/{_pointer(key)}": value for key, value in marks_in(raw).items()}
    have = {**{f"/{key}": value for key, value in raw.items()}, **marks}
    visible = [one for one in operations if one["path"] != "/client_secret"]
    return bool(visible) and all(have.get(one["path"]) == one["value"] for one in visible)


def _pointer(key: str) -> str:
    """A key as a part of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _operations(raw: Json, body: Json) -> Sequence[Operation]:
    """The JSON Patch (RFC 6902) from one state of a client to another, without lifetimes; of the metadata only what changes."""
    found: list[Operation] = []
    for key, value in body.items():
        if key in (*LIFESPANS, *OTHER_LIFESPANS, "metadata") or value == raw.get(key):
            continue
        found.append({"op": "replace", "path": f"/{key}", "value": value})
    return [*found, *_marks_to_set(raw, body)]


def _marks_to_set(raw: Json, body: Json) -> Sequence[Operation]:
    """The operations for what the metadata of a client lack."""
    before = marks_in(raw)
    changed = {key: value for key, value in marks_in(body).items() if value != before.get(key)}
    return [_add(f"/metadata/{_pointer(key)}", value) for key, value in changed.items()]
