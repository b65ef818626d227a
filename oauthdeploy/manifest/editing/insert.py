"""Putting an entry into a list of a file that people wrote: every other byte stays as it is.

The place is found by positions and the lines are put in as text. The result is read again before it is given out: it must say
what the file said and the entry besides, and hold every comment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.editing.format import comments_of, with_lf
from oauthdeploy.manifest.editing.scalars import written
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree

Entry = Mapping[str, "str | Sequence[str] | Mapping[str, str]"]
"""A mapping of plain values; nested lists and mappings are written in brackets."""

_SECTIONS: Final = tuple(Document.model_fields)


class NotInserted(OAuthDeployError):
    """An entry could not be put into a file; the file is as it was."""

    rule = "file-not-edited"


def insert_entry(source: Source, path: Path, entry: Entry) -> str:
    """The text of `source` with `entry` at the end of the list at `path`, which is made where the top of the file lacks it.

    Line ends are kept. Raises NotInserted.
    """
    data, problems = read_tree(source)
    if problems or not isinstance(data, dict):
        raise _refused(source, "it can't be read as a manifest", entry)
    root = yaml.compose(source.text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
    assert isinstance(root, MappingNode)
    eol = "\r\n" if "\r\n" in source.text else "\n"
    lines = list(source.lines)
    found = _at(root, path)
    made = _with_section(lines, root, path, entry) if found is None else _with_item(lines, found, entry)
    if made is None:
        raise _refused(source, "its list is written in a form that can't be added to without rewriting it", entry)
    text = eol.join(made)
    if not text.endswith(eol):
        text += eol
    _prove(source, path, entry, text, data)
    return text


def block_lines(entry: Entry, indent: str) -> list[str]:
    """The entry as a list's item, one field a line."""
    return [
        f"{indent}{'- ' if number == 0 else '  '}{key}: {_value(value)}"
        for number, (key, value) in enumerate(entry.items())
    ]


def escaped(text: str) -> str:
    """A text in which `${` is no reference."""
    return text.replace("${", "$${")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return written(escaped(value))
    return _in_brackets(value)


def _in_brackets(value: Any) -> str:
    if isinstance(value, str):
        return written(escaped(value), flow=True)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_in_brackets(inner)}" for key, inner in value.items()) + "}"
    return "[" + ", ".join(_in_brackets(inner) for inner in value) + "]"


# -- where it goes ------------------------------------------------------------------------------------------------------


def _at(root: MappingNode, path: Path) -> tuple[ScalarNode, yaml.Node] | None:
    """The key at the path and its value."""
    node: yaml.Node = root
    found: tuple[ScalarNode, yaml.Node] | None = None
    for part in path:
        pairs = node.value if isinstance(node, MappingNode) else []
        found = next(((key, value) for key, value in pairs if key.value == part), None)
        if found is None:
            return None
        node = found[1]
    return found


def _with_item(lines: list[str], found: tuple[ScalarNode, yaml.Node], entry: Entry) -> list[str] | None:
    key, node = found
    indent = " " * (key.start_mark.column + 2)
    if isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index:
        after = key.end_mark.line + 1
        return [*lines[:after], *block_lines(entry, indent), *lines[after:]]
    if not isinstance(node, SequenceNode) or node.start_mark.index < key.end_mark.index:
        return None  # no list, or an alias of one that stands elsewhere
    if node.flow_style:
        return _in_flow(lines, node, entry, indent)
    indent = " " * node.start_mark.column
    end = _last_line(node.value[-1])
    while end < len(lines) and lines[end].lstrip().startswith("#") and lines[end].startswith(indent + " "):
        end += 1
    return [*lines[:end], *block_lines(entry, indent), *lines[end:]]


def _in_flow(lines: list[str], node: SequenceNode, entry: Entry, indent: str) -> list[str] | None:
    """A list in brackets: an empty one becomes a block, another one gets the entry in front of its closing bracket."""
    row, column = node.end_mark.line, node.end_mark.column - 1
    if node.value:
        before = lines[row][:column].rstrip()
        comma = "" if before.endswith(",") or not before else ", "
        return [*lines[:row], f"{before}{comma}{_in_brackets(entry)}{lines[row][column:]}", *lines[row + 1 :]]
    if node.start_mark.line != row:
        return None
    head = lines[row][: node.start_mark.column].rstrip() + lines[row][column + 1 :]
    return [*lines[:row], head, *block_lines(entry, indent), *lines[row + 1 :]]


def _last_line(node: yaml.Node) -> int:
    """The number of the last line that a value is written on: where a block ends is told only by what is in it."""
    if isinstance(node, MappingNode | SequenceNode) and node.value and not node.flow_style:
        key, last = node.value[-1] if isinstance(node, MappingNode) else (node, node.value[-1])
        return max(key.start_mark.line + 1, _last_line(last))
    end = node.end_mark
    return end.line if end.column == 0 and end.line > node.start_mark.line else end.line + 1


def _with_section(lines: list[str], root: MappingNode, path: Path, entry: Entry) -> list[str] | None:
    """A new section at the top of the file, in the order of the reference."""
    if len(path) != 1 or root.flow_style:
        return None
    section = str(path[0])
    body = [f"{section}:", *block_lines(entry, "  ")]
    later = _SECTIONS[_SECTIONS.index(section) + 1 :]
    starts = [key.start_mark.line for key, _value in root.value if key.value in later]
    if starts:
        start = min(starts)
        while start > 0 and lines[start - 1].startswith("#"):
            start -= 1
        gap = [""] if start > 0 and lines[start - 1].strip() else []
        return [*lines[:start], *gap, *body, "", *lines[start:]]
    end = len(lines)
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    return [*lines[:end], "", *body]


# -- the proof ----------------------------------------------------------------------------------------------------------


def _prove(source: Source, path: Path, entry: Entry, text: str, before: Any) -> None:
    after, problems = read_tree(Source(source.name, text))
    if problems or after != _appended(before, path, _plain(entry)) or _comments(source.text) != _comments(text):
        raise _refused(source, "its form doesn't allow for it", entry)


def _comments(text: str) -> Counter[str]:
    return comments_of(with_lf(text))


def _appended(tree: Any, path: Path, entry: Any) -> Any:
    if not path:
        return [*(tree or []), entry]
    made = dict(tree)
    made[path[0]] = _appended(made.get(str(path[0])), path[1:], entry)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return escaped(value) if isinstance(value, str) else [_plain(inner) for inner in value]


def _refused(source: Source, why: str, entry: Entry) -> NotInserted:
    lines = "\n".join(block_lines(entry, "  "))
    return NotInserted(
        "The entry can't be put into the file",
        detail=f"{source.name}: {why}.",
        fix=f"Put it in by hand:\n{lines}",
    )
