"""A real OPA and the driver on it; `converge` is the whole road: read, plan, apply, read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.base import Applied, Driver, Wanted
from oauthdeploy.drivers.registry import driver_facts, open_driver
from oauthdeploy.model.objects import Association, Client, Object, Revocation, Scope, Trust
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, LiveState, Policy, ServerState
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.plan import Plan, build_plan
from tests.drivers.webmethods.site import batches
from tests.servers.opa import Opa

PATH = "oauth/orders"
NAME = "orders"
OWNER = "payments"
KINDS = frozenset(Kind) - {Kind.SETTINGS}
LINK = Association()


def client(**fields: Any) -> Client:
    return Client.model_validate(fields)


def scope(**fields: Any) -> Scope:
    return Scope.model_validate(fields)


def trust(**fields: Any) -> Trust:
    return Trust.model_validate({"authorization_server": "login", "via": "jwt", **fields})


def cut(client: str, **fields: Any) -> Revocation:
    return Revocation.model_validate({"client": client, **fields})


def at(kind: Kind, name: str = "") -> Address:
    return Address(kind, name, NAME)


def link(client: str, scope: str) -> Address:
    return Address.association(client, scope, NAME)


@dataclass(frozen=True)
class Site:
    """One OPA, a path in its data, and who signs in."""

    opa: Opa
    path: str = PATH
    token: str | None = None
    tls: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, **limits: Any) -> Server:
        token = self.opa.token if self.token is None else self.token
        return Server.model_validate(
            {
                "role": "resource",
                "driver": "opa",
                "url": self.opa.url,
                "credentials": {"token": token} if token else {},
                "options": {"path": self.path},
                "tls": dict(self.tls),
                "limits": {"retries": 0, "timeout": 20, **limits},
            }
        )

    @contextmanager
    def driver(self, *, read_only: bool = False, **limits: Any) -> Iterator[Driver]:
        entry = self.entry(**limits)
        made = open_driver(NAME, entry, entry.credentials, entry.options, read_only=read_only, base=Path())
        try:
            yield made
        finally:
            made.close()

    def document(self) -> dict[str, Any]:
        return dict(self.opa.data(self.path))

    def put(self, document: Any) -> None:
        """Write past the driver."""
        answer = self.opa.call("PUT", f"/v1/data/{self.path}", document)
        assert answer.status_code == 204, answer.text

    def desired(
        self,
        objects: Mapping[Address, Object],
        *,
        absent: Sequence[Address] = (),
        prune: Mapping[str, str] | None = None,
        listed: Sequence[str] = (),
    ) -> DesiredState:
        return DesiredState(
            name=OWNER,
            servers={NAME: self.entry()},
            objects=objects,
            absent=frozenset(absent),
            listed_clients=frozenset(listed),
            associating=frozenset({NAME}),
            policy=Policy.model_validate({"prune": prune or {}}),
        )


def read(driver: Driver, desired: DesiredState, *, everything: bool = True) -> ServerState:
    return driver.read(Wanted(desired.objects, KINDS, desired.absent, everything=everything, owner=desired.name))


def plan_of(driver: Driver, desired: DesiredState) -> Plan:
    state = read(driver, desired)
    assert not state.unreadable, state.unreadable
    return build_plan(
        desired,
        LiveState({NAME: state}),
        driver_facts(),
        batch_key=lambda _server, change: driver.batch_key(change),
        writes=lambda _server, changes: driver.writes(changes),
    )


def carry_out(driver: Driver, changes: Sequence[Change]) -> Sequence[Applied]:
    """Apply batch by batch, as the engine does, and hold the driver to what it promised."""
    applied: list[Applied] = []
    for batch in batches(changes):
        before = driver.connection.http.requests
        made = driver.apply(batch)
        sent = driver.connection.http.requests - before
        assert [one.address for one in made] == [change.address for change in batch]
        assert sum(one.requests for one in made) == sent == driver.writes(batch)
        applied.extend(made)
    return applied


def converge(site: Site, objects: Mapping[Address, Object], **more: Any) -> Plan:
    """Plan and apply; then a fresh driver must find nothing to do."""
    desired = site.desired(objects, **more)
    with site.driver() as driver:
        plan = plan_of(driver, desired)
        applied = {one.address: one for one in carry_out(driver, plan.changes)}
    with site.driver(read_only=True) as fresh:
        assert not plan_of(fresh, desired).changes
        after = read(fresh, desired).objects
    for address, one in applied.items():
        if one.value is None:
            assert address not in after
        else:
            assert (after[address].value, after[address].fingerprint) == (one.value, one.fingerprint)
    return plan
