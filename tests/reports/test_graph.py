"""The picture of an estate: what it shows, and that no name can break a format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pydot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from oauthdeploy.core.addresses import Address, Kind
from oauthdeploy.model.objects import Association, Client, ClientType, Grant, Object, Revocation, Scope, Side, Trust
from oauthdeploy.model.servers import Role, Server
from oauthdeploy.model.state import DesiredState
from oauthdeploy.reports.formatting import visible
from oauthdeploy.reports.graph import EdgeKind, Graph, Mark, NodeKind, build_graph, shortened
from oauthdeploy.reports.graph_dot import dot_text
from oauthdeploy.reports.graph_layout import lay_out
from oauthdeploy.reports.graph_mermaid import mermaid_text
from oauthdeploy.reports.graph_svg import svg_text
from tests.reports import drawing
from tests.servers.plugin import usable

# pydot speaks to its own parser library in words that the library has given up.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated - use:DeprecationWarning")

SERVERS = {
    "login": Server(role=Role.AUTHORIZATION, driver="webmethods"),
    "orders": Server(role=Role.RESOURCE, driver="webmethods"),
    "stock": Server(role=Role.RESOURCE, driver="opa"),
}
HOSTILE = [
    'a"b', "[x]", "<b>bold</b>", "<script>alert(1)</script>", "line\nbreak", "a --> b", '%%{init: {"theme":"dark"}}%%',
    "end", "subgraph", "#quot;", "&amp; &lt;", "$$x^2$$", "fa:fa-car", "`md`", "**bold**", "style a:b#1;",
    'click c1 "x"', "http://x.example/a?b=c&d", "x\\n\\l", "\u202eevil", "a;b", "{y}", "|p|", "]]></style>", "it's",
    "1. list", "- item", "# head", "\ud800", "\x00\x1b[31m", "default", "x" * 300, "\u65e5\u672c\u8a9e" * 30,
]  # fmt: skip
"""A folder whose node_modules hold mermaid and @viz-js/viz: `npm install mermaid @viz-js/viz`."""


def state(names: list[str] | None = None, **more: Any) -> DesiredState:
    """An estate in which each name is a client, a scope, a resource and a description."""
    objects: dict[Address, Object] = {
        Address.singleton(Kind.TRUST, "orders"): Trust(authorization_server="login", via="remote")
    }
    for name in names if names is not None else ["web", "batch"]:
        client = Client(name=f"{name}!", type=ClientType.PUBLIC, grants=(Grant.IMPLICIT,))
        objects[Address(Kind.CLIENT, name, "login")] = client
        objects[Address(Kind.CLIENT, name, "orders")] = client
        objects[Address(Kind.SCOPE, name, "login")] = Scope(description=name)
        objects[Address(Kind.SCOPE, name, "orders")] = Scope(description=name, resources=(name,))
        objects[Address.association(name, name, "login")] = Association()
    objects.update(more.pop("objects", {}))
    return DesiredState("estate", SERVERS, objects, **more)


def shown(graph: Graph, kind: NodeKind) -> list[str]:
    return [node.name for node in graph.of(kind)]


def edges(graph: Graph, kind: EdgeKind) -> list[tuple[str, str]]:
    names = {node.id: node.name for node in graph.nodes}
    return [(names[edge.source], names[edge.target]) for edge in graph.edges if edge.kind is kind]


# -- what it shows -------------------------------------------------------------------------------------------------------


def test_lines_lead_from_clients_over_scopes_to_servers_and_to_whom_they_trust() -> None:
    """Associations, what a scope opens on a resource server, and trust; an authorization server is opened by no scope."""
    graph = build_graph(state())
    assert shown(graph, NodeKind.CLIENT) == ["batch", "web"]
    assert shown(graph, NodeKind.SERVER) == ["login", "orders", "stock"]
    assert edges(graph, EdgeKind.MAY_ASK) == [("batch", "batch"), ("web", "web")]
    assert edges(graph, EdgeKind.OPENS) == [("batch", "orders"), ("web", "orders")]
    assert edges(graph, EdgeKind.TRUSTS) == [("orders", "login")]
    assert graph.by_id["s1"].lines == ("opens batch", "batch")
    assert graph.by_id["c1"].lines == ("public, implicit", "batch!")


def test_cut_offs_and_removals_are_marked() -> None:
    """A picture of an incident shows the incident, also for a client that the manifest doesn't describe."""
    cut = {
        Address(Kind.REVOCATION, "INC-1", "login"): Revocation(client="web", tokens="all"),
        Address(Kind.REVOCATION, "INC-1", "orders"): Revocation(client="web", block=(Side.RESOURCE,)),
        Address(Kind.REVOCATION, "INC-2", "login"): Revocation(client="stranger", tokens="all"),
        Address(Kind.CLIENT, "off", "login"): Client(enabled=False),
    }
    absent = frozenset({Address(Kind.CLIENT, "old", "login"), Address(Kind.SCOPE, "dead", "orders")})
    graph = build_graph(state(objects=cut, absent=absent))
    marks = {node.name: (node.mark, node.lines[0]) for node in graph.of(NodeKind.CLIENT)}
    assert marks["web"] == (Mark.CUT_OFF, "cut off by INC-1: tokens deleted, blocked on orders")
    assert marks["stranger"] == (Mark.CUT_OFF, "cut off by INC-2: tokens deleted")
    assert marks["off"] == (Mark.CUT_OFF, "disabled")
    assert marks["old"] == (Mark.ABSENT, "to be removed")
    assert marks["batch"][0] is None
    assert {node.name: node.mark for node in graph.of(NodeKind.SCOPE)}["dead"] is Mark.ABSENT
    assert "Cut off: off, stranger, web." in graph.summary


