"""Finds the common lines of two texts in linear time, where difflib alone takes quadratic time."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import Match
from itertools import pairwise
from typing import Any, Final

_SMALL: Final = 250_000
"""The number of pairs of lines up to which difflib compares them; its time grows with it."""

_Stretch = tuple[int, int, int, int]


class Alignment(difflib.SequenceMatcher[Any]):
    """difflib's matcher for long texts: lines that occur once in both are matched, and difflib compares what is between them.

    This is the patience diff of Bram Cohen. A long stretch without such lines counts as replaced.
    """

    def __init__(self, old: Sequence[Hashable], new: Sequence[Hashable]) -> None:
        super().__init__(None, old, new, autojunk=False)
        self._old, self._new = old, new

    def get_matching_blocks(self) -> list[Match]:
        """The matching stretches, in difflib's form: in order, never adjacent, an empty one at the end."""
        blocks: list[Match] = []
        for old, new, size in sorted(_blocks(self._old, self._new)):
            if blocks and blocks[-1].a + blocks[-1].size == old and blocks[-1].b + blocks[-1].size == new:
                blocks[-1] = blocks[-1]._replace(size=blocks[-1].size + size)
            else:
                blocks.append(Match(old, new, size))
        return [*blocks, Match(len(self._old), len(self._new), 0)]


def _blocks(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[tuple[int, int, int]]:
    waiting: list[_Stretch] = [(0, len(old), 0, len(new))]
    while waiting:
        first, last, start, end = waiting.pop()
        if first == last or start == end:
            continue
        if (last - first) * (end - start) <= _SMALL:
            matcher = difflib.SequenceMatcher(None, old[first:last], new[start:end], autojunk=False)
            yield from ((first + a, start + b, size) for a, b, size in matcher.get_matching_blocks() if size)
            continue
        for place, other in (found := _anchors(old[first:last], new[start:end])):
            yield first + place, start + other, 1
        ends = [(-1, -1), *found, (last - first, end - start)]
        if found:
            waiting += [(first + a + 1, first + c, start + b + 1, start + d) for (a, b), (c, d) in pairwise(ends)]


def _anchors(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The longest common sequence of lines that occur once in both: their positions."""
    once = {line for line, times in Counter(old).items() if times == 1}
    places = {line: place for place, line in enumerate(new) if line in once}
    twice = {line for line, times in Counter(new).items() if times > 1}
    pairs = [(place, places[line]) for place, line in enumerate(old) if line in places and line not in twice]
    # The longest increasing subsequence of the positions in `new`: ends[n] is the smallest position that a sequence of n + 1
    # can end with.
    ends: list[int] = []
    runs: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(runs[length - 1] if length else -1)
        if length == len(ends):
            ends.append(place)
            runs.append(number)
        else:
            ends[length], runs[length] = place, number
    found: list[tuple[int, int]] = []
    at = runs[-1] if runs else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]
