"""The order in which changes start, without threads and servers."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.model.objects import Scope
from oauthdeploy.planning.changes import Change, Stage
from oauthdeploy.running.scheduler import Schedule
from tests.running.kit import create


def scope(number: int, server: str = "login") -> Address:
    return Address(Kind.SCOPE, f"s{number:02}", server)


@dataclass(frozen=True)
class Case:
    """A graph, which changes fail, in which order running batches end, and after how many ends the run is stopped."""

    changes: tuple[Change, ...]
    keys: dict[Address, str]
    failing: frozenset[int]
    picks: tuple[int, ...]
    stop_after: int | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 14))
    stages = sorted(draw(st.lists(st.sampled_from(Stage), min_size=count, max_size=count)))
    servers = draw(st.lists(st.sampled_from(["login", "orders"]), min_size=count, max_size=count))
    addresses = [scope(number, servers[number]) for number in range(count)]
    changes = []
    for number in range(count):
        needs = draw(st.sets(st.integers(0, number - 1), max_size=4)) if number else set()
        outside = draw(st.sampled_from([(), (scope(99),)]))
        needed = [addresses[need] for need in sorted(needs)]
        changes.append(create(addresses[number], Scope(), stage=stages[number], needs=(*needed, *outside)))
    keys = {address: draw(st.sampled_from(["a", "b", str(address)])) for address in addresses}
    shuffled = draw(st.permutations(changes))
    return Case(
        tuple(shuffled),
        keys,
        draw(st.frozensets(st.integers(0, count - 1), max_size=3)),
        tuple(draw(st.lists(st.integers(0, 50), min_size=count * 2, max_size=count * 2))),
        draw(st.one_of(st.none(), st.integers(0, count))),
    )


@dataclass
class Told:
    """What a run of the schedule told."""

    done: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    skipped: dict[int, int] = field(default_factory=dict)
    abandoned: list[int] = field(default_factory=list)
    batches: list[tuple[int, ...]] = field(default_factory=list)


def needs_of(case: Case) -> list[set[int]]:
    place = {change.address: number for number, change in enumerate(case.changes)}
    return [{place[a] for a in change.depends_on if a in place} for change in case.changes]


def play(case: Case) -> Told:
    """Run the schedule as `apply` does; checks at each start that what the change waits for is done."""
    told = Told()
    needs = needs_of(case)
    schedule = Schedule(case.changes, lambda change: case.keys[change.address])
    running: list[tuple[int, ...]] = []
    picks = iter(case.picks)
    ends = 0
    while True:
        if case.stop_after is not None and ends >= case.stop_after:
            told.abandoned += schedule.abandon()
        ended = {*told.done, *told.failed, *told.skipped, *told.abandoned}
        for batch in schedule.take():
            told.batches.append(batch.places)
            assert {(case.changes[p].address.server, case.changes[p].stage) for p in batch.places} == {
                (batch.server, batch.stage)
            }
            assert {case.keys[case.changes[p].address] for p in batch.places} == {batch.key}
            for number, place in enumerate(batch.places):
                assert needs[place] <= {*told.done, *batch.places[:number]}
                before = {p for p, change in enumerate(case.changes) if change.stage < batch.stage}
                assert before <= ended
            running.append(batch.places)
        if not running:
            break
        for place in running.pop(next(picks) % len(running)):
            ends += 1
            # What travelled with a change that it needs fails with it: they are one request.
            done = place not in case.failing and not needs[place] & set(told.failed)
            (told.done if done else told.failed).append(place)
            for skip in schedule.resolve(place, done=done):
                assert skip.place not in told.skipped
                assert skip.cause in {*told.failed, *told.skipped}
                told.skipped[skip.place] = skip.cause
    assert schedule.finished
    return told


@given(cases())
def test_every_change_ends_once_and_failures_skip_exactly_their_dependants(case: Case) -> None:
    """For any graph: each change ends exactly once, never before what it waits for or the stages before it, and a failure
    skips what depends on it, directly or not, and nothing else.
    """
    told = play(case)
    ends = [*told.done, *told.failed, *told.skipped, *told.abandoned]
    assert sorted(ends) == list(range(len(case.changes)))
    needs = needs_of(case)
    doomed = set(told.failed)
    for _ in case.changes:
        doomed |= {place for place, needed in enumerate(needs) if needed & doomed}
    if case.stop_after is None:
        assert set(told.skipped) == doomed - set(told.failed)
        assert not told.abandoned
    else:
        assert set(told.skipped) | set(told.abandoned) >= doomed - set(told.failed)
    for place, cause in told.skipped.items():
        assert cause in needs[place]
        assert cause in {*told.failed, *told.skipped}


def test_changes_of_one_key_travel_together_when_all_that_they_wait_for_is_done() -> None:
    """A batch is one request, so it waits for what any of its changes waits for."""
    first, second, third = scope(1), scope(2), scope(3)
    changes = (create(first, Scope()), create(second, Scope()), create(third, Scope(), needs=[first]))
    schedule = Schedule(changes, lambda change: "first" if change.address == first else "rest")
    assert [batch.places for batch in schedule.take()] == [(0,)]
    assert schedule.take() == []
    schedule.resolve(0, done=True)
    assert [batch.places for batch in schedule.take()] == [(1, 2)]


def test_a_batch_goes_on_without_the_change_that_is_skipped() -> None:
    """A change that can't be made doesn't hold up those that would have travelled with it."""
    first, second, third = scope(1), scope(2), scope(3)
    changes = (create(first, Scope()), create(second, Scope()), create(third, Scope(), needs=[first]))
    schedule = Schedule(changes, lambda change: "first" if change.address == first else "rest")
    schedule.take()
    assert [(skip.place, skip.cause) for skip in schedule.resolve(0, done=False)] == [(2, 0)]
    assert [batch.places for batch in schedule.take()] == [(1,)]


def test_two_batches_that_wait_for_each_other_are_split() -> None:
    """Batching must not make a circle out of changes that have an order."""
    a1, a2, b1, b2 = scope(1), scope(2), scope(3), scope(4)
    changes = (
        create(a1, Scope(), needs=[b1]),
        create(a2, Scope()),
        create(b1, Scope()),
        create(b2, Scope(), needs=[a2]),
    )
    schedule = Schedule(changes, lambda change: "a" if change.address in (a1, a2) else "b")
    assert [batch.places for batch in schedule.take()] == [(1,)]
    schedule.resolve(1, done=True)
    assert [batch.places for batch in schedule.take()] == [(2, 3)]
    schedule.resolve(2, done=True)
    assert [batch.places for batch in schedule.take()] == [(0,)]


def test_a_circle_is_refused_with_the_addresses_in_it() -> None:
    """A plan without an order is refused before anything is sent, address by address."""
    first, second = scope(1), scope(2)
    changes = (create(first, Scope(), needs=[second]), create(second, Scope(), needs=[first]))
    with pytest.raises(OAuthDeployError) as caught:
        Schedule(changes, lambda change: str(change.address))
    assert str(first) in caught.value.detail
    assert str(second) in caught.value.detail
    assert "bug in oauthdeploy" in caught.value.fix


def test_waiting_for_a_later_stage_is_refused() -> None:
    """Stages are a barrier, so such a change could never start."""
    first, second = scope(1), scope(2)
    changes = (
        create(first, Scope(), stage=Stage.WIDEN_RESOURCE, needs=[second]),
        create(second, Scope(), stage=Stage.NARROW_RESOURCE),
    )
    with pytest.raises(OAuthDeployError, match="cannot be ordered"):
        Schedule(changes, lambda change: str(change.address))


def test_scheduling_grows_with_the_changes() -> None:
    """Ten thousand changes of two stages are looked at a few times each, not ten thousand times."""
    changes = tuple(
        create(
            Address(Kind.SCOPE, f"s{number}", "login"),
            Scope(),
            stage=Stage.WIDEN_RESOURCE if number < 5000 else Stage.WIDEN_AUTHORIZATION,
            needs=[Address(Kind.SCOPE, f"s{number - 5000}", "login")] if number >= 5000 else (),
        )
        for number in range(10_000)
    )
    asked = 0

    class Counting(Schedule):
        def _is_ready(self, batch: tuple[str, Stage, str, int]) -> bool:
            nonlocal asked
            asked += 1
            return super()._is_ready(batch)

    schedule = Counting(changes, lambda change: str(change.address))
    running: list[int] = []
    ended = 0
    while not schedule.finished:
        running += [place for batch in schedule.take() for place in batch.places]
        schedule.resolve(running.pop(), done=True)
        ended += 1
    assert ended == 10_000
    assert asked <= 20_000


def test_a_client_and_its_associations_are_not_written_at_the_same_time() -> None:
    """They are one object on some servers; other clients, other servers and associations among themselves don't wait."""
    own = Address(Kind.CLIENT, "c", "login")
    pairs = [Address.association("c", name, "login") for name in ("s", "t")]
    others = [Address.association("d", "s", "login"), Address.association("c", "s", "orders")]
    changes = [create(each, Scope(), stage=Stage.NARROW_AUTHORIZATION) for each in (*pairs, own, *others)]
    schedule = Schedule(changes, lambda change: str(change.address))
    assert [batch.places for batch in schedule.take()] == [(0,), (1,), (3,), (4,)]
    schedule.resolve(0, done=True)
    assert schedule.take() == []
    schedule.resolve(1, done=False)
    assert [batch.places for batch in schedule.take()] == [(2,)]
