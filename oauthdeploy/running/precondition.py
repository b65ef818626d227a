"""One more read of each object just before its write: is it still as it was when the plan was made?

plan made ──► full read ──► ... other writes ... ──► this read ──► write

Every apply starts with a full read. In a long apply that gets old, so an object that is about to be changed or deleted is read
again by its key once the full read is older than `GOOD_FOR` seconds. For a saved plan every object is read again, since what is
written must be what was approved.

The writes of this apply are no reason to stop: after a write to an object, or to one that servers store together with it, only
the fields that are about to be changed are compared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.base import Driver, Wanted
from oauthdeploy.model.objects import Revocation
from oauthdeploy.model.state import DesiredState, LiveObject, ServerState
from oauthdeploy.planning.changes import Action, Change, is_recreated, replaced_with
from oauthdeploy.planning.normalize import OPTIONS, flatten, same
from oauthdeploy.planning.plan import Plan
from oauthdeploy.running import apply_findings
from oauthdeploy.running.apply_findings import shown

GOOD_FOR: Final = 5.0
"""How many seconds the read at the start of an apply is good for, for objects that nobody reviewed one by one."""

_Key = tuple[str, str, str]


def is_young(read_at: float | None) -> bool:
    """Whether a read that began at that time, by `time.monotonic`, still counts as one just before the first write."""
    return read_at is not None and time.monotonic() - read_at < GOOD_FOR


class Freshness:
    """The `fresh` of `apply_plan`. Safe to call from several threads.

    With `always` every object is read again (a saved plan); without it, only what is changed or deleted late in the run.
    `clock` returns seconds; `read_at` is when the read that opens the apply began, None if that is just before the first write.
    """

    def __init__(
        self,
        plan: Plan,
        drivers: Mapping[str, Driver],
        desired: DesiredState,
        *,
        always: bool,
        read_at: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._drivers = drivers
        self._desired = desired
        self._always = always
        self._clock = clock
        self._begun = read_at
        self._lock = threading.Lock()
        self._ours: set[_Key] = set()
        self._seen: dict[Address, Diagnostic | None] = {}
        self._batches: dict[Address, tuple[Change, ...]] = _batches(plan.changes, drivers)
        self._replaced = replaced_with(plan.changes)

    def __call__(self, change: Change) -> Diagnostic | None:
        """What has changed about the object of the change that is written next; None if nothing.

        Raises what reading raises.
        """
        if not self._is_due(change):
            with self._lock:
                self._ours.update(_keys(change))
            return None
        with self._lock:
            known = change.address in self._seen
            found = self._seen.pop(change.address, None)
        return found if known else self._look(change)

    def _is_due(self, change: Change) -> bool:
        # A revocation only takes away, and a client's tokens come and go all the time.
        if change.address.kind is Kind.REVOCATION:
            return False
        if self._always:
            return True
        with self._lock:
            now = self._clock()
            self._begun = now if self._begun is None else self._begun
            young = now - self._begun < GOOD_FOR
        return not young and change.action is not Action.CREATE

    def _look(self, change: Change) -> Diagnostic | None:
        """Read the objects of the whole batch, which is written in one request, and check all of them."""
        batch = self._batches[change.address]
        if batch[0].stage is not change.stage:  # The second write to an object, which is never batched.
            batch = (change,)
        state = self._drivers[change.address.server].read_again(batch, self._wanted(batch))
        with self._lock:
            # This run may have written a neighbor in between, so the writes are checked after the read.
            touched = set(self._ours)
            for member in batch:
                self._ours.update(_keys(member))
            if state is None:
                return None
            for member in batch:
                self._seen[member.address] = self._finding(
                    member, state, by_this_run=not touched.isdisjoint(_keys(member))
                )
            return self._seen.pop(change.address)

    def _wanted(self, batch: Sequence[Change]) -> Wanted:
        objects, moved, known = {}, {}, self._desired.identities
        about = [c.address for c in batch if c.address.kind in (Kind.CLIENT, Kind.ASSOCIATION)]
        clients = {Address(Kind.CLIENT, address.client, address.server) for address in about}
        for change in batch:
            if (value := self._desired.objects.get(change.address)) is not None:
                objects[change.address] = value
            if (former := self._desired.moved.get(change.address)) is not None:
                moved[change.address] = former
        return Wanted(
            objects=MappingProxyType(objects),
            kinds=frozenset(change.address.kind for change in batch),
            absent=frozenset(change.address for change in batch if change.address not in objects),
            moved=MappingProxyType(moved),
            everything=False,
            identities=MappingProxyType({a: known[a] for a in clients if a in known}),
        )

    def _finding(self, change: Change, state: ServerState, *, by_this_run: bool) -> Diagnostic | None:
        if (why := state.unreadable.get(change.address.kind)) is not None:
            return apply_findings.about(change, why.rule, why.summary, why.detail, why.fix)
        words = list(self._moved(change, state.objects, by_this_run=by_this_run))
        return apply_findings.stale(change, "; ".join(words)) if words else None

    def _moved(self, change: Change, objects: Mapping[Address, LiveObject], *, by_this_run: bool) -> Iterator[str]:
        found = objects.get(change.live_address)
        if by_this_run:
            if found is not None and change.action is Action.UPDATE:
                yield from _fields_moved(change, found)
            return
        if change.former is not None and change.address in objects:
            yield "its new name is taken"
        if change.live is None:
            if found is not None and not is_recreated(change, self._replaced):
                yield "it exists now"
        elif found is None:
            yield "it is gone"
        elif found.fingerprint != self._plan.fingerprints.get(str(change.live_address), change.live.fingerprint):
            yield from list(_fields_moved(change, found)) or ["it has changed in a field that the plan does not change"]


def _batches(changes: Sequence[Change], drivers: Mapping[str, Driver]) -> dict[Address, tuple[Change, ...]]:
    """The batch of each change: the changes that travel in one request with it."""
    together: dict[tuple[str, int, str], list[Change]] = {}
    for change in changes:
        driver = drivers.get(change.address.server)
        if driver is not None:
            together.setdefault((driver.name, change.stage, driver.batch_key(change)), []).append(change)
    # One tuple for all members: a copy for each would take memory that grows with the square of a batch.
    batches = [tuple(batch) for batch in together.values()]
    return {change.address: batch for batch in batches for change in batch}


def _fields_moved(change: Change, found: LiveObject) -> Iterator[str]:
    have = flatten(found.value)
    for field in change.fields:
        if isinstance(field.before, Secret) or isinstance(field.after, Secret) or field.path in found.incomparable:
            continue
        if field.path.startswith(OPTIONS):
            continue
        now = found.unparsed.get(field.path) or have.get(field.path)
        if not same(field.before, now):
            yield f"{field.path} was {shown(field.before)}, and is {shown(now)} now"


def _keys(change: Change) -> Iterable[_Key]:
    """What a write to the object may affect: servers store associations and blocks with the client, and trust in the settings."""
    address = change.address
    server, kind = address.server, address.kind
    if kind in (Kind.SETTINGS, Kind.TRUST):
        return {(server, "settings", "")}
    if kind is Kind.SCOPE:
        return {(server, "scope", address.name)}
    if kind is Kind.ASSOCIATION:
        return {(server, "client", address.client), (server, "scope", address.scope)}
    if kind is Kind.REVOCATION:
        client = change.desired.client if isinstance(change.desired, Revocation) else address.name
        return {(server, "client", client)}
    names = {address.name, change.live_address.name}
    return {(server, "client", name) for name in names}
