"""The import rules of the project, read from the syntax tree.

An import inside a function is an import: it may save time at the start, but it may not hide a circle or run upward.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import oauthdeploy.planning
from tests.house import PACKAGE, ROOT, circle, import_graph, imports, reaches, source_file

LAYERS = ["core", "model", "planning", "manifest", "drivers", "running", "reports", "workflow", "operator", "cli"]
MAY_IMPORT = {
    "__init__": {"core", "workflow"},
    "__main__": {"cli"},
    "core": {"core"},
    "model": {"core", "model"},
    "planning": {"core", "model", "planning"},
    "manifest": {"core", "model", "planning", "manifest"},
    "drivers": {"core", "model", "planning", "drivers"},
    "running": {"core", "model", "planning", "drivers", "running"},
    "reports": {"core", "model", "planning", "reports"},
    "workflow": {"core", "model", "planning", "manifest", "drivers", "running", "workflow"},
    "operator": {"core", "model", "planning", "manifest", "running", "reports", "workflow", "operator"},
    "cli": {
        "core",
        "model",
        "planning",
        "manifest",
        "drivers",
        "running",
        "reports",
        "workflow",
        "operator",
        "cli",
        "server",
    },
    "server": {"core", "server"},
    "testing": {"core", "model", "planning", "manifest", "drivers", "running", "reports", "workflow", "testing"},
}
PLANNING = [
    "changes",
    "identities",
    "protection",
    "unread",
    "normalize",
    "risk",
    "json_documents",
    "unkept",
    "side_effects",
    "requirements",
    "server_view",
    "pending_revocations",
    "pruning",
    "unmanaged",
    "effective_grants",
    "opaque_secrets",
    "diff",
    "exchanges",
    "two_writes",
    "ordering",
    "safety",
    "surviving_tokens",
    "server_pairs",
    "accounts",
    "cross_side",
    "name_conflicts",
    "possible_renames",
    "plan",
    "recorded_cut_offs",
    "planfile.decoding",
    "planfile.binding",
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
    "export.client_ids",
    "omissions",
    "export.values",
    "export.driver_options",
    "export.target_limits",
    "export.scope_contents",
    "export.settings",
    "export.draft",
    "export.entries",
    "export.associations",
    "export.trusts",
    "export.builder",
    "drift.comparison",
]
WINGS = {
    "planfile": set[str](),
    "rollback": set[str](),
    "revocation": set[str](),
    "export": set[str](),
    "drift": {"export"},
}
"""The wings of planning, and the other wings that each may import. The centre, planning's own modules, imports none."""
TYPED_CIRCLES: set[tuple[str, str]] = set()
"""Imports for type checkers alone that close a circle. Each needs a reason here; better is to move the shared type up."""
ONLY_IN = {
    "requests": {"drivers", "server", "cli"},
    "ruamel": {"manifest"},
    "yaml": {"manifest"},
    "deepdiff": {"planning"},
    "click": {"cli"},
    "prometheus_client": {"cli", "operator"},
    "kopf": {"operator", "cli"},
    "lightkube": {"running", "operator"},
    "httpx2": {"running", "operator"},
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


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_its_own_layer_and_those_above(path: Path) -> None:
    """Data flows one way: core, model, planning, then the edges, then running, workflow and cli."""
    group = group_of(path)
    allowed = MAY_IMPORT[group]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == PACKAGE and len(parts) > 1 and (ROOT / parts[1]).exists() | (ROOT / f"{parts[1]}.py").exists():
            assert parts[1] in allowed, f"{group} may not import {name}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Modules can be read and loaded one after the other; an import inside a function hides no circle."""
    assert circle(import_graph(ROOT, skip_typing=True)) == []


def test_an_import_for_type_checkers_closes_no_circle_that_is_not_listed() -> None:
    """Types that two modules share stand above both."""
    at_run_time, all_imports = import_graph(ROOT, skip_typing=True), import_graph(ROOT, skip_typing=False)
    typed = {(module, name) for module, names in all_imports.items() for name in names - at_run_time[module]}
    assert {(module, name) for module, name in typed if reaches(all_imports, name, module)} == TYPED_CIRCLES


def test_nothing_is_imported_from_the_package_itself() -> None:
    """The root offers names to callers and stands above all; what modules need of it, such as the version, is in core."""
    graph = import_graph(ROOT, skip_typing=False)
    assert [module for module, names in graph.items() if PACKAGE in names] == []


def test_a_circle_is_found_inside_functions_and_through_packages(tmp_path: Path) -> None:
    """The rules above see what they are to refuse."""
    house = tmp_path / "house"
    (house / "wing").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "wing/__init__.py": "",
        "low.py": "def late():\n    from house.wing import high\n",
        "wing/high.py": "from house.middle import VALUE\n",
        "middle.py": "import house.low\n",
        "typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house import low\n",
    }.items():
        (house / name).write_text(text)
    graph = import_graph(house, skip_typing=True)
    assert set(circle(graph)) == {"house.low", "house.wing.high", "house.middle"}
    assert graph["house.typed"] == set()
    assert import_graph(house, skip_typing=False)["house.typed"] == {"house.low"}


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
        assert step in PLANNING, f"{step} has no place in the order of planning"
        place = PLANNING.index(step)
        for name in imports(path):
            imported = name.removeprefix("oauthdeploy.planning.")
            if name != imported and imported in PLANNING:
                assert PLANNING.index(imported) < place, f"{step} imports the later {imported}"