@pytest.mark.parametrize(
    ("target", "clients", "scopes", "servers"),
    [
        ("client/web", ["web"], ["web"], ["login", "orders"]),
        ("scope/ba*@orders", ["batch"], ["batch"], ["login", "orders"]),
        ("association/web:web", ["web"], ["web"], ["login", "orders"]),
        ("trust@orders", [], [], ["login", "orders"]),
        ("client/nobody", [], [], []),
    ],
)
def test_targets_show_what_they_match_and_what_that_is_joined_to(
    target: str, clients: list[str], scopes: list[str], servers: list[str]
) -> None:
    """A part of a big estate is drawn with its ends, never with lines that lead nowhere."""
    graph = build_graph(state(), [target])
    assert [shown(graph, kind) for kind in NodeKind] == [clients, scopes, servers]
    assert all({edge.source, edge.target} <= set(graph.by_id) for edge in graph.edges)


def test_an_association_on_some_servers_only_says_so() -> None:
    """With two authorization servers it matters at which one a client may ask."""
    objects = {
        Address.association("web", "web", "stock"): Association(),
        Address.association("web", "batch", "stock"): Association(),
    }
    labels = {edge.title for edge in build_graph(state(objects=objects)).edges if edge.label}
    assert labels == {"batch may request batch on login", "web may request batch on stock"}


def test_a_scope_that_only_associations_name_is_drawn() -> None:
    """Some servers know scopes as words of their clients and hold no objects for them."""
    estate = state(objects={Address.association("web", "orders.read", "login"): Association()})
    graph = build_graph(estate)
    assert ("web", "orders.read") in edges(graph, EdgeKind.MAY_ASK)
    (node,) = [node for node in graph.of(NodeKind.SCOPE) if node.name == "orders.read"]
    assert node.lines == ()
    assert shown(build_graph(estate, ["client/web"]), NodeKind.SCOPE) == ["orders.read", "web"]


def test_a_server_that_trusts_itself_has_no_line_to_itself() -> None:
    """It is said in words, since a loop would hide under the box."""
    own = {Address.singleton(Kind.TRUST, "stock"): Trust(authorization_server="stock", via="local")}
    graph = build_graph(state(objects=own))
    assert "trusts itself" in next(node for node in graph.nodes if node.name == "stock").lines
    assert ("stock", "stock") not in edges(graph, EdgeKind.TRUSTS)


@pytest.mark.parametrize("write", [mermaid_text, dot_text, svg_text])
def test_equal_estates_give_equal_bytes(write: Any) -> None:
    """A picture in a repository changes when the estate does, and only then."""
    one = state(["c", "a", "b"])
    other = DesiredState("estate", dict(reversed(list(SERVERS.items()))), dict(reversed(list(one.objects.items()))))
    assert write(build_graph(one)) == write(build_graph(other))
    empty = write(build_graph(DesiredState("estate", {}, {})))
    assert "estate" in empty


