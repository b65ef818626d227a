"""Checks the overlays that were not chosen, so that a mistake in `prod` is found before its deployment.

Only their shape is checked, on the objects that they touch; their references need values of another environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace
from pydantic import ValidationError

from oauthdeploy.core.diagnostics import Diagnostic, value_at
from oauthdeploy.manifest.build import STAND_INS
from oauthdeploy.manifest.compose import OBJECT_SECTIONS, apply_environment
from oauthdeploy.manifest.document import Document
from oauthdeploy.manifest.problems import problems_of


def check_overlays(tree: dict[str, Any], chosen: str | None) -> Iterator[Diagnostic]:
    """Return the mistakes of shape in the overlays of a composed tree before interpolation, except in the chosen one."""
    overlays = tree.get("environments")
    for name, patch in overlays.items() if isinstance(overlays, dict) else ():
        if name == chosen or not isinstance(patch, dict):
            continue
        merged, problems = apply_environment(tree, name)
        yield from problems
        part = _touched(merged, patch)
        try:
            Document.model_validate(part)
        except ValidationError as error:
            for item in problems_of(error, part, Document):
                if _says(patch, item) and not _is_reference(value_at(part, item.path)):
                    yield replace(item, path=("environments", name, *item.path))


def _touched(merged: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The sections that the patch changes, reduced to the objects that it changes, with placeholders for what a document
    requires.
    """
    part: dict[str, Any] = {str(path[0]): value for path, value in STAND_INS.items()}
    for section, change in patch.items():
        if section in ("environments", "version") or section not in merged:
            continue
        value = merged[section]
        if section in OBJECT_SECTIONS and isinstance(value, dict) and isinstance(change, dict):
            value = {key: inner for key, inner in value.items() if key in change}
            if not value:
                continue
        part[section] = value
    return part


def _says(patch: Any, item: Diagnostic) -> bool:
    """True if the finding is about the patch itself; the document's own mistakes are reported once, there."""
    path = item.path[:-1] if item.rule == "missing-key" else item.path
    for step in path:
        if isinstance(patch, list):
            return True
        if not isinstance(patch, dict) or step not in patch:
            return False
        patch = patch[step]
    return bool(path)


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and "${" in value
