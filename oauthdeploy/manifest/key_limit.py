"""The limit of keys in a mapping: a file with more is not a manifest, and a finding for each key would be useless."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from oauthdeploy.core.diagnostics import Diagnostic, Path, SourceSpan, path_text
from oauthdeploy.manifest.compose import OBJECT_SECTIONS
from oauthdeploy.manifest.secret_paths import mask_broken_line
from oauthdeploy.manifest.source import Source

MAX_KEYS: Final = 10_000
"""The limit of keys in one object or section. Sections whose keys are names (servers, scopes, clients, variables) are exempt.
"""


def too_wide(tree: Any, source: Source) -> Diagnostic | None:
    """The finding about the first mapping of a file that has too many keys; None if there is none."""
    for path, keys in _widths(tree, ()):
        if keys > MAX_KEYS:
            where = path_text(path) or "The top of the file"
            return Diagnostic(
                "too-large",
                "The manifest is too large",
                f"{where} has {keys:,} keys; at most {MAX_KEYS:,} are allowed in one place.",
                "Check that the file is a manifest.",
                span=SourceSpan(source.name, 1, 1, mask_broken_line(source.lines, 1)),
            )
    return None


def _widths(tree: Any, around: Path) -> Iterator[tuple[Path, int]]:
    """The number of keys that are fields, not names."""
    if not isinstance(tree, Mapping):
        return
    yield around, len(tree)
    for section, value in tree.items():
        if not isinstance(value, Mapping):
            continue
        way = (*around, section)
        if section == "environments" and not around:
            for name, overlay in value.items():
                yield from _widths(overlay, (*way, name))
        elif section in OBJECT_SECTIONS:
            yield from (((*way, name), len(entry)) for name, entry in value.items() if isinstance(entry, Mapping))
        else:
            yield way, len(value)
