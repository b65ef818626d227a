"""The functions for Python callers: where they are, what they cost to import, and that their page is true."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import oauthdeploy
from oauthdeploy import workflow
from tests.live.conftest import PASSWORD, SECRET, users

ROOT = Path(__file__).parents[1]
MADE_BY_CALLERS = {"ExportOptions", "ManifestRequest", "RevocationRequest", "RunOptions", "TokenSelection"}
PAGE = ROOT / "docs" / "python-api.md"


def in_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_the_package_root_offers_the_functions_of_the_workflow() -> None:
    """The names are those of the workflow, and `dir` knows them before they are used."""
    names = [name for name in oauthdeploy.__all__ if name != "__version__"]
    assert {"run_plan", "run_resume", "run_rollback", "lock_holder", "break_lock"} <= set(names)
    for name in names:
        assert getattr(oauthdeploy, name) is getattr(workflow, name)
    assert set(names) <= set(in_process("import oauthdeploy; print(*dir(oauthdeploy))").split())


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any other module."""
    with pytest.raises(AttributeError, match="no attribute 'make_plans'"):
        _ = oauthdeploy.make_plans  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_else() -> None:
    """`import oauthdeploy` costs what an empty module costs: no library and no part of ours comes with it."""
    code = "import sys; known = set(sys.modules); import oauthdeploy; print(*sorted(set(sys.modules) - known))"
    added = set(in_process(code).split())
    assert added == {"oauthdeploy", "__future__"}


def test_the_names_of_the_page_are_the_names_of_the_package() -> None:
    """Each is in the table, and each function is used in an example, as is each value that callers make."""
    text = PAGE.read_text(encoding="utf-8")
    examples = "".join(examples_of(text))
    for name in oauthdeploy.__all__:
        if name != "__version__":
            assert f"`{name}" in text, name
            is_result = inspect.isclass(getattr(oauthdeploy, name)) and name not in MADE_BY_CALLERS
            assert is_result or re.search(rf"\b{name}\(", examples), name


def test_every_name_says_what_it_takes_and_gives() -> None:
    """Each has a docstring and full types, and the docstring of a value names all of its fields."""
    for name in oauthdeploy.__all__:
        value = getattr(oauthdeploy, name)
        if name == "__version__":
            continue
        told = inspect.getdoc(value) or ""
        signature = inspect.signature(value)
        assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values()), name
        if inspect.isclass(value) and issubclass(value, msgspec.Struct):
            assert set(value.__struct_fields__) <= set(re.findall(r"`(\w+)`", told)), name
        else:
            assert signature.return_annotation not in (inspect.Signature.empty, "Any"), name
            assert "Raises" in told, name


@pytest.mark.live
def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, against two servers and the quick-start manifest."""
    from oauthdeploy.server import SeedUser, ServerConfig, start

    monkeypatch.setattr("oauthdeploy.server.passwords.METHOD", "scrypt:1024:8:1")
    login_users = users(SeedUser("orders-rs", PASSWORD, ("ResourceServers",)))
    with (
        start(
            ServerConfig(role="authorization", data_dir=tmp_path / "login", accept_client_id=True, users=login_users)
        ) as login,
        start(
            ServerConfig(role="resource", data_dir=tmp_path / "orders", accept_client_id=True, users=users())
        ) as orders,
    ):
        text = (ROOT / "examples" / "quickstart" / "oauthdeploy.yaml").read_text(encoding="utf-8")
        text = re.sub(r"\n    tls: .*", "", text).replace("require_https: true", "require_https: false")
        (tmp_path / "oauthdeploy.yaml").write_text(text, encoding="utf-8")
        given = {"LOGIN_URL": login.url, "ORDERS_URL": orders.url, "NIGHTLY_BATCH_SECRET": SECRET}
        given |= dict.fromkeys(("LOGIN_PASSWORD", "ORDERS_PASSWORD", "INTROSPECTION_PASSWORD"), PASSWORD)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        for name in [name for name in os.environ if name.startswith("OAUTHDEPLOY_")]:
            monkeypatch.delenv(name)
        monkeypatch.chdir(tmp_path)
        names: dict[str, object] = {}
        for example in examples_of(PAGE.read_text(encoding="utf-8")):
            exec(compile(example, str(PAGE), "exec"), names)
    shown = capsys.readouterr().out
    assert "+ client/web-shop@login" in shown
    assert "Created client/web-shop@login." in shown
    assert "['file-unreadable']" in shown
    assert SECRET not in shown + (tmp_path / "plan.json").read_text(encoding="utf-8")


def examples_of(text: str) -> list[str]:
    """The Python code blocks of a page."""
    found = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    return found


def test_the_signature_of_every_value_can_be_read() -> None:
    """`help` and editors ask for it, also where a type is imported for type checkers alone (`core.values`)."""
    unread = []
    for module in pkgutil.walk_packages(oauthdeploy.__path__, "oauthdeploy."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and issubclass(value, msgspec.Struct) and value.__struct_config__.frozen:
                try:
                    inspect.signature(value)
                except NameError:
                    unread.append(f"{value.__module__}.{value.__qualname__}")
    assert unread == []
