"""The documentation says what the code does: generated pages are equal, names exist, links lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import scale, tables
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.core.exit_codes import ExitCode
from oauthdeploy.planning import safety
from tests import house

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for folder in (ROOT, DOCS, ROOT / "examples")
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = _reference()


@pytest.mark.parametrize("name", sorted(REFERENCE.PAGES))
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    """`python docs/reference.py` writes them again."""
    assert (DOCS / name).read_text(encoding="utf-8") == REFERENCE.PAGES[name]()


def test_the_readme_is_read_in_a_minute() -> None:
    """The picture, two commands, five lines of manifest, then where to go: at most 120 lines."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    titles = [line for line in lines if line.startswith("## ")]
    assert titles[:4] == ["## Two commands", "## Five lines of manifest", "## Install", "## Where to go"]
    assert next(index for index, line in enumerate(lines) if line.startswith("![")) < lines.index("## Two commands")


def _links(page: Path) -> Iterator[tuple[str, str]]:
    """Where the links inside the project lead: file and anchor."""
    for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield file, anchor


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link inside the project names a file that is there, and a title in it."""
    for file, anchor in _links(page):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name} leads to {file}"
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), f"{page.name} leads to {file}#{anchor}"


def test_every_page_is_in_the_index() -> None:
    """Nobody finds a page that nothing leads to."""
    for page in DOCS.rglob("*.md"):
        home = page.parent if page.parent == DOCS / "decisions" and page.name != "README.md" else DOCS
        index = (home / "README.md").read_text(encoding="utf-8")
        name = str(page.relative_to(home))
        assert name == "README.md" or f"({name})" in index, name


def test_every_safety_stop_is_explained() -> None:
    """A rule that can be lifted by name is one that the reader can look up."""
    page = (DOCS / "ownership.md").read_text(encoding="utf-8")
    rules = {check.__name__.replace("_", "-").removesuffix("-object") for check in safety.CHECKS}
    for rule in rules | {safety.RISK_RULE}:
        assert rule in page, rule


def test_every_exit_code_is_explained() -> None:
    """Each has its row, and each error of ours ends with one of them."""
    page = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    assert all(f"| {code} | {code.meaning} |" in page for code in ExitCode)
    assert all(isinstance(error.exit_code, ExitCode) for error in REFERENCE._errors(OAuthDeployError))


def test_exit_codes_are_named_and_never_numbers() -> None:
    """One enumeration has the numbers; a command that leaves with a bare one would be a second place."""
    for path in (ROOT / "oauthdeploy" / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "leave":
                assert not _numbers(node.args[0]), f"{path}:{node.lineno}"


def _numbers(code: ast.expr) -> list[ast.expr]:
    """The numbers that an expression can give."""
    match code:
        case ast.Constant():
            return [code]
        case ast.IfExp():
            return _numbers(code.body) + _numbers(code.orelse)
        case ast.BoolOp():
            return [found for value in code.values for found in _numbers(value)]
    return []


def test_the_picture_of_the_house_is_what_the_imports_say() -> None:
    """`python -m tests.house` draws it again."""
    page = house.PAGE.read_text(encoding="utf-8")
    assert "cli --> operator" in page
    assert house.with_picture(page) == page


def test_the_module_map_names_every_package() -> None:
    """Who looks for a place finds it in CONTRIBUTING.md, wings included; and nothing there is gone."""
    packages = {str(path.parent.relative_to(house.ROOT)) for path in house.ROOT.rglob("__init__.py")} - {"."}
    rows = re.findall(r"^\| `([\w/]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(packages)
    assert packages >= house.CAPTIONS.keys()
    assert {name for name in packages if "/" not in name} == house.CAPTIONS.keys()


@cache
def _source_files() -> frozenset[str]:
    """The paths of all Python files, without those of the environments beside them."""
    return frozenset(
        str(path.relative_to(ROOT))
        for folder in ROOT.iterdir()
        if not folder.name.startswith(".")
        for path in folder.rglob("*.py")
    )


@pytest.mark.parametrize("page", [house.PAGE, *sorted((DOCS / "decisions").glob("*.md"))], ids=lambda page: page.stem)
def test_modules_named_in_pages_about_the_code_are_there(page: Path) -> None:
    """A reader who follows the road of a manifest arrives."""
    files = _source_files()
    for name in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8")):
        assert any(file == name or file.endswith(f"/{name}") for file in files), name


def test_contributing_begins_with_the_tasks() -> None:
    """Each task of the project has its line at the top."""
    tasks = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["poe"]["tasks"]
    beginning = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("```")[2].partition("```")[0]
    assert re.findall(r"bin/poe (\w+)", beginning) == [
        *("fast", "lint", "docs", "site", "test", "bench", "faults", "realms", "traffic")
    ]
    assert set(tasks) == {"fast", "lint", "docs", "site", "test", "bench", "faults", "realms", "traffic"}


def test_the_readme_of_the_package_leads_to_one_repository() -> None:
    """On a package index, links and pictures lead to the repository that the project names, and none to a file beside them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    address = project["project"]["urls"]["Homepage"]
    assert all(url.startswith(address) for url in project["project"]["urls"].values())
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for change in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    raw = address.replace("//github.com/", "//raw.githubusercontent.com/")
    targets = _LINK.findall(_FENCE.sub("", text))
    assert targets
    assert [target for target in targets if not target.startswith((f"{address}/", f"{raw}/", "#"))] == []
    pictures = re.findall(r"!\[[^\]]*\]\((\S+)\)", text)
    assert pictures
    assert all(picture.startswith(f"{raw}/") for picture in pictures)


