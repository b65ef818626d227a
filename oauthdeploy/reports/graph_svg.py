"""The graph as SVG: one file without scripts, fonts or network access, readable in light and dark mode.

Each node and edge has its full text as a title, which browsers show and screen readers read. Colours follow the reader's
`prefers-color-scheme`; whatever a colour means, a dash or a word says too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree as ET

from oauthdeploy.reports.console import cells
from oauthdeploy.reports.formatting import visible
from oauthdeploy.reports.graph import EdgeKind, Graph, Mark, NodeKind
from oauthdeploy.reports.graph_layout import (
    BADGE_STEP,
    LINE_SIZE,
    LINE_STEP,
    MARGIN,
    NAME_SIZE,
    NAME_STEP,
    PADDING,
    Box,
    Layout,
    Route,
    fitted,
    lay_out,
)

_HUES: Final = (
    ("#0550ae", "#79c0ff"),
    ("#953800", "#ffa657"),
    ("#116329", "#56d364"),
    ("#6639ba", "#d2a8ff"),
    ("#99286e", "#ff9bce"),
    ("#1b7c83", "#39c5cf"),
    ("#7d4e00", "#e3b341"),
    ("#424a53", "#b1bac4"),
)
"""Colours of edges on a light and on a dark background, each with a contrast of at least 4.5."""

_MARKS: Final = {Mark.CUT_OFF: "cut", Mark.ABSENT: "gone"}
_LEGEND: Final = 44


_STATES: Final = {
    "create": ("#116329", "#56d364"),
    "update": ("#7d4e00", "#e3b341"),
    "replace": ("#6639ba", "#d2a8ff"),
    "delete": ("#a40e26", "#ff7b72"),
    "disable": ("#a40e26", "#ff7b72"),
    "revoke": ("#a40e26", "#ff7b72"),
    "missing": ("#7d4e00", "#e3b341"),
    "unexpected": ("#6639ba", "#d2a8ff"),
    "faint": ("#59636e", "#9198a1"),
}
"""Colours of states on a light and on a dark background."""

_BADGE_SIZE: Final = 10


def svg_text(graph: Graph) -> str:
    """The graph as a complete SVG document."""
    root = _drawing(graph)
    root.insert(2, ET.Element("style"))
    root[2].text = _style()
    return ET.tostring(root, encoding="unicode", short_empty_elements=True) + "\n"


def svg_inline(graph: Graph) -> str:
    """The graph as part of an HTML page whose styles include `svg_rules()`."""
    return ET.tostring(_drawing(graph), encoding="unicode", short_empty_elements=True)


def svg_rules() -> str:
    """The styles of a graph in a page that sets `color-scheme`."""
    lines = "".join(f".odg .h{n}{{--line:light-dark({light},{dark})}}" for n, (light, dark) in enumerate(_HUES))
    states = "".join(f".odg .s-{name}{{--line:light-dark({light},{dark})}}" for name, (light, dark) in _STATES.items())
    return f"""
