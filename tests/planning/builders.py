"""Small estates: an authorization server `as`, resource servers that trust it, and a driver that can do everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.core.diagnostics import Diagnostic
from oauthdeploy.model.capabilities import Capability, DriverFacts, HeldFields, every_field, no, yes
from oauthdeploy.model.fields import Model
from oauthdeploy.model.objects import Association, Client, Object, Scope
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import (
    DesiredState,
    LiveObject,
    LiveState,
    Ownership,
    Policy,
    PolicyLimits,
    Prune,
    PrunePolicy,
    ServerState,
    TokenCount,
)
from oauthdeploy.planning.changes import Change
from oauthdeploy.planning.plan import Plan, build_plan

UNTIL = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ASSOCIATION = Association()


class NoSettings(Model):
    """A driver that needs nothing."""


def with_defaults(defaults: Mapping[Kind, Mapping[str, Any]]) -> HeldFields:
    """Every field, held, with these defaults."""
    return {
        kind: {path: replace(held, default=defaults.get(kind, {}).get(path)) for path, held in fields.items()}
        for kind, fields in every_field(yes()).items()
    }


def facts(
    *, without: Iterable[Capability] = (), defaults: Mapping[Kind, Mapping[str, Any]] | None = None
) -> Mapping[str, DriverFacts]:
    """One driver, `fake`, that can do everything but `without`."""
    missing = set(without)
    table = {capability: no("not here") if capability in missing else yes() for capability in Capability}
    made = DriverFacts(
        name="fake",
        title="Fake",
        roles=frozenset(Role),
        credentials=NoSettings,
        options=NoSettings,
        capabilities=dict.fromkeys(Role, table),
        fields=dict.fromkeys(Role, with_defaults(defaults or {})),
    )
    return {"fake": made}


FACTS = facts()


def authorization_server(**more: Any) -> Server:
    return Server(role=Role.AUTHORIZATION, driver="fake", **more)


def resource_server(trusts: str = "as", role: Role = Role.RESOURCE, **more: Any) -> Server:
    return Server(role=role, driver="fake", authorization_server=trusts, **more)


TWO_SIDES: Mapping[str, Server] = {"as": authorization_server(), "rs": resource_server()}


def client(name: str, server: str = "as") -> Address:
    return Address(Kind.CLIENT, name, server)


def scope(name: str, server: str = "as") -> Address:
    return Address(Kind.SCOPE, name, server)


def association(client_name: str, scope_name: str, server: str = "as") -> Address:
    return Address.association(client_name, scope_name, server)


def trust(server: str = "rs") -> Address:
    return Address.singleton(Kind.TRUST, server)


def settings(server: str = "as") -> Address:
    return Address.singleton(Kind.SETTINGS, server)


def revocation(name: str, server: str = "as") -> Address:
    return Address(Kind.REVOCATION, name, server)


def empty(address: Address) -> Object:
    """The smallest object of a scope, client or association."""
    found: Mapping[Kind, Object] = {Kind.SCOPE: Scope(), Kind.CLIENT: Client(), Kind.ASSOCIATION: ASSOCIATION}
    return found[address.kind]


def desired(
    objects: Mapping[Address, Object] | Iterable[Address] = (),
    *,
    servers: Mapping[str, Server] = TWO_SIDES,
    prune: PrunePolicy | None = None,
    protect: tuple[str, ...] = (),
    limits: PolicyLimits | None = None,
    **more: Any,
) -> DesiredState:
    found = dict(objects) if isinstance(objects, Mapping) else {address: empty(address) for address in objects}
    policy = Policy(prune=prune or PrunePolicy(), protect=protect, limits=limits or PolicyLimits())
    return DesiredState(name="estate", servers=servers, objects=found, policy=policy, **more)


def live(
    objects: Mapping[Address, Object | LiveObject] | Iterable[Address] = (),
    *,
    servers: Iterable[str] = TWO_SIDES,
    unreadable: Iterable[tuple[str, Kind]] = (),
) -> LiveState:
    given = dict(objects) if isinstance(objects, Mapping) else {address: empty(address) for address in objects}
    hidden = list(unreadable)
    states = {}
    for name in servers:
        mine = {address: there(value) for address, value in given.items() if address.server == name}
        why = {
            kind: Diagnostic("unreadable", f"The {kind}s cannot be read") for server, kind in hidden if server == name
        }
        states[name] = ServerState(name, mine, why, requests=2)
    return LiveState(states)


def there(value: Object | LiveObject, **more: Any) -> LiveObject:
    """A live object; its fingerprint is made from what it holds."""
    made = value if isinstance(value, LiveObject) else LiveObject(value, fingerprint=f"f-{value!r}")
    return replace(made, **more) if more else made


OURS = {"ownership": Ownership.OURS, "owner": "estate"}
FOREIGN = {"ownership": Ownership.FOREIGN, "owner": "somebody"}
FULL = PrunePolicy(clients=Prune.FULL, scopes=Prune.FULL, associations=Prune.FULL)
MANAGED = PrunePolicy(clients=Prune.MANAGED, scopes=Prune.MANAGED, associations=Prune.MANAGED)


def tokens(active: int, *, endless: bool = False) -> TokenCount:
    return TokenCount(active=active, total=active + 1, until=None if endless else UNTIL, endless=endless)


def plan_of(wanted: DesiredState, state: LiveState, **more: Any) -> Plan:
    return build_plan(wanted, state, more.pop("facts", FACTS), **more)


def by_address(changes: Iterable[Change]) -> dict[str, Change]:
    """The changes by written address; fails where one address has two."""
    listed = list(changes)
    found = {str(change.address): change for change in listed}
    assert len(found) == len(listed), "two changes for one address"
    return found


def actions(changes: Iterable[Change]) -> dict[str, str]:
    """Written address -> action."""
    return {written: change.action.value for written, change in by_address(changes).items()}