def test_the_figures_of_performance_have_the_shape_of_a_run() -> None:
    """Its tables are those that a run writes: the same columns, and no empty cell."""
    text = (DOCS / "performance.md").read_text(encoding="utf-8")
    figures = text.partition(f"{tables.BEGIN}\n")[2].partition(tables.END)[0]
    found = [
        [line.strip("| ").split(" | ") for line in part.splitlines() if "---" not in line] for part in _tables(figures)
    ]
    assert found
    for header, *rows in found:
        assert header in (list(tables.COLUMNS.values()), list(tables.GROWTH.values()))
        assert rows
        assert all(len(row) == len(header) and all(row) for row in rows)
    document = {
        "about": "x",
        "rounds": 1,
        "sizes": {"S": "y"},
        "growth": [],
        "absent": {"peer": "why"},
        "rows": [{"server": "S", "work": "w", "tool": "t"}],
    }
    assert tables.with_figures(tables.with_figures(text, document), document) == tables.with_figures(text, document)


def test_the_page_on_scale_shows_every_figure_of_a_run_and_what_follows_from_them() -> None:
    """The rows are those that `benchmarks.estates --page` writes; the reckoning multiplies the figures and nothing else."""
    text = (DOCS / "kubernetes-scale.md").read_text(encoding="utf-8")
    figures = {
        "about": "x", "estates": 100, "sites": 5, "interval_s": 60, "workers": 4, "first_round_estates_per_s": 2.0,
        "one_estate_memory_mb": 80, "changes": 9, "kills": 3, "repair_s": {"median": 1.0, "worst": 2.0},
        "limits": {"parallel": 4, "requests_per_second": 20}, "most_at_a_time": 4, "most_in_a_second": 19,
        "memory_peak_mb": 130, "not_repaired": 0, "missing": 0, "double": 0, "not_in_sync": 0, "leases_held": 0,
        "steady": {
            "estates_per_s": 1.5, "writes": 0, "requests_per_run": 6.0, "api_requests_per_run": 12.0, "processor_s_per_run": 0.3,
            "processor_share": 0.25, "memory_mb": [90, 85], "run_s_median": 0.7,
        },
    }  # fmt: skip
    shown = text.partition(f"{scale.BEGIN}\n")[2].partition(scale.END)[0]
    made = [[line.split("|")[1] for line in part.splitlines()] for part in _tables(scale.markdown(figures) + "\n")]
    assert [[line.split("|")[1] for line in part.splitlines()] for part in _tables(shown)] == made
    assert scale.reckoned(figures)[:5] == [
        ("estates a second", "16.7", "2.8"),
        ("cores of all replicas together", "5.0", "0.8"),
        ("replicas, each using 70% of a core, and one to spare", "9", "3"),
        ("workers of all replicas together", "17", "3"),
        ("memory of each replica, at most", "1.1 GB", "1.1 GB"),
    ]
    assert scale.with_figures(scale.with_figures(text, figures), figures) == scale.with_figures(text, figures)


def _tables(text: str) -> list[str]:
    return re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