def test_the_docstring_of_planning_lists_its_centre_in_order() -> None:
    """Who opens the package sees the order of the work."""
    listed = re.findall(r"^    ((?:\w+  ?)+)", oauthdeploy.planning.__doc__ or "", re.MULTILINE)
    names = [name for line in listed for name in re.split(r" {2,}", line.strip()) if name in PLANNING]
    assert set(names) == {step for step in PLANNING if "." not in step}
    assert names == sorted(names, key=PLANNING.index)


def test_a_wing_of_planning_imports_the_centre_and_never_the_reverse() -> None:
    """What a wing and the centre share stands in the centre, so that a wing can be read, or left out, by itself."""
    home = ROOT / "planning"
    wings = {path.name for path in home.iterdir() if (path / "__init__.py").exists()}
    assert wings == WINGS.keys()
    for path in sorted(home.rglob("*.py")):
        own = path.relative_to(home).parts[0]
        allowed = {own} | WINGS.get(own, set())
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] == [PACKAGE, "planning"] and len(parts) > 2 and parts[2] in wings:
                assert parts[2] in allowed, f"planning/{path.relative_to(home)} imports {name}"


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


def test_the_embedded_server_takes_from_the_rest_only_the_message_about_a_missing_extra() -> None:
    """The server shares no code with the drivers that are tested on it."""
    for path in (ROOT / "server").rglob("*.py"):
        foreign = {name for name in imports(path) if name.startswith("oauthdeploy.core")}
        assert not foreign or (
            path.name == "__init__.py" and all(name.startswith("oauthdeploy.core.extras") for name in foreign)
        )


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
    assert {path.partition("/")[0] for path in callers_of("print")} <= {"cli"}


def test_planning_reaches_no_clock_file_network_or_environment() -> None:
    """Planning is pure: what it needs of the world is handed in."""
    for path in (ROOT / "planning").rglob("*.py"):
        for name in imports(path):
            assert name.split(".")[0] not in {"os", "time", "socket", "pathlib", "subprocess", "random", "secrets"}, (
                name
            )


def callers_of(name: str) -> set[str]:
    """The modules that call a function or method of that name."""
    return {str(path.relative_to(ROOT)) for path in modules() if name in source_file(path).called}


def test_a_plan_is_carried_out_in_one_place() -> None:
    """Apply, saved plans, resume, rollback and revoke can't drift apart: one function opens the journal and writes."""
    assert callers_of("apply_plan") <= {"workflow/writing.py", "testing/harness.py"}
    assert callers_of("Freshness") <= {"workflow/writing.py", "testing/harness.py"}


def test_files_are_replaced_in_one_place() -> None:
    """One writer knows how to put a file in its place whole and on disk; the embedded server is apart."""
    assert callers_of("mkstemp") == set()
    assert callers_of("fsync") <= {"core/files.py", "running/journal.py", "running/audit.py", "server/private_files.py"}


def test_values_are_no_dataclasses() -> None:
    """Python compiles the methods of a dataclass at each start, which was a quarter of the time of a short command."""
    assert {str(path.relative_to(ROOT)) for path in modules() if "dataclasses" in imports(path)} == set()
