"""Formatting: never another meaning, every comment once, and the same text again when it is done twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from oauthdeploy.manifest.api import ManifestRequest
from oauthdeploy.manifest.editing import format as formatting
from oauthdeploy.manifest.editing import format_source
from oauthdeploy.manifest.load import load_manifest
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree
from tests.manifest.editing.scribble import scribbles
from tests.manifest.support import DRIVERS, second_opinion
from tests.manifest.test_yaml_reader import KEYS, TREES

ROOT = Path(__file__).parents[3]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def formatted(text: str) -> str:
    """The canonical form; checks on the way that it is its own canonical form."""
    found = format_source(Source("x.yaml", text))
    assert found.problems == ()
    again = format_source(Source("x.yaml", found.text))
    assert again.problems == ()
    assert again.text == found.text
    return found.text


def read(text: str) -> Any:
    data, problems = read_tree(Source("x.yaml", text))
    assert problems == ()
    return data


def held(text: str, comments: list[str]) -> Counter[str]:
    """How often each comment stands in the text."""
    return Counter({comment: text.count(comment) for comment in comments})


TWO_BESIDE = "associations: [{type: x, client: { # one;\n }, # two;\n }]\n"


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@given(scribbles())
@example((TWO_BESIDE, ["# one;", "# two;"]))
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@pytest.mark.slow
def test_formatting_keeps_data_and_comments_and_is_done_once(drawn: tuple[str, list[str]]) -> None:
    """Whatever is scribbled: the loader reads the same before and after, no comment is lost, and a second run changes nothing."""
    text, comments = drawn
    before, problems = read_tree(Source("x.yaml", text))
    if problems:  # an alias inside its own anchor
        assert format_source(Source("x.yaml", text)).text == text
        return
    after = formatted(text)
    assert read(after) == before
    assert second_opinion(after) == second_opinion(text)
    assert held(after, comments) == held(text, comments) == Counter(comments)


@given(scribbles(ignores=True))
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_comments_that_ignore_rules_speak_of_the_same_values_or_nothing_is_written(
    drawn: tuple[str, list[str]],
) -> None:
    """A finding is silent after formatting exactly where it was before; where that can't be, the file is refused."""
    text, comments = drawn
    source = Source("x.yaml", text)
    if read_tree(source)[1]:
        return
    found = format_source(source)
    if found.problems:
        assert [item.rule for item in found.problems] == ["ignore-ambiguous"]
        assert found.text == text
        return
    before = formatting._targets(source)
    after = formatting._targets(Source("x.yaml", found.text))
    assert Counter(before.values()) == Counter(after.values())
    assert held(found.text, comments) == held(text, comments)


PIECES = [
    "a", "b", "name: ", "clients:", "\n", "\n", "\n  ", "\n    ", " ", "- ", "? ", "[", "]", "{", "}", ",", " #x", " # c", "'",
    '"', "|\n   ", "|+\n  ", "|2\n    ", ">-\n ", "&a ", "*a", "!t ", "---\n", "...", "null", "007", "\\", "1", "a: b\n",
    "k: [a, b]\n", "- x\n", "# oauthdeploy: ignore[x] y\n", "\t", "\r\n", "%YAML 1.2\n", "\u00e9", "\x00", "<<: ",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("\n  ---\n\na")
@example("|\n  a")
@example("|2\n    ")
@example("&a #x")
@example("&a \na: b\n")
@settings(max_examples=400, deadline=None)
@pytest.mark.slow
def test_pieces_of_yaml_are_formatted_or_refused_as_the_loader_does(text: str) -> None:
    """No text is a traceback, and none that the loader reads is beyond the formatter, but for comments that ignore rules."""
    data, problems = read_tree(Source("x.yaml", text))
    found = format_source(Source("x.yaml", text))
    if problems:
        assert [item.rule for item in found.problems] == [item.rule for item in problems]
    elif [item.rule for item in found.problems] != ["ignore-ambiguous"]:
        assert read(formatted(text)) == data


@given(
    st.dictionaries(KEYS, TREES, max_size=4),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, '"', "'", "|", ">"]),
    st.sampled_from([20, 80, 4000]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(max_examples=100, deadline=None)
@pytest.mark.slow
def test_any_text_survives_in_any_style(tree: Any, flow: bool | None, style: Any, width: int, line_end: str) -> None:
    """What a YAML writer writes, with the most awkward texts as keys and values, is the same after formatting."""
    text = yaml.safe_dump(
        tree, default_flow_style=flow, default_style=style, allow_unicode=True, width=width, sort_keys=False, line_break=line_end
    )  # fmt: skip
    if "!!" in text:
        assert [item.rule for item in format_source(Source("x", text)).problems][:1] == ["unsupported-yaml"]
        return
    after = formatted(text)
    assert read(after) == tree
    assert second_opinion(after) == tree
    assert "\r" not in after


@given(st.dictionaries(KEYS, TREES, max_size=3))
@settings(max_examples=60, deadline=None)
def test_quotes_that_carry_a_type_stay(tree: Any) -> None:
    """A reader that resolves types, as YAML 1.1 readers do, sees the same types before and after."""
    text = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)
    try:
        before = yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):  # a date such as 2026-99-99
        return
    assert yaml.safe_load(formatted(text)) == before == tree


CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_cases(case: Path) -> None:
    """Each case file holds a text and its canonical form, which states a rule of style."""
    before, after = case.read_text(encoding="utf-8").split("\n=====\n")
    rule, _, text = before.partition("\n")
    assert rule.startswith("# Rule: ")
    assert formatted(text + "\n") == after


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/*.yaml")), ids=lambda path: path.name)
def test_examples_mean_the_same_when_formatted(path: Path) -> None:
    """The manifests of this project survive."""
    text = path.read_text(encoding="utf-8")
    assert read(formatted(text)) == read(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [1\n", "yaml-syntax"),
        ("a: 1\na: 2\n", "duplicate-key"),
        ("a: !!int 1\n", "unsupported-yaml"),
        ("a: 1\n---\nb: 2\n", "multiple-documents"),
        ("a: {<<: *b}\n", "unsupported-yaml"),
        ("a: " + "[" * 100 + "]" * 100, "too-large"),
        ("a: \x00", "unsupported-yaml"),
    ],
)
def test_what_the_loader_refuses_is_refused_in_its_words(text: str, rule: str) -> None:
    """The findings are the loader's, with their place, and the text is left as it is."""
    found = format_source(Source("x.yaml", text))
    assert found.problems[0].rule == rule
    assert found.problems[0].span is not None
    assert found.text == text


def test_a_finding_shows_no_secret() -> None:
    """The quoted source line of a refused file is masked as in `validate`."""
    found = format_source(Source("x.yaml", "servers: {login: {credentials: {password: hunter2, password: hunter3}}}\n"))
    assert [item.rule for item in found.problems] == ["duplicate-key"]
    assert "hunter" not in repr(found.problems)


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment", "# a\n\n\n# b\n", "x", "- a\n# c\n- b\n", "{}", "'007'", "null"]
)
def test_files_that_are_no_mapping_are_formatted_too(text: str) -> None:
    """Files of variables, empty files and files of comments have a canonical form."""
    after = formatted(text)
    assert read(after) == read(text)
    assert [line for line in after.split("\n") if "#" in line] == [line for line in text.split("\n") if "#" in line]


def test_deep_nesting_up_to_the_loaders_limit_is_formatted() -> None:
    """What the loader accepts, the formatter can write."""
    text = "a: " + "[" * 60 + "x" + "]" * 60
    assert read(formatted(text)) == read(text)


def test_a_very_long_key_is_written_so_that_it_can_be_read() -> None:
    """YAML asks for a question mark before keys of more than 1,024 characters."""
    text = (
        f'"{"k" * 2000}": {{"{"m" * 2000}": 1}}\n'.replace("{", "{? ").replace('"k', '? "k').replace('": {', '"\n: {')
    )
    assert read(formatted(text)) == {"k" * 2000: {"m" * 2000: "1"}}


def test_a_difference_is_found_and_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof at the end does not trust the formatter: lost data or comments refuse the file."""
    text = "name: x  # why\n"
    for wrong in ("name: y  # why\n", "name: x\n", "name: x  # why # why\n", "name: [\n"):
        monkeypatch.setattr(formatting, "canonical_text", lambda _text, wrong=wrong: wrong)
        found = format_source(Source("x.yaml", text))
        assert [item.rule for item in found.problems] == ["not-formatted"]
        assert found.text == text


def test_without_libyaml_the_form_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML's own scanner, the only one on some platforms, leads to the same text."""
    for case in sorted(CASES.glob("*.yaml")):
        text = case.read_text(encoding="utf-8").split("\n=====\n")[0] + "\n"
        with monkeypatch.context() as patch:
            fast = format_source(Source("x.yaml", text))
            patch.setattr(yaml, "__with_libyaml__", False)
            slow = format_source(Source("x.yaml", text))
        assert slow == fast


def test_a_finding_is_silenced_before_and_after(tmp_path: Path) -> None:
    """`# oauthdeploy: ignore[...]` beside or above a value works on the formatted file as on the original."""
    text = (ROOT / "tests/manifest/editing/ignored.txt").read_text(encoding="utf-8")
    for version in (text, formatted(text)):
        path = tmp_path / "oauthdeploy.yaml"
        path.write_text(version, encoding="utf-8")
        manifest, diagnostics = load_manifest(ManifestRequest(files=(str(path),), environ={"P": "x"}), DRIVERS)
        rules = {item.rule for item in diagnostics}
        assert manifest is not None, diagnostics
        assert not rules & {"redirect-uri-not-https", "implicit-grant", "unused-ignore"}
    assert formatted(text) != text
