"""Comparing two long texts line by line: right for any two, and not slower than they are long."""

from __future__ import annotations

import difflib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauthdeploy.manifest.editing import alignment
from oauthdeploy.manifest.editing.alignment import Alignment

lines = st.lists(st.sampled_from("abcdefghij"), max_size=40)


@given(lines, lines, st.sampled_from([0, 1, 20, 250_000]))
def test_what_is_said_to_be_the_same_is_the_same(old: list[str], new: list[str], small: int) -> None:
    """From the old lines and the changes alone the new lines can be made, whatever is left to difflib."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "_SMALL", small)
        codes = Alignment(old, new).get_opcodes()
    made: list[str] = []
    at = 0
    for tag, first, last, start, end in codes:
        assert first == at
        at = last
        if tag == "equal":
            assert old[first:last] == new[start:end]
        made += old[first:last] if tag == "equal" else new[start:end]
    assert at == len(old)
    assert made == new
    assert all(one[0] != other[0] or one[0] != "equal" for one, other in pairwise(codes))


def test_every_tenth_line_of_many_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change stands alone in the diff, and difflib, whose time grows with the square, never sees the whole."""
    asked: list[int] = []
    compare = difflib.SequenceMatcher.find_longest_match

    def counted(matcher: difflib.SequenceMatcher[str], *where: int) -> difflib.Match:
        asked.append((where[1] - where[0]) * (where[3] - where[2]))
        return compare(matcher, *where)

    monkeypatch.setattr(difflib.SequenceMatcher, "find_longest_match", counted)
    old = [f"line {n}" if n % 2 else "same" for n in range(20_000)]
    new = [f"{line}!" if n % 10 == 5 else line for n, line in enumerate(old)]
    codes = Alignment(old, new).get_opcodes()
    assert [code[1:3] for code in codes if code[0] == "replace"] == [(n, n + 1) for n in range(5, 20_000, 10)]
    assert sum(asked) < 20 * len(old)


def test_many_equal_lines_are_replaced_as_a_whole() -> None:
    """Nothing tells one of them from another; the diff is long then, and it is there at once."""
    old, new = ["a"] * 5000 + ["x"], ["b", *["a"] * 4000]
    assert [code[0] for code in Alignment(old, new).get_opcodes()] == ["replace"]