# -- hostile names -------------------------------------------------------------------------------------------------------

_MERMAID = [
    re.compile(r"flowchart LR"),
    re.compile(r"  accTitle: [\w.-]+, clients, scopes and servers"),
    re.compile(r"  accDescr: [\w ]+"),
    re.compile(r'  subgraph \w+\["\w+"\]'),
    re.compile(r"  end"),
    re.compile(r'    [csv]\d+(\(|\[|\[\()"((?:[^\W_]|[ ,._/-]|#\d+;|<br/>)*)"(\)|\]|\)\])(:::(cutoff|absent))?'),
    re.compile(r'  [csv]\d+ (-->|-\.->)(\|"((?:[^\W_]|[ ,._/-]|#\d+;)*)"\|)? [csv]\d+'),
    re.compile(r"  classDef (cutoff|absent) [\w:#,; -]+"),
    re.compile(r"  linkStyle [\d,]+ [\w:#,; -]+"),
]


def require_mermaid(text: str, graph: Graph) -> None:
    """Each line is of one of the forms that are written on purpose, and the labels say what the nodes say."""
    labels = []
    for line in text.splitlines():
        found = [match for form in _MERMAID if (match := form.fullmatch(line))]
        assert found, line
        if line.startswith("    "):
            labels.append(found[0][2])
    read = [re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label.replace("<br/>", "\0")) for label in labels]
    written = ["\0".join(visible(shortened(part)) for part in (node.name, *node.lines)) for node in graph.nodes]
    assert [label.replace("\u2060", "") for label in read] == [label.replace("\u2060", "") for label in written]


def require_dot(text: str, graph: Graph) -> None:
    """An independent parser of the language finds exactly our nodes and edges."""
    read = pydot.graph_from_dot_data(text)
    assert read is not None
    nodes = [node for part in read[0].get_subgraphs() for node in part.get_nodes()]
    assert sorted(node.get_name() for node in nodes) == sorted(node.id for node in graph.nodes)
    found = [(edge.get_source(), edge.get_destination()) for edge in read[0].get_edges()]
    assert sorted(found) == sorted((edge.source, edge.target) for edge in graph.edges)


def require_svg(text: str, graph: Graph) -> None:
    """Well-formed, one title for each node and line, nothing that runs or is fetched."""
    root = ET.fromstring(text)
    svg = "{http://www.w3.org/2000/svg}"
    tags = {element.tag.removeprefix(svg) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "g", "path", "polygon", "text"}
    assert not [name for element in root.iter() for name in element.attrib if "href" in name or name.startswith("on")]
    titles = [element.text for element in root.iter(f"{svg}title")]
    assert len(titles) == 1 + len(graph.nodes) + len(graph.edges)
    assert {visible(node.title) for node in graph.nodes} <= set(titles)
    assert root.get("role") == "img"


def test_hostile_names_stay_names_in_every_format() -> None:
    """Quotes, brackets, HTML, line breaks, arrows and directives are shown, not obeyed."""
    objects: dict[Address, Object] = {
        Address(Kind.REVOCATION, name, "login"): Revocation(client=name, tokens="all") for name in HOSTILE
    }
    graph = build_graph(state(HOSTILE, objects=objects))
    # The parser of DOT is slow, so that it reads each name once.
    few = build_graph(
        DesiredState("estate", SERVERS, {Address(Kind.SCOPE, name, "login"): Scope() for name in HOSTILE})
    )
    require_mermaid(mermaid_text(graph), graph)
    require_svg(svg_text(graph), graph)
    require_dot(dot_text(few), few)


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
def test_no_name_breaks_a_format(names: list[str]) -> None:
    """Whatever a server or a manifest calls its clients and scopes."""
    graph = build_graph(state(names))
    require_mermaid(mermaid_text(graph), graph)
    require_svg(svg_text(graph), graph)


@settings(max_examples=10, deadline=None)
@given(st.text(min_size=1))
def test_no_name_breaks_dot(name: str) -> None:
    """The same for DOT, whose independent parser is slow."""
    graph = build_graph(state([name]))
    require_dot(dot_text(graph), graph)


