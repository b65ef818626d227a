"""Hostile and hopeless manifests cost no more than honest ones, and nobody is shown more than can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oauthdeploy.cli.entrypoint import run
from oauthdeploy.core.diagnostics import MAX_FINDINGS, REST, Diagnostic, Diagnostics, Severity, SourceSpan
from oauthdeploy.manifest import build, key_limit, yaml_reader
from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.source import LINE_BREAK, Lines, Source
from tests.manifest.rules.helpers import ENVIRON, drivers, manifest


def _found(text: str) -> Diagnostics:
    return load_manifest(ManifestRequest(files=("-",), stdin=text, environ=ENVIRON), drivers())[1]


def _item(number: int, severity: Severity, rule: str = "a") -> Diagnostic:
    return Diagnostic(rule, "A", severity=severity, span=SourceSpan("f", number, 1))


def _values(data: Any) -> int:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return 1 + sum(_values(value) for value in inner)


def test_the_first_are_kept_and_the_rest_is_counted_by_rule() -> None:
    """Counts stay true, places stay in order, and the last finding says what isn't shown."""
    found = Diagnostics.of([_item(n, Severity.ERROR, "ab"[n % 2]) for n in range(10)]).first(4)
    assert [item.span.line for item in found.items[:-1] if item.span] == [0, 1, 2, 3]
    assert (found.items[-1].rule, found.items[-1].detail) == (REST, "And 6 more, by rule: a 3, b 3.")
    assert found.count(Severity.ERROR) == 10
    assert (found + Diagnostics((_item(1, Severity.ERROR),))).sorted().count(Severity.ERROR) == 11


def test_a_warning_never_hides_an_error() -> None:
    """Errors are kept before warnings, wherever they stand; the shown ones stay in the order of place."""
    found = Diagnostics.of([*(_item(n, Severity.WARNING) for n in range(5)), _item(9, Severity.ERROR)]).first(2)
    assert [item.severity for item in found] == [Severity.WARNING, Severity.ERROR, Severity.WARNING]
    assert len(found.errors) == found.count(Severity.ERROR) == 1
    assert found.count(Severity.WARNING) == 5


def test_few_findings_are_left_alone() -> None:
    """Up to the limit nothing is added."""
    found = Diagnostics.of(_item(n, Severity.ERROR) for n in range(4))
    assert found.first(4) is found


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit"])
def test_every_report_counts_what_it_does_not_show(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same cut in each format, with the true number of errors and the exit code of an invalid manifest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    Path("oauthdeploy.yaml").write_text(manifest("".join(f"key{n}: x\n" for n in range(MAX_FINDINGS + 234))))
    assert run(("validate", "-o", form)) == 3
    streams = capsys.readouterr()
    shown = streams.out + streams.err
    assert {"text": "A key is not known (1,234 times)"}.get(form, "And 234 more, by rule: unknown-key 234.") in shown
    assert f"key{MAX_FINDINGS + 1}'" not in shown
    counted = {"json": '"errors": 1234', "sarif": '"ruleId": "more-findings"'}.get(form, "1,234 errors")
    assert counted in shown


def test_useless_comments_are_cut_off_too() -> None:
    """Findings about comments are findings as others."""
    scopes = "".join(f"  s{n}: {{}} # oauthdeploy: ignore[absent-scope-in-use] why\n" for n in range(MAX_FINDINGS + 5))
    found = _found(manifest(f"scopes:\n{scopes}"))
    assert len(found) == MAX_FINDINGS + 1
    kept = [item for item in found if item.rule == "unused-ignore"]
    assert all(item.span is not None and "oauthdeploy: ignore" in item.span.text for item in kept)


@pytest.mark.parametrize(
    "text", ["- a\n" * 50, "[" + "a, " * 50 + "]", "- {a: b, c: [d, e]}\n" * 10, "- &x a\n" + "- *x\n" * 50]
)
def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Reading stops at the same number of values with and without positions, and says where."""
    monkeypatch.setattr(yaml_reader, "MAX_VALUES", 40)
    _, data = yaml_reader.read_tree(Source("f", text))
    _, nodes = yaml_reader.read_nodes(Source("f", text))
    expected = [] if "*x" in text else ["too-large"]
    assert [item.rule for item in data] == [item.rule for item in nodes] == expected


@pytest.mark.parametrize("text", ["a: [b, c]\nd: {e: f}\n", "- a\n- - b\n  - c: d\n"])
def test_texts_lists_and_mappings_count_as_values(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The limit counts each of them once, and no key."""
    values = _values(yaml_reader.read_tree(Source("f", text))[0])
    monkeypatch.setattr(yaml_reader, "MAX_VALUES", values)
    assert yaml_reader.read_tree(Source("f", text))[1] == ()
    monkeypatch.setattr(yaml_reader, "MAX_VALUES", values - 1)
    assert [item.rule for item in yaml_reader.read_tree(Source("f", text))[1]] == ["too-large"]


def test_more_problems_than_can_be_held_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then only the start of each section is looked at, and the number of all is told."""
    monkeypatch.setattr(build, "_MOST", 50)
    monkeypatch.setattr(build, "_SAMPLE", 5)
    clients = "".join(f"  c{n}: {{type: public, tipe: x}}\n" for n in range(60))
    found = _found(manifest(f"clients:\n{clients}"))
    assert [item.rule for item in found].count("unknown-key") == 5
    assert any(item.rule == "too-large" and item.detail.startswith("60 values") for item in found)


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\r\nb\rc\n\nd", "\r\r\n", "\n" * 5, "ä\r"])
def test_lines_are_those_of_a_split(text: str) -> None:
    """Keeping only where lines start gives the same lines."""
    lines = Lines(text)
    assert list(lines) == LINE_BREAK.split(text)
    assert lines[-1] == list(lines)[-1]
    assert lines[:2] == list(lines)[:2]


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ("{keys}", "The top of the file has 13 keys"),
        ("settings:\n  {keys}", "settings has 10 keys"),
        ("clients:\n  x:\n    {keys}", "clients.x has 10 keys"),
        ("environments:\n  prod:\n    scopes:\n      s:\n        {keys}", "environments.prod.scopes.s has 10 keys"),
        ("environments:\n  prod:\n    {keys}", "environments.prod has 10 keys"),
    ],
)
def test_an_object_with_thousands_of_keys_is_none(monkeypatch: pytest.MonkeyPatch, part: str, where: str) -> None:
    """One finding instead of thousands, and nothing else is looked at."""
    monkeypatch.setattr(key_limit, "MAX_KEYS", 9)
    line, indent = part.rpartition("\n")[2], part.rpartition("\n")[2].index("{")
    assert line.endswith("{keys}")
    keys = f"\n{' ' * indent}".join(f"k{n}: x" for n in range(10))
    found = _found(manifest(part.replace("{keys}", keys)))
    assert [item.rule for item in found] == ["too-large"]
    assert found.items[0].detail.startswith(where)
    assert found.items[0].span is not None


@pytest.mark.parametrize("section", ["clients", "scopes", "variables"])
def test_names_may_be_many(monkeypatch: pytest.MonkeyPatch, section: str) -> None:
    """What people name isn't bounded by what an object can have."""
    monkeypatch.setattr(key_limit, "MAX_KEYS", 9)
    names = ", ".join(f"b{n}: {{}}" for n in range(20))
    assert "too-large" not in {item.rule for item in _found(manifest(f"{section}: {{{names}}}"))}
