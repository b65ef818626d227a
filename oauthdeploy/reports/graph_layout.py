"""The layout of the diagram: three columns, ordered so that few lines cross. Pure numbers, equal for equal graphs.

Widths assume a monospaced font, in which the width of a character is 0.6 of the font size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.reports.console import cells, fitting
from oauthdeploy.reports.formatting import visible
from oauthdeploy.reports.graph import Edge, EdgeKind, Graph, Node, NodeKind

MARGIN: Final = 24
HEAD: Final = 56
GAP: Final = 10
NAME_SIZE: Final = 13
LINE_SIZE: Final = 11
NAME_STEP: Final = 17
LINE_STEP: Final = 14
PADDING: Final = 9
PORT: Final = 7
BADGE_STEP: Final = 22
"""The height of the line of badges."""

WIDTHS: Final = {NodeKind.CLIENT: 250, NodeKind.SCOPE: 270, NodeKind.SERVER: 250}
_BETWEEN: Final = 150
_FAR_BETWEEN: Final = 240
_MANY: Final = 20
"""With this many nodes in a column, boxes have only one line besides the name, and edges get more room."""

_TRUST_ROOM: Final = 110
_SWEEPS: Final = 8
_MOST_LINES: Final = 3
_EM: Final = 0.6
_PREFERRED: Final = " .-_/:@,"


class Box(Struct, frozen=True):
    """A node with its upper left corner, size, and the texts that fit into it."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    names: tuple[str, ...]
    lines: tuple[str, ...]


class Route(Struct, frozen=True):
    """An edge with its two ends."""

    edge: Edge
    x1: float
    y1: float
    x2: float
    y2: float


class Layout(Struct, frozen=True):
    """The whole diagram, in pixels. `columns` are the positions of the headings."""

    width: float
    height: float
    columns: Mapping[NodeKind, float]
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]


def lay_out(graph: Graph) -> Layout:
    """Place everything."""
    ordered = _ordered(graph)
    many = max(len(nodes) for nodes in ordered.values()) > _MANY
    columns: dict[NodeKind, float] = {}
    x: float = MARGIN
    for kind in NodeKind:
        columns[kind] = x
        x += WIDTHS[kind] + (_FAR_BETWEEN if many else _BETWEEN)
    ports = _port_counts(graph)
    stacks = {kind: _stack(ordered[kind], columns[kind], ports, many=many) for kind in NodeKind}
    bottom = max((_bottom(boxes) for boxes in stacks.values()), default=HEAD)
    boxes = tuple(_positioned(graph, stacks, bottom))
    routes = tuple(_routes(graph, boxes))
    trusts = any(edge.kind is EdgeKind.TRUSTS for edge in graph.edges)
    width = columns[NodeKind.SERVER] + WIDTHS[NodeKind.SERVER] + (_TRUST_ROOM if trusts else MARGIN)
    return Layout(width, bottom + MARGIN, columns, boxes, routes)


# -- order --------------------------------------------------------------------------------------------------------------


def _ordered(graph: Graph) -> dict[NodeKind, list[Node]]:
    """The nodes of each column from top to bottom, moved to the middle of their neighbours until no more crossings
    disappear.
    """
    order = {kind: list(graph.of(kind)) for kind in NodeKind}
    near = _neighbours(graph)
    best, least = {kind: list(nodes) for kind, nodes in order.items()}, _crossings(graph, order)
    kinds = list(NodeKind)
    for sweep in range(_SWEEPS):
        for kind in kinds[1:] if sweep % 2 == 0 else reversed(kinds[:-1]):
            place = {
                node.id: index / max(1, len(nodes)) for nodes in order.values() for index, node in enumerate(nodes)
            }
            middle = {node.id: _middle(node, near, place) for node in order[kind]}
            order[kind].sort(key=lambda node: (middle[node.id], node.name))
        crossed = _crossings(graph, order)
        if crossed < least:
            best, least = {kind: list(nodes) for kind, nodes in order.items()}, crossed
    return best


def _neighbours(graph: Graph) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        if edge.kind is not EdgeKind.TRUSTS:
            near[edge.source].append(edge.target)
            near[edge.target].append(edge.source)
    return near


def _middle(node: Node, near: Mapping[str, Sequence[str]], place: Mapping[str, float]) -> float:
    around = near[node.id]
    return sum(place[other] for other in around) / len(around) if around else place[node.id]


def _crossings(graph: Graph, order: Mapping[NodeKind, Sequence[Node]]) -> int:
    """The number of crossing pairs of edges: inversions, counted with a binary indexed tree for each pair of columns."""
    place = {node.id: index for nodes in order.values() for index, node in enumerate(nodes)}
    total = 0
    for kind in (EdgeKind.MAY_ASK, EdgeKind.OPENS):
        ends = sorted((place[edge.source], place[edge.target]) for edge in graph.edges if edge.kind is kind)
        size = max((end for _, end in ends), default=0) + 2
        tree = [0] * (size + 1)
        for seen, (_, end) in enumerate(ends):
            total += seen - _sum(tree, end + 1)
            at = end + 1
            while at <= size:
                tree[at] += 1
                at += at & -at
    return total


def _sum(tree: Sequence[int], at: int) -> int:
    found = 0
    while at > 0:
        found += tree[at]
        at -= at & -at
    return found


# -- positions ----------------------------------------------------------------------------------------------------------


