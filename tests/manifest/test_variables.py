"""Variables: types, defaults, allowed values, where values come from, and files of values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.var_files import VarFile, read_dotenv, read_var_file
from tests.manifest.support import HEAD, bad, good, load

BODY = HEAD + "variables:\n  tier: {default: test, allowed: [test, prod]}\nscopes:\n  a: {description: '${var:tier}'}\n"


def description(text: str, folder: Path, **changes: object) -> str | None:
    scopes = good(text, folder, **changes).document.scopes
    assert scopes is not None
    return scopes["a"].description


def test_precedence(tmp_path: Path) -> None:
    """--var beats --var-file (a later file wins), which beats OAUTHDEPLOY_VAR_name, which beats the default."""
    text = BODY.replace(", allowed: [test, prod]", "")
    (tmp_path / "one.env").write_text("tier=one\n")
    (tmp_path / "two.yaml").write_text("tier: two\n")
    environ = {"P": "pw", "OAUTHDEPLOY_VAR_tier": "environ"}
    files = (str(tmp_path / "one.env"), str(tmp_path / "two.yaml"))
    assert description(text, tmp_path) == "test"
    assert description(text, tmp_path, environ=environ) == "environ"
    assert description(text, tmp_path, environ=environ, var_files=files[:1]) == "one"
    assert description(text, tmp_path, environ=environ, var_files=files) == "two"
    assert description(text, tmp_path, environ=environ, var_files=files, variables={"tier": "var"}) == "var"


@pytest.mark.parametrize(
    ("declaration", "value", "rule"),
    [
        ("{type: integer}", "x", "wrong-value"),
        ("{type: integer}", "1.5", "wrong-value"),
        ("{type: boolean}", "yes", "wrong-value"),
        ("{type: duration}", "1 hour", "wrong-value"),
        ("{allowed: [gold, silver]}", "glod", "not-allowed-value"),
        ("{}", None, "undefined-variable"),
        ("{default: '${env:P}'}", None, "wrong-value"),
    ],
)
def test_values_are_checked_against_the_declaration(
    declaration: str, value: str | None, rule: str, tmp_path: Path
) -> None:
    """A value that isn't of the type, isn't allowed or isn't there is a finding where the variable is used."""
    text = HEAD + f"variables:\n  tier: {declaration}\nscopes:\n  a: {{description: '${{var:tier}}'}}\n"
    given_values = {} if value is None else {"tier": value}
    (found,) = bad(text, tmp_path, variables=given_values)
    assert found.rule == rule
    assert found.span is not None
    assert found.span.line == 10
    assert "tier" in found.detail
    assert found.fix


@pytest.mark.parametrize("value", ["0", "-5", "true", "30m", "silver"])
def test_good_values_pass(value: str, tmp_path: Path) -> None:
    """Values of the declared type are used as they are written."""
    kind = {"0": "integer", "-5": "integer", "true": "boolean", "30m": "duration"}.get(value, "string")
    text = HEAD + f"variables:\n  tier: {{type: {kind}}}\nscopes:\n  a: {{description: '${{var:tier}}'}}\n"
    assert description(text, tmp_path, variables={"tier": value}) == value


def test_an_unused_variable_needs_no_value(tmp_path: Path) -> None:
    """Only variables that are used need a value."""
    assert good(HEAD + "variables: {unused: {type: integer}}\n", tmp_path).document.variables["unused"].default is None


def test_unknown_variables(tmp_path: Path) -> None:
    """--var of an undeclared variable is an error with a suggestion, in a --var-file a warning, in the environment nothing."""
    (found,) = bad(BODY, tmp_path, variables={"tire": "x"})
    assert (found.rule, found.fix) == ("undefined-variable", "Did you mean 'tier'?")
    (tmp_path / "v.env").write_text("other=1\n")
    manifest, diagnostics = load(BODY, tmp_path, var_files=(str(tmp_path / "v.env"),))
    assert manifest is not None
    found_now = [(item.rule, item.severity) for item in diagnostics if item.rule == "undefined-variable"]
    assert found_now == [("undefined-variable", Severity.WARNING)]
    assert good(BODY, tmp_path, environ={"P": "p", "OAUTHDEPLOY_VAR_whatever": "x"})