.odg{{--ground:transparent;--box:light-dark(#f6f8fa,#161b22);--edge:light-dark(#d0d7de,#3d444d);
--text:light-dark(#1f2328,#f0f6fc);--faint:light-dark(#59636e,#9198a1);--line:light-dark(#818b98,#7d8590);
--red:light-dark(#cf222e,#ff7b72)}}
{lines}{states}{_RULES}"""


def _drawing(graph: Graph) -> ET.Element:
    layout = lay_out(graph)
    height = layout.height + _LEGEND
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_number(layout.width)} {_number(height)}",
            "width": _number(layout.width),
            "height": _number(height),
            "role": "img",
            "aria-labelledby": "odg-title odg-desc",
            "class": "odg",
        },
    )
    ET.SubElement(root, "title", {"id": "odg-title"}).text = f"{visible(graph.name)}: clients, scopes and servers"
    ET.SubElement(root, "desc", {"id": "odg-desc"}).text = visible(graph.summary)
    ET.SubElement(root, "rect", {"class": "ground", "width": "100%", "height": "100%"})
    _add_headings(root, graph, layout)
    hues = {
        node.id: index % len(_HUES)
        for kind in (NodeKind.CLIENT, NodeKind.SERVER)
        for index, node in enumerate(graph.of(kind))
    }
    lines = ET.SubElement(root, "g")
    for route in layout.routes:
        _add_route(lines, route, graph, hues)
    for box in layout.boxes:
        _add_box(root, box, hues)
    _add_legend(root, graph, layout)
    return root


def _style() -> str:
    light = "".join(f".odg .h{index}{{--line:{colour}}}" for index, (colour, _) in enumerate(_HUES))
    dark = "".join(f".odg .h{index}{{--line:{colour}}}" for index, (_, colour) in enumerate(_HUES))
    return f"""
.odg{{--ground:#fff;--box:#f6f8fa;--edge:#d0d7de;--text:#1f2328;--faint:#59636e;--line:#818b98;--red:#cf222e}}
{light}
@media (prefers-color-scheme:dark){{
.odg{{--ground:#0d1117;--box:#161b22;--edge:#3d444d;--text:#f0f6fc;--faint:#9198a1;--line:#7d8590;--red:#ff7b72}}
{dark}}}
{_RULES}"""


_RULES: Final = f"""
.odg .ground{{fill:var(--ground)}}
.odg text{{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--text)}}
.odg .heading{{font:600 14px system-ui,sans-serif}}
.odg .name{{font-size:{NAME_SIZE}px;font-weight:600}}
.odg .more{{font-size:{LINE_SIZE}px;fill:var(--faint)}}
.odg .box{{fill:var(--box);stroke:var(--edge);stroke-width:1.2}}
.odg .bar{{fill:var(--line)}}
.odg .cut .box{{stroke:var(--red);stroke-width:2;stroke-dasharray:6 3}}
.odg .cut .first{{fill:var(--red);font-weight:600}}
.odg .gone .box{{stroke-dasharray:2 4}}
.odg .gone .name{{fill:var(--faint);text-decoration:line-through}}
.odg .line{{fill:none;stroke:var(--line);stroke-width:1.5;stroke-opacity:.75}}
.odg .tip{{fill:var(--line)}}
.odg .trust .line{{stroke-dasharray:5 4;stroke-opacity:1}}
.odg .cut .line{{stroke:var(--red);stroke-dasharray:6 3}}
.odg .cut .tip{{fill:var(--red)}}
.odg .route:hover .line{{stroke-width:3.5;stroke-opacity:1}}
.odg .told .line{{stroke-width:2.5;stroke-opacity:1}}
.odg .s-delete .line{{stroke-dasharray:6 3}}
.odg .badge rect{{fill:none;stroke:var(--line);stroke-width:1.2}}
.odg .badge text{{fill:var(--line);font-size:{_BADGE_SIZE}px;font-weight:600}}
"""


def _add_headings(root: ET.Element, graph: Graph, layout: Layout) -> None:
    for kind in NodeKind:
        count = len(graph.of(kind))
        place = {"class": "heading", "x": _number(layout.columns[kind]), "y": "34"}
        ET.SubElement(root, "text", place).text = f"{kind.capitalize()}s ({count})"


def _add_box(root: ET.Element, box: Box, hues: Mapping[str, int]) -> None:
    mark = f" {_MARKS[box.node.mark]}" if box.node.mark is not None else ""
    hue = f" h{hues[box.node.id]}" if box.node.id in hues else ""
    group = ET.SubElement(root, "g", {"class": f"node {box.node.kind}{hue}{mark}"})
    ET.SubElement(group, "title").text = visible(box.node.title)
    size = {"width": _number(box.width), "height": _number(box.height)}
    round_ = {NodeKind.CLIENT: "14", NodeKind.SCOPE: "4", NodeKind.SERVER: "4"}[box.node.kind]
    ET.SubElement(group, "rect", {"class": "box", "x": _number(box.x), "y": _number(box.y), "rx": round_} | size)
    if box.node.kind is NodeKind.SERVER:
        bar = {"class": "bar", "x": _number(box.x), "y": _number(box.y), "width": "4", "height": _number(box.height)}
        ET.SubElement(group, "rect", bar)
    texts = len(box.names) * NAME_STEP + len(box.lines) * LINE_STEP + (BADGE_STEP if box.node.badges else 0)
    y = box.y + (box.height - texts) / 2
    for name in box.names:
        y += NAME_STEP
        _add_text(group, "name", box.x + PADDING + 2, y - 4, name)
    for index, line in enumerate(box.lines):
        y += LINE_STEP
        _add_text(group, "more" if index else "more first", box.x + PADDING + 2, y - 3, line)
    _add_badges(group, box, y + 4)


def _add_badges(group: ET.Element, box: Box, y: float) -> None:
    """The states of a node as badges, one for each side, as many as fit."""
    x = box.x + PADDING + 2
    for index, badge in enumerate(box.node.badges):
        room = box.x + box.width - PADDING - x
        text = f"{badge.symbol} {fitted(badge.where, 110, _BADGE_SIZE, 1)[0]}"
        width = cells(text) * _BADGE_SIZE * 0.6 + 12
        if width > room:
            _add_text(group, "more", x, y + 11, f"+{len(box.node.badges) - index}")
            return
        badge_group = ET.SubElement(group, "g", {"class": f"badge s-{badge.style}"})
        ET.SubElement(badge_group, "title").text = visible(badge.title)
        place = {"x": _number(x), "y": _number(y), "width": _number(width), "height": "15", "rx": "7.5"}
        ET.SubElement(badge_group, "rect", place)
        ET.SubElement(badge_group, "text", {"x": _number(x + 6), "y": _number(y + 11)}).text = text
        x += width + 5


def _add_text(group: ET.Element, style: str, x: float, y: float, text: str) -> None:
    ET.SubElement(group, "text", {"class": style, "x": _number(x), "y": _number(y)}).text = text


def _add_route(lines: ET.Element, route: Route, graph: Graph, hues: Mapping[str, int]) -> None:
    edge = route.edge
    trusts = edge.kind is EdgeKind.TRUSTS
    # An edge has the colour of the client where it starts, or of the server where it ends.
    style = "trust" if trusts else f"h{hues.get(edge.source, hues.get(edge.target))}"
    cut = " cut" if graph.by_id[edge.source].mark is Mark.CUT_OFF and not edge.style else ""
    state_class = f" told s-{edge.style}" if edge.style else ""
    group = ET.SubElement(lines, "g", {"class": f"route {style}{cut}{state_class}"})
    ET.SubElement(group, "title").text = visible(edge.title)
    x1, y1, x2, y2 = route.x1, route.y1, route.x2, route.y2
    bend = 34 + min(40.0, abs(y2 - y1) / 12)
    # Trust edges return to the right of their own column; others turn half-way to the next one.
    half = (x2 - x1) / 2
    bends = (x1 + bend, x2 + bend, x2 + 7) if trusts else (x1 + half, x2 - half, x2 - 5)
    numbers = [_number(value) for value in (x1, y1, bends[0], y1, bends[1], y2, bends[2], y2)]
    ET.SubElement(group, "path", {"class": "line", "d": "M{} {}C{} {} {} {} {} {}".format(*numbers)})
    tip = (x2 + 8, 4) if trusts else (x2 - 6, 3)
    points = (
        f"{_number(x2)},{_number(y2)} {_number(tip[0])},{_number(y2 - tip[1])} {_number(tip[0])},{_number(y2 + tip[1])}"
    )
    ET.SubElement(group, "polygon", {"class": "tip", "points": points})
    if trusts:
        _add_text(group, "more", max(x1, x2) + bend * 0.75 + 6, (y1 + y2) / 2 + 4, "trusts")


def _add_legend(root: ET.Element, graph: Graph, layout: Layout) -> None:
    """The legend: the meaning of the signs in the diagram."""
    y = layout.height + 14
    x: float = MARGIN
    marks = {node.mark for node in graph.nodes}
    entries = [("route", "client may request scope, scope opens services on server")]
    entries += (
        [("route trust", "resource server trusts authorization server")]
        if any(e.kind is EdgeKind.TRUSTS for e in graph.edges)
        else []
    )
    entries += [("route cut", "cut off")] if Mark.CUT_OFF in marks else []
    for style, text in entries:
        group = ET.SubElement(root, "g", {"class": style})
        ET.SubElement(group, "path", {"class": "line", "d": f"M{_number(x)} {_number(y - 4)}h26"})
        _add_text(group, "more", x + 34, y, text)
        x += 34 + len(text) * LINE_SIZE * 0.6 + 28


def _number(value: float) -> str:
    """A number without needless digits, the same on every machine."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
