"""From the composed tree to a `Document`: one pydantic call for all of it, without the parts that are wrong.

A wrong field must not hide other problems. So after the first findings, the wrong fields (or whole objects, if a field is
required) are removed and the rest is validated again; references and OAuth rules are then checked on the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any

from msgspec import Struct, field
from pydantic import ValidationError

from oauthdeploy.core.diagnostics import Diagnostic, Path
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.problems import problems_of, real_path
from oauthdeploy.model.objects import ClientTokens

_ROUNDS = 4
_MOST = 200_000
_SAMPLE = 2_000
_KEYS = 90
STAND_INS: Mapping[Path, Any] = {
    ("version",): "1",
    ("name",): "manifest",
    ("servers",): {"unknown": {"role": "both", "driver": "unknown"}},
}
_SERVER_STAND_INS = {"role": "both", "driver": "unknown"}
"""Placeholders for required parts that are wrong, so that the rest can be checked; findings about them are dropped."""


class Built(Struct, frozen=True, dict=True):
    """What could be built (None if nothing) and the findings.

    `damaged` are the paths that were removed; `positions` are, for list sections that lost entries, the original positions of
    the remaining ones.
    """

    document: Document | None
    problems: tuple[Diagnostic, ...] = ()
    damaged: frozenset[Path] = frozenset()
    positions: Mapping[str, Sequence[int]] = field(default_factory=lambda: MappingProxyType({}))

    def original(self, path: Path) -> Path:
        """The path in the composed tree of a path in the document."""
        if len(path) > 1 and path[0] in self.positions and isinstance(path[1], int):
            return (path[0], self.positions[str(path[0])][path[1]], *path[2:])
        return path

    def is_damaged(self, path: Path) -> bool:
        """True if something in or around the value was removed, so that a finding about it may be wrong."""
        return path in self._around or any(path[:end] in self.damaged for end in range(len(path) + 1))

    @cached_property
    def _around(self) -> frozenset[Path]:
        return frozenset(path[:end] for path in self.damaged for end in range(len(path)))


def build_document(tree: dict[str, Any]) -> Built:
    """Validate the composed tree, without changing it."""
    try:
        document = Document.model_validate(tree)
        _share_tokens(document)
        return Built(document)
    except ValidationError as error:
        count = error.error_count()
        if count <= _MOST:
            problems = problems_of(error, tree, Document)
            wrong = _to_cut(error, tree)
    if count > _MOST:  # Outside the except block, the errors are freed; they can take hundreds of megabytes.
        return Built(None, _beginning(tree, count))
    rest: Any = tree
    damaged: set[Path] = set()
    positions = {name: list(range(len(value))) for name, value in tree.items() if isinstance(value, list)}
    for _ in range(_ROUNDS):
        if () in wrong:
            break
        damaged |= {_original(path, positions) for path in wrong}
        rest = _repaired(rest, wrong)
        _drop_positions(positions, wrong)
        try:
            document = Document.model_validate(rest)
        except ValidationError as error:
            # The rest of an object may require what was cut, so a later round cuts objects, then sections.
            wrong = {path[:2] if len(path) > 2 else path[:1] for path in _to_cut(error, rest)}
        else:
            return Built(document, tuple(problems), frozenset(damaged), positions)
    return Built(None, tuple(problems), frozenset(damaged))


def _share_tokens(document: Document) -> None:
    """Let clients with equal lifetimes of tokens have one object for them: very many clients have few different ones."""
    known: dict[tuple[Any, ...], ClientTokens] = {}
    for client in (document.clients or {}).values():
        tokens = client.tokens
        if tokens is not None:
            key = (tuple(tokens.model_fields_set), *tokens.__dict__.values())
            client.__dict__["tokens"] = known.setdefault(key, tokens)


def _repaired(tree: Any, wrong: set[Path]) -> Any:
    """The tree without the wrong values, with placeholders for required ones."""
    rest = _without(tree, wrong)
    for path in wrong:
        if (stand_in := _stand_in(path)) is not None:
            rest = _set(rest, path, stand_in)
    return rest


def _drop_positions(positions: dict[str, list[int]], wrong: set[Path]) -> None:
    for name, places in positions.items():
        gone = {path[1] for path in wrong if len(path) == 2 and path[0] == name}
        positions[name] = [place for index, place in enumerate(places) if index not in gone]


def _beginning(tree: dict[str, Any], count: int) -> tuple[Diagnostic, ...]:
    """The problems at the start of each section of a tree with too many of them, and their number."""
    findings = [
        Diagnostic(
            "too-large",
            "The manifest is too large",
            f"{count:,} values and keys are wrong; only the first ones of each section are checked.",
            "Check that the file is a manifest, and fix the findings shown first.",
        )
    ]
    cut = {name: _start(section) for name, section in islice(tree.items(), _SAMPLE)}
    try:
        Document.model_validate(cut)
    except ValidationError as error:
        if error.error_count() <= _MOST:
            # What seems to be missing may be in the part that was left out.
            findings += [item for item in problems_of(error, cut, Document) if item.rule != "missing-key"]
    return tuple(findings)


def _start(section: Any) -> Any:
    if isinstance(section, dict):
        return {key: _fields(value) for key, value in islice(section.items(), _SAMPLE)}
    return [_fields(value) for value in section[:_SAMPLE]] if isinstance(section, list) else section


def _fields(value: Any) -> Any:
    """The first keys of an object; valid objects have no more."""
    return dict(islice(value.items(), _KEYS)) if isinstance(value, dict) else value


def _original(path: Path, positions: Mapping[str, Sequence[int]]) -> Path:
    if len(path) > 1 and path[0] in positions and isinstance(path[1], int):
        return (path[0], positions[str(path[0])][path[1]], *path[2:])
    return path


def _to_cut(error: ValidationError, tree: Any) -> set[Path]:
    found: set[Path] = set()
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path = real_path(item, tree)
        if item["type"] == "missing" and _stand_in(path) is None:
            path = path[:-1]
        # A list inside an object would mean something else without one of its entries, so all of it is removed.
        ends = [depth for depth, part in enumerate(path) if isinstance(part, int) and depth > 1]
        found.add(path[: ends[0]] if ends else path)
    return found


def _stand_in(path: Path) -> Any:
    if len(path) == 3 and path[0] == "servers":
        return _SERVER_STAND_INS.get(str(path[2]))
    return STAND_INS.get(path)


def _set(tree: Any, path: Path, value: Any) -> Any:
    """A copy of nested mappings with one more entry; unchanged if the path does not exist."""
    if not isinstance(tree, dict):
        return tree
    if len(path) == 1:
        return {**tree, path[0]: value}
    return {**tree, path[0]: _set(tree[path[0]], path[1:], value)} if path[0] in tree else tree


def _without(tree: Any, paths: set[Path]) -> Any:
    """A copy of the tree without the values at the paths; everything else is shared."""
    below: dict[str | int, set[Path]] = {}
    for path in paths:
        below.setdefault(path[0], set()).add(path[1:])
    if isinstance(tree, dict):
        return {
            key: _without(value, below[key]) if key in below else value
            for key, value in tree.items()
            if key not in below or () not in below[key]
        }
    if isinstance(tree, list):
        return [
            _without(value, below[index]) if index in below else value
            for index, value in enumerate(tree)
            if index not in below or () not in below[index]
        ]
    return tree