def _port_counts(graph: Graph) -> dict[str, int]:
    """For each node the number of lines on its busier side."""
    left: dict[str, int] = {}
    right: dict[str, int] = {}
    for edge in graph.edges:
        if edge.kind is not EdgeKind.TRUSTS:
            right[edge.source] = right.get(edge.source, 0) + 1
            left[edge.target] = left.get(edge.target, 0) + 1
    return {node.id: max(left.get(node.id, 0), right.get(node.id, 0)) for node in graph.nodes}


def _stack(nodes: Sequence[Node], x: float, ports: Mapping[str, int], *, many: bool) -> list[Box]:
    boxes: list[Box] = []
    y: float = HEAD
    for node in nodes:
        width = WIDTHS[node.kind]
        names = fitted(node.name, width - 2 * PADDING, NAME_SIZE, 2)
        lines: list[str] = []
        for text in node.lines:
            room = (1 if many else _MOST_LINES) - len(lines)
            if room > 0:
                lines += fitted(text, width - 2 * PADDING, LINE_SIZE, min(2, room))
        height = 2 * PADDING + len(names) * NAME_STEP + len(lines) * LINE_STEP + (BADGE_STEP if node.badges else 0)
        height = max(height, ports[node.id] * PORT + 2 * PADDING)
        boxes.append(Box(node, x, y, width, height, tuple(names), tuple(lines)))
        y += height + GAP
    return boxes


def _bottom(boxes: Sequence[Box]) -> float:
    return boxes[-1].y + boxes[-1].height if boxes else HEAD


def _positioned(graph: Graph, stacks: Mapping[NodeKind, Sequence[Box]], bottom: float) -> Iterator[Box]:
    """The boxes at their heights: the fullest column is stacked evenly, the boxes of the others are placed beside their
    neighbours.
    """
    near = _neighbours(graph)
    fullest = max(NodeKind, key=lambda kind: _bottom(stacks[kind]))
    centres = {box.node.id: box.y + box.height / 2 for box in stacks[fullest]}
    others = sorted((kind for kind in NodeKind if kind is not fullest), key=lambda kind: kind is not NodeKind.SCOPE)
    placed = {fullest: list(stacks[fullest])}
    for kind in others:
        placed[kind] = list(_beside(stacks[kind], near, centres, bottom))
        centres |= {box.node.id: box.y + box.height / 2 for box in placed[kind]}
    for kind in NodeKind:
        yield from placed[kind]


def _beside(
    boxes: Sequence[Box], near: Mapping[str, Sequence[str]], centres: Mapping[str, float], bottom: float
) -> Iterator[Box]:
    """The boxes of a column, in their order, each as near to the middle of its neighbours as possible."""
    heights: list[float] = []
    free: float = HEAD
    for box in boxes:
        known = [centres[other] for other in near[box.node.id] if other in centres]
        wish = sum(known) / len(known) - box.height / 2 if known else free
        heights.append(max(free, wish))
        free = heights[-1] + box.height + GAP
    limit = bottom
    for index in reversed(range(len(boxes))):
        heights[index] = min(heights[index], limit - boxes[index].height)
        limit = heights[index] - GAP
    for box, y in zip(boxes, heights, strict=True):
        yield replace(box, y=round(y, 1))


def _routes(graph: Graph, boxes: Sequence[Box]) -> Iterator[Route]:
    """Edges leave and enter a box at separate points, in the order of their other ends."""
    by_id = {box.node.id: box for box in boxes}
    leaving: dict[str, list[Edge]] = {}
    entering: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        if edge.kind is not EdgeKind.TRUSTS:
            leaving.setdefault(edge.source, []).append(edge)
            entering.setdefault(edge.target, []).append(edge)
    starts = {
        edge: y for id, edges in leaving.items() for edge, y in _ports(by_id[id], edges, lambda e: by_id[e.target].y)
    }
    ends = {
        edge: y for id, edges in entering.items() for edge, y in _ports(by_id[id], edges, lambda e: by_id[e.source].y)
    }
    for edge in graph.edges:
        source, target = by_id[edge.source], by_id[edge.target]
        if edge.kind is EdgeKind.TRUSTS:
            x1, y1 = source.x + source.width, source.y + source.height / 2
            yield Route(edge, x1, round(y1, 1), target.x + target.width, round(target.y + target.height / 2, 1))
        else:
            yield Route(edge, source.x + source.width, starts[edge], target.x, ends[edge])


def _ports(box: Box, edges: Sequence[Edge], other: Callable[[Edge], float]) -> Iterator[tuple[Edge, float]]:
    step = (box.height - 2 * PADDING) / len(edges)
    for index, edge in enumerate(sorted(edges, key=lambda edge: (other(edge), edge.source, edge.target))):
        yield edge, round(box.y + PADDING + step * (index + 0.5), 1)


# -- texts --------------------------------------------------------------------------------------------------------------


def fitted(text: str, width: float, size: float, most: int) -> list[str]:
    """A text in at most `most` lines of a width in pixels, broken at separators if it has some, and shortened if it is too
    long.
    """
    room = max(4, int(width / (size * _EM)))
    rest = visible(text)
    lines: list[str] = []
    while rest and len(lines) < most:
        if cells(rest) <= room:
            lines.append(rest)
            break
        last = len(lines) == most - 1
        head = fitting(rest, room - 1 if last else room)
        if last:
            lines.append(f"{head.rstrip()}\u2026")
            break
        cut = max(head.rfind(joint) for joint in _PREFERRED) + 1
        head = head[:cut] if cut > len(head) // 2 else head
        lines.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    return lines or [""]
