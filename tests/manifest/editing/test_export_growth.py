"""The work of an export grows with what it exports, not with its square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from oauthdeploy.core.addresses import Address
from oauthdeploy.manifest.editing.export_merge import write_export
from oauthdeploy.manifest.source import Source
from oauthdeploy.model.capabilities import table_for
from oauthdeploy.model.objects import Client, Object, Scope
from oauthdeploy.planning.export.builder import export
from oauthdeploy.planning.export.values import ExportOptions
from oauthdeploy.planning.inventory import Inventory
from tests.planning.builders import ASSOCIATION, FACTS, association, authorization_server, client, desired, live, scope

SERVERS = {"as": authorization_server()}
TEXT = """\
version: 1
name: estate
servers:
  as: {role: authorization, driver: fake}
associations:
  - {client: other, scopes: [scope-0]}
"""


def steps(work: Callable[[], object]) -> int:
    """The lines of Python that `work` runs; each turn of a loop or comprehension counts, however long the machine takes."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def estate(clients: int) -> Callable[[], object]:
    """The export of so many clients with two scopes each into a manifest that has none of them."""
    there: dict[Address, Object] = {}
    for number in range(clients):
        name = f"client-{number:04}"
        there[client(name)] = Client(description=name)
        for one in (number, number + 1):
            there[scope(f"scope-{one % clients}")] = Scope()
            there[association(name, f"scope-{one % clients}")] = ASSOCIATION
    inventory = Inventory(
        desired({}, servers=SERVERS),
        live(there, servers=SERVERS),
        FACTS,
        {"as": table_for(FACTS["fake"], SERVERS["as"].role)},
    )
    return lambda: write_export([Source("m.yaml", TEXT)], export(inventory, ExportOptions()))


def test_four_times_the_clients_take_four_times_the_steps() -> None:
    """Neither the values of an export nor the edits of its file are looked for among all others."""
    estate(10)()
    few, many = steps(estate(50)), steps(estate(200))
    assert many <= 4.4 * few, (few, many)
