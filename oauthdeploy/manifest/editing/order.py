"""The canonical order of keys: that of the fields in the manifest's model. User-chosen names keep their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from ruamel.yaml.nodes import CollectionNode, MappingNode

from oauthdeploy.core.diagnostics import Path
from oauthdeploy.manifest.compose import OBJECT_SECTIONS
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.editing.nodes import ALIAS, Entry, Scalar, Value, entries, notes_of
from oauthdeploy.manifest.problems import models_at


def put_in_order(root: Value, *, anchored: bool) -> None:
    """Sort the keys of every object that the model knows, in place. Unknown keys come last, in their order.

    A mapping keeps its order if sorting would change the meaning: if an alias would come before its anchor, or a comment that
    ignores a finding on the first line of a list's entry would be beside another key. `anchored`: there may be anchors.
    """
    anchors = Counter(name for name, anchor in _marks(root) if anchor) if anchored else Counter()
    repeated = frozenset(name for name, times in anchors.items() if times > 1)
    if isinstance(root, CollectionNode):
        _visit(root, (), repeated if anchors else None, in_list=False)


def _visit(node: CollectionNode, path: Path, repeated: frozenset[str] | None, *, in_list: bool) -> None:
    if isinstance(node, MappingNode):
        ranks = _ranks(_pattern(path))
        if ranks and not (in_list and _pinned(node)):
            _sort(node, ranks, repeated)
        for key, value in node.value:
            if isinstance(value, CollectionNode):
                _visit(value, (*path, key.value), repeated, in_list=False)
        return
    path = (*path, 0)
    for item in node.value:
        if isinstance(item, CollectionNode):
            _visit(item, path, repeated, in_list=True)


def _pinned(node: MappingNode) -> bool:
    """True for an entry of a block list with a comment that ignores findings."""
    return not node.flow_style and any(notes_of(each).ignore for each in (node, *(key for key, _value in node.value)))


def _pattern(path: Path) -> Path:
    """The path with a star for user-chosen names, and without the prefix of an overlay."""
    if path[:1] == ("environments",):
        if len(path) < 2:
            return path
        path = path[2:]
    if len(path) > 1 and path[0] in OBJECT_SECTIONS:
        path = (path[0], "*", *path[2:])
    return path


@lru_cache(maxsize=4096)
def _ranks(path: Path) -> Mapping[str, int]:
    """The position of each known key at the path; empty if the model knows no keys there."""
    names: list[str] = []
    for model in models_at(Document, path):
        names += [name for name in model.model_fields if name not in names]
    # A subclass has its own fields last, but the name of an object comes first.
    names.sort(key=lambda name: name != "id")
    return {name: place for place, name in enumerate(names)}


def _sort(node: MappingNode, ranks: Mapping[str, int], repeated: frozenset[str] | None) -> None:
    """Sort one mapping. `repeated` are the anchors that are defined more than once; None if the file has no anchors."""
    last = len(ranks)
    ordered = sorted(node.value, key=lambda entry: ranks.get(entry[0].value, last))
    if repeated is None or _keeps_aliases(ordered, repeated):
        node.value = ordered


# -- anchors ----------------------------------------------------------------------------------------------------------


def _marks(node: Value) -> list[tuple[str, bool]]:
    """The anchors (true) and aliases (false) in a value, in their order."""
    found: list[tuple[str, bool]] = []
    if node.anchor:
        found.append((node.anchor, True))
    if isinstance(node, Scalar):
        return [*found, (node.value, False)] if node.style == ALIAS else found
    for _key, value in entries(node):
        found += _marks(value)
    return found


def _keeps_aliases(ordered: list[Entry], repeated: frozenset[str]) -> bool:
    """True if every alias still follows its anchor."""
    marks = [_marks(value) for _key, value in ordered]
    if sum(any(name in repeated for name, _ in found) for found in marks) > 1:
        return False
    defined_later: set[str] = set()
    for found in reversed(marks):
        own = {name for name, anchor in found if anchor}
        if any(name in defined_later and name not in own for name, anchor in found if not anchor):
            return False
        defined_later |= own
    return True
