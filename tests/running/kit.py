"""Short ways to states, changes and plans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from oauthdeploy.core.addresses import Address
from oauthdeploy.model.fields import managed
from oauthdeploy.model.objects import Object
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState, LiveObject
from oauthdeploy.planning.changes import Action, Change, FieldChange, Reason, Stage
from oauthdeploy.planning.plan import Plan
from tests.running.memory_driver import FACTS, MemoryDriver, fingerprint

FACTS_BY_DRIVER = {"memory": FACTS}
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def at(text: str) -> Address:
    """An address from its written form."""
    return Address.parse(text)


def desired_state(
    objects: Mapping[Address, Object],
    drivers: Mapping[str, MemoryDriver] | None = None,
    *,
    absent: Iterable[Address] = (),
) -> DesiredState:
    """What a manifest would ask for; servers come from the drivers or else from the addresses."""
    names = {address.server for address in objects} | {address.server for address in absent} | set(drivers or ())
    servers = {
        name: drivers[name].connection.server
        if drivers and name in drivers
        else Server(role=Role.BOTH, driver="memory", url=f"memory://{name}")
        for name in sorted(names)
    }
    return DesiredState("shop", servers, dict(objects), absent=frozenset(absent))


def create(
    address: Address,
    value: Object,
    *,
    stage: Stage = Stage.WIDEN_RESOURCE,
    needs: Iterable[Address] = (),
) -> Change:
    """A change that makes a new object."""
    fields = tuple(FieldChange(path, None, inner) for path, inner in managed(value))
    return Change(address, Action.CREATE, Reason.MISSING, stage, value, None, fields, depends_on=tuple(needs))


def update(address: Address, before: Object, value: Object, *paths: str, stage: Stage = Stage.WIDEN_RESOURCE) -> Change:
    """A change of some fields of an object."""
    have, want = dict(managed(before)), dict(managed(value))
    fields = tuple(FieldChange(path, have.get(path), want.get(path)) for path in paths)
    return Change(address, Action.UPDATE, Reason.DIFFERS, stage, value, live(before), fields)


def delete(
    address: Address, before: Object, *, stage: Stage = Stage.NARROW_RESOURCE, needs: Iterable[Address] = ()
) -> Change:
    """A change that removes an object."""
    reason = Reason.MARKED_ABSENT
    return Change(address, Action.DELETE, reason, stage, None, live(before), depends_on=tuple(needs))


def live(value: Object) -> LiveObject:
    """A live object as the memory server tells it."""
    return LiveObject(value, fingerprint=fingerprint(value))


def plan_of(*changes: Change) -> Plan:
    """A plan of these changes, with the fingerprints that they were made from."""
    prints = {str(change.address): change.live.fingerprint if change.live else "" for change in changes}
    return Plan("shop", changes, fingerprints=prints, manifest_digest="d" * 64)
