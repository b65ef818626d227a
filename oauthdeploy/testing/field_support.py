"""Checks without a server that a driver holds each field, or that a manifest that writes it is refused by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.document import AssociationEntry, ClientEntry, Document, ScopeEntry, SettingsEntry
from oauthdeploy.manifest.held_part import held_part
from oauthdeploy.manifest.placement import place_objects
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.manifest.rules.servers import field_without_use
from oauthdeploy.manifest.rules.supported import not_supported
from oauthdeploy.model.capabilities import Capability, DriverFacts, field_name, supports, table_for
from oauthdeploy.model.fields import Model
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import MODEL_OF, Settings, Trust, needed_on
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.planning.normalize import flatten
from oauthdeploy.testing.scenarios import SCENARIOS
from oauthdeploy.testing.scenarios.fields import WAYS, trust_entries, two_values

KINDS = {
    Kind.SETTINGS: Capability.SETTINGS,
    Kind.SCOPE: Capability.SCOPES,
    Kind.CLIENT: Capability.CLIENTS,
    Kind.TRUST: Capability.TRUST,
    Kind.ASSOCIATION: Capability.ASSOCIATIONS,
}
"""The kinds whose fields a manifest writes, each with the capability to hold such objects at all."""

_SERVER = "server"
_NO_OPTIONS = Model()
_TRUSTED: tuple[Mapping[str, Any], ...] = (
    {"introspection": {"endpoint": "https://login.example.com/introspect", "client_id": "rs"}},
    {"issuer": "https://login.example.com", "jwks_uri": "https://login.example.com/keys"},
)
"""The entries of an authorization server that introspects tokens, and of one whose tokens are verified with its keys."""


def broken_promises(facts: DriverFacts) -> list[str]:
    """The fields, by role, that a driver neither holds with a scenario that shows it nor refuses by name."""
    return [problem for role in sorted(facts.roles) if facts.writable for problem in _in_role(facts, role)]


def _in_role(facts: DriverFacts, role: Role) -> Iterator[str]:
    proved = {scenario.proves for scenario in SCENARIOS.values()}
    for kind, able in KINDS.items():
        if not supports(table_for(facts, role), able):
            continue
        for path in fields_of(kind):
            name = field_name(kind, path)
            support = facts.held_field(role, kind, path).support
            if support and name not in proved:
                yield f"{role}: {name} is declared as held, and no scenario shows it"
            if kind is Kind.TRUST:
                yield from _without_use(facts, role, path)
            for refused, given in outcomes(facts, role, kind, path):
                if support and refused:
                    yield f"{role}: {name} is declared as held, and refused"
                if support and not given and (kind is Kind.TRUST or role.sides & needed_on(MODEL_OF[kind], path)):
                    yield f"{role}: {name} is declared as held, and the driver never receives it"
                if not support and not refused:
                    yield f"{role}: {name} is not held, and a manifest that writes it is not refused"
                elif not support and given:
                    yield f"{role}: {name} is not held, and the driver receives it"


def _without_use(facts: DriverFacts, role: Role, path: str) -> Iterator[str]:
    """The ways of checking tokens for which a field of a trust is dropped without a finding."""
    declared = facts.held_field(role, Kind.TRUST, path)
    for document in _documents(facts, role, Kind.TRUST, path):
        context = _context(document, facts)
        trust = context.desired.objects.get(Address.singleton(Kind.TRUST, _SERVER))
        if not isinstance(trust, Trust) or not supports(table_for(facts, role), WAYS[trust.via]):
            continue
        named = {item.path[-1] for item in field_without_use.diagnose(context) if item.path}
        if path not in _given(context, trust) and declared.support and path not in named:
            yield f"{role}: trust.{path} has no use via {trust.via}, and a manifest that writes it gets no finding"
        elif path in _given(context, trust) and not declared.is_used_via(trust.via):
            yield f"{role}: trust.{path} has no use via {trust.via}, and the driver receives it"


def _given(context: RuleContext, trust: Trust) -> Collection[str]:
    part = held_part(context.desired, context.drivers).objects.get(Address.singleton(Kind.TRUST, _SERVER), trust)
    return flatten(part)


def _context(document: Document, facts: DriverFacts) -> RuleContext:
    drivers = {"external": driver_facts()["external"], facts.name: facts}
    desired, _problems = place_objects(document, drivers, dict.fromkeys(document.servers, _NO_OPTIONS))
    return RuleContext(document, desired, drivers)


def outcomes(facts: DriverFacts, role: Role, kind: Kind, path: str) -> Iterator[tuple[bool, bool]]:
    """For each manifest that writes a field: whether it is refused by name, and whether the driver would receive the field."""
    for document in _documents(facts, role, kind, path):
        context = _context(document, facts)
        desired = context.desired
        found = [item.detail for item in not_supported.diagnose(context)]
        if kind is Kind.TRUST:
            trust = desired.objects.get(Address.singleton(Kind.TRUST, _SERVER))
            if not isinstance(trust, Trust) or path not in flatten(trust):
                continue
            if not facts.held_field(role, kind, path).is_used_via(trust.via):
                continue
            if any(f"{_SERVER} does not offer {WAYS[trust.via]}" in detail for detail in found):
                continue
        refused = any(f"{_SERVER} does not offer {field_name(kind, path)}" in detail for detail in found)
        yield refused, any(path in flatten(value) for value in held_part(desired, context.drivers).objects.values())


def _documents(facts: DriverFacts, role: Role, kind: Kind, path: str) -> Iterator[Document]:
    """Manifests that write a field for one server. A trust takes two entries, and one manifest for each way."""
    head, _, inside = path.partition(".")
    value = two_values(kind, path)[0]
    written: dict[str, Any] = {head: {inside: value} if inside else value}
    own: dict[str, Any] = {"role": role, "driver": facts.name, "url": "https://server.example.com"}
    match kind:
        case Kind.SETTINGS:
            yield _document(own, settings=SettingsEntry(overrides={_SERVER: Settings(**written)}))
        case Kind.SCOPE:
            yield _document(own, scopes={"orders.read": ScopeEntry(**written)})
        case Kind.CLIENT:
            yield _document(own, clients={"web-shop": ClientEntry(**written)})
        case Kind.ASSOCIATION:
            yield _document(
                own,
                scopes={"orders.read": ScopeEntry()},
                clients={"web-shop": ClientEntry()},
                associations=(AssociationEntry(client="web-shop", scopes=("orders.read",), **written),),
            )
        case _:
            other = {"role": Role.AUTHORIZATION, "driver": facts.name, "url": "https://login.example.com"}
            for trusted in (other, *({**other, "driver": "external", **more} for more in _TRUSTED)):
                entries = trust_entries(path, value, trusted)
                if entries is not None:
                    resource = {**own, "authorization_server": "login", **entries[0]}
                    resource["authorization_server"] = "login"
                    yield _document(resource, {**trusted, **entries[1]})


def _document(server: Mapping[str, Any], trusted: Mapping[str, Any] | None = None, **sections: Any) -> Document:
    entries = {_SERVER: server, **({"login": trusted} if trusted is not None else {})}
    servers = {name: Server.model_validate(entry) for name, entry in entries.items()}
    return Document(version=1, name="fields", servers=servers, **sections)
