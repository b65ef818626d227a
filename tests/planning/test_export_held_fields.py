"""An export writes what the drivers of the servers declare, and nothing else that they tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.capabilities import DriverFacts, HeldField, every_field, no, table_for, yes
from oauthdeploy.model.objects import MODEL_OF
from oauthdeploy.model.servers import Role
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.values import ExportOptions
from oauthdeploy.planning.inventory import Inventory
from tests.planning.builders import FACTS, authorization_server, desired, live, settings

SERVERS = {"as": authorization_server()}
CASES = [
    (Kind.SETTINGS, "require_pkce", {"require_pkce": True, "require_https": True}),
    (Kind.SCOPE, "description", {"description": "Read orders", "resources": ["orders.v1"]}),
    (Kind.CLIENT, "contacts", {"contacts": ["ops@example.com"], "description": "The shop"}),
    (Kind.CLIENT, "tokens.refresh_count", {"tokens": {"refresh_count": 3, "access_lifetime": 60}}),
]


def exported(facts: DriverFacts, kind: Kind, value: Any) -> set[str]:
    """The fields that an export of one live object writes."""
    address = settings("as") if kind is Kind.SETTINGS else Address(kind, "thing", "as")
    inventory = Inventory(
        desired({}, servers=SERVERS),
        live({address: value}, servers=SERVERS),
        {"fake": facts},
        {"as": table_for(facts, Role.AUTHORIZATION)},
    )
    found = export(inventory, ExportOptions(full=True))
    assert [item.rule for item in found.findings] == []
    written: Mapping[str, Any] = found.settings.common if kind is Kind.SETTINGS else {}
    for edit in (*found.scopes, *found.clients):
        written = {**written, **edit.values}
    return {path for path, value in written.items() if value is not None}


def without(kind: Kind, path: str, *, named: bool) -> DriverFacts:
    """A driver that holds everything but a field: which it names with its reason, or not at all."""
    held = {one: dict(fields) for one, fields in every_field(yes()).items()}
    del held[kind][path]
    if named:
        held[kind][path] = HeldField(no("not here"))
    return replace(FACTS["fake"], fields=dict.fromkeys(Role, held))


@pytest.mark.parametrize("named", [True, False], ids=["refused", "not named"])
@pytest.mark.parametrize(("kind", "path", "fields"), CASES)
def test_an_export_leaves_out_what_the_driver_does_not_declare(
    kind: Kind, path: str, fields: Mapping[str, Any], named: bool
) -> None:
    """Whatever its server tells: the manifest that writes the field would be refused. Every other field stays."""
    value = MODEL_OF[kind].model_validate(fields)
    everything = exported(FACTS["fake"], kind, value)
    assert path in everything
    assert exported(without(kind, path, named=named), kind, value) == everything - {path}
