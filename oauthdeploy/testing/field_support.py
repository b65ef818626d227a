"""The promise about fields, without a server: a driver holds a field, or a manifest that writes it is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oauthdeploy.core.addresses import Kind
from oauthdeploy.manifest.document import ClientEntry, Document, ScopeEntry, SettingsEntry
from oauthdeploy.manifest.held_part import held_part
from oauthdeploy.manifest.placement import place_objects
from oauthdeploy.manifest.rules.context import RuleContext
from oauthdeploy.manifest.rules.supported import not_supported
from oauthdeploy.model.capabilities import Capability, DriverFacts, field_name, supports, table_for
from oauthdeploy.model.held_fields import fields_of
from oauthdeploy.model.objects import MODEL_OF, Settings, needed_on
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.planning.normalize import flatten
from oauthdeploy.testing.scenarios import SCENARIOS
from oauthdeploy.testing.scenarios.fields import two_values

KINDS = {Kind.SETTINGS: Capability.SETTINGS, Kind.SCOPE: Capability.SCOPES, Kind.CLIENT: Capability.CLIENTS}
"""The kinds whose fields a manifest writes, each with the capability of having such objects at all."""

_SERVER = "server"


def broken_promises(facts: DriverFacts) -> list[str]:
    """The fields, by role, that a driver neither holds with a scenario that shows it nor has refused by name."""
    return [problem for role in sorted(facts.roles) if facts.writable for problem in _in_role(facts, role)]


def _in_role(facts: DriverFacts, role: Role) -> Iterator[str]:
    proved = {told.proves for told in SCENARIOS.values()}
    for kind, able in KINDS.items():
        if not supports(table_for(facts, role), able):
            continue
        for path in fields_of(kind):
            name = field_name(kind, path)
            refused, given = _written(facts, role, kind, path)
            if facts.held(role, kind, path).support:
                if refused:
                    yield f"{role}: {name} is declared as held, and refused"
                if name not in proved:
                    yield f"{role}: {name} is declared as held, and no scenario shows it"
                if not given and role.sides & needed_on(MODEL_OF[kind], path):
                    yield f"{role}: {name} is declared as held, and the driver is never given it"
            elif not refused:
                yield f"{role}: {name} isn't held, and a manifest that writes it is not refused"
            elif given:
                yield f"{role}: {name} isn't held, and the driver is given it"


def _written(facts: DriverFacts, role: Role, kind: Kind, path: str) -> tuple[bool, bool]:
    """Whether a field of a manifest for one server is refused by name, and whether the driver would be given it."""
    head, _, inside = path.partition(".")
    value = two_values(kind, path)[0]
    written: dict[str, Any] = {head: {inside: value} if inside else value}
    sections: dict[str, Any]
    match kind:
        case Kind.SETTINGS:
            sections = {"settings": SettingsEntry(overrides={_SERVER: Settings(**written)})}
        case Kind.SCOPE:
            sections = {"scopes": {"orders.read": ScopeEntry(**written)}}
        case _:
            sections = {"clients": {"web-shop": ClientEntry(**written)}}
    server = Server(role=role, driver=facts.name, url="https://server.example.com")
    document = Document(version=1, name="fields", servers={_SERVER: server}, **sections)
    drivers = {facts.name: facts}
    desired, _problems = place_objects(document, drivers, {})
    context = RuleContext(document, desired, drivers)
    name = field_name(kind, path)
    refused = any(f"{_SERVER} doesn't offer {name}" in item.detail for item in not_supported.diagnose(context))
    given = any(path in flatten(value) for value in held_part(desired, drivers).objects.values())
    return refused, given
