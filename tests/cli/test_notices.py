"""Whatever id the program prints, `oauthdeploy explain` knows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import oauthdeploy
from oauthdeploy.core.diagnostics import REST, Severity
from oauthdeploy.drivers.registry import driver_facts
from oauthdeploy.manifest.explaining.notices import all_notices
from oauthdeploy.manifest.explaining.rules import all_rules
from oauthdeploy.model.explanation import RuleFacts
from oauthdeploy.planning.outcome import Status
from oauthdeploy.reports import results
from tests.cli.conftest import Runner

PACKAGE = Path(oauthdeploy.__file__).parent
ID = re.compile(r"[a-z][a-z0-9]*(-[a-z]+)*")
COMPUTED = {
    "planning/cross_side.py": {f"{kind}-on-one-side" for kind in ("scope", "client", "association")},
    "drivers/registry.py": {"server-credentials", "server-options"},
    "reports/results.py": {
        *(f"planned-{word}" for word in ("create", "update", "replace", "delete", "disable", "revoke")),
        *(f"{run}-{word}" for run in ("drift", "difference") for word in list(results._SUMMARIES)[6:]),
        *(f"change-{status.value}" for status in Status if status is not Status.DONE),
    },
}
"""The ids that a module puts together from parts; `test_no_other_module_computes_an_id` keeps the list whole."""


@cache
def _modules() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")
    }


def _notices() -> Mapping[str, RuleFacts]:
    return all_notices(driver_facts())


@cache
def _constants() -> dict[str, set[str]]:
    """The module constants that hold texts, by their names."""
    found: dict[str, set[str]] = {}
    for tree in _modules().values():
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    found.setdefault(target.id, set()).add(node.value.value)
    return found


def _takers(tree: ast.Module) -> dict[str, int]:
    """The functions of a module, and those of all others that it may call, with the place of their argument `rule`."""
    found = {"Diagnostic": 0, "about": 1, "report": 0}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args if argument.arg != "self"]
            if "rule" in names and node.name != "rule":
                found[node.name] = names.index("rule")
    return found


def _raised(tree: ast.Module) -> Iterator[ast.expr]:
    """What stands where an id is wanted: in findings, in calls that make one, and in the classes of errors."""
    takers = _takers(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in takers and len(node.args) > takers[name]:
                yield node.args[takers[name]]
            elif name in takers:
                yield from (keyword.value for keyword in node.keywords if keyword.arg == "rule")
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                target = inner.targets[0] if isinstance(inner, ast.Assign) else getattr(inner, "target", None)
                if getattr(target, "id", "") == "rule" and (value := getattr(inner, "value", None)) is not None:
                    yield value


def _texts(value: ast.expr) -> Iterator[str]:
    """The ids that an expression can be, as far as the text tells."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from (*_texts(value.body), *_texts(value.orelse))
    elif isinstance(value, ast.BoolOp):
        yield from (text for one in value.values for text in _texts(one))
    elif isinstance(value, ast.Name | ast.Attribute):
        yield from _constants().get(value.id if isinstance(value, ast.Name) else value.attr, ())


def _ids() -> set[str]:
    written = {
        text for tree in _modules().values() for value in _raised(tree) for text in _texts(value) if ID.fullmatch(text)
    }
    return written.union(*COMPUTED.values())


@pytest.mark.slow
def test_every_id_of_the_program_is_explained() -> None:
    """Findings and errors name an id, and the next thing that people do is to ask about it."""
    ids = _ids()
    assert len(ids) > 150
    assert ids - all_rules().keys() - _notices().keys() == set()
    assert {REST, "internal-error", "too-many-deletes", "not-verified", "changed-since"} <= ids


@pytest.mark.slow
def test_no_other_module_computes_an_id() -> None:
    """An id that is put together is one that the test above doesn't see, unless it is listed."""
    computing = {
        name
        for name, tree in _modules().items()
        if any(isinstance(value, ast.JoinedStr | ast.BinOp) for value in _raised(tree))
    }
    assert computing == COMPUTED.keys()


def test_an_id_is_explained_once() -> None:
    """A rule of the manifest says more than a notice could, and two explanations of one id would differ some day."""
    assert all_rules().keys() & _notices().keys() == set()
    assert {facts.severity for facts in _notices().values()} <= {severity.value for severity in Severity}
    assert all(facts.title and facts.reason and facts.fix and facts.group for facts in _notices().values())
    ends = [text for facts in _notices().values() for text in (facts.reason, facts.fix)]
    assert [text for text in ends if not text.endswith(".")] == []


@pytest.mark.parametrize(("name", "said"), [(REST, "counted by rule"), ("self-lockout", "--allow self-lockout")])
def test_a_finding_of_a_run_is_explained(oauthdeploy: Runner, name: str, said: str) -> None:
    """As a rule is; without the flags that change the weight of rules, which don't apply."""
    found = oauthdeploy("explain", name)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(name)
    assert said in " ".join(found.out.split())
    assert f"--ignore {name}" not in found.out
    assert "bad:" not in found.out
    assert '"group": "' in oauthdeploy("explain", name, "-o", "json").out


def test_a_slip_in_an_id_is_told(oauthdeploy: Runner) -> None:
    """Guesses come from all ids."""
    assert "more-findings" in oauthdeploy("explain", "more-finding").err


@pytest.mark.slow
def test_nothing_is_explained_that_is_never_said() -> None:
    """The page would promise findings that nobody gets. One id stands inside of a sentence."""
    assert _notices().keys() - _ids() == {"manifest-changed"}
