"""The house of the project as its imports show it: `python -m tests.house` draws it again in docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

PACKAGE: Final = "oauthdeploy"
ROOT: Final = Path(__file__).parents[1] / PACKAGE
PAGE: Final = Path(__file__).parents[1] / "docs" / "architecture.md"
CAPTIONS: Final = {
    "cli": "one module for each command",
    "operator": "estates of Kubernetes",
    "testing": "the contract suite for drivers",
    "workflow": "the steps as functions; the Python API",
    "reports": "render values as text",
    "running": "read, apply, verify, journal, lock",
    "manifest": "read manifests",
    "drivers": "one package for each kind of server",
    "planning": "pure steps",
    "model": "the OAuth objects",
    "core": "addresses, diagnostics, errors, secrets",
    "server": "the embedded servers",
}
"""What a package is, in the picture."""


Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class SourceFile:
    """What the rules ask of a file: its imports wherever they stand, and the names that it calls."""

    imports: tuple[ast.Import | ast.ImportFrom, ...]
    typing_only: frozenset[ast.AST]
    called: frozenset[str]


@cache
def source_file(path: Path) -> SourceFile:
    """Read a file once, however many rules ask."""
    found: list[ast.Import | ast.ImportFrom] = []
    typing_only: set[ast.AST] = set()
    called: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.Call):
            called.add(getattr(node.func, "id", getattr(node.func, "attr", "")))
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            typing_only.update(child for statement in node.body for child in ast.walk(statement))
    return SourceFile(tuple(found), frozenset(typing_only), frozenset(called))


def import_statements(path: Path, *, skip_typing: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a file; with `skip_typing`, not those under `if TYPE_CHECKING`."""
    file = source_file(path)
    return (node for node in file.imports if not skip_typing or node not in file.typing_only)


def imports(path: Path, *, skip_typing: bool = False) -> Iterator[str]:
    """Every imported module name."""
    for node in import_statements(path, skip_typing=skip_typing):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def import_graph(root: Path, *, skip_typing: bool) -> Graph:
    """Each module of the package in `root`, and the modules of that package that it imports, inside functions too."""

    def name_of(path: Path) -> str:
        parts = path.relative_to(root.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def targets(path: Path) -> Iterator[str]:
        for node in import_statements(path, skip_typing=skip_typing):
            for alias in node.names:
                if isinstance(node, ast.Import):
                    yield alias.name
                else:
                    whole = f"{node.module}.{alias.name}"
                    # What is no module by itself is taken from the module, and that is the arrow.
                    yield whole if whole in paths else node.module or ""

    paths = {name_of(path): path for path in root.rglob("*.py")}
    return {module: set(targets(path)) & paths.keys() for module, path in paths.items()}


def circle(graph: Graph) -> list[str]:
    """One circle of the graph, its first module again at the end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def reaches(graph: Graph, start: str, end: str) -> bool:
    """Whether there is a way along the arrows."""
    seen, waiting = {start}, [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return end in seen


# -- the picture ------------------------------------------------------------------------------------------------------

_BEGIN, _END = "<!-- picture: python -m tests.house -->\n", "<!-- end of picture -->\n"


def rooms(graph: Graph) -> Graph:
    """The packages, and the packages that each imports."""
    found: dict[str, set[str]] = {room: set() for room in CAPTIONS}
    for module, names in graph.items():
        room = _room(module)
        found.get(room, set()).update({_room(name) for name in names} & found.keys() - {room})
    return found


def _room(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def needed(graph: Graph) -> Graph:
    """The arrows that no others imply: of a -> b -> c and a -> c, the last goes."""
    reached: dict[str, set[str]] = {}
    for room in TopologicalSorter(graph).static_order():
        reached[room] = graph[room].union(*(reached[below] for below in graph[room]))
    return {room: {to for to in below if not any(to in reached[via] for via in below)} for room, below in graph.items()}


def mermaid(graph: Graph) -> str:
    """The packages as Mermaid, each above those that it imports."""
    lines = ["```mermaid", "flowchart TD"]
    lines += [f'    {room}["<b>{room}</b><br/>{caption}"]' for room, caption in CAPTIONS.items()]
    lines += [f"    {room} --> {below}" for room in CAPTIONS for below in sorted(needed(graph)[room])]
    return "\n".join([*lines, "```"]) + "\n"


def with_picture(page: str) -> str:
    """The page with the picture of today, between its two marks."""
    before, _, rest = page.partition(_BEGIN)
    return before + _BEGIN + mermaid(rooms(import_graph(ROOT, skip_typing=True))) + _END + rest.partition(_END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
