"""How a text is written, whoever typed it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.manifest.scalars import quoted, written
from tests.manifest.support import second_opinion
from tests.manifest.test_yaml_reader import TEXTS


@given(TEXTS)
def test_a_written_text_is_read_as_that_text_everywhere(text: str) -> None:
    """As a key, as a value, in a list and between brackets, by a reader of YAML 1.1 and by one of 1.2."""
    block = f"a: {written(text)}\nlist:\n  - {written(text)}\n"
    flow = f"{{a: {written(text, flow=True)}, list: [{written(text, flow=True)}]}}"
    for document in (block, flow):
        assert yaml.safe_load(document) == second_opinion(document) == {"a": text, "list": [text]}
    if len(text) < 500:
        assert yaml.safe_load(f"{written(text)}: x\n") == {text: "x"}


@given(st.text(st.characters(codec="utf-8")))
def test_quotes_can_hold_any_text_on_one_visible_line(text: str) -> None:
    """Control characters and what can't be seen become escapes."""
    assert quoted(text).isprintable()
    assert yaml.safe_load(f"a: {quoted(text)}") == {"a": text}


@pytest.mark.parametrize(
    "text", ["é", "日本", "a b", "orders:read", "https://x.example:1/y#z&w=2", "it's", "10m", "*".join("ab")]
)
def test_ordinary_texts_need_no_quotes(text: str) -> None:
    """Quotes are for where they are needed."""
    assert written(text) == text
    assert written(text, flow=True) == text


@pytest.mark.parametrize(
    "text", ["no", "y", "Off", "null", "~", "007", "0o7", "0x1F", "1_000", "1e3", ".5", "-.inf", ".NaN", "1:30", "12:30:45",
             "2026-11-20",
             "2026-11-20T08:00:00Z", "2026-11-20 08:00:00", "=", "<<", "", "1.0", "+1"]
)  # fmt: skip
def test_texts_that_some_reader_takes_for_something_else_are_quoted(text: str) -> None:
    """A number, a truth, a time, a null or a merge key in one version of YAML or another."""
    assert written(text) == f'"{text}"'
