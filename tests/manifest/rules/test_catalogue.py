"""Every rule explains itself, its bad example breaks it and nothing else, and its good example breaks nothing."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest import rules
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.rules import CATALOGUE, Rule
from oauthdeploy.manifest.rules.docs import rules_page
from tests.manifest.rules.helpers import ENVIRON, drivers, findings, ids, manifest

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
MEANING = sorted(rule.id for rule in CATALOGUE.values() if not rule.structural)
STRUCTURAL = sorted(rule.id for rule in CATALOGUE.values() if rule.structural)
# Examples that show more than one file or a flag are run by tests of their own below.
IN_PARTS = {"conflicting-definition", "unknown-environment", "env-not-allowed"}


@pytest.mark.parametrize("name", MEANING)
def test_bad_example_breaks_the_rule_alone(name: str) -> None:
    """A bad example fires its own rule and no other, with the severity of the catalogue."""
    found = findings(CATALOGUE[name].bad)
    assert {item.rule for item in found} == {name}
    assert {item.severity for item in found if item.rule == name} == {CATALOGUE[name].severity}
    assert all(item.path and item.detail and item.fix for item in found)


@pytest.mark.parametrize("name", MEANING)
def test_good_example_breaks_no_rule(name: str) -> None:
    """A good example can be copied as it stands."""
    assert ids(CATALOGUE[name].good) == set()


@pytest.mark.parametrize("name", sorted(set(STRUCTURAL) - IN_PARTS))
def test_structural_examples(name: str) -> None:
    """The loader raises its own rules on their bad examples, and on no good one."""
    assert name in ids(CATALOGUE[name].bad)
    assert ids(CATALOGUE[name].good) - {"password-grant"} == set()


@pytest.mark.parametrize(("example", "expected"), [("bad", {"env-not-allowed"}), ("good", set())])
def test_env_not_allowed(tmp_path: Path, example: str, expected: set[str]) -> None:
    """With --allow-env, a manifest reads those variables and no other; names may be globs."""
    (tmp_path / "oauthdeploy.yaml").write_text(manifest(getattr(CATALOGUE["env-not-allowed"], example)))
    request = ManifestRequest(
        files=(str(tmp_path / "oauthdeploy.yaml"),), environ=ENVIRON, allow_env=("LOGIN_*", "ORDERS_PASSWORD")
    )
    _, found = load_manifest(request, drivers())
    assert {item.rule for item in found} == expected


@pytest.mark.parametrize(("example", "expected"), [("bad", {"conflicting-definition"}), ("good", set())])
def test_conflicting_definition(tmp_path: Path, example: str, expected: set[str]) -> None:
    """Two files are read together; the example names them in comments."""
    parts = re.split(r"^# (\S+)\n", getattr(CATALOGUE["conflicting-definition"], example), flags=re.M)[1:]
    (tmp_path / "base.yaml").write_text(manifest(""))
    for file, text in zip(parts[::2], parts[1::2], strict=True):
        (tmp_path / file).write_text(f"version: 1\nname: estate\n{text}")
    files = tuple(str(path) for path in sorted(tmp_path.iterdir()))
    _, found = load_manifest(ManifestRequest(files=files, environ=ENVIRON), drivers())
    assert {item.rule for item in found} == expected


@pytest.mark.parametrize(("example", "expected"), [("bad", {"unknown-environment"}), ("good", set())])
def test_unknown_environment(example: str, expected: set[str]) -> None:
    """The example says which --env it is read with."""
    text = getattr(CATALOGUE["unknown-environment"], example)
    found = re.match(r"# with --env (\w+)\n", text)
    assert found is not None
    assert ids(text, environment=found[1]) == expected


def test_every_rule_of_a_module_is_in_the_catalogue() -> None:
    """A rule that is written and not listed would never run."""
    for info in pkgutil.iter_modules(rules.__path__):
        module = importlib.import_module(f"{rules.__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, Rule):
                assert CATALOGUE[value.id] is value


def test_catalogue_is_sorted_and_keyed_by_id() -> None:
    """The catalogue reads like an index."""
    assert list(CATALOGUE) == sorted(CATALOGUE)
    assert all(name == rule.id for name, rule in CATALOGUE.items())


@pytest.mark.parametrize("rule", CATALOGUE.values(), ids=lambda rule: rule.id)
def test_a_rule_explains_itself(rule: Rule) -> None:
    """Id, title, reason, source, fix and two different examples; no function exactly where the rule is structural."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.id)
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    assert all((rule.reason, rule.source, rule.fix, rule.bad, rule.good))
    assert rule.reason.endswith(".")
    assert rule.bad != rule.good
    assert (rule.check is None) is rule.structural


def test_page_is_generated() -> None:
    """docs/rules.md is what the catalogue gives."""
    assert PAGE.read_text(encoding="utf-8") == rules_page()


def test_page_names_every_rule_once() -> None:
    """Each rule has one row and one section."""
    page = rules_page()
    for rule in CATALOGUE.values():
        assert page.count(f"\n## {rule.id}\n") == 1
        assert page.count(f"| [{rule.id}](#{rule.id}) |") == 1


@pytest.mark.parametrize("name", MEANING)
def test_severity_can_be_changed(name: str) -> None:
    """A rule about meaning can be raised, lowered and ignored."""
    text = CATALOGUE[name].bad
    for word, severity in (("error", Severity.ERROR), ("warning", Severity.WARNING)):
        found = [item for item in findings(text, severities={name: word}) if item.rule == name]
        assert {item.severity for item in found} == {severity}
    assert name not in ids(text, severities={name: "ignore"})


@pytest.mark.parametrize("name", STRUCTURAL)
def test_structural_severity_is_fixed(name: str) -> None:
    """Asking to lower a rule of reading is a finding itself."""
    assert "not-allowed-value" in ids("clients: {}\n", severities={name: "ignore"})
