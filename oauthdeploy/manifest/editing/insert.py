"""Inserts an entry into a list of a handwritten file; every other byte stays as it is.

The place comes from the positions of ruamel.yaml's nodes, and the lines are inserted as text: a round trip would rewrite the
whole file (docs/decisions/comments-on-ruamel-nodes.md). The result is verified like any other edit: it parses to the intended
data, and no comment is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ruamel.yaml.nodes import CollectionNode, MappingNode, SequenceNode

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.core.errors import OAuthDeployError
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.editing.change import Draft, NotChangeable, as_node
from oauthdeploy.manifest.editing.nodes import Entry as Pair
from oauthdeploy.manifest.editing.nodes import Scalar, Value, collection, entries, is_block
from oauthdeploy.manifest.editing.read import Text
from oauthdeploy.manifest.editing.write import flow_text, write_text
from oauthdeploy.manifest.source import Source
from oauthdeploy.manifest.yaml_reader import read_tree

Entry = Mapping[str, "str | Sequence[str] | Mapping[str, str]"]
"""A mapping of plain values; nested lists and mappings are written in brackets if they fit."""

_SECTIONS: Final = tuple(Document.model_fields)


class NotInserted(OAuthDeployError):
    """An entry could not be inserted into a file; the file is unchanged."""

    rule = "file-not-edited"


def insert_entry(source: Source, path: Path, entry: Entry) -> str:
    """The text of `source` with `entry` at the end of the list at `path`, which is created if the top level of the file lacks
    it.

    Line ends are kept. Raises NotInserted.
    """
    data, problems = read_tree(source)
    if problems or not isinstance(data, dict):
        raise _refused(source, "it cannot be read as a manifest", entry)
    draft = Draft(source)
    found = _at(draft.root, path)
    lines = list(source.lines)
    inserted = _with_section(lines, draft.root, path, entry) if found is None else _with_item(lines, *found, entry)
    if inserted is None:
        raise _refused(source, "its list is written in a form that cannot be added to without rewriting it", entry)
    eol = "\r\n" if "\r\n" in source.text else "\n"
    text = eol.join(inserted).removesuffix(eol) + eol
    try:
        draft.append(path, entry)
        draft.prove(text)
    except NotChangeable:
        raise _refused(source, "its form does not allow for it", entry) from None
    return text


def block_lines(entry: Entry, indent: int) -> list[str]:
    """The entry as an item of a list."""
    root: CollectionNode = collection(mapping=False)
    root.value = [as_node(entry)]
    for _ in range(0, indent, 2):
        outer = collection(mapping=True)
        outer.value = [(Scalar("x"), root)]
        root = outer
    return write_text(Text(root), ()).splitlines()[indent // 2 :]


# -- position -----------------------------------------------------------------------------------------------------------


def _at(root: Value, path: Path) -> tuple[Scalar, Value] | None:
    """The key at the path and its value."""
    found: Pair = (None, root)
    for part in path:
        inside = (pair for pair in entries(found[1]) if pair[0] is not None and pair[0].value == part)
        found = next(inside, (None, Scalar("")))
    return None if found[0] is None else (found[0], found[1])


def _with_item(lines: list[str], key: Scalar, node: Value, entry: Entry) -> list[str] | None:
    indent = key.start_mark.column + 2
    if isinstance(node, Scalar) and node.empty:
        after = key.end_mark.line + 1
        return [*lines[:after], *block_lines(entry, indent), *lines[after:]]
    if not isinstance(node, SequenceNode):
        return None
    if node.flow_style:
        return _in_flow(lines, node, entry, indent)
    indent = node.start_mark.column
    end = _last_line(node)
    while end < len(lines) and lines[end].lstrip().startswith("#") and lines[end].startswith(" " * (indent + 1)):
        end += 1
    return [*lines[:end], *block_lines(entry, indent), *lines[end:]]


def _in_flow(lines: list[str], node: SequenceNode, entry: Entry, indent: int) -> list[str] | None:
    """A list in brackets: an empty one becomes a block, in another one the entry goes before the closing bracket."""
    row, column = node.end_mark.line, node.end_mark.column - 1
    if node.value:
        before = lines[row][:column].rstrip()
        comma = "" if before.endswith(",") or not before else ", "
        return [
            *lines[:row],
            f"{before}{comma}{flow_text(as_node(entry, braces=True))}{lines[row][column:]}",
            *lines[row + 1 :],
        ]
    if node.start_mark.line != row:
        return None
    head = lines[row][: node.start_mark.column].rstrip() + lines[row][column + 1 :]
    return [*lines[:row], head, *block_lines(entry, indent), *lines[row + 1 :]]


def _last_line(node: Value) -> int:
    """The number of the last line of a value: only the content of a block shows where it ends."""
    if is_block(node):
        key, last = entries(node)[-1]
        return max(_last_line(last), 0 if key is None else key.start_mark.line + 1)
    end = node.end_mark
    return int(end.line if end.column == 0 and end.line > node.start_mark.line else end.line + 1)


def _with_section(lines: list[str], root: Value, path: Path, entry: Entry) -> list[str] | None:
    """A new section at the top level of the file, in the order of the reference."""
    if len(path) != 1 or not isinstance(root, MappingNode) or root.flow_style:
        return None
    section = str(path[0])
    body = [f"{section}:", *block_lines(entry, 2)]
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


def _refused(source: Source, why: str, entry: Entry) -> NotInserted:
    lines = "\n".join(block_lines(entry, 2))
    return NotInserted(
        "The entry cannot be put into the file",
        detail=f"{source.name}: {why}.",
        fix=f"Insert it by hand:\n{lines}",
    )
