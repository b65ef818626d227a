"""The graph in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from oauthdeploy.reports.formatting import visible
from oauthdeploy.reports.graph import Edge, EdgeKind, Graph, Mark, Node, NodeKind, shortened

_SHAPES: Final = {NodeKind.CLIENT: "box", NodeKind.SCOPE: "box", NodeKind.SERVER: "cylinder"}
_RED: Final = 'color="#d1242f", style="dashed"'


def dot_text(graph: Graph) -> str:
    """The graph as a DOT digraph, from left to right."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield f"digraph {_quoted(graph.name)} {{"
    yield f"  graph [rankdir=LR, ranksep=1.5, newrank=true, tooltip={_quoted(graph.summary)}]"
    yield '  node [fontname="Helvetica", fontsize=11, style="rounded", margin="0.15,0.08"]'
    yield '  edge [fontname="Helvetica", fontsize=9, color="#57606a"]'
    for kind in NodeKind:
        nodes = graph.of(kind)
        if nodes:
            yield f"  subgraph cluster_{kind}s {{"
            yield f'    label="{kind.capitalize()}s"; style="invis"'
            yield from (f"    {_node(node)}" for node in nodes)
            yield "  }"
    for edge in graph.edges:
        yield f"  {_edge(graph, edge)}"
    yield "}"


def _node(node: Node) -> str:
    label = "\\n".join(_escaped(shortened(text)) for text in (node.name, *node.lines))
    mark = ""
    if node.mark is Mark.CUT_OFF:
        mark = ', color="#d1242f", penwidth=2, style="rounded,dashed"'
    elif node.mark is Mark.ABSENT:
        mark = ', color="#8c959f", fontcolor="#57606a", style="rounded,dotted"'
    shape = _SHAPES[node.kind]
    style = ', style="solid"' if shape == "cylinder" and not mark else mark
    return f'{node.id} [shape={shape}, label="{label}", tooltip={_quoted(node.title)}{style}]'


def _edge(graph: Graph, edge: Edge) -> str:
    parts = [f"tooltip={_quoted(edge.title)}"]
    if edge.kind is EdgeKind.TRUSTS:
        parts += ['label="trusts"', 'style="dashed"', "constraint=false"]
    elif edge.label:
        parts.append(f"label={_quoted(edge.label)}")
    if graph.by_id[edge.source].mark is Mark.CUT_OFF:
        parts.append(_RED)
    return f"{edge.source} -> {edge.target} [{', '.join(parts)}]"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """A text for a quoted string: backslashes too, since labels give them a meaning; HTML entities stay as they are written."""
    return visible(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
