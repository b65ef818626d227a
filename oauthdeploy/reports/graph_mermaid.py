"""The graph as Mermaid, which forges draw in Markdown.

Names are untrusted, and Mermaid interprets directives (`%%{`), HTML and Markdown in labels. So every character except
letters, digits and a few harmless signs is written as an entity (`#35;`), which Mermaid decodes afterwards. It then looks for
icons (`fa:fa-car`), formulas (`$$`) and `\\n`, so these are split by a zero-width character (U+2060, word joiner).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from oauthdeploy.reports.formatting import visible
from oauthdeploy.reports.graph import EdgeKind, Graph, Mark, Node, NodeKind, shortened

MOST_EDGES: Final = 500
"""Mermaid's default limit of edges, which a document cannot change."""

MOST_TEXT: Final = 50_000
"""Mermaid's default limit of characters."""

_LATE: Final = re.compile(r"\$(?=\$)|\\(?=n)|:(?=fa-)")
"""The first halves of what Mermaid replaces after it has decoded entities."""

_PLAIN: Final = frozenset(" ,._-/")
_SHAPES: Final = {NodeKind.CLIENT: ("(", ")"), NodeKind.SCOPE: ("[", "]"), NodeKind.SERVER: ("[(", ")]")}
_CLASSES: Final = {Mark.CUT_OFF: "cutoff", Mark.ABSENT: "absent"}
_ARROWS: Final = {EdgeKind.MAY_ASK: "-->", EdgeKind.OPENS: "-->", EdgeKind.TRUSTS: "-.->"}


def mermaid_text(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    yield f"  accTitle: {_escaped(graph.name)}, clients, scopes and servers"
    counts = " and ".join(f"{len(graph.of(kind))} {kind}s" for kind in NodeKind)
    yield f"  accDescr: {counts} with {len(graph.edges)} connections"
    for kind in NodeKind:
        nodes = graph.of(kind)
        if nodes:
            yield f'  subgraph {kind}s["{kind.capitalize()}s"]'
            yield from (f"    {_node(node)}" for node in nodes)
            yield "  end"
    red: list[int] = []
    for number, edge in enumerate(graph.edges):
        label = "trusts" if edge.kind is EdgeKind.TRUSTS else edge.label
        text = f'|"{_escaped(label)}"|' if label else ""
        yield f"  {edge.source} {_ARROWS[edge.kind]}{text} {edge.target}"
        if graph.by_id[edge.source].mark is Mark.CUT_OFF:
            red.append(number)
    marks = {node.mark for node in graph.nodes}
    if Mark.CUT_OFF in marks:
        yield "  classDef cutoff stroke:#d1242f,stroke-width:3px,stroke-dasharray:6 3"
    if Mark.ABSENT in marks:
        yield "  classDef absent stroke:#8c959f,stroke-dasharray:2 4"
    if red:
        yield f"  linkStyle {','.join(map(str, red))} stroke:#d1242f,stroke-dasharray:6 3"


def _node(node: Node) -> str:
    opening, closing = _SHAPES[node.kind]
    label = "<br/>".join(_escaped(shortened(text)) for text in (node.name, *node.lines))
    mark = f":::{_CLASSES[node.mark]}" if node.mark is not None else ""
    return f'{node.id}{opening}"{label}"{closing}{mark}'


def _escaped(text: str) -> str:
    """A text that Mermaid shows unchanged."""
    parted = _LATE.sub("\\g<0>\u2060", visible(text))
    return "".join(char if char.isalnum() or char in _PLAIN else f"#{ord(char)};" for char in parted)
