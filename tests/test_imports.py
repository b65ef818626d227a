"""The import rules of the project, read from the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "oauthdeploy"
LAYERS = ["core", "model", "planning", "manifest", "drivers", "running", "reports", "workflow", "cli"]
MAY_IMPORT = {
    "core": {"core"},
    "model": {"core", "model"},
    "planning": {"core", "model", "planning"},
    "manifest": {"core", "model", "planning", "manifest"},
    "drivers": {"core", "model", "planning", "drivers"},
    "running": {"core", "model", "planning", "drivers", "running"},
    "reports": {"core", "model", "planning", "reports"},
    "workflow": {"core", "model", "planning", "manifest", "drivers", "running", "workflow"},
    "cli": {
        "core",
        "model",
        "planning",
        "manifest",
        "drivers",
        "running",
        "reports",
        "workflow",
        "cli",
        "server",
    },
    "server": {"server"},
    "testing": {"core", "model", "planning", "manifest", "drivers", "running", "reports", "workflow", "testing"},
}
PLANNING = [
    "changes",
    "normalize",
    "risk",
    "server_view",
    "revocation.pending",
    "pruning",
    "effective_grants",
    "opaque_secrets",
    "diff",
    "exchanges",
    "ordering",
    "safety",
    "surviving_tokens",
    "server_pairs",
    "accounts",
    "cross_side",
    "planfile.encoding",
    "plan",
    "planfile.decoding",
    "planfile.schema",
    "planfile.plan_file",
    "planfile.staleness",
    "run_history",
    "rollback.steps",
    "rollback.inverse",
    "selection",
    "revocation.request",
    "revocation.token_list",
    "adoption",
    "outcome",
    "revocation.audit_schema",
    "revocation.audit_records",
    "drift.classification",
    "drift.baseline",
    "export.client_matching",
    "inventory",
    "export.values",
    "export.driver_options",
    "export.settings",
    "export.builder",
    "drift.comparison",
]
ONLY_IN = {
    "requests": {"drivers", "server", "cli"},
    "ruamel": {"manifest"},
    "yaml": {"manifest"},
    "deepdiff": {"planning"},
    "click": {"cli"},
    "prometheus_client": {"cli"},
    "rich": {"cli", "reports"},
    "jinja2": {"reports"},
    "flask": {"server"},
    "authlib": {"server"},
    "sqlalchemy": {"server"},
    "cheroot": {"server"},
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def group_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0].removesuffix(".py")


def imports(path: Path, *, skip_typing: bool = False) -> Iterator[str]:
    """Every imported module name; with `skip_typing`, not those under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden: set[ast.AST] = set()
    if skip_typing:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                hidden.update(child for statement in node.body for child in ast.walk(statement))
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_its_own_layer_and_those_above(path: Path) -> None:
    """Data flows one way: core, model, planning, then the edges, then running, workflow and cli."""
    group = group_of(path)
    if group in ("__init__", "__main__"):
        return
    allowed = MAY_IMPORT[group]
    for name in imports(path):
        parts = name.split(".")
        if (
            parts[0] == "oauthdeploy"
            and len(parts) > 1
            and (ROOT / parts[1]).exists() | (ROOT / f"{parts[1]}.py").exists()
        ):
            assert parts[1] in allowed, f"{group} may not import {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_stays_in_the_part_that_is_its_home(path: Path) -> None:
    """requests only in drivers, ruamel only in manifest, deepdiff only in planning, and so on."""
    group = group_of(path)
    for name in imports(path, skip_typing=True):
        home = ONLY_IN.get(name.split(".")[0])
        assert home is None or group in home, f"{group} may not import {name}"


def test_only_the_diff_imports_deepdiff() -> None:
    """One module knows how two objects are compared."""
    users = {
        str(path.relative_to(ROOT)) for path in modules() if any(n.split(".")[0] == "deepdiff" for n in imports(path))
    }
    assert users <= {"planning/diff.py"}


def test_planning_steps_import_only_earlier_steps() -> None:
    """The road through planning has one direction, also between its wings."""
    home = ROOT / "planning"
    for path in sorted(home.rglob("*.py")):
        if path.stem == "__init__":
            continue
        step = ".".join(path.relative_to(home).with_suffix("").parts)
        place = PLANNING.index(step)
        for name in imports(path):
            imported = name.removeprefix("oauthdeploy.planning.")
            if name != imported and imported in PLANNING:
                assert PLANNING.index(imported) < place, f"{step} imports the later {imported}"


def test_a_driver_never_imports_another_driver() -> None:
    """What two drivers share lives in drivers/base.py or drivers/http.py."""
    packages = {path.name for path in (ROOT / "drivers").iterdir() if path.is_dir()}
    for path in (ROOT / "drivers").rglob("*.py"):
        own = path.relative_to(ROOT / "drivers").parts[0]
        if own not in packages:
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] == ["oauthdeploy", "drivers"] and len(parts) > 2 and parts[2] in packages:
                assert parts[2] == own, f"{own} imports {name}"


def test_running_knows_only_the_interface_of_drivers() -> None:
    """Concrete drivers are named in drivers/registry.py alone."""
    for path in (ROOT / "running").rglob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] == ["oauthdeploy", "drivers"] and len(parts) > 2:
                assert parts[2] == "base", f"{path.name} imports {name}"


def test_only_serve_and_demo_import_the_embedded_server() -> None:
    """The server is apart: a pipeline installs the deployer without it."""
    users = {
        str(path.relative_to(ROOT))
        for path in modules()
        if group_of(path) != "server" and any(name.startswith("oauthdeploy.server") for name in imports(path))
    }
    assert users <= {"cli/serve.py", "cli/demo.py"}


def test_print_is_called_only_by_the_cli() -> None:
    """Steps return values; the command line decides what is shown."""
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert group_of(path) == "cli", f"{path} prints"


def test_planning_reaches_no_clock_file_network_or_environment() -> None:
    """Planning is pure: what it needs of the world is handed in."""
    for path in (ROOT / "planning").rglob("*.py"):
        for name in imports(path):
            assert name.split(".")[0] not in {"os", "time", "socket", "pathlib", "subprocess", "random", "secrets"}, (
                name
            )
