"""The picture of a report: the state of each side on what the estate is made of."""

from __future__ import annotations

from msgspec.structs import replace

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Client
from oauthdeploy.planning.plan import Plan
from oauthdeploy.reports.builders.plan import plan_report
from oauthdeploy.reports.diagram import MOST_NODES, picture_of
from oauthdeploy.reports.document import ManifestView, Report
from oauthdeploy.reports.graph import EdgeKind, NodeKind
from tests.reports import samples
from tests.reports.every import REPORTS, many, quickstart


def test_each_node_has_the_state_of_each_side() -> None:
    """A badge for each server on which something is done, in the words of the report."""
    found = picture_of(REPORTS["plan-first"]())
    assert found.graph is not None
    badges = {(node.kind, node.name): [badge.title for badge in node.badges] for node in found.graph.nodes}
    assert badges[NodeKind.CLIENT, "nightly-batch"] == ["login: create", "orders: create"]
    assert badges[NodeKind.CLIENT, "web-shop"] == []
    assert badges[NodeKind.SERVER, "login"] == ["settings: update"]
    assert badges[NodeKind.SERVER, "orders"] == ["trust: create"]
    edges = {edge.title: edge.style for edge in found.graph.edges if edge.kind is EdgeKind.MAY_ASK}
    assert edges["nightly-batch may request reports.read: create on login"] == "create"
    assert edges["web-shop may request orders.read"] == ""


def test_what_only_a_server_has_is_in_the_picture() -> None:
    """An association that goes has a client that the manifest need not name."""
    report = replace(REPORTS["plan-second"](), estate=quickstart())
    found = picture_of(report)
    assert found.graph is not None
    legacy = next(node for node in found.graph.nodes if node.name == "legacy")
    assert legacy.lines == ("not in the manifest",)
    assert any(edge.style == "delete" and edge.source == legacy.id for edge in found.graph.edges)


def test_a_change_that_failed_is_told_as_such() -> None:
    """The picture of an apply is of what happened, not of what was planned."""
    found = picture_of(REPORTS["apply-partial"]())
    assert found.graph is not None
    batch = next(node for node in found.graph.nodes if node.name == "nightly-batch")
    assert [(badge.title, badge.style) for badge in batch.badges] == [
        ("login: create, failed", "delete"),
        ("orders: create, unknown", "delete"),
    ]
    assert {edge.style for edge in found.graph.edges} == {"faint"}


def _large(changed: int) -> Report:
    """An estate of three thousand clients, of which some are changed."""
    estate = quickstart()
    clients = {Address(Kind.CLIENT, f"c{number}", "login"): Client() for number in range(3_000)}
    changes = tuple(samples.create(f"client/c{number}@login", ("name", "x")) for number in range(changed))
    view = ManifestView(desired=replace(estate, objects={**estate.objects, **clients}))
    return plan_report(Plan("large", changes, samples.SERVERS), view)


def test_of_a_large_estate_only_what_is_changed_is_drawn() -> None:
    """With what it is joined to; and where that is too much too, it is said in words, without trying."""
    found = picture_of(_large(3))
    assert found.graph is not None
    assert found.partial
    assert [node.name for node in found.graph.of(NodeKind.CLIENT)] == ["c0", "c1", "c2"]
    assert picture_of(_large(0)).graph is None
    for report in (_large(1_000), _large(MOST_NODES + 1), many(2_000)):
        assert picture_of(report).graph is None
        assert picture_of(report).words.startswith("Too large to draw")


def test_a_name_that_looks_like_a_glob_is_that_name() -> None:
    """Names come from servers."""
    estate = _large(0).estate
    assert estate is not None
    odd = "client/[a*]?"
    clients = {Address.parse(f"{odd}@login"): Client(), Address.parse("client/aab@login"): Client()}
    view = ManifestView(desired=replace(estate, objects={**estate.objects, **clients}))
    report = plan_report(Plan("odd", (samples.create(f"{odd}@login", ("name", "x")),), samples.SERVERS), view)
    found = picture_of(report)
    assert found.graph is not None
    assert [node.name for node in found.graph.of(NodeKind.CLIENT)] == ["[a*]?"]
