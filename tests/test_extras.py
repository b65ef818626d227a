"""Extras: where one is missing, every command and every public import says so in one way, with the command that helps."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.cli.app import COMMANDS
from oauthdeploy.core import extras
from oauthdeploy.core.extras import ExtraMissing, install_command

ROOT = Path(__file__).parent.parent
EXTRAS = ("server", "demo", "metrics", "kubernetes", "operator", "keyring", "testing")
NEEDS = {
    "server": {"serve": "server", "demo": "demo", "import oauthdeploy.server": "server"},
    "demo": {"demo": "demo"},
    "metrics": {"drift": "metrics", "operator": "operator"},
    "kubernetes": {"operator": "operator"},
    "operator": {"operator": "operator"},
    "keyring": {"validate": "keyring"},
    "testing": {"import oauthdeploy.testing": "testing"},
}
"""What stops without an extra, and the extra that it asks for: the demo's holds that of the server."""

ARGUMENTS = {
    "serve": ["--role", "both"],
    "drift": ["--watch", "1h", "--metrics-listen", "127.0.0.1:0"],
    "revoke": ["web"],
    "tokens": ["list"],
    "show": ["none.json"],
    "rollback": ["none.json"],
    "explain": ["clients"],
    "schema": ["manifest"],
    "completion": ["bash"],
    "doctor": ["login"],
    "bundle": ["--out", "bundle.tar.gz"],
    "init": ["-", "--no-input"],
    "compare": ["login", "orders"],
}

ENDLESS = {"serve", "demo", "drift", "operator"}

MANIFEST = """\
version: 1
name: extras
servers:
  login:
    role: both
    driver: webmethods
    url: http://127.0.0.1:9
    credentials: {username: deployer, password: "SECRET"}
    authorization_server: login
    limits: {retries: 0}
"""

PROGRAM = """
import contextlib, io, json, sys
from importlib import import_module

blocked = set(json.loads(sys.argv[1]))


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
from oauthdeploy.cli.entrypoint import run

found = {}
for arguments in json.loads(sys.argv[2]):
    if arguments[0] == "import":
        try:
            import_module(arguments[1])
            found[" ".join(arguments)] = [0, ""]
        except ImportError as error:
            found[" ".join(arguments)] = [1, f"{type(error).__name__}: {error}"]
    else:
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = run(arguments)
        found[arguments[0]] = [code, said.getvalue()]
print(json.dumps(found))
"""


def required(package: str, extra: str = "") -> set[str]:
    """The distributions that a package requires, of an extra or always, by their normalized names."""
    try:
        lines = requires(package) or []
    except PackageNotFoundError:
        return set()
    wanted = {
        line for line in lines if (f"extra == '{extra}'" in line.replace('"', "'") if extra else "extra ==" not in line)
    }
    return {re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in wanted}


def always() -> set[str]:
    """What is installed with the package in any case."""
    found, new = set[str](), required("oauthdeploy")
    while new:
        found |= new
        new = {name for one in new for name in required(one)} - found
    return found


def modules_of(extra: str) -> set[str]:
    """The modules that only the extra brings."""
    names = required("oauthdeploy", extra) - always() - {"oauthdeploy"}
    owned = {
        module
        for module, owners in packages_distributions().items()
        if any(owner.lower().replace("_", "-") in names for owner in owners)
    }
    return owned | (names & {"keyring"})  # not installed where this is developed


@pytest.mark.parametrize("extra", EXTRAS)
def test_without_an_extra_all_that_needs_it_says_so_in_one_way(extra: str, tmp_path: Path) -> None:
    """Every command and public import runs without the extra: those that need it name it and the command that adds it, once;
    the others have nothing to say about extras; and nothing ends as a bug.
    """
    secret = "${keyring:login/deployer}" if extra == "keyring" else "${env:PASSWORD:-x}"
    (tmp_path / "oauthdeploy.yaml").write_text(MANIFEST.replace("SECRET", secret))
    blocked = modules_of(extra)
    assert blocked
    # What would go on for good is only asked for its help where the extra doesn't stop it.
    runs = [
        [name, *(ARGUMENTS.get(name, []) if name not in ENDLESS or name in NEEDS[extra] else ["--help"])]
        for name in COMMANDS
    ]
    runs += [
        ["import", f"oauthdeploy{name}"]
        for name in ("", ".workflow", ".testing", ".server", ".cli.demo", ".drivers.base")
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(sorted(blocked)), json.dumps(runs)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {" ".join(each) if each[0] == "import" else each[0] for each in runs}
    for name, (code, said) in found.items():
        assert "internal-error" not in said, (name, said)
        assert "ModuleNotFoundError" not in said, (name, said)
        if name in NEEDS[extra]:
            assert code in (1, 3), (name, code, said)
            asked = NEEDS[extra][name]
            assert said.count(f"needs the extra '{asked}'") == 1, (name, said)
            assert said.count(install_command(asked)) == 1, (name, said)
        elif extra != "keyring":  # which every command needs that reads this manifest
            assert f"the extra '{extra}'" not in said, (name, said)


@pytest.mark.parametrize(
    ("origin", "installer", "marker", "wanted"),
    [
        (None, "pip", "", "PYTHON -m pip install 'oauthdeploy[demo]'"),
        (
            {"url": "file:///w/oa-1.whl", "archive_info": {}},
            "pip",
            "",
            "PYTHON -m pip install 'oauthdeploy[demo] @ file:///w/oa-1.whl'",
        ),
        ({"url": "file:///s%20t", "dir_info": {"editable": True}}, "pip", "", "PYTHON -m pip install -e '/s t[demo]'"),
        (
            {"url": "file:///s", "dir_info": {}},
            "uv",
            "",
            "uv pip install --python PYTHON 'oauthdeploy[demo] @ file:///s'",
        ),
        (
            {"url": "https://git.example/oa", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pip",
            "pipx_metadata.json",
            "pipx install --force 'oauthdeploy[demo] @ git+https://git.example/oa@abc'",
        ),
        (
            {"url": "file:///w/oa-1.whl"},
            "uv",
            "uv-receipt.toml",
            "uv tool install --force 'oauthdeploy[demo] @ file:///w/oa-1.whl'",
        ),
    ],
)
def test_the_command_follows_how_the_package_was_installed(
    origin: Any, installer: str, marker: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pip, pipx or uv, from an index, a file, a folder or a repository (PEP 610, PEP 627)."""

    class Installed:
        def read_text(self, name: str) -> str | None:
            return {"INSTALLER": f"{installer}\n", "direct_url.json": json.dumps(origin) if origin else None}[name]

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Installed())
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/opt/python")
    if marker:
        (tmp_path / marker).touch()
    assert install_command("demo") == wanted.replace("PYTHON", "/opt/python")


def test_a_missing_extra_is_an_import_error_of_one_line() -> None:
    """What a caller in Python sees."""
    with pytest.raises(ImportError) as caught, extras.needs_extra("demo", "this"):
        import_module("there_is_no_such_module")
    assert isinstance(caught.value, ExtraMissing)
    assert str(caught.value) == f"this needs the extra 'demo'. Install it: {install_command('demo')}"


def test_a_mistake_of_ours_is_no_missing_extra() -> None:
    """A module of the project that isn't there is a bug, and no extra would help."""
    with pytest.raises(ModuleNotFoundError, match=r"oauthdeploy\.nowhere"), extras.needs_extra("demo", "this"):
        import_module("oauthdeploy.nowhere")
