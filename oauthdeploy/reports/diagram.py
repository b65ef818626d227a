"""The diagram of a report: the graph of the manifest with the states of its objects on each server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.addresses import Kind
from oauthdeploy.model.state import DesiredState
from oauthdeploy.planning.outcome import Status
from oauthdeploy.reports.document import Item, Report
from oauthdeploy.reports.formatting import counted
from oauthdeploy.reports.graph import Badge, Edge, EdgeKind, Graph, Node, NodeKind, build_graph

MOST_NODES: Final = 150
"""More can be drawn, but would not be readable."""

_KINDS: Final = {Kind.CLIENT: NodeKind.CLIENT, Kind.SCOPE: NodeKind.SCOPE}


class Picture(Struct, frozen=True):
    """A graph, or the reason why there is none. `partial` is true if it shows only objects with items, and their neighbours."""

    graph: Graph | None
    words: str = ""
    partial: bool = False


_DRAWN: Final = (Kind.CLIENT, Kind.SCOPE, Kind.ASSOCIATION, Kind.REVOCATION)


def picture_of(report: Report) -> Picture:
    """The diagram of a report: of the whole manifest if it is small, otherwise of the part that the report is about."""
    about = [row.name for row in report.rows if next(iter(row.items.values())).address.kind in _DRAWN]
    partial = report.estate is not None and _size(report.estate) > MOST_NODES
    if len(about) > 2 * MOST_NODES or (partial and not about):
        return Picture(None, f"Too large to draw: it would show {counted(len(about), 'object')} of this report.")
    if report.estate is None:
        graph = Graph(report.name, (), ())
    else:
        graph = build_graph(report.estate, [_literal(name) for name in about] if partial else ())
    drawn = _with_states(graph, report)
    if not drawn.nodes:
        return Picture(None, "This report contains no clients, scopes or servers that can be drawn.")
    if len(drawn.nodes) > MOST_NODES:
        return Picture(None, f"Too large to draw: {drawn.summary}")
    return Picture(drawn, drawn.summary, partial)


def _size(estate: DesiredState) -> int:
    """The number of nodes of the whole manifest."""
    return len({(a.kind, a.name) for a in (*estate.objects, *estate.absent) if a.kind in _KINDS}) + len(estate.servers)


def _literal(name: str) -> str:
    """A glob that matches only this name."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _with_states(graph: Graph, report: Report) -> Graph:
    """The graph with the states of the report's rows, and with objects that only the report has."""
    states: dict[tuple[NodeKind, str], dict[str, Item]] = {}
    pairs: dict[tuple[str, str], Mapping[str, Item]] = {}
    for row in report.rows:
        address = next(iter(row.items.values())).address
        if address.kind is Kind.ASSOCIATION:
            pairs[address.client, address.scope] = row.items
        elif address.kind in _KINDS:
            states.setdefault((_KINDS[address.kind], address.name), {}).update(row.items)
        elif address.kind in (Kind.SETTINGS, Kind.TRUST):
            for server, item in row.items.items():
                states.setdefault((NodeKind.SERVER, server), {})[str(address.kind)] = item
    for client, scope in pairs:
        states.setdefault((NodeKind.CLIENT, client), {})
        states.setdefault((NodeKind.SCOPE, scope), {})
    nodes = _nodes(graph, report, states)
    ids = {(node.kind, node.name): node.id for node in nodes}
    return replace(graph, nodes=nodes, edges=tuple(_edges(graph, pairs, ids)))


def _nodes(graph: Graph, report: Report, states: Mapping[tuple[NodeKind, str], Mapping[str, Item]]) -> tuple[Node, ...]:
    known = {(node.kind, node.name): node for node in graph.nodes}
    for key in states:
        if key not in known:
            known[key] = Node(f"x{len(known)}", *key, lines=_lines(key, report))
    for server in report.servers:
        if (NodeKind.SERVER, server.name) not in known and (report.estate is None):
            known[NodeKind.SERVER, server.name] = Node(
                f"x{len(known)}", NodeKind.SERVER, server.name, (f"{server.role} server",)
            )
    order = {kind: number for number, kind in enumerate(NodeKind)}
    return tuple(
        replace(node, badges=tuple(_badge(where, item) for where, item in states.get(key, {}).items()))
        for key, node in sorted(known.items(), key=lambda entry: (order[entry[0][0]], entry[0][1]))
    )


def _lines(key: tuple[NodeKind, str], report: Report) -> tuple[str, ...]:
    """The node of an object that is not in the manifest."""
    kind, name = key
    if kind is NodeKind.SERVER:
        return tuple(f"{server.role} server" for server in report.servers if server.name == name)
    return ("not in the manifest",) if report.estate is not None else ()


def _badge(where: str, item: Item) -> Badge:
    style, word = _style_and_word(item)
    return Badge(where, item.state.symbol, style, f"{where}: {word}")


def _style_and_word(item: Item) -> tuple[str, str]:
    """Colour and word: those of the state, unless the change was not made."""
    if item.end is None or item.end.status is Status.DONE:
        return item.state.style, item.state.words
    return "faint" if item.end.status is Status.SKIPPED else "delete", f"{item.state.words}, {item.end.status.value}"


def _edges(
    graph: Graph, pairs: Mapping[tuple[str, str], Mapping[str, Item]], ids: Mapping[tuple[NodeKind, str], str]
) -> Iterator[Edge]:
    names = {node.id: node.name for node in graph.nodes}
    left = dict(pairs)
    for edge in graph.edges:
        items = left.pop((names[edge.source], names[edge.target]), None) if edge.kind is EdgeKind.MAY_ASK else None
        yield _with_state(edge, items) if items else edge
    for (client, scope), items in left.items():
        source, target = ids[NodeKind.CLIENT, client], ids[NodeKind.SCOPE, scope]
        yield _with_state(Edge(source, target, EdgeKind.MAY_ASK, f"{client} may request {scope}"), items)


def _with_state(edge: Edge, items: Mapping[str, Item]) -> Edge:
    seen = {server: _style_and_word(item) for server, item in items.items()}
    states = ", ".join(f"{word} on {server}" for server, (_, word) in seen.items())
    return replace(edge, title=f"{edge.title}: {states}", style=max(style for style, _ in seen.values()))
