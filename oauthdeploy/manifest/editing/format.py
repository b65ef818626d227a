"""The canonical form of a manifest: one order, one style, every comment preserved, and the same meaning.

Keys of the model are in the order of its fields; servers, scopes, clients, variables and environments keep their author's
order. The result is verified before it is returned: it must parse to the same data, contain every comment once, and comments
that ignore findings must still apply to the same values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.core.garbage_collector import paused
from oauthdeploy.manifest.editing.nodes import IGNORE_MARK, entries, notes, owner
from oauthdeploy.manifest.editing.order import put_in_order
from oauthdeploy.manifest.editing.read import Text, comments_of, read_text
from oauthdeploy.manifest.editing.write import write_text
from oauthdeploy.manifest.locate import Locator
from oauthdeploy.manifest.secret_paths import mask_broken_line
from oauthdeploy.manifest.source import BIG, Source
from oauthdeploy.manifest.yaml_reader import Node, read_nodes, read_tree

_HEADER_KEYS = frozenset({"version", "name"})
"""A comment right above one of these, at the top of a file, is about the whole file."""

_FILE_MARKS = ("yaml-language-server", "vim:", "-*-", "SPDX-")


class Formatted(Struct, frozen=True):
    """The canonical text of a file, or the findings that explain why there is none (then `text` is the original)."""

    text: str
    problems: tuple[Diagnostic, ...] = ()


def format_source(source: Source) -> Formatted:
    """Return the canonical form of a file. Its line ends become LF.

    For a file that the loader cannot read (not YAML, a duplicate key, tags, several documents), returns the loader's findings.
    """
    with paused(len(source.text) > BIG):
        data, problems = read_tree(source)
        if problems:
            return Formatted(source.text, tuple(_masked(item, source) for item in problems))
        tree = read_text(with_lf(source.text))
        text = canonical_text(tree)
        # A text that does not change needs no verification.
        problem = None if text == source.text else _difference(source, data, tree, text)
        return Formatted(text) if problem is None else Formatted(source.text, (problem,))


def _masked(item: Diagnostic, source: Source) -> Diagnostic:
    """The finding, with secrets masked in its source line; by key names, since the file cannot be parsed."""
    if item.span is None:
        return item
    return item.at(replace(item.span, text=mask_broken_line(source.lines, item.span.line)))


def canonical_text(tree: Text) -> str:
    """The canonical text of a tree; sorts the tree."""
    return write_text(tree, _ordered(tree))


def _ordered(tree: Text) -> tuple[str, ...]:
    """Sort the tree, and remove the lines at the top of the file that stay there. Returns those lines."""
    before = entries(tree.root)[:1]
    put_in_order(tree.root, anchored=tree.anchored)
    if not before or entries(tree.root)[:1] == before:
        return ()
    first, now = (notes(owner(entry)) for entry in (before[0], entries(tree.root)[0]))
    end = _header_end(first.above, before[0][0].value if before[0][0] is not None else "")
    header, first.above = first.above[:end], first.above[end:]
    while now.above[:1] == ("",):
        now.above = now.above[1:]
    return (*header, "") if header and now.above else header


def _header_end(above: Sequence[str], key: str) -> int:
    """How many of the lines above the first key belong to the file: all before an empty line, and header comments."""
    end = max((number + 1 for number, line in enumerate(above) if not line), default=0)
    end = max(end, *(number + 1 for number, line in enumerate(above) if any(mark in line for mark in _FILE_MARKS)), 0)
    if key in _HEADER_KEYS:
        while end < len(above) and IGNORE_MARK not in above[end]:
            end += 1
    return end


# -- verification -------------------------------------------------------------------------------------------------------


def _difference(source: Source, data: Any, tree: Text, text: str) -> Diagnostic | None:
    """How the meaning of the new text differs from what was read of a file, as data and as a tree; None if it does not."""
    formatted = Source(source.name, text)
    again, problems = read_tree(formatted)
    if problems or again != data:
        return _refused(source, "its values would change")
    if tree.comments != comments_of(text):
        return _refused(source, "a comment would be lost or doubled")
    return _displaced(source, formatted) if IGNORE_MARK in source.text else None


def _refused(source: Source, why: str) -> Diagnostic:
    return Diagnostic(
        "not-formatted",
        "The file cannot be formatted without changing it",
        f"{source.name} is unchanged: {why}.",
        "This is a bug in oauthdeploy; please report it with an example of the file, without its secrets.",
    )


def with_lf(text: str) -> str:
    """The text with LF line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _displaced(before: Source, after: Source) -> Diagnostic | None:
    """A finding about the first ignore comment that applies to other values in `after` than in `before`."""
    left = Counter(_targets(after).values())
    for (line, column), target in _targets(before).items():
        if not left[target]:
            return Diagnostic(
                "ignore-ambiguous",
                "A comment that ignores a finding cannot stay on its line",
                "The line that it speaks of would hold other values in the canonical form, so the file is left as it is.",
                "Put the value on its own line, with the comment at the end of that line.",
                span=Locator((before,)).place(Diagnostic("", "", span=before.span(line, column))).span,
            )
        left[target] -= 1
    return None


def _targets(source: Source) -> Mapping[tuple[int, int], tuple[str, frozenset[Path]]]:
    """The place of each ignore comment; its text and the paths of the values that a finding would place on its line."""
    places = _places(read_nodes(source)[0])
    text = "\n".join(source.lines)
    found: dict[tuple[int, int], tuple[str, frozenset[Path]]] = {}
    for item in read_text(text).trivia:
        if IGNORE_MARK not in item.text:
            continue
        line = target = text.count("\n", 0, item.index) + 1
        if item.own:
            target += 1
            while source.line(target).lstrip().startswith("#"):
                target += 1
        column = item.index - (text.rfind("\n", 0, item.index) + 1) + 1
        found[line, column] = (item.text, frozenset(places.get(target, ())))
    return found


def _places(top: Node | None) -> Mapping[int, set[Path]]:
    """The paths of values by the line that a finding about them points at: that of a string itself, else that of its key."""
    places: dict[int, set[Path]] = {}
    stack: list[tuple[Node, Path]] = [] if top is None else [(top, ())]
    while stack:
        node, path = stack.pop()
        if isinstance(node.value, dict):
            for key, (line, _, child) in node.value.items():
                at = child.line if isinstance(child.value, str) else line
                places.setdefault(at, set()).add((*path, key))
                stack.append((child, (*path, key)))
        elif isinstance(node.value, list):
            for number, child in enumerate(node.value):
                places.setdefault(child.line, set()).add((*path, number))
                stack.append((child, (*path, number)))
    return places