def test_an_undeclared_variable_is_suggested(tmp_path: Path) -> None:
    """A slip in ${var:...} names the variable that was meant."""
    (found,) = bad(BODY.replace("${var:tier}", "${var:teir}"), tmp_path)
    assert (found.rule, found.fix) == ("undefined-variable", "Did you mean 'tier'?")


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("v.yaml", "a: 007\nb: no\nc: 'x y'\n", {"a": "007", "b": "no", "c": "x y"}),
        ("v.yml", "", {}),
        ("v.json", '{"a": 7, "b": true, "c": "x", "d": 1.50}', {"a": "7", "b": "true", "c": "x", "d": "1.50"}),
        (
            "v.env",
            '# comment\n\na=1\nexport b = \'x # y\' # c\nc="p\\nq\\""\nd=\ne=x y #z\nf=a#b\n',
            {"a": "1", "b": "x # y", "c": 'p\nq"', "d": "", "e": "x y", "f": "a#b"},
        ),
    ],
)
def test_files_of_values(name: str, text: str, values: dict[str, str], tmp_path: Path) -> None:
    """YAML, JSON and dotenv files give texts; nothing is turned into a number or a boolean."""
    path = tmp_path / name
    path.write_text(text)
    found = read_var_file(str(path))
    assert (found.values, found.problems) == (values, [])


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("v.yaml", "a: canary\na: canary\n", "duplicate-key"),
        ("v.yaml", "[a]", "wrong-value"),
        ("v.yaml", "a: [b]", "wrong-value"),
        ("v.json", '{"a": 1, "a": 2}', "duplicate-key"),
        ("v.json", '{"a": null}', "wrong-value"),
        ("v.json", "{canary", "wrong-value"),
        ("v.json", "[" * 100_000, "wrong-value"),
        ("v.env", "a=1\na=2", "duplicate-key"),
        ("v.env", "canary", "wrong-value"),
        ("v.env", "a='canary", "wrong-value"),
        ("v.env", "1a=canary", "wrong-value"),
        ("v.env", "a=#canary", "wrong-value"),
        ("nowhere.env", None, "file-unreadable"),
    ],
)
def test_broken_files_of_values_are_findings(name: str, text: str | None, rule: str, tmp_path: Path) -> None:
    """Nothing in a file of values is skipped in silence, and no message quotes a value."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    found = read_var_file(str(path))
    assert found.values == {} or rule == "duplicate-key"
    assert [item.rule for item in found.problems] == [rule]
    assert [item.span.file for item in found.problems if item.span] == [str(path)]
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("v.yaml", "a: 1\nother: 2\nb: [1]\nc: {d: 1}\n", [(2, 1), (3, 1), (4, 1)]),
        ("v.json", '{"a": 1,\n "other": 2,\n  "b": null}', [(2, 2), (3, 3)]),
        ("v.json", '{"a": 1,\n  nonsense}', [(2, 3)]),
        ("v.env", "a=1\n\nother=2\nnonsense\na=2\n", [(3, 1), (4, 1), (5, 1)]),
        ("v.yaml", "a: 1\nb: c: d\n", [(2, 5)]),
    ],
)
def test_what_is_wrong_in_a_file_of_values_is_told_with_its_place_there(
    name: str, text: str, places: list[tuple[int, int]], tmp_path: Path
) -> None:
    """Bad values, repeated and unknown names and broken syntax are found in the file of values, not in the manifest."""
    path = tmp_path / name
    path.write_text(text)
    _, found = load(HEAD + "variables: {a: {}, b: {}}\n", tmp_path, var_files=(str(path),))
    assert [(item.span.line, item.span.column) for item in found if item.span and item.span.file == str(path)] == places
    assert len(found) == len(places)


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_as_dotenv_is_values_or_findings(text: str) -> None:
    """No text is a traceback, and each line with something in it gives a value or a finding."""
    source = Source("v.env", text)
    made = VarFile("v.env")
    read_dotenv(source, made)
    lines = [line for line in source.lines if line.strip(" \t") and not line.strip(" \t").startswith("#")]
    assert len(made.values) + len(made.problems) == len(lines)
