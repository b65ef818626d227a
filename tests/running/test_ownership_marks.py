"""Marks of ownership, written through a driver that can hold them, and through one that can't."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from oauthdeploy.core.addresses import Address
from oauthdeploy.drivers.base import Applied, Driver, Wanted
from oauthdeploy.model.objects import Client
from oauthdeploy.model.servers import Role
from oauthdeploy.model.state import LiveObject, LiveState, Ownership, ServerState
from oauthdeploy.planning.adoption import adoption
from oauthdeploy.planning.outcome import Status
from oauthdeploy.planning.plan import build_plan
from oauthdeploy.running.journal import Journal
from oauthdeploy.running.ownership_marks import write_marks
from oauthdeploy.running.read import read_live

from .kit import at, desired_state
from .memory_driver import FACTS, MemoryDriver, MemoryServer


class MarkingDriver(MemoryDriver):
    """A memory driver whose server holds an owner for each object."""

    def __init__(self, name: str, store: MemoryServer, owners: dict[Address, str]) -> None:
        super().__init__(name, store, role=Role.AUTHORIZATION)
        self.owners = owners

    def read(self, wanted: Wanted) -> ServerState:
        state = super().read(wanted)
        marked = {address: self._owned(address, live, wanted.owner) for address, live in state.objects.items()}
        return ServerState(state.server, MappingProxyType(marked), state.unreadable, state.requests)

    def _owned(self, address: Address, live: LiveObject, mine: str) -> LiveObject:
        owner = self.owners.get(address, "")
        word = Ownership.OURS if owner == mine else Ownership.FOREIGN if owner else Ownership.UNMARKED
        return LiveObject(live.value, live.identity, live.fingerprint, word, owner)

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        self.owners[address] = owner
        return Applied(address, live.value, live.identity, live.fingerprint)


def marked(
    folder: Path, drivers: Mapping[str, Driver], *, look: bool = True
) -> tuple[LiveState, list[tuple[str, Status]], list[Mapping[str, object]]]:
    """Adopt both clients of `login`; gives what is live then, the outcomes, and the journal's records."""
    objects = {at("client/a@login"): Client(name="n"), at("client/b@login"): Client(name="n")}
    desired = desired_state(objects, drivers)  # type: ignore[arg-type]
    live = read_live(drivers, desired)
    plan = build_plan(desired, live, {"memory": FACTS})
    found = adoption(desired, live, plan, {"memory": FACTS})
    with Journal.create(folder, desired.name, now=lambda: datetime.now(UTC)) as journal:
        outcomes = write_marks(
            found.plan, drivers, journal, look=(lambda: read_live(drivers, desired)) if look else None
        )
        records = [json.loads(line) for line in journal.path.read_text().splitlines()]
    ended = [(str(outcome.change.address), outcome.status) for outcome in outcomes]
    return read_live(drivers, desired), ended, records


def store() -> MemoryServer:
    return MemoryServer(objects={at("client/a@login"): Client(name="n"), at("client/b@login"): Client(name="other")})


def test_a_mark_is_written_journalled_and_seen_as_ours(tmp_path: Path) -> None:
    """Only what isn't ours is marked, nothing else of the object changes, and the journal has each before and after."""
    server = store()
    before = dict(server.objects)
    driver = MarkingDriver("login", server, {at("client/a@login"): desired_state({}, {}).name})
    live, ended, records = marked(tmp_path, {"login": driver})
    assert ended == [("client/b@login", Status.DONE)]
    assert {item.ownership for item in live.objects.values()} == {Ownership.OURS}
    assert server.objects == before
    assert server.batches == []
    assert [record["type"] for record in records] == ["run", "intent", "outcome", "end"]


def test_a_driver_that_can_not_mark_fails_each_and_goes_on(tmp_path: Path) -> None:
    """The table promised what the driver doesn't do: each failure is told, and no object is touched."""
    server = store()
    _live, ended, _records = marked(tmp_path, {"login": MemoryDriver("login", server, role=Role.AUTHORIZATION)})
    assert ended == [("client/a@login", Status.FAILED), ("client/b@login", Status.FAILED)]
    assert server.batches == []


class ForgettingDriver(MarkingDriver):
    """Its server accepts a mark and drops it."""

    def mark(self, address: Address, live: LiveObject, owner: str) -> Applied:
        return Applied(address, live.value, live.identity, live.fingerprint)


def test_a_mark_that_the_server_drops_has_failed(tmp_path: Path) -> None:
    """What was accepted and isn't there afterwards is no success: the outcome says so, and so does the journal."""
    driver = ForgettingDriver("login", store(), {at("client/a@login"): "somebody-else"})
    _live, ended, records = marked(tmp_path, {"login": driver})
    assert ended == [("client/a@login", Status.FAILED), ("client/b@login", Status.FAILED)]
    last = {record["address"]: record["status"] for record in records if record["type"] == "outcome"}
    assert last == {"client/a@login": "failed", "client/b@login": "failed"}
