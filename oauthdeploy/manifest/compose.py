"""Merges several files into one document, and applies the overlay of an environment.

Files are merged section by section. Objects (a server, a scope, a client, a variable) are atomic: two files may define the same
one, but not differently. Settings, the policy and environments are merged key by key. Associations and resource owners are
concatenated, and revocations by their id. An overlay is a JSON Merge Patch (RFC 7396): null in it removes a key, which makes
the field unmanaged, while null in the document itself requests the server's default.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

from msgspec import Struct, field

from oauthdeploy.core.addresses import Kind, object_address
from oauthdeploy.core.diagnostics import Diagnostic, Path, path_text
from oauthdeploy.manifest.locate import Locator
from oauthdeploy.manifest.suggestions import did_you_mean

OBJECT_SECTIONS: Final = frozenset({"servers", "scopes", "clients", "variables"})
KEYED_SECTIONS: Final = frozenset({"settings", "policy", "environments"})
LIST_SECTIONS: Final = frozenset({"associations", "revocations", "resource_owners"})
WHAT: Final = {"servers": "server", "scopes": "scope", "clients": "client", "variables": "variable"}


class Composition(Struct):
    """The merged files: the tree, and for list sections the origin of each entry."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


def merge_files(trees: Iterable[dict[str, Any]], locator: Locator) -> tuple[Composition, list[Diagnostic]]:
    """Merge the trees of several files, in their order. The trees are not changed."""
    merger = _Merger(locator)
    for number, tree in enumerate(trees):
        merger.add(number, tree)
    return merger.made, merger.problems


class _Merger:
    """Adds file after file, and remembers the origin of each part."""

    def __init__(self, locator: Locator) -> None:
        self.made = Composition()
        self.problems: list[Diagnostic] = []
        self._locator = locator
        self._said: dict[Path, int] = {}
        self._ids: dict[str, tuple[int, int, Any]] = {}

    def add(self, number: int, tree: dict[str, Any]) -> None:
        """Add one file."""
        for section, value in tree.items():
            if section in LIST_SECTIONS and isinstance(value, list):
                self._add_list(number, section, value)
            elif section in OBJECT_SECTIONS and isinstance(value, dict):
                self._add_map(number, (section,), self.made.tree, section, value, depth=1)
            elif section in KEYED_SECTIONS and isinstance(value, dict):
                self._add_map(number, (section,), self.made.tree, section, value, depth=64)
            else:
                self._add_value(number, (section,), self.made.tree, section, value)

    def _add_map(
        self, number: int, path: Path, holder: dict[str, Any], name: str, value: dict[str, Any], *, depth: int
    ) -> None:
        """Add a mapping whose atomic entries are `depth` levels down."""
        if name not in holder:
            holder[name] = {}
        elif not isinstance(holder[name], dict):
            self._conflict(number, path)
            return
        self._said.setdefault(path, number)
        for key, inner in value.items():
            way = (*path, key)
            if depth > 1 and isinstance(inner, dict):
                self._add_map(number, way, holder[name], key, inner, depth=depth - 1)
            else:
                self._add_value(number, way, holder[name], key, inner)

    def _add_value(self, number: int, path: Path, holder: dict[str, Any], key: str, value: Any) -> None:
        if key not in holder:
            holder[key] = value
            if number == 0:
                return
            self._said[path] = number
        elif holder[key] != value and not self._owned_elsewhere(number, path, holder, value):
            self._conflict(number, path)

    def _owned_elsewhere(self, number: int, path: Path, holder: dict[str, Any], value: Any) -> bool:
        """Whether one of two entries only says that another file owns the object: then the owner's entry counts."""
        if len(path) != 2 or path[0] not in ("scopes", "clients"):
            return False
        if _is_external(holder[str(path[1])]):
            holder[str(path[1])] = value
            self._said[path] = number
            return True
        return _is_external(value)

    def _add_list(self, number: int, section: str, value: list[Any]) -> None:
        target = self.made.tree.setdefault(section, [])
        if not isinstance(target, list):
            self._conflict(number, (section,))
            return
        self._said.setdefault((section,), number)
        origins = self.made.origins.setdefault(section, [])
        for position, entry in enumerate(value):
            if section == "revocations" and not self._is_new(number, position, entry):
                continue
            target.append(entry)
            origins.append((number, position))

    def _is_new(self, number: int, position: int, entry: Any) -> bool:
        """False for a cut-off whose id exists already; a finding if the two differ or are in the same file."""
        name = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            return True
        if name not in self._ids:
            self._ids[name] = (number, position, entry)
            return True
        first_file, first_position, first = self._ids[name]
        if first != entry or first_file == number:
            path: Path = ("revocations", position)
            first_place = self._locator.span_in(first_file, ("revocations", first_position))
            self._report(number, path, f"The revocation '{name}'", first_place, object_address(Kind.REVOCATION, name))
        return False

    def _conflict(self, number: int, path: Path) -> None:
        first = self._locator.span_in(self._said.get(path, 0), path)
        what = f"'{path_text(path)}'"
        address = ""
        if len(path) == 2 and path[0] in WHAT:
            kind = WHAT[str(path[0])]
            what = f"The {kind} '{path[1]}'"
            address = object_address(Kind(kind), str(path[1])) if kind in ("scope", "client") else ""
        self._report(number, path, what, first, address)

    def _report(self, number: int, path: Path, what: str, first: Any, address: str) -> None:
        here = self._locator.span_in(number, path)
        self.problems.append(
            Diagnostic(
                "conflicting-definition",
                "The same object is defined twice, differently",
                f"{what} is defined here and in {first}.",
                "Keep one of the two, or put the difference into an environment.",
                address=address,
                path=path,
                span=here,
            )
        )


def _is_external(entry: Any) -> bool:
    return isinstance(entry, dict) and str(entry.get("external")).lower() == "true"


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch (RFC 7396 section 2). Neither argument is changed; unchanged parts are shared."""
    if not isinstance(patch, dict):
        return patch
    merged: dict[str, Any] = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def apply_environment(tree: dict[str, Any], name: str | None) -> tuple[dict[str, Any], list[Diagnostic]]:
    """Apply the overlay of an environment to the document; without a name, nothing changes."""
    if name is None:
        return tree, []
    overlays = tree.get("environments")
    known = overlays if isinstance(overlays, dict) else {}
    if name not in known:
        fix = (
            did_you_mean(name, known, what="Environments are") if known else "The manifest has no section environments."
        )
        detail = f"The manifest has no environment '{name}'."
        path: Path = ("environments",) if known else ()
        return tree, [Diagnostic("unknown-environment", "The environment is not known", detail, fix, path=path)]
    patch = known[name]
    if not isinstance(patch, dict):
        return tree, []
    problems = [
        Diagnostic(
            "unknown-key",
            "A key is not known",
            f"An environment cannot change '{section}'.",
            "Change it in the document.",
            path=("environments", name, section),
        )
        for section in ("environments", "version")
        if section in patch
    ]
    patch = {section: value for section, value in patch.items() if section not in ("environments", "version")}
    patched: dict[str, Any] = merge_patch(tree, patch)
    return patched, problems


def server_sections(tree: dict[str, Any]) -> dict[str, Any]:
    """A copy of what identifies servers, in the document and in each overlay, with references unresolved."""

    def some(part: dict[str, Any]) -> dict[str, Any]:
        return {name: deepcopy(part[name]) for name in ("variables", "servers") if name in part}

    overlays = tree.get("environments")
    known = overlays if isinstance(overlays, dict) else {}
    return some(tree) | {"environments": {name: some(p) for name, p in known.items() if isinstance(p, dict)}}
