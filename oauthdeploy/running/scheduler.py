"""The order in which the changes of a plan start; no threads, clocks or servers.

    stage 1 |  a ──► b      c   |  stage 2 |  d ──► f  |
            |  (c beside both)  |          |  e ──┘    |
            └─ barrier: stage 2 starts when a, b, c have ended

- A stage starts when every change of the stages before it has ended.
- Inside a stage a change waits for the changes in `depends_on`; what is left runs side by side.
- Changes of one stage, server and batch key travel in one request. A batch waits for all that its members wait for; only
  where two batches wait for each other a batch is split.
- A client and its associations are one object on some servers, so they are not written at the same time.
- A change that was not done takes with it everything that depends on it, directly or not, and nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush

from msgspec import Struct

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.planning.changes import Change, Stage

_BatchId = tuple[str, Stage, str, int]
"""Server, stage, batch key, and a number that distinguishes the parts of a split batch."""


class Batch(Struct, frozen=True):
    """Changes that go to one server in one call of its driver; `places` are their positions in the plan."""

    server: str
    stage: Stage
    key: str
    places: tuple[int, ...]


class Skip(Struct, frozen=True):
    """A change that will not be made, because the change at position `cause` was not."""

    place: int
    cause: int


class Schedule:
    """Decides which batches may start, from the changes that have ended.

    `take` returns batches to start, `resolve` records the end of one change, and `abandon` gives up all that has not started.
    Every change is returned, skipped or abandoned exactly once. Not thread-safe: call it from one thread.
    """

    def __init__(self, changes: Sequence[Change], batch_key: Callable[[Change], str]) -> None:
        """Raises OAuthDeployError if dependencies are circular or point to a later stage."""
        self._changes = changes
        self._needs = _needs(changes)
        self._rank = _checked_order(changes, self._needs)
        self._dependants: dict[int, list[int]] = defaultdict(list)
        for place, needs in enumerate(self._needs):
            for need in sorted(needs):
                self._dependants[need].append(place)
        self._pending = {place: set(needs) for place, needs in enumerate(self._needs)}
        self._running: set[int] = set()
        self._at_work: Counter[tuple[str, str, Kind]] = Counter()
        self._members: dict[_BatchId, set[int]] = defaultdict(set)
        self._batch_of: dict[int, _BatchId] = {}
        for place, change in enumerate(changes):
            batch = (change.address.server, change.stage, batch_key(change), 0)
            self._members[batch].add(place)
            self._batch_of[place] = batch
        self._left_in: dict[Stage, int] = defaultdict(int)
        for change in changes:
            self._left_in[change.stage] += 1
        # Batches that may have become ready since the last call.
        self._fresh: dict[Stage, set[_BatchId]] = defaultdict(set)
        for batch in self._members:
            self._fresh[batch[1]].add(batch)

    @property
    def finished(self) -> bool:
        """True if every change has ended."""
        return not self._pending and not self._running

    def take(self) -> list[Batch]:
        """The batches that may start now, in the order of the plan; they count as running from here on."""
        stage = self._stage()
        if stage is None:
            return []
        candidates = self._fresh.pop(stage, set())
        ready = [batch for batch in candidates if self._members.get(batch) and self._is_ready(batch)]
        if not ready and not self._running:
            ready = [self._split()]
        started = []
        for batch in sorted(ready, key=lambda batch: min(self._members[batch])):
            if self._is_in_the_way(batch):
                self._fresh[stage].add(batch)
            else:
                started.append(self._start(batch))
        return started

    def _is_in_the_way(self, batch: _BatchId) -> bool:
        """Whether a client of the batch, or its associations, are being written by another batch."""
        for place in self._members[batch]:
            address = self._changes[place].address
            rivals = {Kind.CLIENT: (Kind.CLIENT, Kind.ASSOCIATION), Kind.ASSOCIATION: (Kind.CLIENT,)}.get(
                address.kind, ()
            )
            if any(self._at_work[address.server, address.client, kind] for kind in rivals):
                return True
        return False

    def _count_work(self, place: int, by: int) -> None:
        address = self._changes[place].address
        if address.kind in (Kind.CLIENT, Kind.ASSOCIATION):
            self._at_work[address.server, address.client, address.kind] += by

    def resolve(self, place: int, *, done: bool) -> list[Skip]:
        """Record the end of a running change. If it was not done, returns what is skipped because of it, causes first."""
        self._running.remove(place)
        self._count_work(place, -1)
        self._finish(place)
        return [] if done else self._without([place])

    def give_up(self, server: str) -> tuple[list[int], list[Skip]]:
        """Give up every change of one server that has not started, and what depends on those on other servers; causes first."""
        places = [place for place in sorted(self._pending) if self._changes[place].address.server == server]
        for place in places:
            del self._pending[place]
        for place in places:
            self._leave_batch(place)
            self._finish(place)
        return places, self._without(places)

    def _without(self, places: Sequence[int]) -> list[Skip]:
        """Remove what depends on changes that were not made."""
        skipped: list[Skip] = []
        waiting = deque(places)
        while waiting:
            cause = waiting.popleft()
            for other in self._dependants[cause]:
                if other in self._pending:
                    del self._pending[other]
                    skipped.append(Skip(other, cause))
                    waiting.append(other)
        for skip in skipped:
            self._leave_batch(skip.place)
            self._finish(skip.place)
        return skipped

    def abandon(self) -> list[int]:
        """Give up every change that has not started; returns their positions."""
        places = sorted(self._pending)
        self._pending.clear()
        for place in places:
            self._leave_batch(place)
            self._finish(place)
        return places

    def _stage(self) -> Stage | None:
        return min((stage for stage, remaining in self._left_in.items() if remaining), default=None)

    def _is_ready(self, batch: _BatchId) -> bool:
        members = self._members[batch]
        return all(self._pending[place] <= members for place in members)

    def _start(self, batch: _BatchId) -> Batch:
        places = tuple(sorted(self._members.pop(batch), key=lambda place: self._rank[place]))
        for place in places:
            del self._pending[place]
            self._running.add(place)
            self._count_work(place, 1)
        return Batch(batch[0], batch[1], batch[2], places)

    def _split(self) -> _BatchId:
        """From the first batch that has any, split off the members that wait for nothing as a separate batch."""
        stage = self._stage()
        free = [p for p, needs in self._pending.items() if not needs and self._changes[p].stage is stage]
        batch = self._batch_of[min(free)]
        server, _, key, number = batch
        part = (server, batch[1], key, number + 1)
        while part in self._members:
            part = (*part[:3], part[3] + 1)
        self._members[part] = {place for place in free if self._batch_of[place] == batch}
        self._members[batch] -= self._members[part]
        for place in self._members[part]:
            self._batch_of[place] = part
        return part

    def _leave_batch(self, place: int) -> None:
        batch = self._batch_of[place]
        self._members[batch].discard(place)
        self._fresh[batch[1]].add(batch)

    def _finish(self, place: int) -> None:
        self._left_in[self._changes[place].stage] -= 1
        for other in self._dependants[place]:
            if other in self._pending:
                self._pending[other].discard(place)
                self._fresh[self._changes[other].stage].add(self._batch_of[other])


def _needs(changes: Sequence[Change]) -> list[set[int]]:
    """For each change, the positions of those that it waits for. Dependencies that are not in the plan are ignored. Of a change
    made in two writes, the first one gives what others wait for.
    """
    places: dict[Address, int] = {}
    for place, change in enumerate(changes):
        places.setdefault(change.address, place)
    return [
        {places[address] for address in change.depends_on if address in places} - {place}
        for place, change in enumerate(changes)
    ]


def _checked_order(changes: Sequence[Change], needs: Sequence[set[int]]) -> Sequence[int]:
    """The position of each change in the plan, but after what it needs."""
    for place, needed in enumerate(needs):
        for need in needed:
            if changes[need].stage > changes[place].stage:
                raise _no_order(f"{changes[place].address} waits for {changes[need].address} of a later stage.")
    sorter = TopologicalSorter(dict(enumerate(needs)))
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " -> ".join(str(changes[place].address) for place in error.args[1])
        raise _no_order(f"These changes wait for each other: {circle}.") from None
    rank = [0] * len(changes)
    free = list(sorter.get_ready())
    heapify(free)
    for number in range(len(changes)):
        place = heappop(free)
        rank[place] = number
        sorter.done(place)
        for next_place in sorter.get_ready():
            heappush(free, next_place)
    return rank


def _no_order(detail: str) -> OAuthDeployError:
    return OAuthDeployError(
        "The changes of the plan cannot be ordered",
        detail=detail,
        fix="Nothing was written. This is a bug in oauthdeploy.",
    )
