"""What `.ci/release` and `.ci/audit` make of a commit and of what advisory services answer."""

from __future__ import annotations

import json
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def script(name: str) -> ModuleType:
    """A script of the folder `.ci`, imported without being run."""
    spec = spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(packages: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["name"], one["version"]) for one in packages}


def test_the_bill_of_materials_names_what_is_locked() -> None:
    """Every component is a locked version, what the program imports is among them, and what only contributors need is not."""
    document = json.loads(script("release").materials(ROOT, "1.2.3", 0))
    locked = names([one for one in tomllib.loads((ROOT / "uv.lock").read_text())["package"] if "version" in one])
    listed = names(document["components"])
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["version"] == "1.2.3"
    assert document["metadata"]["timestamp"].startswith("1970-01-01T00:00:00")
    assert listed <= locked
    assert {"pydantic", "requests", "ruamel-yaml", "jsonschema", "deepdiff"} <= {name for name, _ in listed}
    assert not {"mypy", "ruff", "hypothesis"} & {name for name, _ in listed}


def test_the_bill_of_materials_is_reproducible() -> None:
    """The same lock file gives the same bytes at another time."""
    release = script("release")
    assert release.materials(ROOT, "1", 5) == release.materials(ROOT, "1", 5)


VULNERABLE = {"name": "left", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
SOUND = {"name": "right", "version": "1", "vulns": []}
UNKNOWN = {"name": "other", "version": "1", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"pypi": [VULNERABLE, SOUND]}, 1, "left 1: PYSEC-1, fixed in 2"),
        ({"pypi": [SOUND, UNKNOWN]}, 0, "1 packages audited, 1 without advisory data, 0 vulnerable."),
        ({"pypi": [UNKNOWN], "osv": [VULNERABLE]}, 1, "1 packages audited, 0 without"),
        ({"pypi": [UNKNOWN], "osv": []}, 0, "were not audited"),
        ({}, 0, "were not audited"),
    ],
    ids=["vulnerable", "sound", "by the other service", "no data", "no service"],
)
def test_an_audit_says_what_it_knew(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answers: dict[str, list[dict[str, Any]]],
    code: int,
    words: str,
) -> None:
    """A vulnerability fails the audit; an audit without advisory data says that it was none."""
    audit = script("audit")
    monkeypatch.setattr(audit, "ask", lambda service, _requirements: answers.get(service, []))
    assert audit.main() == code
    assert words in capsys.readouterr().out


def test_scripts_run_by_this_python() -> None:
    """`.ci/release` and `.ci/audit` find uv beside the Python that runs them."""
    assert Path(sys.executable).with_name("uv") == script("release").UV
    assert script("audit").UV.exists()
