"""One batch, from the journal's intent to the journal's outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.errors import JournalFailed, OAuthDeployError, ServerError
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Applied, Driver
from oauthdeploy.model.fields import KNOWN_AFTER_APPLY, Model
from oauthdeploy.model.objects import Side
from oauthdeploy.planning.changes import Action, Change, FieldChange
from oauthdeploy.planning.normalize import flatten, is_instruction, same, wanted_fields
from oauthdeploy.planning.outcome import Outcome, Status
from oauthdeploy.planning.pending_revocations import REFUSED
from oauthdeploy.running import apply_findings
from oauthdeploy.running.events import EventEmitter
from oauthdeploy.running.journal import NOTHING, Journal, TakenScopes
from oauthdeploy.running.secret_handover import Delivered, SecretHandover, deliver_target, may_make_secret


class ChangeResult(Struct, frozen=True):
    """The outcome of one change, what the server did not keep of it, and where its secret was delivered ("" if there was none).

    `live` is what the server then had, if its response shows it. `cut_at` is the time of a cut-off (`Applied.cut_at`). `secret`
    is the delivered secret, and `gap` how long its delivery took (`Delivered.gap`).
    """

    outcome: Outcome
    unkept: tuple[Diagnostic, ...] = ()
    delivered: str = ""
    live: Model | None = None
    cut_at: float | None = None
    secret: Secret | None = None
    gap: float | None = None


class LateResult(Struct, frozen=True):
    """What reading the server shows about a change whose response was lost."""

    status: Status
    words: str


class BatchExecutor(Struct, frozen=True):
    """Sends batches to their servers. Safe to use from several threads.

    `handover` delivers generated secrets. `fresh` reads an object just before its write and returns a finding if it has changed
    since the plan was made, else None. `settle` finds out what became of changes whose response was lost. `now` is the clock.
    `lost_scopes` are the scopes that clients lose by their change, for the journal. `two_writes` are, by address, the changes
    that are made in two writes: the journal records each write as the whole change, so that it can be rolled back at any time.
    `holds_lock` is called before each write; if it returns False, `lost` and `stop` are set.
    """

    drivers: Mapping[str, Driver]
    journal: Journal | None
    handover: SecretHandover
    events: EventEmitter
    stop: threading.Event
    now: Callable[[], datetime]
    fresh: Callable[[Change], Diagnostic | None]
    settle: Callable[[Sequence[Change]], Sequence[LateResult]]
    lost_scopes: Mapping[Address, TakenScopes] = field(default_factory=lambda: NOTHING)
    two_writes: Mapping[Address, Change] = field(default_factory=lambda: NOTHING)
    holds_lock: Callable[[], bool] = lambda: True
    lost: threading.Event = field(default_factory=threading.Event)

    def carry(self, changes: Sequence[Change]) -> Sequence[ChangeResult]:
        """Make the changes, which all belong to one server and one request. Returns their outcomes in the same order."""
        if not self.stop.is_set() and not self.holds_lock():
            self.lost.set()
            self.stop.set()
        if self.stop.is_set():
            return [ChangeResult(Outcome(change, Status.SKIPPED, self.stopped(change))) for change in changes]
        held_back: dict[Address, ChangeResult] = {}
        to_send: list[Change] = []
        for change in changes:
            if end := self._held_back(change, held_back):
                held_back[change.address] = end
            else:
                to_send.append(change)
        written = iter(self._write(to_send) if to_send else ())
        return [held_back[change.address] if change.address in held_back else next(written) for change in changes]

    def stopped(self, change: Change) -> Diagnostic:
        """Why a change was not tried after the run was interrupted."""
        return apply_findings.lock_lost(change) if self.lost.is_set() else apply_findings.interrupted(change)

    def align(self, change: Change, cut_at: float) -> Diagnostic | None:
        """Send to a resource server that was cut off the time at which its authorization server was cut off. Returns a finding
        if that fails.

        The journal already records the change as made. If this write is lost, the next plan sees the two different times and
        aligns them.
        """
        aligned = replace(change, cut_at=cut_at, fields=tuple(f for f in change.fields if f.path == REFUSED))
        try:
            self.drivers[change.address.server].apply([aligned])
        except Exception as error:  # noqa: BLE001  (the authorization server's cut-off is made, whatever happens here)
            why = error.summary if isinstance(error, OAuthDeployError) else type(error).__name__
            detail = f"It refuses tokens by its own time of the cut-off, not by the authorization server's: {why}."
            return apply_findings.cut_off_incomplete(change, detail)
        return None

    def _held_back(self, change: Change, held_back: Mapping[Address, ChangeResult]) -> ChangeResult | None:
        """The outcome of a change that must not be sent, because its object, or that of a change that it needs, has changed;
        None if it may be sent.
        """
        for address in change.depends_on:
            if address in held_back:
                because = apply_findings.skipped(change, held_back[address].outcome.change, "failed")
                return ChangeResult(Outcome(change, Status.SKIPPED, because))
        found = self._moved(change)
        return ChangeResult(Outcome(change, Status.FAILED, found)) if found else None

    def _moved(self, change: Change) -> Diagnostic | None:
        try:
            return self.fresh(change)
        except OAuthDeployError as error:
            return apply_findings.of_error(error, change)

    def _write(self, changes: Sequence[Change]) -> Sequence[ChangeResult]:
        """Journal, send, deliver, journal."""
        try:
            # On disk before the request is sent: after a kill, the journal must show what may have been sent.
            if self.journal:
                self.journal.intent(
                    [self.two_writes.get(change.address, change) for change in changes], self.lost_scopes
                )
        except JournalFailed as error:
            return [
                ChangeResult(Outcome(change, Status.FAILED, apply_findings.of_error(error, change)))
                for change in changes
            ]
        for change in changes:
            self.events.started(change)
        # Sending includes delivering the secret, and the outcome is recorded only after that: an intent without one may be a
        # lost secret.
        started = self.now()
        results = self._send(changes)
        seconds = max(0.0, (self.now() - started).total_seconds())
        results = [replace(end, outcome=replace(end.outcome, seconds=seconds)) for end in results]
        try:
            if self.journal:
                live = {end.outcome.change.address: end.live for end in results}
                moments = {end.outcome.change.address: end.cut_at for end in results}
                gaps = {end.outcome.change.address: end.gap for end in results}
                self.journal.outcome([end.outcome for end in results], live, moments, gaps)
        except JournalFailed as error:
            # The change was made nevertheless; the report says that the journal does not record it.
            return [_noted(end, f"Its outcome is not in the journal: {error.detail}") for end in results]
        return results

    def _send(self, changes: Sequence[Change]) -> Sequence[ChangeResult]:
        driver = self.drivers[changes[0].address.server]
        try:
            answers = driver.apply(changes)
        except ServerError as error:
            if error.uncertain:
                return self._after_loss(changes, error)
            return [self._failed(change, apply_findings.of_error(error, change), error.status) for change in changes]
        except OAuthDeployError as error:
            return [self._failed(change, apply_findings.of_error(error, change)) for change in changes]
        except Exception as error:  # noqa: BLE001  (a driver's fault ends its changes, not the run; no value is shown)
            where = f"in {type(driver).__name__}.apply"
            return [self._failed(change, apply_findings.of_exception(error, where, change)) for change in changes]
        if [answer.address for answer in answers] != [change.address for change in changes]:
            problem = f"{type(driver).__name__}.apply returned {len(answers)} objects that are not the {len(changes)} requested"
            return [ChangeResult(Outcome(c, Status.UNKNOWN, apply_findings.of_bug(problem, c))) for c in changes]
        return [self._kept(change, answer) for change, answer in zip(changes, answers, strict=True)]

    def _after_loss(self, changes: Sequence[Change], error: ServerError) -> Sequence[ChangeResult]:
        """A response was lost: reading the server decides what is reported."""
        settled = zip(changes, self.settle(changes), strict=True)
        return [self._settled(change, late, error, self.handover.taken(change)) for change, late in settled]

    def _settled(self, change: Change, late: LateResult, error: ServerError, made: Delivered | None) -> ChangeResult:
        """The outcome of a change whose response was lost; `made` is the secret that the driver had handed over before."""
        may_be_lost = may_make_secret(change) and made is None
        if late.status is Status.DONE and not may_be_lost:
            note = f"The response was lost ({error.summary}); {late.words}"
            if made is None or made.problem is None:
                return _with_secret(ChangeResult(Outcome(change, Status.DONE, note=note)), made)
            because = apply_findings.not_delivered(made.problem, change)
            return ChangeResult(Outcome(change, Status.FAILED, because, note))
        perhaps = late.status is Status.UNKNOWN
        lost = late.status is Status.DONE or (perhaps and may_be_lost)
        status = Status.FAILED if late.status is Status.DONE else late.status
        because = apply_findings.no_answer(error, change, late.words, secret_lost=lost, perhaps=perhaps)
        return _despite(made, ChangeResult(Outcome(change, status, because)))

    def _failed(self, change: Change, because: Diagnostic, status: int | None = None) -> ChangeResult:
        # An error with a status is a response, so a request was sent; for other errors this is unknown.
        outcome = Outcome(change, Status.FAILED, because, requests=int(status is not None))
        return _despite(self.handover.taken(change), ChangeResult(outcome))

    def _kept(self, change: Change, answer: Applied) -> ChangeResult:
        """Deliver the secret from the response, and compare what the server now has with what was sent."""
        note = answer.note
        made = self.handover.finish(change, answer) or Delivered(None)
        because = apply_findings.not_delivered(made.problem, change) if made.problem is not None else None
        nowhere = deliver_target(change, self.drivers[change.address.server]) is None
        if nowhere and (answer.secret is not None or answer.secret_made) and self._is_needed(change):
            note = f"{note} {_DROPPED}".strip()
        if because is None and answer.lost:
            because = apply_findings.fields_lost(change, answer.lost)
        status = Status.DONE if because is None else Status.FAILED
        outcome = Outcome(change, status, because, note, answer.identity, answer.requests, found=answer.found)
        if because is not None:
            return ChangeResult(outcome, delivered=made.place, live=answer.value, gap=made.gap)
        kept = tuple(unkept(change, answer))
        return ChangeResult(outcome, kept, made.place, answer.value, answer.cut_at, made.secret, made.gap)

    def _is_needed(self, change: Change) -> bool:
        """Whether a secret may be lost: that of a new client of an authorization server."""
        sides = self.drivers[change.address.server].connection.server.role.sides
        return change.action is not Action.UPDATE and Side.AUTHORIZATION in sides


_DROPPED: Final = (
    "The server generated a secret that is delivered nowhere; it was dropped. If you need it, write generate: true and "
    "deliver_to in the manifest."
)


def unkept(change: Change, answer: Applied) -> Sequence[Diagnostic]:
    """Compare what a server says it has with what was sent, field by field.

    Only fields in the response are compared; reading the server again finds what it left out.
    """
    live = answer.value
    if change.desired is None or live is None or type(live) is not type(change.desired):
        return ()
    wanted, have = wanted_fields(change.desired), flatten(live)
    paths = {field.path for field in change.fields} if change.action is Action.UPDATE else set(wanted)
    found = [
        apply_findings.not_kept(change, FieldChange(path, answer.unparsed[path], wanted.get(path)))
        for path in sorted(paths & answer.unparsed.keys())
    ]
    for path in sorted(paths & wanted.keys() & have.keys()):
        value = wanted[path]
        # null requests the server's default, which only the server knows; no server returns a secret reliably.
        if value is None or value is KNOWN_AFTER_APPLY or isinstance(value, Secret) or is_instruction(path):
            continue
        kept = () if have[path] is None and isinstance(value, tuple) else have[path]
        if not same(kept, value):
            found.append(apply_findings.not_kept(change, FieldChange(path, have[path], value)))
    return found


def _with_secret(end: ChangeResult, made: Delivered | None) -> ChangeResult:
    return end if made is None else replace(end, delivered=made.place, secret=made.secret, gap=made.gap)


def _despite(made: Delivered | None, end: ChangeResult) -> ChangeResult:
    """The outcome of a change that failed after its driver had handed over the new secret: the finding says where that is."""
    because = end.outcome.because
    if made is None or because is None:
        return end
    told = replace(because, detail=f"{because.detail} {made.in_words()}".strip())
    return replace(end, outcome=replace(end.outcome, because=told), delivered=made.place)


def _noted(end: ChangeResult, note: str) -> ChangeResult:
    return replace(end, outcome=replace(end.outcome, note=f"{end.outcome.note} {note}".strip()))
