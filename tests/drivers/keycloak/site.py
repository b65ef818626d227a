"""A realm of a real Keycloak and the driver on it; `converge` is the whole road: read, plan, apply, read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.drivers.base import Applied, Driver, Wanted
from oauthdeploy.drivers.registry import open_driver
from oauthdeploy.model.objects import Client, Object, Scope, Settings
from oauthdeploy.model.servers import Server
from oauthdeploy.model.state import DesiredState, Policy
from tests.drivers.webmethods.site import Road, batches, plan_of
from tests.servers.keycloak import Realm

KINDS = frozenset(Kind) - {Kind.TRUST}
OWNER = "test"


def client(**fields: Any) -> Client:
    return Client.model_validate(fields)


def scope(**fields: Any) -> Scope:
    return Scope.model_validate(fields)


def settings(**fields: Any) -> Settings:
    return Settings.model_validate(fields)


@dataclass(frozen=True)
class Site:
    """One realm, and who signs in to manage it; default: the administrator of the server."""

    realm: Realm
    credentials: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, **limits: Any) -> Server:
        server = self.realm.server
        return Server.model_validate(
            {
                "role": "authorization",
                "driver": "keycloak",
                "url": server.url,
                "credentials": self.credentials or {"username": server.username, "password": server.password},
                "options": {"realm": self.realm.name, **self.options},
                "limits": {"retries": 0, "timeout": 60, **limits},
            }
        )

    @contextmanager
    def driver(self, *, read_only: bool = False, **limits: Any) -> Iterator[Driver]:
        entry = self.entry(**limits)
        made = open_driver("login", entry, entry.credentials, entry.options, read_only=read_only, base=Path())
        try:
            yield made
        finally:
            made.close()

    def desired(
        self,
        objects: Mapping[Address, Object],
        *,
        absent: Sequence[Address] = (),
        moved: Mapping[Address, str] | None = None,
        prune: Mapping[str, str] | None = None,
        listed: Sequence[str] = (),
        name: str = OWNER,
    ) -> DesiredState:
        return DesiredState(
            name=name,
            servers={"login": self.entry()},
            objects=objects,
            absent=frozenset(absent),
            moved=moved or {},
            listed_clients=frozenset(listed),
            policy=Policy.model_validate({"prune": {"associations": "none", **(prune or {})}}),
        )

    def account(self, client_id: str, *roles: str) -> Site:
        """The same realm, managed by a service account with those roles of realm-management."""
        secret = f"secret-of-{client_id}"
        body = {"clientId": client_id, "secret": secret, "serviceAccountsEnabled": True, "standardFlowEnabled": False}
        uuid = self.realm.add("/clients", body)
        user = self.realm.get(f"/clients/{uuid}/service-account-user")["id"]
        management = self.realm.client("realm-management")["id"]
        given = [self.realm.get(f"/clients/{management}/roles/{role}") for role in roles]
        path = f"/users/{user}/role-mappings/clients/{management}"
        assert self.realm.call("POST", path, given).status_code == 204
        credentials = {"realm": self.realm.name, "client_id": client_id, "client_secret": secret}
        return Site(self.realm, credentials, self.options)

    def scope(self, name: str) -> Any:
        """The JSON of a client scope."""
        (found,) = [one for one in self.realm.get("/client-scopes") if one["name"] == name]
        return found

    def can_sign_in(self, client_id: str, secret: str) -> bool:
        return self.realm.token(client_id, secret).status_code == 200


def converge(
    site: Site,
    objects: Mapping[Address, Object],
    *,
    absent: Sequence[Address] = (),
    moved: Mapping[Address, str] | None = None,
    prune: Mapping[str, str] | None = None,
    listed: Sequence[str] = (),
) -> Road:
    """Plan and apply; then fresh drivers must find nothing to do, by pages and by keys."""
    desired = site.desired(objects, absent=absent, moved=moved, prune=prune, listed=listed)
    with site.driver() as driver:
        plan, _state = plan_of(driver, desired)
        applied: list[Applied] = []
        for batch in batches(plan.changes):
            before = driver.connection.http.requests
            made = driver.apply(batch)
            sent = driver.connection.http.requests - before
            assert [one.address for one in made] == [change.address for change in batch]
            assert sum(one.requests for one in made) == sent
            applied.extend(made)
        again, after = plan_of(driver, desired)
        assert not again.changes, again.changes
        told = {one.address: one for one in applied if one.fingerprint and one.address.kind is not Kind.REVOCATION}
        for address, one in told.items():
            if one.value is not None and address in after.objects and list(told).count(address) == 1:
                assert after.objects[address].value == one.value
    with site.driver(read_only=True) as fresh:
        assert not plan_of(fresh, desired)[0].changes
    with site.driver(read_only=True) as fresh:
        by_key, few = plan_of(fresh, desired, everything=False)
        assert not by_key.changes
        for address in desired.objects.keys() & after.objects.keys():
            if address.kind is not Kind.REVOCATION:
                assert few.objects[address] == after.objects[address], "by key and by list tell the same"
    return Road(plan, applied, after)


def findings_of(site: Site, objects: Mapping[Address, Object], *absent: Address) -> Sequence[Diagnostic]:
    """What the driver finds about a manifest, after it has read the realm."""
    with site.driver(read_only=True) as driver:
        wanted = Wanted(objects, KINDS, frozenset(absent))
        driver.read(wanted)
        return driver.unsupported(wanted, driver.check())
