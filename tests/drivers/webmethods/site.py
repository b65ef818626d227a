"""A live embedded server and the driver on it; `converge` is the whole road: read, plan, apply, read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import delete, select

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.drivers.base import Applied, Driver, Wanted
from oauthdeploy.drivers.registry import driver_facts, open_driver
from oauthdeploy.model.objects import Object
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, LiveState, Policy, PrunePolicy, ServerState
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.plan import Plan, build_plan
from oauthdeploy.server import Profile, RunningServer, SeedUser, ServerConfig, start
from oauthdeploy.server.app import state_of
from oauthdeploy.server.models import Base, Client, ClientAccount, ExternalServer, RemoteServer, Scope, User
from oauthdeploy.server.models import Settings as SettingsRow
from oauthdeploy.server.store import default_settings

ADMIN = ("Administrator", "manage-2f6d")
READER = ("reader", "look-9c1b")
NOBODY = ("nobody", "none-1a2b")
KINDS = frozenset(Kind)


@dataclass(frozen=True)
class Site:
    """One running server and how it was started."""

    running: RunningServer
    role: str
    takes_ids: bool
    strict: bool
    http: requests.Session

    def stop(self) -> None:
        self.http.close()
        self.running.stop()

    @property
    def url(self) -> str:
        return self.running.url

    def entry(self, user: tuple[str, str] = ADMIN, role: str | None = None) -> Server:
        return Server.model_validate(
            {
                "role": role or self.role,
                "driver": "webmethods",
                "url": self.url,
                "credentials": {"username": user[0], "password": user[1]},
                "limits": {"retries": 0, "timeout": 20},
            }
        )

    @contextmanager
    def driver(
        self, user: tuple[str, str] = ADMIN, *, read_only: bool = False, role: str | None = None
    ) -> Iterator[Driver]:
        entry = self.entry(user, role)
        made = open_driver("login", entry, entry.credentials, entry.options, read_only=read_only, base=Path())
        try:
            yield made
        finally:
            made.close()

    def raw(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        """A request past the driver."""
        answer = self.http.request(method, f"{self.url}/admin{path}", json=body, auth=ADMIN, timeout=20)
        if status is not None:
            assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def raw_client(self, client_id: str) -> dict[str, Any]:
        return dict(self.raw("GET", f"/oauth/client/{client_id}", status=200))

    def _ask_token(self, client_id: str, secret: str, **form: str) -> requests.Response:
        return self.http.post(
            f"{self.url}/invoke/pub.oauth/getToken",
            data={"grant_type": "client_credentials", **form},
            auth=(client_id, secret),
            timeout=20,
        )

    def token(self, client_id: str, secret: str, **form: str) -> dict[str, Any]:
        """A token by client credentials."""
        answer = self._ask_token(client_id, secret, **form)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def signs_in(self, client_id: str, secret: str) -> bool:
        """Whether the token endpoint takes the secret, whatever it says about the scope."""
        right, wrong = self._ask_token(client_id, secret), self._ask_token(client_id, secret + "x")
        assert wrong.json()["error"] == "invalid_client"
        return right.status_code == 200 or right.json()["error"] == "invalid_scope"

    def clear(self) -> None:
        """Take everything away that a test made, past the API, whose answers a profile may change."""
        with state_of(self.running.app).store.write() as session:
            made = session.scalars(select(ClientAccount.user)).all()
            session.execute(delete(User).where(User.name.in_(made)))
            tables: tuple[type[Base], ...] = (Client, Scope, ExternalServer, RemoteServer, SettingsRow)
            for table in tables:
                session.execute(delete(table))
            fresh = default_settings()
            fresh.require_https = False
            session.add(fresh)


def at(kind: Kind, name: str = "") -> Address:
    """The address of an object on the server of these tests."""
    return Address(kind, name, "login")


def link(client: str, scope: str) -> Address:
    return Address.association(client, scope, "login")


def desired_state(
    site: Site,
    objects: Mapping[Address, Object],
    *,
    absent: Sequence[Address] = (),
    moved: Mapping[Address, str] | None = None,
) -> DesiredState:
    return DesiredState(
        name="test",
        servers={"login": site.entry()},
        objects=objects,
        absent=frozenset(absent),
        moved=moved or {},
        policy=Policy(prune=PrunePolicy.model_validate({"associations": "none"})),
    )


@dataclass(frozen=True)
class Road:
    """What happened on the way from a manifest to a live server."""

    plan: Plan
    applied: Sequence[Applied]
    after: ServerState

    def of(self, address: Address) -> Applied:
        return next(one for one in self.applied if one.address == address)


def plan_of(driver: Driver, desired: DesiredState, *, everything: bool = True) -> tuple[Plan, ServerState]:
    kinds = {a.kind for a in (*desired.objects, *desired.absent)}
    if kinds & {Kind.ASSOCIATION, Kind.REVOCATION}:
        kinds.add(Kind.CLIENT)
    wanted = Wanted(desired.objects, frozenset(kinds), desired.absent, desired.moved, everything, owner=desired.name)
    state = driver.read(wanted)
    assert not state.unreadable, state.unreadable
    plan = build_plan(
        desired,
        LiveState({"login": state}),
        driver_facts(),
        batch_key=lambda _server, change: driver.batch_key(change),
        writes=lambda _server, changes: driver.writes(changes),
    )
    return plan, state


def findings_of(driver: Driver, desired: DesiredState) -> Sequence[Diagnostic]:
    wanted = Wanted(desired.objects, KINDS, desired.absent, desired.moved)
    return driver.unsupported(wanted, driver.check())


def batches(changes: Sequence[Change]) -> Sequence[Sequence[Change]]:
    """Changes that go together, in the order of the plan."""
    made: dict[tuple[int, str], list[Change]] = {}
    for change in changes:
        made.setdefault((change.stage.value, change.batch), []).append(change)
    return list(made.values())


def converge(
    site: Site,
    objects: Mapping[Address, Object],
    *,
    absent: Sequence[Address] = (),
    moved: Mapping[Address, str] | None = None,
    role: str | None = None,
) -> Road:
    """Plan and apply; then a fresh driver must find nothing to do, by lists and by keys."""
    desired = desired_state(site, objects, absent=absent, moved=moved)
    with site.driver(role=role) as driver:
        plan, _state = plan_of(driver, desired)
        applied: list[Applied] = []
        for batch in batches(plan.changes):
            before = driver.connection.http.requests
            made = driver.apply(batch)
            sent = driver.connection.http.requests - before
            assert [one.address for one in made] == [change.address for change in batch]
            assert sum(one.requests for one in made) == sent
            assert driver.writes(batch) == sent, f"{batch[0].address}: promised {driver.writes(batch)}, sent {sent}"
            applied.extend(made)
        again, after = plan_of(driver, desired)
        assert not again.changes, again.changes
        told = {one.address: one for one in applied if one.fingerprint and one.address.kind is not Kind.REVOCATION}
        for address, one in told.items():
            if one.value is not None and address in after.objects and list(told).count(address) == 1:
                assert after.objects[address].value == one.value
    with site.driver(read_only=True, role=role) as fresh:
        assert not plan_of(fresh, desired)[0].changes
    with site.driver(read_only=True, role=role) as fresh:
        by_key, few = plan_of(fresh, desired, everything=False)
        assert not by_key.changes
        for address in desired.objects.keys() & after.objects.keys():
            if address.kind is not Kind.REVOCATION:
                assert few.objects[address] == after.objects[address], "by key and by list tell the same"
    return Road(plan, applied, after)


def start_site(
    data_dir: Path, *, strict: bool, takes_ids: bool, role: str = "both", profile: Profile | None = None
) -> Site:
    users = (SeedUser(*ADMIN, ("Administrators",)), SeedUser(*READER, ("ReadOnlyAdministrators",)), SeedUser(*NOBODY))
    config = ServerConfig(
        role=role,  # type: ignore[arg-type]
        data_dir=data_dir,
        strict=strict,
        accept_client_id=takes_ids,
        profile=profile or Profile(),
        users=users,
    )
    http = requests.Session()
    http.trust_env = False
    site = Site(start(config), role, takes_ids, strict, http)
    site.clear()
    return site
