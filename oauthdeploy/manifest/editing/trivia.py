"""What stands between the tokens of a YAML file: comments and empty lines, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.tokens import ScalarToken

from oauthdeploy.manifest.yaml_reader import event_source

_BLOCK_HEADER = re.compile(r"[|>](?:([+-])?([1-9])?|([1-9])([+-]))?[ \t]*(#[^\n]*)?(?:\n|\Z)")


@dataclass(frozen=True)
class Trivia:
    """A comment (its text from the #) or an empty line (""). `own` tells that nothing else stands on its line."""

    index: int
    column: int
    text: str
    own: bool


@dataclass(frozen=True)
class BlockText:
    """The parts of a literal or folded text: header without comment, content without indentation, where it ends."""

    header: str
    comment: tuple[int, str] | None
    lines: list[str]
    end: int


@dataclass(frozen=True, slots=True)
class Step:
    """A token with the trivia before it, and its parts where it is a block text. At the end of a file there is no token."""

    token: Any
    before: list[Trivia]
    block: BlockText | None = None


def read_steps(text: str) -> Iterator[Step]:
    """The tokens of a text with LF line ends that the loader has accepted, one after the other: a big file has millions."""
    reader = event_source(text)
    before: list[Trivia] = []
    end = 0
    while reader.check_token():
        token = reader.get_token()
        start = token.start_mark.index
        # Most tokens stand one space apart.
        if start > end and not (start == end + 1 and text[end] == " "):
            before += _between(text, end, start)
        end = max(end, token.end_mark.index)
        block = None
        following: list[Trivia] = []
        if isinstance(token, ScalarToken) and token.style in ("|", ">"):
            block = _read_block(text, token)
            if block.comment is not None:
                following.append(Trivia(block.comment[0], 0, block.comment[1], own=False))
            end = block.end
        yield Step(token, before, block)
        before = following
    if len(text) > end:
        before += _between(text, end, len(text))
    yield Step(None, before)


def read_trivia(text: str) -> Iterator[Trivia]:
    """Only what is between the tokens."""
    for step in read_steps(text):
        yield from step.before


def _between(text: str, start: int, end: int) -> Iterator[Trivia]:
    """The comments and empty lines of a stretch that holds nothing else; its last line may lead to a token."""
    place = start
    while place < end:
        stop = text.find("\n", place, end)
        whole = stop >= 0
        line = text[place : stop if whole else end]
        line_start = text.rfind("\n", 0, place) + 1
        own = not text[line_start:place].strip()
        sign = line.find("#")
        if sign >= 0:
            # A comment reaches to the end of its line, also past `end`: no token can follow it there.
            yield Trivia(place + sign, place + sign - line_start, line[sign:].rstrip(), own)
        elif whole and own and place == line_start:
            yield Trivia(place, 0, "", own=True)
        place = stop + 1 if whole else end


def _read_block(text: str, token: yaml.ScalarToken) -> BlockText:
    """Take a literal or folded text apart. The parser has read it, so its form is known to be right."""
    start = token.start_mark.index
    header = _BLOCK_HEADER.match(text, start)
    if header is None:
        raise AssertionError("a block text without a header. This is a bug in oauthdeploy.")
    chomping = header[1] or header[4] or ""
    explicit = header[2] or header[3]
    raw: list[str] = []
    place, ends = header.end(), [header.end()]
    while place < len(text) and place < token.end_mark.index:
        stop = text.find("\n", place)
        stop = len(text) if stop < 0 else stop
        raw.append(text[place:stop])
        place = stop + 1
        ends.append(min(place, len(text)))
    indent = _indent(raw, token.value, explicit=bool(explicit))
    lines = []
    for line in raw:
        if line.strip(" ") and len(line) - len(line.lstrip(" ")) < indent:
            break
        lines.append(line[indent:])
    while chomping != "+" and lines and not lines[-1]:
        lines.pop()
    comment = (header.start(5), header[5].rstrip()) if header[5] else None
    # At the end of a file without a line end, `|` gives a text without one too; here every line has an end, so `|-` says it.
    if lines and not token.value.endswith("\n"):
        chomping = "-"
    shown = f"{token.style}{'2' if explicit else ''}{chomping}"
    return BlockText(shown, comment, lines, ends[len(lines)])


def _indent(raw: list[str], value: str, *, explicit: bool) -> int:
    """How far the content is indented: the first line that says something tells."""
    first = next((line for line in raw if line.strip(" ")), None)
    if first is None:
        # Spaces past the indentation are content, and the only content there is.
        return max((len(line) for line in raw), default=0) - max(len(line) for line in value.split("\n"))
    spaces = len(first) - len(first.lstrip(" "))
    if not explicit:
        return spaces
    said = next((line for line in value.split("\n") if line.strip(" ")), "")
    return spaces - (len(said) - len(said.lstrip(" ")))