# -- layout --------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=80))
def test_boxes_never_overlap_and_lines_end_at_boxes(pairs: list[tuple[int, int]]) -> None:
    """However an estate is joined, everything lies inside the picture and beside each other."""
    objects: dict[Address, Object] = {}
    for client, scope in pairs:
        objects[Address(Kind.CLIENT, f"c{client}", "login")] = Client(type=ClientType.PUBLIC)
        objects[Address(Kind.SCOPE, f"s{scope}", ("orders", "stock")[scope % 2])] = Scope(resources=("x",))
        objects[Address.association(f"c{client}", f"s{scope}", "login")] = Association()
    graph = build_graph(DesiredState("estate", SERVERS, objects))
    layout = lay_out(graph)
    assert len(layout.boxes) == len(graph.nodes)
    for kind in NodeKind:
        column = sorted((box for box in layout.boxes if box.node.kind is kind), key=lambda box: box.y)
        assert all(above.y + above.height < below.y for above, below in pairwise(column))
    for box in layout.boxes:
        assert box.y >= 0
        assert box.y + box.height <= layout.height
        assert box.x + box.width <= layout.width
    by_id = {box.node.id: box for box in layout.boxes}
    for route in layout.routes:
        source, target = by_id[route.edge.source], by_id[route.edge.target]
        assert source.y <= route.y1 <= source.y + source.height
        assert target.y <= route.y2 <= target.y + target.height


def test_a_tangle_that_can_be_undone_is_undone() -> None:
    """Clients and scopes that are joined one to one, in opposite orders, cross nowhere in the picture."""
    objects: dict[Address, Object] = {}
    for number in range(8):
        objects[Address(Kind.CLIENT, f"c{number}", "login")] = Client()
        objects[Address(Kind.SCOPE, f"s{7 - number}", "orders")] = Scope()
        objects[Address.association(f"c{number}", f"s{7 - number}", "login")] = Association()
    routes = [
        r for r in lay_out(build_graph(DesiredState("x", SERVERS, objects))).routes if r.edge.kind is EdgeKind.MAY_ASK
    ]
    routes.sort(key=lambda route: route.y1)
    assert [route.y2 for route in routes] == sorted(route.y2 for route in routes)


# -- the real tools --------------------------------------------------------------------------------------------------------


def _texts(graph: Graph) -> Mapping[str, str]:
    return {
        node.id: "\n".join(visible(shortened(part)) for part in (node.name, *node.lines)).strip()
        for node in graph.nodes
    }


def test_mermaid_itself_shows_hostile_names_as_they_are(browser: Browser) -> None:
    """The real library parses and draws the text, and each node shows its name."""
    library = usable(drawing.mermaid)
    graph = build_graph(state(HOSTILE))
    page = browser.new_page()
    page.add_script_tag(path=library)
    found = page.evaluate(
        """async text => {
            mermaid.initialize({startOnLoad: false});
            document.body.innerHTML = (await mermaid.render('g', text)).svg;
            return Object.fromEntries([...document.querySelectorAll('.node')].map(
                node => [node.id, node.querySelector('.nodeLabel').innerText]));
        }""",
        mermaid_text(graph),
    )
    ids = {re.sub(r"^.*flowchart-|-\d+$", "", id): text.replace("\u2060", "").strip() for id, text in found.items()}
    assert ids == _texts(graph)


def test_graphviz_itself_shows_hostile_names_as_they_are(browser: Browser, tmp_path: Path) -> None:
    """The real layout engine draws each line of each label."""
    library = usable(drawing.graphviz)
    graph = build_graph(state(HOSTILE))
    # The library asks for the address that it came from.
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8><script src='{library.as_uri()}'></script>", "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    drawn = ET.fromstring(
        page.evaluate(
            "async text => (await Viz.instance()).render(text, {format: 'svg'}).output",
            dot_text(graph),
        )
    )
    svg = "{http://www.w3.org/2000/svg}"
    found = {
        (group.findtext(f"{svg}title") or ""): "\n".join(text.text or "" for text in group.iter(f"{svg}text"))
        for group in drawn.iter(f"{svg}g")
        if group.get("class") == "node"
    }
    assert {id: text.replace("\xa0", " ").strip() for id, text in found.items()} == _texts(graph)
