"""Two machines that renew one client's secret: in every order of their requests, at most one of them ends well."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from oauthdeploy.core.errors import RenewedElsewhere
from oauthdeploy.core.secrets import Secret
from oauthdeploy.drivers.keycloak.mapping import HOLDER, REVISION
from oauthdeploy.drivers.keycloak.secret_claim import LEASE_SECONDS, ROLE, Claim


class Store:
    """One client as Keycloak keeps it: attributes merge by key, and what a PUT leaves out stays."""

    def __init__(self) -> None:
        self.raw: dict[str, Any] = {
            "id": "u",
            "clientId": "robot",
            "secret": "first",
            "attributes": {REVISION: "1", "kept": "x"},
            "authorizationServicesEnabled": True,
        }
        self.made = itertools.count(1)
        self.role: dict[str, Any] | None = None

    @property
    def server(self) -> str:
        return "login"


class Admin:
    """The part of the admin API that a renewal uses; each request waits for its turn."""

    def __init__(self, store: Store, turn: Callable[[], None] = lambda: None) -> None:
        self.store = store
        self.http = store
        self.turn = turn

    def client(self, _uuid: str) -> Mapping[str, Any]:
        self.turn()
        return {**self.store.raw, "attributes": dict(self.store.raw["attributes"])}

    def create_role(self, _uuid: str, body: Mapping[str, Any]) -> bool:
        self.turn()
        if self.store.role is not None:
            return False
        self.store.role = {**body, "id": f"role-{next(self.store.made)}"}
        return True

    def client_role(self, _uuid: str, name: str) -> Mapping[str, Any] | None:
        self.turn()
        assert name == ROLE
        return self.store.role

    def delete_role(self, role: str) -> bool:
        self.turn()
        if self.store.role is None or self.store.role["id"] != role:
            return False
        self.store.role = None
        return True

    def put_client(self, _uuid: str, body: Mapping[str, Any], _read: Mapping[str, Any]) -> None:
        self.turn()
        merged = {**self.store.raw["attributes"], **body.get("attributes", {})}
        self.store.raw = {**self.store.raw, **body, "attributes": {k: v for k, v in merged.items() if v != ""}}

    def new_secret(self, _uuid: str) -> Secret:
        self.turn()
        self.store.raw = {**self.store.raw, "secret": f"made-{next(self.store.made)}"}
        return Secret(self.store.raw["secret"], "server")


def renew(
    admin: Admin,
    now: Callable[[], float] = lambda: 1_000_000.0,
    deliver: Callable[[Secret], None] = lambda _secret: None,
) -> str:
    """The requests of a renewal from revision 1 to 2, as the driver sends them; gives the secret that is delivered."""
    claim = Claim(admin, "u", "robot", 1, clock=now)  # type: ignore[arg-type]
    claim.take()
    try:
        made = admin.new_secret("u")
        late = claim.has_expired
        if not late:
            deliver(made)
        claim.check(made)
        if late:
            deliver(made)
        admin.put_client("u", {"attributes": {REVISION: "2", **claim.marks}}, {})
        claim.check_done(made, 2)
    finally:
        claim.leave()
    return made.reveal()


class Turns:
    """Lets two threads take turns request by request, in a given order; who is done leaves the rest to the other."""

    def __init__(self, order: list[int]) -> None:
        self.order = order
        self.condition = threading.Condition()
        self.done: set[int] = set()

    def take(self, who: int) -> None:
        with self.condition:
            assert self.condition.wait_for(lambda: not self.order or self.order[0] == who, timeout=20)
            if self.order:
                self.order.pop(0)
                self._skip()
            self.condition.notify_all()

    def leave(self, who: int) -> None:
        with self.condition:
            self.done.add(who)
            self._skip()
            self.condition.notify_all()

    def _skip(self) -> None:
        while self.order and self.order[0] in self.done:
            self.order.pop(0)


def race(order: list[int], hours: Mapping[int, float] | None = None) -> tuple[Store, list[str | RenewedElsewhere]]:
    """Two renewals in the order of turns; gives the server afterwards, and what came of each. `hours` are their clocks."""
    store, turns = Store(), Turns(list(order))
    ends: list[str | RenewedElsewhere] = ["", ""]

    def work(who: int) -> None:
        try:
            now = (hours or {}).get(who, 1_000_000.0)
            ends[who] = renew(Admin(store, lambda: turns.take(who)), lambda: now)
        except RenewedElsewhere as error:
            ends[who] = error
        finally:
            turns.leave(who)

    threads = [threading.Thread(target=work, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return store, ends


LENGTH = 12
ORDERS = [
    *([0] * first + [1] * LENGTH + [0] * LENGTH for first in range(LENGTH)),
    *([0] * first + [1] * second + [0] * LENGTH + [1] * LENGTH for first in range(LENGTH) for second in range(LENGTH)),
    *(random.Random(seed).choices([0, 1], k=2 * LENGTH) for seed in range(150)),
]


def test_of_two_renewals_at_most_one_ends_well_and_its_secret_is_the_live_one() -> None:
    """Interleaved at each request, one within the other, and at random. The loser says whose secret is live."""
    for order in ORDERS:
        store, ends = race(order)
        won = [end for end in ends if isinstance(end, str)]
        assert len(won) == 1, order
        assert store.raw["secret"] == won[0], order
        assert store.role is None, order
        (lost,) = [end for end in ends if isinstance(end, RenewedElsewhere)]
        assert "The live secret is" in lost.detail
        assert store.raw["attributes"]["kept"] == "x"


def test_after_the_lock_was_taken_over_the_stopped_run_sees_it() -> None:
    """A run that stood still beyond its lease: whatever it does then, both do not end well."""
    for first in range(LENGTH):
        hours = {0: 1_000_000.0, 1: 1_000_000.0 + LEASE_SECONDS + 1}
        store, ends = race([0] * first + [1] * LENGTH + [0] * LENGTH, hours)
        won = [end for end in ends if isinstance(end, str)]
        assert len(won) <= 1 or store.raw["secret"] == won[0] == won[1], first
        if not won:
            assert any(
                "the one that this run made" in end.detail for end in ends if isinstance(end, RenewedElsewhere)
            ), first


def test_a_run_that_stood_still_beyond_its_lease_looks_before_it_delivers() -> None:
    """What another run delivered to the same place meanwhile is the live secret, and stays there."""
    store, hours, delivered = Store(), [1_000_000.0], list[Secret]()

    class Slow(Admin):
        def new_secret(self, uuid: str) -> Secret:
            made = super().new_secret(uuid)
            hours[0] += LEASE_SECONDS + 1
            other = renew(Admin(store), lambda: hours[0], delivered.append)
            assert other == store.raw["secret"]
            return made

    with pytest.raises(RenewedElsewhere):
        renew(Slow(store), lambda: hours[0], delivered.append)
    assert [secret.reveal() for secret in delivered] == [store.raw["secret"]]


def test_a_renewal_ends_well_when_nobody_else_is_at_it() -> None:
    """It leaves the mark of who did it, and no lock."""
    store = Store()
    assert renew(Admin(store)) == store.raw["secret"] != "first"
    assert store.role is None
    assert " on " in store.raw["attributes"][HOLDER]
    assert store.raw["attributes"][REVISION] == "2"


def test_a_later_run_that_planned_before_destroys_nothing() -> None:
    """It sees the revision and stops before its first write to the client; it names who was faster."""
    store = Store()
    made = renew(Admin(store))
    with pytest.raises(RenewedElsewhere) as caught:
        renew(Admin(store))
    assert "since the plan was made" in caught.value.detail
    assert store.raw["attributes"][HOLDER] in caught.value.detail
    assert store.raw["secret"] == made
    assert store.role is None


def stopped(store: Store) -> Claim:
    """A run that was killed while it held the lock."""
    claim = Claim(Admin(store), "u", "robot", 1, clock=lambda: 1_000_000.0)  # type: ignore[arg-type]
    claim.take()
    return claim


def holder_becomes(store: Store, old: str, new: str) -> None:
    assert store.role is not None
    (text,) = store.role["attributes"][HOLDER]
    assert old in text
    store.role = {**store.role, "attributes": {HOLDER: [text.replace(old, new)]}}


@pytest.mark.parametrize(("late", "blocked"), [(0, True), (LEASE_SECONDS - 1, True), (LEASE_SECONDS + 1, False)])
def test_a_lock_of_another_machine_ends_by_its_time(late: float, blocked: bool) -> None:
    """A run that was killed there blocks for a while; after it, the lock is taken over."""
    store = Store()
    claim = stopped(store)
    holder_becomes(store, '"machine":"', '"machine":"of another ')
    if blocked:
        with pytest.raises(RenewedElsewhere, match="robot") as caught:
            renew(Admin(store), lambda: 1_000_000.0 + late)
        assert claim.holder.who in caught.value.detail
    else:
        renew(Admin(store), lambda: 1_000_000.0 + late)
        with pytest.raises(RenewedElsewhere):
            claim.check(None)


def test_the_lock_of_a_dead_process_of_this_machine_blocks_nobody() -> None:
    """Its process id is gone, or is that of a process that was started later."""
    store = Store()
    claim = stopped(store)
    holder_becomes(store, f'"started":"{claim.holder.started}"', '"started":"1"')
    assert renew(Admin(store)) == store.raw["secret"]


@pytest.mark.parametrize("mark", ["", "x", "[]", "{}", '{"token": 1}', '{"token":"a","who":"b","until":"later"}'])
def test_a_role_of_that_name_that_is_not_ours_is_left_alone(mark: str) -> None:
    """Somebody may have made it; it is named, and nothing is written."""
    store = Store()
    store.role = {"id": "theirs", "name": ROLE, "attributes": {HOLDER: [mark]} if mark else {}}
    with pytest.raises(RenewedElsewhere) as caught:
        renew(Admin(store))
    assert ROLE in caught.value.detail
    assert store.role["id"] == "theirs"
    assert store.raw["secret"] == "first"
