"""The driver: one document is read in one request, and changed in one request by the difference between its two states."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic, Diagnostics, Severity
from oauthdeploy.core.errors import Conflict, ServerError, UnexpectedAnswer
from oauthdeploy.drivers.base import Applied, Connection, Driver, ServerReport, Wanted
from oauthdeploy.drivers.common_steps import OVERLOADED, at_once, parsed, warning_of, writing
from oauthdeploy.drivers.examination import Examination, WriteProbe
from oauthdeploy.drivers.json_values import Garbled
from oauthdeploy.drivers.opa import examination, mapping
from oauthdeploy.drivers.opa.client import DataApi, overlap, owners_of
from oauthdeploy.drivers.opa.facts import OpaCredentials, OpaOptions
from oauthdeploy.drivers.opa.fields import Draft
from oauthdeploy.drivers.opa.mapping import Document, Moved
from oauthdeploy.drivers.request_count import counting
from oauthdeploy.drivers.untouched import lost_fields
from oauthdeploy.model.objects import Revocation, Trust
from oauthdeploy.model.state import LiveObject, ServerState
from oauthdeploy.planning.changes import Change

BATCH: Final = "document"
REQUESTS: Final = 3
"""A read, a write and another read."""
TRIES: Final = 5
"""How often a write is retried if the document was changed by another writer."""


class OpaDriver(Driver):
    """Open Policy Agent, through its Data API."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        assert isinstance(connection.credentials, OpaCredentials)
        assert isinstance(connection.options, OpaOptions)
        self._path = connection.options.path
        self._api = DataApi(connection.http, self._path)
        self._writing = threading.Lock()
        self._owner = ""
        self._owned: Sequence[str] = ()
        self._rules: Sequence[str] = ()
        self._blocked_at = ""

    def check(self) -> ServerReport:
        """Read the document, since that is what is needed; OPA's own configuration may be inaccessible, and is left out then."""
        return self._checked()[0]

    def check_and_read(self, wanted: Wanted) -> tuple[ServerReport, ServerState]:
        """The document that the check reads is the one that is wanted."""
        report, document = self._checked()
        self._owner = wanted.owner
        state = self._state(wanted, lambda: document)
        # The document counts as read; the requests of a check are never counted.
        return report, replace(state, requests=state.requests or int(not self._rules))

    def _checked(self) -> tuple[ServerReport, Document]:
        """What `check` returns, and the document."""
        asks: tuple[Callable[[], Any], ...] = (self._api.document, self._api.config, self._api.bundles, self._api.rules)
        (document, _answer), config, bundles, rules = at_once(len(asks), lambda ask: ask(), asks)
        labels = config.get("labels")
        version = labels.get("version") if isinstance(labels, Mapping) else None
        self._owned = owners_of(self._path, bundles)
        self._rules = [rule for rule in rules if overlap(self._path, rule)]
        self._blocked_at = self._api.in_the_way() if document is None else ""
        report = ServerReport(
            product="Open Policy Agent",
            version=version if isinstance(version, str) else "",
            account="",
            diagnostics=Diagnostics.of(self._findings(config)),
            in_memory=self._in_memory(config),
        )
        return report, document or {}

    def examine(self) -> Examination:
        """Look at the document, and at one that does not exist."""
        report = self.check()
        return examination.examine(self._api, f"{report.product} {report.version}".strip())

    def try_writing(self, tag: str) -> WriteProbe:
        """Create, change and remove a document beside its own."""
        return examination.try_writing(self._api, tag)

    def _in_memory(self, config: Mapping[str, Any]) -> bool:
        """Whether a restart loses the document: neither a bundle nor the disk has it."""
        storage = config.get("storage")
        return not self._owned and not (isinstance(storage, Mapping) and "disk" in storage)

    def _findings(self, config: Mapping[str, Any]) -> Sequence[Diagnostic]:
        if self._owned:
            detail = f"The bundle {', '.join(self._owned)} owns {self._path} on '{self.name}', so it can only be read."
            fix = "Deliver the document in that bundle; oauthdeploy bundle writes it."
            return [Diagnostic("opa-path-in-bundle", "Policy data comes from a bundle", detail, fix, Severity.INFO)]
        if not self._in_memory(config):
            return []
        return [
            Diagnostic(
                "opa-data-in-memory",
                "Policy data is only in memory",
                f"When '{self.name}' restarts, its policy data is lost, and policies refuse everybody until the next apply.",
                "Apply after each start, or deliver the data as a bundle (oauthdeploy bundle).",
                Severity.INFO,
            )
        ]

    def refusals(self, changes: Sequence[Change]) -> Sequence[Diagnostic]:
        """A document that a bundle owns cannot be written, nor one where rules or another value are in the way."""
        if not changes:
            return ()
        if self._rules:
            return [self._rules_found(Severity.ERROR, str(changes[0].address))]
        if self._blocked_at:
            return [self._value_found(str(changes[0].address))]
        if not self._owned:
            return ()
        return [
            Diagnostic(
                "opa-path-in-bundle",
                "Policy data comes from a bundle",
                f"The bundle {', '.join(self._owned)} owns {self._path} on '{self.name}', so OPA rejects other writes to it.",
                "Write the document into that bundle (oauthdeploy bundle), or choose another options.path.",
                address=str(changes[0].address),
                path=("servers", self.name, "options", "path"),
            )
        ]

    def _rules_found(self, severity: Severity, address: str = "") -> Diagnostic:
        shown = ", ".join(rule.replace("/", ".") for rule in self._rules[:3])
        more = f" and {len(self._rules) - 3} more" if len(self._rules) > 3 else ""
        return Diagnostic(
            "opa-rules-at-path",
            "Rules of a policy stand where the policy data belongs",
            f"'{self.name}' has rules at {self._path}, above it or below it: data.{shown}{more}. OPA returns their values as if "
            "they were data, and rejects writes there.",
            "Give the policy a package elsewhere, or choose another options.path.",
            severity,
            address,
            ("servers", self.name, "options", "path"),
        )

    def _value_found(self, address: str) -> Diagnostic:
        return Diagnostic(
            "opa-value-above-path",
            "The policy data has no place, because a value stands above it",
            f"{self._blocked_at} on '{self.name}' is not an object, so nothing can stand at {self._path}.",
            "Delete that value through OPA's API, or choose another options.path.",
            address=address,
            path=("servers", self.name, "options", "path"),
        )

    def unsupported(self, wanted: Wanted, report: ServerReport) -> Sequence[Diagnostic]:  # noqa: ARG002
        """An introspection secret, which policies do not receive, and a trust without the name for introspection."""
        address = Address.singleton(Kind.TRUST, self.name)
        trust = wanted.objects.get(address)
        if not isinstance(trust, Trust) or trust.via != "external":
            return ()
        place = ("servers", trust.authorization_server, "introspection")
        if not trust.client_id and not trust.username:
            return [
                Diagnostic(
                    "opa-introspects-unnamed",
                    "Policies do not know as whom to introspect",
                    f"'{self.name}' introspects tokens at '{trust.authorization_server}', and the manifest has neither "
                    "client_id nor username for it.",
                    f"Write client_id and client_secret under introspection of '{trust.authorization_server}', unless the "
                    "policy signs in by other means, such as a bearer token from its environment.",
                    Severity.WARNING,
                    str(address),
                    place,
                )
            ]
        if trust.client_secret is None and trust.password is None:
            return ()
        # Everyone who may query OPA can read its data.
        return [
            Diagnostic(
                "opa-secret-not-stored",
                "The introspection secret is not written to OPA",
                f"Policy data is not secret, so '{self.name}' does not receive the one that it asks "
                f"'{trust.authorization_server}' with.",
                "Pass it to OPA in an environment variable, which the policy reads with opa.runtime().env.",
                Severity.INFO,
                str(address),
                place,
            )
        ]

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, wanted: Wanted) -> ServerState:
        """Read the document, by one request."""
        self._owner = wanted.owner
        return self._state(wanted, self._document)

    def _document(self) -> Document:
        return self._api.document()[0] or {}

    def read_again(self, changes: Sequence[Change], wanted: Wanted) -> ServerState | None:  # noqa: ARG002
        """The same: there is nothing smaller to read."""
        return self._state(wanted, self._document)

    def _state(self, wanted: Wanted, read: Callable[[], Document]) -> ServerState:
        if self._rules:
            # The values of rules look like data, but are not ours to delete.
            return ServerState(self.name, {}, dict.fromkeys(wanted.kinds, self._rules_found(Severity.WARNING)), 0)
        with counting() as tally:
            try:
                document = read()
            except UnexpectedAnswer as error:
                why = dict.fromkeys(wanted.kinds, warning_of(error))
                return ServerState(self.name, {}, MappingProxyType(why), tally.requests)
        objects: dict[Address, LiveObject] = {}
        unreadable: dict[Kind, Diagnostic] = {}
        for kind in sorted(wanted.kinds, key=lambda kind: kind.rank):
            try:
                objects.update(self._of_kind(document, kind, wanted))
            except Garbled as problem:
                unreadable[kind] = self._unreadable(problem)
        return ServerState(
            self.name,
            MappingProxyType(objects),
            MappingProxyType(unreadable),
            tally.requests,
            cut_offs=MappingProxyType(dict(mapping.cut_offs_in(document))),
        )

    def _of_kind(self, document: Document, kind: Kind, wanted: Wanted) -> Mapping[Address, LiveObject]:
        if kind is not Kind.REVOCATION:
            words = {address.client for address in wanted.absent if address.kind in (Kind.CLIENT, Kind.ASSOCIATION)}
            return dict(mapping.read_kind(document, kind, self.name, self._owner, words))
        return {
            address: mapping.read_revocation(document, address.name, value)
            for address, value in wanted.objects.items()
            if isinstance(value, Revocation)
        }

    def _unreadable(self, problem: Garbled) -> Diagnostic:
        return Diagnostic(
            "unexpected-answer",
            f"The policy data of '{self.name}' cannot be read",
            f"{self._path}: {problem}.",
            "Correct it through OPA's API, or delete the document and apply.",
            Severity.WARNING,
        )

    # -- writing ------------------------------------------------------------------------------------------------------

    def apply(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """Carry out all changes in one write, then read."""
        if not changes:
            return ()
        with writing() as tally:
            written = self._commit(
                lambda document, now: mapping.edited(document, changes, self._owner, now),
                lambda document: mapping.touched(document, changes),
                self._owner,
            )
            document = self._api.document()[0] or {}
            found = self._found(document, changes)
        made = []
        for place, change in enumerate(changes):
            live = found.get(change.address)
            lost = lost_fields(mapping.entries_of(written, change), {}, mapping.entries_of(document, change))
            one = Applied(change.address, None, requests=0 if place else tally.requests, lost=lost)
            if live is not None:
                one = replace(
                    one,
                    value=live.value,
                    identity=live.identity,
                    fingerprint=live.fingerprint,
                    unparsed=live.unparsed,
                )
            made.append(one)
        return made

    def _found(self, document: Document, changes: Sequence[Change]) -> Mapping[Address, LiveObject]:
        """The live objects at the addresses of changes that were made."""
        wishes = {change.address: change.desired for change in changes if change.desired is not None}
        wanted = Wanted(wishes, frozenset(change.address.kind for change in changes))

        def found() -> Mapping[Address, LiveObject]:
            kinds = [self._of_kind(document, kind, wanted) for kind in wanted.kinds]
            return {address: live for kind in kinds for address, live in kind.items()}

        return parsed(self.name, "GET", self._api.route, found)

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        """Store the owner of a scope or client in it."""
        with counting() as tally:
            self._commit(lambda document, _now: mapping.owned(document, address, owner), lambda _document: "", owner)
        return Applied(address, live.value, live.identity, requests=tally.requests)

    def _commit(
        self,
        edit: Callable[[Document, datetime | None], Draft],
        touched: Callable[[Document], str],
        owner: str,
    ) -> Document:
        """Write the difference between the document and the edited one in one request; again if another writer was faster.

        Returns the edited document. `touched` returns a digest of what the edit is about. Raises Conflict if another writer
        changed that.
        """
        seen: str | None = None
        sent: Document | None = None
        # One at a time from here: of two of our own writes, each would take the other's revision for another writer's.
        with self._writing:
            # OPA has no compare-and-set (docs/servers.md), so a write is retried with the revision that was read until it
            # matches.
            for attempt in range(TRIES):
                there, answer = self._api.document()
                document = mapping.empty() if there is None else there
                if sent is not None and document == sent:
                    return sent
                if seen is not None and seen != touched(document):
                    raise self._conflict("another writer changed the same objects in the meantime")
                seen = touched(document)
                try:
                    draft = edit(document, answer.date)
                except (Moved, Garbled) as problem:
                    raise self._conflict(str(problem)) from None
                if draft == document:
                    return draft
                draft = mapping.revised(document, draft, owner)
                try:
                    if there is None:
                        self._api.create(draft)
                    else:
                        self._api.patch(list(mapping.patch(document, draft)))
                except Conflict:
                    if attempt + 1 == TRIES:
                        raise
                except ServerError as error:
                    # An overloaded server or gateway does not say whether the write was carried out; the document shows it.
                    if error.status not in OVERLOADED or attempt + 1 == TRIES:
                        raise
                    sent = draft
                else:
                    return draft
        raise AssertionError("the write has no outcome; this is a bug in oauthdeploy")

    def _conflict(self, why: str) -> Conflict:
        return Conflict(
            f"The policy data of '{self.name}' has changed since the plan",
            server=self.name,
            path=self._api.route,
            words=f"{why}.",
            fix="Plan again.",
        )

    def batch_key(self, change: Change) -> str:  # noqa: ARG002
        """All changes of one stage go in one request."""
        return BATCH

    def writes(self, changes: Sequence[Change]) -> int:
        """The requests that `apply` sends for a batch, whatever its size."""
        return REQUESTS if changes else 0
